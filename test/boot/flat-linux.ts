// Debian's kernel without its decompressor: the vmlinux inside the bzImage, unpacked on the host and put behind the same setup header, so
// that a boot costs a fifth of the instructions. The kernel that then runs is the same, byte for byte.
// Linux, Documentation/arch/x86/boot.rst (payload_offset); only for kernels that are not relocated (nokaslr).

import { execFileSync, spawnSync } from 'node:child_process';
import { parseElf } from '../../src/machine/elf.ts';

const Setup = {
  setupSects: 0x1f1,
  syssize: 0x1f4,
  code32Start: 0x214,
  payloadOffset: 0x248,
  payloadLength: 0x24c,
} as const;
const PT_LOAD = 1;

/** Why it cannot be made here, or undefined. */
export const missingXz = (): string | undefined =>
  spawnSync('xz', ['--version']).error === undefined ? undefined : 'xz is not installed';

/** A bzImage whose protected-mode part is the kernel itself, to be entered at its physical start. */
export const flatLinux = (bzImage: Uint8Array): Uint8Array => {
  const view = new DataView(bzImage.buffer, bzImage.byteOffset, bzImage.byteLength);
  const codeAt = ((view.getUint8(Setup.setupSects) || 4) + 1) * 512;
  const at = codeAt + view.getUint32(Setup.payloadOffset, true);
  // The last four bytes are the unpacked size, which is no part of the stream.
  const payload = bzImage.subarray(at, at + view.getUint32(Setup.payloadLength, true) - 4);
  const vmlinux = execFileSync('xz', ['-dc', '--single-stream'], { input: payload, maxBuffer: 1 << 28 });
  const parsed = parseElf(vmlinux);
  if (!parsed.ok) throw new Error('the payload is no ELF file');
  const segments = parsed.elf.programHeaders.filter((segment) => segment.type === PT_LOAD);
  const start = Math.min(...segments.map((segment) => segment.physicalAddress));
  const end = Math.max(...segments.map((segment) => segment.physicalAddress + segment.memorySize));
  const flat = new Uint8Array(codeAt + end - start);
  flat.set(bzImage.subarray(0, codeAt));
  for (const { offset, fileSize, physicalAddress } of segments)
    flat.set(vmlinux.subarray(offset, offset + fileSize), codeAt + physicalAddress - start);
  const header = new DataView(flat.buffer);
  header.setUint32(Setup.code32Start, start, true);
  header.setUint32(Setup.syssize, Math.ceil((end - start) / 16), true);
  return flat;
};
