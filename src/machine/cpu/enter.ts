// ENTER: makes a stack frame with up to 31 nested frame pointers. LEAVE is described in isa/transfer.ts. SDM vol. 2, ENTER.

import type { Helper } from './cpu.ts';
import { EBP, ESP, SS } from './state.ts';

/** op.imm: frame size in bytes (16 bits); op.imm2: nesting level (5 bits). Nothing changes if any access faults. */
export const enter: Helper = (cpu, op) => {
  const s = cpu.s;
  const bytes = op.size === 16 ? 2 : 4;
  const mask = cpu.stackMask;
  const level = op.imm2 & 31;
  const size = op.imm & 0xffff;
  let sp = s.gpr(ESP);
  const push = (value: number): boolean => {
    sp = (sp - bytes) | 0;
    return cpu.write(SS, (sp & mask) >>> 0, bytes, value);
  };
  if (!push(s.gpr(EBP))) return false;
  const frame = sp;
  if (level > 0) {
    let bp = s.gpr(EBP);
    for (let i = 1; i < level; i++) {
      bp = (bp - bytes) | 0;
      const pointer = cpu.read(SS, (bp & mask) >>> 0, bytes);
      if (cpu.faulted || !push(pointer)) return false;
    }
    if (!push(frame)) return false;
  }
  sp = (sp - size) | 0;
  // The new stack top must be writable (SDM: a final check before ESP changes).
  const top = cpu.linear(SS, (sp & mask) >>> 0, bytes, true);
  if (top === undefined || cpu.mmu.translate(top, true, s.cpl === 3) < 0) return false;
  if (op.size === 16) s.setGpr16(EBP, frame);
  // On a 16-bit stack EBP still takes all of what ESP would be: its upper half, which pushes leave alone.
  else s.setGpr(EBP, mask === 0xffff ? (s.gpr(ESP) & 0xffff0000) | (frame & 0xffff) : frame);
  cpu.setStackPointer(sp);
  return true;
};
