// Memory by linear address: every access that translated code does not find in the TLB, and those of TypeScript. Not the TLB's tables
// (tlb.ts), not the walk (page-walk.ts) and not segmentation. SDM vol. 3, ch. 4.
// Longer than other files: the order in which a load, a store and a bounce buffer look at things is to be read in one place.

import type { PhysicalMemory } from '../memory.ts';
import { AccessInspection, AGAIN, AGAIN_WITH_LIMITS } from './access-inspection.ts';
import type { Cpu } from './cpu.ts';
import { Vector } from './cpu.ts';
import { type LinearAccess, readEmulated, writeEmulated } from './linear-access.ts';
import { PageFlag, PageFlags } from './page-flags.ts';
import { PageWalker } from './page-walk.ts';
import { Cr0, StateLayout } from './state.ts';
import { Tlb, TlbContext } from './tlb.ts';
import { WIDE_ZERO } from '../wide-number.ts';

/** Where accesses that are not one piece of RAM are put together. */
const BOUNCE = 0x1000;

export interface MmuSaved {
  readonly tlb: readonly Int32Array[];
  readonly walker: readonly number[];
}

/** First address of the page after this one. */
const secondPage = (linear: number): number => ((linear & 0xfffff000) + 4096) >>> 0;

export class Mmu {
  private readonly memory: PhysicalMemory;
  private readonly tlb: Tlb;
  /** What has to be seen to in physical pages. */
  readonly pages: PageFlags;
  private readonly walker: PageWalker;
  /** Set while the hypervisor emulates an instruction. */
  access: LinearAccess | undefined;
  /** Alignment checks, data breakpoints, watched bytes. */
  readonly inspection: AccessInspection;
  /** Would a store here overwrite decoded code? */
  holdsCode: (pa: number, bytes: number) => boolean = () => false;
  /** Would a store here overwrite code that regions were made from? */
  holdsRegion: (pa: number, bytes: number) => boolean = () => false;
  /** Such stores are refused with AGAIN (region-access.ts). */
  sparesRegions = false;
  /** Called when translations were dropped: what is known of code by linear address may be stale. */
  onFlush: () => void = () => undefined;
  /** Called when breakpoints were armed or disarmed. */
  onBreakpoints: () => void = () => undefined;
  /** Where `hostWrite` last gave the bounce buffer for. */
  private bounceLinear = WIDE_ZERO;
  private bounceBytes = 0;
  /** Pages of the guest's data breakpoints. */
  private breakpointPages: number[] = [];

  constructor(private readonly cpu: Cpu) {
    this.memory = cpu.memory;
    this.inspection = new AccessInspection(cpu);
    this.tlb = new Tlb(this.memory);
    this.pages = new PageFlags(this.memory, cpu.bus, this.tlb);
    this.walker = new PageWalker(
      cpu,
      (pa) => this.pages.of[pa >>> 12] !== 0,
      (pa, bytes) => this.pages.noteStore(pa, bytes),
    );
  }

  /** The context for the present CPL and VMX mode; the empty one where every access must be looked at. */
  get context(): number {
    if (this.access !== undefined || this.inspection.alignment) return TlbContext.none;
    return this.contextOf(this.cpu.s.cpl === 3);
  }
  private contextOf(user: boolean): number {
    return (this.cpu.vmx.nonRoot ? 2 : 0) + (user ? 1 : 0);
  }
  /** Physical address that the TLB has for code at a linear address; -1: none. Nothing is walked. */
  cachedCode(linear: number): number {
    return this.tlb.cached(this.contextOf(this.cpu.s.cpl === 3), linear, false);
  }
  contextAddress(context: number): number {
    return this.tlb.address(context);
  }

