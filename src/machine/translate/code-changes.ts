// How often the code of a page was decoded again after it had changed: where that goes on, code has to run for longer before work is put into
// it. A heuristic: nothing that the guest could see depends on it.

/** Doublings of the count at most: 48 executions become 3072. */
const MOST = 6;

export class CodeChanges {
  /** By physical page: changes seen, and in bit 31 whether code was decoded there since the last. */
  private readonly pages = new Map<number, number>();

  /** Code of the page is decoded. How many times the executions that make it hot are to be doubled. */
  decoded(page: number): number {
    const changes = (this.pages.get(page) ?? 0) & 0x7fff_ffff;
    this.pages.set(page, changes | 0x8000_0000);
    return changes;
  }
  /** Decoded code of the page was overwritten. A page that is filled anew counts once, however many stores that takes. */
  changed(page: number): void {
    const state = this.pages.get(page) ?? 0;
    if (state < 0) this.pages.set(page, Math.min(MOST, (state & 0x7fff_ffff) + 1));
  }
  clear(): void {
    this.pages.clear();
  }
}
