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

/** A/D differences are the processor's own doing and never a change. */
const COMPARED = ~(Pte.A | Pte.D);

export class ShadowTables implements Persistent<readonly (number | boolean)[]> {
  /** Flags of the shadow event in the making (ShadowFlag bits). */
  flags = 0;
  /** A table was taken away or mappings lost rights: all translations must go before the guest runs again. */
  flushPending = false;
  /** A writable translation without G, or with G, was removed but may still be in the TLB: harmless until its frame becomes a table. */
  private staleWritable = false;
  private staleGlobal = false;
  observer: HypervisorObserver | null = null;

  constructor(
    readonly pool: ShadowPool,
    private readonly p2m: P2m,
    private readonly machine: Machine,
    private readonly counters: ShadowCounters,
  ) {}

  /** Stores a leaf entry (L1 or FL1). Returns true if it changed. */
  setLeaf(page: number, slot: number, low: number, cause: number): boolean {
    const pool = this.pool;
    const type = pool.type[page]!;
    const old = pool.low(slot);
    if (((old ^ low) & COMPARED) === 0) return false;
    this.observer?.shadowEntrySet(pool.mfnOf(page), 1, (slot % WORDS) / stride(type), old, low, cause);
    if (old !== 0) {
      if ((old & Pte.RW) !== 0 && ((low & Pte.RW) === 0 || (old ^ low) >>> 12 !== 0)) this.noteStale(old);
      pool.unlinkFrame(this.p2m.gfnOf[old >>> 12]!, slot);
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
    // Rights that shrink at this level shrink for 1024 pages: no list says which were written through it.
    if (old !== 0 && (low === 0 || oldChild !== child || (old & ~low & (Pte.RW | Pte.US)) !== 0)) {
      this.staleWritable = true;
      this.staleGlobal = true;
    }
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

  /** Removes a shadow page with all its entries and everything that points at it. */
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
    this.flushPending = true;
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
        pool.unlinkFrame(this.p2m.gfnOf[old >>> 12]!, slot);
        continue;
      }
      const child = pool.pageOf(old >>> 12);
      pool.unlinkUp(child, slot);
      if (pool.upHead[child] === NIL) this.destroy(child, DemoteTrigger.UNHOOKED);
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
    }
    const flush = removed > 0 || this.staleWritable || this.staleGlobal;
    if (flush) this.flushPending = true;
    if (removed > 0) {
      this.flags |= ShadowFlag.WRMAP | ShadowFlag.SET_FLUSH;
      this.counters.writableRemoved += removed;
    }
    this.observer?.shadowWrmap(gfn, WrmapMethod.GUESS, removed, flush ? 1 : 0);
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
    if (removed > 0) this.flushPending = true;
    return removed;
  }

  private noteStale(old: number): void {
    if ((old & Pte.G) !== 0) this.staleGlobal = true;
    else this.staleWritable = true;
  }

  /** Drops translations from the TLB. */
  flush(globals: boolean): void {
    this.machine.flushGuestTlb(globals);
    this.staleWritable = false;
    if (globals) {
      this.staleGlobal = false;
      this.flushPending = false;
    }
    this.counters.flushes++;
    this.observer?.tlbFlush(globals ? TlbScope.ALL : TlbScope.NON_GLOBAL, 0, 0);
  }

  /** Before every VM entry. */
  flushIfNeeded(): void {
    if (this.flushPending) this.flush(true);
  }

  saveState(): readonly (number | boolean)[] {
    return [this.flags, this.flushPending, this.staleWritable, this.staleGlobal];
  }
  loadState(state: readonly (number | boolean)[]): void {
    const [flags, pending, writable, global] = state as [number, boolean, boolean, boolean];
    this.flags = flags;
    this.flushPending = pending;
    this.staleWritable = writable;
    this.staleGlobal = global;
  }
}
