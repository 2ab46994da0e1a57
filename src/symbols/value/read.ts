// The bytes of a value: from memory, a register, a constant, or put together from pieces. Not what they mean: that is format.ts.
import { cannotAccess, fromBytes, registerAt, toBytes, type Location, type ReadMemory } from '../location-value.ts';

export type ReadResult =
  | { readonly ok: true; readonly bytes: Uint8Array }
  /** `optimized-out`, or one sentence why not. */
  | { readonly ok: false; readonly reason: string };

export const OPTIMIZED_OUT_TEXT = '<optimized out>';

/** What values are read from. */
export interface ValueSource {
  readonly memory: ReadMemory;
  readonly registers: readonly (number | undefined)[];
  readonly registerBytes?: (number: number) => Uint8Array | undefined;
}

/** Larger values are not read at once: their parts are. */
export const MAX_BYTES = 1 << 24;

/** `size` bytes of the value at a location. */
export function readLocation(location: Location, size: number, source: ValueSource): ReadResult {
  if (!(size <= MAX_BYTES)) return { ok: false, reason: `the value has ${size} bytes, more than can be shown at once` };
  switch (location.kind) {
    case 'memory': {
      const bytes = new Uint8Array(size);
      const read = size === 0 ? 0 : source.memory(location.address, bytes);
      if (read >= size) return { ok: true, bytes };
      return { ok: false, reason: cannotAccess(location.address + read) };
    }
    case 'register':
      return readRegister(location.register, size, source);
    case 'value': {
      const bytes = new Uint8Array(size);
      bytes.set(location.bytes.subarray(0, size));
      return { ok: true, bytes };
    }
    case 'pieces':
      return readPieces(location.pieces, size, source);
    case 'implicit-pointer':
      return { ok: false, reason: '<synthetic pointer>' };
    case 'optimized-out':
      return { ok: false, reason: OPTIMIZED_OUT_TEXT };
    case 'unavailable':
      return { ok: false, reason: location.reason };
  }
}

function readRegister(number: number, size: number, source: ValueSource): ReadResult {
  const wide = source.registerBytes?.(number);
  if (wide !== undefined && (size > 4 || number > 9)) {
    const bytes = new Uint8Array(size);
    bytes.set(wide.subarray(0, size));
    return { ok: true, bytes };
  }
  const bytes = new Uint8Array(Math.max(4, Math.ceil(size / 4) * 4));
  for (let i = 0; 4 * i < size; i++) {
    const part = registerAt(number, 4 * i);
    const value = part === undefined ? undefined : source.registers[part];
    // Of the ten a frame may have lost some, which is as good as optimised out; others are not known at all.
    if (value === undefined) return { ok: false, reason: number <= 9 ? OPTIMIZED_OUT_TEXT : '<unavailable>' };
    new DataView(bytes.buffer).setUint32(4 * i, value, true);
  }
  return { ok: true, bytes: bytes.subarray(0, size) };
}

function readPieces(
  pieces: readonly { readonly bits: number; readonly offset: number; readonly location: Location }[],
  size: number,
  source: ValueSource,
): ReadResult {
  let value = 0n;
  let at = 0;
  for (const { bits, offset, location } of pieces) {
    if (at >= 8 * size) break;
    const bytes = readLocation(location, Math.ceil((bits + offset) / 8), source);
    if (!bytes.ok) return bytes;
    let part = 0n;
    for (let i = bytes.bytes.length - 1; i >= 0; i--) part = (part << 8n) | BigInt(bytes.bytes[i]!);
    value |= BigInt.asUintN(bits, part >> BigInt(offset)) << BigInt(at);
    at += bits;
  }
  return { ok: true, bytes: toBytes(value, size) };
}

/** A bit-field's value out of the bytes of its whole. @param offset in bits from the first byte's least significant one */
export function bitsIn(bytes: Uint8Array, offset: number, size: number): bigint {
  const first = Math.floor(offset / 8);
  const last = Math.ceil((offset + size) / 8);
  return BigInt.asUintN(size, fromBytes(bytes.subarray(first, last)) >> BigInt(offset - 8 * first));
}
