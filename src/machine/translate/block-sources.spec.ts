// Blocks that come back after their code was patched, and those whose immediates were: random programs with random patches, against the same programs
// executed one instruction at a time.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BareProcessor } from '../../../test/support/bare-processor.ts';
import { EAX, EBX, ECX, EDX, ESI, ESP } from '../cpu/state.ts';
import type { BlockSources } from './block-sources.ts';
import type { Immediates } from './immediates.ts';

const CODE = 0x1000;
const DATA = 0x9000;

/** No software interrupts: they take no time. */
const byte = fc.nat(0x7f);
/** One to seven bytes, with jumps, a helper's instruction, operands in memory through a segment that is not flat, and one that ends a block. */
const instruction = fc.oneof(
  fc.tuple(byte, byte).map(([a, b]) => [0x05, a, b, 0, 0]),
  fc.tuple(byte, byte).map(([a, b]) => [0x35, a, 0, b, 0]),
  byte.map((a) => [0xc1, 0xc0, a & 31]),
  byte.map((a) => [0x8b, 0x56, a & 0x7c]),
  byte.map((a) => [0x8b, 0x96, a & 0x7c, 0, 0, 0]),
  byte.map((a) => [0x64, 0x03, 0x56, a & 0x7c]),
  byte.map((a) => [0x83, 0xc1, a]),
  fc.constantFrom([0x41], [0x90], [0x75, 0x00], [0x74, 0x02], [0xeb, 0x00], [0x0f, 0x01, 0xe0], [0x0f, 0xc9], [0x66, 0x41]),
); // prettier-ignore
const program = fc.array(instruction, { minLength: 3, maxLength: 20 }).map((list) => list.flat());
/** A byte of the program and its new value, or another instruction's bytes in its place. */
const patch = fc.record({ at: fc.nat(90), bytes: fc.oneof(byte.map((value) => [value & 0x7f]), instruction) }); // prettier-ignore
const rounds = fc.array(fc.array(patch, { maxLength: 2 }), { minLength: 4, maxLength: 25, size: 'max' });

/** Longer than blocks, so that they are kept. */
const STEPS = 300;
/** Ends the program: a jump to itself. */
const END = [0xeb, 0xfe];

const prepare = (machine: BareProcessor, code: readonly number[]): void => {
  machine.reset();
  machine.cpu.s.setSegment(4, 0x18, DATA - 0x100, 0xffff, 0x4093);
  machine.load(CODE, [...code, ...END, ...END]);
  for (let i = 0; i < 64; i++) machine.memory.write32(DATA - 0x100 + i * 4, Math.imul(i + 1, 0x9e3779b1));
};
const begin = (machine: BareProcessor, round: number): void => {
  const { s } = machine.cpu;
  for (const [i, register] of [EAX, ECX, EDX].entries()) s.setGpr(register, Math.imul(round * 3 + i, 0x85ebca6b));
  s.setGpr(ESI, DATA);
  s.eflags = 2;
  s.eip = CODE;
  machine.faults.length = 0;
  machine.processor.stopRequested = false;
};
/** As a guest's stores: the processor sees each. */
const apply = (
  machine: BareProcessor,
  list: readonly { at: number; bytes: readonly number[] }[],
  room: number,
): void => {
  for (const { at, bytes } of list)
    bytes.forEach((value, i) => {
      if (at + i < room) machine.cpu.mmu.write(CODE + at + i, 1, value, false);
    });
};
const outcome = (machine: BareProcessor): unknown => {
  const { s } = machine.cpu;
  return [[EAX, ECX, EDX].map((register) => s.gpr(register)), s.eip, s.eflags, machine.faults.map(({ vector, eip }) => [vector, eip])];
}; // prettier-ignore

