// The 80-bit extended format as values: classes, exact arithmetic, rounding with the x87's precision and rounding control.
// Not the register stack and not the exceptions' masks (unit.ts). SDM vol. 1, 4.2 and 4.8. Significands are exact big integers.

/** Status-word exception bits (SDM vol. 1, figure 8-4). */
export const Exception = { IE: 1, DE: 2, ZE: 4, OE: 8, UE: 16, PE: 32 } as const;
/** Control-word RC values. */
export const Rounding = { nearest: 0, down: 1, up: 2, zero: 3 } as const;

export const BIAS = 16383;
export const MAX_EXPONENT = 0x7fff;
/** The integer bit of a significand. */
export const J = 1n << 63n;
const QUIET = 1n << 62n;

/** A value as in a register: sign, biased exponent, 64-bit significand with its explicit integer bit. */
export interface Float80 {
  readonly sign: 0 | 1;
  readonly exponent: number;
  readonly significand: bigint;
}
export const f80 = (sign: number, exponent: number, significand: bigint): Float80 => ({
  sign: sign === 0 ? 0 : 1,
  exponent,
  significand,
});

export const zero = (sign: number): Float80 => f80(sign, 0, 0n);
export const infinity = (sign: number): Float80 => f80(sign, MAX_EXPONENT, J);
/** The real indefinite. */
export const INDEFINITE = f80(1, MAX_EXPONENT, J | QUIET);

export const isZero = (a: Float80): boolean => a.exponent === 0 && a.significand === 0n;
export const isNan = (a: Float80): boolean => a.exponent === MAX_EXPONENT && a.significand > J;
export const isSignaling = (a: Float80): boolean => isNan(a) && (a.significand & QUIET) === 0n;
export const isInfinity = (a: Float80): boolean => a.exponent === MAX_EXPONENT && a.significand === J;
/** Denormals and pseudo-denormals: what raises DE. */
export const isDenormal = (a: Float80): boolean => a.exponent === 0 && a.significand !== 0n;
/** Unnormals, pseudo-NaNs and pseudo-infinities: what raises IE (SDM vol. 1, 8.2.2). */
export const isUnsupported = (a: Float80): boolean => a.exponent !== 0 && a.significand < J;
export const quiet = (a: Float80): Float80 => f80(a.sign, a.exponent, a.significand | QUIET);

export const bitLength = (value: bigint): number => {
  // Number keeps the leading bits: its exponent is the length, but for values that round up to the next power.
  if (value === 0n) return 0;
  const high = value >> 64n;
  if (high !== 0n) return 64 + bitLength(high);
  const top = Number(value >> 32n);
  return top !== 0 ? 64 - Math.clz32(top) : 32 - Math.clz32(Number(value));
};

/** Result of a rounded operation: the value, the exceptions raised, and whether rounding went away from zero (C1). */
export interface Rounded {
  readonly value: Float80;
  readonly flags: number;
  readonly up: boolean;
}
export interface Environment {
  /** Significand bits: 24, 53 or 64. */
  readonly precision: number;
  readonly rounding: number;
  /** Exceptions that are masked. */
  readonly masks: number;
}

/** Rounds away from zero? `remainder`, `half`: the cut-off bits and half a unit; `sticky`: more was cut off below. */
const roundsUp = (
  rounding: number,
  sign: number,
  odd: boolean,
  remainder: bigint,
  half: bigint,
  sticky: boolean,
): boolean => {
  if (remainder === 0n && !sticky) return false;
  switch (rounding) {
    case Rounding.nearest:
      return remainder > half || (remainder === half && (sticky || odd));
    case Rounding.down:
      return sign === 1;
    case Rounding.up:
      return sign === 0;
    default:
      return false;
  }
};

/** Cuts `magnitude` * 2^scale (plus something below if `sticky`) to a multiple of 2^quantum. */
export const cut = (
  magnitude: bigint,
  scale: number,
  quantum: number,
  sign: number,
  sticky: boolean,
  rounding: number,
): { whole: bigint; inexact: boolean; up: boolean } => {
  const drop = quantum - scale;
  if (drop <= 0)
    return {
      whole: magnitude << BigInt(-drop),
      inexact: sticky,
      up: sticky && roundsUp(rounding, sign, false, 0n, 1n, true),
    };
  const shift = BigInt(drop);
  const whole = magnitude >> shift;
  const remainder = magnitude - (whole << shift);
  const up = roundsUp(rounding, sign, (whole & 1n) === 1n, remainder, 1n << (shift - 1n), sticky);
  return { whole: up ? whole + 1n : whole, inexact: remainder !== 0n || sticky, up };
};

