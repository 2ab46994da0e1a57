// Records of twelve words (record.ts) packed to as little as two bytes: a record says only what cannot be told from the records before it.
// A machine that does the same again and again makes the same records again and again; memory that is not written costs neither room nor
// time. Lossless. Not the packing itself (packer-code.ts) and not where packed blocks are kept (record-blocks.ts).
//
// A block is up to 1024 records and is unpacked from its start. What is foretold of a record, at the start of a block all zero:
//   its surroundings (domain, vCPU, upper halves of the times, CR3, CPL)   those of the record before it
//   its kind and EIP                               what followed the record before it the last time
//   its distance in time and its operands          those of the last record of this kind and EIP behind one of the same kind and EIP, each
//                                                  with the step by which it has changed twice in a row
// "The last time" is a table of 512 rows, by a hash of the kinds and EIPs of a record and the one before it: rows that share a place make
// records longer, not wrong.
//
// A packed record is 16-bit words: a head; for surroundings that changed a word that says which, and they; and by how much each of the other
// words is off, low half first, or where all are off by less than 2^15 the low halves alone.
// Head: kind 5:0, surroundings changed 6, off are EIP 7, cycles 8, instruction count 9, operands 14:10; low halves alone 15.
// Records one behind the other of which all was foretold are one word: how many in 6:0, and bit 15.

import { KINDS } from './events.ts';
import { packerModule } from './packer-code.ts';
import { fillChoose, PackerLayout, PAGES, ROOM_RECORDS, ROWS_SHIFT } from './packer-layout.ts';
import { RECORD_WORDS } from './record.ts';

export { LONGEST_PACKED, ROOM_RECORDS } from './packer-layout.ts';

/** Records of a block. */
export const BLOCK_RECORDS = 1024;

const KIND_MASK = KINDS - 1;
const SURROUNDINGS = 1 << 6;
/** Words that are off, from the EIP on. */
const OFF_SHIFT = 7;
const SHORT = 1 << 15;
/** No word off, and yet low halves alone: a run. */
const RUN_MASK = 0xff80;
/** In the surroundings' word. */
const PLACE = 1;
const HIGH = 2;
const CR3 = 4;
const CONTEXT = 8;

/** A row of the table: EIP of the next record, distance in cycles, distance in instructions, five operands. */
const ROW_SHIFT = 3;
const ROW_WORDS = 1 << ROW_SHIFT;
const TABLE_WORDS = 1 << (ROWS_SHIFT + ROW_SHIFT);

const hashOf = (kind: number, eip: number): number => Math.imul(eip ^ (kind << 20), 0x9e37_79b1);
/** Row of a record, by its hash and that of the record before it. */
const rowOf = (hash: number, before: number): number => ((hash + (before >>> 5)) >>> (32 - ROWS_SHIFT)) << ROW_SHIFT;

let compiled: WebAssembly.Module | undefined;

/** Packs the records of one block after the other; a block may come in pieces. It counts them, too. */
export class Packer {
  private readonly bytes: Uint8Array<ArrayBuffer>;
  private readonly run: (count: number) => number;
  /** Where records are written that `pack` packs: ROOM_RECORDS of them. */
  readonly room: Uint32Array<ArrayBuffer>;
  /** What the last call of `pack` made. */
  readonly packed: Uint16Array<ArrayBuffer>;
  /** Records packed of each kind, and the sum of the hypervisor cycles of vmx.entry. */
  readonly counts: Uint32Array<ArrayBuffer>;
  readonly cycles: Float64Array<ArrayBuffer>;

  constructor() {
    const memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES });
    compiled ??= new WebAssembly.Module(packerModule());
    this.run = new WebAssembly.Instance(compiled, { env: { memory } }).exports['pack'] as (count: number) => number;
    const { buffer } = memory;
    this.bytes = new Uint8Array(buffer);
    this.room = new Uint32Array(buffer, PackerLayout.room, ROOM_RECORDS * RECORD_WORDS);
    this.packed = new Uint16Array(buffer, PackerLayout.packed);
    this.counts = new Uint32Array(buffer, PackerLayout.counts, KINDS);
    this.cycles = new Float64Array(buffer, PackerLayout.cycles, 1);
    fillChoose(this.bytes);
  }

  /** A new block. */
  begin(): void {
    this.bytes.fill(0, 0, PackerLayout.blockBytes);
  }

  /** Packs `count` records from the start of the room; answers how many 16-bit words they take. */
  pack(count: number): number {
    return this.run(count) >>> 1;
  }
}

const table = new Int32Array(TABLE_WORDS);
/** What is added to each word, and by how much it changed last: a step counts when it comes twice in a row. */
const steps = new Int32Array(TABLE_WORDS);
const changes = new Int32Array(TABLE_WORDS);
const kinds = new Uint8Array(1 << ROWS_SHIFT);

/** Unpacks the first `count` records of the block that begins at `at` of `packed`, to word `to` of `words` and on. */
export const unpack = (packed: Uint16Array, at: number, count: number, words: Int32Array, to: number): void => {
  table.fill(0);
  steps.fill(0);
  changes.fill(0);
  kinds.fill(0);
  let run = 0;
  let row = 0;
  let hash = 0;
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
    if (run === 0) {
      head = packed[at++]!;
      if ((head & RUN_MASK) === SHORT) run = head & ~RUN_MASK;
    }
    if (run > 0) {
      run--;
      head = kinds[row >> ROW_SHIFT]!;
    }
    if ((head & SURROUNDINGS) !== 0) {
      const which = packed[at++]!;
      if ((which & PLACE) !== 0) place = next();
      if ((which & HIGH) !== 0) high = next();
      if ((which & CR3) !== 0) cr3 = next();
      if ((which & CONTEXT) !== 0) context = next();
    }
    let wrong = head >>> OFF_SHIFT;
    if ((wrong & 1) !== 0) table[row]! += off();
    const eip = table[row]!;
    const kind = head & KIND_MASK;
    kinds[row >> ROW_SHIFT] = kind;
    const before = hash;
    hash = hashOf(kind, eip);
    row = rowOf(hash, before);
    for (let word = row + 1; word < row + ROW_WORDS; word++) {
      wrong >>>= 1;
      let change = steps[word]!;
      if ((wrong & 1) !== 0) change = (change + off()) | 0;
      if (change === changes[word]!) steps[word] = change;
      changes[word] = change;
      table[word]! += change;
    }
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
