// Exact instruction counts: however a run is cut into slices, one instruction at a time included, state, retired count, faults and timers
// are the same, and so they are in both tiers: the whole run is the threaded tier's, the pieces are in regions. Random programs that store into themselves, fault, loop, repeat and single-step.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { BareProcessor } from '../../../test/support/bare-processor.ts';
import type { Timer } from '../clock.ts';
import { ECX, EDI, ESI, ESP, Flag, StateLayout } from '../cpu/state.ts';

const START = 0x3f80;
const DATA = 0x8000;
const STACK = 0xc000;
/** Flat code and data; a trap gate at vector 40h, whose handler is an IRET. */
const GDT = 0x100;
const GDT_WORDS = [0, 0, 0xffff, 0xcf9b00, 0xffff, 0xcf9300];
const IDT = 0x200;
const VECTOR = 0x40;
const HANDLER = 0x600;
/** Addresses behind a pushed CS and EFLAGS, then: pushes EIP, makes it the instruction behind the IRET that follows. */
const RETURN = [0xe8, 0, 0, 0, 0, 0x83, 0x04, 0x24, 5, 0xcf];

const byte = fc.nat(255);
const low = fc.nat(7);
const modrm = fc.tuple(low, low).map(([reg, rm]) => 0xc0 | (reg << 3) | rm);
/** ModRM and displacement of [esi+d] or [edi+d]: ESI points into the code, EDI at data. */
const memory = fc
  .tuple(low, fc.constantFrom(6, 7, 7, 7), fc.nat(0x7f))
  .map(([reg, rm, d]) => [0x40 | (reg << 3) | rm, d]);
const instruction = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(fc.constantFrom(0x01, 0x03, 0x11, 0x19, 0x29, 0x31, 0x39, 0x89, 0x85, 0x8b), modrm).map((b) => [...b]) },
  { weight: 6, arbitrary: fc.tuple(fc.constantFrom(0x00, 0x01, 0x03, 0x11, 0x29, 0x31, 0x87, 0x88, 0x89, 0x8b), memory).map(([op, m]) => [op, ...m]) },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom(0x40, 0x48), fc.constantFrom(0, 1, 2, 3, 5)).map(([op, r]) => [op | r]) },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom(0, 1, 2, 3, 5), byte, byte).map(([r, a, b]) => [0xb8 | r, a, b, 0, 0]) },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom(0xc1, 0xd1, 0xd3), modrm, byte).map(([op, m, n]) => (op === 0xc1 ? [op, m, n] : [op, m])) },
  { weight: 4, arbitrary: fc.tuple(fc.constantFrom(0xeb, 0x72, 0x74, 0x75, 0x79, 0xe2, 0xe1), fc.integer({ min: -24, max: 24 })).map(([op, d]) => [op, d & 0xff]) },
  { weight: 2, arbitrary: fc.constantFrom([0x50], [0x53], [0x5b], [0x58], [0x9c], [0x68, 1, 2, 0, 0]) },
  { weight: 1, arbitrary: fc.tuple(fc.nat(0xfff), fc.constantFrom(0, 0, 1)).map(([f, tf]) => [0x68, f & 0xd5, (tf ? 1 : 0) | ((f >> 8) & 0xc), 0, 0, 0x9d]) },
  { weight: 1, arbitrary: fc.constant([0xcd, VECTOR]) },
  { weight: 2, arbitrary: fc.tuple(fc.nat(0xfff), fc.constantFrom(0, 1, 1)).map(([f, rf]) => [0x68, f & 0xd5, (f >> 8) & 0xe, rf, 0, 0x6a, 8, ...RETURN]) },
  { weight: 2, arbitrary: fc.tuple(fc.integer({ min: 0, max: 90 }), fc.constantFrom([0xf3, 0xa4], [0xf3, 0xab], [0xf3, 0xa5], [0xf3, 0xac], [0xf2, 0xae], [0xf3, 0xa7])).map(([n, op]) => [0xb9, n, 0, 0, 0, ...op]) },
  { weight: 1, arbitrary: fc.constantFrom([0xf7, 0xf0], [0xf7, 0xf1], [0x0f, 0x0b], [0x0f, 0xa2], [0x0f, 0x31], [0xf3, 0x90], [0xfa], [0xfb], [0xfc], [0xfd], [0x90], [0xcc + 0x24], [0x8e, 0xd0]) },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom(0x6f, 0xfe, 0x7f), memory).map(([op, m]) => [0x66, 0x0f, op, ...m]) },
); // prettier-ignore
/** In the shadow of STI, between CLI and CLI. */
const inShadow = instruction.map((bytes) => [0xfa, 0xfb, ...bytes, 0xfa]);
/** Ends in a jump to its start. */
const program = fc
  .array(fc.oneof({ weight: 5, arbitrary: instruction }, { weight: 1, arbitrary: inShadow }), {
    minLength: 1,
    maxLength: 60,
    size: 'max',
  })
  .map((list) => {
    const bytes = list.flat();
    const back = -(bytes.length + 5);
    return [...bytes, 0xe9, back & 0xff, (back >> 8) & 0xff, 0xff, 0xff];
  });

