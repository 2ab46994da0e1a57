// A cursor over the bytes of one debug section: fixed-size integers, LEB128, addresses, offsets, strings (DWARF 5, 7.6).
// It never throws: a read beyond the end gives 0, moves to the end and sets `overrun`, so that every loop over it ends.
import { cString } from '../../machine/elf.ts';

export class Reader {
  position: number;
  readonly end: number;
  /** Set once something was read that is not there. */
  overrun = false;

  constructor(
    readonly bytes: Uint8Array,
    start = 0,
    end = bytes.length,
  ) {
    this.end = Math.max(0, Math.min(end, bytes.length));
    this.position = start;
    if (!(start >= 0 && start <= this.end)) this.#fail();
  }

  get more(): boolean {
    return this.position < this.end;
  }

  u8(): number {
    return this.position < this.end ? this.bytes[this.position++]! : this.#beyond();
  }
  i8(): number {
    return (this.u8() << 24) >> 24;
  }
  u16(): number {
    const { bytes, position } = this;
    if (position + 2 > this.end) return this.#beyond();
    this.position = position + 2;
    return bytes[position]! | (bytes[position + 1]! << 8);
  }
  u32(): number {
    const { bytes, position } = this;
    if (position + 4 > this.end) return this.#beyond();
    this.position = position + 4;
    return (
      (bytes[position]! | (bytes[position + 1]! << 8) | (bytes[position + 2]! << 16) | (bytes[position + 3]! << 24)) >>>
      0
    );
  }
  /** Exact below 2^53. */
  u64(): number {
    const low = this.u32();
    return low + this.u32() * 0x1_0000_0000;
  }

  /** All 64 bits. */
  u64Exact(): bigint {
    const low = this.u32();
    return BigInt(low) | (BigInt(this.u32()) << 32n);
  }

  /** Unsigned LEB128, exact below 2^53. */
  uleb(): number {
    const first = this.u8();
    if (first < 0x80) return first;
    let value = first & 0x7f;
    for (let scale = 128; ; scale *= 128) {
      const byte = this.u8();
      // Beyond the 64 bits a producer can mean, padding and damage alike add nothing.
      if (scale < 2 ** 64) value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  }

  /** Signed LEB128, exact within 2^53. */
  sleb(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.u8();
      if (scale < 2 ** 64) value += (byte & 0x7f) * scale;
      if (byte < 0x80) return (byte & 0x40) !== 0 && scale < 2 ** 64 ? value - scale * 128 : value;
    }
  }

  /** Unsigned LEB128 of up to 64 bits. */
  ulebExact(): bigint {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.u8();
      if (shift < 64n) value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
  }

  /** Signed LEB128 of up to 64 bits. */
  slebExact(): bigint {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.u8();
      if (shift < 64n) value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asIntN(64, (byte & 0x40) !== 0 && shift < 64n ? value - (128n << shift) : value);
    }
  }

  skipLeb(): void {
    while (this.u8() >= 0x80);
  }

  /** An unsigned integer of 1 to 8 bytes; any other size fails. */
  unsigned(size: number): number {
    if (size === 4) return this.u32();
    if (size === 8) return this.u64();
    if (size === 1) return this.u8();
    if (size === 2) return this.u16();
    if (size === 3) return this.u16() + this.u8() * 0x10000;
    return this.#beyond();
  }

  /** A zero-terminated string in place. */
  string(): string {
    const start = this.position;
    this.skipString();
    return cString(this.bytes, start, this.position);
  }
  skipString(): void {
    const zero = this.bytes.indexOf(0, this.position);
    if (zero < 0 || zero >= this.end) this.#fail();
    else this.position = zero + 1;
  }

  /** The next bytes, a view; empty if they are not all there. */
  block(length: number): Uint8Array {
    const start = this.position;
    return this.#take(length) ? this.bytes.subarray(start, start + length) : this.bytes.subarray(0, 0);
  }

  skip(count: number): void {
    this.#take(count);
  }

  /** The initial length of a unit: its end (clamped to the section) and its offset size, 4 or 8 bytes. */
  unitLength(): { end: number; offsetSize: 4 | 8; damaged: boolean } {
    let length = this.u32();
    let offsetSize: 4 | 8 = 4;
    if (length === 0xffff_ffff) {
      offsetSize = 8;
      length = this.u64();
    }
    const end = this.position + length;
    // Values from fffffff0h are reserved: no such unit exists.
    const damaged = this.overrun || end > this.end || (offsetSize === 4 && length >= 0xffff_fff0);
    return { end: Math.min(end, this.end), offsetSize, damaged };
  }

  #take(count: number): boolean {
    if (!(count >= 0) || this.position + count > this.end) {
      this.#fail();
      return false;
    }
    this.position += count;
    return true;
  }

  #beyond(): number {
    this.#fail();
    return 0;
  }
  #fail(): void {
    this.overrun = true;
    this.position = this.end;
  }
}
