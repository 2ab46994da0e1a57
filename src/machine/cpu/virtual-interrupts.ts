// The virtual interrupt flag: where CR4.VME or CR4.PVI puts VIF in the place of IF, what a virtual-8086 program sees of it, and the #GP
// that a pending virtual interrupt causes. Not the instructions that ask (flag-instructions.ts, interrupt-instructions.ts).
// SDM vol. 3, 20.3.2 and 20.4.

import type { Cpu } from './cpu.ts';
import { Vector } from './cpu.ts';
import { Cr4, Flag } from './state.ts';

/** True where VIF stands for IF: with IOPL below 3, in virtual-8086 mode under CR4.VME and at CPL 3 under CR4.PVI. */
export const hasVirtualIf = (cpu: Cpu): boolean => {
  const s = cpu.s;
  if (!cpu.protectedMode || s.iopl === 3) return false;
  return cpu.virtual8086 ? (s.cr4 & Cr4.VME) !== 0 : s.cpl === 3 && (s.cr4 & Cr4.PVI) !== 0;
};

/** What a virtual-8086 program below IOPL 3 sees in a 16-bit image: IOPL 3, and VIF as IF. */
export const virtualFlags = (flags: number): number =>
  (flags & ~Flag.IF) | Flag.IOPL | (flags & Flag.VIF ? Flag.IF : 0);

/** POPF and IRET of such an image: #GP(0) if it has TF, or IF while a virtual interrupt is pending. */
export const mayPopVirtualFlags = (cpu: Cpu, image: number): boolean => {
  const pending = (image & Flag.IF) !== 0 && (cpu.s.eflagsRest & Flag.VIP) !== 0;
  return ((image & Flag.TF) === 0 && !pending) || cpu.raise(Vector.GP, 0);
};

/**
 * The check "at the beginning of an instruction" that VIF and VIP are not both set. Only IRET and a task switch can set both, so those
 * ask when they are done and `cpu.nextEip` is final. False with #GP(0) at the next instruction.
 */
export const noVirtualInterruptPending = (cpu: Cpu): boolean => {
  const both = Flag.VIF | Flag.VIP;
  if ((cpu.s.eflagsRest & both) !== both || !hasVirtualIf(cpu)) return true;
  cpu.s.eip = cpu.nextEip;
  return cpu.raise(Vector.GP, 0);
};
