// Steps back through the adapter: lines in the opposite order of the steps forwards, with the memory they changed; breakpoints backwards.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Dap } from '../../src/debugger/dap/protocol.ts';
import type { EventRow } from '../../src/protocol/timeline.ts';
import { configOf, TSUBAME } from '../boot/running-guest.ts';
import { countInstructionsRun } from './instructions-run.ts';
import { DapBench } from './dap-bench.ts';
import { compareTranscript } from './golden.ts';

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

test('a step back runs no more of the past than the last lines take', (t) => {
  const bench = new DapBench(configOf(TSUBAME, { record: { limit: 256 << 20, every: 2000 } }));
  const count = countInstructionsRun(t);
  const now = (): number => bench.request('kansoku/sample', { expressions: [] }).instructions;
  bench.launch({ stopOnEntry: true });
  const stops: { readonly where: string; readonly at: number }[] = [];
  for (let i = 0; i < 12; i++) {
    stops.push({ where: bench.where, at: now() });
    bench.run('next');
  }
  for (let i = stops.length - 1; i > 0; i--) {
    count.ran = 0;
    const from = now();
    bench.run('stepBack');
    assert.deepEqual({ where: bench.where, at: now() }, stops[i]);
    // Twice through the line and that before it, and on to where stretches begin.
    const lines = from - stops[i - 1]!.at;
    assert.ok(count.ran < 2 * lines + 8_000, `${count.ran} instructions for lines of ${lines}`);
  }
});

test('who wrote this last, when was this line executed last', () => {
  const bench = new DapBench(configOf(TSUBAME, RECORDED));
  bench.launch({ stopOnEntry: true });
  const source = { path: '/x/kmain.c', name: 'kmain.c' };
  const free = (): number => Number(bench.request('evaluate', { expression: 'frames_free' }).result);
  const back = (command: 'kansoku/lastWrite' | 'kansoku/lastExecution', args: object): string => {
    bench.request(command, args as never);
    assert.equal(bench.until('stopped').reason, 'step');
    return bench.where;
  };
  bench.request('setBreakpoints', { source, breakpoints: [{ line: 25 }] });
  bench.run('continue');
  const after = free();
  const writer = back('kansoku/lastWrite', { name: 'frames_free' });
  assert.doesNotMatch(writer, /^kmain /);
  assert.equal(free(), after, 'behind the instruction that wrote it');
  bench.run('stepBack', { granularity: 'instruction' });
  assert.notEqual(free(), after, 'before it');
  assert.equal(back('kansoku/lastExecution', { source, line: 18 }), 'kmain kmain.c:18');
  assert.equal(free(), 0);
  assert.equal(back('kansoku/lastExecution', { source, line: 11 }), 'kmain kmain.c:11');

  const said = (pattern: RegExp): boolean =>
    bench.events.some(({ event, body }) => event === 'output' && pattern.test((body as { output: string }).output));
  assert.equal(back('kansoku/lastWrite', { name: 'frames_free' }), 'kmain kmain.c:11', 'the guest stays where it was');
  assert.ok(said(/Nothing has written to frames_free \(4 bytes at 0x[0-9a-f]{8} <frames_free>\) since/));
  assert.equal(back('kansoku/lastExecution', { source, line: 24 }), 'kmain kmain.c:11');
  assert.ok(said(/Line 24 was not executed since/));
  assert.match(bench.ask('kansoku/lastExecution', { source, line: 9999 }) as string, /No code begins in line 9999/);
  assert.match(bench.ask('kansoku/lastWrite', { name: '1 + 1' }) as string, /1 \+ 1/);
});

