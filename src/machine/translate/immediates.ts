// Immediate operands that code patches while it runs: they are the last bytes of their instruction, and its entry holds them as they are. So an entry
// takes in new ones without being decoded again, even while it is executed: what a form needs of its immediate it reads before it stores. Not the
// instructions of which more has changed (block-sources.ts). SDM vol. 2, 2.1 (instruction format).

import type { Row } from '../isa/row.ts';
import { Entry, ENTRY_SIZE } from './entry.ts';

const PAGE_BYTES = 4096;

/**
 * How many last bytes of an instruction `imm` in its entry is, sign-extended; 0: none, or more depends on them. A target is kept with its link, a helper
 * has the operand too, and x87 instructions have something else in this place.
 */
export const immediateBytes = ({ operands, helper, unit }: Row, size: 16 | 32): number => {
  if (helper !== undefined || unit === 'fpu') return 0;
  let bytes = 0;
  for (const { kind, bits } of operands) {
    if (kind === 'J' || kind === 'A') return 0;
    if (kind !== 'I' && kind !== 'Is') continue;
    if (bytes !== 0) return 0;
    bytes = kind === 'Is' ? 1 : (bits > 0 ? bits : size) / 8;
  }
  return bytes;
};

export class Immediates {
  /** @param ofSlot `immediateBytes` of the forms by their table slots; 0 for what is no form */
  constructor(
    private readonly i32: Int32Array,
    private readonly u8: Uint8Array,
    private readonly ofSlot: Uint8Array,
  ) {}

  /** Of an instruction whose entry has, or had, the function `slot`. */
  bytes(slot: number): number {
    return this.ofSlot[slot] ?? 0;
  }
  /** The entry of an instruction takes in the last `bytes` of those that end at linear-memory address `end`. */
  take(entry: number, bytes: number, end: number): void {
    const { u8 } = this;
    const last = (u8[end - 1]! << 24) >> 24;
    this.i32[(entry + Entry.imm) >> 2] =
      bytes === 1
        ? last
        : bytes === 2
          ? (last << 8) | u8[end - 2]!
          : (last << 24) | (u8[end - 2]! << 16) | (u8[end - 3]! << 8) | u8[end - 4]!;
  }

  /**
   * Bytes [from, to) of a page were stored to, which begins at an EIP and at linear-memory address `place`: the block of entries [first, end) takes them in.
   * False: they are more than immediates of it.
   */
  patch(first: number, end: number, eip: number, place: number, from: number, to: number): boolean {
    const { i32, u8 } = this;
    for (let at = first; at < end; at += ENTRY_SIZE) {
      const offset = (i32[(at + Entry.eip) >> 2]! - eip) | 0;
      const behind = offset + u8[at + Entry.length]!;
      if (offset >= to) return true;
      // Neither what comes before the store nor the head or an address entry.
      const next = at + ENTRY_SIZE;
      if (behind <= from || (next < end && i32[(next + Entry.eip) >> 2] === i32[(at + Entry.eip) >> 2])) continue;
      const bytes = this.bytes(i32[at >> 2]!);
      if (bytes === 0 || from < behind - bytes || behind > PAGE_BYTES) return false;
      this.take(at, bytes, place + behind);
    }
    return true;
  }
}
