// Attribute forms (DWARF 5, 7.5.6): how many bytes each takes in versions 2 to 5, and what value it stands for.
// A value stays as it is in the unit: indices and references are resolved by those who know the unit's bases (units.ts, die.ts).
import type { Reader } from './reader.ts';
import type { DebugSections } from './sections.ts';

export interface UnitFormat {
  readonly version: number;
  readonly addressSize: number;
  readonly offsetSize: 4 | 8;
}

export type FormValue =
  /** `exact` where the value has no exact `number`. */
  | { readonly kind: 'number'; readonly value: number; readonly exact?: bigint }
  | { readonly kind: 'flag'; readonly value: boolean }
  | { readonly kind: 'address'; readonly value: number }
  | { readonly kind: 'address-index'; readonly value: number }
  | { readonly kind: 'section-offset'; readonly value: number }
  | { readonly kind: 'list-index'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'string-index'; readonly value: number }
  | { readonly kind: 'block'; readonly value: Uint8Array }
  /** An entry, counted from the start of the unit. */
  | { readonly kind: 'unit-reference'; readonly value: number }
  /** An entry, counted from the start of .debug_info. */
  | { readonly kind: 'reference'; readonly value: number }
  /** A type unit. */
  | { readonly kind: 'signature'; readonly value: bigint }
  /** In another file, which is not read: DW_FORM_ref_sup, DW_FORM_GNU_ref_alt and their strings. */
  | { readonly kind: 'foreign' };

type Read = (reader: Reader, unit: UnitFormat, sections: DebugSections) => FormValue;
/** Bytes of a form: a number, one of the unit's sizes, or undefined if only reading tells. */
type Size = number | 'address' | 'offset' | 'reference' | undefined;

interface Form {
  readonly size: Size;
  readonly read: Read;
  /** Moves behind a value of no fixed size. */
  readonly skip?: (reader: Reader) => void;
}

const FOREIGN: FormValue = { kind: 'foreign' };
const TRUE: FormValue = { kind: 'flag', value: true };
const FALSE: FormValue = { kind: 'flag', value: false };

const sized = (size: Size, read: Read): Form => ({ size, read });
const block = (length: (reader: Reader) => number): Form => ({
  size: undefined,
  read: (reader) => ({ kind: 'block', value: reader.block(length(reader)) }),
  skip: (reader) => reader.skip(length(reader)),
});
const leb = (read: Read): Form => ({ size: undefined, read, skip: (reader) => reader.skipLeb() });
const number = (size: 1 | 2): Form => sized(size, (reader) => ({ kind: 'number', value: reader.unsigned(size) }));
const index = (kind: 'address-index' | 'string-index', size: 1 | 2 | 3 | 4): Form =>
  sized(size, (reader) => ({ kind, value: reader.unsigned(size) }));
const lebIndex = (kind: 'address-index' | 'string-index' | 'list-index'): Form =>
  leb((reader) => ({ kind, value: reader.uleb() }));
const offsetString = (section: string): Form =>
  sized('offset', (reader, unit, sections) => ({
    kind: 'string',
    value: sections.string(section, reader.unsigned(unit.offsetSize)),
  }));
const unitReference = (size: 1 | 2 | 4 | 8): Form =>
  sized(size, (reader) => ({ kind: 'unit-reference', value: reader.unsigned(size) }));
const whole = (exact: bigint): FormValue => {
  const value = Number(exact);
  return Number.isSafeInteger(value) ? { kind: 'number', value } : { kind: 'number', value, exact };
};
/** data4 and data8 are also how versions 2 and 3 write offsets into other sections. */
const data = (size: 4 | 8): Form =>
  sized(size, (reader, unit) => {
    if (unit.version < 4 && size === unit.offsetSize) return { kind: 'section-offset', value: reader.unsigned(size) };
    return size === 8 ? whole(reader.u64Exact()) : { kind: 'number', value: reader.u32() };
  });
const foreign = (size: Size): Form =>
  sized(size, (reader, unit) => {
    reader.skip(bytesOf(size, unit));
    return FOREIGN;
  });

