// The contract of snapshots: what a part of the machine with state of its own gives and takes. Not the memory's pages (page-versions.ts) and
// not when snapshots are taken (debugger/history.ts).
//
// - Each part lists its own state; a part that owns others saves them with it. Constants, caches and what is derived stay out, and the
//   part makes them good when it loads.
// - What is saved is plain data that nothing changes afterwards: numbers, strings, booleans, immutable objects, copies of typed arrays.
// - Large arrays are not part of it: `StateArray`s are saved by pages, those that changed.
// - Saving changes nothing that the guest, or a later save, could see. Loading is exact: a run from there goes as it went.
// - It is taken between two calls of the run loop, never inside one.
//
// A field that is forgotten is found by test/debugger/snapshot.spec.ts, which compares every object that the machine reaches.

/** A part with state of its own. */
export interface Persistent<State> {
  saveState(): State;
  /** Inverse of `saveState` of the same part. */
  loadState(state: State): void;
}

/** State that is large: it is saved by pages of 4096 bytes, and compared to find those that changed. */
export interface StateArray {
  readonly bytes: Uint8Array;
  /** Calls back with the numbers of pages that may have changed since the last call; left out: any page may have. */
  readonly takeChanged?: (visit: (page: number) => void) => void;
}

/** A typed array as a `StateArray`. */
export const stateArray = (array: {
  readonly buffer: ArrayBufferLike;
  readonly byteOffset: number;
  readonly byteLength: number;
}): StateArray => ({
  bytes: new Uint8Array(array.buffer, array.byteOffset, array.byteLength),
});

/** The named fields of a part; each value must be a number, a string, a boolean, undefined or an object that never changes. */
export const saveFields = <Part, Field extends keyof Part>(part: Part, fields: readonly Field[]): Pick<Part, Field> => {
  const state = {} as Pick<Part, Field>;
  for (const field of fields) state[field] = part[field];
  return state;
};
