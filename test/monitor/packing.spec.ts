// What is packed comes back word for word, whatever the records are, however they are cut; and what repeats itself takes next to no room.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Kind, KINDS, MASK_ALL } from '../../src/monitor/events.ts';
import { BLOCK_RECORDS, LONGEST_PACKED, Packer, ROOM_RECORDS, unpack } from '../../src/monitor/packing.ts';
import { RECORD_WORDS } from '../../src/monitor/record.ts';
import { RecordBlocks } from '../../src/monitor/record-blocks.ts';
import { Recorder } from '../../src/monitor/recorder.ts';
import { PlainPacker } from './plain-packer.ts';
import { madeUpRun, Point } from './synthetic.ts';

const W = RECORD_WORDS;

/** Records whose words are often those of a record before: any word may change at any time, by little or by much. */
const records = (seed: readonly (readonly number[])[], turns: readonly number[]): Uint32Array<ArrayBuffer> => {
  const words = new Uint32Array(turns.length * W);
  turns.forEach((turn, i) => {
    const row = seed[turn % seed.length]!;
    for (let word = 0; word < W; word++)
      words[i * W + word] = row[word]! + (word === turn % 31 ? (turn & 0x1_0000 ? turn : turn & 0xff) : 0);
    words[i * W]! &= ~0xffc0; // kinds are below 64
  });
  return words;
};
/** The same records again and again, at distances in time that are the same each time; now and then a word is another. */
const loop = (
  seed: readonly (readonly number[])[],
  count: number,
  others: readonly number[],
): Uint32Array<ArrayBuffer> => {
  const words = new Uint32Array(count * W);
  const times = [0, 0];
  for (let i = 0; i < count; i++) {
    words.set(seed[i % seed.length]!, i * W);
    for (const n of [0, 1]) words[i * W + 1 + n] = times[n]! += seed[i % seed.length]![1 + n]! & 0xffff;
    words[i * W]! &= ~0xffc0;
  }
  for (const other of others) words[(other >>> 8) % words.length]! ^= other & 0x1f;
  return words;
};
const rows = fc.array(fc.array(fc.nat(0xffff_ffff), { minLength: W, maxLength: W }), { minLength: 1, maxLength: 6 });
const anyRecords = fc.oneof(
  fc
    .tuple(rows, fc.array(fc.nat(0xffff_ffff), { minLength: 1, maxLength: 3 * BLOCK_RECORDS }))
    .map(([seed, turns]) => records(seed, turns)),
  fc
    .tuple(rows, fc.integer({ min: 1, max: 3 * BLOCK_RECORDS }), fc.array(fc.nat(0xffff_ffff), { maxLength: 12 }))
    .map(([seed, count, others]) => loop(seed, count, others)),
);
const signed = (words: Uint32Array<ArrayBuffer>): Int32Array<ArrayBuffer> => new Int32Array(words.buffer);

/** Packs what is at most a block, in rooms of at most `most` records. */
const packed = (packer: Packer, words: Uint32Array, most: number): Uint16Array<ArrayBuffer> => {
  const out: number[] = [];
  packer.begin();
  for (let done = 0; done < words.length / W; done += most) {
    const room = words.subarray(done * W, (done + most) * W);
    packer.room.set(room);
    out.push(...packer.packed.subarray(0, packer.pack(room.length / W)));
  }
  return Uint16Array.from(out);
};

describe('packing', () => {
  const packer = new Packer();
  const counts = new Uint32Array(KINDS);
  let cycles = 0;

  it('is the same as word for word, and gives back every word, however it is cut', () => {
    fc.assert(
      fc.property(anyRecords, fc.nat(ROOM_RECORDS - 1), (all, cut) => {
        const words = all.subarray(0, BLOCK_RECORDS * W);
        const plain = new PlainPacker();
        const expected = new Uint16Array((words.length / W) * LONGEST_PACKED);
        plain.begin(expected, 0);
        for (let done = 0; done < words.length / W; done += 1 + cut)
          plain.pack(signed(words.slice()), done * W, Math.min(1 + cut, words.length / W - done));
        const out = packed(packer, words, 1 + cut);
        assert.deepEqual(out, expected.subarray(0, plain.end));
        const back = new Uint32Array(words.length);
        unpack(out, 0, words.length / W, signed(back), 0);
        assert.deepEqual(back, words);
        for (let at = 0; at < words.length; at += W) {
          const kind = words[at]! & (KINDS - 1);
          counts[kind]!++;
          if (kind === Kind['vmx.entry']) cycles += words[at + 11]!;
        }
        assert.deepEqual(packer.counts, counts);
        assert.equal(packer.cycles[0], cycles);
      }),
      { numRuns: 200 },
    );
  });

  it('takes two bytes for a hundred records that follow from those before them', () => {
    const exit = [1, 100, 10, 0, 0xc000_1234, 0x1000, 0, 10, 0, 0, 0, 2];
    const entry = [2, 70, 0, 0, 0xc000_1236, 0x1000, 0, 0, 0, 0, 0, 1300];
    const words = new Uint32Array(BLOCK_RECORDS * W);
    let [time, icount] = [0, 0];
    for (let i = 0; i < BLOCK_RECORDS; i++) {
      const row = i % 2 === 0 ? exit : entry;
      words.set(row, i * W);
      words[i * W + 1] = time += row[1]!;
      words[i * W + 2] = icount += row[2]!;
    }
    const { length } = packed(new Packer(), words, ROOM_RECORDS);
    assert.ok(length < BLOCK_RECORDS / 100 + 6 * W, `${length} words`);
  });

  it('the same for words that move by one step, at an EIP where events of two sources take turns', () => {
    const words = new Uint32Array(BLOCK_RECORDS * W);
    for (let i = 0; i < BLOCK_RECORDS; i++) {
      const turn = i >> 2;
      // An exit and its entry, then an exit at the same EIP for another reason, and its entry at another.
      const record = [
        [1, 0, 0, 0, 0xc000_1234, 0x1000, 0, 0, 0x5000_0000 + turn * 4096, 0x8000_0b0e, 2, 0],
        [2, 0, 0, 0, 0xc000_1234, 0x1000, 0, 0, 0x8000_0b0e, 2, 0, 1300],
        [1, 0, 0, 0, 0xc000_1234, 0x1000, 0, 28, 3, 0, 0, 3],
        [2, 0, 0, 0, 0xc000_1237, 0x1000, 0, 0, 0, 0, 0, 2100 + turn],
      ][i & 3]!;
      words.set(record, i * W);
      words[i * W + 1] = i * 900;
      words[i * W + 2] = turn * 17;
    }
    const { length } = packed(new Packer(), words, ROOM_RECORDS);
    assert.ok(length < BLOCK_RECORDS / 100 + 18 * W, `${length} words`);
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
            for (let i = words.length / W - count; i < words.length / W;) {
              const run = Math.min(words.length / W - i, ROOM_RECORDS, BLOCK_RECORDS - (blocks.length % BLOCK_RECORDS));
              blocks.packer.room.set(words.subarray(i * W, (i + run) * W));
              blocks.add(run);
              for (const end = i + run; i < end; i++) model.push(row(i));
            }
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