class Machine extends BareProcessor {
  readonly fired: unknown[] = [];
  private readonly timer: Timer;
  private deadlines: readonly number[] = [];
  constructor(tiers: 'threaded' | 'eager') {
    super(1 << 16, tiers);
    this.timer = this.clock.timer(() => {
      this.fired.push(this.state());
      this.arm();
    });
    // A fault takes a cycle, or a program that faults at once would stand still in time. A trap comes after an instruction.
    this.onFault = ({ vector }) => {
      if (vector !== 1) this.clock.set(this.clock.now + 1);
      this.begin();
    };
  }
  private begin(): void {
    const s = this.cpu.s;
    s.eip = START;
    s.eflags = 2;
    s.setGpr(ESP, STACK);
    s.setGpr(ESI, START);
    s.setGpr(EDI, DATA);
    s.setGpr(ECX, 5);
  }
  private arm(): void {
    this.clock.arm(this.timer, this.deadlines.find((d) => d > this.clock.now) ?? Infinity);
  }
  start(code: readonly number[], deadlines: readonly number[]): void {
    this.reset();
    this.fired.length = 0;
    this.load(START, code);
    new Uint32Array(this.memory.ram.buffer, this.memory.ram.byteOffset + GDT, 6).set(GDT_WORDS);
    new Uint32Array(this.memory.ram.buffer, this.memory.ram.byteOffset + IDT + VECTOR * 8, 2).set([
      0x80000 | HANDLER,
      0x8f00,
    ]);
    this.load(HANDLER, [0xcf]);
    const s = this.cpu.s;
    s.set(StateLayout.gdtrBase, GDT);
    s.set(StateLayout.gdtrLimit, 23);
    s.set(StateLayout.idtrBase, IDT);
    s.set(StateLayout.idtrLimit, VECTOR * 8 + 7);
    this.begin();
    this.deadlines = [...deadlines].sort((a, b) => a - b);
    this.arm();
  }
}

describe('a run cut into slices', () => {
  const whole = new Machine('threaded');
  const cut = new Machine('eager');
  const compare = (code: readonly number[], deadlines: readonly number[], slices: readonly number[]): void => {
    const total = slices.reduce((a, b) => a + b, 0);
    whole.start(code, deadlines);
    whole.run(total);
    cut.start(code, deadlines);
    for (const slice of slices) cut.run(slice);
    assert.deepEqual(cut.state(), whole.state());
    assert.deepEqual(cut.faults, whole.faults);
    assert.deepEqual(cut.fired, whole.fired);
    // A jump into the middle of an instruction can find HLT or INT3: with no interrupt and no IDT that is the end.
    if (whole.cpu.s.get(StateLayout.activity) !== 0) return;
    assert.equal(whole.clock.now, total, 'the run ends where it was told');
    assert.equal(
      whole.processor.retired + whole.faults.filter((f) => f.vector !== 1).length,
      total,
      'one instruction, one cycle',
    );
    assert.ok(whole.fired.every((state, i) => (state as { now: number }).now === deadlinesUpTo(deadlines, total)[i]));
  };
  const deadlinesUpTo = (deadlines: readonly number[], total: number): number[] =>
    [...new Set(deadlines)].filter((d) => d > 0 && d <= total).sort((a, b) => a - b);

  it('into random pieces, with timers in between', () => {
    fc.assert(
      fc.property(
        program,
        fc.array(fc.integer({ min: 1, max: 2000 }), { maxLength: 12 }),
        fc.array(fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 300 })), {
          minLength: 2,
          maxLength: 20,
          size: 'max',
        }),
        compare,
      ),
      { numRuns: 150, seed: 11 },
    );
  });
  it('into two pieces, so that regions run long', () => {
    const { regions } = cut.processor;
    const { formed } = regions;
    fc.assert(
      fc.property(program, fc.integer({ min: 500, max: 3000 }), (code, first) =>
        compare(code, [], [first, 4000 - first]),
      ),
      { numRuns: 15, seed: 13 },
    );
    assert.ok(regions.formed - formed > 50, 'they did');
  });
  it('into single instructions', () => {
    fc.assert(
      fc.property(program, (code) => compare(code, [], Array<number>(700).fill(1))),
      { numRuns: 100, seed: 12 },
    );
  });
  it('in a repeated string instruction that IRET resumes: RF stays set until it is done', () => {
    const code = [0x68, 2, 0, 1, 0, 0x6a, 8, 0xb9, 200, 0, 0, 0, ...RETURN, 0xf3, 0xaa, 0xe9];
    const back = -(code.length + 4);
    code.push(back & 0xff, 0xff, 0xff, 0xff);
    let inside = 0;
    for (let total = 300; total < 700; total += 11) {
      compare(code, [], Array<number>(total).fill(1));
      if (whole.cpu.s.eflagsRest & Flag.RF) inside++;
    }
    assert.ok(inside > 20);
  });

  it('a step with iterations to spare is one instruction all the same', () => {
    const m = new BareProcessor(1 << 16);
    const { s } = m.cpu;
    // rep stosb; inc edx
    m.load(START, [0xf3, 0xaa, 0x42]);
    s.eip = START;
    s.setGpr(EDI, DATA);
    s.setGpr(ECX, 100);
    const after = (iterations: number): number[] => {
      m.processor.step(iterations);
      return [s.gpr(ECX), s.gpr(2), s.eip - START];
    };
    assert.deepEqual(after(1), [99, 0, 0]);
    assert.deepEqual(after(60), [39, 0, 0]);
    assert.deepEqual(after(60), [0, 0, 2]);
    assert.deepEqual(after(60), [0, 1, 3]);
  });
});
