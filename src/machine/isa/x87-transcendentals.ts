// FSIN, FCOS, FSINCOS, FPTAN, FPATAN, F2XM1, FYL2X, FYL2XP1 of ordinary operands as WebAssembly functions, in pairs of doubles rounded to nearest
// after a first phase that decides most of them (x87-first-phase.ts):
// where the 80-bit result does not depend on bits that a pair lacks, which is nearly always. The same tables and polynomials as cpu/x87/fixed.ts,
// which decides the other cases. Not the instructions (x87-emitted.ts) and not the special operands (cpu/x87/transcendental.ts).

import { PI, STEP_BITS } from '../cpu/x87/fixed-tables.ts';
import { BIAS } from '../cpu/x87/float80.ts';
import { highOf, lowOf, PAIR_TABLES as tables } from '../cpu/x87/pair-tables.ts';
import { F64, type Local } from '../wasm/code.ts';
import { LEAST, MOST, type Operand, type Pair, type PairBody } from './pair-body.ts';
import {
  arctangentOf,
  circle,
  exponentialOf,
  HALF_PI_HIGH,
  HALF_PI_LOW,
  logarithmOf,
  reduceOnce,
  timesHalves,
} from './x87-first-phase.ts';
import { OPERAND, RESULT } from './x87-function-body.ts';

const STEPS = 1 << STEP_BITS;

/** The step nearest to a double, and what is left of the pair. */
const split = (e: PairBody, value: Pair): { readonly k: Local; readonly at: Local; readonly rest: Pair } => {
  const steps = e.nearestInteger(e.times(value.high, e.double(STEPS)));
  const at = e.times(steps.value, e.double(1 / STEPS));
  return { k: steps.integer, at, rest: e.normalized(e.minus(value.high, at), value.low) };
};
/** x times the series in its square. */
const oddSeries = (e: PairBody, table: (typeof tables)['sine'], precise: number, x: Pair): Pair =>
  e.multiplyPairs(e.series(table, precise, e.multiplyPairs(x, x)), x);
const finish = (e: PairBody, value: Pair, sign: Local): void => {
  e.storeC1(e.storeRounded(value, sign, RESULT));
  e.accept();
};

// ---- trigonometric functions --------------------------------------------------------------------------------------------

/** Products with the multiple, and their sums with the operand, are exact up to here. */
const MOST_ANGLE = 15;

/** |a| less the multiple of pi/2 nearest to it: its magnitude; 1 where it is negative; the multiple modulo 4. */
interface Angle {
  readonly magnitude: Pair;
  readonly negative: Local;
  readonly quadrant: Local;
}
const reduce = (e: PairBody, a: Operand): Angle => {
  const n = e.floor(e.plus(e.times(a.high, e.double(2 / Math.PI)), e.double(0.5)));
  const angle = { high: e.temporary(F64), low: e.temporary(F64) };
  const negative = e.let(e.const(0));
  const zero = e.double(0);
  /** |a| less n * pi/2, exactly, by its magnitude and sign. */
  const lessen = (): void => {
    const high = e.minus(a.high, e.times(n, e.double(HALF_PI_HIGH)));
    const low = e.minus(a.low, e.times(n, e.double(HALF_PI_LOW)));
    const exact = e.normalized(high, low);
    e.set(negative, e.less(exact.high, zero));
    const { high: h, low: l } = e.choosePair(negative, e.negatedPair(exact), exact);
    e.set(angle.high, e.get(h));
    e.set(angle.low, e.get(l));
  };
  /** The sign of the magnitude less pi/4. */
  const beyondQuarter = (): Local =>
    e.plus(e.minus(angle.high, e.double(HALF_PI_HIGH / 2)), e.minus(angle.low, e.double(HALF_PI_LOW / 2)));
  lessen();
  const first = beyondQuarter();
  e.if(e.less(zero, first), () => {
    const next = e.choose(negative, e.minus(n, e.double(1)), e.plus(n, e.double(1)));
    e.set(n, e.get(next));
    lessen();
  });
  e.refuseIf(e.equal(angle.high, zero));
  const second = beyondQuarter();
  e.refuseUnless(e.less(second, zero));
  return { magnitude: angle, negative, quadrant: e.let(e.and(e.get(e.integer(n)), e.const(3))) };
};

