// RDTSC as translated code reads it: the retired instructions before it, with what software wrote and VMX adds, in both tiers, as its helper
// has it. SDM vol. 3, 17.14 and 25.3.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BareProcessor } from '../../../test/support/bare-processor.ts';
import { writeMsr } from '../cpu/msr.ts';
import { Vector } from '../cpu/cpu.ts';
import { Cr4, EAX, EDI, EDX, StateLayout } from '../cpu/state.ts';
import { NO_VMX } from '../vmx/hooks.ts';

const CODE = 0x1000;
const LOG = 0x8000;
/** again: rdtsc; mov [edi], eax; mov [edi+4], edx; add edi, 8; pause; jmp again */
const LOOP = [0x0f, 0x31, 0x89, 0x07, 0x89, 0x57, 0x04, 0x83, 0xc7, 0x08, 0xf3, 0x90, 0xeb, 0xf2];
const TURN = 6;
const TURNS = 300;
const IA32_TSC = 0x10;

const machine = (tiers: 'threaded' | 'eager', start: number): BareProcessor => {
  const m = new BareProcessor(1 << 20, tiers);
  m.memory.u8.set(LOOP, m.memory.ramBase + CODE);
  m.cpu.s.eip = CODE;
  m.cpu.s.setGpr(EDI, LOG);
  m.clock.set(start);
  return m;
};
const logged = (m: BareProcessor): bigint[] =>
  Array.from(
    { length: TURNS },
    (_, i) => (BigInt(m.memory.read32(LOG + i * 8 + 4)) << 32n) | BigInt(m.memory.read32(LOG + i * 8)),
  );

for (const tiers of ['threaded', 'eager'] as const) {
  describe(`RDTSC, ${tiers} tier`, () => {
    for (const start of [0, 0xffff_fe00, 2 ** 40 - 512])
      it(`counts from cycle ${start} on`, () => {
        const m = machine(tiers, start);
        m.processor.run(start + TURN * TURNS);
        assert.deepEqual(
          logged(m),
          Array.from({ length: TURNS }, (_, i) => BigInt(start + i * TURN)),
        );
      });

    it('adds what was written to the counter, and VMX its offset, modulo 2^64', () => {
      const m = machine(tiers, 1000);
      m.cpu.vmx = { ...NO_VMX, nonRoot: true, tscOffsetLow: 0xffff_ff00, tscOffsetHigh: 0x7fff_ffff };
      writeMsr(m.cpu, IA32_TSC, 0xffff_fff0, 0x8000_0000);
      m.cpu.modeDirty = true;
      m.processor.run(1000 + TURN * TURNS);
      const first = 0x8000_0000_ffff_fff0n + 0x7fff_ffff_ffff_ff00n;
      assert.deepEqual(
        logged(m),
        Array.from({ length: TURNS }, (_, i) => BigInt.asUintN(64, first + BigInt(i * TURN))),
      );
    });

    it('is the helper’s where CR4.TSD forbids it', () => {
      const m = machine(tiers, 0);
      m.cpu.s.cr4 |= Cr4.TSD;
      m.cpu.s.cpl = 3;
      m.cpu.modeDirty = true;
      m.processor.run(100);
      assert.deepEqual(
        m.faults.map(({ vector, error, eip }) => [vector, error, eip]),
        [[Vector.GP, 0, CODE]],
      );
    });

    it('leaves the guest where VMX says so, and PAUSE too', () => {
      for (const [reason, eip] of [
        [16, CODE],
        [40, CODE + 10],
      ] as const) {
        const m = machine(tiers, 0);
        const left: number[] = [];
        m.cpu.vmx = {
          ...NO_VMX,
          nonRoot: true,
          rdtscExits: reason === 16,
          pauseExits: reason === 40,
          exitOnInstruction: (why, _qualification, op) => {
            if (why !== reason) return false;
            left.push(op.eip);
            m.cpu.vmExitPending = true;
            return true;
          },
        };
        m.cpu.modeDirty = true;
        m.processor.run(1000);
        assert.deepEqual(left, [eip]);
      }
    });
  });
}

describe('RDTSC, one instruction at a time', () => {
  it('is as in one run', () => {
    const m = machine('eager', 5);
    for (let i = 1; i <= TURN * 20; i++) m.processor.run(5 + i);
    assert.equal(m.cpu.s.gpr(EAX), 5 + 19 * TURN);
    assert.equal(m.cpu.s.gpr(EDX), 0);
    assert.equal(m.cpu.s.get(StateLayout.activity), 0);
  });
});
