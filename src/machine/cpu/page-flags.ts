// What has to be seen to in physical pages, one byte a page in linear memory, where the emitted page walk reads it too: stores that translated code
// must not make directly, and pages that are no plain RAM. Not the TLB (tlb.ts), which holds back direct accesses, and not who cares about the stores.

import type { Bus } from '../bus.ts';
import { LinearLayout, PAGE_SIZE, type PhysicalMemory } from '../memory.ts';
import type { Tlb } from './tlb.ts';

/** Flags of a page; any of them forbids direct write entries. */
export const PageFlag = {
  code: 1,
  rom: 2,
  monitored: 4,
  unchanged: 8,
  /** No RAM lies at this physical address, or a device, or ROM, answers in its place: only the slow paths know where an access goes. */
  apart: 16,
} as const;

export class PageFlags {
  /** Per physical page of 4 GiB: PageFlag bits. */
  readonly of: Uint8Array;
  /** Called at a store to a page that holds translated code, or held some: (physical address, bytes). `stored`: the new bytes are there already. */
  onCodeWrite: (pa: number, bytes: number, stored: boolean) => void = () => undefined;
  /** Called before a store to a page that MONITOR watches a line of. */
  onMonitoredStore: (pa: number, bytes: number) => void = () => undefined;
  /** Pages stored to since `watchChanges`, which are noted at their first store; undefined: nobody wants to know. */
  private changed: number[] | undefined;

  constructor(
    private readonly memory: PhysicalMemory,
    bus: Bus,
    private readonly tlb: Tlb,
  ) {
    this.of = memory.u8.subarray(LinearLayout.pageFlags, LinearLayout.pageFlags + LinearLayout.pageFlagsBytes);
    this.of.fill(PageFlag.apart, memory.ramBytes >>> 12);
    this.of.fill(PageFlag.apart | PageFlag.rom, memory.ramBytes >>> 12, Math.ceil(memory.bytes / PAGE_SIZE));
    memory.forEachWindow((first, last) => this.setApart(first, last));
    bus.hearClaims((first, last) => this.setApart(first, last));
  }
  private setApart(first: number, last: number): void {
    for (let page = Math.floor(first / PAGE_SIZE); page <= Math.floor(last / PAGE_SIZE); page++)
      this.of[page] = this.of[page]! | PageFlag.apart;
  }

  /** Takes away all direct write entries of a physical page (it now holds code, or is watched). */
  protect(page: number, flag: number): void {
    if (this.of[page]! & flag) return;
    this.of[page] = this.of[page]! | flag;
    this.tlb.watchStores(page);
  }
  unprotect(page: number, flag: number): void {
    this.of[page] = this.of[page]! & ~flag;
  }

  /** A store to RAM that bypasses the TLB: to a flagged page, by the page walk or by other agents on the bus. `stored`: it is made. */
  noteStore(pa: number, bytes: number, stored = false): void {
    const flags = this.of[pa >>> 12]!;
    if (flags & PageFlag.code) this.onCodeWrite(pa, bytes, stored);
    if (flags & PageFlag.monitored) this.onMonitoredStore(pa, bytes);
    if (flags & PageFlag.unchanged) this.noteChange(pa >>> 12);
  }
  private noteChange(page: number): void {
    this.of[page] = this.of[page]! & ~PageFlag.unchanged;
    this.changed?.push(page);
  }
  /** RAM pages stored to since the last call; from now on each page's first store is noted. Undefined at the first call: any page may have been. */
  watchChanges(): readonly number[] | undefined {
    const { changed } = this;
    if (changed === undefined) for (let page = 0; page < this.memory.ramBytes >>> 12; page++) this.markUnchanged(page);
    else for (const page of changed) this.markUnchanged(page);
    this.changed = [];
    this.tlb.watchAllStores();
    return changed;
  }
  private markUnchanged(page: number): void {
    this.of[page] = this.of[page]! | PageFlag.unchanged;
  }
}
