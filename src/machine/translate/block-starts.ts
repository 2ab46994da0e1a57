// The entries of a page's blocks by the offset where each begins: a hash table of one word a block, as few of the 4096 places begin one. Not the
// blocks' other words (code-page.ts).

import { LinearLayout } from '../memory.ts';
import { ENTRY_SIZE } from './entry.ts';

const FEWEST = 8;
/** A word: the offset above, below the entry's number among all entries and 1 more, so that no word in use is zero. */
const OFFSET_SHIFT = 20;
const NUMBER = (1 << OFFSET_SHIFT) - 1;
const ENTRY_SHIFT = Math.log2(ENTRY_SIZE);
/** Neighbours in code come to lie apart (Fibonacci hashing). */
const SPREAD = 0x9e3779b1;

const addressOf = (word: number): number => LinearLayout.entries + (((word & NUMBER) - 1) << ENTRY_SHIFT);

export class BlockStarts {
  /** Open addressing, each in the first free place from its own on. At most three quarters are in use. */
  private words = new Int32Array(FEWEST);
  private used = 0;

  /** Address of the entry of the block that begins at an offset; 0: none does. */
  get(offset: number): number {
    const { words } = this;
    for (let at = this.home(offset); ; at = (at + 1) & (words.length - 1)) {
      const word = words[at]!;
      if (word === 0) return 0;
      if (word >>> OFFSET_SHIFT === offset) return addressOf(word);
    }
  }
  set(offset: number, entry: number): void {
    if (4 * (this.used + 1) > 3 * this.words.length) this.grow();
    this.put(offset, (offset << OFFSET_SHIFT) | (((entry - LinearLayout.entries) >> ENTRY_SHIFT) + 1));
  }
  delete(offset: number): void {
    const { words } = this;
    const last = words.length - 1;
    let free = this.home(offset);
    for (; words[free] === 0 || words[free]! >>> OFFSET_SHIFT !== offset; free = (free + 1) & last)
      if (words[free] === 0) return;
    this.used--;
    // What lies behind and would not be found over the gap moves into it.
    for (let at = (free + 1) & last; words[at] !== 0; at = (at + 1) & last) {
      const home = this.home(words[at]! >>> OFFSET_SHIFT);
      if (((at - home) & last) < ((at - free) & last)) continue;
      words[free] = words[at]!;
      free = at;
    }
    words[free] = 0;
  }

  private home(offset: number): number {
    return (Math.imul(offset, SPREAD) >>> 16) & (this.words.length - 1);
  }
  private put(offset: number, value: number): void {
    const { words } = this;
    let at = this.home(offset);
    while (words[at] !== 0 && words[at]! >>> OFFSET_SHIFT !== offset) at = (at + 1) & (words.length - 1);
    if (words[at] === 0) this.used++;
    words[at] = value;
  }
  private grow(): void {
    const old = this.words;
    this.words = new Int32Array(2 * old.length);
    this.used = 0;
    for (const word of old) if (word !== 0) this.put(word >>> OFFSET_SHIFT, word);
  }
}
