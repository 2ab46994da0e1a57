// Descriptions of system instructions, and of ENTER, against their helpers: from the same state, with the description on and off, an instruction and the one behind it
// come to the same state, in any mode; and the ordinary case needs no helper. What is right is the helpers' specs' matter.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BareProcessor } from '../../../test/support/bare-processor.ts';
import { MsrSlot } from '../cpu/msr-rows.ts';
import {
  CS,
  DS,
  EAX,
  EBX,
  ECX,
  EDX,
  ES,
  ESP,
  FS,
  GS,
  LDTR,
  SEGMENT_STRIDE,
  SS,
  StateLayout,
  TR,
} from '../cpu/state.ts';
import { Mode, refreshMode } from '../translate/mode.ts';
import { NO_VMX } from '../vmx/hooks.ts';
import type { Row } from './row.ts';
import { rows } from './table.ts';

const GDT = 0x1000;
const CODE = 0x9000;
const DATA = 0x6000;
const TARGET = 0xa123;
const PAGES = 12;
const PAGE_DIRECTORY = 0x8000;
const PAGE_TABLE = 0xb000;

/** Each draw is the ordinary value, or now and then another. */
const mostly = <T>(ordinary: fc.Arbitrary<T>, ...others: T[]): fc.Arbitrary<T> =>
  fc.oneof({ weight: 30, arbitrary: ordinary }, { weight: 1, arbitrary: fc.constantFrom(...others) });
const always = <T>(value: T): fc.Arbitrary<T> => fc.constant(value);
const word = fc.oneof(fc.nat(0xffffffff), fc.constantFrom(0, 1, 8, 0xffff, 0xffffffff, 0x80000000));

const machine = fc.record({
  mode: mostly(fc.constantFrom<string>('flat', 'flat', 'flat', 'user'), 'real', 'virtual', 'sixteen', 'limited', 'nonRoot'),
  prefix: mostly(always<number[]>([]), [0x66], [0x67], [0x64], [0x2e]),
  cr0: fc.constantFrom(0x33, 0x3b, 0x37, 0x40033),
  osfxsr: fc.boolean(),
  eax: word,
  edx: word,
  flags: fc.nat(0xfff).map((flags) => (flags & 0x8d5) | 2),
  ac: mostly(always(0), 0x40000),
  dr6: fc.constantFrom(0xffff0ff0, 0xffff4ff1),
  dr7: mostly(always(0x400), 0x401, 0x2400, 0x20402),
  cr4: mostly(always(0x400), 0x408, 0x404),
  /** Of the selector's descriptor. */
  selector: mostly(
    fc.tuple(fc.constantFrom(8, 0x10, 0x18, 0x20, 0x28), fc.constantFrom(0, 0, 0, 3, 1)).map(([at, rpl]) => at | rpl),
    0, 3, 0x30, 0x38, 0x0c, 0x14, 0x100,
  ),
  high: fc.oneof(
    fc.constantFrom(0xcf9b00, 0xcf9b00, 0xcffb00, 0xcf9300, 0x12cf93fe, 0x8ff3ff),
    fc.tuple(fc.nat(255), fc.nat(15)).map(([access, rest]) => (access << 8) | (rest << 20) | 0xf0000),
  ),
  low: mostly(always(0xffff), 0xfffe, 0x12340123),
  gdtLimit: mostly(always(0x3f), 0x1e, 0x26),
  ldt: mostly(always(0x10000), 0x82),
  esp: mostly(fc.constantFrom(0x5800, 0x6ff8, 0x7000), 0x7004, 0x7ffe, 2, 0xfffffffc, 0x20000000),
  target: fc.constantFrom(TARGET, TARGET, CODE, 0xfffffffe),
  ebx: mostly(fc.constantFrom(DATA, DATA + 0x111), DATA + 0xffb, DATA + 0xffc, 0xfffffffe, 0x20000000, CODE + 0x800),
  ecx: mostly(fc.constantFrom(0x174, 0x175, 0x176), 0x173, 0x177, 0x10, 0x1a0),
  warm: mostly(always(true), false),
  stops: mostly(always(false), true),
}); // prettier-ignore
type Case = typeof machine extends fc.Arbitrary<infer T> ? T : never;

type Code = (c: Case) => readonly number[];
/** A number's bytes. */
const bytes = (value: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => (value >>> (i * 8)) & 0xff);

/** Builds a machine for a case, runs it, and says what it came to. */
const world = new BareProcessor(PAGES << 12, 'threaded');
const { cpu } = world;
const { s } = cpu;

