// Memory operands of more than four bytes for helpers: one check of segment and pages, then the bytes at an address of linear memory.
// Not the MMU: it answers where the bytes are. x87 and SSE helpers use it. SDM vol. 3, 5.3 and 4.7.

import type { Cpu, Operands } from './cpu.ts';
import { Vector } from './cpu.ts';

const PAGE_MASK = 0xfff;

/** Where `bytes` (up to 512) of the memory operand can be read now, an address in linear memory; 0 with the fault in the mailbox. */
export const operandSource = (cpu: Cpu, op: Operands, bytes: number): number => {
  const linear = cpu.linear(op.segment, op.offset, bytes, false);
  if (linear === undefined) return 0;
  if ((linear & PAGE_MASK) + bytes <= PAGE_MASK + 1 && cpu.mmu.access === undefined) {
    const direct = cpu.mmu.directRead(linear);
    if (direct !== 0) return direct;
  }
  return cpu.mmu.hostRead(linear, bytes);
};

/** Where `bytes` can be written; `commitOperand` must follow the writing. The present contents are there: bytes may be left alone. */
export const operandDestination = (cpu: Cpu, op: Operands, bytes: number): number =>
  destinationAt(cpu, op.segment, op.offset, bytes);
/** The same at an offset that is not the instruction's effective address. */
export const destinationAt = (cpu: Cpu, segment: number, offset: number, bytes: number): number => {
  const linear = cpu.linear(segment, offset, bytes, true);
  if (linear === undefined) return 0;
  if ((linear & PAGE_MASK) + bytes <= PAGE_MASK + 1 && cpu.mmu.access === undefined) {
    const direct = cpu.mmu.directWrite(linear);
    if (direct !== 0) return direct;
  }
  return cpu.mmu.hostWrite(linear, bytes);
};
/** Below RAM lies the MMU's bounce buffer: its bytes go to where they belong. */
export const commitOperand = (cpu: Cpu, host: number): void => {
  if (host < cpu.memory.ramBase) cpu.mmu.commit(host);
};

/** #GP(0) if the effective address is not a multiple of 16 (SDM vol. 3, table 6-7: legacy SSE). False if it raised. */
export const requireAligned = (cpu: Cpu, op: Operands): boolean =>
  ((cpu.s.base(op.segment) + op.offset) & 15) === 0 || cpu.raise(Vector.GP, 0);
