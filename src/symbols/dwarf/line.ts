// The line-number program of one unit of .debug_line, versions 2 to 5 (DWARF 5, chapter 6.2): header, file names, rows.
// Not which unit holds an address: that is dwarf/line-index.ts. Damage ends a table early; what came before it stays.
import { readForm, type UnitFormat } from './forms.ts';
import { Reader } from './reader.ts';
import type { DebugSections } from './sections.ts';

export interface FileEntry {
  readonly name: string;
  /** Index into `directories`. */
  readonly directory: number;
}

export interface LineHeader {
  readonly version: number;
  /** Offset of the unit in .debug_line, and of the end of its program. */
  readonly offset: number;
  readonly end: number;
  readonly programStart: number;
  readonly addressSize: number;
  readonly minimumInstructionLength: number;
  readonly maximumOperations: number;
  readonly defaultIsStatement: boolean;
  readonly lineBase: number;
  readonly lineRange: number;
  readonly opcodeBase: number;
  /** Operands of standard opcode i + 1. */
  readonly opcodeLengths: Uint8Array;
  /** Entry 0 is the compilation directory: from the table in version 5, left empty before. */
  readonly directories: readonly string[];
  /** By the number that rows use: from 1 before version 5, where entry 0 is undefined. */
  readonly files: (FileEntry | undefined)[];
}

export const RowFlag = { isStatement: 1, endSequence: 2, prologueEnd: 4, basicBlock: 8 } as const;

/** The rows of one unit as columns, in the order of the program. */
export interface LineRows {
  readonly count: number;
  readonly address: Uint32Array;
  readonly file: Uint32Array;
  readonly line: Uint32Array;
  readonly column: Uint16Array;
  readonly flags: Uint8Array;
}

/** Consecutive rows of growing addresses; row `last` is its end_sequence, whose address is `end` (exclusive). */
export interface Sequence {
  readonly start: number;
  readonly end: number;
  readonly first: number;
  readonly last: number;
}

export interface LineTable {
  readonly rows: LineRows;
  readonly sequences: readonly Sequence[];
}

const DW_LNCT = { path: 1, directory_index: 2 } as const;
const DW_LNS = {
  copy: 1,
  advance_pc: 2,
  advance_line: 3,
  set_file: 4,
  set_column: 5,
  negate_stmt: 6,
  set_basic_block: 7,
  const_add_pc: 8,
  fixed_advance_pc: 9,
  set_prologue_end: 10,
} as const;
const DW_LNE = { end_sequence: 1, set_address: 2, define_file: 3 } as const;

/** The header of the unit at `offset`, or undefined if it is too damaged to decode its program. */
export function readLineHeader(sections: DebugSections, offset: number): LineHeader | undefined {
  const section = new Reader(sections.get('line'), offset);
  const { end, offsetSize } = section.unitLength();
  const reader = new Reader(section.bytes, section.position, end);
  const version = reader.u16();
  if (version < 2 || version > 5) return undefined;
  let addressSize = 4;
  if (version >= 5) {
    addressSize = reader.u8();
    reader.u8(); // segment selector size
  }
  const headerLength = reader.unsigned(offsetSize);
  const programStart = Math.min(end, reader.position + headerLength);
  const minimumInstructionLength = reader.u8();
  const maximumOperations = version >= 4 ? Math.max(1, reader.u8()) : 1;
  const defaultIsStatement = reader.u8() !== 0;
  const [lineBase, lineRange, opcodeBase] = [reader.i8(), reader.u8(), reader.u8()];
  const lengthsStart = reader.position;
  reader.skip(Math.max(0, opcodeBase - 1));
  if (reader.overrun || lineRange === 0 || opcodeBase === 0) return undefined;
  const opcodeLengths = reader.bytes.subarray(lengthsStart, reader.position);
  // The tables end where the program starts.
  const tables = new Reader(reader.bytes, reader.position, programStart);
  const unit: UnitFormat = { version, addressSize, offsetSize };
  const { directories, files } = version >= 5 ? readTables(tables, unit, sections) : readOldTables(tables);
  return {
    version,
    offset,
    end,
    programStart,
    addressSize,
    minimumInstructionLength,
    maximumOperations,
    defaultIsStatement,
    lineBase,
    lineRange,
    opcodeBase,
    opcodeLengths,
    directories,
    files,
  };
}

