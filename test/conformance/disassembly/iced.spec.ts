// The decoder and the disassembler against iced-x86: a million encodings. The exhaustive run is iced.long.spec.ts.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Comparison } from './comparison.ts';
import { combinations, everyGroup7, everySib, NO_PREFIX, SINGLE_PREFIXES, systematic } from './encodings.ts';

const all = new Comparison();
const compare = (streams: () => Iterable<Uint8Array>): void => {
  const before = all.differences.length;
  for (const codeSize of [32, 16] as const) for (const code of streams()) all.compare(code, codeSize);
  assert.deepEqual(all.differences.slice(before, before + 20), []);
};

describe('length, validity and text as in iced-x86', () => {
  it('all opcodes, all ModRM bytes, no prefix', () => compare(() => systematic(NO_PREFIX, [0, 1], 256)));
  it('all opcodes of the three-byte maps', () => compare(() => systematic([[], [0x66], [0xf2], [0xf3]], [2, 3], 32)));
  it('all opcodes behind each prefix', () => compare(() => systematic(SINGLE_PREFIXES, [0, 1], 32)));
  it('all of group 7 behind each prefix', () => compare(() => [everyGroup7()]));
  it('all SIB bytes', () => compare(() => [everySib()]));
  it('random combinations of prefixes', () => compare(() => combinations(40_000)));
  it('every listed difference is needed', () => {
    assert.deepEqual(all.unused(), []);
    assert.ok(all.encodings > 500_000 && all.instructions > 400_000, `${all.instructions} of ${all.encodings}`);
  });
});
