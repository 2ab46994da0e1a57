// The VM-exit instruction information of instructions with a memory operand: the helper's operands have only the effective address, so
// the instruction's bytes are read again. Cold: only guests' VMX and descriptor-table instructions come here. SDM vol. 3, 27.2.5.

import type { Cpu, Operands } from '../cpu/cpu.ts';
import { CS } from '../cpu/state.ts';

export interface OperandDescription {
  /** The displacement, sign-extended: the exit qualification. */
  displacement: number;
  /** Tables 27-9 to 27-14: scaling, reg1, address size, register form, segment, index, base, reg2. */
  information: number;
}

const PREFIXES = new Set([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3]);
const NO_INDEX = 1 << 22;
const NO_BASE = 1 << 27;
/** Base and index of the 16-bit addressing forms by rm (SDM vol. 2, table 2-1); 8: none. */
const BASE16 = [3, 3, 5, 5, 8, 8, 5, 3];
const INDEX16 = [6, 7, 6, 7, 6, 7, 8, 8];
const result: OperandDescription = { displacement: 0, information: 0 };

const pack = (scale: number, index: number, base: number): number =>
  scale | (index === 8 ? NO_INDEX : index << 18) | (base === 8 ? NO_BASE : base << 23);

/**
 * Bits 1:0 scaling, 6:3 register (register form) 9:7 address size, 10 register form, 12:11 operand size, 17:15 segment,
 * 21:18 index, 22 no index, 26:23 base, 27 no base, 31:28 reg2. One object, overwritten by the next call.
 */
export const describeOperand = (cpu: Cpu, op: Operands): OperandDescription => {
  const start = (cpu.s.base(CS) + op.eip) >>> 0;
  const byte = (i: number): number => cpu.readLinear((start + i) >>> 0, 1, cpu.s.cpl === 3);
  let at = 0;
  while (at < op.length && PREFIXES.has(byte(at))) at++;
  at += 1; // 0F
  const opcode = byte(at++);
  if (opcode === 0x38) at++;
  const modrm = byte(at++);
  const mod = modrm >>> 6;
  const rm = modrm & 7;
  const operandSize = op.size === 32 ? 1 << 11 : 0;
  const second = (op.reg & 15) << 28;
  result.displacement = 0;
  if (mod === 3) {
    result.information = ((rm << 3) | 0x400 | operandSize | second) >>> 0;
    return result;
  }
  let displacementBytes = mod === 1 ? 1 : mod === 2 ? (op.addressSize === 32 ? 4 : 2) : 0;
  let registers: number;
  if (op.addressSize === 16) {
    const direct = mod === 0 && rm === 6;
    if (direct) displacementBytes = 2;
    registers = direct
      ? pack(0, 8, 8)
      : rm === 4 || rm === 5
        ? pack(0, 8, INDEX16[rm]!)
        : pack(0, INDEX16[rm]!, BASE16[rm]!);
  } else if (rm === 4) {
    const sib = byte(at++);
    const index = (sib >>> 3) & 7;
    const base = sib & 7;
    const noBase = base === 5 && mod === 0;
    if (noBase) displacementBytes = 4;
    registers = pack(index === 4 ? 0 : sib >>> 6, index === 4 ? 8 : index, noBase ? 8 : base);
  } else {
    const direct = mod === 0 && rm === 5;
    if (direct) displacementBytes = 4;
    registers = pack(0, 8, direct ? 8 : rm);
  }
  let displacement = 0;
  for (let i = 0; i < displacementBytes; i++) displacement |= byte(at + i) << (8 * i);
  if (displacementBytes === 1) displacement = (displacement << 24) >> 24;
  else if (displacementBytes === 2) displacement = (displacement << 16) >> 16;
  const addressSize = op.addressSize === 32 ? 1 << 7 : 0;
  result.displacement = displacement >>> 0;
  result.information = (registers | addressSize | operandSize | (op.segment << 15) | second) >>> 0;
  return result;
};
