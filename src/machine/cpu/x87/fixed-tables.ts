// Coefficients and tables of the fixed-point functions (fixed.ts), made at the first use by plain series with 64 bits to spare. No instruction
// computes anything here. All values are in units of 2^-BITS; tables step by 1/STEPS.

/** Fraction bits. */
export const BITS = 128;
export const ONE = 1n << BigInt(BITS);
export const PI = 0x3243f6a8885a308d313198a2e03707345n;
/** Table steps for each unit of the argument, and their power of two. */
export const STEP_BITS = 6;
const STEPS = 1 << STEP_BITS;

const SPARE = 64n;
const SHIFT = BigInt(BITS) + SPARE;
const UNIT = 1n << SHIFT;
const times = (a: bigint, b: bigint): bigint => (a * b) >> SHIFT;
const ratio = (a: number | bigint, b: number | bigint): bigint => (BigInt(a) << SHIFT) / BigInt(b);
/** Rounded from the working precision. */
const kept = (value: bigint): bigint => (value + (1n << (SPARE - 1n))) >> SPARE;

/** first, next(first, 1), next(that, 2)... until a term vanishes, added up. */
const sum = (first: bigint, next: (term: bigint, n: number) => bigint): bigint => {
  let total = 0n;
  for (let term = first, n = 1; term !== 0n && term !== -1n; n++) {
    total += term;
    term = next(term, n);
  }
  return total;
};
/** atan(t) (`sign` -1) and atanh(t) (`sign` 1) for t well below 1: t + sign * t^3/3 + t^5/5... */
const odd = (t: bigint, sign: 1n | -1n): bigint => {
  const square = sign * times(t, t);
  let power = t;
  return sum(t, (_, n) => {
    power = times(power, square);
    return power / BigInt(2 * n + 1);
  });
};
const factorial = (n: number): bigint => (n < 2 ? 1n : BigInt(n) * factorial(n - 1));
const list = (length: number, f: (n: number) => bigint): readonly bigint[] => Array.from({ length }, (_, n) => f(n));
const alternating = (n: number, value: bigint): bigint => (n & 1 ? -value : value);
/** A table in which each value is made from the one before. */
const cumulative = (length: number, first: bigint, next: (value: bigint, n: number) => bigint): readonly bigint[] => {
  const values: bigint[] = [];
  for (let n = 1, value = first; values.length < length; n++) {
    values.push(kept(value));
    value = next(value, n);
  }
  return values;
};

export interface Tables {
  // Coefficients, lowest power first. With arguments of at most half a step the next term is below 2^-110.
  /** sin(t) / t in powers of t^2. */
  readonly sine: readonly bigint[];
  /** cos(t) in powers of t^2. */
  readonly cosine: readonly bigint[];
  /** atan(t) / t in powers of t^2. */
  readonly arctangent: readonly bigint[];
  /** 2 atanh(t) / (t ln 2) in powers of t^2. */
  readonly logarithm: readonly bigint[];
  /** (2^t - 1) / t in powers of t. */
  readonly exponential: readonly bigint[];
  // Values at k / STEPS.
  /** sin and cos, up to pi/4 and one for rounding. */
  readonly sines: readonly bigint[];
  readonly cosines: readonly bigint[];
  /** atan, up to 1. */
  readonly arctangents: readonly bigint[];
  /** log2(1 + k / STEPS), up to 2. */
  readonly logarithms: readonly bigint[];
  /** 2^(k / STEPS), k from -STEPS to STEPS. */
  readonly powers: readonly bigint[];
}

const rotations = (): Pick<Tables, 'sines' | 'cosines'> => {
  const step = ratio(1, STEPS);
  const square = times(step, step);
  const stepSine = sum(step, (term, n) => -times(term, square) / BigInt(2 * n * (2 * n + 1)));
  const stepCosine = sum(UNIT, (term, n) => -times(term, square) / BigInt(2 * n * (2 * n - 1)));
  const [sines, cosines]: [bigint[], bigint[]] = [[], []];
  let [sine, cosine] = [0n, UNIT];
  for (let k = 0; k <= Math.ceil((Math.PI / 4) * STEPS); k++) {
    sines.push(kept(sine));
    cosines.push(kept(cosine));
    [sine, cosine] = [
      times(sine, stepCosine) + times(cosine, stepSine),
      times(cosine, stepCosine) - times(sine, stepSine),
    ];
  }
  return { sines, cosines };
};

const build = (): Tables => {
  /** ln 2 = 2 atanh(1/3). */
  const ln2 = 2n * odd(ratio(1, 3), 1n);
  const powerStep = sum(UNIT, (term, n) => times(term, ln2) / BigInt(n * STEPS));
  const powers = cumulative(STEPS, UNIT, (value) => times(value, powerStep));
  const naturals = cumulative(STEPS + 1, 0n, (value, n) => value + 2n * odd(ratio(1, 2 * (STEPS + n) - 1), 1n));
  return {
    sine: list(6, (n) => kept(alternating(n, ratio(1, factorial(2 * n + 1))))),
    cosine: list(7, (n) => kept(alternating(n, ratio(1, factorial(2 * n))))),
    arctangent: list(8, (n) => kept(alternating(n, ratio(1, 2 * n + 1)))),
    logarithm: list(7, (n) => kept((2n * (UNIT << SHIFT)) / ln2 / BigInt(2 * n + 1))),
    exponential: list(12, (n) => {
      let power = ln2;
      for (let i = 0; i < n; i++) power = times(power, ln2);
      return kept(power / factorial(n + 1));
    }),
    ...rotations(),
    arctangents: cumulative(STEPS + 1, 0n, (value, n) => value + odd(ratio(STEPS, STEPS * STEPS + n * (n - 1)), -1n)),
    // The last is ln 2 itself, whose logarithm is exactly one.
    logarithms: naturals.map((value) => (value * ONE) / naturals[STEPS]!),
    powers: list(2 * STEPS + 1, (k) =>
      k === 2 * STEPS ? 2n * ONE : k < STEPS ? powers[k]! >> 1n : powers[k - STEPS]!,
    ),
  };
};
let made: Tables | undefined;
export const tables = (): Tables => (made ??= build());
