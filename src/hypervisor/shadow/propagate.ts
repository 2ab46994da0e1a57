// From a guest entry to the shadow entry it allows: the one place that decides what a shadow may grant.
// A shadow grants at most what the guest's entry grants, is absent until the guest's accessed bit is set, and read-only until its
// dirty bit is set and while the frame is a page table. Pure: it stores nothing. Xen: _sh_propagate in mm/shadow/multi.c.

import type { P2m } from '../p2m.ts';
import { Pte, RESERVED_PDE_2M, RESERVED_PDE_4M } from './entries.ts';
import type { PagingState } from './paging-state.ts';
import type { ShadowPool } from './pool.ts';

/** Every result is the low word of an entry; 0: no entry may exist. The high words of PAE shadow entries are 0: all memory lies below 4 GiB. */
export class Propagator {
  constructor(
    private readonly p2m: P2m,
    private readonly mode: PagingState,
    private readonly pool: ShadowPool,
  ) {}

  /** The L1 shadow entry for a guest L1 entry. */
  leaf(guestLow: number, guestHigh: number): number {
    if ((guestLow & (Pte.P | Pte.A)) !== (Pte.P | Pte.A) || guestHigh !== 0) return 0;
    const gfn = guestLow >>> 12;
    if (!this.p2m.isRam(gfn)) return 0;
    let flags = Pte.P | Pte.A | (guestLow & Pte.US);
    if ((guestLow & (Pte.RW | Pte.D)) === (Pte.RW | Pte.D) && this.pool.tableTypes[gfn] === 0) flags |= Pte.RW | Pte.D;
    if (this.mode.pge) flags |= guestLow & Pte.G;
    return ((this.p2m.mfnOf[gfn]! << 12) | flags) >>> 0;
  }

  /** The entry of a splintered superpage (or of unpaged memory) for one frame: all rights, which the directory entry restricts. */
  splinter(gfn: number): number {
    if (!this.p2m.isRam(gfn)) return 0;
    const rights = this.pool.tableTypes[gfn] === 0 ? Pte.RW | Pte.D : 0;
    return ((this.p2m.mfnOf[gfn]! << 12) | Pte.P | Pte.A | Pte.US | rights) >>> 0;
  }

  /** The flags of the L2 shadow entry for a guest L2 entry; the frame is the shadow table's. */
  directory(guestLow: number, guestHigh: number, pae: boolean): number {
    if ((guestLow & (Pte.P | Pte.A)) !== (Pte.P | Pte.A) || guestHigh !== 0) return 0;
    const flags = Pte.P | Pte.A | (guestLow & (Pte.RW | Pte.US));
    if (!this.isLarge(guestLow, pae)) return flags;
    if ((guestLow & (pae ? RESERVED_PDE_2M : RESERVED_PDE_4M)) !== 0) return 0;
    return (guestLow & Pte.D) !== 0 ? flags : flags & ~Pte.RW;
  }

  isLarge(guestLow: number, pae: boolean): boolean {
    return (guestLow & Pte.PS) !== 0 && (pae || this.mode.pse);
  }
}
