// Shadow paging of one vCPU: the roots, the fault handler, promotion and early unshadowing, the answer to guest table writes.
// The shadow has the guest's own format (2-on-2, 3-on-3); unpaged guests run on a table of splintered superpages.
// No out-of-sync tables: the period is before Xen 3.3. Not the emulation of the faulting instruction (guest-access.ts, exits/page-fault.ts).
// Xen: arch/x86/mm/shadow/multi.c (sh_page_fault, sh_update_cr3), common.c (shadow_prealloc, sh_remove_shadows).

import { type Persistent, saveFields, type StateArray, stateArray } from '../../machine/snapshot.ts';
import type { Machine } from '../machine.ts';
import {
  Cr3Flag,
  DemoteTrigger,
  ShadowFlag,
  ShadowOutcome,
  ShadowPageType,
  ShadowSetCause,
  TlbScope,
  type HypervisorObserver,
} from '../observer.ts';
import type { P2m } from '../p2m.ts';
import { Agreement } from './agreement.ts';
import { ShadowCounters } from './counters.ts';
import { PageFault, Pte } from './entries.ts';
import { PagingState } from './paging-state.ts';
import { NIL, ShadowPool, WORDS, stride } from './pool.ts';
import { Propagator } from './propagate.ts';
import { ShadowTables, type ShadowTablesSaved } from './tables.ts';
import { GuestWalker } from './walker.ts';

/** What the exit handler does after a shadow fault. */
export const FaultAction = {
  /** Repaired: enter the guest again. */
  RESUME: 0,
  /** The guest's own fault: inject #PF with `walker.error`. */
  INJECT: 1,
  /** Write to a page table: emulate the instruction. */
  EMULATE_TABLE_WRITE: 2,
  /** Supervisor write through a read-only entry with CR0.WP clear: emulate. */
  EMULATE_WP: 3,
  /** Not RAM: emulate the access to the device. */
  EMULATE_MMIO: 4,
  /** The pool is too small for even one translation. */
  NO_MEMORY: 5,
} as const;
export type FaultAction = (typeof FaultAction)[keyof typeof FaultAction];

/** What-if switches; the defaults are Xen 3.2's optimisations, as far as they exist without out-of-sync tables. */
export interface ShadowOptions {
  /** Neighbouring entries set along with a demanded one: 0 to 1023. */
  readonly prefetch: number;
  /** Writes in a row that do not look like page-table writes before the page is given up; 0: never. */
  readonly earlyUnshadow: number;
}
export const DEFAULT_SHADOW_OPTIONS: ShadowOptions = { prefetch: 32, earlyUnshadow: 3 };

const MODE_FIELDS = ['paging', 'wp', 'pae', 'pse', 'pge', 'cr3'] as const;
const WALKER_FIELDS = [
  'gfn', 'error', 'l2Gfn', 'l2Word', 'l2Low', 'l1Gfn', 'l1Word', 'l1Low', 'large', 'writable', 'touched',
] as const; // prettier-ignore

/** Fewest pages with which any instruction can make progress (code, stack, two operands across pages, PAE directories), with slack. */
export const MIN_POOL_PAGES = 24;

export interface ShadowSaved {
  readonly mode: Record<string, number | boolean>;
  readonly pdptes: Uint32Array;
  readonly counters: Record<string, number>;
  readonly pool: readonly number[];
  readonly tables: ShadowTablesSaved;
  readonly walker: Record<string, number | boolean>;
  readonly roots: Int32Array;
  readonly odd: readonly [gfn: number, writes: number];
}

export class ShadowPaging implements Persistent<ShadowSaved> {
  readonly mode = new PagingState();
  readonly counters = new ShadowCounters();
  readonly pool: ShadowPool;
  readonly tables: ShadowTables;
  readonly walker: GuestWalker;
  private readonly propagator: Propagator;
  private readonly agreement: Agreement;
  /** Directories that the current CR3 uses: one, or four with PAE (NIL where the PDPTE is absent). */
  private readonly roots = new Int32Array(4).fill(NIL);
  /** By gfn: 1 if this frame was a CR3 before. */
  private readonly seen: Uint8Array;
  private lastOddGfn = -1;
  private oddWrites = 0;
  private monitor: HypervisorObserver | null = null;

