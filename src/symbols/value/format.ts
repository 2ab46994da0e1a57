// Values as text, as gdb's `print` writes them: numbers, characters, enumerators, pointers with symbols and strings, arrays with counted
// repetitions, structures. What cannot be read is said in its place.
import { cannotAccess, fromBytes } from '../location-value.ts';
import { typeName } from '../type-names.ts';
import {
  isCharacter,
  isSigned,
  sizeOf,
  stripped,
  unqualified,
  type ArrayType,
  type CType,
  type EnumType,
  type StructType,
} from '../types.ts';
import { floatText } from './floats.ts';
import { writeNumber, type NumberLetter } from './number-formats.ts';
import { OPTIMIZED_OUT_TEXT } from './read.ts';
import { characterText, stringText } from './strings.ts';
import type { Value } from './value.ts';

export interface FormatOptions {
  /** The symbol that holds an address, as `name` or `name+4`. */
  readonly symbolAt?: (address: number) => string | undefined;
  /** Elements of an array to write out, and characters of a string where `characters` does not say otherwise. */
  readonly limit?: number;
  readonly characters?: number;
  /** Numbers, members and elements to write out in all: of a text that is cut, what lies behind need not be read. */
  readonly parts?: number;
  /** Zeros behind a text in an array of `char` are left out. */
  readonly trimmed?: boolean;
  /** How integers are written; left out: as their type has it. */
  readonly number?: NumberLetter;
}

const LIMIT = 200;
const REPEATS = 10;
const MAX_DEPTH = 24;
/** Parts of one text: a structure of a damaged file may contain itself. */
const MAX_PARTS = 20_000;
let parts = 0;

/** What `print` prints: a pointer has its type before it. */
export function printValue(value: Value, options: FormatOptions = {}): string {
  const plain = stripped(value.type);
  const text = formatValue(value, options);
  if (plain.kind !== 'pointer' || value.optimizedOut) return text;
  const target = unqualified(plain.target);
  const isPlainString = value.type.kind !== 'typedef' && target.kind === 'base' && target.name === 'char';
  return isPlainString ? text : `(${typeName(value.type)}) ${text}`;
}

/** What stands for the value within others, and in `info locals`. */
export function formatValue(value: Value, options: FormatOptions = {}): string {
  parts = 0;
  return format(value, options, 0);
}

function format(value: Value, options: FormatOptions, depth: number): string {
  if (value.optimizedOut) return OPTIMIZED_OUT_TEXT;
  if (depth > MAX_DEPTH || ++parts > (options.parts ?? MAX_PARTS)) return '{...}';
  const type = stripped(value.type);
  switch (type.kind) {
    case 'struct':
    case 'union':
    case 'class':
      return formatStruct(value, type, options, depth);
    case 'array':
      return formatArray(value, type, options, depth);
    case 'function':
      return `{${typeName(type)}} ${pointerText(value.address ?? 0, options, true)}`;
    case 'void':
      return 'void';
    case 'unknown':
      return `<a value of type ${type.name}, which is not known>`;
    default:
      return formatScalar(value, type, options);
  }
}

function formatScalar(value: Value, type: CType, options: FormatOptions): string {
  const read = value.bytes;
  if (!read.ok) {
    return read.reason.startsWith('<') ? read.reason : `<error: ${read.reason}>`;
  }
  const integer = value.integer ?? 0n;
  switch (type.kind) {
    case 'base':
      return formatBase(type.encoding, read.bytes, integer, formatted(value, read.bytes, options));
    case 'enum': {
      const number = formatted(value, read.bytes, options);
      const name = enumText(type, integer);
      return number === undefined ? name : /^-?\d+$/.test(name) ? number : `${number} ${name}`;
    }
    case 'pointer':
      return formatPointer(Number(BigInt.asUintN(32, integer)), type.target, value, options);
    default:
      return integer.toString();
  }
}

/** An integer in the base that was asked for, if one was. */
function formatted(value: Value, bytes: Uint8Array, { number }: FormatOptions): string | undefined {
  if (number === undefined) return undefined;
  return writeNumber(number, fromBytes(bytes), isSigned(value.type), bytes.length);
}

/** @param number the value in a base that was asked for */
function formatBase(encoding: string, bytes: Uint8Array, integer: bigint, number: string | undefined): string {
  if (encoding === 'float') return floatText(bytes) ?? `<a floating-point number of ${bytes.length} bytes>`;
  if (encoding === 'complex') {
    const half = bytes.length / 2;
    return `${floatText(bytes.slice(0, half)) ?? '?'} + ${floatText(bytes.slice(half)) ?? '?'}i`;
  }
  if (encoding === 'boolean' && number === undefined) {
    if (integer === 0n || integer === 1n) return integer === 1n ? 'true' : 'false';
  }
  const text = number ?? integer.toString();
  return bytes.length === 1 && /char$/.test(encoding) && !text.endsWith("'")
    ? `${text} ${characterText(bytes[0]!)}`
    : text;
}

function formatPointer(address: number, target: CType, value: Value, options: FormatOptions): string {
  const plain = stripped(target);
  if (isCharacter(target)) {
    const shown = pointerText(address, options, false);
    if (address === 0) return shown;
    return `${shown} ${stringAt(address, value, options.characters ?? options.limit ?? LIMIT)}`;
  }
  return pointerText(address, options, plain.kind === 'function');
}

