// Decoded code by physical page, and what stores to it come to: blocks take in what was stored, or go. A page whose code has gone stays watched until
// a store finds none there: where code is replaced the next comes at once. Not the blocks of a page (code-page.ts), not decoding (code-cache.ts).

import type { Cpu } from '../cpu/cpu.ts';
import { PageFlag } from '../cpu/page-flags.ts';
import { CodeChanges } from './code-changes.ts';
import { CodeGranules, type GranuleMask } from './code-granules.ts';
import { CodePage, GONE, type HitBlocks } from './code-page.ts';

const PAGE_BYTES = 4096;

/** Translated code that is made of blocks: the region tier's. */
export interface DependentCode {
  /** Bytes [from, to) of a page are overwritten: what has any of them goes. True if something did. */
  overwritten(page: number, from: number, to: number): boolean;
  /** Adds the granules of its code in the page. */
  addGranules(page: number, mask: GranuleMask): void;
}
const NOTHING: DependentCode = { overwritten: () => false, addGranules: () => undefined };

export class CodePages {
  dependent: DependentCode = NOTHING;
  readonly changes = new CodeChanges();
  private readonly lists = new Map<number, CodePage[]>();
  private readonly granules: CodeGranules;
  /** Pages whose stores are seen. */
  private readonly watched = new Set<number>();

  /** @param running code in no page's list, which a store that hits code may have hit, goes; @param lost some code has gone */
  constructor(
    private readonly cpu: Cpu,
    private readonly blocks: HitBlocks,
    private readonly running: () => void,
    private readonly lost: () => void,
  ) {
    this.granules = new CodeGranules(cpu.memory.i32);
    cpu.mmu.holdsCode = (pa, bytes) => this.granules.hit(pa, bytes);
    cpu.mmu.pages.onCodeWrite = (pa, bytes, stored) => this.written(pa, bytes, stored);
  }

  find(page: number, mode: number, eip: number): CodePage | undefined {
    const list = this.lists.get(page);
    if (list !== undefined) for (const p of list) if (p.mode === mode && p.eip === eip) return p;
    return undefined;
  }
  get(page: number, mode: number, eip: number): CodePage {
    const known = this.find(page, mode, eip);
    if (known !== undefined) return known;
    const others = this.lists.get(page)?.filter((p) => !p.empty) ?? [];
    const fresh = new CodePage(page, mode, eip);
    this.lists.set(page, [...others, fresh]);
    return fresh;
  }
  /** Is `entry` that of a block which begins at a physical address? */
  begins(entry: number, pa: number): boolean {
    const list = this.lists.get(pa >>> 12);
    return list !== undefined && list.some((p) => p.starts.get(pa & 0xfff) === entry);
  }

  /** Bytes [first, end) of a page, by their offsets, are decoded: stores there must be seen. */
  mark(page: number, first: number, end: number): void {
    this.granules.mark(page, first, end);
    this.watched.add(page);
    this.cpu.mmu.pages.protect(page, PageFlag.code);
  }

  /** A store to a page that is watched; see PageFlags.onCodeWrite. */
  private written(pa: number, bytes: number, stored: boolean): void {
    const page = pa >>> 12;
    const from = pa & 0xfff;
    if (this.granules.hit(pa, bytes)) {
      if (this.overwrite(page, from, Math.min(from + bytes, PAGE_BYTES), stored)) this.changes.changed(page);
    } else if (!this.granules.any(page)) this.release(page);
  }
  /** All code of a page goes. */
  invalidate(page: number): void {
    this.overwrite(page, 0, PAGE_BYTES, false);
    this.changes.changed(page);
  }
  /** All code of the pages goes of which one says so. */
  invalidateWhere(wanted: (page: CodePage) => boolean): void {
    for (const [page, list] of [...this.lists]) if (list.some(wanted)) this.overwrite(page, 0, PAGE_BYTES, false);
  }
  /** True if there was code in the bytes. */
  private overwrite(page: number, from: number, to: number, stored: boolean): boolean {
    const dependent = this.dependent.overwritten(page, from, to);
    this.running();
    let touched = dependent ? GONE : 0;
    const list = this.lists.get(page);
    if (list !== undefined) for (const p of list) touched += p.overwrite(from, to, stored, this.blocks);
    if (touched >= GONE) this.lost();
    // Where only immediates have changed the same granules hold code.
    if (touched >= GONE || touched === 0) this.keepGranules(page, list);
    return touched !== 0;
  }
  private keepGranules(page: number, list: readonly CodePage[] | undefined): void {
    const kept = { low: 0, high: 0 };
    if (list !== undefined) for (const p of list) p.addGranules(kept);
    this.dependent.addGranules(page, kept);
    this.granules.keep(page, kept);
  }
  /** No code is left in the page, and it is not watched any more. */
  private release(page: number): void {
    this.lists.delete(page);
    this.watched.delete(page);
    this.cpu.mmu.pages.unprotect(page, PageFlag.code);
  }

  clear(): void {
    for (const page of this.watched) this.cpu.mmu.pages.unprotect(page, PageFlag.code);
    this.watched.clear();
    this.lists.clear();
    this.granules.clear();
    this.changes.clear();
  }
}
