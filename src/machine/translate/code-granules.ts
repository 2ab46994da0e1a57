// Which parts of physical pages hold decoded code, in granules of 64 bytes: a store beside code has nothing to do with it. Eight bytes a page in linear
// memory, where emitted code asks too (beside-code.ts). Not the code (code-pages.ts).

import { LinearLayout } from '../memory.ts';

const GRANULE_SHIFT = 6;
const PAGE_BYTES = 4096;

/** Granules of one page, a bit each: bit 0 of `low` is the first, bit 0 of `high` the 33rd. */
export interface GranuleMask {
  low: number;
  high: number;
}

const bitsUpTo = (granule: number): number => (granule >= 31 ? -1 : granule < 0 ? 0 : (2 << granule) - 1);

/** Adds the granules of bytes [first, end) of a page, by their offsets; what lies beyond the page is left out. */
export const addGranules = (mask: GranuleMask, first: number, end: number): void => {
  const from = first >> GRANULE_SHIFT;
  const to = (Math.min(end, PAGE_BYTES) - 1) >> GRANULE_SHIFT;
  mask.low |= bitsUpTo(to) & ~bitsUpTo(from - 1);
  mask.high |= bitsUpTo(to - 32) & ~bitsUpTo(from - 33);
};

export class CodeGranules {
  private readonly masks: Int32Array;
  /** Pages of which some granule holds code. */
  private readonly used = new Set<number>();
  private readonly scratch: GranuleMask = { low: 0, high: 0 };

  /** @param i32 the linear memory */
  constructor(i32: Int32Array) {
    const { codeGranules, codeGranulesBytes } = LinearLayout;
    this.masks = i32.subarray(codeGranules >> 2, (codeGranules + codeGranulesBytes) >> 2);
  }

  /** Bytes [first, end) of a page hold code. */
  mark(page: number, first: number, end: number): void {
    const { scratch } = this;
    scratch.low = this.masks[2 * page]!;
    scratch.high = this.masks[2 * page + 1]!;
    addGranules(scratch, first, end);
    this.keep(page, scratch);
  }
  /** Would a store to a physical address, inside one page, hit a granule with code? */
  hit(pa: number, bytes: number): boolean {
    const page = pa >>> 12;
    const first = (pa & 0xfff) >> GRANULE_SHIFT;
    const last = Math.min(63, ((pa & 0xfff) + bytes - 1) >> GRANULE_SHIFT);
    for (let g = first; g <= last; g++) if (this.masks[2 * page + (g >> 5)]! & (1 << (g & 31))) return true;
    return false;
  }
  /** Some granule of the page holds code. */
  any(page: number): boolean {
    return (this.masks[2 * page]! | this.masks[2 * page + 1]!) !== 0;
  }
  /** Only these hold code from now on. */
  keep(page: number, { low, high }: GranuleMask): void {
    this.masks[2 * page] = low;
    this.masks[2 * page + 1] = high;
    if ((low | high) === 0) this.used.delete(page);
    else this.used.add(page);
  }
  clear(): void {
    for (const page of this.used) this.masks.fill(0, 2 * page, 2 * page + 2);
    this.used.clear();
  }
}
