import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressesIn } from './addresses.ts';

test('numbers with 0x and bare ones of eight digits are addresses; words, small and longer numbers are not', () => {
  const line = 'eip 0x00101234 esp 00118fe0 count 0x20 word deadbeef1 00118fe0f cafe 0xC0100000.';
  assert.deepEqual(
    addressesIn(line).map(({ address, start, length }) => [address, line.slice(start, start + length)]),
    [
      [0x0010_1234, '0x00101234'],
      [0x0011_8fe0, '00118fe0'],
      [0xc010_0000, '0xC0100000'],
    ],
  );
});
