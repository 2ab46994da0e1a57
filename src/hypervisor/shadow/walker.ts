// The walk of the GUEST's page tables: what the guest's processor would do with an access, including the accessed and dirty
// bits. Not the shadow tables. SDM vol. 3, 4.3 to 4.8; Xen: arch/x86/mm/guest_walk.c.

import type { P2m } from '../p2m.ts';
import { PageFault, Pte, RESERVED_PDE_2M, RESERVED_PDE_4M, RESERVED_PDPTE_LOW } from './entries.ts';
import type { PagingState } from './paging-state.ts';

/** The result of the last walk stays in the object's fields: nothing is allocated. */
export class GuestWalker {
  /** Frame the access lands on, below 2^20. */
  gfn = 0;
  /** Error code of the guest's page fault if the walk was refused. */
  error = 0;
  /** Directory entry: its table's gfn, word index, value. Meaningless while paging is off. */
  l2Gfn = 0;
  l2Word = 0;
  l2Low = 0;
  /** Table entry; `l1Low` is 0 for superpages. */
  l1Gfn = 0;
  l1Word = 0;
  l1Low = 0;
  /** The directory entry maps a superpage (4 MiB, or 2 MiB with PAE). */
  large = false;
  /** R/W of all levels together: false means a write passed only because CR0.WP is 0. */
  writable = false;
  /** The walk set an accessed or dirty bit. */
  touched = false;

  constructor(
    private readonly p2m: P2m,
    private readonly mode: PagingState,
  ) {}

  /**
   * Translates a linear address for an access described by PageFault.W and U. True: `gfn` and the rest are valid and A and D are
   * set. False: the guest gets #PF with `error`. `setBits` false leaves the guest's tables alone (debuggers, audits).
   */
  walk(linear: number, access: number, setBits = true): boolean {
    const mode = this.mode;
    this.touched = false;
    if (!mode.paging) {
      this.gfn = linear >>> 12;
      this.writable = true;
      this.large = true;
      this.l1Low = 0;
      return true;
    }
    return mode.pae ? this.walkPae(linear, access, setBits) : this.walk32(linear, access, setBits);
  }

  /** Guest-physical address of the last successful walk's `linear`. */
  physical(linear: number): number {
    return this.gfn * 4096 + (linear & 0xfff);
  }

  /** A word of a guest table; outside RAM it reads as all ones, like any address that nothing answers. */
  private entry(gfn: number, word: number): number {
    return this.p2m.isRam(gfn) ? this.p2m.readWord(gfn, word) : 0xffff_ffff;
  }

  private refuse(access: number, bits: number): false {
    this.error = (access & (PageFault.W | PageFault.U)) | bits;
    return false;
  }

  private walk32(linear: number, access: number, setBits: boolean): boolean {
    const directory = this.mode.cr3 >>> 12;
    const l2Word = linear >>> 22;
    const l2 = this.entry(directory, l2Word);
    this.l2Gfn = directory;
    this.l2Word = l2Word;
    this.l2Low = l2;
    if ((l2 & Pte.P) === 0) return this.refuse(access, 0);
    if (this.mode.pse && (l2 & Pte.PS) !== 0) {
      if ((l2 & RESERVED_PDE_4M) !== 0) return this.refuse(access, PageFault.P | PageFault.RSVD);
      this.gfn = ((l2 >>> 22) << 10) + ((linear >>> 12) & 0x3ff);
      return this.finishLarge(access, setBits);
    }
    return this.finish(l2 >>> 12, (linear >>> 12) & 0x3ff, access, setBits);
  }

