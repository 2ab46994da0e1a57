// Packs records as src/monitor/packing.ts says, a word at a time: what packer-code.ts must make of them too. Not used outside tests.

import { KINDS } from '../../src/monitor/events.ts';
import { RECORD_WORDS } from '../../src/monitor/record.ts';

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
const LONGEST_RUN = 127;
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

export class PlainPacker {
  private readonly table = new Int32Array(TABLE_WORDS);
  private readonly kinds = new Uint8Array(TABLE_WORDS);
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

  /** A new block, which goes to `out` from `end` on. */
  begin(out: Uint16Array<ArrayBuffer>, end: number): void {
    this.table.fill(0);
    this.kinds.fill(0);
    this.out = out;
    this.end = end;
    this.row = this.place = this.cycles = this.icount = this.high = this.cr3 = this.context = 0;
  }

  /** @param words signed: so V8 computes with 32-bit integers. */
  pack(words: Int32Array, from: number, count: number): void {
    const { out, table } = this;
    let { end, row, place, cycles, icount, high, cr3, context } = this;
    const last = from + count * RECORD_WORDS;
    let run = 0;
    for (let at = from; at < last; at += RECORD_WORDS) {
      const word = words[at]!;
      const kind = word & KIND_MASK;
      const eip = words[at + 4]!;
      const kindForetold = this.kinds[row] === kind;
      this.kinds[row] = kind;
      let head = kind;
      // A run that ends here comes first.
      const start = run > 0 ? end + 1 : end;
      let to = start + 1;
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
      if (head === kind && kindForetold) {
        if (++run < LONGEST_RUN) continue;
        out[end++] = SHORT | run;
      } else {
        if (run > 0) out[end] = SHORT | run;
        out[start] = head;
        end = to;
      }
      run = 0;
    }
    if (run > 0) out[end++] = SHORT | run;
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
