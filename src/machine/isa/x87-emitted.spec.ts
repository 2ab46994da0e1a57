// The emitted x87 instructions against their helpers: the same registers, status, pointers, flags and memory for any contents, control word and
// stack; and the helper is not called where it need not be. That the helpers are right is test/conformance's to say.

import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import fc from 'fast-check';
import { assertSame, assertSameInTiers, CountedHelpers, hex, titleOf } from '../../../test/support/counted-helpers.ts';
import { DATA, FloatWorld } from '../../../test/support/float-world.ts';
import { StateLayout } from '../cpu/state.ts';
import { initialize } from '../cpu/x87/control.ts';
import { updateSummary } from '../cpu/x87/unit.ts';
import type { Row } from './row.ts';

const world = new FloatWorld();
const { s } = world;
const memoryAt = world.memory.ramBase + DATA;

const helpers = new CountedHelpers(world, 'fpu');

const isMemory = (row: Row): boolean => row.operands[0]?.kind === 'M';
const modrmOf = (row: Row, i: number): number => {
  if (row.fixedModrm >= 0) return row.fixedModrm;
  return (isMemory(row) ? 3 : 0xc0 | i) | (row.digit << 3);
};

interface Outcome {
  readonly fpu: string;
  readonly memory: string;
  readonly eflags: number;
  readonly eax: number;
  /** Its vector. */
  readonly fault: number | undefined;
}
const outcome = (fault?: number): Outcome => ({
  fpu: Buffer.from(s.u8.slice(StateLayout.fpuRegisters, StateLayout.fpuOpcode + 4)).toString('hex'),
  memory: Buffer.from(s.u8.slice(memoryAt, memoryAt + 16)).toString('hex'),
  eflags: s.eflags,
  eax: s.gpr(0),
  fault,
});

interface Start {
  readonly registers: readonly (readonly [number, bigint])[];
  readonly memory: readonly [bigint, bigint];
  readonly control: number;
  readonly status: number;
  readonly top: number;
  readonly tags: number;
}
const prepare = (start: Start): void => {
  initialize(s);
  start.registers.forEach(([top, significand], i) => {
    s.view.setBigUint64(StateLayout.fpuRegisters + 16 * i, significand, true);
    s.view.setUint16(StateLayout.fpuRegisters + 16 * i + 8, top, true);
  });
  start.memory.forEach((bits, i) => s.view.setBigUint64(memoryAt + 8 * i, bits, true));
  s.set(StateLayout.fpuControl, start.control | 0x40);
  s.set(StateLayout.fpuStatus, start.status & 0x477f);
  updateSummary(s);
  s.set(StateLayout.fpuTop, start.top);
  s.set(StateLayout.fpuTags, start.tags);
  s.eflags = 0x8d7;
  s.setGpr(0, 0x12345678);
  s.setGpr(3, DATA);
};
const compareWays = (row: Row, start: Start, i: number): void => {
  const modrm = modrmOf(row, i);
  const decoded = { length: 2, reg: (modrm >> 3) & 7, rm: modrm & 7, memory: isMemory(row), imm: 0, modrm };
  assertSame(
    () => prepare(start),
    () => outcome(helpers.run(row, decoded)),
    () => outcome(world.run(`${hex(row.opcode)} ${hex(modrm)}`)),
  );
};

const significands = fc.oneof(
  fc.bigInt({ min: 1n << 63n, max: (1n << 64n) - 1n }),
  fc.bigInt({ min: 0n, max: (1n << 32n) - 1n }).map((n) => (1n << 63n) | (n << 31n)),
  fc.constantFrom(1n << 63n, (1n << 64n) - 1n, (1n << 63n) | 1n, (1n << 63n) | 0x400n, (1n << 63n) | (1n << 39n)),
);
const exponents = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 16383 - 70, max: 16383 + 70 }) },
  { weight: 2, arbitrary: fc.integer({ min: 16383 - 3, max: 16383 + 3 }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(1, 2, 32765, 32766, 15360, 15361, 15362, 17405, 17406, 16256, 16257, 16510, 16511),
  },
);
const normals = fc
  .tuple(fc.constantFrom(0, 0x8000), exponents, significands)
  .map(([sign, exponent, significand]) => [sign | exponent, significand] as const);
