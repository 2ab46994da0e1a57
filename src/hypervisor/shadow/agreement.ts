// Brings shadow entries into agreement with the guest's: one leaf entry, those behind it, one directory entry, and all shadows of a table that
// the guest has written to. Not what an entry may grant (propagate.ts), not the storing of entries (tables.ts) and not when this is done (paging.ts).
// Xen: arch/x86/mm/shadow/multi.c (sh_map_and_validate_gl1e, sh_prefetch).

import type { PhysicalMemory } from '../../machine/memory.ts';
import { ShadowPageType, ShadowSetCause } from '../observer.ts';
import type { P2m } from '../p2m.ts';
import type { ShadowCounters } from './counters.ts';
import { Pte } from './entries.ts';
import { NIL, type ShadowPool, stride, WORDS } from './pool.ts';
import type { Propagator } from './propagate.ts';
import type { ShadowTables } from './tables.ts';

export class Agreement {
  /** @param ahead neighbouring entries set along with a demanded one. */
  constructor(
    private readonly memory: PhysicalMemory,
    private readonly p2m: P2m,
    private readonly pool: ShadowPool,
    private readonly tables: ShadowTables,
    private readonly propagator: Propagator,
    private readonly counters: ShadowCounters,
    private readonly ahead: number,
  ) {}

  /** Brings one leaf entry (by entry index) into agreement with the guest's. Returns true if it changed. */
  leaf(page: number, index: number, pae: boolean, cause: number): boolean {
    const type = this.pool.type[page]!;
    const key = this.pool.key[page]!;
    let low: number;
    if (type === ShadowPageType.FL1_32) low = this.propagator.splinter(key * 1024 + index);
    else if (type === ShadowPageType.FL1_PAE) low = this.propagator.splinter(key * 512 + index);
    else if (pae) {
      low = this.propagator.leaf(this.p2m.readWord(key, index * 2), this.p2m.readWord(key, index * 2 + 1));
    } else low = this.propagator.leaf(this.p2m.readWord(key, index), 0);
    return this.tables.setLeaf(page, page * WORDS + (pae ? index * 2 : index), low, cause);
  }

  /** Sets the entries behind a demanded one that the guest has already used (accessed bit), as far as the option says. */
  prefetch(page: number, index: number, pae: boolean): void {
    const type = this.pool.type[page]!;
    const superpage = type === ShadowPageType.FL1_32 || type === ShadowPageType.FL1_PAE;
    const key = this.pool.key[page]!;
    const step = pae ? 2 : 1;
    const end = Math.min(index + 1 + this.ahead, WORDS / step);
    const { u32 } = this.memory;
    const shadowWord = this.pool.wordOf(page);
    const guestWord = superpage ? 0 : this.p2m.wordOf(key);
    for (let i = index + 1; i < end; i++) {
      if (u32[shadowWord + i * step] !== 0) continue;
      if (!superpage && (u32[guestWord + i * step]! & (Pte.P | Pte.A)) !== (Pte.P | Pte.A)) continue;
      if (this.leaf(page, i, pae, ShadowSetCause.PREFETCH)) this.counters.prefetched++;
    }
  }

  /**
   * The guest's memory changed at `offset` (bytes) of a frame that is a page table: every shadow of it follows at once.
   * Called after each write that the hypervisor makes on the guest's behalf.
   */
  validate(gfn: number, offset: number, size: number): void {
    const pool = this.pool;
    const types = pool.tableTypes[gfn]!;
    if (types === 0) return;
    this.counters.tableWrites++;
    const first = offset >>> 2;
    const last = (offset + size - 1) >>> 2;
    for (let type: number = ShadowPageType.L1_32; type <= ShadowPageType.L2_PAE; type++) {
      if (((types >>> type) & 1) === 0) continue;
      const page = pool.find(type, gfn);
      if (page === NIL) continue; // destroyed while an earlier type was brought into agreement
      const step = stride(type);
      for (let word = first - (first % step); word <= last; word += step) {
        if (type === ShadowPageType.L1_32 || type === ShadowPageType.L1_PAE) {
          this.leaf(page, word / step, step === 2, ShadowSetCause.GUEST_WRITE);
        } else this.directory(page, gfn, word, ShadowSetCause.GUEST_WRITE);
        if (pool.find(type, gfn) !== page) break;
      }
    }
  }

  /** Brings one directory entry into agreement: hooks up a table that is shadowed already, clears it otherwise (demand will fill it). */
  directory(page: number, gfn: number, word: number, cause: number): void {
    const pae = stride(this.pool.type[page]!) === 2;
    const low = this.p2m.readWord(gfn, word);
    const high = pae ? this.p2m.readWord(gfn, word + 1) : 0;
    const flags = this.propagator.directory(low, high, pae);
    let child = NIL;
    if (flags !== 0) {
      if (this.propagator.isLarge(low, pae)) {
        child = pae
          ? this.pool.find(ShadowPageType.FL1_PAE, low >>> 21)
          : this.pool.find(ShadowPageType.FL1_32, low >>> 22);
      } else {
        const table = low >>> 12;
        if (this.p2m.isRam(table)) child = this.pool.find(pae ? ShadowPageType.L1_PAE : ShadowPageType.L1_32, table);
      }
    }
    this.tables.setDirectory(page, page * WORDS + word, child, flags, cause);
  }
}
