// Abbreviations (DWARF 5, 7.5.3): what an entry's code says about its tag, its attributes and its forms. One table per offset of .debug_abbrev
// and unit format, read as far as it is asked. A kernel's two thousand tables declare the same few things: each is kept once. Not the entries
// themselves (die.ts).
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

export class Abbreviations {
  readonly #tables = new Map<string, AbbreviationTable>();
  readonly #declarations = new Map<string, Declarations>();

  constructor(private readonly sections: DebugSections) {}

  /** The table at an offset. */
  at(offset: number, unit: UnitFormat): AbbreviationTable {
    const format = `${unit.version}/${unit.addressSize}/${unit.offsetSize}`;
    const key = `${offset}/${format}`;
    let table = this.#tables.get(key);
    if (table !== undefined) return table;
    let declarations = this.#declarations.get(format);
    const bytes = this.sections.get('abbrev');
    if (declarations === undefined) this.#declarations.set(format, (declarations = new Declarations(bytes, unit)));
    this.#tables.set(key, (table = new AbbreviationTable(new Reader(bytes, offset), declarations)));
    return table;
  }
}

/** By code, as far as the table is readable. */
export class AbbreviationTable {
  readonly #known: Abbreviation[] = [];
  #over = false;

  constructor(
    private readonly reader: Reader,
    private readonly declarations: Declarations,
  ) {}

  get(code: number): Abbreviation | undefined {
    let found = this.#known[code];
    while (found === undefined && !this.#over) {
      this.#readOne();
      found = this.#known[code];
    }
    return found;
  }

  #readOne(): void {
    const code = this.reader.uleb();
    // A code that comes again is damage: the table has run into something else.
    const fresh = this.reader.more && code !== 0 && this.#known[code] === undefined;
    const abbreviation = fresh ? this.declarations.read(this.reader) : undefined;
    if (abbreviation === undefined) this.#over = true;
    else this.#known[code] = abbreviation;
  }
}

/** What the tables of one section declare for units of one format, by the bytes of it. */
class Declarations {
  readonly #known = new Map<number, { readonly start: number; readonly end: number; readonly is: Abbreviation }[]>();

  constructor(
    private readonly bytes: Uint8Array,
    private readonly unit: UnitFormat,
  ) {}

  /** The declaration that the reader is at; undefined: it does not end. */
  read(reader: Reader): Abbreviation | undefined {
    const { bytes } = this;
    const start = reader.position;
    if (!skipDeclaration(reader)) return undefined;
    const end = reader.position;
    let hash = 0;
    for (let at = start; at < end; at++) hash = (Math.imul(hash, 31) + bytes[at]!) | 0;
    const same = this.#known.get(hash) ?? [];
    const found = same.find((one) => equal(bytes, one.start, one.end, start, end));
    if (found !== undefined) return found.is;
    const is = readDeclaration(new Reader(bytes, start, end), this.unit);
    this.#known.set(hash, [...same, { start, end, is }]);
    return is;
  }
}

const equal = (bytes: Uint8Array, a: number, aEnd: number, b: number, bEnd: number): boolean => {
  if (aEnd - a !== bEnd - b) return false;
  while (a < aEnd) if (bytes[a++] !== bytes[b++]) return false;
  return true;
};

function skipDeclaration(reader: Reader): boolean {
  reader.skipLeb();
  reader.skip(1);
  while (reader.more) {
    const [attribute, form] = [reader.uleb(), reader.uleb()];
    if (form === DW_FORM.implicit_const) reader.skipLeb();
    if (attribute === 0 && form === 0) return !reader.overrun;
  }
  return false;
}

function readDeclaration(reader: Reader, unit: UnitFormat): Abbreviation {
  const tag = reader.uleb();
  const hasChildren = reader.u8() !== 0;
  const attributes: number[] = [];
  const forms: number[] = [];
  const implicit: number[] = [];
  const offsets: (number | undefined)[] = [];
  let size: number | undefined = 0;
  for (;;) {
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
}
