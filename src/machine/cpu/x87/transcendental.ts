// FSIN, FCOS, FSINCOS, FPTAN, FPATAN, F2XM1, FYL2X, FYL2XP1: the functions rounded once, so within 1 ulp of every processor that
// keeps the architecture's bound (docs/floating-point.md). Special operands as in SDM vol. 2; SDM vol. 1, 8.3.7 to 8.3.10.
// Ordinary operands are those of isa/x87-transcendentals.ts: to the same results.

import type { Helper } from '../cpu.ts';
import type { CpuState } from '../state.ts';
import { deliver, INVALID, specialOperand, specialOperands } from './arithmetic.ts';
import * as fixed from './fixed.ts';
import {
  bitLength,
  BIAS,
  compareNumbers,
  type Environment,
  Exception,
  f80,
  type Float80,
  INDEFINITE,
  infinity,
  isDenormal,
  isInfinity,
  isZero,
  round,
  type Rounded,
  scaleOf,
  zero,
} from './float80.ts';
import { providePairTables } from './pair-tables.ts';
import * as unit from './unit.ts';

const ONE = f80(0, BIAS, 1n << 63n);
const exact = (value: Float80, flags = 0): Rounded => ({ value, flags, up: false });
const denormalFlag = (...operands: readonly Float80[]): number => (operands.some(isDenormal) ? Exception.DE : 0);
const flagged = (result: Rounded, flags: number): Rounded =>
  flags ? { ...result, flags: result.flags | flags } : result;
/** A positive irrational value, cut off somewhere below: magnitude * 2^scale. */
interface Real {
  readonly magnitude: bigint;
  readonly scale: number;
}
const fixedReal = (value: bigint): Real => ({ magnitude: value < 0n ? -value : value, scale: -fixed.BITS });
const roundReal = (sign: number, { magnitude, scale }: Real, env: Environment): Rounded =>
  round(sign, magnitude, scale, true, env);
/** factor * ratio, the ratio in units of 2^-BITS: what keeps the bits of a small factor. */
const scaled = (factor: bigint, scale: number, ratio: bigint): Real => ({
  magnitude: factor * ratio,
  scale: scale - fixed.BITS,
});
/** magnitude * 2^scale in units of 2^-BITS; below that unit, zero. */
const inUnits = (magnitude: bigint, scale: number): bigint => {
  const shift = scale + fixed.BITS;
  return shift >= 0 ? magnitude << BigInt(shift) : magnitude >> BigInt(-shift);
};
const toFixed = (a: Float80): bigint => inUnits(a.significand, scaleOf(a));
/** Power of two of the leading bit. */
const exponentOf = (a: Float80): number => scaleOf(a) + bitLength(a.significand) - 1;

/** The tables of the emitted functions are there from the first of these instructions on. */
const computing = (body: Helper): Helper =>
  unit.computing((cpu, op) => {
    providePairTables(cpu.s.view);
    return body(cpu, op);
  });

// ---- trigonometric functions --------------------------------------------------------------------------------------------

/** From 2^63 on FSIN, FCOS, FSINCOS and FPTAN do nothing but set C2. */
const TOO_LARGE = 63;
/** Below this power of two the polynomials need no table, and no multiple of pi is taken away. */
const isSmall = (a: Float80): boolean => exponentOf(a) < -fixed.SMALL;
/** Units of the reduced argument: all bits of an operand that is not small, and of the multiple of pi/2. */
const REDUCED_BITS = 80;
const REDUCED_SMALL = 1n << BigInt(REDUCED_BITS - fixed.SMALL);
/** Arguments are reduced with 66 bits of pi (SDM vol. 1, 8.3.8): large ones give what the processors give, not the sine. */
const HALF_PI = (fixed.PI >> BigInt(fixed.BITS - 64)) << BigInt(REDUCED_BITS - 65);

