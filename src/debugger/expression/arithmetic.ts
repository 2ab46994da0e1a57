// C's arithmetic on values (C11 6.3.1.8 and 6.5): the usual conversions, operators on integers and floating point, conversion to a type.
// Pointers are evaluate.ts' business, but for conversion, where they count as unsigned.
import { extendedBinary } from '../../symbols/value/extended-arithmetic.ts';
import { doubleToExtended, extendedToDouble } from '../../symbols/value/floats.ts';
import { fromBytes, toBytes } from '../../symbols/location-value.ts';
import { isFloat, isSigned, sizeOf, stripped, type BaseType, type CType } from '../../symbols/types.ts';
import { typeName } from '../../symbols/type-names.ts';
import type { Value } from '../../symbols/value/value.ts';
import { BUILTIN } from './builtin-types.ts';
import { ExpressionError } from './error.ts';

export interface Scalar {
  readonly type: CType;
  readonly bytes: Uint8Array;
}

export const ofInteger = (type: CType, value: bigint): Scalar => ({ type, bytes: toBytes(value, sizeOf(type)) });

export function ofNumber(type: CType, value: number): Scalar {
  const size = sizeOf(type);
  if (size > 8) return { type, bytes: toBytes(doubleToExtended(value), size) };
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  if (size === 4) view.setFloat32(0, value, true);
  else view.setFloat64(0, value, true);
  return { type, bytes };
}

export function integerOf({ type, bytes }: Scalar): bigint {
  const value = fromBytes(bytes);
  return isSigned(type) ? BigInt.asIntN(8 * bytes.length, value) : value;
}

export function numberOf(scalar: Scalar): number {
  const { type, bytes } = scalar;
  if (!isFloat(type)) return Number(integerOf(scalar));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length === 4) return view.getFloat32(0, true);
  if (bytes.length === 8) return view.getFloat64(0, true);
  return extendedToDouble(BigInt.asUintN(80, fromBytes(bytes)));
}

/** The bytes of a value of a scalar type. @throws ExpressionError where it cannot be read */
export function scalarOf(value: Value): Scalar {
  const read = value.bytes;
  if (!read.ok)
    throw new ExpressionError(read.reason === '<optimized out>' ? 'the value has been optimized out' : read.reason);
  return { type: value.type, bytes: read.bytes };
}

export const isTrue = (scalar: Scalar): boolean =>
  isFloat(scalar.type) ? numberOf(scalar) !== 0 : scalar.bytes.some((byte) => byte !== 0);

/** As a cast does. */
export function convert(scalar: Scalar, type: CType): Scalar {
  const plain = stripped(type);
  if (plain.kind === 'base' && plain.encoding === 'boolean') return ofInteger(type, isTrue(scalar) ? 1n : 0n);
  if (isFloat(type)) {
    const same = isFloat(scalar.type) && sizeOf(scalar.type) === sizeOf(type);
    return same ? { type, bytes: scalar.bytes } : ofNumber(type, numberOf(scalar));
  }
  if (isFloat(scalar.type)) {
    const value = Math.trunc(numberOf(scalar));
    return ofInteger(type, Number.isFinite(value) ? BigInt(value) : 0n);
  }
  return ofInteger(type, integerOf(scalar));
}

/** The integer promotions: nothing narrower than int takes part in arithmetic. */
export function promoted(type: CType): CType {
  const plain = stripped(type);
  if (plain.kind === 'enum') return plain.signed ? BUILTIN.int : BUILTIN['unsigned int'];
  if (plain.kind !== 'base' || isFloat(plain)) return plain;
  return plain.size < 4 ? BUILTIN.int : plain;
}

const RANKS = ['int', 'long', 'long long'] as const;

/** long is of the size of int, but of a higher rank. */
function rankOf(type: BaseType): number {
  if (type.size === 8) return 2;
  return /\blong\b/.test(type.name) ? 1 : 0;
}

