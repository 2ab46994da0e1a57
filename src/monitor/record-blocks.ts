// A growing list of records, kept packed (packing.ts) in blocks, and read by their index. Not which records stay and what is asked of
// them (store.ts).

import { BLOCK_RECORDS, LONGEST_PACKED, Packer, ROOM_RECORDS, unpack } from './packing.ts';
import { RECORD_WORDS } from './record.ts';

/** 16-bit words of a piece of memory that blocks lie in: 512 KiB. */
const SLAB_WORDS = 0x4_0000;
const BLOCK_SHIFT = 10;
const IN_BLOCK = BLOCK_RECORDS - 1;

interface Block {
  readonly slab: Uint16Array<ArrayBuffer>;
  /** 16-bit word in the slab. */
  readonly at: number;
}

export class RecordBlocks {
  private readonly blocks: Block[] = [];
  private records = 0;
  readonly packer = new Packer();
  /** Where the next packed record goes in `slab`. */
  private end = 0;
  private slab: Uint16Array<ArrayBuffer> = new Uint16Array(0);
  /** The block that was read last, unpacked: who reads one record reads its neighbours too. */
  private readonly near = new Uint32Array(BLOCK_RECORDS * RECORD_WORDS);
  private readonly nearSigned = new Int32Array(this.near.buffer);
  private nearBlock: Block | undefined;
  private nearRecords = 0;

  get length(): number {
    return this.records;
  }

  /** Memory that the packed records take. */
  get bytes(): number {
    return 2 * this.slab.length * new Set(this.blocks.map(({ slab }) => slab)).size;
  }

  /** Appends the first `count` records of the packer's room; a block does not begin among them. */
  add(count: number): void {
    if ((this.records & IN_BLOCK) === 0) this.beginBlock();
    const { packer } = this;
    const words = packer.pack(count);
    this.slab.set(packer.packed.subarray(0, words), this.end);
    this.end += words;
    this.records += count;
  }
  private beginBlock(): void {
    if (this.end + BLOCK_RECORDS * LONGEST_PACKED > this.slab.length) {
      this.slab = new Uint16Array(SLAB_WORDS);
      this.end = 0;
    }
    this.blocks.push({ slab: this.slab, at: this.end });
    this.packer.begin();
  }

  /** Drops the first records; `count` is a multiple of BLOCK_RECORDS. */
  dropFirst(count: number): void {
    this.blocks.splice(0, count >> BLOCK_SHIFT);
    this.records -= count;
  }

  /** Drops all but the first `count` records. */
  cut(count: number): void {
    if (count >= this.records) return;
    const left = count & IN_BLOCK;
    const last = this.blocks[count >> BLOCK_SHIFT]!;
    this.blocks.length = count >> BLOCK_SHIFT;
    this.records = count - left;
    this.nearBlock = undefined;
    this.slab = last.slab;
    this.end = last.at;
    if (left === 0) return;
    // The packer is where the block ends that was begun last: the rest of this one brings it here.
    const rest = new Uint32Array(left * RECORD_WORDS);
    unpack(last.slab, last.at, left, new Int32Array(rest.buffer), 0);
    for (let at = 0; at < left; at += ROOM_RECORDS) {
      const run = Math.min(left - at, ROOM_RECORDS);
      this.packer.room.set(rest.subarray(at * RECORD_WORDS, (at + run) * RECORD_WORDS));
      this.add(run);
    }
  }

  /** Copies `count` records from index `from` on to word `at` of `words`. */
  copy(from: number, count: number, words: Uint32Array<ArrayBuffer>, at: number): void {
    const signed = new Int32Array(words.buffer, words.byteOffset, words.length);
    for (let done = 0; done < count;) {
      const inBlock = (from + done) & IN_BLOCK;
      const run = Math.min(count - done, BLOCK_RECORDS - inBlock);
      const to = at + done * RECORD_WORDS;
      if (inBlock === 0) {
        const block = this.blocks[(from + done) >> BLOCK_SHIFT]!;
        unpack(block.slab, block.at, run, signed, to);
      } else {
        this.read(from + done);
        words.set(this.near.subarray(inBlock * RECORD_WORDS, (inBlock + run) * RECORD_WORDS), to);
      }
      done += run;
    }
  }

  /** Words that hold the record with index `index` at `wordOf(index)`, and the rest of its block; until the next call of anything here. */
  read(index: number): Uint32Array {
    const number = index >> BLOCK_SHIFT;
    const block = this.blocks[number]!;
    const wanted = Math.min(BLOCK_RECORDS, this.records - (number << BLOCK_SHIFT));
    if (block !== this.nearBlock || this.nearRecords < wanted) {
      unpack(block.slab, block.at, wanted, this.nearSigned, 0);
      this.nearBlock = block;
      this.nearRecords = wanted;
    }
    return this.near;
  }
  wordOf(index: number): number {
    return (index & IN_BLOCK) * RECORD_WORDS;
  }
}
