// Everything a source-level debugger asks of one program's debug data: functions and inlined calls at an address, scopes and variables,
// types, where a variable is in a frame, callers. The one door to dwarf/, unwind/ and types.ts; lines and symbols are `map`. Addresses in and
// out are where the program runs: the file's own plus the slide, modulo 2^32. Never throws, whatever the file holds.
import { Elf, parseElf, type ElfFile } from '../machine/elf.ts';
import { AddressMap, codeOf } from './address-map.ts';
import { debugLinkOf, type DebugLink } from './debug-link.ts';
import { readCompileUnits, type CompileUnit } from './dwarf/compile-units.ts';
import { DW_AT, DW_TAG } from './dwarf/constants.ts';
import type { Die } from './dwarf/die.ts';
import { evaluateLocation } from './dwarf/expression.ts';
import { machineOf, type FrameWorld } from './dwarf/frame-machine.ts';
import { FrameTable } from './dwarf/frame-table.ts';
import { LineIndex } from './dwarf/line-index.ts';
import { expressionAt } from './dwarf/location-lists.ts';
import { Names, type NameKind } from './dwarf/names.ts';
import { RangeIndex } from './dwarf/range-index.ts';
import type { Range } from './dwarf/ranges.ts';
import { Scopes, scopesAt, type Scope } from './dwarf/scopes.ts';
import { DebugSections } from './dwarf/sections.ts';
import { TypeReader } from './dwarf/type-reader.ts';
import { Units, type SupplyFile } from './dwarf/units.ts';
import { OPTIMIZED_OUT, toBytes, unavailable, type Location, type ReadMemory } from './location-value.ts';
import { sizeOf, stripped, type CType, type EnumType } from './types.ts';
import { Unwinder, type Frame, type InterruptHook, type Registers } from './unwind/unwinder.ts';
import { readLocation } from './value/read.ts';

export interface DebugInfoOptions {
  /** Added to the file's addresses, modulo 2^32: where a relocated kernel runs. May be negative. */
  readonly slide?: number;
  /** The separate file with the debug data (see `debugLink`), where the program itself has none. */
  readonly debugFile?: { readonly name: string; readonly bytes: Uint8Array };
  /** Gives the .dwo files of split debug data. */
  readonly supply?: SupplyFile;
  /** Finds what interrupts and exceptions interrupted. */
  readonly interrupted?: InterruptHook;
}

export type DebugInfoResult =
  | { readonly ok: true; readonly info: DebugInfo }
  /** One sentence that starts with the file's name. */
  | { readonly ok: false; readonly reason: string };

export interface SourcePosition {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1; absent where the compiler gives none. */
  readonly column?: number;
}

/** A function as code: the compiled one, or an inlined copy. */
export interface FunctionCode {
  readonly name: string;
  /** All its code, of an inlined one that of this copy. */
  readonly ranges: readonly Range[];
  readonly entry: number | undefined;
  readonly inlined: boolean;
  /** Of an inlined one: where in the function around it the call stands. */
  readonly call: SourcePosition | undefined;
  readonly declared: SourcePosition | undefined;
  readonly type: CType;
  readonly scope: Scope;
}

export interface Variable {
  readonly name: string;
  readonly kind: 'parameter' | 'local' | 'static' | 'global';
  /** Variable-length arrays have no count in it: see `typeIn`. */
  readonly type: CType;
  readonly declared: SourcePosition | undefined;
  readonly die: Die;
}

/** A lexical block, or the outermost of a function, with what is declared in it. */
export interface VariableScope {
  readonly ranges: readonly Range[];
  readonly variables: readonly Variable[];
}

export class DebugInfo {
  /** Lines and symbols: the fast way for what needs no types. */
  readonly map: AddressMap;
  /** By which a separate debug file is found; undefined if the program names none. */
  readonly debugLink: DebugLink | undefined;
  readonly slide: number;
  readonly #units: Units;
  readonly #lines: LineIndex;
  readonly #names: Names;
  readonly #types: TypeReader;
  readonly #scopes: Scopes;
  readonly #unitRanges: RangeIndex<CompileUnit>;
  readonly #incomplete: readonly CompileUnit[];
  readonly #unwinder: Unwinder;
  readonly #world: FrameWorld;

