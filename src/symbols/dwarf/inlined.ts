// The inlined copies of functions by name (DWARF 5, 3.3.8): all DW_TAG_inlined_subroutine entries, however deep, whose origin has that name. The units
// that have such a function are passed over flat, reading no more than origins; of a function of a kernel's headers these may be most units, so the
// pass is kept where it was broken off.
import type { Abbreviation } from './abbreviations.ts';
import { DW_AT, DW_TAG } from './constants.ts';
import { Die, skipValues } from './die.ts';
import { DW_FORM } from './forms.ts';
import { AT_ONCE, type Names, NamesWanted } from './names.ts';
import { Reader } from './reader.ts';
import type { Unit } from './unit.ts';

interface Search {
  readonly rest: Unit[];
  readonly found: Die[];
  readonly total: number;
  left: number;
}

const sizeOf = (unit: Unit): number => unit.end - unit.offset;

export class InlinedCopies {
  readonly #searches = new Map<string, Search>();

  constructor(private readonly names: Names) {}

  /** @throws NamesWanted as `Names` does */
  find(name: string): readonly Die[] {
    const search = this.#search(name);
    const least = search.left - AT_ONCE;
    while (search.rest.length > 0) {
      if (this.names.hurried && search.left <= least) throw new NamesWanted(`Where ${name} is inlined is not read yet`);
      this.#next(name, search);
    }
    return search.found;
  }

  /** Goes on for a while with searches that were begun; how much of them is done, from 0 to 1. */
  searchSome(): number {
    for (const [name, search] of this.#searches) {
      const least = search.left - AT_ONCE;
      while (search.rest.length > 0 && search.left > least) this.#next(name, search);
      if (search.rest.length > 0) return 1 - search.left / search.total;
    }
    return 1;
  }

  #search(name: string): Search {
    let search = this.#searches.get(name);
    if (search === undefined) {
      const units = [...new Set(this.names.find(name, 'function').map(({ unit }) => unit))];
      const total = units.reduce((sum, unit) => sum + sizeOf(unit), 0);
      this.#searches.set(name, (search = { rest: units.reverse(), found: [], total, left: total }));
    }
    return search;
  }

  #next(name: string, search: Search): void {
    const unit = search.rest.pop()!;
    search.left -= sizeOf(unit);
    const origins = new Set(this.names.findInUnit(unit, name, 'function').map(({ offset }) => offset));
    copiesIn(unit, origins, name, search.found);
  }
}

/** How entries of an abbreviation are passed: whether they are copies, and where their origin stands if that is an offset of four bytes. */
interface Step {
  readonly abbreviation: Abbreviation;
  readonly isCopy: boolean;
  readonly originAt: number;
}

function stepOf(abbreviation: Abbreviation): Step {
  const { tag, attributes, forms, offsets } = abbreviation;
  const origin = attributes.indexOf(DW_AT.abstract_origin);
  const isCopy = tag === DW_TAG.inlined_subroutine && origin >= 0;
  return { abbreviation, isCopy, originAt: forms[origin] === DW_FORM.ref4 ? (offsets[origin] ?? -1) : -1 };
}

function copiesIn(unit: Unit, origins: ReadonlySet<number>, name: string, found: Die[]): void {
  const steps: (Step | undefined)[] = [];
  const reader = new Reader(unit.bytes, unit.firstEntry, unit.end);
  while (reader.more) {
    const offset = reader.position;
    const code = reader.uleb();
    if (code === 0) continue;
    let step = steps[code];
    if (step === undefined) {
      const abbreviation = unit.abbreviations.get(code);
      if (abbreviation === undefined) return;
      steps[code] = step = stepOf(abbreviation);
    }
    if (step.isCopy) {
      const values = reader.position;
      let isOurs: boolean;
      if (step.originAt >= 0) {
        reader.skip(step.originAt);
        isOurs = origins.has(unit.offset + reader.u32());
        reader.position = values;
      } else isOurs = Die.at(unit, offset)?.name === name;
      const die = isOurs ? Die.at(unit, offset) : undefined;
      if (die !== undefined) found.push(die);
    }
    if (!skipValues(step.abbreviation, reader, unit)) return;
  }
}

/**
 * The first instruction of an inlined copy: DW_AT_entry_pc, which is an address or counts from DW_AT_low_pc. GCC may put it before the code of the copy,
 * where that was mixed with other code: then the copy's next instruction.
 */
export function entryOf(die: Die): number | undefined {
  const ranges = die.unit.rangesOf(die);
  const first = ranges.reduce((least, { start }) => Math.min(least, start), Infinity);
  if (first === Infinity) return undefined;
  const entry = die.address(DW_AT.entry_pc) ?? (die.unit.entryOf(die) ?? first) + (die.number(DW_AT.entry_pc) ?? 0);
  if (ranges.some(({ start, end }) => entry >= start && entry < end)) return entry;
  const behind = ranges.map(({ start }) => start).filter((start) => start > entry);
  return behind.length === 0 ? first : Math.min(...behind);
}