  /** Pool: machine frames poolMfn to poolMfn + poolPages - 1. `topMfn`: one more frame, below 4 GiB, for the PAE top level. */
  constructor(
    private readonly machine: Machine,
    private readonly p2m: P2m,
    poolMfn: number,
    poolPages: number,
    private readonly topMfn: number,
    readonly options: ShadowOptions = DEFAULT_SHADOW_OPTIONS,
  ) {
    if (poolPages < MIN_POOL_PAGES) throw new Error(`a shadow pool needs ${MIN_POOL_PAGES} pages at least`);
    this.pool = new ShadowPool(machine.memory, poolMfn, poolPages, p2m.gfns);
    this.tables = new ShadowTables(this.pool, p2m, machine, this.counters);
    this.walker = new GuestWalker(p2m, this.mode);
    this.seen = new Uint8Array(p2m.gfns);
    this.propagator = new Propagator(p2m, this.mode, this.pool);
    const { pool, tables, propagator, counters } = this;
    this.agreement = new Agreement(machine.memory, p2m, pool, tables, propagator, counters, options.prefetch);
  }

  set observer(observer: HypervisorObserver | null) {
    this.monitor = observer;
    this.tables.observer = observer;
  }

  /** What GUEST_CR3 must hold: machine address of the shadow root. */
  get shadowCr3(): number {
    if (this.mode.paging && this.mode.pae) return this.topMfn * 4096;
    return this.pool.mfnOf(this.roots[0]!) * 4096;
  }
  /** What GUEST_CR4.PAE must be. */
  get shadowIsPae(): boolean {
    return this.mode.paging && this.mode.pae;
  }

  /** True if the frame is shadowed as a page table, so that writes to it must be validated. */
  isTable(gfn: number): boolean {
    return gfn < this.p2m.gfns && this.pool.tableTypes[gfn] !== 0;
  }

  /**
   * The guest loaded CR3 (mode.cr3 and, with PAE, mode.pdptes are already the new ones). `old`: the value before.
   * False if the pool cannot hold even the root.
   */
  loadCr3(old: number): boolean {
    this.counters.cr3Loads++;
    const gfn = this.mode.cr3 >>> 12;
    const same = old >>> 0 === this.mode.cr3 ? Cr3Flag.FLUSH_ONLY : 0;
    const first = this.seen[gfn] === 1 ? 0 : Cr3Flag.FIRST_SEEN;
    if (gfn < this.seen.length) this.seen[gfn] = 1;
    this.monitor?.cr3Load(old, this.mode.cr3, same | first);
    const created = this.counters.created;
    if (!this.updateRoots()) return false;
    if (this.counters.created === created) this.counters.cr3Hits++;
    this.tables.flush(this.tables.flushPending);
    return true;
  }

  /** CR0.PG, CR4.PAE, PSE or PGE changed (`mode` already says how): new roots; with `drop` no shadow survives. */
  changeMode(drop: boolean): boolean {
    if (drop) this.dropAll(DemoteTrigger.DOMAIN);
    const done = this.updateRoots();
    this.tables.flush(true);
    return done;
  }

  /** Removes every shadow. The roots must be made again before the guest runs. */
  dropAll(trigger: number): void {
    this.roots.fill(NIL);
    for (const list of [0, 1] as const) {
      for (let page = this.pool.oldest(list); page !== NIL; page = this.pool.oldest(list)) {
        this.tables.destroy(page, trigger);
      }
    }
  }

  private updateRoots(): boolean {
    const mode = this.mode;
    this.roots.fill(NIL);
    if (!mode.paging) return this.setRoot(0, ShadowPageType.BLANK, 0);
    if (!mode.pae) {
      const gfn = mode.cr3 >>> 12;
      if (!this.p2m.isRam(gfn)) {
        // A CR3 outside memory maps nothing: an emptied blank table shows that, as every walk is refused.
        const blank = this.pool.find(ShadowPageType.BLANK, 0);
        if (blank !== NIL) this.tables.destroy(blank, DemoteTrigger.UNHOOKED);
        return this.setRoot(0, ShadowPageType.BLANK, 0);
      }
      return this.setRoot(0, ShadowPageType.L2_32, gfn);
    }
    const top = this.topMfn * 4096;
    for (let i = 0; i < 4; i++) {
      const low = mode.pdptes[i * 2]!;
      const gfn = low >>> 12;
      const present = (low & Pte.P) !== 0 && this.p2m.isRam(gfn);
      if (present && !this.setRoot(i, ShadowPageType.L2_PAE, gfn)) return false;
      const entry = present ? this.pool.mfnOf(this.roots[i]!) * 4096 + Pte.P : 0;
      this.machine.memory.write32(top + i * 8, entry);
      this.machine.memory.write32(top + i * 8 + 4, 0);
    }
    return true;
  }

