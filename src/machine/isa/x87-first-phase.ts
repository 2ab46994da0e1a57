// The first phase of FSIN, FCOS, FSINCOS, FPATAN, F2XM1 and FYL2X: in doubles, with small steps and exact products, to some 2^-73 of the result. That
// decides the rounding of all but one result in sixty; those, and operands near a zero of the function, are the second phase's, which computes with
// pairs throughout (x87-transcendentals.ts). A. Ziv, Fast evaluation of elementary mathematical functions with correctly rounded last bit, ACM TOMS 17, 1991.
//
// A function near a step is T + A r + B r^2 + the rest. r is first + second, both exact, the first of 26 bits. T, A and B are cut likewise (step-tables.ts), so
// A's head times the first, and B's head times the head of the first's square, are exact, and so are the sums with T. All else is small: below,
// u is 2^-53, what rounding a double changes it by at most, relatively. A result's bits are worth 2^-64 of it or more: 2^-72 of it is 2^-8 of them.

import { BITS, PI } from '../cpu/x87/fixed-tables.ts';
import { HEAD_BITS, STEP_TABLES, type StepTable } from '../cpu/x87/step-tables.ts';
import type { Local } from '../wasm/code.ts';
import type { Operand, Pair, PairBody } from './pair-body.ts';

/** Distance from a step: exactly `first` plus `second`; `whole`, rounded. */
interface Distance {
  readonly first: Local;
  readonly second: Local;
  readonly whole: Local;
}
/** `high` plus `low`, the first a multiple of `unit`. */
const distance = (e: PairBody, high: Local, low: Local, unit: number): Distance => {
  const whole = e.plus(high, low);
  const first = e.multipleOf(unit, whole);
  return { first, second: e.plus(e.minus(high, first), low), whole };
};

/** The nearest step: its number, and the argument there. */
const nearestStep = (e: PairBody, x: Local, { steps }: StepTable): { readonly k: Local; readonly at: Local } => {
  const { value, integer } = e.nearestInteger(e.times(x, e.double(steps)));
  return { k: integer, at: e.times(value, e.double(1 / steps)) };
};
/** Address of a step's doubles, but for where the table is. */
const placeOf = (e: PairBody, k: Local, { bytes, first }: StepTable): Local =>
  e.let(e.mul(e.sub(e.get(k), e.const(first)), e.const(bytes)));
/** The i-th double of a step. */
const valueAt = (e: PairBody, { at }: StepTable, place: Local, i: number): Local => e.load(e.get(place), at + i * 8);
/** A cut value: its head and the rest. */
type Cut = readonly [Local, Local];
const cutAt = (e: PairBody, table: StepTable, place: Local, i: number): Cut => [
  valueAt(e, table, place, i),
  valueAt(e, table, place, i + 1),
];

/** A value and what is to be added to it: their sum is the result. */
interface Sum {
  readonly high: Local;
  readonly low: Local;
}
/** Adds a product of two doubles that is exact and not greater than what is there. */
const addExact = (e: PairBody, { high, low }: Sum, a: Local, b: Local): Sum => {
  const product = e.times(a, b);
  const sum = e.plus(high, product);
  return { high: sum, low: e.plus(low, e.plus(e.minus(high, sum), product)) };
};

/**
 * T + A r + B r^2 + `rest`. Errors, r being at most 2^-8.8: the rests of A and B are below 2^-26 of them, so their products are below
 * 2^-34 and rounded by at most 2^-87; B's with `unit`, 2^-26 of r^2, likewise; sums are rounded by u of `rest`, which is the greatest here.
 */
const quadratic = (e: PairBody, t: Cut, a: Cut, b: Cut, r: Distance, unit: number, rest: Local): Pair => {
  const square = e.times(r.first, r.first);
  const head = e.multipleOf(unit, square);
  const tail = e.plus(e.minus(square, head), e.times(r.second, e.plus(e.plus(r.first, r.first), r.second)));
  const whole = e.times(r.whole, r.whole);
  const linear = addExact(e, { high: t[0], low: t[1] }, a[0], r.first);
  const sum = addExact(e, linear, b[0], head);
  const small = e.plus(
    e.plus(e.times(a[0], r.second), e.times(a[1], r.whole)),
    e.plus(e.times(b[0], tail), e.times(b[1], whole)),
  );
  return e.normalized(sum.high, e.plus(sum.low, e.plus(small, rest)), true);
};
/** c[0] + c[1] x + c[2] x^2..., by halves. */
const polynomial = (e: PairBody, c: readonly number[], x: Local, square?: Local): Local => {
  if (c.length === 1) return e.double(c[0]!);
  const start = e.plus(e.double(c[0]!), e.times(e.double(c[1]!), x));
  if (c.length === 2) return start;
  const squared = square ?? e.times(x, x);
  return e.plus(start, e.times(squared, polynomial(e, c.slice(2), x, squared)));
};