  /** Physical address, or -1 with #PF in the mailbox: see PageWalker. */
  translate(linear: number, write: boolean, user: boolean): number {
    return this.walker.translate(linear, write, user);
  }
  /** Where a linear address lies by the page tables, or -1; without any effect. */
  look(linear: number): number {
    return this.walker.look(linear >>> 0);
  }
  /** Copies memory by the page tables without any effect; how many bytes from the start on are mapped to RAM or ROM. */
  peek(linear: number, into: Uint8Array): number {
    const { memory } = this;
    for (let done = 0; done < into.length;) {
      const at = (linear + done) >>> 0;
      const pa = this.walker.look(at);
      if (pa < 0 || pa >= memory.bytes || this.cpu.bus.isMmio(pa)) return done;
      const bytes = Math.min(4096 - (at & 0xfff), into.length - done);
      const first = memory.ramBase + pa;
      into.set(memory.u8.subarray(first, first + bytes), done);
      done += bytes;
    }
    return into.length;
  }
  /** MOV to CR3, CR0 or CR4 under PAE. False with #GP(0) in the mailbox. */
  loadPdptes(cr3: number): boolean {
    return this.walker.loadPdptes(cr3);
  }

  // ---- TLB ----------------------------------------------------------------------------------------------------------

  /** Fills entries for a page just translated. */
  private fill(linear: number, pa: number, context: number): void {
    if (context === TlbContext.none) return;
    const page = pa >>> 12;
    if (page * 4096 + 4096 > this.memory.bytes || this.cpu.bus.isMmio(pa)) return;
    const paging = (this.cpu.s.cr0 & Cr0.PG) !== 0;
    const clean = !paging || (this.walker.lastDirty && this.walker.lastWritable);
    this.tlb.fill(context, linear, pa, clean, this.pages.of[page] !== 0, this.watched(linear));
  }
  /** A debugger or a breakpoint of the guest watches bytes of the page. */
  private watched(linear: number): boolean {
    const { breakpoints, points } = this.cpu;
    const page = linear >>> 12;
    return (points.data && points.watchesPage(page)) || (breakpoints.data && breakpoints.dataInPage(page));
  }
  /** A debugger begins or ends to: the page's translations stay, but no access uses them directly. */
  watchAccesses(page: number, on: boolean): void {
    const linear = (page << 12) >>> 0;
    this.tlb.watchAccesses(linear, on || this.watched(linear));
    this.inspection.refresh();
  }
  /**
   * Other data breakpoints are armed now. Pages keep their translations: a page that had none would be walked for at each fetch, and where blocks
   * of code begin would show.
   */
  watchBreakpoints(): void {
    const before = this.breakpointPages;
    this.breakpointPages = [];
    this.cpu.breakpoints.forEachDataPage((page) => this.breakpointPages.push(page));
    for (const page of [...before, ...this.breakpointPages]) {
      const linear = (page << 12) >>> 0;
      this.tlb.watchAccesses(linear, this.watched(linear));
    }
  }
  /** Physical address by the TLB, or by a walk that fills it; -1 with #PF in the mailbox. What the TLB has counts, as on hardware. */
  private locate(linear: number, write: boolean, user: boolean): number {
    const context = this.contextOf(user);
    const known = this.tlb.cached(context, linear, write);
    if (known >= 0) {
      // Its stores need not be seen any more, perhaps.
      if (write && this.pages.of[known >>> 12] === 0)
        this.tlb.fill(context, linear, known, true, false, this.watched(linear));
      return known;
    }
    const pa = this.translate(linear, write, user);
    if (pa >= 0) this.fill(linear, pa, context);
    return pa;
  }

