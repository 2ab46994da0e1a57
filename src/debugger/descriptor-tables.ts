// The guest's GDT, LDT, IDT and TSS as a person reads them, from memory, without any effect. Not what the processor does with a descriptor
// (machine/cpu/descriptors.ts), whose reading of the bits this is. SDM vol. 3, 3.4.5, 3.5, 6.11, 7.2.1.

import { Descriptor, SystemType } from '../machine/cpu/descriptors.ts';
import { EXCEPTION_NAMES } from '../machine/vmx/qualification.ts';
import type { DebugGuest } from './target.ts';

type Guest = Pick<DebugGuest, 'vcpu' | 'readMemory'>;

export type TableName = 'GDT' | 'LDT' | 'IDT';

export interface TableEntry {
  /** Of the GDT and the LDT its selector, of the IDT its vector. */
  readonly name: string;
  /** Linear address. */
  readonly at: number;
  readonly text: string;
  /** Linear address that it leads to: of a gate in a flat code segment, the handler; of a segment, its base. */
  readonly leadsTo: number | undefined;
}

const ENTRY = 8;
const hex = (value: number, digits = 8): string => (value >>> 0).toString(16).padStart(digits, '0');

interface Table {
  readonly base: number;
  readonly entries: number;
}

/** Where a table is, by the processor's registers; no entries where it is not in use. */
const tableOf = ({ vcpu }: Guest, name: TableName): Table => {
  const register = { GDT: 'gdtr', LDT: 'ldtr', IDT: 'idtr' }[name];
  const unusable = name === 'LDT' && ((vcpu.read('ldtr') & ~3) === 0 || (vcpu.read('ldtr_access') & 0x1_0000) !== 0);
  const limit = unusable ? -1 : vcpu.read(`${register}_limit`);
  return { base: vcpu.read(`${register}_base`), entries: Math.min(8192, (limit + 1) >>> 3) };
};

export const entryCount = (guest: Guest, name: TableName): number => tableOf(guest, name).entries;

/** Entries `start` to `start + count`; those that are not mapped say so. */
export const tableEntries = (guest: Guest, name: TableName, start: number, count: number): TableEntry[] => {
  const { base, entries } = tableOf(guest, name);
  const found: TableEntry[] = [];
  for (let index = start; index < Math.min(entries, start + count); index++) {
    const at = (base + index * ENTRY) >>> 0;
    const descriptor = read(guest, at);
    const label =
      name === 'IDT'
        ? `0x${hex(index, 2)}${EXCEPTION_NAMES[index] === undefined ? '' : ` ${EXCEPTION_NAMES[index]}`}`
        : `0x${hex((index * ENTRY) | (name === 'LDT' ? 4 : 0), 4)}`;
    found.push(
      descriptor === undefined
        ? { name: label, at, text: 'not mapped', leadsTo: undefined }
        : { name: label, at, ...describe(descriptor) },
    );
  }
  return found;
};

const read = (guest: Guest, at: number): Descriptor | undefined => {
  const bytes = new Uint8Array(ENTRY);
  if (guest.readMemory(at, bytes) < ENTRY) return undefined;
  const view = new DataView(bytes.buffer);
  const descriptor = new Descriptor();
  descriptor.low = view.getUint32(0, true);
  descriptor.high = view.getUint32(4, true);
  return descriptor;
};

/** Selector of the code that a vector's gate leads to; undefined where there is no gate. */
export const gateSelector = (guest: Guest, vector: number): number | undefined => {
  const { base, entries } = tableOf(guest, 'IDT');
  const descriptor = vector < entries ? read(guest, base + vector * ENTRY) : undefined;
  return descriptor?.present === true ? descriptor.gateSelector : undefined;
};

const SYSTEM_NAMES: Readonly<Record<number, string>> = {
  [SystemType.TSS16_AVAILABLE]: '16-bit TSS',
  [SystemType.LDT]: 'LDT',
  [SystemType.TSS16_BUSY]: '16-bit TSS, busy',
  [SystemType.CALL_GATE16]: '16-bit call gate',
  [SystemType.TASK_GATE]: 'task gate',
  [SystemType.INTERRUPT_GATE16]: '16-bit interrupt gate',
  [SystemType.TRAP_GATE16]: '16-bit trap gate',
  [SystemType.TSS32_AVAILABLE]: 'TSS',
  [SystemType.TSS32_BUSY]: 'TSS, busy',
  [SystemType.CALL_GATE32]: 'call gate',
  [SystemType.INTERRUPT_GATE32]: 'interrupt gate',
  [SystemType.TRAP_GATE32]: 'trap gate',
};
const SEGMENTS: readonly number[] = [
  SystemType.TSS16_AVAILABLE,
  SystemType.LDT,
  SystemType.TSS16_BUSY,
  SystemType.TSS32_AVAILABLE,
  SystemType.TSS32_BUSY,
];

