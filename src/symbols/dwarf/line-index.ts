// All line tables of one file: which unit holds an address, which units name a file. Indexed from the units' first entries;
// a unit's own table is decoded at the first question about it, so that a kernel of hundreds of megabytes opens at once.
import { joinPath, normalizePath } from '../paths.ts';
import { lastAtOrBelow } from '../search.ts';
import { readLineHeader, RowFlag, runLineProgram, type LineHeader, type LineTable, type Sequence } from './line.ts';
import type { Range } from './ranges.ts';
import { Reader } from './reader.ts';
import type { DebugSections } from './sections.ts';
import { readCompileUnits, type CompileUnit } from './compile-units.ts';
import { RangeIndex } from './range-index.ts';
import type { Units } from './units.ts';

/** A row as found. `line` is 0 where the compiler says that no line is responsible; `file` is undefined for a damaged number. */
export interface LineHit {
  readonly file: string | undefined;
  readonly line: number;
  readonly column: number;
}

/** The row at an address, with the addresses of its run: neighbouring rows of the same file and line. */
export interface LineSpan extends LineHit {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
  /** A statement of the line begins exactly at the address that was asked for. */
  readonly begins: boolean;
}

/** Where a statement begins. */
export interface LinePlace {
  readonly line: number;
  readonly column: number;
  readonly address: number;
}

const EMPTY: LineTable = {
  rows: {
    count: 0,
    address: new Uint32Array(0),
    file: new Uint32Array(0),
    line: new Uint32Array(0),
    column: new Uint16Array(0),
    flags: new Uint8Array(0),
  },
  sequences: [],
};

/** One unit of .debug_line. */
export class LineUnit {
  readonly ranges: Range[] = [];
  /** Whether `ranges` hold all its code. */
  complete = false;
  #header: LineHeader | undefined | 'unread' = 'unread';
  #table: LineTable | undefined;
  #starts = new Uint32Array(0);
  #sequences: Sequence[] = [];
  readonly #paths: (string | undefined)[] = [];
  #directories: string[] | undefined;

  constructor(
    private readonly sections: DebugSections,
    /** Where the file's code lies: what the linker threw away has rows at 0 or -1, which are nobody's. */
    private readonly code: readonly Range[],
    readonly offset: number,
    private readonly compileUnit: CompileUnit | undefined,
  ) {}

