// CLI, STI, PUSHF, POPF: EFLAGS under the rules of IOPL and virtual-8086 mode. No model has VME or PVI, so that a refused access is
// always #GP(0). SDM vol. 2; vol. 3, 20.2.

import type { Cpu, Helper } from './cpu.ts';
import { Vector } from './cpu.ts';
import { ARITHMETIC_FLAGS, ESP, Flag, SS, StateLayout } from './state.ts';

const BLOCKING_BY_STI = 1;

/** IF may be changed: in real mode always, else CPL <= IOPL; virtual-8086 mode has CPL 3. */
const mayChangeIf = (cpu: Cpu): boolean => !cpu.protectedMode || cpu.s.cpl <= cpu.s.iopl;
const refusedInVirtual8086 = (cpu: Cpu): boolean => cpu.protectedMode && cpu.virtual8086 && cpu.s.iopl < 3;

export const cli: Helper = (cpu) => {
  if (!mayChangeIf(cpu)) return cpu.raise(Vector.GP, 0);
  cpu.s.eflagsRest &= ~Flag.IF;
  return true;
};

/** If IF was 0, interrupts stay blocked until after the next instruction. */
export const sti: Helper = (cpu) => {
  if (!mayChangeIf(cpu)) return cpu.raise(Vector.GP, 0);
  const s = cpu.s;
  if ((s.eflagsRest & Flag.IF) === 0) {
    s.eflagsRest |= Flag.IF;
    s.set(StateLayout.interruptibility, s.get(StateLayout.interruptibility) | BLOCKING_BY_STI);
  }
  return true;
};

export const pushf: Helper = (cpu, op) => {
  if (refusedInVirtual8086(cpu)) return cpu.raise(Vector.GP, 0);
  const s = cpu.s;
  const bytes = op.size === 32 ? 4 : 2;
  const image = s.eflags & ~(Flag.VM | Flag.RF);
  const top = ((s.gpr(ESP) - bytes) & cpu.stackMask) >>> 0;
  if (!cpu.write(SS, top, bytes, bytes === 2 ? image & 0xffff : image >>> 0)) return false;
  cpu.setStackPointer(top);
  return true;
};

const ALWAYS = ARITHMETIC_FLAGS | Flag.TF | Flag.DF | Flag.NT | Flag.AC | Flag.ID;

export const popf: Helper = (cpu, op) => {
  if (refusedInVirtual8086(cpu)) return cpu.raise(Vector.GP, 0);
  const s = cpu.s;
  const bytes = op.size === 32 ? 4 : 2;
  const top = (s.gpr(ESP) & cpu.stackMask) >>> 0;
  const image = cpu.read(SS, top, bytes);
  if (cpu.faulted) return false;
  let writable: number = ALWAYS;
  if (!cpu.protectedMode || s.cpl === 0) writable |= Flag.IOPL;
  if (mayChangeIf(cpu)) writable |= Flag.IF;
  if (bytes === 2) writable &= 0xffff;
  // RF is cleared; VM, VIF and VIP stay.
  s.eflags = (s.eflags & ~(writable | Flag.RF)) | (image & writable);
  cpu.setStackPointer(top + bytes);
  return true;
};
