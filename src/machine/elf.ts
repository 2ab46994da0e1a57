// The ELF32 container (System V ABI, Intel386 supplement): header, program headers, sections, symbols, notes of one i386 file.
// Not a loader (hypervisor/boot) and not DWARF (symbols): it reads the format, imports nothing and never throws.
// What lies outside the file is an error value with one sentence, so that a truncated kernel is named as such.

/** Values of the fields used here; names are elf.h's. */
export const Elf = {
  EM_386: 3,
  ET_REL: 1,
  ET_EXEC: 2,
  ET_DYN: 3,
  PT_LOAD: 1,
  PT_NOTE: 4,
  PF_X: 1,
  PF_W: 2,
  PF_R: 4,
  SHT_SYMTAB: 2,
  SHT_STRTAB: 3,
  SHT_NOTE: 7,
  SHT_NOBITS: 8,
  SHT_DYNSYM: 11,
  SHF_WRITE: 1,
  SHF_ALLOC: 2,
  SHF_EXECINSTR: 4,
  SHF_COMPRESSED: 0x800,
  SHN_UNDEF: 0,
  SHN_LORESERVE: 0xff00,
  SHN_ABS: 0xfff1,
  SHN_COMMON: 0xfff2,
  SHN_XINDEX: 0xffff,
  STB_LOCAL: 0,
  STB_GLOBAL: 1,
  STB_WEAK: 2,
  STT_NOTYPE: 0,
  STT_OBJECT: 1,
  STT_FUNC: 2,
  STT_SECTION: 3,
  STT_FILE: 4,
  STT_COMMON: 5,
  STT_TLS: 6,
  STT_GNU_IFUNC: 10,
} as const;

const EHDR_SIZE = 52;
const PHDR_SIZE = 32;
const SHDR_SIZE = 40;
const SYM_SIZE = 16;
const PN_XNUM = 0xffff;
/** No symbol name is longer: keeps a damaged string table from costing more than its size. */
const MAX_NAME = 8192;

/** e_machine by name, for the refusal of other processors' files. */
const MACHINES: Readonly<Record<number, string>> = {
  2: 'SPARC',
  3: 'i386',
  4: 'Motorola 68000',
  6: 'Intel MCU',
  8: 'MIPS',
  20: 'PowerPC',
  21: 'PowerPC64',
  22: 'S/390',
  40: 'ARM',
  42: 'SuperH',
  43: 'SPARC V9',
  50: 'Itanium',
  62: 'x86-64',
  83: 'AVR',
  94: 'Xtensa',
  183: 'AArch64',
  243: 'RISC-V',
  247: 'BPF',
  258: 'LoongArch',
};

export type ElfProblem =
  'not-elf' | 'elf64' | 'other-machine' | 'big-endian' | 'truncated' | 'damaged' | 'no-bytes-in-file';

export interface ElfFailure {
  readonly ok: false;
  readonly problem: ElfProblem;
  /** One sentence without the file's name and without a full stop. */
  readonly reason: string;
}

export type ElfResult = { readonly ok: true; readonly elf: ElfFile } | ElfFailure;
export type ElfBytes = { readonly ok: true; readonly bytes: Uint8Array } | ElfFailure;

/** Elf32_Phdr. Addresses, offsets and sizes in bytes, unsigned 32-bit. */
export interface ProgramHeader {
  readonly index: number;
  readonly type: number;
  readonly offset: number;
  readonly virtualAddress: number;
  readonly physicalAddress: number;
  readonly fileSize: number;
  readonly memorySize: number;
  readonly flags: number;
  readonly align: number;
}

/** Elf32_Shdr. `name` is empty where the name table is missing or damaged. */
export interface Section {
  readonly index: number;
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly address: number;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
  readonly info: number;
  readonly align: number;
  readonly entrySize: number;
}

/** Elf32_Sym. */
export interface ElfSymbol {
  readonly name: string;
  readonly value: number;
  readonly size: number;
  readonly binding: number;
  readonly type: number;
  /** Index of the section it is defined in, or one of the SHN_ values. */
  readonly section: number;
}

export interface ElfNote {
  readonly name: string;
  readonly type: number;
  readonly description: Uint8Array;
}

const failure = (problem: ElfProblem, reason: string): ElfFailure => ({ ok: false, problem, reason });
const hex = (value: number): string => `0x${value.toString(16)}`;
const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

/** The zero-terminated string at `offset`, at most up to `limit` (an offset too); UTF-8. Empty if `offset` lies outside. */
export function cString(bytes: Uint8Array, offset: number, limit: number = bytes.length): string {
  const end = Math.min(limit, bytes.length, offset + MAX_NAME);
  let stop = offset;
  let ascii = true;
  for (let byte = 0; stop < end && (byte = bytes[stop]!) !== 0; stop++) if (byte >= 0x80) ascii = false;
  if (stop <= offset) return '';
  const text = bytes.subarray(offset, stop);
  return ascii ? String.fromCharCode.apply(null, text as unknown as number[]) : new TextDecoder().decode(text);
}

