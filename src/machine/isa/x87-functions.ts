// The functions on 80-bit values that the instructions of both tiers call: WebAssembly for ordinary operands and results. Each answers
// whether it covers the case; if not, nothing counts and the instruction is its helper's (cpu/x87/). Not instructions (x87-emitted.ts).

import { type Code, I32, I64, type ValueType } from '../wasm/code.ts';
import { add, compare, divide, multiply, squareRoot } from './x87-calculations.ts';
import { fromInteger, fromReal, roundToInteger, toInteger, toReal } from './x87-formats.ts';
import { Body } from './x87-function-body.ts';

interface SharedDescription {
  readonly parameters: readonly ValueType[];
  readonly emit: (e: Body) => void;
}
const shared = (parameters: readonly ValueType[], emit: (e: Body) => void): SharedDescription => ({
  parameters,
  emit,
});
/** All return an i32: 1 if the case is covered (`x87Compare`: condition codes, or -1). */
export const SHARED = {
  x87Add: shared([I32, I32, I32], add),
  x87Multiply: shared([I32, I32], multiply),
  x87Divide: shared([I32, I32], divide),
  x87SquareRoot: shared([I32], squareRoot),
  x87RoundToInteger: shared([I32], roundToInteger),
  x87Compare: shared([I32, I32], compare),
  x87FromDouble: shared([I64], fromReal(11)),
  x87FromSingle: shared([I64], fromReal(8)),
  x87FromInteger: shared([I64], fromInteger),
  x87ToDouble: shared([I32], toReal(11, 52)),
  x87ToSingle: shared([I32], toReal(8, 23)),
  x87ToInteger: shared([I32, I32, I32], toInteger),
} as const;
export type SharedFunction = keyof typeof SHARED;
export const SHARED_NAMES = Object.keys(SHARED) as SharedFunction[];

export const sharedCode = (name: SharedFunction): Code => {
  const { parameters, emit } = SHARED[name];
  const body = new Body(parameters);
  emit(body);
  // Every way has returned.
  body.code.op(0x00);
  return body.code;
};
