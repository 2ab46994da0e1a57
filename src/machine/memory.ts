// Physical memory: the machine's RAM inside the one WebAssembly memory that translated code, helpers and TypeScript share.
// Not the address decoder: holes and device memory are the bus's. Layout of the linear memory: `LinearLayout` below.

/** Size of a page frame in bytes (SDM vol. 3, 4.3). */
export const PAGE_SIZE = 4096;
const WASM_PAGE = 65536;

/**
 * Byte addresses inside the linear memory. The CPU state lies at 0 (cpu/state.ts); then the translator's tables,
 * the TLB's flat tables and finally RAM, so that RAM is the only part whose size the user chooses.
 */
export const LinearLayout = {
  state: 0,
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
  ram: 0x0220_0000 + 5 * 0x0080_0000,
} as const;

export class PhysicalMemory {
  readonly memory: WebAssembly.Memory;
  /** Views over the WHOLE linear memory. RAM address pa is at linear address `ramBase + pa`. */
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly i32: Int32Array;
  readonly u32: Uint32Array;
  readonly view: DataView;
  readonly ramBase: number = LinearLayout.ram;

  /** @param bytes RAM size in bytes, a multiple of 4096, below 4 GiB minus the tables. Throws RangeError if the host cannot allocate it. */
  constructor(readonly bytes: number) {
    const pages = Math.ceil((LinearLayout.ram + bytes) / WASM_PAGE);
    this.memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const buffer = this.memory.buffer;
    this.u8 = new Uint8Array(buffer);
    this.u16 = new Uint16Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.view = new DataView(buffer);
  }

  /** RAM as bytes, a view. */
  get ram(): Uint8Array {
    return this.u8.subarray(this.ramBase, this.ramBase + this.bytes);
  }

  /** Physical reads and writes of RAM, little-endian; `pa` must lie inside RAM (callers check: see bus.ts for the rest). */
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
    this.u8[this.ramBase + pa] = value;
  }
  write16(pa: number, value: number): void {
    this.view.setUint16(this.ramBase + pa, value, true);
  }
  write32(pa: number, value: number): void {
    this.view.setUint32(this.ramBase + pa, value, true);
  }
}
