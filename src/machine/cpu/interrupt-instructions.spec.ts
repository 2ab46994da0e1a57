// INT n, INT3, INTO, INT1, BOUND and every form of IRET: checks, flags, and that IRET undoes a delivery. SDM vol. 2.
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import fc from 'fast-check';
import {
  code,
  CONFORMING,
  CpuWorld,
  data,
  FREE,
  stackTop,
  TSS_A,
  TSS_A_SELECTOR,
  TSS_B,
  TSS_B_SELECTOR,
} from '../../../test/support/cpu-world.ts';
import { EventType } from '../vmx/qualification.ts';
import { Vector } from './cpu.ts';
import { deliverEvent } from './exceptions.ts';
import { bound, int1, int3, intN, into, iret } from './interrupt-instructions.ts';
import { Cr4, CS, DS, EAX, ES, ESP, Flag, FS, GS, SS, StateLayout, TR } from './state.ts';

const world = new CpuWorld();
const { cpu, memory } = world;
const s = cpu.s;
const V = 0x41;
beforeEach(() => world.reset());

// ---- INT ------------------------------------------------------------------------------------------------------------

test('INT n, INT3 and INTO enter their handlers and return behind themselves; INTO only with OF', () => {
  for (const [helper, vector, length] of [
    [intN, V, 2],
    [int3, 3, 1],
    [into, 4, 1],
  ] as const) {
    world.reset(3);
    world.interrupt(vector, { selector: code(0), type: 14, dpl: 3 });
    s.eflags = 2 | Flag.OF | Flag.RF;
    assert.ok(helper(cpu, world.op({ imm: V, length })));
    assert.equal(cpu.nextEip, 0x9000);
    assert.deepEqual(world.stack(5), [0x8000 + length, code(3), 2 | Flag.OF, stackTop(3), data(3)]);
  }
  world.reset();
  assert.ok(into(cpu, world.op({ length: 1 })));
  assert.deepEqual([cpu.nextEip, s.gpr(ESP)], [0x8001, stackTop(0)]);
});

test("the gate's DPL holds back INT n, INT3, INTO but not INT1; the #GP is delivered and the helper says false", () => {
  for (const [helper, vector] of [
    [intN, V],
    [int3, 3],
    [into, 4],
  ] as const) {
    world.reset(3);
    world.interrupt(vector, { selector: code(0), type: 14, dpl: 2 });
    world.interrupt(Vector.GP, { selector: code(0), type: 14, offset: 0xa000 });
    s.eflags = 2 | Flag.OF;
    assert.equal(helper(cpu, world.op({ imm: V })), false);
    assert.deepEqual([s.eip, cpu.faulted], [0xa000, false]);
    assert.deepEqual(world.stack(2), [vector * 8 + 2, 0x8000]);
  }
  world.reset(3);
  world.interrupt(1, { selector: code(0), type: 14, dpl: 0 });
  s.setDr(6, 0);
  cpu.faultAddress = 0x4000;
  assert.ok(int1(cpu, world.op({ length: 1 })));
  assert.deepEqual([world.stack(1)[0], s.dr(6)], [0x8001, 0]);
});

test('INT1 reports the breakpoint that MOV SS has held back: one #DB, not two', () => {
  world.interrupt(1, { selector: code(0), type: 14 });
  s.setDr(6, 0xffff_0ff8);
  cpu.breakpoints.met = 2;
  assert.ok(int1(cpu, world.op({ length: 1 })));
  assert.equal(cpu.breakpoints.met, 0);
  assert.equal(s.dr(6), 0xffff_0ff2);
});

test('VMX: INT3, INTO and INT1 ask the exception bitmap with their types; INT n does not', () => {
  const log: unknown[] = [];
  world.hooks({ exitOnException: (...args) => log.push(args) > 0 });
  s.eflags |= Flag.OF;
  world.interrupt(V, { selector: code(0), type: 14 });
  assert.equal(int3(cpu, world.op({ length: 1 })), false);
  assert.equal(into(cpu, world.op({ length: 1 })), false);
  assert.equal(int1(cpu, world.op({ length: 1 })), false);
  assert.ok(intN(cpu, world.op({ imm: V })));
  assert.deepEqual(log, [
    [3, undefined, 0, 6, 1],
    [4, undefined, 0, 6, 1],
    [1, undefined, 0, 5, 1],
  ]);
});

