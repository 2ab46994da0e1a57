// The emitted INT n, IRET, SYSENTER and SYSEXIT against their helpers: from the same state, with descriptors, stacks and flags of all kinds, both
// come to the same state, and the ordinary case needs no helper. What is right is the helpers' specs' matter (cpu/interrupts.spec.ts).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BareProcessor } from '../../../test/support/bare-processor.ts';
import type { Helper } from '../cpu/cpu.ts';
import { MsrSlot } from '../cpu/msr-rows.ts';
import { CS, DS, ECX, EDX, ES, ESP, FS, GS, SS, StateLayout, TR } from '../cpu/state.ts';
import { refreshMode } from '../translate/mode.ts';
import { rows } from './table.ts';

const GDT = 0x1000;
const IDT = 0x2000;
const TSS = 0x3000;
const CODE = 0x9000;
const VECTOR = 0x41;
const TARGET = 0xa123;
const PAGES = 12;

/** Each draw is the ordinary value, or now and then another. */
const mostly = <T>(ordinary: fc.Arbitrary<T>, ...others: T[]): fc.Arbitrary<T> =>
  fc.oneof({ weight: 30, arbitrary: ordinary }, { weight: 1, arbitrary: fc.constantFrom(...others) });
const always = <T>(value: T): fc.Arbitrary<T> => fc.constant(value);
const stack = mostly(fc.constantFrom(0x5800, 0x6000, 0x6014, 0x5ff0), 0x6008, 0x5ffe, 0, 0xfffffffc, 0x20000000);
/** High words: 32-bit flat code and data of level 0 and 3; kinds that are refused or general. */
const codeOf = (level: number): fc.Arbitrary<number> => {
  const high = 0xcf9b00 | (level << 13);
  const others = [high & ~0x100, high & ~0x200, high | 0x400, high & ~0x8000, high & ~0x400000, high & ~0x800000, high ^ 0x2000, high | 0x200000, 0xcf9300, high | 1]; // prettier-ignore
  return mostly(always(high), ...others);
};
const dataOf = (level: number): fc.Arbitrary<number> => {
  const high = 0xcf9300 | (level << 13);
  const others = [high & ~0x100, high & ~0x200, high | 0x400, high & ~0x8000, high & ~0x400000, high & ~0x800000, high ^ 0x4000, high | 0x100000, 0xcf9b00, high | 1]; // prettier-ignore
  return mostly(always(high), ...others);
};
const image = fc
  .tuple(fc.nat(0xfff), mostly(always(0), 0x100, 0x4000, 0x10000, 0x20000, 0x40000, 0x80000, 0x180000), fc.nat(3))
  .map(([low, high, iopl]) => ((low & ~0x100) | high | (iopl << 12) | 0x200000) >>> 0);
const machine = fc.record({
  instruction: fc.constantFrom('int', 'iret', 'sysenter', 'sysexit'),
  prefix: mostly(always(false), true),
  cpl: fc.constantFrom(0, 3),
  code0: codeOf(0),
  data0: dataOf(0),
  code3: codeOf(3),
  data3: dataOf(3),
  low: mostly(always(0xffff), 0xfffe, 0x1ffff),
  gdtLimit: mostly(always(0x2f), 0x0e, 0x16, 0x1e, 0x26),
  idtLimit: mostly(always(0x7ff), VECTOR * 8 + 6),
  gate: mostly(fc.constantFrom(0xee00, 0xef00), 0x8e00, 0x8f00, 0xe600, 0x6e00, 0xe500, 0xec00),
  gateSelector: mostly(always(8), 0x0b, 0, 0x10, 0x0c, 0x18, 0x1b),
  tss: mostly(always(0x8b), 0x83),
  tssLimit: mostly(always(0x67), 8, 9),
  ss0: mostly(always(0x10), 0x13, 0, 0x14, 8),
  esp0: stack,
  esp: stack,
  frameCs: mostly(fc.constantFrom(8, 0x1b), 0x0b, 0x18, 0, 0x0c, 0x10),
  frameSs: mostly(always(0x23), 0x20, 0x10, 0, 0x27),
  frameFlags: image,
  flags: image.map((value) => value & ~0x100),
  segments: mostly(always([0xc0f3, 0xc0f3, 0x10000, 0xc0ff]), [0xc093, 0xc0f3, 0x10000, 0xc0f3], [0xc0f3, 0xc0f3, 0x93, 0xc0f3]),
  sysenterCs: mostly(always(8), 0, 0xfff4, 3),
  blocking: mostly(always(0), 8),
  monitor: mostly(always(0), 1),
  am: fc.boolean(),
  warm: mostly(always(true), false),
}); // prettier-ignore
type Case = typeof machine extends fc.Arbitrary<infer T> ? T : never;

const CODES = { int: [0xcd, VECTOR], iret: [0xcf], sysenter: [0x0f, 0x34], sysexit: [0x0f, 0x35] } as const;

/** Calls of the helpers by translated code. */
let calls = 0;
const helpers = new Map<string, Helper>();
for (const row of rows)
  if (row.mnemonic in CODES) {
    const helper = row.helper!;
    helpers.set(row.mnemonic, helper);
    (row as { helper: Helper }).helper = (cpu, op) => {
      calls++;
      return helper(cpu, op);
    };
  }

