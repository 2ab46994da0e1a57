// Which parts of physical pages hold decoded code, in granules of 64 bytes: a store beside code does not throw the code away, and one into
// it only what has bytes there. Not the code (code-cache.ts).

const GRANULE_SHIFT = 6;
const PAGE_BYTES = 4096;

/** Granules of one page, a bit each: bit 0 of `low` is the first, bit 0 of `high` the 33rd. */
export interface GranuleMask {
  low: number;
  high: number;
}
export const ALL_GRANULES: Readonly<GranuleMask> = { low: -1, high: -1 };

const bitsUpTo = (granule: number): number => (granule >= 31 ? -1 : granule < 0 ? 0 : (2 << granule) - 1);

/** The granules of bytes [first, end) of a page, by their offsets; what lies beyond the page is left out. */
export const granulesOf = (first: number, end: number): GranuleMask => {
  const from = first >> GRANULE_SHIFT;
  const to = (Math.min(end, PAGE_BYTES) - 1) >> GRANULE_SHIFT;
  return {
    low: bitsUpTo(to) & ~bitsUpTo(from - 1),
    high: bitsUpTo(to - 32) & ~bitsUpTo(from - 33),
  };
};

export class CodeGranules {
  private readonly masks = new Map<number, GranuleMask>();

  get pages(): Iterable<number> {
    return this.masks.keys();
  }
  mark(page: number, { low, high }: GranuleMask): void {
    const mask = this.masks.get(page);
    if (mask === undefined) {
      this.masks.set(page, { low, high });
      return;
    }
    mask.low |= low;
    mask.high |= high;
  }
  /** Would a store to a physical address, inside one page, hit code? */
  hit(pa: number, bytes: number): boolean {
    const mask = this.masks.get(pa >>> 12);
    if (mask === undefined) return false;
    const first = (pa & 0xfff) >> GRANULE_SHIFT;
    const last = ((pa & 0xfff) + bytes - 1) >> GRANULE_SHIFT;
    for (let g = first; g <= last && g < 64; g++) if ((g < 32 ? mask.low : mask.high) & (1 << (g & 31))) return true;
    return false;
  }
  /** Only these hold code from now on; false: none does. */
  keep(page: number, { low, high }: GranuleMask): boolean {
    if ((low | high) === 0) this.masks.delete(page);
    else this.masks.set(page, { low, high });
    return (low | high) !== 0;
  }
  clear(): void {
    this.masks.clear();
  }
}
