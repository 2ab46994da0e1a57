// Relocations of an object file's sections (System V ABI, Intel386 supplement: "Relocation", R_386_*): debug sections say addresses and offsets in
// each other through them. The object's sections have their addresses already (object-file.ts). i386 has the addend in place (SHT_REL).
import { Elf, type ElfFile, type Section } from '../machine/elf.ts';

const SHT_REL = 9;
const REL_BYTES = 8;
const SYMBOL_BYTES = 16;
const ST_VALUE = 4;
const ST_SHNDX = 14;

interface Kind {
  /** How many bytes are written. */
  readonly bytes: 0 | 1 | 2 | 4;
  /** The place's own address is taken off. */
  readonly relative: boolean;
}

const absolute = (bytes: 1 | 2 | 4): Kind => ({ bytes, relative: false });
const relative = (bytes: 1 | 2 | 4): Kind => ({ bytes, relative: true });

/** R_386_* that can stand in debug sections; the others are about tables that a linker makes. */
const KINDS: Readonly<Record<number, Kind>> = {
  0: { bytes: 0, relative: false }, // NONE
  1: absolute(4), // 32
  2: relative(4), // PC32
  20: absolute(2), // 16
  21: relative(2), // PC16
  22: absolute(1), // 8
  23: relative(1), // PC8
  // The place of a thread's variable in its block of them.
  32: absolute(4), // TLS_LDO_32
};

/**
 * The contents with all relocations applied, a copy where there are some. What cannot be applied stays as it is.
 * @param contents of the section, inflated
 * @param problem takes a sentence for what cannot be applied
 */
export function relocated(
  elf: ElfFile,
  section: Section,
  contents: Uint8Array,
  problem: (sentence: string) => void,
): Uint8Array {
  if (elf.type !== Elf.ET_REL) return contents;
  const tables = elf.sections.filter(({ type, info }) => type === SHT_REL && info === section.index);
  if (tables.length === 0) return contents;
  // Not slice: that of Node's buffers is no copy.
  const result = new Uint8Array(contents);
  const into = new DataView(result.buffer);
  const unknown = new Map<number, number>();
  let outside = 0;
  for (const table of tables) {
    const entries = elf.sectionBytes(table);
    const symbols = elf.sections[table.link];
    const values = symbols === undefined ? undefined : elf.sectionBytes(symbols);
    if (!entries.ok || values?.ok !== true || symbols?.type !== Elf.SHT_SYMTAB) {
      problem(`section ${table.name}, the relocations of ${section.name}, is damaged: addresses in it are not known`);
      continue;
    }
    const entry = new DataView(entries.bytes.buffer, entries.bytes.byteOffset, entries.bytes.byteLength);
    const symbol = new DataView(values.bytes.buffer, values.bytes.byteOffset, values.bytes.byteLength);
    for (let at = 0; at + REL_BYTES <= entry.byteLength; at += REL_BYTES) {
      const place = entry.getUint32(at, true);
      const info = entry.getUint32(at + 4, true);
      const kind = KINDS[info & 0xff];
      if (kind === undefined) {
        unknown.set(info & 0xff, (unknown.get(info & 0xff) ?? 0) + 1);
        continue;
      }
      const its = (info >>> 8) * SYMBOL_BYTES;
      if (place + kind.bytes > result.length || its + SYMBOL_BYTES > symbol.byteLength) {
        outside++;
        continue;
      }
      // What another file defines has no address here: the addend stays.
      const defined = symbol.getUint16(its + ST_SHNDX, true) !== Elf.SHN_UNDEF;
      if (!defined) continue;
      const change = symbol.getUint32(its + ST_VALUE, true) - (kind.relative ? section.address + place : 0);
      if (kind.bytes === 4) into.setUint32(place, into.getUint32(place, true) + change, true);
      else if (kind.bytes === 2) into.setUint16(place, into.getUint16(place, true) + change, true);
      else if (kind.bytes === 1) into.setUint8(place, into.getUint8(place) + change);
    }
  }
  for (const [type, count] of unknown)
    problem(`section ${section.name} has ${plural(count)} of type ${type}, which is none of debug data: not applied`);
  if (outside > 0)
    problem(`section ${section.name} has ${plural(outside)} to places or symbols that are not there: not applied`);
  return result;
}

const plural = (count: number): string => `${count} relocation${count === 1 ? '' : 's'}`;
