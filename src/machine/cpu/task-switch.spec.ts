// Hardware task switching: what is saved and loaded, busy bits and back links, the exceptions of table 7-1, and that nothing changes
// before the commit point. SDM vol. 3, ch. 7.
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import {
  code,
  CONFORMING,
  CpuWorld,
  data,
  FREE,
  GDT,
  GDT_LIMIT,
  LDT,
  LDT_SELECTOR,
  stackTop,
  TSS_A,
  TSS_A_SELECTOR,
  TSS_B,
  TSS_B_SELECTOR,
} from '../../../test/support/cpu-world.ts';
import { Vector } from './cpu.ts';
import { callFar, jmpFar } from './far-transfer.ts';
import { deliverThroughTable } from './interrupts.ts';
import { Access, Cr0, Cr4, CS, DS, ES, ESP, Flag, FS, GS, LDTR, SS, StateLayout, TR } from './state.ts';
import { TaskSource } from './task-state.ts';
import { switchTask } from './task-switch.ts';

const world = new CpuWorld();
const { cpu, memory } = world;
const s = cpu.s;

const TSS16 = 0x6000;
const TSS16_SELECTOR = 0x1f8;
beforeEach(() => {
  world.reset();
  for (let i = 0; i < 8; i++) memory.write32(TSS_B + 0x28 + i * 4, 0x01010101 * (i + 1));
  memory.write32(TSS_B + 0x1c, 0x77000);
  memory.write32(TSS_B + 0x20, 0xb000);
  memory.write32(TSS_B + 0x24, 0x203);
  memory.write32(TSS_B + 0x38, stackTop(3));
  [data(3), code(3), data(3), data(3), 0, CONFORMING | 3].forEach((selector, i) =>
    memory.write16(TSS_B + 0x48 + i * 4, selector),
  );
  memory.write16(TSS_B + 0x60, LDT_SELECTOR);
  world.segment(TSS16_SELECTOR, { type: 1, system: true, base: TSS16, limit: 0x2b });
  memory.write16(TSS16 + 0x0e, 0xb016);
  memory.write16(TSS16 + 0x10, 0x7203);
  for (let i = 0; i < 8; i++) memory.write16(TSS16 + 0x12 + i * 2, 0x1010 + i);
  [data(2), code(2), data(2), 0].forEach((selector, i) => memory.write16(TSS16 + 0x22 + i * 2, selector));
});

const jump = (selector: number): boolean => jmpFar(cpu, world.op({ imm2: selector, length: 7 }));
const call = (selector: number): boolean => callFar(cpu, world.op({ imm2: selector, length: 7 }));

test('JMP to a 32-bit task: everything saved, everything loaded, the old task becomes available', () => {
  s.setDr(7, 0x7ff);
  s.eflags = 0x246;
  const old = Array.from({ length: 8 }, (_, i) => s.gpr(i));
  assert.ok(jump(TSS_B_SELECTOR));
  assert.deepEqual(
    Array.from({ length: 8 }, (_, i) => memory.read32(TSS_A + 0x28 + i * 4)),
    old,
  );
  assert.deepEqual([memory.read32(TSS_A + 0x20), memory.read32(TSS_A + 0x24)], [0x8007, 0x246]);
  assert.deepEqual(
    [0, 1, 2, 3, 4, 5].map((i) => memory.read16(TSS_A + 0x48 + i * 4)),
    [data(0), code(0), data(0), data(0), data(0), data(0)],
  );
  for (let i = 0; i < 8; i++) assert.equal(s.gpr(i), i === ESP ? stackTop(3) : 0x01010101 * (i + 1));
  assert.deepEqual([cpu.nextEip, s.eip, s.eflags, s.cpl], [0xb000, 0xb000, 0x203, 3]);
  assert.deepEqual(
    [ES, CS, SS, DS, FS, GS].map((i) => s.selector(i)),
    [data(3), code(3), data(3), data(3), 0, CONFORMING | 3],
  );
  assert.deepEqual([s.selector(TR), s.base(TR), s.limit(TR), s.access(TR)], [TSS_B_SELECTOR, TSS_B, 0x67, 0x8b]);
  assert.deepEqual([s.selector(LDTR), s.base(LDTR)], [LDT_SELECTOR, LDT]);
  assert.deepEqual([world.rights(TSS_A_SELECTOR), world.rights(TSS_B_SELECTOR)], [0x89, 0x8b]);
  assert.equal(memory.read16(TSS_B), 0, 'no back link');
  assert.equal(s.dr(7), 0x6aa);
  assert.equal(s.cr0 & Cr0.TS, Cr0.TS);
  assert.equal(s.cr3, 0, 'CR3 is loaded under paging only');
  assert.deepEqual(world.log, []);
});

