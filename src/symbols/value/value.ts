// A typed value and where it is. Parts of it are values of their own: nothing is read before its bytes are asked for, so a tree of
// values can be opened without end. Not text (format.ts) and not C's operators (debugger/expression).
import {
  fromBytes,
  OPTIMIZED_OUT,
  registerAt,
  toBytes,
  unavailable,
  type Location,
  type Piece,
} from '../location-value.ts';
import { isSigned, sizeOf, stripped, type CType, type Member } from '../types.ts';
import { bitsIn, MAX_BYTES, readLocation, type ReadResult, type ValueSource } from './read.ts';

export class Value {
  #read: ReadResult | undefined;

  constructor(
    readonly type: CType,
    readonly location: Location,
    readonly source: ValueSource,
    /** Of a bit-field: counted from the location's first byte, least significant bit first. */
    readonly bits?: { readonly offset: number; readonly size: number },
  ) {}

  /** A value that stands nowhere. */
  static of(type: CType, bytes: Uint8Array, source: ValueSource): Value {
    return new Value(type, { kind: 'value', bytes }, source);
  }
  static ofInteger(type: CType, value: bigint, source: ValueSource): Value {
    return Value.of(type, toBytes(value, Math.max(1, sizeOf(type))), source);
  }

  /** All of its bytes; a bit-field's are those of its type, extended. */
  get bytes(): ReadResult {
    return (this.#read ??= this.bits === undefined ? this.#whole() : this.#field(this.bits));
  }

  #whole(): ReadResult {
    return readLocation(this.location, sizeOf(this.type), this.source);
  }

  #field(bits: { readonly offset: number; readonly size: number }): ReadResult {
    const first = Math.floor(bits.offset / 8);
    const last = Math.ceil((bits.offset + bits.size) / 8);
    const read = readLocation(within(this.location, first, last - first), last - first, this.source);
    if (!read.ok) return read;
    const raw = bitsIn(read.bytes, bits.offset - 8 * first, bits.size);
    const value = isSigned(this.type) ? BigInt.asIntN(bits.size, raw) : raw;
    return { ok: true, bytes: toBytes(value, sizeOf(this.type)) };
  }

  /** Of integers, enumerations and pointers; undefined where the value cannot be read. */
  get integer(): bigint | undefined {
    const read = this.bytes;
    if (!read.ok) return undefined;
    const value = fromBytes(read.bytes);
    return isSigned(this.type) ? BigInt.asIntN(8 * read.bytes.length, value) : value;
  }

  /** Whether nothing of it is left. */
  get optimizedOut(): boolean {
    return isOptimizedOut(this.location);
  }

  /** Linear address, of what is in memory and no bit-field. */
  get address(): number | undefined {
    return this.location.kind === 'memory' && this.bits === undefined ? this.location.address : undefined;
  }

  member(member: Member): Value {
    const type = member.type;
    if (member.bits !== undefined) {
      const { offset, size } = member.bits;
      // Of pieces, only those that hold the field: its neighbours may be nowhere.
      if (this.location.kind === 'pieces')
        return new Value(type, cut(this.location.pieces, offset, size), this.source, { offset: 0, size });
      return new Value(type, this.location, this.source, member.bits);
    }
    return new Value(type, within(this.location, member.offset, sizeOf(type)), this.source);
  }

  /** An element of an array. */
  element(index: number): Value | undefined {
    const array = stripped(this.type);
    if (array.kind !== 'array') return undefined;
    const size = sizeOf(array.element);
    return new Value(array.element, within(this.location, index * size, size), this.source);
  }

  /** What a pointer points to. */
  target(): Value | undefined {
    const pointer = stripped(this.type);
    const address = this.integer;
    if (pointer.kind !== 'pointer' || address === undefined) return undefined;
    return new Value(pointer.target, { kind: 'memory', address: Number(BigInt.asUintN(32, address)) }, this.source);
  }
}

const isOptimizedOut = (location: Location): boolean =>
  location.kind === 'optimized-out' ||
  (location.kind === 'pieces' && location.pieces.every((piece) => isOptimizedOut(piece.location)));

/** The location of `size` bytes from byte `offset` of another. */
function within(location: Location, offset: number, size: number): Location {
  switch (location.kind) {
    case 'memory':
      return { kind: 'memory', address: (location.address + offset) >>> 0 };
    case 'value': {
      if (!(size <= MAX_BYTES)) return unavailable('the value is too large');
      const bytes = new Uint8Array(size);
      bytes.set(location.bytes.subarray(offset, offset + size));
      return { kind: 'value', bytes };
    }
    case 'register':
      if (offset === 0) return location;
      return inRegister(location.register, offset, size);
    case 'pieces':
      return cut(location.pieces, 8 * offset, 8 * size);
    default:
      return location;
  }
}

function inRegister(first: number, offset: number, size: number): Location {
  const register = registerAt(first, offset);
  if (register === undefined) return OPTIMIZED_OUT;
  const start = 8 * (offset % 4);
  return cut([{ bits: start + 8 * size, offset: 0, location: { kind: 'register', register } }], start, 8 * size);
}

function cut(pieces: readonly Piece[], first: number, length: number): Location {
  const parts: Piece[] = [];
  let at = 0;
  for (const { bits, offset, location } of pieces) {
    const [start, end] = [Math.max(first, at), Math.min(first + length, at + bits)];
    if (end > start) parts.push({ bits: end - start, offset: offset + start - at, location });
    at += bits;
  }
  const [only] = parts;
  if (only === undefined) return OPTIMIZED_OUT;
  const whole = parts.length === 1 && only.offset === 0 && only.bits >= length;
  return whole ? only.location : { kind: 'pieces', pieces: parts };
}
