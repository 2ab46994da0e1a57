// What the debugger's views have of Debian's Linux: its tasks as threads, a sleeping task's stack to its program, the system call that it is in,
// modules and log. With the kernel's debug data, which is 765 MB to download: in the long run only.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import type { Dap } from '../../src/debugger/dap/protocol.ts';
import { guestLog } from '../../src/workers/guest-log.ts';
import { linuxGuest } from '../boot/linux-guest.ts';
import { configOf, RunningGuest } from '../boot/running-guest.ts';
import { DapBench } from './dap-bench.ts';

const guest = linuxGuest();
const debugKernel = guest?.debugKernel();
const skip = debugKernel === undefined ? "Debian's kernel with debug data is not to be had here" : false;

const INIT = `#!/bin/sh
mount -t proc proc /proc
busybox insmod /crc7.ko
echo @LOADED
busybox insmod /libcrc32c.ko
i=0
while [ $i -lt 200 ]; do busybox sleep 1000 & i=$((i + 1)); done
busybox sleep 1
echo @DONE
exec busybox sleep 1000
`;

const config = (): ReturnType<typeof configOf> =>
  configOf(guest!.kernel, {
    initrd: { name: 'initramfs', bytes: guest!.initramfsOf(INIT, ['crc7', 'libcrc32c']) },
    cmdline: 'console=ttyS0,115200 cryptomgr.notests',
    memoryBytes: 256 << 20,
    bare: true,
    observe: 'none',
    symbols: { name: 'vmlinux', bytes: readFileSync(debugKernel!) },
  });

describe('Linux in the views of the debugger', { skip }, () => {
  it('has tasks, stacks, system calls, modules', () => {
    const dap = new DapBench(config(), () => performance.now());
    dap.request('initialize', { adapterID: 'kansoku' });
    dap.request('launch', {});
    dap.request('configurationDone');
    dap.untilPrinted(/Run \/init/, 5_000_000);
    dap.request('pause', { threadId: 1 });
    // In modules that are not loaded: one never runs, the initialisation of the other does at once.
    const [waits] = dap.request('setFunctionBreakpoints', {
      breakpoints: [{ name: 'libcrc32c_mod_init' }, { name: 'crc7_be' }],
    }).breakpoints;
    assert.match(waits!.message!, /is looked for in each module that is loaded/);
    dap.request('continue', { threadId: 1 });
    assert.equal(dap.until('stopped', 5_000_000).reason, 'function breakpoint');
    assert.match(dap.serial, /@LOADED/);
    assert.equal(dap.where, 'libcrc32c_mod_init [libcrc32c]');
    const placed = dap.events.filter(({ event }) => event === 'breakpoint').map(({ body }) => JSON.stringify(body));
    assert.equal(placed.length, 2);
    assert.ok(placed.every((body) => body.includes('"verified":true')));
    dap.request('setFunctionBreakpoints', { breakpoints: [] });
    dap.request('continue', { threadId: 1 });
    dap.untilPrinted(/@DONE/, 5_000_000);
    for (let i = 0; i < 40; i++) dap.turn();
    dap.request('pause', { threadId: 1 });

    const began = performance.now();
    const { threads } = dap.request('threads');
    const took = performance.now() - began;
    console.log(`threads: ${took.toFixed(0)} ms`);
    assert.ok(threads.length <= 202);
    assert.match(threads[0]!.name, /^v0 ring \d: /);
    assert.match(threads.at(-1)!.name, /^\d+ more: see Operating system$/);
    const sleepers = threads.filter(({ name }) => /^busybox \d+ \(S\)$/.test(name));
    assert.ok(sleepers.length > 150, threads.map(({ name }) => name).join('\n'));

    const { stackFrames } = dap.request('stackTrace', { threadId: sleepers[9]!.id });
    const names = stackFrames.map(({ name }) => name);
    assert.ok(names.includes('do_nanosleep') && names.includes('schedule'), names.join('\n'));
    assert.equal(stackFrames.at(-2)!.presentationHint, 'label');
    const { scopes } = dap.request('scopes', { frameId: stackFrames[0]!.id });
    const open = (reference: number): readonly Dap.Variable[] =>
      dap.request('variables', { variablesReference: reference }).variables;
    const system = open(scopes.find(({ name }) => name === 'Operating system')!.variablesReference);
    const row = (name: string): Dap.Variable => system.find((one) => one.name === name)!;
    assert.match(row('system').value, /^Linux 6\.1\.0-\d+-686$/);
    assert.match(row('system call').value, /^(clock_)?nanosleep(_time32|_time64)?\(.*rqtp = 0x[0-9a-f]+/);
    assert.deepEqual(
      open(row('modules').variablesReference).map(({ name }) => name),
      ['crc7'],
    );
    assert.ok(row('log').indexedVariables! > 150);
    assert.ok(row('tasks').indexedVariables! > 230);
    const { modules } = dap.request('modules', {});
    assert.match(modules[0]!.symbolStatus!, /line table loaded; moved by 0x/);
    assert.match(modules[1]!.addressRange as string, /^0x[c-f]/);
    const address = (modules[1]!.addressRange as string).slice(0, 10);
    const named = (offset: number): string =>
      dap.request('evaluate', { expression: `$symbol(${address} + ${offset})` }).result;
    assert.match(named(18), /<crc7_be\+0x12 \[crc7\]>/);
    assert.match(named(0xfff), /<\[crc7\]\+0xfff>/);
    assert.match(dap.ask('next', { threadId: sleepers[0]!.id }) as string, /does not run/);
  });

  it('shows its log without a debugger', () => {
    const running = new RunningGuest(config());
    running.waitFor(/Run \/init as init process/, 0, 20e9);
    const { system, lines } = guestLog(running.session);
    assert.match(system!, /^Linux 6/);
    assert.match(lines[0]!.text, /^Linux version 6/);
    assert.ok(lines.some(({ text }) => text.startsWith('Run /init')));
  });
});
