// Steps back through the adapter: lines in the opposite order of the steps forwards, with the memory they changed; breakpoints backwards.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configOf, TSUBAME } from '../boot/running-guest.ts';
import { DapBench } from './dap-bench.ts';

const RECORDED = { record: { limit: 256 << 20 } };

test('a step back undoes a line and what it wrote; running back stops at breakpoints, and at the oldest moment', (t) => {
  const bench = new DapBench(configOf(TSUBAME, RECORDED));
  bench.launch({ stopOnEntry: true });
  const said = bench.transcript.find((line) => line.startsWith('<-- {"supports'));
  if (said?.includes('"supportsStepBack":true') !== true) return t.skip('this machine does not record its past');
  const free = (): string => bench.request('evaluate', { expression: 'frames_free' }).result;

  bench.run('next');
  bench.run('stepIn');
  const forwards = [bench.where];
  for (let i = 0; i < 4; i++) {
    bench.run('next');
    forwards.push(bench.where);
  }
  const backwards = [bench.where];
  for (let i = 0; i < 4; i++) {
    bench.run('stepBack');
    backwards.push(bench.where);
  }
  assert.deepEqual(backwards, forwards.toReversed());
  // Out of the function, to the line of the call.
  bench.run('stepBack');
  assert.equal(bench.where, 'kmain kmain.c:10');

  const source = { path: '/x/kmain.c', name: 'kmain.c' };
  bench.request('setBreakpoints', { source, breakpoints: [{ line: 24 }] });
  bench.run('continue');
  assert.deepEqual([bench.where, free()], ['kmain kmain.c:24', '0']);
  bench.run('next');
  const after = free();
  assert.notEqual(after, '0');
  bench.run('stepBack');
  assert.deepEqual([bench.where, free()], ['kmain kmain.c:24', '0']);
  bench.run('next');
  assert.deepEqual([bench.where, free()], ['kmain kmain.c:25', after]);

  bench.request('setBreakpoints', { source, breakpoints: [{ line: 11 }, { line: 18 }] });
  assert.equal(bench.run('reverseContinue').reason, 'breakpoint');
  assert.equal(bench.where, 'kmain kmain.c:18');
  bench.run('reverseContinue');
  assert.equal(bench.where, 'kmain kmain.c:11');
  bench.run('reverseContinue');
  assert.match(bench.where, /^_start boot\.S:/);
  assert.match(bench.ask('stepBack', { threadId: 1 }) as string, /oldest moment/);
  bench.run('next', { granularity: 'instruction' });
  bench.run('stepBack', { granularity: 'instruction' });
  assert.match(bench.ask('stepBack', { threadId: 1 }) as string, /oldest moment/);
});
