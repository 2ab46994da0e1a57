// Fixed-point functions on big integers: what the transcendental instructions are computed with. Values are integers in units of 2^-BITS;
// results are good to some two hundred bits, of which the instructions keep 64. Not formats and not exceptions.

import { squareRoot } from './float80.ts';

/** Fraction bits. */
export const BITS = 256;
const SHIFT = BigInt(BITS);
export const ONE = 1n << SHIFT;

const times = (a: bigint, b: bigint): bigint => (a * b) >> SHIFT;
const over = (a: bigint, b: bigint): bigint => (a << SHIFT) / b;

/** Sum of term(n) until a term vanishes, the first given; `next` makes each from the last. */
const series = (first: bigint, next: (term: bigint, n: number) => bigint): bigint => {
  let sum = 0n;
  let term = first;
  // A negative term ends at -1, not at 0: shifts round down.
  for (let n = 1; term !== 0n && term !== -1n; n++) {
    sum += term;
    term = next(term, n);
  }
  return sum;
};

/** sum of (-1)^n t^2n / (2n + 1), alternating or not: atan(t) / t and atanh(t) / t for |t| well below 1. */
const oddSeries = (square: bigint): bigint => {
  let power = ONE;
  return series(ONE, (_, n) => {
    power = times(power, square);
    return power / BigInt(2 * n + 1);
  });
};
/** atan(t) / t. */
const atanRatio = (t: bigint): bigint => oddSeries(-times(t, t));
/** atanh(t) / t. */
export const atanhRatio = (t: bigint): bigint => oddSeries(times(t, t));

const reciprocal = (n: number): bigint => ONE / BigInt(n);
const atanOfReciprocal = (n: number): bigint => times(reciprocal(n), atanRatio(reciprocal(n)));
/** Machin's formula. */
export const PI = 16n * atanOfReciprocal(5) - 4n * atanOfReciprocal(239);
/** ln 2 = 2 atanh(1/3). */
export const LN2 = 2n * times(ONE / 3n, atanhRatio(ONE / 3n));
export const INVERSE_LN2 = over(ONE, LN2);

/** sin(t) / t for |t| < 1. Below 1 even where t^2 vanishes. */
export const sineRatio = (t: bigint): bigint => {
  const square = times(t, t);
  const ratio = series(ONE, (term, n) => -times(term, square) / BigInt(2 * n * (2 * n + 1)));
  return ratio === ONE ? ONE - 1n : ratio;
};
/** cos(t) for |t| < 1. */
export const cosine = (t: bigint): bigint => {
  const square = times(t, t);
  const value = series(ONE, (term, n) => -times(term, square) / BigInt(2 * n * (2 * n - 1)));
  return value === ONE ? ONE - 1n : value;
};
export const sine = (t: bigint): bigint => times(t, sineRatio(t));

/** (e^t - 1) / t for |t| < 1. */
export const exponentialRatio = (t: bigint): bigint => series(ONE, (term, n) => times(term, t) / BigInt(n + 1));

/** atan(t) for 0 <= t <= 1: two halvings bring t below a fifth. */
export const arctangent = (t: bigint): bigint => {
  let u = t;
  for (let i = 0; i < 2; i++) u = over(u, ONE + squareRoot((ONE + times(u, u)) << SHIFT));
  return 4n * times(u, atanRatio(u));
};

/** ln(m) for m from 1 to 2. */
export const logarithm = (m: bigint): bigint => {
  const t = over(m - ONE, m + ONE);
  return 2n * times(t, atanhRatio(t));
};
