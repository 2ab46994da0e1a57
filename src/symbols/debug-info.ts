// Everything a source-level debugger asks of one program's debug data: functions and inlined calls at an address, scopes and variables,
// types, where a variable is in a frame, callers. The one door to dwarf/, unwind/ and types.ts; lines and symbols are `map`. Addresses in and
// out are where the program runs: the file's own plus the slide, modulo 2^32. Never throws, whatever the file holds.
import { AddressMap } from './address-map.ts';
import { DebugData, type DebugFiles } from './debug-data.ts';
import type { DebugLink } from './debug-link.ts';
import { addressOf, Definitions } from './definitions.ts';
import {
  Declarations,
  type FunctionCode,
  type SourcePosition,
  type Variable,
  type VariableScope,
} from './declarations.ts';
import { DW_AT, DW_TAG } from './dwarf/constants.ts';
import type { Die } from './dwarf/die.ts';
import { entryOf } from './dwarf/inlined.ts';
import type { NameKind } from './dwarf/names.ts';
import { scopesAt, type Scope } from './dwarf/scopes.ts';
import type { Unit } from './dwarf/unit.ts';
import type { Location, ReadMemory } from './location-value.ts';
import type { SectionPlace } from './object-file.ts';
import type { SymbolInfo } from './symbol-table.ts';
import type { CType, EnumType } from './types.ts';
import { Unwinder, type Frame, type InterruptHook, type Registers, type UnwindSources } from './unwind/unwinder.ts';
import { VariablePlaces } from './variable-places.ts';

export type { FunctionCode, SourcePosition, Variable, VariableScope };

export interface DebugInfoOptions extends DebugFiles {
  /** Added to the file's addresses, modulo 2^32: where a relocated kernel runs. May be negative. */
  readonly slide?: number;
  /** Finds what interrupts and exceptions interrupted. */
  readonly interrupted?: InterruptHook;
}

/** What a name means. */
export type Meaning =
  | { readonly kind: 'variable'; readonly variable: Variable }
  | { readonly kind: 'function'; readonly code: FunctionCode }
  | { readonly kind: 'enumerator'; readonly value: bigint; readonly type: EnumType };

export type DebugInfoResult =
  | { readonly ok: true; readonly info: DebugInfo }
  /** One sentence that starts with the file's name. */
  | { readonly ok: false; readonly reason: string };

export class DebugInfo {
  readonly slide: number;
  /** By which callers are found. */
  readonly unwindSources: UnwindSources;
  readonly #declarations: Declarations;
  readonly #definitions: Definitions;
  readonly #places: VariablePlaces;
  readonly #unwinder: Unwinder;
  /** The editor asks at every stop. */
  readonly #globals = new Map<Unit, readonly Variable[]>();

  private constructor(
    private readonly data: DebugData,
    /** Lines and symbols: the fast way for what needs no types. */
    readonly map: AddressMap,
    interrupted: InterruptHook | undefined,
  ) {
    this.slide = map.slide;
    this.#declarations = new Declarations(data, this.slide);
    this.#definitions = new Definitions(data, map.table, this.slide);
    this.#places = new VariablePlaces(data, this.#declarations, this.slide);
    this.unwindSources = {
      tables: data.frameTables,
      slide: this.slide,
      functionStart: (address) => this.map.symbol(address)?.address ?? this.functionsAt(address).at(-1)?.entry,
      unit: data.units.units[0],
    };
    this.#unwinder = new Unwinder(() => this.unwindSources, interrupted);
  }

  /** Reads a linked i386 ELF file. @param name as the user knows the file */
  static open(name: string, bytes: Uint8Array, options: DebugInfoOptions = {}): DebugInfoResult {
    const opened = DebugData.open(name, bytes, options);
    return opened.ok ? { ok: true, info: DebugInfo.of(opened.data, options) } : opened;
  }

  /** Of files that are open already: cheap, so that a program that was moved is looked at anew. */
  static of(data: DebugData, { slide = 0, interrupted }: Omit<DebugInfoOptions, keyof DebugFiles> = {}): DebugInfo {
    return new DebugInfo(data, AddressMap.fromElf(data.name, data.elf, slide, data.units, data.lines), interrupted);
  }

