// A WebAssembly module under construction: types, imports, functions, one table's elements, exports.
// Not function bodies: see code.ts. WebAssembly core specification 2.0, section 5.5.

import { ByteWriter, type Code, type ValueType } from './code.ts';

interface FunctionType {
  readonly parameters: readonly ValueType[];
  readonly results: readonly ValueType[];
}

/** Bytes of a number below 2^32 in LEB128 that can be overwritten by any other. */
const PADDED = 5;
const padded = (value: number): Uint8Array =>
  Uint8Array.from({ length: PADDED }, (_, i) => ((value >>> (7 * i)) & 0x7f) | (i < PADDED - 1 ? 0x80 : 0));

/** In place of a function's index: the slot of the table is empty. */
const EMPTY = -1;

/** Gives the memory of a built module another exact size. `at`: the builder's `memoryLimits`. */
export const setMemoryPages = (bytes: Uint8Array, at: number, pages: number): void => {
  bytes.set(padded(pages), at);
  bytes.set(padded(pages), at + PADDED);
};

/** What a module and its sections are written into: hundreds are built, and what each would leave behind fills the host's memory until V8 looks. */
const built = new ByteWriter();
const sections = new ByteWriter();

export class ModuleBuilder {
  private readonly types: FunctionType[] = [];
  private readonly imports: { module: string; name: string; type: number }[] = [];
  private readonly functions: { readonly type: number; readonly code: Code }[] = [];
  private readonly exports: { name: string; index: number }[] = [];
  private readonly elements: number[] = [];
  /** Where the memory's size stands in what `build` made: for `setMemoryPages`. */
  memoryLimits = 0;

  /**
   * @param memoryPages exact size of the imported memory `env.memory`
   * @param importedTable `env.table` has at least this size; without, the module's own table has the functions of `element` and is exported
   */
  constructor(
    private readonly memoryPages: number,
    private readonly importedTable?: number,
  ) {}

  type(parameters: readonly ValueType[], results: readonly ValueType[]): number {
    const key = `${parameters.join()}>${results.join()}`;
    const known = this.types.findIndex((t) => `${t.parameters.join()}>${t.results.join()}` === key);
    if (known >= 0) return known;
    this.types.push({ parameters, results });
    return this.types.length - 1;
  }

  /** All imports come before the first function: their indices share one space. */
  import(name: string, type: number): number {
    if (this.functions.length > 0) throw new Error('imports come before functions');
    this.imports.push({ module: 'env', name, type });
    return this.imports.length - 1;
  }

  function(type: number, code: Code): number {
    this.functions.push({ type, code });
    return this.imports.length + this.functions.length - 1;
  }

  export(name: string, func: number): void {
    this.exports.push({ name, index: func });
  }

  /** Appends a function to the table; returns its slot. */
  element(func: number): number {
    this.elements.push(func);
    return this.elements.length - 1;
  }
  /** Leaves slots of the table empty; returns the first. */
  emptyElements(count: number): number {
    for (let i = 0; i < count; i++) this.elements.push(EMPTY);
    return this.elements.length - count;
  }

  get elementCount(): number {
    return this.elements.length;
  }
  /** Runs of slots with functions, by their first and their end. */
  private elementRuns(): { readonly first: number; readonly end: number }[] {
    const runs: { first: number; end: number }[] = [];
    this.elements.forEach((func, slot) => {
      if (func === EMPTY) return;
      const last = runs.at(-1);
      if (last?.end === slot) last.end++;
      else runs.push({ first: slot, end: slot + 1 });
    });
    return runs;
  }

  /** The bytes, which the next module that is built overwrites. */
  build(): Uint8Array<ArrayBuffer> {
    const out = built;
    out.length = 0;
    out.append(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
    const section = (id: number, fill: (w: ByteWriter) => void): void => {
      const w = sections;
      w.length = 0;
      fill(w);
      out.byte(id);
      out.unsigned(w.length);
      if (id === 2) this.memoryLimits += out.length;
      out.append(w.bytes.subarray(0, w.length));
    };
    section(1, (w) => {
      w.unsigned(this.types.length);
      for (const t of this.types) {
        w.byte(0x60);
        w.unsigned(t.parameters.length);
        for (const p of t.parameters) w.byte(p);
        w.unsigned(t.results.length);
        for (const r of t.results) w.byte(r);
      }
    });
    section(2, (w) => {
      w.unsigned(this.imports.length + (this.importedTable !== undefined ? 2 : 1));
      for (const i of this.imports) {
        w.name(i.module);
        w.name(i.name);
        w.byte(0);
        w.unsigned(i.type);
      }
      w.name('env');
      w.name('memory');
      w.byte(2);
      w.byte(1);
      this.memoryLimits = w.length;
      w.append(padded(this.memoryPages));
      w.append(padded(this.memoryPages));
      if (this.importedTable === undefined) return;
      w.name('env');
      w.name('table');
      w.byte(1);
      w.byte(0x70);
      w.byte(0);
      w.unsigned(this.importedTable);
    });
    section(3, (w) => {
      w.unsigned(this.functions.length);
      for (const f of this.functions) w.unsigned(f.type);
    });
    const ownTable = this.importedTable === undefined;
    if (ownTable)
      section(4, (w) => {
        w.unsigned(1);
        w.byte(0x70);
        w.byte(1);
        w.unsigned(this.elements.length);
        w.unsigned(this.elements.length);
      });
    section(7, (w) => {
      w.unsigned(this.exports.length + (ownTable ? 1 : 0));
      if (ownTable) {
        w.name('table');
        w.byte(1);
        w.unsigned(0);
      }
      for (const e of this.exports) {
        w.name(e.name);
        w.byte(0);
        w.unsigned(e.index);
      }
    });
    if (ownTable)
      section(9, (w) => {
        const runs = this.elementRuns();
        w.unsigned(runs.length);
        for (const { first, end } of runs) {
          w.unsigned(0);
          w.byte(0x41);
          w.signed(first);
          w.byte(0x0b);
          w.unsigned(end - first);
          for (const e of this.elements.slice(first, end)) w.unsigned(e);
        }
      });
    const hinted = this.functions.flatMap(({ code }, i) => (code.hinted ? [i] : []));
    // Branch hinting proposal: hosts that do not know it skip the section.
    if (hinted.length > 0)
      section(0, (w) => {
        w.name('metadata.code.branch_hint');
        w.unsigned(hinted.length);
        for (const i of hinted) {
          w.unsigned(this.imports.length + i);
          this.functions[i]!.code.writeHints(w);
        }
      });
    section(10, (w) => {
      w.unsigned(this.functions.length);
      for (const { code } of this.functions) code.writeBody(w);
    });
    return out.bytes.subarray(0, out.length);
  }
}
