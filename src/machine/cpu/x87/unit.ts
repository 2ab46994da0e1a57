// The x87 unit: register stack, tags, status word, pending exceptions, the pointers to the last instruction and operand.
// Not arithmetic (float80.ts) and not the instructions. SDM vol. 1, 8.1 and 8.6.

import type { Cpu, Helper, Operands } from '../cpu.ts';
import { Vector } from '../cpu.ts';
import { CS, type CpuState, StateLayout } from '../state.ts';
import { type Environment, Exception, f80, type Float80, INDEFINITE } from './float80.ts';

/** Status word bits above the six exceptions (SDM vol. 1, figure 8-4). */
export const Status = { SF: 0x40, ES: 0x80, C0: 0x100, C1: 0x200, C2: 0x400, C3: 0x4000, B: 0x8000 } as const;
export const EXCEPTIONS = 0x3f;
export const CONDITIONS = Status.C0 | Status.C1 | Status.C2 | Status.C3;
export const TOP_SHIFT = 11;
/**
 * Control word bits above the masks (SDM vol. 1, figure 8-6). RC: 0 is nearest; PC: all ones is 64 bits. Bit 6 reads as one; bits 7 and
 * 13:15 as zero, the infinity control (12) is kept without a meaning.
 */
export const Control = { PC: 0x300, RC: 0xc00, WRITABLE: 0x1f3f, ONES: 0x40 } as const;
/** FNINIT's control word: 64-bit precision, nearest, all masked. */
export const INITIAL_CONTROL = 0x37f;

/** Where ST(i) is. */
export const slot = (s: CpuState, i: number): number =>
  StateLayout.fpuRegisters + ((s.get(StateLayout.fpuTop) + i) & 7) * 16;
const tagBit = (s: CpuState, i: number): number => 1 << ((s.get(StateLayout.fpuTop) + i) & 7);

/** Is ST(i) empty? */
export const isEmpty = (s: CpuState, i: number): boolean => (s.get(StateLayout.fpuTags) & tagBit(s, i)) === 0;
/** The contents of ST(i), empty or not. */
export const readSt = (s: CpuState, i: number): Float80 => readImage(s, slot(s, i));
/** Writes ST(i): it is not empty any more. */
export const writeSt = (s: CpuState, i: number, value: Float80): void => {
  writeImage(s, slot(s, i), value);
  s.set(StateLayout.fpuTags, s.get(StateLayout.fpuTags) | tagBit(s, i));
};
export const freeSt = (s: CpuState, i: number): void =>
  s.set(StateLayout.fpuTags, s.get(StateLayout.fpuTags) & ~tagBit(s, i));
export const moveTop = (s: CpuState, by: number): void =>
  s.set(StateLayout.fpuTop, (s.get(StateLayout.fpuTop) + by) & 7);
export const pop = (s: CpuState): void => {
  freeSt(s, 0);
  moveTop(s, 1);
};
/** Pushes; whether ST(7) is empty is the caller's question. */
export const push = (s: CpuState, value: Float80): void => {
  moveTop(s, -1);
  writeSt(s, 0, value);
};

/** The ten-byte image at an address of linear memory. */
export const readImage = (s: CpuState, at: number): Float80 => {
  const top = s.view.getUint16(at + 8, true);
  return f80(top >> 15, top & 0x7fff, s.view.getBigUint64(at, true));
};
export const writeImage = (s: CpuState, at: number, value: Float80): void => {
  s.view.setBigUint64(at, value.significand, true);
  s.view.setUint16(at + 8, (value.sign << 15) | value.exponent, true);
};

// ---- control and status word --------------------------------------------------------------------------------------------

const PRECISIONS = [24, 64, 53, 64] as const;
/** Every control word's Environment, by PC, RC and the masks of overflow and underflow. The reserved PC value 1 works as 64 bits. */
const ENVIRONMENTS: readonly Environment[] = Array.from({ length: 1 << 12 }, (_, control) => ({
  precision: PRECISIONS[(control >> 8) & 3]!,
  rounding: (control >> 10) & 3,
  masks: control & EXCEPTIONS,
}));
export const environment = (s: CpuState): Environment => ENVIRONMENTS[s.get(StateLayout.fpuControl) & 0xfff]!;
/** The same at full precision: what all but add, subtract, multiply, divide and square root round to. */
export const fullEnvironment = (s: CpuState): Environment =>
  ENVIRONMENTS[(s.get(StateLayout.fpuControl) & 0xfff) | Control.PC]!;

