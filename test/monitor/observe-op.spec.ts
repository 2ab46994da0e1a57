// observe_op: who may call it, what it answers, and that its structures are those of the guest header.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Kind, MASK_ALL, MASK_NONE, maskOf } from '../../src/monitor/events.ts';
import {
  Errno,
  HostCaller,
  OBSERVE_OP_HYPERCALL,
  ObserveOp,
  observeOp,
  type Observed,
} from '../../src/monitor/observe-op.ts';
import { Recorder } from '../../src/monitor/recorder.ts';
import { madeUpRun, Point } from './synthetic.ts';

const setUp = (mask = MASK_ALL) => {
  const point = new Point();
  const recorder = new Recorder(point, { mask });
  const observed: Observed = {
    recorder,
    domain: (id) => (id === 1 ? { instructions: 2 ** 40 + 5, guestCycles: 7, weight: 256 } : undefined),
  };
  const caller = new HostCaller(65536);
  const words = new Uint32Array(caller.memory.buffer);
  /** Calls with a structure of `size` bytes and these words after the header. */
  const call = (subop: number, size: number, ...fields: number[]): number => {
    words.fill(0, 0, size / 4);
    words.set([1, size, ...fields]);
    return observeOp(observed, caller, subop, 0);
  };
  return { point, recorder, observed, caller, words, call };
};