  /** Drops everything the present VMX mode (root or non-root) has cached, global pages too. */
  flushAll(): void {
    const first = this.cpu.vmx.nonRoot ? 2 : 0;
    this.tlb.flush(first);
    this.tlb.flush(first + 1);
    this.onFlush();
  }
  /** MOV to CR3. Global entries are not kept apart: dropping more than needed is allowed (SDM vol. 3, 4.10.2.2). */
  flushNonGlobal(): void {
    this.flushAll();
  }
  /** INVLPG in the present mode. */
  invalidatePage(linear: number): void {
    this.invalidateIn(this.cpu.vmx.nonRoot ? 2 : 0, linear);
  }
  /** The hypervisor's own invalidation of its guest's mappings. */
  invalidateGuestPage(linear: number): void {
    this.invalidateIn(2, linear);
  }
  flushGuest(): void {
    this.tlb.flush(2);
    this.tlb.flush(3);
    this.onFlush();
  }
  private invalidateIn(first: number, linear: number): void {
    this.tlb.invalidate(first, linear);
    this.tlb.invalidate(first + 1, linear);
    this.onFlush();
  }
  /** CR0.PG/WP, CR4.PSE/PAE/PGE changed. */
  controlsChanged(): void {
    this.flushAll();
  }

  // ---- accesses from TypeScript -------------------------------------------------------------------------------------

  /** Bytes left in the page from a linear address on. */
  private inPage(linear: number, size: number): boolean {
    return (linear & 0xfff) + size <= 4096;
  }

  read(linear: number, size: number, user: boolean): number {
    linear >>>= 0;
    if (this.inspection.active && !this.inspection.permits(linear, size, false, user)) return 0;
    if (this.access !== undefined) return readEmulated(this.access, linear, size, user);
    return this.load(linear, size, user);
  }
  private load(linear: number, size: number, user: boolean): number {
    if (!this.inPage(linear, size)) {
      let value = 0;
      // Both pages are checked before the first byte counts.
      if (this.locate(secondPage(linear), false, user) < 0 && this.firstFaults(linear, false, user)) return 0;
      if (this.cpu.faulted) return 0;
      for (let i = 0; i < size; i++) value |= this.load((linear + i) >>> 0, 1, user) << (8 * i);
      return value >>> 0;
    }
    const context = this.contextOf(user);
    const host = this.tlb.direct(context, linear, false);
    if (host !== 0) return this.readHost(host, size);
    const pa = this.locate(linear, false, user);
    return pa < 0 ? 0 : this.readPhysical(pa, size);
  }
  /** A fault on the second page stands unless the first page faults: that one is reported then. */
  private firstFaults(linear: number, write: boolean, user: boolean): boolean {
    const cpu = this.cpu;
    const address = cpu.faultAddress;
    const code = cpu.s.get(StateLayout.faultError);
    cpu.clearFault();
    if (this.locate(linear, write, user) >= 0) {
      cpu.faultAddress = address;
      cpu.raise(Vector.PF, code);
    }
    return true;
  }
  private readHost(host: number, size: number): number {
    const m = this.memory;
    return size === 1 ? m.u8[host]! : size === 2 ? m.view.getUint16(host, true) : m.view.getUint32(host, true);
  }
  /** Physical read through the bus's holes. */
  readPhysical(pa: number, size: number): number {
    const m = this.memory;
    if (this.cpu.bus.isMmio(pa)) return this.cpu.bus.readMemory(pa, size as 1 | 2 | 4);
    if (pa + size > m.bytes) return size === 1 ? 0xff : size === 2 ? 0xffff : 0xffffffff;
    return size === 1 ? m.read8(pa) : size === 2 ? m.read16(pa) : m.read32(pa);
  }
  writePhysical(pa: number, size: number, value: number): void {
    const m = this.memory;
    if (this.cpu.bus.isMmio(pa)) {
      this.cpu.bus.writeMemory(pa, size as 1 | 2 | 4, value);
      return;
    }
    if (pa + size > m.bytes) return;
    if (size === 1) m.write8(pa, value);
    else if (size === 2) m.write16(pa, value);
    else m.write32(pa, value);
    if (this.pages.of[pa >>> 12] !== 0) this.pages.noteStore(pa, size, true);
  }
  write(linear: number, size: number, value: number, user: boolean): boolean {
    linear >>>= 0;
    if (this.inspection.active && !this.inspection.permits(linear, size, true, user)) return false;
    if (this.access !== undefined) return writeEmulated(this.access, linear, size, value, user);
    return this.store(linear, size, value, user);
  }
  private store(linear: number, size: number, value: number, user: boolean): boolean {
    if (!this.inPage(linear, size)) {
      if (this.locate(secondPage(linear), true, user) < 0 && this.firstFaults(linear, true, user)) return false;
      if (this.locate(linear, true, user) < 0) return false;
      if (this.sparesRegions && this.refusesCrossing(linear, size, user)) return false;
      for (let i = 0; i < size; i++)
        if (!this.store((linear + i) >>> 0, 1, (value >>> (8 * i)) & 0xff, user)) return false;
      return true;
    }
    const pa = this.locate(linear, true, user);
    if (pa < 0 || (this.sparesRegions && this.refuses(pa, size))) return false;
    this.writePhysical(pa, size, value);
    return true;
  }
  /** With AGAIN in the mailbox if a store would overwrite the code of a region. */
  private refuses(pa: number, bytes: number): boolean {
    if ((this.pages.of[pa >>> 12]! & PageFlag.code) === 0 || !this.holdsRegion(pa, bytes)) return false;
    this.cpu.raise(AGAIN);
    return true;
  }
  /** The same for one that crosses into another page; both translations are known. */
  private refusesCrossing(linear: number, bytes: number, user: boolean): boolean {
    const second = secondPage(linear);
    const first = (second - linear) >>> 0;
    return (
      this.refuses(this.locate(linear, true, user), first) ||
      this.refuses(this.locate(second, true, user), bytes - first)
    );
  }

