// Runs of iterations of a repeated string instruction that go at once: elements that lie in one page of each operand, which the TLB lets
// be accessed directly. Not the single iterations, and not what repeats or faults (strings.ts): where anything is unusual a run has no
// iterations. SDM vol. 2, REP/REPE/REPNE.

import type { Cpu, Operands } from './cpu.ts';
import { EAX, EDI, ES, ESI, Flag, SEGMENT_STRIDE, SegmentField, StateLayout } from './state.ts';

/** Does up to `most` iterations, the registers included. Returns how many, 0 if none can go this way. */
export type Run = (cpu: Cpu, op: Operands, most: number) => number;

/** Up to this many bytes are copied faster by words than by a call of the library. */
const SHORT = 64;

const backward = (cpu: Cpu): boolean => (cpu.s.eflagsRest & Flag.DF) !== 0;
export const offsetIn = (cpu: Cpu, op: Operands, register: number): number =>
  op.addressSize === 32 ? cpu.s.gpr(register) : cpu.s.gpr16(register);
export const advance = (cpu: Cpu, op: Operands, register: number, by: number): void => {
  if (op.addressSize === 32) cpu.s.setGpr(register, cpu.s.gpr(register) + by);
  else cpu.s.setGpr16(register, cpu.s.gpr16(register) + by);
};

const segmentWord = (cpu: Cpu, segment: number, field: number): number =>
  cpu.s.u32[(StateLayout.segments + segment * SEGMENT_STRIDE + field) >> 2]!;
const linearOf = (cpu: Cpu, segment: number, offset: number): number =>
  (segmentWord(cpu, segment, SegmentField.base) + offset) >>> 0;

/**
 * How many of `most` elements from `offset` on certainly pass the segment's checks, and lie in one page without the offset wrapping. `limit`: of
 * SegmentField, which is 0 where each access must be checked in full.
 */
const within = (cpu: Cpu, op: Operands, segment: number, offset: number, limit: number, most: number): number => {
  const shift = op.size >> 4;
  const inPage = linearOf(cpu, segment, offset) & 0xfff;
  const room = segmentWord(cpu, segment, limit) - offset;
  if (backward(cpu)) {
    if (room < 4 || inPage + (op.size >> 3) > 4096) return 0;
    return Math.min(most, (inPage >> shift) + 1, (offset >>> shift) + 1);
  }
  if (room <= 0) return 0;
  const n = Math.min(most, (4096 - inPage) >> shift, room >>> shift);
  return op.addressSize === 32 ? n : Math.min(n, (0x10000 - offset) >> shift);
};

/** MOVS between two pieces of memory, given by the element that is first in memory. */
const copy = (cpu: Cpu, op: Operands, from: number, to: number, n: number): void => {
  const { u8, view } = cpu.s;
  const bytes = op.size >> 3;
  const end = n * bytes;
  const down = backward(cpu);
  // An iteration may read what an earlier one wrote.
  const repeats = down ? to < from && to + end > from : to > from && to < from + end;
  if (!repeats && end > SHORT) u8.copyWithin(to, from, from + end);
  else if (!repeats && !down) {
    let i = 0;
    for (; i + 4 <= end; i += 4) view.setInt32(to + i, view.getInt32(from + i, true), true);
    for (; i < end; i++) u8[to + i] = u8[from + i]!;
  } else {
    const by = down ? -bytes : bytes;
    for (let k = 0, i = down ? end - bytes : 0; k < n; k++, i += by) {
      if (bytes === 1) u8[to + i] = u8[from + i]!;
      else if (bytes === 2) view.setUint16(to + i, view.getUint16(from + i, true), true);
      else view.setInt32(to + i, view.getInt32(from + i, true), true);
    }
  }
};

export const movsRun: Run = (cpu, op, most) => {
  const source = offsetIn(cpu, op, ESI);
  const destination = offsetIn(cpu, op, EDI);
  let n = within(cpu, op, op.segment, source, SegmentField.readLimit, most);
  n = within(cpu, op, ES, destination, SegmentField.writeLimit, n);
  if (n === 0) return 0;
  // The source is accessed first: where that cannot go directly, the destination must not be touched yet.
  const from = cpu.mmu.directRead(linearOf(cpu, op.segment, source));
  if (from === 0) return 0;
  const to = cpu.mmu.directWrite(linearOf(cpu, ES, destination));
  if (to === 0) return 0;
  const bytes = n * (op.size >> 3);
  const down = backward(cpu);
  const below = down ? bytes - (op.size >> 3) : 0;
  copy(cpu, op, from - below, to - below, n);
  const by = down ? -bytes : bytes;
  advance(cpu, op, ESI, by);
  advance(cpu, op, EDI, by);
  return n;
};

