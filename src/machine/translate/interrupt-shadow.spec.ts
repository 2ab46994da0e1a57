// STI in a region: its shadow lies over the next instruction for everyone who looks at the processor meanwhile, and over no other. A device in memory
// tells what it sees, a fault what it leaves behind; the threaded tier, which executes such an instruction alone, is the judge.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BareProcessor } from '../../../test/support/bare-processor.ts';
import type { Tiers } from '../cpu/cpu.ts';
import { EBX, ECX, ESP, StateLayout } from '../cpu/state.ts';

const START = 0x3000;
const DEVICE = 0x20000;
const SLICES = 12;
const FAULT_CYCLES = 1;
/** MOV [EBX], EAX: the device. */
const LOOK = [0x89, 0x03];

/** What stands behind STI, and how often the device sees a shadow in a round. */
const CASES: readonly [string, readonly number[], sees: readonly number[]][] = [
  ['a store to a device', LOOK, [1, 0]],
  ['a load from a device', [0x8b, 0x03], [1, 0]],
  ['a computation', [0x40], [0]],
  ['CLI', [0xfa], [0]],
  ['another STI', [0xfb], [0]],
  ['a pop', [0x58], [0]],
  ['POPF that sets AC, which is its helper’s', [0x9d], [0]],
  ['a division that faults', [0xf7, 0xf6], [0]],
  ['the first of repeated stores to a device', [0xb9, 2, 0, 0, 0, 0x89, 0xdf, 0xfa, 0xfb, 0xf3, 0xab], [1, 0, 0]],
  ['a jump', [0xeb, 0], [0]],
];

const observed = (tiers: Tiers, code: readonly number[]): unknown => {
  const p = new BareProcessor(1 << 16, tiers);
  const { s } = p.cpu;
  const seen: number[] = [];
  const look = (): number => seen.push(s.get(StateLayout.interruptibility));
  p.bus.claimMemory(DEVICE, 4096, {
    name: 'observer',
    registerName: () => '',
    reset: () => undefined,
    saveState: () => [],
    loadState: () => undefined,
    read: () => {
      look();
      return 0;
    },
    write: () => void look(),
  });
  // PUSH of flags with AC for POPF; EBX is the device's; ESI is 0. Behind a fault the device is looked at, as behind all others.
  const body = [0x68, 0x02, 0, 4, 0, 0xbb, ...[0, 0, 2, 0], 0x31, 0xf6, 0xfa, 0xfb, ...code];
  const tail = [...LOOK, 0xbc, 0, 0x80, 0, 0, 0x9c, 0x81, 0x24, 0x24, 0xff, 0xff, 0xfb, 0xff, 0x9d];
  p.load(START, [...body, ...tail, 0xe9, ...jump(-(body.length + tail.length + 5))]);
  p.onFault = () => {
    s.eip = START + body.length;
    p.clock.set(p.clock.now + FAULT_CYCLES);
  };
  s.eip = START;
  s.setGpr(ESP, 0x8000);
  s.setGpr(EBX, DEVICE);
  s.setGpr(ECX, 1);
  for (let i = 0; i < SLICES; i++) p.run(1000 + i);
  return { seen, state: p.state() };
};
const jump = (by: number): readonly number[] => [by & 0xff, (by >> 8) & 0xff, (by >> 16) & 0xff, (by >> 24) & 0xff];

describe('the shadow of STI', () => {
  for (const [name, code, sees] of CASES)
    it(`over ${name}`, () => {
      const judge = observed('threaded', code) as { seen: number[] };
      assert.deepEqual(judge.seen.slice(0, 2 * sees.length), [...sees, ...sees]);
      assert.deepEqual(observed('eager', code), judge);
    });
});
