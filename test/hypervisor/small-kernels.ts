// Kernels of a few bytes, and domains that run them. For specs only.

import { StructWriter } from '../../src/hypervisor/boot/image.ts';
import type { DomainConfig } from '../../src/workers/session.ts';

export const MEMORY = 16 << 20;
const LOAD = 0x10_0000;
const HEADER = 32;
/** Address of the first instruction. */
export const KERNEL_CODE = LOAD + HEADER;

/** A kernel of a few bytes, by the Multiboot header's own addresses. */
export const kernel = (...code: readonly number[]): Uint8Array => {
  const w = new StructWriter(HEADER + code.length);
  const flags = 1 << 16;
  w.u32(0, 0x1bad_b002)
    .u32(4, flags)
    .u32(8, -(0x1bad_b002 + flags) >>> 0);
  w.u32(12, LOAD).u32(16, LOAD).u32(20, 0).u32(24, 0).u32(28, KERNEL_CODE);
  w.bytes.set(code, HEADER);
  return w.bytes;
};
/** INC EAX; JMP back: it never waits. */
export const BUSY = kernel(0x40, 0xeb, 0xfd);
/** MOV DX, F4h; MOV AL, 5; OUT DX, AL. */
export const EXITS = kernel(0x66, 0xba, 0xf4, 0x00, 0xb0, 0x05, 0xee);
/** CLI; HLT. */
export const HALTS = kernel(0xfa, 0xf4);
/** INT 3 without an IDT. */
export const DIES = kernel(0xcc);

export const domain = (id: number, image: Uint8Array, more: Partial<DomainConfig> = {}): DomainConfig => ({
  id,
  image: { name: `kernel-${id}`, bytes: image },
  cmdline: '',
  modules: [],
  memoryBytes: MEMORY,
  ...more,
});
