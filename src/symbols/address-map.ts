// Addresses of one image to symbols and source lines, and back: what every panel, report, breakpoint and event link asks.
// Joins the symbol table and the line tables; knows nothing of the running machine. Never throws, whatever the file holds.
import { Elf, parseElf, type ElfFile } from '../machine/elf.ts';
import { LineIndex, type LinePlace, type LineSpan } from './dwarf/line-index.ts';
import type { Range } from './dwarf/ranges.ts';
import { DebugSections } from './dwarf/sections.ts';
import { Units } from './dwarf/units.ts';
import { formatAddress, formatLocation, type SourceLocation } from './location.ts';
import { matchPaths } from './paths.ts';
import { SymbolTable, type SymbolInfo } from './symbol-table.ts';
import { type LetteredSymbol, parseSystemMap, tableOf } from './system-map.ts';

export type AddressMapResult =
  | { readonly ok: true; readonly map: AddressMap }
  /** One sentence that starts with the file's name. */
  | { readonly ok: false; readonly reason: string };

export class AddressMap {
  /** Knows nothing: for images without symbols. */
  static readonly EMPTY = new AddressMap('', new SymbolTable([]), undefined, 0, []);

  private constructor(
    /** The file's name as the user knows it. */
    readonly name: string,
    readonly table: SymbolTable,
    private readonly lines: LineIndex | undefined,
    /** Added to the file's addresses, modulo 2^32: where a relocated kernel runs. */
    readonly slide: number,
    /** Parts of the debug information that cannot be used, a sentence each; the rest serves. */
    readonly problems: readonly string[],
  ) {}

  /** Reads an i386 ELF file, a System.map or the output of nm. @param slide see `slide`; may be negative. */
  static load(name: string, bytes: Uint8Array, slide = 0): AddressMapResult {
    if (looksLikeText(bytes)) {
      const parsed = parseSystemMap(new TextDecoder().decode(bytes), slide);
      if (!parsed.ok) return { ok: false, reason: `${name}: neither an ELF file nor a System.map: ${parsed.reason}` };
      return { ok: true, map: new AddressMap(name, parsed.symbols, undefined, slide >>> 0, []) };
    }
    const parsed = parseElf(bytes);
    if (!parsed.ok) return { ok: false, reason: `${name}: ${parsed.reason}` };
    if (parsed.elf.type === Elf.ET_REL) {
      return { ok: false, reason: `${name}: an object file that is not linked yet, so that its code has no addresses` };
    }
    return { ok: true, map: AddressMap.fromElf(name, parsed.elf, slide) };
  }

  /** For a file that is read already; a linked one (not ET_REL). */
  static fromElf(
    name: string,
    elf: ElfFile,
    slide = 0,
    units = new Units(new DebugSections(elf)),
    lines = new LineIndex(units, codeOf(elf)),
  ): AddressMap {
    const problems = [...units.sections.problems, ...units.problems];
    const used = lines.units.length > 0 ? lines : undefined;
    return new AddressMap(name, SymbolTable.fromElf(elf, slide), used, slide >>> 0, problems);
  }

  /** Of a table that a running kernel has of itself: addresses are where it runs. @param name of where the table comes from */
  static fromSymbols(name: string, symbols: readonly LetteredSymbol[]): AddressMap {
    return new AddressMap(name, tableOf(symbols), undefined, 0, []);
  }

  get hasSymbols(): boolean {
    return this.table.symbols.length > 0;
  }
  get hasLines(): boolean {
    return this.lines !== undefined;
  }

  /** @param address linear, taken modulo 2^32. Whatever is not known is left out. */
  locate(address: number): SourceLocation {
    address >>>= 0;
    const symbol = this.table.find(address);
    const row = this.lines?.locate((address - this.slide) >>> 0);
    return {
      address,
      ...(symbol !== undefined && { function: symbol.symbol.name, offset: symbol.offset }),
      ...(row?.file !== undefined && { file: row.file }),
      ...(row?.file !== undefined && row.line > 0 && { line: row.line }),
      ...(row?.file !== undefined && row.line > 0 && row.column > 0 && { column: row.column }),
    };
  }

