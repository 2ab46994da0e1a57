// FXSAVE, FXRSTOR: the 512-byte image of x87, MMX and SSE state.
// Not FSAVE's image (control.ts), nor LDMXCSR (isa/sse-float-rows.ts). SDM vol. 1, 10.5; vol. 2, table 3-43.

import type { Helper } from '../cpu.ts';
import { Vector } from '../cpu.ts';
import { commitOperand, operandDestination, operandSource, requireAligned } from '../operand-memory.ts';
import { Cr4, StateLayout } from '../state.ts';
import * as unit from './unit.ts';

const IMAGE_BYTES = 512;
/** Image offsets (SDM vol. 2, table 3-43). */
const Image = {
  fcw: 0,
  fsw: 2,
  ftw: 4,
  fop: 6,
  fip: 8,
  fcs: 12,
  fdp: 16,
  fds: 20,
  mxcsr: 24,
  mask: 28,
  st: 32,
  xmm: 160,
} as const;
/** Writable MXCSR bits: all 16, denormals-are-zeros among them. */
const MXCSR_MASK = 0xffff;

export const fxsave: Helper = (cpu, op) => {
  if (!requireAligned(cpu, op)) return false;
  const at = operandDestination(cpu, op, IMAGE_BYTES);
  if (at === 0) return false;
  const s = cpu.s;
  const view = s.view;
  view.setUint16(at + Image.fcw, s.get(StateLayout.fpuControl), true);
  view.setUint16(at + Image.fsw, unit.statusWord(s), true);
  view.setUint16(at + Image.ftw, s.get(StateLayout.fpuTags), true);
  view.setUint16(at + Image.fop, s.get(StateLayout.fpuOpcode), true);
  view.setUint32(at + Image.fip, s.get(StateLayout.fpuIp), true);
  view.setUint32(at + Image.fcs, s.get(StateLayout.fpuCs), true);
  view.setUint32(at + Image.fdp, s.get(StateLayout.fpuDp), true);
  view.setUint32(at + Image.fds, s.get(StateLayout.fpuDs), true);
  view.setUint32(at + Image.mxcsr, s.get(StateLayout.mxcsr), true);
  view.setUint32(at + Image.mask, MXCSR_MASK, true);
  for (let i = 0; i < 8; i++) {
    const to = at + Image.st + i * 16;
    s.u8.fill(0, to + 10, to + 16);
    unit.writeImage(s, to, unit.readSt(s, i));
  }
  if (s.cr4 & Cr4.OSFXSR) s.u8.copyWithin(at + Image.xmm, StateLayout.xmm, StateLayout.xmm + 128);
  commitOperand(cpu, at);
  return true;
};

export const fxrstor: Helper = unit.settling((cpu, op) => {
  if (!requireAligned(cpu, op)) return false;
  const at = operandSource(cpu, op, IMAGE_BYTES);
  if (at === 0) return false;
  const s = cpu.s;
  const view = s.view;
  const sse = (s.cr4 & Cr4.OSFXSR) !== 0;
  const mxcsr = view.getUint32(at + Image.mxcsr, true);
  if (sse && mxcsr & ~MXCSR_MASK) return cpu.raise(Vector.GP, 0);
  unit.setControlWord(s, view.getUint16(at + Image.fcw, true));
  unit.setStatusWord(s, view.getUint16(at + Image.fsw, true));
  s.set(StateLayout.fpuOpcode, view.getUint16(at + Image.fop, true) & 0x7ff);
  s.set(StateLayout.fpuIp, view.getUint32(at + Image.fip, true));
  s.set(StateLayout.fpuCs, view.getUint16(at + Image.fcs, true));
  s.set(StateLayout.fpuDp, view.getUint32(at + Image.fdp, true));
  s.set(StateLayout.fpuDs, view.getUint16(at + Image.fds, true));
  for (let i = 0; i < 8; i++) unit.writeSt(s, i, unit.readImage(s, at + Image.st + i * 16));
  s.set(StateLayout.fpuTags, view.getUint8(at + Image.ftw));
  if (sse) {
    s.set(StateLayout.mxcsr, mxcsr);
    s.u8.copyWithin(StateLayout.xmm, at + Image.xmm, at + Image.xmm + 128);
  }
  return true;
});