  // ---- slow paths of translated code --------------------------------------------------------------------------------

  loadSlow(linear: number, bytes: number): number {
    return this.refusesWrap(linear, bytes) ? 0 : this.read(linear, bytes, this.cpu.s.cpl === 3) | 0;
  }
  storeSlow(linear: number, value: number, bytes: number): number {
    return !this.refusesWrap(linear, bytes) && this.write(linear, bytes, value, this.cpu.s.cpl === 3) ? 0 : 1;
  }
  hostReadSlow(linear: number, bytes: number): number {
    return this.refusesWrap(linear, bytes) ? 0 : this.hostRead(linear, bytes);
  }
  hostWriteSlow(linear: number, bytes: number): number {
    return this.refusesWrap(linear, bytes) ? 0 : this.hostWrite(linear, bytes);
  }
  /** True with AGAIN_WITH_LIMITS in the mailbox if an access crosses 4 GiB and its segment's limit was perhaps not looked at. */
  private refusesWrap(linear: number, bytes: number): boolean {
    if ((linear >>> 0) + bytes <= 0x1_0000_0000 || this.cpu.checksLimits) return false;
    this.cpu.raise(AGAIN_WITH_LIMITS);
    return true;
  }
  /** Where `bytes` can be read in one piece: RAM itself, or the bounce buffer with a copy. 0 if it faulted. */
  hostRead(linear: number, bytes: number): number {
    linear >>>= 0;
    const user = this.cpu.s.cpl === 3;
    if (this.inspection.active && !this.inspection.permits(linear, bytes, false, user)) return 0;
    if (this.access === undefined && this.inPage(linear, bytes)) {
      const pa = this.locate(linear, false, user);
      if (pa < 0) return 0;
      if (pa + bytes <= this.memory.bytes && !this.cpu.bus.isMmio(pa)) return this.memory.ramBase + pa;
    }
    return this.fillBounce(linear, bytes, user) ? BOUNCE : 0;
  }
  private fillBounce(linear: number, bytes: number, user: boolean): boolean {
    for (let i = 0; i < bytes;) {
      const size = bytes - i >= 4 ? 4 : bytes - i >= 2 ? 2 : 1;
      const at = (linear + i) >>> 0;
      const value = this.access === undefined ? this.load(at, size, user) : readEmulated(this.access, at, size, user);
      if (this.cpu.faulted) return false;
      for (let j = 0; j < size; j++) this.memory.u8[BOUNCE + i + j] = (value >>> (8 * j)) & 0xff;
      i += size;
    }
    return true;
  }
  /** The same for read-modify-write. Write permission of every byte is checked first. */
  hostWrite(linear: number, bytes: number): number {
    linear >>>= 0;
    const user = this.cpu.s.cpl === 3;
    // Plain stores of up to four bytes do not come here.
    if (this.inspection.active && !this.inspection.permits(linear, bytes, true, user, bytes <= 4)) return 0;
    if (this.access === undefined) {
      if (
        !this.inPage(linear, bytes) &&
        this.locate(secondPage(linear), true, user) < 0 &&
        this.firstFaults(linear, true, user)
      )
        return 0;
      const pa = this.locate(linear, true, user);
      if (pa < 0) return 0;
      if (
        this.sparesRegions &&
        (this.inPage(linear, bytes) ? this.refuses(pa, bytes) : this.refusesCrossing(linear, bytes, user))
      )
        return 0;
      if (this.inPage(linear, bytes)) {
        const direct = pa + bytes <= this.memory.bytes && !this.cpu.bus.isMmio(pa) && this.pages.of[pa >>> 12] === 0;
        if (direct) return this.memory.ramBase + pa;
      }
    }
    if (this.access !== undefined && !this.access.probeWrite(linear, bytes, user)) return 0;
    if (!this.fillBounce(linear, bytes, user)) return 0;
    this.bounceLinear = linear;
    this.bounceBytes = bytes;
    return BOUNCE;
  }
  /** Writes the bounce buffer back: the permissions were checked by hostWrite. */
  commit(_host: number): void {
    const user = this.cpu.s.cpl === 3;
    for (let i = 0; i < this.bounceBytes;) {
      const left = this.bounceBytes - i;
      const size = left >= 4 ? 4 : left >= 2 ? 2 : 1;
      let value = 0;
      for (let j = 0; j < size; j++) value |= this.memory.u8[BOUNCE + i + j]! << (8 * j);
      const at = (this.bounceLinear + i) >>> 0;
      if (this.access === undefined) this.store(at, size, value, user);
      else writeEmulated(this.access, at, size, value, user);
      i += size;
    }
  }

