// Pages of the machine's large arrays (RAM first) as they were at snapshots: one copy for each time that a page changed between two of them.
// Going from one snapshot to another costs the pages that differ. Not the small state (snapshot.ts) and not which snapshots there are
// (debugger/history.ts).

import { PAGE_SIZE } from './memory.ts';
import type { StateArray } from './snapshot.ts';

const PAGE_SHIFT = 12;
/** Slots are handed out from slabs of 1 MiB. */
const SLAB_SHIFT = 8;
/** The slot of every page of zeros; it takes no room. */
const ZERO = 0;

/** Copies of pages in numbered slots, counted by how often they are used. */
class PageSlots {
  private readonly slabs: Uint8Array[] = [];
  private uses = new Uint32Array(1 << SLAB_SHIFT);
  private readonly free: number[] = [];
  private next = 1;
  private held = 0;

  /** Bytes of all copies. */
  get bytes(): number {
    return this.held * PAGE_SIZE;
  }
  keep(content: Uint8Array): number {
    const slot = this.free.pop() ?? this.next++;
    const slab = slot >> SLAB_SHIFT;
    if (this.slabs[slab] === undefined) {
      this.slabs[slab] = new Uint8Array(PAGE_SIZE << SLAB_SHIFT);
      if (this.uses.length < (slab + 1) << SLAB_SHIFT) {
        const more = new Uint32Array(2 * this.uses.length);
        more.set(this.uses);
        this.uses = more;
      }
    }
    this.slabs[slab].set(content, (slot & ((1 << SLAB_SHIFT) - 1)) << PAGE_SHIFT);
    this.uses[slot] = 1;
    this.held++;
    return slot;
  }
  share(slot: number): number {
    if (slot !== ZERO) this.uses[slot]!++;
    return slot;
  }
  release(slot: number): void {
    if (slot === ZERO || --this.uses[slot]! > 0) return;
    this.free.push(slot);
    this.held--;
  }
  /** The copy's first `bytes` bytes; not for ZERO. */
  view(slot: number, bytes: number): Uint8Array {
    const first = (slot & ((1 << SLAB_SHIFT) - 1)) << PAGE_SHIFT;
    return this.slabs[slot >> SLAB_SHIFT]!.subarray(first, first + bytes);
  }
}

