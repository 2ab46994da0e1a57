// Where the sections of a loaded module of Linux are, and which build it is: by what the kernel keeps for /sys/module/NAME/sections (kernel/module/sysfs.c,
// before 5.19 kernel/module.c), found by its own types. Needs CONFIG_SYSFS and CONFIG_KALLSYMS. Not the module's regions (linux-module-regions.ts).

import type { SectionPlace } from '../../symbols/object-file.ts';
import { holds, type MemoryRegion } from './awareness.ts';
import type { Structures } from './structures.ts';

const MOST_SECTIONS = 4096;
const LONGEST_NAME = 256;
const BUILD_ID_SECTION = '.note.gnu.build-id';
const NOTE_HEADER = 12;
const NT_GNU_BUILD_ID = 3;
const LONGEST_BUILD_ID = 64;

/** Structure of an entry, and the paths of name and address in it, by version. */
const ENTRIES: readonly (readonly [struct: string, name: string, address: string])[] = [
  ['module_sect_attr', 'battr.attr.name', 'address'], // from 5.8
  ['module_sect_attr', 'name', 'address'],
  ['bin_attribute', 'attr.name', 'private'], // from 6.14
];

/**
 * In the order of the module's file. Sections of an initialisation that has ended are not among them: their memory is another's.
 * @param module address of its `struct module`
 */
export const sectionsOfModule = (s: Structures, module: number, regions: readonly MemoryRegion[]): SectionPlace[] => {
  const list = s.read(module, 'module', 'sect_attrs');
  const first = s.field('module_sect_attrs', 'attrs');
  const entry = ENTRIES.find(([struct, ...paths]) => paths.every((path) => s.field(struct, path) !== undefined));
  if (!list || first === undefined || entry === undefined) return [];
  const [struct, namePath, addressPath] = entry;
  const size = s.size(struct)!;
  // Without a count the list ends with an entry that has no name.
  const count = Math.min(s.read(list, 'module_sect_attrs', 'nsections') ?? MOST_SECTIONS, MOST_SECTIONS);
  const found: SectionPlace[] = [];
  for (let i = 0; i < count; i++) {
    const at = list + first.offset + i * size;
    const [text, address] = [s.read(at, struct, namePath), s.read(at, struct, addressPath)];
    const name = text ? s.text(text, LONGEST_NAME) : undefined;
    if (name === undefined || address === undefined) break;
    if (holds(regions, address)) found.push({ name, address });
  }
  return found;
};

/** Hexadecimal, from the module's note in guest memory; undefined where it has none. */
export const buildIdOfModule = (s: Structures, sections: readonly SectionPlace[]): string | undefined => {
  const at = sections.find(({ name }) => name === BUILD_ID_SECTION)?.address;
  if (at === undefined) return undefined;
  const [nameBytes, bytes, type] = [s.word(at), s.word(at + 4), s.word(at + 8)];
  if (nameBytes !== 4 || type !== NT_GNU_BUILD_ID || bytes === undefined || bytes > LONGEST_BUILD_ID) return undefined;
  const id = s.bytes(at + NOTE_HEADER + nameBytes, bytes);
  return id && [...id].map((byte) => byte.toString(16).padStart(2, '0')).join('');
};
