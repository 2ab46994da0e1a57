// The functions on 80-bit values that the instructions of both tiers call: WebAssembly for ordinary operands and results. Each answers
// whether it covers the case; if not, nothing counts and the instruction is its helper's (cpu/x87/). Not instructions (x87-emitted.ts).

import { I32, I64, type ValueType } from '../wasm/code.ts';
import { shared, type SharedDescription } from './function-body.ts';
import { PairBody } from './pair-body.ts';
import { add, compare, divide, multiply, squareRoot } from './x87-calculations.ts';
import { fromInteger, fromReal, roundToInteger, toInteger, toReal } from './x87-formats.ts';
import { Body } from './x87-function-body.ts';
import * as transcendentals from './x87-transcendentals.ts';

const x87 = (parameters: readonly ValueType[], emit: (e: Body) => void): SharedDescription =>
  shared(Body, parameters, emit);
const pairs = (operands: 1 | 2, emit: (e: PairBody) => void): SharedDescription =>
  shared(PairBody, new Array<typeof I32>(operands).fill(I32), emit);
/** All return an i32: 1 if the case is covered (`x87Compare`: condition codes, or -1). */
export const X87_FUNCTIONS = {
  x87Add: x87([I32, I32, I32], add),
  x87Multiply: x87([I32, I32], multiply),
  x87Divide: x87([I32, I32], divide),
  x87SquareRoot: x87([I32], squareRoot),
  x87RoundToInteger: x87([I32], roundToInteger),
  x87Compare: x87([I32, I32], compare),
  x87FromDouble: x87([I64], fromReal(11)),
  x87FromSingle: x87([I64], fromReal(8)),
  x87FromInteger: x87([I64], fromInteger),
  x87ToDouble: x87([I32], toReal(11, 52)),
  x87ToSingle: x87([I32], toReal(8, 23)),
  x87ToInteger: x87([I32, I32, I32], toInteger),
  x87Sine: pairs(1, transcendentals.sine),
  x87Cosine: pairs(1, transcendentals.cosine),
  x87SineAndCosine: pairs(1, transcendentals.sineAndCosine),
  x87Tangent: pairs(1, transcendentals.tangent),
  x87Arctangent: pairs(2, transcendentals.arctangent),
  x87Exponential: pairs(1, transcendentals.exponential),
  x87Logarithm: pairs(2, transcendentals.logarithm),
  x87LogarithmPlusOne: pairs(2, transcendentals.logarithmPlusOne),
} as const;
