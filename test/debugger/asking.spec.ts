// What is asked while the guest stands: completions of members, breakpoints in gdb's words, registers of callers, numbers in base 16 all the way
// down, long arrays in pages, and what may not change the guest.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Dap } from '../../src/debugger/dap/protocol.ts';
import { configOf, TSUBAME } from '../boot/running-guest.ts';
import { DapBench } from './dap-bench.ts';

const atPageFault = (): {
  readonly bench: DapBench;
  readonly frames: readonly Dap.StackFrame[];
  readonly frameId: number;
} => {
  const bench = new DapBench(configOf(TSUBAME));
  bench.launch({}, () => bench.request('setFunctionBreakpoints', { breakpoints: [{ name: 'page_fault' }] }));
  const { stackFrames } = bench.request('stackTrace', { threadId: 1 });
  return { bench, frames: stackFrames, frameId: stackFrames[0]!.id };
};

test('completions: members behind -> and ., through elements and parentheses', () => {
  const { bench, frameId } = atPageFault();
  const labels = (text: string): string[] =>
    bench.request('completions', { text, column: text.length + 1, frameId }).targets.map(({ label }) => label);
  assert.deepEqual(labels('current->sta'), ['state', 'stack_pointer', 'stack', 'status']);
  assert.ok(labels('current->').length > 5);
  assert.deepEqual(labels('trap->vec'), ['vector']);
  assert.deepEqual(labels('1 + processes[1].pi'), ['pid']);
  assert.deepEqual(labels('(*current).pi'), ['pid']);
  assert.deepEqual(labels('no_such->x'), []);
  assert.deepEqual(labels('frames_free.x'), []);
  const [target] = bench.request('completions', { text: '2*trap->vec', column: 12, frameId }).targets;
  assert.deepEqual([target!.start, target!.length], [8, 3]);
});

test("function breakpoints in gdb's words", () => {
  const { bench } = atPageFault();
  const { breakpoints } = bench.request('setFunctionBreakpoints', {
    breakpoints: [
      'kmain.c:25',
      'fault.c:page_fault',
      '*page_fault',
      'page_fault+0x4',
      'frames_free',
      '',
      'kmain.c:pit_init',
      '0xfffffffff',
      'idle',
    ].map((name) => ({ name })),
  });
  const [line, inFile, entry, behind, data, nothing, elsewhere, far, plain] = breakpoints;
  assert.deepEqual([line!.verified, line!.line, line!.source?.name], [true, 25, 'kmain.c']);
  assert.equal(inFile!.verified, true);
  assert.ok(Number(entry!.instructionReference) < Number(inFile!.instructionReference), 'before the prologue');
  assert.equal(Number(behind!.instructionReference), Number(entry!.instructionReference) + 4);
  assert.match(data!.message!, /^frames_free is data, not a function: set a data breakpoint/);
  assert.match(nothing!.message!, /^Give the name of a function, name\+0x12/);
  assert.match(elsewhere!.message!, /no function pit_init in kmain\.c/);
  assert.match(far!.message!, /outside the 4 GB/);
  assert.equal(plain!.verified, true);
});

test('the registers of a caller are those that it goes on with', () => {
  const { bench, frames } = atPageFault();
  const registers = (frameId: number): ReadonlyMap<string, string> => {
    const { scopes } = bench.request('scopes', { frameId });
    const { variablesReference } = scopes.find(({ name }) => name === 'Registers')!;
    return new Map(
      bench.request('variables', { variablesReference }).variables.map(({ name, value }) => [name, value]),
    );
  };
  const caller = registers(frames[1]!.id);
  assert.match(caller.get('eip')!, new RegExp(`<${frames[1]!.name}`));
  const own = (expression: string): number =>
    Number(bench.request('evaluate', { expression: `(unsigned)${expression}`, frameId: frames[1]!.id }).result);
  assert.equal(Number(caller.get('esp')!.split(' ')[0]), own('$esp'));
  assert.notEqual(registers(frames[0]!.id).get('esp'), caller.get('esp'));
});

