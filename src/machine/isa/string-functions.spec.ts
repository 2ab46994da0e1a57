// The emitted string instructions against their helpers: from the same state, on pages of all kinds and with the time cut anywhere, both come to the
// same state. What is right is the helpers' spec's matter (cpu/strings.spec.ts).

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { countCalls } from '../../../test/support/counted-helpers.ts';
import { CODE, Page, StringWindow, WINDOW } from '../../../test/support/string-window.ts';
import { EAX, EBX, ECX, EDI, ES, ESI, Flag } from '../cpu/state.ts';
import type { Semantics } from './row.ts';
import { rows } from './table.ts';

const ROUNDS = 3;

const strings = rows.filter(({ string }) => string);
const count = countCalls(strings);
const descriptions = strings.map(({ semantics }) => semantics);
/** What is decoded now is the descriptions', or the helpers'. */
const emitting = (on: boolean): void =>
  strings.forEach(
    (row, i) => ((row as { semantics: Semantics | undefined }).semantics = on ? descriptions[i] : undefined),
  );

const near = fc
  .tuple(fc.nat(15), fc.oneof(fc.nat(0xfff), fc.integer({ min: -9, max: 40 })))
  .map(([page, at]) => (page * 4096 + at) & 0xffff);
const apart = fc.oneof(fc.integer({ min: -20, max: 20 }), fc.integer({ min: -400, max: 400 }));
const together = fc
  .tuple(near, near, apart, fc.boolean())
  .map(([esi, edi, distance, close]) => [esi, close ? (esi + distance) & 0xffff : edi] as const);
const page = fc.tuple(
  fc.nat(7),
  fc.oneof(
    { weight: 12, arbitrary: fc.constant(Page.writable) },
    { weight: 1, arbitrary: fc.constantFrom(Page.readOnly, Page.notPresent) },
  ),
);
const anyCase = fc.record({
  opcode: fc.constantFrom(0xa4, 0xa5, 0xa6, 0xa7, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf),
  prefixes: fc.constantFrom([], [], [0xf2], [0xf3], [0xf2], [0xf3], [0xf3, 0x66], [0xf2, 0x66], [0x66], [0xf3, 0x67], [0xf3, 0x2e], [0xf2, 0x36]), // prettier-ignore
  flags: fc.constantFrom(2, 2, 2 | Flag.DF).chain((flags) => fc.constantFrom(flags, flags | 0x8d5)),
  eax: fc.constantFrom(1, 0, 0x0101, 0x01010101, 0x01000001, 0x80ff7f00),
  ecx: fc.oneof(fc.nat(40), fc.nat(9000), fc.constant(0xffffffff)),
  at: together,
  flat: fc.oneof({ weight: 9, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
  pages: fc.array(page, { minLength: 16, maxLength: 16 }),
  /** Where the data is not the usual byte. */
  data: fc.array(fc.nat(0x7fff), { maxLength: 12 }),
  slices: fc.array(fc.oneof(fc.integer({ min: 1, max: 90 }), fc.integer({ min: 1, max: 9000 })), {
    minLength: 1,
    maxLength: 6,
  }),
});
type Case = typeof anyCase extends fc.Arbitrary<infer T> ? T : never;

/** MOV ECX, EDX; the instruction; SETB DH; DEC EBX; JNZ to the first: a loop that becomes a region. */
const program = (c: Case): number[] => {
  const body = [0x89, 0xd1, ...c.prefixes, c.opcode, 0x0f, 0x92, 0xc6, 0x4b];
  return [...body, 0x75, -(body.length + 2) & 0xff, 0xeb, 0xfe];
};

class Machine extends StringWindow {
  start(c: Case): void {
    this.prepare(c);
    const { cpu } = this;
    const s = cpu.s;
    if (!c.flat) s.setSegment(ES, 0x10, 0, 0x4ffff, 0x4093);
    cpu.modeDirty = true;
    this.load(CODE, program(c));
    s.eip = CODE;
    s.eflags = c.flags;
    s.setGpr(EAX, c.eax);
    s.setGpr(EBX, ROUNDS);
    s.setGpr(2, c.ecx);
    s.setGpr(ESI, WINDOW + c.at[0]);
    s.setGpr(EDI, WINDOW + c.at[1]);
  }
}

describe('emitted string instructions', () => {
  it('a step is one instruction, however many iterations it may have', () => {
    const machine = new Machine('threaded');
    for (const opcode of [0xa4, 0xa6, 0xaa, 0xac, 0xae])
      for (const [ecx, iterations, left] of [
        [0, 5, 0],
        [3, 5, 0],
        [9, 5, 4],
      ] as const) {
        machine.reset();
        machine.load(CODE, [opcode === 0xae ? 0xf2 : 0xf3, opcode, 0x41, 0x41]);
        const { s } = machine.cpu;
        s.eip = CODE;
        s.setGpr(EAX, 1);
        s.setGpr(ECX, ecx);
        s.setGpr(ESI, WINDOW);
        s.setGpr(EDI, WINDOW + 0x1000);
        machine.processor.step(iterations);
        assert.deepEqual([s.eip, s.gpr(ECX)], [left === 0 ? CODE + 2 : CODE, left]);
      }
  });
  const general = new Machine('threaded');
  for (const tiers of ['threaded', 'eager'] as const) {
    it(`leave what their helpers leave (${tiers})`, () => {
      const fast = new Machine(tiers);
      let cases = 0;
      let alone = 0;
      let faults = 0;
      fc.assert(
        fc.property(anyCase, (c) => {
          general.start(c);
          fast.start(c);
          for (const slice of c.slices) {
            emitting(false);
            if (general.faults.length === 0) general.run(slice);
            emitting(true);
            const before = count.calls;
            if (fast.faults.length === 0) fast.run(slice);
            cases++;
            if (count.calls === before) alone++;
            assert.deepEqual(fast.faults, general.faults);
            assert.deepEqual(fast.state(), general.state());
          }
          faults += fast.faults.length;
        }),
        { numRuns: 1000, seed: 33 },
      );
      assert.ok(faults > 100, `there were faults: ${faults}`);
      assert.ok(alone > cases / 8, `the ordinary case needs no helper: ${alone} of ${cases}`);
    });
  }
});