  /** Linear-memory address of a byte that may be read (written) directly up to the end of its page; 0 if it must not. Fills the TLB; a #PF is left unraised. */
  directRead(linear: number): number {
    return this.direct(linear >>> 0, false);
  }
  directWrite(linear: number): number {
    return this.direct(linear >>> 0, true);
  }
  private direct(linear: number, write: boolean): number {
    const { context } = this;
    if (context === TlbContext.none) return 0;
    const known = this.tlb.direct(context, linear, write);
    if (known !== 0) return known;
    if (this.locate(linear, write, this.cpu.s.cpl === 3) < 0) this.cpu.clearFault();
    return this.tlb.direct(context, linear, write);
  }

  /** Where code is fetched: physical address, or -1 with the fault in the mailbox. */
  fetchAddress(linear: number): number {
    return this.locate(linear >>> 0, false, this.cpu.s.cpl === 3);
  }

  saveState(): number[] {
    return this.walker.saveState();
  }
  loadState(state: readonly number[]): void {
    this.walker.loadState(state);
    this.tlb.flush(0);
    this.tlb.flush(1);
    this.flushGuest();
  }
  /** What a walk does not find in memory: cached translations and PDPTEs. */
  saveTranslations(): MmuSaved {
    return {
      tlb: this.tlb.saveState(),
      walker: this.walker.saveState(),
    };
  }
  loadTranslations({ tlb, walker }: MmuSaved): void {
    this.walker.loadState(walker);
    this.tlb.loadState(tlb);
    this.cpu.points.forEachWatchedPage((page) => this.tlb.watchAccesses((page << 12) >>> 0, true));
    this.watchBreakpoints();
    this.inspection.refresh();
  }
}
