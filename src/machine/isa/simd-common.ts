// What the vector instructions share: the units, the MMX state around each MMX instruction, alignment. Not instructions themselves
// (simd-lanes.ts, simd-moves.ts). SDM vol. 1 ch. 9 to 11; vol. 3, 12.2.

import { StateLayout } from '../cpu/state.ts';
import type { Local } from '../wasm/code.ts';
import type { Emitter, Val } from './emitter.ts';
import type { RowOptions, Semantics } from './row.ts';
import { x87Prologue } from './x87-emitted.ts';

export const SSE: RowOptions = { unit: 'sse' };
/** Every MMX instruction: a pending x87 exception comes first; then TOP = 0 and all tags valid (SDM vol. 3, 12.2). */
export const MMX: RowOptions = { unit: 'mmx', prologue: x87Prologue };
const mmxEpilogue = (e: Emitter): void => {
  e.setState(StateLayout.fpuTop, e.let(e.const(0)));
  e.setState(StateLayout.fpuTags, e.let(e.const(0xff)));
};
/** The epilogue comes after the reads: a fault must leave the x87 state alone. */
export const mmx =
  (body: (e: Emitter) => () => void): Semantics =>
  (e) => {
    x87Prologue(e);
    const store = body(e);
    mmxEpilogue(e);
    store();
  };
/** 16-byte memory operands of SSE must be aligned. */
export const aligned = (e: Emitter, k: number): void => {
  if (e.isMemory(k)) e.requireAligned(16);
};
/** The second operand of a packed (16 bytes) or scalar instruction; the bytes behind a scalar are zero. */
export const source = (e: Emitter, bytes: 4 | 8 | 16 = 16): Local => {
  if (bytes === 16) aligned(e, 1);
  return e.letVector(e.readVector(1, bytes));
};

/** Byte numbers of a shuffle. */
export const range = (n: number, f: (i: number) => number): number[] => Array.from({ length: n }, (_, i) => f(i));
/** The shuffle that changes nothing, as a vector constant. */
export const identityBytes = (e: Emitter): Val => e.constVector(range(16, (i) => i));
