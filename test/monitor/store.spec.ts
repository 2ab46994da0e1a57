// The index answers what counting every record would, and quickly for ten million.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { KINDS, Kind, MASK_ALL, maskOf } from '../../src/monitor/events.ts';
import { Histogram } from '../../src/monitor/histogram.ts';
import { cyclesAt, icountAt, kindAt, operandAt, RECORD_WORDS, writeHeader } from '../../src/monitor/record.ts';
import { Recorder } from '../../src/monitor/recorder.ts';
import { CHUNK_RECORDS, EventStore, LANE_PER_KIND, NODE_RECORDS, type TimeAxis } from '../../src/monitor/store.ts';
import { madeUpRun, numbers, Point } from './synthetic.ts';

const W = RECORD_WORDS;
const point = new Point();
const recorder = new Recorder(point, { mask: MASK_ALL });
madeUpRun(recorder, point, 25_000, 99);
recorder.flush();
const store = recorder.store;
const all = store.slice(0, 1e9).records;
const count = all.length / W;

const bruteForce = (t0: number, t1: number, pixels: number, axis: TimeAxis, laneOf: Int8Array, lanes: number) => {
  const counts = new Uint32Array(pixels * lanes);
  const cycles = new Float64Array(pixels);
  const edge = (i: number): number => t0 + ((t1 - t0) * i) / pixels;
  for (let at = 0; at < all.length; at += W) {
    const t = axis === 'icount' ? icountAt(all, at) : cyclesAt(all, at);
    for (let pixel = 0; pixel < pixels; pixel++) {
      if (t < edge(pixel) || t >= edge(pixel + 1)) continue;
      const lane = laneOf[kindAt(all, at)]!;
      if (lane >= 0) counts[pixel * lanes + lane]!++;
      if (kindAt(all, at) === Kind['vmx.entry']) cycles[pixel]! += operandAt(all, at, 4);
    }
  }
  return { counts, cycles };
};

describe('EventStore', () => {
  it('has more than one chunk here, or the tests below would prove little', () => {
    assert.ok(count > CHUNK_RECORDS + NODE_RECORDS, String(count));
  });

  it('summarises any range as a count of all records does', () => {
    const end = cyclesAt(all, all.length - W) + 1000;
    const lanes = Int8Array.from({ length: KINDS }, (_, kind) => (kind % 5 === 4 ? -1 : kind % 5));
    fc.assert(
      fc.property(
        fc.nat(end),
        fc.nat(end),
        fc.integer({ min: 1, max: 30 }),
        fc.constantFrom<TimeAxis>('icount', 'cycles'),
        fc.boolean(),
        (a, b, pixels, axis, perKind) => {
          const [t0, t1] = [Math.min(a, b), Math.max(a, b)];
          const laneOf = perKind ? LANE_PER_KIND : lanes;
          const ours = store.range(t0, t1, pixels, axis, laneOf);
          const { counts, cycles } = bruteForce(t0, t1, pixels, axis, laneOf, perKind ? KINDS : 4);
          assert.deepEqual(ours.counts, counts);
          assert.deepEqual(ours.hypervisorCycles, cycles);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('cuts slices at any place', () => {
    fc.assert(
      fc.property(fc.nat(count + 100), fc.nat(3000), (from, limit) => {
        const { records, first, next } = store.slice(from, limit);
        assert.equal(first, Math.min(from, count));
        assert.equal(next, Math.min(count, first + limit));
        assert.deepEqual(records, all.slice(first * W, next * W));
      }),
    );
  });

  it('finds the next and the previous record of a kind, rare or common', () => {
    const ids = ['dom.create', 'vmx.exit', 'irq.inject', 'irq.window_exit', 'mon.lost'];
    fc.assert(
      fc.property(fc.constantFrom(...ids), fc.nat(count - 1), (id, from) => {
        const { mask } = maskOf([id]);
        const is = (i: number): boolean => kindAt(all, i * W) === (Kind as Record<string, number>)[id];
        let next = from;
        while (next < count && !is(next)) next++;
        let previous = from;
        while (previous >= 0 && !is(previous)) previous--;
        assert.equal(store.findNext(mask, from), next < count ? next : -1);
        assert.equal(store.findPrevious(mask, from), previous);
      }),
      { numRuns: 60 },
    );
  });

  it('keeps its answers for what is left after a release', () => {
    const small = new EventStore(4 * CHUNK_RECORDS * W * 4);
    small.append(all, 0, count);
    small.release(CHUNK_RECORDS);
    assert.equal(small.first, CHUNK_RECORDS);
    const t1 = icountAt(all, all.length - W) + 1;
    const { counts } = small.range(0, t1, 1);
    const expected = new Uint32Array(KINDS);
    for (let i = CHUNK_RECORDS; i < count; i++) expected[kindAt(all, i * W)]!++;
    assert.deepEqual(counts, expected);
    assert.equal(small.findPrevious(maskOf(['dom.create']).mask, count), -1);
    assert.deepEqual(small.slice(0, 10).records, all.slice(CHUNK_RECORDS * W, (CHUNK_RECORDS + 10) * W));
  });

  it('summarises ten million records within a frame or so', () => {
    const N = 10_000_000;
    const big = new EventStore(N * W * 4);
    const batch = new Uint32Array(1000 * W);
    const next = numbers(4);
    let cycles = 0;
    for (let sent = 0; sent < N; sent += 1000) {
      for (let i = 0; i < 1000; i++) writeHeader(batch, i * W, next(KINDS), 1, 0, cycles, (cycles += 7), 0, 0, 0);
      big.append(batch, 0, 1000);
    }
    assert.equal(big.lost, 0);
    big.range(0, cycles, 2000); // warm
    const before = process.cpuUsage();
    const { counts } = big.range(0, cycles, 2000);
    const { user, system } = process.cpuUsage(before);
    const milliseconds = (user + system) / 1000;
    assert.equal(
      counts.reduce((a, b) => a + b),
      N,
    );
    console.log(`    range over ${N} records, 2000 pixels, ${KINDS} lanes: ${milliseconds.toFixed(1)} ms`);
    assert.ok(milliseconds < 500, `${milliseconds} ms`);
  });
});

describe('Histogram', () => {
  it('gives percentiles right to 1/32, and exact count, sum, least and largest', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.nat(100), fc.nat(0xffff_ffff)), { minLength: 1, maxLength: 200 }),
        fc.constantFrom(0.01, 0.05, 0.5, 0.95, 0.99, 1),
        (values, share) => {
          const h = new Histogram();
          for (const v of values) h.add(v);
          const sorted = [...values].sort((a, b) => a - b);
          const exact = sorted[Math.max(1, Math.ceil(share * values.length)) - 1]!;
          const ours = h.percentile(share);
          assert.ok(ours <= exact && ours >= exact - exact / 32 - 1e-9, `${ours} for ${exact}`);
          assert.deepEqual(
            [h.count, h.sum, h.min, h.max],
            [values.length, values.reduce((a, b) => a + b), sorted[0], sorted.at(-1)],
          );
        },
      ),
    );
  });
});
