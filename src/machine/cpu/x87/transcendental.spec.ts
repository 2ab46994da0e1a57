// FSIN, FCOS, FSINCOS, FPTAN, FPATAN, F2XM1, FYL2X and FYL2XP1 against power series in 320 bits (test/support/real-functions.ts): every result
// must be the function's value rounded once, under each rounding control, whatever the precision control. Then the manual's tables of
// special operands. What the real processor gives, the vectors say (test/conformance).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FloatWorld, TRANSCENDENTALS } from '../../../../test/support/float-world.ts';
import * as real from '../../../../test/support/real-functions.ts';
import { StateLayout } from '../state.ts';
import {
  BIAS,
  Exception,
  f80,
  type Float80,
  INDEFINITE,
  infinity,
  isDenormal,
  quiet,
  scaleOf,
  zero,
} from './float80.ts';
import { moveTop, readSt, setControlWord, Status, statusWord, writeSt } from './unit.ts';

const RUNS = 4000;
const J = 1n << 63n;
type Name = keyof typeof TRANSCENDENTALS;
const TWO_OPERANDS: ReadonlySet<Name> = new Set(['fpatan', 'fyl2x', 'fyl2xp1']);

const world = new FloatWorld();
/** Executes with ST(0) and, for an instruction of two operands, ST(1). The stack afterwards, and the status word. */
const execute = (
  name: Name,
  st0: Float80,
  st1: Float80 | undefined,
  control = 0x37f,
): { status: number; st: Float80[] } => {
  const { s } = world;
  world.reset();
  setControlWord(s, control);
  if (TWO_OPERANDS.has(name)) {
    moveTop(s, -1);
    writeSt(s, 0, st1!);
  }
  moveTop(s, -1);
  writeSt(s, 0, st0);
  assert.equal(world.run(TRANSCENDENTALS[name]), undefined);
  const depth = (8 - s.get(StateLayout.fpuTop)) & 7;
  return { status: statusWord(s) & 0x47ff, st: Array.from({ length: depth }, (_, i) => readSt(s, i)) };
};

// ---- operands -----------------------------------------------------------------------------------------------------------

const sign = fc.integer({ min: 0, max: 1 });
const significand = fc.oneof(
  fc.bigInt({ min: J, max: 2n * J - 1n }),
  fc
    .tuple(fc.bigInt({ min: J, max: 2n * J - 1n }), fc.integer({ min: 1, max: 63 }))
    .map(([m, n]) => (m >> BigInt(n)) << BigInt(n)),
  fc.constantFrom(J, J + 1n, 2n * J - 1n),
);
/** With an unbiased exponent between two bounds. */
const between = (least: number, most: number): fc.Arbitrary<Float80> =>
  fc.tuple(sign, fc.integer({ min: least, max: most }), significand).map(([n, e, m]) => f80(n, e + BIAS, m));
const denormal = fc
  .tuple(sign, fc.bigInt({ min: 1n, max: J - 1n }), fc.integer({ min: 0, max: 62 }))
  .map(([n, m, shift]) => f80(n, 0, m >> BigInt(shift) || 1n));
const pseudoDenormal = fc.tuple(sign, fc.bigInt({ min: J, max: 2n * J - 1n })).map(([n, m]) => f80(n, 0, m));
const extreme = fc
  .constantFrom(-16382, -16381, -8192, -68, -66, -65, -64, -63, -33, -32, -8, -7, -6, 62)
  .chain((e) => between(e, e));
/** As near to multiples of pi/2 as the format comes, from pi/2 to 2^62. */
const PI_BITS = 0xc90fdaa22168c234c4c6628b80dc1cd1n;
const nearMultiple = fc
  .tuple(
    sign,
    fc.integer({ min: 1, max: 61 }),
    fc.bigInt({ min: 0n, max: (1n << 61n) - 1n }),
    fc.bigInt({ min: -3n, max: 3n }),
  )
  .map(([n, bits, k, off]) => {
    const multiple = (k >> BigInt(61 - bits) || 1n) * PI_BITS;
    const length = multiple.toString(2).length;
    return f80(n, length - 127 + BIAS, ((multiple >> BigInt(length - 64)) + off) | J);
  });
/** Just above and just below 1. */
const nearOne = fc
  .tuple(fc.boolean(), fc.bigInt({ min: 1n, max: J - 1n }), fc.integer({ min: 0, max: 62 }))
  .map(([above, m, shift]) => {
    const off = m >> BigInt(shift) || 1n;
    return above ? f80(0, BIAS, J + (off >> 1n)) : f80(0, BIAS - 1, 2n * J - off);
  });
