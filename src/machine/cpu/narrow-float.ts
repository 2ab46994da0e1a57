// Exact arithmetic on the IEEE single and double formats with MXCSR's rounding, denormals-are-zeros and flush-to-zero: the slow,
// always right way. Ordinary operands do not come here (sse-arithmetic.ts). SDM vol. 1, 4.8, 4.9 and 11.5.

import { bitLength, cut, DOUBLE, Exception, type NarrowFormat, Rounding, SINGLE, squareRoot } from './x87/float80.ts';

/** MXCSR (SDM vol. 1, figure 10-3): flags 5:0, DAZ, masks 12:7, RC 14:13, FTZ. */
export const Mxcsr = { FLAGS: 0x3f, DAZ: 0x40, MASK_SHIFT: 7, RC_SHIFT: 13, FTZ: 0x8000 } as const;
export const roundingOf = (mxcsr: number): number => (mxcsr >> Mxcsr.RC_SHIFT) & 3;
const isMasked = (mxcsr: number, exception: number): boolean => ((mxcsr >> Mxcsr.MASK_SHIFT) & exception) !== 0;

/** What a format's bits are made of. */
export interface Layout extends NarrowFormat {
  readonly bytes: 4 | 8;
  readonly signBit: bigint;
  readonly exponentMask: bigint;
  readonly fractionMask: bigint;
  readonly quietBit: bigint;
  readonly bias: number;
  /** The real indefinite. */
  readonly indefinite: bigint;
}
const layout = (format: NarrowFormat): Layout => {
  const { exponentBits, fractionBits } = format;
  const exponentMask = ((1n << BigInt(exponentBits)) - 1n) << BigInt(fractionBits);
  const signBit = 1n << BigInt(exponentBits + fractionBits);
  const quietBit = 1n << BigInt(fractionBits - 1);
  return {
    ...format,
    bytes: exponentBits === 8 ? 4 : 8,
    signBit,
    exponentMask,
    fractionMask: (1n << BigInt(fractionBits)) - 1n,
    quietBit,
    bias: (1 << (exponentBits - 1)) - 1,
    indefinite: signBit | exponentMask | quietBit,
  };
};
export const Single: Layout = layout(SINGLE);
export const Double: Layout = layout(DOUBLE);

/** Bits of a result and the exceptions raised. */
export interface Result {
  readonly bits: bigint;
  readonly flags: number;
}
const result = (bits: bigint, flags = 0): Result => ({ bits, flags });

const isNanBits = (bits: bigint, f: Layout): boolean =>
  (bits & f.exponentMask) === f.exponentMask && (bits & f.fractionMask) !== 0n;
export const isSignalingBits = (bits: bigint, f: Layout): boolean => isNanBits(bits, f) && (bits & f.quietBit) === 0n;
const isInfinityBits = (bits: bigint, f: Layout): boolean => (bits & ~f.signBit) === f.exponentMask;
const isZeroBits = (bits: bigint, f: Layout): boolean => (bits & ~f.signBit) === 0n;
export const isDenormalBits = (bits: bigint, f: Layout): boolean =>
  (bits & f.exponentMask) === 0n && (bits & f.fractionMask) !== 0n;
/** Denormals-are-zeros. */
export const flushed = (bits: bigint, f: Layout, mxcsr: number): bigint =>
  mxcsr & Mxcsr.DAZ && isDenormalBits(bits, f) ? bits & f.signBit : bits;

const signOf = (bits: bigint, f: Layout): 0 | 1 => (bits & f.signBit ? 1 : 0);
const significandOf = (bits: bigint, f: Layout): bigint =>
  bits & f.exponentMask ? (bits & f.fractionMask) | (f.fractionMask + 1n) : bits & f.fractionMask;
/** Power of two of the significand's lowest bit. */
const scaleOf = (bits: bigint, f: Layout): number => {
  const field = Number((bits & f.exponentMask) >> BigInt(f.fractionBits));
  return (field === 0 ? 1 : field) - f.bias - f.fractionBits;
};