/** Questions to the hooks of VMX and to the stop points: those that helpers ask, and nobody else. */
let asked = 0;
const ask = (): false => {
  asked++;
  return false;
};
const nonRoot: typeof NO_VMX = {
  ...NO_VMX,
  nonRoot: true,
  exitOnMovToCr: ask,
  exitOnMovFromCr: ask,
  exitOnClts: ask,
  exitOnMovDr: ask,
  exitOnMsr: ask,
  exitOnDescriptorTable: ask,
  readCr: () => 0x12345678,
};
cpu.points.usedMsr = ask;

const start = (c: Case, code: Code): void => {
  const { mode } = c;
  const user = mode === 'user' || mode === 'virtual';
  world.reset(user ? 3 : 0);
  cpu.tripleFault = undefined;
  const put = (at: number, value: number): void => cpu.memory.write32(at, value >>> 0);
  [0xcf9b00, 0xcf9300, 0xcffb00].forEach((high, i) => {
    put(GDT + 8 + i * 8, 0xffff);
    put(GDT + 12 + i * 8, high);
  });
  for (const at of [0x20, 0x28, 0x30, 0x38]) {
    put(GDT + at, c.low);
    put(GDT + at + 4, c.high);
  }
  const inside = (at: number): boolean => at >= 0 && at < (PAGES << 12) - 4;
  [c.target, c.selector | (user && c.edx & 1 ? 3 : 0)].forEach((value, i) => {
    if (inside(c.esp + i * 4)) put(c.esp + i * 4, value);
  });
  s.set(StateLayout.gdtrBase, GDT);
  s.set(StateLayout.gdtrLimit, c.gdtLimit);
  s.set(StateLayout.idtrBase, 0x12345678);
  s.set(StateLayout.idtrLimit, 0x7ff);
  s.setSegment(TR, 0x2b, 0x3000, 0x67, 0x8b);
  s.setSegment(FS, 0x10, 0x40, 0xffffffff, 0xc0f3);
  s.setSegment(LDTR, 0x34, GDT, 0x3f, c.ldt);
  s.cr0 = mode === 'real' ? c.cr0 & ~1 : c.cr0;
  s.cr4 = c.cr4 | (c.osfxsr ? 0x200 : 0);
  s.setDr(6, c.dr6);
  s.setDr(7, c.dr7);
  s.setDr(0, 0x4000);
  for (const [register, value] of [
    [EAX, c.eax],
    [EBX, c.ebx],
    [ECX, c.ecx],
    [EDX, c.edx],
    [ESP, c.esp],
  ] as const)
    s.setGpr(register, value);
  s.eflags = c.flags | c.ac | (mode === 'virtual' ? 0x20000 : 0);
  s.eip = CODE;
  s.setMsr(MsrSlot.SYSENTER_CS, 0x1234, 0x55);
  if (mode === 'sixteen' || mode === 'real' || mode === 'virtual')
    s.setSegment(CS, user ? 0x1b : 8, 0, mode === 'sixteen' ? 0xffffffff : 0xffff, user ? 0xfb : 0x9b);
  setStack(mode);
  if (mode === 'limited')
    for (const segment of [CS, DS, ES, SS, FS, GS])
      s.setSegment(segment, 0x10, 0x10, 0x7fff, segment === CS ? 0x409b : 0x4093);
  if (mode === 'limited') s.eip = CODE - 0x10;
  world.load(CODE, [...c.prefix, ...code(c), 0xd9, 0xe8, 0x90]);
  world.load(TARGET, [0x90, 0x90, 0x90]);
  (cpu as { vmx: typeof NO_VMX }).vmx = mode === 'nonRoot' ? nonRoot : NO_VMX;
  cpu.points.msrs = c.stops;
  refreshMode(cpu);
  cpu.mmu.flushAll();
  for (const level of c.warm ? [false, true] : [])
    for (let page = 0; page < PAGES; page++) {
      if (
        page === CODE >>> 12 ||
        page === TARGET >>> 12 ||
        ((mode === 'paged' || mode === 'based') && page === READ_ONLY)
      )
        continue;
      cpu.mmu.write(page << 12, 1, cpu.mmu.read(page << 12, 1, level), level);
    }
  cpu.breakpoints.met = 0;
  cpu.modeDirty = true;
};
const state = (): Record<string, unknown> => {
  const words = (from: number, to: number): number[] =>
    Array.from({ length: (to - from) / 4 }, (_, i) => s.get(from + i * 4));
  return {
    ...world.state(),
    segments: words(StateLayout.segments, StateLayout.segments + 8 * SEGMENT_STRIDE),
    tables: words(StateLayout.gdtrBase, StateLayout.cpl + 4),
    msrs: words(StateLayout.msrs, StateLayout.monitorAddress),
    mode: s.get(StateLayout.mode),
    tlb: s.get(StateLayout.tlb),
    tripleFault: cpu.tripleFault,
    asked,
    armed: [cpu.breakpoints.instructions, cpu.breakpoints.data, cpu.breakpoints.io],
    faults: world.faults,
  };
};

