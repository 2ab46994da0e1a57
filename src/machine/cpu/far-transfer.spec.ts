// Far CALL, JMP and RET: every check with its error code, gates, stacks, parameters. SDM vol. 2, CALL, JMP, RET.
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import fc from 'fast-check';
import {
  code, CONFORMING, CpuWorld, data, type DescriptorFields, FREE, type GateFields, LDT_SELECTOR, stackTop, TSS_A, TSS_A_SELECTOR, TSS_B_SELECTOR,
} from '../../../test/support/cpu-world.ts'; // prettier-ignore
import { type Helper, Vector } from './cpu.ts';
import { callFar, jmpFar, retFar } from './far-transfer.ts';
import { CS, DS, ES, ESP, FS, GS, SS, TR } from './state.ts';

const world = new CpuWorld();
const { cpu, memory } = world;
const s = cpu.s;
beforeEach(() => world.reset());

const GATE = FREE + 0x20;
const S0 = FREE + 8;

interface Case {
  readonly name: string;
  readonly helpers?: readonly Helper[];
  readonly cpl?: number;
  readonly selector: number;
  readonly offset?: number;
  readonly target?: DescriptorFields;
  readonly gate?: Partial<GateFields>;
  readonly stack?: DescriptorFields;
  readonly ss0?: number;
  readonly esp0?: number;
  readonly prepare?: () => void;
  readonly fault: readonly [number, number | undefined];
}
const call = [callFar];
const jump = [jmpFar];
const cases: readonly Case[] = [
  { name: 'null', selector: 3, fault: [Vector.GP, 0] },
  { name: 'outside the GDT', selector: 0x200, fault: [Vector.GP, 0x200] },
  { name: 'outside the LDT', selector: 0x44, fault: [Vector.GP, 0x44] },
  { name: 'data', selector: data(0), fault: [Vector.GP, data(0)] },
  { name: 'an LDT', selector: LDT_SELECTOR, fault: [Vector.GP, LDT_SELECTOR] },
  { name: 'an interrupt gate', selector: GATE, gate: { type: 14, selector: code(0) }, fault: [Vector.GP, GATE] },
  { name: 'nonconforming: inner', cpl: 3, selector: code(0), fault: [Vector.GP, code(0)] },
  { name: 'nonconforming: outer', selector: code(3), fault: [Vector.GP, code(3) & ~3] },
  { name: 'nonconforming: RPL above CPL', selector: code(0) | 1, fault: [Vector.GP, code(0)] },
  { name: 'conforming: outer', selector: FREE, target: { type: 14, dpl: 1 }, fault: [Vector.GP, FREE] },
  { name: 'not present', selector: FREE, target: { type: 10, absent: true }, fault: [Vector.NP, FREE] },
  { name: 'conforming, not present', selector: FREE, target: { type: 14, absent: true }, fault: [Vector.NP, FREE] },
  { name: 'EIP outside', selector: FREE, offset: 0x10000, target: { type: 10 }, fault: [Vector.GP, 0] },
  { name: 'CALL: no room', helpers: call, selector: FREE, offset: 0x10000, target: { type: 10 }, prepare: () => s.setSegment(SS, data(0), 0, 4, 0x4093), fault: [Vector.SS, 0] },
  { name: 'gate: DPL below CPL', cpl: 3, selector: GATE | 3, gate: { type: 12, selector: code(0), dpl: 2 }, fault: [Vector.GP, GATE] },
  { name: 'gate: DPL below RPL', selector: GATE | 3, gate: { type: 12, selector: code(0), dpl: 2 }, fault: [Vector.GP, GATE] },
  { name: 'gate: privilege counts before presence', selector: GATE | 3, gate: { type: 12, selector: code(0), dpl: 2, absent: true }, fault: [Vector.GP, GATE] },
  { name: 'gate: not present', selector: GATE, gate: { type: 12, selector: code(0), absent: true }, fault: [Vector.NP, GATE] },
  { name: 'gate: null code selector', selector: GATE, gate: { type: 12, selector: 2 }, fault: [Vector.GP, 0] },
  { name: 'gate: code outside the GDT', selector: GATE, gate: { type: 12, selector: 0x200 }, fault: [Vector.GP, 0x200] },
  { name: 'gate: to data', selector: GATE, gate: { type: 12, selector: data(0) }, fault: [Vector.GP, data(0)] },
  { name: 'gate: to another gate', selector: GATE, gate: { type: 12, selector: GATE }, fault: [Vector.GP, GATE] },
  { name: 'gate: outwards', selector: GATE, gate: { type: 12, selector: code(1) }, fault: [Vector.GP, code(1) & ~3] },
  { name: 'gate: conforming outwards', selector: GATE, target: { type: 14, dpl: 1 }, gate: { type: 12, selector: FREE }, fault: [Vector.GP, FREE] },
  { name: 'gate: code not present', selector: GATE, target: { type: 10, absent: true }, gate: { type: 4, selector: FREE }, fault: [Vector.NP, FREE] },
  { name: 'gate: EIP outside', selector: GATE, target: { type: 10 }, gate: { type: 12, selector: FREE, offset: 0x10000 }, fault: [Vector.GP, 0] },
  { name: 'gate: JMP does not go inwards', helpers: jump, cpl: 3, selector: GATE | 3, gate: { type: 12, selector: code(0), dpl: 3 }, fault: [Vector.GP, code(0)] },
  { name: 'gate inwards: TSS too short', helpers: call, cpl: 3, selector: GATE, gate: { type: 12, selector: code(0), dpl: 3 }, prepare: () => s.setSegment(TR, TSS_A_SELECTOR, TSS_A, 8, 0x8b), fault: [Vector.TS, TSS_A_SELECTOR] },
  { name: 'gate inwards: null SS', helpers: call, cpl: 3, selector: GATE, gate: { type: 12, selector: code(0), dpl: 3 }, ss0: 0, fault: [Vector.TS, 0] },
  { name: 'gate inwards: SS outside the GDT', helpers: call, cpl: 3, selector: GATE, gate: { type: 12, selector: code(0), dpl: 3 }, ss0: 0x200, fault: [Vector.TS, 0x200] },
  { name: 'gate inwards: SS RPL', helpers: call, cpl: 3, selector: GATE, gate: { type: 12, selector: code(0), dpl: 3 }, ss0: data(0) | 3, fault: [Vector.TS, data(0)] },
  { name: 'gate inwards: SS DPL', helpers: call, cpl: 3, selector: GATE, gate: { type: 12, selector: code(0), dpl: 3 }, ss0: data(1) & ~3, fault: [Vector.TS, data(1) & ~3] },
  { name: 'gate inwards: SS read-only', helpers: call, cpl: 3, selector: GATE, gate: { type: 12, selector: code(0), dpl: 3 }, ss0: S0, stack: { type: 0 }, fault: [Vector.TS, S0] },
  { name: 'gate inwards: SS not present', helpers: call, cpl: 3, selector: GATE, gate: { type: 12, selector: code(0), dpl: 3 }, ss0: S0, stack: { type: 2, absent: true }, fault: [Vector.SS, S0] },
  { name: 'gate inwards: no room for 2 parameters', helpers: call, cpl: 3, selector: GATE, gate: { type: 12, selector: code(0), dpl: 3, parameters: 2 }, ss0: S0, esp0: 0x1017, stack: { type: 6, limit: 0xfff }, fault: [Vector.SS, S0] },
  { name: 'gate inwards: EIP outside', helpers: call, cpl: 3, selector: GATE, target: { type: 10 }, gate: { type: 12, selector: FREE, dpl: 3, offset: 0x10000 }, fault: [Vector.GP, 0] },
  { name: 'gate inwards: parameters outside the old stack', helpers: call, cpl: 3, selector: GATE, gate: { type: 12, selector: code(0), dpl: 3, parameters: 2 }, prepare: () => s.setSegment(SS, data(3), 0, s.gpr(ESP) + 6, 0x40f3), fault: [Vector.SS, 0] },
  { name: 'TSS: DPL below CPL', cpl: 3, selector: TSS_B_SELECTOR, fault: [Vector.GP, TSS_B_SELECTOR] },
  { name: 'TSS: DPL below RPL', selector: TSS_B_SELECTOR | 1, fault: [Vector.GP, TSS_B_SELECTOR] },
  { name: 'TSS: busy', selector: TSS_A_SELECTOR, fault: [Vector.GP, TSS_A_SELECTOR] },
  { name: 'TSS: not present', selector: FREE, target: { type: 1, system: true, absent: true }, fault: [Vector.NP, FREE] },
  { name: 'TSS: too short', selector: FREE, target: { type: 1, system: true, limit: 0x2a }, fault: [Vector.TS, FREE] },
  { name: 'TSS in the LDT', selector: 0x0c, prepare: () => world.segment(0x0c, { type: 9, system: true, limit: 0x67 }), fault: [Vector.GP, 0x0c] },
  { name: 'task gate: DPL below CPL', cpl: 3, selector: GATE, gate: { type: 5, selector: TSS_B_SELECTOR }, fault: [Vector.GP, GATE] },
  { name: 'task gate: not present', selector: GATE, gate: { type: 5, selector: TSS_B_SELECTOR, absent: true }, fault: [Vector.NP, GATE] },
  { name: 'task gate: TSS in the LDT', selector: GATE, gate: { type: 5, selector: 0x0c }, fault: [Vector.GP, 0x0c] },
  { name: 'task gate: TSS busy', selector: GATE, gate: { type: 5, selector: TSS_A_SELECTOR }, fault: [Vector.GP, TSS_A_SELECTOR] },
]; // prettier-ignore

