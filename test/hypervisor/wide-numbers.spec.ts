// The engine's one-of-a-kind objects keep V8's shape when their numbers outgrow 32 signed bits (src/machine/wide-number.ts): else the code that
// knows them would be compiled again at the 2^31st instruction and at a kernel's first.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInThisContext } from 'node:vm';
import { LivelockWatch } from '../../src/hypervisor/exits/page-fault.ts';
import { CORE_DUO } from '../../src/machine/cpu/model.ts';
import { PhysicalMachine } from '../../src/workers/physical-machine.ts';

const KERNEL = 0xc000_0000;
const LONG = 5_000_000_000;

interface Parts {
  readonly machine: PhysicalMachine;
  readonly livelock: LivelockWatch;
}
const parts = (): Parts => ({ machine: new PhysicalMachine(1 << 20, CORE_DUO), livelock: new LivelockWatch() });

const GROWN: Readonly<Record<string, readonly [object: (of: Parts) => object, grow: (of: Parts) => void]>> = {
  clock: [({ machine }) => machine.clock, ({ machine }) => machine.clock.set(LONG)],
  'run loop': [({ machine }) => machine.processor, ({ machine }) => (machine.processor.retired = LONG)],
  processor: [
    ({ machine }) => machine.cpu,
    ({ machine }) => {
      machine.cpu.nextEip = KERNEL;
      machine.cpu.allowance = LONG;
    },
  ],
  VMX: [({ machine }) => machine.vmxUnit, ({ machine }) => (machine.vmxUnit.deliveryInfo = 0x8000_0b0e)],
  controls: [
    ({ machine }) => machine.vmxUnit.controls,
    ({ machine }) => {
      const { controls } = machine.vmxUnit;
      controls.cr0Mask = controls.cr0Shadow = controls.cr4Mask = 0xffff_ffff;
    },
  ],
  'livelock watch': [({ livelock }) => livelock, ({ livelock }) => void livelock.again(KERNEL, LONG)],
};

setFlagsFromString('--allow-natives-syntax');
const sameShape = runInThisContext('(a, b) => %HaveSameMap(a, b)') as (a: object, b: object) => boolean;

for (const [name, [of, grow]] of Object.entries(GROWN))
  it(`numbers that grow do not change the shape of the ${name}`, () => {
    const [small, large] = [parts(), parts()];
    grow(large);
    assert.ok(sameShape(of(small), of(large)));
  });

it('nobody sees a negative zero', () => {
  const { machine } = parts();
  assert.deepEqual([machine.clock.now, machine.processor.retired], [0, 0]);
});
