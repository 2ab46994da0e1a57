// Programs that store into themselves at random: whole blocks and regions against runs of one instruction each. What a store hits may be an immediate of
// the running block, of another, or anything else.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { BareProcessor } from '../../../test/support/bare-processor.ts';
import { CS, EAX, ECX, EDI, EDX, ESI, ESP } from '../cpu/state.ts';

const word = (n: number): number[] => [n & 255, (n >> 8) & 255, (n >> 16) & 255, (n >>> 24) & 255];
/** The program lies across the border of two pages; its second part is called. */
const CODE = 0x1fc8;
const FUNCTION = 0x2040;
const STEPS = 400;

const byte = fc.nat(0xff);
const dword = fc.tuple(byte, byte, byte, byte).map((bytes) => bytes);
const near = fc.oneof(fc.nat(80).map((n) => CODE + n), fc.nat(40).map((n) => FUNCTION + n)).map(word); // prettier-ignore
const stores = fc.oneof(
  fc.tuple(near, byte).map(([at, a]) => [0xc6, 0x05, ...at, a]),
  fc.tuple(near, dword).map(([at, a]) => [0xc7, 0x05, ...at, ...a]),
  fc.tuple(near, byte).map(([at, a]) => [0x80, 0x05, ...at, a]),
  fc.tuple(near, byte).map(([at, a]) => [0x83, 0x35, ...at, a & 15]),
  near.map((at) => [0x88, 0x0d, ...at]),
  near.map((at) => [0x66, 0x89, 0x15, ...at]),
  fc.constantFrom([0xaa], [0xab], [0x68, 1, 2, 3, 4], [0x6a, 7], [0xfe, 0x07]),
);
const others = fc.oneof(
  dword.map((a) => [0x05, ...a]),
  dword.map((a) => [0xb9, ...a]),
  fc.tuple(byte, byte).map(([a, b]) => [0x66, 0x81, 0xf2, a, b]),
  byte.map((a) => [0xc1, 0xc0, a]),
  byte.map((a) => [0x83, 0xc1, a]),
  dword.map((a) => [0x69, 0xd0, ...a]),
  byte.map((a) => [0x8b, 0x56, a & 0x7c]),
  fc.constantFrom([0x41], [0x75, 0x00], [0xeb, 0x00], [0x0f, 0xc9], [0x74, 0x02]),
);
const program = fc.record({
  main: fc.array(fc.oneof(stores, others), { minLength: 3, maxLength: 9 }),
  called: fc.array(fc.oneof({ weight: 1, arbitrary: stores }, { weight: 3, arbitrary: others }), { minLength: 2, maxLength: 5 }),
  edi: fc.nat(80),
  stack: fc.nat(60),
  wide: fc.boolean(),
}); // prettier-ignore
type Program = typeof program extends fc.Arbitrary<infer P> ? P : never;

const prepare = (machine: BareProcessor, { main, called, edi, stack, wide }: Program): void => {
  machine.reset();
  const { s } = machine.cpu;
  const first = main.flat();
  const back = CODE + first.length + (wide ? 5 : 3);
  const call = wide
    ? [0xe8, ...word(FUNCTION - back)]
    : [0xe8, (FUNCTION - back) & 255, ((FUNCTION - back) >> 8) & 255];
  const jump = wide
    ? [0xe9, ...word(CODE - back - 5)]
    : [0xe9, (CODE - back - 3) & 255, ((CODE - back - 3) >> 8) & 255];
  machine.load(CODE, [...first, ...call, ...jump]);
  machine.load(FUNCTION, [...called.flat(), 0xc3]);
  if (!wide) s.setSegment(CS, 8, 0, 0xffff, 0x009b);
  for (const [i, register] of [EAX, ECX, EDX].entries()) s.setGpr(register, Math.imul(i + 1, 0x9e3779b1));
  s.setGpr(ESI, 0x9000);
  s.setGpr(EDI, CODE + edi);
  // Half of them have their stack on the code.
  s.setGpr(ESP, stack < 30 ? 0x8000 : CODE + stack);
  s.eip = CODE;
  machine.cpu.modeDirty = true;
};
const outcome = (machine: BareProcessor): unknown => [machine.state(), machine.faults];

describe('programs that store into themselves', () => {
  const reference = new BareProcessor(1 << 16, 'threaded');
  for (const tiers of ['threaded', 'adaptive', 'eager'] as const)
    it(`are the same in blocks as one by one, ${tiers}`, () => {
      const machine = new BareProcessor(1 << 16, tiers);
      fc.assert(
        fc.property(program, fc.integer({ min: 60, max: STEPS }), (code, slice) => {
          for (const m of [machine, reference]) prepare(m, code);
          for (let left = STEPS; left > 0 && machine.faults.length === 0; left -= slice)
            machine.run(Math.min(slice, left));
          for (let i = 0; i < STEPS && reference.faults.length === 0; i++) reference.run(1);
          assert.deepEqual(outcome(machine), outcome(reference));
        }),
        { numRuns: tiers === 'eager' ? 60 : 250, seed: 11 },
      );
    });
});
