// What the debugger's answers take, as an editor sees them: from the request to the event that the guest stands still. On the sample kernel and on
// Debian's Linux with its debug data. That each step ends where it should is asserted; what it takes on this host is told, not asserted.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import type { Dap } from '../../src/debugger/dap/protocol.ts';
import { linuxGuest } from '../boot/linux-guest.ts';
import { configOf, TSUBAME } from '../boot/running-guest.ts';
import { DapBench } from './dap-bench.ts';

const guest = linuxGuest();
const debugKernel = guest?.debugKernel();
const TURNS = 5_000_000;

/** Times by what was asked. */
class Times {
  private readonly all = new Map<string, { ms: number; cpu: number }[]>();

  constructor(private readonly guest: string) {}

  take<T>(what: string, ask: () => T): T {
    const [result, taken] = timed(ask);
    this.add(what, taken);
    return result;
  }
  add(what: string, taken: Taken): void {
    const times = this.all.get(what);
    if (times === undefined) this.all.set(what, [taken]);
    else times.push(taken);
  }
  tell(): void {
    console.log(`${this.guest}: processor and wall time in ms: the first, half within, 95 % within, all within`);
    for (const [what, times] of this.all) {
      const shares = (of: (taken: Taken) => number): string => {
        const sorted = times.map(of).sort((a, b) => a - b);
        const at = [0.5, 0.95, 1].map((share) => sorted[Math.round(share * (sorted.length - 1))]!);
        return [of(times[0]!), ...at].map((ms) => ms.toFixed(1).padStart(8)).join('');
      };
      const [cpu, wall] = [shares(({ cpu }) => cpu), shares(({ ms }) => ms)];
      console.log(`${`${times.length} x ${what}`.padEnd(70)}${cpu}  ${wall}`);
    }
  }
}

interface Taken {
  readonly ms: number;
  /** Of the processor: what else runs on the host does not count. */
  readonly cpu: number;
}
const timed = <T>(ask: () => T): [T, Taken] => {
  const [began, cpu] = [performance.now(), process.cpuUsage()];
  const result = ask();
  const { user, system } = process.cpuUsage(cpu);
  return [result, { ms: performance.now() - began, cpu: (user + system) / 1000 }];
};

const executed = (dap: DapBench): number => {
  const told = dap.posted.findLast((message) => message.type === 'status');
  return told?.type === 'status' ? told.status.instructions : 0;
};

/** The user reads: what the thread does meanwhile (workers/rehearsal.ts) it has time for. */
const rest = (dap: DapBench): void => {
  while (dap.turn());
};

/** What the editor asks for at every stop. */
const look = (dap: DapBench, times: Times): void =>
  times.take('threads, stack, scopes and locals at a stop', () => {
    times.take('threads', () => dap.request('threads'));
    const [frame] = times.take(
      'frame',
      () => dap.request('stackTrace', { threadId: 1, startFrame: 0, levels: 1 }).stackFrames,
    );
    times.take('frames', () => dap.request('stackTrace', { threadId: 1, startFrame: 1, levels: 19 }));
    const { scopes } = times.take('scopes', () => dap.request('scopes', { frameId: frame!.id }));
    const locals = scopes.find((scope): scope is Dap.Scope => scope.expensive !== true);
    times.take('locals', () => dap.request('variables', { variablesReference: locals!.variablesReference }));
  });

/** Instructions of a step, as they are told apart. */
const SIZES = [
  [10_000, 'less than 10,000 instructions'],
  [500_000, '10,000 to 500,000 instructions'],
  [2_000_000, '500,000 to 2 million instructions'],
  [Infinity, 'more instructions'],
] as const;

const step = (dap: DapBench, times: Times, command: 'next' | 'stepIn' | 'stepBack', name: string = command): void => {
  const before = executed(dap);
  const [, taken] = timed(() => {
    dap.request(command, { threadId: 1 });
    dap.until('stopped', TURNS);
  });
  const ran = executed(dap) - before;
  times.add(`${name} over ${SIZES.find(([below]) => Math.abs(ran) < below)![1]}`, taken);
};

const start = (dap: DapBench, times: Times): void => {
  dap.request('initialize', { adapterID: 'kansoku' });
  dap.request('launch', { stopOnEntry: true } as never);
  dap.request('configurationDone');
  times.take('to the first stop', () => dap.until('stopped', TURNS));
};
const stopIn = (dap: DapBench, ...names: string[]): void => {
  dap.request('setFunctionBreakpoints', { breakpoints: names.map((name) => ({ name })) });
};