/** Rounds sign * magnitude * 2^scale; `sticky`: the true magnitude is a little larger. */
export const roundNarrow = (
  sign: number,
  magnitude: bigint,
  scale: number,
  sticky: boolean,
  f: Layout,
  mxcsr: number,
): Result => {
  const signBits = sign ? f.signBit : 0n;
  if (magnitude === 0n) return result(signBits);
  const rounding = roundingOf(mxcsr);
  const exponent = bitLength(magnitude) - 1 + scale;
  const free = cut(magnitude, scale, exponent - f.fractionBits, sign, sticky, rounding);
  const carried = bitLength(free.whole) > f.fractionBits + 1;
  const freeExponent = carried ? exponent + 1 : exponent;
  if (freeExponent > f.bias) {
    const away = rounding === Rounding.nearest || rounding === (sign ? Rounding.down : Rounding.up);
    const precision = free.inexact || isMasked(mxcsr, Exception.OE) ? Exception.PE : 0;
    return result(signBits | (away ? f.exponentMask : f.exponentMask - 1n), Exception.OE | precision);
  }
  const least = 1 - f.bias;
  if (freeExponent < least) {
    if (!isMasked(mxcsr, Exception.UE)) return result(signBits, Exception.UE | (free.inexact ? Exception.PE : 0));
    if (mxcsr & Mxcsr.FTZ) return result(signBits, Exception.UE | Exception.PE);
    const tiny = cut(magnitude, scale, least - f.fractionBits, sign, sticky, rounding);
    return result(signBits | tiny.whole, tiny.inexact ? Exception.UE | Exception.PE : 0);
  }
  const whole = carried ? free.whole >> 1n : free.whole;
  const field = BigInt(freeExponent + f.bias) << BigInt(f.fractionBits);
  return result(signBits | field | (whole & f.fractionMask), free.inexact ? Exception.PE : 0);
};

/** Of two operands the first NaN, made quiet (SDM vol. 1, table 4-7). */
const propagate = (a: bigint, b: bigint, f: Layout): Result => {
  const flags = isSignalingBits(a, f) || isSignalingBits(b, f) ? Exception.IE : 0;
  return result((isNanBits(a, f) ? a : b) | f.quietBit, flags);
};

