// The threaded tier's module: every instruction form of the table and the micro-operations (address entries, block ends) as functions
// in one table. Built once per machine. Not the instructions themselves (isa/) and not their emission context (threaded-emitter.ts).

import { Code, I32 } from '../wasm/code.ts';
import { ModuleBuilder } from '../wasm/module.ts';
import type { Row, Semantics } from '../isa/row.ts';
import { ValueEmitter } from '../isa/value-emitter.ts';
import { SHARED, type SharedFunction } from '../isa/shared-functions.ts';
import { dispatch } from './entry-function.ts';
import { atSiteFunction } from './fault-function.ts';
import { MemoryKind, type ThreadedRuntime } from './form.ts';
import { controlFunctions, microOperations, type MicroSlots } from './micro-operations.ts';
import { auxiliaryFunction } from './region/flag-kinds.ts';
import { type Miss, missFunctions, type MissPaths, MISSES } from './miss-functions.ts';
import { importSlowPaths, sharedFunctions, type SlowPaths } from './runtime.ts';
import { ThreadedEmitter } from './threaded-emitter.ts';

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
  /** Table slot of a form; throws if the table lacks it: a bug of ours. */
  slot(
    row: Row,
    size: 16 | 32,
    memory: number,
    genericStack: boolean,
    limitedCode: boolean,
    addressSize: 16 | 32,
    repeat: number,
  ): number;
  /** Table slot of the row's prologue. */
  prologueSlot(row: Row, size: 16 | 32, genericStack: boolean): number;
  /** Slots of `instance.table` that are its own; REGION_SLOTS free ones come behind them. */
  readonly tableUsed: number;
  /** The instance in use. */
  readonly instance: ThreadedInstance;
  /**
   * Takes a new instance with a new table, whose region slots are empty. V8 holds every instance that imported a table for as long as the
   * table lives, so this is the one way to give regions back to the host. No translated code may be running.
   */
  renew(): void;
  readonly formCount: number;
  readonly moduleBytes: number;
}

/** Room for regions in the table: each module that imports it costs time by its size. */
export const REGION_SLOTS = 4096;

const regionMiss = (name: Miss): string => `region.${name}`;
const byMiss = <T>(of: (name: Miss) => T): Record<Miss, T> =>
  Object.fromEntries(MISSES.map((name) => [name, of(name)])) as Record<Miss, T>;

class PlainValues extends ValueEmitter {}

const key = (
  rowIndex: number,
  size: number,
  memory: number,
  generic: boolean,
  limited: boolean,
  address: number,
  repeat: number,
): number =>
  rowIndex * 256 +
  (size === 16 ? 1 : 0) +
  memory * 2 +
  (generic ? 8 : 0) +
  (address === 16 ? 16 : 0) +
  (repeat === 0xf2 ? 64 : repeat === 0xf3 ? 128 : 0) +
  (limited ? 32 : 0);

const memoryKinds = (row: Row): readonly number[] => {
  for (const { kind } of row.operands) {
    if (kind === 'X') return [MemoryKind.ea];
    if (kind === 'O') return [MemoryKind.base, MemoryKind.ea];
    if (kind === 'M') return [MemoryKind.base, MemoryKind.indexed, MemoryKind.ea];
    if (kind === 'E' || kind === 'W' || kind === 'Q')
      return [MemoryKind.none, MemoryKind.base, MemoryKind.indexed, MemoryKind.ea];
  }
  return [MemoryKind.none];
};
const sizes = (row: Row): readonly (16 | 32)[] => {
  if (row.onlySize !== 0) return [row.onlySize];
  return row.sized || row.operands.some((o) => o.bits === 0 || o.bits === -1 || o.kind === 'J') ? [32, 16] : [32];
};

/** The row's size to look a form up by: rows without 16-bit forms answer with 32. */
export const formSize = (row: Row, operandSize: 16 | 32): 16 | 32 =>
  sizes(row).includes(operandSize) ? operandSize : sizes(row)[0]!;

