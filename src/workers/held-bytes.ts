// How much host memory plain data takes, as snapshots have it (machine/snapshot.ts): about, for keeping it below a limit. Not what engines of
// JavaScript really reserve.

/** A pointer with what it points to, an element of an array, a member of an object. */
const VALUE = 8;
/** An array or object itself. */
const HEADER = 32;

/** Typed arrays as they are, eight bytes for every other value. What is met twice counts once. */
export const heldBytes = (value: unknown, seen: Set<object> = new Set()): number => {
  if (typeof value === 'string') return value.length;
  if (typeof value !== 'object' || value === null || seen.has(value)) return 0;
  seen.add(value);
  if (ArrayBuffer.isView(value)) return HEADER + value.byteLength;
  const members = value instanceof Map ? [...value].flat() : value instanceof Set ? [...value] : Object.values(value);
  let bytes = HEADER + VALUE * members.length;
  for (const member of members) if (typeof member !== 'number') bytes += heldBytes(member, seen);
  return bytes;
};
