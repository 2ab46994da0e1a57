// Which boot protocol an image speaks, and one sentence for each kind of file that speaks none. The protocols are in
// multiboot1.ts and linux.ts.

import { parseElf } from '../../machine/elf.ts';
import { failure, type BootOptions, type BootProtocol, type BootResult } from './image.ts';
import { bootLinux, isLinux } from './linux.ts';
import { bootMultiboot1, findMultibootHeader } from './multiboot1.ts';

const MULTIBOOT2_MAGIC = 0xe852_50d6;
const MULTIBOOT2_SEARCH = 32768;

const hasMultiboot2Header = (image: Uint8Array): boolean => {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const end = Math.min(MULTIBOOT2_SEARCH, image.length) - 16;
  for (let at = 0; at <= end; at += 8) {
    if (view.getUint32(at, true) !== MULTIBOOT2_MAGIC) continue;
    const sum = view.getUint32(at, true) + view.getUint32(at + 4, true) + view.getUint32(at + 8, true);
    if (((sum + view.getUint32(at + 12, true)) & 0xffff_ffff) === 0) return true;
  }
  return false;
};

/** The protocol, or undefined if the file speaks none that can be booted. */
export const detectProtocol = (image: Uint8Array): BootProtocol | undefined => {
  if (isLinux(image)) return 'linux';
  return findMultibootHeader(image) === undefined ? undefined : 'multiboot1';
};

/** Lays out any image that can be booted. Failures are values with one sentence each. */
export const bootImage = (options: BootOptions): BootResult => {
  const { image } = options;
  const protocol = detectProtocol(image);
  if (protocol === 'linux') return bootLinux(options);
  if (protocol === 'multiboot1') return bootMultiboot1(options);
  if (hasMultiboot2Header(image)) {
    return failure(
      'image',
      'a Multiboot 2 kernel without a Multiboot 1 header; only Multiboot 1 and the Linux protocol boot here',
    );
  }
  const parsed = parseElf(image);
  if (!parsed.ok) {
    const known = 'a Multiboot ELF file or a Linux bzImage is expected';
    return failure('image', parsed.problem === 'not-elf' ? `${parsed.reason}; ${known}` : parsed.reason);
  }
  return failure(
    'image',
    'an ELF file without a Multiboot header in its first 8192 bytes; put the header into a section that is linked first',
  );
};
