// The emitted arithmetic of SSE against the helpers: the same registers, flags and MXCSR for any operands and any MXCSR, and the helper is
// not called where it need not be. That the helpers are right is test/conformance's to say.

import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import fc from 'fast-check';
import { assertSame, assertSameInTiers, CountedHelpers, hex, titleOf } from '../../../test/support/counted-helpers.ts';
import { DATA, FloatWorld } from '../../../test/support/float-world.ts';
import { StateLayout } from '../cpu/state.ts';
import type { Row } from './row.ts';

const world = new FloatWorld();
const { s } = world;
const DEFAULT = 0x1f80;
const PE = 0x20;

const helpers = new CountedHelpers(world, 'sse');

/** The instruction's bytes with XMM0 or EAX as destination and XMM1, ECX or [EBX] as source. */
const encode = (row: Row, memory: boolean, immediate: number): string => {
  const bytes = [...(row.prefix > 0 ? [row.prefix] : []), 0x0f, row.opcode, memory ? 0x03 : 0xc1];
  if (row.operands.some((o) => o.kind === 'I')) bytes.push(immediate);
  return bytes.map(hex).join(' ');
};
interface Outcome {
  readonly xmm: string;
  readonly mxcsr: number;
  readonly eflags: number;
  readonly eax: number;
  /** Its vector. */
  readonly fault: number | undefined;
}
const outcome = (fault?: number): Outcome => ({
  xmm: Buffer.from(s.u8.slice(StateLayout.xmm, StateLayout.xmm + 32)).toString('hex'),
  mxcsr: s.get(StateLayout.mxcsr),
  eflags: s.eflags,
  eax: s.gpr(0),
  fault,
});
const prepare = (destination: readonly bigint[], source: readonly bigint[], mxcsr: number, general: number): void => {
  for (let i = 0; i < 2; i++) {
    s.view.setBigUint64(StateLayout.xmm + 8 * i, destination[i]!, true);
    s.view.setBigUint64(StateLayout.xmm + 16 + 8 * i, source[i]!, true);
    s.view.setBigUint64(world.memory.ramBase + DATA + 8 * i, source[i]!, true);
  }
  s.set(StateLayout.mxcsr, mxcsr);
  s.eflags = 0x8d7;
  s.setGpr(0, 0x12345678);
  s.setGpr(1, general);
  s.setGpr(3, DATA);
};
/** Both ways from the same state give the same. */
const compareWays = (
  row: Row,
  destination: readonly bigint[],
  source: readonly bigint[],
  mxcsr: number,
  memory: boolean,
  immediate: number,
): void => {
  const general = Number(source[0]! & 0xffffffffn);
  assertSame(
    () => prepare(destination, source, mxcsr, general),
    () => outcome(helpers.run(row, { length: 4, reg: 0, rm: 1, memory, imm: immediate, modrm: 0 })),
    () => outcome(world.run(encode(row, memory, immediate))),
  );
};

const singleBits = fc
  .tuple(
    fc.integer({ min: 0, max: 1 }),
    fc.oneof(
      fc.integer({ min: 0, max: 255 }),
      fc.constantFrom(0, 1, 64, 65, 189, 190, 254, 255),
      fc.integer({ min: 120, max: 160 }),
    ),
    fc.oneof(
      fc.integer({ min: 0, max: 0x7fffff }),
      fc.constantFrom(0, 1, 0x400000, 0x7fffff),
      fc.integer({ min: 0, max: 0x7ff }).map((n) => n << 12),
    ),
  )
  .map(([sign, exponent, fraction]) => BigInt(((sign << 31) | (exponent << 23) | fraction) >>> 0));
const doubleBits = fc
  .tuple(
    fc.bigInt({ min: 0n, max: 1n }),
    fc.oneof(
      fc.integer({ min: 0, max: 2047 }),
      fc.constantFrom(0, 1, 512, 513, 1533, 1534, 2046, 2047),
      fc.integer({ min: 1000, max: 1060 }),
    ),
    fc.oneof(
      fc.bigInt({ min: 0n, max: (1n << 52n) - 1n }),
      fc.constantFrom(0n, 1n, 1n << 51n, (1n << 52n) - 1n),
      fc.bigInt({ min: 0n, max: (1n << 25n) - 1n }).map((n) => n << 27n),
    ),
  )
  .map(([sign, exponent, fraction]) => (sign << 63n) | (BigInt(exponent) << 52n) | fraction);
const pairOfSingles = fc.tuple(singleBits, singleBits).map(([low, high]) => (high << 32n) | low);
const quadword = fc.oneof(pairOfSingles, doubleBits, fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }));
const vector = fc.oneof(
  fc.tuple(pairOfSingles, pairOfSingles),
  fc.tuple(doubleBits, doubleBits),
  fc.tuple(quadword, quadword),
);
const mxcsrValues = fc.oneof(
  fc.constantFrom(DEFAULT, DEFAULT | PE, DEFAULT | 0x3f, 0x9fe0, 0x3fa0, 0x0fa0, 0x0020),
  fc.integer({ min: 0, max: 0xffff }),
);

