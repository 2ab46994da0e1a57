// Functions, variables, types and enumerators of a file by name. Built at the first question by one pass over the entries at the top of
// each unit, which reads no more of them than their names: 150 MB of .debug_info take a second or two. Of types that many units repeat
// the first definition is kept; a unit's own is found in `inUnit`.
import type { Abbreviation } from './abbreviations.ts';
import { DW_AT, DW_TAG } from './constants.ts';
import { Die, skipValues } from './die.ts';
import { DW_FORM, readForm, skipForm } from './forms.ts';
import { Reader } from './reader.ts';
import type { Unit } from './unit.ts';
import type { Units } from './units.ts';

export type NameKind = 'function' | 'variable' | 'struct' | 'union' | 'enum' | 'typedef' | 'base' | 'enumerator';

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
const EVERY = new Set<NameKind>(['function', 'variable']);
const BITS: Readonly<Record<NameKind, number>> = {
  function: 0,
  variable: 0,
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

/** How an abbreviation's entries are indexed. */
interface Plan {
  readonly kind: NameKind;
  /** Position of DW_AT_name among the attributes; -1: the name is another entry's. */
  readonly name: number;
}

export class Names {
  #index: Map<string, Entry[]> | undefined;
  readonly #units = new Map<Unit, Map<string, Entry[]>>();

  constructor(private readonly all: Units) {}

  /** Definitions of that name in the whole file. */
  find(name: string, ...kinds: readonly NameKind[]): Die[] {
    return dies((this.#index ??= this.#build()).get(name), kinds);
  }

  /** Definitions of that name at the top of one unit. */
  inUnit(unit: Unit, name: string, ...kinds: readonly NameKind[]): Die[] {
    let index = this.#units.get(unit);
    if (index === undefined) {
      index = new Map();
      collect(unit, index, undefined);
      this.#units.set(unit, index);
    }
    return dies(index.get(name), kinds);
  }

  /** All names with one of these kinds, sorted; those that start with `prefix`. */
  complete(prefix: string, limit: number, ...kinds: readonly NameKind[]): string[] {
    const found: string[] = [];
    for (const [name, entries] of (this.#index ??= this.#build())) {
      if (name.startsWith(prefix) && entries.some(({ kind }) => kinds.includes(kind))) found.push(name);
    }
    return found.sort().slice(0, limit);
  }

  #build(): Map<string, Entry[]> {
    const index = new Map<string, Entry[]>();
    const seen = new Map<Units, Uint8Array>();
    for (const unit of [...this.all.units.map(({ full }) => full), ...this.all.typeUnits]) {
      // One byte a string of .debug_str: which kinds of that name have been met.
      let kinds = seen.get(unit.owner);
      if (kinds === undefined) seen.set(unit.owner, (kinds = new Uint8Array(unit.sections.get('str').length)));
      collect(unit, index, kinds);
    }
    return index;
  }
}

const dies = (entries: readonly Entry[] | undefined, kinds: readonly NameKind[]): Die[] =>
  (entries ?? [])
    .filter(({ kind }) => kinds.includes(kind))
    .map(({ unit, offset }) => Die.at(unit, offset))
    .filter((die) => die !== undefined);

function planOf(abbreviation: Abbreviation): Plan | undefined {
  const kind = KINDS[abbreviation.tag];
  if (kind === undefined || abbreviation.attributes.includes(DW_AT.declaration)) return undefined;
  const has = (attribute: number) => abbreviation.attributes.includes(attribute);
  if (kind === 'variable' && !has(DW_AT.location) && !has(DW_AT.const_value)) return undefined;
  // A subprogram with neither code nor a word on inlining is none of this file's.
  if (kind === 'function' && !has(DW_AT.low_pc) && !has(DW_AT.ranges) && !has(DW_AT.inline)) return undefined;
  const name = abbreviation.attributes.indexOf(DW_AT.name);
  if (name < 0 && !has(DW_AT.specification) && !has(DW_AT.abstract_origin)) return undefined;
  return { kind, name };
}

/** @param seen see `#build`; undefined keeps every entry */
function collect(unit: Unit, index: Map<string, Entry[]>, seen: Uint8Array | undefined): void {
  const root = unit.root;
  if (root === undefined || !root.hasChildren) return;
  const plans = new Map<Abbreviation, Plan | undefined>();
  const siblings = new Map<Abbreviation, number>();
  const reader = new Reader(unit.bytes, unit.firstEntry, unit.end);
  const add = (name: string, kind: NameKind, offset: number): void => {
    const entries = index.get(name);
    if (entries === undefined) index.set(name, [{ kind, unit, offset }]);
    else if (seen === undefined || EVERY.has(kind) || !entries.some((entry) => entry.kind === kind)) {
      entries.push({ kind, unit, offset });
    }
  };
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
    const abbreviation = unit.abbreviations.get(code);
    if (abbreviation === undefined) return;
    let plan: Plan | undefined;
    if (depth <= open) {
      if (!plans.has(abbreviation)) plans.set(abbreviation, planOf(abbreviation));
      plan = plans.get(abbreviation);
    }
    const values = reader.position;
    if (plan !== undefined) indexEntry(unit, abbreviation, plan, reader, offset, seen, add);
    reader.position = values;
    let next: number | undefined;
    if (abbreviation.hasChildren && depth >= 1 && !entered(abbreviation.tag)) {
      next = siblingOf(unit, abbreviation, reader, siblings);
      reader.position = values;
    }
    if (next !== undefined && next > values && next <= unit.end) {
      reader.position = next;
      continue;
    }
    if (!skipValues(abbreviation, reader, unit)) return;
    if (!abbreviation.hasChildren) continue;
    depth++;
    if (depth === open + 1 && entered(abbreviation.tag)) open = depth;
  }
}

/** Tags whose children have names of the whole unit. */
const entered = (tag: number): boolean => tag === DW_TAG.enumeration_type || tag === DW_TAG.namespace;

function indexEntry(
  unit: Unit,
  abbreviation: Abbreviation,
  plan: Plan,
  reader: Reader,
  offset: number,
  seen: Uint8Array | undefined,
  add: (name: string, kind: NameKind, offset: number) => void,
): void {
  const { kind, name } = plan;
  if (name < 0) {
    const text = Die.at(unit, offset)?.name;
    if (text !== undefined) add(text, kind, offset);
    return;
  }
  const before = abbreviation.offsets[name];
  if (before !== undefined) reader.skip(before);
  else for (let i = 0; i < name; i++) if (!skipForm(abbreviation.forms[i]!, reader, unit.format)) return;
  const form = abbreviation.forms[name]!;
  if (form === DW_FORM.strp && seen !== undefined && !EVERY.has(kind)) {
    const string = reader.unsigned(unit.format.offsetSize);
    const bit = BITS[kind];
    if (string >= seen.length || (seen[string]! & bit) !== 0) return;
    seen[string]! |= bit;
    add(unit.sections.string('str', string), kind, offset);
    return;
  }
  const value = readForm(form, 0, reader, unit.format, unit.sections);
  if (value?.kind === 'string') add(value.value, kind, offset);
  else if (value?.kind === 'string-index') add(unit.stringAt(value.value), kind, offset);
}

/** Where the entry's next sibling begins, as DW_AT_sibling says. */
function siblingOf(
  unit: Unit,
  abbreviation: Abbreviation,
  reader: Reader,
  known: Map<Abbreviation, number>,
): number | undefined {
  let position = known.get(abbreviation);
  if (position === undefined) {
    position = abbreviation.attributes.indexOf(DW_AT.sibling);
    known.set(abbreviation, position);
  }
  if (position < 0) return undefined;
  const before = abbreviation.offsets[position];
  if (before !== undefined) reader.skip(before);
  else for (let i = 0; i < position; i++) if (!skipForm(abbreviation.forms[i]!, reader, unit.format)) return undefined;
  const value = readForm(abbreviation.forms[position]!, 0, reader, unit.format, unit.sections);
  return value?.kind === 'unit-reference' ? unit.offset + value.value : undefined;
}
