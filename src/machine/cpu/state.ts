// The processor's architectural state: where each register lies in linear memory, and typed access to it for TypeScript.
// Translated code reaches the same words by address. Not behaviour: no checks, no side effects (those are in the CPU's modules).
// SDM vol. 1 ch. 3 (registers), vol. 3 ch. 2 (system registers).
// Longer than other files: the layout is one table, so that no two of its words claim the same place.

import type { PhysicalMemory } from '../memory.ts';

/** Encoding order of the general registers (SDM vol. 2, table 2-2). */
export const EAX = 0,
  ECX = 1,
  EDX = 2,
  EBX = 3,
  ESP = 4,
  EBP = 5,
  ESI = 6,
  EDI = 7;
/** Encoding order of the segment registers (SDM vol. 2, table 2-2, Sreg). LDTR and TR follow: they have the same shape. */
export const ES = 0,
  CS = 1,
  SS = 2,
  DS = 3,
  FS = 4,
  GS = 5,
  LDTR = 6,
  TR = 7;

/** EFLAGS bits (SDM vol. 1, 3.4.3). */
export const Flag = {
  CF: 1 << 0,
  PF: 1 << 2,
  AF: 1 << 4,
  ZF: 1 << 6,
  SF: 1 << 7,
  TF: 1 << 8,
  IF: 1 << 9,
  DF: 1 << 10,
  OF: 1 << 11,
  IOPL: 3 << 12,
  NT: 1 << 14,
  RF: 1 << 16,
  VM: 1 << 17,
  AC: 1 << 18,
  VIF: 1 << 19,
  VIP: 1 << 20,
  ID: 1 << 21,
} as const;
/** CF PF AF ZF SF OF: kept lazily, see `lazyResult`. */
export const ARITHMETIC_FLAGS = 0x8d5;

/** Interruptibility state: what an instruction blocks, for itself and the next one (STI, MOV SS) or until IRET (NMI) (SDM vol. 3, table 24-3). */
export const Blocking = { STI: 1, MOV_SS: 2, STI_OR_MOV_SS: 3, SMI: 4, NMI: 8 } as const;

/** CR0 and CR4 bits (SDM vol. 3, 2.5). */
export const Cr0 = {
  PE: 1,
  MP: 2,
  EM: 4,
  TS: 8,
  ET: 16,
  NE: 32,
  WP: 1 << 16,
  AM: 1 << 18,
  NW: 1 << 29,
  CD: 1 << 30,
  PG: 1 << 31,
} as const;
export const Cr4 = {
  VME: 1,
  PVI: 2,
  TSD: 4,
  DE: 8,
  PSE: 16,
  PAE: 32,
  MCE: 64,
  PGE: 128,
  PCE: 256,
  OSFXSR: 512,
  OSXMMEXCPT: 1024,
  VMXE: 1 << 13,
} as const;

