// The page walk: 32-bit paging with 4 MiB pages and PAE paging with 2 MiB pages, permissions, accessed and dirty bits, #PF error codes.
// Not the TLB and not the accesses (mmu.ts). SDM vol. 3, 4.3, 4.4 and 4.6 to 4.8.

import type { PhysicalMemory } from '../memory.ts';
import { type Cpu, Vector } from './cpu.ts';
import { Cr0, Cr4, StateLayout } from './state.ts';

/** Page-fault error code (SDM vol. 3, 4.7). */
export const PfError = { P: 1, W: 2, U: 4, RSVD: 8, I: 16 } as const;

export class PageWalker {
  private readonly memory: PhysicalMemory;
  /** The PDPTEs, low and high halves. */
  private readonly pdptes: Uint32Array;

  /** @param holdsCode does a physical address lie in a page with translated code? Then `codeWritten` hears of a changed entry first. */
  constructor(
    private readonly cpu: Cpu,
    private readonly holdsCode: (pa: number) => boolean,
    private readonly codeWritten: (pa: number, bytes: number) => void,
  ) {
    this.memory = cpu.memory;
    this.pdptes = this.memory.u32.subarray(StateLayout.pdptes >> 2, (StateLayout.pdptes >> 2) + 8);
  }

  /** The place (memory.ts) of the physical address, or -1 with #PF in the mailbox. Sets accessed and dirty bits. */
  translate(linear: number, write: boolean, user: boolean): number {
    const s = this.cpu.s;
    if ((s.cr0 & Cr0.PG) === 0) return this.memory.place(linear >>> 0);
    const pa = s.cr4 & Cr4.PAE ? this.walkPae(linear >>> 0, write, user) : this.walk32(linear >>> 0, write, user);
    return pa < 0 ? pa : this.memory.place(pa);
  }

  private fault(linear: number, code: number): -1 {
    const cpu = this.cpu;
    if (!cpu.faulted) {
      cpu.faultAddress = linear;
      cpu.raise(Vector.PF, code);
    }
    return -1;
  }
  private errorCode(present: boolean, write: boolean, user: boolean): number {
    return (present ? PfError.P : 0) | (write ? PfError.W : 0) | (user ? PfError.U : 0);
  }
  private readPhysical32(pa: number): number {
    const place = this.memory.place(pa);
    return place + 4 <= this.memory.bytes ? this.memory.read32(place) : 0xffffffff;
  }
  /** Sets bits of a paging entry; a page-table page can hold code too. */
  private setEntry(pa: number, value: number): void {
    const place = this.memory.place(pa);
    if (place + 4 > this.memory.bytes) return;
    if (this.holdsCode(place)) this.codeWritten(place, 4);
    this.memory.write32(place, value);
  }

  /** The place of a linear address by the tables as they are, or -1. Nothing changes: no accessed bits, no fault (debuggers). */
  look(linear: number): number {
    const { s } = this.cpu;
    if ((s.cr0 & Cr0.PG) === 0) return this.memory.place(linear >>> 0);
    const pae = (s.cr4 & Cr4.PAE) !== 0;
    const pdpte = this.pdptes[(linear >>> 30) * 2]!;
    if (pae && (pdpte & 1) === 0) return -1;
    const directory = pae ? pdpte : s.cr3;
    const shift = pae ? 21 : 22;
    const entryAt = (table: number, from: number): number =>
      this.readPhysical32(((table & 0xfffff000) + ((linear >>> from) & (pae ? 0x1ff : 0x3ff)) * (pae ? 8 : 4)) >>> 0);
    const pde = entryAt(directory, shift);
    if ((pde & 1) === 0) return -1;
    const large = (pde & 0x80) !== 0 && (pae || (s.cr4 & Cr4.PSE) !== 0);
    const mask = large ? (1 << shift) - 1 : 0xfff;
    const entry = large ? pde : entryAt(pde, 12);
    if ((entry & 1) === 0) return -1;
    return this.memory.place(((entry & ~mask) | (linear & mask)) >>> 0);
  }

