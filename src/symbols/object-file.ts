// An object file (ET_REL, System V ABI, Intel386 supplement) as if it were linked: what a loader has put where, a kernel its modules for one, is written
// into a copy of the file. Section headers get addresses, symbols count from 0; relocations are applied where contents are read (relocations.ts).
// Not a linker: names of other files stay unresolved.
import { Elf, parseElf, type ElfResult } from '../machine/elf.ts';

/** A section in memory; in the order of the file where several have one name. */
export interface SectionPlace {
  readonly name: string;
  readonly address: number;
}

const SECTION_HEADERS_AT = 32;
const SECTION_HEADER_SIZE_AT = 46;
/** Byte offsets in Elf32_Shdr and Elf32_Sym. */
const SH_FLAGS = 8;
const SH_ADDR = 12;
const ST_VALUE = 4;
const ST_SHNDX = 14;
const SYMBOL_BYTES = 16;

/** Sections that are not among the places are taken for not loaded: their code and data are nobody's. */
export function placeObject(bytes: Uint8Array, places: readonly SectionPlace[]): ElfResult {
  const parsed = parseElf(bytes);
  if (!parsed.ok || parsed.elf.type !== Elf.ET_REL) return parsed;
  const { sections } = parsed.elf;
  // Not slice: that of Node's buffers is no copy.
  const copy = new Uint8Array(bytes);
  const view = new DataView(copy.buffer);
  const byName = new Map<string, number[]>();
  for (const { name, address } of places) byName.set(name, [...(byName.get(name) ?? []), address]);
  const headers = view.getUint32(SECTION_HEADERS_AT, true);
  const headerSize = view.getUint16(SECTION_HEADER_SIZE_AT, true);
  const addresses = sections.map(({ index, name, flags, size }) => {
    if ((flags & Elf.SHF_ALLOC) === 0) return 0;
    // A section without contents is not loaded, and may be missing among the places.
    const address = size === 0 ? undefined : byName.get(name)?.shift();
    const header = headers + index * headerSize;
    if (address === undefined) view.setUint32(header + SH_FLAGS, flags & ~Elf.SHF_ALLOC, true);
    else view.setUint32(header + SH_ADDR, address, true);
    return address ?? 0;
  });
  for (const table of sections) {
    if (table.type !== Elf.SHT_SYMTAB) continue;
    const end = Math.min(copy.length, table.offset + table.size);
    for (let at = table.offset; at + SYMBOL_BYTES <= end; at += SYMBOL_BYTES) {
      const address = addresses[view.getUint16(at + ST_SHNDX, true)] ?? 0;
      if (address !== 0) view.setUint32(at + ST_VALUE, view.getUint32(at + ST_VALUE, true) + address, true);
    }
  }
  return parseElf(copy);
}
