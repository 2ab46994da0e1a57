// Segment and gate descriptors in the GDT and the LDT: reading them with the table's limit check, taking them apart, and the two
// bits the processor writes back (accessed, busy). Not what an instruction then demands of a descriptor. SDM vol. 3, 3.4.5, 3.5, 5.8.3.

import type { Cpu } from './cpu.ts';
import { Access, LDTR, StateLayout } from './state.ts';

/** Types of system descriptors (SDM vol. 3, table 3-2). */
export const SystemType = {
  TSS16_AVAILABLE: 1,
  LDT: 2,
  TSS16_BUSY: 3,
  CALL_GATE16: 4,
  TASK_GATE: 5,
  INTERRUPT_GATE16: 6,
  TRAP_GATE16: 7,
  TSS32_AVAILABLE: 9,
  TSS32_BUSY: 11,
  CALL_GATE32: 12,
  INTERRUPT_GATE32: 14,
  TRAP_GATE32: 15,
} as const;

/** Null selectors are 0 to 3: index 0 of the GDT with any RPL. */
export const isNull = (selector: number): boolean => (selector & 0xfffc) === 0;
/** Error code of an exception that names a selector: index and TI; the EXT bit is added on delivery (SDM vol. 3, 6.13). */
export const selectorError = (selector: number): number => selector & 0xfffc;
export const rpl = (selector: number): number => selector & 3;
/** The TI bit: the selector names an entry of the LDT. */
export const isLocal = (selector: number): boolean => (selector & 4) !== 0;

/** One descriptor as read from memory. Instances are reused: nothing is allocated while a guest runs. */
export class Descriptor {
  /** Linear address it was read from. */
  address = 0;
  low = 0;
  high = 0;

  /** Reads eight bytes at a linear address as the supervisor. False if that faulted. */
  read(cpu: Cpu, address: number): boolean {
    this.address = address >>> 0;
    this.low = cpu.readLinear(this.address, 4, false);
    if (cpu.faulted) return false;
    this.high = cpu.readLinear((this.address + 4) >>> 0, 4, false);
    return !cpu.faulted;
  }

  get type(): number {
    return (this.high >>> 8) & 15;
  }
  get dpl(): number {
    return (this.high >>> 13) & 3;
  }
  get present(): boolean {
    return (this.high & 0x8000) !== 0;
  }
  /** S = 0: LDT, TSS or gate. */
  get isSystem(): boolean {
    return (this.high & 0x1000) === 0;
  }
  get isCode(): boolean {
    return (this.high & 0x1800) === 0x1800;
  }
  get isConforming(): boolean {
    return (this.high & 0x1c00) === 0x1c00;
  }
  get isWritableData(): boolean {
    return (this.high & 0x1a00) === 0x1200;
  }
  /** Data, or code with the readable bit. */
  get isReadable(): boolean {
    return (this.high & 0x1000) !== 0 && (this.high & 0x0a00) !== 0x0800;
  }
  /** A TSS or gate of the 32-bit kind. */
  get isWide(): boolean {
    return (this.high & 0x0800) !== 0;
  }
  get base(): number {
    return ((this.low >>> 16) | ((this.high & 0xff) << 16) | (this.high & 0xff000000)) >>> 0;
  }
  /** In bytes, granularity applied. */
  get limit(): number {
    const raw = (this.low & 0xffff) | (this.high & 0xf0000);
    return (this.high & 0x800000 ? (raw << 12) | 0xfff : raw) >>> 0;
  }
  /** The VMX access-rights word (SDM vol. 3, table 24-2); the L bit is reserved on IA-32. */
  get access(): number {
    return (this.high >>> 8) & 0xd0ff;
  }

  /** Gates: the selector of the code segment or TSS behind it. */
  get gateSelector(): number {
    return this.low >>> 16;
  }
  /** Gates: the entry point, as wide as the gate is. */
  get gateOffset(): number {
    return this.isWide ? ((this.low & 0xffff) | (this.high & 0xffff0000)) >>> 0 : this.low & 0xffff;
  }
  /** Call gates: how many parameters are copied, in words of the gate's width. */
  get gateParameters(): number {
    return this.high & 31;
  }
}

/** True if the selector's eight bytes lie inside its table. */
export const inTable = (cpu: Cpu, selector: number): boolean => {
  const s = cpu.s;
  if (!isLocal(selector)) return (selector | 7) >>> 0 <= s.get(StateLayout.gdtrLimit);
  return (s.access(LDTR) & Access.UNUSABLE) === 0 && (selector | 7) >>> 0 <= s.limit(LDTR);
};

/** Reads the descriptor a non-null selector names. False with `vector`(selector) if it lies outside its table, or with a page fault. */
export const readDescriptor = (cpu: Cpu, selector: number, into: Descriptor, vector: number): boolean => {
  if (!inTable(cpu, selector)) return cpu.raise(vector, selectorError(selector));
  const table = isLocal(selector) ? cpu.s.base(LDTR) : cpu.s.get(StateLayout.gdtrBase);
  return into.read(cpu, table + (selector & 0xfff8));
};

const writeAccessByte = (cpu: Cpu, d: Descriptor, high: number): boolean => {
  if (!cpu.writeLinear((d.address + 5) >>> 0, 1, (high >>> 8) & 0xff, false)) return false;
  d.high = high >>> 0;
  return true;
};

/** Sets the accessed bit of a code or data segment in memory, if it is clear. False if the write faulted. */
export const markAccessed = (cpu: Cpu, d: Descriptor): boolean =>
  (d.high & 0x100) !== 0 || writeAccessByte(cpu, d, d.high | 0x100);

/** Sets or clears the busy bit of a TSS in memory. False if the write faulted. */
export const markBusy = (cpu: Cpu, d: Descriptor, busy: boolean): boolean =>
  writeAccessByte(cpu, d, busy ? d.high | 0x200 : d.high & ~0x200);
