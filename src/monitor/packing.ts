// Records of twelve words (record.ts) packed to as little as two bytes: a record says only what cannot be told from the records before it.
// A machine that does the same again and again makes the same records again and again; memory that is not written costs neither room nor
// time. Lossless. Not where packed blocks are kept (record-blocks.ts).
//
// A block is up to 1024 records and is unpacked from its start. What is foretold of a record, at the start of a block all zero:
//   its surroundings (domain, vCPU, upper halves of the times, CR3, CPL)   those of the record before it
//   its EIP                                        what followed the record before it the last time
//   its distance in time and its operands          those of the last record of this kind and EIP
// "The last time" is a table of 256 rows, by a hash of kind and EIP: rows that share a place make records longer, not wrong.
//
// A packed record is 16-bit words: a head; for surroundings that changed a word that says which, and they; and by how much each of the other
// words is off, low half first, or where all are off by less than 2^15 the low halves alone.
// Head: kind 5:0, surroundings changed 6, off are EIP 7, cycles 8, instruction count 9, operands 14:10; low halves alone 15.

import { KINDS } from './events.ts';
import { RECORD_WORDS } from './record.ts';

/** Records of a block. */
export const BLOCK_RECORDS = 1024;
/** No packed record has more 16-bit words: head, surroundings' word, twelve words. */
export const LONGEST_PACKED = 2 + 2 * RECORD_WORDS;

const KIND_MASK = KINDS - 1;
const SURROUNDINGS = 1 << 6;
const EIP = 1 << 7;
const CYCLES = 1 << 8;
const ICOUNT = 1 << 9;
const OPERAND_0 = 1 << 10;
const OPERAND_1 = 1 << 11;
const OPERAND_2 = 1 << 12;
const OPERAND_3 = 1 << 13;
const OPERAND_4 = 1 << 14;
const SHORT = 1 << 15;
/** In the surroundings' word. */
const PLACE = 1;
const HIGH = 2;
const CR3 = 4;
const CONTEXT = 8;

/** A row of the table: EIP of the next record, distance in cycles, distance in instructions, five operands. */
const ROW_SHIFT = 3;
const ROWS_SHIFT = 8;
const TABLE_WORDS = 1 << (ROWS_SHIFT + ROW_SHIFT);

const rowOf = (kind: number, eip: number): number =>
  (Math.imul(eip ^ (kind << 20), 0x9e37_79b1) >>> (32 - ROWS_SHIFT)) << ROW_SHIFT;

/** Packs the records of one block after the other; a block may come in pieces. */
export class Packer {
  private readonly table = new Int32Array(TABLE_WORDS);
  private out = new Uint16Array(0);
  /** Where the next packed record goes in `out`. */
  end = 0;
  private row = 0;
  private place = 0;
  private cycles = 0;
  private icount = 0;
  private high = 0;
  private cr3 = 0;
  private context = 0;

  /** A new block, which goes to `out` from `end` on: there is room for BLOCK_RECORDS * LONGEST_PACKED. */
  begin(out: Uint16Array<ArrayBuffer>, end: number): void {
    this.table.fill(0);
    this.out = out;
    this.end = end;
    this.row = this.place = this.cycles = this.icount = this.high = this.cr3 = this.context = 0;
  }

