import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DATA, FloatWorld } from '../../../test/support/float-world.ts';
import { Vector } from './cpu.ts';
import { Double, operate, root, Single } from './narrow-float.ts';
import { Cr4, StateLayout } from './state.ts';
import { Exception } from './x87/float80.ts';

const world = new FloatWorld();
const fresh = (): FloatWorld => {
  world.reset();
  return world;
};
const DEFAULT = 0x1f80;
const ARITHMETIC = [
  ['add', '58'],
  ['multiply', '59'],
  ['subtract', '5c'],
  ['divide', '5e'],
] as const;

/** Bits with the interesting exponents more frequent than chance has them. */
const bitsOf = (exponentBits: number, fractionBits: number): fc.Arbitrary<bigint> =>
  fc
    .tuple(
      fc.bigInt({ min: 0n, max: 1n }),
      fc.oneof(
        fc.integer({ min: 0, max: (1 << exponentBits) - 1 }),
        fc.constantFrom(0, 1, 2, (1 << exponentBits) - 2, (1 << exponentBits) - 1),
        fc.integer({ min: (1 << (exponentBits - 1)) - 30, max: (1 << (exponentBits - 1)) + 28 }),
      ),
      fc.oneof(
        fc.bigInt({ min: 0n, max: (1n << BigInt(fractionBits)) - 1n }),
        fc.constantFrom(0n, 1n, (1n << BigInt(fractionBits)) - 1n),
      ),
    )
    .map(([s, e, f]) => (s << BigInt(exponentBits + fractionBits)) | (BigInt(e) << BigInt(fractionBits)) | f);

const scalar = (
  w: FloatWorld,
  prefix: string,
  op: string,
  bytes: 4 | 8,
  a: bigint,
  b: bigint,
): { bits: bigint; flags: number } => {
  const { view } = w.s;
  w.s.set(StateLayout.mxcsr, DEFAULT);
  view.setBigUint64(StateLayout.xmm, a, true);
  view.setBigUint64(StateLayout.xmm + 16, b, true);
  w.run(`${prefix} 0f ${op} c1`);
  const bits = bytes === 4 ? BigInt(view.getUint32(StateLayout.xmm, true)) : view.getBigUint64(StateLayout.xmm, true);
  return { bits, flags: w.s.get(StateLayout.mxcsr) & 0x3f };
};

test('the short way by doubles gives the results and flags of the exact one', () => {
  const w = fresh();
  for (const [prefix, layout, bits] of [
    ['f3', Single, bitsOf(8, 23)],
    ['f2', Double, bitsOf(11, 52)],
  ] as const)
    for (const [operation, op] of ARITHMETIC)
      fc.assert(
        fc.property(bits, bits, (a, b) => {
          assert.deepEqual(scalar(w, prefix, op, layout.bytes, a, b), operate(operation, a, b, layout, DEFAULT));
        }),
        { numRuns: 800 },
      );
  for (const [prefix, layout, bits] of [
    ['f3', Single, bitsOf(8, 23)],
    ['f2', Double, bitsOf(11, 52)],
  ] as const)
    fc.assert(
      fc.property(bits, (a) =>
        assert.deepEqual(scalar(w, prefix, '51', layout.bytes, 0n, a), root(a, layout, DEFAULT)),
      ),
      { numRuns: 800 },
    );
});

test("the exact way gives the host's doubles", () => {
  const view = new DataView(new ArrayBuffer(8));
  const toNumber = (bits: bigint): number => {
    view.setBigUint64(0, bits);
    return view.getFloat64(0);
  };
  const host = {
    add: (a: number, b: number) => a + b,
    subtract: (a: number, b: number) => a - b,
    multiply: (a: number, b: number) => a * b,
    divide: (a: number, b: number) => a / b,
  };
  fc.assert(
    fc.property(bitsOf(11, 52), bitsOf(11, 52), (a, b) => {
      for (const [operation] of ARITHMETIC)
        assert.ok(
          Object.is(
            toNumber(operate(operation, a, b, Double, DEFAULT).bits),
            host[operation](toNumber(a), toNumber(b)),
          ),
        );
    }),
    { numRuns: 1000 },
  );
});

test('an unmasked exception is #XM, or #UD without CR4.OSXMMEXCPT, and the destination stays', () => {
  const w = fresh();
  const { view } = w.s;
  view.setFloat64(StateLayout.xmm, 1, true);
  w.s.set(StateLayout.mxcsr, DEFAULT & ~(Exception.ZE << 7));
  assert.equal(w.run('f2 0f 5e c1'), Vector.XM); // divsd xmm0, xmm1: 1 / 0
  assert.equal(view.getFloat64(StateLayout.xmm, true), 1);
  assert.equal(w.s.get(StateLayout.mxcsr) & 0x3f, Exception.ZE);
  w.s.cr4 &= ~Cr4.OSXMMEXCPT;
  assert.equal(w.run('f2 0f 5e c1'), Vector.UD);
});

test('SSE needs CR4.OSFXSR, packed memory operands an aligned address, LDMXCSR clear reserved bits', () => {
  const w = fresh();
  assert.equal(w.run('0f 58 43 08'), Vector.GP); // addps xmm0, [ebx + 8]
  assert.equal(w.run('0f 58 43 10'), undefined);
  assert.equal(w.run('f2 0f 58 43 08'), undefined); // addsd: any address
  w.memory.write32(DATA, 0x10000);
  assert.equal(w.run('0f ae 13'), Vector.GP);
  w.memory.write32(DATA, 0xffff);
  assert.equal(w.run('0f ae 13'), undefined);
  assert.equal(w.s.get(StateLayout.mxcsr), 0xffff);
  w.s.cr4 &= ~Cr4.OSFXSR;
  w.cpu.modeDirty = true;
  assert.equal(w.run('0f 58 c1'), Vector.UD);
});

test('denormals are zeros with DAZ, results are flushed with FTZ', () => {
  const w = fresh();
  const { view } = w.s;
  const least = 2 ** -1022;
  view.setFloat64(StateLayout.xmm, least, true);
  view.setFloat64(StateLayout.xmm + 16, 0.5, true);
  w.s.set(StateLayout.mxcsr, DEFAULT | 0x8000);
  w.run('f2 0f 59 c1');
  assert.equal(view.getFloat64(StateLayout.xmm, true), 0);
  assert.equal(w.s.get(StateLayout.mxcsr) & 0x3f, Exception.UE | Exception.PE);
  view.setFloat64(StateLayout.xmm, least / 2, true);
  w.s.set(StateLayout.mxcsr, DEFAULT | 0x40);
  w.run('f2 0f 58 c1');
  assert.equal(view.getFloat64(StateLayout.xmm, true), 0.5);
  assert.equal(w.s.get(StateLayout.mxcsr) & 0x3f, 0);
});

test('MASKMOVDQU writes the chosen bytes only', () => {
  const w = fresh();
  w.memory.ram.fill(0x11, DATA, DATA + 16);
  w.s.u8.fill(0xaa, StateLayout.xmm, StateLayout.xmm + 16);
  w.s.u8.set([0x80, 0, 0xff, 0x7f], StateLayout.xmm + 16);
  w.s.u8.fill(0, StateLayout.xmm + 20, StateLayout.xmm + 32);
  w.s.setGpr(7, DATA);
  assert.equal(w.run('66 0f f7 c1'), undefined);
  assert.deepEqual([...w.memory.ram.subarray(DATA, DATA + 5)], [0xaa, 0x11, 0xaa, 0x11, 0x11]);
});
