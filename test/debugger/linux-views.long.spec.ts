// What the views show of Debian's Linux with its debug data: hovers and watches that read one unit of 2200, values of the kernel's types, a breakpoint
// on a function of its headers. The debug data is 765 MB to download: in the long run only.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { before, describe, it } from 'node:test';
import type { Dap } from '../../src/debugger/dap/protocol.ts';
import { linuxGuest } from '../boot/linux-guest.ts';
import { configOf } from '../boot/running-guest.ts';
import { DapBench } from './dap-bench.ts';

const guest = linuxGuest();
const symbols = guest?.debugKernel();
const skip = symbols === undefined ? "Debian's kernel with debug data is not to be had here" : false;
const TURNS = 2_000_000;

describe('the views of a Linux kernel', { skip }, () => {
  let dap: DapBench;
  before(() => {
    dap = new DapBench(
      configOf(guest!.kernel, {
        initrd: { name: 'initramfs', bytes: guest!.initramfs('poweroff') },
        cmdline: 'console=ttyS0,115200 cryptomgr.notests',
        memoryBytes: 128 << 20,
        bare: true,
        observe: 'none',
        symbols: { name: symbols!, bytes: readFileSync(symbols!) },
      }),
      () => performance.now(),
    );
    dap.request('initialize', { adapterID: 'kansoku' });
    dap.request('launch', { stopAt: 'wake_up_new_task' } as never);
    dap.request('configurationDone');
    dap.until('stopped', TURNS);
  });

  const frameId = (): number => dap.request('stackTrace', { threadId: 1, levels: 1 }).stackFrames[0]!.id;
  const ask = (expression: string, context = 'hover'): Dap.EvaluateResponse['body'] | string =>
    dap.ask('evaluate', { expression, frameId: frameId(), context });
  const shown = (expression: string): string => {
    const body = ask(expression);
    return typeof body === 'string' ? `refused: ${body}` : body.result;
  };
  const progress = (): readonly string[] =>
    dap.events.map(({ event }) => event).filter((event) => event.startsWith('progress'));

  it('stands in a function whose names cost nothing', () => {
    assert.match(dap.where, /^wake_up_new_task core\.c:\d+$/);
    for (const [expression, pattern] of [
      ['p', /^0xc[0-9a-f]+$/],
      ['p->comm', /^"swapper\/0"$/],
      ['init_task.comm', /^"swapper\/0"$/],
      ['system_state', /^SYSTEM_BOOTING$/],
      ['jiffies', /^429489\d+$/],
      ['runqueues', /^\{__lock = \{raw_lock = /],
      ['tcp_prot.close', /^0x[0-9a-f]+ <tcp_close>$/],
      ['init_mm.mm_users', /^\{counter = \d+\}$/],
      ['schedule', /^\{void \(void\)\} 0x[0-9a-f]+ <schedule>$/],
      ['p->sched_class->enqueue_task', /<enqueue_task_fair>$/],
      ['p->sched_class', /<fair_sched_class>$/],
      ['p->tasks', /^\{next = 0x[0-9a-f]+ <init_task\+0x[0-9a-f]+>, prev = /],
      ['PIDTYPE_TGID', /^PIDTYPE_TGID$/],
      ['p->in_execve', /^0$/],
      ['p->flags,x', /^0x[0-9a-f]+$/],
      ['p->flags,b', /^0b[01]+$/],
      ['(void *)-12', /^0xfffffff4$/],
      ['p->usage', /^\{refs = \{counter = \d+\}\}$/],
      ['p->restart_block.fn', /<do_no_restart_syscall>$/],
      ['linux_banner', /^"Linux version 6\.1\./],
      ['((struct task_struct *)p)->pid', /^\d+$/],
      ["'fork.c'::max_threads", /^\d+$/],
    ] as const) {
      assert.match(shown(expression), pattern, expression);
      assert.deepEqual(progress(), [], `${expression} needs the names of all units`);
    }
  });

  it('a name that no symbol tells: progress, which can be cancelled; then it is known at once', () => {
    dap.tell({
      type: 'debug',
      message: {
        seq: 90_001,
        type: 'request',
        command: 'evaluate',
        arguments: { expression: 'TCP_ESTABLISHED_not' },
      } as never,
    });
    const started = dap.events.findLast(({ event }) => event === 'progressStart')!.body as { progressId: string };
    dap.turn();
    dap.request('cancel', { progressId: started.progressId });
    assert.equal(progress().at(-1), 'progressEnd');
    assert.match(dap.transcript.join('\n'), /refused: Cancelled: the names of the program are not read\./);
    assert.match(shown('no_such_name'), /refused: there is no "no_such_name" here/);
    assert.ok(progress().filter((event) => event === 'progressUpdate').length > 10);
    const before = progress().length;
    assert.match(shown('another_such_name'), /refused: there is no/);
    assert.match(shown('TCP_ESTABLISHED'), /^TCP_ESTABLISHED$/);
    assert.equal(progress().length, before);
  });

  it('its variables open in pages, with names for what has none', () => {
    const body = ask('p');
    assert.ok(typeof body !== 'string');
    const { variables } = dap.request('variables', { variablesReference: body.variablesReference });
    assert.ok(variables.length > 200);
    assert.ok(variables.every(({ value }) => value.length <= 403));
    const comm = variables.find(({ name }) => name === 'comm')!;
    assert.deepEqual([comm.value, comm.type, comm.indexedVariables], ['"swapper/0"', 'char [16]', 16]);
    const anonymous = variables.find(({ name }) => name === '<anonymous>')!;
    const inner = dap.request('variables', { variablesReference: anonymous.variablesReference }).variables;
    assert.match(inner[0]!.evaluateName!, /^\(\*p\)\./);
    assert.equal(shown(inner[0]!.evaluateName!), inner[0]!.value);
    // A list that leads around to where it began opens without end.
    let [list] = [shown('p->tasks')];
    let reference = variables.find(({ name }) => name === 'tasks')!.variablesReference;
    for (let i = 0; i < 6; i++) {
      const [next] = dap.request('variables', { variablesReference: reference }).variables;
      assert.equal(next!.name, 'next');
      reference = next!.variablesReference;
      list = next!.value;
    }
    assert.match(list, /^0x/);
  });

  it('a function of its headers has a breakpoint in hundreds of places', () => {
    const { breakpoints } = dap.request('setFunctionBreakpoints', { breakpoints: [{ name: 'list_add_tail' }] });
    assert.match(breakpoints[0]!.message!, /^The function is inlined, in [4-9]\d\d places\.$/);
    dap.request('continue', { threadId: 1 });
    assert.equal(dap.until('stopped', TURNS).reason, 'function breakpoint');
    assert.match(dap.where, /^list_add_tail list\.h:\d+$/);
    assert.match(shown('new'), /^0x|^<optimized out>$/);
  });
});
