// Which module an address belongs to: the one whose memory it is in is asked for its functions, and none where no module can be.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { DebuggedGuest } from '../machine.ts';
import type { GuestModule, MemoryRegion, OsAwareness } from './awareness.ts';
import { GuestOs } from './guest-os.ts';

/** The system is given, not recognised. */
const machineWith = (linux: OsAwareness): DebuggedGuest =>
  ({ guestSymbols: { generation: 1, linux } }) as unknown as DebuggedGuest;

it('asks only the module whose memory holds the address, its initialisation included', () => {
  const asked: string[] = [];
  let lists = 0;
  const module = (name: string, regions: readonly MemoryRegion[]): GuestModule => ({
    name,
    ...regions[0]!,
    regions,
    sections: [],
    buildId: undefined,
    get functions() {
      asked.push(name);
      return regions.map(({ base }, i) => ({ name: `${name}_${i}`, address: base, bytes: 16 }));
    },
  });
  const modules = [
    module('first', [{ base: 0xf880_0000, bytes: 0x1000 }]),
    module('second', [
      { base: 0xf890_0000, bytes: 0x1000 },
      { base: 0xf8a0_0000, bytes: 0x1000 },
    ]),
  ];
  const linux = {
    lowestModule: 0xc100_0000,
    modules: () => {
      lists++;
      return modules;
    },
  } as unknown as OsAwareness;
  const os = new GuestOs(machineWith(linux), () => {});
  assert.equal(os.moduleFunction(0x0804_8000), undefined);
  assert.equal(os.moduleFunction(0xc0ff_ffff), undefined);
  assert.equal(lists, 0, 'no list is read for an address of a program');
  assert.equal(os.moduleFunction(0xf8a0_0004)?.is.name, 'second_1');
  assert.deepEqual(asked, ['second']);
  assert.equal(os.moduleFunction(0xf880_0ff0), undefined);
  assert.equal(os.moduleAt(0xf880_0ff0)?.name, 'first');
  assert.equal(os.moduleAt(0xf880_1000), undefined);
  assert.equal(os.moduleFunction('first_0')?.module.name, 'first');
});
