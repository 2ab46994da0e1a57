// Segment loads: every check with its error code, in every mode. SDM vol. 2, MOV, POP, LDS.
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import {
  code,
  CONFORMING,
  CpuWorld,
  data,
  type DescriptorFields,
  FREE,
  GDT,
  LDT_SELECTOR,
} from '../../../test/support/cpu-world.ts';
import { Vector } from './cpu.ts';
import { lds, lfs, loadSegment, lss, movToSreg, popSreg } from './segmentation.ts';
import { Access, DS, EAX, EBX, ECX, ES, ESP, FS, LDTR, SS, StateLayout } from './state.ts';

const world = new CpuWorld();
const { cpu } = world;
const s = cpu.s;
beforeEach(() => world.reset());

interface Case {
  readonly name: string;
  readonly segment: number;
  readonly cpl?: number;
  readonly selector: number;
  readonly descriptor?: DescriptorFields;
  readonly fault?: readonly [number, number | undefined];
}
const L = 0x14; // index 2 of the LDT
const cases: readonly Case[] = [
  { name: 'DS: data of a lesser level', segment: DS, selector: data(3) },
  { name: 'DS: null', segment: DS, selector: 0 },
  { name: 'DS: null with an RPL', segment: DS, selector: 3 },
  { name: 'DS: outside the GDT', segment: DS, selector: 0x200, fault: [Vector.GP, 0x200] },
  { name: 'DS: last descriptor of the GDT', segment: DS, selector: 0x1f8, descriptor: { type: 2 } },
  { name: 'DS: outside the LDT', segment: DS, selector: 0x44, fault: [Vector.GP, 0x44] },
  { name: 'DS: in the LDT', segment: DS, selector: L, descriptor: { type: 2, base: 0x12345678, limit: 0x54321 } },
  { name: 'DS: a system descriptor', segment: DS, selector: LDT_SELECTOR, fault: [Vector.GP, LDT_SELECTOR] },
  { name: 'DS: execute-only code', segment: DS, selector: FREE, descriptor: { type: 8 }, fault: [Vector.GP, FREE] },
  { name: 'DS: readable code', segment: DS, selector: FREE, descriptor: { type: 10 } },
  { name: 'DS: read-only data', segment: DS, selector: FREE, descriptor: { type: 0 } },
  { name: 'DS: expand-down data', segment: DS, selector: FREE, descriptor: { type: 6 } },
  { name: 'DS: CPL above DPL', segment: DS, cpl: 3, selector: data(0), fault: [Vector.GP, data(0)] },
  { name: 'DS: RPL above DPL', segment: DS, selector: data(0) | 1, fault: [Vector.GP, data(0)] },
  { name: 'DS: conforming code needs no privilege', segment: DS, cpl: 3, selector: CONFORMING | 3 },
  { name: 'DS: not present', segment: DS, selector: FREE, descriptor: { type: 2, absent: true }, fault: [Vector.NP, FREE] },
  { name: 'DS: privilege counts before presence', segment: DS, cpl: 3, selector: FREE, descriptor: { type: 2, absent: true }, fault: [Vector.GP, FREE] },
  { name: 'SS: data of the level', segment: SS, cpl: 2, selector: data(2) },
  { name: 'SS: null', segment: SS, selector: 0, fault: [Vector.GP, 0] },
  { name: 'SS: null with an RPL', segment: SS, cpl: 3, selector: 3, fault: [Vector.GP, 0] },
  { name: 'SS: outside the GDT', segment: SS, selector: 0x200, fault: [Vector.GP, 0x200] },
  { name: 'SS: RPL differs', segment: SS, selector: data(0) | 1, fault: [Vector.GP, data(0)] },
  { name: 'SS: DPL differs', segment: SS, selector: data(1) & ~3, fault: [Vector.GP, data(1) & ~3] },
  { name: 'SS: read-only', segment: SS, selector: FREE, descriptor: { type: 0 }, fault: [Vector.GP, FREE] },
  { name: 'SS: code', segment: SS, selector: code(0), fault: [Vector.GP, code(0)] },
  { name: 'SS: not present', segment: SS, selector: FREE, descriptor: { type: 2, absent: true }, fault: [Vector.SS, FREE] },
  { name: 'SS: type counts before presence', segment: SS, selector: FREE, descriptor: { type: 0, absent: true }, fault: [Vector.GP, FREE] },
]; // prettier-ignore

for (const c of cases) {
  test(`protected mode, ${c.name}`, () => {
    world.level(c.cpl ?? 0);
    if (c.descriptor) world.segment(c.selector, c.descriptor);
    const before = world.snapshot();
    s.setGpr(EAX, 0xffff0000 | c.selector);
    const done = movToSreg(cpu, world.op({ reg: c.segment, rm: EAX }));
    assert.deepEqual(world.fault(), c.fault);
    assert.equal(done, c.fault === undefined);
    if (c.fault) {
      s.setGpr(EAX, 0x11111111);
      assert.equal(world.snapshot(), before);
      assert.equal(s.get(StateLayout.interruptibility), 0);
      return;
    }
    assert.equal(s.selector(c.segment), c.selector);
    assert.equal(cpu.modeDirty, true);
    assert.equal(world.usable(c.segment), (c.selector & 0xfffc) !== 0);
    assert.equal(s.get(StateLayout.interruptibility), c.segment === SS ? 2 : 0);
    if (c.descriptor) {
      assert.equal(s.base(c.segment), c.descriptor.base ?? 0);
      assert.equal(s.limit(c.segment), c.descriptor.limit ?? 0xffff);
      assert.equal(s.access(c.segment), 0x91 | c.descriptor.type);
      assert.equal(world.rights(c.selector), 0x91 | c.descriptor.type, 'accessed bit in memory');
    }
  });
}

