// Repeated string instructions: runs that go at once against single iterations, on random pages, segments, directions and counts.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { BareProcessor } from '../../../test/support/bare-processor.ts';
import { CODE, Page, StringWindow, WINDOW } from '../../../test/support/string-window.ts';
import { DS, EAX, ECX, EDI, ES, ESI, Flag } from './state.ts';

interface Case {
  readonly opcode: number;
  readonly rep: number;
  readonly prefixes: readonly number[];
  readonly flags: number;
  readonly eax: number;
  readonly ecx: number;
  readonly esi: number;
  readonly edi: number;
  readonly limit: number;
  readonly access: number;
  readonly base: number;
  readonly pages: readonly (readonly [frame: number, bits: number])[];
  readonly data: readonly number[];
}

const near = fc
  .tuple(fc.nat(15), fc.oneof(fc.nat(0xfff), fc.integer({ min: -9, max: 9 })))
  .map(([page, at]) => (page * 4096 + at) & 0xffff);
const together = fc
  .tuple(near, fc.oneof(near, fc.integer({ min: -9, max: 9 })), fc.boolean())
  .map(
    ([esi, other, close]) => [esi, close && Math.abs(other) < 10 ? (esi + other) & 0xffff : other & 0xffff] as const,
  );
const anyCase: fc.Arbitrary<Case> = fc
  .record({
    opcode: fc.constantFrom(0xa4, 0xa5, 0xa6, 0xa7, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf),
    rep: fc.constantFrom(0xf2, 0xf3),
    prefixes: fc.subarray([0x66, 0x67]),
    flags: fc.constantFrom(2, 2, 2 | Flag.DF),
    eax: fc.constantFrom(0, 1, 0x0101, 0x01010101, 0x01000001, 0x80ff7f00),
    ecx: fc.oneof(fc.nat(40), fc.nat(9000), fc.constant(0xffffffff)),
    at: together,
    limit: fc.constantFrom(0xffff, 0xffff, 0xffffffff, 0x7ffd, 0x5003),
    base: fc.constantFrom(WINDOW, WINDOW, WINDOW + 0x123),
    access: fc.constantFrom(0xc093, 0xc093, 0xc093, 0xc097, 0xc091),
    pages: fc.array(
      fc.tuple(fc.nat(7), fc.constantFrom(Page.writable, Page.writable, Page.writable, Page.writable, Page.readOnly, Page.notPresent)),
      { minLength: 16, maxLength: 16 },
    ),
    /** Where the data is not the usual byte. */
    data: fc.array(fc.nat(0x7fff), { maxLength: 12 }),
  })
  .map(({ at: [esi, edi], ...rest }) => ({ ...rest, esi, edi })); // prettier-ignore

class Machine extends StringWindow {
  start(c: Case): void {
    this.prepare(c);
    const { cpu } = this;
    const s = cpu.s;
    s.setSegment(DS, 0x10, WINDOW, 0xffffffff, 0xc093);
    s.setSegment(ES, 0x10, c.base, c.limit, c.access);
    cpu.modeDirty = true;
    this.load(CODE, [c.rep, ...c.prefixes, c.opcode, 0xeb, 0xfe]);
    s.eip = CODE;
    s.eflags = c.flags;
    s.setGpr(EAX, c.eax);
    s.setGpr(ECX, c.ecx);
    s.setGpr(ESI, c.esi);
    s.setGpr(EDI, c.edi);
  }
}

describe('repeated string instructions', () => {
  const single = new Machine();
  single.cpu.mmu.directRead = () => 0;
  single.cpu.mmu.directWrite = () => 0;
  const runs = new Machine();

  it('runs of iterations leave what single iterations leave, however the time is cut', () => {
    let direct = 0;
    const { mmu } = runs.cpu;
    const read = mmu.directRead.bind(mmu);
    const write = mmu.directWrite.bind(mmu);
    const counted = (host: number): number => {
      if (host !== 0) direct++;
      return host;
    };
    mmu.directRead = (linear) => counted(read(linear));
    mmu.directWrite = (linear) => counted(write(linear));
    let faults = 0;
    fc.assert(
      fc.property(
        anyCase,
        fc.array(fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 6000 })), {
          minLength: 1,
          maxLength: 6,
        }),
        (c, slices) => {
          single.start(c);
          single.run(slices.reduce((a, b) => a + b, 0));
          runs.start(c);
          for (const slice of slices) if (runs.faults.length === 0) runs.run(slice);
          assert.deepEqual(runs.faults, single.faults);
          assert.deepEqual(runs.state(), single.state());
          faults += runs.faults.length;
        },
      ),
      { numRuns: 2000, seed: 21 },
    );
    assert.ok(direct > 1000, 'there were runs');
    assert.ok(faults > 200, 'there were faults');
  });

  it('SCAS sets the flags of CMP', () => {
    const machine = new BareProcessor();
    const s = machine.cpu.s;
    const word = fc.oneof(
      fc.nat(0xffffffff),
      fc.constantFrom(0, 1, 0x7f, 0x80, 0x7fff, 0x8000, 0x7fffffff, 0x80000000),
    );
    const flagsOf = (code: readonly number[], a: number, b: number): number => {
      machine.load(CODE, code);
      machine.memory.write32(0x9000, b);
      s.eip = CODE;
      s.eflags = 2;
      s.setGpr(EAX, a);
      s.setGpr(ECX, 1);
      s.setGpr(EDI, 0x9000);
      machine.run(1);
      return s.eflags;
    };
    fc.assert(
      fc.property(
        word,
        word,
        fc.constantFrom<[number, number[]][]>([0, []], [1, [0x66]], [1, []]),
        (a, b, [wide, prefixes]) => {
          // cmp eax, [edi]
          const expected = flagsOf([...prefixes, 0x3a | wide, 0x07], a, b);
          assert.equal(flagsOf([...prefixes, 0xae | wide], a, b), expected);
          assert.equal(flagsOf([...prefixes, 0xf2, 0xae | wide], a, b), expected);
        },
      ),
      { numRuns: 500, seed: 22 },
    );
  });
});