  /** `locate` as one line of text; says so where symbols are known, but none contains the address. */
  describe(address: number): string {
    const location = this.locate(address);
    const unknown = this.hasSymbols && location.function === undefined && location.file === undefined;
    return unknown ? `${formatAddress(address)} (outside any function)` : formatLocation(location);
  }

  /** Start of the symbol of that name: a global one before a local one, else the lowest. */
  lookup(symbol: string): number | undefined {
    return this.table.lookup(symbol)?.address;
  }

  /** The symbol of that name, or the one that contains an address. */
  symbol(nameOrAddress: string | number): SymbolInfo | undefined {
    return typeof nameOrAddress === 'string'
      ? this.table.lookup(nameOrAddress)
      : this.table.find(nameOrAddress)?.symbol;
  }

  /** Functions and labels of that name, by address; static ones of several files may share it. */
  functionsNamed(name: string): SymbolInfo[] {
    return this.table.functionsNamed(name);
  }

  /** Symbols that start in [start, end), by address. */
  symbolsInRange(start: number, end: number): SymbolInfo[] {
    return this.table.inRange(start, end);
  }

  /** Every file the line tables name, those without code of their own included; sorted. */
  files(): string[] {
    return [...(this.lines?.byFile.keys() ?? [])].sort();
  }

  /** The files of `files()` that a path of the user's means: the same, or those with the longest common tail. */
  matchFiles(file: string): string[] {
    return matchPaths(this.lines?.byFile.keys() ?? [], file);
  }

  /**
   * Addresses where a statement of that line begins; ascending. Several where the line was inlined, unrolled or, like the
   * head of a loop, compiled in parts; empty where it has no code. @param file as `matchFiles` takes it. @param line from 1.
   */
  lineToAddresses(file: string, line: number): number[] {
    const { lines, slide } = this;
    if (lines === undefined) return [];
    const found = this.matchFiles(file).flatMap((path) => lines.addressesOf(path, line));
    return [...new Set(found)].map((address) => (address + slide) >>> 0).sort((a, b) => a - b);
  }

  /** The line of an address with the addresses around it that belong to the same line. */
  lineSpan(address: number): LineSpan | undefined {
    const span = this.lines?.span((address - this.slide) >>> 0);
    return span && { ...span, start: (span.start + this.slide) >>> 0, end: (span.end + this.slide) >>> 0 };
  }

  /** Where statements of the lines `from` to `to` begin, by line. @param file as `matchFiles` takes it */
  statements(file: string, from: number, to: number): LinePlace[] {
    const { lines, slide } = this;
    if (lines === undefined) return [];
    return this.matchFiles(file)
      .flatMap((path) => lines.placesOf(path, from, to))
      .map((place) => ({ ...place, address: (place.address + slide) >>> 0 }));
  }

  /** Where the body of a function begins: behind its prologue, or at its start where there is no telling. */
  bodyOf(symbol: SymbolInfo): number {
    const start = (symbol.address - this.slide) >>> 0;
    const body = this.lines?.bodyOf(start, start + (symbol.size || symbol.limit - symbol.address));
    return body === undefined ? symbol.address : (body + this.slide) >>> 0;
  }
}

/** Loaded sections of instructions, in the file's own addresses. */
export function codeOf(elf: ElfFile): Range[] {
  const wanted = Elf.SHF_ALLOC | Elf.SHF_EXECINSTR;
  return elf.sections
    .filter((section) => (section.flags & wanted) === wanted && section.size > 0)
    .map((section) => ({ start: section.address, end: section.address + section.size }));
}

/** Starts like a line of nm: digits, or the blanks before an undefined symbol. */
export function looksLikeText(bytes: Uint8Array): boolean {
  const start = new TextDecoder('latin1').decode(bytes.subarray(0, 8));
  return /^[0-9a-fA-F\s]{1,8}$/.test(start);
}
