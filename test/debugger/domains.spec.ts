// Several domains in one debug session: a thread each, breakpoints that are met in the domain that they are of, steps of one while the others run,
// forwards and back in time.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Dap } from '../../src/debugger/dap/protocol.ts';
import type { BootConfig, DomainConfig } from '../../src/workers/session.ts';
import { configOf, TSUBAME } from '../boot/running-guest.ts';
import { BUSY, DIES, domain, EXITS, kernel, KERNEL_CODE, MEMORY } from '../hypervisor/small-kernels.ts';
import { DapBench } from './dap-bench.ts';

/** Slices of the processor are 30 ms: a step of one domain crosses those of the others. */
const RECORD = { limit: 256 << 20, every: 20_000_000 };
const sample = (domains: readonly DomainConfig[], more: Partial<BootConfig> = {}): BootConfig =>
  configOf(TSUBAME, { memoryBytes: MEMORY, record: RECORD, domains, ...more });
const tsubame = (id: number): DomainConfig => domain(id, configOf(TSUBAME).image.bytes, { name: `tsubame-${id}` });
const small = (first: Uint8Array, domains: readonly DomainConfig[]): BootConfig => ({
  ...sample(domains),
  image: { name: 'small', bytes: first },
});
const pause = (bench: DapBench, threadId: number): Dap.StoppedEvent['body'] => {
  bench.request('pause', { threadId });
  const last = bench.events.at(-1)!;
  assert.equal(last.event, 'stopped');
  return last.body as Dap.StoppedEvent['body'];
};
const frames = (bench: DapBench, threadId: number): readonly Dap.StackFrame[] =>
  bench.request('stackTrace', { threadId, startFrame: 0, levels: 20 }).stackFrames;
const top = (bench: DapBench, threadId: number): Dap.StackFrame => frames(bench, threadId)[0]!;
const value = (bench: DapBench, threadId: number, expression: string): string =>
  bench.request('evaluate', { expression, frameId: top(bench, threadId).id, context: 'repl' }).result;

/** gdb prints EIP as a pointer to a function. */
const register = (bench: DapBench, threadId: number, name: string): number =>
  Number(/0x\w+/.exec(value(bench, threadId, `$${name},x`))![0]);

