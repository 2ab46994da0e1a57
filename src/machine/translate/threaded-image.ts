// The code of the threaded tier's module as bytes: every instruction form and the micro-operations (address entries, block ends) as functions
// of one table. It depends on nothing but the instruction table, so a build makes it once (prepared-image.ts). Not the instructions
// themselves (isa/), not their emission context (threaded-emitter.ts), not the module of a machine (threaded-module.ts).

import { rows } from '../isa/table.ts';
import type { Row } from '../isa/row.ts';
import { SHARED } from '../isa/shared-functions.ts';
import { ValueEmitter } from '../isa/value-emitter.ts';
import { Code, I32 } from '../wasm/code.ts';
import { ModuleBuilder } from '../wasm/module.ts';
import { dispatch, dispatchNext } from './entry-function.ts';
import { atSiteFunction } from './fault-function.ts';
import { MemoryKind, type ThreadedRuntime } from './form.ts';
import { visitForms } from './forms.ts';
import { controlFunctions, microOperations, type MicroSlots } from './micro-operations.ts';
import { type Miss, missFunctions, MISSES } from './miss-functions.ts';
import { auxiliaryFunction } from './region/flag-kinds.ts';
import { importSlowPaths, sharedFunctions } from './runtime.ts';
import { ThreadedEmitter } from './threaded-emitter.ts';

/** Room for regions in the table of all entry functions. */
export const REGION_SLOTS = 4096;

export interface ThreadedImage {
  /** A WebAssembly module. Where its memory's size stands it says so many pages as the memory has: `setMemoryPages` of wasm/module.ts. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Offset of the memory's limits in `bytes`. */
  readonly memoryLimits: number;
  readonly micro: MicroSlots;
  /** REGION_SLOTS empty slots, behind those of the micro-operations: regions leave to no others than these and those (region/region-module.ts). */
  readonly firstRegion: number;
  /** Slot of the first form (forms.ts). */
  readonly firstForm: number;
}

/** The name under which the module has the miss functions of regions. */
export const regionMiss = (name: Miss): string => `region.${name}`;
export const byMiss = <T>(of: (name: Miss) => T): Record<Miss, T> =>
  Object.fromEntries(MISSES.map((name) => [name, of(name)])) as Record<Miss, T>;

class PlainValues extends ValueEmitter {}

export const emitThreadedImage = (): ThreadedImage => {
  const builder = new ModuleBuilder(1);
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
  builder.export('goto', control.goto);
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
    memoryOperand: -1,
    sized: false,
    semantics: (e: ThreadedEmitter) => e.jump(0),
  } as unknown as Row;
  const micro: MicroSlots = {
    ...microOperations(add, control, type, runtime.segmentLinear),
    helper: builder.element(control.callHelper),
    goto: add(
      new ThreadedEmitter(runtime, {
        row: gotoRow,
        size: 32,
        memory: MemoryKind.none,
        genericStack: false,
        limitedCode: false,
        addressSize: 32,
        repeat: 0,
      }).emit(),
    ),
  };
  const firstRegion = builder.emptyElements(REGION_SLOTS);
  const firstForm = builder.elementCount;
  visitForms(rows, (form) => add(new ThreadedEmitter(runtime, form).emit()));

  const r = new Code(3);
  dispatch(r, type, 0, 1, 2);
  builder.export('run', builder.function(builder.type([I32, I32, I32], []), r));
  const n = new Code(4);
  dispatchNext(n, type);
  builder.export('next', builder.function(type, n));

  const auxiliary = builder.function(
    builder.type([I32, I32, I32, I32, I32], [I32]),
    auxiliaryFunction((code) => new PlainValues(code)),
  );
  builder.export('auxiliary', auxiliary);
  const { enterGate } = shared;
  builder.export('atSite', atSiteFunction(builder, { auxiliary, enterGate, atSite: leftSite }));

  const bytes = builder.build().slice();
  return { bytes, memoryLimits: builder.memoryLimits, micro, firstRegion, firstForm };
};