/** The usual arithmetic conversions. */
export function common(left: CType, right: CType): CType {
  const [a, b] = [promoted(left), promoted(right)];
  if (a.kind !== 'base' || b.kind !== 'base') {
    throw new ExpressionError(`${typeName(left)} and ${typeName(right)} do not go together in arithmetic`);
  }
  if (isFloat(a) || isFloat(b)) {
    const size = Math.max(isFloat(a) ? a.size : 0, isFloat(b) ? b.size : 0);
    return size === 4 ? BUILTIN.float : size === 8 ? BUILTIN.double : BUILTIN['long double'];
  }
  const rank = Math.max(rankOf(a), rankOf(b));
  const size = rank === 2 ? 8 : 4;
  // An unsigned operand of the result's own size makes it unsigned.
  const unsigned = [a, b].some((type) => !isSigned(type) && type.size === size && rankOf(type) === rank);
  const narrow = [a, b].some((type) => !isSigned(type) && type.size === size);
  const name = RANKS[rank]!;
  return unsigned || narrow ? BUILTIN[`unsigned ${name}`] : BUILTIN[name];
}

const COMPARISONS: Readonly<Record<string, (a: bigint | number, b: bigint | number) => boolean>> = {
  '==': (a, b) => a === b,
  '!=': (a, b) => a !== b,
  '<': (a, b) => a < b,
  '>': (a, b) => a > b,
  '<=': (a, b) => a <= b,
  '>=': (a, b) => a >= b,
};

/** Arithmetic, shifts, bits and comparisons of two numbers. @throws ExpressionError */
export function binary(operator: string, left: Scalar, right: Scalar): Scalar {
  const shift = operator === '<<' || operator === '>>';
  const type = shift ? promoted(left.type) : common(left.type, right.type);
  const comparison = COMPARISONS[operator];
  if (isFloat(type)) {
    const [a, b] = [numberOf(convert(left, type)), numberOf(convert(right, type))];
    if (comparison !== undefined) return ofInteger(BUILTIN.int, comparison(a, b) ? 1n : 0n);
    if (sizeOf(type) > 8) {
      const bits = (scalar: Scalar) => BigInt.asUintN(80, fromBytes(convert(scalar, type).bytes));
      const exact = extendedBinary(operator, bits(left), bits(right));
      if (exact !== undefined) return { type, bytes: toBytes(exact, sizeOf(type)) };
    }
    const result = floating(operator, a, b);
    if (result === undefined) throw new ExpressionError(`"${operator}" does not apply to floating-point numbers`);
    return ofNumber(type, result);
  }
  const [a, b] = [integerOf(convert(left, type)), integerOf(shift ? right : convert(right, type))];
  if (comparison !== undefined) return ofInteger(BUILTIN.int, comparison(a, b) ? 1n : 0n);
  return ofInteger(type, integral(operator, a, b, 8 * sizeOf(type)));
}

function floating(operator: string, a: number, b: number): number | undefined {
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
      return a / b;
    default:
      return undefined;
  }
}

function integral(operator: string, a: bigint, b: bigint, width: number): bigint {
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
    case '%':
      if (b === 0n) throw new ExpressionError('division by zero');
      return operator === '/' ? a / b : a % b;
    case '&':
      return a & b;
    case '|':
      return a | b;
    case '^':
      return a ^ b;
    case '<<':
    case '>>':
      if (b < 0n || b >= BigInt(width)) throw new ExpressionError(`a shift by ${b} of a value of ${width} bits`);
      return operator === '<<' ? a << b : a >> b;
    default:
      throw new ExpressionError(`"${operator}" does not apply to numbers`);
  }
}

export function negate(scalar: Scalar): Scalar {
  const type = promoted(scalar.type);
  return isFloat(type) ? ofNumber(type, -numberOf(convert(scalar, type))) : ofInteger(type, -integerOf(scalar));
}

export function complement(scalar: Scalar): Scalar {
  const type = promoted(scalar.type);
  if (isFloat(type)) throw new ExpressionError('"~" does not apply to floating-point numbers');
  return ofInteger(type, ~integerOf(convert(scalar, type)));
}