for (const c of cases) {
  test(`refused: ${c.name}`, () => {
    for (const helper of c.helpers ?? [callFar, jmpFar]) {
      for (const inMemory of [false, true]) {
        world.reset(c.cpl ?? 0);
        if (c.target) world.segment(FREE, c.target);
        if (c.stack) world.segment(S0, c.stack);
        if (c.gate) world.gate(GATE, { selector: 0, type: 12, ...c.gate });
        if (c.ss0 !== undefined) memory.write16(TSS_A + 8, c.ss0);
        if (c.esp0 !== undefined) memory.write32(TSS_A + 4, c.esp0);
        c.prepare?.();
        const offset = c.offset ?? 0x8888;
        memory.write32(0x7000, offset);
        memory.write16(0x7004, c.selector);
        const before = world.snapshot();
        const op = inMemory ? { memory: true, offset: 0x7000 } : { imm: offset, imm2: c.selector };
        assert.equal(helper(cpu, world.op({ ...op, length: 7 })), false);
        assert.deepEqual(world.fault(), c.fault);
        assert.equal(world.snapshot(), before);
        assert.equal(cpu.modeDirty, false);
      }
    }
  });
}

test('direct transfers: CS with CPL as RPL, return address of the operand size', () => {
  for (const size of [32, 16] as const) {
    world.reset(3);
    assert.ok(callFar(cpu, world.op({ imm: 0x12348888 | 0, imm2: code(3) & ~1, size, length: 7 })));
    assert.deepEqual(world.stack(2, size === 32 ? 4 : 2), [0x8007, code(3)]);
    assert.deepEqual([cpu.nextEip, s.selector(CS)], [size === 32 ? 0x12348888 : 0x8888, code(3)]);
    assert.equal(s.gpr(ESP), stackTop(3) - size / 4);
    assert.ok(jmpFar(cpu, world.op({ imm: 0x5555, imm2: CONFORMING, size })));
    assert.deepEqual([s.selector(CS), s.cpl, cpu.nextEip], [CONFORMING | 3, 3, 0x5555]);
    assert.equal(s.gpr(ESP), stackTop(3) - size / 4);
  }
  world.level(3);
  assert.ok(jmpFar(cpu, world.op({ imm: -1, imm2: code(3) })), 'an offset at the 4 GiB limit');
  assert.equal(cpu.nextEip, 0xffffffff);
});

