// The shadow pages themselves: a fixed pool of machine frames, which guest frame each one shadows, which entries point where,
// and who was used last. Mechanism only: what an entry may contain is propagate.ts's, when pages come and go is paging.ts's.
// Xen: arch/x86/mm/shadow/common.c (pool, hash table); the exact reverse map stands in for Xen's search for writable mappings.

import type { PhysicalMemory } from '../../machine/memory.ts';
import { type Persistent, type StateArray, stateArray } from '../../machine/snapshot.ts';
import { ShadowPageType } from '../observer.ts';

/** Words of a table: entries of PAE tables take two. A slot is the number of an entry's low word in the pool. */
export const WORDS = 1024;
/** End of a list, or no page. */
export const NIL = -1;
const TYPES = 9;

/** Tables whose guest page must not be written unseen: bit `1 << type` in `tableTypes`. */
const GUARDED =
  (1 << ShadowPageType.L1_32) |
  (1 << ShadowPageType.L2_32) |
  (1 << ShadowPageType.L1_PAE) |
  (1 << ShadowPageType.L2_PAE);

/** True for the types that shadow one guest frame (and not a superpage or nothing at all). */
export const shadowsFrame = (type: number): boolean => ((GUARDED >>> type) & 1) === 1;
/** True for directories: their entries point at other shadow pages. */
export const isDirectory = (type: number): boolean =>
  type === ShadowPageType.L2_32 || type === ShadowPageType.L2_PAE || type === ShadowPageType.BLANK;
/** Distance of two entries in words. */
export const stride = (type: number): 1 | 2 => (type >= ShadowPageType.L1_PAE && type <= ShadowPageType.L2_PAE ? 2 : 1);

/** Who has not seen yet that a page of the pool was written: its frame, its part of `next`, its part of `prev`. */
const Unseen = { FRAME: 1, NEXT: 2, PREV: 4, ALL: 7 } as const;

export class ShadowPool implements Persistent<readonly number[]> {
  /** By page: ShadowPageType, or 0xff for a free page. */
  readonly type: Uint8Array;
  /** By page: gfn of the shadowed table, or number of the superpage. */
  readonly key: Int32Array;
  /** By page: entries that are not zero. */
  readonly filled: Int32Array;
  /** Lists of slots. By gfn: leaf entries that map the frame. By page: directory entries that point at the page. */
  readonly frameHead: Int32Array;
  readonly upHead: Int32Array;
  readonly next: Int32Array;
  private readonly prev: Int32Array;
  /** By gfn: bits of the types under which the frame is shadowed as a table; not 0 means write-protected. */
  readonly tableTypes: Uint16Array;
  private readonly lookup: Int32Array[];
  /** By list (0 directories, 1 leaf tables): most and least recently used page. */
  private readonly lruHead = new Int32Array([NIL, NIL]);
  private readonly lruTail = new Int32Array([NIL, NIL]);
  private readonly lruNext: Int32Array;
  private readonly lruPrev: Int32Array;
  private readonly free: Int32Array;
  private freeCount: number;
  /** By page: Unseen bits, for snapshots. */
  private readonly unseen: Uint8Array;
  private readonly u32: Uint32Array;
  /** Index into `memory.u32` of slot 0. */
  private readonly word0: number;

  /** The pool is the machine frames firstMfn to firstMfn + pages - 1; the guest has frames 0 to gfns - 1. */
  constructor(
    memory: PhysicalMemory,
    readonly firstMfn: number,
    readonly pages: number,
    readonly gfns: number,
  ) {
    this.u32 = memory.u32;
    this.word0 = (memory.ramBase >>> 2) + firstMfn * WORDS;
    this.type = new Uint8Array(pages).fill(0xff);
    this.key = new Int32Array(pages);
    this.filled = new Int32Array(pages);
    this.frameHead = new Int32Array(gfns).fill(NIL);
    this.upHead = new Int32Array(pages).fill(NIL);
    this.next = new Int32Array(pages * WORDS);
    this.prev = new Int32Array(pages * WORDS);
    this.tableTypes = new Uint16Array(gfns);
    this.lookup = [];
    for (let type = 0; type < TYPES; type++) this.lookup.push(new Int32Array(keys(type, gfns)).fill(NIL));
    this.lruNext = new Int32Array(pages).fill(NIL);
    this.lruPrev = new Int32Array(pages).fill(NIL);
    this.free = new Int32Array(pages);
    this.unseen = new Uint8Array(pages).fill(Unseen.ALL);
    this.freeCount = pages;
    for (let i = 0; i < pages; i++) this.free[i] = pages - 1 - i;
  }

  get freePages(): number {
    return this.freeCount;
  }
  mfnOf(page: number): number {
    return this.firstMfn + page;
  }
  /** Page of a machine frame of the pool. */
  pageOf(mfn: number): number {
    return mfn - this.firstMfn;
  }

  /** Index into `memory.u32` of a page's first word. */
  wordOf(page: number): number {
    return this.word0 + page * WORDS;
  }
  low(slot: number): number {
    return this.u32[this.word0 + slot]!;
  }
  /** Stores an entry's low word, nothing else. High words of PAE entries stay 0. */
  store(slot: number, low: number): void {
    this.u32[this.word0 + slot] = low;
    this.unseen[slot >>> 10] = Unseen.ALL;
  }

  /** The page that shadows `key` under `type`, or NIL. */
  find(type: number, key: number): number {
    return this.lookup[type]![key] ?? NIL;
  }

