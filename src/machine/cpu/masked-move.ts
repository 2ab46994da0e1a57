// MASKMOVQ and MASKMOVDQU: stores of the bytes that a mask chooses, at DS:eDI. SDM vol. 2.

import type { Cpu, Helper, Operands } from './cpu.ts';
import { commitOperand, destinationAt } from './operand-memory.ts';
import { enterMmx, mayUseMmx, mmxAddress, xmmAddress } from './sse-frame.ts';
import { EDI } from './state.ts';

/** Only the bytes from the first to the last chosen one are checked. */
const maskedStore = (cpu: Cpu, op: Operands, data: number, mask: number, bytes: number): boolean => {
  const { s } = cpu;
  let first = 0;
  while (first < bytes && s.u8[mask + first]! < 0x80) first++;
  if (first === bytes) return true;
  let last = bytes - 1;
  while (s.u8[mask + last]! < 0x80) last--;
  const base = op.addressSize === 32 ? s.gpr(EDI) : s.gpr16(EDI);
  const at = destinationAt(cpu, op.segment, (base + first) >>> 0, last - first + 1);
  if (at === 0) return false;
  for (let i = first; i <= last; i++) if (s.u8[mask + i]! >= 0x80) s.u8[at + i - first] = s.u8[data + i]!;
  commitOperand(cpu, at);
  return true;
};
export const maskmovq: Helper = (cpu, op) => {
  if (!mayUseMmx(cpu) || !maskedStore(cpu, op, mmxAddress(op.reg), mmxAddress(op.rm), 8)) return false;
  enterMmx(cpu);
  return true;
};
export const maskmovdqu: Helper = (cpu, op) => maskedStore(cpu, op, xmmAddress(op.reg), xmmAddress(op.rm), 16);
