// The threaded tier's module: compiled once for each size of memory, instantiated for each machine. Not its code (threaded-image.ts) and not
// which form lies where (forms.ts).

import type { SharedFunction } from '../isa/shared-functions.ts';
import { rows } from '../isa/table.ts';
import { setMemoryPages } from '../wasm/module.ts';
import { FormSlots } from './forms.ts';
import type { MicroSlots } from './micro-operations.ts';
import { type Miss, type MissPaths, MISSES } from './miss-functions.ts';
import { preparedImage } from './prepared-image.ts';
import { sharedFunctions, type SlowPaths } from './runtime.ts';
import { byMiss, emitThreadedImage, regionMiss, type ThreadedImage } from './threaded-image.ts';

/** What the threaded tier imports. */
export interface RuntimeImports extends SlowPaths {
  /** (entry, budget, offset) -> retired instructions, or a HelperCall (cpu/helper-calls.ts). */
  helper(entry: number, budget: number, offset: number): number;
  /** For regions: cpu/helper-calls.ts. */
  atSite(): number;
  /** What the regions' accesses come to where the emitted page walk does not do (cpu/region-access.ts). */
  readonly regionMisses: MissPaths;
}

export interface ThreadedInstance {
  /** The table of all entry functions. */
  readonly table: WebAssembly.Table;
  /** (kind, result, a, b) -> auxiliary flag word (region/flag-kinds.ts). */
  auxiliary(kind: number, result: number, a: number, b: number): number;
  readonly shared: Readonly<Record<SharedFunction, WebAssembly.ExportValue>>;
  /** For regions: `atSite`, but faults in the ordinary case are delivered at once. */
  readonly atSite: WebAssembly.ExportValue;
  /** (eip, budget, tlb): goes on where the jump cache has no line that counts. */
  readonly jumpMiss: WebAssembly.ExportValue;
  /** The misses of regions: the emitted page walk, then `regionMisses`. */
  readonly regionMisses: Readonly<Record<Miss, WebAssembly.ExportValue>>;
  /** Runs from an entry until something needs the run loop. State says why. */
  run(entry: number, budget: number, tlb: number): void;
}

export interface ThreadedModule {
  readonly micro: MicroSlots;
  readonly forms: FormSlots;
  /** Slots of `instance.table` that are its own; REGION_SLOTS free ones come behind them. */
  readonly tableUsed: number;
  /** The instance in use. */
  readonly instance: ThreadedInstance;
  /**
   * Takes a new instance with a new table, whose region slots are empty. V8 holds every instance that imported a table for as long as the
   * table lives, so this is the one way to give regions back to the host. No translated code may be running.
   */
  renew(): void;
}

/** The image, emitted when it is first asked for. */
let image = preparedImage;
let slots: FormSlots | undefined;
/** The module last compiled: machines of one process mostly have the same size, and share what V8 has optimized. */
let compiled: { readonly pages: number; readonly module: WebAssembly.Module } | undefined;

const compile = ({ bytes, memoryLimits }: ThreadedImage, pages: number): WebAssembly.Module => {
  if (compiled?.pages !== pages) {
    setMemoryPages(bytes, memoryLimits, pages);
    compiled = { pages, module: new WebAssembly.Module(bytes) };
  }
  return compiled.module;
};

/** @param instantiated hears of each new instance */
export const buildThreadedModule = (
  memory: WebAssembly.Memory,
  imports: RuntimeImports,
  instantiated: (instance: ThreadedInstance) => void = () => undefined,
): ThreadedModule => {
  image ??= emitThreadedImage();
  slots ??= new FormSlots(rows, image.firstForm);
  const module = compile(image, memory.buffer.byteLength / 65536);
  const instantiate = (): ThreadedInstance => {
    const { regionMisses, ...own } = imports;
    const ofRegion = Object.fromEntries(MISSES.map((name) => [regionMiss(name), regionMisses[name]]));
    const { exports } = new WebAssembly.Instance(module, { env: { memory, ...own, ...ofRegion } });
    const made: ThreadedInstance = {
      table: exports['table'] as WebAssembly.Table,
      auxiliary: exports['auxiliary'] as ThreadedInstance['auxiliary'],
      shared: sharedFunctions((name) => exports[name]!),
      regionMisses: byMiss((name) => exports[regionMiss(name)]!),
      atSite: exports['atSite']!,
      jumpMiss: exports['jumpMiss']!,
      run: exports['run'] as ThreadedInstance['run'],
    };
    instantiated(made);
    return made;
  };
  // No accessor in it: V8 makes an object with one a dictionary, and this one is asked for each instruction that is decoded.
  const built = {
    micro: image.micro,
    forms: slots,
    instance: instantiate(),
    renew(): void {
      built.instance = instantiate();
    },
    tableUsed: image.tableUsed,
  };
  return built;
};
