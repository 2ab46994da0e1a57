// A program of several files: one that it began with, and others that are loaded into it while it runs (a kernel and its modules). Asked like one file:
// a question about an address is answered by the file that has it, one about a name by the file at hand, then the first, then the others that were
// read. Which files there are at the moment is the caller's (`Parts`); each has the addresses where it lies.
import type { AddressMap } from './address-map.ts';
import type { DebugInfo } from './debug-info.ts';
import type { Variable } from './declarations.ts';
import type { Die } from './dwarf/die.ts';
import type { LinePlace } from './dwarf/line-index.ts';
import { matchPaths } from './paths.ts';
import { Unwinder, type InterruptHook } from './unwind/unwinder.ts';

/** What can be asked of lines and symbols. */
export type CodeMap = Omit<Pick<AddressMap, keyof AddressMap>, 'table'>;

/** What can be asked of debug data. */
export type ProgramInfo = Omit<Pick<DebugInfo, keyof DebugInfo>, 'map' | 'functionsNamed' | 'owns' | 'openLoaded'> & {
  readonly map: CodeMap;
  /** @param near whose file is asked first */
  functionsNamed(name: string, near?: number): ReturnType<DebugInfo['functionsNamed']>;
};

/** The files that are loaded at this moment. A file is read when it is asked for. */
export interface Parts {
  /** The one that an address belongs to. */
  at(address: number): DebugInfo | undefined;
  /** Those that have been read. */
  readonly open: readonly DebugInfo[];
  /** Those that name a source file like that. */
  naming(file: string): readonly DebugInfo[];
}

class Joined {
  constructor(
    readonly first: DebugInfo,
    readonly parts: Parts,
  ) {}

  /** The file of an address; the first one where no file has it. */
  of(address: number): DebugInfo {
    if (this.first.map.symbol(address) !== undefined) return this.first;
    return this.parts.at(address) ?? this.first;
  }
  /** In the order in which they are asked for a name. */
  *order(near?: number): Generator<DebugInfo> {
    const home = near === undefined ? this.first : this.of(near);
    yield home;
    if (home !== this.first) yield this.first;
    for (const info of this.parts.open) if (info !== home) yield info;
  }
  /** The first answer. */
  ask<T>(near: number | undefined, question: (info: DebugInfo, near?: number) => T | undefined): T | undefined {
    let home = near;
    for (const info of this.order(near)) {
      const answer = question(info, home);
      if (answer !== undefined) return answer;
      home = undefined;
    }
    return undefined;
  }
  owner(die: Die): DebugInfo {
    return this.first.owns(die) ? this.first : (this.parts.open.find((info) => info.owns(die)) ?? this.first);
  }
}

/** Lines and symbols of all files. */
class JoinedMap implements CodeMap {
  constructor(private readonly joined: Joined) {}

  private get first(): AddressMap {
    return this.joined.first.map;
  }
  private get all(): readonly AddressMap[] {
    return [...this.joined.order()].map(({ map }) => map);
  }
  private of(address: number): AddressMap {
    return this.joined.of(address).map;
  }

  get name(): string {
    return this.first.name;
  }
  get slide(): number {
    return this.first.slide;
  }
  get problems(): readonly string[] {
    return this.first.problems;
  }
  get hasSymbols(): boolean {
    return this.first.hasSymbols;
  }
  get hasLines(): boolean {
    return this.first.hasLines;
  }

  locate(address: number): ReturnType<AddressMap['locate']> {
    return this.of(address).locate(address);
  }
  describe(address: number): string {
    return this.of(address).describe(address);
  }
  lookup(symbol: string): number | undefined {
    return this.symbol(symbol)?.address;
  }
  symbol(nameOrAddress: string | number): ReturnType<AddressMap['symbol']> {
    if (typeof nameOrAddress === 'number') return this.of(nameOrAddress).symbol(nameOrAddress);
    return this.joined.ask(undefined, ({ map }) => map.symbol(nameOrAddress));
  }
  functionsNamed(name: string): ReturnType<AddressMap['functionsNamed']> {
    return this.all.flatMap((map) => map.functionsNamed(name));
  }
  symbolsInRange(start: number, end: number): ReturnType<AddressMap['symbolsInRange']> {
    return this.all.flatMap((map) => map.symbolsInRange(start, end)).sort((a, b) => a.address - b.address);
  }
  lineSpan(address: number): ReturnType<AddressMap['lineSpan']> {
    return this.of(address).lineSpan(address);
  }
  bodyOf(symbol: Parameters<AddressMap['bodyOf']>[0]): number {
    return this.of(symbol.address).bodyOf(symbol);
  }

  files(): string[] {
    return [...new Set(this.all.flatMap((map) => map.files()))].sort();
  }
  matchFiles(file: string): string[] {
    const matches = [this.first, ...this.joined.parts.naming(file).map(({ map }) => map)].map((map) =>
      map.matchFiles(file),
    );
    return matchPaths(new Set(matches.flat()), file);
  }
  /** The maps whose file is the best match of all. */
  private matching(file: string): AddressMap[] {
    const best = new Set(this.matchFiles(file));
    return [this.first, ...this.joined.parts.naming(file).map(({ map }) => map)].filter((map) =>
      map.matchFiles(file).some((path) => best.has(path)),
    );
  }
  lineToAddresses(file: string, line: number): number[] {
    return this.matching(file)
      .flatMap((map) => map.lineToAddresses(file, line))
      .sort((a, b) => a - b);
  }
  statements(file: string, from: number, to: number): LinePlace[] {
    return this.matching(file)
      .flatMap((map) => map.statements(file, from, to))
      .sort((a, b) => a.line - b.line || a.address - b.address || a.column - b.column);
  }
}

