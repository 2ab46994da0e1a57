// An object file linked by `ld`, each section at an address of its own: what the product's placing of object files is compared with. Not the
// product's relocations (src/symbols/relocations.ts).

import { writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { SectionPlace } from '../../src/symbols/object-file.ts';
import { folder, tool } from './toolchain.ts';

/** Path of the linked file; it is replaced by that of the next object file of this name. */
export const linkedApart = (path: string, places: readonly SectionPlace[]): string => {
  // A script of no rules keeps every section apart.
  const script = join(folder, 'apart.ld');
  writeFileSync(script, 'SECTIONS { }\n');
  const linked = join(folder, `${basename(path)}.linked`);
  const starts = places.map(({ name, address }) => `--section-start=${name}=0x${address.toString(16)}`);
  const how = ['-m', 'elf_i386', '-e', '0', '--unresolved-symbols=ignore-all', '--no-check-sections', '-T', script];
  tool('ld', ...how, ...starts, '-o', linked, path);
  return linked;
};
