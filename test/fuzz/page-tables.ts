// The page tables of a fuzz case, 32-bit and PAE. Not whether paging is on (scene.ts). SDM vol. 3, 4.3 and 4.4.

import type { Block } from './block.ts';
import { Place, RAM_BYTES } from './layout.ts';
import type { Random } from './random.ts';

/**
 * Identity for RAM with a few read-only, supervisor and absent pages, aliases, and large pages. Returns CR3 values. `first`: the root's page;
 * `table`: two pages. `isProtected`: nothing maps the tables themselves.
 */
export const writePageTables = (
  r: Random,
  first: Block,
  table: Block,
  pae: boolean,
  isProtected: boolean,
): number[] => {
  const root = Place.pagingRoot;
  const tables = Place.pagingTables;
  const words = pae ? 2 : 1;
  const count = 4096 / (4 * words);
  const present = 0x7;
  // The last table maps pages; in PAE there is a directory between.
  const leaf = pae ? 4096 : 0;
  for (let page = 0; page < count; page++) {
    const frame = page * 4096;
    const kind = r.below(40);
    let entry = frame | present;
    const hard = page * 4096 >= Place.end || page * 4096 === Place.data + 0x1000;
    if (hard && kind === 0) entry = frame | 5;
    else if (hard && kind === 1) entry = frame | 3;
    else if (hard && kind === 2) entry = 0;
    else if (hard && kind === 3) entry = Place.data | present;
    else if (hard && kind === 4) entry = r.u32();
    if (isProtected && page * 4096 >= Place.pagingRoot && page * 4096 < Place.pagingTables + 0x2000) entry = 0;
    if (isProtected && hard && (kind === 4 || frame >= RAM_BYTES)) entry = 0;
    table.u32(leaf + page * 4 * words, entry);
  }
  const link = tables | present;
  const hole = 0x40_0000 | 0x87;
  if (pae) {
    for (const i of [0, 3]) first.u32(i * 8, tables | 1);
    table.u32(0, (tables + leaf) | present);
    table.u32(8, 0x20_0000 | 0x87);
    table.u32(16, (tables + leaf) | present);
    if (!isProtected) {
      table.u32(24, 0x87);
      table.u32(32, r.u32());
    }
  } else {
    for (const i of [0, 768]) first.u32(i * 4, link);
    first.u32(4, hole);
    if (!isProtected) {
      first.u32(8, 0x87);
      first.u32(12, r.u32());
    }
  }
  return [root, root, root | 0x18, isProtected ? root : tables];
};