test('a frame is started again: the guest goes back to where it was entered', () => {
  const bench = new DapBench(configOf(TSUBAME, RECORDED));
  bench.launch({}, () => bench.request('setFunctionBreakpoints', { breakpoints: [{ name: 'frame_allocate' }] }));
  const frames = (): readonly Dap.StackFrame[] => bench.request('stackTrace', { threadId: 1 }).stackFrames;
  const [, caller] = frames();
  assert.equal(caller!.canRestart, true);
  const free = (): string => bench.request('evaluate', { expression: 'frames_free' }).result;
  const before = free();
  bench.request('setFunctionBreakpoints', { breakpoints: [] });
  bench.run('stepOut');
  assert.notEqual(free(), before);
  const [inside] = frames();
  assert.equal(inside!.name, caller!.name);
  const esp = bench.request('evaluate', { expression: '$esp', frameId: inside!.id }).result;
  bench.request('restartFrame', { frameId: inside!.id });
  assert.equal(bench.until('stopped').reason, 'restart');
  assert.equal(frames()[0]!.name, caller!.name);
  assert.ok(frames()[0]!.line <= inside!.line);
  assert.equal(free(), before);
  // From there the same way again.
  bench.request('setFunctionBreakpoints', { breakpoints: [{ name: 'frame_allocate' }] });
  bench.run('continue');
  bench.request('setFunctionBreakpoints', { breakpoints: [] });
  bench.run('stepOut');
  assert.equal(bench.request('evaluate', { expression: '$esp', frameId: frames()[0]!.id }).result, esp);
});

test('to the moment of a recorded event: back, forwards, while the guest runs', () => {
  const bench = new DapBench(configOf(TSUBAME, RECORDED));
  bench.launch({ stopOnEntry: true });
  bench.request('setFunctionBreakpoints', { breakpoints: [{ name: 'idle' }] });
  bench.run('continue');
  // VM exits: the guest stands before the instruction that causes them.
  const rows: EventRow[] = [];
  for (let from = 0; from < bench.records; from += 1000)
    rows.push(...bench.rows(from, 1000).filter(({ title }) => /^[A-Z]/.test(title)));
  const [first, middle, last] = [rows[1]!, rows[rows.length >> 1]!, rows.at(-1)!];
  const stands = (row: EventRow): void => {
    assert.equal(Number.parseInt(bench.request('evaluate', { expression: '$eip,x' }).result, 16), row.eip, row.title);
    assert.equal(bench.request('kansoku/sample', { expressions: [] }).instructions, row.instructions);
  };
  for (const row of [middle, first, last, middle]) {
    bench.request('kansoku/travel', { sequence: row.sequence });
    assert.equal(bench.until('stopped').reason, 'event');
    stands(row);
  }
  compareTranscript('travel', bench);
  bench.request('setFunctionBreakpoints', { breakpoints: [] });
  bench.request('continue', { threadId: 1 });
  bench.turn();
  bench.request('kansoku/travel', { sequence: first.sequence });
  assert.equal(bench.until('stopped').reason, 'event');
  stands(first);
  // Forwards to the newest moment, which the run has reached meanwhile.
  bench.request('kansoku/travel', { sequence: last.sequence });
  bench.until('stopped');
  stands(last);
  assert.match(bench.ask('kansoku/travel', { sequence: 1e9 }) as string, /is not kept any more/);
});

test('without a recorded past there is no way back, and the reason is told', () => {
  const bench = new DapBench(configOf(TSUBAME));
  bench.launch({ stopAt: 'pit_init' });
  const [frame] = bench.request('stackTrace', { threadId: 1, levels: 1 }).stackFrames;
  assert.equal(frame!.canRestart, undefined);
  const source = { path: '/x/kmain.c', name: 'kmain.c' };
  for (const refused of [
    bench.ask('restartFrame', { frameId: frame!.id }),
    bench.ask('stepBack', { threadId: 1 }),
    bench.ask('stepBack', { threadId: 1, granularity: 'instruction' }),
    bench.ask('reverseContinue', { threadId: 1 }),
    bench.ask('kansoku/lastWrite', { name: 'frames_free' }),
    bench.ask('kansoku/lastExecution', { source, line: 11 }),
    bench.ask('kansoku/travel', { sequence: 0 }),
  ])
    assert.match(refused as string, /^This machine does not record its past: start it with F5/);
});