/** Byte addresses in linear memory. Everything translated code touches lies below 64 KiB, so that an entry names it in 16 bits. */
export const StateLayout = {
  /** Eight general registers, 8-byte slots (the upper halves are for x86-64 to come). */
  gpr: 0x40,
  /** Reads as zero: the base or index of an address that has none. */
  zero: 0x80,
  eip: 0x88,
  /**
   * Lazy arithmetic flags. ZF = (result == 0); SF = sign(result) ^ aux bit 16; PF = even parity of (result ^ aux >> 8) & 0xff;
   * CF = aux bit 31; OF = aux bit 31 ^ aux bit 30; AF = aux bit 3. An instruction stores the sign-extended result and its carries.
   */
  lazyResult: 0x90,
  lazyAux: 0x94,
  /** EFLAGS without the arithmetic flags; bit 1 always set. */
  eflagsRest: 0x98,
  /** 1: setting EFLAGS.IF now lets nothing in: no request waits, and no window is watched for (helper-calls.ts). For translated code, no state. */
  nothingWaits: 0x9c,
  /** ES CS SS DS FS GS LDTR TR, `segmentStride` bytes each: fields at the Segment* offsets. */
  segments: 0xa0,
  gdtrBase: 0x1a0,
  gdtrLimit: 0x1a4,
  idtrBase: 0x1a8,
  idtrLimit: 0x1ac,
  cr0: 0x1b0,
  cr2: 0x1b8,
  cr3: 0x1c0,
  cr4: 0x1c8,
  dr: 0x1d0,
  cpl: 0x210,
  /** Which translations of code may run: CS.D, SS.B, flat segments, CPL 3, VMX non-root, single step (translate/mode.ts). */
  mode: 0x214,
  /** Linear-memory address of the current TLB context's read table; the write table follows at +4 MiB. */
  tlb: 0x218,
  /** Tag that a jump-cache entry must carry to be valid now. */
  jumpTag: 0x21c,
  /** Written by translated code on its way out: why it left, the entry it stands at, the budget left. */
  exitKind: 0x220,
  exitEntry: 0x224,
  exitBudget: 0x228,
  /** Linear (or effective, see translate/entry.ts) address of the memory operand given to a helper. */
  exitEa: 0x22c,
  /** Fault mailbox: vector + 1 (0: none), error code, 1 if there is an error code. */
  faultVector: 0x230,
  faultError: 0x234,
  faultHasError: 0x238,
  /** Interruptibility as the VMCS has it (Blocking). */
  interruptibility: 0x23c,
  /** 0 active, 1 HLT, 2 shutdown, 3 wait-for-SIPI (SDM vol. 3, 24.4.2). */
  activity: 0x240,
  /** A region's exit at an instruction that has not executed: where in the region (`exitEntry` is its number), and flags that are in their producer's form (translate/region/flag-kinds.ts). */
  exitSite: 0x244,
  exitFlagKind: 0x248,
  exitFlagOperand: 0x24c,
  /** Scratch for intermediate 64- and 128-bit values of instructions. */
  scratch: 0x250,
  /** x87: eight PHYSICAL registers R0..R7, 16-byte slots (64-bit significand, then 16-bit sign and exponent). */
  fpuRegisters: 0x280,
  fpuControl: 0x300,
  /** Status word without TOP (bits 13:11 zero); TOP is kept apart. */
  fpuStatus: 0x304,
  fpuTop: 0x308,
  /** Tag byte: bit i set = physical register i is not empty (FXSAVE's abridged form). */
  fpuTags: 0x30c,
  fpuIp: 0x310,
  fpuCs: 0x314,
  fpuDp: 0x318,
  fpuDs: 0x31c,
  fpuOpcode: 0x320,
  xmm: 0x340,
  mxcsr: 0x3c0,
  /** IA-32 MSRs kept as state, 8 bytes each: the slots of msr-rows.ts. */
  msrs: 0x3d0,
  /** MONITOR: physical address of the line, and whether it is watched and waited for (monitor-wait.ts). */
  monitorAddress: 0x600,
  monitor: 0x604,
  /** 1 while a performance counter is enabled, and the CPL of the instructions that it has not counted yet. */
  counting: 0x608,
  countedLevel: 0x60c,
  /** 1: the NMI pin has seen an edge that was not delivered yet. */
  nmi: 0x610,
  /** Here the state ends: what follows is for translated code alone. */
  end: 0x618,
  /**
   * 1: translated code may pass gates and change CPL by itself (isa/gate-functions.ts): protected mode, no instruction breakpoints, no stop
   * points at deliveries, CR4.TSD clear, not executed for the hypervisor.
   */
  gates: 0x618,
  /** The budget behind an IRET that has loaded RF, or one of Resumed. */
  resumed: 0x61c,
  /** The clock, 64 bits, where the budget will be 0 (helper-calls.ts), and the TSC offset of non-root operation. */
  timeBase: 0x620,
  timeOffset: 0x628,
  /** 0: the segment registers are as in the guest-state area of the current VMCS (vmx/guest-segments.ts). */
  segmentsApart: 0x630,
  /** Linear address of a #PF in the fault mailbox, or DR6 bits of a #DB (Cpu.faultAddress). */
  faultAddress: 0x634,
  /** 1: translated code may walk the page tables by itself (isa/walk-functions.ts): paging is on, and no access has to be looked at. */
  walks: 0x638,
  /** Lines that looseLines of the linear memory holds. */
  looseCount: 0x63c,
  /** By TLB context: words in its journal, and from which number on TypeScript makes room (tlb.ts). */
  journalLength: 0x640,
  journalRoom: 0x650,
  /** The four PDPTEs of PAE paging, 64 bits each (page-walk.ts). */
  pdptes: 0x660,
  /** Events that take no time, and those delivered behind the last instruction (moment-count.ts). */
  timeless: 0x680,
  delivered: 0x690,
  /** Instructions retired, 64 bits, where the budget will be 0 (helper-calls.ts). */
  retiredBase: 0x6a0,
  /**
   * 1: translated code may deliver faults by itself (translate/fault-function.ts): nobody would look at the boundary behind the delivery, or before
   * it. For the time until the next helper.
   */
  plainFaults: 0x6a8,
  /** Records of the sites of the region that is at one (translate/region/site-records.ts). */
  exitSites: 0x6ac,
  /** 1: translated code may access ports without their helpers, and what is taken from its budget behind that (helper-calls.ts). */
  ports: 0x6b0,
  budgetCut: 0x6b4,
  /** 1: translated code may read and write MSRs without their helpers, where nobody would look at that (helper-calls.ts). */
  msrAccess: 0x6b8,
  /** With `exitFlagOperand`: CF where the flags' form has it apart. */
  exitFlagCarry: 0x6bc,
  allEnd: 0x6c0,
} as const;