export const statusWord = (s: CpuState): number =>
  s.get(StateLayout.fpuStatus) | (s.get(StateLayout.fpuTop) << TOP_SHIFT);
/** ES and B follow the exceptions and masks as they stand. */
export const setStatusWord = (s: CpuState, word: number): void => {
  s.set(StateLayout.fpuTop, (word >> TOP_SHIFT) & 7);
  s.set(StateLayout.fpuStatus, word & (EXCEPTIONS | Status.SF | CONDITIONS));
  updateSummary(s);
};
export const setControlWord = (s: CpuState, word: number): void => {
  s.set(StateLayout.fpuControl, (word & Control.WRITABLE) | Control.ONES);
  updateSummary(s);
};
export const updateSummary = (s: CpuState): void => {
  const status = s.get(StateLayout.fpuStatus) & ~(Status.ES | Status.B);
  const unmasked = status & ~s.get(StateLayout.fpuControl) & EXCEPTIONS;
  s.set(StateLayout.fpuStatus, unmasked ? status | Status.ES | Status.B : status);
};

/** Replaces condition-code bits. */
export const setConditions = (s: CpuState, mask: number, value: number): void =>
  s.set(StateLayout.fpuStatus, (s.get(StateLayout.fpuStatus) & ~mask) | value);
export const setC1 = (s: CpuState, on: boolean): void => setConditions(s, Status.C1, on ? Status.C1 : 0);

/** Puts exceptions into the status word. True if one of them is unmasked. */
export const signal = (s: CpuState, exceptions: number): boolean => {
  if (exceptions === 0) return false;
  const unmasked = (exceptions & ~s.get(StateLayout.fpuControl) & EXCEPTIONS) !== 0;
  s.set(StateLayout.fpuStatus, s.get(StateLayout.fpuStatus) | exceptions | (unmasked ? Status.ES | Status.B : 0));
  return unmasked;
};
/** Stack underflow (C1 = 0). True if IE is masked: the indefinite takes the place of the result. */
export const underflow = (s: CpuState): boolean => {
  setC1(s, false);
  return !signal(s, Exception.IE | Status.SF);
};
/** Stack overflow (C1 = 1). True if IE is masked. */
export const overflow = (s: CpuState): boolean => {
  setC1(s, true);
  return !signal(s, Exception.IE | Status.SF);
};
/** Room for a push? If not: stack overflow, and the indefinite is pushed where that is masked. */
export const roomToPush = (s: CpuState): boolean => {
  if (isEmpty(s, 7)) return true;
  if (overflow(s)) push(s, INDEFINITE);
  return false;
};

// ---- the frame of an instruction ----------------------------------------------------------------------------------------

/** The exception that an earlier instruction left pending. True if it is raised now; what that means with CR0.NE clear, errors.ts says. */
export const raisesPending = (cpu: Cpu): boolean => {
  if ((cpu.s.get(StateLayout.fpuStatus) & Status.ES) === 0) return false;
  cpu.raise(Vector.MF);
  return true;
};
/** A control instruction that waits: FLDCW, FLDENV, FRSTOR... The pointers stay. */
export const waiting =
  (body: Helper): Helper =>
  (cpu, op) =>
    !raisesPending(cpu) && body(cpu, op);
/** One that can clear ES: FERR# falls with it. */
export const settling =
  (body: Helper): Helper =>
  (cpu, op) => {
    if (!body(cpu, op)) return false;
    if ((cpu.s.get(StateLayout.fpuStatus) & Status.ES) === 0) cpu.errorPins.ferr(false);
    return true;
  };
/** Any other: FIP, FCS, FOP and, with a memory operand, FDP and FDS point to it afterwards. `body` returns false for a fault. */
export const computing =
  (body: Helper): Helper =>
  (cpu, op) => {
    if (raisesPending(cpu) || !body(cpu, op)) return false;
    remember(cpu, op);
    return true;
  };
/** FOP: eleven bits of the opcode. */
export const fpuOpcode = (opcode: number, modrm: number): number => ((opcode & 7) << 8) | modrm;
const remember = (cpu: Cpu, op: Operands): void => {
  const s = cpu.s;
  s.set(StateLayout.fpuIp, op.eip);
  s.set(StateLayout.fpuCs, s.selector(CS));
  s.set(StateLayout.fpuOpcode, fpuOpcode(op.opcode, op.modrm));
  if (!op.memory) return;
  s.set(StateLayout.fpuDp, op.offset);
  s.set(StateLayout.fpuDs, s.selector(op.segment));
};
