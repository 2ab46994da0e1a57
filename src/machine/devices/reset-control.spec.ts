import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inb, out } from '../../../test/support/device-world.ts';
import { Bus } from '../bus.ts';
import { ResetControl, SystemControlPortA } from './reset-control.ts';

test('port 92h: A20 is kept, a rising bit 0 resets once', () => {
  let resets = 0;
  const a20 = { enabled: true };
  const port = new SystemControlPortA(a20, () => resets++);
  assert.equal(inb(port, 0), 2);
  out(port, 0, 0);
  assert.deepEqual([a20.enabled, inb(port, 0)], [false, 0]);
  out(port, 0, 3);
  out(port, 0, 3);
  assert.deepEqual([resets, a20.enabled], [1, true]);
  out(port, 0, 2);
  out(port, 0, 3);
  assert.equal(resets, 2);
});

test('port CF9h: Linux’s sequence resets; a PCI configuration address never does', () => {
  let resets = 0;
  const bus = new Bus();
  bus.claimPorts(0xcf8, 4, new ResetControl(() => resets++));
  // Device 0, function 6 puts 06h where CF9h is.
  bus.out(0xcf8, 4, 0x8000_0600);
  bus.out(0xcf8, 2, 0x0600);
  bus.out(0xcfa, 2, 0x0606);
  bus.out(0xcf8, 1, 6);
  bus.out(0xcf9, 2, 0x0606);
  assert.equal(resets, 0);
  assert.equal(bus.in(0xcf8, 4), 0xffff_ffff, 'there is no PCI');
  assert.equal(bus.in(0xcfc, 4), 0xffff_ffff);
  bus.out(0xcf9, 1, 0x02);
  assert.equal(bus.in(0xcf9, 1), 2);
  assert.equal(resets, 0);
  bus.out(0xcf9, 1, 0x06);
  assert.equal(resets, 1);
});