function readOldTables(reader: Reader) {
  const directories = [''];
  for (let name = reader.string(); name !== ''; name = reader.string()) directories.push(name);
  const files: (FileEntry | undefined)[] = [undefined];
  for (let name = reader.string(); name !== ''; name = reader.string()) files.push(oldEntry(reader, name));
  return { directories, files };
}

function oldEntry(reader: Reader, name: string): FileEntry {
  const directory = reader.uleb();
  reader.uleb(); // time of modification
  reader.uleb(); // length
  return { name, directory };
}

function readTables(reader: Reader, unit: UnitFormat, sections: DebugSections) {
  const directories = readEntries(reader, unit, sections).map((entry) => entry.name);
  return { directories, files: readEntries(reader, unit, sections) };
}

/** A table that describes its own columns (DWARF 5, 6.2.4.1). Columns other than path and directory are skipped. */
function readEntries(reader: Reader, unit: UnitFormat, sections: DebugSections): FileEntry[] {
  const columns: { content: number; form: number }[] = [];
  for (let left = reader.u8(); left > 0; left--) columns.push({ content: reader.uleb(), form: reader.uleb() });
  const count = reader.uleb();
  const entries: FileEntry[] = [];
  // A row takes at least a byte: a count beyond the bytes is damage, and its end is the reader's.
  while (entries.length < count && reader.more) {
    let [name, directory] = ['', 0];
    const start = reader.position;
    for (const { content, form } of columns) {
      const value = readForm(form, 0, reader, unit, sections);
      if (value === undefined) return entries;
      if (content === DW_LNCT.path && value.kind === 'string') name = value.value;
      if (content === DW_LNCT.directory_index && value.kind === 'number') directory = value.value;
    }
    if (reader.overrun || reader.position === start) break;
    entries.push({ name, directory });
  }
  return entries;
}

/** Runs the program: a byte gives one row at most, so that its size bounds time and space. */
export function runLineProgram(header: LineHeader, bytes: Uint8Array): LineTable {
  const reader = new Reader(bytes, header.programStart, header.end);
  const rows = new RowWriter(Math.max(0, header.end - header.programStart));
  const { opcodeBase, lineBase, lineRange, minimumInstructionLength, maximumOperations, opcodeLengths } = header;
  let [address, operation, file, line, column, flags] = [0, 0, 1, 1, 0, 0];
  const reset = () => {
    [address, operation, file, line, column] = [0, 0, 1, 1, 0];
    flags = header.defaultIsStatement ? RowFlag.isStatement : 0;
  };
  const emit = (extra: number) => {
    rows.add(address, file, line, column, flags | extra);
    flags &= RowFlag.isStatement;
  };
  const advance = (operations: number) => {
    const total = operation + operations;
    address = (address + minimumInstructionLength * Math.floor(total / maximumOperations)) % 0x1_0000_0000;
    operation = total % maximumOperations;
  };
  reset();
  while (reader.more) {
    const opcode = reader.u8();
    if (opcode >= opcodeBase) {
      const adjusted = opcode - opcodeBase;
      advance(Math.floor(adjusted / lineRange));
      line = (line + lineBase + (adjusted % lineRange)) >>> 0;
      emit(0);
    } else if (opcode === 0) {
      const length = reader.uleb();
      const next = Math.min(reader.position + length, header.end);
      const extended = length > 0 ? reader.u8() : 0;
      if (extended === DW_LNE.end_sequence) {
        emit(RowFlag.endSequence);
        reset();
      } else if (extended === DW_LNE.set_address) {
        address = reader.unsigned(Math.min(length - 1, 8)) % 0x1_0000_0000;
        operation = 0;
      } else if (extended === DW_LNE.define_file) {
        header.files.push(oldEntry(reader, reader.string()));
      }
      if (reader.overrun) break;
      reader.position = next;
    } else if (opcode === DW_LNS.copy) emit(0);
    else if (opcode === DW_LNS.advance_pc) advance(reader.uleb());
    else if (opcode === DW_LNS.advance_line) line = (line + reader.sleb()) >>> 0;
    else if (opcode === DW_LNS.set_file) file = reader.uleb() >>> 0;
    else if (opcode === DW_LNS.set_column) column = reader.uleb() & 0xffff;
    else if (opcode === DW_LNS.negate_stmt) flags ^= RowFlag.isStatement;
    else if (opcode === DW_LNS.set_basic_block) flags |= RowFlag.basicBlock;
    else if (opcode === DW_LNS.const_add_pc) advance(Math.floor((255 - opcodeBase) / lineRange));
    else if (opcode === DW_LNS.fixed_advance_pc) {
      address = (address + reader.u16()) % 0x1_0000_0000;
      operation = 0;
    } else if (opcode === DW_LNS.set_prologue_end) flags |= RowFlag.prologueEnd;
    // Epilogue begin, ISA, and opcodes of later versions: as many operands as the header says.
    else for (let left = opcodeLengths[opcode - 1]!; left > 0; left--) reader.uleb();
  }
  return rows.finish();
}

