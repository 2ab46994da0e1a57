import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inb, out } from '../../../test/support/device-world.ts';
import { DebugConsole } from './debug-console.ts';

test('says that it is there, and passes on what is written', () => {
  const bytes: number[] = [];
  const port = new DebugConsole((byte) => bytes.push(byte));
  assert.equal(inb(port, 0), 0xe9);
  out(port, 0, 0x4f);
  out(port, 0, 0x4b);
  assert.deepEqual(bytes, [0x4f, 0x4b]);
  assert.deepEqual(port.saveState(), []);
});
