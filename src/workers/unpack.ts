// Compressed images: a gzip file is unpacked before anybody looks at it (Debian ships GNU Mach and System.map so). Not zlib sections
// of ELF files (symbols/dwarf/sections.ts).

import { gunzipSync } from 'fflate';
import { UserError } from './session.ts';

/** The bytes themselves unless they begin with gzip's magic number. Throws UserError naming the file if the stream is damaged. */
export const unpack = (name: string, bytes: Uint8Array): Uint8Array => {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return gunzipSync(bytes);
  } catch (error) {
    throw new UserError(`${name}: a damaged gzip file (${(error as Error).message})`);
  }
};