/** In StateLayout.resumed; no budget is so large. */
export const Resumed = {
  /** No IRET has loaded RF since translated code began. */
  asBefore: 0x7fff_ffff,
  /** The same, and a handler was entered: what was is over. */
  byNothing: 0x7fff_fffe,
} as const;

/** Fields of a segment slot. `limit` is in bytes (granularity applied); `access` is the VMX access-rights word (SDM vol. 3, table 24-2). */
export const SEGMENT_STRIDE = 32;
export const SegmentField = { selector: 0, base: 4, limit: 8, access: 12, readLimit: 16, writeLimit: 20 } as const;
/** Access-rights bits: type 3:0, S 4, DPL 6:5, P 7, AVL 12, D/B 14, G 15, unusable 16. */
export const Access = {
  TYPE: 0xf,
  S: 0x10,
  DPL: 0x60,
  P: 0x80,
  AVL: 1 << 12,
  DB: 1 << 14,
  G: 1 << 15,
  UNUSABLE: 1 << 16,
} as const;

const parity = (byte: number): boolean => {
  let b = byte & 0xff;
  b ^= b >> 4;
  return ((0x9669 >> (b & 15)) & 1) === 1;
};

/** Address of CR0, CR2, CR3 or CR4. */
export const controlRegisterAt = (number: number): number =>
  number === 0 ? StateLayout.cr0 : StateLayout.cr2 + (number - 2) * 8;
/** Address of a debug register's word: DR4 and DR5 have one, though they are others' names. */
export const debugRegisterAt = (number: number): number => StateLayout.dr + number * 8;

/** Typed access to the state words. All register values are returned unsigned. */
export class CpuState {
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly i32: Int32Array;
  readonly u32: Uint32Array;
  readonly view: DataView;

  constructor(readonly memory: PhysicalMemory) {
    this.u8 = memory.u8;
    this.u16 = memory.u16;
    this.i32 = memory.i32;
    this.u32 = memory.u32;
    this.view = memory.view;
  }