test('virtual-8086 mode: INT n needs IOPL 3, INT3 does not', () => {
  for (const iopl of [0, 1, 2, 3]) {
    world.reset();
    world.virtual8086(iopl);
    world.interrupt(V, { selector: code(0), type: 14, dpl: 3 });
    world.interrupt(3, { selector: code(0), type: 14, dpl: 3 });
    const before = world.snapshot();
    assert.equal(intN(cpu, world.op({ imm: V })), iopl === 3);
    if (iopl < 3) {
      assert.deepEqual(world.fault(), [Vector.GP, 0]);
      assert.equal(world.snapshot(), before);
      assert.ok(int3(cpu, world.op({ length: 1 })));
    }
    assert.equal(s.cpl, 0);
  }
});

test('CR4.VME: the redirection bitmap decides, IF is virtual below IOPL 3', () => {
  for (const iopl of [0, 3]) {
    for (const keep of [true, false]) {
      world.reset();
      world.virtual8086(iopl);
      s.cr4 = Cr4.VME;
      s.eflags = (s.eflags & ~Flag.IF) | Flag.VIF | (iopl === 3 ? Flag.IF : 0);
      memory.write16(TSS_A + 102, 0x100);
      memory.ram.fill(0xff, TSS_A + 0xe0, TSS_A + 0x100);
      if (keep) memory.write8(TSS_A + 0xe0 + (V >> 3), 0xff & ~(1 << (V & 7)));
      memory.write32(V * 4, 0x4000_1234);
      world.interrupt(V, { selector: code(0), type: 14, dpl: 3 });
      const done = intN(cpu, world.op({ imm: V }));
      if (!keep) {
        assert.equal(done, iopl === 3);
        continue;
      }
      assert.ok(done);
      assert.deepEqual([cpu.nextEip, s.selector(CS), s.cpl, cpu.virtual8086], [0x1234, 0x4000, 3, true]);
      assert.deepEqual(world.stack(3, 2), [0x102, 0x2100, 0x3202], 'IF set (VIF), IOPL 3');
      assert.equal((s.eflags & Flag.VIF) !== 0, iopl === 3);
      assert.equal((s.eflags & Flag.IF) !== 0, false);
    }
  }
  world.reset();
  world.virtual8086(3);
  s.cr4 = Cr4.VME;
  memory.write16(TSS_A + 102, 0x2200);
  assert.equal(intN(cpu, world.op({ imm: V })), false);
  assert.deepEqual(world.fault(), [Vector.GP, 0], 'bitmap outside the TSS');
});

test('BOUND compares signed, both widths; the register form is undefined', () => {
  const cases: [16 | 32, number, number, number, boolean][] = [
    [32, -5, -5, 5, true], [32, 5, -5, 5, true], [32, 6, -5, 5, false], [32, -6, -5, 5, false], [32, 0x7fffffff, -5, 5, false],
    [16, 0xfffb, -5, 5, true], [16, 0xfffa, -5, 5, false], [16, 0xabcd0006, -5, 5, false], [16, 0xabcd0005, -5, 5, true],
  ]; // prettier-ignore
  for (const [size, index, lower, upper, inside] of cases) {
    memory.write32(0x7000, 0);
    if (size === 32) {
      memory.write32(0x7000, lower);
      memory.write32(0x7004, upper);
    } else {
      memory.write16(0x7000, lower & 0xffff);
      memory.write16(0x7002, upper);
    }
    s.setGpr(EAX, index);
    assert.equal(bound(cpu, world.op({ size, reg: EAX, memory: true, offset: 0x7000 })), inside, `${index}`);
    assert.deepEqual(world.fault(), inside ? undefined : [Vector.BR, undefined]);
  }
});

