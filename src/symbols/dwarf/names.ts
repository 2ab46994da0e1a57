// Functions, variables, types and enumerators of a file by name: one pass over the entries at the top of each unit, which reads no more of them than
// their names, and goes on as far as a question needs. 150 MB of .debug_info take about a second, and a type that many units repeat a
// few milliseconds: the first definition is kept. A unit's own is found in `inUnit`.
import type { Abbreviation } from './abbreviations.ts';
import { DW_AT, DW_TAG } from './constants.ts';
import { Die, skipValues } from './die.ts';
import { DW_FORM, readForm, skipForm, type FormValue } from './forms.ts';
import { Reader } from './reader.ts';
import type { Unit } from './unit.ts';
import type { Units } from './units.ts';

/** `declared`: a variable that is defined elsewhere; only `inUnit` has these. */
export type NameKind =
  'function' | 'variable' | 'declared' | 'struct' | 'union' | 'enum' | 'typedef' | 'base' | 'enumerator';

const KINDS: Readonly<Record<number, NameKind>> = {
  [DW_TAG.subprogram]: 'function',
  [DW_TAG.variable]: 'variable',
  [DW_TAG.structure_type]: 'struct',
  [DW_TAG.class_type]: 'struct',
  [DW_TAG.union_type]: 'union',
  [DW_TAG.enumeration_type]: 'enum',
  [DW_TAG.typedef]: 'typedef',
  [DW_TAG.base_type]: 'base',
  [DW_TAG.enumerator]: 'enumerator',
};
/** Kinds of which every definition counts: static ones of one name are different things. */
const EVERY = new Set<NameKind>(['function', 'variable', 'declared']);
const BITS: Readonly<Record<NameKind, number>> = {
  function: 0,
  variable: 0,
  declared: 0,
  struct: 1,
  union: 2,
  enum: 4,
  typedef: 8,
  base: 16,
  enumerator: 32,
};

interface Entry {
  readonly kind: NameKind;
  readonly unit: Unit;
  readonly offset: number;
}

/** How the entries of an abbreviation are walked over. */
interface Step {
  readonly abbreviation: Abbreviation;
  /** Undefined: not indexed. */
  readonly kind: NameKind | undefined;
  /** Position of DW_AT_name among the attributes; -1: the name is another entry's. */
  readonly name: number;
  /** Position of DW_AT_sibling; -1: it has none. */
  readonly sibling: number;
  /** Bytes before a name in .debug_str and before a sibling of four bytes, which is how compilers write them; -1: it is written otherwise. */
  readonly nameAt: number;
  readonly siblingAt: number;
  /** Its children have names of the whole unit. */
  readonly entered: boolean;
}

/** One pass over units of one file. */
interface Pass {
  readonly index: Map<string, Entry[]>;
  /** By place in .debug_str: which kinds of that name have been met, and its list. Undefined: every entry is kept. */
  readonly seen: { readonly kinds: Uint8Array; readonly lists: (Entry[] | undefined)[] } | undefined;
  /** Other entries are left out, most without their names being read. */
  readonly only?: { readonly kind: NameKind; readonly text: Uint8Array };
}

/** The names of more of the file are needed than can be read at once: `indexSome` reads them, then the question is asked again. */
export class NamesWanted extends Error {
  override readonly name = 'NamesWanted';
}

/** Bytes of debug data that are read at once where nobody shall wait: a few hundredths of a second. */
export const AT_ONCE = 4 << 20;

export class Names {
  /** Questions that would take long throw `NamesWanted`. */
  hurried = false;
  #indexed = 0;
  readonly #index = new Map<string, Entry[]>();
  readonly #passes = new Map<Units, Pass>();
  #rest: Unit[] | undefined;
  readonly #units = new Map<Unit, Map<string, Entry[]>>();
  readonly #steps = new Map<Abbreviation, Step>();

  constructor(private readonly all: Units) {}