  private walkPae(linear: number, access: number, setBits: boolean): boolean {
    const pdpte = this.mode.pdptes[(linear >>> 30) * 2]!;
    if ((pdpte & Pte.P) === 0) return this.refuse(access, 0);
    const directory = pdpte >>> 12;
    const l2Word = ((linear >>> 21) & 0x1ff) * 2;
    const l2 = this.entry(directory, l2Word);
    this.l2Gfn = directory;
    this.l2Word = l2Word;
    this.l2Low = l2;
    if ((l2 & Pte.P) === 0) return this.refuse(access, 0);
    if (this.entry(directory, l2Word + 1) !== 0) return this.refuse(access, PageFault.P | PageFault.RSVD);
    if ((l2 & Pte.PS) !== 0) {
      if ((l2 & RESERVED_PDE_2M) !== 0) return this.refuse(access, PageFault.P | PageFault.RSVD);
      this.gfn = ((l2 >>> 21) << 9) + ((linear >>> 12) & 0x1ff);
      return this.finishLarge(access, setBits);
    }
    return this.finish(l2 >>> 12, ((linear >>> 12) & 0x1ff) * 2, access, setBits);
  }

  private finishLarge(access: number, setBits: boolean): boolean {
    const l2 = this.l2Low;
    this.large = true;
    this.l1Low = 0;
    if (!this.permitted(l2, access)) return this.refuse(access, PageFault.P);
    if (setBits) this.l2Low = this.mark(this.l2Gfn, this.l2Word, l2, access & PageFault.W ? Pte.A | Pte.D : Pte.A);
    return true;
  }

  private finish(table: number, l1Word: number, access: number, setBits: boolean): boolean {
    const l2 = this.l2Low;
    const l1 = this.entry(table, l1Word);
    this.large = false;
    this.l1Gfn = table;
    this.l1Word = l1Word;
    this.l1Low = l1;
    if ((l1 & Pte.P) === 0) return this.refuse(access, 0);
    if (this.mode.pae && this.entry(table, l1Word + 1) !== 0) {
      return this.refuse(access, PageFault.P | PageFault.RSVD);
    }
    if (!this.permitted(l2 & l1, access)) return this.refuse(access, PageFault.P);
    if (setBits) {
      this.l2Low = this.mark(this.l2Gfn, this.l2Word, l2, Pte.A);
      // Where the directory is its own page table (a recursive mapping) both marks may fall on one entry: A is in both.
      this.l1Low = this.mark(table, l1Word, l1, access & PageFault.W ? Pte.A | Pte.D : Pte.A);
    }
    this.gfn = l1 >>> 12;
    return true;
  }

  /** 4.6.1: `rights`: the R/W and U/S bits that all levels have in common. */
  private permitted(rights: number, access: number): boolean {
    this.writable = (rights & Pte.RW) !== 0;
    if ((access & PageFault.U) !== 0) {
      if ((rights & Pte.US) === 0) return false;
      return (access & PageFault.W) === 0 || this.writable;
    }
    return (access & PageFault.W) === 0 || this.writable || !this.mode.wp;
  }

  /** Sets accessed and dirty bits in a guest entry (4.8). They only ever widen what a shadow may show: no shadow needs to know. */
  private mark(gfn: number, word: number, entry: number, bits: number): number {
    if ((entry & bits) === bits || !this.p2m.isRam(gfn)) return entry;
    this.touched = true;
    this.p2m.writeWord(gfn, word, entry | bits);
    return (entry | bits) >>> 0;
  }

  /** Loads the PDPTEs as MOV CR3 does (4.4.1). False: a reserved bit is set in a present one: #GP(0), and nothing is changed. */
  loadPdptes(cr3: number): boolean {
    const gfn = cr3 >>> 12;
    const first = (cr3 & 0xfe0) >>> 2;
    for (let i = 0; i < 4; i++) {
      const low = this.entry(gfn, first + i * 2);
      const high = this.entry(gfn, first + i * 2 + 1);
      if ((low & Pte.P) !== 0 && ((low & RESERVED_PDPTE_LOW) !== 0 || high !== 0)) return false;
    }
    for (let i = 0; i < 8; i++) this.mode.pdptes[i] = this.entry(gfn, first + i);
    return true;
  }
}
