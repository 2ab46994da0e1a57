// Constants, coefficients and tables of the fixed-point functions (fixed.ts), made once by plain series with 64 bits to spare. Nothing here is
// called by an instruction. All values are in units of 2^-BITS; tables step by 1/STEPS.

/** Fraction bits. */
export const BITS = 128;
export const ONE = 1n << BigInt(BITS);
/** Table steps for each unit of the argument, and their power of two. */
export const STEP_BITS = 6;
export const STEPS = 1 << STEP_BITS;

const SPARE = 64n;
const SHIFT = BigInt(BITS) + SPARE;
const UNIT = 1n << SHIFT;
const times = (a: bigint, b: bigint): bigint => (a * b) >> SHIFT;
const ratio = (a: number | bigint, b: number | bigint): bigint => (BigInt(a) << SHIFT) / BigInt(b);
/** Rounded from the working precision. */
const kept = (value: bigint): bigint => (value + (1n << (SPARE - 1n))) >> SPARE;

/** Sum of terms until one vanishes. */
const sum = (first: bigint, next: (term: bigint, n: number) => bigint): bigint => {
  let total = 0n;
  for (let term = first, n = 1; term !== 0n && term !== -1n; n++) {
    total += term;
    term = next(term, n);
  }
  return total;
};
/** atan(t) and atanh(t) for t well below 1: t + t^3/3 and so on, with alternating signs or not. */
const odd = (t: bigint, alternating: boolean): bigint => {
  const square = alternating ? -times(t, t) : times(t, t);
  let power = t;
  return sum(t, (_, n) => {
    power = times(power, square);
    return power / BigInt(2 * n + 1);
  });
};

/** Machin's formula. */
const PI_FULL = 16n * odd(ratio(1, 5), true) - 4n * odd(ratio(1, 239), true);
/** ln 2 = 2 atanh(1/3). */
const LN2_FULL = 2n * odd(ratio(1, 3), false);
export const PI = kept(PI_FULL);

const factorial = (n: number): bigint => (n < 2 ? 1n : BigInt(n) * factorial(n - 1));
const list = (length: number, f: (n: number) => bigint): readonly bigint[] => Array.from({ length }, (_, n) => f(n));
const signed = (n: number, value: bigint): bigint => (n & 1 ? -value : value);

// Coefficients, lowest power first. With arguments of at most half a step the next term is below 2^-110.
/** sin(t) / t in powers of t^2. */
export const SINE = list(6, (n) => kept(signed(n, ratio(1, factorial(2 * n + 1)))));
/** cos(t) in powers of t^2. */
export const COSINE = list(7, (n) => kept(signed(n, ratio(1, factorial(2 * n)))));
/** atan(t) / t in powers of t^2. */
export const ARCTANGENT = list(8, (n) => kept(signed(n, ratio(1, 2 * n + 1))));
/** 2 atanh(t) / (t ln 2) in powers of t^2. */
export const LOGARITHM = list(7, (n) => kept((2n * (UNIT << SHIFT)) / LN2_FULL / BigInt(2 * n + 1)));
/** (2^t - 1) / t in powers of t. */
export const EXPONENTIAL = list(12, (n) => {
  let power = LN2_FULL;
  for (let i = 0; i < n; i++) power = times(power, LN2_FULL);
  return kept(power / factorial(n + 1));
});

/** A table in which each value is made from the one before. */
const cumulative = (length: number, first: bigint, next: (value: bigint, n: number) => bigint): readonly bigint[] => {
  const values: bigint[] = [];
  for (let n = 1, value = first; values.length < length; n++) {
    values.push(kept(value));
    value = next(value, n);
  }
  return values;
};
/** Steps up to pi/4, and one for rounding. */
const ANGLES = Math.ceil((Math.PI / 4) * STEPS) + 1;
const taylor = (k: number, start: number): bigint => {
  const t = ratio(k, STEPS);
  const square = times(t, t);
  return sum(start === 0 ? UNIT : t, (term, n) => -times(term, square) / BigInt((2 * n + start - 1) * (2 * n + start)));
};
/** sin(k / STEPS), cos(k / STEPS). */
export const SINES = list(ANGLES, (k) => kept(taylor(k, 1)));
export const COSINES = list(ANGLES, (k) => kept(taylor(k, 0)));
/** atan(k / STEPS), k up to STEPS. */
export const ARCTANGENTS = cumulative(
  STEPS + 1,
  0n,
  (value, n) => value + odd(ratio(STEPS, STEPS * STEPS + n * (n - 1)), true),
);
/** log2(1 + k / STEPS), k up to STEPS. */
export const LOGARITHMS = (() => {
  const natural = cumulative(STEPS + 1, 0n, (value, n) => value + 2n * odd(ratio(1, 2 * (STEPS + n) - 1), false));
  // The last is ln 2 itself, whose logarithm must be one exactly.
  return natural.map((value) => (value * ONE) / natural[STEPS]!);
})();
/** 2^(k / STEPS), k from -STEPS to STEPS. */
export const POWERS = (() => {
  const step = sum(UNIT, (term, n) => times(term, LN2_FULL) / BigInt(n * STEPS));
  const up = cumulative(STEPS, UNIT, (value) => times(value, step));
  return list(2 * STEPS + 1, (k) => (k === 2 * STEPS ? 2n * ONE : k < STEPS ? up[k]! >> 1n : up[k - STEPS]!));
})();