  /** Of a program of which only symbols are known: callers are found by prologues and frame pointers. */
  static ofSymbols(map: AddressMap, interrupted?: InterruptHook): DebugInfo {
    return new DebugInfo(DebugData.none(), map, interrupted);
  }

  /** An object file that was loaded into this program as it is, a module of a kernel for one. @param places where its sections are */
  openLoaded(name: string, bytes: Uint8Array, places: readonly SectionPlace[]): DebugInfoResult {
    return DebugInfo.open(name, bytes, { places, host: this.data });
  }

  /** By which a separate debug file is found; undefined if the program names none. */
  get debugLink(): DebugLink | undefined {
    return this.data.debugLink;
  }

  /** Parts of the debug data that cannot be used, a sentence each; grows as more is read. */
  get problems(): readonly string[] {
    return this.data.problems;
  }

  /** Whether there is more than symbols: types, variables, inlined calls. */
  get hasDebugData(): boolean {
    return this.data.units.units.length > 0;
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
      .map((scope) => this.#declarations.functionCode(scope))
      .reverse();
  }

  /** Compiled functions of that name, without the copies that were inlined. @param name as `functionsAt` gives it */
  functionsNamed(name: string): FunctionCode[] {
    return this.#functionEntries(name).map((die) => this.#declarations.functionCode(this.data.scopes.tree(die)));
  }

  /** Where the inlined copies of functions of that name begin, in ascending order. @throws NamesWanted where hurried */
  inlinedEntries(name: string): number[] {
    const entries = this.data.inlined.find(name).flatMap((die) => {
      const entry = entryOf(die);
      return entry === undefined || !this.data.isLoaded({ start: entry, end: entry + 1 }) ? [] : [entry];
    });
    return [...new Set(entries)].map((entry) => (entry + this.slide) >>> 0).sort((a, b) => a - b);
  }

  /** The calls that were inlined directly into a function, those in its blocks too. */
  inlinedInto({ scope }: FunctionCode): FunctionCode[] {
    return inlinedScopes(scope)
      .filter(({ ranges }) => ranges.length > 0)
      .map((inlined) => this.#declarations.functionCode(inlined));
  }

  /** Whether an entry is of this debug data. */
  owns({ unit }: Die): boolean {
    return (unit.skeleton ?? unit).owner === this.data.units;
  }

  /** The parameters that a function of that name declares, also one that exists only as inlined copies; without a place in any frame. */
  parametersOf(name: string): Variable[] {
    for (const die of this.data.names.find(name, 'function')) {
      const { variables } = this.#declarations.variableScope(this.data.scopes.tree(die));
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
    return chain.slice(first, last + 1).map((scope) => this.#declarations.variableScope(scope));
  }

  /**
   * What a name means at an address, as C has it: the innermost local, what its unit defines or declares, what other units have. Where the symbol table
   * tells whose a name is, no other unit is read.
   * @param level as in `scopesAt`
   */
  meaning(name: string, address?: number, level = 0): Meaning | undefined {
    const variable = (found: Variable): Meaning => ({ kind: 'variable', variable: found });
    const local = address === undefined ? undefined : this.#local(name, address, level);
    if (local !== undefined) return variable(local);
    const unit = this.#unitOf(address);
    const own = this.#inUnit(unit, name, 'variable') ?? undefined;
    if (own !== undefined) return variable(this.#declarations.variable(own, 'global'));
    const functions = unit === undefined ? [] : this.#withCode(this.data.names.inUnit(unit, name, 'function'));
    const constant = functions.length > 0 ? undefined : this.#inUnit(unit, name, 'enumerator');
    const enumerator = constant === undefined ? undefined : this.#enumeratorOf(constant);
    if (enumerator !== undefined) return { kind: 'enumerator', ...enumerator };
    const global = functions.length > 0 ? undefined : this.#bySymbol(name, unit);
    if (global !== undefined) return variable(global);
    const [die] = functions.length > 0 ? functions : this.#functionEntries(name);
    if (die !== undefined)
      return { kind: 'function', code: this.#declarations.functionCode(this.data.scopes.tree(die)) };
    if (this.#symbolSuffices(name)) return undefined;
    const far = this.global(name, address);
    if (far !== undefined) return variable(far);
    const other = this.enumerator(name, address);
    return other === undefined ? undefined : { kind: 'enumerator', ...other };
  }

  /** Whether a name means a variable, function or enumerator before it means a type: one in sight, or one that the unit knows as no type. */
  hidesType(name: string, address?: number, level = 0): boolean {
    if (address !== undefined && this.#local(name, address, level) !== undefined) return true;
    const unit = this.#unitOf(address);
    if (this.#inUnit(unit, name, 'variable', 'declared', 'function') !== undefined) return true;
    return this.#inUnit(unit, name, 'typedef') === undefined && this.map.symbol(name) !== undefined;
  }

  /** A variable outside functions: that of the unit of `near` before others; of several the one that the symbol table means, then external ones. */
  global(name: string, near?: number): Variable | undefined {
    const unit = this.#unitOf(near);
    const own = this.#inUnit(unit, name, 'variable');
    if (own !== undefined) return this.#declarations.variable(own, 'global');
    const symbol = this.#bySymbol(name, unit);
    if (symbol !== undefined) return symbol;
    if (this.#symbolSuffices(name)) return undefined;
    const all = this.data.names.find(name, 'variable');
    const address = this.map.lookup(name);
    const die =
      (address === undefined ? undefined : all.find((one) => addressOf(one) === this.#own(address))) ??
      all.find((one) => one.holder(DW_AT.external) !== undefined) ??
      all[0];
    return die === undefined ? undefined : this.#declarations.variable(die, 'global');
  }

  /** Variables of that name in files whose path ends in `file`: what `'file.c'::name` means. */
  globalIn(file: string, name: string): Variable | undefined {
    for (const { unit, name: named } of this.data.compileUnits) {
      const path = named ?? unit.full.root?.string(DW_AT.name);
      if (path !== file && path?.endsWith(`/${file}`) !== true) continue;
      const die = this.#inUnit(unit.full, name, 'variable');
      if (die !== undefined) return this.#declarations.variable(die, 'global');
    }
    return undefined;
  }

  /** A static variable of a function: what `function::name` means. */
  staticIn(functionName: string, name: string): Variable | undefined {
    const search = (scope: Scope): Die | undefined => {
      const own = scope.variables.findLast((die) => die.name === name);
      return own ?? scope.children.map(search).find((die) => die !== undefined);
    };
    const among = (functions: readonly Die[]): Variable | undefined => {
      for (const die of functions) {
        const found = search(this.data.scopes.tree(die));
        if (found !== undefined) return this.#declarations.variable(found, 'local');
      }
      return undefined;
    };
    return among(this.#functionEntries(functionName)) ?? among(this.data.names.find(functionName, 'function'));
  }

  /** All variables outside functions of the unit that holds an address. */
  globalsAt(address: number): readonly Variable[] {
    const unit = this.#functionScope(address)?.die.unit;
    if (unit === undefined) return [];
    let globals = this.#globals.get(unit);
    if (globals === undefined) {
      globals = (unit.root?.children() ?? [])
        .filter((die) => die.tag === DW_TAG.variable && (die.has(DW_AT.location) || die.has(DW_AT.const_value)))
        .map((die) => this.#declarations.variable(die, 'global'));
      this.#globals.set(unit, globals);
    }
    return globals;
  }

  /** A type by what it is called: `struct` for `struct task_struct`. @param near whose unit is asked first */
  type(kind: 'struct' | 'union' | 'enum' | 'typedef' | 'base', name: string, near?: number): CType | undefined {
    const die = this.#nearest(name, near, kind);
    return die === undefined ? undefined : this.data.types.read(die);
  }

  /** An enumerator with the type it belongs to. */
  enumerator(name: string, near?: number): { readonly value: bigint; readonly type: EnumType } | undefined {
    const die = this.#nearest(name, near, 'enumerator');
    return die === undefined ? undefined : this.#enumeratorOf(die);
  }

  /** Asks what shall not take long: what would need the names of the whole file throws `NamesWanted`. */
  hurriedly<T>(question: () => T, hurried = true): T {
    const { names } = this.data;
    const before = names.hurried;
    names.hurried = hurried;
    try {
      return question();
    } finally {
      names.hurried = before;
    }
  }
  /** Goes on reading names, or a search for inlined copies, for a few hundredths of a second; how much of that is done, from 0 to 1. */
  indexSome(): number {
    const { names, inlined } = this.data;
    return names.complete ? inlined.searchSome() : names.indexSome();
  }

  /** Names of functions, variables and types that start so; sorted. */
  complete(prefix: string, limit: number): string[] {
    const kinds: NameKind[] = ['function', 'variable', 'typedef', 'enumerator'];
    return this.data.names.startingWith(prefix, limit, ...kinds);
  }

  /** The frame of a stopped processor; its callers are `caller()`. */
  frame(registers: Registers, memory: ReadMemory, registerBytes?: (number: number) => Uint8Array | undefined): Frame {
    return this.#unwinder.innermost(registers, memory, registerBytes);
  }

  /** Where a variable is. @param frame may be left out for globals and statics; memory is then out of reach */
  locate(variable: Variable, frame?: Frame): Location {
    return this.#places.locate(variable, frame);
  }

  /** The variable that a pointer without a target pointed to (`Location` `implicit-pointer`). */
  pointee(target: Die): Variable {
    return this.#declarations.variable(target, 'local');
  }

  /** The variable's type with the lengths that only the frame knows. */
  typeIn(variable: Variable, frame: Frame): CType {
    return this.#places.typeIn(variable, frame);
  }

  #functionScope(address: number): Scope | undefined {
    return this.data.functionScope(this.#own(address));
  }

  #unitOf(address: number | undefined): Unit | undefined {
    return address === undefined ? undefined : this.#functionScope(address)?.die.unit;
  }

  #inUnit(unit: Unit | undefined, name: string, ...kinds: readonly NameKind[]): Die | undefined {
    return unit === undefined ? undefined : this.data.names.inUnit(unit, name, ...kinds)[0];
  }

  #local(name: string, address: number, level: number): Variable | undefined {
    for (const scope of this.scopesAt(address, level)) {
      const found = scope.variables.findLast((variable) => variable.name === name);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** The variable of a symbol, by the unit that defines it, or else as a unit declares it. */
  #bySymbol(name: string, unit: Unit | undefined): Variable | undefined {
    const symbol = this.#symbolOf(name);
    if (symbol === undefined || symbol.kind === 'function') return undefined;
    const { found } = this.#definitions.variable(symbol);
    if (found !== undefined) return this.#declarations.variable(found, 'global');
    const declared = symbol.global ? this.#inUnit(unit, name, 'declared') : undefined;
    return declared === undefined ? undefined : this.#declarations.variable(declared, 'global', symbol.address);
  }

  /** The symbol of a name, where symbols tell what is defined. */
  #symbolOf(name: string): SymbolInfo | undefined {
    return this.#definitions.usable ? this.map.symbol(name) : undefined;
  }

  /** Whether a name is only a symbol: of that name no unit has a variable. */
  #symbolSuffices(name: string): boolean {
    const symbol = this.#symbolOf(name);
    return symbol !== undefined && (symbol.kind === 'function' || this.#definitions.variable(symbol).sure);
  }

  #functionEntries(name: string): Die[] {
    if (this.#definitions.usable) return this.#definitions.functions(name);
    return this.#withCode(this.data.names.find(name, 'function'));
  }
  #withCode(functions: readonly Die[]): Die[] {
    return functions.filter((die) => this.data.scopes.tree(die).ranges.some((range) => this.data.isLoaded(range)));
  }

  #enumeratorOf(die: Die): { readonly value: bigint; readonly type: EnumType } | undefined {
    const value = die.value(DW_AT.const_value);
    const type = value?.kind === 'number' ? this.#declarations.enumOf(die) : undefined;
    return value?.kind !== 'number' || type === undefined
      ? undefined
      : { value: value.exact ?? BigInt(value.value), type };
  }

  #nearest(name: string, near: number | undefined, kind: NameKind): Die | undefined {
    return this.data.nearest(name, near === undefined ? undefined : this.#own(near), kind);
  }

  #own(address: number): number {
    return (address - this.slide) >>> 0;
  }
}

const inlinedScopes = (scope: Scope): Scope[] =>
  scope.children.flatMap((child) => (child.kind === 'inlined' ? [child] : inlinedScopes(child)));
