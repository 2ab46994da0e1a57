// Addresses of tasks that sleep: what lies at them is looked at, disassembled and watched in the task's own address space. Every program of the
// sample kernel has its code and its stack at the same addresses, so each could be taken for another.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Dap } from '../../src/debugger/dap/protocol.ts';
import { configOf, TSUBAME } from '../boot/running-guest.ts';
import { DapBench } from './dap-bench.ts';
import { standAsleep } from './sleeping-tasks.ts';

interface Asleep {
  readonly bench: DapBench;
  /** The frame in user space of each, the innermost of it. */
  readonly shell: Dap.StackFrame;
  readonly sleeper: Dap.StackFrame;
}

/** The shell waits for a line, a program sleeps; the processor is idle. */
const asleep = (): Asleep => {
  const bench = new DapBench(configOf(TSUBAME, { record: { limit: 256 << 20 } }));
  standAsleep(bench);
  const [, shell, sleeper] = bench.request('threads').threads.map(({ id }) => {
    const { stackFrames } = bench.request('stackTrace', { threadId: id });
    const label = stackFrames.findIndex(({ presentationHint }) => presentationHint === 'label');
    return stackFrames[label + 1]!;
  });
  return { bench, shell: shell!, sleeper: sleeper! };
};

test('the Disassembly view has the instructions of the task, and takes breakpoints there', () => {
  const { bench, shell, sleeper } = asleep();
  const window = (frame: Dap.StackFrame): readonly Dap.DisassembledInstruction[] =>
    bench.request('disassemble', {
      memoryReference: frame.instructionPointerReference!,
      instructionOffset: -4,
      instructionCount: 12,
    }).instructions;
  assert.match(shell.instructionPointerReference!, /^0x4[0-9a-f]{7}@0x[0-9a-f]{8}$/);
  const code = window(shell);
  assert.equal(code.length, 12);
  // The editor reads addresses as numbers.
  for (const { address } of code) assert.match(address, /^0x[0-9a-f]{8}$/);
  // Behind the system call the program goes on; before it stands the call.
  assert.equal(code[4]!.address, shell.instructionPointerReference!.split('@')[0]);
  assert.match(code[3]!.instruction, /^int 0x80/);
  assert.ok(code.every(({ presentationHint }) => presentationHint !== 'invalid'));
  assert.match(window(sleeper)[3]!.instruction, /^int 0x80/);
  // The idle processor has nothing there.
  const [plain] = shell.instructionPointerReference!.split('@');
  const [nothing] = bench.request('disassemble', { memoryReference: plain!, instructionCount: 1 }).instructions;
  assert.equal(nothing!.presentationHint, 'invalid');
  // A frame in the kernel means the same to all.
  const kernel = bench.request('stackTrace', { threadId: 1000, levels: 1 }).stackFrames[0]!;
  assert.match(kernel.instructionPointerReference!, /^0x001[0-9a-f]{5}$/);

  // Both programs come by this address, as both have been started by the same code; only the shell's counts.
  const { breakpoints } = bench.request('setInstructionBreakpoints', {
    breakpoints: [{ instructionReference: shell.instructionPointerReference! }],
  });
  assert.deepEqual(
    breakpoints.map(({ verified, instructionReference }) => [verified, instructionReference]),
    [[true, shell.instructionPointerReference]],
  );
  bench.request('continue', { threadId: 1 });
  bench.type('\r');
  assert.equal(bench.until('stopped').reason, 'instruction breakpoint');
  assert.equal(bench.request('evaluate', { expression: '(unsigned)$eip,x' }).result, plain);
  assert.match(bench.request('threads').threads[0]!.name, /shell 1$/);
});

test('a data breakpoint on an address of a task waits for that task', () => {
  const { bench, shell, sleeper } = asleep();
  const word = (frame: Dap.StackFrame): string =>
    bench.request('evaluate', { expression: '*(unsigned *)$esp', frameId: frame.id }).result;
  const watch = (frame: Dap.StackFrame): Dap.DataBreakpointInfoResponse['body'] =>
    bench.request('dataBreakpointInfo', { name: '*(unsigned *)$esp', frameId: frame.id });
  const [mine, other] = [watch(shell), watch(sleeper)];
  assert.match(String(mine.dataId), /^0xbf[0-9a-f]{6}@0x[0-9a-f]{8}\/4$/);
  assert.match(mine.description, /^4 bytes at 0xbf\w+ in the address space 0x\w+$/);
  assert.equal(mine.canPersist, false);
  // One address space has no bytes of the other.
  assert.notEqual(String(mine.dataId).split('@')[1], String(other.dataId).split('@')[1]);
  // A variable of the kernel is nobody's own.
  const free = bench.request('dataBreakpointInfo', { name: 'frames_free', frameId: shell.id });
  assert.match(String(free.dataId), /^0x0010\w+\/4$/);
  const address = String(mine.dataId).split('@')[0]!;
  const space = String(mine.dataId).split(/[@/]/)[1]!;
  const byAddress = bench.request('dataBreakpointInfo', { name: `${address}@${space}`, asAddress: true, bytes: 4 });
  assert.equal(byAddress.dataId, mine.dataId);

  const before = word(shell);
  bench.request('setDataBreakpoints', { breakpoints: [{ dataId: mine.dataId!, accessType: 'readWrite' }] });
  bench.request('continue', { threadId: 1 });
  bench.type('echo hello\r');
  const stopped = bench.until('stopped');
  assert.equal(stopped.reason, 'data breakpoint');
  assert.match(bench.request('threads').threads[0]!.name, /shell 1$/);
  assert.equal(bench.request('evaluate', { expression: '$cr3,x' }).result, `0x${Number(space).toString(16)}`);
  assert.ok(before !== '');

  // The other task's: the shell and what it starts use the same address all the time, and do not stop the guest.
  bench.request('setDataBreakpoints', { breakpoints: [{ dataId: other.dataId!, accessType: 'readWrite' }] });
  bench.request('continue', { threadId: 1 });
  bench.untilPrinted(/\nhello\n/);
  const seen = bench.events.length;
  bench.type('echo again\r');
  bench.untilPrinted(/\nagain\n/);
  assert.ok(!bench.events.slice(seen).some(({ event }) => event === 'stopped'));
  bench.request('pause', { threadId: 1 });

  const gone = bench.request('setDataBreakpoints', { breakpoints: [{ dataId: '0x30000000@0x00001000/4' }] });
  assert.equal(gone.breakpoints[0]!.verified, false);
  assert.match(gone.breakpoints[0]!.message!, /not mapped in the address space 0x00001000: .* from a frame of a task/);
});
