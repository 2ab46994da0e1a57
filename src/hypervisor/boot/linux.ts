// The Linux 32-bit boot protocol: a bzImage's setup header, the zero page, command line, initrd, and entry at code32_start.
// The real-mode setup code is not run. Linux, Documentation/arch/x86/boot.rst ("32-bit Boot Protocol") and zero-page.rst.

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
  type BootOptions,
  type BootResult,
  type MemoryLoad,
} from './image.ts';

/** Offsets in the setup header, the same in the file and in the zero page. */
const Setup = {
  setupSects: 0x1f1,
  vidMode: 0x1fa,
  syssize: 0x1f4,
  bootFlag: 0x1fe,
  jump: 0x201,
  magic: 0x202,
  version: 0x206,
  typeOfLoader: 0x210,
  loadflags: 0x211,
  code32Start: 0x214,
  ramdiskImage: 0x218,
  ramdiskSize: 0x21c,
  cmdLinePtr: 0x228,
  initrdAddrMax: 0x22c,
  xloadflags: 0x236,
  cmdlineSize: 0x238,
  prefAddress: 0x258,
  initSize: 0x260,
} as const;
/** Offsets in the zero page outside the header. */
const Zero = { altMemK: 0x1e0, e820Entries: 0x1e8, e820Table: 0x2d0 } as const;

const HDRS = 0x5372_6448;
const LOADED_HIGH = 1;
const XLF_KERNEL_64 = 1;
const MIN_VERSION = 0x0205;
/** "Undefined" loader. */
const TYPE_OF_LOADER = 0xff;
const BOOT_CS = 0x10;
const BOOT_DS = 0x18;

const GDT_ADDRESS = 0x1000;
const ZERO_PAGE = 0x1_0000;
const CMDLINE = 0x2_0000;

/** True if the file starts with a Linux setup header. */
export const isLinux = (image: Uint8Array): boolean => {
  if (image.length < 0x264) return false;
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  return view.getUint16(Setup.bootFlag, true) === 0xaa55 && view.getUint32(Setup.magic, true) === HDRS;
};

const versionText = (version: number): string => `${version >> 8}.${String(version & 0xff).padStart(2, '0')}`;

