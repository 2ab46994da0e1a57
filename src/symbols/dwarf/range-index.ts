// Address ranges with what they belong to, searched by address. Ranges may nest and overlap.
import { lastAtOrBelow } from '../search.ts';
import type { Range } from './ranges.ts';

export class RangeIndex<T> {
  readonly #starts: Uint32Array;
  readonly #entries: readonly { readonly range: Range; readonly value: T }[];
  /** The highest end up to each entry: where it is below an address, no earlier range holds that. */
  readonly #reach: Float64Array;

  constructor(entries: readonly { readonly range: Range; readonly value: T }[]) {
    this.#entries = [...entries].sort((a, b) => a.range.start - b.range.start || b.range.end - a.range.end);
    this.#starts = Uint32Array.from(this.#entries, ({ range }) => range.start);
    let reach = 0;
    this.#reach = Float64Array.from(this.#entries, ({ range }) => (reach = Math.max(reach, range.end)));
  }

  /** The values whose range holds the address, that of the range that starts last first. */
  at(address: number): T[] {
    const found: T[] = [];
    for (let i = lastAtOrBelow(this.#starts, address); i >= 0 && this.#reach[i]! > address; i--) {
      const { range, value } = this.#entries[i]!;
      if (address < range.end) found.push(value);
    }
    return found;
  }
}
