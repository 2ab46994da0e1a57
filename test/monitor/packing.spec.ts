// What is packed comes back word for word, whatever the records are, however they are cut; and what repeats itself takes next to no room.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { MASK_ALL } from '../../src/monitor/events.ts';
import { BLOCK_RECORDS, LONGEST_PACKED, Packer, unpack } from '../../src/monitor/packing.ts';
import { RECORD_WORDS } from '../../src/monitor/record.ts';
import { RecordBlocks } from '../../src/monitor/record-blocks.ts';
import { Recorder } from '../../src/monitor/recorder.ts';
import { madeUpRun, Point } from './synthetic.ts';

const W = RECORD_WORDS;

/** Records whose words are often those of a record before: any word may change at any time. */
const records = (seed: readonly (readonly number[])[], turns: readonly number[]): Uint32Array<ArrayBuffer> => {
  const words = new Uint32Array(turns.length * W);
  turns.forEach((turn, i) => {
    const row = seed[turn % seed.length]!;
    for (let word = 0; word < W; word++) words[i * W + word] = row[word]! + (word === turn % 31 ? turn : 0);
    words[i * W]! &= ~0xffc0; // kinds are below 64
  });
  return words;
};
const anyRecords = fc
  .tuple(
    fc.array(fc.array(fc.nat(0xffff_ffff), { minLength: W, maxLength: W }), { minLength: 1, maxLength: 6 }),
    fc.array(fc.nat(0xffff_ffff), { minLength: 1, maxLength: 3 * BLOCK_RECORDS }),
  )
  .map(([seed, turns]) => records(seed, turns));
const signed = (words: Uint32Array<ArrayBuffer>): Int32Array<ArrayBuffer> => new Int32Array(words.buffer);

describe('packing', () => {
  it('gives back every word, from any place, in as little room as it says', () => {
    fc.assert(
      fc.property(anyRecords, fc.nat(100), fc.nat(BLOCK_RECORDS), (words, at, cut) => {
        const count = Math.min(words.length / W, BLOCK_RECORDS);
        const packed = new Uint16Array(at + count * LONGEST_PACKED);
        const packer = new Packer();
        packer.begin(packed, at);
        const first = Math.min(cut, count);
        packer.pack(signed(words), 0, first);
        packer.pack(signed(words), first * W, count - first);
        assert.ok(packer.end <= packed.length);
        packed.fill(0xdead, packer.end);
        const back = new Uint32Array(count * W);
        unpack(packed, at, count, signed(back), 0);
        assert.deepEqual(back, words.subarray(0, count * W));
      }),
      { numRuns: 60 },
    );
  });

  it('takes two bytes for a record that follows from those before it', () => {
    const exit = [1, 100, 10, 0, 0xc000_1234, 0x1000, 0, 10, 0, 0, 0, 2];
    const entry = [2, 70, 0, 0, 0xc000_1236, 0x1000, 0, 0, 0, 0, 0, 1300];
    const words = new Uint32Array(BLOCK_RECORDS * W);
    let [cycles, icount] = [0, 0];
    for (let i = 0; i < BLOCK_RECORDS; i++) {
      const row = i % 2 === 0 ? exit : entry;
      words.set(row, i * W);
      words[i * W + 1] = cycles += row[1]!;
      words[i * W + 2] = icount += row[2]!;
    }
    const packer = new Packer();
    packer.begin(new Uint16Array(BLOCK_RECORDS * LONGEST_PACKED), 0);
    packer.pack(signed(words), 0, BLOCK_RECORDS);
    assert.ok(packer.end < BLOCK_RECORDS + 4 * W, `${packer.end} words`);
  });
});

describe('blocks of records', () => {
  it('are a list: appended in pieces, copied from any place, cut and appended to again, dropped at the start', () => {
    const operation = fc.oneof(
      fc.tuple(fc.constant('add' as const), fc.nat(1500)),
      fc.tuple(fc.constant('cut' as const), fc.nat(6000)),
      fc.tuple(fc.constant('drop' as const), fc.nat(2)),
      fc.tuple(fc.constant('read' as const), fc.nat(6000)),
    );
    fc.assert(
      fc.property(anyRecords, fc.array(operation, { maxLength: 25 }), (words, operations) => {
        const blocks = new RecordBlocks();
        let model: number[][] = [];
        const row = (i: number): number[] => [...words.subarray(i * W, (i + 1) * W)];
        for (const [what, n] of operations) {
          if (what === 'add') {
            const count = Math.min(n, words.length / W);
            const from = words.length / W - count;
            blocks.add(signed(words), from * W, count);
            for (let i = 0; i < count; i++) model.push(row(from + i));
          } else if (what === 'cut') {
            blocks.cut(n);
            model = model.slice(0, n);
          } else if (what === 'drop') {
            const count = Math.min(n, Math.floor(model.length / BLOCK_RECORDS)) * BLOCK_RECORDS;
            blocks.dropFirst(count);
            model = model.slice(count);
          } else if (n < model.length) {
            const at = blocks.wordOf(n);
            assert.deepEqual([...blocks.read(n).subarray(at, at + W)], model[n]);
          }
          assert.equal(blocks.length, model.length);
        }
        const from = Math.floor(model.length / 3);
        const all = new Uint32Array((model.length - from + 1) * W);
        blocks.copy(from, model.length - from, all, W);
        assert.deepEqual([...all.subarray(W)], model.slice(from).flat());
      }),
      { numRuns: 60 },
    );
  });

  it('hold a run in a fraction of what its records are', () => {
    const point = new Point();
    const recorder = new Recorder(point, { mask: MASK_ALL });
    madeUpRun(recorder, point, 20_000, 5);
    const { recorded } = recorder.counts();
    const perRecord = recorder.store.memoryBytes / recorded;
    console.log(`    ${perRecord.toFixed(1)} bytes a record, all but random`);
    assert.ok(perRecord < 30, String(perRecord));
  });
});