/** |a| less the multiple of pi/2 nearest to it, which is `quadrant` modulo 4: magnitude * 2^scale and its sign; the same in units of 2^-BITS. */
interface Angle extends Real {
  readonly sign: number;
  readonly quadrant: number;
  readonly small: boolean;
  readonly units: bigint;
}
const reduce = (a: Float80): Angle => {
  const scale = scaleOf(a);
  if (isSmall(a))
    return { magnitude: a.significand, scale, sign: 0, quadrant: 0, small: true, units: inUnits(a.significand, scale) };
  const value = a.significand << BigInt(scale + REDUCED_BITS);
  const quotient = (2n * value + HALF_PI) / (2n * HALF_PI);
  const rest = value - quotient * HALF_PI;
  const magnitude = rest < 0n ? -rest : rest;
  return {
    magnitude,
    scale: -REDUCED_BITS,
    sign: rest < 0n ? 1 : 0,
    quadrant: Number(quotient & 3n),
    small: magnitude < REDUCED_SMALL,
    units: magnitude << BigInt(fixed.BITS - REDUCED_BITS),
  };
};

/** Sine and cosine of a reduced angle's magnitude. */
const sinePart = (angle: Angle): Real =>
  angle.small
    ? scaled(angle.magnitude, angle.scale, fixed.sineRatio(angle.units))
    : fixedReal(fixed.sineAndCosine(angle.units).sine);
const cosinePart = (angle: Angle): Real =>
  fixedReal(angle.small ? fixed.smallCosine(angle.units) : fixed.sineAndCosine(angle.units).cosine);
/** The two that a quadrant makes of them. `sign`: the operand's. */
const sineIn = (angle: Angle, sign: number, sine: Real, cosine: Real, env: Environment): Rounded =>
  angle.quadrant & 1
    ? roundReal(sign ^ (angle.quadrant >> 1), cosine, env)
    : roundReal(sign ^ angle.sign ^ (angle.quadrant >> 1), sine, env);
const cosineIn = (angle: Angle, sine: Real, cosine: Real, env: Environment): Rounded =>
  angle.quadrant & 1
    ? roundReal(1 ^ angle.sign ^ (angle.quadrant >> 1), sine, env)
    : roundReal(angle.quadrant >> 1, cosine, env);
const NOTHING: Real = { magnitude: 0n, scale: 0 };

const sineOf = (a: Float80, env: Environment): Rounded => {
  if (isZero(a)) return exact(a);
  const angle = reduce(a);
  return angle.quadrant & 1
    ? sineIn(angle, a.sign, NOTHING, cosinePart(angle), env)
    : sineIn(angle, a.sign, sinePart(angle), NOTHING, env);
};
const cosineOf = (a: Float80, env: Environment): Rounded => {
  if (isZero(a)) return exact(ONE);
  const angle = reduce(a);
  return angle.quadrant & 1
    ? cosineIn(angle, sinePart(angle), NOTHING, env)
    : cosineIn(angle, NOTHING, cosinePart(angle), env);
};
const bothOf = (a: Float80, env: Environment): Pair => {
  if (isZero(a)) return [exact(a), exact(ONE)];
  const angle = reduce(a);
  let sine: Real;
  let cosine: Real;
  if (angle.small) {
    sine = sinePart(angle);
    cosine = cosinePart(angle);
  } else {
    const values = fixed.sineAndCosine(angle.units);
    sine = fixedReal(values.sine);
    cosine = fixedReal(values.cosine);
  }
  return [sineIn(angle, a.sign, sine, cosine, env), cosineIn(angle, sine, cosine, env)];
};
const tangentOf = (a: Float80, env: Environment): Pair => {
  if (isZero(a)) return [exact(a), exact(ONE)];
  const angle = reduce(a);
  const inverted = (angle.quadrant & 1) === 1;
  let tangent: Real;
  if (angle.small) {
    tangent = scaled(angle.magnitude, angle.scale, fixed.tangentRatio(angle.units));
    if (inverted) {
      const room = bitLength(tangent.magnitude) + fixed.BITS;
      tangent = { magnitude: (1n << BigInt(room)) / tangent.magnitude, scale: -tangent.scale - room };
    }
  } else {
    const { sine, cosine } = fixed.sineAndCosine(angle.units);
    const [over, under] = inverted ? [cosine, sine] : [sine, cosine];
    tangent = fixedReal((over << BigInt(fixed.BITS)) / under);
  }
  return [roundReal(a.sign ^ angle.sign ^ Number(inverted), tangent, env), exact(ONE)];
};

