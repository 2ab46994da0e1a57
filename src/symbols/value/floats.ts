// Floating point of the x87 and SSE as numbers and as text (SDM vol. 1, 4.2.2): binary32, binary64 and the 80-bit format. The text is
// that of C's %g with as many digits as tell every value from its neighbours, which is what gdb prints.

const EXTENDED_BIAS = 16383;
const FRACTION_BITS = 63;

interface Parts {
  readonly negative: boolean;
  readonly exponent: number;
  readonly significand: bigint;
}

const partsOf = (bits: bigint): Parts => ({
  negative: ((bits >> 79n) & 1n) !== 0n,
  exponent: Number((bits >> 64n) & 0x7fffn),
  significand: BigInt.asUintN(64, bits),
});

/** The nearest number of the same value. @param bits of the 80-bit format */
export function extendedToDouble(bits: bigint): number {
  const { negative, exponent, significand } = partsOf(bits);
  const sign = negative ? -1 : 1;
  if (exponent === 0x7fff) return BigInt.asUintN(63, significand) === 0n ? sign * Infinity : NaN;
  const scale = Math.max(exponent, 1) - EXTENDED_BIAS - FRACTION_BITS;
  // Two steps, since 2 ** scale alone may lie outside the range.
  const half = Math.trunc(scale / 2);
  return sign * Number(significand) * 2 ** half * 2 ** (scale - half);
}

/** A number in the 80-bit format, exactly. */
export function doubleToExtended(value: number): bigint {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const sign = (bits >> 63n) << 79n;
  const exponent = Number((bits >> 52n) & 0x7ffn);
  const fraction = BigInt.asUintN(52, bits);
  if (exponent === 0x7ff) return sign | (0x7fffn << 64n) | (1n << 63n) | (fraction << 11n);
  if (exponent === 0 && fraction === 0n) return sign;
  let significand = exponent === 0 ? fraction << 11n : (1n << 63n) | (fraction << 11n);
  let power = Math.max(exponent, 1) - 1023 + EXTENDED_BIAS;
  for (; significand >> 63n === 0n; power--) significand <<= 1n;
  return sign | (BigInt(power) << 64n) | significand;
}

/** Significant digits of each format: 2 + floor(precision x log10 2). */
const DIGITS: Readonly<Record<number, number>> = { 4: 9, 8: 17 };
const EXTENDED_DIGITS = 21;

/** A value of 4, 8, 10, 12 or 16 bytes, the last three of the 80-bit format; undefined for other sizes. */
export function floatText(bytes: Uint8Array): string | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length === 4) return doubleText(view.getFloat32(0, true), DIGITS[4]!, fractionText(bytes, 23));
  if (bytes.length === 8) return doubleText(view.getFloat64(0, true), DIGITS[8]!, fractionText(bytes, 52));
  if (bytes.length !== 10 && bytes.length !== 12 && bytes.length !== 16) return undefined;
  const bits = view.getBigUint64(0, true) | (BigInt(view.getUint16(8, true)) << 64n);
  return extendedText(bits);
}

/** Payload of a NaN, in hexadecimal. */
function fractionText(bytes: Uint8Array, width: number): string {
  let bits = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) bits = (bits << 8n) | BigInt(bytes[i]!);
  return `${bits >> BigInt(8 * bytes.length - 1) !== 0n ? '-' : ''}nan(0x${BigInt.asUintN(width, bits).toString(16)})`;
}

function doubleText(value: number, digits: number, nan: string): string {
  if (Number.isNaN(value)) return nan;
  if (!Number.isFinite(value)) return value < 0 ? '-inf' : 'inf';
  if (value === 0) return Object.is(value, -0) ? '-0' : '0';
  const [mantissa, exponent] = Math.abs(value)
    .toExponential(digits - 1)
    .split('e');
  return general(value < 0, mantissa!.replace('.', ''), Number(exponent), digits);
}

function extendedText(bits: bigint): string {
  const { negative, exponent, significand } = partsOf(bits);
  const sign = negative ? '-' : '';
  // Unnormals and pseudo-denormals (SDM vol. 1, 8.2.2): no processor since the 387 makes or takes them.
  if ((exponent === 0) === (significand >> 63n !== 0n)) return '<invalid float value>';
  if (exponent === 0x7fff) {
    // The integer bit of the format is part of what gdb prints of a NaN.
    return BigInt.asUintN(63, significand) === 0n ? `${sign}inf` : `${sign}nan(0x${significand.toString(16)})`;
  }
  if (significand === 0n) return `${sign}0`;
  const scale = BigInt(Math.max(exponent, 1) - EXTENDED_BIAS - FRACTION_BITS);
  const [over, under] = scale >= 0n ? [significand << scale, 1n] : [significand, 1n << -scale];
  // The decimal exponent by estimate, then corrected by comparison.
  let power = Math.floor((significand.toString(2).length - 1 + Number(scale)) * Math.LOG10E * Math.LN2);
  const ten = (n: number): bigint => 10n ** BigInt(n);
  const below = (n: number): boolean => (n >= 0 ? over < under * ten(n) : over * ten(-n) < under);
  while (below(power)) power--;
  while (!below(power + 1)) power++;
  const shift = EXTENDED_DIGITS - 1 - power;
  const [top, bottom] = shift >= 0 ? [over * ten(shift), under] : [over, under * ten(-shift)];
  let digits = top / bottom;
  const rest = 2n * (top % bottom);
  if (rest > bottom || (rest === bottom && digits % 2n === 1n)) digits++;
  let text = digits.toString();
  if (text.length > EXTENDED_DIGITS) {
    text = text.slice(0, EXTENDED_DIGITS);
    power++;
  }
  return general(negative, text, power, EXTENDED_DIGITS);
}

/** %g: the digits of a value in [1, 10) and its power of ten. */
function general(negative: boolean, digits: string, exponent: number, precision: number): string {
  const sign = negative ? '-' : '';
  const shown = digits.replace(/0+$/, '');
  if (exponent < -4 || exponent >= precision) {
    const power = `${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
    return `${sign}${shown[0]}${shown.length > 1 ? `.${shown.slice(1)}` : ''}e${power}`;
  }
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${shown}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0');
  const fraction = shown.slice(exponent + 1);
  return `${sign}${whole}${fraction === '' ? '' : `.${fraction}`}`;
}
