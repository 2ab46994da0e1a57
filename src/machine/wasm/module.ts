// A WebAssembly module under construction: types, imports, functions, one table's elements, exports.
// Not function bodies: see code.ts. WebAssembly core specification 2.0, section 5.5.

import { ByteWriter, type Code, type ValueType } from './code.ts';

interface FunctionType {
  readonly parameters: readonly ValueType[];
  readonly results: readonly ValueType[];
}

export class ModuleBuilder {
  private readonly types: FunctionType[] = [];
  private readonly imports: { module: string; name: string; type: number }[] = [];
  private readonly functions: { type: number; body: Uint8Array }[] = [];
  private readonly exports: { name: string; index: number }[] = [];
  private readonly elements: number[] = [];

  /** @param memoryPages exact size of the imported memory `env.memory`. */
  constructor(private readonly memoryPages: number) {}

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
    this.functions.push({ type, body: code.body() });
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

  build(): Uint8Array<ArrayBuffer> {
    const out = new ByteWriter();
    out.append(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
    const section = (id: number, fill: (w: ByteWriter) => void): void => {
      const w = new ByteWriter();
      fill(w);
      out.byte(id);
      out.unsigned(w.length);
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
      w.unsigned(this.imports.length + 1);
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
      w.unsigned(this.memoryPages);
      w.unsigned(this.memoryPages);
    });
    section(3, (w) => {
      w.unsigned(this.functions.length);
      for (const f of this.functions) w.unsigned(f.type);
    });
    section(4, (w) => {
      w.unsigned(1);
      w.byte(0x70);
      w.byte(1);
      w.unsigned(this.elements.length);
      w.unsigned(this.elements.length);
    });
    section(7, (w) => {
      w.unsigned(this.exports.length);
      for (const e of this.exports) {
        w.name(e.name);
        w.byte(0);
        w.unsigned(e.index);
      }
    });
    section(9, (w) => {
      w.unsigned(1);
      w.unsigned(0);
      w.byte(0x41);
      w.signed(0);
      w.byte(0x0b);
      w.unsigned(this.elements.length);
      for (const e of this.elements) w.unsigned(e);
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