  get header(): LineHeader | undefined {
    if (this.#header === 'unread') this.#header = readLineHeader(this.sections, this.offset);
    return this.#header;
  }

  /** Every row of the program, discarded code included. */
  get table(): LineTable {
    if (this.#table === undefined) {
      const header = this.header;
      this.#table = header === undefined ? EMPTY : runLineProgram(header, this.sections.get('line'));
      this.#sequences = this.#table.sequences.filter((sequence) => holds(this.code, sequence.start));
      this.#sequences.sort((a, b) => a.start - b.start || a.end - b.end);
      this.#starts = Uint32Array.from(this.#sequences, (sequence) => sequence.start);
    }
    return this.#table;
  }

  /** Sequences in code that is there, by start. */
  get sequences(): readonly Sequence[] {
    void this.table;
    return this.#sequences;
  }

  /** Row that covers the address: the last one at or below it in its sequence. -1: none. */
  rowAt(address: number): number {
    const { rows } = this.table;
    for (let i = lastAtOrBelow(this.#starts, address); i >= 0; i--) {
      const { first, last, end } = this.#sequences[i]!;
      if (address < end) return lastAtOrBelow(rows.address, address, first, last);
    }
    return -1;
  }

  hit(row: number): LineHit {
    const { rows } = this.table;
    return { file: this.path(rows.file[row]!), line: rows.line[row]!, column: rows.column[row]! };
  }

  /** The run of the row; `address` lies in it. */
  span(row: number, address: number): LineSpan {
    const { rows } = this.table;
    const { first, last } = this.#sequences.find((sequence) => row >= sequence.first && row < sequence.last)!;
    const same = (other: number) => rows.line[other] === rows.line[row] && rows.file[other] === rows.file[row];
    let start = row;
    while (start > first && same(start - 1)) start--;
    let end = row + 1;
    while (end < last && same(end)) end++;
    // Several rows may share the address: the line is the last one's, but each may say that a statement begins.
    let begins = false;
    for (let at = row; at >= first && rows.address[at] === address; at--)
      begins ||= same(at) && (rows.flags[at]! & RowFlag.isStatement) !== 0;
    return { ...this.hit(row), start: rows.address[start]!, end: rows.address[end]!, begins };
  }

  /** Statements of the lines from `from` to `to`. */
  placesOf(isFile: (file: number) => boolean, from: number, to: number): LinePlace[] {
    const { rows } = this.table;
    const found: LinePlace[] = [];
    for (const { first, last } of this.#sequences) {
      for (let row = first; row < last; row++) {
        const line = rows.line[row]!;
        if (line < from || line > to || (rows.flags[row]! & RowFlag.isStatement) === 0) continue;
        if (isFile(rows.file[row]!)) found.push({ line, column: rows.column[row]!, address: rows.address[row]! });
      }
    }
    return found;
  }

  /**
   * Address behind the prologue of the function from `start` to `end`: where the compiler marks it; at the start where optimised code has
   * another line there already; else at the second statement.
   */
  bodyOf(start: number, end: number): number | undefined {
    const { rows } = this.table;
    let row = this.rowAt(start);
    if (row < 0) return undefined;
    while (row > 0 && rows.address[row - 1] === start && (rows.flags[row - 1]! & RowFlag.endSequence) === 0) row--;
    const opening = rows.line[row];
    let second: number | undefined;
    for (; row < rows.count && rows.address[row]! < end; row++) {
      const flags = rows.flags[row]!;
      if ((flags & RowFlag.endSequence) !== 0) break;
      if ((flags & RowFlag.prologueEnd) !== 0) return rows.address[row];
      if ((flags & RowFlag.isStatement) === 0 || rows.line[row] === 0) continue;
      if (rows.address[row]! > start || rows.line[row] !== opening) second ??= rows.address[row];
    }
    return second;
  }

  /** Full path of a file number as rows use it. */
  path(file: number): string | undefined {
    const entry = this.header?.files[file];
    if (entry === undefined) return undefined;
    return (this.#paths[file] ??= joinPath(this.#directory(entry.directory), entry.name));
  }

  #directory(index: number): string {
    if (this.#directories === undefined) {
      const known = this.compileUnit?.compilationDirectory ?? '';
      const [first, ...rest] = this.header?.directories ?? [];
      // Version 5 repeats the compilation directory as entry 0: joined once, even if it is a relative one.
      const root = first === known ? normalizePath(known) : joinPath(known, first ?? '');
      this.#directories = [root, ...rest.map((directory) => joinPath(root, directory))];
    }
    return this.#directories[index] ?? '';
  }

  /** Addresses where an instruction of the line begins, once for each run of its rows. */
  addressesOf(isFile: (file: number) => boolean, line: number): number[] {
    const { rows } = this.table;
    const found: number[] = [];
    const begins = (row: number) =>
      rows.line[row] === line && (rows.flags[row]! & RowFlag.isStatement) !== 0 && isFile(rows.file[row]!);
    for (const { first, last } of this.#sequences) {
      for (let row = first; row < last; row++) {
        if (begins(row) && (row === first || !begins(row - 1))) found.push(rows.address[row]!);
      }
    }
    return found;
  }
}

export class LineIndex {
  /** By offset in .debug_line, those of .debug_info first. */
  readonly units: readonly LineUnit[];
  readonly #ranges: RangeIndex<LineUnit>;
  readonly #byOffset: ReadonlyMap<number, LineUnit>;
  /** Units that do not say where all of their code lies: they are decoded when nobody else knows an address. */
  readonly #incomplete: readonly LineUnit[];
  #byFile: Map<string, LineUnit[]> | undefined;

  constructor(all: Units, code: readonly Range[], compileUnits = readCompileUnits(all)) {
    const { sections, problems } = all;
    const units = new Map<number, LineUnit>();
    const open = (offset: number, compileUnit?: CompileUnit): LineUnit => {
      let unit = units.get(offset);
      if (unit === undefined) units.set(offset, (unit = new LineUnit(sections, code, offset, compileUnit)));
      return unit;
    };
    const size = sections.get('line').length;
    for (const compileUnit of compileUnits) {
      if (compileUnit.lineTable === undefined || compileUnit.lineTable >= size) continue;
      const unit = open(compileUnit.lineTable, compileUnit);
      for (const range of compileUnit.ranges) unit.ranges.push(range);
      unit.complete ||= compileUnit.complete;
    }
    const walk = new Reader(sections.get('line'));
    while (walk.more) {
      const start = walk.position;
      const { end, damaged } = walk.unitLength();
      // An empty unit is padding.
      if (end > walk.position) open(start);
      if (damaged) {
        problems.push(`the unit at 0x${start.toString(16)} of .debug_line is damaged`);
        break;
      }
      walk.position = end;
    }
    this.#byOffset = units;
    this.units = [...units.values()];
    this.#incomplete = this.units.filter((unit) => !unit.complete);
    const ranges = this.units.flatMap((unit) => unit.ranges.map((range) => ({ range, value: unit })));
    this.#ranges = new RangeIndex(ranges.filter(({ range }) => holds(code, range.start)));
  }

  locate(address: number): LineHit | undefined {
    return this.#find(address, (unit, row) => unit.hit(row));
  }

  /** `locate` with the addresses of the line's run. */
  span(address: number): LineSpan | undefined {
    return this.#find(address, (unit, row) => unit.span(row, address));
  }

  /** Address behind the prologue of the function from `start` to `end`. */
  bodyOf(start: number, end: number): number | undefined {
    return this.#find(start, (unit) => unit.bodyOf(start, end));
  }

  #find<T>(address: number, use: (unit: LineUnit, row: number) => T): T | undefined {
    for (const unit of this.#ranges.at(address)) {
      const row = unit.rowAt(address);
      if (row >= 0) return use(unit, row);
    }
    for (const unit of this.#incomplete) {
      const row = unit.rowAt(address);
      if (row >= 0) return use(unit, row);
    }
    return undefined;
  }

  /** Full path of a file number in the table at that offset of .debug_line. */
  path(table: number | undefined, file: number): string | undefined {
    return table === undefined ? undefined : this.#byOffset.get(table)?.path(file);
  }

  /** Every file the tables name, with the units that name it. */
  get byFile(): ReadonlyMap<string, readonly LineUnit[]> {
    if (this.#byFile !== undefined) return this.#byFile;
    const byFile = (this.#byFile = new Map<string, LineUnit[]>());
    for (const unit of this.units) {
      const count = unit.header?.files.length ?? 0;
      for (let file = 0; file < count; file++) {
        const path = unit.path(file);
        if (path === undefined) continue;
        const known = byFile.get(path);
        if (known === undefined) byFile.set(path, [unit]);
        else if (known.at(-1) !== unit) known.push(unit);
      }
    }
    return byFile;
  }

  /** Addresses where the line of that file (a path of `byFile`) begins; ascending, each once. */
  addressesOf(path: string, line: number): number[] {
    const found = (this.byFile.get(path) ?? []).flatMap((unit) =>
      unit.addressesOf((file) => unit.path(file) === path, line),
    );
    return [...new Set(found)].sort((a, b) => a - b);
  }

  /** Statements of the lines from `from` to `to` of that file (a path of `byFile`), by line and address. */
  placesOf(path: string, from: number, to: number): LinePlace[] {
    const found = (this.byFile.get(path) ?? []).flatMap((unit) =>
      unit.placesOf((file) => unit.path(file) === path, from, to),
    );
    return found.sort((a, b) => a.line - b.line || a.address - b.address || a.column - b.column);
  }
}

const holds = (ranges: readonly Range[], address: number): boolean =>
  ranges.some((range) => address >= range.start && address < range.end);
