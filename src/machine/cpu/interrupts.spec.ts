// One passage through the IDT or the vector table: every check in the order of INT n's pseudo-code, the frames, the flags. SDM vol. 2.
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import fc from 'fast-check';
import {
  code,
  CONFORMING,
  CpuWorld,
  data,
  type DescriptorFields,
  FREE,
  type GateFields,
  GDT,
  IDT,
  LDT_SELECTOR,
  stackTop,
  TSS_A,
  TSS_A_SELECTOR,
  TSS_B_SELECTOR,
} from '../../../test/support/cpu-world.ts';
import { Vector } from './cpu.ts';
import { deliverThroughTable } from './interrupts.ts';
import { CS, DS, ES, ESP, Flag, FS, GS, SS, StateLayout, TR } from './state.ts';

const world = new CpuWorld();
const { cpu, memory } = world;
const s = cpu.s;
beforeEach(() => world.reset());

const V = 0x41;
const deliver = (software = false, errorCode?: number): boolean =>
  deliverThroughTable(cpu, V, software, errorCode, s.eip, s.eflags, 0);
const INT32 = 14;
const TRAP32 = 15;
const INT16 = 6;

interface Case {
  readonly name: string;
  readonly cpl?: number;
  readonly v86?: boolean;
  readonly software?: boolean;
  readonly errorCode?: number;
  readonly gate?: Partial<GateFields>;
  /** Replaces the descriptor FREE; the gate leads there. */
  readonly target?: DescriptorFields;
  /** Replaces the descriptor FREE + 8; SS0 of the TSS names it. */
  readonly stack?: DescriptorFields;
  readonly ss0?: number;
  readonly esp0?: number;
  readonly prepare?: () => void;
  readonly fault: readonly [number, number | undefined];
}
const GATE = V * 8 + 2;
const S0 = FREE + 8;
const cases: readonly Case[] = [
  { name: 'vector outside the IDT', prepare: () => s.set(StateLayout.idtrLimit, V * 8 + 6), fault: [Vector.GP, GATE] },
  ...[0, 1, 2, 3, 4, 8, 9, 10, 11, 12, 13].map((type): Case => ({ name: `a descriptor of type ${type} in the IDT`, gate: { type }, fault: [Vector.GP, GATE] })),
  { name: 'a code segment in the IDT', gate: { type: 0x1e }, fault: [Vector.GP, GATE] },
  { name: 'INT n: gate DPL below CPL', cpl: 3, software: true, gate: { dpl: 2 }, fault: [Vector.GP, GATE] },
  { name: 'INT n: DPL counts before presence', cpl: 3, software: true, gate: { dpl: 2, absent: true }, fault: [Vector.GP, GATE] },
  { name: 'gate not present', gate: { absent: true }, fault: [Vector.NP, GATE] },
  { name: 'task gate not present', gate: { type: 5, absent: true }, fault: [Vector.NP, GATE] },
  { name: 'null code selector', gate: { selector: 3 }, fault: [Vector.GP, 0] },
  { name: 'code selector outside the GDT', gate: { selector: 0x200 }, fault: [Vector.GP, 0x200] },
  { name: 'code selector outside the LDT', gate: { selector: 0x44 }, fault: [Vector.GP, 0x44] },
  { name: 'a data segment', gate: { selector: data(0) }, fault: [Vector.GP, data(0)] },
  { name: 'a system segment', gate: { selector: LDT_SELECTOR }, fault: [Vector.GP, LDT_SELECTOR] },
  { name: 'code of an outer level', gate: { selector: code(3) }, fault: [Vector.GP, code(3) & ~3] },
  { name: 'conforming code of an outer level', target: { type: 14, dpl: 1 }, fault: [Vector.GP, FREE] },
  { name: 'code not present', target: { type: 10, absent: true }, fault: [Vector.NP, FREE] },
  { name: 'level counts before presence', target: { type: 10, dpl: 1, absent: true }, fault: [Vector.GP, FREE] },
  { name: 'same level, entry point outside the segment', target: { type: 10, limit: 0x8fff }, fault: [Vector.GP, 0] },
  { name: 'same level, stack too small', prepare: () => s.setSegment(SS, data(0), 0, stackTop(0) - 8, 0x4093), fault: [Vector.SS, 0] },
  { name: 'same level, expand-down stack full', prepare: () => { s.setSegment(SS, data(0), 0, 0x7fff, 0x4097); s.setGpr(ESP, 0x8008); }, fault: [Vector.SS, 0] },
  { name: 'same level, 16-bit expand-down stack: a word across its top', gate: { type: INT16 }, prepare: () => { s.setSegment(SS, data(0), 0, 0x7ff, 0x97); s.setGpr(ESP, 1); }, fault: [Vector.SS, 0] },
  { name: 'stack room counts before the entry point', target: { type: 10, limit: 0x8fff }, prepare: () => s.setSegment(SS, data(0), 0, 4, 0x4093), fault: [Vector.SS, 0] },
  { name: 'TSS too short for SS0', cpl: 3, prepare: () => s.setSegment(TR, TSS_A_SELECTOR, TSS_A, 8, 0x8b), fault: [Vector.TS, TSS_A_SELECTOR] },
  { name: 'null inner stack', cpl: 3, ss0: 0, fault: [Vector.TS, 0] },
  { name: 'inner stack outside the GDT', cpl: 3, ss0: 0x200, fault: [Vector.TS, 0x200] },
  { name: 'inner stack RPL', cpl: 3, ss0: data(0) | 1, fault: [Vector.TS, data(0)] },
  { name: 'inner stack DPL', cpl: 3, ss0: S0, stack: { type: 2, dpl: 1 }, fault: [Vector.TS, S0] },
  { name: 'inner stack read-only', cpl: 3, ss0: S0, stack: { type: 0 }, fault: [Vector.TS, S0] },
  { name: 'inner stack is code', cpl: 3, ss0: code(0), fault: [Vector.TS, code(0)] },
  { name: 'inner stack not present', cpl: 3, ss0: S0, stack: { type: 2, absent: true }, fault: [Vector.SS, S0] },
  { name: 'inner stack too small', cpl: 3, ss0: S0, esp0: 0x2000, stack: { type: 2, limit: 0x1ffe }, fault: [Vector.SS, S0] },
  { name: 'inner stack too small for the error code', cpl: 3, ss0: S0, esp0: 0x1014, errorCode: 0, stack: { type: 6, limit: 0xfff }, fault: [Vector.SS, S0] },
  { name: 'inner stack room counts before the entry point', cpl: 3, ss0: S0, esp0: 0x2000, stack: { type: 2, limit: 0x1ffe }, target: { type: 10, limit: 0x8fff }, fault: [Vector.SS, S0] },
  { name: 'inner level, entry point outside the segment', cpl: 3, target: { type: 10, limit: 0x8fff }, fault: [Vector.GP, 0] },
  { name: 'v86: handler not at level 0', v86: true, gate: { selector: code(1) }, fault: [Vector.GP, code(1) & ~3] },
  { name: 'v86: conforming handler', v86: true, gate: { selector: CONFORMING }, fault: [Vector.GP, CONFORMING] },
  { name: 'v86: handler at level 3', v86: true, gate: { selector: code(3) }, fault: [Vector.GP, code(3) & ~3] },
  { name: 'v86: inner stack too small', v86: true, ss0: S0, esp0: 0x1023, stack: { type: 6, limit: 0xfff }, fault: [Vector.SS, S0] },
  { name: 'task gate: TSS in the LDT', gate: { type: 5, selector: 0x0c }, fault: [Vector.GP, 0x0c] },
  { name: 'task gate: TSS outside the GDT', gate: { type: 5, selector: 0x200 }, fault: [Vector.GP, 0x200] },
  { name: 'task gate: TSS busy', gate: { type: 5, selector: TSS_A_SELECTOR }, fault: [Vector.GP, TSS_A_SELECTOR] },
  { name: 'task gate: not a TSS', gate: { type: 5, selector: data(0) }, fault: [Vector.GP, data(0)] },
  { name: 'task gate: TSS not present', gate: { type: 5, selector: FREE }, target: { type: 9, system: true, absent: true }, fault: [Vector.NP, FREE] },
  { name: 'task gate: TSS too short', gate: { type: 5, selector: FREE }, target: { type: 9, system: true, limit: 0x66 }, fault: [Vector.TS, FREE] },
  { name: 'IDT not mapped', prepare: () => world.absentPages.add(IDT >>> 12), fault: [Vector.PF, 0] },
  { name: 'GDT not mapped', prepare: () => world.absentPages.add(GDT >>> 12), fault: [Vector.PF, 0] },
  { name: 'TSS not mapped', cpl: 3, prepare: () => world.absentPages.add(TSS_A >>> 12), fault: [Vector.PF, 0] },
  { name: 'inner stack not mapped', cpl: 3, prepare: () => world.absentPages.add((stackTop(0) - 1) >>> 12), fault: [Vector.PF, 2] },
  { name: 'same stack not mapped', prepare: () => world.absentPages.add((stackTop(0) - 1) >>> 12), fault: [Vector.PF, 2] },
  { name: 'same stack at level 3 not writable', cpl: 3, gate: { selector: code(3) }, prepare: () => world.readOnlyPages.add((stackTop(3) - 1) >>> 12), fault: [Vector.PF, 7] },
]; // prettier-ignore

