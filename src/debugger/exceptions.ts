// What can stop the guest besides breakpoints in code and data: exceptions, interrupts, VM exits, ports, MSRs. One row a filter of the
// editor's Breakpoints view; the text behind a filter says which of them. SDM vol. 3, table 6-1 for the names of exceptions.

import { EXIT_REASONS } from '../machine/vmx/exit-reasons.ts';
import { EXCEPTION_NAMES } from '../machine/vmx/qualification.ts';
import type { Spot } from './breakpoints.ts';
import { type Part, Refusal, type Saying } from './saying.ts';

const NAMES: Readonly<Record<number, string>> = {
  0: 'Divide error',
  1: 'Debug exception',
  2: 'NMI',
  3: 'Breakpoint',
  4: 'Overflow',
  5: 'BOUND range exceeded',
  6: 'Invalid opcode',
  7: 'Device not available',
  8: 'Double fault',
  9: 'Coprocessor segment overrun',
  10: 'Invalid TSS',
  11: 'Segment not present',
  12: 'Stack-segment fault',
  13: 'General protection',
  14: 'Page fault',
  16: 'x87 floating-point error',
  17: 'Alignment check',
  18: 'Machine check',
  19: 'SIMD floating-point exception',
};

/** "Page fault (#PF)". */
export const exceptionName = (vector: number): string => {
  const name = NAMES[vector];
  const short = EXCEPTION_NAMES[vector];
  if (name === undefined) return `Exception ${vector}`;
  return short?.startsWith('#') === true ? `${name} (${short})` : name;
};

export interface Filter {
  readonly id: string;
  readonly label: Saying;
  readonly description: Saying;
  readonly enabled: boolean;
  /** What the text behind the filter is; undefined: a C expression that must be true. */
  readonly text?: Saying;
  /** Where to stop. @throws Refusal, for a text that says nothing. */
  readonly spots: (text: string) => readonly Spot[];
}

const vector = (id: string, number: number, enabled: boolean): Filter => ({
  id,
  label: ['plain', { text: exceptionName(number) }],
  description: ['stopsAtException', { vector: number }],
  enabled,
  spots: () => [{ on: 'exception', vectors: [number] }],
});

/** By id. The guest's end by a triple fault or a failed VM entry is no point of the machine's: those filters say whether it is looked at. */
export const FILTERS: readonly Filter[] = [
  {
    id: 'triple-fault',
    label: ['tripleFault'],
    description: ['tripleFaultFilter'],
    enabled: true,
    spots: () => [],
  },
  {
    id: 'vm-entry-failure',
    label: ['entryFailure'],
    description: ['entryFailureFilter'],
    enabled: true,
    spots: () => [],
  },
  vector('double-fault', 8, true),
  vector('general-protection', 13, false),
  vector('page-fault', 14, false),
  vector('invalid-opcode', 6, false),
  {
    id: 'exception',
    label: ['exceptionsByVector'],
    description: ['exceptionsFilter'],
    enabled: false,
    text: ['exceptionsText'],
    spots: (text) => deliveries('exception', text),
  },
  {
    id: 'interrupt',
    label: ['interruptsByVector'],
    description: ['interruptsFilter'],
    enabled: false,
    text: ['interruptsText'],
    spots: (text) => deliveries('interrupt', text),
  },
  {
    id: 'exit',
    label: ['exitsByReason'],
    description: ['exitsFilter'],
    enabled: false,
    text: ['exitsText'],
    spots: (text) => {
      const reasons = exitReasons(text);
      return [reasons.length > 0 ? { on: 'exit', reasons } : { on: 'exit' }];
    },
  },
  {
    id: 'port',
    label: ['portAccesses'],
    description: ['portsFilter'],
    enabled: false,
    text: ['portsText'],
    spots: (text) => ports(text),
  },
  {
    id: 'msr',
    label: ['msrAccesses'],
    description: ['msrsFilter'],
    enabled: false,
    text: ['msrsText'],
    spots: (text) => msrs(text),
  },
];

const parts = (text: string): string[] =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');

const number = (text: string, what: Part, most: number): number => {
  const value = /^(0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : NaN;
  if (!(value <= most)) throw new Refusal('badNumber', { text, what, most });
  return value;
};
const numbers = (text: string, what: Part, most: number): number[] =>
  parts(text).map((part) => number(part, what, most));

const deliveries = (on: 'exception' | 'interrupt', text: string): Spot[] => {
  const vectors = numbers(text, ['vector'], 255);
  return [vectors.length > 0 ? { on, vectors } : { on }];
};

const exitReasons = (text: string): number[] =>
  parts(text).flatMap((part) => {
    const wanted = part.replace(/^['"]|['"]$/g, '').toLowerCase();
    if (/^(0x[0-9a-f]+|\d+)$/.test(wanted)) return [number(wanted, ['exitReason'], 255)];
    const found = EXIT_REASONS.filter(
      (info) =>
        info !== undefined &&
        (info.id.toLowerCase() === wanted.replaceAll(' ', '_') || info.name.toLowerCase().includes(wanted)),
    );
    if (found.length === 0) throw new Refusal('noExitReason', { text: part });
    return found.map((info) => info!.reason);
  });

const ports = (text: string): Spot[] => {
  const found = parts(text).map((part): Spot => {
    const match = /^(?:(in|out)\s+)?(\w+)(?:\s*-\s*(\w+))?$/i.exec(part);
    if (match === null) throw new Refusal('noPort', { text: part });
    const first = number(match[2]!, ['port'], 0xffff);
    const last = match[3] === undefined ? first : number(match[3], ['port'], 0xffff);
    if (last < first) throw new Refusal('noPortRange', { text: part });
    const direction = match[1]?.toLowerCase() as 'in' | 'out' | undefined;
    return { on: 'port', first, last, ...(direction === undefined ? {} : { direction }) };
  });
  return found.length > 0 ? found : [{ on: 'port', first: 0, last: 0xffff }];
};

const msrs = (text: string): Spot[] => {
  const found = parts(text).map((part): Spot => {
    const match = /^(?:(read|write)\s+)?(\w+)$/i.exec(part);
    if (match === null) throw new Refusal('noMsr', { text: part });
    const direction = match[1]?.toLowerCase() as 'read' | 'write' | undefined;
    return {
      on: 'msr',
      index: number(match[2]!, ['msr'], 0xffff_ffff),
      ...(direction === undefined ? {} : { direction }),
    };
  });
  if (found.length === 0) throw new Refusal('whichMsr');
  return found;
};
