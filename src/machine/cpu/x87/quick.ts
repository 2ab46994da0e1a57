// The transcendental functions in pairs of doubles, rounded to nearest: where the 80-bit result does not depend on bits that a pair lacks,
// which is nearly always. The same tables and polynomials as fixed.ts, which decides the other cases. Not the instructions and not the
// special operands (transcendental.ts). Errors of a result are below 2^-82 of it.

import { StateLayout, type CpuState } from '../state.ts';
import * as dd from './double-double.ts';
import { sumError } from '../rounding-error.ts';
import type { Pair, Series } from './double-double.ts';
import { BITS, ONE, PI, STEP_BITS, tables } from './fixed-tables.ts';
import { BIAS, Exception } from './float80.ts';
import * as unit from './unit.ts';

const STEPS = 1 << STEP_BITS;
/** Powers of two that operands and results have here; exponents of doubles have room to spare. */
const LEAST = -100;
const MOST = 100;
const POWERS_FROM = -400;
const POWERS = new Float64Array(1 - 2 * POWERS_FROM);
POWERS[-POWERS_FROM] = 1;
for (let n = 1; n <= -POWERS_FROM; n++) {
  POWERS[n - POWERS_FROM] = POWERS[n - 1 - POWERS_FROM]! * 2;
  POWERS[-n - POWERS_FROM] = POWERS[1 - n - POWERS_FROM]! / 2;
}
const power = (n: number): number => POWERS[n - POWERS_FROM]!;

// ---- tables -------------------------------------------------------------------------------------------------------------

/** A table's high and low halves. */
interface Values {
  readonly high: Float64Array;
  readonly low: Float64Array;
}
const highOf = (value: bigint): number => Number(value) * power(-BITS);
const lowOf = (value: bigint): number => highOf(value - BigInt(Number(value)));
const valuesOf = (values: readonly bigint[]): Values => ({
  high: Float64Array.from(values, highOf),
  low: Float64Array.from(values, lowOf),
});
const seriesOf = (values: readonly bigint[], precise: number): Series => ({ ...valuesOf(values), precise });
const build = () => {
  const of = tables();
  return {
    sine: seriesOf(of.sine, 2),
    cosine: seriesOf(of.cosine, 2),
    arctangent: seriesOf(of.arctangent, 3),
    logarithm: seriesOf(of.logarithm, 2),
    exponential: seriesOf(of.exponential, 4),
    sines: valuesOf(of.sines),
    cosines: valuesOf(of.cosines),
    arctangents: valuesOf(of.arctangents),
    logarithms: valuesOf(of.logarithms),
    powers: valuesOf(of.powers),
    powersLessOne: valuesOf(of.powers.map((value) => value - ONE)),
  };
};
let made: ReturnType<typeof build> | undefined;
const pairs = (): ReturnType<typeof build> => (made ??= build());

// ---- operands and results -----------------------------------------------------------------------------------------------

/** The operand's magnitude, its upper and lower 32 bits: exact, the halves not normalized. */
interface Operand {
  sign: number;
  /** Power of two of the leading bit. */
  exponent: number;
  high: number;
  low: number;
}
const operand = (): Operand => ({ sign: 0, exponent: 0, high: 0, low: 0 });
const a = operand();
const b = operand();
/** A normal number with an exponent from `least` to `most`? Its significand counts as from 1 to 2 if not `scaled`. */
const reads = (s: CpuState, i: number, to: Operand, least: number, most: number, scaled = true): boolean => {
  const at = unit.slot(s, i);
  const top = s.view.getUint16(at + 8, true);
  const exponent = (top & 0x7fff) - BIAS;
  const upper = s.view.getUint32(at + 4, true);
  if (upper < 0x80000000 || exponent < least || exponent > most) return false;
  const scale = scaled ? exponent : 0;
  to.sign = top >> 15;
  to.exponent = exponent;
  to.high = upper * power(scale - 31);
  to.low = s.view.getUint32(at, true) * power(scale - 63);
  return true;
};
const isNearest = (s: CpuState): boolean => (s.get(StateLayout.fpuControl) & unit.Control.RC) === 0;

