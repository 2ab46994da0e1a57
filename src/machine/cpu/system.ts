// System instructions with little state of their own: HLT, the cache and TLB instructions, PAUSE, SYSENTER and SYSEXIT, UD2. SDM vol. 2.

import { ExitReason } from '../vmx/exit-reasons.ts';
import type { Cpu, Helper } from './cpu.ts';
import { Vector } from './cpu.ts';
import { MsrSlot } from './msr-rows.ts';
import { CS, ECX, EDX, ESP, Flag, SS, StateLayout } from './state.ts';

const HALTED = 1;

/** Completes: EIP is that of the next instruction while the processor sleeps. */
export const hlt: Helper = (cpu, op) => {
  if (cpu.s.cpl !== 0) return cpu.raise(Vector.GP, 0);
  if (cpu.vmx.exitOnInstruction(ExitReason.HLT, 0, op)) return false;
  cpu.s.set(StateLayout.activity, HALTED);
  return true;
};

/** There is no cache to write back or to drop: memory is always coherent. */
const cacheInstruction =
  (reason: number): Helper =>
  (cpu, op) => {
    if (cpu.s.cpl !== 0) return cpu.raise(Vector.GP, 0);
    return !cpu.vmx.exitOnInstruction(reason, 0, op);
  };
export const invd = cacheInstruction(ExitReason.INVD);
export const wbinvd = cacheInstruction(ExitReason.WBINVD);

/** The segment gives its base only: no limit or type is checked. */
export const invlpg: Helper = (cpu, op) => {
  if (cpu.s.cpl !== 0) return cpu.raise(Vector.GP, 0);
  const linear = (cpu.s.base(op.segment) + op.offset) >>> 0;
  if (cpu.vmx.exitOnInstruction(ExitReason.INVLPG, linear, op)) return false;
  cpu.mmu.invalidatePage(linear);
  return true;
};

/** Faults like a load of one byte. */
export const clflush: Helper = (cpu, op) => {
  cpu.read(op.segment, op.offset, 1);
  return !cpu.faulted;
};

export const pause: Helper = (cpu, op) => !cpu.vmx.exitOnInstruction(ExitReason.PAUSE, 0, op);

export const ud2: Helper = (cpu) => cpu.raise(Vector.UD);

/** Access rights of the flat segments that SYSENTER and SYSEXIT load: 32-bit, page-granular, accessed. */
const FLAT_CODE = 0xc09b;
const FLAT_DATA = 0xc093;
const DPL_3 = 0x60;

const loadFlat = (cpu: Cpu, selector: number, cpl: 0 | 3): void => {
  const dpl = cpl === 3 ? DPL_3 : 0;
  cpu.s.setSegment(CS, selector | cpl, 0, 0xffff_ffff, FLAT_CODE | dpl);
  cpu.s.setSegment(SS, (selector + 8) | cpl, 0, 0xffff_ffff, FLAT_DATA | dpl);
  cpu.s.cpl = cpl;
  cpu.modeDirty = true;
};

export const sysenter: Helper = (cpu) => {
  const s = cpu.s;
  const selector = s.msrLow(MsrSlot.SYSENTER_CS) & 0xfffc;
  if (!cpu.protectedMode || selector === 0) return cpu.raise(Vector.GP, 0);
  s.eflagsRest &= ~(Flag.VM | Flag.IF | Flag.RF);
  loadFlat(cpu, selector, 0);
  s.setGpr(ESP, s.msrLow(MsrSlot.SYSENTER_ESP));
  cpu.nextEip = s.msrLow(MsrSlot.SYSENTER_EIP);
  return true;
};

export const sysexit: Helper = (cpu) => {
  const s = cpu.s;
  const selector = s.msrLow(MsrSlot.SYSENTER_CS) & 0xfffc;
  if (!cpu.protectedMode || selector === 0 || s.cpl !== 0) return cpu.raise(Vector.GP, 0);
  loadFlat(cpu, selector + 16, 3);
  s.setGpr(ESP, s.gpr(ECX));
  cpu.nextEip = s.gpr(EDX);
  return true;
};