class JoinedInfo implements ProgramInfo {
  readonly map: CodeMap;
  readonly #joined: Joined;
  readonly #unwinder: Unwinder;

  constructor(first: DebugInfo, parts: Parts, interrupted: InterruptHook | undefined) {
    const joined = (this.#joined = new Joined(first, parts));
    this.map = new JoinedMap(joined);
    this.#unwinder = new Unwinder((address) => joined.of(address).unwindSources, interrupted);
  }

  get slide(): number {
    return this.#joined.first.slide;
  }
  get debugLink(): DebugInfo['debugLink'] {
    return this.#joined.first.debugLink;
  }
  get problems(): readonly string[] {
    return [...this.#joined.order()].flatMap(({ problems }) => problems);
  }
  get hasDebugData(): boolean {
    return this.#joined.first.hasDebugData;
  }
  get unwindSources(): DebugInfo['unwindSources'] {
    return this.#joined.first.unwindSources;
  }

  functionsAt(address: number): ReturnType<DebugInfo['functionsAt']> {
    return this.#joined.of(address).functionsAt(address);
  }
  functionsNamed(name: string, near?: number): ReturnType<DebugInfo['functionsNamed']> {
    return [...this.#joined.order(near)].flatMap((info) => info.functionsNamed(name));
  }
  inlinedEntries(name: string): number[] {
    return [...this.#joined.order()].flatMap((info) => info.inlinedEntries(name));
  }
  inlinedInto(outer: Parameters<DebugInfo['inlinedInto']>[0]): ReturnType<DebugInfo['inlinedInto']> {
    return this.#joined.owner(outer.scope.die).inlinedInto(outer);
  }
  parametersOf(name: string): Variable[] {
    const known = (info: DebugInfo): Variable[] | undefined => {
      const parameters = info.parametersOf(name);
      return parameters.length === 0 ? undefined : parameters;
    };
    return this.#joined.ask(undefined, known) ?? [];
  }
  scopesAt(address: number, level?: number): ReturnType<DebugInfo['scopesAt']> {
    return this.#joined.of(address).scopesAt(address, level);
  }
  globalsAt(address: number): readonly Variable[] {
    return this.#joined.of(address).globalsAt(address);
  }

  meaning(name: string, address?: number, level?: number): ReturnType<DebugInfo['meaning']> {
    return this.#joined.ask(address, (info, near) => info.meaning(name, near, near === undefined ? 0 : level));
  }
  hidesType(name: string, address?: number, level?: number): boolean {
    const hides = this.#joined.ask(address, (info, near) => info.hidesType(name, near, level) || undefined);
    return hides === true;
  }
  hurriedly<T>(question: () => T, hurried?: boolean): T {
    return this.#joined.first.hurriedly(question, hurried);
  }
  indexSome(): number {
    return this.#joined.first.indexSome();
  }
  global(name: string, near?: number): Variable | undefined {
    return this.#joined.ask(near, (info, at) => info.global(name, at));
  }
  globalIn(file: string, name: string): Variable | undefined {
    return this.#joined.ask(undefined, (info) => info.globalIn(file, name));
  }
  staticIn(functionName: string, name: string): Variable | undefined {
    return this.#joined.ask(undefined, (info) => info.staticIn(functionName, name));
  }
  type(...[kind, name, near]: Parameters<DebugInfo['type']>): ReturnType<DebugInfo['type']> {
    return this.#joined.ask(near, (info, at) => info.type(kind, name, at));
  }
  enumerator(name: string, near?: number): ReturnType<DebugInfo['enumerator']> {
    return this.#joined.ask(near, (info, at) => info.enumerator(name, at));
  }
  complete(prefix: string, limit: number): string[] {
    const found = [...this.#joined.order()].flatMap((info) => info.complete(prefix, limit));
    return [...new Set(found)].sort().slice(0, limit);
  }

  frame(...[registers, memory, registerBytes]: Parameters<DebugInfo['frame']>): ReturnType<DebugInfo['frame']> {
    return this.#unwinder.innermost(registers, memory, registerBytes);
  }
  locate(variable: Variable, frame?: Parameters<DebugInfo['locate']>[1]): ReturnType<DebugInfo['locate']> {
    return this.#joined.owner(variable.die).locate(variable, frame);
  }
  pointee(target: Die): Variable {
    return this.#joined.owner(target).pointee(target);
  }
  typeIn(...[variable, frame]: Parameters<DebugInfo['typeIn']>): ReturnType<DebugInfo['typeIn']> {
    return this.#joined.owner(variable.die).typeIn(variable, frame);
  }
}

/** @param interrupted finds what interrupts and exceptions interrupted */
export const joinProgram = (first: DebugInfo, parts: Parts, interrupted?: InterruptHook): ProgramInfo =>
  new JoinedInfo(first, parts, interrupted);
