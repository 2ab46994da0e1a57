// A stripped Linux kernel that places itself, in the debugger: its own table of symbols, and a vmlinux with debug data that is moved by itself.
// Debian's kernel; the debug data is 765 MB to download: in the long run only.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { linuxGuest } from '../boot/linux-guest.ts';
import { configOf } from '../boot/running-guest.ts';
import { DapBench } from './dap-bench.ts';

const guest = linuxGuest();
const skip = guest === undefined ? "Debian's kernel is not to be had here" : false;
const TURNS = 2_000_000;

const bench = (bare: boolean, symbols?: string): DapBench => {
  const name = guest!.kernel;
  return new DapBench(
    configOf(name, {
      initrd: { name: 'initramfs', bytes: guest!.initramfs('poweroff') },
      cmdline: 'console=ttyS0,115200 cryptomgr.notests',
      memoryBytes: 128 << 20,
      bare,
      observe: 'none',
      ...(symbols === undefined ? {} : { symbols: { name: symbols, bytes: readFileSync(symbols) } }),
    }),
    () => performance.now(),
  );
};
const start = (dap: DapBench, options: Record<string, unknown>, set: () => void = () => {}): void => {
  dap.request('initialize', { adapterID: 'kansoku' });
  dap.request('launch', options as never);
  set();
  dap.request('configurationDone');
  dap.until('stopped', TURNS);
};

describe('a stripped Linux kernel', { skip }, () => {
  for (const bare of [true, false])
    it(`names itself, ${bare ? 'bare' : 'under the hypervisor'}: first stop, breakpoints, call stack, disassembly`, () => {
      const dap = bench(bare);
      start(dap, { stopOnEntry: true }, () => {
        const { breakpoints } = dap.request('setFunctionBreakpoints', {
          breakpoints: [{ name: 'vfs_read' }, { name: 'no_such_function' }],
        });
        assert.deepEqual(
          breakpoints.map(({ verified, message }) => [verified, message]),
          [
            [false, 'vfs_read is looked for when the kernel has come up.'],
            [false, 'no_such_function is looked for when the kernel has come up.'],
          ],
        );
      });
      assert.match(dap.where, /^start_kernel/);
      const changed = dap.events.filter(({ event }) => event === 'breakpoint').map(({ body }) => body);
      assert.equal(changed.length, 2);
      assert.match(JSON.stringify(changed[0]), /"verified":true,"instructionReference":"0x[c-f]/);
      assert.match(JSON.stringify(changed[1]), /has no function no_such_function/);
      dap.request('continue', { threadId: 1 });
      const stopped = dap.until('stopped', TURNS);
      assert.equal(stopped.reason, 'function breakpoint');
      const stack = dap.stack();
      assert.equal(stack[0], 'vfs_read');
      assert.ok(stack.length >= 3, stack.join('\n'));
      assert.match(stack[1]!, /^[a-z_]+\+0x/);
      const [frame] = dap.request('stackTrace', { threadId: 1, levels: 1 }).stackFrames;
      const { instructions } = dap.request('disassemble', {
        memoryReference: frame!.instructionPointerReference!,
        instructionCount: 60,
        resolveSymbols: true,
      });
      assert.equal(instructions[0]!.symbol, 'vfs_read');
      assert.ok(instructions.some(({ instruction }) => /call\s+.*[a-z_]{4,}/.test(instruction)));
      assert.match(dap.request('evaluate', { expression: 'schedule', context: 'hover' }).result, /<schedule>/);
    });
});

const debugKernel = guest?.debugKernel();
describe('a Linux kernel with its vmlinux', { skip: debugKernel === undefined ? 'no vmlinux' : skip }, () => {
  it('stops at start_kernel and at lines, wherever it has put itself', () => {
    const dap = bench(false, debugKernel);
    start(dap, { stopOnEntry: true }, () => {
      dap.request('setBreakpoints', { source: { path: 'fs/read_write.c' }, breakpoints: [{ line: 450 }] });
      dap.request('setFunctionBreakpoints', { breakpoints: [{ name: 'do_execveat_common' }] });
    });
    assert.match(dap.where, /^start_kernel main\.c:\d+/);
    dap.request('continue', { threadId: 1 });
    dap.until('stopped', TURNS);
    const stack = dap.stack();
    assert.match(stack[0]!, /^(do_execveat_common exec|\w+ read_write)\.c:\d+$/, stack.join('\n'));
    assert.match(stack[1]!, /^\w+ \w+\.c:\d+$/);
  });
});
