// The granules of a page's bytes, against a bit for each byte.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { addGranules, CodeGranules, type GranuleMask } from './code-granules.ts';
import { LinearLayout } from '../memory.ts';

const bytesOf = (first: number, end: number): Set<number> => {
  const granules = new Set<number>();
  for (let byte = first; byte < Math.min(end, 4096); byte++) granules.add(byte >> 6);
  return granules;
};
const granulesOf = (first: number, end: number): GranuleMask => {
  const mask = { low: 0, high: 0 };
  addGranules(mask, first, end);
  return mask;
};
const granulesIn = ({ low, high }: { low: number; high: number }): number[] =>
  Array.from({ length: 64 }, (_, g) => g).filter((g) => (g < 32 ? low : high) & (1 << (g & 31)));

const range = fc
  .tuple(fc.nat({ max: 4095 }), fc.integer({ min: 1, max: 4200 }))
  .map(([first, bytes]) => [first, first + bytes] as const);

it('names the granules that bytes of a page are in', () => {
  fc.assert(
    fc.property(range, ([first, end]) => {
      assert.deepEqual(granulesIn(granulesOf(first, end)), [...bytesOf(first, end)]);
    }),
  );
});

const linearMemory = new Int32Array(LinearLayout.ram >> 2);

it('finds a store that hits decoded bytes, until these go', () => {
  fc.assert(
    fc.property(fc.array(range, { maxLength: 5 }), range, ([...decoded], [first, end]) => {
      const granules = new CodeGranules(linearMemory);
      const marked = new Set<number>();
      for (const [from, to] of decoded) {
        granules.mark(7, from, to);
        for (const g of bytesOf(from, to)) marked.add(g);
      }
      assert.equal(granules.any(7), decoded.length > 0);
      const hits = [...bytesOf(first, end)].some((g) => marked.has(g));
      assert.equal(granules.hit(0x7000 + first, Math.min(end, 4096) - first), hits);
      assert.equal(granules.hit(0x8000 + first, 1), false);
      granules.keep(7, granulesOf(first, end));
      assert.equal(granules.hit(0x7000 + first, 1), true);
      assert.equal(granules.any(7), true);
      granules.clear();
      assert.equal(granules.hit(0x7000 + first, 1), false);
      assert.equal(granules.any(7), false);
    }),
  );
});