const anything = fc.oneof(between(-16382, 16383), between(-70, 70), between(-4, 4), denormal, pseudoDenormal, extreme);
/** Whose sine is just below a power of two. */
const powersOfTwo = fc.integer({ min: -45, max: -16 }).map((e) => f80(0, e + BIAS, J));
const angles = fc.oneof(
  powersOfTwo,
  between(-4, 62),
  between(-3, 8),
  between(-12, -9),
  nearMultiple,
  between(-70, -1),
  between(-16382, 62),
  denormal,
  extreme,
);
const fractions = fc.oneof(
  between(-8, -6),
  between(-6, -1),
  between(-70, -1),
  between(-16382, -1),
  denormal,
  extreme.filter((a) => a.exponent < BIAS),
);
const positive = fc
  .oneof(nearOne, between(-3, 3), between(-16382, 16383), denormal)
  .map((a) => f80(0, a.exponent, a.significand));
const aboveMinusOne = fc.oneof(
  fractions,
  between(-3, -1),
  between(-16382, 16383).map((a) => f80(0, a.exponent, a.significand)),
);

// ---- the property -------------------------------------------------------------------------------------------------------

const exactly = (a: Float80): real.Exact => ({ sign: a.sign, significand: a.significand, scale: scaleOf(a) });
const isPowerOfTwo = (value: bigint): boolean => (value & (value - 1n)) === 0n;
const isOne = (a: Float80): boolean => a.exponent === BIAS && a.significand === J;
/** Control words: every precision and rounding control, all exceptions masked. */
const controls = fc
  .tuple(fc.constantFrom(0, 2, 3), fc.integer({ min: 0, max: 3 }))
  .map(([pc, rc]) => 0x7f | (pc << 8) | (rc << 10));

/** `results`: what the stack must hold from the register that was ST(0) or ST(1) upward, given RC. */
const check = (
  name: Name,
  first: fc.Arbitrary<Float80>,
  second: fc.Arbitrary<Float80>,
  results: (st0: real.Exact, st1: real.Exact, rc: number, st0Register: Float80) => readonly real.Expected[],
): void => {
  fc.assert(
    fc.property(first, second, controls, (st0, st1, control) => {
      const { status, st } = execute(name, st0, st1, control);
      const wanted = results(exactly(st0), exactly(st1), (control >> 10) & 3, st0);
      const operands = TWO_OPERANDS.has(name) ? [st0, st1] : [st0];
      const flags = wanted.reduce((all, { flags }) => all | flags, operands.some(isDenormal) ? Exception.DE : 0);
      assert.deepEqual(
        st.map((value) => [value.sign, value.exponent, value.significand]),
        wanted.toReversed().map((value) => [value.sign, value.exponent, value.significand]),
      );
      assert.equal(status & 0x3f, flags);
      // C1 speaks of one rounding: with two results, of the first.
      assert.equal((status & Status.C1) !== 0, wanted[0]!.up);
      assert.equal(status & (Status.SF | Status.ES | Status.C2), 0);
    }),
    { numRuns: RUNS },
  );
};
const unused = fc.constant(zero(0));
const ONE: real.Expected = { sign: 0, exponent: BIAS, significand: J, flags: 0, up: false };

test('FSIN', () => {
  check('fsin', angles, unused, (a, _, rc) => {
    const value = real.sine(a);
    return [real.rounded(value.sign, value, rc)];
  });
});
test('FCOS', () => {
  check('fcos', angles, unused, (a, _, rc) => {
    const value = real.cosineOf(a);
    return [real.rounded(value.sign, value, rc)];
  });
});
test('FSINCOS', () => {
  check('fsincos', angles, unused, (a, _, rc) =>
    [real.sine(a), real.cosineOf(a)].map((value) => real.rounded(value.sign, value, rc)),
  );
});
test('FPTAN', () => {
  check('fptan', angles, unused, (a, _, rc) => {
    const value = real.tangent(a);
    return [real.rounded(value.sign, value, rc), ONE];
  });
});
test('FPATAN', () => {
  for (const some of [anything, between(-2, 2)])
    check('fpatan', some, some, (x, y, rc) => [real.rounded(y.sign, real.angle(y, x), rc)]);
});
test('F2XM1', () => {
  check('f2xm1', fractions, unused, (a, _, rc) => [real.rounded(a.sign, real.powerMinusOne(a), rc)]);
});
test('FYL2X', () => {
  check(
    'fyl2x',
    positive.filter((a) => !isOne(a)),
    anything,
    (x, y, rc, register) => [
      real.rounded(
        y.sign ^ (register.exponent < BIAS ? 1 : 0),
        real.product(y, real.logarithm(x)),
        rc,
        isPowerOfTwo(x.significand),
      ),
    ],
  );
});
test('FYL2XP1', () => {
  check('fyl2xp1', aboveMinusOne, anything, (x, y, rc) => {
    const low = Math.min(x.scale, 0);
    const sum = low < -200 ? 3n : (1n << BigInt(-low)) + (x.sign ? -1n : 1n) * (x.significand << BigInt(x.scale - low));
    return [real.rounded(x.sign ^ y.sign, real.product(y, real.logarithmPlusOne(x)), rc, isPowerOfTwo(sum))];
  });
});