/** What replaces ST(0), and what is pushed. */
type Pair = readonly [Rounded, Rounded];
/** Operand checks of the four instructions. Undefined: nothing more to do. */
const trigonometricOperand = (s: CpuState): Float80 | undefined => {
  const a = unit.readSt(s, 0);
  const tooLarge = !isZero(a) && specialOperand(a) === undefined && !isInfinity(a) && exponentOf(a) >= TOO_LARGE;
  unit.setConditions(s, unit.Status.C1 | unit.Status.C2, tooLarge ? unit.Status.C2 : 0);
  return tooLarge ? undefined : a;
};
const trigonometric = (f: (a: Float80, env: Environment) => Rounded): Helper =>
  computing((cpu) => {
    const s = cpu.s;
    unit.setConditions(s, unit.Status.C2, 0);
    if (unit.isEmpty(s, 0)) {
      if (unit.underflow(s)) unit.writeSt(s, 0, INDEFINITE);
      return true;
    }
    const a = trigonometricOperand(s);
    if (a !== undefined) deliver(s, 0, evaluate(f, a, unit.fullEnvironment(s)));
    return true;
  });
const evaluate = (f: (a: Float80, env: Environment) => Rounded, a: Float80, env: Environment): Rounded =>
  specialOperand(a) ?? (isInfinity(a) ? INVALID : flagged(f(a, env), denormalFlag(a)));
export const fsin = trigonometric(sineOf);
export const fcos = trigonometric(cosineOf);

/** The two that replace ST(0) by one result and push another. */
const pushing = (f: (a: Float80, env: Environment) => Pair): Helper =>
  computing((cpu) => {
    const s = cpu.s;
    unit.setConditions(s, unit.Status.C2, 0);
    const empty = unit.isEmpty(s, 0);
    if (empty || !unit.isEmpty(s, 7)) {
      if (empty ? unit.underflow(s) : unit.overflow(s)) {
        unit.writeSt(s, 0, INDEFINITE);
        unit.push(s, INDEFINITE);
      }
      return true;
    }
    const a = trigonometricOperand(s);
    if (a === undefined) return true;
    const special = specialOperand(a) ?? (isInfinity(a) ? INVALID : undefined);
    const [first, second] = special === undefined ? f(a, unit.fullEnvironment(s)) : [special, special];
    if (deliver(s, 0, flagged(first, second.flags | denormalFlag(a)))) unit.push(s, second.value);
    return true;
  });
export const fsincos = pushing(bothOf);
export const fptan = pushing(tangentOf);

/** The power of two below which a quotient of two operands may be its own arctangent but for a hair, on either side of a half unit. */
const TINY = -40;
/** atan(q) = q - q^3 / 3 + q^5 / 5 to 192 bits. */
const tinyAngle = (y: Float80, x: Float80): Real => {
  const bits = 192;
  const room = bits + bitLength(x.significand) - bitLength(y.significand);
  const magnitude = (y.significand << BigInt(room)) / x.significand;
  const scale = scaleOf(y) - scaleOf(x) - room;
  const shift = scale + bits;
  const q = shift >= 0 ? magnitude << BigInt(shift) : magnitude >> BigInt(-shift);
  const square = (q * q) >> BigInt(bits);
  // At least one unit less, also where the square vanishes.
  const ratio = (1n << BigInt(bits)) - square / 3n + ((square * square) >> BigInt(bits)) / 5n - 1n;
  return { magnitude: magnitude * ratio, scale: scale - bits };
};
/** Angle of the point (x, y), from -pi to pi. */
const angle = (y: Float80, x: Float80, env: Environment): Rounded => {
  const flags = denormalFlag(x, y);
  const multiple = (quarters: bigint): Rounded =>
    flagged(roundReal(y.sign, fixedReal((fixed.PI * quarters) / 4n), env), flags);
  if (isInfinity(y)) return multiple(isInfinity(x) ? (x.sign ? 3n : 1n) : 2n);
  if (isInfinity(x) || isZero(y)) return x.sign ? multiple(4n) : flagged(exact(zero(y.sign)), flags);
  if (isZero(x)) return multiple(2n);
  const order = compareNumbers(f80(0, y.exponent, y.significand), f80(0, x.exponent, x.significand));
  if (order === 0) return multiple(x.sign ? 3n : 1n);
  const [small, large] = order < 0 ? [y, x] : [x, y];
  if (order < 0 && x.sign === 0 && exponentOf(y) - exponentOf(x) < TINY)
    return flagged(roundReal(y.sign, tinyAngle(y, x), env), flags);
  // The quotient keeps its own scale, so that a small one keeps its bits.
  const room = fixed.BITS + bitLength(large.significand) - bitLength(small.significand);
  const quotient = (small.significand << BigInt(room)) / large.significand;
  const scale = scaleOf(small) - scaleOf(large) - room;
  const t = inUnits(quotient, scale);
  if (order < 0 && x.sign === 0) {
    const arc =
      bitLength(t) <= fixed.BITS - fixed.SMALL
        ? scaled(quotient, scale, fixed.arctangentRatio(t))
        : fixedReal(fixed.arctangent(t));
    return flagged(roundReal(y.sign, arc, env), flags);
  }
  const arc = fixed.arctangent(t);
  const value = order < 0 ? fixed.PI - arc : fixed.PI / 2n + (x.sign ? arc : -arc);
  return flagged(roundReal(y.sign, fixedReal(value), env), flags);
};

