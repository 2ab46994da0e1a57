// The moment at which a Linux kernel has found its place: unpacked, relocated, about to begin. From there on its table of symbols is in memory
// with the addresses at which it will run. Seen from outside by what it reads: arch/x86/kernel/head_32.S copies the command line with all the
// room behind it, while the code that unpacks the kernel reads no further than its end. Offsets: Documentation/arch/x86/zero-page.rst.

import type { Spot } from '../breakpoints.ts';
import type { DebugGuest } from '../target.ts';

const CMD_LINE_PTR = 0x228;
const LONGEST = 2048;

/** Where the kernel reads when it begins; undefined: it was handed no command line. @param zeroPage physical address of its boot parameters */
export const linuxStart = (guest: Pick<DebugGuest, 'readPhysical'>, zeroPage: number): Spot | undefined => {
  const word = new Uint8Array(4);
  if (guest.readPhysical(zeroPage + CMD_LINE_PTR, word) < word.length) return undefined;
  const commandLine = new DataView(word.buffer).getUint32(0, true);
  const text = new Uint8Array(LONGEST);
  const end = text.subarray(0, guest.readPhysical(commandLine, text)).indexOf(0);
  if (commandLine === 0 || end < 0) return undefined;
  // It is copied by words: the first that holds none of the text.
  return { on: 'read', address: commandLine + (end & ~3) + 4, bytes: 4 };
};