/** Lays out a bzImage, its zero page, command line and initrd. */
export const bootLinux = (options: BootOptions): BootResult => {
  const { image, initrd, memoryBytes } = options;
  const badMemory = checkMemory(memoryBytes);
  if (badMemory !== undefined) return badMemory;
  if (!isLinux(image)) return failure('image', 'no Linux setup header');
  if (options.modules.length > 0) return failure('options', 'a Linux kernel takes an initrd, not modules');
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const version = view.getUint16(Setup.version, true);
  if (version < MIN_VERSION) {
    return failure(
      'image',
      `boot protocol ${versionText(version)} is too old; ${versionText(MIN_VERSION)} (Linux 2.6.20) is the least`,
    );
  }
  if ((view.getUint8(Setup.loadflags) & LOADED_HIGH) === 0)
    return failure('image', 'a zImage, which loads below 1 MiB; only bzImages boot here');
  if (version >= 0x020c && (view.getUint16(Setup.xloadflags, true) & XLF_KERNEL_64) !== 0) {
    return failure('image', 'a 64-bit Linux kernel; the machine is a 32-bit IA-32 one');
  }

  const sectors = view.getUint8(Setup.setupSects) || 4;
  const codeAt = (sectors + 1) * 512;
  if (codeAt >= image.length) {
    return failure('image', `truncated: the kernel begins at byte ${codeAt}, the file has ${image.length}`);
  }
  const code = image.subarray(codeAt);
  // In paragraphs, and the last may be cut short.
  const missing = (view.getUint32(Setup.syssize, true) - 1) * 16 - code.length;
  if (missing > 0) return failure('image', `truncated: the kernel ends ${missing} bytes after the end of the file`);
  const start = view.getUint32(Setup.code32Start, true);
  const initSize = version >= 0x020a ? view.getUint32(Setup.initSize, true) : 0;
  const preferred = version >= 0x020a ? view.getUint32(Setup.prefAddress, true) : 0;
  const kernelEnd = Math.max(start + code.length, Math.max(start, preferred) + initSize);
  if (start < HIGH_MEMORY || kernelEnd > memoryBytes) {
    const where = `the kernel needs memory from ${hex(start)} to ${hex(kernelEnd - 1)}, the machine has ${size(memoryBytes)}`;
    return failure('image', `${where}; give it ${size(kernelEnd)} at least`);
  }

  const limit = view.getUint32(Setup.cmdlineSize, true) || 255;
  const cmdline = cString(options.cmdline);
  if (cmdline.length - 1 > limit || cmdline.length > CONVENTIONAL_END - CMDLINE) {
    return failure('options', `the command line has ${cmdline.length - 1} bytes; this kernel takes ${limit} at most`);
  }

  const loads: MemoryLoad[] = [{ address: start, bytes: code }];
  let initrdAt = 0;
  if (initrd !== undefined && initrd.length > 0) {
    const top = Math.min(memoryBytes, view.getUint32(Setup.initrdAddrMax, true) + 1);
    initrdAt = Math.floor((top - initrd.length) / 4096) * 4096;
    if (initrdAt < kernelEnd) {
      const room = `between the kernel's end at ${hex(kernelEnd)} and ${hex(top)} there are ${size(Math.max(0, top - kernelEnd))}`;
      return failure('initrd', `the initrd of ${size(initrd.length)} does not fit: ${room}`);
    }
    loads.push({ address: initrdAt, bytes: initrd });
  }

  loads.push({ address: ZERO_PAGE, bytes: zeroPage(image, memoryBytes, initrdAt, initrd?.length ?? 0) });
  loads.push({ address: CMDLINE, bytes: cmdline });
  loads.push({ address: GDT_ADDRESS, bytes: flatGdt(BOOT_CS, BOOT_DS) });
  const data = flatData(BOOT_DS);
  return {
    ok: true,
    protocol: 'linux',
    loads,
    state: {
      eax: 0,
      ecx: 0,
      edx: 0,
      ebx: 0,
      esp: CONVENTIONAL_END,
      ebp: 0,
      esi: ZERO_PAGE,
      edi: 0,
      eip: start,
      eflags: 2,
      cr0: 0x11,
      cr4: 0,
      cs: flatCode(BOOT_CS),
      ss: data,
      ds: data,
      es: data,
      fs: data,
      gs: data,
      gdtr: { base: GDT_ADDRESS, limit: BOOT_DS + 7 },
      idtr: { base: 0, limit: 0 },
    },
  };
};

const zeroPage = (image: Uint8Array, memoryBytes: number, initrdAt: number, initrdBytes: number): Uint8Array => {
  const page = new StructWriter(4096);
  // The header ends where the jump over it lands.
  const end = Math.min(Setup.magic + image[Setup.jump]!, 0x290);
  page.set(Setup.setupSects, image.subarray(Setup.setupSects, end));
  page.u8(Setup.typeOfLoader, TYPE_OF_LOADER);
  page.u16(Setup.vidMode, 0xffff);
  page.u32(Setup.cmdLinePtr, CMDLINE);
  page.u32(Setup.ramdiskImage, initrdAt).u32(Setup.ramdiskSize, initrdBytes);

  // screen_info: VGA text mode 3, 80x25, 16-line characters, cursor at the top.
  const highKib = (memoryBytes - HIGH_MEMORY) / 1024;
  page
    .u16(0x02, Math.min(highKib, 0xfc00))
    .u8(0x06, 3)
    .u8(0x07, 80)
    .u16(0x0a, 3)
    .u8(0x0e, 25)
    .u8(0x0f, 1)
    .u16(0x10, 16);
  page.u32(Zero.altMemK, highKib);

  const map = memoryMap(memoryBytes);
  page.u8(Zero.e820Entries, map.length);
  map.forEach((range, n) => {
    const at = Zero.e820Table + n * 20;
    page
      .u32(at, range.base)
      .u32(at + 8, range.length)
      .u32(at + 16, range.type);
  });
  return page.bytes;
};