/** @param always a function's symbol is written even if it is no symbol of data */
function pointerText(address: number, options: FormatOptions, _always: boolean): string {
  const symbol = address === 0 ? undefined : options.symbolAt?.(address);
  const number = writeNumber(options.number ?? 'x', BigInt(address), false, 4);
  return symbol === undefined ? number : `${number} <${symbol}>`;
}

/** The string at an address, up to its zero or the limit. */
function stringAt(address: number, value: Value, limit: number): string {
  const bytes = new Uint8Array(limit);
  const read = value.source.memory(address, bytes);
  const end = bytes.subarray(0, read).indexOf(0);
  if (end >= 0) return stringText(bytes.subarray(0, end));
  if (read >= limit) return `${stringText(bytes)}...`;
  if (read === 0) return `<error: ${cannotAccess(address)}>`;
  return `${stringText(bytes.subarray(0, read))}<error: ${cannotAccess(address + read)}>`;
}

/** A name, names joined by `|` where every enumerator is a bit, or the number. */
export function enumText(type: EnumType, value: bigint): string {
  const exact = type.enumerators.find((enumerator) => enumerator.value === value);
  if (exact !== undefined) return exact.name;
  const isFlags = type.enumerators.every((enumerator) => isFlag(enumerator.value));
  if (!isFlags || value < 0n) return value.toString();
  const names: string[] = [];
  let rest = value;
  for (const { name, value: flag } of type.enumerators) {
    if ((rest & flag) === 0n) continue;
    names.push(name);
    rest &= ~flag;
  }
  if (rest !== 0n) names.push(`unknown: 0x${rest.toString(16)}`);
  return names.length === 0 ? '0' : `(${names.join(' | ')})`;
}

/** One bit or none. */
const isFlag = (value: bigint): boolean => value >= 0n && (value & (value - 1n)) === 0n;

function formatStruct(value: Value, type: StructType, options: FormatOptions, depth: number): string {
  if (type.incomplete) return '<incomplete type>';
  if (type.members.length === 0) return '{<No data fields>}';
  const unread = unreadable(value);
  if (unread !== undefined) return unread;
  const texts = type.members.map((member) => {
    const text = format(value.member(member), options, depth + 1);
    return member.name === undefined ? text : `${member.name} = ${text}`;
  });
  return `{${texts.join(', ')}}`;
}

/** Why nothing of a value in memory can be read: said once, not for every part. */
function unreadable(value: Value): string | undefined {
  if (value.location.kind !== 'memory') {
    if (value.location.kind !== 'unavailable') return undefined;
    return `<error: ${value.location.reason}>`;
  }
  const byte = new Uint8Array(1);
  return sizeOf(value.type) > 0 && value.source.memory(value.location.address, byte) === 0
    ? `<error: ${cannotAccess(value.location.address)}>`
    : undefined;
}

function formatArray(value: Value, type: ArrayType, options: FormatOptions, depth: number): string {
  const count = type.count ?? 0;
  const limit = options.limit ?? LIMIT;
  // One without a length is shown as the address of its first element, as C sees it.
  if (count === 0) {
    const { address } = value;
    return address === undefined ? '{}' : formatPointer(address, type.element, value, options);
  }
  const unread = unreadable(value);
  if (unread !== undefined) return unread;
  if (isCharacter(type.element) && !type.vector) {
    const read = value.bytes;
    if (!read.ok) return read.reason.startsWith('<') ? read.reason : `<error: ${read.reason}>`;
    if (options.trimmed === true && isPlainCharacter(type.element)) {
      const used = read.bytes.findLastIndex((byte) => byte !== 0) + 1;
      const most = options.characters ?? limit;
      return used > most ? `${stringText(read.bytes.subarray(0, most))}...` : stringText(read.bytes.subarray(0, used));
    }
    if (count > limit) {
      // A run of the same characters is not cut through.
      let end = limit;
      while (end < count && read.bytes[end] === read.bytes[end - 1]) end++;
      if (end < count) return `${stringText(read.bytes.subarray(0, end))}...`;
    }
    // The zero that ends a string goes without saying.
    const ended = read.bytes[count - 1] === 0 ? count - 1 : count;
    return ended === 0 ? '""' : stringText(read.bytes.subarray(0, ended));
  }
  const texts: string[] = [];
  let shown = 0;
  let index = 0;
  const size = Math.max(1, sizeOf(type.element));
  for (; index < count && shown < limit;) {
    const element = value.element(index)!;
    const text = format(element, options, depth + 1);
    // Behind memory that cannot be read there is more of it: said once.
    if (text.startsWith('<error: ')) {
      texts.push(text);
      break;
    }
    const same = sameElements(value, index, count, size);
    if (same > REPEATS) {
      texts.push(`${text} <repeats ${same} times>`);
      shown += REPEATS;
      index += same;
    } else {
      texts.push(text);
      shown++;
      index++;
    }
  }
  return `{${texts.join(', ')}${index < count ? '...' : ''}}`;
}

/** `char` itself: text, not bytes. */
const isPlainCharacter = (type: CType): boolean => {
  const plain = stripped(type);
  return plain.kind === 'base' && plain.name === 'char';
};

/** How many elements from `index` on are the same, byte by byte. */
function sameElements(value: Value, index: number, count: number, size: number): number {
  const first = value.element(index)!.bytes;
  if (!first.ok) return 1;
  let next = index + 1;
  for (; next < count; next++) {
    const other = value.element(next)!.bytes;
    if (!other.ok) break;
    let equal = true;
    for (let i = 0; equal && i < size; i++) equal = other.bytes[i] === first.bytes[i];
    if (!equal) break;
  }
  return next - index;
}
