// Physical memory: the machine's RAM and ROM inside the one WebAssembly memory that translated code, helpers and TypeScript share.
// Not the bus: holes and device memory are its. Layout of the linear memory: `LinearLayout` below.

import type { Rom, RomWindow } from './rom.ts';

/** Size of a page frame in bytes (SDM vol. 3, 4.3). */
export const PAGE_SIZE = 4096;
const WASM_PAGE = 65536;
/** The last page of 4 GiB: no memory of the largest size reaches it. */
const NOWHERE = 0xffff_f000;

/**
 * Byte addresses inside the linear memory. The CPU state lies at 0 (cpu/state.ts); then the translator's tables,
 * the TLB's flat tables and finally RAM, so that RAM is the only part whose size the user chooses.
 */
export const LinearLayout = {
  state: 0,
  /** Lines of the jump cache that end with any dropped translation (translate/jump-cache.ts): their addresses. */
  looseLines: 0x0000_2000,
  looseLinesMost: 256,
  /** Where a state hash is computed (state-hash.ts). */
  stateHash: 0x0000_4000,
  stateHashBytes: 0x8100,
  /** Tables of the transcendental x87 functions (cpu/x87/pair-tables.ts). */
  pairTables: 0x0001_0000,
  pairTablesBytes: 0x4000,
  /** Those of their first phase (cpu/x87/step-tables.ts). */
  stepTables: 0x0001_4000,
  stepTablesBytes: 0x0001_8000,
  /** Decoded-instruction entries (translate/entry.ts). */
  entries: 0x0010_0000,
  entriesBytes: 0x0200_0000,
  /** Jump cache: EIP to entry (translate/entry.ts). */
  jumpCache: 0x0210_0000,
  jumpCacheBytes: 0x0010_0000,
  /** Flat TLB tables, one 8 MiB context (read, write) each (cpu/tlb.ts). */
  tlb: 0x0220_0000,
  tlbContextBytes: 0x0080_0000,
  tlbContexts: 5,
  /** What is to be seen to in stores and accesses, one byte for each physical page of 4 GiB (cpu/page-flags.ts). */
  pageFlags: 0x04a0_0000,
  pageFlagsBytes: 0x0010_0000,
  /** For each context that is filled: addresses of its TLB words in use, so many bytes each (cpu/tlb.ts). */
  tlbJournals: 0x04b0_0000,
  tlbJournalBytes: 0x0040_0000,
  /** Which granules of physical pages hold decoded code, eight bytes for each page of 4 GiB (translate/code-granules.ts). */
  codeGranules: 0x05b0_0000,
  codeGranulesBytes: 0x0080_0000,
  ram: 0x0630_0000,
} as const;

/**
 * RAM from 0 on and the ROM's bytes behind it. The ROM answers at other physical addresses than those: `place` says where a physical
 * address is kept, and everything else here takes such places. For RAM the two are the same.
 */
export class PhysicalMemory {
  readonly memory: WebAssembly.Memory;
  /** Views over the WHOLE linear memory. Place pa is at linear address `ramBase + pa`. */
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly i32: Int32Array;
  readonly u32: Uint32Array;
  readonly view: DataView;
  readonly ramBase: number = LinearLayout.ram;
  /** RAM and ROM in bytes. */
  readonly bytes: number;
  private readonly windows: readonly RomWindow[];
  /** From here to the end of RAM no window of the ROM begins. */
  private readonly openFrom: number;

  /** @param ramBytes RAM size in bytes, a multiple of 4096, below 4 GiB minus the tables. Throws RangeError if the host cannot allocate it. */
  constructor(
    readonly ramBytes: number,
    rom?: Rom,
  ) {
    this.bytes = ramBytes + (rom?.bytes.length ?? 0);
    this.windows = rom?.windows ?? [];
    this.openFrom = Math.max(0, ...this.windows.filter((w) => w.first < ramBytes).map((w) => w.last + 1));
    const pages = Math.ceil((LinearLayout.ram + this.bytes) / WASM_PAGE);
    this.memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const buffer = this.memory.buffer;
    this.u8 = new Uint8Array(buffer);
    this.u16 = new Uint16Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.view = new DataView(buffer);
    if (rom !== undefined) this.u8.set(rom.bytes, this.ramBase + ramBytes);
  }

  /** Where a physical address is kept; past the end if neither RAM nor ROM answers it. */
  place(pa: number): number {
    if (pa >= this.openFrom && pa < this.ramBytes) return pa;
    for (const window of this.windows)
      if (pa >= window.first && pa <= window.last) return this.ramBytes + window.offset + (pa - window.first);
    return pa >= this.ramBytes && pa < this.bytes ? NOWHERE + (pa & 0xfff) : pa;
  }

  /** Windows that ROM is seen in, by their first and last physical address. */
  forEachWindow(act: (first: number, last: number) => void): void {
    for (const { first, last } of this.windows) act(first, last);
  }

  /** RAM as bytes, a view. */
  get ram(): Uint8Array {
    return this.u8.subarray(this.ramBase, this.ramBase + this.ramBytes);
  }

  /** Reads and writes, little-endian; the place must lie inside `bytes` (callers check: see bus.ts for the rest). ROM ignores writes. */
  read8(pa: number): number {
    return this.u8[this.ramBase + pa]!;
  }
  read16(pa: number): number {
    return this.view.getUint16(this.ramBase + pa, true);
  }
  /** Unsigned. */
  read32(pa: number): number {
    return this.view.getUint32(this.ramBase + pa, true);
  }
  write8(pa: number, value: number): void {
    if (pa >= this.ramBytes) return;
    this.u8[this.ramBase + pa] = value;
  }
  write16(pa: number, value: number): void {
    if (pa >= this.ramBytes) return;
    this.view.setUint16(this.ramBase + pa, value, true);
  }
  write32(pa: number, value: number): void {
    if (pa >= this.ramBytes) return;
    this.view.setUint32(this.ramBase + pa, value, true);
  }
}