describe('emitted and helper agree', () => {
  for (const row of helpers.rows)
    it(titleOf(row), () => {
      fc.assert(
        fc.property(
          vector,
          vector,
          mxcsrValues,
          fc.boolean(),
          fc.integer({ min: 0, max: 255 }),
          (a, b, mxcsr, memory, imm) => compareWays(row, a, b, mxcsr, memory, imm),
        ),
        { numRuns: 500 },
      );
    });
});

const single = (value: number): bigint => {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value);
  return BigInt(view.getUint32(0));
};
const double = (value: number): bigint => {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return view.getBigUint64(0);
};
const singles = (a: number, b: number, c: number, d: number): readonly bigint[] => [
  single(a) | (single(b) << 32n),
  single(c) | (single(d) << 32n),
];
const takesDoubles = (row: Row): boolean =>
  /(sd|pd)$|^cvtt?[sp]d2/.test(row.mnemonic) && !/^cvt.*2[sp]d$/.test(row.mnemonic);
const takesIntegers = (row: Row): boolean => /^cvt(dq|si)2/.test(row.mnemonic);
const callsFor = (row: Row, a: readonly bigint[], b: readonly bigint[], mxcsr: number): number => {
  helpers.calls = 0;
  for (const memory of [false, true]) compareWays(row, a, b, mxcsr, memory, 1);
  return helpers.calls;
};

/** From the three formats the one that the row reads. */
const inFormat = (row: Row, values: readonly [number, number, number, number]): readonly bigint[] => {
  if (takesIntegers(row)) return values.slice(0, 2).map((value) => BigInt(value) | (BigInt(value) << 32n));
  return takesDoubles(row) ? values.slice(0, 2).map(double) : singles(...values);
};
test('no helper is called for ordinary operands once PE is set', () => {
  for (const row of helpers.rows) {
    const source = takesIntegers(row) ? inFormat(row, [0x7fffffff, 3, 0, 0]) : inFormat(row, [3.3, 4.5e6, 1e-9, 9]);
    assert.equal(callsFor(row, inFormat(row, [11, 0, 7, 0]), source, DEFAULT | PE), 0, row.mnemonic);
  }
});
test('nor for exact results before', () => {
  for (const row of helpers.rows)
    assert.equal(callsFor(row, inFormat(row, [6, 18, 27, 0]), inFormat(row, [4, 9, 1, 16]), DEFAULT), 0, row.mnemonic);
});

test('the helper is called where a flag of MXCSR is to be set', () => {
  const named = (mnemonic: string): Row => helpers.rows.find((row) => row.mnemonic === mnemonic)!;
  const one = [double(1), double(1)];
  const three = [double(3), double(3)];
  assert.equal(callsFor(named('divsd'), one, three, DEFAULT), 2);
  assert.equal(callsFor(named('divsd'), one, [0n, 0n], DEFAULT | PE), 2);
  assert.equal(callsFor(named('divsd'), one, three, (DEFAULT | PE) & ~0x1000), 2);
  assert.equal(callsFor(named('divsd'), one, three, DEFAULT | PE | 0x2000), 2);
  assert.equal(callsFor(named('addsd'), one, [double(NaN), 0n], DEFAULT | PE), 2);
  assert.equal(callsFor(named('cvttsd2si'), one, [double(2 ** 31), 0n], DEFAULT | PE), 2);
});

describe('the region tier agrees', () => {
  const { regions } = world.processor;
  for (const row of helpers.rows)
    it(titleOf(row), () => {
      const { formed } = regions;
      for (const memory of [false, true])
        for (const immediate of row.mnemonic.startsWith('cmp') ? [0, 1, 2, 3, 4, 5, 6, 7] : [0]) {
          const code = encode(row, memory, immediate);
          fc.assert(
            fc.property(vector, vector, mxcsrValues, (a, b, mxcsr) => {
              const general = Number(b[0]! & 0xffffffffn);
              const masked = mxcsr | DEFAULT;
              assertSameInTiers(world, code, () => prepare(a, b, masked, general), outcome);
            }),
            { numRuns: 30 },
          );
        }
      assert.ok(regions.formed > formed);
    });
  it('and calls no helper for ordinary operands', () => {
    const add = helpers.rows.find((row) => row.mnemonic === 'addsd')!;
    for (const memory of [false, true]) {
      prepare([double(1.5), 0n], [double(0.1), 0n], DEFAULT | PE, 0);
      helpers.calls = 0;
      world.loop(encode(add, memory, 0), 'eager');
      let sum = 1.5;
      for (let i = 0; i < FloatWorld.LOOPS; i++) sum += 0.1;
      assert.equal(s.view.getFloat64(StateLayout.xmm, true), sum);
      assert.equal(helpers.calls, 0);
    }
  });
});