// ---- IRET -----------------------------------------------------------------------------------------------------------

interface Case {
  readonly name: string;
  readonly cpl?: number;
  readonly cs: number;
  readonly eip?: number;
  readonly flags?: number;
  readonly ss?: number;
  readonly prepare?: () => void;
  readonly fault: readonly [number, number | undefined];
}
const refused: readonly Case[] = [
  { name: 'null CS', cs: 3, fault: [Vector.GP, 0] },
  { name: 'CS outside the GDT', cs: 0x200, fault: [Vector.GP, 0x200] },
  { name: 'CS is data', cs: data(0), fault: [Vector.GP, data(0)] },
  { name: 'CS is a TSS', cs: TSS_B_SELECTOR, fault: [Vector.GP, TSS_B_SELECTOR] },
  { name: 'to an inner level', cpl: 3, cs: code(0), fault: [Vector.GP, code(0)] },
  { name: 'nonconforming: DPL differs from RPL', cs: code(0) | 3, fault: [Vector.GP, code(0)] },
  { name: 'conforming: DPL above RPL', cs: FREE, prepare: () => world.segment(FREE, { type: 14, dpl: 1 }), fault: [Vector.GP, FREE] },
  { name: 'not present', cs: FREE, prepare: () => world.segment(FREE, { type: 10, absent: true }), fault: [Vector.NP, FREE] },
  { name: 'EIP outside', cs: FREE, eip: 0x10000, prepare: () => world.segment(FREE, { type: 10 }), fault: [Vector.GP, 0] },
  { name: 'outer: null SS', cs: code(3), ss: 3, fault: [Vector.GP, 0] },
  { name: 'outer: SS outside the GDT', cs: code(3), ss: 0x203, fault: [Vector.GP, 0x200] },
  { name: 'outer: SS RPL', cs: code(3), ss: data(3) & ~3, fault: [Vector.GP, data(3) & ~3] },
  { name: 'outer: SS DPL', cs: code(3), ss: data(2) | 3, fault: [Vector.GP, data(2) & ~3] },
  { name: 'outer: SS is code', cs: code(3), ss: code(3), fault: [Vector.GP, code(3) & ~3] },
  { name: 'outer: SS not present', cs: code(3), ss: FREE | 3, prepare: () => world.segment(FREE, { type: 2, dpl: 3, absent: true }), fault: [Vector.SS, FREE] },
  { name: 'outer: EIP outside', cs: FREE | 3, eip: 0x10000, prepare: () => world.segment(FREE, { type: 10, dpl: 3 }), fault: [Vector.GP, 0] },
  { name: 'to v86: EIP above 64 KiB', cs: 0x1234, eip: 0x10000, flags: Flag.VM | 2, fault: [Vector.GP, 0] },
  { name: 'VM in the image counts at level 0 only', cpl: 1, cs: 0x1234, flags: Flag.VM | 2, fault: [Vector.GP, 0x1234] },
  { name: 'stack limit', cs: code(0), prepare: () => s.setSegment(SS, data(0), 0, s.gpr(ESP) + 10, 0x4093), fault: [Vector.SS, 0] },
  { name: 'outer: stack limit', cs: code(3), prepare: () => s.setSegment(SS, data(0), 0, s.gpr(ESP) + 18, 0x4093), fault: [Vector.SS, 0] },
  { name: 'NT: null back link', cs: 0, prepare: () => { s.eflagsRest |= Flag.NT; }, fault: [Vector.TS, 0] },
  { name: 'NT: back link in the LDT', cs: 0, prepare: () => { s.eflagsRest |= Flag.NT; memory.write16(TSS_A, 0x0c); }, fault: [Vector.TS, 0x0c] },
  { name: 'NT: back link not busy', cs: 0, prepare: () => { s.eflagsRest |= Flag.NT; memory.write16(TSS_A, TSS_B_SELECTOR); }, fault: [Vector.TS, TSS_B_SELECTOR] },
  { name: 'NT: back link not present', cs: 0, prepare: () => { s.eflagsRest |= Flag.NT; memory.write16(TSS_A, FREE); world.segment(FREE, { type: 11, system: true, absent: true }); }, fault: [Vector.NP, FREE] },
]; // prettier-ignore

