// Decoded code of one physical page, for one mode and one EIP of its first byte: its blocks by where they begin, and which of them a store
// into the page takes away. Not the decoding nor the entries themselves (code-cache.ts), nor which pages there are (code-pages.ts).

import { BlockStarts } from './block-starts.ts';
import { addGranules, type GranuleMask } from './code-granules.ts';

/** A block's words in the list: its entries [first, end), the page offset where it begins (-1: in another page), its bytes [from, to) of the page. */
const FIRST = 0;
const END = 1;
const OFFSET = 2;
const FROM = 3;
const TO = 4;
const WORDS = 5;

/** What becomes of blocks that a store has hit. */
export interface HitBlocks {
  /** True if the entries [first, end) of a block have taken in what was stored to bytes [from, to) of the page that begins at `eip`. */
  patch(page: CodePage, first: number, end: number, from: number, to: number): boolean;
  /** The block is gone. */
  gone(first: number, end: number): void;
}

export class CodePage {
  /** Its blocks but for those below. */
  readonly starts = new BlockStarts();
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
  ) {}

  get empty(): boolean {
    return this.blocks.length === 0;
  }

  /** A block with entries [first, end) that begins at `offset` and has bytes [from, to) in the page. */
  add(first: number, end: number, offset: number, from: number, to: number): void {
    this.blocks.push(first, end, offset, from, to);
  }

  /**
   * Bytes [from, to) of the page are overwritten: the blocks that have any of them go, unless (`stored`: the new bytes are there) they take them in.
   * Answers how many did (in the low half) and how many are gone.
   */
  overwrite(from: number, to: number, stored: boolean, hit: HitBlocks): number {
    const { blocks } = this;
    let touched = 0;
    let length = 0;
    for (let i = 0; i < blocks.length; i += WORDS) {
      const apart = blocks[i + FROM]! >= to || blocks[i + TO]! <= from;
      // Code that begins in the page before is rare.
      const patched =
        !apart && stored && blocks[i + OFFSET]! >= 0 && hit.patch(this, blocks[i + FIRST]!, blocks[i + END]!, from, to);
      if (apart || patched) {
        if (patched) touched++;
        if (length !== i) for (let word = 0; word < WORDS; word++) blocks[length + word] = blocks[i + word]!;
        length += WORDS;
        continue;
      }
      touched += GONE;
      this.forget(blocks[i + OFFSET]!, blocks[i + FIRST]!);
      hit.gone(blocks[i + FIRST]!, blocks[i + END]!);
    }
    if (length !== blocks.length) blocks.length = length;
    return touched;
  }
  /** Adds the granules of its blocks. */
  addGranules(mask: GranuleMask): void {
    const { blocks } = this;
    for (let i = 0; i < blocks.length; i += WORDS) addGranules(mask, blocks[i + FROM]!, blocks[i + TO]!);
  }
  private forget(offset: number, entry: number): void {
    if (offset < 0) return;
    if (this.starts.get(offset) === entry) this.starts.delete(offset);
    if (this.singles.get(offset) === entry) this.singles.delete(offset);
    if (this.crossing.get(offset)?.entry === entry) this.crossing.delete(offset);
  }
}

/** What `overwrite` answers counts blocks that are gone by this much each. */
export const GONE = 0x10000;
