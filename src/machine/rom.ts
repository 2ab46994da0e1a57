// The firmware's read-only memory: its bytes, and the windows of the physical address space they are seen in. Not their storage
// (memory.ts) and not shadow RAM, which takes a window's place when a chip set switches it on. Intel 82371SB (PIIX3) datasheet, XBCS:
// the BIOS is at the top of 4 GiB, and its last 128 KiB are at the top of 1 MiB too, where a processor in real mode finds them.

const PAGE = 4096;
const TOP = 0x1_0000_0000;
const REAL_MODE_TOP = 0x10_0000;
const REAL_MODE_BYTES = 0x2_0000;
/** No BIOS chip is smaller than the oldest one, and none is larger than what PCs of this kind decode. */
const SMALLEST = 2048;
const LARGEST = 4 << 20;
/** From the end of the ROM: where the processor starts (SDM vol. 3, 9.1.4). */
const RESET_VECTOR = 16;

/** Physical addresses `first` to `last` show the ROM's bytes from `offset` on. Whole pages. */
export interface RomWindow {
  readonly first: number;
  readonly last: number;
  readonly offset: number;
}

export interface Rom {
  /** Whole pages; a smaller chip has FFh before it. */
  readonly bytes: Uint8Array;
  readonly windows: readonly RomWindow[];
}

/** Why a file cannot be a PC's firmware, or undefined. */
export const firmwareProblem = (file: Uint8Array): string | undefined => {
  if (file.length === 0) return 'the file is empty';
  if (file.length % SMALLEST !== 0 || file.length > LARGEST)
    return `not a firmware image: it has ${file.length} bytes, and a ROM has a multiple of ${SMALLEST}, at most ${LARGEST}`;
  const start = file.subarray(file.length - RESET_VECTOR);
  if (start.every((byte) => byte === start[0]))
    return 'not a firmware image: there is no code in its last 16 bytes, where the processor starts';
  return undefined;
};

/** The ROM of a file that `firmwareProblem` has no complaint about. */
export const firmwareRom = (file: Uint8Array): Rom => {
  const size = Math.ceil(file.length / PAGE) * PAGE;
  const bytes = new Uint8Array(size).fill(0xff, 0, size - file.length);
  bytes.set(file, size - file.length);
  const low = Math.min(size, REAL_MODE_BYTES);
  return {
    bytes,
    windows: [
      { first: TOP - size, last: TOP - 1, offset: 0 },
      { first: REAL_MODE_TOP - low, last: REAL_MODE_TOP - 1, offset: size - low },
    ],
  };
};