class RowWriter {
  #count = 0;
  #first = 0;
  readonly #sequences: Sequence[] = [];
  #columns: Columns;

  /** @param programBytes size of the program: compilers write three bytes or more for most rows. */
  constructor(programBytes: number) {
    this.#columns = columns(Math.ceil(programBytes / 3) + 1);
  }

  add(address: number, file: number, line: number, column: number, flags: number): void {
    const row = this.#count++;
    if (row === this.#columns.address.length) this.#grow();
    const to = this.#columns;
    to.address[row] = address;
    to.file[row] = file;
    to.line[row] = line;
    to.column[row] = column;
    to.flags[row] = flags;
    if ((flags & RowFlag.endSequence) !== 0) this.#endSequence(row);
  }

  #grow(): void {
    const from = this.#columns;
    const to = (this.#columns = columns(2 * from.address.length));
    to.address.set(from.address);
    to.file.set(from.file);
    to.line.set(from.line);
    to.column.set(from.column);
    to.flags.set(from.flags);
  }

  #endSequence(last: number): void {
    const first = this.#first;
    this.#first = last + 1;
    const { address } = this.#columns;
    let sorted = true;
    for (let row = first + 1; row < last && sorted; row++) sorted = address[row]! >= address[row - 1]!;
    if (!sorted) this.#sort(first, last);
    const [start, end] = [address[first]!, address[last]!];
    if (last > first && end > start) this.#sequences.push({ start, end, first, last });
  }

  /** Hand-written assembly can go back: look-ups need ascending addresses, the later row last. */
  #sort(first: number, last: number): void {
    const order = Array.from({ length: last - first }, (_, i) => first + i);
    const { address } = this.#columns;
    order.sort((a, b) => address[a]! - address[b]! || a - b);
    for (const column of Object.values(this.#columns)) {
      column.set(
        order.map((row) => column[row]!),
        first,
      );
    }
  }

  finish(): LineTable {
    const count = this.#count;
    const { address, file, line, column, flags } = this.#columns;
    const rows: LineRows = {
      count,
      address: address.slice(0, count),
      file: file.slice(0, count),
      line: line.slice(0, count),
      column: column.slice(0, count),
      flags: flags.slice(0, count),
    };
    return { rows, sequences: this.#sequences };
  }
}

type Columns = Omit<LineRows, 'count'>;

const columns = (rows: number): Columns => ({
  address: new Uint32Array(rows),
  file: new Uint32Array(rows),
  line: new Uint32Array(rows),
  column: new Uint16Array(rows),
  flags: new Uint8Array(rows),
});