// ---- special operands ---------------------------------------------------------------------------------------------------

const SNAN = f80(0, 0x7fff, J | 5n);
const QNAN = f80(1, 0x7fff, J | (1n << 62n) | 9n);
const UNNORMAL = f80(0, BIAS, 1n);
const number = (value: number): Float80 => {
  const magnitude = Math.abs(value);
  const exponent = Math.floor(Math.log2(magnitude));
  return f80(value < 0 ? 1 : 0, exponent + BIAS, BigInt((magnitude / 2 ** exponent) * 2 ** 52) << 11n);
};
const [P0, N0, PI, NI] = [zero(0), zero(1), infinity(0), infinity(1)];
const { IE, DE, ZE, PE } = Exception;
const piTimes = (quarters: bigint, n: number): Float80 => {
  const value = real.rounded(n, { magnitude: PI_BITS * quarters, scale: -128 }, 0);
  return f80(value.sign, value.exponent, value.significand);
};
/** ST(0), [ST(1),] result, exceptions. */
type Row = readonly [st0: Float80, result: Float80, flags: number] | readonly [st0: Float80, st1: Float80, result: Float80, flags: number]; // prettier-ignore
const special = (name: Name, rows: readonly Row[]): void => {
  for (const [i, row] of rows.entries()) {
    const [st0, st1, result, flags] = row.length === 3 ? [row[0], undefined, row[1], row[2]] : row;
    const { status, st } = execute(name, st0, st1);
    // FSINCOS and FPTAN push a second result.
    const got = st.at(-1);
    assert.deepEqual([got, status & 0x3f], [result, flags], `${name}, row ${i}`);
  }
};
/** NaNs and unsupported formats in one place of the operands, `other` in the other place. */
const invalids: readonly Row[] = [
  [PI, INDEFINITE, IE],
  [NI, INDEFINITE, IE],
  [QNAN, QNAN, 0],
  [SNAN, quiet(SNAN), IE],
  [UNNORMAL, INDEFINITE, IE],
];
const nans: readonly Row[] = [
  [QNAN, number(2), QNAN, 0],
  [number(2), QNAN, QNAN, 0],
  [SNAN, number(2), quiet(SNAN), IE],
  [number(2), SNAN, quiet(SNAN), IE],
  [SNAN, QNAN, QNAN, IE],
  [UNNORMAL, QNAN, INDEFINITE, IE],
];

test('special operands of the trigonometric instructions (SDM vol. 2)', () => {
  special('fsin', [[P0, P0, 0], [N0, N0, 0], ...invalids]);
  special('fcos', [[P0, number(1), 0], [N0, number(1), 0], ...invalids]);
  special('fsincos', [[P0, P0, 0], [N0, N0, 0], ...invalids]);
  special('fptan', [[P0, P0, 0], [N0, N0, 0], ...invalids]);
  for (const name of ['fsin', 'fcos', 'fsincos', 'fptan'] as const)
    for (const a of [number(2 ** 63), number(-(2 ** 63)), number(2 ** 200)]) {
      const { status, st } = execute(name, a, undefined);
      assert.deepEqual([st, status], [[a], Status.C2], name);
    }
  assert.deepEqual(execute('fsincos', N0, undefined).st, [number(1), N0]);
  assert.deepEqual(execute('fptan', N0, undefined).st, [number(1), N0]);
  assert.deepEqual(execute('fptan', SNAN, undefined).st, [quiet(SNAN), quiet(SNAN)]);
});