const world = new BareProcessor(PAGES << 12, 'threaded');
const { cpu } = world;
const { s } = cpu;

const start = (c: Case): void => {
  world.reset(c.cpl);
  cpu.mmu.flushAll();
  cpu.tripleFault = undefined;
  const word = (at: number, value: number): void => cpu.memory.write32(at, value >>> 0);
  [c.code0, c.data0, c.code3, c.data3].forEach((high, i) => {
    word(GDT + 8 + i * 8, c.low);
    word(GDT + 12 + i * 8, high);
  });
  word(IDT + VECTOR * 8, (c.gateSelector << 16) | TARGET);
  word(IDT + VECTOR * 8 + 4, c.gate);
  word(TSS + 4, c.esp0);
  word(TSS + 8, c.ss0);
  [TARGET, c.frameCs, c.frameFlags, 0x5c00, c.frameSs].forEach((value, i) => {
    if (c.esp + i * 4 < PAGES << 12) word(c.esp + i * 4, value);
  });
  s.set(StateLayout.gdtrBase, GDT);
  s.set(StateLayout.gdtrLimit, c.gdtLimit);
  s.set(StateLayout.idtrBase, IDT);
  s.set(StateLayout.idtrLimit, c.idtLimit);
  s.setSegment(TR, 0x28, TSS, c.tssLimit, c.tss);
  [ES, DS, FS, GS].forEach((segment, i) => s.setSegment(segment, 0x20, 0, 0xffffffff, c.segments[i]!));
  s.setMsr(MsrSlot.SYSENTER_CS, c.sysenterCs, 0);
  s.setMsr(MsrSlot.SYSENTER_ESP, c.esp0, 0);
  s.setMsr(MsrSlot.SYSENTER_EIP, TARGET, 0);
  s.set(StateLayout.interruptibility, c.blocking);
  s.set(StateLayout.monitor, c.monitor);
  if (c.am) s.cr0 |= 1 << 18;
  s.setGpr(ESP, c.esp);
  s.setGpr(ECX, 0x5a00);
  s.setGpr(EDX, TARGET);
  s.eflags = (c.flags & ~0x10000 & ~0x20000) | 2;
  s.eip = CODE;
  world.load(CODE, [...(c.prefix ? [0x66] : []), ...CODES[c.instruction as keyof typeof CODES]]);
  cpu.modeDirty = true;
  refreshMode(cpu);
  if (c.warm)
    for (let page = 0; page < PAGES; page++) {
      if (page === CODE >>> 12) continue;
      cpu.mmu.write(page << 12, 1, cpu.mmu.read(page << 12, 1, false), false);
      cpu.mmu.write(page << 12, 1, cpu.mmu.read(page << 12, 1, true), true);
    }
  s.set(StateLayout.segmentsApart, 0);
  cpu.modeDirty = true;
};
const state = (): Record<string, unknown> => ({
  ...world.state(),
  retired: undefined,
  now: undefined,
  segments: [ES, CS, SS, DS, FS, GS].map((i) =>
    Array.from({ length: 6 }, (_, field) => s.get(StateLayout.segments + i * 32 + field * 4)),
  ),
  apart: s.get(StateLayout.segmentsApart),
  cpl: s.cpl,
  mode: s.get(StateLayout.mode),
  tlb: s.get(StateLayout.tlb),
  tripleFault: cpu.tripleFault,
  faults: world.faults.map(({ vector, error, eip }) => [vector, error, eip]),
});

/** The helper alone, as the run loop would use it. */
const byHelper = (c: Case): Record<string, unknown> => {
  start(c);
  const length = CODES[c.instruction as keyof typeof CODES].length + (c.prefix ? 1 : 0);
  cpu.nextEip = CODE + length;
  cpu.retiredBeforeFault = 0;
  const done = helpers.get(c.instruction)!(cpu, {
    eip: CODE,
    length,
    size: c.prefix ? 16 : 32,
    addressSize: 32,
    reg: 0,
    rm: 0,
    memory: false,
    segment: DS,
    offset: 0,
    imm: VECTOR,
    imm2: 0,
    rep: 0,
    opcode: 0,
    modrm: 0,
  });
  if (done) s.eip = cpu.nextEip;
  else if (cpu.faulted)
    world.faults.push({
      vector: s.get(StateLayout.faultVector) - 1,
      error: s.get(StateLayout.faultHasError) ? s.get(StateLayout.faultError) : undefined,
      address: 0,
      eip: s.eip,
      retired: 0,
    });
  cpu.clearFault();
  refreshMode(cpu);
  return state();
};

test('emitted passages come to what their helpers come to', () => {
  let emitted = 0;
  let all = 0;
  fc.assert(
    fc.property(machine, (c) => {
      const expected = byHelper(c);
      start(c);
      calls = 0;
      world.run(1);
      all++;
      if (calls === 0) {
        emitted++;
        assert.equal(cpu.modeDirty, false);
        const { jumpTag, mode } = StateLayout;
        assert.equal((s.get(jumpTag) ^ s.get(mode)) & 0x3ff, 0, 'the tag of the jump cache follows the mode');
      }
      if (cpu.modeDirty) refreshMode(cpu);
      assert.deepEqual(state(), expected);
    }),
    { numRuns: 4000, seed: 5 },
  );
  assert.ok(emitted > all / 4, `${emitted} of ${all} without a helper`);
});
