// What stays decoded of the instructions that the hypervisor executes, by hand: from the second sighting on, while the bytes are the same.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EmulatedCode } from './emulated-code.ts';

const fetching =
  (...bytes: number[]) =>
  (i: number): number =>
    bytes[i] ?? -1;

describe('emulated code', () => {
  /** As code-cache.ts does it. True: the entry is kept. */
  const decode = (
    code: EmulatedCode,
    eip: number,
    fetch: (i: number) => number,
    entry: number,
    meanwhile?: () => void,
  ): boolean => {
    assert.equal(code.find(eip, 1, fetch), 0);
    code.begin(fetch);
    code.byte(0);
    code.byte(1);
    meanwhile?.();
    return code.keeps(eip, 1, entry);
  };

  it('is kept from the second sighting on, while its bytes are the same', () => {
    const code = new EmulatedCode();
    assert.equal(decode(code, 0x101, fetching(1, 2), 64), false);
    assert.equal(decode(code, 0x101, fetching(1, 2), 96), true);
    assert.equal(code.find(0x101, 1, fetching(1, 2)), 96);
    assert.equal(code.find(0x101, 2, fetching(1, 2)), 0, 'another mode');
    assert.equal(code.find(0x101, 1, fetching(1, 3)), 0, 'another byte');
  });
  it('stands for its own EIP and mode where decoding it has cleared all others', () => {
    const code = new EmulatedCode();
    decode(code, 0x101, fetching(1, 2), 64);
    decode(code, 0x101, fetching(1, 2), 96, () => code.clear());
    assert.equal(code.find(0, 0, fetching(1, 2)), 0);
    assert.equal(code.find(0x101, 1, fetching(1, 2)), 96);
  });
});