  gpr(index: number): number {
    return this.u32[(StateLayout.gpr >> 2) + index * 2]!;
  }
  setGpr(index: number, value: number): void {
    this.i32[(StateLayout.gpr >> 2) + index * 2] = value;
  }
  gpr16(index: number): number {
    return this.u16[(StateLayout.gpr >> 1) + index * 4]!;
  }
  setGpr16(index: number, value: number): void {
    this.u16[(StateLayout.gpr >> 1) + index * 4] = value;
  }
  /** AL CL DL BL AH CH DH BH. */
  gpr8(index: number): number {
    return this.u8[StateLayout.gpr + (index & 3) * 8 + (index >> 2)]!;
  }
  setGpr8(index: number, value: number): void {
    this.u8[StateLayout.gpr + (index & 3) * 8 + (index >> 2)] = value;
  }

  /** Any 32-bit state word by its StateLayout address. */
  get(address: number): number {
    return this.u32[address >> 2]!;
  }
  set(address: number, value: number): void {
    this.i32[address >> 2] = value;
  }

  get eip(): number {
    return this.u32[StateLayout.eip >> 2]!;
  }
  set eip(value: number) {
    this.i32[StateLayout.eip >> 2] = value;
  }
  get cr0(): number {
    return this.u32[StateLayout.cr0 >> 2]!;
  }
  set cr0(value: number) {
    this.i32[StateLayout.cr0 >> 2] = value;
  }
  get cr2(): number {
    return this.u32[StateLayout.cr2 >> 2]!;
  }
  set cr2(value: number) {
    this.i32[StateLayout.cr2 >> 2] = value;
  }
  get cr3(): number {
    return this.u32[StateLayout.cr3 >> 2]!;
  }
  set cr3(value: number) {
    this.i32[StateLayout.cr3 >> 2] = value;
  }
  get cr4(): number {
    return this.u32[StateLayout.cr4 >> 2]!;
  }
  set cr4(value: number) {
    this.i32[StateLayout.cr4 >> 2] = value;
  }
  get cpl(): number {
    return this.u32[StateLayout.cpl >> 2]!;
  }
  set cpl(value: number) {
    this.i32[StateLayout.cpl >> 2] = value;
  }
  dr(index: number): number {
    return this.u32[(StateLayout.dr >> 2) + index * 2]!;
  }
  setDr(index: number, value: number): void {
    this.i32[(StateLayout.dr >> 2) + index * 2] = value;
  }

  selector(segment: number): number {
    return this.get(StateLayout.segments + segment * SEGMENT_STRIDE + SegmentField.selector);
  }
  base(segment: number): number {
    return this.get(StateLayout.segments + segment * SEGMENT_STRIDE + SegmentField.base);
  }
  limit(segment: number): number {
    return this.get(StateLayout.segments + segment * SEGMENT_STRIDE + SegmentField.limit);
  }
  access(segment: number): number {
    return this.get(StateLayout.segments + segment * SEGMENT_STRIDE + SegmentField.access);
  }
  /**
   * Writes a whole segment slot and derives readLimit/writeLimit: the highest offset at which an access of up to 16 bytes
   * certainly passes, or 0 where each access must be checked in full (expand-down, unusable, not readable, tiny limit).
   */
  setSegment(segment: number, selector: number, base: number, limit: number, access: number): void {
    const at = StateLayout.segments + segment * SEGMENT_STRIDE;
    this.set(at + SegmentField.selector, selector & 0xffff);
    this.set(at + SegmentField.base, base);
    this.set(at + SegmentField.limit, limit);
    this.set(at + SegmentField.access, access);
    this.i32[StateLayout.segmentsApart >> 2] = 1;
    this.deriveLimits(segment);
  }
  /**
   * readLimit/writeLimit as setSegment leaves them. A limit of 4 GiB is exact for up to four bytes. Wider accesses that cross it are refused
   * in segments with base 0 only (Mmu.refusesWrap); in others they wrap, which SDM vol. 3, 5.3 leaves open.
   */
  deriveLimits(segment: number): void {
    const at = StateLayout.segments + segment * SEGMENT_STRIDE;
    const access = this.access(segment);
    const limit = this.limit(segment);
    const usable = (access & (Access.UNUSABLE | Access.P)) === Access.P && (access & Access.S) !== 0;
    const code = (access & 8) !== 0;
    const expandDown = !code && (access & 4) !== 0;
    const fast = limit >>> 0 === 0xffffffff ? 0xfffffffd : limit >>> 0 >= 16 ? (limit >>> 0) - 15 : 0;
    const readable = usable && !expandDown && (!code || (access & 2) !== 0);
    const writable = usable && !expandDown && !code && (access & 2) !== 0;
    this.set(at + SegmentField.readLimit, readable ? fast : 0);
    this.set(at + SegmentField.writeLimit, writable ? fast : 0);
  }
  /** Until deriveLimits, each access in the segment is checked in full. */
  dropLimits(segment: number): void {
    const at = StateLayout.segments + segment * SEGMENT_STRIDE;
    this.set(at + SegmentField.readLimit, 0);
    this.set(at + SegmentField.writeLimit, 0);
  }

