// Fixed-point functions on big integers: what the transcendental instructions are computed with. Arguments and results are integers in
// units of 2^-BITS. A table takes an argument to within half a step, a short polynomial does the rest; results are good to some 110 bits,
// of which the instructions keep 64. Not formats and not exceptions.

import { BITS, ONE, STEP_BITS, tables } from './fixed-tables.ts';

export { BITS, ONE, PI } from './fixed-tables.ts';

const SHIFT = BigInt(BITS);
const STEP_SHIFT = BigInt(BITS - STEP_BITS);
const HALF_STEP = 1n << (STEP_SHIFT - 1n);
/** Below this magnitude the polynomials need no table: 2^-SMALL is half a step. */
export const SMALL = STEP_BITS + 1;

const times = (a: bigint, b: bigint): bigint => (a * b) >> SHIFT;
const polynomial = (coefficients: readonly bigint[], x: bigint): bigint => {
  let value = coefficients[coefficients.length - 1]!;
  for (let n = coefficients.length - 2; n >= 0; n--) value = ((value * x) >> SHIFT) + coefficients[n]!;
  return value;
};
/** The nearest step. */
const stepOf = (t: bigint): number => Number((t + HALF_STEP) >> STEP_SHIFT);
const atStep = (k: number): bigint => BigInt(k) << STEP_SHIFT;
/** Functions that stay below one must do so where the square of a small argument vanishes. */
const belowOne = (value: bigint): bigint => (value >= ONE ? ONE - 1n : value);

/** sin(t) / t and cos(t), |t| at most half a step. */
export const sineRatio = (t: bigint): bigint => belowOne(polynomial(tables().sine, times(t, t)));
export const smallCosine = (t: bigint): bigint => belowOne(polynomial(tables().cosine, times(t, t)));
/** tan(t) / t, |t| at most half a step. */
export const tangentRatio = (t: bigint): bigint => {
  const ratio = (sineRatio(t) << SHIFT) / smallCosine(t);
  return ratio < ONE ? ONE : ratio;
};

/** sin(t) and cos(t) for t from 0 to pi/4. */
export const sineAndCosine = (t: bigint): { readonly sine: bigint; readonly cosine: bigint } => {
  const k = stepOf(t);
  const rest = t - atStep(k);
  const square = times(rest, rest);
  const of = tables();
  const s = times(rest, polynomial(of.sine, square));
  const c = polynomial(of.cosine, square);
  const sine = k === 0 ? s : times(of.sines[k]!, c) + times(of.cosines[k]!, s);
  const cosine = k === 0 ? c : times(of.cosines[k]!, c) - times(of.sines[k]!, s);
  return { sine, cosine: belowOne(cosine) };
};

/** atan(t) / t, |t| at most half a step. */
export const arctangentRatio = (t: bigint): bigint => belowOne(polynomial(tables().arctangent, times(t, t)));
/** atan(t) for 0 <= t <= 1. */
export const arctangent = (t: bigint): bigint => {
  const k = stepOf(t);
  const at = atStep(k);
  const u = ((t - at) << SHIFT) / (ONE + times(t, at));
  return tables().arctangents[k]! + times(u, polynomial(tables().arctangent, times(u, u)));
};

/** log2(1 + t) / u for u = t / (2 + t), |u| at most a quarter of a step. */
export const logarithmRatio = (u: bigint): bigint => polynomial(tables().logarithm, times(u, u));
/** Is the nearest step of m, from 1 to 2, one of the two ends, where the logarithm is 0 or 1? */
export const isNearPower = (m: bigint): boolean => {
  const k = stepOf(m - ONE);
  return k === 0 || k === tables().logarithms.length - 1;
};
/** log2(m) for m from 1 to 2. */
export const logarithm = (m: bigint): bigint => {
  const k = stepOf(m - ONE);
  const at = ONE + atStep(k);
  const u = ((m - at) << SHIFT) / (m + at);
  return tables().logarithms[k]! + times(u, logarithmRatio(u));
};

/** (2^t - 1) / t, |t| at most half a step. */
export const exponentialRatio = (t: bigint): bigint => polynomial(tables().exponential, t);
/** 2^t - 1 for |t| < 1. */
export const exponential = (t: bigint): bigint => {
  const k = stepOf(t);
  const rest = t - atStep(k);
  const { powers, exponential: coefficients } = tables();
  const power = powers[k + (powers.length >> 1)]!;
  return power - ONE + times(power, times(rest, polynomial(coefficients, rest)));
};