test('CALL nests: back link, NT, both tasks busy', () => {
  assert.ok(call(TSS_B_SELECTOR));
  assert.deepEqual(
    [memory.read16(TSS_B), s.eflags, memory.read32(TSS_A + 0x24)],
    [TSS_A_SELECTOR, 0x203 | Flag.NT, 0x202],
  );
  assert.deepEqual([world.rights(TSS_A_SELECTOR), world.rights(TSS_B_SELECTOR)], [0x8b, 0x8b]);
});

test('a 16-bit task: upper halves as the 386 leaves them, FS and GS null', () => {
  assert.ok(call(TSS16_SELECTOR));
  for (let i = 0; i < 8; i++) assert.equal(s.gpr(i), 0xffff1010 + i);
  assert.deepEqual([cpu.nextEip, s.eflags, s.cpl], [0xb016, 0x7203, 2]);
  assert.deepEqual(
    [FS, GS].map((i) => [s.selector(i), world.usable(i)]),
    [
      [0, false],
      [0, false],
    ],
  );
  assert.deepEqual([s.access(TR), world.usable(LDTR)], [0x83, false]);
  assert.equal(memory.read16(TSS16), TSS_A_SELECTOR);
  // And back out of it: only low halves are saved.
  s.setGpr(0, 0xaaaa5555);
  assert.ok(switchTask(cpu, TSS_B_SELECTOR, TaskSource.JMP, 0xc0ffee, s.eflags, Vector.GP, 2));
  assert.deepEqual(
    [memory.read16(TSS16 + 0x0e), memory.read16(TSS16 + 0x12), memory.read16(TSS16 + 0x2a)],
    [0xffee, 0x5555, 0],
  );
  assert.deepEqual(world.rights(TSS16_SELECTOR), 0x81);
});

test('through a task gate of the GDT', () => {
  world.gate(FREE, { selector: TSS_B_SELECTOR, type: 5, dpl: 3 });
  world.level(3);
  assert.ok(call(FREE | 3));
  assert.equal(s.selector(TR), TSS_B_SELECTOR);
});

test('an exception through a task gate pushes its error code, as wide as the TSS', () => {
  world.interrupt(13, { selector: TSS_B_SELECTOR, type: 5 });
  assert.ok(deliverThroughTable(cpu, 13, false, 0x1234, 0x8000, 0x10202, 0));
  assert.deepEqual(
    [s.gpr(ESP), world.stack(1)[0], memory.read32(TSS_A + 0x20), memory.read32(TSS_A + 0x24)],
    [stackTop(3) - 4, 0x1234, 0x8000, 0x10202],
  );
});

test('paging: CR3 is loaded and translations are dropped; PAE loads the pointers', () => {
  s.cr0 |= Cr0.PG;
  assert.ok(jump(TSS_B_SELECTOR));
  assert.deepEqual([s.cr3, world.log], [0x77000, ['flushNonGlobal']]);
  world.reset();
  s.cr0 |= Cr0.PG;
  s.cr4 = Cr4.PAE;
  world.log.length = 0;
  memory.write32(TSS_B + 0x1c, 0x66000);
  assert.equal(jump(TSS_B_SELECTOR), false, 'the reset TSS has no code segment');
  assert.deepEqual(world.log, ['loadPdptes 66000', 'flushNonGlobal']);
});