/** The rows' descriptions, and calls of their helpers. */
const described = new Map<Row, Row['semantics']>();
let calls = 0;
/** The run loop would have found the mode anew. */
let dirty = false;
for (const row of rows)
  if (row.semantics !== undefined && row.helper !== undefined) {
    const { helper } = row;
    described.set(row, row.semantics);
    (row as { helper: Row['helper'] }).helper = (...given) => {
      calls++;
      return helper(...given);
    };
  }
const describe = (on: boolean): void => {
  for (const [row, semantics] of described) (row as { semantics: Row['semantics'] }).semantics = on ? semantics : undefined;
}; // prettier-ignore

const outcome = (c: Case, code: Code, on: boolean): Record<string, unknown> => {
  start(c, code);
  describe(on);
  calls = 0;
  asked = 0;
  world.run(3);
  describe(true);
  dirty = cpu.modeDirty;
  if (dirty) refreshMode(cpu);
  return structuredClone(state());
};

/** Stacks of all kinds, for ENTER, where there is more to them than ESP. */
const STACKS = ['flat', 'user', 'sixteen', 'limited', 'down', 'paged', 'based'] as const;
const READ_ONLY = 5;
const setStack = (mode: string): void => {
  if (mode === 'sixteen') s.setSegment(SS, 0x10, 0x20, 0xffff, 0x93);
  if (mode === 'down') s.setSegment(SS, 0x10, 0, 0x57ff, 0x4097);
  if (mode === 'based') s.setSegment(SS, 0x10, 0x1000, 0xffff_efff, 0xc093);
  if (mode !== 'paged' && mode !== 'based') return;
  cpu.memory.write32(PAGE_DIRECTORY, PAGE_TABLE | 0x67);
  for (let page = 0; page < PAGES; page++)
    cpu.memory.write32(PAGE_TABLE + page * 4, (page << 12) | (page === READ_ONLY ? 0x65 : 0x67));
  s.cr3 = PAGE_DIRECTORY;
  s.cr0 |= 0x80010000;
};
/** Another ESP, where its upper half is no part of the stack pointer, and where it lies just above what may be written. */
const otherEsp = ({ mode, ecx, edx }: Case): number[] => {
  const wide = edx & 1 ? [0x66] : [];
  if (mode === 'sixteen') return [0x66, 0xbc, ...bytes(0xabcd0000 | (ecx & 1 ? 0 : 0x5800), 4), ...wide];
  if (mode === 'based') return [0xbc, ...bytes(ecx & 1 ? 0x5004 : 0x4804, 4)];
  return mode === 'paged' && ecx & 1 ? [0xbc, ...bytes(0x6004, 4)] : [0x90];
};
const FRAMES = [0, 16, 16, 4, 0x7f8, 0x1800, 0x900, 0xfff0];

