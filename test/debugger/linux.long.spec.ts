// What the debugger knows of Debian's Linux, against what Linux says of itself on its console: tasks, modules, log, symbols, where its tasks
// wait. With the kernel's debug data, which is 765 MB to download: in the long run only.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { before, describe, it } from 'node:test';
import { interruptFrames } from '../../src/debugger/interrupt-frames.ts';
import { Linux } from '../../src/debugger/os/linux.ts';
import type { DebugTarget } from '../../src/debugger/target.ts';
import { DebugInfo } from '../../src/symbols/debug-info.ts';
import { findKallsyms, type KernelSymbol } from '../../src/symbols/kallsyms.ts';
import type { Frame } from '../../src/symbols/unwind/unwinder.ts';
import { linuxGuest } from '../boot/linux-guest.ts';
import { configOf, RunningGuest } from '../boot/running-guest.ts';

const guest = linuxGuest();
const debugKernel = guest?.debugKernel();
const skip = debugKernel === undefined ? "Debian's kernel with debug data is not to be had here" : false;
const MEMORY = 256 << 20;

/** The same is said twice, so that what changes meanwhile (the reader itself, kworkers) is known. */
const INIT = `#!/bin/sh
mount -t proc proc /proc
busybox insmod /crc7.ko
busybox insmod /crc-itu-t.ko
busybox sleep 1000 &
busybox sleep 1000 &
busybox sleep 1
echo @TASKS
for task in /proc/[0-9]*/task/*/stat; do echo "@T $(cat $task)"; done
echo @MODULES
cat /proc/modules
echo @SYMBOLS
grep -v '\\[' /proc/kallsyms | busybox md5sum
echo @LOG
busybox dmesg
echo @DONE
exec busybox sleep 1000
`;

