// Compiles the functions of several regions as one WebAssembly module and gives them slots in the table of all entry functions. Not the
// functions (region-function.ts) and not when (regions.ts). One module for many: most of its cost is its own (V8: some 100 microseconds).

import { type Code, I32, type ValueType } from '../../wasm/code.ts';
import { ModuleBuilder } from '../../wasm/module.ts';
import { SHARED } from '../../isa/shared-functions.ts';
import { REGION_SLOTS } from '../threaded-image.ts';
import type { ThreadedModule } from '../threaded-module.ts';
import { type Miss, MISSES } from '../miss-functions.ts';
import { importSlowPaths, sharedFunctions, type SlowPaths } from '../runtime.ts';
import { accessFunctions, AGAIN_PARAMETERS } from './access-functions.ts';
import type { RegionRuntime } from './region-frame.ts';

/**
 * Modules that one table is given to: they live as long as it does (threaded-module.ts `renew`), and each takes memory mappings of the host and some 100 KB for
 * its copy of the table.
 */
const MOST_MODULES = 400;

const importName = (name: Miss): string => `${name}Again`;

export class RegionCompiler {
  readonly runtime: RegionRuntime;
  private imports: Record<string, WebAssembly.ImportValue>;
  private readonly free: number[] = [];
  private used = 0;
  /** Modules that import the present table. */
  private modules = 0;
  /** Modules compiled so far. */
  compiled = 0;

  constructor(
    private readonly memory: WebAssembly.Memory,
    private readonly threaded: ThreadedModule,
    private readonly outside: Omit<SlowPaths, Miss>,
  ) {
    this.runtime = this.declare(this.builder());
    this.imports = this.present();
  }

  private present(): Record<string, WebAssembly.ImportValue> {
    const { table, auxiliary, shared, atSite, jumpMiss, regionMisses } = this.threaded.instance;
    const outside = { ...this.outside, ...regionMisses };
    const functions = accessFunctions(this.memory, outside);
    const again = Object.fromEntries(MISSES.map((name) => [importName(name), functions[name]]));
    return { memory: this.memory, table, auxiliary, atSite, jumpMiss, ...shared, ...outside, ...again };
  }
  /** All regions are gone: begins again with an empty table. */
  renew(): void {
    this.threaded.renew();
    this.imports = this.present();
    this.free.length = 0;
    this.used = 0;
    this.modules = 0;
  }

  private builder(): ModuleBuilder {
    return new ModuleBuilder(this.memory.buffer.byteLength / 65536, {
      imported: true,
      size: this.threaded.tableUsed + REGION_SLOTS,
    });
  }
  /** The types and imports of every module, in the same order. */
  private declare(builder: ModuleBuilder): RegionRuntime {
    return {
      ...importSlowPaths(builder),
      auxiliary: builder.import('auxiliary', builder.type([I32, I32, I32, I32, I32], [I32])),
      jumpMiss: builder.import('jumpMiss', builder.type([I32, I32, I32], [])),
      atSite: builder.import('atSite', builder.type([], [I32])),
      again: Object.fromEntries(
        MISSES.map((name) => {
          const parameters = Array.from({ length: AGAIN_PARAMETERS[name] }, () => I32 as ValueType);
          return [name, builder.import(importName(name), builder.type(parameters, [I32]))];
        }),
      ) as RegionRuntime['again'],
      shared: sharedFunctions((name) => builder.import(name, builder.type(SHARED[name].parameters, [I32]))),
    };
  }

  /** Is there room for one more module of so many functions? */
  hasRoom(functions: number): boolean {
    return REGION_SLOTS - this.used + this.free.length >= functions && this.modules < MOST_MODULES;
  }
  /** The table slots of the functions, in their order. There must be room. */
  compile(functions: readonly Code[]): number[] {
    const builder = this.builder();
    const { type } = this.declare(builder);
    functions.forEach((code, i) => builder.export(`r${i}`, builder.function(type, code)));
    const instance = new WebAssembly.Instance(new WebAssembly.Module(builder.build()), { env: this.imports });
    this.modules++;
    this.compiled++;
    return functions.map((_, i) => {
      const slot = this.free.pop() ?? this.threaded.tableUsed + this.used++;
      this.threaded.instance.table.set(slot, instance.exports[`r${i}`]);
      return slot;
    });
  }
  /** No entry leads to the region any more: its slot may be used again. */
  release(slot: number): void {
    this.threaded.instance.table.set(slot, null);
    this.free.push(slot);
  }
}
