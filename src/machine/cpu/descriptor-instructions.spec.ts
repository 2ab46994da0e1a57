// LLDT, LTR, SLDT, STR, LAR, LSL, VERR, VERW, ARPL: checks, error codes, ZF. SDM vol. 2.
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import {
  code,
  CONFORMING,
  CpuWorld,
  data,
  FREE,
  GDT,
  LDT,
  LDT_SELECTOR,
  TSS_A_SELECTOR,
  TSS_B,
  TSS_B_SELECTOR,
} from '../../../test/support/cpu-world.ts';
import { type Helper, Vector } from './cpu.ts';
import { arpl, lar, lldt, lsl, ltr, sldt, str, verr, verw } from './descriptor-instructions.ts';
import { EAX, EBX, Flag, LDTR, TR } from './state.ts';

const world = new CpuWorld();
const { cpu } = world;
const s = cpu.s;
beforeEach(() => world.reset());

const all: Readonly<Record<string, Helper>> = { lldt, ltr, sldt, str, lar, lsl, verr, verw, arpl };
test('all are undefined in real and virtual-8086 mode', () => {
  for (const [name, helper] of Object.entries(all)) {
    world.reset();
    world.real();
    assert.equal(helper(cpu, world.op()), false);
    assert.deepEqual(world.fault(), [Vector.UD, undefined], name);
    world.reset();
    world.virtual8086(3);
    assert.equal(helper(cpu, world.op()), false);
    assert.deepEqual(world.fault(), [Vector.UD, undefined], name);
  }
});

test('LLDT and LTR: checks in order', () => {
  world.segment(FREE, { type: 2, system: true, absent: true });
  world.segment(FREE + 8, { type: 9, system: true, absent: true });
  world.segment(FREE + 16, { type: 1, system: true, base: 0x6000, limit: 0x2b });
  const faults: [Helper, number, [number, number] | undefined][] = [
    [lldt, LDT_SELECTOR, undefined],
    [lldt, 0, undefined],
    [lldt, 0x0c, [Vector.GP, 0x0c]],
    [lldt, 0x200, [Vector.GP, 0x200]],
    [lldt, data(0), [Vector.GP, data(0)]],
    [lldt, TSS_B_SELECTOR, [Vector.GP, TSS_B_SELECTOR]],
    [lldt, FREE, [Vector.NP, FREE]],
    [ltr, TSS_B_SELECTOR, undefined],
    [ltr, FREE + 16, undefined],
    [ltr, 0, [Vector.GP, 0]],
    [ltr, 0x0c, [Vector.GP, 0x0c]],
    [ltr, 0x200, [Vector.GP, 0x200]],
    [ltr, TSS_A_SELECTOR, [Vector.GP, TSS_A_SELECTOR]],
    [ltr, data(0), [Vector.GP, data(0)]],
    [ltr, FREE + 8, [Vector.NP, FREE + 8]],
  ];
  for (const [helper, selector, fault] of faults) {
    s.setGpr(EAX, selector);
    const before = world.snapshot();
    assert.equal(helper(cpu, world.op({ rm: EAX })), fault === undefined);
    assert.deepEqual(world.fault(), fault);
    if (fault) assert.equal(world.snapshot(), before);
  }
  world.level(1);
  for (const helper of [lldt, ltr]) {
    assert.equal(helper(cpu, world.op()), false);
    assert.deepEqual(world.fault(), [Vector.GP, 0]);
  }
});

test('LTR loads and marks the TSS busy; LLDT loads; SLDT and STR give them back', () => {
  s.setGpr(EAX, TSS_B_SELECTOR);
  assert.ok(ltr(cpu, world.op({ rm: EAX })));
  assert.deepEqual([s.base(TR), s.limit(TR), s.access(TR)], [TSS_B, 0x67, 0x8b]);
  assert.equal(world.rights(TSS_B_SELECTOR), 0x8b);
  assert.ok(str(cpu, world.op({ rm: EBX })));
  assert.equal(s.gpr(EBX), TSS_B_SELECTOR);
  s.setGpr(EBX, 0xffffffff);
  assert.ok(str(cpu, world.op({ rm: EBX, size: 16 })));
  assert.equal(s.gpr(EBX), 0xffff0000 + TSS_B_SELECTOR);
  world.memory.write16(0x7000, LDT_SELECTOR);
  assert.ok(lldt(cpu, world.op({ memory: true, offset: 0x7000 })));
  assert.deepEqual([s.base(LDTR), s.access(LDTR)], [LDT, 0x82]);
  world.memory.write32(0x7000, 0xffffffff);
  world.level(3);
  assert.ok(sldt(cpu, world.op({ memory: true, offset: 0x7000 })));
  assert.equal(world.memory.read32(0x7000), 0xffff0000 + LDT_SELECTOR);
});

test('descriptor-table exiting takes LLDT after its privilege check and before its operand', () => {
  const asked: number[] = [];
  world.hooks({ exitOnDescriptorTable: (reason, which) => asked.push(reason, which) > 0 });
  for (const helper of [sldt, str, lldt, ltr]) {
    assert.equal(helper(cpu, world.op({ memory: true, offset: 0x7000 })), false);
    assert.equal(world.fault(), undefined);
  }
  assert.deepEqual(asked, [47, 0, 47, 1, 47, 2, 47, 3]);
});