describe('Linux, seen from outside', { skip }, () => {
  let running: RunningGuest;
  let target: DebugTarget;
  let symbols: KernelSymbol[];
  let info: DebugInfo;
  let linux: Linux;
  const section = (from: string, to: string): string[] => {
    const text = running.output.slice(running.output.indexOf(`@${from}\n`) + from.length + 2);
    return text
      .slice(0, text.indexOf(`@${to}`))
      .trimEnd()
      .split('\n');
  };
  const read = (linear: number, into: Uint8Array): number => target.guests[0]!.readMemory(linear, into);

  before(() => {
    const name = guest!.kernel;
    running = new RunningGuest(
      configOf(name, {
        initrd: { name: 'initramfs', bytes: guest!.initramfsOf(INIT, ['crc7', 'crc-itu-t']) },
        // The kernel chooses its address itself (KASLR).
        cmdline: 'console=ttyS0,115200 cryptomgr.notests',
        memoryBytes: MEMORY,
        bare: true,
        observe: 'none',
      }),
    );
    running.waitFor(/@DONE/, 0, 20e9);
    running.step(50_000_000);
    target = running.session.debug;
    const physical = new Uint8Array(MEMORY);
    target.guests[0]!.readPhysical(0, physical);
    symbols = findKallsyms(physical)!;
    const text = symbols.find((symbol) => symbol.name === '_text')!.address;
    const bytes = readFileSync(debugKernel!);
    const fixed = DebugInfo.open('vmlinux', bytes);
    assert.ok(fixed.ok);
    const slide = (text - fixed.info.map.lookup('_text')!) >>> 0;
    assert.notEqual(slide, 0, 'the kernel has moved itself');
    const moved = DebugInfo.open('vmlinux', bytes, {
      slide,
      interrupted: interruptFrames({
        map: () => info.map,
        kernelCs: () => 0x60,
        get ptRegs() {
          return linux.ptRegs;
        },
      }),
    });
    assert.ok(moved.ok);
    info = moved.info;
    linux = Linux.recognise(info, () => target.guests[0]!)!;
  });

  it('has the symbols that /proc/kallsyms has', () => {
    const text = symbols.map((s) => `${s.address.toString(16).padStart(8, '0')} ${s.letter} ${s.name}\n`).join('');
    assert.equal(createHash('md5').update(text).digest('hex'), section('SYMBOLS', 'LOG')[0]!.slice(0, 32));
    assert.ok(symbols.length > 40_000);
  });

  it('knows its name', () => {
    assert.match(linux.name, /^Linux 6\.1\.0-\d+-686$/);
  });

  it('lists the tasks of /proc, with their states', () => {
    const told = section('TASKS', 'MODULES').map((line) => {
      const [, id, name, state, parent] = /^@T (\d+) \((.*)\) (\S) (\d+)/.exec(line)!;
      return { id: Number(id), name: name!, state: state!, parent };
    });
    const tasks = linux.tasks();
    assert.ok(told.length > 40);
    assert.equal(tasks.filter(({ name }) => name === 'busybox' || name === 'sleep').length >= 3, true);
    for (const { id, name, state } of told) {
      const task = tasks.find((one) => one.id === id);
      // Those that read /proc are gone, and kernel threads come and go.
      if (name === 'cat' || /^kworker/.test(name)) continue;
      assert.ok(task !== undefined, `${id} ${name}`);
      // Init has become another program since.
      if (id !== 1) assert.deepEqual([task.name, task.state], [name, state]);
    }
    const users = tasks.filter(({ kernel }) => !kernel);
    assert.ok(users.length >= 3 && users.every(({ state }) => state === 'S'));
    assert.equal(linux.currentTask(0), tasks.find(({ id }) => id === 0)!.address, 'all wait: the idle task runs');
  });

  it('tells where a sleeping task sleeps, from the scheduler to user space', () => {
    const sleeper = linux.tasks().find(({ id, kernel }) => id > 1 && !kernel)!;
    const names: string[] = [];
    let frame: Frame | { end: string } = info.frame(sleeper.registers!, read);
    while (!('end' in frame)) {
      names.push(frame.origin === 'interrupt' ? 'user' : (info.map.symbol(frame.lookupPc)?.name ?? '?'));
      if (names.at(-1) === 'user') break;
      frame = frame.caller();
    }
    assert.deepEqual(names.slice(0, 4), ['__schedule', 'schedule', 'do_nanosleep', 'hrtimer_nanosleep']);
    assert.match(names.at(-2)!, /^entry_(SYSENTER|INT80)_32$/);
    assert.equal(names.at(-1), 'user');
    assert.ok(!('end' in frame) && frame.pc < 0xc000_0000 && frame.registers[4]! < 0xc000_0000);
  });

  it('lists the modules of /proc/modules', () => {
    const told = section('MODULES', 'SYMBOLS').map((line) => {
      const [name, , , , , base] = line.split(' ');
      return { name, base: Number(base) };
    });
    const modules = linux.modules().map(({ name, base }) => ({ name, base }));
    assert.deepEqual(modules, told);
    assert.deepEqual(modules.map(({ name }) => name).sort(), ['crc7', 'crc_itu_t']);
  });

  it('reads the log that dmesg shows', () => {
    const told = section('LOG', 'DONE');
    const lines = linux.log().map(({ seconds, text }) => {
      const whole = Math.floor(seconds);
      const micros = String(Math.floor(seconds * 1e6 - whole * 1e6 + 1e-4)).padStart(6, '0');
      return `[${String(whole).padStart(5)}.${micros}] ${text}`;
    });
    assert.ok(told.length > 200);
    assert.deepEqual(
      lines.slice(0, told.length).map((line) => line.replace(/^\[[^\]]*\] /, '').trimEnd()),
      told.map((line) => line.replace(/^\[[^\]]*\] /, '').trimEnd()),
    );
    assert.equal(lines[40], told[40]);
  });

  it('names system calls and their parameters', () => {
    const text = (number: number): string => {
      const call = linux.systemCall(number)!;
      return `${call.name}(${call.parameters.map(({ type, name }) => `${type} ${name}`).join(', ')})`;
    };
    assert.equal(text(3), 'read(unsigned int fd, char * buf, size_t count)');
    assert.equal(text(5), 'open(const char * filename, int flags, umode_t mode)');
    assert.equal(text(20), 'getpid()');
    assert.equal(linux.systemCall(5000), undefined);
  });
});
