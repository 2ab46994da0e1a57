import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { Bus } from './bus.ts';
import type { Device } from './devices/device.ts';

describe('bus', () => {
  const log: unknown[] = [];
  const probe = (name: string, wide: boolean): Device => ({
    name,
    wide,
    read: (offset, size) => (log.push([name, 'r', offset, size]), -1 << offset),
    write: (offset, size, value) => void log.push([name, 'w', offset, size, value]),
    registerName: () => '',
    reset: () => undefined,
    saveState: () => [],
    loadState: () => undefined,
  });
  const bus = new Bus();
  const narrow = probe('narrow', false);
  bus.claimPorts(0x60, 2, narrow);
  bus.claimPorts(0x64, 1, narrow, 4);
  bus.claimPorts(0xf4, 4, probe('wide', true));
  bus.claimMemory(0xb8000, 0x8000, probe('memory', true));
  beforeEach(() => (log.length = 0));

  it('devices see offsets, also of a second range', () => {
    bus.out(0x61, 1, 7);
    bus.out(0x64, 1, 8);
    assert.deepEqual(log, [['narrow', 'w', 1, 1, 7], ['narrow', 'w', 4, 1, 8]]); // prettier-ignore
    assert.deepEqual(bus.portOwner(0x64), { device: narrow, offset: 4 });
    assert.equal(bus.portOwner(0x62), undefined);
  });
  it('wide accesses go whole to a wide device, byte by byte to others, low byte first', () => {
    bus.out(0xf4, 4, -2);
    bus.out(0x60, 4, 0x44332211);
    assert.deepEqual(log, [['wide', 'w', 0, 4, 0xfffffffe], ['narrow', 'w', 0, 1, 0x11], ['narrow', 'w', 1, 1, 0x22]]); // prettier-ignore
  });
  it('nobody there: all ones of the size, unsigned; writes are swallowed; ports wrap at 64 Ki', () => {
    assert.deepEqual(
      [bus.in(0x300, 1), bus.in(0x300, 2), bus.in(0x300, 4), bus.in(0xffff, 2)],
      [0xff, 0xffff, 0xffffffff, 0xffff],
    );
    bus.out(0x300, 4, 1);
    assert.deepEqual(log, []);
    assert.deepEqual(
      [bus.readMemory(0xa0000, 1), bus.readMemory(0xa0000, 2), bus.readMemory(0xa0000, 4)],
      [0xff, 0xffff, 0xffffffff],
    );
  });
  it('memory: first and last byte of the range, not their neighbours', () => {
    assert.deepEqual([0xb7fff, 0xb8000, 0xbffff, 0xc0000].map((pa) => bus.isMmio(pa)), [false, true, true, false]); // prettier-ignore
    bus.writeMemory(0xbffff, 1, 9);
    bus.writeMemory(0xc0000, 1, 9);
    assert.equal(bus.readMemory(0xb8000, 4), 0xffffffff);
    assert.deepEqual(log, [['memory', 'w', 0x7fff, 1, 9], ['memory', 'r', 0, 4]]); // prettier-ignore
  });
  it('a port claimed twice is a bug of ours', () => {
    assert.throws(() => bus.claimPorts(0x5f, 2, narrow), /0x60/);
  });
});
