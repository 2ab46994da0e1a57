import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { LinearLayout } from '../memory.ts';
import { BlockStarts } from './block-starts.ts';
import { ENTRY_SIZE, MAX_BLOCK } from './entry.ts';

const PAGE_BYTES = 4096;
/** Blocks begin so far before the end of the area at the latest. */
const LAST = LinearLayout.entries + LinearLayout.entriesBytes - (MAX_BLOCK + 1) * ENTRY_SIZE;
const entryAt = (number: number): number => LinearLayout.entries + number * ENTRY_SIZE;

describe('starts of blocks', () => {
  it('knows nothing at first, and the first entry of all, at offset 0', () => {
    const starts = new BlockStarts();
    assert.equal(starts.get(0), 0);
    starts.delete(0);
    starts.set(0, LinearLayout.entries);
    assert.equal(starts.get(0), LinearLayout.entries);
    starts.delete(0);
    assert.equal(starts.get(0), 0);
  });
  it('keeps a block at each byte of a page, up to the end of the area', () => {
    const starts = new BlockStarts();
    for (let offset = 0; offset < PAGE_BYTES; offset++) starts.set(offset, LAST - offset * ENTRY_SIZE);
    for (let offset = 0; offset < PAGE_BYTES; offset++) assert.equal(starts.get(offset), LAST - offset * ENTRY_SIZE);
    for (let offset = 0; offset < PAGE_BYTES; offset += 2) starts.delete(offset);
    for (let offset = 0; offset < PAGE_BYTES; offset++)
      assert.equal(starts.get(offset), offset % 2 === 0 ? 0 : LAST - offset * ENTRY_SIZE);
  });
  it('answers as a map does, whatever came and went', () => {
    const step = fc.record({
      // Few offsets, so that they come again; neighbours and multiples of the table's lengths, so that they meet in one place.
      offset: fc.oneof(
        fc.integer({ min: 0, max: 15 }),
        fc.integer({ min: 0, max: 15 }).map((n) => n * 256),
      ),
      entry: fc.integer({ min: 0, max: 1000 }).map(entryAt),
      goes: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const starts = new BlockStarts();
        const model = new Map<number, number>();
        for (const { offset, entry, goes } of steps) {
          if (goes) {
            starts.delete(offset);
            model.delete(offset);
          } else {
            starts.set(offset, entry);
            model.set(offset, entry);
          }
          for (let k = 0; k < 16; k++)
            for (const at of [k, k * 256]) assert.equal(starts.get(at), model.get(at) ?? 0, `offset ${at}`);
        }
      }),
    );
  });
});
