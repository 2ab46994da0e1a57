// Points of domains: each is met in its own, and one that has lost the processor where it stood is not stopped there again.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StopPoint } from '../stop-point.ts';
import { StopPoints } from './stop-points.ts';

const ADDRESS = 0x1000;
const POINTS: readonly StopPoint[] = [1, 2].map((domain) => ({ id: domain, on: 'execute', address: ADDRESS, domain }));
const END = { instructions: 100, events: 0 };

test('a domain that gets the processor again goes on from the point where it stood', () => {
  let retired = 5;
  const points = new StopPoints();
  points.surroundings = { ...points.surroundings, retired: () => retired };
  points.domain = 1;
  points.replace(POINTS);
  points.begin(END, false);
  assert.equal(points.stopsBefore(ADDRESS), false, 'it stands there');
  points.switched(2);
  assert.equal(points.stopsBefore(ADDRESS), true, 'the other one comes there');
  assert.deepEqual(points.ids, [2]);
  points.end();
  points.begin(END, false);
  retired = 8;
  points.switched(1);
  assert.equal(points.stopsBefore(ADDRESS), false, 'it stands there still');
  retired = 9;
  assert.equal(points.stopsBefore(ADDRESS), true, 'it has come round');
  assert.deepEqual(points.ids, [1]);
});
