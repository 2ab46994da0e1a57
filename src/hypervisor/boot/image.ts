// What a boot protocol produces: bytes for memory and the processor's first state. It serves the bare machine and a domain alike.
// Not the protocols (multiboot1.ts, linux.ts) and not who puts it into memory. Errors of the image or the options are values.

/** A segment register with its hidden part; `access` is the VMX access-rights word (SDM vol. 3, table 24-2), `limit` in bytes. */
export interface BootSegment {
  readonly selector: number;
  readonly base: number;
  readonly limit: number;
  readonly access: number;
}

/** The processor when the image's first instruction runs. All numbers unsigned 32-bit. */
export interface BootState {
  readonly eax: number;
  readonly ecx: number;
  readonly edx: number;
  readonly ebx: number;
  readonly esp: number;
  readonly ebp: number;
  readonly esi: number;
  readonly edi: number;
  readonly eip: number;
  readonly eflags: number;
  readonly cr0: number;
  readonly cr4: number;
  readonly es: BootSegment;
  readonly cs: BootSegment;
  readonly ss: BootSegment;
  readonly ds: BootSegment;
  readonly fs: BootSegment;
  readonly gs: BootSegment;
  readonly gdtr: { readonly base: number; readonly limit: number };
  readonly idtr: { readonly base: number; readonly limit: number };
}

/** Bytes for physical memory. Memory is zero elsewhere. */
export interface MemoryLoad {
  readonly address: number;
  readonly bytes: Uint8Array;
}

export type BootProtocol = 'multiboot1' | 'linux';

export interface BootImage {
  readonly ok: true;
  readonly protocol: BootProtocol;
  readonly loads: readonly MemoryLoad[];
  readonly state: BootState;
}

/** One sentence for a person, without the file's name: the caller says which file. `file` says which of the files is meant. */
export interface BootFailure {
  readonly ok: false;
  readonly file: 'image' | 'initrd' | 'module' | 'options';
  /** Index of the module if `file` is 'module'. */
  readonly module?: number;
  readonly reason: string;
}

export type BootResult = BootImage | BootFailure;

export interface BootModule {
  readonly bytes: Uint8Array;
  /** The module's name and arguments, as Multiboot passes them. */
  readonly cmdline: string;
}

export interface BootOptions {
  readonly image: Uint8Array;
  /** Put in front of a Multiboot command line, as boot loaders do with the kernel's path. */
  readonly imageName?: string;
  readonly cmdline: string;
  readonly initrd?: Uint8Array;
  readonly modules: readonly BootModule[];
  /** RAM of the machine in bytes, a multiple of 4096; the PC's layout with the video window at a0000h. */
  readonly memoryBytes: number;
}

export const failure = (file: BootFailure['file'], reason: string): BootFailure => ({ ok: false, file, reason });

/** "0x100000". */
export const hex = (value: number): string => `0x${(value >>> 0).toString(16)}`;
/** "64 MiB", "100 KiB", "17 bytes": whole units only, for messages. */
export const size = (bytes: number): string => {
  if (bytes >= 1 << 20) return `${Math.ceil(bytes / (1 << 20))} MiB`;
  if (bytes >= 1 << 10) return `${Math.ceil(bytes / (1 << 10))} KiB`;
  return `${bytes} byte${bytes === 1 ? '' : 's'}`;
};

/** Flat 4 GiB segments: 32-bit code that can be read, and data that can be written; accessed, present, DPL 0. */
export const flatCode = (selector: number): BootSegment => ({ selector, base: 0, limit: 0xffff_ffff, access: 0xc09b });
export const flatData = (selector: number): BootSegment => ({ selector, base: 0, limit: 0xffff_ffff, access: 0xc093 });

/** ASCII/UTF-8 with a terminating zero. */
export const cString = (text: string): Uint8Array => new TextEncoder().encode(`${text}\0`);

/** Builds little-endian structures. */
export class StructWriter {
  readonly bytes: Uint8Array;
  private readonly view: DataView;
  constructor(length: number) {
    this.bytes = new Uint8Array(length);
    this.view = new DataView(this.bytes.buffer);
  }
  u8(at: number, value: number): this {
    this.view.setUint8(at, value);
    return this;
  }
  u16(at: number, value: number): this {
    this.view.setUint16(at, value, true);
    return this;
  }
  u32(at: number, value: number): this {
    this.view.setUint32(at, value, true);
    return this;
  }
  set(at: number, bytes: Uint8Array): this {
    this.bytes.set(bytes, at);
    return this;
  }
}

/** Where RAM is: the PC's layout, as E820 and Multiboot describe it. The reserved tail of the first MiB is the video window and ROM. */
export interface MemoryRange {
  readonly base: number;
  readonly length: number;
  /** E820 type: 1 usable, 2 reserved. */
  readonly type: 1 | 2;
}
/** Conventional memory ends at 9fc00h: the last KiB is the extended BIOS data area. */
export const CONVENTIONAL_END = 0x9_fc00;
export const HIGH_MEMORY = 0x10_0000;

export const memoryMap = (memoryBytes: number): MemoryRange[] => {
  const map: MemoryRange[] = [
    { base: 0, length: CONVENTIONAL_END, type: 1 },
    { base: CONVENTIONAL_END, length: 0xa_0000 - CONVENTIONAL_END, type: 2 },
    { base: 0xf_0000, length: 0x1_0000, type: 2 },
  ];
  if (memoryBytes > HIGH_MEMORY) map.push({ base: HIGH_MEMORY, length: memoryBytes - HIGH_MEMORY, type: 1 });
  return map;
};

/** Smallest and largest RAM a machine or domain can have, in bytes: below the PCI and APIC windows at the top of 4 GiB. */
export const MIN_MEMORY = 2 << 20;
export const MAX_MEMORY = 0xc000_0000;

/** Undefined if the size of memory is usable. */
export const checkMemory = (memoryBytes: number): BootFailure | undefined => {
  if (!Number.isInteger(memoryBytes) || memoryBytes % 4096 !== 0) {
    return failure('options', `the memory size ${memoryBytes} is not a multiple of 4096 bytes`);
  }
  if (memoryBytes < MIN_MEMORY) {
    return failure('options', `a memory of ${size(memoryBytes)} is too small; ${size(MIN_MEMORY)} is the least`);
  }
  if (memoryBytes > MAX_MEMORY) {
    return failure('options', `a memory of ${size(memoryBytes)} is too large; ${size(MAX_MEMORY)} is the most`);
  }
  return undefined;
};