const machine = new BareProcessor(1 << 16);
const reference = new BareProcessor(1 << 16);
const { cache } = machine.processor as unknown as {
  readonly cache: {
    readonly blocks: { readonly sources: BlockSources };
    readonly immediates: Immediates;
    readonly counters: { readonly blocks: number; readonly invalidations: number };
    flush(): void;
  };
};
const { immediates, counters } = cache;
const { sources } = cache.blocks;
/** Blocks that came back, those that did not, and those that took in immediates. */
let back = 0;
let lost = 0;
let patched = 0;
const revive = sources.revive.bind(sources);
sources.revive = (...how): boolean => {
  const came = revive(...how);
  if (came) back++;
  else lost++;
  return came;
};
const patchImmediates = immediates.patch.bind(immediates);
immediates.patch = (...how): boolean => {
  const took = patchImmediates(...how);
  if (took) patched++;
  return took;
};

test('patched blocks come back as what they are now', () => {
  fc.assert(
    fc.property(program, rounds, (code, all) => {
      for (const m of [machine, reference]) prepare(m, code);
      all.forEach((list, round) => {
        for (const m of [machine, reference]) {
          apply(m, list, code.length);
          begin(m, round);
        }
        machine.run(STEPS);
        for (let i = 0; i < STEPS && reference.faults.length === 0; i++) reference.processor.step();
        assert.deepEqual(outcome(machine), outcome(reference), `round ${round}`);
      });
    }),
    { numRuns: 120, seed: 77 },
  );
  assert.ok(back > 30 && lost > 20, `${back} came back, ${lost} did not`);
  assert.ok(patched > 150, `${patched} took in immediates`);
});

test('a patched displacement makes no block be decoded again', () => {
  cache.flush();
  // mov ecx, 20; xor eax, eax; 1: add eax, [esi+disp32]; rol eax, 3; dec ecx; jnz 1b
  prepare(machine, [0xb9, 20, 0, 0, 0, 0x31, 0xc0, 0x03, 0x86, 0, 0, 0, 0, 0xc1, 0xc0, 3, 0x49, 0x75, 0xf4]);
  const run = (round: number): void => {
    apply(machine, [{ at: 9, bytes: [round & 31] }], 19);
    begin(machine, round);
    machine.run(200);
  };
  for (let round = 0; round < 4; round++) run(round);
  [back, lost] = [0, 0];
  for (let round = 4; round < 40; round++) run(round);
  assert.ok(back >= 36 * 2, `${back} blocks came back`);
});

test('a patched immediate takes no block away, and a region does not leave for it', () => {
  // Callee: mov ecx, 20; xor eax, eax; 1: add eax, imm32; rol eax, 3; dec ecx; jnz 1b; ret
  const callee = [0xb9, 20, 0, 0, 0, 0x31, 0xc0, 0x05, 0, 0, 0, 0, 0xc1, 0xc0, 3, 0x49, 0x75, 0xf5, 0xc3];
  // 1: mov [CODE+8], ebx; call eax; add edx, eax; inc ebx; mov eax, esi; jmp 1b
  const caller = [0x89, 0x1d, 8, CODE >> 8, 0, 0, 0xff, 0xd0, 0x01, 0xc2, 0x43, 0x89, 0xf0, 0xeb, 0xf1];
  prepare(machine, callee);
  machine.load(0x3000, caller);
  const { s } = machine.cpu;
  s.eflags = 2;
  s.eip = 0x3000;
  s.setGpr(EAX, CODE);
  s.setGpr(ESI, CODE);
  s.setGpr(ESP, 0x8000);
  const instructions = 7 + 2 + 4 * 20;
  let rounds = 3000;
  machine.run(rounds * instructions);
  const before = { ...counters };
  let again = 0;
  const { helpers } = machine.processor;
  const enter = helpers.enter.bind(helpers);
  helpers.enter = (start, left): void => {
    if (left === 1) again++;
    enter(start, left);
  };
  machine.run(1000 * instructions);
  rounds += 1000;
  assert.deepEqual({ ...counters }, before);
  assert.equal(again, 0);
  let sum = 0;
  for (let i = 0; i < rounds; i++) {
    let eax = 0;
    for (let k = 0; k < 20; k++) {
      eax = (eax + i) | 0;
      eax = (eax << 3) | (eax >>> 29);
    }
    sum = (sum + eax) | 0;
  }
  assert.deepEqual([s.eip, s.gpr(EBX), s.gpr(EDX) | 0], [0x3000, rounds, sum]);
  assert.ok(machine.processor.regions.formed > 0);
});