/** Bytes of an instruction, and in which part of the cases no helper is needed, at least. */
const CASES: Readonly<Record<string, readonly [Code, number]>> = {
  clts: [() => [0x0f, 0x06], 0.5],
  'mov cr0': [(c) => [0xb8, ...bytes((c.eax & 7) > 2 ? c.cr0 ^ 8 : c.eax, 4), 0x0f, 0x22, 0xc0], 0.3],
  'mov from cr0': [() => [0x0f, 0x20, 0xc2], 0.5],
  'smsw r': [() => [0x0f, 0x01, 0xe0], 0.8],
  'smsw m': [() => [0x0f, 0x01, 0x23], 0],
  'mov from dr': [(c) => [0x0f, 0x21, 0xc2 | ((c.edx & 7) << 3)], 0.3],
  'mov to dr': [(c) => [0x0f, 0x23, 0xc0 | ((c.edx & 7) << 3)], 0.1],
  'mov to dr7': [(c) => [0xb8, ...bytes(c.eax & 7 ? c.eax & ~0xff : c.eax, 4), 0x0f, 0x23, 0xf8], 0.3],
  'sldt r': [() => [0x0f, 0x00, 0xc0], 0.6],
  'str r': [() => [0x0f, 0x00, 0xc9], 0.6],
  'str m': [() => [0x0f, 0x00, 0x0b], 0],
  sgdt: [() => [0x0f, 0x01, 0x03], 0.3],
  'sgdt of an offset': [(c) => [0x0f, 0x01, 0x44, 0x03, c.edx & 0x7f], 0.1],
  sidt: [() => [0x0f, 0x01, 0x4b, 0x08], 0.3],
  lar: [(c) => [0xb8, ...bytes(c.selector, 4), 0x0f, 0x02, 0xd0], 0.5],
  lsl: [(c) => [0xb8, ...bytes(c.selector | 0xabc0000, 4), 0x0f, 0x03, 0xd0], 0.5],
  'lar of memory': [() => [0x0f, 0x02, 0x13], 0],
  verr: [(c) => [0xb8, ...bytes(c.selector, 4), 0x0f, 0x00, 0xe0], 0.5],
  verw: [(c) => [0xb8, ...bytes(c.selector, 4), 0x0f, 0x00, 0xe8], 0.5],
  'jmp far': [(c) => [0xea, ...bytes(c.target, 4), ...bytes(c.selector, 2)], 0.15],
  'call far': [(c) => [0x9a, ...bytes(c.target, 4), ...bytes(c.selector, 2)], 0.1],
  'ret far': [() => [0xcb], 0.1],
  'ret far n': [(c) => [0xca, ...bytes(c.edx & 0xf00c, 2)], 0.1],
  rdmsr: [() => [0x0f, 0x32], 0.5],
  wrmsr: [(c) => [...(c.edx & 3 ? [0x31, 0xd2] : [0x89, 0xd2]), 0x0f, 0x30], 0.3],
  'mov ds': [(c) => [0xb8, ...bytes(c.selector | 0xabc0000, 4), 0x8e, 0xd8], 0.05],
  'mov fs': [(c) => [0xb8, ...bytes(c.selector | 0xabc0000, 4), 0x8e, 0xe0], 0.05],
  'mov gs': [(c) => [0xb8, ...bytes(c.edx & 1 ? c.edx & 3 : c.selector, 4), 0x8e, 0xe8], 0.2],
  'pop es': [(c) => [0x68, ...bytes(c.selector, 4), 0x07], 0.05],
  'pop fs': [(c) => [0x68, ...bytes(c.edx & 1 ? c.edx & 3 : c.selector, 4), 0x0f, 0xa1], 0.1],
  into: [() => [0xce], 0.4],
  enter: [(c) => [...otherEsp(c), 0xc8, ...bytes(FRAMES[c.eax & 7]!, 2), c.edx & 15 ? 0x20 : c.ecx], 0.3],
};

for (const [name, [code, least]] of Object.entries(CASES))
  test(`${name}: the description comes to what the helper comes to`, () => {
    let emitted = 0;
    let all = 0;
    fc.assert(
      fc.property(machine, (drawn) => {
        const mode = name === 'enter' ? STACKS[(drawn.edx >>> 4) % STACKS.length]! : drawn.mode;
        const c = { ...drawn, mode };
        const expected = outcome(c, code, false);
        assert.deepEqual(outcome(c, code, true), expected);
        all++;
        if (calls > 0) return;
        emitted++;
        if (dirty) return;
        const { jumpTag } = StateLayout;
        assert.equal(
          (s.get(jumpTag) ^ s.get(StateLayout.mode)) & 0x3ff,
          0,
          'the tag of the jump cache follows the mode',
        );
      }),
      { numRuns: name === 'enter' ? 3000 : 500, seed: 5 },
    );
    assert.ok(emitted >= all * least, `${emitted} of ${all} without a helper`);
  });

