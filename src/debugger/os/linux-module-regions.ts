// Where a loaded module of Linux lies in memory (include/linux/module.h, struct module). What moved between versions is looked up in the kernel's own
// types. Not where its sections lie in these regions.

import { stripped } from '../../symbols/types.ts';
import type { MemoryRegion } from './awareness.ts';
import type { Structures } from './structures.ts';

/** Members for base and size; code that stays comes first. Before 6.4, and before 4.5. */
const LAYOUTS: readonly (readonly [base: string, size: string])[] = [
  ['core_layout.base', 'core_layout.size'],
  ['data_layout.base', 'data_layout.size'],
  ['init_layout.base', 'init_layout.size'],
  ['module_core', 'core_size'],
  ['module_init', 'init_size'],
];

/** Since 6.4 they are an array, code first: `mem[MOD_TEXT]`. */
const layoutsOf = (s: Structures): typeof LAYOUTS => {
  const type = s.field('module', 'mem')?.type;
  const plain = type === undefined ? undefined : stripped(type);
  if (plain?.kind !== 'array') return LAYOUTS;
  return Array.from({ length: plain.count ?? 0 }, (_, i) => [`mem[${i}].base`, `mem[${i}].size`] as const);
};

/**
 * The region of its code first; what was given back (its initialisation's) is not among them.
 * @param module address of its `struct module`
 */
export const regionsOfModule = (s: Structures, module: number): MemoryRegion[] =>
  layoutsOf(s).flatMap(([base, size]) => {
    const [start, bytes] = [s.read(module, 'module', base), s.read(module, 'module', size)];
    return !start || !bytes ? [] : [{ base: start, bytes }];
  });
