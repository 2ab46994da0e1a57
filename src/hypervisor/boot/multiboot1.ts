// The Multiboot 1 boot protocol: header, loading by ELF program headers or by the header's address fields, modules, the information
// structure and the machine state. Not Multiboot 2. Multiboot Specification version 0.6.96.

import { Elf, parseElf, type ElfFile } from '../../machine/elf.ts';
import { flatGdt } from './gdt.ts';
import {
  checkMemory,
  CONVENTIONAL_END,
  cString,
  failure,
  flatCode,
  flatData,
  hex,
  HIGH_MEMORY,
  memoryMap,
  size,
  StructWriter,
  type BootFailure,
  type BootOptions,
  type BootResult,
  type MemoryLoad,
} from './image.ts';

const MAGIC = 0x1bad_b002;
/** In EAX when the kernel starts. */
export const BOOTLOADER_MAGIC = 0x2bad_b002;
/** The header lies in the first 8192 bytes, 32-bit aligned (3.1). */
const SEARCH = 8192;

const HeaderFlag = { PAGE_ALIGN: 1, MEMORY_INFO: 2, VIDEO_MODE: 4, ADDRESSES: 1 << 16 } as const;
/** Bits 15:0 are requirements: the loader must refuse those it does not know. */
const KNOWN_REQUIREMENTS = HeaderFlag.PAGE_ALIGN | HeaderFlag.MEMORY_INFO | HeaderFlag.VIDEO_MODE;

const InfoFlag = { MEMORY: 1, CMDLINE: 4, MODULES: 8, ELF_SECTIONS: 32, MEMORY_MAP: 64, LOADER_NAME: 512 } as const;
const INFO_BYTES = 120;
const CODE = 0x08;
const DATA = 0x10;
/** Where the information goes if nothing of the kernel is there: kernels that map little can still read it. */
const INFO_ADDRESS = 0x1_0000;
const LOADER_NAME = 'Kansoku';

export interface MultibootHeader {
  /** File offset. */
  readonly offset: number;
  readonly flags: number;
}

/** The Multiboot header, or undefined. */
export const findMultibootHeader = (image: Uint8Array): MultibootHeader | undefined => {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const end = Math.min(SEARCH, image.length) - 12;
  for (let offset = 0; offset <= end; offset += 4) {
    if (view.getUint32(offset, true) !== MAGIC) continue;
    const flags = view.getUint32(offset + 4, true);
    if (((MAGIC + flags + view.getUint32(offset + 8, true)) & 0xffff_ffff) === 0) return { offset, flags };
  }
  return undefined;
};

interface LoadedKernel {
  readonly ok: true;
  readonly loads: MemoryLoad[];
  readonly entry: number;
  /** Ranges of memory that the kernel owns, zero-filled parts included. */
  readonly ranges: { readonly start: number; readonly end: number }[];
  readonly elf: ElfFile | undefined;
}

/** Undefined if start..end is RAM. */
const outside = (what: string, start: number, end: number, memoryBytes: number): BootFailure | undefined => {
  if (end > memoryBytes) {
    const needs = `${what} at ${hex(start)} to ${hex(end - 1)} lies outside the memory of ${size(memoryBytes)}`;
    return failure('image', `${needs}; give the machine ${size(end)} at least`);
  }
  if (start < HIGH_MEMORY && end > 0xa_0000) {
    return failure(
      'image',
      `${what} at ${hex(start)} to ${hex(end - 1)} overlaps the video memory and ROM from 0xa0000 to 0xfffff`,
    );
  }
  return undefined;
};

const loadElf = (image: Uint8Array, memoryBytes: number): LoadedKernel | BootFailure => {
  const parsed = parseElf(image);
  if (!parsed.ok) return failure('image', parsed.reason);
  const { elf } = parsed;
  const loads: MemoryLoad[] = [];
  const ranges: LoadedKernel['ranges'] = [];
  let entry = elf.entry;
  for (const header of elf.programHeaders) {
    if (header.type !== Elf.PT_LOAD || header.memorySize === 0) continue;
    const start = header.physicalAddress;
    const end = start + Math.max(header.memorySize, header.fileSize);
    const bad = outside(`segment ${header.index}`, start, end, memoryBytes);
    if (bad !== undefined) return bad;
    const bytes = elf.segmentBytes(header);
    if (!bytes.ok) return failure('image', bytes.reason);
    if (bytes.bytes.length > 0) loads.push({ address: start, bytes: bytes.bytes });
    ranges.push({ start, end });
    // A kernel linked high but loaded low may give its entry as a virtual address.
    const inside = elf.entry - header.virtualAddress;
    if (inside >= 0 && inside < header.memorySize) entry = start + inside;
  }
  if (ranges.length === 0) return failure('image', 'the ELF file has no segment to load');
  return { ok: true, loads, entry, ranges, elf };
};

