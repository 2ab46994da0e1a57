// A histogram of whole numbers with logarithmic buckets: 32 parts to each power of two, so that a percentile is right to 1/32
// and adding a value costs no allocation. Not a list of samples: order and exact values are gone.

import type { Persistent } from '../machine/snapshot.ts';

const PART_BITS = 5;
const PARTS = 1 << PART_BITS;
export const BUCKETS = (32 - PART_BITS + 1) * PARTS;
const LARGEST = 0xffff_ffff;

/** Without the buckets. */
type HistogramSaved = readonly [count: number, sum: number, min: number, max: number, last: number];

export class Histogram implements Persistent<HistogramSaved> {
  count = 0;
  sum = 0;
  min = 0;
  max = 0;
  /** The value that was added last, and its bucket: costs of exits are often the same. */
  private last = 0;
  private bucket = 0;

  /** @param buckets BUCKETS zeros, saved by whoever gives them. */
  constructor(private readonly buckets = new Uint32Array(BUCKETS)) {}

  /** @param value not negative; above 2^32 - 1 it is counted in the last bucket (sum and max stay exact). */
  add(value: number): void {
    if (value !== this.last || this.count === 0) {
      this.last = value;
      this.bucket = bucketOf(value < LARGEST ? value : LARGEST);
      if (this.count === 0 || value < this.min) this.min = value;
      if (value > this.max) this.max = value;
    }
    this.buckets[this.bucket]!++;
    this.count++;
    this.sum += value;
  }

  get mean(): number {
    return this.count === 0 ? 0 : this.sum / this.count;
  }

  /** Nearest rank: the smallest value that at least `share` (0-1) of all values do not exceed, as its bucket's lower end. 0 if empty. */
  percentile(share: number): number {
    const rank = Math.max(1, Math.ceil(share * this.count));
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      seen += this.buckets[bucket]!;
      if (seen >= rank) return Math.min(this.max, Math.max(this.min, lowerEnd(bucket)));
    }
    return this.max;
  }

  saveState(): HistogramSaved {
    return [this.count, this.sum, this.min, this.max, this.last];
  }
  loadState(state: HistogramSaved): void {
    [this.count, this.sum, this.min, this.max, this.last] = state;
    this.bucket = bucketOf(this.last < LARGEST ? this.last : LARGEST);
  }
}

const bucketOf = (value: number): number => {
  const v = value >>> 0;
  if (v < PARTS) return v;
  const shift = 31 - Math.clz32(v) - PART_BITS;
  return (shift + 1) * PARTS + ((v >>> shift) - PARTS);
};

const lowerEnd = (bucket: number): number => {
  if (bucket < PARTS) return bucket;
  const shift = (bucket >> PART_BITS) - 1;
  return (PARTS + (bucket & (PARTS - 1))) * 2 ** shift;
};