const words = (bytes: Uint8Array): Int32Array => new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
const same = (a: Uint8Array, b: Uint8Array): boolean => {
  const x = words(a);
  const y = words(b);
  for (let i = 0; i < x.length; i++) if (x[i] !== y[i]) return false;
  for (let i = x.length * 4; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
};
const isZero = (a: Uint8Array): boolean => {
  const x = words(a);
  for (let i = 0; i < x.length; i++) if (x[i] !== 0) return false;
  for (let i = x.length * 4; i < a.length; i++) if (a[i] !== 0) return false;
  return true;
};

/** A snapshot's place in time, and the pages that it has a version of: all others are as in the snapshot before. */
interface Versioned {
  readonly order: number;
  readonly pages: number[];
}

export class PageVersions {
  private readonly slots = new PageSlots();
  /** By page: the orders of its versions, ascending, and their slots, in turns. */
  private readonly versions: (number[] | undefined)[];
  /** Ascending. */
  private readonly snapshots: Versioned[] = [];
  /** The array of each page, and its first page there. */
  private readonly firstPages: number[] = [];
  /** The snapshot that the live pages descend from; -1: none. */
  private base = -1;
  private readonly stamps: Uint32Array;
  private stamp = 0;

  /** @param arrays their start must be aligned to four bytes. */
  constructor(private readonly arrays: readonly StateArray[]) {
    let first = 0;
    for (const { bytes } of arrays) {
      this.firstPages.push(first);
      first += Math.ceil(bytes.length / PAGE_SIZE);
    }
    this.versions = new Array<number[] | undefined>(first).fill(undefined);
    this.stamps = new Uint32Array(first);
  }

  /** Bytes of host memory that the copies take. */
  get bytes(): number {
    return this.slots.bytes;
  }

  /** Notes the live pages as those of a new snapshot. No other may have its order; it may come before others. */
  capture(order: number): void {
    const at = this.indexBehind(order);
    const snapshot: Versioned = { order, pages: [] };
    const next = this.snapshots[at];
    this.snapshots.splice(at, 0, snapshot);
    this.forEachBetween(this.base, order, (page, live) => {
      const old = this.slotAt(page, order);
      // Without a version a page is zeros: what nobody has written needs none.
      if (this.holds(old ?? ZERO, live)) return;
      // What comes behind has been as it was before this snapshot.
      if (next !== undefined && !this.hasVersion(page, next.order)) this.put(page, next, this.slots.share(old ?? ZERO));
      this.put(page, snapshot, isZero(live) ? ZERO : this.slots.keep(live));
    });
    this.base = order;
  }

  /** Makes the live pages those of a snapshot. `changing`: called before one is overwritten, with its number and its new bytes (undefined: zeros). */
  restore(order: number, changing: (page: number, bytes: Uint8Array | undefined) => void): void {
    this.forEachBetween(Math.min(order, this.base), Math.max(order, this.base), (page, live) => {
      const slot = this.slotAt(page, order) ?? ZERO;
      if (this.holds(slot, live)) return;
      const bytes = slot === ZERO ? undefined : this.slots.view(slot, live.length);
      changing(page, bytes);
      if (bytes === undefined) live.fill(0);
      else live.set(bytes);
    });
    this.base = order;
  }

  /** Gives a snapshot up: what it has and the next one needs becomes the next one's. Not the one that the live pages descend from. */
  forget(order: number): void {
    const at = this.indexBehind(order) - 1;
    const snapshot = this.snapshots[at]!;
    const next = this.snapshots[at + 1];
    for (const page of snapshot.pages) {
      const list = this.versions[page]!;
      const i = this.versionIndex(list, order);
      if (next !== undefined && list[i + 2] !== next.order) {
        list[i] = next.order;
        next.pages.push(page);
      } else {
        this.slots.release(list[i + 1]!);
        list.splice(i, 2);
      }
    }
    this.snapshots.splice(at, 1);
  }

  private live(page: number): Uint8Array {
    let array = 0;
    while (array + 1 < this.firstPages.length && this.firstPages[array + 1]! <= page) array++;
    const { bytes } = this.arrays[array]!;
    const first = (page - this.firstPages[array]!) * PAGE_SIZE;
    return bytes.subarray(first, Math.min(first + PAGE_SIZE, bytes.length));
  }
  /** The live pages that may have changed since the base, and those that changed between two snapshots; each once. */
  private forEachBetween(from: number, to: number, visit: (page: number, live: Uint8Array) => void): void {
    this.stamp++;
    const once = (page: number, live: Uint8Array): void => {
      if (this.stamps[page] === this.stamp) return;
      this.stamps[page] = this.stamp;
      visit(page, live);
    };
    const between = this.snapshots.filter(({ order, pages }) => order > from && order <= to && pages.length > 0);
    this.forEachChanged(once);
    for (const { pages } of between) for (const page of pages) once(page, this.live(page));
  }
  /** The live pages that may differ from those of the base. */
  private forEachChanged(visit: (page: number, live: Uint8Array) => void): void {
    for (const [i, { bytes, takeChanged }] of this.arrays.entries()) {
      const first = this.firstPages[i]!;
      const one = (page: number): void =>
        visit(first + page, bytes.subarray(page * PAGE_SIZE, Math.min((page + 1) * PAGE_SIZE, bytes.length)));
      if (takeChanged !== undefined) takeChanged(one);
      else for (let page = 0; page * PAGE_SIZE < bytes.length; page++) one(page);
    }
  }
  private holds(slot: number, live: Uint8Array): boolean {
    return slot === ZERO ? isZero(live) : same(live, this.slots.view(slot, live.length));
  }

  /** Index of the first snapshot behind an order. */
  private indexBehind(order: number): number {
    let at = this.snapshots.length;
    while (at > 0 && this.snapshots[at - 1]!.order > order) at--;
    return at;
  }
  /** The slot of a page's version that is in force at an order. */
  private slotAt(page: number, order: number): number | undefined {
    const list = this.versions[page];
    if (list === undefined) return undefined;
    for (let i = list.length - 2; i >= 0; i -= 2) if (list[i]! <= order) return list[i + 1];
    return undefined;
  }
  private versionIndex(list: readonly number[], order: number): number {
    for (let i = 0; i < list.length; i += 2) if (list[i] === order) return i;
    throw new Error(`no version of order ${order}`);
  }
  private hasVersion(page: number, order: number): boolean {
    const list = this.versions[page];
    if (list !== undefined) for (let i = 0; i < list.length; i += 2) if (list[i] === order) return true;
    return false;
  }
  private put(page: number, snapshot: Versioned, slot: number): void {
    const list = (this.versions[page] ??= []);
    let i = list.length;
    while (i > 0 && list[i - 2]! > snapshot.order) i -= 2;
    list.splice(i, 0, snapshot.order, slot);
    snapshot.pages.push(page);
  }
}