/** The "a.out kludge": the header itself says what to load where (3.1.3). */
const loadByAddresses = (
  image: Uint8Array,
  header: MultibootHeader,
  memoryBytes: number,
): LoadedKernel | BootFailure => {
  if (header.offset + 32 > image.length)
    return failure('image', 'truncated: the Multiboot header ends after the end of the file');
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const field = (n: number): number => view.getUint32(header.offset + 12 + n * 4, true);
  const [headerAddress, loadAddress, loadEnd, bssEnd, entry] = [
    field(0),
    field(1),
    field(2),
    field(3),
    field(4),
  ] as const;
  const fileStart = header.offset - (headerAddress - loadAddress);
  if (loadAddress > headerAddress || fileStart < 0) {
    return failure(
      'image',
      `the Multiboot header's addresses are impossible: load_addr ${hex(loadAddress)}, header_addr ${hex(headerAddress)}`,
    );
  }
  const length = loadEnd === 0 ? image.length - fileStart : loadEnd - loadAddress;
  if (length <= 0 || fileStart + length > image.length) {
    return failure(
      'image',
      `truncated: load_end_addr ${hex(loadEnd)} needs ${length} bytes, the file has ${image.length - fileStart}`,
    );
  }
  const end = Math.max(loadAddress + length, bssEnd);
  const bad = outside('the kernel', loadAddress, end, memoryBytes);
  if (bad !== undefined) return bad;
  const loads = [{ address: loadAddress, bytes: image.subarray(fileStart, fileStart + length) }];
  return { ok: true, loads, entry, ranges: [{ start: loadAddress, end }], elf: undefined };
};

const alignUp = (address: number): number => Math.ceil(address / 4096) * 4096;

/** Lays out a Multiboot kernel, its modules and the information structure. */
export const bootMultiboot1 = (options: BootOptions): BootResult => {
  const { image, memoryBytes } = options;
  const badMemory = checkMemory(memoryBytes);
  if (badMemory !== undefined) return badMemory;
  const header = findMultibootHeader(image);
  if (header === undefined) return failure('image', 'no Multiboot header in the first 8192 bytes');
  const unknown = header.flags & 0xffff & ~KNOWN_REQUIREMENTS;
  if (unknown !== 0)
    return failure('image', `the Multiboot header requires features that do not exist (flags ${hex(unknown)})`);
  if (options.initrd !== undefined) return failure('initrd', 'a Multiboot kernel takes modules, not an initrd');

  const kernel =
    (header.flags & HeaderFlag.ADDRESSES) !== 0
      ? loadByAddresses(image, header, memoryBytes)
      : loadElf(image, memoryBytes);
  if (!kernel.ok) return kernel;
  const loads = kernel.loads;
  let next = alignUp(Math.max(HIGH_MEMORY, ...kernel.ranges.map((range) => range.end)));
  const takeHigh = (bytes: Uint8Array): number => {
    const address = next;
    if (bytes.length > 0) loads.push({ address, bytes });
    next = alignUp(address + bytes.length);
    return address;
  };

  const modules: { start: number; end: number; cmdline: string }[] = [];
  for (const [index, module] of options.modules.entries()) {
    const start = takeHigh(module.bytes);
    const end = start + module.bytes.length;
    if (end > memoryBytes) {
      const reason = `module ${index + 1} of ${size(module.bytes.length)} ends at ${hex(end)}, outside the memory of ${size(memoryBytes)}`;
      return { ...failure('module', `${reason}; give the machine ${size(end)} at least`), module: index };
    }
    modules.push({ start, end, cmdline: module.cmdline });
  }
  const sections = kernel.elf === undefined ? undefined : loadSymbols(kernel.elf, takeHigh);
  if (next > memoryBytes) {
    return failure(
      'image',
      `the kernel's symbols do not fit into the memory of ${size(memoryBytes)}; give the machine ${size(next)} at least`,
    );
  }

  const cmdline = [options.imageName, options.cmdline].filter((part) => part !== undefined && part !== '').join(' ');
  const probe = buildInformation(0, cmdline, modules, memoryBytes, sections);
  const free = (start: number, end: number): boolean =>
    end <= CONVENTIONAL_END && kernel.ranges.every((range) => range.end <= start || range.start >= end);
  const address = free(INFO_ADDRESS, INFO_ADDRESS + probe.bytes.length) ? INFO_ADDRESS : next;
  if (address + probe.bytes.length > memoryBytes) {
    return failure(
      'image',
      `the boot information does not fit behind the kernel into the memory of ${size(memoryBytes)}`,
    );
  }
  const information = buildInformation(address, cmdline, modules, memoryBytes, sections);
  loads.push({ address, bytes: information.bytes });

  const data = flatData(DATA);
  return {
    ok: true,
    protocol: 'multiboot1',
    loads,
    state: {
      eax: BOOTLOADER_MAGIC,
      ebx: address,
      ecx: 0,
      edx: 0,
      esp: CONVENTIONAL_END,
      ebp: 0,
      esi: 0,
      edi: 0,
      eip: kernel.entry,
      eflags: 2,
      cr0: 0x11,
      cr4: 0,
      cs: flatCode(CODE),
      ss: data,
      ds: data,
      es: data,
      fs: data,
      gs: data,
      gdtr: { base: address + information.gdt, limit: DATA + 7 },
      idtr: { base: 0, limit: 0 },
    },
  };
};

