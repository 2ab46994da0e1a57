// The processor as its modules see it: state, memory by linear address, the fault mailbox, the hooks of VMX.
// Not the run loop (cpu/run.ts) and not any instruction.

import type { Bus } from '../bus.ts';
import type { Clock } from '../clock.ts';
import type { PhysicalMemory } from '../memory.ts';
import { MOMENT_WORDS, MomentCount } from '../moment-count.ts';
import { type Persistent, saveFields } from '../snapshot.ts';
import { TimelessEvents } from '../timeless-events.ts';
import type { VmxHooks } from '../vmx/hooks.ts';
import { type BreakpointState, Breakpoints } from './breakpoints.ts';
import { StopPoints } from './stop-points.ts';
import type { CpuModel } from './model.ts';
import type { Mmu } from './mmu.ts';
import { Access, CS, CpuState, ES, ESP, Flag, GS, SEGMENT_STRIDE, SS, StateLayout } from './state.ts';
import { WIDE_ZERO } from '../wide-number.ts';

/** Exception vectors (SDM vol. 3, table 6-1). */
export const Vector = {
  DE: 0,
  DB: 1,
  NMI: 2,
  BP: 3,
  OF: 4,
  BR: 5,
  UD: 6,
  NM: 7,
  DF: 8,
  TS: 10,
  NP: 11,
  SS: 12,
  GP: 13,
  PF: 14,
  MF: 16,
  AC: 17,
  MC: 18,
  XM: 19,
} as const;

/** The interrupt controller's side of the INTR pin. */
export interface InterruptSource {
  /** Level of the INTR pin. */
  readonly intr: boolean;
  /** The interrupt-acknowledge cycle: returns the vector. */
  acknowledge(): number;
}

/** The chip set's side of the FERR# and IGNNE# pins: floating-point errors with CR0.NE clear (SDM vol. 1, 8.7.2). */
export interface ErrorPins {
  /** IGNNE# is asserted: pending x87 exceptions are ignored. */
  readonly ignne: boolean;
  /** FERR# as the processor drives it now; the level may be told again. */
  ferr(asserted: boolean): void;
}

/** The decoded operands of the instruction that a TypeScript helper executes. One object, refilled for each call. */
export interface Operands {
  /** Address of the instruction (EIP, not linear) and its length in bytes. */
  readonly eip: number;
  readonly length: number;
  /** Operand size in bits: 8, 16 or 32. */
  readonly size: number;
  /** Address size in bits: 16 or 32. */
  readonly addressSize: number;
  /** ModRM.reg or the register in the opcode. */
  readonly reg: number;
  /** ModRM.rm as a register number, if `memory` is false. */
  readonly rm: number;
  readonly memory: boolean;
  /** Memory operand: segment register number and EFFECTIVE address (offset inside the segment). */
  readonly segment: number;
  readonly offset: number;
  /** Immediates, sign-extended as the encoding says; `imm2` is the second (ENTER, far pointers: the selector). */
  readonly imm: number;
  readonly imm2: number;
  /** REP prefix: 0 none, 0xf3, 0xf2. */
  readonly rep: number;
  /** The opcode's last byte and the ModRM byte (0 if there is none): FOP of the x87. */
  readonly opcode: number;
  readonly modrm: number;
}

/**
 * A hard instruction in TypeScript. True: completed, EIP goes to `cpu.nextEip` (preset to the following instruction; assign it to jump).
 * False: a fault is in the mailbox or a VM exit happened; nothing was retired.
 */
export type Helper = (cpu: Cpu, op: Operands) => boolean;

/** One exception of the chain that ended in shutdown, in the order of occurrence. */
export interface ChainedException {
  readonly vector: number;
  readonly errorCode: number | undefined;
  readonly eip: number;
}

/**
 * Which tiers execute code: regions where it is hot, none (`--no-regions`), or regions everywhere at once (tests). Guests see no difference.
 */
export type Tiers = 'adaptive' | 'threaded' | 'eager';

/** (vector, software, has error code, error code, return EIP, EFLAGS, ESP). */
export type EnterGate = (
  vector: number,
  software: number,
  hasError: number,
  errorCode: number,
  returnEip: number,
  flags: number,
  esp: number,
) => number;

/** What is kept beside the state's words and saved with them. */
const FIELDS = [
  'nextEip', 'faultAddress', 'tripleFault', 'nmiUnblockedByIret', 'allowance', 'retiredByHelper', 'retiredBeforeFault', 'codeChanged', 'unfinished',
  'enteredHandler', 'checksLimits', 'vmExitPending', 'modeDirty',
] as const; // prettier-ignore

