// Compiles the functions of several regions as one WebAssembly module and gives them slots in the tables of entry functions. Not the
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
 * Modules that one table is given to: V8 holds every instance that imported a table for as long as the table lives, and each takes memory mappings of the host
 * and 20 bytes for each slot of the table.
 */
const MOST_MODULES = 400;
/** Slots for regions that the table has at first. V8 makes room for twice as many where there are too few. */
const LEAST_SLOTS = 128;

const importName = (name: Miss): string => `${name}Again`;

export class RegionCompiler {
  readonly runtime: RegionRuntime;
  private readonly imports: Record<string, WebAssembly.ImportValue>;
  /**
   * The table of the functions that regions leave to: the micro-operations, with which blocks begin, and regions, in the same slots as in the table of all entry
   * functions. Each module has a copy of it, and the forms are many.
   */
  private table: WebAssembly.Table;
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
    const { auxiliary, shared, atSite, goto, jumpMiss, next, regionMisses } = this.threaded.instance;
    const ways = { ...this.outside, ...regionMisses };
    const functions = accessFunctions(this.memory, ways);
    const again = Object.fromEntries(MISSES.map((name) => [importName(name), functions[name]]));
    this.table = this.emptyTable();
    this.imports = { memory: this.memory, auxiliary, atSite, goto, jumpMiss, next, ...shared, ...ways, ...again };
  }

  private emptyTable(): WebAssembly.Table {
    const { firstRegion, instance } = this.threaded;
    const initial = firstRegion + LEAST_SLOTS;
    const table = new WebAssembly.Table({ element: 'anyfunc', initial, maximum: firstRegion + REGION_SLOTS });
    for (let slot = 0; slot < firstRegion; slot++) table.set(slot, instance.table.get(slot));
    return table;
  }
  /** All regions are gone, and none is running: begins again with an empty table, the one way to give them back to the host. */
  renew(): void {
    const { firstRegion, instance } = this.threaded;
    for (let slot = firstRegion; slot < firstRegion + this.used; slot++) instance.table.set(slot, null);
    this.table = this.emptyTable();
    this.free.length = 0;
    this.used = 0;
    this.modules = 0;
  }

  private builder(): ModuleBuilder {
    return new ModuleBuilder(this.memory.buffer.byteLength / 65536, this.threaded.firstRegion);
  }
  /** The types and imports of every module, in the same order. */
  private declare(builder: ModuleBuilder): RegionRuntime {
    return {
      ...importSlowPaths(builder),
      auxiliary: builder.import('auxiliary', builder.type([I32, I32, I32, I32, I32], [I32])),
      goto: builder.import('goto', builder.type([I32, I32, I32], [])),
      jumpMiss: builder.import('jumpMiss', builder.type([I32, I32, I32], [])),
      next: builder.import('next', builder.type([I32, I32, I32, I32], [])),
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
    const env = { ...this.imports, table: this.table };
    const instance = new WebAssembly.Instance(new WebAssembly.Module(builder.build()), { env });
    this.modules++;
    this.compiled++;
    return functions.map((_, i) => {
      const slot = this.free.pop() ?? this.nextSlot();
      this.set(slot, instance.exports[`r${i}`]);
      return slot;
    });
  }
  private nextSlot(): number {
    const slot = this.threaded.firstRegion + this.used++;
    const { length } = this.table;
    if (slot === length) this.table.grow(Math.min(length, this.threaded.firstRegion + REGION_SLOTS - length));
    return slot;
  }
  private set(slot: number, region: unknown): void {
    this.table.set(slot, region);
    this.threaded.instance.table.set(slot, region);
  }
  /** No entry leads to the region any more: its slot may be used again. */
  release(slot: number): void {
    this.set(slot, null);
    this.free.push(slot);
  }
}