  /** Takes a free page, zeroed and in the hash; NIL if there is none. */
  take(type: number, key: number): number {
    if (this.freeCount === 0) return NIL;
    const page = this.free[--this.freeCount]!;
    this.type[page] = type;
    this.key[page] = key;
    this.filled[page] = 0;
    this.lookup[type]![key] = page;
    if (shadowsFrame(type)) this.tableTypes[key] = this.tableTypes[key]! | (1 << type);
    const first = this.word0 + page * WORDS;
    this.u32.fill(0, first, first + WORDS);
    this.unseen[page] = Unseen.ALL;
    this.insertFirst(page);
    return page;
  }

  /** Gives an EMPTY page back (no entries, nothing points at it). */
  give(page: number): void {
    const type = this.type[page]!;
    const key = this.key[page]!;
    this.unlinkLru(page);
    this.lookup[type]![key] = NIL;
    if (shadowsFrame(type)) this.tableTypes[key] = this.tableTypes[key]! & ~(1 << type);
    this.type[page] = 0xff;
    this.free[this.freeCount++] = page;
  }

  /** Puts a slot into the list of the frame that it maps. */
  linkFrame(gfn: number, slot: number): void {
    this.link(this.frameHead, gfn, slot);
  }
  unlinkFrame(gfn: number, slot: number): void {
    this.unlink(this.frameHead, gfn, slot);
  }
  linkUp(page: number, slot: number): void {
    this.link(this.upHead, page, slot);
  }
  unlinkUp(page: number, slot: number): void {
    this.unlink(this.upHead, page, slot);
  }

  private link(heads: Int32Array, list: number, slot: number): void {
    const first = heads[list]!;
    this.next[slot] = first;
    this.prev[slot] = NIL;
    if (first !== NIL) {
      this.prev[first] = slot;
      this.unseen[first >>> 10] = Unseen.ALL;
    }
    heads[list] = slot;
    this.unseen[slot >>> 10] = Unseen.ALL;
  }
  private unlink(heads: Int32Array, list: number, slot: number): void {
    const next = this.next[slot]!;
    const prev = this.prev[slot]!;
    if (prev === NIL) heads[list] = next;
    else {
      this.next[prev] = next;
      this.unseen[prev >>> 10] = Unseen.ALL;
    }
    if (next === NIL) return;
    this.prev[next] = prev;
    this.unseen[next >>> 10] = Unseen.ALL;
  }

  /** Marks a page as used now. */
  touch(page: number): void {
    const list = this.list(page);
    if (this.lruHead[list] === page) return;
    this.unlinkLru(page);
    this.insertFirst(page);
  }
  /** Least recently used page of list 0 (directories) or 1 (leaf tables), or NIL; then `newer` goes on. */
  oldest(list: 0 | 1): number {
    return this.lruTail[list]!;
  }
  newer(page: number): number {
    return this.lruPrev[page]!;
  }

  private list(page: number): 0 | 1 {
    return isDirectory(this.type[page]!) ? 0 : 1;
  }
  private insertFirst(page: number): void {
    const list = this.list(page);
    const head = this.lruHead[list]!;
    this.lruNext[page] = head;
    this.lruPrev[page] = NIL;
    if (head === NIL) this.lruTail[list] = page;
    else this.lruPrev[head] = page;
    this.lruHead[list] = page;
  }
  private unlinkLru(page: number): void {
    const list = this.list(page);
    const next = this.lruNext[page]!;
    const prev = this.lruPrev[page]!;
    if (prev === NIL) this.lruHead[list] = next;
    else this.lruNext[prev] = next;
    if (next === NIL) this.lruTail[list] = prev;
    else this.lruPrev[next] = prev;
  }

  /** What is not in the arrays. */
  saveState(): readonly number[] {
    return [this.freeCount, ...this.lruHead, ...this.lruTail];
  }
  loadState(state: readonly number[]): void {
    this.freeCount = state[0]!;
    this.lruHead.set(state.slice(1, 3));
    this.lruTail.set(state.slice(3, 5));
  }
  get stateArrays(): readonly StateArray[] {
    const compared = [
      this.type, this.key, this.filled, this.frameHead, this.upHead, this.tableTypes, this.lruNext, this.lruPrev, this.free, ...this.lookup,
    ]; // prettier-ignore
    return [
      ...compared.map(stateArray),
      { ...stateArray(this.next), takeChanged: (visit) => this.takeUnseen(Unseen.NEXT, visit) },
      { ...stateArray(this.prev), takeChanged: (visit) => this.takeUnseen(Unseen.PREV, visit) },
    ];
  }
  /** Calls back with the frames of the pool that were written since the last call. */
  takeWritten(visit: (mfn: number) => void): void {
    this.takeUnseen(Unseen.FRAME, (page) => visit(this.mfnOf(page)));
  }
  private takeUnseen(bit: number, visit: (page: number) => void): void {
    for (let page = 0; page < this.pages; page++) {
      if ((this.unseen[page]! & bit) === 0) continue;
      this.unseen[page] = this.unseen[page]! & ~bit;
      visit(page);
    }
  }
}

/** How many keys a type has: frames of the guest, superpages below 4 GiB, or one. */
function keys(type: number, gfns: number): number {
  if (shadowsFrame(type)) return gfns;
  if (type === ShadowPageType.FL1_32) return 1024;
  if (type === ShadowPageType.FL1_PAE) return 2048;
  return 1;
}