export interface CpuSaved {
  readonly words: Uint32Array;
  readonly fields: Pick<Cpu, (typeof FIELDS)[number]>;
  readonly timeless: readonly [number, number];
  readonly breakpoints: BreakpointState;
}

export class Cpu implements Persistent<CpuSaved> {
  readonly s: CpuState;
  mmu!: Mmu;
  vmx!: VmxHooks;
  interrupts!: InterruptSource;
  errorPins!: ErrorPins;
  nextEip = WIDE_ZERO;
  /** Linear address of a #PF in the mailbox (CR2 gets it on delivery, not before: a VM exit leaves CR2 alone), or of a #DB: its DR6 bits. */
  get faultAddress(): number {
    return this.s.get(StateLayout.faultAddress);
  }
  set faultAddress(value: number) {
    this.s.set(StateLayout.faultAddress, value);
  }
  /** Why the processor shut down, for the report: the event first delivered, then what its delivery raised. */
  tripleFault: { readonly chain: readonly ChainedException[] } | undefined = undefined;
  /** Passes a gate of the IDT if that is an ordinary case (isa/gate-functions.ts `enterGate`): 1, and EIP is the handler's. 0: nothing has changed. */
  enterGate: EnterGate = () => 0;
  /** True while a faulting IRET has already ended blocking by NMI (bit 12 of the VM-exit interruption information, SDM vol. 3, 27.2.2). */
  nmiUnblockedByIret = false;
  /** Instructions a helper may retire in this call (REP iterations), but 1 in any case; and how many it did, if not one. */
  allowance = WIDE_ZERO;
  retiredByHelper = 1;
  /** REP iterations that retired before one faulted. */
  retiredBeforeFault = 0;
  readonly timeless: TimelessEvents;
  /** Decoded code was overwritten since the present helper began. */
  codeChanged = false;
  /** The last instruction is a repeated string instruction that has iterations left. */
  unfinished = false;
  /** An event's handler was entered by the last instruction itself (INT n): TF, which the delivery clears, traps no more. */
  enteredHandler = false;
  readonly breakpoints = new Breakpoints();
  /** A debugger's, outside the machine. */
  readonly points: StopPoints;
  /** Set before the first instruction. */
  tiers: Tiers = 'adaptive';
  /** The instruction in flight is one that checkLimits is about. */
  checksLimits = false;
  /** The run loop's count of retired instructions. */
  progress: { readonly retired: number } = { retired: 0 };
  /** A VM exit to a TypeScript root: the run loop returns. */
  vmExitPending = false;
  /** Set by anything that changes CPL, CS.D, SS.B, segments' flatness, CR0/CR4 or the TLB context: the run loop recomputes the mode word. */
  modeDirty = true;

  constructor(
    readonly memory: PhysicalMemory,
    readonly bus: Bus,
    readonly clock: Clock,
    readonly model: CpuModel,
  ) {
    this.s = new CpuState(memory);
    const events = (at: number): MomentCount => new MomentCount(memory.u32.subarray(at >> 2, (at >> 2) + MOMENT_WORDS));
    this.timeless = new TimelessEvents(events(StateLayout.timeless));
    this.points = new StopPoints(events(StateLayout.delivered));
  }

  /** Puts a fault into the mailbox unless one is there. Always false, so that callers can `return cpu.raise(...)`. */
  raise(vector: number, errorCode?: number): false {
    const s = this.s;
    if (s.get(StateLayout.faultVector) === 0) {
      s.set(StateLayout.faultVector, vector + 1);
      s.set(StateLayout.faultError, errorCode ?? 0);
      s.set(StateLayout.faultHasError, errorCode === undefined ? 0 : 1);
    }
    return false;
  }
  /** An edge at the NMI pin: latched until it is delivered, one at a time (SDM vol. 3, 6.7). */
  raiseNmi(): void {
    this.s.set(StateLayout.nmi, 1);
  }
  get faulted(): boolean {
    return this.s.get(StateLayout.faultVector) !== 0;
  }
  clearFault(): void {
    this.s.set(StateLayout.faultVector, 0);
  }

  /** The helper's instruction has iterations left: it is executed again. */
  repeat(op: Operands): void {
    this.nextEip = op.eip;
    this.unfinished = true;
  }

