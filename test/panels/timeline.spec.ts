// The timeline's arithmetic: spans, ticks, columns. Drawing and gestures are tested in a browser (test/e2e).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { TimelineWindow } from '../../src/protocol/timeline.ts';
import { columnsOf, nearestEvent } from '../../src/webviews/timeline/columns.ts';
import { fitted, panned, ticksOf, widthOf, zoomed } from '../../src/webviews/timeline/scale.ts';

const run = { t0: 0, t1: 1_000_000 };
const span = fc
  .tuple(fc.integer({ min: -100_000, max: 1_000_000 }), fc.integer({ min: 20, max: 1_400_000 }))
  .map(([t0, width]) => ({ t0, t1: t0 + width }));

test('zooming keeps its centre in place, within limits', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 100_000, max: 800_000 }),
      fc.double({ min: 0.5, max: 0.99, noNaN: true }),
      (t0, factor) => {
        const view = { t0, t1: t0 + 50_000 };
        const centre = t0 + 10_000;
        const next = zoomed(view, factor, centre, run);
        assert.ok(Math.abs((centre - next.t0) / widthOf(next) - 0.2) < 1e-6);
      },
    ),
  );
});

test('no gesture loses the run, zooms closer than some cycles or much farther than the run', () => {
  fc.assert(
    fc.property(
      span,
      fc.double({ min: 0.01, max: 100, noNaN: true }),
      fc.double({ min: -3, max: 3, noNaN: true }),
      (view, factor, part) => {
        for (const next of [zoomed(view, factor, view.t0, run), panned(view, widthOf(view) * part, run)]) {
          assert.ok(widthOf(next) >= 19.9 && widthOf(next) <= 1_500_001);
          assert.ok(next.t1 >= run.t0 && next.t0 <= run.t1);
        }
      },
    ),
  );
  const all = fitted(run);
  assert.ok(all.t0 < run.t0 && all.t1 > run.t1);
});

test('ticks are round, apart and inside', () => {
  fc.assert(
    fc.property(span, fc.integer({ min: 100, max: 3000 }), (view, pixels) => {
      const { step, ticks } = ticksOf(view, pixels);
      assert.match(step.toExponential(), /^[125]e/);
      assert.ok((step / widthOf(view)) * pixels >= 109);
      for (const { cycles } of ticks) assert.ok(cycles >= view.t0 - 1e-6 && cycles <= view.t1 + 1e-6);
    }),
  );
});

const windowOf = (change: Partial<TimelineWindow>): TimelineWindow => ({
  t0: 0,
  t1: 100,
  pixels: 100,
  lanes: [5],
  totals: [3],
  counts: new Uint32Array(100),
  hypervisor: new Float32Array(100),
  blocked: new Float32Array(100),
  first: 0,
  next: 3,
  extent: { start: 0, end: 100, records: 3, lost: 0 },
  ...change,
});

test('columns of single events and of a summary agree, whatever the margin', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 99 }), { maxLength: 40 }), (times) => {
      const sorted = [...times].sort((a, b) => a - b);
      const counts = new Uint32Array(100);
      for (const time of sorted) counts[time]!++;
      const view = { t0: 25, t1: 75 };
      const single = windowOf({
        events: {
          cycles: Float64Array.from(sorted, (time) => time + 0.5),
          sequences: Float64Array.from(sorted),
          lanes: new Uint8Array(sorted.length).fill(5),
        },
      });
      assert.deepEqual(columnsOf(single, 0, view, 50).counts, columnsOf(windowOf({ counts }), 0, view, 50).counts);
    }),
  );
});

test('the nearest event is of the lane and within reach', () => {
  const window = windowOf({
    events: { cycles: Float64Array.of(10, 20, 21), sequences: Float64Array.of(0, 1, 2), lanes: Uint8Array.of(5, 6, 5) },
  });
  assert.equal(nearestEvent(window, 5, 19.9, 5), 2);
  assert.equal(nearestEvent(window, 5, 15, 3), -1);
});
