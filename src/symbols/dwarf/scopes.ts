// The functions of a unit and what is nested in them (DWARF 5, 3.3 and 3.5): which function holds an address, what is inlined there, and
// which lexical blocks are open. Addresses are the file's own. Variables stay entries: locations are debug-info.ts' business.
import { DW_AT, DW_TAG } from './constants.ts';
import type { Die } from './die.ts';
import { RangeIndex } from './range-index.ts';
import type { Range } from './ranges.ts';
import type { Unit } from './unit.ts';

export interface Scope {
  readonly kind: 'function' | 'inlined' | 'block';
  readonly die: Die;
  readonly ranges: readonly Range[];
  readonly parent: Scope | undefined;
  readonly children: readonly Scope[];
  /** DW_TAG_formal_parameter and DW_TAG_variable, in the order of the source. */
  readonly variables: readonly Die[];
  /** DW_TAG_call_site: what is known of the arguments of calls. */
  readonly callSites: readonly Die[];
}

/** Blocks nested deeper than this are damage. */
const MAX_DEPTH = 200;

const KINDS: Readonly<Record<number, 'function' | 'inlined' | 'block'>> = {
  [DW_TAG.subprogram]: 'function',
  [DW_TAG.inlined_subroutine]: 'inlined',
  [DW_TAG.lexical_block]: 'block',
};

/** Tags below which no function can be. */
const TYPES = new Set<number>([
  DW_TAG.enumeration_type,
  DW_TAG.array_type,
  DW_TAG.subroutine_type,
  DW_TAG.union_type,
  DW_TAG.inlined_subroutine,
  DW_TAG.call_site,
  DW_TAG.GNU_call_site,
]);

export class Scopes {
  readonly #functions = new Map<Unit, RangeIndex<Die>>();
  readonly #trees = new Map<Unit, Map<number, Scope>>();

  /** The function of the unit that holds the address; the innermost where functions nest. */
  functionAt(unit: Unit, address: number): Scope | undefined {
    let index = this.#functions.get(unit);
    if (index === undefined) this.#functions.set(unit, (index = functionsOf(unit)));
    const die = index.at(address)[0];
    return die === undefined ? undefined : this.tree(die);
  }

  /** The scopes of a DW_TAG_subprogram. */
  tree(die: Die): Scope {
    let trees = this.#trees.get(die.unit);
    if (trees === undefined) this.#trees.set(die.unit, (trees = new Map<number, Scope>()));
    let tree = trees.get(die.offset);
    if (tree === undefined) trees.set(die.offset, (tree = readScope(die, undefined, 0)));
    return tree;
  }
}

/** The scopes that hold the address, from the function to the innermost block. */
export function scopesAt(tree: Scope, address: number): Scope[] {
  const chain = [tree];
  for (;;) {
    // Siblings may share an address where the optimiser mixed them: the smallest range names it best.
    const inner = chain
      .at(-1)!
      .children.filter((scope) => holds(scope.ranges, address))
      .sort((a, b) => extent(a.ranges, address) - extent(b.ranges, address))[0];
    if (inner === undefined) return chain;
    chain.push(inner);
  }
}

const holds = (ranges: readonly Range[], address: number): boolean =>
  ranges.some(({ start, end }) => address >= start && address < end);

const extent = (ranges: readonly Range[], address: number): number => {
  const range = ranges.find(({ start, end }) => address >= start && address < end);
  return range === undefined ? Infinity : range.end - range.start;
};

function functionsOf(unit: Unit): RangeIndex<Die> {
  const found: { range: Range; value: Die }[] = [];
  unit.root?.visit((die) => {
    if (die.tag !== DW_TAG.subprogram) return !TYPES.has(die.tag);
    for (const range of unit.rangesOf(die)) found.push({ range, value: die });
    // GNU C nests functions; of one that has no code nothing below has any.
    return die.has(DW_AT.low_pc) || die.has(DW_AT.ranges);
  });
  return new RangeIndex(found);
}

function readScope(die: Die, parent: Scope | undefined, depth: number): Scope {
  const variables: Die[] = [];
  const callSites: Die[] = [];
  const children: Scope[] = [];
  const { unit } = die;
  const kind = KINDS[die.tag] ?? 'block';
  const scope: Scope = { kind, die, ranges: unit.rangesOf(die), parent, children, variables, callSites };
  const repeated = new Set<string>();
  const take = (child: Die, level: number): void => {
    const origin = child.value(DW_AT.abstract_origin);
    if (origin !== undefined) repeated.add(keyOf(child.reference(DW_AT.abstract_origin)));
    if (VARIABLES.has(child.tag)) variables.push(child);
    else if (CALL_SITES.has(child.tag)) callSites.push(child);
    else if (INNER.has(child.tag) && level < MAX_DEPTH) {
      // A block without code of its own is open wherever the one around it is.
      const plain = child.tag === DW_TAG.lexical_block && !child.has(DW_AT.low_pc) && !child.has(DW_AT.ranges);
      if (plain) for (const below of child.children()) take(below, level + 1);
      else children.push(readScope(child, scope, level + 1));
    }
  };
  for (const child of die.children()) take(child, depth);
  // What the abstract instance has and this one does not repeat was optimised away here; it belongs to the scope all the same.
  const abstract = kind === 'block' && parent === undefined ? undefined : die.reference(DW_AT.abstract_origin);
  if (abstract !== undefined) inherit(abstract, repeated, variables, 0);
  return scope;
}

const VARIABLES = new Set<number>([DW_TAG.formal_parameter, DW_TAG.variable]);
const CALL_SITES = new Set<number>([DW_TAG.call_site, DW_TAG.GNU_call_site]);
const INNER = new Set<number>([DW_TAG.inlined_subroutine, DW_TAG.lexical_block]);

const keyOf = (die: Die | undefined): string => (die === undefined ? '' : `${die.unit.section}${die.offset}`);

function inherit(abstract: Die, repeated: ReadonlySet<string>, variables: Die[], depth: number): void {
  for (const child of abstract.children()) {
    if (repeated.has(keyOf(child))) continue;
    if (VARIABLES.has(child.tag)) variables.push(child);
    else if (child.tag === DW_TAG.lexical_block && depth < MAX_DEPTH) inherit(child, repeated, variables, depth + 1);
  }
}