  private constructor(name: string, program: ElfFile, debug: ElfFile, options: DebugInfoOptions) {
    this.slide = (options.slide ?? 0) >>> 0;
    const units = (this.#units = new Units(new DebugSections(debug), options.supply));
    const compileUnits = readCompileUnits(units);
    this.#lines = new LineIndex(units, codeOf(debug), compileUnits);
    this.map = AddressMap.fromElf(name, debug, this.slide, units, this.#lines);
    this.debugLink = debugLinkOf(program);
    this.#names = new Names(units);
    this.#types = new TypeReader((declared, wanted) => this.#definition(declared, wanted));
    this.#scopes = new Scopes();
    this.#unitRanges = new RangeIndex(
      compileUnits.flatMap((unit) => unit.ranges.map((range) => ({ range, value: unit }))),
    );
    this.#incomplete = compileUnits.filter(({ complete }) => !complete);
    this.#world = {
      slide: this.slide,
      functionAt: (address) => this.#functionScope(address),
      variableBytes: (die, frame) => {
        const variable = this.#variable(die, 'local');
        const read = readLocation(this.locate(variable, frame), sizeOf(variable.type), frame);
        return read.ok ? read.bytes : undefined;
      },
    };
    const tables = [
      new FrameTable(units.sections.get('frame'), 'debug_frame', 0, units.problems),
      ...[program, debug].flatMap((elf) => {
        const section = elf.section('.eh_frame');
        const bytes = section === undefined ? undefined : elf.sectionBytes(section);
        return bytes?.ok === true ? [new FrameTable(bytes.bytes, 'eh_frame', section!.address, units.problems)] : [];
      }),
    ];
    this.#unwinder = new Unwinder(
      {
        tables,
        slide: this.slide,
        functionStart: (address) => this.map.symbol(address)?.address ?? this.functionsAt(address).at(-1)?.entry,
        unit: units.units[0],
      },
      options.interrupted,
    );
  }

  /** Reads a linked i386 ELF file. @param name as the user knows the file */
  static open(name: string, bytes: Uint8Array, options: DebugInfoOptions = {}): DebugInfoResult {
    const program = parseElf(bytes);
    if (!program.ok) return { ok: false, reason: `${name}: ${program.reason}` };
    if (program.elf.type === Elf.ET_REL) {
      return { ok: false, reason: `${name}: an object file that is not linked yet, so that its code has no addresses` };
    }
    const { debugFile } = options;
    if (debugFile === undefined) return { ok: true, info: new DebugInfo(name, program.elf, program.elf, options) };
    const debug = parseElf(debugFile.bytes);
    if (!debug.ok) return { ok: false, reason: `${debugFile.name}: ${debug.reason}` };
    const [own, other] = [debugLinkOf(program.elf)?.buildId, debugLinkOf(debug.elf)?.buildId];
    if (own !== undefined && other !== undefined && own !== other) {
      const reason = `${debugFile.name}: the debug data of another build (build id ${other}) than ${name} (${own})`;
      return { ok: false, reason };
    }
    return { ok: true, info: new DebugInfo(name, program.elf, debug.elf, options) };
  }

  /** Parts of the debug data that cannot be used, a sentence each; grows as more is read. */
  get problems(): readonly string[] {
    return [...this.#units.sections.problems, ...this.#units.problems];
  }

  /** Whether there is more than symbols: types, variables, inlined calls. */
  get hasDebugData(): boolean {
    return this.#units.units.length > 0;
  }

  /**
   * The functions whose code an address is, the innermost inlined one first, the compiled function last. Empty where no debug data
   * knows the address. Of a caller's frame ask for `lookupPc`.
   */
  functionsAt(address: number): FunctionCode[] {
    const tree = this.#functionScope(address);
    if (tree === undefined) return [];
    return scopesAt(tree, this.#own(address))
      .filter(({ kind }) => kind !== 'block')
      .map((scope) => this.#functionCode(scope))
      .reverse();
  }

  /** Compiled functions of that name, without the copies that were inlined. @param name as `functionsAt` gives it */
  functionsNamed(name: string): FunctionCode[] {
    return this.#names
      .find(name, 'function')
      .map((die) => this.#scopes.tree(die))
      .filter(({ ranges }) => ranges.length > 0)
      .map((scope) => this.#functionCode(scope));
  }

  /** The parameters that a function of that name declares, also one that exists only as inlined copies; without a place in any frame. */
  parametersOf(name: string): Variable[] {
    for (const die of this.#names.find(name, 'function')) {
      const { variables } = this.#variableScope(this.#scopes.tree(die));
      const parameters = variables.filter(({ kind }) => kind === 'parameter');
      if (parameters.length > 0) return parameters;
    }
    return [];
  }

  /**
   * What is declared where the address is: the innermost block first, the function's parameters and outermost variables last.
   * @param level which of `functionsAt`: 0 is the innermost
   */
  scopesAt(address: number, level = 0): VariableScope[] {
    const tree = this.#functionScope(address);
    if (tree === undefined) return [];
    const chain = scopesAt(tree, this.#own(address)).reverse();
    const ends = chain.flatMap(({ kind }, i) => (kind === 'block' ? [] : [i]));
    const last = ends[level];
    if (last === undefined) return [];
    const first = level === 0 ? 0 : ends[level - 1]! + 1;
    return chain.slice(first, last + 1).map((scope) => this.#variableScope(scope));
  }

  /** The variable that a name means at an address: the innermost local, else a global. @param level as in `scopesAt` */
  variable(name: string, address: number, level = 0): Variable | undefined {
    for (const scope of this.scopesAt(address, level)) {
      const found = scope.variables.findLast((variable) => variable.name === name);
      if (found !== undefined) return found;
    }
    return this.global(name, address);
  }

  /** A variable outside functions: that of the unit of `near` before others, external before static ones. */
  global(name: string, near?: number): Variable | undefined {
    const unit = near === undefined ? undefined : this.#functionScope(near)?.die.unit;
    const own = unit === undefined ? undefined : this.#names.inUnit(unit, name, 'variable')[0];
    const all = own === undefined ? this.#names.find(name, 'variable') : [own];
    const die = all.find((one) => one.holder(DW_AT.external) !== undefined) ?? all[0];
    return die === undefined ? undefined : this.#variable(die, 'global');
  }

  /** Variables of that name in files whose path ends in `file`: what `'file.c'::name` means. */
  globalIn(file: string, name: string): Variable | undefined {
    const die = this.#names.find(name, 'variable').find(({ unit }) => {
      const path = unit.root?.string(DW_AT.name) ?? '';
      return path === file || path.endsWith(`/${file}`);
    });
    return die === undefined ? undefined : this.#variable(die, 'global');
  }

  /** A static variable of a function: what `function::name` means. */
  staticIn(functionName: string, name: string): Variable | undefined {
    const search = (scope: Scope): Die | undefined => {
      const own = scope.variables.findLast((die) => die.name === name);
      return own ?? scope.children.map(search).find((die) => die !== undefined);
    };
    for (const die of this.#names.find(functionName, 'function')) {
      const found = search(this.#scopes.tree(die));
      if (found !== undefined) return this.#variable(found, 'local');
    }
    return undefined;
  }

  /** All variables outside functions of the unit that holds an address. */
  globalsAt(address: number): Variable[] {
    const unit = this.#functionScope(address)?.die.unit;
    const children = unit?.root?.children() ?? [];
    return children
      .filter((die) => die.tag === DW_TAG.variable && (die.has(DW_AT.location) || die.has(DW_AT.const_value)))
      .map((die) => this.#variable(die, 'global'));
  }

  /** A type by what it is called: `struct` for `struct task_struct`. @param near whose unit is asked first */
  type(kind: 'struct' | 'union' | 'enum' | 'typedef' | 'base', name: string, near?: number): CType | undefined {
    const die = this.#nearest(name, near, kind);
    return die === undefined ? undefined : this.#types.read(die);
  }

  /** An enumerator with the type it belongs to. */
  enumerator(name: string, near?: number): { readonly value: bigint; readonly type: EnumType } | undefined {
    const die = this.#nearest(name, near, 'enumerator');
    const value = die?.value(DW_AT.const_value);
    if (die === undefined || value?.kind !== 'number') return undefined;
    const parent = this.#enumOf(die);
    return parent === undefined ? undefined : { value: value.exact ?? BigInt(value.value), type: parent };
  }

  /** Names of functions, variables and types that start so; sorted. */
  complete(prefix: string, limit: number): string[] {
    const kinds: NameKind[] = ['function', 'variable', 'typedef', 'enumerator'];
    return this.#names.complete(prefix, limit, ...kinds);
  }

  /** The frame of a stopped processor; its callers are `caller()`. */
  frame(registers: Registers, memory: ReadMemory, registerBytes?: (number: number) => Uint8Array | undefined): Frame {
    return this.#unwinder.innermost(registers, memory, registerBytes);
  }

  /** Where a variable is. @param frame may be left out for globals and statics; memory is then out of reach */
  locate(variable: Variable, frame?: Frame): Location {
    const { die } = variable;
    const constant = die.holder(DW_AT.const_value);
    const holder = die.holder(DW_AT.location);
    if (holder === undefined) return constant === undefined ? OPTIMIZED_OUT : constantOf(constant, variable.type);
    const at = this.#own(frame?.lookupPc ?? 0);
    const expression = expressionAt(holder, DW_AT.location, at);
    if (expression === undefined || expression.length === 0) return OPTIMIZED_OUT;
    const machine =
      frame === undefined ? { memory: () => 0, register: () => undefined } : machineOf(frame, this.#world);
    return evaluateLocation({ expression, unit: holder.unit, machine, slide: this.slide });
  }

  /** The variable that a pointer without a target pointed to (`Location` `implicit-pointer`). */
  pointee(target: Die): Variable {
    return this.#variable(target, 'local');
  }

  /** The variable's type with the lengths that only the frame knows. */
  typeIn(variable: Variable, frame: Frame): CType {
    return this.#resolveBounds(variable.type, frame, 0);
  }

  #resolveBounds(type: CType, frame: Frame, depth: number): CType {
    if (depth > 16) return type;
    if (type.kind === 'typedef' || type.kind === 'qualified') {
      const target = this.#resolveBounds(type.target, frame, depth + 1);
      return target === type.target ? type : { ...type, target };
    }
    if (type.kind === 'pointer' && stripped(type.target).kind === 'array') {
      const target = this.#resolveBounds(type.target, frame, depth + 1);
      return target === type.target ? type : { ...type, target };
    }
    if (type.kind !== 'array') return type;
    const element = this.#resolveBounds(type.element, frame, depth + 1);
    const count = type.bound === undefined ? type.count : this.#boundOf(type.bound.subrange, frame);
    return element === type.element && count === type.count ? type : { ...type, element, count };
  }

  #boundOf(subrange: Die, frame: Frame): number | undefined {
    for (const [attribute, more] of [
      [DW_AT.count, 0],
      [DW_AT.upper_bound, 1],
    ] as const) {
      const value = subrange.value(attribute);
      if (value === undefined) continue;
      const other = subrange.reference(attribute);
      const number =
        other !== undefined
          ? this.#numberOf(other, frame)
          : this.#number(expressionAt(subrange, attribute, this.#own(frame.lookupPc)), subrange, frame);
      return number === undefined ? undefined : Math.max(0, number + more);
    }
    return undefined;
  }

  /** Bounds are expressions whose answer is the number itself, by most compilers; a location of it by others. */
  #number(expression: Uint8Array | undefined, die: Die, frame: Frame): number | undefined {
    if (expression === undefined || expression.length === 0) return undefined;
    const machine = machineOf(frame, this.#world);
    const location = evaluateLocation({ expression, unit: die.unit, machine, slide: this.slide });
    if (location.kind === 'memory') return location.address | 0;
    const read = readLocation(location, 4, frame);
    return read.ok ? new DataView(read.bytes.buffer, read.bytes.byteOffset).getInt32(0, true) : undefined;
  }

  #numberOf(die: Die, frame: Frame): number | undefined {
    const variable = this.#variable(die, 'local');
    const read = readLocation(this.locate(variable, frame), 4, frame);
    return read.ok ? new DataView(read.bytes.buffer, read.bytes.byteOffset).getInt32(0, true) : undefined;
  }

  #own(address: number): number {
    return (address - this.slide) >>> 0;
  }

  #functionScope(address: number): Scope | undefined {
    const own = this.#own(address);
    for (const units of [this.#unitRanges.at(own), this.#incomplete]) {
      for (const { unit } of units) {
        const scope = this.#scopes.functionAt(unit.full, own);
        if (scope !== undefined) return scope;
      }
    }
    return undefined;
  }

  #nearest(name: string, near: number | undefined, kind: NameKind): Die | undefined {
    const unit = near === undefined ? undefined : this.#functionScope(near)?.die.unit;
    const own = unit === undefined ? undefined : this.#names.inUnit(unit, name, kind)[0];
    return own ?? this.#names.find(name, kind)[0];
  }

  #definition(declared: Die, name: string): Die | undefined {
    const kind =
      declared.tag === DW_TAG.union_type ? 'union' : declared.tag === DW_TAG.enumeration_type ? 'enum' : 'struct';
    return this.#names.inUnit(declared.unit, name, kind)[0] ?? this.#names.find(name, kind)[0];
  }

  #enumOf(enumerator: Die): EnumType | undefined {
    const holders = (enumerator.unit.root?.children() ?? []).filter(({ tag }) => tag === DW_TAG.enumeration_type);
    const holder = holders.findLast(({ offset }) => offset < enumerator.offset);
    const type = holder === undefined ? undefined : this.#types.read(holder);
    return type?.kind === 'enum' ? type : undefined;
  }

  #slid(ranges: readonly Range[]): Range[] {
    return ranges.map(({ start, end }) => {
      const moved = (start + this.slide) >>> 0;
      return { start: moved, end: moved + end - start };
    });
  }

  #functionCode(scope: Scope): FunctionCode {
    const { die } = scope;
    const entry = die.unit.entryOf(die);
    const types = this.#types;
    return {
      name: die.name ?? '<unnamed>',
      ranges: this.#slid(scope.ranges),
      entry: entry === undefined ? undefined : (entry + this.slide) >>> 0,
      inlined: scope.kind === 'inlined',
      call:
        scope.kind === 'inlined' ? this.#position(die, DW_AT.call_file, DW_AT.call_line, DW_AT.call_column) : undefined,
      declared: this.#declared(die),
      get type() {
        return types.functionType(die);
      },
      scope,
    };
  }

  #variableScope(scope: Scope): VariableScope {
    // The compiler's own, like the size of an array, have no name.
    const shown = scope.variables.filter(
      (die) =>
        die.name !== undefined &&
        !(die.flag(DW_AT.declaration) || (die.flag(DW_AT.external) && !die.has(DW_AT.location))),
    );
    return {
      ranges: this.#slid(scope.ranges),
      variables: shown.map((die) => this.#variable(die, 'local')),
    };
  }

  #variable(die: Die, kind: 'local' | 'global'): Variable {
    const types = this.#types;
    const parameter = die.tag === DW_TAG.formal_parameter;
    const location = die.holder(DW_AT.location)?.block(DW_AT.location);
    const fixed = kind === 'local' && location?.[0] === 0x03;
    let type: CType | undefined;
    return {
      name: die.name ?? '<unnamed>',
      kind: parameter ? 'parameter' : fixed ? 'static' : kind,
      get type() {
        return (type ??= types.typeOf(die));
      },
      declared: this.#declared(die),
      die,
    };
  }

  #declared(die: Die): SourcePosition | undefined {
    const holder = die.holder(DW_AT.decl_line);
    return holder === undefined ? undefined : this.#position(holder, DW_AT.decl_file, DW_AT.decl_line, undefined);
  }

  #position(die: Die, file: number, line: number, column: number | undefined): SourcePosition | undefined {
    const holder = die.holder(file);
    const number = holder?.number(file);
    const at = die.number(line);
    if (holder === undefined || number === undefined || at === undefined) return undefined;
    const root = (holder.unit.skeleton ?? holder.unit).root;
    const path = this.#lines.path(root?.number(DW_AT.stmt_list), number);
    const where = column === undefined ? undefined : die.number(column);
    return path === undefined
      ? undefined
      : { file: path, line: at, ...(where !== undefined && where > 0 && { column: where }) };
  }
}

function constantOf(die: Die, type: CType): Location {
  const value = die.value(DW_AT.const_value);
  if (value?.kind === 'block') return { kind: 'value', bytes: value.value };
  if (value?.kind === 'string') {
    return { kind: 'value', bytes: new TextEncoder().encode(`${value.value}\0`) };
  }
  if (value?.kind === 'number' || value?.kind === 'section-offset') {
    const exact = value.kind === 'number' ? value.exact : undefined;
    return { kind: 'value', bytes: toBytes(exact ?? BigInt(value.value), Math.max(1, sizeOf(type))) };
  }
  if (value?.kind === 'address') return { kind: 'value', bytes: toBytes(BigInt(value.value), 4) };
  return unavailable('its constant value has a form that is not known');
}
