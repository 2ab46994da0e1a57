// Which parts of physical pages hold decoded code, in granules of 64 bytes: a store beside code does not throw the code away. Not the code
// (code-cache.ts).

const GRANULE_SHIFT = 6;

export class CodeGranules {
  /** Two words a page, one bit a granule. */
  private readonly masks = new Map<number, Uint32Array>();

  get pages(): Iterable<number> {
    return this.masks.keys();
  }
  /** Bytes [first, end) of a page, by their offsets. */
  mark(page: number, first: number, end: number): void {
    let mask = this.masks.get(page);
    if (mask === undefined) {
      mask = new Uint32Array(2);
      this.masks.set(page, mask);
    }
    for (let g = first >> GRANULE_SHIFT; g <= (end - 1) >> GRANULE_SHIFT; g++)
      mask[g >> 5] = mask[g >> 5]! | (1 << (g & 31));
  }
  /** Would a store to a physical address, inside one page, hit code? */
  hit(pa: number, bytes: number): boolean {
    const mask = this.masks.get(pa >>> 12);
    if (mask === undefined) return false;
    const first = (pa & 0xfff) >> GRANULE_SHIFT;
    const last = ((pa & 0xfff) + bytes - 1) >> GRANULE_SHIFT;
    for (let g = first; g <= last && g < 64; g++) if (mask[g >> 5]! & (1 << (g & 31))) return true;
    return false;
  }
  forget(page: number): void {
    this.masks.delete(page);
  }
  clear(): void {
    this.masks.clear();
  }
}
