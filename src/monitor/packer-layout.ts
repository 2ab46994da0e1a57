// Where everything lies in the packer's memory: what is foretold, counts, the records to be packed and what they become. Not the function that
// works there (packer-code.ts) and not the format (packing.ts).

import { KINDS } from './events.ts';
import { RECORD_BYTES } from './record.ts';

/** Packed records of 16-bit words at most: head, surroundings' word, twelve words. */
export const LONGEST_PACKED = 2 + RECORD_BYTES / 2;
/** Records that are packed at once: 12 KiB, which the processor's first cache holds. */
export const ROOM_RECORDS = 256;
/** Rows of what is foretold: a power of two. */
export const ROWS_SHIFT = 9;
const ROWS = 1 << ROWS_SHIFT;
const ROW_BYTES = 32;
/** WebAssembly pages that hold it all. */
export const PAGES = 2;

const aligned = (at: number): number => (at + 15) & ~15;
const ROWS_AT = 0;
const STEPS_AT = ROWS_AT + ROWS * ROW_BYTES;
const CHANGES_AT = STEPS_AT + ROWS * ROW_BYTES;
const EIP_AT = CHANGES_AT + ROWS * ROW_BYTES;
const KIND_AT = EIP_AT + ROWS * 4;
const SURROUNDINGS_AT = KIND_AT + ROWS * 4;
const TIMES_AT = SURROUNDINGS_AT + 16;
const ROW_AT = TIMES_AT + 16;
const HASH_AT = ROW_AT + 4;
const BLOCK_END = aligned(HASH_AT + 4);
const OFF_AT = BLOCK_END;
const COUNTS_AT = OFF_AT + 32;
const CYCLES_AT = COUNTS_AT + KINDS * 4;
const CHOOSE_AT = aligned(CYCLES_AT + 8);
const ROOM_AT = CHOOSE_AT + 256 * 16;
const PACKED_AT = ROOM_AT + ROOM_RECORDS * RECORD_BYTES;

/** Byte addresses in the packer's memory. */
export const PackerLayout = {
  /**
   * What is foretold, zero at the start of a block: rows of the last words, of the steps added to them and of how they changed last; EIP and kind
   * of the record behind each; surroundings, times, row and hash of the last record.
   */
  rows: ROWS_AT,
  steps: STEPS_AT,
  changes: CHANGES_AT,
  eip: EIP_AT,
  kind: KIND_AT,
  surroundings: SURROUNDINGS_AT,
  times: TIMES_AT,
  row: ROW_AT,
  hash: HASH_AT,
  blockBytes: BLOCK_END,
  /** Eight words: by how much those of a record are off. */
  off: OFF_AT,
  /** 32 bits for each kind: records of it packed; then 64 bits of a float: the sum of the last operand of vmx.entry. */
  counts: COUNTS_AT,
  cycles: CYCLES_AT,
  /** For each set of eight words, the bytes of those that are in it, first the first: for `choose`. */
  choose: CHOOSE_AT,
  room: ROOM_AT,
  packed: PACKED_AT,
} as const;

/** Writes the table of `PackerLayout.choose`. */
export const fillChoose = (bytes: Uint8Array): void => {
  for (let set = 0; set < 256; set++) {
    let to = CHOOSE_AT + set * 16;
    for (let word = 0; word < 8; word++)
      if (((set >> word) & 1) !== 0) {
        bytes[to++] = 2 * word;
        bytes[to++] = 2 * word + 1;
      }
    bytes.fill(0x80, to, CHOOSE_AT + (set + 1) * 16);
  }
};