interface SectionTable {
  readonly count: number;
  readonly names: number;
  readonly address: number;
}

/** Section headers, symbol table and its strings behind the kernel, so that it can name its own addresses (3.3, bit 5). */
const loadSymbols = (elf: ElfFile, takeHigh: (bytes: Uint8Array) => number): SectionTable | undefined => {
  const table = elf.sections.find((section) => section.type === Elf.SHT_SYMTAB);
  if (table === undefined) return undefined;
  const shstrndx = new DataView(elf.bytes.buffer, elf.bytes.byteOffset).getUint16(50, true);
  const wanted = new Set([table.index, table.link, shstrndx]);
  const writer = new StructWriter(elf.sections.length * 40);
  for (const section of elf.sections) {
    const bytes = wanted.has(section.index) ? elf.sectionBytes(section) : undefined;
    const address = bytes?.ok === true ? takeHigh(bytes.bytes) : section.address;
    const at = section.index * 40;
    const fields = [0, section.type, section.flags, address, section.offset, section.size, section.link, section.info];
    [...fields, section.align, section.entrySize].forEach((value, n) => writer.u32(at + n * 4, value));
  }
  // Names are offsets, which the container reader has turned into strings: take them from the file.
  const view = new DataView(elf.bytes.buffer, elf.bytes.byteOffset, elf.bytes.byteLength);
  const shoff = view.getUint32(32, true);
  const shentsize = view.getUint16(46, true);
  for (const { index } of elf.sections) writer.u32(index * 40, view.getUint32(shoff + index * shentsize, true));
  return { count: elf.sections.length, names: shstrndx, address: takeHigh(writer.bytes) };
};

/** The information structure (3.3) with everything it points at, in one piece for `address`, and a GDT at offset `gdt`. */
const buildInformation = (
  address: number,
  cmdline: string,
  modules: readonly { readonly start: number; readonly end: number; readonly cmdline: string }[],
  memoryBytes: number,
  sections: SectionTable | undefined,
): { bytes: Uint8Array; gdt: number } => {
  const map = memoryMap(memoryBytes);
  const gdt = flatGdt(CODE, DATA);
  const strings = [cString(cmdline), cString(LOADER_NAME), ...modules.map((module) => cString(module.cmdline))];
  const gdtAt = INFO_BYTES;
  const mapAt = gdtAt + gdt.length;
  const modulesAt = mapAt + map.length * 24;
  const stringsAt = modulesAt + modules.length * 16;
  const writer = new StructWriter(strings.reduce((sum, text) => sum + text.length, stringsAt));
  const stringAddress: number[] = [];
  let at = stringsAt;
  for (const text of strings) {
    writer.set(at, text);
    stringAddress.push(address + at);
    at += text.length;
  }
  writer.set(gdtAt, gdt);
  map.forEach((range, n) => {
    // `size` does not count itself.
    const entry = mapAt + n * 24;
    writer
      .u32(entry, 20)
      .u32(entry + 4, range.base)
      .u32(entry + 12, range.length)
      .u32(entry + 20, range.type);
  });
  modules.forEach((module, n) => {
    const entry = modulesAt + n * 16;
    writer
      .u32(entry, module.start)
      .u32(entry + 4, module.end)
      .u32(entry + 8, stringAddress[2 + n]!);
  });
  const flags =
    InfoFlag.MEMORY |
    InfoFlag.CMDLINE |
    InfoFlag.MODULES |
    InfoFlag.MEMORY_MAP |
    InfoFlag.LOADER_NAME |
    (sections === undefined ? 0 : InfoFlag.ELF_SECTIONS);
  writer.u32(0, flags);
  writer.u32(4, CONVENTIONAL_END / 1024);
  writer.u32(8, (memoryBytes - HIGH_MEMORY) / 1024);
  writer.u32(16, stringAddress[0]!);
  writer.u32(20, modules.length).u32(24, address + modulesAt);
  if (sections !== undefined) {
    writer.u32(28, sections.count).u32(32, 40).u32(36, sections.address).u32(40, sections.names);
  }
  writer.u32(44, map.length * 24).u32(48, address + mapAt);
  writer.u32(64, stringAddress[1]!);
  return { bytes: writer.bytes, gdt: gdtAt };
};