test('a register of a caller is set where it is kept: the caller goes on with it', () => {
  const { bench, frames } = atPageFault();
  const registers = (frameId: number): number => {
    const { scopes } = bench.request('scopes', { frameId });
    return scopes.find(({ name }) => name === 'Registers')!.variablesReference;
  };
  const valueOf = (name: string, frameId: number): number => {
    const { variables } = bench.request('variables', { variablesReference: registers(frameId) });
    return Number(variables.find((one) => one.name === name)!.value.split(' ')[0]);
  };
  const set = (name: string, value: string, frameId = frames[1]!.id): string => {
    const body = bench.ask('setVariable', { variablesReference: registers(frameId), name, value });
    return typeof body === 'string' ? `refused: ${body}` : body.value;
  };
  const wanted = { ebx: 0x1111_1111, esi: 0x2222_2222, edi: 0x3333_3333 };
  const before = [valueOf('esp', frames[1]!.id), valueOf('eip', frames[1]!.id)];
  for (const [name, value] of Object.entries(wanted)) {
    assert.match(set(name, `0x${value.toString(16)}`), new RegExp(`^0x${value.toString(16)}`));
    assert.equal(valueOf(name, frames[1]!.id), value, 'the frame that was shown has it at once');
  }
  assert.deepEqual([valueOf('esp', frames[1]!.id), valueOf('eip', frames[1]!.id)], before);
  const refused = set('esp', '0');
  assert.equal(refused, 'refused: esp cannot be set: $esp of this frame follows from others: it is kept nowhere.');
  assert.match(set('ebx', 'no_such'), /^refused: ebx cannot be set: there is no "no_such" here/);
  assert.match(set('ebx', '0x123456789'), /^refused: ebx has 32 bits/);
  // What it was: by the processor itself, when the callee has come back.
  bench.run('stepOut');
  const { stackFrames } = bench.request('stackTrace', { threadId: 1, levels: 1 });
  assert.equal(stackFrames[0]!.name, frames[1]!.name);
  for (const [name, value] of Object.entries(wanted)) assert.equal(valueOf(name, stackFrames[0]!.id), value, name);
  // On the console, and of the frame that the guest stands in.
  const ask = (expression: string): string =>
    bench.request('evaluate', { expression, frameId: stackFrames[0]!.id, context: 'repl' }).result;
  assert.equal(ask('$ecx = 5'), '5');
  assert.equal(ask('$ecx + 1'), '6');
  assert.equal(ask('($edx = 7) + $edx'), '14');
});

test('what is asked by itself changes nothing; on the console it may', () => {
  const { bench, frameId } = atPageFault();
  const before = bench.request('evaluate', { expression: 'frames_free', frameId }).result;
  for (const context of ['watch', 'hover', 'clipboard', 'variables'])
    for (const expression of ['frames_free = 1', 'frames_free++', '$eax = 1', 'frames_free += 1'])
      assert.match(
        bench.ask('evaluate', { expression, frameId, context }) as string,
        /changes nothing: assign on the debug console/,
      );
  assert.equal(bench.request('evaluate', { expression: 'frames_free', frameId }).result, before);
  assert.equal(bench.request('evaluate', { expression: 'frames_free = 7', frameId, context: 'repl' }).result, '7');
  // A condition with one = too few does not write: the guest stops, and says why.
  bench.request('setFunctionBreakpoints', { breakpoints: [{ name: 'tty_write', condition: 'frames_free = 1' }] });
  bench.run('continue');
  assert.equal(bench.request('evaluate', { expression: 'frames_free == 1' }).result, '0');
  assert.ok(bench.events.some(({ body }) => /cannot be told: .*changes nothing/.test(JSON.stringify(body))));
});

