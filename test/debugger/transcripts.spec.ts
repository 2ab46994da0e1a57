// Whole sessions on the sample kernel, message by message (transcripts/). What matters in them is said by assertions too; the transcripts
// keep the rest from changing unseen.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Dap } from '../../src/debugger/dap/protocol.ts';
import { configOf, TSUBAME } from '../boot/running-guest.ts';
import { DapBench } from './dap-bench.ts';
import { compareTranscript } from './golden.ts';
import { OS_JSON, osDescription, standAsleep } from './sleeping-tasks.ts';

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

test('descriptor tables, the VMCS and page walks', () => {
  const bench = new DapBench(configOf(TSUBAME));
  bench.launch({}, () => bench.request('setFunctionBreakpoints', { breakpoints: [{ name: 'page_fault' }] }));
  const [frame] = bench.request('stackTrace', { threadId: 1, levels: 1 }).stackFrames;
  const { scopes } = bench.request('scopes', { frameId: frame!.id });
  const open = (reference: number, start = 0, count = 0): readonly Dap.Variable[] =>
    bench.request('variables', { variablesReference: reference, start, count }).variables;
  const scope = (name: string): number => {
    const found = scopes.find((one) => one.name === name);
    assert.equal(found?.expensive, true);
    return found.variablesReference;
  };
  const [gdt, ldt, idt, tss] = open(scope('Descriptor tables'));
  assert.deepEqual(
    open(gdt!.variablesReference).map(({ name, value }) => `${name} ${value}`),
    [
      '0x0000 null',
      '0x0008 32-bit code, readable, DPL 0, base 00000000 limit ffffffff, accessed',
      '0x0010 32-bit data, writable, DPL 0, base 00000000 limit ffffffff, accessed',
      '0x0018 32-bit code, readable, DPL 3, base 00000000 limit ffffffff, accessed',
      '0x0020 32-bit data, writable, DPL 3, base 00000000 limit ffffffff, accessed',
      gdt!.indexedVariables === 6 ? `0x0028 TSS, busy, DPL 0, base ${tss!.value.slice(-8)} limit 00000067` : '',
    ],
  );
  assert.equal(ldt!.value, 'not in use');
  const gates = open(idt!.variablesReference, 14, 2);
  assert.equal(gates.length, 2);
  assert.match(gates[0]!.value, /^interrupt gate to 0008:0010[0-9a-f]{4}, DPL 0 </);
  assert.match(open(tss!.variablesReference).find(({ name }) => name === 'ss0')!.value, /^0x0010$/);
  const groups = open(scope('VMCS'));
  assert.deepEqual(groups.map(({ name }) => name).sort(), ['Control', 'Exit information', 'Guest state', 'Host state']);
  const guest = open(groups.find(({ name }) => name === 'Guest state')!.variablesReference);
  assert.match(guest.find(({ name }) => name === 'Guest RIP')!.value, /^0x[0-9a-f]{8}/);
  assert.match(groups.find(({ name }) => name === 'Guest state')!.value, /as of the last VM exit/);

  const ask = (expression: string): Dap.EvaluateResponse['body'] =>
    bench.request('evaluate', { expression, frameId: frame!.id, context: 'watch' });
  const walk = ask('$walk(&frames_free)');
  assert.match(walk.result, /^32-bit paging: 00109c20 is at 00109c20$/);
  assert.deepEqual(
    open(walk.variablesReference).map(({ name }) => name),
    ['PDE', 'PTE'],
  );
  assert.match(ask('$walk(0x40000100)').result, /is not mapped$/);
  assert.match(ask('$symbol($eip)').result, /^0x0010[0-9a-f]{4} <page_fault.*>, [\w.]+:\d+$/);
  compareTranscript('tables', bench);
});

