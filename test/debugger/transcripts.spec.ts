// Whole sessions on the sample kernel, message by message (transcripts/). What matters in them is said by assertions too; the transcripts
// keep the rest from changing unseen.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configOf, TSUBAME } from '../boot/running-guest.ts';
import { DapBench } from './dap-bench.ts';
import { compareTranscript } from './golden.ts';

const source = (name: string): { readonly path: string; readonly name: string } => ({
  path: `/home/user/tsubame/${name}`,
  name,
});

test('the first line of C, steps over, into and out', () => {
  const bench = new DapBench(configOf(TSUBAME));
  assert.equal(bench.launch({ stopOnEntry: true }).reason, 'entry');
  assert.deepEqual(bench.stack(), ['kmain kmain.c:9', '_start boot.S:26']);
  assert.equal(bench.run('next').reason, 'step');
  assert.equal(bench.where, 'kmain kmain.c:10');
  bench.run('stepIn');
  assert.deepEqual(bench.stack(), ['serial_init serial.c:32', 'kmain kmain.c:10', '_start boot.S:26']);
  // outb is inlined where the function begins: stepping into it executes nothing.
  bench.run('stepIn');
  assert.deepEqual(bench.stack(2), ['outb x86.h:14', 'serial_init serial.c:32']);
  bench.run('stepOut');
  assert.equal(bench.where, 'serial_init serial.c:33');
  // inb too: a step over it is one step.
  bench.run('next');
  assert.equal(bench.where, 'serial_init serial.c:34');
  bench.run('stepOut');
  assert.equal(bench.where, 'kmain kmain.c:10');
  compareTranscript('steps', bench);
});

test('breakpoints: where they come to lie, conditions that are no hit counts, files of others', () => {
  const bench = new DapBench(configOf(TSUBAME));
  const stopped = bench.launch({}, () => {
    const { breakpoints } = bench.request('setBreakpoints', {
      source: source('kmain.c'),
      breakpoints: [{ line: 26 }, { line: 17 }, { line: 7 }, { line: 28, hitCondition: 'often' }],
    });
    assert.deepEqual(
      breakpoints.map(({ verified, line }) => [verified, line]),
      [
        [true, 26],
        [true, 18],
        [true, 9],
        [false, undefined],
      ],
    );
    const other = bench.request('setBreakpoints', { source: source('elsewhere.c'), breakpoints: [{ line: 1 }] });
    assert.match(other.breakpoints[0]!.message ?? '', /No code of tsubame\.elf comes from this file/);
    bench.request('breakpointLocations', { source: source('kmain.c'), line: 24, endLine: 27 });
    bench.request('setFunctionBreakpoints', { breakpoints: [{ name: 'pit_init' }, { name: 'no_such' }] });
  });
  assert.equal(stopped.reason, 'breakpoint');
  assert.equal(bench.where, 'kmain kmain.c:9');
  bench.run('continue');
  assert.equal(bench.where, 'kmain kmain.c:18');
  bench.run('continue');
  assert.equal(bench.where, 'kmain kmain.c:26');
  bench.run('continue');
  assert.match(bench.where, /^pit_init pit\.c/);
  compareTranscript('breakpoints', bench);
});

test('a hit count and a log point in a function that is called often', () => {
  const bench = new DapBench(configOf(TSUBAME));
  bench.launch({}, () => {
    bench.request('setFunctionBreakpoints', { breakpoints: [{ name: 'step', hitCondition: '3' }, { name: 'idle' }] });
    bench.request('setBreakpoints', { source: source('kmain.c'), breakpoints: [{ line: 26, logMessage: 'paging' }] });
  });
  assert.deepEqual(bench.stack(2), ['step kmain.c:6', 'kmain kmain.c:21']);
  bench.run('continue');
  assert.match(bench.where, /^idle /);
  assert.ok(
    bench.events.some(({ event, body }) => event === 'output' && (body as { output: string }).output === 'paging\n'),
  );
  compareTranscript('hit-counts', bench);
});

test('registers, memory and instructions where the guest stands', () => {
  const bench = new DapBench(configOf(TSUBAME));
  bench.launch({ stopAt: 'serial_init' });
  const [frame] = bench.request('stackTrace', { threadId: 1, levels: 1 }).stackFrames;
  const { scopes } = bench.request('scopes', { frameId: frame!.id });
  const registers = scopes.find(({ name }) => name === 'Registers')!;
  const { variables } = bench.request('variables', { variablesReference: registers.variablesReference });
  assert.match(variables.find(({ name }) => name === 'eip')!.value, /^0x0010[0-9a-f]{4} <serial_init/);
  bench.request('setVariable', { variablesReference: registers.variablesReference, name: 'ecx', value: '0x1234' });
  const ecx = bench.request('variables', { variablesReference: registers.variablesReference, start: 1, count: 1 });
  assert.equal(ecx.variables[0]!.value, '0x00001234');
  assert.match(
    bench.ask('setVariable', {
      variablesReference: registers.variablesReference,
      name: 'ecx',
      value: '0x123456789',
    }) as string,
    /32 bits/,
  );

  const at = frame!.instructionPointerReference!;
  const window = bench.request('disassemble', {
    memoryReference: at,
    instructionOffset: -10,
    instructionCount: 30,
    resolveSymbols: true,
  });
  assert.equal(window.instructions.length, 30);
  assert.equal(window.instructions[10]!.address, at);

  const written = 'a2Fuc29rdQ==';
  bench.request('writeMemory', { memoryReference: '0x00200000', data: written });
  assert.equal(bench.request('readMemory', { memoryReference: '0x00200000', count: 7 }).data, written);
  const beyond = bench.request('readMemory', { memoryReference: '0x07ffffff', count: 16 });
  assert.equal(beyond.unreadableBytes, 16);
  compareTranscript('registers-and-memory', bench);
});