test('call gates: inwards with parameters, 32- and 16-bit; then RETF imm comes back', () => {
  for (const [type, size] of [
    [12, 4],
    [4, 2],
  ] as const) {
    world.reset(3);
    world.gate(GATE, { selector: code(1), type, dpl: 3, parameters: 3, offset: 0xffff9000 });
    if (size === 4) world.push32(0x333, 0x222, 0x111);
    else world.push16(0x333, 0x222, 0x111);
    const esp = s.gpr(ESP);
    assert.ok(callFar(cpu, world.op({ imm: 0x77777777, imm2: GATE | 3, length: 7 })));
    const word = size === 4 ? 0xffffffff : 0xffff;
    assert.deepEqual(world.stack(7, size), [0x8007, code(3), 0x111, 0x222, 0x333, (esp & word) >>> 0, data(3)]);
    assert.deepEqual([s.selector(CS), s.cpl, s.selector(SS)], [code(1), 1, data(1)]);
    assert.equal(s.gpr(ESP), stackTop(1) - 7 * size);
    assert.equal(cpu.nextEip, size === 4 ? 0xffff9000 : 0x9000);
    for (const segment of [ES, DS, FS, GS]) s.setSegment(segment, data(1), 0, 0xffffffff, 0xc0b3);
    assert.ok(retFar(cpu, world.op({ size: size * 8, imm: 3 * size })));
    assert.deepEqual([s.selector(CS), s.cpl, s.selector(SS), cpu.nextEip], [code(3), 3, data(3), 0x8007]);
    // The 16-bit frame holds SP alone; into a 32-bit stack it is zero-extended.
    assert.equal(s.gpr(ESP), (esp & word) + 3 * size);
    assert.deepEqual(
      [ES, DS, FS, GS].map((segment) => [s.selector(segment), world.usable(segment)]),
      Array(4).fill([0, false]),
    );
  }
});

