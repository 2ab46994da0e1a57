// Ways through the recorded past that are broken off: the guest is back where it stood, and nothing that comes meanwhile changes what is recorded.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Dap } from '../../src/debugger/dap/protocol.ts';
import { configOf, TSUBAME } from '../boot/running-guest.ts';
import { DapBench } from './dap-bench.ts';
import { compareTranscript } from './golden.ts';

/** Small slices: a way through the past takes many. */
const config = configOf(TSUBAME, { record: { limit: 256 << 20, every: 20_000 } });

const atIdle = (): DapBench => {
  const bench = new DapBench(config);
  bench.launch({}, () => bench.request('setFunctionBreakpoints', { breakpoints: [{ name: 'idle' }] }));
  assert.match(bench.where, /^idle /);
  return bench;
};
const state = (bench: DapBench): unknown => {
  const { variables } = bench.request('variables', {
    variablesReference: bench
      .request('scopes', { frameId: bench.request('stackTrace', { threadId: 1, levels: 1 }).stackFrames[0]!.id })
      .scopes.find(({ name }) => name === 'Registers')!.variablesReference,
  });
  const free = bench.request('evaluate', { expression: 'frames_free' }).result;
  const { instructions } = bench.request('kansoku/sample', { expressions: [] });
  return [variables.map(({ name, value }) => `${name} ${value}`), free, instructions, bench.stack()];
};
const progressOf = (bench: DapBench): string => bench.until('progressStart').progressId;
const lastStatus = (bench: DapBench): { readonly state: string; readonly instructions: number } => {
  const told = bench.posted.findLast((message) => message.type === 'status');
  assert.ok(told?.type === 'status');
  return told.status;
};

for (const how of ['cancel', 'pause', 'the pause button of the console'] as const)
  test(`a way back that is broken off by ${how} ends where the guest stood`, () => {
    const bench = atIdle();
    const before = state(bench);
    const { records } = bench;
    bench.request('reverseContinue', { threadId: 1 });
    const progressId = progressOf(bench);
    const from = bench.events.length;
    if (how === 'cancel') bench.request('cancel', { progressId });
    else if (how === 'pause') bench.request('pause', { threadId: 1 });
    else bench.tell({ type: 'pause' });
    assert.deepEqual(
      bench.events.slice(from).map(({ event }) => event),
      ['progressEnd'],
      'not stopped yet: the guest is on its way home',
    );
    // Once is enough.
    bench.request('cancel', { progressId });
    bench.request('pause', { threadId: 1 });
    const stopped = bench.until('stopped');
    assert.equal(stopped.reason, 'pause');
    assert.equal(stopped.description, `${how === 'cancel' ? 'Cancelled' : 'Paused'}: Running back`);
    assert.equal(bench.events.filter(({ event }) => event === 'stopped').length, 2);
    const progress = bench.events.filter(({ event }) => event.startsWith('progress') && event !== 'progressUpdate');
    assert.deepEqual(
      progress.map(({ event, body }) => [event, (body as { progressId: string }).progressId]),
      progress.map((_, i) => [i % 2 === 0 ? 'progressStart' : 'progressEnd', `p${(i >> 1) + 1}`]),
    );
    assert.deepEqual(state(bench), before);
    assert.equal(lastStatus(bench).state, 'paused');
    assert.equal(bench.records, records, 'the timeline has what it had');
    // What comes next is what would have come.
    bench.request('setFunctionBreakpoints', { breakpoints: [] });
    bench.request('continue', { threadId: 1 });
    bench.untilPrinted(/tsubame> $/);
    bench.type('echo still here\r');
    bench.untilPrinted(/\nstill here\n/);
  });

