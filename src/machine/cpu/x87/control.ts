// x87 control instructions: FNINIT, FNCLEX, the control, status and tag words, the environment and the whole state in memory, FWAIT.
// Not FXSAVE (fxsave.ts). SDM vol. 1, 8.1.10 (images) and vol. 2.

import type { Cpu, Helper } from '../cpu.ts';
import { Vector } from '../cpu.ts';
import { commitOperand, operandDestination, operandSource } from '../operand-memory.ts';
import { Cr0, type CpuState, StateLayout } from '../state.ts';
import { isDenormal, MAX_EXPONENT } from './float80.ts';
import * as unit from './unit.ts';

const EMPTY = 3;

/** FNINIT. The registers' contents stay; they are empty. */
export const initialize = (s: CpuState): void => {
  s.set(StateLayout.fpuControl, unit.INITIAL_CONTROL);
  for (const word of [
    StateLayout.fpuStatus,
    StateLayout.fpuTop,
    StateLayout.fpuTags,
    StateLayout.fpuIp,
    StateLayout.fpuCs,
    StateLayout.fpuDp,
    StateLayout.fpuDs,
    StateLayout.fpuOpcode,
  ])
    s.set(word, 0);
};
export const fninit: Helper = unit.settling((cpu) => {
  initialize(cpu.s);
  return true;
});
export const fnclex: Helper = unit.settling((cpu) => {
  const s = cpu.s;
  s.set(StateLayout.fpuStatus, s.get(StateLayout.fpuStatus) & unit.CONDITIONS);
  return true;
});
/** FNOP, and FENI, FDISI, FSETPM of the 8087 and 80287. */
export const fnop: Helper = unit.computing(() => true);
export const ignored: Helper = () => true;
/** #NM by CR0.MP and CR0.TS, whatever CR0.EM says (SDM vol. 3, table 9-2). */
export const fwait: Helper = (cpu) => {
  if ((cpu.s.cr0 & (Cr0.MP | Cr0.TS)) === (Cr0.MP | Cr0.TS)) return cpu.raise(Vector.NM);
  return !unit.raisesPending(cpu);
};

/** A control instruction that waits and loads flags or masks. */
const loading = (body: Helper): Helper => unit.waiting(unit.settling(body));
export const fldcw: Helper = loading((cpu, op) => {
  const word = cpu.read(op.segment, op.offset, 2);
  if (cpu.faulted) return false;
  unit.setControlWord(cpu.s, word);
  return true;
});
/** The two-bit tags: 0 valid, 1 zero, 2 special, 3 empty, by physical register (SDM vol. 1, 8.1.7). */
export const tagWord = (s: CpuState): number => {
  let word = 0;
  const tags = s.get(StateLayout.fpuTags);
  for (let i = 0; i < 8; i++) {
    let tag = EMPTY;
    if (tags & (1 << i)) {
      const value = unit.readImage(s, StateLayout.fpuRegisters + i * 16);
      if (value.exponent === MAX_EXPONENT || isDenormal(value)) tag = 2;
      else if (value.exponent === 0) tag = 1;
      else tag = value.significand >> 63n ? 0 : 2;
    }
    word |= tag << (2 * i);
  }
  return word;
};
/** Only "empty" counts: the other tags follow from the contents. */
export const setTagWord = (s: CpuState, word: number): void => {
  let tags = 0;
  for (let i = 0; i < 8; i++) if (((word >> (2 * i)) & 3) !== EMPTY) tags |= 1 << i;
  s.set(StateLayout.fpuTags, tags);
};

/** Real and virtual-8086 mode keep linear addresses instead of selectors. */
const hasRealLayout = (cpu: Cpu): boolean => !cpu.protectedMode || cpu.virtual8086;
const environmentBytes = (size: number): number => (size === 32 ? 28 : 14);

