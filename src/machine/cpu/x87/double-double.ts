// Numbers as unevaluated sums of two doubles, high and low: some 104 bits without allocation. Not rounding to a register's format.
// T. J. Dekker, A Floating-Point Technique for Extending the Available Precision, Numerische Mathematik 18, 1971.

import { productError, sumError } from '../rounding-error.ts';

/** Where functions leave a value: high, low. */
export type Pair = Float64Array;
export const pair = (): Pair => new Float64Array(2);

/** Low at most half a unit of high. */
const normalized = (high: number, low: number, to: Pair): void => {
  const sum = high + low;
  to[0] = sum;
  to[1] = sumError(high, low, sum);
};
export const add = (ah: number, al: number, bh: number, bl: number, to: Pair): void => {
  const sum = ah + bh;
  normalized(sum, sumError(ah, bh, sum) + (al + bl), to);
};
export const multiply = (ah: number, al: number, bh: number, bl: number, to: Pair): void => {
  const product = ah * bh;
  normalized(product, productError(ah, bh, product) + (ah * bl + al * bh), to);
};
export const divide = (ah: number, al: number, bh: number, bl: number, to: Pair): void => {
  const quotient = ah / bh;
  const product = quotient * bh;
  const rest = ah - product - productError(quotient, bh, product) + (al - quotient * bl);
  normalized(quotient, rest / bh, to);
};

/** Coefficients of 1, x, x^2... and how many of the first count as pairs; the low halves of the others do not matter. */
export interface Series {
  readonly high: Float64Array;
  readonly low: Float64Array;
  readonly precise: number;
}
export const evaluate = (series: Series, xh: number, xl: number, to: Pair): void => {
  const { high: highs, low: lows, precise } = series;
  let high = highs[highs.length - 1]!;
  for (let i = highs.length - 2; i >= precise; i--) high = high * xh + highs[i]!;
  let low = 0;
  for (let i = precise - 1; i >= 0; i--) {
    const product = high * xh;
    low = productError(high, xh, product) + (high * xl + low * xh) + lows[i]!;
    const sum = highs[i]! + product;
    low += sumError(highs[i]!, product, sum);
    high = sum;
  }
  normalized(high, low, to);
};