export const stosRun: Run = (cpu, op, most) => {
  const s = cpu.s;
  const offset = offsetIn(cpu, op, EDI);
  const n = within(cpu, op, ES, offset, SegmentField.writeLimit, most);
  if (n === 0) return 0;
  const host = cpu.mmu.directWrite(linearOf(cpu, ES, offset));
  if (host === 0) return 0;
  const bytes = op.size >> 3;
  const end = n * bytes;
  const down = backward(cpu);
  const to = down ? host - end + bytes : host;
  const value = s.gpr(EAX);
  if (bytes === 1) s.u8.fill(value & 0xff, to, to + n);
  else if (bytes === 4 && (to & 3) === 0) s.i32.fill(value | 0, to >> 2, (to + end) >> 2);
  else if (bytes === 2) for (let i = 0; i < end; i += 2) s.view.setUint16(to + i, value & 0xffff, true);
  else for (let i = 0; i < end; i += 4) s.view.setInt32(to + i, value, true);
  advance(cpu, op, EDI, down ? -end : end);
  return n;
};

/** Sets the six arithmetic flags of a - b (StateLayout.lazyResult says how). */
export const compareFlags = (cpu: Cpu, a: number, b: number, size: number): void => {
  const { i32 } = cpu.s;
  const shift = 32 - size;
  const x = a << shift;
  const y = b << shift;
  const difference = (x - y) | 0;
  const result = difference >> shift;
  const borrows = (~x & y) | (~(x ^ y) & difference);
  i32[StateLayout.lazyResult >> 2] = result;
  i32[StateLayout.lazyAux >> 2] = (borrows & 0xc0000000) | (((a ^ b ^ result) >> 1) & 8);
};

/** Is one of the elements in a word zero? */
const someZero = (word: number, size: number): boolean => {
  if (size === 32) return word === 0;
  return size === 8
    ? ((word - 0x01010101) & ~word & 0x80808080) !== 0
    : ((word - 0x00010001) & ~word & 0x80008000) !== 0;
};
const element = (view: DataView, at: number, size: number): number =>
  size === 8 ? view.getUint8(at) : size === 16 ? view.getUint16(at, true) : view.getInt32(at, true);

/**
 * Compares elements with those at `b` until REPE or REPNE ends or `n` are done, and sets the flags of the last one. They are at `a`, or the value
 * `sought` if `a` is 0. Four bytes go at once where none of their elements ends it.
 */
const compare = (cpu: Cpu, op: Operands, a: number, sought: number, b: number, n: number): number => {
  const { view } = cpu.s;
  const { size } = op;
  const bytes = size >> 3;
  const end = n * bytes;
  const whileEqual = op.rep === 0xf3;
  const words = size === 8 ? (sought & 0xff) * 0x01010101 : size === 16 ? (sought & 0xffff) * 0x00010001 : sought | 0;
  let i = 0;
  if (whileEqual) {
    if (a === 0) while (i + 4 <= end && view.getInt32(b + i, true) === (words | 0)) i += 4;
    else while (i + 4 <= end && view.getInt32(b + i, true) === view.getInt32(a + i, true)) i += 4;
  } else if (a === 0) {
    while (i + 4 <= end && !someZero(view.getInt32(b + i, true) ^ words, size)) i += 4;
  } else while (i + 4 <= end && !someZero(view.getInt32(b + i, true) ^ view.getInt32(a + i, true), size)) i += 4;
  let x = 0;
  let y = 0;
  // The last element is looked at here even where its word ended nothing: its flags remain.
  if (i === end) i -= bytes;
  for (; i < end; i += bytes) {
    x = a === 0 ? sought : element(view, a + i, size);
    y = element(view, b + i, size);
    if (((x ^ y) << (32 - size) === 0) !== whileEqual) {
      i += bytes;
      break;
    }
  }
  compareFlags(cpu, x, y, size);
  return i >> (size >> 4);
};

export const cmpsRun: Run = (cpu, op, most) => {
  if (backward(cpu)) return 0;
  const second = offsetIn(cpu, op, EDI);
  const first = offsetIn(cpu, op, ESI);
  let n = within(cpu, op, ES, second, SegmentField.readLimit, most);
  n = within(cpu, op, op.segment, first, SegmentField.readLimit, n);
  if (n === 0) return 0;
  // In the order of the single iteration.
  const b = cpu.mmu.directRead(linearOf(cpu, ES, second));
  if (b === 0) return 0;
  const a = cpu.mmu.directRead(linearOf(cpu, op.segment, first));
  if (a === 0) return 0;
  n = compare(cpu, op, a, 0, b, n);
  const by = n * (op.size >> 3);
  advance(cpu, op, ESI, by);
  advance(cpu, op, EDI, by);
  return n;
};

export const scasRun: Run = (cpu, op, most) => {
  if (backward(cpu)) return 0;
  const offset = offsetIn(cpu, op, EDI);
  let n = within(cpu, op, ES, offset, SegmentField.readLimit, most);
  if (n === 0) return 0;
  const b = cpu.mmu.directRead(linearOf(cpu, ES, offset));
  if (b === 0) return 0;
  n = compare(cpu, op, 0, cpu.s.gpr(EAX), b, n);
  advance(cpu, op, EDI, n * (op.size >> 3));
  return n;
};
