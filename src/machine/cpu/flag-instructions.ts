// CLI, STI, PUSHF, POPF: EFLAGS under the rules of IOPL, virtual-8086 mode and the virtual interrupt flag (virtual-interrupts.ts).
// SDM vol. 2; vol. 3, 20.2 to 20.4.

import type { Cpu, Helper } from './cpu.ts';
import { Vector } from './cpu.ts';
import { ARITHMETIC_FLAGS, Blocking, ESP, Flag, SS, StateLayout } from './state.ts';
import { hasVirtualIf, mayPopVirtualFlags, virtualFlags } from './virtual-interrupts.ts';

/** IF may be changed: in real mode always, else CPL <= IOPL; virtual-8086 mode has CPL 3. */
const mayChangeIf = (cpu: Cpu): boolean => !cpu.protectedMode || cpu.s.cpl <= cpu.s.iopl;
const belowIopl3 = (cpu: Cpu): boolean => cpu.protectedMode && cpu.virtual8086 && cpu.s.iopl < 3;
/** PUSHF and POPF in virtual-8086 mode below IOPL 3: only CR4.VME's 16-bit forms exist, with VIF in the place of IF. */
const refusedInVirtual8086 = (cpu: Cpu, size: number): boolean =>
  belowIopl3(cpu) && (size === 32 || !hasVirtualIf(cpu));

export const cli: Helper = (cpu) => {
  if (mayChangeIf(cpu)) cpu.s.eflagsRest &= ~Flag.IF;
  else if (hasVirtualIf(cpu)) cpu.s.eflagsRest &= ~Flag.VIF;
  else return cpu.raise(Vector.GP, 0);
  return true;
};

/** If IF was 0, interrupts stay blocked until after the next instruction. VIF has no such shadow, and needs VIP clear. */
export const sti: Helper = (cpu) => {
  const s = cpu.s;
  if (!mayChangeIf(cpu)) {
    if (!hasVirtualIf(cpu) || (s.eflagsRest & Flag.VIP) !== 0) return cpu.raise(Vector.GP, 0);
    s.eflagsRest |= Flag.VIF;
  } else if ((s.eflagsRest & Flag.IF) === 0) {
    s.eflagsRest |= Flag.IF;
    s.set(StateLayout.interruptibility, s.get(StateLayout.interruptibility) | Blocking.STI);
  }
  return true;
};

export const pushf: Helper = (cpu, op) => {
  if (refusedInVirtual8086(cpu, op.size)) return cpu.raise(Vector.GP, 0);
  const s = cpu.s;
  const bytes = op.size === 32 ? 4 : 2;
  const image = (belowIopl3(cpu) ? virtualFlags(s.eflags) : s.eflags) & ~(Flag.VM | Flag.RF);
  const top = ((s.gpr(ESP) - bytes) & cpu.stackMask) >>> 0;
  if (!cpu.write(SS, top, bytes, bytes === 2 ? image & 0xffff : image >>> 0)) return false;
  cpu.setStackPointer(top);
  return true;
};

const ALWAYS = ARITHMETIC_FLAGS | Flag.TF | Flag.DF | Flag.NT | Flag.AC | Flag.ID;

export const popf: Helper = (cpu, op) => {
  if (refusedInVirtual8086(cpu, op.size)) return cpu.raise(Vector.GP, 0);
  const s = cpu.s;
  const bytes = op.size === 32 ? 4 : 2;
  const top = (s.gpr(ESP) & cpu.stackMask) >>> 0;
  let image = cpu.read(SS, top, bytes);
  if (cpu.faulted) return false;
  let writable: number = ALWAYS;
  if (!cpu.protectedMode || s.cpl === 0) writable |= Flag.IOPL;
  if (mayChangeIf(cpu)) writable |= Flag.IF;
  if (bytes === 2) writable &= 0xffff;
  if (belowIopl3(cpu)) {
    if (!mayPopVirtualFlags(cpu, image)) return false;
    if (image & Flag.IF) image |= Flag.VIF;
    writable |= Flag.VIF;
  }
  // RF is cleared; VM and VIP stay, and VIF but for the form above.
  s.eflags = (s.eflags & ~(writable | Flag.RF)) | (image & writable);
  cpu.setStackPointer(top + bytes);
  return true;
};
