// Writing shadow entries: each change keeps the reverse map, the up-pointers and the note of what the TLB may still hold.
// Not the decision what an entry grants (propagate.ts) and not when tables are made (paging.ts).

import type { Persistent } from '../../machine/snapshot.ts';
import type { Machine } from '../machine.ts';
import type { HypervisorObserver } from '../observer.ts';
import { DemoteTrigger, ShadowFlag, ShadowPageAction, ShadowSetCause, TlbScope, WrmapMethod } from '../observer.ts';
import type { P2m } from '../p2m.ts';
import type { ShadowCounters } from './counters.ts';
import { Pte } from './entries.ts';
import { isDirectory, NIL, shadowsFrame, stride, WORDS, type ShadowPool } from './pool.ts';
import { StaleWritable } from './stale-writable.ts';

/** A/D differences are the processor's own doing and never a change. */
const COMPARED = ~(Pte.A | Pte.D);
/** A leaf table that is hooked up in more directories than this is not followed to each of them: all translations go. */
const MOST_HOOKS = 256;
/** The frames of a leaf table with more entries than this are not noted one by one. */
const MOST_NOTED = 64;

export interface ShadowTablesSaved {
  readonly flags: number;
  readonly flushPending: boolean;
  readonly stale: readonly number[];
}

export class ShadowTables implements Persistent<ShadowTablesSaved> {
  /** Flags of the shadow event in the making (ShadowFlag bits). */
  flags = 0;
  /** All translations must go before the guest runs again. */
  flushPending = false;
  private readonly stale: StaleWritable;
  observer: HypervisorObserver | null = null;

  constructor(
    readonly pool: ShadowPool,
    private readonly p2m: P2m,
    private readonly machine: Machine,
    private readonly counters: ShadowCounters,
  ) {
    this.stale = new StaleWritable(pool.gfns);
  }

  /** Stores a leaf entry (L1 or FL1). Returns true if it changed. */
  setLeaf(page: number, slot: number, low: number, cause: number): boolean {
    const pool = this.pool;
    const type = pool.type[page]!;
    const old = pool.low(slot);
    if (((old ^ low) & COMPARED) === 0) return false;
    this.observer?.shadowEntrySet(pool.mfnOf(page), 1, (slot % WORDS) / stride(type), old, low, cause);
    if (old !== 0) {
      const gfn = this.p2m.gfnOf[old >>> 12]!;
      if ((old & Pte.RW) !== 0 && ((low & Pte.RW) === 0 || (old ^ low) >>> 12 !== 0)) this.noteStale(gfn, old);
      pool.unlinkFrame(gfn, slot);
      if (low === 0) pool.filled[page] = pool.filled[page]! - 1;
    } else {
      pool.filled[page] = pool.filled[page]! + 1;
    }
    pool.store(slot, low);
    if (low !== 0) pool.linkFrame(this.p2m.gfnOf[low >>> 12]!, slot);
    this.flags |= ShadowFlag.SET_CHANGED;
    return true;
  }

  /**
   * Stores a directory entry: `child` is a shadow page, or NIL to clear. A leaf table that nothing points at any more is destroyed.
   * Returns true if it changed.
   */
  setDirectory(page: number, slot: number, child: number, flags: number, cause: number): boolean {
    const pool = this.pool;
    const type = pool.type[page]!;
    const old = pool.low(slot);
    const low = child === NIL ? 0 : ((pool.mfnOf(child) << 12) | flags) >>> 0;
    if (((old ^ low) & COMPARED) === 0) return false;
    this.observer?.shadowEntrySet(pool.mfnOf(page), 2, (slot % WORDS) / stride(type), old, low, cause);
    const oldChild = old === 0 ? NIL : pool.pageOf(old >>> 12);
    if (old !== 0 && (low === 0 || oldChild !== child || (old & ~low & (Pte.RW | Pte.US)) !== 0))
      this.noteStaleTable(oldChild);
    pool.store(slot, low);
    if (old === 0) pool.filled[page] = pool.filled[page]! + 1;
    if (low === 0) pool.filled[page] = pool.filled[page]! - 1;
    if (oldChild !== child) {
      if (oldChild !== NIL) pool.unlinkUp(oldChild, slot);
      if (child !== NIL) {
        pool.linkUp(child, slot);
        this.flags |= ShadowFlag.L1_GET_REF;
      }
      if (oldChild !== NIL && pool.upHead[oldChild] === NIL) {
        this.flags |= ShadowFlag.L1_PUT_REF;
        this.destroy(oldChild, DemoteTrigger.UNHOOKED);
      }
    }
    this.flags |= ShadowFlag.SET_CHANGED | ShadowFlag.L2_PROPAGATE;
    return true;
  }