test('to a virtual-8086 task', () => {
  memory.write32(TSS_B + 0x24, 0x20202);
  assert.ok(jump(TSS_B_SELECTOR));
  assert.deepEqual(
    [s.cpl, cpu.virtual8086, s.base(CS), s.access(FS), s.access(SS)],
    [3, true, code(3) << 4, 0xf3, 0xf3],
  );
});

test('the T bit raises #DB with BT in the new task', () => {
  memory.write16(TSS_B + 0x64, 1);
  assert.equal(jump(TSS_B_SELECTOR), false);
  assert.deepEqual([world.fault(), cpu.faultAddress, s.eip, s.cpl], [[Vector.DB, undefined], 0x8000, 0xb000, 3]);
});

test('VMX: the exit comes after the checks of the new TSS and changes nothing', () => {
  const log: unknown[] = [];
  world.hooks({ exitOnTaskSwitch: (...args) => log.push(args) > 0 });
  assert.equal(call(TSS_A_SELECTOR), false);
  assert.deepEqual(world.fault(), [Vector.GP, TSS_A_SELECTOR]);
  assert.deepEqual(log, []);
  const before = world.snapshot();
  assert.equal(call(TSS_B_SELECTOR), false);
  assert.equal(jump(TSS_B_SELECTOR), false);
  world.interrupt(9, { selector: TSS_B_SELECTOR, type: 5 });
  assert.equal(deliverThroughTable(cpu, 9, true, undefined, 0x8002, 2, 2), false);
  assert.deepEqual(log, [
    [TSS_B_SELECTOR, 0, 7, s.eflags],
    [TSS_B_SELECTOR, 2, 7, s.eflags],
    [TSS_B_SELECTOR, 3, 2, 2],
  ]);
  assert.deepEqual([world.fault(), world.snapshot(), memory.read32(TSS_A + 0x20)], [undefined, before, 0]);
});

test('before the commit point a fault leaves the processor and the busy bits alone', () => {
  for (const [pages, page] of [
    [world.absentPages, TSS_B >>> 12],
    [world.readOnlyPages, TSS_B >>> 12],
    [world.absentPages, TSS_A >>> 12],
    [world.readOnlyPages, TSS_A >>> 12],
    [world.readOnlyPages, GDT >>> 12],
  ] as const) {
    for (const go of [jump, call]) {
      pages.add(page);
      const before = world.snapshot();
      // JMP writes no back link.
      const harmless = go === jump && pages === world.readOnlyPages && page === TSS_B >>> 12;
      if (!harmless) {
        assert.equal(go(TSS_B_SELECTOR), false);
        assert.equal(world.fault()![0], Vector.PF);
        assert.equal(world.snapshot(), before);
        assert.deepEqual([world.rights(TSS_A_SELECTOR), world.rights(TSS_B_SELECTOR)], [0x8b, 0x89]);
      }
      pages.delete(page);
    }
  }
  s.setSegment(TR, TSS_A_SELECTOR, TSS_A, 0x66, 0x8b);
  const before = world.snapshot();
  assert.equal(jump(TSS_B_SELECTOR), false);
  assert.deepEqual([world.fault(), world.snapshot()], [[Vector.TS, TSS_A_SELECTOR], before]);
});

test('the new busy bit cannot be written: the old task is busy again', () => {
  // A table whose last descriptors lie in another page than its first ones.
  const table = 0x20000 - 0x58;
  const selector = 0x100;
  s.set(StateLayout.gdtrBase, table);
  memory.ram.copyWithin(table, GDT, GDT + GDT_LIMIT + 1);
  memory.ram.copyWithin(table + selector, GDT + TSS_B_SELECTOR, GDT + TSS_B_SELECTOR + 8);
  world.readOnlyPages.add((table + selector) >>> 12);
  const before = world.snapshot();
  assert.equal(jump(selector), false);
  assert.deepEqual([world.fault(), world.snapshot()], [[Vector.PF, 3], before]);
  assert.equal(memory.read8(table + TSS_A_SELECTOR + 5), 0x8b);
});

