// Guest memory by LINEAR address, as the guest's own processor would reach it: for emulated instructions, string I/O and
// hypercall arguments. Walks the guest's tables, reaches RAM or the virtual bus, and keeps the shadows in agreement with what
// it writes. Not an instruction emulator (the machine has that). Xen: hvm_copy_to/from_guest and sh_x86_emulate_ops.

import { type Persistent, saveFields } from '../../machine/snapshot.ts';
import type { EmulatorOps } from '../machine.ts';
import type { HypervisorObserver } from '../observer.ts';
import type { P2m } from '../p2m.ts';
import { PageFault } from './entries.ts';
import type { ShadowPaging } from './paging.ts';

const PF_VECTOR = 14;

const FIELDS = ['faultVector', 'faultError', 'faultAddress', 'tableWrites'] as const;
export type GuestAccessSaved = Pick<GuestAccess, (typeof FIELDS)[number]>;

export class GuestAccess implements EmulatorOps, Persistent<GuestAccessSaved> {
  faultVector = -1;
  faultError = -1;
  faultAddress = 0;
  /** Page-table writes since `begin`: for the shadow event. */
  tableWrites = 0;
  observer: HypervisorObserver | null = null;
  /** Linear page of the last instruction fetch and its frame: one walk an instruction. */
  private fetchPage = -1;
  private fetchUser = false;
  private fetchGfn = 0;

  constructor(
    private readonly shadow: ShadowPaging,
    private readonly p2m: P2m,
  ) {}

  /** Before each emulated instruction or hypervisor access. */
  begin(): void {
    this.faultVector = -1;
    this.faultError = -1;
    this.tableWrites = 0;
    this.fetchPage = -1;
  }

  fetch(linear: number, user: boolean): number {
    const page = linear >>> 12;
    if (page !== this.fetchPage || user !== this.fetchUser) {
      if (!this.translate(linear, user ? PageFault.U : 0)) return -1;
      this.fetchPage = page;
      this.fetchUser = user;
      this.fetchGfn = this.shadow.walker.gfn;
    }
    return this.readPhysical(this.fetchGfn, linear & 0xfff, 1);
  }

  read(linear: number, size: 1 | 2 | 4, user: boolean): number {
    if ((linear & 0xfff) + size > 4096) {
      let value = 0;
      for (let i = 0; i < size; i++) {
        value |= this.read((linear + i) >>> 0, 1, user) << (8 * i);
        if (this.faultVector >= 0) return 0;
      }
      return value >>> 0;
    }
    if (!this.translate(linear, user ? PageFault.U : 0)) return 0;
    const gfn = this.shadow.walker.gfn;
    const value = this.readPhysical(gfn, linear & 0xfff, size);
    if (!this.p2m.isRam(gfn)) this.observer?.mmio(gfn * 4096 + (linear & 0xfff), linear, size, 0, value);
    return value;
  }

  write(linear: number, size: 1 | 2 | 4, value: number, user: boolean): boolean {
    if ((linear & 0xfff) + size > 4096) {
      // Both pages must be writable before the first byte changes.
      if (!this.probeWrite(linear, size, user)) return false;
      for (let i = 0; i < size; i++) this.write((linear + i) >>> 0, 1, (value >>> (8 * i)) & 0xff, user);
      return true;
    }
    if (!this.translate(linear, PageFault.W | (user ? PageFault.U : 0))) return false;
    this.writePhysical(this.shadow.walker.gfn, linear, size, value);
    return true;
  }

  probeWrite(linear: number, size: 1 | 2 | 4, user: boolean): boolean {
    const access = PageFault.W | (user ? PageFault.U : 0);
    if (!this.translate(linear, access)) return false;
    const last = (linear + size - 1) >>> 0;
    return last >>> 12 === linear >>> 12 || this.translate((last & ~0xfff) >>> 0, access);
  }

  /** True if the linear address is mapped, for the access asked, to RAM: the hypervisor's own copies touch no device. */
  inRam(linear: number, write: boolean): boolean {
    return this.translate(linear, write ? PageFault.W : 0) && this.p2m.isRam(this.shadow.walker.gfn);
  }

  private translate(linear: number, access: number): boolean {
    const walker = this.shadow.walker;
    if (walker.walk(linear >>> 0, access)) return true;
    this.faultVector = PF_VECTOR;
    this.faultError = walker.error;
    this.faultAddress = linear >>> 0;
    return false;
  }

  private readPhysical(gfn: number, offset: number, size: 1 | 2 | 4): number {
    return this.p2m.read(gfn * 4096 + offset, size);
  }

  private writePhysical(gfn: number, linear: number, size: 1 | 2 | 4, value: number): void {
    const offset = linear & 0xfff;
    const shadow = this.shadow;
    if (!shadow.isTable(gfn)) {
      this.p2m.write(gfn * 4096 + offset, size, value);
      if (!this.p2m.isRam(gfn)) this.observer?.mmio(gfn * 4096 + offset, linear, size, 1, value);
      return;
    }
    const word = offset >>> 2;
    const old = this.p2m.readWord(gfn, word);
    this.p2m.write(gfn * 4096 + offset, size, value);
    this.tableWrites++;
    this.observer?.guestTableWrite(gfn, offset, old, this.p2m.readWord(gfn, word), size);
    if (!shadow.noteTableWrite(gfn, offset, size, value)) shadow.validate(gfn, offset, size);
  }

  saveState(): GuestAccessSaved {
    return saveFields(this, FIELDS);
  }
  /** The page of the last fetch is looked up anew: `begin` comes before every use. */
  loadState(state: GuestAccessSaved): void {
    Object.assign(this, state);
    this.fetchPage = -1;
  }
}