/** @param instantiated hears of each new instance */
export const buildThreadedModule = (
  rows: readonly Row[],
  memory: WebAssembly.Memory,
  imports: RuntimeImports,
  instantiated: (instance: ThreadedInstance) => void = () => undefined,
): ThreadedModule => {
  const builder = new ModuleBuilder(memory.buffer.byteLength / 65536, { imported: false, size: REGION_SLOTS });
  const imported = importSlowPaths(builder);
  const { type } = imported;
  const helper = builder.import('helper', builder.type([I32, I32, I32], [I32]));
  const importMiss = (name: Miss): number =>
    builder.import(regionMiss(name), builder.type(name === 'storeSlow' ? [I32, I32, I32] : [I32, I32], [I32]));
  const regionSlow = byMiss(importMiss);
  const leftSite = builder.import('atSite', builder.type([], [I32]));
  const shared = sharedFunctions((name) => {
    const { parameters, code } = SHARED[name];
    const index = builder.function(builder.type(parameters, [I32]), code());
    builder.export(name, index);
    return index;
  });
  const control = controlFunctions(builder, type, helper, shared.fillTranslation);
  builder.export('jumpMiss', control.jumpMiss);
  const runtime: ThreadedRuntime = {
    ...imported,
    ...missFunctions(builder, imported, shared.fillTranslation),
    ...control,
    shared,
  };
  const ofRegions = missFunctions(builder, regionSlow, shared.fillTranslation);
  for (const name of MISSES) builder.export(regionMiss(name), ofRegions[name]);

  const add = (code: Code): number => builder.element(builder.function(type, code));
  const gotoRow = {
    mnemonic: 'goto',
    operands: [{ kind: 'J', bits: 32 }],
    sized: false,
    semantics: (e: ThreadedEmitter) => e.jump(0),
  } as unknown as Row;
  const plain = {
    size: 32,
    memory: MemoryKind.none,
    genericStack: false,
    limitedCode: false,
    addressSize: 32,
    repeat: 0,
  } as const;
  const micro: MicroSlots = {
    ...microOperations(add, control, type, runtime.segmentLinear),
    helper: builder.element(control.callHelper),
    goto: add(new ThreadedEmitter(runtime, { row: gotoRow, ...plain }).emit()),
  };

  const prologues = new Map<Semantics, number[]>();
  const addPrologue = (row: Row, prologue: Semantics): void => {
    if (prologues.has(prologue)) return;
    const bare: Row = { ...row, operands: [], semantics: prologue };
    const forms = [16, 32].flatMap((size) =>
      [false, true].map((genericStack) => ({ ...plain, row: bare, size: size as 16 | 32, genericStack })),
    );
    prologues.set(
      prologue,
      forms.map((form) => add(new ThreadedEmitter(runtime, form).emit())),
    );
  };
  const slots = new Map<number, number>();
  const indexOf = new Map<Row, number>();
  rows.forEach((row, index) => {
    indexOf.set(row, index);
    if (row.semantics === undefined) return;
    if (row.prologue !== undefined) addPrologue(row, row.prologue);
    const byAddress = row.operands.some((o) => o.kind === 'Y');
    for (const size of sizes(row))
      for (const memoryKind of memoryKinds(row))
        for (const genericStack of row.stack ? [false, true] : [false])
          for (const limitedCode of row.near ? [false, true] : [false])
            for (const addressSize of byAddress ? ([32, 16] as const) : ([32] as const))
              for (const repeat of row.string ? [0, 0xf2, 0xf3] : [0]) {
                const form = { row, size, memory: memoryKind, genericStack, limitedCode, addressSize, repeat };
                const code = new ThreadedEmitter(runtime, form).emit();
                slots.set(key(index, size, memoryKind, genericStack, limitedCode, addressSize, repeat), add(code));
              }
  });

  const r = new Code(3);
  dispatch(r, type, 0, 1, 2);
  builder.export('run', builder.function(builder.type([I32, I32, I32], []), r));

  const auxiliary = builder.function(
    builder.type([I32, I32, I32, I32], [I32]),
    auxiliaryFunction((code) => new PlainValues(code)),
  );
  builder.export('auxiliary', auxiliary);
  const { enterGate } = shared;
  builder.export('atSite', atSiteFunction(builder, { auxiliary, enterGate, atSite: leftSite }));

  const bytes = builder.build();
  const module = new WebAssembly.Module(bytes);
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
  let instance = instantiate();
  return {
    micro,
    get instance() {
      return instance;
    },
    renew() {
      instance = instantiate();
    },
    slot(row, size, memoryKind, genericStack, limitedCode, addressSize, repeat) {
      const slot = slots.get(
        key(
          indexOf.get(row)!,
          size,
          memoryKind,
          row.stack && genericStack,
          limitedCode && row.near,
          row.operands.some((o) => o.kind === 'Y') ? addressSize : 32,
          row.string ? repeat : 0,
        ),
      );
      if (slot === undefined) throw new Error(`no form of ${row.mnemonic} for size ${size}, memory ${memoryKind}`);
      return slot;
    },
    prologueSlot: (row, size, genericStack) =>
      prologues.get(row.prologue!)![(size === 32 ? 2 : 0) + (genericStack ? 1 : 0)]!,
    tableUsed: builder.elementCount,
    formCount: slots.size,
    moduleBytes: bytes.length,
  };
};