for (const c of refused) {
  test(`IRET refused: ${c.name}`, () => {
    world.level(c.cpl ?? 0);
    world.push32(0, 0, 0, 0, c.ss ?? data(3), 0x7000, c.flags ?? 2, c.cs, c.eip ?? 0x8888);
    c.prepare?.();
    const before = world.snapshot();
    assert.equal(iret(cpu, world.op({ length: 1 })), false);
    assert.deepEqual(world.fault(), c.fault);
    assert.equal(world.snapshot(), before);
  });
}

test('which flags IRET pops, by CPL, IOPL and width', () => {
  const ALL = 0x3f7fd5;
  for (let cpl = 0; cpl < 4; cpl++) {
    for (let iopl = 0; iopl < 4; iopl++) {
      for (const size of [32, 16] as const) {
        world.reset(cpl);
        s.eflags = 2 | (iopl << 12);
        const image = (ALL & ~Flag.VM & ~Flag.IOPL) | ((iopl ^ 3) << 12);
        if (size === 32) world.push32(image, code(cpl), 0x8888);
        else world.push16(image, code(cpl), 0x8888);
        assert.ok(iret(cpu, world.op({ size, length: 1 })));
        let expected = 0x4dd5 | 2 | (iopl << 12);
        if (size === 32) expected |= Flag.RF | Flag.AC | Flag.ID;
        if (cpl <= iopl) expected |= Flag.IF;
        if (cpl === 0)
          expected = (expected & ~Flag.IOPL) | ((iopl ^ 3) << 12) | (size === 32 ? Flag.VIF | Flag.VIP : 0);
        assert.equal(s.eflags, expected >>> 0, `cpl ${cpl} iopl ${iopl} size ${size}`);
        assert.deepEqual([cpu.nextEip, s.gpr(ESP)], [0x8888, stackTop(cpl)]);
      }
    }
  }
});

test('to an outer level data segments that are too privileged become null', () => {
  s.setSegment(ES, data(3), 0, 0xffffffff, 0xc0f3);
  s.setSegment(FS, CONFORMING, 0, 0xffffffff, 0xc09f);
  s.setSegment(GS, data(2), 0, 0xffffffff, 0xc0d3);
  world.push32(data(3), 0x7000, 2, code(3), 0x8888);
  assert.ok(iret(cpu, world.op()));
  assert.deepEqual(
    [ES, DS, FS, GS].map((segment) => s.selector(segment)),
    [data(3), 0, CONFORMING, 0],
  );
  assert.deepEqual([s.cpl, s.selector(SS), s.gpr(ESP)], [3, data(3), 0x7000]);
});

test('to an outer 16-bit stack only SP is loaded', () => {
  world.segment(FREE, { type: 2, dpl: 3 });
  const high = s.gpr(ESP) & 0xffff0000;
  world.push32(FREE | 3, 0xabcd7000, 2, code(3), 0x8888);
  assert.ok(iret(cpu, world.op()));
  assert.equal(s.gpr(ESP), high | 0x7000);
});

test('to virtual-8086 mode', () => {
  world.push32(7, 6, 5, 4, 3, 0x9abc1000, 0x23202 | Flag.AC, 0x1234, 0xfffe);
  assert.ok(iret(cpu, world.op()));
  assert.deepEqual(
    [CS, SS, ES, DS, FS, GS].map((segment) => s.selector(segment)),
    [0x1234, 3, 4, 5, 6, 7],
  );
  assert.deepEqual([s.base(CS), s.limit(GS), s.access(DS)], [0x12340, 0xffff, 0xf3]);
  assert.deepEqual([s.eflags, s.cpl, s.gpr(ESP), cpu.nextEip], [0x23202 | Flag.AC, 3, 0x9abc1000, 0xfffe]);
});

