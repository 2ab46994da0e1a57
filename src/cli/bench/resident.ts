// How much of this process's memory is the emulated machine's RAM: what a guest touches is not what the engine takes. Read from Linux's
// /proc; elsewhere unknown.

import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { LinearLayout } from '../../machine/memory.ts';

const PAGE = 4096;
/** Of a page's 64 bits in /proc/self/pagemap: the page is there (Documentation/admin-guide/mm/pagemap.rst). */
const PRESENT = 0x8000_0000;

/** Start and end of the mapping with the machine's linear memory: V8 keeps inaccessible pages around it, so it is one of its own. */
const linearMemory = (ramBytes: number): readonly [number, number] | undefined => {
  for (const [, start, end] of readFileSync('/proc/self/maps', 'utf8').matchAll(/^([0-9a-f]+)-([0-9a-f]+) rw/gm)) {
    const range = [parseInt(start!, 16), parseInt(end!, 16)] as const;
    if (range[1] - range[0] >= LinearLayout.ram + ramBytes) return range;
  }
  return undefined;
};

/** Resident bytes of the machine's RAM. Undefined where the host does not tell. */
export const residentOfGuest = (ramBytes: number): number | undefined => {
  try {
    const range = linearMemory(ramBytes);
    if (range === undefined) return undefined;
    const first = (range[0] + LinearLayout.ram) / PAGE;
    const entries = new Uint32Array((range[1] / PAGE - first) * 2);
    const file = openSync('/proc/self/pagemap', 'r');
    try {
      if (readSync(file, entries, 0, entries.byteLength, first * 8) !== entries.byteLength) return undefined;
    } finally {
      closeSync(file);
    }
    return entries.filter((word, i) => i % 2 === 1 && (word & PRESENT) !== 0).length * PAGE;
  } catch {
    return undefined;
  }
};