test('call gates without a change of level: to the same level, and to conforming code', () => {
  for (const selector of [code(3), CONFORMING]) {
    world.reset(3);
    world.gate(GATE, { selector, type: 12, dpl: 3, parameters: 5 });
    assert.ok(callFar(cpu, world.op({ imm2: GATE, length: 7, size: 16 })));
    assert.deepEqual([s.selector(CS), s.cpl, s.gpr(ESP), cpu.nextEip], [selector | 3, 3, stackTop(3) - 8, 0x9000]);
    assert.deepEqual(world.stack(2), [0x8007, code(3)]);
    world.level(3);
    assert.ok(jmpFar(cpu, world.op({ imm2: GATE })));
    assert.deepEqual([s.selector(CS), s.gpr(ESP)], [selector | 3, stackTop(3)]);
  }
});

const returns: readonly Case[] = [
  { name: 'null', selector: 1, fault: [Vector.GP, 0] },
  { name: 'outside the GDT', selector: 0x200, fault: [Vector.GP, 0x200] },
  { name: 'data', selector: data(0), fault: [Vector.GP, data(0)] },
  { name: 'inwards', cpl: 3, selector: code(1) & ~3, fault: [Vector.GP, code(1) & ~3] },
  { name: 'DPL differs from RPL', selector: code(1) | 3, fault: [Vector.GP, code(1) & ~3] },
  { name: 'conforming DPL above RPL', selector: FREE, target: { type: 14, dpl: 2 }, fault: [Vector.GP, FREE] },
  { name: 'not present', selector: FREE, target: { type: 10, absent: true }, fault: [Vector.NP, FREE] },
  { name: 'EIP outside', selector: FREE, offset: 0x10000, target: { type: 10 }, fault: [Vector.GP, 0] },
  { name: 'outer: null SS', selector: code(3), ss0: 3, fault: [Vector.GP, 0] },
  { name: 'outer: SS outside the GDT', selector: code(3), ss0: 0x203, fault: [Vector.GP, 0x200] },
  { name: 'outer: SS RPL', selector: code(3), ss0: data(3) & ~1, fault: [Vector.GP, data(3) & ~3] },
  { name: 'outer: SS read-only', selector: code(3), ss0: S0 | 3, stack: { type: 0, dpl: 3 }, fault: [Vector.GP, S0] },
  { name: 'outer: SS not present', selector: code(3), ss0: S0 | 3, stack: { type: 2, dpl: 3, absent: true }, fault: [Vector.SS, S0] },
  { name: 'outer: EIP outside', selector: FREE | 3, offset: 0x10000, target: { type: 10, dpl: 3 }, ss0: data(3), fault: [Vector.GP, 0] },
  { name: 'stack limit', selector: code(0), prepare: () => s.setSegment(SS, data(0), 0, s.gpr(ESP) + 6, 0x4093), fault: [Vector.SS, 0] },
  { name: 'outer: stack limit', selector: code(3), ss0: data(3), prepare: () => s.setSegment(SS, data(0), 0, s.gpr(ESP) + 8 + 12 + 6, 0x4093), fault: [Vector.SS, 0] },
]; // prettier-ignore
for (const c of returns) {
  test(`RETF refused: ${c.name}`, () => {
    world.level(c.cpl ?? 0);
    if (c.target) world.segment(FREE, c.target);
    if (c.stack) world.segment(S0, c.stack);
    world.push32(c.ss0 ?? data(3), 0x7000, 0, 0, 0, c.selector, c.offset ?? 0x8888);
    c.prepare?.();
    const before = world.snapshot();
    assert.equal(retFar(cpu, world.op({ imm: 12 })), false);
    assert.deepEqual(world.fault(), c.fault);
    assert.equal(world.snapshot(), before);
  });
}