test('locals, members behind pointers, expressions, assignments', () => {
  const bench = new DapBench(configOf(TSUBAME));
  bench.launch({}, () => bench.request('setFunctionBreakpoints', { breakpoints: [{ name: 'page_fault' }] }));
  const { stackFrames } = bench.request('stackTrace', { threadId: 1, levels: 2 });
  const frameId = stackFrames[0]!.id;
  const locals = bench.request('scopes', { frameId }).scopes.find(({ name }) => name === 'Locals')!;
  const { variables } = bench.request('variables', { variablesReference: locals.variablesReference });
  const trap = variables.find(({ name }) => name === 'trap')!;
  assert.equal(trap.type, 'struct trap *');
  const members = bench.request('variables', { variablesReference: trap.variablesReference }).variables;
  assert.equal(members.find(({ name }) => name === 'vector')!.value, '14');
  const evaluate = (expression: string): string => {
    const body = bench.ask('evaluate', { expression, frameId, context: 'watch' });
    return typeof body === 'string' ? `refused: ${body}` : body.result;
  };
  assert.equal(evaluate('trap->vector * 2 + 1'), '29');
  assert.equal(evaluate('trap->vector,x'), '0xe');
  assert.match(evaluate('no_such'), /^refused: there is no "no_such" here/);
  assert.match(evaluate('*current'), /name = "shell/);
  const assigned = 'frames_free = frames_total - 1, frames_free == frames_total - 1';
  assert.match(evaluate(assigned), /^refused: .*evaluated again and again.* assign on the debug console/);
  assert.equal(bench.request('evaluate', { expression: assigned, frameId, context: 'repl' }).result, '1');
  bench.request('setVariable', { variablesReference: trap.variablesReference, name: 'edi', value: '0x11 + 1' });
  assert.equal(evaluate('trap->edi'), '18');
  bench.request('setExpression', { expression: 'current->status', value: '-3', frameId });
  assert.equal(evaluate('current->status'), '4294967293');
  const { targets } = bench.request('completions', { text: 'frames_', column: 8, frameId });
  assert.deepEqual(
    targets.map(({ label }) => label),
    ['frames_free', 'frames_total'],
  );
  compareTranscript('values', bench);
});

test("the kernel's tasks are threads: names, stacks to user space, registers, and no steps", () => {
  const bench = new DapBench(configOf(TSUBAME));
  standAsleep(bench);
  const { threads } = bench.request('threads');
  assert.deepEqual(
    threads.map(({ name }) => name),
    ['d0v0 ring 0: idle 0', 'shell 1 (PROCESS_SLEEPING)', 'sleep 2 (PROCESS_SLEEPING)'],
  );
  const [, shell, sleep] = threads;
  const { stackFrames } = bench.request('stackTrace', { threadId: shell!.id });
  assert.deepEqual(
    stackFrames.slice(0, 3).map(({ name, source: file }) => `${name} ${file?.name}`),
    ['schedule process.c', 'sleep_on process.c', 'tty_read tty.c'],
  );
  assert.ok(stackFrames.some(({ presentationHint }) => presentationHint === 'label'));
  const user = stackFrames.at(-1)!;
  assert.match(user.instructionPointerReference!, /^0x4/);
  // The variables of a task's frame are read from its own stack, and what is in user space by its own page tables.
  const evaluate = (expression: string, frameId: number): string => {
    const body = bench.ask('evaluate', { expression, frameId, context: 'watch' });
    return typeof body === 'string' ? `refused: ${body}` : body.result;
  };
  const reader = stackFrames.find(({ name }) => name === 'tty_read')!;
  assert.equal(evaluate('(unsigned)$esp >> 12 == processes[1].stack >> 12', reader.id), '1');
  assert.equal(evaluate('$cr2', reader.id), "refused: $cr2 is the processor's, and shell 1 does not run");
  assert.match(evaluate('$esp = 5', reader.id), /^refused/);
  assert.match(evaluate('*(int *)$esp', user.id), /^-?\d+$/);
  // So does the memory view: the processor's own address space has none of it, while it is idle.
  const there = bench.request('evaluate', { expression: '(int *)$esp', frameId: user.id }).memoryReference!;
  assert.match(there, /^0x[0-9a-f]{8}@0x[0-9a-f]{8}$/);
  const [address] = there.split('@');
  const word = bench.request('readMemory', { memoryReference: there, count: 4 });
  assert.equal(word.unreadableBytes, undefined);
  assert.equal(Buffer.from(word.data!, 'base64').readInt32LE(), Number(evaluate('*(int *)$esp', user.id)));
  assert.equal(bench.request('readMemory', { memoryReference: address!, count: 4 }).unreadableBytes, 4);
  assert.match(evaluate(`$walk(${address})`, user.id), new RegExp(`^32-bit paging: ${address!.slice(2)} is at `));
  bench.request('writeMemory', { memoryReference: there, data: 'a2Fucw==' });
  assert.equal(evaluate('*(int *)$esp,x', user.id), '0x736e616b');
  bench.request('writeMemory', { memoryReference: there, data: word.data! });
  const { scopes } = bench.request('scopes', { frameId: reader.id });
  const registers = scopes.find(({ name }) => name === 'Registers')!;
  const { variables } = bench.request('variables', { variablesReference: registers.variablesReference });
  assert.match(variables.find(({ name }) => name === 'eip')!.value, /<tty_read/);
  assert.ok(!variables.some(({ name }) => name === 'eax'), 'lost on the way');
  const system = scopes.find(({ name }) => name === 'Operating system')!;
  assert.equal(system.expensive, true);
  const inside = bench.request('variables', { variablesReference: system.variablesReference }).variables;
  assert.deepEqual(
    inside.map(({ name, value }) => `${name} ${value}`),
    ['system tsubame', 'task shell 1 (PROCESS_SLEEPING)', 'tasks 3'],
  );
  const two = bench.request('variables', {
    variablesReference: inside[2]!.variablesReference,
    filter: 'indexed',
    start: 1,
    count: 1,
  });
  assert.equal(two.variables[0]!.value, 'shell (PROCESS_SLEEPING)');
  assert.match(
    bench.ask('next', { threadId: sleep!.id }) as string,
    /^sleep 2 \(PROCESS_SLEEPING\) does not run: only a processor can be stepped/,
  );
  const again = bench.request('threads').threads;
  assert.deepEqual(again, threads, 'a task keeps its number');
  bench.request('continue', { threadId: shell!.id });
  bench.type('echo still here\r');
  bench.untilPrinted(/\nstill here\n/);
  compareTranscript('tasks', bench);
});

test('a description of the kernel that is wrong says where', () => {
  const said = (text: string): string => {
    const bench = new DapBench(configOf(TSUBAME));
    bench.request('initialize', { adapterID: 'kansoku' });
    bench.request('launch', { osDescription: { name: OS_JSON, text }, stopAt: 'idle' } as never);
    bench.request('configurationDone');
    bench.until('stopped');
    bench.request('threads');
    return bench.events
      .flatMap(({ event, body }) => (event === 'output' ? [(body as { output: string }).output] : []))
      .join('');
  };
  const changed = (key: string, value: unknown): string => {
    const whole = JSON.parse(osDescription) as { tasks: Record<string, unknown> };
    return JSON.stringify({ ...whole, tasks: { ...whole.tasks, [key]: value } });
  };
  assert.equal(said(osDescription), '');
  assert.match(said('{"tasks": '), /^\.kansoku\/os\.json: not JSON: /);
  assert.equal(
    said(changed('nmae', 'x')).slice(0, 63),
    '.kansoku/os.json: there is no entry "tasks.nmae": known are fir',
  );
  assert.match(said(changed('id', 7)), /^\.kansoku\/os\.json: "tasks\.id" is no C expression/);
  assert.match(said(changed('saved', ['edi'])), /"tasks\.saved" is no list of names of registers with "eip"/);
  assert.equal(
    said(changed('name', '$task->nam')),
    '.kansoku/os.json: "tasks.name" is $task->nam: struct process has no member "nam".\n',
  );
  assert.match(said(changed('first', 'processez')), /"tasks\.first" is processez: there is no "processez" here/);
  assert.match(said(changed('first', 'switches')), /"tasks\.first" is switches: its value is no pointer to a task/);
});

test('conditions and log points are C expressions; one that is never true says so', () => {
  const bench = new DapBench(configOf(TSUBAME));
  bench.launch({}, () => {
    bench.request('setFunctionBreakpoints', {
      breakpoints: [{ name: 'frame_allocate', condition: 'frames_free == frames_total - 5' }, { name: 'idle' }],
    });
    bench.request('setBreakpoints', {
      source: source('kmain.c'),
      breakpoints: [
        { line: 26, logMessage: '{frames_free} of {frames_total} frames, {nonsense}' },
        { line: 28, condition: 'frames_free == 1' },
      ],
    });
  });
  assert.match(bench.where, /^frame_allocate /);
  const free = bench.request('evaluate', { expression: 'frames_total - frames_free' });
  assert.equal(free.result, '5');
  bench.run('continue');
  assert.match(bench.where, /^idle /);
  const said = bench.events.flatMap(({ event, body }) =>
    event === 'output' ? [(body as { output: string }).output] : [],
  );
  assert.ok(
    said.some((line) => /^\d+ of \d+ frames, \{nonsense: there is no "nonsense" here/.test(line)),
    said.join(''),
  );
  assert.ok(
    said.some((line) => /^kmain\.c:28 was met once; its condition "frames_free == 1" was false/.test(line)),
    said.join(''),
  );
  compareTranscript('conditions', bench);
});

test('data breakpoints tell what was there, what is now, and who did it', () => {
  const bench = new DapBench(configOf(TSUBAME));
  bench.launch({ stopOnEntry: true });
  const { dataId } = bench.request('dataBreakpointInfo', { name: 'frames_free' });
  bench.request('setDataBreakpoints', { breakpoints: [{ dataId: dataId!, accessType: 'write' }] });
  const stopped = bench.run('continue');
  assert.equal(stopped.reason, 'data breakpoint');
  assert.match(
    stopped.description ?? '',
    /^Write to frames_free: 0x00000000 became 0x[0-9a-f]{8} at 0x0010\w+ <frame_init/,
  );
  assert.match(bench.where, /^frame_init /);
  const byAddress = bench.request('dataBreakpointInfo', { name: '0x109c20', asAddress: true, bytes: 2 });
  assert.equal(byAddress.dataId, '0x00109c20/2');
  assert.equal(bench.request('dataBreakpointInfo', { name: '$eax' }).dataId, null);
  compareTranscript('data-breakpoints', bench);
});

test('exceptions, ports and VM exits by filter', () => {
  const bench = new DapBench(configOf(TSUBAME));
  bench.launch({}, () => {
    const { breakpoints } = bench.request('setExceptionBreakpoints', {
      filters: ['page-fault'],
      filterOptions: [
        { filterId: 'port', condition: 'out 0x3f9' },
        { filterId: 'exit', condition: 'no such exit' },
      ],
    });
    assert.deepEqual(
      breakpoints!.map(({ verified }) => verified),
      [true, true, false],
    );
  });
  const port = bench.request('exceptionInfo', { threadId: 1 });
  assert.match(port.description ?? '', /^OUT to port 0x03f9, value 0x00, at 0x0010\w+ <serial_init/);
  bench.request('setExceptionBreakpoints', { filters: ['page-fault'] });
  assert.equal(bench.run('continue').reason, 'exception');
  assert.match(
    bench.request('exceptionInfo', { threadId: 1 }).description ?? '',
    /^Page fault \(#PF\), error code 0x\w+, linear address 0x/,
  );
  bench.request('setExceptionBreakpoints', {
    filters: [],
    filterOptions: [{ filterId: 'exit', condition: 'CR access' }],
  });
  compareTranscript('exceptions', bench);
});

test('pause, input, restart and the end', () => {
  const bench = new DapBench(configOf(TSUBAME));
  bench.launch({ stopOnEntry: true });
  bench.request('continue', { threadId: 1 });
  bench.untilPrinted(/tsubame> $/);
  bench.request('pause', { threadId: 1 });
  assert.equal(bench.events.at(-1)!.event, 'stopped');
  const refused = bench.ask('evaluate', { expression: 'frames_total', context: 'watch' });
  assert.equal(typeof refused, 'object');
  bench.request('continue', { threadId: 1 });
  bench.type('triple\r');
  const died = bench.until('stopped');
  assert.equal(died.reason, 'exception');
  assert.match(died.text ?? '', /triple fault/);
  assert.match(bench.ask('continue', { threadId: 1 }) as string, /cannot go on/);
  bench.request('restart', {});
  assert.equal(bench.until('stopped').reason, 'entry');
  assert.equal(bench.where, 'kmain kmain.c:9');
  // The configuration may have been edited: it is obeyed, or refused with the guest as it is.
  const wrong = bench.ask('restart', { arguments: { stopAt: 'no_such' } as never }) as string;
  assert.match(wrong, /"stopAt" is no_such: tsubame\.elf has no such symbol/);
  assert.equal(bench.where, 'kmain kmain.c:9');
  bench.request('restart', { arguments: { stopAt: 'pit_init' } as never });
  bench.until('stopped');
  assert.match(bench.where, /^pit_init /);
  bench.request('terminate', {});
  assert.equal(bench.events.at(-1)!.event, 'terminated');
});

test('attaching joins a guest that runs; disconnecting lets it run on', () => {
  const bench = new DapBench(configOf(TSUBAME));
  bench.tell({ type: 'run' });
  bench.untilPrinted(/tsubame> $/);
  bench.request('initialize', { adapterID: 'kansoku' });
  bench.request('attach', {});
  bench.request('setFunctionBreakpoints', { breakpoints: [{ name: 'page_fault' }] });
  bench.request('configurationDone');
  bench.type('ls\r');
  assert.equal(bench.until('stopped').reason, 'function breakpoint');
  bench.request('disconnect', {});
  bench.type('echo still here\r');
  bench.untilPrinted(/\nstill here\n/);
});