describe('a debug session with several domains', () => {
  it('has a thread for each, with frames, values and memory of its own', () => {
    const bench = new DapBench(sample([tsubame(3)]));
    bench.launch({ stopAt: 'clock_tick' });
    const { threads } = bench.request('threads');
    assert.deepEqual(
      threads.filter(({ id }) => id < 999).map(({ name }) => name.replace(/:.*/, '')),
      ['d0v0 ring 0', 'd3v0 ring 0'],
    );
    // The other one is still on its way.
    assert.match(top(bench, 1).name, /^clock_tick/);
    assert.doesNotMatch(top(bench, 2).name, /^clock_tick/);
    assert.deepEqual([value(bench, 1, '$domain'), value(bench, 2, '$domain')], ['0', '3']);
    const ticks = (threadId: number): string => value(bench, threadId, 'ticks');
    const before = [ticks(1), ticks(2)];
    bench.request('setExpression', { expression: 'ticks', value: '77777', frameId: top(bench, 2).id });
    assert.deepEqual([ticks(1), ticks(2)], [before[0], '77777']);
    const reference = (threadId: number): string =>
      bench.request('evaluate', { expression: 'ticks', frameId: top(bench, threadId).id, context: 'watch' })
        .memoryReference!;
    assert.equal(reference(2), `d3:${reference(1)}`);
    const word = (threadId: number): number => {
      const { data } = bench.request('readMemory', { memoryReference: reference(threadId), count: 4 });
      return Buffer.from(data!, 'base64').readUInt32LE();
    };
    assert.deepEqual([word(1), word(2)], [Number(before[0]), 77_777]);
    bench.request('writeMemory', { memoryReference: reference(2), data: Buffer.of(9, 0, 0, 0).toString('base64') });
    assert.deepEqual([word(1), word(2)], [Number(before[0]), 9]);
    // Registers of one that does not run are in its VMCS; setting one changes that one alone.
    const eip = [register(bench, 1, 'eip'), register(bench, 2, 'eip')];
    assert.notEqual(eip[0], eip[1]);
    value(bench, 2, '$ebx = 0x1234');
    assert.notEqual(value(bench, 1, '$ebx'), value(bench, 2, '$ebx'));
    const { scopes } = bench.request('scopes', { frameId: top(bench, 2).id });
    const vmcs = scopes.find(({ name }) => name === 'VMCS')!;
    const [group] = bench
      .request('variables', { variablesReference: vmcs.variablesReference })
      .variables.filter(({ name }) => name === 'Guest state');
    const fields = bench.request('variables', { variablesReference: group!.variablesReference }).variables;
    assert.match(
      fields.find(({ name }) => name === 'RIP')?.value ?? JSON.stringify(fields),
      new RegExp(eip[1]!.toString(16)),
    );
    assert.match(String(bench.ask('readMemory', { memoryReference: 'd9:0x00100000', count: 4 })), /no domain 9/);
  });

  it('stops where a breakpoint is met, in whichever domain it lies', () => {
    const bench = new DapBench(sample([tsubame(1), domain(2, BUSY)]));
    const set = (condition?: string): Dap.Breakpoint[] =>
      bench.request('setFunctionBreakpoints', {
        breakpoints: [{ name: 'clock_tick', ...(condition === undefined ? {} : { condition }) }],
      }).breakpoints;
    const stop = bench.launch({ stopOnEntry: true }, () => {
      const [breakpoint] = set();
      assert.equal(breakpoint!.message, 'in d0, d1');
    });
    assert.equal(stop.threadId, 1);
    const stops = Array.from({ length: 12 }, () => {
      const { threadId, reason } = bench.run('continue');
      assert.equal(reason, 'function breakpoint');
      assert.match(top(bench, threadId!).name, /^clock_tick/);
      return threadId!;
    });
    assert.ok(stops.includes(1) && stops.includes(2), String(stops));
    const before = value(bench, 2, 'ticks');
    set('$domain == 1');
    for (let i = 1; i < 5; i++) {
      assert.equal(bench.run('continue').threadId, 2);
      assert.equal(Number(value(bench, 2, 'ticks')), Number(before) + (stops.at(-1) === 2 ? i : i - 1));
    }
    // Back through the same stops.
    const now = Number(value(bench, 2, 'ticks'));
    for (let i = 1; i < 3; i++) {
      assert.equal(bench.run('reverseContinue', { threadId: 2 }).threadId, 2);
      assert.equal(Number(value(bench, 2, 'ticks')), now - i);
    }
    // One that is met in another domain and does not count changes nothing for a step.
    bench.request('setFunctionBreakpoints', { breakpoints: [] });
    const instructionReference = bench.request('evaluate', {
      expression: 'clock_tick',
      frameId: top(bench, 1).id,
      context: 'watch',
    }).memoryReference!;
    bench.request('setInstructionBreakpoints', { breakpoints: [{ instructionReference, condition: '$domain == 1' }] });
    for (let i = 0; i < 12; i++) assert.equal(bench.run(i < 4 ? 'stepOut' : 'next', { threadId: 2 }).threadId, 2);
  });

  it('steps one of them by lines as if it were alone', () => {
    const steps = (bench: DapBench, threadId: number): string[] => {
      const said = [];
      for (const command of ['next', 'next', 'stepIn', 'next', 'stepOut', 'next', 'stepIn', 'next'] as const) {
        assert.equal(bench.run(command, { threadId }).threadId, threadId);
        const { name, line } = top(bench, threadId);
        said.push(`${name}:${line}`);
      }
      return said;
    };
    const alone = new DapBench(sample([]));
    const breakpoints = [{ name: 'kmain' }];
    alone.launch({}, () => void alone.request('setFunctionBreakpoints', { breakpoints }));
    const expected = steps(alone, 1);
    const bench = new DapBench(small(BUSY, [tsubame(1), domain(2, BUSY)]));
    const { threadId } = bench.launch({}, () => void bench.request('setFunctionBreakpoints', { breakpoints }));
    assert.equal(threadId, 2);
    assert.deepEqual(steps(bench, 2), expected);
    for (const where of expected.slice(0, -1).reverse()) {
      bench.run('stepBack', { threadId: 2 });
      const { name, line } = top(bench, 2);
      // A step back passes what was called.
      if (`${name}:${line}` === expected[0]) break;
      assert.ok(expected.includes(`${name}:${line}`), `${name}:${line} on the way back to ${where}`);
    }
    const { name, line } = top(bench, 2);
    assert.equal(`${name}:${line}`, expected[0]);
  });

  it('steps any of them by instructions, and back, across the others turns', () => {
    // INC EAX; PUSH EAX; POP EBX; JMP to the start.
    const counts = kernel(0x40, 0x50, 0x5b, 0xeb, 0xfb);
    const way = [0, 1, 2, 3].map((offset) => KERNEL_CODE + offset);
    const bench = new DapBench(small(counts, [domain(1, counts), domain(2, BUSY)]));
    bench.request('initialize', { adapterID: 'kansoku' });
    bench.request('launch', {} as never);
    bench.request('configurationDone');
    for (let i = 0; i < 40; i++) bench.turn();
    pause(bench, 2);
    const place = (threadId: number): string =>
      ['eip', 'eax', 'ebx'].map((name) => register(bench, threadId, name)).join(' ');
    const step = (threadId: number): void => {
      const before = way.indexOf(register(bench, threadId, 'eip'));
      assert.equal(bench.run('stepIn', { threadId, granularity: 'instruction' }).threadId, threadId);
      assert.equal(register(bench, threadId, 'eip'), way[(before + 1) % 4]);
    };
    // A step back is what undoes a step, also where the others had the processor in between.
    for (const threadId of [2, 2, 1, 1, 2, 1]) {
      const before = place(threadId);
      step(threadId);
      const after = place(threadId);
      bench.run('stepBack', { threadId, granularity: 'instruction' });
      assert.equal(place(threadId), before);
      step(threadId);
      assert.equal(place(threadId), after);
    }
    // The other one has the processor now: what it did since is undone with the last instruction of this one.
    step(2);
    step(1);
    const at = way.indexOf(register(bench, 2, 'eip'));
    assert.equal(bench.run('stepBack', { threadId: 2, granularity: 'instruction' }).threadId, 2);
    assert.equal(register(bench, 2, 'eip'), way[(at + 3) % 4]);
  });

  it('watches data and instructions of one domain only', () => {
    const bench = new DapBench(sample([tsubame(1)]));
    bench.launch({ stopAt: 'clock_tick' });
    const info = bench.request('dataBreakpointInfo', { name: 'ticks', frameId: top(bench, 2).id });
    assert.match(info.dataId!, /^d1:0x/);
    bench.request('setDataBreakpoints', { breakpoints: [{ dataId: info.dataId!, accessType: 'write' }] });
    for (let i = 0; i < 4; i++) {
      const { threadId, reason } = bench.run('continue');
      assert.deepEqual([threadId, reason], [2, 'data breakpoint']);
    }
    bench.request('setDataBreakpoints', { breakpoints: [] });
    const reference = bench.request('evaluate', {
      expression: 'clock_tick',
      frameId: top(bench, 2).id,
      context: 'watch',
    }).memoryReference!;
    assert.match(reference, /^d1:/);
    const { instructions } = bench.request('disassemble', { memoryReference: reference, instructionCount: 2 });
    assert.match(instructions[0]!.address, /^0x/);
    bench.request('setInstructionBreakpoints', { breakpoints: [{ instructionReference: reference }] });
    for (let i = 0; i < 4; i++) assert.equal(bench.run('continue').threadId, 2);
  });

  it('tells of a domain that ends, and goes on with the others', () => {
    const bench = new DapBench(small(BUSY, [domain(1, DIES), domain(2, BUSY)]));
    const stop = bench.launch({}, () => bench.request('setExceptionBreakpoints', { filters: ['triple-fault'] }));
    assert.deepEqual([stop.reason, stop.threadId], ['exception', 2]);
    assert.match(stop.text!, /^triple fault/);
    assert.equal(JSON.stringify(bench.events).match(/\(d1\) triple fault/g)?.length, 1);
    assert.match(String(bench.ask('next', { threadId: 2 })), /triple fault/);
    assert.match(bench.request('exceptionInfo', { threadId: 2 }).description!, /^triple fault/);
    assert.equal(bench.run('stepIn', { threadId: 1, granularity: 'instruction' }).threadId, 1);
    bench.request('continue', { threadId: 1 });
    for (let i = 0; i < 10; i++) bench.turn();
    assert.equal(pause(bench, 3).threadId, 3);
    bench.run('stepBack', { threadId: 3, granularity: 'instruction' });
  });

  it('is over when the first domain ends, whichever is stepped', () => {
    const bench = new DapBench(small(EXITS, [domain(1, BUSY)]));
    bench.request('initialize', { adapterID: 'kansoku' });
    bench.request('launch', { stopAt: 'entry' } as never);
    bench.request('configurationDone');
    bench.request('next', { threadId: 2, granularity: 'instruction' });
    assert.equal(bench.until('exited').exitCode, 11);
  });
});