  private walk32(linear: number, write: boolean, user: boolean): number {
    const s = this.cpu.s;
    const pdeAddress = (s.cr3 & 0xfffff000) + ((linear >>> 22) << 2);
    const pde = this.readPhysical32(pdeAddress >>> 0);
    if (!(pde & 1)) return this.fault(linear, this.errorCode(false, write, user));
    const wp = (s.cr0 & Cr0.WP) !== 0;
    if (pde & 0x80 && s.cr4 & Cr4.PSE) {
      // Bits 20:13 are physical bits 39:32 (PSE-36); none exist here, so they are reserved (SDM vol. 3, 4.3).
      if (pde & 0x3fe000) return this.fault(linear, this.errorCode(true, write, user) | PfError.RSVD);
      if (!this.permitted(pde, write, user, wp)) return this.fault(linear, this.errorCode(true, write, user));
      const wanted = pde | 0x20 | (write ? 0x40 : 0);
      if (wanted !== pde) this.setEntry(pdeAddress >>> 0, wanted);
      this.lastDirty = (wanted & 0x40) !== 0;
      this.lastWritable = (pde & 2) !== 0 || (!user && !wp);
      return ((pde & 0xffc00000) | (linear & 0x3fffff)) >>> 0;
    }
    const pteAddress = ((pde & 0xfffff000) >>> 0) + (((linear >>> 12) & 0x3ff) << 2);
    const pte = this.readPhysical32(pteAddress);
    if (!(pte & 1)) return this.fault(linear, this.errorCode(false, write, user));
    const both = pde & pte;
    if (!this.permitted(both, write, user, wp)) return this.fault(linear, this.errorCode(true, write, user));
    if (!(pde & 0x20)) this.setEntry(pdeAddress >>> 0, pde | 0x20);
    const wanted = pte | 0x20 | (write ? 0x40 : 0);
    if (wanted !== pte) this.setEntry(pteAddress, wanted);
    this.lastDirty = (wanted & 0x40) !== 0;
    this.lastWritable = (both & 2) !== 0 || (!user && !wp);
    return ((pte & 0xfffff000) | (linear & 0xfff)) >>> 0;
  }

  private permitted(bits: number, write: boolean, user: boolean, wp: boolean): boolean {
    if (user && !(bits & 4)) return false;
    return !write || (bits & 2) !== 0 || (!user && !wp);
  }

  /** MOV to CR3/CR0/CR4 under PAE loads the four PDPTEs (SDM vol. 3, 4.4.1). False with #GP(0) if a present one has reserved bits set. */
  loadPdptes(cr3: number): boolean {
    const base = cr3 & 0xffffffe0;
    const loaded = new Uint32Array(8);
    for (let i = 0; i < 8; i++) loaded[i] = this.readPhysical32((base >>> 0) + i * 4);
    for (let i = 0; i < 4; i++)
      if (loaded[i * 2]! & 1 && (loaded[i * 2]! & 0x1e6 || loaded[i * 2 + 1]! !== 0))
        return this.cpu.raise(Vector.GP, 0);
    this.pdptes.set(loaded);
    return true;
  }

  private walkPae(linear: number, write: boolean, user: boolean): number {
    const s = this.cpu.s;
    const wp = (s.cr0 & Cr0.WP) !== 0;
    const pdpte = this.pdptes[(linear >>> 30) * 2]!;
    if (!(pdpte & 1)) return this.fault(linear, this.errorCode(false, write, user));
    const pdeAddress = ((pdpte & 0xfffff000) >>> 0) + (((linear >>> 21) & 0x1ff) << 3);
    const pde = this.readPhysical32(pdeAddress);
    if (!(pde & 1)) return this.fault(linear, this.errorCode(false, write, user));
    if (this.readPhysical32(pdeAddress + 4) !== 0)
      return this.fault(linear, this.errorCode(true, write, user) | PfError.RSVD);
    if (pde & 0x80) {
      if (pde & 0x1fe000) return this.fault(linear, this.errorCode(true, write, user) | PfError.RSVD);
      if (!this.permitted(pde, write, user, wp)) return this.fault(linear, this.errorCode(true, write, user));
      const wanted = pde | 0x20 | (write ? 0x40 : 0);
      if (wanted !== pde) this.setEntry(pdeAddress, wanted);
      this.lastDirty = (wanted & 0x40) !== 0;
      this.lastWritable = (pde & 2) !== 0 || (!user && !wp);
      return ((pde & 0xffe00000) | (linear & 0x1fffff)) >>> 0;
    }
    const pteAddress = ((pde & 0xfffff000) >>> 0) + (((linear >>> 12) & 0x1ff) << 3);
    const pte = this.readPhysical32(pteAddress);
    if (!(pte & 1)) return this.fault(linear, this.errorCode(false, write, user));
    if (this.readPhysical32(pteAddress + 4) !== 0)
      return this.fault(linear, this.errorCode(true, write, user) | PfError.RSVD);
    const both = pde & pte;
    if (!this.permitted(both, write, user, wp)) return this.fault(linear, this.errorCode(true, write, user));
    if (!(pde & 0x20)) this.setEntry(pdeAddress, pde | 0x20);
    const wanted = pte | 0x20 | (write ? 0x40 : 0);
    if (wanted !== pte) this.setEntry(pteAddress, wanted);
    this.lastDirty = (wanted & 0x40) !== 0;
    this.lastWritable = (both & 2) !== 0 || (!user && !wp);
    return ((pte & 0xfffff000) | (linear & 0xfff)) >>> 0;
  }

  /** Of the walk that has just succeeded: whether a write entry may be filled without walking again. */
  lastDirty = true;
  lastWritable = true;

  saveState(): number[] {
    return [...this.pdptes];
  }
  loadState(state: readonly number[]): void {
    this.pdptes.set(state);
  }
}
