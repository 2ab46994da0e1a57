// What can stop the guest besides breakpoints in code and data: exceptions, interrupts, VM exits, ports, MSRs. One row a filter of the
// editor's Breakpoints view; the text behind a filter says which of them. SDM vol. 3, table 6-1 for the names of exceptions.

import { EXIT_REASONS } from '../machine/vmx/exit-reasons.ts';
import { EXCEPTION_NAMES } from '../machine/vmx/qualification.ts';
import type { Spot } from './breakpoints.ts';

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
  readonly label: string;
  readonly description: string;
  readonly enabled: boolean;
  /** What the text behind the filter is; undefined: a C expression that must be true. */
  readonly text?: string;
  /** Where to stop. @throws Error with a sentence, for a text that says nothing. */
  readonly spots: (text: string) => readonly Spot[];
}

const vector = (id: string, number: number, enabled: boolean): Filter => ({
  id,
  label: exceptionName(number),
  description: `Stops at the handler of exception ${number}`,
  enabled,
  spots: () => [{ on: 'exception', vectors: [number] }],
});

/** By id. The guest's end by a triple fault or a failed VM entry is no point of the machine's: those filters say whether it is looked at. */
export const FILTERS: readonly Filter[] = [
  {
    id: 'triple-fault',
    label: 'Triple fault',
    description: 'Stands still where the guest died instead of ending the session',
    enabled: true,
    spots: () => [],
  },
  {
    id: 'vm-entry-failure',
    label: 'VM-entry failure',
    description:
      'Stands still when a check on the guest state refuses a VM entry, or the guest does what cannot be emulated',
    enabled: true,
    spots: () => [],
  },
  vector('double-fault', 8, true),
  vector('general-protection', 13, false),
  vector('page-fault', 14, false),
  vector('invalid-opcode', 6, false),
  {
    id: 'exception',
    label: 'Exceptions by vector',
    description: 'Stops at the handler of every exception, or of those in the list',
    enabled: false,
    text: 'vectors, such as 0, 13, 14; nothing: every exception',
    spots: (text) => deliveries('exception', text),
  },
  {
    id: 'interrupt',
    label: 'Interrupts by vector',
    description: 'Stops where an interrupt is delivered',
    enabled: false,
    text: 'vectors, such as 0x20; nothing: every interrupt',
    spots: (text) => deliveries('interrupt', text),
  },
  {
    id: 'exit',
    label: 'VM exits by reason',
    description: 'Stops at a VM exit, before the hypervisor handles it',
    enabled: false,
    text: "reasons, such as CPUID, 30 or 'CR access'; nothing: every exit",
    spots: (text) => {
      const reasons = exitReasons(text);
      return [reasons.length > 0 ? { on: 'exit', reasons } : { on: 'exit' }];
    },
  },
  {
    id: 'port',
    label: 'Port accesses',
    description: 'Stops behind an IN or OUT',
    enabled: false,
    text: 'ports, such as in 0x60, out 0x3f8-0x3ff; nothing: every port',
    spots: (text) => ports(text),
  },
  {
    id: 'msr',
    label: 'MSR accesses',
    description: 'Stops behind RDMSR or WRMSR of an MSR',
    enabled: false,
    text: 'MSRs, such as 0x10, write 0x174',
    spots: (text) => msrs(text),
  },
];

const parts = (text: string): string[] =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');

const number = (text: string, what: string, most: number): number => {
  const value = /^(0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : NaN;
  if (!(value <= most)) throw new Error(`"${text}" is no ${what}: give a number from 0 to ${most}, decimal or with 0x`);
  return value;
};
const numbers = (text: string, what: string, most: number): number[] =>
  parts(text).map((part) => number(part, what, most));

const deliveries = (on: 'exception' | 'interrupt', text: string): Spot[] => {
  const vectors = numbers(text, 'vector', 255);
  return [vectors.length > 0 ? { on, vectors } : { on }];
};

const exitReasons = (text: string): number[] =>
  parts(text).flatMap((part) => {
    const wanted = part.replace(/^['"]|['"]$/g, '').toLowerCase();
    if (/^(0x[0-9a-f]+|\d+)$/.test(wanted)) return [number(wanted, 'exit reason', 255)];
    const found = EXIT_REASONS.filter(
      (info) =>
        info !== undefined &&
        (info.id.toLowerCase() === wanted.replaceAll(' ', '_') || info.name.toLowerCase().includes(wanted)),
    );
    if (found.length === 0) throw new Error(`"${part}" is no exit reason: give a name of the SDM, or its number`);
    return found.map((info) => info!.reason);
  });

const ports = (text: string): Spot[] => {
  const found = parts(text).map((part): Spot => {
    const match = /^(?:(in|out)\s+)?(\w+)(?:\s*-\s*(\w+))?$/i.exec(part);
    if (match === null)
      throw new Error(`"${part}" is no port: give one such as 0x3f8, a range 0x3f8-0x3ff, with in or out before it`);
    const first = number(match[2]!, 'port', 0xffff);
    const last = match[3] === undefined ? first : number(match[3], 'port', 0xffff);
    if (last < first) throw new Error(`"${part}" is no range of ports: its end comes before its beginning`);
    const direction = match[1]?.toLowerCase() as 'in' | 'out' | undefined;
    return { on: 'port', first, last, ...(direction === undefined ? {} : { direction }) };
  });
  return found.length > 0 ? found : [{ on: 'port', first: 0, last: 0xffff }];
};

const msrs = (text: string): Spot[] => {
  const found = parts(text).map((part): Spot => {
    const match = /^(?:(read|write)\s+)?(\w+)$/i.exec(part);
    if (match === null)
      throw new Error(`"${part}" is no MSR: give its number, such as 0x174, with read or write before it`);
    const direction = match[1]?.toLowerCase() as 'read' | 'write' | undefined;
    return {
      on: 'msr',
      index: number(match[2]!, 'MSR', 0xffff_ffff),
      ...(direction === undefined ? {} : { direction }),
    };
  });
  if (found.length === 0) throw new Error('say which MSR: edit the condition and give its number, such as 0x174');
  return found;
};
