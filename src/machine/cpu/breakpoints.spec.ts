// Breakpoints of DR0 to DR3 in translated code and helpers, alignment checks, code-segment limits: that each is met exactly, and that
// the code around runs as it would without.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { BareProcessor } from '../../../test/support/bare-processor.ts';
import { Vector } from './cpu.ts';
import { Cr4, CS, EAX, ECX, EDI, ESI, Flag, SS, StateLayout } from './state.ts';

const CODE = 0x4000;
const DATA = 0x8000;

const world = new BareProcessor();
const { cpu } = world;
const s = cpu.s;

/** R/Wn of DR7. */
const EXECUTE = 0, WRITE = 1, IO = 2, ACCESS = 3; // prettier-ignore
const LENGTH_CODE: Readonly<Record<number, number>> = { 1: 0, 2: 1, 4: 3 };

const start = (code: readonly number[], cpl = 0): void => {
  world.reset(cpl);
  world.load(CODE, code);
  s.eip = CODE;
  s.setGpr(4, 0xf000);
  s.setGpr(EDI, DATA);
};
const arm = (n: number, address: number, kind: number, bytes = 1): void => {
  s.setDr(n, address);
  s.setDr(7, s.dr(7) | 0x400 | (2 << (n * 2)) | (kind << (16 + n * 4)) | (LENGTH_CODE[bytes]! << (18 + n * 4)));
  cpu.modeDirty = true;
};
/** Vector, address (DR6 bits), EIP relative to the code, instructions retired. */
const met = (): readonly (readonly number[])[] =>
  world.faults.map((f) => [f.vector, f.address, f.eip - CODE, f.retired]);

describe('instruction breakpoints', () => {
  it('come before the instruction, once with RF', () => {
    start([0x90, 0x90, 0x40, 0x90, 0xeb, 0xfe]);
    arm(1, CODE + 2, EXECUTE);
    world.run(100);
    assert.deepEqual(met(), [[Vector.DB, 2, 2, 2]]);
    assert.equal(s.gpr(EAX), 0);
    s.eflagsRest |= Flag.RF;
    world.processor.stopRequested = false;
    world.run(10);
    assert.equal(world.faults.length, 1);
    assert.equal(s.gpr(EAX), 1);
    assert.equal(s.eflagsRest & Flag.RF, 0);
  });
  it('are met in every round of a loop whose code was already decoded and linked', () => {
    start([0x40, 0x90, 0x49, 0x75, 0xfb, 0x90, 0xeb, 0xfe]); // inc eax; nop; dec ecx; jnz -5; nop; jmp $
    s.setGpr(ECX, 1000);
    world.run(400); // 100 rounds
    arm(0, CODE + 1, EXECUTE);
    world.onFault = () => void (s.eflagsRest |= Flag.RF);
    world.run(100_000);
    world.onFault = () => void (world.processor.stopRequested = true);
    assert.equal(world.faults.length, 900);
    assert.equal(s.gpr(EAX), 1000);
    const gaps = world.faults.slice(1).map((f, i) => f.retired - world.faults[i]!.retired);
    assert.deepEqual([...new Set(gaps)], [4]);
  });
  it('leave a repeated string instruction alone once it has begun', () => {
    start([0xf3, 0xaa, 0xeb, 0xfe]); // rep stosb
    s.setGpr(ECX, 20);
    arm(0, CODE, EXECUTE);
    world.onFault = () => void (s.eflagsRest |= Flag.RF);
    world.run(50);
    world.onFault = () => void (world.processor.stopRequested = true);
    assert.equal(world.faults.length, 1);
    assert.equal(s.gpr(ECX), 0);
  });
});