const arrange = (c: Case): void => {
  if (c.v86) world.virtual8086(3);
  else world.level(c.cpl ?? 0);
  world.interrupt(V, { selector: c.target && c.gate?.type !== 5 ? FREE : code(0), type: INT32, dpl: 3, ...c.gate });
  if (c.target) world.segment(FREE, c.target);
  if (c.stack) world.segment(S0, c.stack);
  if (c.ss0 !== undefined) memory.write16(TSS_A + 8, c.ss0);
  if (c.esp0 !== undefined) memory.write32(TSS_A + 4, c.esp0);
  c.prepare?.();
};
for (const c of cases) {
  test(`refused: ${c.name}`, () => {
    arrange(c);
    const before = world.snapshot();
    assert.equal(deliver(c.software ?? false, c.errorCode), false);
    assert.deepEqual(world.fault(), c.fault);
    assert.equal(world.snapshot(), before);
    assert.equal(cpu.modeDirty, false);
  });
}

test('exactly enough room is enough', () => {
  for (const [errorCode, v86, bytes] of [
    [undefined, false, 20],
    [7, false, 24],
    [undefined, true, 36],
    [7, true, 40],
  ] as const) {
    for (const spare of [0, -1]) {
      world.reset();
      arrange({
        name: '',
        v86,
        cpl: 3,
        ss0: S0,
        esp0: 0x1000 + bytes + spare,
        stack: { type: 6, limit: 0xfff, wide: true },
        fault: [0, 0],
      });
      assert.equal(deliver(false, errorCode), spare === 0);
      assert.deepEqual(world.fault(), spare === 0 ? undefined : [Vector.SS, S0]);
    }
  }
});

