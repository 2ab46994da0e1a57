// Every number, string, boolean and typed array that an object reaches, by its path. For finding state that a snapshot forgets. For specs only.

const isView = (value: object): value is ArrayBufferView => ArrayBuffer.isView(value);

const digest = (view: ArrayBufferView): string => {
  const aligned = (view.byteOffset | view.byteLength) % 4 === 0;
  const values = aligned
    ? new Int32Array(view.buffer, view.byteOffset, view.byteLength >> 2)
    : new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  let a = 0x811c9dc5;
  let b = 0;
  for (const value of values) {
    a = Math.imul(a ^ value, 0x01000193);
    b = (Math.imul(b, 31) + value) | 0;
  }
  return `${view.constructor.name}[${view.byteLength}] ${a >>> 0} ${b >>> 0}`;
};

/** @param skip paths (without the root) that are not followed. Buffers of `opaque` are not looked into. */
export const reachable = (root: object, skip: readonly RegExp[], opaque: ArrayBufferLike): Map<string, unknown> => {
  const found = new Map<string, unknown>();
  const seen = new Set<object>();
  const queue: [string, object][] = [['', root]];
  const look = (path: string, value: unknown): void => {
    if (typeof value === 'function' || typeof value === 'symbol' || skip.some((pattern) => pattern.test(path))) return;
    if (typeof value !== 'object' || value === null) {
      found.set(path, value);
      return;
    }
    if (isView(value)) {
      if (value.buffer !== opaque) found.set(path, digest(value));
    } else if (!(value instanceof WebAssembly.Memory || value instanceof ArrayBuffer)) queue.push([path, value]);
  };
  for (const [path, object] of queue) {
    if (seen.has(object)) continue;
    seen.add(object);
    if (object instanceof Map) {
      let i = 0;
      for (const [key, value] of object) {
        look(`${path}{${i}}key`, key);
        look(`${path}{${i++}}`, value);
      }
    } else if (object instanceof Set) {
      let i = 0;
      for (const value of object) look(`${path}{${i++}}`, value);
    } else for (const [name, value] of Object.entries(object)) look(`${path}.${name}`, value);
  }
  return found;
};

/** Paths at which two collections differ, with both values. */
export const differences = (a: ReadonlyMap<string, unknown>, b: ReadonlyMap<string, unknown>): string[] => {
  const list: string[] = [];
  for (const path of new Set([...a.keys(), ...b.keys()]))
    if (!Object.is(a.get(path), b.get(path))) list.push(`${path}: ${String(a.get(path))}, then ${String(b.get(path))}`);
  return list;
};
