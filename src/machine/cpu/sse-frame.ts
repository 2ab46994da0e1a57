// The frame of SSE floating-point instructions: where source and destination lie, how exceptions get into MXCSR and raise #XM, the
// change to MMX. Not arithmetic. SDM vol. 1, 11.5.2 to 11.5.4.

import type { Cpu, Operands } from './cpu.ts';
import { Vector } from './cpu.ts';
import { Mxcsr } from './narrow-float.ts';
import { operandSource, requireAligned } from './operand-memory.ts';
import { Cr4, StateLayout } from './state.ts';
import { raisesPending } from './x87/unit.ts';

/** Results are gathered here until it is known that no exception holds them back. */
export const RESULT = StateLayout.scratch;
/** IE, DE, ZE: found before anything is computed. */
const BEFORE_COMPUTATION = 7;

export const xmmAddress = (register: number): number => StateLayout.xmm + register * 16;
/** MMX register: the significand of the physical x87 register. */
export const mmxAddress = (register: number): number => StateLayout.fpuRegisters + register * 16;

/** Address of the XMM or memory source in linear memory; 0 with the fault in the mailbox. 16-byte operands must be aligned. */
export const source = (cpu: Cpu, op: Operands, bytes: number): number => {
  if (!op.memory) return xmmAddress(op.rm);
  if (bytes === 16 && !requireAligned(cpu, op)) return 0;
  return operandSource(cpu, op, bytes);
};

/**
 * Puts the exceptions of all elements into MXCSR. False if one is unmasked: #XM, or #UD without CR4.OSXMMEXCPT, is in the mailbox.
 * An unmasked exception before computation keeps those of the computation out.
 */
export const report = (cpu: Cpu, flags: number): boolean => {
  if (flags === 0) return true;
  const s = cpu.s;
  const mxcsr = s.get(StateLayout.mxcsr);
  const unmasked = flags & ~(mxcsr >> Mxcsr.MASK_SHIFT) & Mxcsr.FLAGS;
  s.set(StateLayout.mxcsr, mxcsr | (unmasked & BEFORE_COMPUTATION ? flags & BEFORE_COMPUTATION : flags));
  return unmasked === 0 || cpu.raise(s.cr4 & Cr4.OSXMMEXCPT ? Vector.XM : Vector.UD);
};

/** Copies the gathered result into a register. */
export const store = (cpu: Cpu, to: number, bytes: number): boolean => {
  cpu.s.u8.copyWithin(to, RESULT, RESULT + bytes);
  return true;
};

/** An instruction with an MMX operand: a pending x87 exception comes first. False if it is raised. */
export const mayUseMmx = (cpu: Cpu): boolean => !raisesPending(cpu);
/** TOP = 0, all tags valid (SDM vol. 3, 12.2). */
export const enterMmx = (cpu: Cpu): void => {
  cpu.s.set(StateLayout.fpuTop, 0);
  cpu.s.set(StateLayout.fpuTags, 0xff);
};
/** The gathered result into an MMX register: sign and exponent become ones. */
export const storeMmx = (cpu: Cpu, register: number): boolean => {
  enterMmx(cpu);
  cpu.s.view.setUint16(mmxAddress(register) + 8, 0xffff, true);
  return store(cpu, mmxAddress(register), 8);
};
