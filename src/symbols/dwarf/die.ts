// One debugging information entry (DWARF 5, 2.1 and 7.5): its attributes as values, the entry another attribute refers to, its children.
// A view into the section: nothing is kept but what was asked for. Damage ends a list of attributes or children early.
import type { Abbreviation } from './abbreviations.ts';
import { DW_AT } from './constants.ts';
import { readForm, skipForm, type FormValue } from './forms.ts';
import { Reader } from './reader.ts';
import type { Unit } from './unit.ts';

/** Entries nest a dozen deep in the worst of real programs; deeper is damage. */
const MAX_DEPTH = 256;

export class Die {
  #values: Map<number, FormValue> | undefined;
  /** Behind the attributes, where the children begin. */
  #after = 0;

  private constructor(
    readonly unit: Unit,
    /** In the unit's section. */
    readonly offset: number,
    private readonly abbreviation: Abbreviation,
    private readonly start: number,
  ) {}

  /** The entry at an offset of the unit's section; undefined where there is none. */
  static at(unit: Unit, offset: number): Die | undefined {
    if (offset < unit.firstEntry || offset >= unit.end) return undefined;
    const reader = new Reader(unit.bytes, offset, unit.end);
    const code = reader.uleb();
    const abbreviation = code === 0 ? undefined : unit.abbreviations.get(code);
    return abbreviation === undefined ? undefined : new Die(unit, offset, abbreviation, reader.position);
  }

  get tag(): number {
    return this.abbreviation.tag;
  }

  has(attribute: number): boolean {
    return this.abbreviation.attributes.includes(attribute);
  }

  value(attribute: number): FormValue | undefined {
    return this.#read().get(attribute);
  }

  /** A constant, or an offset into another section. */
  number(attribute: number): number | undefined {
    const value = this.value(attribute);
    return value?.kind === 'number' || value?.kind === 'section-offset' ? value.value : undefined;
  }

  flag(attribute: number): boolean {
    const value = this.value(attribute);
    return value?.kind === 'flag' && value.value;
  }

  block(attribute: number): Uint8Array | undefined {
    const value = this.value(attribute);
    return value?.kind === 'block' ? value.value : undefined;
  }

  string(attribute: number): string | undefined {
    const value = this.value(attribute);
    if (value?.kind === 'string') return value.value;
    return value?.kind === 'string-index' ? this.unit.stringAt(value.value) : undefined;
  }

  /** In the file's own addresses. */
  address(attribute: number): number | undefined {
    const value = this.value(attribute);
    if (value?.kind === 'address') return value.value;
    return value?.kind === 'address-index' ? this.unit.addressAt(value.value) : undefined;
  }

  /** The entry that an attribute refers to, in this unit, another one, or a type unit. */
  reference(attribute: number): Die | undefined {
    const value = this.value(attribute);
    if (value?.kind === 'unit-reference') return Die.at(this.unit, this.unit.offset + value.value);
    if (value?.kind === 'reference') return this.unit.owner.entryAt(value.value);
    return value?.kind === 'signature' ? this.unit.owner.typeBySignature(value.value) : undefined;
  }

  /** This entry and those it completes or repeats: the concrete one first, then DW_AT_abstract_origin and DW_AT_specification. */
  origins(): Die[] {
    const chain: Die[] = [this];
    // Longer chains are cycles.
    while (chain.length < 8) {
      const last = chain.at(-1)!;
      const next = last.reference(DW_AT.abstract_origin) ?? last.reference(DW_AT.specification);
      if (next === undefined) break;
      chain.push(next);
    }
    return chain;
  }

  /** The first of `origins` that has the attribute. */
  holder(attribute: number): Die | undefined {
    return this.has(attribute) ? this : this.origins().find((die) => die.has(attribute));
  }

  get name(): string | undefined {
    return this.holder(DW_AT.name)?.string(DW_AT.name);
  }

  get hasChildren(): boolean {
    return this.abbreviation.hasChildren;
  }

  children(): Die[] {
    const children: Die[] = [];
    if (!this.abbreviation.hasChildren) return children;
    this.#read();
    let position = this.#after;
    for (;;) {
      const child = Die.at(this.unit, position);
      if (child === undefined) return children;
      children.push(child);
      position = child.#end();
    }
  }

  /** Visits all entries below, in order; those of an entry for which `enter` gives false are left out. */
  visit(enter: (die: Die) => boolean): void {
    const below = (die: Die, depth: number): void => {
      for (const child of die.children()) if (enter(child) && depth < MAX_DEPTH) below(child, depth + 1);
    };
    below(this, 0);
  }

  /** Behind the entry and all its children. */
  #end(): number {
    this.#read();
    if (!this.abbreviation.hasChildren) return this.#after;
    const sibling = this.value(DW_AT.sibling);
    if (sibling?.kind === 'unit-reference') {
      const next = this.unit.offset + sibling.value;
      if (next > this.#after && next <= this.unit.end) return next;
    }
    return skipChildren(this.unit, this.#after);
  }

  #read(): Map<number, FormValue> {
    if (this.#values !== undefined) return this.#values;
    const values = (this.#values = new Map<number, FormValue>());
    const { attributes, forms, implicit } = this.abbreviation;
    const reader = new Reader(this.unit.bytes, this.start, this.unit.end);
    for (let i = 0; i < forms.length; i++) {
      const value = readForm(forms[i]!, implicit[i]!, reader, this.unit.format, this.unit.sections);
      if (value === undefined || reader.overrun) {
        this.#after = this.unit.end;
        return values;
      }
      values.set(attributes[i]!, value);
    }
    this.#after = reader.position;
    return values;
  }
}

/** Behind the list of children that begins at `position`, their own included. */
function skipChildren(unit: Unit, position: number): number {
  const reader = new Reader(unit.bytes, position, unit.end);
  for (let depth = 1; depth > 0 && reader.more;) {
    const code = reader.uleb();
    if (code === 0) {
      depth--;
      continue;
    }
    const abbreviation = unit.abbreviations.get(code);
    if (abbreviation === undefined) return unit.end;
    if (!skipValues(abbreviation, reader, unit)) return unit.end;
    if (abbreviation.hasChildren) depth++;
  }
  return reader.position;
}

/** Moves behind all values of an entry; false where they are damaged. */
export function skipValues(abbreviation: Abbreviation, reader: Reader, unit: Unit): boolean {
  if (abbreviation.size !== undefined) reader.skip(abbreviation.size);
  else for (const form of abbreviation.forms) if (!skipForm(form, reader, unit.format)) return false;
  return !reader.overrun;
}