/** A rounded magnitude. */
interface Result {
  upper: number;
  lower: number;
  exponent: number;
  up: boolean;
}
const result = (): Result => ({ upper: 0, lower: 0, exponent: 0, up: false });
const first = result();
const second = result();
const bits = new DataView(new ArrayBuffer(8));
/** In units of the last bit: what the error of a pair cannot reach, many times over. */
const DOUBT = power(-14);
/** Rounds a positive pair to nearest. False where it is too near an exact value or the middle of two, or not an ordinary number. */
const rounds = (value: Pair, to: Result): boolean => {
  bits.setFloat64(0, value[0]!, true);
  const top = bits.getUint32(4, true);
  const bottom = bits.getUint32(0, true);
  const exponent = (top >>> 20) - 1023;
  if (exponent < 2 * LEAST || exponent > 2 * MOST) return false;
  // Just below a power of two the units are half of those of high.
  if ((top & 0xfffff) === 0 && bottom === 0 && value[1]! < 0) return false;
  const low = value[1]! * power(63 - exponent);
  const whole = Math.floor(low);
  const part = low - whole;
  if (!(part > DOUBT && part < 1 - DOUBT && Math.abs(part - 0.5) > DOUBT)) return false;
  to.up = part > 0.5;
  to.exponent = exponent + BIAS;
  to.upper = ((((top & 0xfffff) | 0x100000) << 11) | (bottom >>> 21)) >>> 0;
  to.lower = ((bottom << 11) >>> 0) + whole + (to.up ? 1 : 0);
  if (to.lower < 0) {
    to.lower += 0x1_0000_0000;
    to.upper--;
  } else if (to.lower >= 0x1_0000_0000) {
    to.lower -= 0x1_0000_0000;
    to.upper++;
  }
  return to.upper <= 0xffffffff;
};
const write = (s: CpuState, i: number, sign: number, from: Result): void => {
  const at = unit.slot(s, i);
  s.view.setUint32(at, from.lower, true);
  s.view.setUint32(at + 4, from.upper, true);
  s.view.setUint16(at + 8, (sign << 15) | from.exponent, true);
};
/** Writes ST(i), which is not empty, with the flags of an inexact result. */
const deliver = (s: CpuState, i: number, sign: number, from: Result): true => {
  unit.signal(s, Exception.PE);
  unit.setC1(s, from.up);
  write(s, i, sign, from);
  return true;
};

// ---- trigonometric functions --------------------------------------------------------------------------------------------

/** Half of the number pi cut to 66 bits: 33 bits and 33 bits. */
const HALF_PI_BITS = PI >> BigInt(BITS - 64);
const HALF_PI_HIGH = Number(HALF_PI_BITS >> 33n) * power(33 - 65);
const HALF_PI_LOW = Number(HALF_PI_BITS & ((1n << 33n) - 1n)) * power(-65);
/** Products with the multiple, and their sums with the operand, are exact up to here. */
const MOST_ANGLE = 15;

const angle = dd.pair();
/** |a| less n * pi/2, exactly. */
const lessen = (n: number): void => {
  const high = a.high - n * HALF_PI_HIGH;
  const low = a.low - n * HALF_PI_LOW;
  angle[0] = high + low;
  angle[1] = sumError(high, low, angle[0]);
};
/** The sign of |angle| - pi/4. */
const beyondQuarter = (): number => {
  const sign = angle[0]! < 0 ? -1 : 1;
  const high = sign * angle[0]! - HALF_PI_HIGH / 2;
  return high + (sign * angle[1]! - HALF_PI_LOW / 2);
};
/** Reduces |a|: the angle's magnitude into `angle`. Its sign in bit 2 of the answer, the quadrant in bits 1:0; -1: not here. */
const reduce = (): number => {
  let n = Math.floor(a.high / (HALF_PI_HIGH + HALF_PI_LOW) + 0.5);
  lessen(n);
  if (beyondQuarter() > 0) {
    n += angle[0]! < 0 ? -1 : 1;
    lessen(n);
  }
  if (angle[0] === 0 || beyondQuarter() >= 0) return -1;
  const negative = angle[0]! < 0;
  if (negative) {
    angle[0] = -angle[0]!;
    angle[1] = -angle[1]!;
  }
  return (n & 3) | (negative ? 4 : 0);
};

