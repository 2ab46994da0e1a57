// Compiles the functions of several regions as one WebAssembly module and gives them slots in the table of all entry functions. Not the
// functions (region-function.ts) and not when (regions.ts). One module for many: most of its cost is its own (V8: some 100 microseconds).

import { type Code, I32 } from '../../wasm/code.ts';
import { ModuleBuilder } from '../../wasm/module.ts';
import type { RegionAccess } from '../../cpu/region-access.ts';
import { SHARED } from '../../isa/x87-functions.ts';
import { REGION_SLOTS, type ThreadedModule } from '../forms.ts';
import { importSlowPaths, sharedFunctions, type SlowPaths } from '../runtime.ts';
import type { RegionRuntime } from './region-frame.ts';

/** Modules alive at most: each takes memory mappings of the host and some 24 KB besides its code. */
const MOST_MODULES = 1000;

/** Where a compiled region is: its table slot, and how many regions of its module are still used. */
export interface Compiled {
  readonly slot: number;
  readonly module: { live: number };
}

export class RegionCompiler {
  readonly runtime: RegionRuntime;
  private readonly imports: Record<string, WebAssembly.ImportValue>;
  private readonly free: number[] = [];
  private used = 0;
  private modules = 0;
  /** Modules compiled so far. */
  compiled = 0;

  constructor(
    private readonly memory: WebAssembly.Memory,
    private readonly threaded: ThreadedModule,
    imports: SlowPaths,
    access: RegionAccess,
  ) {
    this.runtime = this.declare(this.builder());
    this.imports = {
      memory,
      table: threaded.table,
      auxiliary: threaded.auxiliary,
      ...threaded.shared,
      ...imports,
      ...access,
    };
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
      auxiliary: builder.import('auxiliary', builder.type([I32, I32, I32, I32], [I32])),
      shared: sharedFunctions((name) => builder.import(name, builder.type(SHARED[name].parameters, [I32]))),
    };
  }

  /** Is there room for one more module of so many functions? */
  hasRoom(functions: number): boolean {
    return REGION_SLOTS - this.used + this.free.length >= functions && this.modules < MOST_MODULES;
  }
  /** The functions in their order. There must be room. */
  compile(functions: readonly Code[]): Compiled[] {
    const builder = this.builder();
    const { type } = this.declare(builder);
    functions.forEach((code, i) => builder.export(`r${i}`, builder.function(type, code)));
    const instance = new WebAssembly.Instance(new WebAssembly.Module(builder.build()), { env: this.imports });
    this.modules++;
    const module = { live: functions.length };
    this.compiled++;
    return functions.map((_, i) => {
      const slot = this.free.pop() ?? this.threaded.tableUsed + this.used++;
      this.threaded.table.set(slot, instance.exports[`r${i}`]);
      return { slot, module };
    });
  }
  /** No entry leads to the region any more: its slot may be used again, and the host may take its module back. */
  release({ slot, module }: Compiled): void {
    this.threaded.table.set(slot, null);
    this.free.push(slot);
    if (--module.live === 0) this.modules--;
  }
}
