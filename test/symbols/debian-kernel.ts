// Debian's Linux with its debug data, opened for the long specs about symbols; its package is 765 MB to download. Not the guest that
// boots (boot/linux-guest.ts).

import assert from 'node:assert/strict';
import { type ElfFile, parseElf } from '../../src/machine/elf.ts';
import { DebugInfo } from '../../src/symbols/debug-info.ts';
import { linuxGuest } from '../boot/linux-guest.ts';
import { read } from './toolchain.ts';

export const kernelPath = linuxGuest()?.debugKernel();
/** Why it cannot be had; false: it is there. */
export const kernelMissing = kernelPath === undefined && "Debian's kernel with debug data is not to be had here";

export interface OpenedKernel {
  readonly bytes: Uint8Array;
  readonly elf: ElfFile;
  readonly info: DebugInfo;
}
export const openKernel = (bytes: Uint8Array = read(kernelPath!)): OpenedKernel => {
  const parsed = parseElf(bytes);
  const opened = DebugInfo.open(kernelPath!, bytes);
  assert.ok(parsed.ok && opened.ok);
  return { bytes, elf: parsed.elf, info: opened.info };
};