/** The format's smallest normal exponent (unbiased). */
const MIN = 1 - BIAS;
/** Exponent adjustment of unmasked overflow and underflow (SDM vol. 1, 8.5.4). */
const WRAP = 24576;

/**
 * Rounds magnitude * 2^scale to the environment's precision, with the format's exponent range. `sticky`: the true value is a little
 * larger in magnitude. Overflow and underflow follow the masks.
 */
export const round = (sign: number, magnitude: bigint, scale: number, sticky: boolean, env: Environment): Rounded => {
  if (magnitude === 0n && !sticky) return { value: zero(sign), flags: 0, up: false };
  // Room below for the sticky bit to count.
  if (sticky && bitLength(magnitude) < 70) {
    const room = 70 - bitLength(magnitude);
    magnitude <<= BigInt(room);
    scale -= room;
  }
  const exponent = bitLength(magnitude) - 1 + scale;
  const free = cut(magnitude, scale, exponent - (env.precision - 1), sign, sticky, env.rounding);
  const freeExponent = exponent + (bitLength(free.whole) > env.precision ? 1 : 0);
  if (freeExponent > BIAS) return overflow(sign, free, freeExponent, env);
  if (freeExponent < MIN) {
    if ((env.masks & Exception.UE) === 0) {
      // Too small even so (FSCALE): zero, whatever the rounding.
      if (freeExponent + WRAP < MIN) return { value: zero(sign), flags: Exception.UE | Exception.PE, up: false };
      const value = build(sign, free.whole, exponent - (env.precision - 1) + WRAP);
      return { value, flags: Exception.UE | (free.inexact ? Exception.PE : 0), up: free.up };
    }
    const tiny = cut(magnitude, scale, MIN - (env.precision - 1), sign, sticky, env.rounding);
    const value = buildDenormal(sign, tiny.whole << BigInt(64 - env.precision));
    return { value, flags: tiny.inexact ? Exception.UE | Exception.PE : 0, up: tiny.up };
  }
  return {
    value: build(sign, free.whole, exponent - (env.precision - 1)),
    flags: free.inexact ? Exception.PE : 0,
    up: free.up,
  };
};

const overflow = (
  sign: number,
  free: { whole: bigint; inexact: boolean; up: boolean },
  exponent: number,
  env: Environment,
): Rounded => {
  if ((env.masks & Exception.OE) === 0) {
    if (exponent - WRAP > BIAS) return { value: infinity(sign), flags: Exception.OE | Exception.PE, up: true };
    const value = build(sign, free.whole, exponent - (bitLength(free.whole) - 1) - WRAP);
    return { value, flags: Exception.OE | (free.inexact ? Exception.PE : 0), up: free.up };
  }
  const toInfinity =
    env.rounding === Rounding.nearest ||
    (env.rounding === Rounding.up && sign === 0) ||
    (env.rounding === Rounding.down && sign === 1);
  const largest = f80(sign, MAX_EXPONENT - 1, ((1n << BigInt(env.precision)) - 1n) << BigInt(64 - env.precision));
  return { value: toInfinity ? infinity(sign) : largest, flags: Exception.OE | Exception.PE, up: toInfinity };
};

/** magnitude * 2^scale, exactly representable and normal. */
const build = (sign: number, magnitude: bigint, scale: number): Float80 => {
  const length = bitLength(magnitude);
  return f80(
    sign,
    length - 1 + scale + BIAS,
    length <= 64 ? magnitude << BigInt(64 - length) : magnitude >> BigInt(length - 64),
  );
};
/** Significand at the denormal scale; one that reached the integer bit is normal. */
const buildDenormal = (sign: number, significand: bigint): Float80 => f80(sign, significand >= J ? 1 : 0, significand);

