// FSIN, FCOS, FSINCOS, FPTAN, FPATAN, F2XM1, FYL2X, FYL2XP1: exact functions rounded once, so within 1 ulp of every processor that
// keeps the architecture's bound. Special operands as in SDM vol. 2; SDM vol. 1, 8.3.7 to 8.3.10.

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
import * as unit from './unit.ts';

const ONE = f80(0, BIAS, 1n << 63n);
const exact = (value: Float80, flags = 0): Rounded => ({ value, flags, up: false });
const denormalFlag = (...operands: readonly Float80[]): number => (operands.some(isDenormal) ? Exception.DE : 0);
const flagged = (result: Rounded, flags: number): Rounded =>
  flags ? { ...result, flags: result.flags | flags } : result;
/** Rounds an irrational value in units of 2^-BITS. */
const roundFixed = (sign: number, magnitude: bigint, env: Environment, scale = 0): Rounded =>
  round(sign, magnitude, scale - fixed.BITS, true, env);
/** |a| in units of 2^-BITS; below that unit, zero. */
const toFixed = (a: Float80): bigint => {
  const shift = scaleOf(a) + fixed.BITS;
  return shift >= 0 ? a.significand << BigInt(shift) : a.significand >> BigInt(-shift);
};
/** Power of two of the leading bit. */
const exponentOf = (a: Float80): number => scaleOf(a) + bitLength(a.significand) - 1;

// ---- trigonometric functions --------------------------------------------------------------------------------------------

/** From 2^63 on FSIN, FCOS, FSINCOS and FPTAN do nothing but set C2. */
const TOO_LARGE = 63;
/** Arguments are reduced with 66 bits of pi (SDM vol. 1, 8.3.8): large ones give what the processors give, not the sine. */
const HALF_PI = (fixed.PI >> BigInt(fixed.BITS - 64)) << BigInt(fixed.BITS - 65);
/** |a| less the multiple of pi/2 nearest to it, and that multiple modulo 4. */
const reduce = (a: Float80): { rest: bigint; quadrant: number } => {
  const value = toFixed(a);
  const quotient = (2n * value + HALF_PI) / (2n * HALF_PI);
  return { rest: value - quotient * HALF_PI, quadrant: Number(quotient & 3n) };
};
/** Below this magnitude no multiple of pi is taken away, and the result keeps the operand's own scale. */
const isSmall = (a: Float80): boolean => exponentOf(a) < -1;

const sineOf = (a: Float80, env: Environment): Rounded => {
  if (isZero(a)) return exact(a);
  if (isSmall(a)) return roundFixed(a.sign, a.significand * fixed.sineRatio(toFixed(a)), env, scaleOf(a));
  const { rest, quadrant } = reduce(a);
  const value = quadrant & 1 ? fixed.cosine(rest) : fixed.sine(rest);
  return signedResult(a.sign ^ (quadrant >> 1), value, env);
};
const cosineOf = (a: Float80, env: Environment): Rounded => {
  if (isZero(a)) return exact(ONE);
  const { rest, quadrant } = reduce(a);
  const value = quadrant & 1 ? -fixed.sine(rest) : fixed.cosine(rest);
  return signedResult(quadrant >> 1, value, env);
};
const tangentOf = (a: Float80, env: Environment): Rounded => {
  if (isZero(a)) return exact(a);
  if (isSmall(a)) {
    const t = toFixed(a);
    const ratio = (fixed.sineRatio(t) << BigInt(fixed.BITS)) / fixed.cosine(t);
    return roundFixed(a.sign, a.significand * ratio, env, scaleOf(a));
  }
  const { rest, quadrant } = reduce(a);
  const sine = fixed.sine(rest);
  const cosine = fixed.cosine(rest);
  const value = quadrant & 1 ? -(cosine << BigInt(fixed.BITS)) / sine : (sine << BigInt(fixed.BITS)) / cosine;
  return signedResult(a.sign, value, env);
};
const signedResult = (sign: number, value: bigint, env: Environment): Rounded =>
  value < 0n ? roundFixed(1 - sign, -value, env) : roundFixed(sign, value, env);