export type Operation = 'add' | 'subtract' | 'multiply' | 'divide';
export const operate = (operation: Operation, first: bigint, second: bigint, f: Layout, mxcsr: number): Result => {
  const a = flushed(first, f, mxcsr);
  let b = flushed(second, f, mxcsr);
  if (isNanBits(a, f) || isNanBits(b, f)) return propagate(a, b, f);
  if (operation === 'subtract') b ^= f.signBit;
  const denormal = isDenormalBits(a, f) || isDenormalBits(b, f) ? Exception.DE : 0;
  const computed =
    operation === 'multiply'
      ? multiply(a, b, f, mxcsr)
      : operation === 'divide'
        ? divide(a, b, f, mxcsr)
        : add(a, b, f, mxcsr);
  return computed.flags & (Exception.IE | Exception.ZE) ? computed : result(computed.bits, computed.flags | denormal);
};
const add = (a: bigint, b: bigint, f: Layout, mxcsr: number): Result => {
  if (isInfinityBits(a, f)) return isInfinityBits(b, f) && a !== b ? result(f.indefinite, Exception.IE) : result(a);
  if (isInfinityBits(b, f)) return result(b);
  const scaleA = scaleOf(a, f);
  const scaleB = scaleOf(b, f);
  const scale = Math.min(scaleA, scaleB);
  const x = significandOf(a, f) << BigInt(scaleA - scale);
  const y = significandOf(b, f) << BigInt(scaleB - scale);
  const sum = (signOf(a, f) ? -x : x) + (signOf(b, f) ? -y : y);
  if (sum === 0n) {
    const bothNegative = signOf(a, f) === 1 && signOf(b, f) === 1;
    const differ = signOf(a, f) !== signOf(b, f);
    return result(bothNegative || (differ && roundingOf(mxcsr) === Rounding.down) ? f.signBit : 0n);
  }
  return roundNarrow(sum < 0n ? 1 : 0, sum < 0n ? -sum : sum, scale, false, f, mxcsr);
};
const multiply = (a: bigint, b: bigint, f: Layout, mxcsr: number): Result => {
  const sign = signOf(a, f) ^ signOf(b, f);
  if (isInfinityBits(a, f) || isInfinityBits(b, f)) {
    if (isZeroBits(a, f) || isZeroBits(b, f)) return result(f.indefinite, Exception.IE);
    return result((sign ? f.signBit : 0n) | f.exponentMask);
  }
  return roundNarrow(sign, significandOf(a, f) * significandOf(b, f), scaleOf(a, f) + scaleOf(b, f), false, f, mxcsr);
};
/** Quotient and root bits beyond the operands': enough for one rounding. */
const ROOM = 128;
const divide = (a: bigint, b: bigint, f: Layout, mxcsr: number): Result => {
  const sign = signOf(a, f) ^ signOf(b, f);
  const signBits = sign ? f.signBit : 0n;
  if (isInfinityBits(a, f))
    return isInfinityBits(b, f) ? result(f.indefinite, Exception.IE) : result(signBits | f.exponentMask);
  if (isInfinityBits(b, f)) return result(signBits);
  if (isZeroBits(b, f))
    return isZeroBits(a, f) ? result(f.indefinite, Exception.IE) : result(signBits | f.exponentMask, Exception.ZE);
  const divisor = significandOf(b, f);
  const numerator = significandOf(a, f) << BigInt(ROOM);
  const quotient = numerator / divisor;
  const scale = scaleOf(a, f) - scaleOf(b, f) - ROOM;
  return roundNarrow(sign, quotient, scale, quotient * divisor !== numerator, f, mxcsr);
};

export const root = (operand: bigint, f: Layout, mxcsr: number): Result => {
  const a = flushed(operand, f, mxcsr);
  if (isNanBits(a, f)) return propagate(a, a, f);
  if (isZeroBits(a, f)) return result(a);
  if (signOf(a, f)) return result(f.indefinite, Exception.IE);
  if (isInfinityBits(a, f)) return result(a);
  let magnitude = significandOf(a, f) << BigInt(ROOM);
  let scale = scaleOf(a, f) - ROOM;
  if (scale & 1) {
    magnitude <<= 1n;
    scale--;
  }
  const value = squareRoot(magnitude);
  const rounded = roundNarrow(0, value, scale / 2, value * value !== magnitude, f, mxcsr);
  return isDenormalBits(a, f) ? result(rounded.bits, rounded.flags | Exception.DE) : rounded;
};

/** From one format to the other. */
export const convert = (operand: bigint, from: Layout, to: Layout, mxcsr: number): Result => {
  const a = flushed(operand, from, mxcsr);
  const signBits = signOf(a, from) ? to.signBit : 0n;
  if (isNanBits(a, from)) {
    const shift = BigInt(to.fractionBits - from.fractionBits);
    const payload = a & from.fractionMask;
    const fraction = shift >= 0n ? payload << shift : payload >> -shift;
    return result(signBits | to.exponentMask | to.quietBit | fraction, isSignalingBits(a, from) ? Exception.IE : 0);
  }
  if (isInfinityBits(a, from)) return result(signBits | to.exponentMask);
  const rounded = roundNarrow(signOf(a, from), significandOf(a, from), scaleOf(a, from), false, to, mxcsr);
  return isDenormalBits(a, from) ? result(rounded.bits, rounded.flags | Exception.DE) : rounded;
};