test("in virtual-8086 mode: IOPL 3 only, IOPL and VM stay; VME's 16-bit form below it", () => {
  const go = (iopl: number, image: number, size: 16 | 32, rest = 0): boolean => {
    world.reset();
    world.virtual8086(iopl);
    s.eflags = (s.eflags & ~Flag.IF) | rest;
    if (size === 16) world.push16(image, 0x5678, 0x4321);
    else world.push32(image, 0x5678, 0x4321);
    s.cr4 = Cr4.VME;
    return iret(cpu, world.op({ size, length: 1 }));
  };
  assert.ok(go(3, Flag.IF | Flag.NT | Flag.AC, 32));
  assert.equal(s.eflags, Flag.VM | Flag.IOPL | Flag.IF | Flag.NT | Flag.AC | 2);
  assert.deepEqual([s.selector(CS), s.base(CS), cpu.nextEip, s.gpr(ESP)], [0x5678, 0x56780, 0x4321, 0x800]);
  assert.ok(go(0, Flag.IF | Flag.IOPL | Flag.CF, 16));
  assert.equal(s.eflags, Flag.VM | Flag.VIF | Flag.CF | 2);
  assert.ok(go(0, 0, 16, Flag.VIF | Flag.VIP));
  assert.equal(s.eflags, Flag.VM | Flag.VIP | 2);
  for (const [image, size, rest] of [
    [Flag.IF, 16, Flag.VIP],
    [Flag.TF, 16, 0],
    [0, 32, 0],
  ] as const) {
    assert.equal(go(2, image, size, rest), false);
    assert.deepEqual(world.fault(), [Vector.GP, 0]);
  }
  world.virtual8086(2);
  s.cr4 = 0;
  assert.equal(iret(cpu, world.op({ size: 16 })), false);
  assert.deepEqual(world.fault(), [Vector.GP, 0]);
});

test('real mode: both widths, flags, limit', () => {
  for (const size of [16, 32] as const) {
    world.reset();
    world.real();
    if (size === 16) world.push16(0x7fd7, 0x4000, 0x1234);
    else world.push32(0x3f7fd7, 0x4000, 0x1234);
    assert.ok(iret(cpu, world.op({ size, length: 1 })));
    assert.equal(s.eflags, size === 16 ? 0x7fd7 : 0x257fd7);
    assert.deepEqual([s.selector(CS), s.base(CS), cpu.nextEip, s.gpr(ESP)], [0x4000, 0x40000, 0x1234, 0x800]);
  }
  world.real();
  world.push32(2, 0x4000, 0x10000);
  const before = world.snapshot();
  assert.equal(iret(cpu, world.op({ length: 1 })), false);
  assert.equal(world.fault()![0], Vector.GP);
  assert.equal(world.snapshot(), before);
});

test('IRET ends blocking by NMI, also if it faults, unless NMI exiting keeps it', () => {
  const go = (cs: number): boolean => {
    world.level(0);
    s.set(StateLayout.interruptibility, 8);
    world.push32(2, cs, 0x8888);
    return iret(cpu, world.op());
  };
  assert.ok(go(code(0)));
  assert.deepEqual([s.get(StateLayout.interruptibility), cpu.nmiUnblockedByIret], [0, false]);
  assert.equal(go(0), false);
  assert.deepEqual([s.get(StateLayout.interruptibility), cpu.nmiUnblockedByIret], [0, true]);
  world.fault();
  cpu.nmiUnblockedByIret = false;
  world.hooks({ iretKeepsNmiBlocking: true });
  assert.ok(go(code(0)));
  assert.equal(s.get(StateLayout.interruptibility), 8);
});

