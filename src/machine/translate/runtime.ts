// What the code of both tiers calls: TypeScript functions and the shared functions of the instructions, as imports and by their index in a
// module. Not who calls them (translation-emitter.ts) nor what they do (cpu/mmu.ts, cpu/region-access.ts, isa/shared-functions.ts).

import { SHARED_NAMES, type SharedFunction } from '../isa/shared-functions.ts';
import { I32 } from '../wasm/code.ts';
import type { ModuleBuilder } from '../wasm/module.ts';

/** The slow paths of accesses, faults, and ports. A fault goes to the mailbox. */
export interface SlowPaths {
  /** The value; a fault is only in the mailbox. */
  loadSlow(linear: number, bytes: number): number;
  /** 1 if it faulted. */
  storeSlow(linear: number, value: number, bytes: number): number;
  /** Linear-memory address to read at, or 0 if it faulted. */
  hostRead(linear: number, bytes: number): number;
  /** The same for writing; an address below 64 KiB is a bounce buffer that `commit` writes back. */
  hostWrite(linear: number, bytes: number): number;
  /** Writes the bounce buffer back. */
  commit(host: number): void;
  /** Linear address of a stack access in a segment that is not flat. `access`: bytes, with 256 added for a write. */
  stackLinear(offset: number, access: number): number;
  /** Linear address after the full check of the segment in a state slot; `access` as above. */
  segmentLinear(slot: number, offset: number, access: number): number;
  /** Fills the mailbox; error code -1: none. */
  raise(vector: number, errorCode: number): void;
  /** A port, bytes, the budget before the instruction; for a write the value in between. */
  portIn(port: number, bytes: number, budget: number): number;
  portOut(port: number, bytes: number, value: number, budget: number): void;
}

/** Their indices in a module, and those of the shared functions. */
export type Runtime = Readonly<Record<keyof SlowPaths, number>> & {
  /** Type of all entry functions: (i32 i32 i32 i32) -> (). */
  readonly type: number;
  readonly shared: Readonly<Record<SharedFunction, number>>;
};

/** Something of each shared function. */
export const sharedFunctions = <T>(of: (name: SharedFunction) => T): Record<SharedFunction, T> =>
  Object.fromEntries(SHARED_NAMES.map((name) => [name, of(name)])) as Record<SharedFunction, T>;

/** Declares the imports, in an order that is the same for every module. */
export const importSlowPaths = (builder: ModuleBuilder): Omit<Runtime, 'shared'> => {
  const type = builder.type([I32, I32, I32, I32], []);
  const one = builder.type([I32], []);
  const two = builder.type([I32, I32], []);
  const twoToOne = builder.type([I32, I32], [I32]);
  const threeToOne = builder.type([I32, I32, I32], [I32]);
  return {
    type,
    loadSlow: builder.import('loadSlow', twoToOne),
    storeSlow: builder.import('storeSlow', threeToOne),
    hostRead: builder.import('hostRead', twoToOne),
    hostWrite: builder.import('hostWrite', twoToOne),
    commit: builder.import('commit', one),
    stackLinear: builder.import('stackLinear', twoToOne),
    segmentLinear: builder.import('segmentLinear', threeToOne),
    raise: builder.import('raise', two),
    portIn: builder.import('portIn', threeToOne),
    portOut: builder.import('portOut', builder.type([I32, I32, I32, I32], [])),
  };
};
