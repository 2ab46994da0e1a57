// Packs records as src/monitor/packing.ts says, a word at a time: what packer-code.ts must make of them too. Not used outside tests.

import { KINDS } from '../../src/monitor/events.ts';
import { RECORD_WORDS } from '../../src/monitor/record.ts';

const KIND_MASK = KINDS - 1;
const SURROUNDINGS = 1 << 6;
/** Words that are off, from the EIP on. */
const OFF_SHIFT = 7;
const SHORT = 1 << 15;
const LONGEST_RUN = 127;
/** In the surroundings' word. */
const PLACE = 1;
const HIGH = 2;
const CR3 = 4;
const CONTEXT = 8;

/** A row of the table: EIP of the next record, distance in cycles, distance in instructions, five operands. */
const ROW_SHIFT = 3;
const ROW_WORDS = 1 << ROW_SHIFT;
const ROWS_SHIFT = 9;
const TABLE_WORDS = 1 << (ROWS_SHIFT + ROW_SHIFT);

export class PlainPacker {
  private readonly table = new Int32Array(TABLE_WORDS);
  /** What is added to each word; and by how much it changed last: a step is what comes twice in a row. */
  private readonly steps = new Int32Array(TABLE_WORDS);
  private readonly changes = new Int32Array(TABLE_WORDS);
  private readonly kinds = new Uint8Array(TABLE_WORDS);
  private out = new Uint16Array(0);
  /** Where the next packed record goes in `out`. */
  end = 0;
  private row = 0;
  private hash = 0;
  private place = 0;
  private cycles = 0;
  private icount = 0;
  private high = 0;
  private cr3 = 0;
  private context = 0;

  /** A new block, which goes to `out` from `end` on. */
  begin(out: Uint16Array<ArrayBuffer>, end: number): void {
    this.table.fill(0);
    this.steps.fill(0);
    this.changes.fill(0);
    this.kinds.fill(0);
    this.out = out;
    this.end = end;
    this.row = this.hash = this.place = this.cycles = this.icount = this.high = this.cr3 = this.context = 0;
  }

  /** @param words signed: so V8 computes with 32-bit integers. */
  pack(words: Int32Array, from: number, count: number): void {
    const { out, table, steps, changes } = this;
    let { end, row, hash, place, cycles, icount, high, cr3, context } = this;
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
      const isOff = (by: number, number: number): void => {
        if (by === 0) return;
        head |= 1 << (OFF_SHIFT + number);
        out[to++] = by;
        out[to++] = by >>> 16;
        wide |= by + 0x8000;
      };
      isOff((eip - table[row]!) | 0, 0);
      table[row] = eip;
      const before = hash;
      hash = Math.imul(eip ^ (kind << 20), 0x9e37_79b1);
      row = ((hash + (before >>> 5)) >>> (32 - ROWS_SHIFT)) << ROW_SHIFT;
      const values = [0, words[at + 1]! - cycles, words[at + 2]! - icount, ...words.subarray(at + 7, at + 12)];
      cycles = words[at + 1]!;
      icount = words[at + 2]!;
      for (let number = 1; number < ROW_WORDS; number++) {
        const n = row + number;
        const change = (values[number]! - table[n]!) | 0;
        isOff((change - steps[n]!) | 0, number);
        if (change === changes[n]) steps[n] = change;
        changes[n] = change;
        table[n] = values[number]!;
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
    this.hash = hash;
    this.place = place;
    this.cycles = cycles;
    this.icount = icount;
    this.high = high;
    this.cr3 = cr3;
    this.context = context;
  }
}