/** Unbiased power of two of the significand's lowest bit. */
export const scaleOf = (a: Float80): number => (a.exponent === 0 ? 1 : a.exponent) - BIAS - 63;

// Arithmetic on finite, supported operands; special cases are the caller's.

export const addFinite = (a: Float80, b: Float80, env: Environment): Rounded => {
  let x = a;
  let y = b;
  if (scaleOf(x) < scaleOf(y)) [x, y] = [y, x];
  let gap = scaleOf(x) - scaleOf(y);
  let small = y.significand;
  let sticky = false;
  // Far apart, only the small operand's being there counts.
  if (gap > 200) {
    sticky = small !== 0n;
    small = 0n;
    gap = 200;
  }
  const big = x.significand << BigInt(gap);
  const scale = scaleOf(x) - gap;
  if (x.sign === y.sign) return round(x.sign, big + small, scale, sticky, env);
  let difference = big - small;
  if (sticky && difference !== 0n) difference -= 1n;
  if (difference === 0n && !sticky) return { value: zero(env.rounding === Rounding.down ? 1 : 0), flags: 0, up: false };
  if (difference === 0n) return round(y.sign, y.significand, scaleOf(y), false, env);
  return difference > 0n
    ? round(x.sign, difference, scale, sticky, env)
    : round(y.sign, -difference, scale, sticky, env);
};

export const multiplyFinite = (a: Float80, b: Float80, env: Environment): Rounded =>
  round(a.sign ^ b.sign, a.significand * b.significand, scaleOf(a) + scaleOf(b), false, env);

/** b is not zero. */
export const divideFinite = (a: Float80, b: Float80, env: Environment): Rounded => {
  const room = 140 + bitLength(b.significand) - Math.min(64, bitLength(a.significand));
  const numerator = a.significand << BigInt(room);
  const quotient = numerator / b.significand;
  return round(a.sign ^ b.sign, quotient, scaleOf(a) - scaleOf(b) - room, quotient * b.significand !== numerator, env);
};

export const squareRoot = (value: bigint): bigint => {
  if (value < 2n) return value;
  let x = 1n << BigInt((bitLength(value) + 1) >> 1);
  for (;;) {
    const y = (x + value / x) >> 1n;
    if (y >= x) return x;
    x = y;
  }
};
/** a > 0. */
export const squareRootFinite = (a: Float80, env: Environment): Rounded => {
  let scale = scaleOf(a) - 140;
  let magnitude = a.significand << 140n;
  if (scale & 1) {
    scale--;
    magnitude <<= 1n;
  }
  const root = squareRoot(magnitude);
  return round(0, root, scale / 2, root * root !== magnitude, env);
};

/** -1, 0, 1 for supported numbers that are no NaN. */
export const compareNumbers = (a: Float80, b: Float80): number => {
  if (isZero(a) && isZero(b)) return 0;
  if (isZero(a)) return b.sign ? 1 : -1;
  if (isZero(b) || a.sign !== b.sign) return a.sign ? -1 : 1;
  const direction = a.sign ? -1 : 1;
  const ea = a.exponent || 1;
  const eb = b.exponent || 1;
  if (ea !== eb) return ea > eb ? direction : -direction;
  return a.significand === b.significand ? 0 : a.significand > b.significand ? direction : -direction;
};

/** Nearest integer by the rounding mode, of a finite number. */
export const toInteger = (a: Float80, rounding: number): { value: bigint; inexact: boolean; up: boolean } => {
  const scale = scaleOf(a);
  if (scale < -200) {
    const up = a.significand !== 0n && roundsUp(rounding, a.sign, false, 0n, 1n, true);
    return { value: up ? (a.sign ? -1n : 1n) : 0n, inexact: a.significand !== 0n, up };
  }
  if (scale > 64) return { value: (a.sign ? -1n : 1n) << 100n, inexact: false, up: false };
  const { whole, inexact, up } = cut(a.significand, scale, 0, a.sign, false, rounding);
  return { value: a.sign ? -whole : whole, inexact, up };
};
export const fromInteger = (value: bigint): Float80 => {
  if (value === 0n) return zero(0);
  const sign = value < 0n ? 1 : 0;
  return build(sign, sign ? -value : value, 0);
};