  /** Definitions of that name in the whole file. */
  find(name: string, ...kinds: readonly NameKind[]): Die[] {
    // Of kinds of which the first definition counts, the units behind it have nothing to add.
    const first = !kinds.some((kind) => EVERY.has(kind));
    const found = (): boolean => this.#index.get(name)?.some(({ kind }) => kinds.includes(kind)) === true;
    this.#indexUntil(() => first && found());
    return dies(this.#index.get(name), kinds);
  }

  /** Definitions of that name at the top of one unit. */
  inUnit(unit: Unit, name: string, ...kinds: readonly NameKind[]): Die[] {
    let index = this.#units.get(unit);
    if (index === undefined) {
      index = new Map();
      this.#collect(unit, { index, seen: undefined });
      this.#units.set(unit, index);
    }
    return dies(index.get(name), kinds);
  }

  /** The same without keeping the unit's other names: for units that are looked through for one. */
  findInUnit(unit: Unit, name: string, kind: NameKind): Die[] {
    const known = this.#units.get(unit);
    if (known !== undefined) return dies(known.get(name), [kind]);
    const index = new Map<string, Entry[]>();
    this.#collect(unit, { index, seen: undefined, only: { kind, text: new TextEncoder().encode(`${name}\0`) } });
    return dies(index.get(name), [kind]);
  }

  /** All names with one of these kinds, sorted; those that start with `prefix`. */
  startingWith(prefix: string, limit: number, ...kinds: readonly NameKind[]): string[] {
    this.#indexUntil(() => false);
    const found: string[] = [];
    for (const [name, entries] of this.#index) {
      if (name.startsWith(prefix) && entries.some(({ kind }) => kinds.includes(kind))) found.push(name);
    }
    return found.sort().slice(0, limit);
  }

  /** Reads names for a while; how much of the file is read then, from 0 to 1. */
  indexSome(): number {
    const until = this.#indexed + AT_ONCE;
    while (this.#indexed < until && this.#indexNext());
    const total = this.all.sections.get('info').length;
    return this.complete ? 1 : this.#indexed / Math.max(1, total);
  }
  /** Whether all names are read. */
  get complete(): boolean {
    return this.#rest?.length === 0;
  }

  #indexUntil(enough: () => boolean): void {
    const most = this.#indexed + AT_ONCE;
    while (!enough()) {
      if (this.hurried && this.#indexed >= most && !this.complete)
        throw new NamesWanted('The names of the program are not read yet');
      if (!this.#indexNext()) return;
    }
  }

  /** Takes the names of one more unit; false: all are there. */
  #indexNext(): boolean {
    this.#rest ??= [...this.all.typeUnits.toReversed(), ...this.all.units.toReversed()];
    const next = this.#rest.pop()?.full;
    if (next === undefined) return false;
    this.#indexed += next.end - next.offset;
    let pass = this.#passes.get(next.owner);
    if (pass === undefined) {
      const kinds = new Uint8Array(next.sections.get('str').length);
      this.#passes.set(next.owner, (pass = { index: this.#index, seen: { kinds, lists: [] } }));
    }
    this.#collect(next, pass);
    if (this.#rest.length === 0) this.#passes.clear();
    return true;
  }

  #stepOf(abbreviation: Abbreviation): Step {
    let step = this.#steps.get(abbreviation);
    if (step === undefined) this.#steps.set(abbreviation, (step = stepOf(abbreviation)));
    return step;
  }

  #collect(unit: Unit, pass: Pass): void {
    if (unit.root?.hasChildren !== true) return;
    const steps: (Step | undefined)[] = [];
    const { abbreviations } = unit;
    const reader = new Reader(unit.bytes, unit.firstEntry, unit.end);
    // The bottom of the walk: depth 1 is the top of the unit. Enumerators lie one below; namespaces are entered.
    let depth = 0;
    let open = 1;
    while (reader.more) {
      const offset = reader.position;
      const code = reader.uleb();
      if (code === 0) {
        depth--;
        if (depth < open) open = Math.max(1, depth);
        if (depth <= 0) return;
        continue;
      }
      let step = steps[code];
      if (step === undefined) {
        const abbreviation = abbreviations.get(code);
        if (abbreviation === undefined) return;
        steps[code] = step = this.#stepOf(abbreviation);
      }
      const { abbreviation } = step;
      const values = reader.position;
      if (depth <= open && step.kind !== undefined) {
        indexEntry(unit, step, step.kind, reader, offset, pass);
        reader.position = values;
      }
      if (abbreviation.hasChildren && depth >= 1 && !step.entered) {
        const next = siblingOf(unit, step, reader);
        reader.position = values;
        if (next !== undefined && next > values && next <= unit.end) {
          reader.position = next;
          continue;
        }
      }
      if (!skipValues(abbreviation, reader, unit)) return;
      if (!abbreviation.hasChildren) continue;
      depth++;
      if (depth === open + 1 && step.entered) open = depth;
    }
  }
}

const dies = (entries: readonly Entry[] | undefined, kinds: readonly NameKind[]): Die[] =>
  (entries ?? [])
    .filter(({ kind }) => kinds.includes(kind))
    .map(({ unit, offset }) => Die.at(unit, offset))
    .filter((die) => die !== undefined);

function stepOf(abbreviation: Abbreviation): Step {
  const { attributes, forms, offsets, tag } = abbreviation;
  const [name, sibling] = [attributes.indexOf(DW_AT.name), attributes.indexOf(DW_AT.sibling)];
  const at = (position: number, form: number): number => (forms[position] === form ? (offsets[position] ?? -1) : -1);
  return {
    abbreviation,
    kind: kindOf(abbreviation),
    name,
    sibling,
    nameAt: at(name, DW_FORM.strp),
    siblingAt: at(sibling, DW_FORM.ref4),
    entered: tag === DW_TAG.enumeration_type || tag === DW_TAG.namespace,
  };
}

function kindOf({ tag, attributes }: Abbreviation): NameKind | undefined {
  const kind = KINDS[tag];
  const has = (attribute: number) => attributes.includes(attribute);
  if (kind === undefined) return undefined;
  if (has(DW_AT.declaration)) return kind === 'variable' && has(DW_AT.name) ? 'declared' : undefined;
  if (kind === 'variable' && !has(DW_AT.location) && !has(DW_AT.const_value)) return undefined;
  // A subprogram with neither code nor a word on inlining is none of this file's.
  if (kind === 'function' && !has(DW_AT.low_pc) && !has(DW_AT.ranges) && !has(DW_AT.inline)) return undefined;
  return has(DW_AT.name) || has(DW_AT.specification) || has(DW_AT.abstract_origin) ? kind : undefined;
}

/** The reader is at the values of the entry. */
function indexEntry(unit: Unit, step: Step, kind: NameKind, reader: Reader, offset: number, pass: Pass): void {
  const { format } = unit;
  const { seen, only } = pass;
  if (kind === 'declared' && seen !== undefined) return;
  if (only !== undefined) {
    if (kind !== only.kind) return;
    if (step.nameAt >= 0 && format.offsetSize === 4) {
      const { position } = reader;
      reader.skip(step.nameAt);
      const string = reader.u32();
      if (!startsAt(unit.sections.get('str'), string, only.text)) return;
      reader.position = position;
    }
  }
  if (step.nameAt < 0 || seen === undefined || format.offsetSize !== 4) {
    const name = nameOf(unit, step, reader, offset);
    if (name !== undefined) add(listOf(pass.index, name), { kind, unit, offset }, pass);
    return;
  }
  reader.skip(step.nameAt);
  const string = reader.u32();
  if (string >= seen.kinds.length) return;
  const bit = BITS[kind];
  if (bit !== 0) {
    if ((seen.kinds[string]! & bit) !== 0) return;
    seen.kinds[string]! |= bit;
  }
  const list = (seen.lists[string] ??= listOf(pass.index, unit.sections.string('str', string)));
  add(list, { kind, unit, offset }, pass);
}

const startsAt = (bytes: Uint8Array, start: number, text: Uint8Array): boolean => {
  for (let i = 0; i < text.length; i++) if (bytes[start + i] !== text[i]) return false;
  return true;
};

function nameOf(unit: Unit, { abbreviation, name }: Step, reader: Reader, offset: number): string | undefined {
  if (name < 0) return Die.at(unit, offset)?.name;
  const value = valueAt(unit, abbreviation, name, reader);
  if (value?.kind === 'string') return value.value;
  return value?.kind === 'string-index' ? unit.stringAt(value.value) : undefined;
}

const listOf = (index: Map<string, Entry[]>, name: string): Entry[] => {
  let list = index.get(name);
  if (list === undefined) index.set(name, (list = []));
  return list;
};

const add = (list: Entry[], entry: Entry, { seen }: Pass): void => {
  const { kind } = entry;
  if (seen === undefined || EVERY.has(kind) || !list.some((other) => other.kind === kind)) list.push(entry);
};

/** Where the entry's next sibling begins, as DW_AT_sibling says. The reader is at the values of the entry. */
function siblingOf(unit: Unit, { abbreviation, sibling, siblingAt }: Step, reader: Reader): number | undefined {
  if (siblingAt >= 0) {
    reader.skip(siblingAt);
    return unit.offset + reader.u32();
  }
  const value = sibling < 0 ? undefined : valueAt(unit, abbreviation, sibling, reader);
  return value?.kind === 'unit-reference' ? unit.offset + value.value : undefined;
}

/** The value at a position among the attributes. */
function valueAt(
  unit: Unit,
  { forms, implicit, offsets }: Abbreviation,
  position: number,
  reader: Reader,
): FormValue | undefined {
  const before = offsets[position];
  if (before !== undefined) reader.skip(before);
  else for (let i = 0; i < position; i++) if (!skipForm(forms[i]!, reader, unit.format)) return undefined;
  return readForm(forms[position]!, implicit[position]!, reader, unit.format, unit.sections);
}