test('gates to one level: frame, flags, level, for each gate type', () => {
  for (const [type, size, keepsIf] of [
    [INT32, 4, false],
    [TRAP32, 4, true],
    [INT16, 2, false],
    [7, 2, true],
  ] as const) {
    for (const errorCode of [undefined, 0x1234]) {
      world.reset();
      world.interrupt(V, { selector: code(0) | 2, offset: 0xabcd9876, type });
      s.eflags = 0x40000 | Flag.NT | Flag.TF | Flag.IF | Flag.RF | Flag.CF | Flag.OF | 2;
      const flags = s.eflags;
      const top = s.gpr(ESP);
      assert.ok(deliver(false, errorCode));
      const frame = [
        ...(errorCode === undefined ? [] : [errorCode]),
        0x8000,
        code(0),
        size === 4 ? flags : flags & 0xffff,
      ];
      assert.deepEqual(world.stack(frame.length, size), frame);
      assert.equal(s.gpr(ESP), top - frame.length * size);
      assert.equal(s.eip, size === 4 ? 0xabcd9876 : 0x9876);
      assert.equal(cpu.nextEip, s.eip);
      assert.equal(s.eflags, 0x40000 | Flag.CF | Flag.OF | 2 | (keepsIf ? Flag.IF : 0));
      assert.deepEqual([s.selector(CS), s.cpl], [code(0), 0]);
      assert.equal(world.rights(code(0)), 0x9b, 'accessed');
    }
  }
});

test('a conforming handler runs at the level it interrupts', () => {
  world.level(3);
  world.interrupt(V, { selector: CONFORMING, type: INT32 });
  assert.ok(deliver());
  assert.deepEqual([s.selector(CS), s.cpl, s.selector(SS)], [CONFORMING | 3, 3, data(3)]);
});

test('an inner handler gets the stack of the TSS, 32- and 16-bit', () => {
  world.level(3);
  world.interrupt(V, { selector: code(1), type: TRAP32 });
  assert.ok(deliver(false, 5));
  assert.deepEqual(world.stack(6), [5, 0x8000, code(3), 0x202, stackTop(3), data(3)]);
  assert.deepEqual([s.selector(CS), s.selector(SS), s.cpl, s.gpr(ESP)], [code(1), data(1), 1, stackTop(1) - 24]);
  assert.equal(world.userPages.size, 0, 'a level-1 stack is a supervisor access');

  world.reset(3);
  world.segment(FREE, { type: 1, system: true });
  s.setSegment(TR, FREE, TSS_A, 0x2b, 0x83);
  memory.write16(TSS_A + 2, 0x3000);
  memory.write16(TSS_A + 4, S0);
  world.segment(S0, { type: 2, base: 0x10000 });
  s.setGpr(ESP, 0xabcdfff0);
  world.interrupt(V, { selector: code(0), type: INT16, offset: 0xffff9000 });
  assert.ok(deliver());
  assert.deepEqual(world.stack(5, 2), [0x8000, code(3), 0x202, 0xfff0, data(3)]);
  assert.deepEqual([s.gpr(ESP), s.selector(SS), s.eip], [0xabcd2ff6, S0, 0x9000]);
});

