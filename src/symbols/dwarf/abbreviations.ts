// Abbreviations (DWARF 5, 7.5.3): what an entry's code says about its tag, its attributes and its forms. One table per offset of .debug_abbrev
// and unit format, kept: the units of a kernel share theirs. Not the entries themselves (die.ts).
import { DW_FORM, fixedSize, type UnitFormat } from './forms.ts';
import { Reader } from './reader.ts';
import type { DebugSections } from './sections.ts';

export interface Abbreviation {
  readonly tag: number;
  readonly hasChildren: boolean;
  /** DW_AT_ and DW_FORM_ by position. */
  readonly attributes: readonly number[];
  readonly forms: readonly number[];
  /** Values of DW_FORM_implicit_const, 0 elsewhere. */
  readonly implicit: readonly number[];
  /** Bytes before each attribute; undefined from the first one behind a value of no fixed size. */
  readonly offsets: readonly (number | undefined)[];
  /** Bytes of all values, where they are fixed. */
  readonly size: number | undefined;
}

/** By code. */
export type AbbreviationTable = ReadonlyMap<number, Abbreviation>;

export class Abbreviations {
  readonly #tables = new Map<string, AbbreviationTable>();

  constructor(private readonly sections: DebugSections) {}

  /** The table at an offset, as far as it is readable. */
  at(offset: number, unit: UnitFormat): AbbreviationTable {
    const key = `${offset}/${unit.version}/${unit.addressSize}/${unit.offsetSize}`;
    let table = this.#tables.get(key);
    if (table === undefined) this.#tables.set(key, (table = readTable(this.sections.get('abbrev'), offset, unit)));
    return table;
  }
}

function readTable(bytes: Uint8Array, offset: number, unit: UnitFormat): AbbreviationTable {
  const reader = new Reader(bytes, offset);
  const table = new Map<number, Abbreviation>();
  while (reader.more) {
    const code = reader.uleb();
    // A code that comes again is damage: the table has run into something else.
    if (code === 0 || table.has(code)) break;
    const abbreviation = readDeclaration(reader, unit);
    if (abbreviation === undefined) break;
    table.set(code, abbreviation);
  }
  return table;
}

function readDeclaration(reader: Reader, unit: UnitFormat): Abbreviation | undefined {
  const tag = reader.uleb();
  const hasChildren = reader.u8() !== 0;
  const attributes: number[] = [];
  const forms: number[] = [];
  const implicit: number[] = [];
  const offsets: (number | undefined)[] = [];
  let size: number | undefined = 0;
  while (reader.more) {
    const [attribute, form] = [reader.uleb(), reader.uleb()];
    const value = form === DW_FORM.implicit_const ? reader.sleb() : 0;
    if (attribute === 0 && form === 0) return { tag, hasChildren, attributes, forms, implicit, offsets, size };
    attributes.push(attribute);
    forms.push(form);
    implicit.push(value);
    offsets.push(size);
    const bytes = fixedSize(form, unit);
    size = size === undefined || bytes === undefined ? undefined : size + bytes;
  }
  return undefined;
}