/** The sine (`cosine` 0) or cosine (1) of a reduced angle, as many as are asked for. */
const sineOrCosine = (e: PairBody, angle: Pair, ...which: readonly Local[]): Pair[] => {
  const { k, rest } = split(e, angle);
  const square = e.multiplyPairs(rest, rest);
  const sine = e.multiplyPairs(e.series(tables.sine, 2, square), rest);
  const cosine = e.series(tables.cosine, 2, square);
  const atSine = e.entry(tables.sines, k);
  const atCosine = e.entry(tables.cosines, k);
  const opposite = e.negatedPair(atSine);
  return which.map((isCosine) =>
    e.addPairs(
      e.multiplyPairs(e.choosePair(isCosine, atCosine, atSine), cosine),
      e.multiplyPairs(e.choosePair(isCosine, opposite, atCosine), sine),
    ),
  );
};
/** 8000h for a bit that is set. */
const asSign = (e: PairBody, bit: Local): Local => e.let(e.shl(e.get(bit), e.const(15)));

/** Where a reduced angle's sine and cosine are found, and their signs. */
interface Place {
  /** 1: sine and cosine change places. */
  readonly odd: Local;
  readonly even: Local;
  readonly sineSign: Local;
  readonly cosineSign: Local;
}
const placeOf = (e: PairBody, a: Operand, negative: Local, quadrant: Local): Place => {
  const odd = e.let(e.and(e.get(quadrant), e.const(1)));
  const even = e.let(e.eqz(e.get(odd)));
  const half = e.let(e.and(e.shrU(e.get(quadrant), e.const(1)), e.const(1)));
  const sine = e.let(e.xor(e.get(half), e.and(e.get(negative), e.get(even))));
  const cosine = e.let(e.xor(e.get(half), e.and(e.eqz(e.get(negative)), e.get(odd))));
  const sineSign = e.let(e.xor(e.get(asSign(e, sine)), e.get(a.sign)));
  return { odd, even, sineSign, cosineSign: asSign(e, cosine) };
};
/** The values of sine and cosine, as many as are asked for by 0 and 1. */
type Values = (...which: readonly Local[]) => Pair[];
/** (a): `answer` with what the first phase finds of an angle, and if that does not do with what the second does. */
const ofAngle = (e: PairBody, answer: (place: Place, values: Values) => void): void => {
  e.requireOrdinary();
  const a = e.operand(0, LEAST, MOST_ANGLE);
  e.attempt(() => {
    const reduced = reduceOnce(e, a);
    const place = placeOf(e, a, reduced.negative, reduced.multiple);
    answer(place, (...which) => which.map((cosine) => circle(e, reduced, cosine)));
  });
  const { magnitude, negative, quadrant } = reduce(e, a);
  answer(placeOf(e, a, negative, quadrant), (...which) => sineOrCosine(e, magnitude, ...which));
};

/** (a): the sine; the cosine. */
export const sine = (e: PairBody): void =>
  ofAngle(e, ({ odd, sineSign }, values) => finish(e, values(odd)[0]!, sineSign));
export const cosine = (e: PairBody): void =>
  ofAngle(e, ({ even, cosineSign }, values) => finish(e, values(even)[0]!, cosineSign));
/** (a): the sine as RESULT, the cosine as OPERAND. C1 speaks of the sine. */
export const sineAndCosine = (e: PairBody): void =>
  ofAngle(e, ({ odd, even, sineSign, cosineSign }, values) => {
    const [first, second] = values(odd, even);
    e.storeRounded(second!, cosineSign, OPERAND);
    finish(e, first!, sineSign);
  });
/** (a): the tangent. */
export const tangent = (e: PairBody): void => {
  e.requireOrdinary();
  const a = e.operand(0, LEAST, MOST_ANGLE);
  const angle = reduce(e, a);
  const odd = e.let(e.and(e.get(angle.quadrant), e.const(1)));
  const even = e.let(e.eqz(e.get(odd)));
  const [over, under] = sineOrCosine(e, angle.magnitude, odd, even);
  const negative = e.let(e.xor(e.get(angle.negative), e.get(odd)));
  const sign = e.let(e.xor(e.get(asSign(e, negative)), e.get(a.sign)));
  finish(e, e.dividePairs(over!, under!), sign);
};

