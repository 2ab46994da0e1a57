// The descriptor table a boot loader leaves behind: flat code and flat data. Not a kernel's own table.
// SDM vol. 3, 3.4.5.

import { StructWriter } from './image.ts';

/** A GDT with flat 32-bit code and data at the given selectors (multiples of 8); everything else is null. */
export const flatGdt = (code: number, data: number): Uint8Array => {
  const writer = new StructWriter(Math.max(code, data) + 8);
  // Base 0, limit fffffh pages, present, DPL 0; 32-bit code that can be read, data that can be written, both accessed.
  writer.u32(code, 0x0000_ffff).u32(code + 4, 0x00cf_9b00);
  writer.u32(data, 0x0000_ffff).u32(data + 4, 0x00cf_9300);
  return writer.bytes;
};
