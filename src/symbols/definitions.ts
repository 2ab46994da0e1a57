// Where variables and functions of a name are defined, found by the symbol table: it says which file a local symbol is of, and between which files' a
// global one lies, as sections are linked in the order of the files. So a handful of units is looked at in place of all (dwarf/names.ts). What it
// finds is checked against the address: a wrong guess finds nothing. Addresses are the file's own.
import type { DebugData } from './debug-data.ts';
import { DW_AT } from './dwarf/constants.ts';
import type { Die } from './dwarf/die.ts';
import { DW_OP } from './dwarf/operations.ts';
import { Reader } from './dwarf/reader.ts';
import type { Unit } from './dwarf/unit.ts';
import type { SymbolInfo, SymbolTable } from './symbol-table.ts';
import { sizeOf } from './types.ts';

/** How far the units may lie behind the file symbols: units of assembly may have no file symbol, and the other way round. */
const LOOK_AHEAD = 40;
/** Bytes of debug data to look through for one global variable: a few hundredths of a second. */
const MOST_BYTES = 6 << 20;

/** `found` undefined: there is none; `sure` false: or it lies further off than was looked. */
export interface Search<T> {
  readonly found: T;
  readonly sure: boolean;
}

export class Definitions {
  /** Of each file symbol. */
  #homes: readonly (Unit | undefined)[] | undefined;
  #order: ReadonlyMap<Unit, number> | undefined;
  readonly #variables = new Map<SymbolInfo, Search<Die | undefined>>();

  constructor(
    private readonly data: DebugData,
    private readonly table: SymbolTable,
    private readonly slide: number,
  ) {}

  /** Whether the table has local symbols, and says whose: then it has every variable and function that has an address. */
  get usable(): boolean {
    return this.#unitOfFile.some((unit) => unit !== undefined);
  }

  /** The variable that a symbol is of. */
  variable(symbol: SymbolInfo): Search<Die | undefined> {
    let known = this.#variables.get(symbol);
    // All names may have been read since.
    if (known === undefined || (!known.sure && this.data.names.complete))
      this.#variables.set(symbol, (known = this.#findVariable(symbol)));
    return known;
  }

  /** The functions of that name that have code; those that the compiler made for some callers (`name.isra.0`) have symbols of their own. */
  functions(name: string): Die[] {
    const found = new Map<string, Die>();
    for (const symbol of this.table.symbols) {
      if (symbol.kind === 'object' || !symbol.name.startsWith(name)) continue;
      if (symbol.name.length > name.length && symbol.name[name.length] !== '.') continue;
      const address = this.#own(symbol);
      for (const unit of this.data.unitsAt(address)) {
        const die = this.data.names.inUnit(unit.full, name, 'function').find((one) => holds(one, address));
        if (die === undefined) continue;
        found.set(`${this.#place(unit)} ${die.offset}`, die);
        break;
      }
    }
    return [...found.values()].sort((a, b) => this.#place(a.unit) - this.#place(b.unit) || a.offset - b.offset);
  }

  #findVariable(symbol: SymbolInfo): Search<Die | undefined> {
    const address = this.#own(symbol);
    const { names } = this.data;
    const isThere = (die: Die): boolean => addressOf(die) === address;
    // A weak one that another takes the place of has its address too; its size need not be known.
    const isWhole = (die: Die): boolean => sizeOf(this.data.types.typeOf(die)) === symbol.size;
    const best = (dies: readonly Die[]): Die | undefined => dies.find(isWhole) ?? dies[0];
    if (names.complete) return { found: best(names.find(symbol.name, 'variable').filter(isThere)), sure: true };
    const among = (units: Iterable<Unit>): Search<Die | undefined> => {
      let left = MOST_BYTES;
      const partly: Die[] = [];
      for (const unit of units) {
        left -= unit.full.end - unit.full.offset;
        if (left < 0) return { found: partly[0], sure: false };
        partly.push(...names.findInUnit(unit.full, symbol.name, 'variable').filter(isThere));
        const found = partly.find(isWhole);
        if (found !== undefined) return { found, sure: true };
      }
      return { found: partly[0], sure: true };
    };
    // Of assembly or of the linker: C only declares it.
    if (symbol.kind === 'label') return { found: undefined, sure: true };
    if (symbol.file === undefined) return among(this.#around(symbol));
    const home = this.#unitOfFile[symbol.file];
    return among(home === undefined ? this.data.compileUnits.map(({ unit }) => unit) : [home]);
  }

  /** All units, from those on that probably define a global symbol. */
  *#around(symbol: SymbolInfo): Generator<Unit> {
    const { compileUnits } = this.data;
    const { symbols } = this.table;
    const at = symbols.indexOf(symbol);
    const last = compileUnits.length - 1;
    const neighbour = (step: 1 | -1): number | undefined => {
      for (let i = at + step; i >= 0 && i < symbols.length; i += step) {
        const { file, kind } = symbols[i]!;
        const unit = file === undefined || kind === 'function' ? undefined : this.#unitOfFile[file];
        if (unit !== undefined) return this.#place(unit);
      }
      return undefined;
    };
    const [before, behind] = [neighbour(-1) ?? 0, neighbour(1) ?? last];
    // Where the files begin anew between the two, so does another kind of section.
    const windows: readonly (readonly [number, number])[] =
      before <= behind
        ? [[before, behind]]
        : [
            [0, behind],
            [before, last],
          ];
    const seen = new Set<number>();
    for (const [first, end] of [...windows, [0, last] as const])
      for (let i = first; i <= end; i++) {
        if (seen.has(i)) continue;
        seen.add(i);
        yield compileUnits[i]!.unit;
      }
  }

  get #unitOfFile(): readonly (Unit | undefined)[] {
    if (this.#homes !== undefined) return this.#homes;
    const names = this.data.compileUnits.map(({ name }) => stem(name ?? ''));
    let next = 0;
    return (this.#homes = this.table.files.map((file) => {
      const wanted = stem(file);
      const end = Math.min(names.length, next + LOOK_AHEAD);
      for (let i = next; i < end; i++) {
        if (names[i] !== wanted) continue;
        next = i + 1;
        return this.data.compileUnits[i]!.unit;
      }
      return undefined;
    }));
  }

  /** Where a unit stands in the file. */
  #place(unit: Unit): number {
    this.#order ??= new Map(this.data.compileUnits.map((one, i) => [one.unit, i]));
    return this.#order.get(unit.skeleton ?? unit) ?? -1;
  }

  #own({ address }: SymbolInfo): number {
    return (address - this.slide) >>> 0;
  }
}

const holds = (die: Die, address: number): boolean =>
  die.unit.rangesOf(die).some(({ start, end }) => address >= start && address < end);

const stem = (path: string): string => path.slice(path.lastIndexOf('/') + 1).replace(/\.\w+$/, '');

/** Where a variable lies that has one fixed address. */
export function addressOf(die: Die): number | undefined {
  const holder = die.holder(DW_AT.location);
  const location = holder?.block(DW_AT.location);
  if (holder === undefined || location === undefined || location.length === 0) return undefined;
  const reader = new Reader(location, 1);
  const [operation] = location;
  const address =
    operation === DW_OP.addr
      ? reader.unsigned(holder.unit.format.addressSize)
      : operation === DW_OP.addrx || operation === DW_OP.GNU_addr_index
        ? holder.unit.addressAt(reader.uleb())
        : undefined;
  return reader.more || reader.overrun ? undefined : address;
}
