// The order in which a stop is told: the editor first, which the user looks at, then the panels, which go through all that was recorded.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configOf, TSUBAME } from '../boot/running-guest.ts';
import { DapBench } from './dap-bench.ts';

test('the editor hears of a stop before the panels do', () => {
  const bench = new DapBench(configOf(TSUBAME));
  bench.launch({ stopOnEntry: true });
  const from = bench.posted.length;
  bench.run('next');
  const told = bench.posted.slice(from).flatMap((message) => {
    if (message.type === 'status') return [message.status.state];
    if (message.type !== 'debug') return [];
    const { event } = message.message as { readonly event?: string };
    return event === undefined ? [] : [event];
  });
  assert.deepEqual(told, ['running', 'stopped', 'paused']);
});