/** A function of ST(1) and ST(0) that replaces ST(1) and pops. */
const popping = (f: (st1: Float80, st0: Float80, env: Environment) => Rounded): Helper =>
  computing((cpu) => {
    const s = cpu.s;
    if (unit.isEmpty(s, 0) || unit.isEmpty(s, 1)) {
      if (!unit.underflow(s)) return true;
      unit.writeSt(s, 1, INDEFINITE);
    } else {
      const st1 = unit.readSt(s, 1);
      const st0 = unit.readSt(s, 0);
      const result = specialOperands(st0, st1) ?? f(st1, st0, unit.fullEnvironment(s));
      if (!deliver(s, 1, result)) return true;
    }
    unit.pop(s);
    return true;
  });
export const fpatan = popping(angle);

// ---- exponential and logarithms -----------------------------------------------------------------------------------------

/** 2^x - 1 for -1 <= x <= 1. Beyond, the manual leaves the result open: the operand stays and PE is raised, as AMD's processors do. */
export const f2xm1: Helper = computing((cpu) => {
  const s = cpu.s;
  if (unit.isEmpty(s, 0)) {
    if (unit.underflow(s)) unit.writeSt(s, 0, INDEFINITE);
    return true;
  }
  const a = unit.readSt(s, 0);
  deliver(s, 0, specialOperand(a) ?? flagged(exponential(a, unit.fullEnvironment(s)), denormalFlag(a)));
  return true;
});
const MINUS_HALF = f80(1, BIAS - 1, 1n << 63n);
const exponential = (a: Float80, env: Environment): Rounded => {
  if (isInfinity(a)) return exact(a.sign ? f80(1, BIAS, ONE.significand) : a);
  if (isZero(a)) return exact(a);
  if (exponentOf(a) >= 0) {
    const one = exponentOf(a) === 0 && bitLength(a.significand) === 64 && a.significand === ONE.significand;
    return exact(one ? (a.sign ? MINUS_HALF : ONE) : a, Exception.PE);
  }
  const t = a.sign ? -toFixed(a) : toFixed(a);
  const value = isSmall(a)
    ? scaled(a.significand, scaleOf(a), fixed.exponentialRatio(t))
    : fixedReal(fixed.exponential(t));
  return roundReal(a.sign, value, env);
};

/** |log2(m * 2^k)|, m from 1 to 2 in units of 2^-BITS and neither end. Near 1 the distance from it keeps its bits. */
const logarithmOf = (m: bigint, k: number): Real => {
  const above = m - fixed.ONE < fixed.ONE / 2n;
  const end = above ? fixed.ONE : 2n * fixed.ONE;
  if (k !== (above ? 0 : -1) || !fixed.isNearPower(m)) return fixedReal(fixed.logarithm(m) + BigInt(k) * fixed.ONE);
  const distance = m > end ? m - end : end - m;
  const room = fixed.BITS + 1 - bitLength(distance);
  const u = (distance << BigInt(fixed.BITS + room)) / (m + end);
  return scaled(u, -fixed.BITS - room, fixed.logarithmRatio(u >> BigInt(room)));
};
/** y * |logarithm|. */
const timesReal = (sign: number, y: Float80, { magnitude, scale }: Real, env: Environment): Rounded =>
  round(sign, y.significand * magnitude, scaleOf(y) + scale, true, env);