  /** Takes a page for a table that was not shadowed; the caller has made room. NIL if there is none. */
  create(type: number, key: number): number {
    const pool = this.pool;
    const guarded = shadowsFrame(type);
    const first = guarded && pool.tableTypes[key] === 0;
    const page = pool.take(type, key);
    if (page === NIL) return NIL;
    this.counters.created++;
    this.observer?.shadowPage(ShadowPageAction.CREATE, type, key, pool.mfnOf(page));
    if (isDirectory(type)) this.observer?.shadowPage(ShadowPageAction.PIN, type, key, pool.mfnOf(page));
    if (guarded) {
      const removed = first ? this.removeWritable(key) : 0;
      if (first) {
        this.flags |= ShadowFlag.PROMOTE;
        this.counters.promoted++;
        this.observer?.shadowPromote(key, type, removed);
      }
    }
    return page;
  }

  /**
   * Removes a shadow page with all its entries and everything that points at it. Translations that the TLB has stay until the guest drops them:
   * the guest's tables still grant them. Of the page itself the processor holds nothing, as without VPIDs a VM entry drops what it has
   * cached of tables (SDM vol. 3, 28.3.3.1).
   */
  destroy(page: number, trigger: number): void {
    const pool = this.pool;
    const type = pool.type[page]!;
    const key = pool.key[page]!;
    for (let slot = pool.upHead[page]!; slot !== NIL; slot = pool.upHead[page]!) {
      const parent = Math.floor(slot / WORDS);
      pool.unlinkUp(page, slot);
      pool.store(slot, 0);
      pool.filled[parent] = pool.filled[parent]! - 1;
      this.observer?.shadowEntrySet(
        pool.mfnOf(parent),
        2,
        (slot % WORDS) / stride(pool.type[parent]!),
        ((pool.mfnOf(page) << 12) | Pte.P) >>> 0,
        0,
        ShadowSetCause.ZAP,
      );
    }
    this.clear(page);
    if (isDirectory(type)) this.observer?.shadowPage(ShadowPageAction.UNPIN, type, key, pool.mfnOf(page));
    pool.give(page);
    this.counters.destroyed++;
    this.observer?.shadowPage(ShadowPageAction.DESTROY, type, key, pool.mfnOf(page));
    if (shadowsFrame(type) && pool.tableTypes[key] === 0) {
      this.flags |= ShadowFlag.DEMOTE;
      this.counters.demoted++;
      this.observer?.shadowDemote(key, type, trigger);
    }
  }

  /** Empties a table, so that it can be given back or filled anew. */
  private clear(page: number): void {
    const pool = this.pool;
    const type = pool.type[page]!;
    const step = stride(type);
    const end = (page + 1) * WORDS;
    const directory = isDirectory(type);
    for (let slot = page * WORDS; slot < end && pool.filled[page]! > 0; slot += step) {
      const old = pool.low(slot);
      if (old === 0) continue;
      pool.filled[page] = pool.filled[page]! - 1;
      pool.store(slot, 0);
      if (!directory) {
        const gfn = this.p2m.gfnOf[old >>> 12]!;
        if ((old & Pte.RW) !== 0) this.noteStale(gfn, old);
        pool.unlinkFrame(gfn, slot);
        continue;
      }
      const child = pool.pageOf(old >>> 12);
      pool.unlinkUp(child, slot);
      // A table that goes notes its frames itself.
      if (pool.upHead[child] === NIL) this.destroy(child, DemoteTrigger.UNHOOKED);
      else if (!this.hookedAlike(child, slot)) this.noteStaleTable(child);
    }
  }

  /** Takes the write permission from every shadow entry that maps the frame: exactly those, by the reverse map. Returns how many had it. */
  removeWritable(gfn: number): number {
    const pool = this.pool;
    let removed = 0;
    for (let slot = pool.frameHead[gfn]!; slot !== NIL; slot = pool.next[slot]!) {
      const old = pool.low(slot);
      if ((old & Pte.RW) === 0) continue;
      const low = (old & ~(Pte.RW | Pte.D)) >>> 0;
      pool.store(slot, low);
      removed++;
      const page = Math.floor(slot / WORDS);
      this.observer?.shadowEntrySet(
        pool.mfnOf(page),
        1,
        (slot % WORDS) / stride(pool.type[page]!),
        old,
        low,
        ShadowSetCause.ZAP,
      );
      if (!this.flushPending) this.dropTranslations(page, slot);
    }
    if (this.stale.has(gfn)) this.flushPending = true;
    if (removed > 0) {
      this.flags |= ShadowFlag.WRMAP | ShadowFlag.SET_FLUSH;
      this.counters.writableRemoved += removed;
    }
    this.observer?.shadowWrmap(gfn, WrmapMethod.GUESS, removed, removed > 0 || this.flushPending ? 1 : 0);
    return removed;
  }