describe('data breakpoints', () => {
  it('are reported behind the instruction that met them, with exact counts', () => {
    start([0x40, 0x89, 0x07, 0x40, 0x8b, 0x0f, 0x40, 0xeb, 0xfe]); // inc; mov [edi],eax; inc; mov ecx,[edi]; inc; jmp $
    arm(2, DATA, WRITE, 4);
    world.run(100);
    assert.deepEqual(met(), [[Vector.DB, 4, 3, 2]]);
    assert.equal(world.memory.read32(DATA), 1);
    world.processor.stopRequested = false;
    world.run(10);
    assert.equal(world.faults.length, 1, 'a read does not meet a write breakpoint');
    start([0x40, 0x89, 0x07, 0x40, 0x8b, 0x0f, 0x40, 0xeb, 0xfe]);
    arm(2, DATA, ACCESS, 4);
    world.onFault = () => undefined;
    world.run(100);
    world.onFault = () => void (world.processor.stopRequested = true);
    assert.deepEqual(met(), [
      [Vector.DB, 4, 3, 2],
      [Vector.DB, 4, 6, 4],
    ]);
  });

  it('property: met if and only if the bytes overlap, in loads, stores, read-modify-writes, pushes and string instructions', () => {
    /** Code that accesses `bytes` at EDI (PUSH: 4 below ESP), and whether it writes. */
    const accesses: readonly (readonly [readonly number[], number, boolean])[] = [
      [[0x8a, 0x07], 1, false], [[0x66, 0x8b, 0x07], 2, false], [[0x8b, 0x07], 4, false],
      [[0x88, 0x07], 1, true], [[0x66, 0x89, 0x07], 2, true], [[0x89, 0x07], 4, true],
      [[0xff, 0x07], 4, true], [[0xaa], 1, true], [[0xab], 4, true], [[0x0f, 0x6f, 0x07], 8, false],
      [[0xf3, 0x0f, 0x7f, 0x07], 16, true], [[0xdf, 0x3f], 8, true], [[0xdb, 0x3f], 10, true], [[0x50], 4, true],
    ]; // prettier-ignore
    fc.assert(
      fc.property(
        fc.nat({ max: accesses.length - 1 }),
        fc.integer({ min: -24, max: 24 }),
        fc.constantFrom(1, 2, 4),
        fc.constantFrom(WRITE, ACCESS),
        fc.constantFrom(0, 0xff8),
        (which, distance, length, kind, page) => {
          const [code, bytes, writes] = accesses[which]!;
          start([0x90, ...code, 0xeb, 0xfe]);
          const at = DATA + page;
          s.setGpr(EDI, at);
          s.setGpr(4, at + 4);
          const watched = (at + distance) & -length;
          arm(3, watched, kind, length);
          world.run(8);
          const meets = watched < at + bytes && at < watched + length && (writes || kind === ACCESS);
          assert.deepEqual(met(), meets ? [[Vector.DB, 8, 1 + code.length, 2]] : []);
        },
      ),
      { numRuns: 400 },
    );
  });

  it('stop REP MOVS behind the iteration that met them', () => {
    start([0xf3, 0xa4, 0xeb, 0xfe]);
    s.setGpr(ECX, 64);
    s.setGpr(ESI, DATA + 0x1000);
    arm(0, DATA + 10, WRITE);
    world.run(100);
    assert.deepEqual(met(), [[Vector.DB, 1, 0, 11]]);
    assert.equal(s.gpr(ECX), 53);
  });

  it('that MOV SS met wait for the next instruction', () => {
    start([0x8e, 0x17, 0x40, 0x40, 0xeb, 0xfe]); // mov ss,[edi]; inc; inc
    s.cr0 &= ~1;
    s.setSegment(CS, 0, 0, 0xffff_ffff, 0xc093);
    arm(0, DATA, ACCESS);
    world.run(10);
    assert.deepEqual(met(), [[Vector.DB, 1, 3, 2]]);
    assert.equal(s.gpr(EAX), 1);
  });

  it('cost the rest of the memory nothing: other pages stay in the TLB', () => {
    start([0x8b, 0x07, 0xeb, 0xfc]);
    arm(0, DATA + 0x1000, ACCESS);
    world.run(1000);
    assert.equal(world.faults.length, 0);
    assert.notEqual(cpu.mmu.directRead(DATA), 0);
    assert.equal(cpu.mmu.directRead(DATA + 0x1000), 0);
  });
});

describe('I/O breakpoints', () => {
  const at = (dr: number, code: readonly number[], extensions: boolean): void => {
    start([...code, 0x90, 0xeb, 0xfe]);
    if (extensions) s.cr4 |= Cr4.DE;
    arm(0, dr, IO, 2);
    world.run(10);
  };
  it('need CR4.DE, and count every port of the access', () => {
    at(0x80, [0xe6, 0x80], true);
    assert.deepEqual(met(), [[Vector.DB, 1, 2, 1]]);
    at(0x80, [0xe6, 0x82], true);
    assert.deepEqual(met(), []);
    at(0x82, [0xe5, 0x7f], true); // in eax, 7fh: ports 7fh to 82h
    assert.deepEqual(met(), [[Vector.DB, 1, 2, 1]]);
    at(0x80, [0xe6, 0x80], false);
    assert.deepEqual(met(), []);
  });
});