/** (y, x): the angle of the point (x, y). */
export const arctangent = (e: PairBody): void => {
  e.requireOrdinary();
  const a = e.operand(0, LEAST / 2, MOST / 2);
  const b = e.operand(1, LEAST / 2, MOST / 2);
  const sameHigh = e.let(e.equal(a.high, b.high));
  const flat = e.let(e.or(e.less(a.high, b.high), e.and(e.get(sameHigh), e.less(a.low, b.low))));
  const over = e.choosePair(flat, a, b);
  const under = e.choosePair(flat, b, a);
  const left = e.isNegative(b);
  /** The arc from the axis: it or pi less it, or half of pi and it one way or the other. */
  const answer = (arc: Pair): void => {
    const pi = (part: number): Pair => e.pair(highOf(PI) * part, lowOf(PI) * part);
    const turn = e.choosePair(flat, e.choosePair(left, pi(1), pi(0)), pi(0.5));
    const forward = e.let(e.xor(e.get(flat), e.get(left)));
    finish(e, e.addPairs(turn, e.choosePair(forward, arc, e.negatedPair(arc))), a.sign);
  };
  e.attempt(() => answer(arctangentOf(e, over, under)));
  e.refuseIf(e.and(e.get(sameHigh), e.equal(a.low, b.low)));
  const quotient = e.dividePairs(e.normalized(over.high, over.low), e.normalized(under.high, under.low));
  const { k, at, rest } = split(e, quotient);
  const product = e.multiplyPairs(quotient, { high: at, low: e.double(0) });
  const u = e.dividePairs(rest, e.addPairs(e.pair(1), product));
  answer(e.addPairs(e.entry(tables.arctangents, k), oddSeries(e, tables.arctangent, 3, u)));
};

// ---- exponential and logarithms -----------------------------------------------------------------------------------------

/** (a): 2^a - 1 for |a| below 1. */
export const exponential = (e: PairBody): void => {
  e.requireOrdinary();
  const a = e.operand(0, LEAST, -1);
  const answer = (value: Pair): void => finish(e, e.choosePair(a.sign, e.negatedPair(value), value), a.sign);
  e.attempt(() => answer(exponentialOf(e, a)));
  const { k, rest } = split(e, e.signed80(a));
  const less = e.multiplyPairs(e.series(tables.exponential, 4, rest), rest);
  const scaled = e.multiplyPairs(less, e.entry(tables.powers, k, -STEPS));
  answer(e.addPairs(e.entry(tables.powersLessOne, k, -STEPS), scaled));
};

/** The product of b and a logarithm, signed. */
const timesOperand = (
  e: PairBody,
  b: Operand,
  logarithm: Pair,
  multiply: (magnitude: Pair) => Pair = (magnitude) => e.multiplyPairs(magnitude, e.normalized(b.high, b.low)),
): void => {
  const negative = e.let(e.less(logarithm.high, e.double(0)));
  const product = multiply(e.choosePair(negative, e.negatedPair(logarithm), logarithm));
  finish(e, product, e.let(e.xor(e.get(b.sign), e.get(asSign(e, negative)))));
};
/** b * log2(m * 2^n), m from 1 to 2. */
const timesLogarithm = (e: PairBody, b: Operand, m: Pair, n: Local): void => {
  const { k, at, rest } = split(e, { high: e.minus(m.high, e.double(1)), low: m.low });
  const sum = e.addPairs(m, { high: e.plus(at, e.double(1)), low: e.double(0) });
  const ratio = oddSeries(e, tables.logarithm, 2, e.dividePairs(rest, sum));
  const whole = e.addPairs(e.entry(tables.logarithms, k), { high: n, low: e.double(0) });
  timesOperand(e, b, e.addPairs(whole, ratio));
};
/** (y, x): y * log2(x). */
export const logarithm = (e: PairBody): void => {
  e.requireOrdinary();
  const b = e.operand(0, LEAST, MOST);
  const a = e.operand(1, 1 - BIAS, BIAS, false);
  e.refuseIf(e.get(a.sign));
  const n = e.fromInteger(a.exponent);
  e.attempt(() => timesOperand(e, b, logarithmOf(e, a, n), (magnitude) => timesHalves(e, magnitude, b)));
  const m = e.normalized(a.high, a.low);
  // Of a power of two the logarithm is exact.
  e.refuseIf(e.and(e.equal(m.high, e.double(1)), e.equal(m.low, e.double(0))));
  timesLogarithm(e, b, m, n);
};
/** (y, x): y * log2(x + 1) where the manual defines it, and a little more: |x| below 1/2. */
export const logarithmPlusOne = (e: PairBody): void => {
  e.requireOrdinary();
  const b = e.operand(0, LEAST / 2, MOST);
  const a = e.operand(1, LEAST / 2, -2);
  const x = e.signed80(a);
  e.if(e.ltS(e.get(a.exponent), e.const(-1 - STEP_BITS)), () => {
    // By u = x / (2 + x), which keeps the bits of a small x.
    timesOperand(e, b, oddSeries(e, tables.logarithm, 2, e.dividePairs(x, e.addPairs(e.pair(2), x))));
  });
  const sum = e.addPairs(e.pair(1), x);
  const below = e.let(e.less(sum.high, e.double(1)));
  const twice = { high: e.plus(sum.high, sum.high), low: e.plus(sum.low, sum.low) };
  timesLogarithm(e, b, e.choosePair(below, twice, sum), e.choose(below, e.double(-1), e.double(0)));
};