describe('what the debugger takes on the sample kernel', () => {
  for (const bare of [true, false])
    it(bare ? 'on the bare machine' : 'under the hypervisor', () => {
      const times = new Times(bare ? 'tsubame, bare' : 'tsubame');
      const config = configOf(TSUBAME, { bare, record: { limit: 256 << 20 } });
      const dap = times.take('boot', () => new DapBench(config, () => performance.now()));
      start(dap, times);
      assert.equal(dap.where, 'kmain kmain.c:9');
      rest(dap);
      const places = [dap.where];
      for (let i = 0; i < 24; i++) {
        look(dap, times);
        step(dap, times, 'next');
        places.push(dap.where);
      }
      assert.equal(places.at(-1), 'kmain kmain.c:35');
      for (let i = 0; i < 23; i++) {
        step(dap, times, 'stepBack');
        assert.equal(dap.where, places.at(-2 - i));
      }
      for (let i = 0; i < 60; i++) step(dap, times, 'stepIn');
      for (let i = 0; i < 12; i++) {
        step(dap, times, 'stepIn', 'stepIn in kmain');
        step(dap, times, 'stepBack', 'stepBack out of it');
        step(dap, times, 'next', 'next over it');
      }
      // A kernel at work.
      dap.request('continue', { threadId: 1 });
      dap.untilPrinted(/tsubame> $/);
      dap.request('pause', { threadId: 1 });
      stopIn(dap, 'frame_allocate');
      dap.request('continue', { threadId: 1 });
      dap.type('touch 200\r');
      dap.until('stopped');
      for (let i = 0; i < 30; i++) {
        assert.match(dap.where, /^frame_allocate /);
        for (const command of ['next', 'next', 'stepBack', 'stepIn'] as const)
          step(dap, times, command, `${command} in frame_allocate`);
        times.take('to the next call', () => dap.run('continue'));
      }
      // Back to where no step has led.
      const other = new DapBench(config, () => performance.now());
      start(other, new Times(''));
      stopIn(other, 'kmain.c:35');
      other.run('continue');
      rest(other);
      for (let i = 0; i < 23; i++) {
        step(other, times, 'stepBack', 'stepBack from a breakpoint');
        assert.equal(other.where, places.at(-2 - i));
      }
      times.tell();
    });
});

describe('what the debugger takes on Linux', { skip: debugKernel === undefined ? 'no vmlinux' : false }, () => {
  it('with its debug data', () => {
    const times = new Times('Linux');
    const config = configOf(guest!.kernel, {
      initrd: { name: 'initramfs', bytes: guest!.initramfs('poweroff') },
      cmdline: 'console=ttyS0,115200 cryptomgr.notests',
      memoryBytes: 128 << 20,
      bare: true,
      observe: 'none',
      record: { limit: 512 << 20 },
      symbols: { name: 'vmlinux', bytes: readFileSync(debugKernel!) },
    });
    const dap = times.take('boot: debug data is opened', () => new DapBench(config, () => performance.now()));
    start(dap, times);
    assert.match(dap.where, /^start_kernel main\.c/);
    rest(dap);
    for (let i = 0; i < 60; i++) {
      look(dap, times);
      step(dap, times, 'next', 'next in start_kernel');
    }
    assert.match(dap.where, /^start_kernel main\.c/);
    dap.request('continue', { threadId: 1 });
    dap.untilPrinted(/@INIT/, TURNS);
    dap.request('pause', { threadId: 1 });
    stopIn(dap, 'do_sys_openat2');
    dap.request('continue', { threadId: 1 });
    dap.until('stopped', TURNS);
    assert.match(dap.where, /^do_sys_openat2 open\.c/);
    for (let i = 0; i < 40; i++) {
      look(dap, times);
      step(dap, times, 'next', 'next from do_sys_openat2 on');
    }
    for (let i = 0; i < 40; i++) step(dap, times, 'stepIn');
    for (let i = 0; i < 40; i++) step(dap, times, 'stepBack');
    times.take('a global by its name', () => dap.request('evaluate', { expression: 'jiffies', context: 'hover' }));
    times.tell();
  });
});