const sine = dd.pair();
const cosine = dd.pair();
const rest = dd.pair();
const square = dd.pair();
const x = dd.pair();
const y = dd.pair();
/** Sine and cosine of the angle. */
const computeBoth = (): void => {
  const of = pairs();
  const k = Math.round(angle[0]! * STEPS);
  dd.add(angle[0]! - k / STEPS, 0, angle[1]!, 0, rest);
  dd.multiply(rest[0]!, rest[1]!, rest[0]!, rest[1]!, square);
  dd.evaluate(of.sine, square[0]!, square[1]!, x);
  dd.multiply(x[0]!, x[1]!, rest[0]!, rest[1]!, sine);
  dd.evaluate(of.cosine, square[0]!, square[1]!, cosine);
  if (k === 0) return;
  const [sh, sl, ch, cl] = [sine[0]!, sine[1]!, cosine[0]!, cosine[1]!];
  const { high: sines, low: sinesLow } = of.sines;
  const { high: cosines, low: cosinesLow } = of.cosines;
  dd.multiply(sines[k]!, sinesLow[k]!, ch, cl, x);
  dd.multiply(cosines[k]!, cosinesLow[k]!, sh, sl, y);
  dd.add(x[0]!, x[1]!, y[0]!, y[1]!, sine);
  dd.multiply(cosines[k]!, cosinesLow[k]!, ch, cl, x);
  dd.multiply(sines[k]!, sinesLow[k]!, sh, sl, y);
  dd.add(x[0]!, x[1]!, -y[0]!, -y[1]!, cosine);
};
/** Reduces ST(0) and computes; as `reduce` answers. */
const both = (s: CpuState): number => {
  if (!isNearest(s) || unit.isEmpty(s, 0) || !reads(s, 0, a, LEAST, MOST_ANGLE)) return -1;
  const place = reduce();
  if (place >= 0) computeBoth();
  return place;
};
/** Sine's and cosine's signs in a quadrant, from the angle's. */
const sineSign = (place: number): number => a.sign ^ ((place >> 1) & 1) ^ (place & 1 ? 0 : place >> 2);
const cosineSign = (place: number): number => (place & 1 ? 1 ^ (place >> 2) : 0) ^ ((place >> 1) & 1);

/** FSIN, FCOS. Each of these functions executes its instruction, but for the pointers, or answers false and has done nothing. */
export const fsin = (s: CpuState): boolean => {
  const place = both(s);
  if (place < 0 || !rounds(place & 1 ? cosine : sine, first)) return false;
  unit.setConditions(s, unit.Status.C2, 0);
  return deliver(s, 0, sineSign(place), first);
};
export const fcos = (s: CpuState): boolean => {
  const place = both(s);
  if (place < 0 || !rounds(place & 1 ? sine : cosine, first)) return false;
  unit.setConditions(s, unit.Status.C2, 0);
  return deliver(s, 0, cosineSign(place), first);
};
/** Replaces ST(0) by `first` and pushes what `second` holds. */
const deliverBoth = (s: CpuState, firstSign: number, secondSign: number): true => {
  unit.setConditions(s, unit.Status.C2, 0);
  deliver(s, 0, firstSign, first);
  unit.makeRoom(s);
  write(s, 0, secondSign, second);
  return true;
};
export const fsincos = (s: CpuState): boolean => {
  const place = both(s);
  if (place < 0 || !unit.isEmpty(s, 7)) return false;
  const odd = place & 1;
  if (!rounds(odd ? cosine : sine, first) || !rounds(odd ? sine : cosine, second)) return false;
  return deliverBoth(s, sineSign(place), cosineSign(place));
};
export const fptan = (s: CpuState): boolean => {
  const place = both(s);
  if (place < 0 || !unit.isEmpty(s, 7)) return false;
  if (place & 1) dd.divide(cosine[0]!, cosine[1]!, sine[0]!, sine[1]!, x);
  else dd.divide(sine[0]!, sine[1]!, cosine[0]!, cosine[1]!, x);
  if (!rounds(x, first)) return false;
  [second.upper, second.lower, second.exponent] = [0x80000000, 0, BIAS];
  return deliverBoth(s, a.sign ^ (place >> 2) ^ (place & 1), 0);
};

