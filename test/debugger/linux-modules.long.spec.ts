// Source-level debugging of modules of Debian's Linux, with their debug data as the distribution ships it: lines against addr2line's, breakpoints in code that
// stays and in code that runs once and is gone, locals and expressions against gdb's, unloading. Where sections are, the guest's /sys says.
// The package is 765 MB to download: in the long run only.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { describe, it } from 'node:test';
import type { Dap } from '../../src/debugger/dap/protocol.ts';
import { threadFiles } from '../../src/workers/files.ts';
import { linuxGuest } from '../boot/linux-guest.ts';
import { configOf } from '../boot/running-guest.ts';
import { writeCore, type Region } from '../symbols/core.ts';
import { random } from '../symbols/frames-compare.ts';
import { gdb, gdbMissing } from '../symbols/gdb.ts';
import { linkedApart } from '../symbols/linked-apart.ts';
import { addr2line, folder } from '../symbols/toolchain.ts';
import { DapBench } from './dap-bench.ts';

const MODULES = ['crc64', 'crc64-rocksoft', 'test_user_copy', 'lru_cache'];
const guest = linuxGuest();
const debugModules = guest?.debugModules(MODULES);
const skip = debugModules === undefined ? "Debian's debug data of modules is not to be had here" : gdbMissing();

const INIT = `#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sysfs /sys
busybox insmod /crc64.ko
busybox insmod /crc64-rocksoft.ko
cd /sys/module/crc64_rocksoft/sections
for s in .[a-z]*; do echo "@SECTION $s $(cat $s)"; done
cat ../parameters/transform
busybox insmod /test_user_copy.ko
busybox rmmod test_user_copy
busybox insmod /lru_cache.ko
busybox insmod /test_user_copy.ko
echo @DONE
exec busybox sleep 1000
`;

const config = (): ReturnType<typeof configOf> =>
  configOf(guest!.kernel, {
    initrd: { name: 'initramfs', bytes: guest!.initramfsOf(INIT, MODULES) },
    cmdline: 'console=ttyS0,115200 cryptomgr.notests',
    memoryBytes: 256 << 20,
    bare: true,
    observe: 'none',
    symbols: { name: 'vmlinux', bytes: readFileSync(guest!.debugKernel()!) },
    moduleSymbols: [debugModules!],
  });

const fileOf = (module: string): string => join(debugModules!, 'kernel', 'lib', `${module}.ko`);

