import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Pacer } from './pacer.ts';

/** A guest of so many instructions a millisecond of wall time; an idle one takes no wall time. */
const simulate = (
  pacer: Pacer,
  perMs: number,
  slices: number,
  idle: boolean,
): { wall: number; virtual: number; slices: number[] } => {
  let wall = 0;
  let virtual = 0;
  const sizes: number[] = [];
  for (let i = 0; i < slices; i++) {
    const size = pacer.slice;
    const took = idle ? 0.05 : size / perMs;
    const advance = idle ? pacer.virtualMs : size / 1e6;
    const rest = pacer.ran(idle ? 300 : size, wall, wall + took, virtual, virtual + advance);
    wall += took + rest.ms;
    virtual += advance;
    sizes.push(size);
    assert.equal(rest.idle, rest.ms > 0);
  }
  return { wall, virtual, slices: sizes };
};

test('a busy guest gets slices of some milliseconds and no rest', () => {
  const { wall, slices } = simulate(new Pacer(), 50_000, 200, false);
  const last = slices.at(-1)!;
  assert.ok(last / 50_000 > 3 && last / 50_000 < 9, `${last / 50_000} ms`);
  assert.ok(Math.abs(wall - slices.reduce((sum, size) => sum + size / 50_000, 0)) < 1e-6);
});

test('an idle guest keeps to the wall clock', () => {
  const { wall, virtual } = simulate(new Pacer(), 50_000, 500, true);
  assert.ok(Math.abs(wall - virtual) < 30, `${wall} ${virtual}`);
});

test('after a long stop the past is not caught up with', () => {
  const pacer = new Pacer();
  pacer.ran(1000, 0, 1, 0, 1);
  // A minute of wall time went by: a tenth of a second of it is made up, the rest is gone.
  assert.equal(pacer.ran(1000, 60_000, 60_001, 1, 2).ms, 0);
  assert.ok(pacer.ran(1000, 60_001, 60_002, 2, 130).ms > 0);
});