test('from virtual-8086 mode: the data segments are pushed and become null', () => {
  for (const [type, size] of [
    [INT32, 4],
    [INT16, 2],
  ] as const) {
    world.reset();
    world.virtual8086(3);
    const flags = s.eflags;
    const selectors = [SS, ES, DS, FS, GS].map((segment) => s.selector(segment));
    const [ss, es, ds, fs, gs] = selectors;
    world.interrupt(V, { selector: code(0), type });
    assert.ok(deliver(false, 9));
    const image = size === 4 ? flags : flags & 0xffff;
    assert.deepEqual(world.stack(10, size), [9, 0x100, 0x2100, image, 0x800, ss, es, ds, fs, gs]);
    for (const segment of [ES, DS, FS, GS]) assert.deepEqual([s.selector(segment), world.usable(segment)], [0, false]);
    assert.deepEqual([s.cpl, cpu.virtual8086, s.selector(SS), s.selector(CS)], [0, false, data(0), code(0)]);
  }
});

test('real mode: vector table, IF TF AC cleared, no error code; limits of the table and the stack', () => {
  world.real();
  memory.write32(V * 4, 0x4321_1234);
  s.eflags = Flag.AC | Flag.IF | Flag.TF | Flag.NT | Flag.CF | 2;
  assert.ok(deliver(false, 7));
  assert.deepEqual(world.stack(3, 2), [0x100, 0x1100, Flag.IF | Flag.TF | Flag.NT | Flag.CF | 2]);
  assert.deepEqual([s.selector(CS), s.base(CS), s.eip, s.gpr16(ESP)], [0x4321, 0x43210, 0x1234, 0x7fa]);
  assert.equal(s.eflags, Flag.NT | Flag.CF | 2);

  world.real();
  s.set(StateLayout.idtrLimit, V * 4 + 2);
  assert.equal(deliver(), false);
  assert.equal(world.fault()![0], Vector.GP);
  world.real();
  s.setGpr(ESP, 5);
  assert.equal(deliver(), false);
  assert.equal(world.fault()![0], Vector.SS);
  assert.equal(s.gpr(ESP), 5);
  s.setGpr(ESP, 0xabcd0004);
  assert.ok(deliver(), 'SP wraps between pushes');
  assert.equal(s.gpr(ESP), 0xabcdfffe);
});

test('property: a refused delivery changes nothing, whatever the gate, code and stack descriptors are', () => {
  const descriptor = fc.record({
    type: fc.nat(15), dpl: fc.nat(3), absent: fc.boolean(), system: fc.boolean(), wide: fc.boolean(), limit: fc.constantFrom(0, 0xff, 0x8fff, 0xffff),
  }); // prettier-ignore
  let refused = 0;
  let taken = 0;
  fc.assert(
    fc.property(
      fc.record({
        cpl: fc.nat(3), v86: fc.boolean(), gate: fc.constantFrom(5, 6, 7, 14, 15), selector: fc.constantFrom(FREE, FREE, code(0), code(2), CONFORMING, TSS_B_SELECTOR),
        ss: fc.constantFrom(S0, S0 | 1, data(0), data(1), 0), target: descriptor, stack: descriptor, software: fc.boolean(),
        lost: fc.constantFrom(0, 1, 4, stackTop(0) >>> 12, (stackTop(0) - 1) >>> 12), esp: fc.constantFrom(0x10, 0x2000, stackTop(0)),
      }),
      (c) => {
        world.reset(c.cpl);
        if (c.v86) world.virtual8086(3);
        world.interrupt(V, { selector: c.selector, type: c.gate, dpl: 2 });
        world.segment(FREE, c.target);
        world.segment(S0, c.stack);
        for (let level = 0; level < 3; level++) {
          memory.write32(TSS_A + 4 + level * 8, c.esp);
          memory.write16(TSS_A + 8 + level * 8, c.ss);
        }
        if (c.lost) world.absentPages.add(c.lost);
        const tr = s.selector(TR);
        const before = world.snapshot();
        const done = deliver(c.software, 0);
        // Behind a task gate's commit point the new task's state is in place, by design.
        if (!done && s.selector(TR) === tr) {
          refused++;
          assert.ok(cpu.faulted);
          assert.equal(world.snapshot(), before);
        } else if (done) {
          taken++;
          assert.ok(!cpu.faulted);
          assert.equal((s.access(SS) >> 5) & 3, s.cpl);
          assert.equal(s.selector(CS) & 3, s.cpl);
        }
        cpu.clearFault();
      },
    ),
    { numRuns: 3000, seed: 1 },
  ); // prettier-ignore
  assert.ok(refused > 100 && taken > 100, `${refused} refused, ${taken} taken`);
});
