// Functions of a loaded module of Linux by the symbol table that the kernel keeps with it: what /proc/kallsyms shows of modules. Entries are Elf32_Sym
// (System V ABI, i386), with addresses where the module lies. No file of the module is needed; lines and types are not in it.

import type { ModuleFunction } from './awareness.ts';
import type { Structures } from './structures.ts';

const SYMBOL_BYTES = 16;
/** st_info of local, global and weak functions; before 5.2 the kernel puts nm's letter there. */
const FUNCTION = new Set([0x02, 0x12, 0x22, 't'.charCodeAt(0), 'T'.charCodeAt(0)]);
const MOST_SYMBOLS = 65_536;
const LONGEST_NAME = 256;

/**
 * Ascending; empty where the kernel keeps none.
 * @param module address of its `struct module`
 */
export const functionsOfModule = (s: Structures, module: number): ModuleFunction[] => {
  // In a structure of its own since 4.5.
  const apart = s.read(module, 'module', 'kallsyms');
  const [from, struct] = apart === undefined ? [module, 'module'] : [apart, 'mod_kallsyms'];
  const table = s.read(from, struct, 'symtab');
  const names = s.read(from, struct, 'strtab');
  const count = s.read(from, struct, 'num_symtab') ?? 0;
  if (!table || !names || count > MOST_SYMBOLS) return [];
  const entries = s.bytes(table, count * SYMBOL_BYTES);
  if (entries === undefined) return [];
  const view = new DataView(entries.buffer);
  const found: ModuleFunction[] = [];
  for (let at = 0; at < entries.length; at += SYMBOL_BYTES) {
    const [name, address, size] = [0, 4, 8].map((offset) => view.getUint32(at + offset, true)) as [
      number,
      number,
      number,
    ];
    // Section 0: another module's.
    if (view.getUint16(at + 14, true) === 0 || size === 0 || !FUNCTION.has(view.getUint8(at + 12))) continue;
    const text = s.text(names + name, LONGEST_NAME);
    if (text) found.push({ name: text, address, bytes: size });
  }
  return found.sort((a, b) => a.address - b.address);
};