const storeEnvironment = (cpu: Cpu, at: number, size: number): void => {
  const s = cpu.s;
  const view = s.view;
  const words = [s.get(StateLayout.fpuControl), unit.statusWord(s), tagWord(s)];
  const opcode = s.get(StateLayout.fpuOpcode) & 0x7ff;
  if (hasRealLayout(cpu)) {
    const ip = (s.get(StateLayout.fpuCs) * 16 + s.get(StateLayout.fpuIp)) >>> 0;
    const dp = (s.get(StateLayout.fpuDs) * 16 + s.get(StateLayout.fpuDp)) >>> 0;
    words.push(ip & 0xffff, ((ip >>> 16) << 12) | opcode, dp & 0xffff, (dp >>> 16) << 12);
  } else if (size === 16)
    words.push(s.get(StateLayout.fpuIp), s.get(StateLayout.fpuCs), s.get(StateLayout.fpuDp), s.get(StateLayout.fpuDs));
  else
    words.push(
      s.get(StateLayout.fpuIp),
      s.get(StateLayout.fpuCs) | (opcode << 16),
      s.get(StateLayout.fpuDp),
      s.get(StateLayout.fpuDs),
    );
  if (size === 16) {
    words.forEach((word, i) => view.setUint16(at + 2 * i, word, true));
    return;
  }
  // Reserved upper halves are written as ones.
  const reserved = hasRealLayout(cpu) ? 0b0101111 : 0b1000111;
  words.forEach((word, i) => view.setUint32(at + 4 * i, (reserved >> i) & 1 ? (0xffff0000 | word) >>> 0 : word, true));
};

const loadEnvironment = (cpu: Cpu, at: number, size: number): void => {
  const s = cpu.s;
  const view = s.view;
  const word = (i: number): number =>
    size === 16 ? view.getUint16(at + 2 * i, true) : view.getUint32(at + 4 * i, true);
  unit.setControlWord(s, word(0));
  unit.setStatusWord(s, word(1) & 0xffff);
  setTagWord(s, word(2) & 0xffff);
  if (hasRealLayout(cpu)) {
    const high = (i: number): number => (size === 16 ? (word(i) >> 12) << 16 : ((word(i) >>> 12) & 0xffff) << 16);
    s.set(StateLayout.fpuIp, (word(3) & 0xffff) | high(4));
    s.set(StateLayout.fpuCs, 0);
    s.set(StateLayout.fpuOpcode, word(4) & 0x7ff);
    s.set(StateLayout.fpuDp, (word(5) & 0xffff) | high(6));
    s.set(StateLayout.fpuDs, 0);
    return;
  }
  s.set(StateLayout.fpuIp, word(3));
  s.set(StateLayout.fpuCs, word(4) & 0xffff);
  // The 16-bit layout has no room for the opcode.
  s.set(StateLayout.fpuOpcode, size === 32 ? (word(4) >>> 16) & 0x7ff : 0);
  s.set(StateLayout.fpuDp, word(5));
  s.set(StateLayout.fpuDs, word(6) & 0xffff);
};

/** Afterwards all exceptions are masked. */
export const fnstenv: Helper = unit.settling((cpu, op) => {
  const at = operandDestination(cpu, op, environmentBytes(op.size));
  if (at === 0) return false;
  storeEnvironment(cpu, at, op.size);
  commitOperand(cpu, at);
  unit.setControlWord(cpu.s, cpu.s.get(StateLayout.fpuControl) | unit.EXCEPTIONS);
  return true;
});
export const fldenv: Helper = loading((cpu, op) => {
  const at = operandSource(cpu, op, environmentBytes(op.size));
  if (at === 0) return false;
  loadEnvironment(cpu, at, op.size);
  return true;
});
/** The environment, then ST(0) to ST(7), ten bytes each; then FNINIT. */
export const fnsave: Helper = unit.settling((cpu, op) => {
  const s = cpu.s;
  const header = environmentBytes(op.size);
  const at = operandDestination(cpu, op, header + 80);
  if (at === 0) return false;
  storeEnvironment(cpu, at, op.size);
  for (let i = 0; i < 8; i++) unit.writeImage(s, at + header + i * 10, unit.readSt(s, i));
  commitOperand(cpu, at);
  initialize(s);
  return true;
});
export const frstor: Helper = loading((cpu, op) => {
  const s = cpu.s;
  const header = environmentBytes(op.size);
  const at = operandSource(cpu, op, header + 80);
  if (at === 0) return false;
  loadEnvironment(cpu, at, op.size);
  const tags = s.get(StateLayout.fpuTags);
  for (let i = 0; i < 8; i++) unit.writeSt(s, i, unit.readImage(s, at + header + i * 10));
  s.set(StateLayout.fpuTags, tags);
  return true;
});