const quotient = dd.pair();
export const fpatan = (s: CpuState): boolean => {
  if (!isNearest(s) || unit.isEmpty(s, 0) || unit.isEmpty(s, 1)) return false;
  // a is the ordinate.
  if (!reads(s, 1, a, LEAST / 2, MOST / 2) || !reads(s, 0, b, LEAST / 2, MOST / 2)) return false;
  dd.add(a.high, 0, a.low, 0, x);
  dd.add(b.high, 0, b.low, 0, y);
  const flat = x[0]! < y[0]! || (x[0] === y[0] && x[1]! < y[1]!);
  if (!flat && x[0] === y[0] && x[1] === y[1]) return false;
  if (flat) dd.divide(x[0]!, x[1]!, y[0]!, y[1]!, quotient);
  else dd.divide(y[0]!, y[1]!, x[0]!, x[1]!, quotient);
  const of = pairs();
  const k = Math.round(quotient[0]! * STEPS);
  const at = k / STEPS;
  dd.add(quotient[0]! - at, 0, quotient[1]!, 0, rest);
  if (k > 0) {
    dd.multiply(quotient[0]!, quotient[1]!, at, 0, y);
    dd.add(1, 0, y[0]!, y[1]!, x);
    dd.divide(rest[0]!, rest[1]!, x[0]!, x[1]!, rest);
  }
  dd.multiply(rest[0]!, rest[1]!, rest[0]!, rest[1]!, square);
  dd.evaluate(of.arctangent, square[0]!, square[1]!, x);
  dd.multiply(x[0]!, x[1]!, rest[0]!, rest[1]!, x);
  if (k > 0) dd.add(of.arctangents.high[k]!, of.arctangents.low[k]!, x[0]!, x[1]!, x);
  if (!flat || b.sign) {
    // The arc from the axis: pi less it, or half of pi and it one way or the other.
    const turn = flat ? 1 : 0.5;
    const direction = flat || !b.sign ? -1 : 1;
    dd.add(PI_HIGH * turn, PI_LOW * turn, direction * x[0]!, direction * x[1]!, x);
  }
  if (!rounds(x, first)) return false;
  deliver(s, 1, a.sign, first);
  unit.pop(s);
  return true;
};
const PI_HIGH = highOf(PI);
const PI_LOW = lowOf(PI);

// ---- exponential and logarithms -----------------------------------------------------------------------------------------

export const f2xm1 = (s: CpuState): boolean => {
  if (!isNearest(s) || unit.isEmpty(s, 0) || !reads(s, 0, a, LEAST, -1)) return false;
  const sign = a.sign ? -1 : 1;
  dd.add(sign * a.high, 0, sign * a.low, 0, x);
  const of = pairs();
  const k = Math.round(x[0]! * STEPS);
  dd.add(x[0]! - k / STEPS, 0, x[1]!, 0, rest);
  dd.evaluate(of.exponential, rest[0]!, rest[1]!, x);
  dd.multiply(x[0]!, x[1]!, rest[0]!, rest[1]!, x);
  if (k !== 0) {
    const { powers, powersLessOne } = of;
    dd.multiply(x[0]!, x[1]!, powers.high[k + STEPS]!, powers.low[k + STEPS]!, x);
    dd.add(powersLessOne.high[k + STEPS]!, powersLessOne.low[k + STEPS]!, x[0]!, x[1]!, x);
  }
  if (a.sign) [x[0], x[1]] = [-x[0]!, -x[1]!];
  return rounds(x, first) && deliver(s, 0, a.sign, first);
};

