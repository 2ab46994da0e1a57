// Bytes to a file that is open, whoever reads it. Only that: what is written is its caller's.

import { writeSync } from 'node:fs';

/** All of the bytes; 1 is standard output. */
export const writeAll = (file: number, bytes: Uint8Array): void => {
  let at = 0;
  while (at < bytes.length) {
    try {
      at += writeSync(file, bytes, at);
    } catch (error) {
      // A pipe whose reader is slow.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    }
  }
};