  private setRoot(index: number, type: number, key: number): boolean {
    let page = this.pool.find(type, key);
    if (page === NIL) {
      page = this.make(type, key);
      if (page === NIL) return false;
      this.roots[index] = page;
      // Whatever is already shadowed below (the kernel's half, usually) is hooked up at once instead of fault by fault.
      if (type !== ShadowPageType.BLANK) {
        for (let word = 0; word < WORDS; word += stride(type))
          this.agreement.directory(page, key, word, ShadowSetCause.PREFETCH);
      }
    }
    this.roots[index] = page;
    this.pool.touch(page);
    return true;
  }

  /**
   * A page fault at `linear` with the processor's error code, in the guest or in an emulated access. Repairs the shadow or says what to do.
   * Afterwards `walker` describes the guest's own translation.
   */
  fault(linear: number, error: number): FaultAction {
    const walker = this.walker;
    const mode = this.mode;
    const tables = this.tables;
    tables.flags = 0;
    this.counters.faults++;
    if (!walker.walk(linear, error)) {
      this.counters.propagate++;
      this.monitor?.shadowFault(linear, error, ShadowOutcome.PROPAGATE, walker.l1Low, 0);
      return FaultAction.INJECT;
    }
    if (walker.touched) tables.flags |= error & PageFault.W ? ShadowFlag.SET_AD : ShadowFlag.SET_A;
    const gfn = walker.gfn;
    if (!this.p2m.isRam(gfn)) {
      this.counters.mmio++;
      this.monitor?.shadowFault(linear, error, ShadowOutcome.MMIO, walker.l1Low, tables.flags);
      return FaultAction.EMULATE_MMIO;
    }
    const pae = mode.paging && mode.pae;
    const l2Slot = this.roots[pae ? linear >>> 30 : 0]! * WORDS + (pae ? ((linear >>> 21) & 0x1ff) * 2 : linear >>> 22);
    const page = this.leafTable(l2Slot, pae);
    if (page === NIL) return FaultAction.NO_MEMORY;
    const index = pae ? (linear >>> 12) & 0x1ff : (linear >>> 12) & 0x3ff;
    this.agreement.leaf(page, index, pae, ShadowSetCause.DEMAND);
    this.agreement.prefetch(page, index, pae);
    this.machine.invalidateGuestPage(linear);

    if ((error & PageFault.W) !== 0) {
      if (this.pool.tableTypes[gfn] !== 0) return FaultAction.EMULATE_TABLE_WRITE;
      if (!walker.writable) {
        this.counters.emulateWp++;
        return FaultAction.EMULATE_WP;
      }
    }
    this.counters.fixup++;
    this.monitor?.shadowFault(linear, error, ShadowOutcome.FIXUP, walker.l1Low, tables.flags);
    return FaultAction.RESUME;
  }

  /** The leaf table for the walker's last translation, hooked into its directory; NIL if there is no room. */
  private leafTable(l2Slot: number, pae: boolean): number {
    const walker = this.walker;
    let type: number;
    let key: number;
    let flags: number = Pte.P | Pte.A | Pte.RW | Pte.US;
    if (this.mode.paging) flags = this.propagator.directory(walker.l2Low, 0, pae);
    if (walker.large) {
      type = pae ? ShadowPageType.FL1_PAE : ShadowPageType.FL1_32;
      key = pae ? walker.gfn >>> 9 : walker.gfn >>> 10;
    } else {
      type = pae ? ShadowPageType.L1_PAE : ShadowPageType.L1_32;
      key = walker.l1Gfn;
    }
    let page = this.pool.find(type, key);
    if (page === NIL) page = this.make(type, key);
    if (page === NIL) return NIL;
    this.pool.touch(page);
    this.tables.setDirectory(Math.floor(l2Slot / WORDS), l2Slot, page, flags, ShadowSetCause.DEMAND);
    return page;
  }

  /** Called after each write that the hypervisor makes on the guest's behalf to a frame that is a page table; `offset` and `size` in bytes. */
  validate(gfn: number, offset: number, size: number): void {
    this.agreement.validate(gfn, offset, size);
  }

