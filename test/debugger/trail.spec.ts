// What is remembered of lines in the past is what a search for them would find: a walk forwards and back through the sample kernel comes to the same
// moments with and without it, also where the past was changed. And it makes a step back cheap whatever lies before the line.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Trail } from '../../src/debugger/trail.ts';
import { configOf, TSUBAME } from '../boot/running-guest.ts';
import { countInstructionsRun } from './instructions-run.ts';
import { DapBench } from './dap-bench.ts';
import { randomly } from './travels.ts';

const now = (bench: DapBench): number => bench.request('kansoku/sample', { expressions: [] }).instructions;

const STEPS = 120;

/** The places of a walk that comes to lines again and again, in both directions, and now and then changes what it finds. */
const walk = (seed: number, start: string): string[] => {
  const random = randomly(seed);
  const bench = new DapBench(configOf(TSUBAME, { bare: true, record: { limit: 256 << 20, every: 100_000 } }));
  bench.launch({ stopAt: start });
  const places: string[] = [];
  let last = '';
  /** What is refused, at either end, moves nothing. */
  const go = (command: 'next' | 'stepIn' | 'stepOut' | 'stepBack'): void => {
    last = command;
    if (typeof bench.ask(command, { threadId: 1 }) !== 'string') bench.until('stopped');
  };
  // Longer and longer ways back.
  for (let i = 0, back = 0, forth = 0; i < STEPS; i++) {
    if (back === 0 && forth-- === 0) [back, forth] = [Math.floor(random() * 12), 3 + Math.floor(random() * 12)];
    const { where } = bench;
    // What kmain does last does not come back, nor does kmain.
    if (/^kmain kmain\.c:3\d/.test(where)) back = Math.max(back, 8);
    if (back > 0) {
      back--;
      go('stepBack');
    } else {
      const which = random();
      if (which < 0.08)
        bench.request('evaluate', { expression: `frames_free = ${Math.floor(random() * 100)}`, context: 'repl' });
      if (which < 0.6 && !where.startsWith('_start')) go('next');
      else go(which < 0.95 || where.startsWith('kmain') ? 'stepIn' : 'stepOut');
    }
    places.push(`${last} ${bench.where} ${now(bench)}`);
  }
  return places;
};

for (const start of ['kmain', 'tty_write', 'frame_init'])
  test(`steps back end where a search ends: from ${start} on`, (t) => {
    const { before } = Trail.prototype;
    let known = 0;
    t.mock.method(Trail.prototype, 'before', function (this: Trail, ...asked: Parameters<typeof before>) {
      const found = before.apply(this, asked);
      if (found?.certain === true) known++;
      return found;
    });
    const seeds = [1, 2];
    const walks = seeds.map((seed) => walk(seed, start));
    t.mock.method(Trail.prototype, 'before', () => undefined);
    for (const [i, seed] of seeds.entries()) assert.deepEqual(walks[i], walk(seed, start), `seed ${seed}`);
    assert.ok(known > 20, `${known} steps back were known`);
  });

test('a step back over a line behind a long one does not run the long one again', (t) => {
  const bench = new DapBench(configOf(TSUBAME, { record: { limit: 256 << 20, every: 1e9 } }));
  const count = countInstructionsRun(t);
  bench.launch({}, () => bench.request('setFunctionBreakpoints', { breakpoints: [{ name: 'kmain.c:23' }] }));
  const stops: string[] = [];
  for (let i = 0; i < 5; i++) {
    stops.push(`${bench.where} ${now(bench)}`);
    bench.run('next');
  }
  assert.match(stops.join(), /kmain\.c:24 \d+,kmain kmain\.c:25 \d{7}/, 'over a million instructions');
  const long = now(bench);
  for (const stop of stops.slice(1).toReversed()) {
    bench.run('stepBack');
    assert.equal(`${bench.where} ${now(bench)}`, stop);
  }
  assert.ok(long > 2_000_000 && count.ran < 100_000, `${count.ran} instructions`);
});