test('real and virtual-8086 mode: paragraphs, limits, both widths', () => {
  for (const enter of [() => world.real(), () => world.virtual8086(0)]) {
    for (const size of [16, 32] as const) {
      world.reset();
      enter();
      assert.ok(callFar(cpu, world.op({ imm: 0x1234, imm2: 0x3456, size, length: 5 })));
      assert.deepEqual([s.selector(CS), s.base(CS), s.limit(CS), cpu.nextEip], [0x3456, 0x34560, 0xffff, 0x1234]);
      assert.deepEqual(world.stack(1, 2), [0x105]);
      const old = s.gpr(ESP);
      assert.equal(old, 0x800 - size / 4);
      assert.ok(retFar(cpu, world.op({ size, imm: 6 })));
      assert.deepEqual([cpu.nextEip, s.gpr(ESP)], [0x105, 0x806]);
      assert.ok(jmpFar(cpu, world.op({ imm: 7, imm2: 0xffff, size })));
      assert.deepEqual([s.base(CS), cpu.nextEip], [0xffff0, 7]);
      const before = world.snapshot();
      for (const helper of [callFar, jmpFar]) {
        assert.equal(helper(cpu, world.op({ imm: 0x10000, imm2: 1, size: 32 })), false);
        assert.deepEqual(world.fault(), [Vector.GP, 0]);
        assert.equal(world.snapshot(), before);
      }
      s.setGpr(ESP, 1);
      assert.equal(callFar(cpu, world.op({ imm: 1, imm2: 1, size })), false);
      assert.deepEqual(world.fault(), [Vector.SS, 0]);
    }
  }
});

test('property: RETF undoes CALL through any gate', () => {
  fc.assert(
    fc.property(
      fc.record({
        from: fc.nat(3),
        to: fc.nat(3),
        parameters: fc.nat(31),
        words: fc.array(fc.nat(), { minLength: 31, maxLength: 31 }),
        direct: fc.boolean(),
      }),
      (c) => {
        const to = Math.min(c.from, c.to);
        world.reset(c.from);
        for (const segment of [ES, DS, FS, GS]) s.setSegment(segment, data(3), 0, 0xffffffff, 0xc0f3);
        world.gate(GATE, { selector: code(to), type: 12, dpl: 3, parameters: c.parameters });
        const before = world.snapshot();
        world.push32(...c.words.slice(0, c.parameters));
        const ok = callFar(cpu, world.op({ imm: 0x4444, imm2: c.direct ? code(c.from) : GATE, length: 0 }));
        assert.ok(ok);
        if (!c.direct && to < c.from)
          assert.deepEqual(world.stack(2 + c.parameters).slice(2), c.words.slice(0, c.parameters).reverse());
        assert.ok(retFar(cpu, world.op({ imm: c.parameters * 4 })));
        assert.equal(cpu.nextEip, 0x8000);
        assert.equal(world.snapshot(), before);
      },
    ),
    { numRuns: 1000, seed: 3 },
  );
});
