import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RunState } from '../hypervisor/observer.ts';
import { Kind } from '../monitor/events.ts';
import { RECORD_WORDS, Word, writeHeader } from '../monitor/record.ts';
import { DETAIL_EVENTS, NO_LANE } from '../protocol/timeline.ts';
import { laneOf } from './lanes.ts';
import { TimelineIndex } from './timeline-index.ts';

interface Event {
  readonly kind: number;
  readonly reason: number;
  readonly gap: number;
}

const KINDS = [Kind['vmx.exit'], Kind['vmx.entry'], Kind['shadow.fault'], Kind['irq.inject'], Kind['vmx.handler']];
const events = (minLength: number, maxLength: number) =>
  fc.array(
    fc.record({
      kind: fc.constantFrom(...KINDS),
      reason: fc.constantFrom(0, 1, 12, 30, 28),
      gap: fc.nat({ max: 50 }),
    }),
    { minLength, maxLength },
  );

const pack = (list: readonly Event[]): { words: Uint32Array; cycles: number[] } => {
  const words = new Uint32Array(list.length * RECORD_WORDS);
  const cycles: number[] = [];
  let now = 0;
  list.forEach(({ kind, reason, gap }, i) => {
    now += gap;
    cycles.push(now);
    writeHeader(words, i * RECORD_WORDS, kind, 0, 0, i, now, 0x1000, 0, 0);
    words[i * RECORD_WORDS + Word.OPERAND] = reason;
    words[i * RECORD_WORDS + Word.OPERAND + 2] = 0x8000_0b0e;
  });
  return { words, cycles };
};

/** The same by looking at every event. */
const slowly = (words: Uint32Array, cycles: readonly number[], t0: number, t1: number, pixels: number) => {
  const counts = new Map<number, number[]>();
  const edge = (pixel: number): number => (pixel === pixels ? t1 : t0 + ((t1 - t0) / pixels) * pixel);
  cycles.forEach((time, i) => {
    const lane = laneOf(words, i * RECORD_WORDS);
    if (lane === NO_LANE) return;
    const row = counts.get(lane) ?? counts.set(lane, Array<number>(pixels).fill(0)).get(lane)!;
    for (let pixel = 0; pixel < pixels; pixel++) if (time >= edge(pixel) && time < edge(pixel + 1)) row[pixel]!++;
  });
  return counts;
};

test('a window counts what is there, across nodes and batches', () => {
  fc.assert(
    fc.property(
      events(1, 40),
      fc.integer({ min: 1, max: 90 }),
      fc.integer({ min: 1, max: 64 }),
      (pattern, repeat, pixels) => {
        const list = Array.from({ length: repeat }, () => pattern).flat();
        const { words, cycles } = pack(list);
        const index = new TimelineIndex();
        const half = (list.length >> 1) * RECORD_WORDS;
        index.append(words.subarray(0, half), 0);
        index.append(words.subarray(half), list.length >> 1);
        assert.equal(index.next, list.length);
        const end = cycles.at(-1)! + 1;
        for (const [t0, t1] of [
          [0, end],
          [end * 0.3, end * 0.7],
          [-10, end + 10],
        ] as const) {
          if (t1 <= t0) continue;
          const window = index.window(t0, t1, pixels);
          const expected = slowly(words, cycles, t0, t1, pixels);
          assert.deepEqual(
            window.lanes,
            [...expected.keys()].sort((a, b) => a - b),
          );
          window.lanes.forEach((lane, row) =>
            assert.deepEqual([...window.counts.subarray(row * pixels, (row + 1) * pixels)], expected.get(lane)),
          );
        }
      },
    ),
    { numRuns: 60 },
  );
});

test('time in the hypervisor is the time between exits and entries', () => {
  const { words } = pack([
    { kind: Kind['vmx.entry'], reason: 0, gap: 0 },
    { kind: Kind['vmx.exit'], reason: 12, gap: 100 },
    { kind: Kind['vmx.entry'], reason: 0, gap: 50 },
    { kind: Kind['vmx.exit'], reason: 12, gap: 50 },
    { kind: Kind['vmx.entry'], reason: 0, gap: 100 },
  ]);
  const index = new TimelineIndex();
  index.append(words, 0);
  const window = index.window(0, 300, 6);
  assert.deepEqual([...window.hypervisor], [0, 0, 1, 0, 1, 1]);
  assert.deepEqual([...window.stays!], [100, 150, 200, 300]);
  assert.deepEqual([...index.window(-100, 0, 1).hypervisor], [-1]);
  // A window that begins inside a stay shows the rest of it.
  assert.deepEqual([...index.window(120, 160, 1).stays!], [120, 150]);
});

test('a halted vCPU is blocked, not in the hypervisor', () => {
  const { words } = pack([
    { kind: Kind['vmx.entry'], reason: 0, gap: 0 },
    { kind: Kind['vmx.exit'], reason: 12, gap: 100 },
    { kind: Kind['sched.runstate'], reason: RunState.RUNNING, gap: 10 },
    { kind: Kind['sched.runstate'], reason: RunState.BLOCKED, gap: 80 },
    { kind: Kind['vmx.entry'], reason: 0, gap: 10 },
  ]);
  words[2 * RECORD_WORDS + Word.OPERAND + 1] = RunState.BLOCKED;
  words[3 * RECORD_WORDS + Word.OPERAND + 1] = RunState.RUNNING;
  const index = new TimelineIndex();
  index.append(words, 0);
  const window = index.window(0, 200, 2);
  assert.deepEqual(
    [...window.hypervisor].map((part) => part.toFixed(2)),
    ['0.00', '0.20'],
  );
  assert.deepEqual(
    [...window.blocked].map((part) => part.toFixed(2)),
    ['0.00', '0.80'],
  );
  assert.deepEqual([...window.stays!], [100, 110, 190, 200]);
  assert.deepEqual([...window.blocks!], [110, 190]);
});

test('a window carries single events only when they are few', () => {
  const many = pack(
    Array.from({ length: DETAIL_EVENTS + 500 }, () => ({ kind: Kind['shadow.fault'], reason: 0, gap: 1 })),
  );
  const index = new TimelineIndex();
  index.append(many.words, 0);
  const whole = index.window(0, DETAIL_EVENTS + 600, 100);
  assert.equal(whole.events, undefined);
  assert.equal(
    whole.counts.reduce((a, b) => a + b, 0),
    DETAIL_EVENTS + 500,
  );
  assert.equal(index.window(0, 11, 10).events!.cycles.length, 10);
});

test('find walks a lane in both directions and passes over the others', () => {
  const list = Array.from({ length: 5000 }, (_, i) => ({
    kind: i === 7 || i === 4100 ? Kind['irq.inject'] : Kind['shadow.fault'],
    reason: 0,
    gap: 1,
  }));
  const { words } = pack(list);
  const index = new TimelineIndex();
  index.append(words, 0);
  const lane = laneOf(words, 7 * RECORD_WORDS);
  assert.equal(index.find(lane, -1, 1), 7);
  assert.equal(index.find(lane, 7, 1), 4100);
  assert.equal(index.find(lane, 4100, 1), undefined);
  assert.equal(index.find(lane, 5000, -1), 4100);
  assert.equal(index.find(lane, 4100, -1), 7);
  assert.equal(index.find(lane, 7, -1), undefined);
  assert.equal(index.find(undefined, 7, 1), 8);
});