/** y * n for a logarithm that is an integer. Even an exact product raises PE, and so UE with it where it is tiny. */
const wholeProduct = (sign: number, y: Float80, n: number, env: Environment): Rounded => {
  const product = round(sign, y.significand * BigInt(n), scaleOf(y), false, env);
  return flagged(product, Exception.PE | (isDenormal(product.value) ? Exception.UE : 0));
};

/** y * log2(x). */
const logarithmTimes = (y: Float80, x: Float80, env: Environment): Rounded => {
  const flags = denormalFlag(x, y);
  if (isZero(x)) {
    if (isZero(y)) return INVALID;
    return isInfinity(y) ? exact(infinity(1 - y.sign)) : exact(infinity(1 - y.sign), Exception.ZE);
  }
  if (x.sign) return INVALID;
  if (isInfinity(x)) return isZero(y) ? INVALID : flagged(exact(infinity(y.sign)), flags);
  const toOne = compareNumbers(x, ONE);
  if (isInfinity(y)) return toOne === 0 ? INVALID : flagged(exact(infinity(toOne < 0 ? 1 - y.sign : y.sign)), flags);
  const sign = toOne < 0 ? 1 - y.sign : y.sign;
  if (toOne === 0 || isZero(y)) return flagged(exact(zero(sign)), flags);
  const length = bitLength(x.significand);
  const k = scaleOf(x) + length - 1;
  const mantissa = x.significand << BigInt(fixed.BITS + 1 - length);
  if (mantissa === fixed.ONE) return flagged(wholeProduct(sign, y, Math.abs(k), env), flags);
  return flagged(timesReal(sign, y, logarithmOf(mantissa, k), env), flags);
};
export const fyl2x = popping(logarithmTimes);

/** y * log2(x + 1). The manual defines it for |x| below 1 - sqrt(1/2); here it holds for all x above -1. */
const logarithmPlusOneTimes = (y: Float80, x: Float80, env: Environment): Rounded => {
  const flags = denormalFlag(x, y);
  const sign = x.sign ^ y.sign;
  if (isInfinity(x)) return x.sign || isZero(y) ? INVALID : flagged(exact(infinity(y.sign)), flags);
  if (isZero(x)) return isInfinity(y) ? INVALID : flagged(exact(zero(sign)), flags);
  if (isInfinity(y)) return flagged(exact(infinity(sign)), flags);
  if (isZero(y)) return flagged(exact(zero(sign)), flags);
  // Undefined by the manual: AMD's processors leave the operand.
  if (x.sign && exponentOf(x) >= 0) return flagged(exact(x, Exception.PE), flags);
  return flagged(isSmall(x) ? ofSmall(sign, y, x, env) : ofSum(sign, y, x, env), flags);
};
/** log2(1 + x) by u = x / (2 + x), which keeps the bits of a small x. */
const ofSmall = (sign: number, y: Float80, x: Float80, env: Environment): Rounded => {
  const t = x.sign ? -toFixed(x) : toFixed(x);
  const room = fixed.BITS + 64;
  const u = (x.significand << BigInt(room)) / (2n * fixed.ONE + t);
  const scale = scaleOf(x) + fixed.BITS - room;
  return timesReal(sign, y, scaled(u, scale, fixed.logarithmRatio(inUnits(u, scale))), env);
};
/** Bits below the point of an x that is not small, and the power of two from which 1 does not count in 1 + x. */
const SUM_BITS = 63 + fixed.SMALL;
const ALONE = 140;
const ofSum = (sign: number, y: Float80, x: Float80, env: Environment): Rounded => {
  const counts = exponentOf(x) < ALONE;
  const magnitude = counts ? x.significand << BigInt(scaleOf(x) + SUM_BITS) : x.significand;
  const one = 1n << BigInt(SUM_BITS);
  const sum = counts ? (x.sign ? one - magnitude : one + magnitude) : magnitude;
  const length = bitLength(sum);
  const k = length - 1 + (counts ? -SUM_BITS : scaleOf(x));
  const room = fixed.BITS + 1 - length;
  const m = room >= 0 ? sum << BigInt(room) : sum >> BigInt(-room);
  if (counts && sum === 1n << BigInt(length - 1)) return wholeProduct(sign, y, Math.abs(k), env);
  return timesReal(sign, y, logarithmOf(m, k), env);
};
export const fyl2xp1 = popping(logarithmPlusOneTimes);
