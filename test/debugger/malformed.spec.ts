// Requests as no editor should write them: each is answered, with a sentence that says what is wrong with which of its arguments. A sentence that
// names no argument, or a defect of ours, fails.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HANDLERS } from '../../src/debugger/dap/handlers.ts';
import { configOf, TSUBAME } from '../boot/running-guest.ts';
import { DapBench } from './dap-bench.ts';

const stopped = (): DapBench => {
  const bench = new DapBench(configOf(TSUBAME, { record: { limit: 64 << 20 } }));
  bench.launch({}, () => bench.request('setFunctionBreakpoints', { breakpoints: [{ name: 'page_fault' }] }));
  return bench;
};
const ask = (bench: DapBench, command: string, given?: unknown): unknown => bench.ask(command as never, given as never);

/** Needs no arguments, or none that can be wrong. */
const ANY = new Set(['threads', 'loadedSources']);
const defect = /Error:|undefined|not a function|Cannot read|NaN/;

test('no arguments, and arguments that are none', () => {
  const bench = stopped();
  const nothingNeeded: string[] = [];
  for (const command of Object.keys(HANDLERS)) {
    if (
      /^(disconnect|terminate|restart|launch|attach|initialize|configurationDone|continue|pause|cancel)$/.test(command)
    )
      continue;
    for (const given of [5, 'x', [], true]) {
      const answer = ask(bench, command, given);
      if (!ANY.has(command)) assert.match(String(answer), /its arguments is .*: give an object\.$/, command);
    }
    for (const given of [undefined, null, {}]) {
      const answer = ask(bench, command, given);
      if (typeof answer === 'string') assert.doesNotMatch(answer, defect, command);
      else if (!nothingNeeded.includes(command)) nothingNeeded.push(command);
    }
  }
  assert.deepEqual(nothingNeeded.sort(), ['loadedSources', 'modules', 'threads']);
});

const REFUSED: readonly (readonly [string, unknown, RegExp])[] = [
  ['setBreakpoints', { source: 5 }, /: source is 5: give an object\.$/],
  ['setBreakpoints', { source: { path: 5 } }, /: source\.path is 5: give a text\.$/],
  ['setBreakpoints', { source: {}, breakpoints: 'x' }, /: breakpoints is "x": give a list\.$/],
  ['setBreakpoints', { source: {}, breakpoints: [null] }, /: breakpoints\[0\] is null: give an object\.$/],
  [
    'setBreakpoints',
    { source: {}, breakpoints: [{ line: 1 }, { line: 'a' }] },
    /breakpoints\[1\]\.line is "a": give a whole number/,
  ],
  ['setBreakpoints', { source: {}, breakpoints: [{ line: -1 }] }, /line is -1: give a whole number from 0/],
  ['setBreakpoints', { source: {}, breakpoints: [{ line: 1, condition: 5 }] }, /condition is 5: give a text/],
  ['setInstructionBreakpoints', { breakpoints: [{ instructionReference: '-5' }] }, /-5 lies outside the 4 GB/],
  ['setInstructionBreakpoints', { breakpoints: [{ instructionReference: '0x1ffffffff' }] }, /outside the 4 GB/],
  ['setInstructionBreakpoints', { breakpoints: [{ instructionReference: '0x0', offset: 1e30 }] }, /offset is 1e\+30/],
  ['setDataBreakpoints', { breakpoints: [{ dataId: 'x' }] }, /"x" is no address/],
  ['setDataBreakpoints', { breakpoints: [{ dataId: '0x0/4', accessType: 'z' }] }, /one of read, write, readWrite/],
  ['stackTrace', { threadId: 77 }, /no thread 77: the request "threads" lists/],
  ['stackTrace', { threadId: 1, startFrame: -3 }, /startFrame is -3/],
  ['next', { threadId: 77 }, /no thread 77/],
  ['next', { threadId: 1, granularity: 'word' }, /one of statement, line, instruction/],
  [
    'disassemble',
    { memoryReference: '0x100000', instructionCount: 100_000 },
    /instructionCount is 100000: .* to 20000/,
  ],
  ['disassemble', { memoryReference: '0x100000', instructionCount: 3, offset: -1e9 }, /outside the 4 GB/],
  ['readMemory', { memoryReference: 'frames_free', count: 4 }, /"frames_free" is no address/],
  ['readMemory', { memoryReference: '0xfffffff0', offset: 32, count: 4 }, /outside the 4 GB/],
  ['readMemory', { memoryReference: '0x0', count: -1 }, /count is -1/],
  ['writeMemory', { memoryReference: '0xfffffffe', data: 'AAAAAAAA' }, /beyond the end of memory: nothing was written/],
  ['writeMemory', { memoryReference: '0x200000', data: '!!!!' }, /no Base64: nothing was written/],
  ['kansoku/sample', { expressions: [5] }, /expressions\[0\] is 5: give a text/],
  ['kansoku/travel', { sequence: -1 }, /sequence is -1/],
  ['toString', {}, /does not know the request toString/],
];

test('wrong types, and numbers that are too large', () => {
  const bench = stopped();
  for (const [command, given, sentence] of REFUSED) {
    const answer = ask(bench, command, given);
    assert.equal(typeof answer, 'string', `${command} ${JSON.stringify(given)}`);
    assert.match(answer as string, sentence);
  }
});

test('breakpoints that mean nothing say so where they are set', () => {
  const bench = stopped();
  const source = { path: '/x/kmain.c' };
  const why = (breakpoint: object): string => {
    const [set] = bench.request('setBreakpoints', { source, breakpoints: [{ line: 25, ...breakpoint }] }).breakpoints;
    return set!.verified ? 'verified' : set!.message!;
  };
  assert.equal(why({}), 'verified');
  assert.match(why({ condition: '(((' }), /^"\(\(\(" is no C expression: the expression ends where/);
  assert.equal(why({ condition: '(u32)frames_free == 1' }), 'verified');
  const data = (dataId: string): string => {
    const [set] = bench.request('setDataBreakpoints', { breakpoints: [{ dataId }] }).breakpoints;
    return set!.verified ? 'verified' : set!.message!;
  };
  assert.match(data('0x00100000/1000000000'), /too many to watch: at most 16777216/);
  assert.match(data('0xfffffffe/8'), /beyond the end of memory/);
  assert.match(data('0x00100000/1.5'), /no bytes to watch/);
  assert.equal(data('0x00100000/100000'), 'verified');
  const info = bench.request('dataBreakpointInfo', { name: '0x1000', asAddress: true, bytes: 2 ** 30 });
  assert.deepEqual([info.dataId, /too many/.test(info.description)], [null, true]);
  const { breakpoints } = bench.request('setExceptionBreakpoints', {
    filters: ['nope'],
    filterOptions: [
      { filterId: 'page-fault', condition: '(((' },
      { filterId: 'port', condition: '0x3ff-0x3f8' },
    ],
  });
  assert.deepEqual(
    breakpoints!.map(({ verified }) => verified),
    [false, false, false],
  );
  assert.match(breakpoints![0]!.message!, /^There is no filter nope: known are triple-fault/);
  assert.match(breakpoints![2]!.message!, /its end comes before its beginning/);
});

test('memory at its ends: what cannot be read is counted, in time', () => {
  const bench = stopped();
  const top = bench.request('readMemory', { memoryReference: '0xfffffff0', count: 64 });
  assert.deepEqual([top.address, top.data, top.unreadableBytes], ['0xfffffff0', '', 64]);
  const began = Date.now();
  bench.request('readMemory', { memoryReference: '0x00103000', count: 2 ** 32 });
  assert.ok(Date.now() - began < 3000);
});