test('granularity, D/B and AVL are decoded', () => {
  world.segment(FREE, { type: 3, base: 0xfedcba98, limit: 0xabcde, pages: true, wide: true });
  world.memory.write8(GDT + FREE + 6, world.memory.read8(GDT + FREE + 6) | 0x30); // AVL and the reserved L bit
  assert.ok(loadSegment(cpu, ES, FREE));
  assert.deepEqual([s.base(ES), s.limit(ES), s.access(ES)], [0xfedcba98, 0xabcdefff, 0xd093]);
});

test('an LDT selector with no LDT loaded', () => {
  s.setSegment(LDTR, 0, 0, 0, Access.UNUSABLE);
  assert.equal(loadSegment(cpu, DS, 0x0c), false);
  assert.deepEqual(world.fault(), [Vector.GP, 0x0c]);
});

test('the GDT is read and marked with supervisor rights at level 3', () => {
  world.level(3);
  assert.ok(loadSegment(cpu, DS, data(3)));
  assert.equal(world.userPages.size, 0);
});

test('page faults on the table leave the register alone', () => {
  for (const pages of [world.absentPages, world.readOnlyPages]) {
    world.reset();
    const before = world.snapshot();
    pages.add(GDT >>> 12);
    assert.equal(loadSegment(cpu, DS, data(0)), false);
    assert.equal(world.fault()![0], Vector.PF);
    assert.equal(world.snapshot(), before);
    pages.clear();
  }
});

test('MOV SS turns STI blocking into MOV SS blocking: both at once do not exist', () => {
  s.set(StateLayout.interruptibility, 9);
  s.setGpr(EAX, data(0));
  assert.ok(movToSreg(cpu, world.op({ reg: SS, rm: EAX })));
  assert.equal(s.get(StateLayout.interruptibility), 0xa);
});

test('real mode: base follows, limit stays ("unreal mode"), DPL 0 writable data', () => {
  world.real();
  s.setSegment(DS, 0x10, 0, 0xffffffff, 0xc0f1);
  assert.ok(loadSegment(cpu, DS, 0xf234));
  assert.deepEqual([s.selector(DS), s.base(DS), s.limit(DS), s.access(DS)], [0xf234, 0xf2340, 0xffffffff, 0xc093]);
  s.setSegment(ES, 0, 0, 0, Access.UNUSABLE);
  assert.ok(loadSegment(cpu, ES, 0));
  assert.deepEqual([s.base(ES), s.limit(ES), s.access(ES)], [0, 0xffff, 0x93]);
});

test('virtual-8086 mode: 64 KiB, DPL 3', () => {
  world.virtual8086(3);
  assert.ok(loadSegment(cpu, FS, 0x4321));
  assert.deepEqual([s.selector(FS), s.base(FS), s.limit(FS), s.access(FS)], [0x4321, 0x43210, 0xffff, 0xf3]);
});

test('POP Sreg: both widths, and nothing popped on a fault', () => {
  const top = s.gpr(ESP);
  world.push32(0xdead0000 | data(0));
  assert.ok(popSreg(cpu, world.op({ reg: DS })));
  assert.deepEqual([s.selector(DS), s.gpr(ESP)], [data(0), top]);
  world.push16(data(0));
  assert.ok(popSreg(cpu, world.op({ reg: SS, size: 16 })));
  assert.deepEqual([s.gpr(ESP), s.get(StateLayout.interruptibility)], [top, 2]);
  world.push32(0x200);
  const before = world.snapshot();
  assert.equal(popSreg(cpu, world.op({ reg: ES })), false);
  assert.deepEqual(world.fault(), [Vector.GP, 0x200]);
  assert.equal(world.snapshot(), before);
});

test('POP SS counts on the old stack width', () => {
  world.segment(FREE, { type: 2 }); // a 16-bit stack
  const top = s.gpr(ESP);
  s.setGpr(ESP, 0x1fffc);
  world.memory.write32(0x1fffc, FREE);
  assert.ok(popSreg(cpu, world.op({ reg: SS })));
  assert.equal(s.gpr(ESP), 0x20000);
  assert.equal(cpu.stackMask, 0xffff);
  assert.notEqual(top, 0);
});

test('far pointers: register and segment together or not at all; register forms are undefined', () => {
  world.memory.write32(0x7000, 0xcafe1234);
  world.memory.write16(0x7004, data(3));
  assert.ok(lds(cpu, world.op({ memory: true, offset: 0x7000, reg: EBX })));
  assert.deepEqual([s.gpr(EBX), s.selector(DS)], [0xcafe1234, data(3)]);
  world.memory.write16(0x7002, data(0));
  world.level(0);
  s.setGpr(ECX, 0x55550000);
  assert.ok(lss(cpu, world.op({ memory: true, offset: 0x7000, reg: ECX, size: 16 })));
  assert.deepEqual([s.gpr(ECX), s.selector(SS), s.get(StateLayout.interruptibility)], [0x55551234, data(0), 0]);
  world.memory.write16(0x7002, 0x200);
  const before = world.snapshot();
  assert.equal(lfs(cpu, world.op({ memory: true, offset: 0x7000, reg: ECX, size: 16 })), false);
  assert.deepEqual(world.fault(), [Vector.GP, 0x200]);
  assert.equal(world.snapshot(), before);
});

test('far pointers wrap at the address size', () => {
  world.real();
  world.memory.write16(s.base(DS) + 0xfffe, 0x1234);
  world.memory.write16(s.base(DS), 0x5678);
  assert.ok(lds(cpu, world.op({ memory: true, offset: 0xfffe, addressSize: 16, size: 16, reg: EBX })));
  assert.deepEqual([s.gpr16(EBX), s.selector(DS)], [0x1234, 0x5678]);
});
