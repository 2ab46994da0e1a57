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

/** Gives the memory of a built module another exact size. `at`: the builder's `memoryLimits`. */
export const setMemoryPages = (bytes: Uint8Array, at: number, pages: number): void => {
  bytes.set(padded(pages), at);
  bytes.set(padded(pages), at + PADDED);
};

export class ModuleBuilder {
  private readonly types: FunctionType[] = [];
  private readonly imports: { module: string; name: string; type: number }[] = [];
  private readonly functions: { type: number; body: Uint8Array; hints: readonly number[] }[] = [];
  private readonly exports: { name: string; index: number }[] = [];
  private readonly elements: number[] = [];
  /** Where the memory's size stands in what `build` made: for `setMemoryPages`. */
  memoryLimits = 0;

  /**
   * @param memoryPages exact size of the imported memory `env.memory`
   * @param table `env.table`: exported with the functions of `element` and this much room behind them, or imported with at least this size
   */
  constructor(
    private readonly memoryPages: number,
    private readonly table: { readonly imported: boolean; readonly size: number } = { imported: false, size: 0 },
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
    const { bytes, hints } = code.body();
    this.functions.push({ type, body: bytes, hints });
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

  get elementCount(): number {
    return this.elements.length;
  }

  build(): Uint8Array<ArrayBuffer> {
    const out = new ByteWriter();
    out.append(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
    const section = (id: number, fill: (w: ByteWriter) => void): void => {
      const w = new ByteWriter();
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
      w.unsigned(this.imports.length + (this.table.imported ? 2 : 1));
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
      if (!this.table.imported) return;
      w.name('env');
      w.name('table');
      w.byte(1);
      w.byte(0x70);
      w.byte(0);
      w.unsigned(this.table.size);
    });
    section(3, (w) => {
      w.unsigned(this.functions.length);
      for (const f of this.functions) w.unsigned(f.type);
    });
    const slots = this.elements.length + this.table.size;
    if (!this.table.imported)
      section(4, (w) => {
        w.unsigned(1);
        w.byte(0x70);
        w.byte(1);
        w.unsigned(slots);
        w.unsigned(slots);
      });
    section(7, (w) => {
      w.unsigned(this.exports.length + (this.table.imported ? 0 : 1));
      if (!this.table.imported) {
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
    if (!this.table.imported)
      section(9, (w) => {
        w.unsigned(1);
        w.unsigned(0);
        w.byte(0x41);
        w.signed(0);
        w.byte(0x0b);
        w.unsigned(this.elements.length);
        for (const e of this.elements) w.unsigned(e);
      });
    const hinted = this.functions.flatMap((f, i) => (f.hints.length > 0 ? [i] : []));
    // Branch hinting proposal: hosts that do not know it skip the section.
    if (hinted.length > 0)
      section(0, (w) => {
        w.name('metadata.code.branch_hint');
        w.unsigned(hinted.length);
        for (const i of hinted) {
          const { hints } = this.functions[i]!;
          w.unsigned(this.imports.length + i);
          w.unsigned(hints.length / 2);
          for (let k = 0; k < hints.length; k += 2) {
            w.unsigned(hints[k]!);
            w.unsigned(1);
            w.byte(hints[k + 1]!);
          }
        }
      });
    section(10, (w) => {
      w.unsigned(this.functions.length);
      for (const f of this.functions) {
        w.unsigned(f.body.length);
        w.append(f.body);
      }
    });
    return out.take() as Uint8Array<ArrayBuffer>;
  }
}
