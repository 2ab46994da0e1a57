// Arithmetic in the x87's 80-bit format, rounded to nearest even (SDM vol. 1, 4.8.4): what `long double` of an expression needs and a double
// cannot hold. Operands and results are the format's 80 bits.
import { doubleToExtended, extendedToDouble } from './floats.ts';

const BIAS = 16383 + 63;
const MAX_EXPONENT = 0x7fff;

/** A finite value: significand x 2 ** exponent. */
interface Exact {
  readonly significand: bigint;
  readonly exponent: number;
}

function exactOf(bits: bigint): Exact | undefined {
  const exponent = Number((bits >> 64n) & 0x7fffn);
  if (exponent === MAX_EXPONENT) return undefined;
  const magnitude = BigInt.asUintN(64, bits);
  const negative = ((bits >> 79n) & 1n) !== 0n;
  return { significand: negative ? -magnitude : magnitude, exponent: Math.max(1, exponent) - BIAS };
}

const bitLength = (value: bigint): number => (value === 0n ? 0 : value.toString(2).length);

/** @param inexact something not zero was cut off below the significand */
function rounded({ significand, exponent }: Exact, inexact: boolean): bigint {
  if (significand === 0n) return 0n;
  const sign = significand < 0n ? 1n << 79n : 0n;
  let magnitude = significand < 0n ? -significand : significand;
  // Denormals have the smallest exponent.
  const target = Math.max(exponent + bitLength(magnitude) - 64, 1 - BIAS);
  const drop = BigInt(target - exponent);
  if (drop > 0n) {
    const half = 1n << (drop - 1n);
    const rest = BigInt.asUintN(Number(drop), magnitude);
    magnitude >>= drop;
    if (rest > half || (rest === half && (inexact || (magnitude & 1n) !== 0n))) magnitude++;
  } else magnitude <<= -drop;
  let power = target + BIAS;
  if (bitLength(magnitude) > 64) {
    magnitude >>= 1n;
    power++;
  }
  if (power >= MAX_EXPONENT) return sign | (BigInt(MAX_EXPONENT) << 64n) | (1n << 63n);
  if (magnitude >> 63n === 0n) power = 0;
  return sign | (BigInt(power) << 64n) | magnitude;
}

/** Undefined where the operator is none of `+ - * /`. */
export function extendedBinary(operator: string, a: bigint, b: bigint): bigint | undefined {
  const [x, y] = [exactOf(a), exactOf(b)];
  // Infinities, NaNs and divisions by zero behave as those of doubles.
  if (x === undefined || y === undefined || (operator === '/' && y.significand === 0n)) {
    const [p, q] = [extendedToDouble(a), extendedToDouble(b)];
    const result = { '+': p + q, '-': p - q, '*': p * q, '/': p / q }[operator];
    return result === undefined ? undefined : doubleToExtended(result);
  }
  switch (operator) {
    case '+':
    case '-': {
      const exponent = Math.min(x.exponent, y.exponent);
      const left = x.significand << BigInt(x.exponent - exponent);
      const right = y.significand << BigInt(y.exponent - exponent);
      return rounded({ significand: operator === '+' ? left + right : left - right, exponent }, false);
    }
    case '*':
      return rounded({ significand: x.significand * y.significand, exponent: x.exponent + y.exponent }, false);
    case '/': {
      const top = x.significand << 192n;
      const quotient = top / y.significand;
      return rounded({ significand: quotient, exponent: x.exponent - 192 - y.exponent }, top % y.significand !== 0n);
    }
    default:
      return undefined;
  }
}