test('FPATAN: table of the SDM, ST(1) by ST(0)', () => {
  const F = number(1.5);
  const negative = number(-1.5);
  special('fpatan', [
    [NI, NI, piTimes(3n, 1), PE], [negative, NI, piTimes(2n, 1), PE], [N0, NI, piTimes(2n, 1), PE], [P0, NI, piTimes(2n, 1), PE], [F, NI, piTimes(2n, 1), PE], [PI, NI, piTimes(1n, 1), PE],
    [NI, negative, piTimes(4n, 1), PE], [PI, negative, N0, 0], [N0, negative, piTimes(2n, 1), PE], [P0, negative, piTimes(2n, 1), PE],
    [NI, N0, piTimes(4n, 1), PE], [negative, N0, piTimes(4n, 1), PE], [N0, N0, piTimes(4n, 1), PE], [P0, N0, N0, 0], [F, N0, N0, 0], [PI, N0, N0, 0],
    [NI, P0, piTimes(4n, 0), PE], [negative, P0, piTimes(4n, 0), PE], [N0, P0, piTimes(4n, 0), PE], [P0, P0, P0, 0], [F, P0, P0, 0], [PI, P0, P0, 0],
    [NI, F, piTimes(4n, 0), PE], [PI, F, P0, 0], [N0, F, piTimes(2n, 0), PE], [P0, F, piTimes(2n, 0), PE],
    [NI, PI, piTimes(3n, 0), PE], [negative, PI, piTimes(2n, 0), PE], [N0, PI, piTimes(2n, 0), PE], [P0, PI, piTimes(2n, 0), PE], [F, PI, piTimes(2n, 0), PE], [PI, PI, piTimes(1n, 0), PE],
    [F, F, piTimes(1n, 0), PE], [negative, F, piTimes(3n, 0), PE], ...nans,
  ]); // prettier-ignore
});

test('F2XM1: zeros, the ends of the range, NaNs', () => {
  special('f2xm1', [
    [P0, P0, 0],
    [N0, N0, 0],
    [number(1), number(1), PE],
    [number(-1), number(-0.5), PE],
    [QNAN, QNAN, 0],
    [SNAN, quiet(SNAN), IE],
    [UNNORMAL, INDEFINITE, IE],
  ]);
});

test('FYL2X: table of the SDM', () => {
  const [half, one, two, minus] = [number(0.5), number(1), number(2), number(-2)];
  special('fyl2x', [
    [NI, two, INDEFINITE, IE], [minus, two, INDEFINITE, IE], [minus, P0, INDEFINITE, IE], [minus, PI, INDEFINITE, IE],
    [P0, NI, PI, 0], [N0, NI, PI, 0], [P0, minus, PI, ZE], [P0, N0, INDEFINITE, IE], [N0, P0, INDEFINITE, IE], [P0, two, NI, ZE], [N0, two, NI, ZE], [P0, PI, NI, 0],
    [half, NI, PI, 0], [half, minus, two, PE], [half, N0, P0, 0], [half, P0, N0, 0], [half, two, minus, PE], [half, PI, NI, 0],
    [one, NI, INDEFINITE, IE], [one, minus, N0, 0], [one, N0, N0, 0], [one, P0, P0, 0], [one, two, P0, 0], [one, PI, INDEFINITE, IE],
    [two, NI, NI, 0], [two, minus, minus, PE], [two, N0, N0, 0], [two, P0, P0, 0], [two, two, two, PE], [two, PI, PI, 0],
    [PI, NI, NI, 0], [PI, minus, NI, 0], [PI, N0, INDEFINITE, IE], [PI, P0, INDEFINITE, IE], [PI, two, PI, 0], [PI, PI, PI, 0],
    [f80(0, 0, 1n), PI, NI, DE], ...nans,
  ]); // prettier-ignore
});

test('FYL2XP1: table of the SDM', () => {
  const [quarter, minusQuarter, two, minus] = [number(0.25), number(-0.25), number(2), number(-2)];
  special('fyl2xp1', [
    [minusQuarter, NI, PI, 0], [N0, NI, INDEFINITE, IE], [P0, NI, INDEFINITE, IE], [quarter, NI, NI, 0],
    [minusQuarter, N0, P0, 0], [N0, minus, P0, 0], [P0, minus, N0, 0], [N0, N0, P0, 0], [P0, N0, N0, 0], [quarter, N0, N0, 0],
    [minusQuarter, P0, N0, 0], [N0, P0, N0, 0], [P0, P0, P0, 0], [quarter, P0, P0, 0], [N0, two, N0, 0], [P0, two, P0, 0],
    [minusQuarter, PI, NI, 0], [N0, PI, INDEFINITE, IE], [P0, PI, INDEFINITE, IE], [quarter, PI, PI, 0],
    [PI, two, PI, 0], [PI, minus, NI, 0], [PI, P0, INDEFINITE, IE], [PI, N0, INDEFINITE, IE], [NI, two, INDEFINITE, IE],
    [number(1), two, two, PE], ...nans,
  ]); // prettier-ignore
});