describe("modules of Debian's Linux in the debugger", { skip }, () => {
  it('have lines, breakpoints, locals and expressions', async () => {
    const dap = new DapBench(config(), () => performance.now(), await threadFiles());
    const ask = (expression: string, frameId?: number): string =>
      dap.request('evaluate', { expression, ...(frameId === undefined ? {} : { frameId }) }).result;
    const module = (name: string): Dap.Module => dap.request('modules', {}).modules.find((one) => one.name === name)!;
    const placed = (from: number): Dap.Breakpoint[] =>
      dap.events
        .slice(from)
        .filter(({ event }) => event === 'breakpoint')
        .map(({ body }) => (body as { breakpoint: Dap.Breakpoint }).breakpoint);
    dap.request('initialize', { adapterID: 'kansoku' });
    dap.request('launch', {});
    dap.request('configurationDone');
    dap.untilPrinted(/Run \/init/, 5_000_000);
    dap.request('pause', { threadId: 1 });

    // Of modules that are not loaded.
    const [inCode] = setLine(dap, 'crc64-rocksoft.c', 109);
    const [inInit] = setLine(dap, 'test_user_copy.c', 194);
    for (const [breakpoint, name] of [
      [inCode!, 'crc64_rocksoft'],
      [inInit!, 'test_user_copy'],
    ] as const) {
      assert.equal(breakpoint.verified, false);
      assert.match(breakpoint.message!, new RegExp(`module ${name} is not loaded yet`));
    }
    let before = dap.events.length;
    dap.request('continue', { threadId: 1 });
    assert.equal(dap.until('stopped', 5_000_000).reason, 'breakpoint');
    // The function's first instruction belongs to both lines.
    assert.match(dap.where, /^crc64_rocksoft_transform_show crc64-rocksoft\.c:10[59]$/);
    assert.ok(placed(before).some(({ id, verified }) => id === inCode!.id && verified));
    const stack = dap.stack(8);
    assert.match(stack.join('\n'), /^param_attr_show params\.c:\d+$/m);
    assert.match(stack.join('\n'), /^kernfs_seq_show file\.c:\d+$/m);

    // Only what was asked for is read.
    assert.match(module('crc64_rocksoft').symbolStatus!, /^symbols and line table loaded$/);
    assert.equal(module('crc64_rocksoft').symbolFilePath, fileOf('crc64-rocksoft'));
    assert.equal(module('crc64').symbolStatus, 'not needed yet');

    const sections = [...dap.serial.matchAll(/^@SECTION (\S+) (0x[0-9a-f]+)$/gm)].map(([, name, address]) => ({
      name: name!,
      address: Number(address),
    }));
    const text = sections.find(({ name }) => name === '.text')!.address;
    const linked = linkedApart(
      fileOf('crc64-rocksoft'),
      sections.filter(({ name }) => !name.startsWith('.note') && !name.startsWith('.init')),
    );

    // Lines and functions anywhere in its code.
    const next = random(0x0c0d_e064);
    const size = 0x1ec;
    const addresses = Array.from({ length: 400 }, () => text + next(size));
    const judged = addr2line(linked, addresses);
    let functions = 0;
    const differences = addresses.flatMap((address, i) => {
      const own = ask(`$symbol(0x${address.toString(16)})`);
      const { function: name, file, line } = judged[i]!;
      const place = line === undefined ? '' : `/${posix.basename(file!)}:${line}`;
      // Between functions addr2line goes on with the name of the one before.
      const named = own.includes(`<${name}`) && own.includes(' [crc64_rocksoft]>');
      const same = (named || own.includes('<[crc64_rocksoft]+')) && own.endsWith(place);
      if (named) functions++;
      return same ? [] : [`${own}; addr2line has ${name} ${file}:${line}`];
    });
    assert.deepEqual(differences, []);
    assert.ok(functions > 300);

    // Locals and expressions: gdb gets registers and memory as the core file of a process.
    const { stackFrames } = dap.request('stackTrace', { threadId: 1, levels: 2 });
    const frameId = stackFrames[0]!.id;
    const register = (name: string): number => Number(ask(`(unsigned int)$${name}`, frameId));
    const registers = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi', 'eip', 'eflags'].map(register);
    const region = (address: number, count: number): Region => {
      const { data } = dap.request('readMemory', { memoryReference: `0x${address.toString(16)}`, count });
      return { address, bytes: new Uint8Array(Buffer.from(data!, 'base64')) };
    };
    const page = (address: number): Region => region(address & ~0xfff ? (address & ~0xfff) >>> 0 : 0, 4096);
    const [low, high] = module('crc64_rocksoft').addressRange!.toString().split('-').map(Number) as [number, number];
    const core = join(folder, 'core');
    writeFileSync(core, writeCore([registers], [page(registers[4]!), region(low, high - low)]));
    const { scopes } = dap.request('scopes', { frameId });
    const locals = dap.request('variables', {
      variablesReference: scopes.find(({ name }) => name === 'Locals')!.variablesReference,
    }).variables;
    const names = locals.map(({ name }) => name).filter((name) => name !== 'buffer');
    assert.ok(names.includes('kp'), names.join());
    const questions = [
      ...names.map((name) => `output ${name}`),
      'output kp->level',
      'output *kp->ops',
      'output sizeof *kp',
      'output &crc64_rocksoft_tfm',
      'output crc64_rocksoft_fallback.key.enabled',
      'output sizeof(struct crypto_shash)',
    ];
    const theirs = gdb(linked, questions, core);
    // gdb writes the types of pointers, and finds symbols at 0.
    const plain = (value: string): string => value.replace(/\([^()]*\*+\) /g, '').replace(/ <[^>]*>/g, '');
    questions.forEach((question, i) => {
      assert.equal(plain(ask(question.replace('output ', ''), frameId)), plain(theirs[i]!), question);
    });
    dap.request('setBreakpoints', {
      source: { name: 'crc64-rocksoft.c', path: '/src/linux/lib/crc64-rocksoft.c' },
      breakpoints: [],
    });

    // Code that runs once: gone with the initialisation, and elsewhere when the module is loaded again.
    const starts: string[] = [];
    for (let times = 0; times < 2; times++) {
      before = dap.events.length;
      dap.request('continue', { threadId: 1 });
      assert.equal(dap.until('stopped', 5_000_000).reason, 'breakpoint');
      assert.match(dap.where, /^test_user_copy_init test_user_copy\.c:\d+$/);
      assert.match(dap.stack(8).join('\n'), /^do_one_initcall main\.c:\d+$/m);
      const told = placed(before).filter(({ id }) => id === inInit!.id);
      assert.ok(told.at(-1)!.verified, JSON.stringify(told));
      starts.push(told.at(-1)!.instructionReference!);
    }
    assert.notEqual(starts[0], starts[1]);
    assert.match(module('lru_cache').symbolStatus!, /not needed yet/);
  });
});

const setLine = (dap: DapBench, name: string, line: number): readonly Dap.Breakpoint[] =>
  dap.request('setBreakpoints', { source: { name, path: `/src/linux/lib/${name}` }, breakpoints: [{ line }] })
    .breakpoints;