test('a string is assigned to an array of characters, up to its end', () => {
  const { bench, frameId } = atPageFault();
  const ask = (expression: string): string => {
    const body = bench.ask('evaluate', { expression, frameId, context: 'repl' });
    return typeof body === 'string' ? `refused: ${body}` : body.result;
  };
  const room = Number(ask('sizeof current->name'));
  assert.match(ask('current->name = "abc"'), /^"abc\\000/);
  assert.equal(ask('current->name[3] + current->name[sizeof current->name - 1]'), '0');
  assert.match(ask(`current->name = "${'x'.repeat(room + 1)}"`), new RegExp(`^refused: ${room + 2} bytes do not fit`));
});

test('base 16 holds for what a value opens into; a long array comes in pages', () => {
  const { bench, frameId } = atPageFault();
  const open = (expression: string, page: object = {}): readonly Dap.Variable[] => {
    const { variablesReference } = bench.request('evaluate', { expression, frameId, context: 'watch' });
    return bench.request('variables', { variablesReference, ...page }).variables;
  };
  assert.equal(open('*trap,x').find(({ name }) => name === 'vector')!.value, '0xe');
  assert.equal(open('*trap').find(({ name }) => name === 'vector')!.value, '14');
  const bytes = '*(unsigned char *)0x100000@1000000';
  const page = open(bytes, { filter: 'indexed', start: 999_998, count: 2 });
  assert.deepEqual(
    page.map(({ name }) => name),
    ['[999998]', '[999999]'],
  );
  const { variablesReference } = bench.request('evaluate', { expression: '*(unsigned *)0x200000@1000000', frameId });
  const set = bench.request('setVariable', { variablesReference, name: '[999999]', value: '5' });
  assert.equal(set.value, '5');
  assert.match(
    bench.ask('setVariable', { variablesReference, name: '[1000000]', value: '5' }) as string,
    /no \[1000000\] here/,
  );
});

test('numbers are written in the base that a letter asks for', () => {
  const { bench, frameId } = atPageFault();
  const ask = (expression: string, context = 'watch'): string =>
    bench.request('evaluate', { expression, frameId, context }).result;
  assert.deepEqual(
    ['x', 'd', 'u', 'o', 'b', 't', 'c'].map((letter) => ask(`trap->vector , ${letter}`)),
    ['0xe', '14', '14', '016', '0b1110', '0b1110', "14 '\\016'"],
  );
  assert.equal(ask('(char)-3,u'), "253 '\\375'");
  assert.equal(ask('-3,d'), '-3');
  assert.equal(
    ask('current->state,x', 'repl'),
    `0x${Number(ask('(int)current->state')).toString(16)} ${ask('current->state')}`,
  );
  assert.match(ask('trap,o'), /^0[0-7]+$/);
  assert.match(ask('trap,x', 'repl'), /^\(.*\) 0x/);
  assert.equal(ask('(1, 2)'), '2');
  const { variablesReference } = bench.request('evaluate', { expression: '*trap,b', frameId });
  const opened = bench.request('variables', { variablesReference }).variables;
  assert.equal(opened.find(({ name }) => name === 'vector')!.value, '0b1110');
});

test('log points: braces, bases, and what may not be done', () => {
  const bench = new DapBench(configOf(TSUBAME));
  bench.launch({}, () => {
    bench.request('setFunctionBreakpoints', { breakpoints: [{ name: 'idle' }] });
    bench.request('setBreakpoints', {
      source: { path: '/x/kmain.c' },
      breakpoints: [{ line: 26, logMessage: '\\{{frames_total,x}\\} {{u32} &frames_total} {frames_free = 1} {open' }],
    });
  });
  const said = bench.events.flatMap(({ event, body }) =>
    event === 'output' ? [(body as { output: string }).output] : [],
  );
  assert.match(said.join(''), /^\{0x[0-9a-f]+\} \d+ \{frames_free = 1: .*changes nothing.*\} \{open$/m);
});