const values = fc.oneof(
  { weight: 12, arbitrary: normals },
  { weight: 2, arbitrary: fc.constantFrom([0, 0n] as const, [0x8000, 0n] as const) },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.integer({ min: 0, max: 0xffff }), fc.bigInt({ min: 0n, max: (1n << 64n) - 1n })),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      [0x7fff, 1n << 63n] as const,
      [0xffff, 3n << 62n] as const,
      [0x7fff, 5n << 61n] as const,
    ),
  },
);
/** A normal number of a format, not too great nor too small. */
const normalsOf = (exponentBits: number, fractionBits: number): fc.Arbitrary<bigint> => {
  const bias = (1 << (exponentBits - 1)) - 1;
  return fc
    .tuple(
      fc.constantFrom(0n, 1n),
      fc.integer({ min: bias - 70, max: bias + 70 }),
      fc.bigInt({ min: 0n, max: (1n << BigInt(fractionBits)) - 1n }),
    )
    .map(
      ([sign, exponent, fraction]) =>
        (sign << BigInt(exponentBits + fractionBits)) | (BigInt(exponent) << BigInt(fractionBits)) | fraction,
    );
};
const doubles = normalsOf(11, 52);
const singles = normalsOf(8, 23);
const quadwords = fc.oneof(
  doubles,
  singles,
  fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  fc.constantFrom(0n, 1n << 63n, 1n << 31n, 0x7ff0000000000000n, 0x7f800000n),
  fc.bigInt({ min: -1000n, max: 1000n }).map((n) => BigInt.asUintN(64, n)),
);
const starts: fc.Arbitrary<Start> = fc.record({
  registers: fc.tuple(values, values, values, values, values, values, values, values),
  memory: fc.tuple(quadwords, fc.bigInt({ min: 0n, max: 0xffffn })),
  control: fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(0x37f, 0x37f, 0xf7f) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 0x1fff }).map((word) => word & 0x1f3f) },
  ),
  status: fc.oneof(fc.constantFrom(0, 0x20, 0x20, 0x220, 0x4520), fc.integer({ min: 0, max: 0x477f })),
  top: fc.integer({ min: 0, max: 7 }),
  tags: fc.oneof(fc.constantFrom(0xff, 0x7f, 0xfe, 0x3f, 0xfc), fc.integer({ min: 0, max: 0xff })),
});

describe('emitted and helper agree', () => {
  for (const row of helpers.rows)
    it(titleOf(row), () => {
      fc.assert(
        fc.property(starts, fc.integer({ min: 0, max: 7 }), (start, i) => compareWays(row, start, i)),
        { numRuns: 600 },
      );
    });
});

const ONE_AND_A_THIRD = [16383, 0xaaaaaaaaaaaaaaabn] as const;
const THREE = [16384, 0xc000000000000000n] as const;
/** 3/8, for instructions whose operand is below 1. */
const FRACTION = [16381, 0xc000000000000000n] as const;
const FRACTIONAL: ReadonlySet<string> = new Set(['f2xm1', 'fyl2xp1']);
const ordinary = (tags: number): Start => ({
  registers: [THREE, ONE_AND_A_THIRD, THREE, ONE_AND_A_THIRD, THREE, ONE_AND_A_THIRD, THREE, ONE_AND_A_THIRD],
  // As single, double and integer a number that is not too great, as control word one that masks all.
  memory: [0x401000004040003fn, 0x4000n],
  control: 0x37f,
  status: 0x20,
  top: 0,
  tags,
});
test('no helper is called for ordinary operands', () => {
  for (const row of helpers.rows) {
    helpers.calls = 0;
    // Loads find ST(7) empty.
    const start = ordinary(0x7f);
    const registers = start.registers.map((value, i) => (i === 0 && FRACTIONAL.has(row.mnemonic) ? FRACTION : value));
    compareWays(row, { ...start, registers }, 1);
    assert.equal(helpers.calls, 0, `${row.mnemonic} ${hex(row.opcode)}`);
  }
});
test('the helper is called for what sets a new flag', () => {
  const divide = helpers.rows.find(
    (row) => row.mnemonic === 'fdiv' && row.opcode === 0xd8 && row.operands[0]!.kind === 'R',
  )!;
  for (const [change, count] of [
    [{ status: 0 }, 1],
    [{ status: 0, control: 0x35f }, 1],
    [{ control: 0x27f }, 1],
    [{ control: 0x77f }, 1],
    [{ tags: 0xfe }, 1],
    [{}, 0],
  ] as const) {
    helpers.calls = 0;
    compareWays(divide, { ...ordinary(0xff), ...change }, 1);
    assert.equal(helpers.calls, count, JSON.stringify(change));
  }
});

describe('the region tier agrees', () => {
  const { regions } = world.processor;
  for (const row of helpers.rows)
    it(titleOf(row), () => {
      const { formed } = regions;
      const code = `${hex(row.opcode)} ${hex(modrmOf(row, 1))}`;
      fc.assert(
        fc.property(starts, (start) => {
          // All masked, until FLDCW: nothing faults.
          const status = row.mnemonic === 'fldcw' ? 0 : start.status;
          const masked = { ...start, control: start.control | 0x3f, status };
          assertSameInTiers(world, code, () => prepare(masked), outcome);
        }),
        { numRuns: 60 },
      );
      assert.ok(regions.formed > formed);
    });
});
