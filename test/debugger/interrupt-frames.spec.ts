// From a handler in the sample kernel back to what it interrupted: a system call to the user program that made it, a timer tick to where it
// hit. What is found is checked against the frame that the kernel itself was given (struct trap).

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { it } from 'node:test';
import { interruptFrames } from '../../src/debugger/interrupt-frames.ts';
import type { DebugTarget } from '../../src/debugger/target.ts';
import { DebugInfo } from '../../src/symbols/debug-info.ts';
import { type Frame, Register } from '../../src/symbols/unwind/unwinder.ts';
import { configOf, PROMPT, RunningGuest, TSUBAME } from '../boot/running-guest.ts';

const GENERAL = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi', 'eip', 'eflags'];

const stop = (target: DebugTarget, address: number): void => {
  target.setPoints([{ id: 1, on: 'execute', address }]);
  for (let i = 0; target.run(20_000_000).kind !== 'point'; i++) assert.ok(i < 100, 'the breakpoint was never met');
};

for (const bare of [true, false])
  it(`finds what an interrupt, and a system call, came upon, ${bare ? 'bare' : 'under the hypervisor'}`, () => {
    const running = new RunningGuest(configOf(TSUBAME, { bare, observe: 'none' }));
    const { session } = running;
    running.waitFor(new RegExp(PROMPT));
    session.typeSerial(new TextEncoder().encode('fork 3\rtouch 40\r'));
    const target = session.debug;
    const read = (linear: number, into: Uint8Array): number => target.guests[0]!.readMemory(linear, into);
    const opened = DebugInfo.open('tsubame.elf', readFileSync(TSUBAME), {
      interrupted: interruptFrames({
        map: () => info.map,
        kernelCs: () => 8,
        ptRegs: undefined,
      }),
    });
    assert.ok(opened.ok);
    const { info } = opened;
    const word = (address: number): number => {
      const bytes = new Uint8Array(4);
      assert.equal(read(address, bytes), 4);
      return new DataView(bytes.buffer).getUint32(0, true);
    };
    /** Names up to the interrupted frame, and that. */
    const walk = (): { names: string[]; interrupted: Frame } => {
      const names: string[] = [];
      const vcpu = target.guests[0]!.vcpu;
      let frame: Frame | { end: string } = info.frame(
        GENERAL.map((name) => vcpu.read(name)),
        read,
      );
      while (!('end' in frame) && frame.origin !== 'interrupt') {
        names.push(info.map.symbol(frame.lookupPc)?.name ?? '?');
        frame = frame.caller();
      }
      assert.ok(!('end' in frame), `${names.join(', ')}: ${'end' in frame ? frame.end : ''}`);
      return { names, interrupted: frame };
    };
    for (const [handler, user] of [
      ['syscall', true],
      ['tick', undefined],
    ] as const) {
      // The second time, so that something has been interrupted that is no start-up code.
      for (let times = 0; times < 2; times++) stop(target, info.map.lookup(handler)!);
      const { names, interrupted } = walk();
      assert.equal(names[0], handler);
      assert.ok(names.includes('trap_dispatch'), names.join(', '));
      assert.equal(names.at(-1), 'trap_entry');
      // What the kernel was given: the argument of trap_dispatch.
      const vcpu = target.guests[0]!.vcpu;
      let frame: Frame | { end: string } = info.frame(
        GENERAL.map((name) => vcpu.read(name)),
        read,
      );
      while (!('end' in frame) && info.map.symbol(frame.lookupPc)?.name !== 'trap_dispatch') frame = frame.caller();
      assert.ok(!('end' in frame));
      const trap = word(frame.cfa!);
      const field = (name: string): number => {
        const type = info.type('struct', 'trap');
        assert.ok(type?.kind === 'struct');
        return word(trap + type.members.find((member) => member.name === name)!.offset);
      };
      const { registers } = interrupted;
      assert.equal(registers[Register.eip], field('eip'));
      assert.equal(registers[Register.eflags], field('eflags'));
      for (const name of ['eax', 'ecx', 'edx', 'ebx', 'ebp', 'esi', 'edi'] as const)
        assert.equal(registers[Register[name]], field(name), name);
      if (user) {
        assert.ok(registers[Register.eip]! >= 0x4000_0000, 'a user program');
        assert.equal(registers[Register.esp], field('esp'));
      }
    }
  });