describe('observe_op', () => {
  it('is for domain 0 at CPL 0 only', () => {
    const { observed, caller, recorder } = setUp();
    for (const subop of [...Object.values(ObserveOp), 99]) {
      for (const [domain, cpl] of [
        [1, 0],
        [0, 3],
        [0, 1],
        [2, 3],
      ] as const) {
        const other = {
          domain,
          cpl,
          readGuest: () => assert.fail('read on behalf of a caller without the right'),
          writeGuest: () => assert.fail('written on behalf of a caller without the right'),
        };
        assert.equal(observeOp(observed, other, subop, 0), -Errno.EPERM);
      }
    }
    assert.ok(recorder.enabled);
    assert.equal(recorder.mask, MASK_ALL);
    assert.equal(caller.domain, 0);
  });

  it('checks sub-operation, memory, version and size, in this order', () => {
    const { observed, caller, words, call } = setUp();
    for (const subop of [
      ObserveOp.WATCH_MEMORY,
      ObserveOp.UNWATCH_MEMORY,
      ObserveOp.SET_WEIGHT,
      ObserveOp.SET_POLICY,
      12,
      -1,
    ]) {
      assert.equal(observeOp(observed, caller, subop, 0xffff_f000), -Errno.ENOSYS);
    }
    assert.equal(observeOp(observed, caller, ObserveOp.INFO, 0xffff_f000), -Errno.EFAULT);
    words.set([2, 24]);
    assert.equal(observeOp(observed, caller, ObserveOp.INFO, 0), -Errno.EINVAL);
    assert.equal(call(ObserveOp.INFO, 20), -Errno.EINVAL);
    assert.equal(call(ObserveOp.INFO, 24), 0);
    words[6] = 0xdead_beef;
    words[1] = 100;
    assert.equal(observeOp(observed, caller, ObserveOp.INFO, 0), 0);
    assert.equal(words[6], 0xdead_beef);
  });

  it('gives facts, sets and gives the mask, switches recording', () => {
    const { recorder, words, call, point } = setUp(MASK_NONE);
    assert.equal(call(ObserveOp.INFO, 24), 0);
    assert.deepEqual([...words.subarray(2, 6)], [1, 61, recorder.store.capacity * 48, 48]);
    const { mask } = maskOf(['vmx.exit', 'irq.inject']);
    assert.equal(call(ObserveOp.SET_MASK, 16, mask.low, mask.high), 0);
    assert.deepEqual(recorder.mask, mask);
    assert.equal(call(ObserveOp.SET_MASK, 16, 0, 1 << 29), -Errno.EINVAL);
    assert.equal(call(ObserveOp.GET_MASK, 16), 0);
    assert.deepEqual([words[2], words[3]], [mask.low, mask.high]);
    assert.equal(call(ObserveOp.DISABLE, 8), 0);
    madeUpRun(recorder, point, 10, 1);
    assert.equal(recorder.counts().recorded, 0);
    assert.deepEqual(recorder.mask, mask);
    assert.equal(call(ObserveOp.ENABLE, 8), 0);
    madeUpRun(recorder, point, 10, 1);
    assert.ok(recorder.counts().recorded >= 10);
  });

  it('reads every record once, in order, as struct kansoku_record', () => {
    const { recorder, words, call, point } = setUp();
    point.icount = 2 ** 33;
    point.cycles = 2 ** 50;
    madeUpRun(recorder, point, 40, 2);
    const { records, next: end } = recorder.records(0, 1e9);
    let next = 0;
    const got: number[] = [];
    for (let calls = 0; next < end; calls++) {
      assert.ok(calls < 1000);
      // The calls record themselves as mon.hypercall: stop at the records of before.
      assert.equal(call(ObserveOp.READ_RECORDS, 40, 0x1000, Math.min(7, end - next), 0, 0, 0, 0, next, 0), 0);
      const copied = words[4]!;
      assert.deepEqual([words[6], words[7]], [0, 0]);
      got.push(...words.subarray(0x400, 0x400 + copied * 12));
      next = words[8]!;
    }
    const expected = records.slice();
    for (let at = 0; at < expected.length; at += 12) {
      expected[at + 1] = at / 12;
      expected[at + 3]! &= 0xffff;
      expected[at + 6]! &= 3;
    }
    assert.deepEqual(Uint32Array.from(got), expected);
    assert.equal(got[3], 2); // 2^33
  });

  it('refuses bad buffers and capacities, and writes nothing then', () => {
    const { recorder, words, call, point } = setUp();
    madeUpRun(recorder, point, 10, 2);
    assert.equal(call(ObserveOp.READ_RECORDS, 40, 0x1000, 0), -Errno.EINVAL);
    assert.equal(call(ObserveOp.READ_RECORDS, 40, 0x1000, 65537), -Errno.EINVAL);
    assert.equal(call(ObserveOp.READ_RECORDS, 40, 0x1000, 1, 0, 1), -Errno.EINVAL);
    assert.equal(call(ObserveOp.READ_RECORDS, 40, 0xffff_0000, 5), -Errno.EFAULT);
    assert.equal(words[4], 0);
  });

  it('counts by domain, whatever the mask', () => {
    const { recorder, words, call, point } = setUp(MASK_NONE);
    madeUpRun(recorder, point, 500, 3);
    assert.equal(call(ObserveOp.DOMAIN_COUNTERS, 344, 1), 0);
    assert.deepEqual([words[4], words[5]], [5, 256]);
    assert.equal(words[10], 500);
    assert.equal(words[12], 0);
    assert.equal(words[14], 256);
    assert.equal(
      words.subarray(22, 86).reduce((a, b) => a + b),
      500,
    );
    assert.ok(words[20]! > 0 && words[20] === words[22 + 12]);
    assert.equal(call(ObserveOp.DOMAIN_COUNTERS, 344, 2), -Errno.EINVAL);
    assert.equal(call(ObserveOp.DOMAIN_COUNTERS, 344, 1, 1), -Errno.EINVAL);
  });

  it('makes markers and is itself an event', () => {
    const { recorder, call } = setUp(maskOf(['guest.marker', 'mon.hypercall']).mask);
    assert.equal(call(ObserveOp.MARKER, 28, 1, 2, 3, 4, 5), 0);
    const { records } = recorder.records(0, 10);
    assert.equal(records.length, 24);
    assert.deepEqual([...records.subarray(7, 12)], [1, 2, 3, 4, 5]);
    assert.equal(records[12]! & 0xffff, Kind['mon.hypercall']);
    assert.deepEqual([...records.subarray(19, 22)], [ObserveOp.MARKER, 0, 0]);
  });

  it('agrees with kansoku.h on numbers', () => {
    const header = readFileSync(join(import.meta.dirname, 'media/guests/include/kansoku.h'), 'utf8');
    const defined = (name: string): number => Number(new RegExp(`#define KANSOKU_${name} (\\d+)`).exec(header)?.[1]);
    for (const [name, value] of Object.entries(ObserveOp)) assert.equal(defined(name), value, name);
    for (const [name, value] of Object.entries(Errno)) assert.equal(defined(name), value, name);
    assert.equal(defined('HYPERCALL'), OBSERVE_OP_HYPERCALL);
  });
});