/** The IEEE formats in memory: exponent and fraction widths. */
export interface NarrowFormat {
  readonly exponentBits: number;
  readonly fractionBits: number;
}
export const SINGLE: NarrowFormat = { exponentBits: 8, fractionBits: 23 };
export const DOUBLE: NarrowFormat = { exponentBits: 11, fractionBits: 52 };

/** Any bit pattern is representable; a signaling NaN stays one (the caller raises IE and quiets it). `denormal`: raises DE. */
export const fromNarrow = (bits: bigint, format: NarrowFormat): { value: Float80; denormal: boolean } => {
  const { exponentBits, fractionBits } = format;
  const sign = Number((bits >> BigInt(exponentBits + fractionBits)) & 1n);
  const exponent = Number((bits >> BigInt(fractionBits)) & ((1n << BigInt(exponentBits)) - 1n));
  const fraction = bits & ((1n << BigInt(fractionBits)) - 1n);
  const bias = (1 << (exponentBits - 1)) - 1;
  const shift = BigInt(63 - fractionBits);
  if (exponent === (1 << exponentBits) - 1)
    return { value: f80(sign, MAX_EXPONENT, J | (fraction << shift)), denormal: false };
  if (exponent === 0) {
    if (fraction === 0n) return { value: zero(sign), denormal: false };
    return { value: build(sign, fraction, 1 - bias - fractionBits), denormal: true };
  }
  return { value: f80(sign, exponent - bias + BIAS, J | (fraction << shift)), denormal: false };
};

/** Rounds to a memory format. `store` is false where an unmasked overflow or underflow forbids the store. */
export const toNarrow = (
  a: Float80,
  format: NarrowFormat,
  env: Environment,
): { bits: bigint; flags: number; up: boolean; store: boolean } => {
  const { exponentBits, fractionBits } = format;
  const bias = (1 << (exponentBits - 1)) - 1;
  const signBit = BigInt(a.sign) << BigInt(exponentBits + fractionBits);
  const allOnes = ((1n << BigInt(exponentBits)) - 1n) << BigInt(fractionBits);
  if (isNan(a)) {
    const fraction = ((a.significand | QUIET) & (J - 1n)) >> BigInt(63 - fractionBits);
    return { bits: signBit | allOnes | fraction, flags: isSignaling(a) ? Exception.IE : 0, up: false, store: true };
  }
  if (isInfinity(a)) return { bits: signBit | allOnes, flags: 0, up: false, store: true };
  if (a.significand === 0n) return { bits: signBit, flags: 0, up: false, store: true };
  const min = 1 - bias;
  const scale = scaleOf(a);
  const exponent = bitLength(a.significand) - 1 + scale;
  const free = cut(a.significand, scale, exponent - fractionBits, a.sign, false, env.rounding);
  const freeExponent = exponent + (bitLength(free.whole) > fractionBits + 1 ? 1 : 0);
  if (freeExponent > bias) {
    const toInfinity =
      env.rounding === Rounding.nearest ||
      (env.rounding === Rounding.up && a.sign === 0) ||
      (env.rounding === Rounding.down && a.sign === 1);
    return {
      bits: signBit | (toInfinity ? allOnes : allOnes - 1n),
      flags: (env.masks & Exception.OE) === 0 ? Exception.OE : Exception.OE | Exception.PE,
      up: toInfinity && (env.masks & Exception.OE) !== 0,
      store: (env.masks & Exception.OE) !== 0,
    };
  }
  if (freeExponent < min) {
    if ((env.masks & Exception.UE) === 0) return { bits: 0n, flags: Exception.UE, up: false, store: false };
    const tiny = cut(a.significand, scale, min - fractionBits, a.sign, false, env.rounding);
    return {
      bits: signBit | tiny.whole,
      flags: tiny.inexact ? Exception.UE | Exception.PE : 0,
      up: tiny.up,
      store: true,
    };
  }
  const whole = bitLength(free.whole) > fractionBits + 1 ? free.whole >> 1n : free.whole;
  const field = BigInt(freeExponent + bias) << BigInt(fractionBits);
  return {
    bits: signBit | field | (whole & ((1n << BigInt(fractionBits)) - 1n)),
    flags: free.inexact ? Exception.PE : 0,
    up: free.up,
    store: true,
  };
};