  /** @param words signed: so V8 computes with 32-bit integers. */
  pack(words: Int32Array, from: number, count: number): void {
    const { out, table } = this;
    let { end, row, place, cycles, icount, high, cr3, context } = this;
    const last = from + count * RECORD_WORDS;
    for (let at = from; at < last; at += RECORD_WORDS) {
      const word = words[at]!;
      const kind = word & KIND_MASK;
      const eip = words[at + 4]!;
      let head = kind;
      let to = end + 1;
      if (
        (((word ^ place) & ~KIND_MASK) |
          (words[at + 3]! ^ high) |
          (words[at + 5]! ^ cr3) |
          (words[at + 6]! ^ context)) !==
        0
      ) {
        head |= SURROUNDINGS;
        let which = 0;
        const said = to++;
        if (((word ^ place) & ~KIND_MASK) !== 0) {
          which |= PLACE;
          place = word & ~KIND_MASK;
          out[to++] = place;
          out[to++] = place >>> 16;
        }
        if (words[at + 3]! !== high) {
          which |= HIGH;
          high = words[at + 3]!;
          out[to++] = high;
          out[to++] = high >>> 16;
        }
        if (words[at + 5]! !== cr3) {
          which |= CR3;
          cr3 = words[at + 5]!;
          out[to++] = cr3;
          out[to++] = cr3 >>> 16;
        }
        if (words[at + 6]! !== context) {
          which |= CONTEXT;
          context = words[at + 6]!;
          out[to++] = context;
          out[to++] = context >>> 16;
        }
        out[said] = which;
      }
      const first = to;
      let wide = 0;
      if (eip !== table[row]!) {
        head |= EIP;
        const off = (eip - table[row]!) | 0;
        table[row] = eip;
        out[to++] = off;
        out[to++] = off >>> 16;
        wide |= off + 0x8000;
      }
      row = rowOf(kind, eip);
      const passed = (words[at + 1]! - cycles) | 0;
      cycles = words[at + 1]!;
      if (passed !== table[row + 1]!) {
        head |= CYCLES;
        const off = (passed - table[row + 1]!) | 0;
        table[row + 1] = passed;
        out[to++] = off;
        out[to++] = off >>> 16;
        wide |= off + 0x8000;
      }
      const retired = (words[at + 2]! - icount) | 0;
      icount = words[at + 2]!;
      if (retired !== table[row + 2]!) {
        head |= ICOUNT;
        const off = (retired - table[row + 2]!) | 0;
        table[row + 2] = retired;
        out[to++] = off;
        out[to++] = off >>> 16;
        wide |= off + 0x8000;
      }
      const a = words[at + 7]!;
      if (a !== table[row + 3]!) {
        head |= OPERAND_0;
        const off = (a - table[row + 3]!) | 0;
        table[row + 3] = a;
        out[to++] = off;
        out[to++] = off >>> 16;
        wide |= off + 0x8000;
      }
      const b = words[at + 8]!;
      if (b !== table[row + 4]!) {
        head |= OPERAND_1;
        const off = (b - table[row + 4]!) | 0;
        table[row + 4] = b;
        out[to++] = off;
        out[to++] = off >>> 16;
        wide |= off + 0x8000;
      }
      const c = words[at + 9]!;
      if (c !== table[row + 5]!) {
        head |= OPERAND_2;
        const off = (c - table[row + 5]!) | 0;
        table[row + 5] = c;
        out[to++] = off;
        out[to++] = off >>> 16;
        wide |= off + 0x8000;
      }
      const d = words[at + 10]!;
      if (d !== table[row + 6]!) {
        head |= OPERAND_3;
        const off = (d - table[row + 6]!) | 0;
        table[row + 6] = d;
        out[to++] = off;
        out[to++] = off >>> 16;
        wide |= off + 0x8000;
      }
      const e = words[at + 11]!;
      if (e !== table[row + 7]!) {
        head |= OPERAND_4;
        const off = (e - table[row + 7]!) | 0;
        table[row + 7] = e;
        out[to++] = off;
        out[to++] = off >>> 16;
        wide |= off + 0x8000;
      }
      if (to !== first && wide >>> 16 === 0) {
        head |= SHORT;
        const twice = to;
        to = first + 1;
        for (let low = first + 2; low < twice; low += 2) out[to++] = out[low]!;
      }
      out[end] = head;
      end = to;
    }
    this.end = end;
    this.row = row;
    this.place = place;
    this.cycles = cycles;
    this.icount = icount;
    this.high = high;
    this.cr3 = cr3;
    this.context = context;
  }
}

const table = new Int32Array(TABLE_WORDS);

/** Unpacks the first `count` records of the block that begins at `at` of `packed`, to word `to` of `words` and on. */
export const unpack = (packed: Uint16Array, at: number, count: number, words: Int32Array, to: number): void => {
  table.fill(0);
  let row = 0;
  let place = 0;
  let cycles = 0;
  let icount = 0;
  let high = 0;
  let cr3 = 0;
  let context = 0;
  const last = to + count * RECORD_WORDS;
  let head = 0;
  const next = (): number => {
    const value = packed[at]! | (packed[at + 1]! << 16);
    at += 2;
    return value;
  };
  const off = (): number => ((head & SHORT) === 0 ? next() : (packed[at++]! << 16) >> 16);
  for (; to < last; to += RECORD_WORDS) {
    head = packed[at++]!;
    if ((head & SURROUNDINGS) !== 0) {
      const which = packed[at++]!;
      if ((which & PLACE) !== 0) place = next();
      if ((which & HIGH) !== 0) high = next();
      if ((which & CR3) !== 0) cr3 = next();
      if ((which & CONTEXT) !== 0) context = next();
    }
    if ((head & EIP) !== 0) table[row]! += off();
    const eip = table[row]!;
    const kind = head & KIND_MASK;
    row = rowOf(kind, eip);
    if ((head & CYCLES) !== 0) table[row + 1]! += off();
    if ((head & ICOUNT) !== 0) table[row + 2]! += off();
    if ((head & OPERAND_0) !== 0) table[row + 3]! += off();
    if ((head & OPERAND_1) !== 0) table[row + 4]! += off();
    if ((head & OPERAND_2) !== 0) table[row + 5]! += off();
    if ((head & OPERAND_3) !== 0) table[row + 6]! += off();
    if ((head & OPERAND_4) !== 0) table[row + 7]! += off();
    cycles = (cycles + table[row + 1]!) | 0;
    icount = (icount + table[row + 2]!) | 0;
    words[to] = place | kind;
    words[to + 1] = cycles;
    words[to + 2] = icount;
    words[to + 3] = high;
    words[to + 4] = eip;
    words[to + 5] = cr3;
    words[to + 6] = context;
    words[to + 7] = table[row + 3]!;
    words[to + 8] = table[row + 4]!;
    words[to + 9] = table[row + 5]!;
    words[to + 10] = table[row + 6]!;
    words[to + 11] = table[row + 7]!;
  }
};
