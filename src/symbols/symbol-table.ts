// Names of addresses: functions, assembly labels and variables of one image, from an ELF symbol table or a System.map.
// Not the line table (dwarf/). An address outside every symbol has no name: never "the last symbol plus megabytes".
import { Elf, type ElfFile } from '../machine/elf.ts';
import { lastAtOrBelow } from './search.ts';

export type SymbolKind = 'function' | 'object' | 'label';

export interface SymbolInfo {
  readonly name: string;
  /** Start, with the slide applied. */
  readonly address: number;
  /** st_size in bytes; 0 where the assembler or the source gave none. */
  readonly size: number;
  readonly kind: SymbolKind;
  readonly global: boolean;
  /** Whose it is, as a place in `SymbolTable.files`; only of local ones. */
  readonly file?: number;
  /** A label without a size reaches to the next symbol, at most to here (exclusive): the end of its section, or `DATA_REACH` behind it. */
  readonly limit: number;
}

export interface SymbolHit {
  readonly symbol: SymbolInfo;
  /** Bytes from the symbol's start. */
  readonly offset: number;
}

const TWO_32 = 0x1_0000_0000;
/**
 * How far a label without a size names data, in bytes: a table written in assembly, but not the megabyte of nameless strings that
 * happens to follow.
 */
const DATA_REACH = 4096;

export class SymbolTable {
  /** By address; several may share one. */
  readonly symbols: readonly SymbolInfo[];
  readonly #byName = new Map<string, SymbolInfo>();
  /** The address space cut at every change of owner: from #starts[i] to #starts[i + 1] the owner is #owners[i]; -1: nobody. */
  readonly #starts: Uint32Array;
  readonly #owners: Int32Array;