/** Reads the container. Section contents that lie outside the file do not fail it: see `sectionBytes`. */
export function parseElf(bytes: Uint8Array): ElfResult {
  if (bytes.length === 0) return failure('not-elf', 'the file is empty');
  if (bytes[0] !== 0x7f || bytes[1] !== 0x45 || bytes[2] !== 0x4c || bytes[3] !== 0x46) {
    const start = [...bytes.subarray(0, 4)].map((b) => b.toString(16).padStart(2, '0')).join(' ');
    return failure('not-elf', `not an ELF file: it starts with the bytes ${start} instead of 7f 45 4c 46`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [fileClass, encoding] = [bytes[4], bytes[5]];
  if (bytes.length >= 20 && (fileClass === 1 || fileClass === 2) && (encoding === 1 || encoding === 2)) {
    const number = view.getUint16(18, encoding === 1);
    const machine = MACHINES[number] ?? `machine number ${number}`;
    if (fileClass === 2) return failure('elf64', `a 64-bit ELF file for ${machine}: only 32-bit i386 files run here`);
    if (encoding === 2) return failure('big-endian', `a big-endian ELF file for ${machine}, not for i386`);
    if (number !== Elf.EM_386) return failure('other-machine', `an ELF file for ${machine}, not for i386`);
  }
  if (bytes.length < EHDR_SIZE) {
    const missing = plural(EHDR_SIZE - bytes.length, 'byte');
    return failure('truncated', `truncated: the ELF header ends ${missing} after the end of the file`);
  }
  if (fileClass !== 1) return failure('damaged', `damaged ELF header: file class ${fileClass} does not exist`);
  if (encoding !== 1) return failure('damaged', `damaged ELF header: data encoding ${encoding} does not exist`);
  return ElfFile.read(bytes, view);
}

export class ElfFile {
  private constructor(
    readonly bytes: Uint8Array,
    /** ET_EXEC, ET_DYN, ET_REL ... */
    readonly type: number,
    /** Virtual address of the first instruction. */
    readonly entry: number,
    readonly programHeaders: readonly ProgramHeader[],
    readonly sections: readonly Section[],
  ) {}

  /** For parseElf only: the identification bytes have been checked. */
  static read(bytes: Uint8Array, view: DataView): ElfResult {
    const u16 = (offset: number) => view.getUint16(offset, true);
    const u32 = (offset: number) => view.getUint32(offset, true);
    const [phoff, shoff] = [u32(28), u32(32)];
    const [phentsize, shentsize] = [u16(42), u16(46)];
    let [phnum, shnum, shstrndx] = [u16(44), u16(48), u16(50)];

    if (shoff !== 0) {
      if (shentsize < SHDR_SIZE) return badEntrySize('section', shentsize, SHDR_SIZE);
      const beyond = tableOutside(bytes, 'section header table', shoff, Math.max(shnum, 1), shentsize);
      if (beyond !== undefined) return beyond;
      // Counts that do not fit 16 bits stand in section header 0.
      if (shnum === 0) shnum = u32(shoff + 20);
      if (shstrndx === Elf.SHN_XINDEX) shstrndx = u32(shoff + 24);
      if (phnum === PN_XNUM) phnum = u32(shoff + 28);
      const rest = tableOutside(bytes, 'section header table', shoff, shnum, shentsize);
      if (rest !== undefined) return rest;
    } else {
      shnum = 0;
    }
    if (phoff === 0) phnum = 0;
    if (phnum > 0) {
      if (phentsize < PHDR_SIZE) return badEntrySize('program', phentsize, PHDR_SIZE);
      const beyond = tableOutside(bytes, 'program header table', phoff, phnum, phentsize);
      if (beyond !== undefined) return beyond;
    }

    const programHeaders: ProgramHeader[] = [];
    for (let index = 0, at = phoff; index < phnum; index++, at += phentsize) {
      programHeaders.push({
        index,
        type: u32(at),
        offset: u32(at + 4),
        virtualAddress: u32(at + 8),
        physicalAddress: u32(at + 12),
        fileSize: u32(at + 16),
        memorySize: u32(at + 20),
        flags: u32(at + 24),
        align: u32(at + 28),
      });
    }
    const names = shstrndx < shnum ? shoff + shstrndx * shentsize : undefined;
    const [namesStart, namesEnd] =
      names === undefined ? [0, 0] : [u32(names + 16), Math.min(bytes.length, u32(names + 16) + u32(names + 20))];
    const sections: Section[] = [];
    for (let index = 0, at = shoff; index < shnum; index++, at += shentsize) {
      sections.push({
        index,
        name: cString(bytes, namesStart + u32(at), namesEnd),
        type: u32(at + 4),
        flags: u32(at + 8),
        address: u32(at + 12),
        offset: u32(at + 16),
        size: u32(at + 20),
        link: u32(at + 24),
        info: u32(at + 28),
        align: u32(at + 32),
        entrySize: u32(at + 36),
      });
    }
    return { ok: true, elf: new ElfFile(bytes, u16(16), u32(24), programHeaders, sections) };
  }

  /** The first section of that name. */
  section(name: string): Section | undefined {
    return this.sections.find((section) => section.name === name);
  }

  /** The section's bytes as they stand in the file (compressed ones stay compressed), a view. */
  sectionBytes(section: Section): ElfBytes {
    const what = `section ${section.name === '' ? section.index : section.name}`;
    if (section.type === Elf.SHT_NOBITS) return failure('no-bytes-in-file', `${what} has no bytes in the file`);
    return this.#range(what, section.offset, section.size);
  }

  /** The `fileSize` bytes of a segment, a view; what `memorySize` adds is zero and the loader's. */
  segmentBytes(header: ProgramHeader): ElfBytes {
    return this.#range(`segment ${header.index}`, header.offset, header.fileSize);
  }

  /** The symbol table, or the dynamic one where only that is left; empty if neither lies inside the file. */
  symbols(): ElfSymbol[] {
    const table =
      this.sections.find((s) => s.type === Elf.SHT_SYMTAB) ?? this.sections.find((s) => s.type === Elf.SHT_DYNSYM);
    const strings = table === undefined ? undefined : this.sections[table.link];
    if (table === undefined || strings === undefined) return [];
    // A truncated table serves with the entries that are there.
    const start = Math.min(table.offset, this.bytes.length);
    const count = Math.floor(Math.min(table.size, this.bytes.length - start) / SYM_SIZE);
    const view = new DataView(this.bytes.buffer, this.bytes.byteOffset + start, count * SYM_SIZE);
    const namesEnd = Math.min(this.bytes.length, strings.offset + strings.size);
    const symbols: ElfSymbol[] = [];
    for (let at = SYM_SIZE; at < count * SYM_SIZE; at += SYM_SIZE) {
      const info = view.getUint8(at + 12);
      symbols.push({
        name: cString(this.bytes, strings.offset + view.getUint32(at, true), namesEnd),
        value: view.getUint32(at + 4, true),
        size: view.getUint32(at + 8, true),
        binding: info >> 4,
        type: info & 15,
        section: view.getUint16(at + 14, true),
      });
    }
    return symbols;
  }

  /** Notes of all PT_NOTE segments, or of the SHT_NOTE sections where there is none. */
  notes(): ElfNote[] {
    const segments = this.programHeaders.filter((header) => header.type === Elf.PT_NOTE);
    const areas =
      segments.length > 0
        ? segments.map((header) => this.segmentBytes(header))
        : this.sections.filter((s) => s.type === Elf.SHT_NOTE).map((section) => this.sectionBytes(section));
    return areas.flatMap((area) => (area.ok ? notesOf(area.bytes) : []));
  }

  #range(what: string, offset: number, size: number): ElfBytes {
    const beyond = offset + size - this.bytes.length;
    if (beyond > 0 && size > 0) {
      return failure('truncated', `truncated: ${what} ends ${plural(beyond, 'byte')} after the end of the file`);
    }
    return { ok: true, bytes: this.bytes.subarray(offset, offset + size) };
  }
}

function notesOf(bytes: Uint8Array): ElfNote[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const notes: ElfNote[] = [];
  for (let at = 0; at + 12 <= bytes.length;) {
    const [nameSize, size] = [view.getUint32(at, true), view.getUint32(at + 4, true)];
    const description = at + 12 + Math.ceil(nameSize / 4) * 4;
    if (description + size > bytes.length) break;
    const name = cString(bytes, at + 12, at + 12 + nameSize);
    notes.push({
      name,
      type: view.getUint32(at + 8, true),
      description: bytes.subarray(description, description + size),
    });
    at = description + Math.ceil(size / 4) * 4;
  }
  return notes;
}

function tableOutside(bytes: Uint8Array, what: string, offset: number, count: number, entry: number) {
  const beyond = offset + count * entry - bytes.length;
  if (beyond <= 0) return undefined;
  const entries = count === 1 ? '1 entry' : `${count} entries`;
  const where = `the ${what} (${entries} at ${hex(offset)})`;
  return failure('truncated', `truncated: ${where} ends ${plural(beyond, 'byte')} after the end of the file`);
}

const badEntrySize = (what: string, size: number, expected: number): ElfFailure =>
  failure('damaged', `damaged ELF header: ${what} headers of ${size} bytes instead of ${expected}`);
