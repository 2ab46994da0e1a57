// One program's debug data as its files have it, opened and indexed, in the files' own addresses: shared by all slides at which it is asked about
// (debug-info.ts). Not the questions, and not the symbol table (symbol-table.ts).
import { Elf, parseElf, type ElfFile } from '../machine/elf.ts';
import { codeOf } from './address-map.ts';
import { debugLinkOf, type DebugLink } from './debug-link.ts';
import { readCompileUnits, type CompileUnit } from './dwarf/compile-units.ts';
import { DW_TAG } from './dwarf/constants.ts';
import type { Die } from './dwarf/die.ts';
import { FrameTable } from './dwarf/frame-table.ts';
import { InlinedCopies } from './dwarf/inlined.ts';
import { LineIndex } from './dwarf/line-index.ts';
import { Names, type NameKind } from './dwarf/names.ts';
import { RangeIndex } from './dwarf/range-index.ts';
import type { Range } from './dwarf/ranges.ts';
import { Scopes, type Scope } from './dwarf/scopes.ts';
import { DebugSections } from './dwarf/sections.ts';
import { TypeReader } from './dwarf/type-reader.ts';
import type { Unit } from './dwarf/unit.ts';
import { Units, type SupplyFile } from './dwarf/units.ts';
import { placeObject, type SectionPlace } from './object-file.ts';
import { relocated } from './relocations.ts';

export interface DebugFiles {
  /** The separate file with the debug data (see `debugLink`), where the program itself has none. */
  readonly debugFile?: { readonly name: string; readonly bytes: Uint8Array };
  /** Gives the .dwo files of split debug data. */
  readonly supply?: SupplyFile;
  /** Of an object file that was loaded as it is: where its sections are. It then has no slide. */
  readonly places?: readonly SectionPlace[];
  /** What it is loaded into: has the definitions of types that it only declares. */
  readonly host?: DebugData;
}

export type DebugDataResult =
  | { readonly ok: true; readonly data: DebugData }
  /** One sentence that starts with the file's name. */
  | { readonly ok: false; readonly reason: string };

/** The smallest ELF file there is: a header that names nothing. */
const NOTHING = Uint8Array.from({ length: 52 }, (_, at) => [0x7f, 0x45, 0x4c, 0x46, 1, 1, 1][at] ?? 0);
const setHalf = (at: number, value: number): void => new DataView(NOTHING.buffer).setUint16(at, value, true);
setHalf(16, Elf.ET_EXEC);
setHalf(18, Elf.EM_386);

export class DebugData {
  /** By which a separate debug file is found; undefined if the program names none. */
  readonly debugLink: DebugLink | undefined;
  readonly units: Units;
  readonly lines: LineIndex;
  readonly names: Names;
  readonly inlined: InlinedCopies;
  readonly types: TypeReader;
  readonly scopes = new Scopes();
  /** In file order. */
  readonly compileUnits: readonly CompileUnit[];
  readonly frameTables: readonly FrameTable[];
  readonly #unitRanges: RangeIndex<CompileUnit>;
  readonly #incomplete: readonly CompileUnit[];
  readonly #host: DebugData | undefined;
  readonly #code: readonly Range[];

  private constructor(
    readonly name: string,
    program: ElfFile,
    /** The file with symbols and debug data. */
    readonly elf: ElfFile,
    { supply, host }: DebugFiles = {},
  ) {
    this.#host = host;
    const units = (this.units = new Units(new DebugSections(elf), supply));
    const compileUnits = (this.compileUnits = readCompileUnits(units));
    this.#code = codeOf(elf);
    this.lines = new LineIndex(units, this.#code, compileUnits);
    this.debugLink = debugLinkOf(program);
    this.names = new Names(units);
    this.inlined = new InlinedCopies(this.names);
    this.types = new TypeReader((declared, wanted) => this.#definition(declared, wanted));
    this.#unitRanges = new RangeIndex(
      compileUnits.flatMap((unit) => unit.ranges.map((range) => ({ range, value: unit }))),
    );
    this.#incomplete = compileUnits.filter(({ complete }) => !complete);
    this.frameTables = [
      new FrameTable(units.sections.get('frame'), 'debug_frame', 0, units.problems),
      ...[program, elf].flatMap((file) => {
        const section = file.section('.eh_frame');
        const bytes = section === undefined ? undefined : file.sectionBytes(section);
        if (bytes?.ok !== true) return [];
        const contents = relocated(file, section!, bytes.bytes, (sentence) => units.problems.push(sentence));
        return [new FrameTable(contents, 'eh_frame', section!.address, units.problems)];
      }),
    ];
  }

  /** Reads an i386 ELF file, linked or with places. @param name as the user knows the file */
  static open(name: string, bytes: Uint8Array, files: DebugFiles = {}): DebugDataResult {
    const { debugFile, places } = files;
    const program = places === undefined ? parseElf(bytes) : placeObject(bytes, places);
    if (!program.ok) return { ok: false, reason: `${name}: ${program.reason}` };
    if (program.elf.type === Elf.ET_REL && places === undefined) {
      return { ok: false, reason: `${name}: an object file that is not linked yet, so that its code has no addresses` };
    }
    if (debugFile === undefined) return { ok: true, data: new DebugData(name, program.elf, program.elf, files) };
    const debug = parseElf(debugFile.bytes);
    if (!debug.ok) return { ok: false, reason: `${debugFile.name}: ${debug.reason}` };
    const [own, other] = [debugLinkOf(program.elf)?.buildId, debugLinkOf(debug.elf)?.buildId];
    if (own !== undefined && other !== undefined && own !== other) {
      const reason = `${debugFile.name}: the debug data of another build (build id ${other}) than ${name} (${own})`;
      return { ok: false, reason };
    }
    return { ok: true, data: new DebugData(name, program.elf, debug.elf, files) };
  }

  /** Of a program that no file describes. */
  static none(): DebugData {
    const { elf } = parseElf(NOTHING) as { readonly elf: ElfFile };
    return new DebugData('', elf, elf);
  }

  /** Parts that cannot be used, a sentence each; grows as more is read. */
  get problems(): readonly string[] {
    return [...this.units.sections.problems, ...this.units.problems];
  }

  /** Whether code is in memory: an object file may be loaded in parts, and a linker leaves sections out. */
  isLoaded({ start }: Range): boolean {
    return this.#code.some((range) => start >= range.start && start < range.end);
  }

  /** The compiled function that holds an address of the file's. */
  functionScope(own: number): Scope | undefined {
    for (const unit of this.unitsAt(own)) {
      const scope = this.scopes.functionAt(unit.full, own);
      if (scope !== undefined) return scope;
    }
    return undefined;
  }

  /** The units that may have code at an address. */
  unitsAt(own: number): Unit[] {
    return [...this.#unitRanges.at(own), ...this.#incomplete].map(({ unit }) => unit);
  }

  /** The entry of a name: that of the unit of `near` (an address of the file's) before others. */
  nearest(name: string, near: number | undefined, kind: NameKind): Die | undefined {
    const unit = near === undefined ? undefined : this.functionScope(near)?.die.unit;
    const own = unit === undefined ? undefined : this.names.inUnit(unit, name, kind)[0];
    return own ?? this.names.find(name, kind)[0];
  }

  #definition(declared: Die, name: string): Die | undefined {
    const kind =
      declared.tag === DW_TAG.union_type ? 'union' : declared.tag === DW_TAG.enumeration_type ? 'enum' : 'struct';
    const own = this.names.inUnit(declared.unit, name, kind)[0] ?? this.names.find(name, kind)[0];
    return own ?? this.#host?.names.find(name, kind)[0];
  }
}
