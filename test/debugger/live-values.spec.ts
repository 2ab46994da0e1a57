// Live values: expressions are read while the guest runs, change as it changes them, and change nothing themselves.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configOf, TSUBAME } from '../boot/running-guest.ts';
import { DapBench } from './dap-bench.ts';

test('values while the guest runs', () => {
  const bench = new DapBench(configOf(TSUBAME));
  bench.launch({ stopOnEntry: true });
  const expressions = ['ticks', 'frames_free,x', 'frames_free = 7', 'no_such', '&ticks'];
  const sample = () => {
    const { values, ...rest } = bench.request('kansoku/sample', { expressions });
    return { ...rest, texts: values.map((value) => ('result' in value ? value.result : `! ${value.problem}`)) };
  };
  const first = sample();
  assert.equal(first.running, false);
  assert.deepEqual(first.texts.slice(0, 2), ['0', '0x0']);
  assert.match(first.texts[2]!, /^! /);
  assert.match(first.texts[3]!, /^! .*no_such/);
  assert.match(first.texts[4]!, /<ticks>$/);

  bench.request('continue', { threadId: 1 });
  bench.untilPrinted(/tsubame> /);
  bench.type('primes 20000\r');
  const seen: (typeof first)[] = [];
  for (let i = 0; i < 400 && seen.length < 8; i++) {
    bench.turn();
    const now = sample();
    if (now.texts[0] !== seen.at(-1)?.texts[0]) seen.push(now);
  }
  assert.ok(seen.length >= 8 && seen.every(({ running }) => running));
  const counts = seen.map(({ texts }) => Number(texts[0]));
  assert.deepEqual(
    counts,
    counts.toSorted((a, b) => a - b),
  );
  assert.ok(seen.every(({ texts }) => /^0x[0-9a-f]+$/.test(texts[1]!) && texts[1] !== '0x7'));
  const moments = seen.map(({ instructions }) => instructions);
  assert.deepEqual(
    moments,
    moments.toSorted((a, b) => a - b),
  );
});
