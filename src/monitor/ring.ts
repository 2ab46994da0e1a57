// The ring between the instrumentation points and the store: fixed size, one writer, one reader, no allocation.
// Not the store (store.ts): a full ring is drained, never overwritten. Index arithmetic as in Xen's trace buffers: both indices
// run modulo twice the size, so that full and empty differ for any size, power of two or not.

import { RECORD_WORDS } from './record.ts';

export class RecordRing {
  readonly words: Uint32Array<ArrayBuffer>;
  /** Records produced and consumed, modulo 2 × capacity. */
  private produced = 0;
  private consumed = 0;

  /** @param capacity in records, at least 2 (the longest event takes two). */
  constructor(readonly capacity: number) {
    this.words = new Uint32Array(capacity * RECORD_WORDS);
  }

  get held(): number {
    const n = this.produced - this.consumed;
    return n < 0 ? n + 2 * this.capacity : n;
  }
  get free(): number {
    return this.capacity - this.held;
  }

  /** Word index of the next free record, which thereby counts as produced; -1 if the ring is full. */
  claim(): number {
    const produced = this.produced;
    const capacity = this.capacity;
    const distance = produced - this.consumed;
    if (distance === capacity || distance === -capacity) return -1;
    this.produced = produced + 1 === 2 * capacity ? 0 : produced + 1;
    return (produced < capacity ? produced : produced - capacity) * RECORD_WORDS;
  }

  /** Hands everything that is held to `take` (one or two runs: word index, number of records) and empties the ring. */
  drain(take: (words: Uint32Array, at: number, count: number) => void): void {
    let left = this.held;
    while (left > 0) {
      const index = this.consumed < this.capacity ? this.consumed : this.consumed - this.capacity;
      const run = Math.min(left, this.capacity - index);
      take(this.words, index * RECORD_WORDS, run);
      this.consumed = (this.consumed + run) % (2 * this.capacity);
      left -= run;
    }
  }
}