/** DW_FORM_ by number. */
const FORMS: Readonly<Record<number, Form>> = {
  0x01: sized('address', (reader, unit) => ({ kind: 'address', value: reader.unsigned(unit.addressSize) })),
  0x03: block((reader) => reader.u16()), // block2
  0x04: block((reader) => reader.u32()), // block4
  0x05: number(2), // data2
  0x06: data(4),
  0x07: data(8),
  0x08: {
    size: undefined,
    read: (reader) => ({ kind: 'string', value: reader.string() }),
    skip: (reader) => reader.skipString(),
  },
  0x09: block((reader) => reader.uleb()), // block
  0x0a: block((reader) => reader.u8()), // block1
  0x0b: number(1), // data1
  0x0c: sized(1, (reader) => (reader.u8() !== 0 ? TRUE : FALSE)), // flag
  0x0d: leb((reader) => whole(reader.slebExact())), // sdata
  0x0e: offsetString('str'), // strp
  0x0f: leb((reader) => whole(reader.ulebExact())), // udata
  0x10: sized('reference', (reader, unit) => ({
    kind: 'reference',
    value: reader.unsigned(bytesOf('reference', unit)),
  })), // ref_addr
  0x11: unitReference(1),
  0x12: unitReference(2),
  0x13: unitReference(4),
  0x14: unitReference(8),
  0x15: leb((reader) => ({ kind: 'unit-reference', value: reader.uleb() })), // ref_udata
  0x17: sized('offset', (reader, unit) => ({ kind: 'section-offset', value: reader.unsigned(unit.offsetSize) })),
  0x18: block((reader) => reader.uleb()), // exprloc
  0x19: sized(0, () => TRUE), // flag_present
  0x1a: lebIndex('string-index'), // strx
  0x1b: lebIndex('address-index'), // addrx
  0x1c: foreign(4), // ref_sup4
  0x1d: foreign('offset'), // strp_sup
  0x1e: sized(16, (reader) => ({ kind: 'block', value: reader.block(16) })), // data16
  0x1f: offsetString('line_str'), // line_strp
  0x20: sized(8, (reader) => ({ kind: 'signature', value: reader.u64Exact() })), // ref_sig8
  0x22: lebIndex('list-index'), // loclistx
  0x23: lebIndex('list-index'), // rnglistx
  0x24: foreign(8), // ref_sup8
  0x25: index('string-index', 1), // strx1
  0x26: index('string-index', 2),
  0x27: index('string-index', 3),
  0x28: index('string-index', 4),
  0x29: index('address-index', 1), // addrx1
  0x2a: index('address-index', 2),
  0x2b: index('address-index', 3),
  0x2c: index('address-index', 4),
  0x1f01: lebIndex('address-index'), // GNU_addr_index
  0x1f02: lebIndex('string-index'), // GNU_str_index
  0x1f20: foreign('offset'), // GNU_ref_alt
  0x1f21: foreign('offset'), // GNU_strp_alt
};

export const DW_FORM = { strp: 0x0e, ref4: 0x13, indirect: 0x16, implicit_const: 0x21 } as const;

function bytesOf(size: Size, unit: UnitFormat): number {
  if (typeof size === 'number') return size;
  if (size === 'address') return unit.addressSize;
  if (size === 'offset') return unit.offsetSize;
  // DW_FORM_ref_addr was as wide as an address in version 2.
  return size === 'reference' && unit.version === 2 ? unit.addressSize : unit.offsetSize;
}

/** Bytes that every value of the form takes in such a unit; undefined if they differ or the form does not exist. */
export function fixedSize(form: number, unit: UnitFormat): number | undefined {
  if (form === DW_FORM.implicit_const) return 0;
  const size = FORMS[form]?.size;
  return size === undefined ? undefined : bytesOf(size, unit);
}

/** Reads one value and moves behind it. Undefined if the form is none of DWARF's: nothing after it can be found. */
export function readForm(
  form: number,
  implicit: number,
  reader: Reader,
  unit: UnitFormat,
  sections: DebugSections,
): FormValue | undefined {
  while (form === DW_FORM.indirect && reader.more) form = reader.uleb();
  if (form === DW_FORM.implicit_const) return { kind: 'number', value: implicit };
  return FORMS[form]?.read(reader, unit, sections);
}

/** Moves behind one value; false where `readForm` gives undefined. */
export function skipForm(form: number, reader: Reader, unit: UnitFormat): boolean {
  while (form === DW_FORM.indirect && reader.more) form = reader.uleb();
  if (form === DW_FORM.implicit_const) return true;
  const known = FORMS[form];
  if (known === undefined) return false;
  if (known.skip !== undefined) known.skip(reader);
  else reader.skip(bytesOf(known.size, unit));
  return true;
}
