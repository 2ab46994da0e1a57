// The bases in which integers are written where the user asks for one: ONE table, by the letter that stands behind an expression (`flags,b`). The letters
// are gdb's and other debuggers'. Not floating point and not strings, which stay what they are.
import { characterText } from './strings.ts';

interface NumberFormat {
  /** For people. */
  readonly means: string;
  /** @param value its bits, unsigned @param isSigned its type is @param bits how many it has */
  readonly write: (value: bigint, isSigned: boolean, bits: number) => string;
}

const binary = (value: bigint): string => `0b${value.toString(2)}`;

export const NUMBER_FORMATS = {
  x: { means: 'hexadecimal', write: (value) => `0x${value.toString(16)}` },
  d: { means: 'decimal with a sign', write: (value, _, bits) => BigInt.asIntN(bits, value).toString() },
  u: { means: 'decimal without a sign', write: (value) => value.toString() },
  o: { means: 'octal', write: (value) => (value === 0n ? '0' : `0${value.toString(8)}`) },
  b: { means: 'binary', write: binary },
  t: { means: 'binary', write: binary },
  c: {
    means: 'the character of the lowest byte',
    write: (value, isSigned) =>
      `${isSigned ? BigInt.asIntN(8, value) : BigInt.asUintN(8, value)} ${characterText(Number(value & 0xffn))}`,
  },
} as const satisfies Readonly<Record<string, NumberFormat>>;

export type NumberLetter = keyof typeof NUMBER_FORMATS;

/** @param bytes how many the number has */
export function writeNumber(format: NumberLetter, value: bigint, isSigned: boolean, bytes: number): string {
  return NUMBER_FORMATS[format].write(BigInt.asUintN(8 * bytes, value), isSigned, 8 * bytes);
}
