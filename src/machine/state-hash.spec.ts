import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { LinearLayout } from './memory.ts';
import { StateHash } from './state-hash.ts';

describe('state hash', () => {
  const memory = new WebAssembly.Memory({ initial: 2, maximum: 2 });
  const bytes = new Uint8Array(memory.buffer);
  const hash = new StateHash(memory);
  const FIRST = 0x10000;
  const END = FIRST + 4096;
  const words = [1, 0, 2 ** 40 + 5, 0xffffffff];
  const digest = (extra: readonly number[] = words): string => {
    hash.begin();
    hash.memoryRange(FIRST, END);
    hash.add(extra);
    return hash.digest();
  };
  for (let i = FIRST; i < END; i++) bytes[i] = Math.imul(i, 0x9e3779b1) >>> 24;

  it('is the same for the same state, 32 hexadecimal digits', () => {
    const first = digest();
    assert.match(first, /^[0-9a-f]{32}$/);
    bytes[0] = 99;
    bytes[END] = 99;
    assert.equal(digest(), first);
  });
  it("writes nothing but its own room, which is nobody else's", () => {
    const { stateHash, stateHashBytes } = LinearLayout;
    const own = (at: number): boolean => at >= stateHash && at < stateHash + stateHashBytes;
    const before = bytes.slice();
    digest(Array.from({ length: 10_000 }, (_, i) => 2 ** 40 + i));
    assert.ok(bytes.every((byte, at) => own(at) || byte === before[at]));
    for (const start of [LinearLayout.looseLines, LinearLayout.pairTables, LinearLayout.stepTables])
      assert.ok(!own(start));
  });
  it('changes with any one bit of memory, also in memory that is all zero', () => {
    for (const zero of [false, true]) {
      if (zero) bytes.fill(0, FIRST, END);
      const seen = new Set([digest()]);
      for (let bit = 0; bit < 4096 * 8; bit++) {
        bytes[FIRST + (bit >> 3)]! ^= 1 << (bit & 7);
        seen.add(digest());
        bytes[FIRST + (bit >> 3)]! ^= 1 << (bit & 7);
      }
      assert.equal(seen.size, 1 + 4096 * 8);
    }
  });
  it('changes with any one bit of the words, both halves', () => {
    fc.assert(
      fc.property(fc.array(fc.maxSafeNat(), { minLength: 1, maxLength: 40 }), fc.nat(), fc.nat(52), (list, at, bit) => {
        const other = [...list];
        other[at % list.length] = Number(BigInt(list[at % list.length]!) ^ (1n << BigInt(bit)));
        assert.notEqual(digest(other), digest(list));
        assert.equal(digest(list), digest(list));
      }),
      { seed: 42 },
    );
  });
  it('more words than the buffer has room for; cut into calls or not', () => {
    const many = Array.from({ length: 10000 }, (_, i) => i * 12345);
    const whole = digest(many);
    hash.begin();
    hash.memoryRange(FIRST, END);
    for (let i = 0; i < many.length; i += 7) hash.add(many.slice(i, i + 7));
    assert.equal(hash.digest(), whole);
    many[5000]! += 1;
    assert.notEqual(digest(many), whole);
  });
});