/** Operand checks of the four instructions. Undefined: nothing more to do. */
const trigonometricOperand = (s: CpuState): Float80 | undefined => {
  const a = unit.readSt(s, 0);
  const tooLarge = !isZero(a) && specialOperand(a) === undefined && !isInfinity(a) && exponentOf(a) >= TOO_LARGE;
  unit.setConditions(s, unit.Status.C1 | unit.Status.C2, tooLarge ? unit.Status.C2 : 0);
  return tooLarge ? undefined : a;
};
const trigonometric = (f: (a: Float80, env: Environment) => Rounded): Helper =>
  unit.computing((cpu) => {
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
const pushing = (f: (a: Float80, env: Environment) => Rounded, g: (a: Float80, env: Environment) => Rounded): Helper =>
  unit.computing((cpu) => {
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
    const env = unit.fullEnvironment(s);
    const first = evaluate(f, a, env);
    const second = evaluate(g, a, env);
    if (deliver(s, 0, { ...first, flags: first.flags | second.flags })) {
      unit.push(s, second.value);
    }
    return true;
  });
export const fsincos = pushing(sineOf, cosineOf);
export const fptan = pushing(tangentOf, () => exact(ONE));

/** Angle of the point (x, y), from -pi to pi. */
const angle = (y: Float80, x: Float80, env: Environment): Rounded => {
  const flags = denormalFlag(x, y);
  const multiple = (quarters: bigint): Rounded => flagged(roundFixed(y.sign, (fixed.PI * quarters) / 4n, env), flags);
  if (isInfinity(y)) return multiple(isInfinity(x) ? (x.sign ? 3n : 1n) : 2n);
  if (isInfinity(x) || isZero(y)) return x.sign ? multiple(4n) : flagged(exact(zero(y.sign)), flags);
  if (isZero(x)) return multiple(2n);
  const order = compareNumbers(f80(0, y.exponent, y.significand), f80(0, x.exponent, x.significand));
  if (order === 0) return multiple(x.sign ? 3n : 1n);
  const [small, large] = order < 0 ? [y, x] : [x, y];
  // The quotient keeps its own scale, so that a small one keeps its bits.
  const room = 2 * fixed.BITS;
  const quotient = (small.significand << BigInt(room)) / large.significand;
  const scale = scaleOf(small) - scaleOf(large) - room;
  const shift = scale + fixed.BITS;
  const t = shift >= 0 ? quotient << BigInt(shift) : quotient >> BigInt(-shift);
  if (order < 0 && x.sign === 0) {
    // So small that only "a little less than the quotient" counts.
    if (t < fixed.ONE >> 80n) return flagged(round(y.sign, quotient - 1n, scale, true, env), flags);
    return flagged(roundFixed(y.sign, fixed.arctangent(t), env), flags);
  }
  const arc = fixed.arctangent(t);
  const value = order < 0 ? fixed.PI - arc : fixed.PI / 2n + (x.sign ? arc : -arc);
  return flagged(roundFixed(y.sign, value, env), flags);
};

/** A function of ST(1) and ST(0) that replaces ST(1) and pops. */
const popping = (f: (st1: Float80, st0: Float80, env: Environment) => Rounded): Helper =>
  unit.computing((cpu) => {
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
export const f2xm1: Helper = unit.computing((cpu) => {
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
  const t = (toFixed(a) * fixed.LN2) >> BigInt(fixed.BITS);
  const ratio = (fixed.exponentialRatio(a.sign ? -t : t) * fixed.LN2) >> BigInt(fixed.BITS);
  return roundFixed(a.sign, a.significand * ratio, env, scaleOf(a));
};

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
  // x = m * 2^k, m from 1 to 2; of x just below 1 the logarithm of 2m is taken away from one, so bits cancel: halve m instead.
  const length = bitLength(x.significand);
  const k = scaleOf(x) + length - 1;
  const mantissa = x.significand << BigInt(64 - length);
  if (mantissa === ONE.significand) return flagged(wholeProduct(sign, y, Math.abs(k), env), flags);
  const m = mantissa << BigInt(fixed.BITS - 63);
  const half = m > (fixed.ONE * 3n) / 2n;
  const natural = half ? -fixed.logarithm((fixed.ONE << BigInt(fixed.BITS + 1)) / m) : fixed.logarithm(m);
  const binary = ((natural * fixed.INVERSE_LN2) >> BigInt(fixed.BITS)) + BigInt(half ? k + 1 : k) * fixed.ONE;
  return flagged(roundFixed(sign, y.significand * (binary < 0n ? -binary : binary), env, scaleOf(y)), flags);
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
  if (exponentOf(x) >= -1) {
    const sum = x.sign ? fixed.ONE - toFixed(x) : fixed.ONE + toFixed(x);
    const k = bitLength(sum) - 1 - fixed.BITS;
    if (sum === 1n << BigInt(k + fixed.BITS)) return flagged(wholeProduct(sign, y, Math.abs(k), env), flags);
    const natural = fixed.logarithm(k >= 0 ? sum >> BigInt(k) : sum << BigInt(-k));
    const binary = ((natural * fixed.INVERSE_LN2) >> BigInt(fixed.BITS)) + BigInt(k) * fixed.ONE;
    return flagged(roundFixed(sign, y.significand * (binary < 0n ? -binary : binary), env, scaleOf(y)), flags);
  }
  // ln(1 + x) = 2 atanh(x / (2 + x)): its ratio to x keeps all bits of a small x.
  const t = x.sign ? -toFixed(x) : toFixed(x);
  const divisor = 2n * fixed.ONE + t;
  const quotient = (t << BigInt(fixed.BITS)) / divisor;
  const ratio = ((2n * fixed.atanhRatio(quotient)) << BigInt(fixed.BITS)) / divisor;
  const binary = (ratio * fixed.INVERSE_LN2) >> BigInt(fixed.BITS);
  return flagged(roundFixed(sign, x.significand * y.significand * binary, env, scaleOf(x) + scaleOf(y)), flags);
};
export const fyl2xp1 = popping(logarithmPlusOneTimes);