test('NT: back to the previous task, which stays busy while this one becomes available', () => {
  world.segment(TSS_B_SELECTOR, { type: 11, system: true, base: TSS_B, limit: 0x67 });
  memory.write16(TSS_A, TSS_B_SELECTOR);
  memory.write32(TSS_B + 0x20, 0xb000);
  memory.write32(TSS_B + 0x24, 0x202);
  memory.write16(TSS_B + 0x4c, code(3));
  memory.write16(TSS_B + 0x50, data(3));
  s.eflagsRest |= Flag.NT;
  assert.ok(iret(cpu, world.op({ length: 1 })));
  assert.deepEqual([cpu.nextEip, s.cpl, s.selector(TR), s.eflags], [0xb000, 3, TSS_B_SELECTOR, 0x202]);
  assert.deepEqual([world.rights(TSS_A_SELECTOR), world.rights(TSS_B_SELECTOR)], [0x89, 0x8b]);
  assert.deepEqual(
    [memory.read32(TSS_A + 0x20), memory.read32(TSS_A + 0x24)],
    [0x8001, 0x202],
    'NT cleared in the saved image',
  );
});

test('property: IRET undoes every delivery, over levels, gates, widths and flags', () => {
  fc.assert(
    fc.property(
      fc.record({
        from: fc.nat(3), to: fc.nat(3), v86: fc.boolean(), type: fc.constantFrom(6, 7, 14, 15), flags: fc.nat(0x3f7fd5),
        conforming: fc.boolean(), small: fc.boolean(), gprs: fc.array(fc.nat(), { minLength: 8, maxLength: 8 }), real: fc.boolean(),
      }),
      (c) => {
        const wide = c.type >= 14;
        world.reset(c.from);
        const sizes = wide && !c.real ? 32 : 16;
        // A 16-bit frame holds 16 bits of EFLAGS, ESP and EIP; NT would make IRET return to a task.
        const kept = (sizes === 32 ? 0x3f7fd5 : 0x7fd5) & ~Flag.NT & ~Flag.VM;
        for (let i = 0; i < 8; i++) if (i !== ESP) s.setGpr(i, c.gprs[i]!);
        if (c.real) {
          world.real();
          memory.write32(V * 4, 0x3000_9000);
        } else if (c.v86) world.virtual8086(0);
        const v86 = c.v86 && !c.real;
        if (c.small && !c.real && !v86) {
          // A 16-bit stack of the present level.
          world.segment(FREE + 8, { type: 3, dpl: c.from, base: 0x10000 });
          s.setSegment(SS, (FREE + 8) | c.from, 0x10000, 0xffff, 0x93 | (c.from << 5));
        }
        s.eflags = (c.flags & kept) | 2 | (v86 ? Flag.VM : 0);
        const level = v86 ? 0 : Math.min(c.to, c.from);
        world.interrupt(V, { selector: c.conforming && !v86 ? CONFORMING : code(level), type: c.type });
        // What the handler's level can see outlives it; the rest is the guest's to save.
        for (const segment of [DS, ES, FS, GS]) if (!v86 && !c.real) s.setSegment(segment, data(3), 0, 0xffffffff, 0xc0f3);
        const before = JSON.parse(world.snapshot()) as Record<string, unknown>;
        assert.ok(deliverEvent(cpu, V, EventType.EXTERNAL_INTERRUPT, undefined, 0));
        assert.notEqual(s.eip, before['eip']);
        const inner = s.cpl < c.from || v86;
        // A handler outside IOPL cannot give back the IF that its interrupt gate took.
        if (!c.real && s.cpl > s.iopl && (c.type & 1) === 0) before['eflags'] = (before['eflags'] as number) & ~Flag.IF;
        // A 16-bit frame cannot lead back to virtual-8086 mode.
        if (v86 && !wide) return;
        assert.ok(iret(cpu, world.op({ size: sizes, length: 1 })), JSON.stringify(world.fault()));
        s.eip = cpu.nextEip;
        const after = JSON.parse(world.snapshot()) as Record<string, unknown>;
        if (sizes === 16 && inner) {
          // SP alone comes back from a 16-bit frame.
          assert.equal((after['r4'] as number) & 0xffff, (before['r4'] as number) & 0xffff);
          after['r4'] = before['r4'];
        }
        if (c.small && inner) after['r4'] = before['r4'];
        assert.deepEqual(after, before);
      },
    ),
    { numRuns: 4000, seed: 7 },
  ); // prettier-ignore
});