  /** `absolute`: names that stand for numbers; they are looked up by name, but own no address. */
  constructor(
    symbols: readonly SymbolInfo[],
    absolute: readonly SymbolInfo[] = [],
    /** Names of the files that local symbols are of, in the order in which they were linked; without their folders. */
    readonly files: readonly string[] = [],
  ) {
    this.symbols = [...symbols].sort((a, b) => a.address - b.address || byPreference(a, b));
    for (const symbol of [...this.symbols, ...absolute]) {
      const known = this.#byName.get(symbol.name);
      if (known === undefined || (symbol.global && !known.global)) this.#byName.set(symbol.name, symbol);
    }
    [this.#starts, this.#owners] = cutByOwner(this.symbols);
  }

  /** Functions, objects and labels of the sections that are loaded. @param slide added to every address, modulo 2^32. */
  static fromElf(elf: ElfFile, slide = 0): SymbolTable {
    const symbols: SymbolInfo[] = [];
    const absolute: SymbolInfo[] = [];
    const files: string[] = [];
    for (const { name, value, size, binding, type, section } of elf.symbols()) {
      // The local symbols of a file stand behind its own (System V ABI, "Symbol Table").
      if (type === Elf.STT_FILE) files.push(name);
      const kind = KINDS[type];
      if (kind === undefined || name === '' || name.startsWith('.L')) continue;
      const global = binding !== Elf.STB_LOCAL;
      if (section === Elf.SHN_ABS) {
        absolute.push({ name, address: value, size: 0, kind, global, limit: value });
        continue;
      }
      const home = section === Elf.SHN_UNDEF ? undefined : elf.sections[section];
      if (home === undefined || (home.flags & Elf.SHF_ALLOC) === 0) continue;
      const rest = Math.max(0, home.address + home.size - value);
      const reach = (home.flags & Elf.SHF_EXECINSTR) !== 0 ? rest : Math.min(rest, DATA_REACH);
      const limit = Math.min(TWO_32, ((value + slide) >>> 0) + reach);
      const file = global || files.length === 0 ? {} : { file: files.length - 1 };
      symbols.push({ name, address: (value + slide) >>> 0, size, kind, global, limit, ...file });
    }
    return new SymbolTable(symbols, absolute, files);
  }

  /** By name; a global symbol before a local one, else the lowest address. */
  lookup(name: string): SymbolInfo | undefined {
    return this.#byName.get(name);
  }

  /** Functions and labels of that name, by address; static ones of several files may share it. */
  functionsNamed(name: string): SymbolInfo[] {
    return this.symbols.filter((symbol) => symbol.name === name && symbol.kind !== 'object');
  }

  /** The symbol that contains the address: the innermost with a size, else the label before it. */
  find(address: number): SymbolHit | undefined {
    const index = lastAtOrBelow(this.#starts, address >>> 0);
    const symbol = index < 0 ? undefined : this.symbols[this.#owners[index]!];
    return symbol === undefined ? undefined : { symbol, offset: (address >>> 0) - symbol.address };
  }

  /** Symbols that start in [start, end), by address. */
  inRange(start: number, end: number): SymbolInfo[] {
    let [low, high] = [0, this.symbols.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.symbols[middle]!.address < start) low = middle + 1;
      else high = middle;
    }
    const found: SymbolInfo[] = [];
    for (; low < this.symbols.length && this.symbols[low]!.address < end; low++) found.push(this.symbols[low]!);
    return found;
  }
}

const KINDS: Readonly<Record<number, SymbolKind>> = {
  [Elf.STT_NOTYPE]: 'label',
  [Elf.STT_OBJECT]: 'object',
  [Elf.STT_FUNC]: 'function',
  [Elf.STT_GNU_IFUNC]: 'function',
};

/**
 * Which of several symbols at one address names it. Sized before unsized comes first, so that a section marker (`_stext`)
 * does not hide the function it stands before; then global before local and fewer leading underscores.
 */
function byPreference(a: SymbolInfo, b: SymbolInfo): number {
  return (
    Number(b.size > 0) - Number(a.size > 0) ||
    Number(b.kind !== 'label') - Number(a.kind !== 'label') ||
    Number(b.global) - Number(a.global) ||
    underscores(a.name) - underscores(b.name) ||
    (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)
  );
}

const underscores = (name: string): number => name.length - name.replace(/^_+/, '').length;

/**
 * One sweep over the symbols in address order. Sized symbols nest on a stack: the one that starts last owns. A label owns
 * only where no sized symbol does, from its start to the next symbol or its limit.
 */
function cutByOwner(symbols: readonly SymbolInfo[]): [Uint32Array, Int32Array] {
  const starts: number[] = [];
  const owners: number[] = [];
  const cut = (address: number, owner: number) => {
    if (address >= TWO_32) return;
    if (starts.at(-1) === address) owners[owners.length - 1] = owner;
    else if (owners.at(-1) !== owner) {
      starts.push(address);
      owners.push(owner);
    }
  };
  const nest: number[] = [];
  const endOf = (index: number) => symbols[index]!.address + symbols[index]!.size;
  for (let index = 0; index < symbols.length;) {
    const { address, size, limit } = symbols[index]!;
    let next = index + 1;
    while (next < symbols.length && symbols[next]!.address === address) next++;
    const until = next < symbols.length ? symbols[next]!.address : TWO_32;
    while (nest.length > 0 && endOf(nest.at(-1)!) <= address) nest.pop();
    let position = address;
    // Of several at one address the preferred one, the first, lies on top; a longer one goes on after its end.
    for (let same = next - 1; same >= index; same--) if (symbols[same]!.size > 0) nest.push(same);
    if (size === 0 && nest.length === 0 && limit > address) {
      cut(address, index);
      position = Math.min(limit, until);
    }
    while (position < until) {
      while (nest.length > 0 && endOf(nest.at(-1)!) <= position) nest.pop();
      const owner = nest.at(-1) ?? -1;
      cut(position, owner);
      position = owner < 0 ? until : Math.min(endOf(owner), until);
    }
    index = next;
  }
  return [Uint32Array.from(starts), Int32Array.from(owners)];
}
