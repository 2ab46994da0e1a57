import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Clock, type Timer } from './clock.ts';

describe('clock', () => {
  it('fires in deadline order, equal deadlines in the order of making, each with its own deadline', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20), { minLength: 1, maxLength: 12 }), fc.nat(25), (deadlines, now) => {
        const clock = new Clock();
        const fired: [number, number][] = [];
        const timers = deadlines.map((_, i) => clock.timer((at) => fired.push([at, i])));
        deadlines.map((d, i) => [d, i] as const).reverse().forEach(([d, i]) => clock.arm(timers[i]!, d)); // prettier-ignore
        assert.equal(clock.nextDeadline, Math.min(...deadlines));
        clock.set(now);
        assert.deepEqual(fired, [], 'moving time fires nothing');
        clock.runDue();
        const due = deadlines.map((d, i): [number, number] => [d, i]).filter(([d]) => d <= now);
        assert.deepEqual(
          fired,
          due.sort((a, b) => a[0] - b[0] || a[1] - b[1]),
        );
        assert.equal(clock.nextDeadline, Math.min(Infinity, ...deadlines.filter((d) => d > now)));
      }),
      { seed: 41 },
    );
  });
  it('a timer that arms itself again catches up; one that another disarms does not fire', () => {
    const clock = new Clock();
    const fired: number[] = [];
    const other = clock.timer(() => assert.fail('disarmed'));
    const timer: Timer = clock.timer((at) => {
      fired.push(at);
      clock.arm(timer, at + 10);
      clock.arm(other, Infinity);
    });
    clock.arm(timer, 5);
    clock.arm(other, 30);
    clock.set(47);
    clock.runDue();
    assert.deepEqual(fired, [5, 15, 25, 35, 45]);
    assert.equal(clock.nextDeadline, 55);
  });
});