test('what comes while the guest goes through the past: refused where it needs a moment, kept where it can wait', () => {
  const bench = atIdle();
  bench.request('kansoku/lastExecution', { source: { path: '/x/kmain.c' }, line: 11 });
  progressOf(bench);
  const late = /on its way through the recorded past/;
  assert.match(bench.ask('evaluate', { expression: 'frames_free = 1', context: 'repl' }) as string, late);
  assert.match(bench.ask('writeMemory', { memoryReference: '0x109c20', data: 'AAAA' }) as string, late);
  assert.match(bench.ask('goto', { threadId: 1, targetId: 0x100000 }) as string, late);
  assert.match(bench.ask('continue', { threadId: 1 }) as string, /runs already/);
  const { values } = bench.request('kansoku/sample', { expressions: ['frames_free'] });
  assert.deepEqual(values, [{ problem: 'the guest is on its way through the past' }]);
  // The search has points of its own: the user's are in force from the next run on.
  bench.request('setFunctionBreakpoints', { breakpoints: [{ name: 'pit_init' }] });
  bench.type('echo typed on the way\r');
  assert.equal(bench.until('stopped').reason, 'step');
  assert.equal(bench.where, 'kmain kmain.c:11');
  bench.run('continue');
  assert.match(bench.where, /^pit_init /);
  bench.request('setFunctionBreakpoints', { breakpoints: [] });
  bench.request('continue', { threadId: 1 });
  bench.untilPrinted(/\ntyped on the way\n/);
});

test('a way that takes the place of another is broken off to where the first began', () => {
  const bench = atIdle();
  const before = state(bench);
  const event = bench.rows(20, 1)[0]!;
  bench.request('kansoku/lastWrite', { name: 'frames_total' });
  progressOf(bench);
  bench.request('kansoku/travel', { sequence: event.sequence });
  bench.request('pause', { threadId: 1 });
  assert.equal(bench.until('stopped').description, 'Paused: Going to the event');
  assert.deepEqual(state(bench), before);
});

test('left on its way through the past, the guest runs on from where it stood', () => {
  const bench = atIdle();
  bench.request('reverseContinue', { threadId: 1 });
  progressOf(bench);
  bench.request('disconnect', { terminateDebuggee: false });
  bench.untilPrinted(/tsubame> $/);
  bench.type('echo still here\r');
  bench.untilPrinted(/\nstill here\n/);
});

test('a way back that is cancelled, message by message', () => {
  const bench = atIdle();
  bench.request('kansoku/lastWrite', { name: 'frames_total' });
  const progressId = progressOf(bench);
  bench.request('cancel', { progressId });
  bench.until('stopped');
  assert.match(bench.where, /^idle /);
  compareTranscript('cancel', bench);
});

test('an assignment while the guest runs does not hold it up', () => {
  const bench = atIdle();
  bench.request('continue', { threadId: 1 });
  bench.request('evaluate', { expression: 'frames_free = frames_free', context: 'repl' });
  bench.untilPrinted(/tsubame> $/);
});

test('conditions and log points see the frame they are asked in, forwards and backwards', () => {
  const bench = new DapBench(config);
  const source: Dap.Source = { path: '/x/tty.c' };
  bench.launch({}, () => {
    bench.request('setFunctionBreakpoints', { breakpoints: [{ name: 'idle' }] });
    bench.request('setBreakpoints', { source, breakpoints: [{ line: 18, logMessage: '{bytes} {bytes,x}' }] });
  });
  const lines = bench.events.flatMap(({ event, body }) =>
    event === 'output' ? [(body as { output: string }).output.trim()] : [],
  );
  // As many bytes as the lines have that the kernel prints.
  const printed = bench.serial.split(/(?<=\n)/).filter((line) => !line.startsWith('\n') || line.length > 1);
  assert.deepEqual(
    lines.slice(2),
    lines.slice(2).filter((line) => /^\d+ 0x[0-9a-f]+$/.test(line)),
  );
  assert.ok(
    lines.every((line) => Number(line.split(' ')[0]) === Number(line.split(' ')[1])),
    lines.join('\n'),
  );
  assert.deepEqual(
    lines.slice(-2).map((line) => Number(line.split(' ')[0])),
    printed.slice(-2).map(({ length }) => length),
  );
  const [, wanted] = /^(\d+)/.exec(lines[3]!)!;
  bench.request('setBreakpoints', { source, breakpoints: [{ line: 18, condition: `bytes == ${wanted}` }] });
  const back = bench.run('reverseContinue');
  assert.equal(back.reason, 'breakpoint');
  assert.equal(bench.request('evaluate', { expression: 'bytes' }).result, wanted);
});
