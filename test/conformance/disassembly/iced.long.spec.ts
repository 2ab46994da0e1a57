// The decoder and the disassembler against iced-x86: all opcodes, all ModRM bytes, all single prefixes, all pairs of prefixes. A quick
// choice of it runs every time (iced.spec.ts).

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Comparison } from './comparison.ts';
import { combinations, SINGLE_PREFIXES, systematic } from './encodings.ts';

const compare = (streams: () => Iterable<Uint8Array>): void => {
  const comparison = new Comparison();
  for (const codeSize of [32, 16] as const) for (const code of streams()) comparison.compare(code, codeSize);
  assert.deepEqual(comparison.differences.slice(0, 20), [], `${comparison.differences.length} differences`);
};
const PAIRS = SINGLE_PREFIXES.flatMap((first) => SINGLE_PREFIXES.map((second) => [...first, ...second]));

describe('length, validity and text as in iced-x86, exhaustively', () => {
  for (const prefix of SINGLE_PREFIXES)
    it(`all opcodes, all ModRM bytes, behind ${prefix[0]!.toString(16)}`, () =>
      compare(() => systematic([prefix], [0, 1], 256)));
  it('all opcodes behind all pairs of prefixes', () => compare(() => systematic(PAIRS, [0, 1], 32)));
  it('random combinations of prefixes', () => compare(() => combinations(500_000)));
});
