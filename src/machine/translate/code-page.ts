// Decoded code of one physical page, for one mode and one EIP of its first byte: its blocks by where they begin, and which of them a store
// into the page takes away. Not the decoding nor the entries themselves (code-cache.ts).

import type { GranuleMask } from './code-granules.ts';

/** A block's words in the list: its entries [first, end), the page offset where it begins (-1: in another page), the granules of its bytes. */
const FIRST = 0;
const END = 1;
const OFFSET = 2;
const LOW = 3;
const HIGH = 4;
const WORDS = 5;

export class CodePage {
  /** Blocks of one instruction (behind STI, in single steps), by offset. */
  readonly singles = new Map<number, number>();
  /** Instructions that cross into the next page, by offset: valid while that page is where it was. */
  readonly crossing = new Map<number, { readonly entry: number; readonly second: number }>();
  private readonly blocks: number[] = [];

  constructor(
    readonly page: number,
    readonly mode: number,
    /** EIP of the page's first byte (linear address minus CS base). */
    readonly eip: number,
    /** Entry address by page offset; 0: none. */
    readonly entries: Int32Array,
  ) {}

  /** Without blocks: `entries` is all zeros. */
  get empty(): boolean {
    return this.blocks.length === 0;
  }

  /** A block with entries [first, end) that begins at `offset` and has bytes in the granules of `mask`. */
  add(first: number, end: number, offset: number, mask: GranuleMask): void {
    this.blocks.push(first, end, offset, mask.low, mask.high);
  }

  /** Takes away the blocks that have bytes in the granules of `mask`; `gone` gets the entries of each. What stays adds its granules to `kept`. */
  drop(mask: GranuleMask, gone: (first: number, end: number) => void, kept: GranuleMask): void {
    const { blocks } = this;
    let length = 0;
    for (let i = 0; i < blocks.length; i += WORDS) {
      if (((blocks[i + LOW]! & mask.low) | (blocks[i + HIGH]! & mask.high)) === 0) {
        kept.low |= blocks[i + LOW]!;
        kept.high |= blocks[i + HIGH]!;
        for (let word = 0; word < WORDS; word++) blocks[length++] = blocks[i + word]!;
        continue;
      }
      this.forget(blocks[i + OFFSET]!, blocks[i + FIRST]!);
      gone(blocks[i + FIRST]!, blocks[i + END]!);
    }
    blocks.length = length;
  }
  private forget(offset: number, entry: number): void {
    if (offset < 0) return;
    if (this.entries[offset] === entry) this.entries[offset] = 0;
    if (this.singles.get(offset) === entry) this.singles.delete(offset);
    if (this.crossing.get(offset)?.entry === entry) this.crossing.delete(offset);
  }
}
