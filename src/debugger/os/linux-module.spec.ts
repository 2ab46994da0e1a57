// Loaded modules of Linux by the structures of several versions, built here by hand: which regions they have, and that an address below the
// kernel's is no question to them.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { DebugInfo } from '../../symbols/debug-info.ts';
import type { CType, StructType } from '../../symbols/types.ts';
import { BUILTIN } from '../expression/builtin-types.ts';
import { regionsOfModule } from './linux-module-regions.ts';
import { Structures } from './structures.ts';

const WORD: CType = BUILTIN['unsigned int'];

/** Members one behind the other. */
const struct = (members: Readonly<Record<string, CType>>): StructType => {
  let offset = 0;
  return {
    kind: 'struct',
    name: undefined,
    incomplete: false,
    members: Object.entries(members).map(([name, type]) => {
      const member = { name, type, offset };
      offset += sizeOf(type);
      return member;
    }),
    get size() {
      return offset;
    },
  };
};
const array = (element: CType, count: number): CType => ({ kind: 'array', element, count, vector: false });
const sizeOf = (type: CType): number =>
  type.kind === 'array' ? (type.count ?? 0) * sizeOf(type.element) : 'size' in type ? type.size : 0;

const MODULE = 0xf800_0000;

/** A `struct module` of those words. */
const structures = (module: StructType, words: readonly number[]): Structures => {
  const bytes = new Uint8Array(Uint32Array.from(words).buffer);
  const info = { type: (_: string, name: string) => (name === 'module' ? module : undefined) };
  return new Structures(info as unknown as DebugInfo, (linear, into) => {
    const part = bytes.subarray(linear - MODULE, linear - MODULE + into.length);
    into.set(part);
    return part.length;
  });
};

const LAYOUT = struct({ base: WORD, size: WORD });

describe('regions of a module', () => {
  it('of 2.6 to 4.4', () => {
    const module = struct({ module_init: WORD, module_core: WORD, init_size: WORD, core_size: WORD });
    assert.deepEqual(regionsOfModule(structures(module, [0xf900_0000, 0xf880_0000, 0x1000, 0x2000]), MODULE), [
      { base: 0xf880_0000, bytes: 0x2000 },
      { base: 0xf900_0000, bytes: 0x1000 },
    ]);
  });
  it('of 4.5 to 6.3, its initialisation ended', () => {
    const module = struct({ core_layout: LAYOUT, init_layout: LAYOUT });
    assert.deepEqual(regionsOfModule(structures(module, [0xf880_0000, 0x2000, 0, 0]), MODULE), [
      { base: 0xf880_0000, bytes: 0x2000 },
    ]);
  });
  it('of 6.4 and later', () => {
    const module = struct({ mem: array(LAYOUT, 3) });
    const words = [0xf880_0000, 0x2000, 0xf890_0000, 0, 0xf8a0_0000, 0x3000];
    assert.deepEqual(regionsOfModule(structures(module, words), MODULE), [
      { base: 0xf880_0000, bytes: 0x2000 },
      { base: 0xf8a0_0000, bytes: 0x3000 },
    ]);
  });
});
