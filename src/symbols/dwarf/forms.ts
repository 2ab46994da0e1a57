// Attribute forms (DWARF 5, 7.5.6): how many bytes each takes in versions 2 to 5, and the values the line table needs.
// Not a reader of all of .debug_info: blocks and references are skipped.
import type { Reader } from './reader.ts';
import type { DebugSections } from './sections.ts';

export interface UnitFormat {
  readonly version: number;
  readonly addressSize: number;
  readonly offsetSize: 4 | 8;
}

/** A value as it stands in the unit; indices are resolved when the unit's bases are known. */
export type FormValue =
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'address'; readonly value: number }
  | { readonly kind: 'address-index'; readonly value: number }
  | { readonly kind: 'section-offset'; readonly value: number }
  | { readonly kind: 'list-index'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'string-index'; readonly value: number }
  | { readonly kind: 'skipped' };

type Read = (reader: Reader, unit: UnitFormat, sections: DebugSections) => FormValue;

const SKIPPED: FormValue = { kind: 'skipped' };
const number =
  (read: (reader: Reader) => number): Read =>
  (reader) => ({ kind: 'number', value: read(reader) });
const skipped =
  (size: (reader: Reader, unit: UnitFormat) => number): Read =>
  (reader, unit) => {
    reader.skip(size(reader, unit));
    return SKIPPED;
  };
const index =
  (kind: 'address-index' | 'string-index', read: (reader: Reader) => number): Read =>
  (reader) => ({ kind, value: read(reader) });
const offsetString =
  (section: string): Read =>
  (reader, unit, sections) => ({ kind: 'string', value: sections.string(section, reader.unsigned(unit.offsetSize)) });
/** data4 and data8 are also how versions 2 and 3 write offsets into other sections. */
const data =
  (size: 4 | 8): Read =>
  (reader, unit) => ({
    kind: unit.version < 4 && size === unit.offsetSize ? 'section-offset' : 'number',
    value: reader.unsigned(size),
  });

/** DW_FORM_ by number. */
const FORMS: Readonly<Record<number, Read>> = {
  0x01: (reader, unit) => ({ kind: 'address', value: reader.unsigned(unit.addressSize) }),
  0x03: skipped((reader) => reader.u16()), // block2
  0x04: skipped((reader) => reader.u32()), // block4
  0x05: number((reader) => reader.u16()), // data2
  0x06: data(4),
  0x07: data(8),
  0x08: (reader) => ({ kind: 'string', value: reader.string() }),
  0x09: skipped((reader) => reader.uleb()), // block
  0x0a: skipped((reader) => reader.u8()), // block1
  0x0b: number((reader) => reader.u8()), // data1
  0x0c: skipped(() => 1), // flag
  0x0d: number((reader) => reader.sleb()), // sdata
  0x0e: offsetString('str'), // strp
  0x0f: number((reader) => reader.uleb()), // udata
  0x10: skipped((_, unit) => (unit.version === 2 ? unit.addressSize : unit.offsetSize)), // ref_addr
  0x11: skipped(() => 1), // ref1
  0x12: skipped(() => 2), // ref2
  0x13: skipped(() => 4), // ref4
  0x14: skipped(() => 8), // ref8
  0x15: number((reader) => reader.uleb()), // ref_udata
  0x17: (reader, unit) => ({ kind: 'section-offset', value: reader.unsigned(unit.offsetSize) }), // sec_offset
  0x18: skipped((reader) => reader.uleb()), // exprloc
  0x19: () => SKIPPED, // flag_present
  0x1a: index('string-index', (reader) => reader.uleb()), // strx
  0x1b: index('address-index', (reader) => reader.uleb()), // addrx
  0x1c: skipped(() => 4), // ref_sup4
  0x1d: skipped((_, unit) => unit.offsetSize), // strp_sup: in another file
  0x1e: skipped(() => 16), // data16, an MD5 sum in line tables
  0x1f: offsetString('line_str'), // line_strp
  0x20: skipped(() => 8), // ref_sig8
  0x22: (reader) => ({ kind: 'list-index', value: reader.uleb() }), // loclistx
  0x23: (reader) => ({ kind: 'list-index', value: reader.uleb() }), // rnglistx
  0x24: skipped(() => 8), // ref_sup8
  0x25: index('string-index', (reader) => reader.u8()), // strx1
  0x26: index('string-index', (reader) => reader.u16()),
  0x27: index('string-index', (reader) => reader.unsigned(3)),
  0x28: index('string-index', (reader) => reader.u32()),
  0x29: index('address-index', (reader) => reader.u8()), // addrx1
  0x2a: index('address-index', (reader) => reader.u16()),
  0x2b: index('address-index', (reader) => reader.unsigned(3)),
  0x2c: index('address-index', (reader) => reader.u32()),
  0x1f01: index('address-index', (reader) => reader.uleb()), // GNU_addr_index
  0x1f02: index('string-index', (reader) => reader.uleb()), // GNU_str_index
  0x1f20: skipped((_, unit) => unit.offsetSize), // GNU_ref_alt
  0x1f21: skipped((_, unit) => unit.offsetSize), // GNU_strp_alt: in another file
};

const DW_FORM_INDIRECT = 0x16;
export const DW_FORM_IMPLICIT_CONST = 0x21;

/** Reads one value and moves behind it. Undefined if the form is none of DWARF's: nothing after it can be found. */
export function readForm(
  form: number,
  implicit: number,
  reader: Reader,
  unit: UnitFormat,
  sections: DebugSections,
): FormValue | undefined {
  while (form === DW_FORM_INDIRECT && reader.more) form = reader.uleb();
  if (form === DW_FORM_IMPLICIT_CONST) return { kind: 'number', value: implicit };
  return FORMS[form]?.(reader, unit, sections);
}