describe('alignment checks', () => {
  const run = (code: readonly number[], cpl: number, flags: number, am = true): void => {
    start(code, cpl);
    if (am) s.cr0 |= 1 << 18;
    s.eflags = 2 | flags;
    cpu.modeDirty = true;
    world.run(20);
  };
  const load = [0x8b, 0x47, 0x02, 0xeb, 0xfe]; // mov eax,[edi+2]
  it('need CPL 3, EFLAGS.AC and CR0.AM', () => {
    run(load, 3, Flag.AC);
    assert.deepEqual(met(), [[Vector.AC, 0, 0, 0]]);
    assert.equal(world.faults[0]!.error, 0);
    for (const [cpl, flags, am] of [
      [0, Flag.AC, true],
      [3, 0, true],
      [3, Flag.AC, false],
    ] as const) {
      // prettier-ignore
      run(load, cpl, flags, am);
      assert.deepEqual(met(), []);
    }
  });
  it('begin and end with POPF in the middle of code', () => {
    // mov eax,[edi+2]; push 40002h; popf; mov eax,[edi+4]; mov eax,[edi+2]
    run([0x8b, 0x47, 2, 0x68, 2, 0, 4, 0, 0x9d, 0x8b, 0x47, 4, 0x8b, 0x47, 2, 0xeb, 0xfe], 3, 0);
    assert.deepEqual(met(), [[Vector.AC, 0, 12, 4]]);
  });
});

describe('code-segment limits', () => {
  it('#GP(0) at the instruction that has a byte beyond, in code that was decoded under a wider limit', () => {
    start([0x90, 0x90, 0x90, 0xb8, 1, 0, 0, 0, 0xeb, 0xf6]);
    world.run(40);
    for (const [limit, eip] of [
      [2, 3],
      [3, 3],
      [6, 3],
      [7, 8],
      [8, 8],
    ] as const) {
      // prettier-ignore
      s.setSegment(CS, 8, 0, CODE + limit, 0x409b);
      cpu.modeDirty = true;
      s.eip = CODE;
      world.faults.length = 0;
      world.processor.stopRequested = false;
      world.run(40);
      assert.deepEqual(
        world.faults.map((f) => [f.vector, f.error, f.eip - CODE]),
        [[Vector.GP, 0, eip]],
      );
    }
    s.setSegment(CS, 8, 0, CODE + 9, 0x409b);
    cpu.modeDirty = true;
    s.eip = CODE;
    world.faults.length = 0;
    world.processor.stopRequested = false;
    world.run(40);
    assert.equal(world.faults.length, 0);
  });

  it('code at equal offsets of segments with other bases is not mixed up', () => {
    start([]);
    s.cr0 &= ~1;
    // 1000:0100 inc eax (twice the room), far jump to 2000:0100, which does dec ecx and comes back.
    const far = (segment: number): number[] => [0xea, 0x00, 0x01, segment & 0xff, segment >> 8];
    world.load(0x1_0100, [0x40, ...far(0x2000)]);
    world.load(0x2_0100, [0x49, ...far(0x1000)]);
    s.setSegment(CS, 0x1000, 0x1_0000, 0xffff, 0x9b);
    s.setSegment(SS, 0, 0, 0xffff, 0x93);
    s.eip = 0x100;
    cpu.modeDirty = true;
    world.run(400);
    assert.deepEqual([s.gpr16(EAX), s.gpr16(ECX), s.get(StateLayout.activity)], [100, 0x10000 - 100, 0]);
  });

  it('real mode: execution does not wrap at 64 KiB', () => {
    start([]);
    s.cr0 &= ~1;
    world.load(0x1_fffe, [0x90, 0x90]);
    s.setSegment(CS, 0x1000, 0x1_0000, 0xffff, 0x9b);
    s.eip = 0xfffe;
    cpu.modeDirty = true;
    world.run(10);
    assert.deepEqual(
      world.faults.map((f) => [f.vector, f.eip, f.retired]),
      [[Vector.GP, 0x10000, 2]],
    );
  });
});
