// How the numbers inside a record read: the operand formats, and the names of every closed set of codes.
// Not which operands an event has (events.ts). The codes are the observer's (hypervisor/observer.ts); their names derive from it.

import {
  AssistBlocker,
  AssistDecision,
  AssistSource,
  CrLoad,
  DemoteTrigger,
  EoiKind,
  ExceptionDelivery,
  HandlerOutcome,
  PageFaultDelivery,
  type PicCommand,
  RunInputKind,
  RunState,
  RunStopReason,
  ShadowFlag,
  ShadowOutcome,
  ShadowPageAction,
  ShadowPageType,
  ShadowSetCause,
  ShutdownReason,
  TlbScope,
  WrmapMethod,
} from '../hypervisor/observer.ts';
import { exitReasonName } from '../machine/vmx/exit-reasons.ts';

/** Names by value: IF_CLEAR becomes "if clear". */
const names = (codes: Readonly<Record<string, number>>): Readonly<Record<number, string>> =>
  Object.freeze(
    Object.fromEntries(Object.entries(codes).map(([name, value]) => [value, name.toLowerCase().replaceAll('_', ' ')])),
  );

/** Every closed set of codes by the name of the format that reads it. Trace files carry this table. */
export const CODE_SETS = {
  handler: names(HandlerOutcome),
  delivery: names(PageFaultDelivery),
  shadow: names(ShadowOutcome),
  'shadow-cause': names(ShadowSetCause),
  'shadow-action': names(ShadowPageAction),
  'shadow-type': names(ShadowPageType),
  demote: names(DemoteTrigger),
  wrmap: names(WrmapMethod),
  'cr-load': names(CrLoad),
  'tlb-scope': names(TlbScope),
  'pic-command': { 0: 'ICW1', 1: 'ICW2', 2: 'ICW3', 3: 'ICW4', 4: 'OCW1', 5: 'OCW2', 6: 'OCW3' } satisfies Record<
    (typeof PicCommand)[keyof typeof PicCommand],
    string
  >,
  eoi: names(EoiKind),
  'assist-source': names(AssistSource),
  'assist-decision': names(AssistDecision),
  'assist-blocker': names(AssistBlocker),
  exception: names(ExceptionDelivery),
  'run-state': names(RunState),
  shutdown: names(ShutdownReason),
  'run-stop': names(RunStopReason),
  'run-input': names(RunInputKind),
  /** Vectors 0-31 (SDM vol. 3, table 6-1). */
  trap: {
    0: '#DE',
    1: '#DB',
    2: 'NMI',
    3: '#BP',
    4: '#OF',
    5: '#BR',
    6: '#UD',
    7: '#NM',
    8: '#DF',
    10: '#TS',
    11: '#NP',
    12: '#SS',
    13: '#GP',
    14: '#PF',
    16: '#MF',
    17: '#AC',
    18: '#MC',
    19: '#XM',
  },
} as const satisfies Readonly<Record<string, Readonly<Record<number, string>>>>;

export type CodeSet = keyof typeof CODE_SETS;

const hex = (value: number, digits = 1): string => `0x${value.toString(16).padStart(digits, '0')}`;

const SHADOW_FLAGS = Object.entries(ShadowFlag).map(([name, bit]) => [bit, name.toLowerCase()] as const);
const bits = (value: number, table: readonly (readonly [number, string])[]): string =>
  table
    .filter(([bit]) => (value & bit) !== 0)
    .map(([, name]) => name)
    .join(' ') || 'none';

/** Types of the interruption-information word (SDM vol. 3, table 24-15). */
const EVENT_TYPES = [
  'external interrupt',
  'reserved',
  'NMI',
  'hardware exception',
  'software interrupt',
  'privileged software exception',
  'software exception',
  'other event',
] as const;

/** Packed operands: `slot` of shadow.entry_set, `access` of io.pio and mem.mmio, `lead` of vmx.handler. */
export const packSlot = (level: number, index: number, cause: number): number =>
  ((index & 0xfff) | ((level & 15) << 12) | (cause << 16)) >>> 0;
export const packAccess = (size: number, write: number, string: number): number =>
  ((size & 0xff) | ((write & 1) << 8) | ((string & 1) << 9)) >>> 0;
export const packLead = (reason: number, outcome: number): number => ((reason & 0xffff) | (outcome << 16)) >>> 0;

/** All values are unsigned 32-bit numbers. */
export const PLAIN_FORMATS = {
  dec: (v: number) => String(v),
  signed: (v: number) => String(v | 0),
  hex: (v: number) => hex(v),
  hex8: (v: number) => hex(v, 2),
  bool: (v: number) => (v === 0 ? 'no' : 'yes'),
  /** Linear address of the guest: panels make it a link. */
  address: (v: number) => hex(v, 8),
  physical: (v: number) => hex(v, 8),
  frame: (v: number) => hex(v, 5),
  cycles: (v: number) => String(v),
  'field-encoding': (v: number) => hex(v, 4),
  reason: (v: number) => exitReasonName(v) + (v >= 0x8000_0000 ? ' (VM entry failed)' : ''),
  cause: (v: number) => (v === 0xffff ? 'set-up' : exitReasonName(v)),
  lead: (v: number) =>
    `${exitReasonName(v & 0xffff)}: ${(CODE_SETS.handler as Record<number, string>)[v >>> 16] ?? v >>> 16}`,
  event: (v: number) =>
    v < 0x8000_0000
      ? 'none'
      : `${EVENT_TYPES[(v >>> 8) & 7]} ${hex(v & 0xff, 2)}${v & 0x800 ? ' with error code' : ''}`,
  vector: (v: number) => (v === 0xffff_ffff ? 'none' : hex(v, 2)),
  line: (v: number) => (v === 0xffff_ffff ? 'none' : `IRQ${v}`),
  port: (v: number) => hex(v, 4),
  'pf-error': (v: number) =>
    `${v & 1 ? 'protection' : 'not present'} ${v & 2 ? 'write' : 'read'} ${v & 4 ? 'user' : 'supervisor'}${v & 8 ? ' reserved bit' : ''}${v & 16 ? ' fetch' : ''}`,
  'shadow-flags': (v: number) => bits(v, SHADOW_FLAGS),
  'cr3-flags': (v: number) =>
    bits(v, [
      [1, 'flush only'],
      [2, 'first seen'],
    ]),
  slot: (v: number) =>
    `L${(v >>> 12) & 15}[${v & 0xfff}] ${(CODE_SETS['shadow-cause'] as Record<number, string>)[v >>> 16] ?? v >>> 16}`,
  access: (v: number) => `${v & 0x100 ? 'write' : 'read'} ${v & 0xff}${v & 0x200 ? ' string' : ''}`,
  chip: (v: number) => (v === 0 ? 'master' : 'slave'),
} as const;

export type OperandFormat = keyof typeof PLAIN_FORMATS | CodeSet;

/** An operand as text. A value outside a code set reads as its number. */
export const formatOperand = (format: OperandFormat, value: number): string => {
  const v = value >>> 0;
  const plain = (PLAIN_FORMATS as Readonly<Record<string, (v: number) => string>>)[format];
  if (plain !== undefined) return plain(v);
  return (CODE_SETS as Readonly<Record<string, Readonly<Record<number, string>>>>)[format]?.[v] ?? String(v);
};