// ---- trigonometric functions --------------------------------------------------------------------------------------------

/** Half of the number pi cut to 66 bits, which arguments are reduced with (SDM vol. 1, 8.3.8): 33 bits and 33 bits. */
const HALF_PI_BITS = PI >> BigInt(BITS - 64);
export const HALF_PI_HIGH = Number(HALF_PI_BITS >> 33n) * 2 ** (33 - 65);
export const HALF_PI_LOW = Number(HALF_PI_BITS & ((1n << 33n) - 1n)) * 2 ** -65;

/** Below it the sine is nearly its argument; just above the other another multiple of pi/2 is the nearest. */
const LEAST_ANGLE = 2 ** -10;
const MOST_ANGLE = 0.7853;

/** An operand's magnitude less a multiple of pi/2, exactly. */
export interface Reduced extends Pair {
  readonly negative: Local;
  /** The multiple, as a double is rounded. */
  readonly multiple: Local;
}
/** Refuses what is too near zero or pi/4. */
export const reduceOnce = (e: PairBody, a: Operand): Reduced => {
  const n = e.nearestInteger(e.times(a.high, e.double(2 / Math.PI)));
  const high = e.minus(a.high, e.times(n.value, e.double(HALF_PI_HIGH)));
  const low = e.minus(a.low, e.times(n.value, e.double(HALF_PI_LOW)));
  const magnitude = e.magnitude(high);
  const [least, most] = [e.double(LEAST_ANGLE), e.double(MOST_ANGLE)];
  e.refuseUnless(e.and(e.less(least, magnitude), e.less(magnitude, most)));
  return { high, low, negative: e.let(e.less(high, e.double(0))), multiple: n.integer };
};

/**
 * The sine (`cosine` 0) or cosine (1) of a reduced angle's magnitude: A + B r, and A (cos r - 1) + B (sin r - r). r is at most 2^-11 and what `low` has.
 * Errors: the first of the two, below 2^-23 of A, has eight roundings of it and of r twice; the second, below 2^-24 of the result, as many; so has
 * each of two sums. r^6 / 720 is below 2^-75. Together below 2^-72.
 */
export const circle = (e: PairBody, { high, low }: Pair, cosine: Local): Pair => {
  const table = STEP_TABLES.circle;
  const magnitude = e.magnitude(high);
  const { k, at } = nearestStep(e, magnitude, table);
  // The cosine's derivative is the sine's negative: r has the other sign instead.
  const way = e.choose(cosine, e.double(-1), e.double(1));
  const r = distance(
    e,
    e.times(e.minus(magnitude, at), way),
    e.times(low, e.signedAs(way, e.times(high, way))),
    2 ** -37,
  );
  const own = e.let(e.or(e.get(placeOf(e, k, table)), e.shl(e.get(cosine), e.const(4))));
  const other = e.let(e.xor(e.get(own), e.const(16)));
  const [a, aRest] = cutAt(e, table, own, 0);
  const [b, bRest] = cutAt(e, table, other, 0);
  const square = e.times(r.whole, r.whole);
  const even = e.times(square, polynomial(e, [-1 / 2, 1 / 24], square));
  const odd = e.times(e.times(r.whole, square), polynomial(e, [-1 / 6, 1 / 120], square));
  const higher = e.plus(e.times(e.plus(a, aRest), even), e.times(e.plus(b, bRest), odd));
  const small = e.plus(e.plus(e.times(b, r.second), e.times(bRest, r.whole)), e.plus(aRest, higher));
  const sum = addExact(e, { high: a, low: small }, b, r.first);
  return e.normalized(sum.high, sum.low, true);
};

/** Below it the bits of a quotient in doubles do not suffice. */
const LEAST_QUOTIENT = 1 / 16;
/**
 * The arctangent of a quotient, the second being the greater. Errors: the quotient's second part is below 2^-30, so it is within 2^-81; what is behind the
 * square, below 2^-28.6, has twenty roundings. That is 2^-77, of a result from 2^-4.1 on.
 */