/** |y * log2(m * 2^n)| and its sign into ST(1); y is b, m a pair from 1 to 2 in `x`. */
const timesLogarithm = (s: CpuState, n: number): boolean => {
  const of = pairs();
  const k = Math.round((x[0]! - 1) * STEPS);
  const at = 1 + k / STEPS;
  dd.add(x[0]! - at, 0, x[1]!, 0, rest);
  dd.add(x[0]!, x[1]!, at, 0, y);
  dd.divide(rest[0]!, rest[1]!, y[0]!, y[1]!, rest);
  dd.multiply(rest[0]!, rest[1]!, rest[0]!, rest[1]!, square);
  dd.evaluate(of.logarithm, square[0]!, square[1]!, x);
  dd.multiply(x[0]!, x[1]!, rest[0]!, rest[1]!, x);
  dd.add(of.logarithms.high[k]!, of.logarithms.low[k]!, n, 0, y);
  dd.add(y[0]!, y[1]!, x[0]!, x[1]!, x);
  return timesOperand(s);
};
/** The product of b and `x`, signed, into ST(1), which is popped to. */
const timesOperand = (s: CpuState): boolean => {
  const negative = x[0]! < 0;
  const sign = negative ? -1 : 1;
  dd.add(b.high, 0, b.low, 0, y);
  dd.multiply(sign * x[0]!, sign * x[1]!, y[0]!, y[1]!, x);
  if (!rounds(x, first)) return false;
  deliver(s, 1, b.sign ^ (negative ? 1 : 0), first);
  unit.pop(s);
  return true;
};
export const fyl2x = (s: CpuState): boolean => {
  if (!isNearest(s) || unit.isEmpty(s, 0) || unit.isEmpty(s, 1)) return false;
  if (!reads(s, 1, b, LEAST, MOST) || !reads(s, 0, a, 1 - BIAS, BIAS, false) || a.sign) return false;
  dd.add(a.high, 0, a.low, 0, x);
  // Of a power of two the logarithm is exact.
  return (x[0] !== 1 || x[1] !== 0) && timesLogarithm(s, a.exponent);
};
/** Where the manual defines it, and a little more: |x| below 1/2. */
export const fyl2xp1 = (s: CpuState): boolean => {
  if (!isNearest(s) || unit.isEmpty(s, 0) || unit.isEmpty(s, 1)) return false;
  if (!reads(s, 1, b, LEAST / 2, MOST) || !reads(s, 0, a, LEAST / 2, -2)) return false;
  const sign = a.sign ? -1 : 1;
  dd.add(sign * a.high, 0, sign * a.low, 0, rest);
  if (a.exponent < -1 - STEP_BITS) {
    // By u = x / (2 + x), which keeps the bits of a small x.
    dd.add(2, 0, rest[0]!, rest[1]!, y);
    dd.divide(rest[0]!, rest[1]!, y[0]!, y[1]!, rest);
    dd.multiply(rest[0]!, rest[1]!, rest[0]!, rest[1]!, square);
    dd.evaluate(pairs().logarithm, square[0]!, square[1]!, x);
    dd.multiply(x[0]!, x[1]!, rest[0]!, rest[1]!, x);
    return timesOperand(s);
  }
  dd.add(1, 0, rest[0]!, rest[1]!, x);
  if (x[0]! >= 1) return timesLogarithm(s, 0);
  [x[0], x[1]] = [2 * x[0]!, 2 * x[1]!];
  return timesLogarithm(s, -1);
};