  /** Reads 1, 2 or 4 bytes by linear address with paging checks. `user`: as a CPL 3 access. 0 if it faulted (check `faulted`). Unsigned. */
  readLinear(linear: number, size: 1 | 2 | 4, user: boolean): number {
    return this.mmu.read(linear, size, user);
  }
  /** False if it faulted. */
  writeLinear(linear: number, size: 1 | 2 | 4, value: number, user: boolean): boolean {
    return this.mmu.write(linear, size, value, user);
  }

  /**
   * The linear address of a data access, after the segment's checks (SDM vol. 3, 5.3 to 5.5): null/unusable, type, limit.
   * #SS(0) for SS, #GP(0) otherwise. Undefined and a fault in the mailbox if refused.
   */
  linear(segment: number, offset: number, size: number, write: boolean): number | undefined {
    const s = this.s;
    const access = s.access(segment);
    const vector = segment === SS ? Vector.SS : Vector.GP;
    const code = (access & 8) !== 0;
    const typeOk = write ? !code && (access & 2) !== 0 : !code || (access & 2) !== 0;
    if ((access & (Access.UNUSABLE | Access.P)) !== Access.P || !typeOk) {
      this.raise(access & Access.UNUSABLE ? vector : Vector.GP, 0);
      return undefined;
    }
    const limit = s.limit(segment);
    const first = offset >>> 0;
    const last = first + size - 1;
    if (!code && (access & 4) !== 0) {
      const top = access & Access.DB ? 0xffffffff : 0xffff;
      if (first <= limit || last > top) {
        this.raise(vector, 0);
        return undefined;
      }
    } else if (last > limit) {
      this.raise(vector, 0);
      return undefined;
    }
    return (s.base(segment) + first) >>> 0;
  }

  /** Data access through a segment at the present CPL. */
  read(segment: number, offset: number, size: 1 | 2 | 4): number {
    const linear = this.linear(segment, offset, size, false);
    return linear === undefined ? 0 : this.readLinear(linear, size, this.s.cpl === 3);
  }
  write(segment: number, offset: number, size: 1 | 2 | 4, value: number): boolean {
    const linear = this.linear(segment, offset, size, true);
    return linear !== undefined && this.writeLinear(linear, size, value, this.s.cpl === 3);
  }

  /** A stack access of translated code in a segment that is not flat: `offset` is cut to SS.B's width. `bytes` with 256 added for a write. */
  stackLinear(offset: number, bytes: number): number {
    return this.linear(SS, (offset & this.stackMask) >>> 0, bytes & 255, (bytes & 256) !== 0) ?? 0;
  }
  /** The same for a segment given by the linear-memory address of its slot. */
  slotLinear(slot: number, offset: number, bytes: number): number {
    return this.linear((slot - StateLayout.segments) / SEGMENT_STRIDE, offset, bytes & 255, (bytes & 256) !== 0) ?? 0;
  }

  /** Width mask of the stack pointer: SS.B. */
  get stackMask(): number {
    return this.s.access(SS) & Access.DB ? 0xffffffff : 0xffff;
  }
  /** Sets ESP or SP, whichever SS.B says. */
  setStackPointer(value: number): void {
    if (this.s.access(SS) & Access.DB) this.s.setGpr(ESP, value);
    else this.s.setGpr16(ESP, value);
  }

  /** Begins and ends an instruction for which no data segment counts as flat: an access crosses 4 GiB (Mmu.refusesWrap). */
  checkLimits(on: boolean): void {
    this.checksLimits = on;
    this.modeDirty = true;
    for (let segment = ES; segment <= GS; segment++)
      if (on) this.s.dropLimits(segment);
      else this.s.deriveLimits(segment);
  }

  get protectedMode(): boolean {
    return (this.s.cr0 & 1) !== 0;
  }
  get virtual8086(): boolean {
    return (this.s.eflagsRest & Flag.VM) !== 0;
  }
  /** True if the code segment's default operand size is 32 bits. */
  get code32(): boolean {
    return (this.s.access(CS) & Access.DB) !== 0;
  }

  saveState(): CpuSaved {
    return {
      words: this.s.u32.slice(StateLayout.gpr >> 2, StateLayout.end >> 2),
      fields: saveFields(this, FIELDS),
      timeless: this.timeless.saveState(),
      breakpoints: this.breakpoints.saveState(),
    };
  }
  /** What is derived from the mode word follows in `Processor.loadState`. */
  loadState(state: CpuSaved): void {
    this.s.u32.set(state.words, StateLayout.gpr >> 2);
    this.s.set(StateLayout.segmentsApart, 1);
    Object.assign(this, state.fields);
    this.timeless.loadState(state.timeless);
    this.breakpoints.loadState(state.breakpoints);
  }
}