  /** Removes every shadow entry that maps the frame: before the p2m changes under it. Returns how many there were. */
  removeMappings(gfn: number): number {
    const pool = this.pool;
    let removed = 0;
    for (let slot = pool.frameHead[gfn]!; slot !== NIL; slot = pool.frameHead[gfn]!) {
      this.setLeaf(Math.floor(slot / WORDS), slot, 0, ShadowSetCause.ZAP);
      removed++;
    }
    // Entries that only granted reading may have gone before, too.
    this.flushPending = true;
    return removed;
  }

  /** Linear address of what a directory's entry maps; with PAE as if the directory were the first of four. */
  private base(slot: number): number {
    return stride(this.pool.type[slot >>> 10]!) === 2 ? (slot % WORDS) << 20 : (slot % WORDS) << 22;
  }
  /** Drops what the TLB has by one entry of a leaf table, wherever the table is hooked up. */
  private dropTranslations(page: number, slot: number): void {
    const pool = this.pool;
    const pae = stride(pool.type[page]!) === 2;
    const offset = pae ? (slot % WORDS) << 11 : (slot % WORDS) << 12;
    let last = -1;
    let hooks = 0;
    for (let up = pool.upHead[page]!; up !== NIL; up = pool.next[up]!) {
      if (++hooks > MOST_HOOKS) {
        this.flushPending = true;
        return;
      }
      // The kernel's tables stand at one place in every directory.
      const base = this.base(up);
      if (base === last) continue;
      last = base;
      // Which of the four directories this one is depends on the CR3.
      for (let quarter = 0; quarter < (pae ? 4 : 1); quarter++) {
        const linear = ((quarter << 30) | base | offset) >>> 0;
        this.machine.invalidateGuestPage(linear);
        this.observer?.tlbFlush(TlbScope.PAGE, linear, 1);
      }
    }
  }
  /** True if a leaf table that is hooked up elsewhere is so where `slot` did it, in another directory. */
  private hookedAlike(page: number, slot: number): boolean {
    return this.base(this.pool.upHead[page]!) === this.base(slot);
  }

  private noteStale(gfn: number, old: number): void {
    this.stale.note(gfn, (old & Pte.G) !== 0);
  }
  /** A leaf table is no longer reached in one place, or with fewer rights. */
  private noteStaleTable(page: number): void {
    const pool = this.pool;
    if (pool.filled[page]! > MOST_NOTED) {
      this.stale.noteAny();
      return;
    }
    const step = stride(pool.type[page]!);
    const end = (page + 1) * WORDS;
    let left = pool.filled[page]!;
    for (let slot = page * WORDS; slot < end && left > 0; slot += step) {
      const low = pool.low(slot);
      if (low === 0) continue;
      left--;
      if ((low & Pte.RW) !== 0) this.noteStale(this.p2m.gfnOf[low >>> 12]!, low);
    }
  }

  /** Drops translations from the TLB. */
  flush(globals: boolean): void {
    this.machine.flushGuestTlb(globals);
    if (globals) this.translationsGone();
    else this.stale.flushed(false);
    this.counters.flushes++;
    this.observer?.tlbFlush(globals ? TlbScope.ALL : TlbScope.NON_GLOBAL, 0, 0);
  }

  /** Another vCPU has had the processor: without VPID nothing of this guest's is left in the TLB (SDM vol. 3, 28.3.3.1). */
  translationsGone(): void {
    this.stale.flushed(true);
    this.flushPending = false;
  }

  /** Before every VM entry. */
  flushIfNeeded(): void {
    if (this.flushPending) this.flush(true);
  }

  saveState(): ShadowTablesSaved {
    return { flags: this.flags, flushPending: this.flushPending, stale: this.stale.saveState() };
  }
  loadState(state: ShadowTablesSaved): void {
    this.flags = state.flags;
    this.flushPending = state.flushPending;
    this.stale.loadState(state.stale);
  }
}
