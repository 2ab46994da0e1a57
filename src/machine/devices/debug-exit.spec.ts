import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bus } from '../bus.ts';
import { DebugExit } from './debug-exit.ts';

test('a write of any size arrives once and whole', () => {
  const seen: number[] = [];
  const bus = new Bus();
  bus.claimPorts(0xf4, 4, new DebugExit((value) => seen.push(value)));
  bus.out(0xf4, 1, 0x10);
  bus.out(0xf4, 2, 0x1234);
  bus.out(0xf4, 4, 0xffff_ffff);
  assert.deepEqual(seen, [0x10, 0x1234, 0xffff_ffff]);
  assert.equal(bus.in(0xf4, 1), 0);
});
