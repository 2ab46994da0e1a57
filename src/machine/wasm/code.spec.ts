// LEB128 against its definition in BigInt (WebAssembly core specification, 5.2.2).

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ByteWriter } from './code.ts';

const encode = (write: (w: ByteWriter) => void): Uint8Array => {
  const writer = new ByteWriter();
  write(writer);
  return writer.take();
};
const decode = (bytes: Uint8Array, signed: boolean): bigint => {
  let value = 0n;
  bytes.forEach((byte, i) => {
    assert.equal((byte & 0x80) !== 0, i < bytes.length - 1, 'only the last byte ends it');
    value |= BigInt(byte & 0x7f) << BigInt(7 * i);
  });
  return signed ? BigInt.asIntN(7 * bytes.length, value) : value;
};
/** Fewest groups of seven bits that hold the value. */
const shortest = (value: bigint, signed: boolean): number => {
  let n = 1;
  while ((signed ? BigInt.asIntN(7 * n, value) : BigInt.asUintN(7 * n, value)) !== value) n++;
  return n;
};
const edges = [0, 1, 63, 64, 127, 128, 8191, 8192, 2 ** 31 - 1, -1, -64, -65, -128, -(2 ** 31)];

describe('LEB128', () => {
  it('unsigned', () => {
    fc.assert(
      fc.property(fc.oneof(fc.integer({ min: 0, max: 0xffffffff }), fc.constantFrom(...edges)), (n) => {
        const bytes = encode((w) => w.unsigned(n));
        assert.equal(decode(bytes, false), BigInt(n >>> 0));
        assert.equal(bytes.length, shortest(BigInt(n >>> 0), false));
      }),
      { numRuns: 1000, seed: 43 },
    );
  });
  it('signed, 32 and 64 bits', () => {
    const big = fc.oneof(
      fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }),
      fc.constantFrom(...edges.map(BigInt)),
    );
    fc.assert(
      fc.property(big, (n) => {
        const long = encode((w) => w.signed64(n));
        assert.equal(decode(long, true), n);
        assert.equal(long.length, shortest(n, true));
        const short = BigInt.asIntN(32, n);
        assert.deepEqual(encode((w) => w.signed(Number(short))), encode((w) => w.signed64(short))); // prettier-ignore
      }),
      { numRuns: 1000, seed: 44 },
    );
  });
  it('the buffer grows', () => {
    const data = Uint8Array.from({ length: 5000 }, (_, i) => i);
    const bytes = encode((w) => {
      for (const b of data.subarray(0, 300)) w.byte(b);
      w.append(data.subarray(300));
      w.name('é');
    });
    assert.deepEqual([...bytes], [...data, 2, 0xc3, 0xa9]);
  });
});