/** In a loop of a region: the instruction, by the number of the turn in ESI, with what it needs before it. */
const LOOPS: Readonly<Record<string, readonly number[]>> = {
  clts: [0x0f, 0x06],
  'mov cr0': [0x0f, 0x20, 0xc0, 0x83, 0xf0, 0x08, 0x0f, 0x22, 0xc0],
  'mov dr': [0x0f, 0x23, 0xce, 0x0f, 0x21, 0xc8, 0x0f, 0x23, 0xf6, 0x0f, 0x21, 0xf2],
  'mov dr7': [0x89, 0xf0, 0xc1, 0xe0, 0x10, 0x0f, 0x23, 0xf8, 0x0f, 0x21, 0xf9],
  'smsw, sldt, str': [0x0f, 0x01, 0xe0, 0x0f, 0x00, 0xc2, 0x0f, 0x00, 0xcd],
  'sgdt, sidt': [0x0f, 0x01, 0x43, 0x10, 0x0f, 0x01, 0x4c, 0x33, 0x40],
  'lar, lsl': [0x8d, 0x04, 0xf5, 0, 0, 0, 0, 0x0f, 0x02, 0xd0, 0x0f, 0x94, 0xc1, 0x0f, 0x03, 0xe8],
  'verr, verw': [0x8d, 0x04, 0xf5, 0, 0, 0, 0, 0x0f, 0x00, 0xe0, 0x0f, 0x94, 0xc1, 0x00, 0xca, 0x0f, 0x00, 0xe8, 0x0f, 0x92, 0xc5],
  'jmp far': [0xea, ...bytes(CODE + 12, 4), 8, 0],
  'call far, ret far': [0x9a, ...bytes(CODE + 0x800, 4), 8, 0],
  'ret far': [0x0e, 0x68, ...bytes(CODE + 12, 4), 0xcb],
  msr: [0xb9, 0x75, 0x01, 0, 0, 0x31, 0xd2, 0x89, 0xf0, 0x0f, 0x30, 0x41, 0x0f, 0x32],
  into: [0x01, 0xf0, 0xce],
  'enter, leave': [0x54, 0xc8, 16, 0, 0, 0x89, 0x75, 0xfc, 0xc9, 0x5d, 0x60, 0x61],
  'enter, enter': [0xc8, 16, 0, 0, 0x66, 0xc8, 0xfc, 0, 0, 0xc9],
  'mov fs, gs': [0x31, 0xc0, 0x8e, 0xe8, 0xb0, 0x38, 0x8e, 0xe0, 0x64, 0x8b, 0x13, 0x8e, 0xe8, 0x65, 0x03, 0x13],
}; // prettier-ignore

const eager = new BareProcessor(PAGES << 12, 'eager');
test('in regions they come to the same', () => {
  for (const [name, code] of Object.entries(LOOPS)) {
    const { formed } = eager.processor.regions;
    const results = [world, eager].map((machine) => {
      const { cpu } = machine;
      machine.reset();
      const { s } = cpu;
      for (const [at, high] of [
        [8, 0xcf9b00],
        [0x10, 0xcf9300],
        [0x18, 0x4f9a00],
        [0x28, 0x008200],
        [0x30, 0xcffb00],
        [0x38, 0xcf9301],
      ] as const) {
        // prettier-ignore
        cpu.memory.write32(GDT + at, 0xffff);
        cpu.memory.write32(GDT + at + 4, high);
      }
      s.set(StateLayout.gdtrBase, GDT);
      s.set(StateLayout.gdtrLimit, 0x3f);
      s.setDr(6, 0xffff0ff0);
      s.setDr(7, 0x400);
      s.setSegment(TR, 0x2b, 0x3000, 0x67, 0x8b);
      s.setSegment(LDTR, 0x34, GDT, 0x3f, 0x82);
      s.setGpr(EBX, DATA);
      s.setGpr(ESP, 0x5800);
      s.eip = CODE;
      // mov esi, 60; the instruction; dec esi; jnz; jmp $
      const body = code.length > 12 - 5 ? code : [...code, ...new Array<number>(7 - code.length).fill(0x90)];
      const loop = [0xbe, 60, 0, 0, 0, ...body, 0x4e, 0x75, 0x100 - body.length - 3];
      machine.load(CODE, [...loop, 0xeb, 0xfe]);
      machine.load(CODE + 0x800, [0x40, 0xcb]);
      cpu.modeDirty = true;
      describe(machine === eager);
      machine.run(1000);
      describe(true);
      if (cpu.modeDirty) refreshMode(cpu);
      assert.equal(machine.faults.length, 0, name);
      const words = (from: number, to: number): number[] =>
        Array.from({ length: (to - from) / 4 }, (_, i) => s.get(from + i * 4));
      const slots = [
        words(StateLayout.segments, StateLayout.cpl + 4),
        words(StateLayout.msrs, StateLayout.monitorAddress),
      ];
      return { ...machine.state(), slots, mode: s.get(StateLayout.mode) & ~Mode.threaded };
    });
    assert.deepEqual(results[1], results[0], name);
    assert.ok(eager.processor.regions.formed > formed, name);
  }
});
