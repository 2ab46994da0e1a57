// What kind of kernel image a file is, by its content: never by its name. Reads only the first bytes; not a loader (hypervisor/boot)
// and not the unpacking (unpack.ts). Multiboot 0.6.96 section 3.1, Multiboot 2 section 3.1, Linux's Documentation/arch/x86/boot.rst.

import { isGzip } from './unpack.ts';

export type ImageFormat = 'multiboot' | 'multiboot2' | 'bzimage';

/** So many bytes from the start decide. */
export const HEAD_BYTES = 32_768;

const MULTIBOOT = { magic: 0x1bad_b002, area: 8192, step: 4 } as const;
const MULTIBOOT2 = { magic: 0xe852_50d6, area: 32_768, step: 8 } as const;
const ELF_MAGIC = 0x464c_457f;
const HDRS = 0x5372_6448;

const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const hasMultiboot = (data: DataView): boolean => {
  const end = Math.min(data.byteLength - 12, MULTIBOOT.area - 12);
  for (let at = 0; at <= end; at += MULTIBOOT.step) {
    if (data.getUint32(at, true) !== MULTIBOOT.magic) continue;
    if (((MULTIBOOT.magic + data.getUint32(at + 4, true) + data.getUint32(at + 8, true)) | 0) === 0) return true;
  }
  return false;
};

const hasMultiboot2 = (data: DataView): boolean => {
  const end = Math.min(data.byteLength - 16, MULTIBOOT2.area - 16);
  for (let at = 0; at <= end; at += MULTIBOOT2.step) {
    if (data.getUint32(at, true) !== MULTIBOOT2.magic) continue;
    const sum =
      MULTIBOOT2.magic + data.getUint32(at + 4, true) + data.getUint32(at + 8, true) + data.getUint32(at + 12, true);
    if ((sum | 0) === 0) return true;
  }
  return false;
};

/** Undefined: not an image that can be booted by its own header. `head`: at least HEAD_BYTES, or the whole file. */
export const imageFormat = (head: Uint8Array): ImageFormat | undefined => {
  const data = view(head);
  if (data.byteLength >= 0x210 && data.getUint32(0x202, true) === HDRS && data.getUint16(0x1fe, true) === 0xaa55) {
    return 'bzimage';
  }
  if (data.byteLength < 52 || data.getUint32(0, true) !== ELF_MAGIC) return undefined;
  if (hasMultiboot(data)) return 'multiboot';
  return hasMultiboot2(data) ? 'multiboot2' : undefined;
};

/** True for a start that could belong to an image: cheap to ask of every file. `head`: 528 bytes or the whole file. */
export const mayBeImage = (head: Uint8Array): boolean => {
  const data = view(head);
  return (
    isGzip(head) ||
    (data.byteLength >= 52 && data.getUint32(0, true) === ELF_MAGIC) ||
    (data.byteLength >= 0x206 && data.getUint32(0x202, true) === HDRS)
  );
};