/** Which system types LAR and LSL accept (SDM vol. 2, LAR and LSL, their tables). */
const LAR_TYPES = [1, 2, 3, 4, 5, 9, 11, 12];
const LSL_TYPES = [1, 2, 3, 9, 11];
test('LAR and LSL by system type', () => {
  for (let type = 0; type < 16; type++) {
    world.segment(FREE, { type, system: true, base: 0x12345678, limit: 0x54321 });
    for (const [helper, types, value] of [
      [lar, LAR_TYPES, 0x8000 | (type << 8)],
      [lsl, LSL_TYPES, 0x54321],
    ] as const) {
      s.setGpr(EAX, FREE);
      s.setGpr(EBX, 0x77777777);
      const flags = s.eflags;
      assert.ok(helper(cpu, world.op({ rm: EAX, reg: EBX })));
      const ok = types.includes(type);
      assert.equal((s.eflags & Flag.ZF) !== 0, ok, `type ${type}`);
      assert.equal(s.eflags & ~Flag.ZF, flags & ~Flag.ZF);
      const expected = helper === lar ? (value as number) | 0 : value;
      assert.equal(s.gpr(EBX), ok ? expected : 0x77777777, `type ${type}`);
    }
  }
});

test('LAR, LSL: result, width, granularity; neither marks the segment accessed', () => {
  world.segment(FREE, { type: 2, dpl: 3, limit: 0xabcde, pages: true, wide: true, absent: true });
  s.setGpr(EAX, FREE | 3);
  assert.ok(lar(cpu, world.op({ rm: EAX, reg: EBX })));
  assert.equal(s.gpr(EBX), 0x00c07200);
  assert.ok(lsl(cpu, world.op({ rm: EAX, reg: EBX })));
  assert.equal(s.gpr(EBX), 0xabcdefff);
  s.setGpr(EBX, 0x99999999);
  assert.ok(lar(cpu, world.op({ rm: EAX, reg: EBX, size: 16 })));
  assert.equal(s.gpr(EBX), 0x99997200);
  assert.equal(world.rights(FREE), 0x72);
});

test('visibility: LAR, LSL, VERR, VERW by CPL, RPL, null, table limits', () => {
  const zf = (helper: Helper, selector: number): boolean => {
    s.setGpr(EAX, selector);
    assert.ok(helper(cpu, world.op({ rm: EAX, reg: EBX })));
    return (s.eflags & Flag.ZF) !== 0;
  };
  for (const helper of [lar, lsl, verr, verw]) {
    world.level(0);
    assert.equal(zf(helper, 0), false);
    assert.equal(zf(helper, 3), false);
    assert.equal(zf(helper, 0x200), false);
    assert.equal(zf(helper, 0x44), false);
    assert.equal(zf(helper, data(2)), true);
    assert.equal(zf(helper, data(2) | 3), false, 'RPL above DPL');
    world.level(3);
    assert.equal(zf(helper, data(2) & ~3), false, 'CPL above DPL');
    assert.equal(zf(helper, data(3)), true);
    assert.equal(zf(helper, CONFORMING | 3), helper !== verw);
  }
  world.level(0);
  assert.equal(zf(verr, code(0)), true);
  assert.equal(zf(verw, code(0)), false);
  assert.equal(zf(verr, TSS_B_SELECTOR), false);
  assert.equal(zf(verw, TSS_B_SELECTOR), false);
  world.segment(FREE, { type: 8 });
  assert.equal(zf(verr, FREE), false, 'execute-only');
  world.segment(FREE, { type: 0 });
  assert.equal(zf(verw, FREE), false, 'read-only');
  world.absentPages.add(GDT >>> 12);
  assert.equal(verr(cpu, world.op({ rm: EAX })), false);
  assert.equal(world.fault()![0], Vector.PF);
});

test('ARPL raises the RPL, only then, and only then writes', () => {
  for (let destination = 0; destination < 4; destination++) {
    for (let source = 0; source < 4; source++) {
      s.setGpr(EAX, 0x9990 | destination);
      s.setGpr(EBX, 0x1230 | source);
      assert.ok(arpl(cpu, world.op({ rm: EAX, reg: EBX, size: 16 })));
      assert.equal(s.gpr16(EAX), 0x9990 | Math.max(destination, source));
      assert.equal((s.eflags & Flag.ZF) !== 0, destination < source);
    }
  }
  world.memory.write16(0x7000, 0x12);
  world.readOnlyPages.add(7);
  s.setGpr(EBX, 1);
  assert.ok(arpl(cpu, world.op({ memory: true, offset: 0x7000, reg: EBX })));
  s.setGpr(EBX, 3);
  assert.equal(arpl(cpu, world.op({ memory: true, offset: 0x7000, reg: EBX })), false);
  assert.equal(world.fault()![0], Vector.PF);
});
