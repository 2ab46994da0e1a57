// Compressed images: a gzip file is unpacked before anybody looks at it (Debian ships GNU Mach and System.map so). Not zlib sections
// of ELF files (symbols/dwarf/sections.ts). RFC 1952.

import { Gunzip, gunzipSync } from 'fflate';
import { UserError } from './session.ts';

/** Packed bytes handed to the inflater at once when only a head is wanted: they grow at most a thousandfold. */
const STEP = 1024;

/** gzip's magic number with its only method, deflate. `head`: 3 bytes or more. */
export const isGzip = (head: Uint8Array): boolean => head[0] === 0x1f && head[1] === 0x8b && head[2] === 8;

/** The bytes themselves unless they are gzipped. Throws UserError naming the file if the stream is damaged. */
export const unpack = (name: string, bytes: Uint8Array): Uint8Array => {
  if (!isGzip(bytes)) return bytes;
  try {
    return gunzipSync(bytes);
  } catch (error) {
    throw new UserError(`${name}: a damaged gzip file (${(error as Error).message})`);
  }
};

/** The first bytes of a gzip file's content, at most `limit`; fewer if the stream ends, is cut off or is damaged before that. */
export const unpackHead = (packed: Uint8Array, limit: number): Uint8Array => {
  const head = new Uint8Array(limit);
  let length = 0;
  const stream = new Gunzip((part) => {
    const taken = part.subarray(0, limit - length);
    head.set(taken, length);
    length += taken.length;
  });
  try {
    for (let at = 0; at < packed.length && length < limit; at += STEP) stream.push(packed.subarray(at, at + STEP));
  } catch {
    // What came before the damage is what there is.
  }
  return head.subarray(0, length);
};