  /** The whole EFLAGS image, arithmetic flags computed. */
  get eflags(): number {
    const result = this.i32[StateLayout.lazyResult >> 2]!;
    const aux = this.i32[StateLayout.lazyAux >> 2]!;
    let flags = this.u32[StateLayout.eflagsRest >> 2]!;
    if (aux < 0) flags |= Flag.CF;
    if (parity(result ^ (aux >> 8))) flags |= Flag.PF;
    if (aux & 8) flags |= Flag.AF;
    if (result === 0) flags |= Flag.ZF;
    if ((result >>> 31) ^ ((aux >>> 16) & 1)) flags |= Flag.SF;
    if ((aux ^ (aux << 1)) < 0) flags |= Flag.OF;
    return flags;
  }
  /** Stores all bits as given, without any privilege rule (POPF and IRET decide what to pass). */
  set eflags(flags: number) {
    let aux = 0;
    let result = 0;
    const zf = (flags & Flag.ZF) !== 0;
    if (!zf) result = flags & Flag.SF ? 0x80000100 | 0 : 0x100;
    else if (flags & Flag.SF) aux |= 1 << 16;
    if (!(flags & Flag.PF)) aux |= 1 << 8;
    if (flags & Flag.AF) aux |= 8;
    if (flags & Flag.CF) aux |= 1 << 31;
    if (((flags & Flag.CF) !== 0) !== ((flags & Flag.OF) !== 0)) aux |= 1 << 30;
    this.i32[StateLayout.lazyResult >> 2] = result;
    this.i32[StateLayout.lazyAux >> 2] = aux;
    this.i32[StateLayout.eflagsRest >> 2] = (flags & ~ARITHMETIC_FLAGS) | 2;
  }
  get zf(): boolean {
    return this.i32[StateLayout.lazyResult >> 2] === 0;
  }
  /** EFLAGS bits other than the arithmetic ones, cheap. */
  get eflagsRest(): number {
    return this.u32[StateLayout.eflagsRest >> 2]!;
  }
  set eflagsRest(value: number) {
    this.i32[StateLayout.eflagsRest >> 2] = (value & ~ARITHMETIC_FLAGS) | 2;
  }
  get iopl(): number {
    return (this.eflagsRest >> 12) & 3;
  }

  /** One of the state MSRs by slot index (see StateLayout.msrs), low or high half. */
  msrLow(slot: number): number {
    return this.get(StateLayout.msrs + slot * 8);
  }
  msrHigh(slot: number): number {
    return this.get(StateLayout.msrs + slot * 8 + 4);
  }
  setMsr(slot: number, low: number, high: number): void {
    this.set(StateLayout.msrs + slot * 8, low);
    this.set(StateLayout.msrs + slot * 8 + 4, high);
  }
}
