import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inb, out } from '../../../test/support/device-world.ts';
import { CoprocessorError } from './coprocessor-error.ts';

const world = () => {
  const levels: boolean[] = [];
  return { levels, device: new CoprocessorError({ set: (level) => void levels.push(level) }) };
};

test('FERR# raises the line once; port F0h lowers it and asserts IGNNE# until FERR# falls', () => {
  const { device, levels } = world();
  device.ferr(false);
  device.ferr(true);
  device.ferr(true);
  assert.deepEqual(levels, [true]);
  assert.equal(device.ignne, false);
  out(device, 0, 0);
  assert.deepEqual(levels, [true, false]);
  assert.equal(device.ignne, true);
  device.ferr(true);
  assert.equal(device.ignne, true);
  device.ferr(false);
  assert.equal(device.ignne, false);
  device.ferr(true);
  assert.deepEqual(levels, [true, false, true]);
});

test('the request stays when the error was cleared first; the write then leaves IGNNE# alone', () => {
  const { device, levels } = world();
  device.ferr(true);
  device.ferr(false);
  assert.deepEqual(levels, [true]);
  out(device, 0, 0);
  assert.deepEqual(levels, [true, false]);
  assert.equal(device.ignne, false);
});

test('the port cannot be read, reset lets go of both pins, and the state comes back', () => {
  const { device, levels } = world();
  assert.equal(inb(device, 0), 0xff);
  device.ferr(true);
  out(device, 0, 0);
  const state = device.saveState();
  device.reset();
  assert.equal(device.ignne, false);
  assert.equal(levels.at(-1), false);
  device.loadState(state);
  assert.equal(device.ignne, true);
  assert.deepEqual(device.saveState(), state);
  assert.throws(() => device.loadState([1]), /coprocessor-error: state of 1 words, 3 expected/);
});