/** Table 7-1: [field offset, selector put there, fault]. All in the new task's context. */
const newTask: readonly [string, number, number, readonly [number, number]][] = [
  ['LDT in the LDT', 0x60, 0x0c, [Vector.TS, 0x0c]],
  ['LDT outside the GDT', 0x60, 0x200, [Vector.TS, 0x200]],
  ['LDT of another type', 0x60, data(0), [Vector.TS, data(0)]],
  ['LDT not present', 0x60, FREE, [Vector.TS, FREE]],
  ['CS null', 0x4c, 3, [Vector.TS, 0]],
  ['CS outside the GDT', 0x4c, 0x203, [Vector.TS, 0x200]],
  ['CS is data', 0x4c, data(3), [Vector.TS, data(3) & ~3]],
  ['CS: DPL differs from RPL', 0x4c, code(2) | 3, [Vector.TS, code(2) & ~3]],
  ['CS: conforming DPL above RPL', 0x4c, FREE + 8, [Vector.TS, FREE + 8]],
  ['CS not present', 0x4c, FREE + 0x10, [Vector.NP, FREE + 0x10]],
  ['SS null', 0x50, 3, [Vector.TS, 0]],
  ['SS outside the GDT', 0x50, 0x203, [Vector.TS, 0x200]],
  ['SS: RPL', 0x50, data(3) & ~3, [Vector.TS, data(3) & ~3]],
  ['SS: DPL', 0x50, data(2) | 3, [Vector.TS, data(2) & ~3]],
  ['SS not present', 0x50, FREE + 0x1b, [Vector.SS, FREE + 0x18]],
  ['DS outside the GDT', 0x54, 0x203, [Vector.TS, 0x200]],
  ['DS: CPL above DPL', 0x54, data(2), [Vector.TS, data(2) & ~3]],
  ['ES not present', 0x48, FREE + 0x1b, [Vector.NP, FREE + 0x18]],
  ['GS is execute-only', 0x5c, FREE + 0x20, [Vector.TS, FREE + 0x20]],
];
for (const [name, field, selector, fault] of newTask) {
  test(`in the new task: ${name}`, () => {
    world.segment(FREE, { type: 2, system: true, absent: true });
    world.segment(FREE + 8, { type: 14, dpl: 1 });
    world.segment(FREE + 0x10, { type: 10, absent: true });
    world.segment(FREE + 0x18, { type: 2, dpl: 3, absent: true });
    world.segment(FREE + 0x20, { type: 8, dpl: 3 });
    memory.write16(TSS_B + field, selector);
    assert.equal(jump(TSS_B_SELECTOR), false);
    assert.deepEqual(world.fault(), fault);
    // Committed: the fault is the new task's.
    assert.deepEqual([s.selector(TR), s.eip, s.gpr(ESP)], [TSS_B_SELECTOR, 0xb000, stackTop(3)]);
    assert.deepEqual([world.rights(TSS_A_SELECTOR), world.rights(TSS_B_SELECTOR)], [0x89, 0x8b]);
    const register = field === 0x60 ? LDTR : (field - 0x48) >> 2;
    assert.deepEqual([s.selector(register), s.access(register) & Access.UNUSABLE], [selector, Access.UNUSABLE]);
  });
}

test('in the new task: EIP outside its code segment', () => {
  world.segment(FREE, { type: 10, dpl: 3, limit: 0xafff });
  memory.write16(TSS_B + 0x4c, FREE | 3);
  assert.equal(jump(TSS_B_SELECTOR), false);
  assert.deepEqual([world.fault(), s.selector(CS)], [[Vector.GP, 0], FREE | 3]);
});

test('in the new task: no room for the error code', () => {
  world.segment(FREE, { type: 2, dpl: 3, limit: 0x100, wide: true });
  memory.write16(TSS_B + 0x50, FREE | 3);
  world.interrupt(13, { selector: TSS_B_SELECTOR, type: 5 });
  assert.equal(deliverThroughTable(cpu, 13, false, 0, 0x8000, 2, 0), false);
  assert.deepEqual([world.fault(), s.selector(SS), s.gpr(ESP)], [[Vector.SS, 0], FREE | 3, stackTop(3)]);
  assert.equal(s.selector(DS), data(3));
});