const describe = (descriptor: Descriptor): Pick<TableEntry, 'text' | 'leadsTo'> => {
  const { low, high, type, dpl, base, limit } = descriptor;
  if (low === 0 && high === 0) return { text: 'null', leadsTo: undefined };
  const absent = descriptor.present ? '' : ', not present';
  if (!descriptor.isSystem) {
    const size = (high & 0x40_0000) === 0 ? '16-bit' : '32-bit';
    const what = descriptor.isCode
      ? `${size} code${descriptor.isReadable ? ', readable' : ''}${descriptor.isConforming ? ', conforming' : ''}`
      : `${size} data${descriptor.isWritableData ? ', writable' : ''}${(type & 4) === 0 ? '' : ', expand-down'}`;
    const accessed = (type & 1) === 0 ? '' : ', accessed';
    return { text: `${what}, DPL ${dpl}, base ${hex(base)} limit ${hex(limit)}${accessed}${absent}`, leadsTo: base };
  }
  const name = SYSTEM_NAMES[type] ?? `reserved type ${type}`;
  if (SEGMENTS.includes(type))
    return { text: `${name}, DPL ${dpl}, base ${hex(base)} limit ${hex(limit)}${absent}`, leadsTo: base };
  const selector = hex(descriptor.gateSelector, 4);
  if (type === SystemType.TASK_GATE)
    return { text: `${name} to TSS ${selector}, DPL ${dpl}${absent}`, leadsTo: undefined };
  if (SYSTEM_NAMES[type] === undefined) return { text: `${name}${absent}`, leadsTo: undefined };
  const parameters = (type & 7) === 4 ? `, ${descriptor.gateParameters} parameters` : '';
  return {
    text: `${name} to ${selector}:${hex(descriptor.gateOffset)}, DPL ${dpl}${parameters}${absent}`,
    leadsTo: descriptor.present ? descriptor.gateOffset : undefined,
  };
};

// ---- the task-state segment -------------------------------------------------------------------------------------------

export interface TssField {
  readonly name: string;
  readonly at: number;
  readonly bytes: 2 | 4;
  /** Undefined: beyond the limit, or not mapped. */
  readonly value: number | undefined;
}

type Layout = readonly (readonly [name: string, offset: number, bytes: 2 | 4])[];
/** SDM vol. 3, figure 7-2. */
const TSS32: Layout = [
  ['link', 0, 2],
  ['esp0', 4, 4],
  ['ss0', 8, 2],
  ['esp1', 12, 4],
  ['ss1', 16, 2],
  ['esp2', 20, 4],
  ['ss2', 24, 2],
  ...['cr3', 'eip', 'eflags', 'eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'].map(
    (name, i) => [name, 28 + 4 * i, 4] as const,
  ),
  ...['es', 'cs', 'ss', 'ds', 'fs', 'gs', 'ldt'].map((name, i) => [name, 72 + 4 * i, 2] as const),
  ['T', 100, 2],
  ['I/O map base', 102, 2],
];
/** SDM vol. 3, figure 7-10. */
const TSS16: Layout = [
  ...['link', 'sp0', 'ss0', 'sp1', 'ss1', 'sp2', 'ss2', 'ip', 'flags'].map((name, i) => [name, 2 * i, 2] as const),
  ...['ax', 'cx', 'dx', 'bx', 'sp', 'bp', 'si', 'di', 'es', 'cs', 'ss', 'ds', 'ldt'].map(
    (name, i) => [name, 18 + 2 * i, 2] as const,
  ),
];

/** The TSS that TR names. Empty: none is loaded. */
export const taskState = (guest: Guest): TssField[] => {
  const vcpu = guest.vcpu;
  const [base, limit, access] = [vcpu.read('tr_base'), vcpu.read('tr_limit'), vcpu.read('tr_access')];
  if ((vcpu.read('tr') & ~3) === 0 || (access & 0x1_0000) !== 0) return [];
  const layout = (access & 8) === 0 ? TSS16 : TSS32;
  return layout.map(([name, offset, bytes]) => {
    const at = (base + offset) >>> 0;
    const into = new Uint8Array(4);
    const there = offset + bytes - 1 <= limit && guest.readMemory(at, into.subarray(0, bytes)) === bytes;
    return { name, at, bytes, value: there ? new DataView(into.buffer).getUint32(0, true) : undefined };
  });
};
