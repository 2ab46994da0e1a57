import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  addFinite,
  divideFinite,
  DOUBLE,
  type Environment,
  Exception,
  f80,
  type Float80,
  fromNarrow,
  infinity,
  multiplyFinite,
  round,
  type Rounded,
  Rounding,
  SINGLE,
  squareRootFinite,
  toInteger,
  toNarrow,
} from './float80.ts';

const view = new DataView(new ArrayBuffer(8));
const bitsOf = (value: number): bigint => {
  view.setFloat64(0, value);
  return view.getBigUint64(0);
};
const extended = (value: number): Float80 => fromNarrow(bitsOf(value), DOUBLE).value;
const double = (value: Float80): number => {
  view.setBigUint64(0, toNarrow(value, DOUBLE, NEAREST).bits);
  return view.getFloat64(0);
};
/** Double precision, to nearest, all masked. */
const NEAREST: Environment = { precision: 53, rounding: Rounding.nearest, masks: 0x3f };
/** Magnitudes whose products and quotients stay normal doubles. */
const moderate = fc
  .tuple(
    fc.double({ min: 1, max: 2, noNaN: true, maxExcluded: true }),
    fc.integer({ min: -200, max: 200 }),
    fc.boolean(),
  )
  .map(([m, e, negative]) => (negative ? -m : m) * 2 ** e);

const operations: readonly [
  string,
  (a: Float80, b: Float80, env: Environment) => Rounded,
  (a: number, b: number) => number,
][] = [
  ['sum', addFinite, (a, b) => a + b],
  ['product', multiplyFinite, (a, b) => a * b],
  ['quotient', divideFinite, (a, b) => a / b],
];
for (const [name, exact, host] of operations)
  test(`with 53 bits of precision a ${name} is the double's`, () => {
    fc.assert(
      fc.property(moderate, moderate, (a, b) =>
        assert.equal(double(exact(extended(a), extended(b), NEAREST).value), host(a, b)),
      ),
      { numRuns: 2000 },
    );
  });

test("a square root of 53 bits is the double's, and inexact unless its square is the operand", () => {
  fc.assert(
    fc.property(moderate.map(Math.abs), (a) => {
      const root = squareRootFinite(extended(a), NEAREST);
      assert.equal(double(root.value), Math.sqrt(a));
      const squared = multiplyFinite(root.value, root.value, { ...NEAREST, precision: 64 });
      if (root.flags === 0) assert.deepEqual(double(squared.value), a);
    }),
  );
});

test('every bit pattern of a narrow format comes back from the extended format', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }), (bits) => {
      const { value } = fromNarrow(bits, DOUBLE);
      const back = toNarrow(value, DOUBLE, NEAREST);
      // A signaling NaN comes back quiet, with the invalid operation.
      assert.equal(back.bits, back.flags & Exception.IE ? bits | (1n << 51n) : bits);
    }),
    { numRuns: 2000 },
  );
});

test('directed roundings bracket the exact value and differ by one unit', () => {
  fc.assert(
    fc.property(moderate, moderate, (a, b) => {
      const at = (rounding: number): Rounded =>
        divideFinite(extended(a), extended(b), { ...NEAREST, precision: 64, rounding });
      const down = at(Rounding.down);
      const up = at(Rounding.up);
      const step = down.value.sign ? -1n : 1n;
      const difference =
        (BigInt(up.value.exponent) << 63n) +
        up.value.significand -
        ((BigInt(down.value.exponent) << 63n) + down.value.significand);
      // One step across a power of two counts 2^63 less in this measure of biased exponent and explicit bit.
      const steps = up.value.exponent === down.value.exponent ? difference * step : 1n;
      assert.equal(steps, down.flags & Exception.PE ? 1n : 0n);
    }),
  );
});

test('overflow and underflow follow the masks (SDM vol. 1, 8.5.4 and 8.5.5)', () => {
  const largest = f80(0, 0x7ffe, (1n << 64n) - 1n);
  const full = { precision: 64, rounding: Rounding.nearest, masks: 0x3f };
  assert.deepEqual(addFinite(largest, largest, full), {
    value: infinity(0),
    flags: Exception.OE | Exception.PE,
    up: true,
  });
  assert.deepEqual(addFinite(largest, largest, { ...full, rounding: Rounding.zero }).value, largest);
  const unmasked = addFinite(largest, largest, { ...full, masks: 0x3f & ~Exception.OE });
  assert.equal(unmasked.flags, Exception.OE);
  assert.equal(unmasked.value.exponent, 0x7fff - 24576);
  const tiny = round(0, 1n, -16445, false, full);
  assert.deepEqual([tiny.value, tiny.flags], [f80(0, 0, 1n), 0]);
  assert.equal(round(0, 3n, -16447, false, full).flags, Exception.UE | Exception.PE);
});

test('integers round as the mode says', () => {
  const at = (value: number, rounding: number): bigint => toInteger(extended(value), rounding).value;
  assert.deepEqual(
    [Rounding.nearest, Rounding.down, Rounding.up, Rounding.zero].map((r) => at(-2.5, r)),
    [-2n, -3n, -2n, -2n],
  );
  assert.equal(at(3.5, Rounding.nearest), 4n);
  assert.equal(at(2 ** -300, Rounding.up), 1n);
});

test('a single keeps nine exponent bits of room: rounding to it finds overflow and denormals', () => {
  assert.equal(toNarrow(extended(2 ** 128), SINGLE, NEAREST).bits, 0x7f800000n);
  assert.equal(toNarrow(extended(2 ** -149), SINGLE, NEAREST).bits, 1n);
  assert.equal(toNarrow(extended(2 ** -150), SINGLE, NEAREST).bits, 0n);
  assert.equal(toNarrow(extended(2 ** 128), SINGLE, { ...NEAREST, masks: 0x37 }).store, false);
});