  /**
   * The guest wrote to a page table through the emulator. Repeated writes that do not look like page-table writes (zeros,
   * bytes, unaligned words) mean that the page is being reused: it is given up early. Returns true if it was.
   */
  noteTableWrite(gfn: number, offset: number, size: number, value: number): boolean {
    const odd = size < 4 || (offset & 3) !== 0 || value === 0;
    if (!odd || gfn !== this.lastOddGfn) {
      this.oddWrites = 0;
      this.lastOddGfn = odd ? gfn : -1;
    }
    if (!odd || ++this.oddWrites < this.options.earlyUnshadow || this.options.earlyUnshadow === 0) return false;
    this.oddWrites = 0;
    this.tables.flags |= ShadowFlag.EARLY_UNSHADOW;
    if (!this.unshadow(gfn, DemoteTrigger.EARLY_UNSHADOW)) return false;
    this.counters.earlyUnshadow++;
    return true;
  }

  /** Removes all shadows of a frame, so that it is an ordinary page again. False (and nothing done) if the current CR3 stands on it. */
  unshadow(gfn: number, trigger: number): boolean {
    const pool = this.pool;
    for (const type of [ShadowPageType.L2_32, ShadowPageType.L2_PAE] as const) {
      const page = pool.find(type, gfn);
      if (page !== NIL && this.inUse(page)) return false;
    }
    for (let type: number = ShadowPageType.L1_32; type <= ShadowPageType.L2_PAE; type++) {
      if (((pool.tableTypes[gfn]! >>> type) & 1) === 0) continue;
      this.tables.destroy(pool.find(type, gfn), trigger);
    }
    return true;
  }

  /** INVLPG by the guest. The shadow is always in agreement with the guest's tables: only the TLB is behind. */
  invlpg(linear: number): void {
    this.counters.invlpg++;
    this.machine.invalidateGuestPage(linear);
    this.monitor?.tlbFlush(TlbScope.PAGE, linear, 1);
  }

  private inUse(page: number): boolean {
    const roots = this.roots;
    return page === roots[0] || page === roots[1] || page === roots[2] || page === roots[3];
  }

  /** A new shadow page, after making room if there is none left. NIL if there is no room to make. */
  private make(type: number, key: number): number {
    if (this.pool.freePages === 0) this.makeRoom();
    return this.tables.create(type, key);
  }

  /** Xen's shadow_prealloc: first directories that no CR3 uses ("unpin"), then the leaf tables used least recently ("unhook"). */
  private makeRoom(): void {
    const pool = this.pool;
    for (let page = pool.oldest(0); page !== NIL && pool.freePages === 0;) {
      const victim = page;
      page = pool.newer(page);
      if (this.inUse(victim)) continue;
      this.counters.preallocUnpin++;
      this.tables.destroy(victim, DemoteTrigger.POOL);
    }
    for (let page = pool.oldest(1); page !== NIL && pool.freePages === 0;) {
      const victim = page;
      page = pool.newer(page);
      this.counters.preallocUnhook++;
      this.tables.flags |= ShadowFlag.PREALLOC_UNHOOK;
      this.tables.destroy(victim, DemoteTrigger.POOL);
    }
  }

  saveState(): ShadowSaved {
    return {
      mode: saveFields(this.mode, MODE_FIELDS),
      pdptes: this.mode.pdptes.slice(),
      counters: this.counters.view(),
      pool: this.pool.saveState(),
      tables: this.tables.saveState(),
      walker: saveFields(this.walker, WALKER_FIELDS),
      roots: this.roots.slice(),
      odd: [this.lastOddGfn, this.oddWrites],
    };
  }
  loadState(state: ShadowSaved): void {
    Object.assign(this.mode, state.mode);
    this.mode.pdptes.set(state.pdptes);
    Object.assign(this.counters, state.counters);
    this.pool.loadState(state.pool);
    this.tables.loadState(state.tables);
    Object.assign(this.walker, state.walker);
    this.roots.set(state.roots);
    [this.lastOddGfn, this.oddWrites] = state.odd;
  }
  get stateArrays(): readonly StateArray[] {
    return [stateArray(this.seen), ...this.pool.stateArrays];
  }
  /** Calls back with the machine frames that the shadows have written since the last call. */
  takeWritten(visit: (mfn: number) => void): void {
    visit(this.topMfn);
    this.pool.takeWritten(visit);
  }
}