export const arctangentOf = (e: PairBody, over: Pair, under: Pair): Pair => {
  const table = STEP_TABLES.arctangents;
  const one = e.double(1);
  const inverse = e.over(one, e.plus(under.high, under.low));
  const quotient = e.times(e.plus(over.high, over.low), inverse);
  e.refuseIf(e.less(quotient, e.double(LEAST_QUOTIENT)));
  const { k, at } = nearestStep(e, quotient, table);
  // 21 bits, as the halves of operands have 32: all that is left over is exact, but for the last half's last bits.
  const first = e.multipleOf(2 ** -30, e.minus(quotient, at));
  const left = (half: Local, of: Local): Local => e.minus(e.minus(half, e.times(at, of)), e.times(first, of));
  const second = e.times(e.plus(left(over.high, under.high), left(over.low, under.low)), inverse);
  const r = { first, second, whole: e.plus(first, second) };
  const place = placeOf(e, k, table);
  const derivative = cutAt(e, table, place, 2);
  // With w = A r, u = w / (1 + at w): atan u = u - u^3 / 3..., and u = w - at w^2 + (at w)^2 u.
  const w = e.times(e.plus(...derivative), r.whole);
  const v = e.times(at, w);
  const u = e.over(w, e.plus(one, v));
  const square = e.times(u, u);
  const odd = e.times(square, polynomial(e, [-1 / 3, 1 / 5, -1 / 7], square));
  const rest = e.times(u, e.plus(e.times(v, v), odd));
  return quadratic(e, cutAt(e, table, place, 0), derivative, cutAt(e, table, place, 4), r, 2 ** -44, rest);
};

// ---- exponential and logarithms -----------------------------------------------------------------------------------------

/** Least power of two of an operand here. */
const LEAST_POWER = -7;
/** 2^r from r^3 on. */
const POWERS = [3, 4, 5, 6, 7].map((n) => {
  let term = 1;
  for (let i = 1; i <= n; i++) term *= Math.LN2 / i;
  return term;
});
/** 2^a - 1 with a's sign. Errors: what is behind the square, below 2^-31, has ten roundings; of a result from 2^-7.6 on that is 2^-73. */
export const exponentialOf = (e: PairBody, a: Operand): Pair => {
  e.refuseIf(e.ltS(e.get(a.exponent), e.const(LEAST_POWER)));
  const table = STEP_TABLES.powers;
  const { high, low } = e.choosePair(a.sign, e.negatedPair(a), a);
  const { k, at } = nearestStep(e, high, table);
  const r = distance(e, e.minus(high, at), low, 2 ** -35);
  const place = placeOf(e, k, table);
  const t = cutAt(e, table, place, 0);
  const square = e.times(r.whole, r.whole);
  const series = e.times(e.times(r.whole, square), polynomial(e, POWERS, r.whole, square));
  const rest = e.times(e.plus(t[0], e.double(1)), series);
  return quadratic(e, t, cutAt(e, table, place, 2), cutAt(e, table, place, 4), r, 2 ** -44, rest);
};

/** Logarithms nearer to zero have too few bits. */
const LEAST_LOGARITHM = 1 / 8;
/** log2(e), cut as the tables' values are; the double lacks the last number. */
const HEAD = Math.round(Math.LOG2E * 2 ** (HEAD_BITS - 1)) / 2 ** (HEAD_BITS - 1);
const REST = Math.LOG2E - HEAD + 2.0355273740931033e-17;
/** log2(1 + r) from r^3 on. */
const LOGARITHMS = [3, 4, 5, 6, 7, 8].map((n) => (n & 1 ? 1 : -1) * (Math.LOG2E / n));
/**
 * log2(m * 2^n), m from 1 to 2: of m times a short reciprocal, which is exact. Errors: what is behind the square, below 2^-27.4, has eight roundings, and
 * two of sums; of a result from 1/8 on that is 2^-74.
 */
export const logarithmOf = (e: PairBody, m: Pair, n: Local): Pair => {
  const table = STEP_TABLES.logarithms;
  const steps = e.double(table.steps);
  const { integer: k } = e.nearestInteger(e.minus(e.times(m.high, steps), e.double(table.steps + 0.5)));
  const place = placeOf(e, k, table);
  const factor = valueAt(e, table, place, 0);
  const r = distance(e, e.minus(e.times(m.high, factor), e.double(1)), e.times(m.low, factor), 2 ** -34);
  const [t, tRest] = cutAt(e, table, place, 2);
  const cut = (part: number): Cut => [e.double(HEAD * part), e.double(REST * part)];
  const square = e.times(r.whole, r.whole);
  const rest = e.times(e.times(r.whole, square), polynomial(e, LOGARITHMS, r.whole, square));
  const value = quadratic(e, [e.plus(n, t), tRest], cut(1), cut(-1 / 2), r, 2 ** -43, rest);
  e.refuseIf(e.less(e.magnitude(value.high), e.double(LEAST_LOGARITHM)));
  return value;
};
/** The product with an operand's halves of 32 bits. The value's first 21 bits make an exact one; the rest is rounded by 2^-73 of it. */
export const timesHalves = (e: PairBody, value: Pair, { high, low }: Pair): Pair => {
  const scaled = e.times(value.high, e.double(2 ** 32 + 1));
  const head = e.minus(scaled, e.minus(scaled, value.high));
  const cross = e.plus(e.times(low, value.high), e.times(high, value.low));
  return e.normalized(e.times(high, head), e.plus(e.times(high, e.minus(value.high, head)), cross), true);
};
