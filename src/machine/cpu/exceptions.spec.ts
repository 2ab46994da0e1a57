// What becomes of an event: double faults by the table, shutdown with its chain, VM exits on the way, CR2, DR6, RF, EXT. SDM vol. 3, 6.15.
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { code, CpuWorld, data, stackTop, TSS_A } from '../../../test/support/cpu-world.ts';
import { EventType } from '../vmx/qualification.ts';
import { Vector } from './cpu.ts';
import { deliverEvent, deliverPendingFault, injectEvent } from './exceptions.ts';
import { CS, ESP, Flag, SS, StateLayout, TR } from './state.ts';

const world = new CpuWorld();
const { cpu, memory } = world;
const s = cpu.s;
const handler = (vector: number): number => 0x9000 + vector * 16;
const { HARDWARE_EXCEPTION, EXTERNAL_INTERRUPT, NMI, SOFTWARE_INTERRUPT } = EventType;

beforeEach(() => {
  world.reset();
  for (let v = 0; v < 32; v++) world.interrupt(v, { selector: code(0), type: 14, offset: handler(v) });
});

const WITH_ERROR: readonly number[] = [Vector.DF, Vector.TS, Vector.NP, Vector.SS, Vector.GP, Vector.PF, Vector.AC];
const errorOf = (vector: number): number | undefined => (WITH_ERROR.includes(vector) ? 0x50 : undefined);

/** Makes the delivery of `first` raise `second`. */
const arrangeSecond = (first: number, second: number): void => {
  switch (second) {
    case Vector.GP:
      world.interrupt(first, { selector: 0, type: 14 });
      break;
    case Vector.NP:
      world.interrupt(first, { selector: code(0), type: 14, absent: true });
      break;
    case Vector.TS:
      world.interrupt(first, { selector: 0x70, type: 5 });
      world.segment(0x70, { type: 9, system: true, limit: 0x66 });
      break;
    case Vector.SS:
      // Only the first vector's handler uses the 16-bit gate's level-0 stack that is absent: through level 1.
      world.level(2);
      world.interrupt(first, { selector: code(1), type: 14 });
      world.segment(0x70, { type: 2, dpl: 1, absent: true });
      memory.write16(TSS_A + 16, 0x71);
      break;
    case Vector.PF:
      world.level(2);
      world.interrupt(first, { selector: code(1), type: 14 });
      world.absentPages.add((stackTop(1) - 1) >>> 12);
      break;
  }
};

/** SDM vol. 3, table 6-5. */
const contributory: readonly number[] = [Vector.DE, Vector.TS, Vector.NP, Vector.SS, Vector.GP];
for (const first of [0, 1, 3, 4, 5, 6, 7, 10, 11, 12, 13, 14, 16, 17, 18, 19]) {
  for (const second of [Vector.TS, Vector.NP, Vector.SS, Vector.GP, Vector.PF]) {
    test(`exception ${first}, then ${second}`, () => {
      arrangeSecond(first, second);
      cpu.faultAddress = 0x77;
      assert.ok(deliverEvent(cpu, first, HARDWARE_EXCEPTION, errorOf(first), 0));
      const double = contributory.includes(first)
        ? contributory.includes(second)
        : first === Vector.PF && (second === Vector.PF || contributory.includes(second));
      const expected = double ? Vector.DF : second;
      if (first === Vector.PF && second === Vector.PF) assert.equal(s.cr2, stackTop(1) - 4);
      assert.equal(s.eip, handler(expected));
      assert.equal(cpu.faulted, false);
      const [error, eip] = world.stack(2);
      assert.equal(eip, 0x8000);
      if (expected === Vector.DF) assert.equal(error, 0);
      else if (expected !== Vector.PF) assert.equal(error! & 1, 1, 'EXT');
    });
  }
}

test('benign events before a contributory exception: it is delivered, EXT only if the event came from outside', () => {
  for (const [type, ext] of [
    [EXTERNAL_INTERRUPT, 1],
    [NMI, 1],
    [SOFTWARE_INTERRUPT, 0],
    [5, 1],
    [6, 0],
  ] as const) {
    world.interrupt(2, { selector: code(0), type: 14, absent: true, dpl: 3 });
    s.eip = 0x8000;
    world.level(0);
    assert.ok(deliverEvent(cpu, 2, type, undefined, 2));
    assert.equal(s.eip, handler(Vector.NP), `type ${type}`);
    assert.deepEqual(world.stack(3), [2 * 8 + 2 + ext, 0x8000, code(0)], 'the fault returns to the instruction itself');
  }
});

test('triple fault: shutdown, nothing changed, and the chain is kept', () => {
  s.set(StateLayout.idtrLimit, 0);
  world.level(3);
  const before = world.snapshot();
  cpu.raise(Vector.GP, 0x18);
  assert.equal(deliverPendingFault(cpu), false);
  assert.equal(s.get(StateLayout.activity), 2);
  assert.equal(world.snapshot(), before);
  assert.equal(cpu.faulted, false);
  assert.deepEqual(cpu.tripleFault, {
    chain: [
      { vector: 13, errorCode: 0x18, eip: 0x8000 },
      { vector: 13, errorCode: 13 * 8 + 3, eip: 0x8000 },
      { vector: 8, errorCode: 0, eip: 0x8000 },
      { vector: 13, errorCode: 8 * 8 + 3, eip: 0x8000 },
    ],
  });
});

test('triple fault in real mode has no error codes', () => {
  world.real();
  s.set(StateLayout.idtrLimit, 0);
  assert.equal(deliverEvent(cpu, 0x20, EXTERNAL_INTERRUPT, undefined, 0), false);
  assert.deepEqual(cpu.tripleFault!.chain.map((e) => [e.vector, e.errorCode]), [
    [0x20, undefined], [13, undefined], [13, undefined], [8, undefined], [13, undefined],
  ]); // prettier-ignore
});

test('a benign loop ends in shutdown instead of hanging the worker', () => {
  // A memory that raises #AC on every push.
  const { mmu } = cpu;
  cpu.mmu = { ...mmu, write: () => cpu.raise(Vector.AC, 0) } as unknown as typeof mmu;
  for (let v = 0; v < 32; v++) world.segment(code(0), { type: 0xb, limit: 0xfffff, pages: true, wide: true });
  assert.equal(deliverEvent(cpu, Vector.UD, HARDWARE_EXCEPTION, undefined, 0), false);
  cpu.mmu = mmu;
  assert.equal(s.get(StateLayout.activity), 2);
  assert.deepEqual([...new Set(cpu.tripleFault!.chain.map((e) => e.vector))], [Vector.UD, Vector.AC]);
});

test('RF in the pushed image: set by faults, kept by interrupts and #DB, clear for software interrupts', () => {
  const image = (vector: number, type: number, rf: boolean): boolean => {
    world.level(0);
    s.eflags = 2 | (rf ? Flag.RF : 0);
    assert.ok(deliverEvent(cpu, vector, type, undefined, 1));
    assert.equal(s.eflags & Flag.RF, 0);
    return (world.stack(3)[2]! & Flag.RF) !== 0;
  };
  for (const vector of [0, 5, 6, 7, 10, 11, 12, 13, 14, 16, 17, 19])
    assert.equal(image(vector, HARDWARE_EXCEPTION, false), true, `${vector}`);
  for (const vector of [Vector.DB, Vector.MC]) assert.equal(image(vector, HARDWARE_EXCEPTION, false), false);
  assert.equal(image(Vector.DB, HARDWARE_EXCEPTION, true), true);
  assert.equal(image(20, EXTERNAL_INTERRUPT, true), true);
  assert.equal(image(20, EXTERNAL_INTERRUPT, false), false);
  world.interrupt(20, { selector: code(0), type: 14, dpl: 3 });
  assert.equal(image(20, SOFTWARE_INTERRUPT, true), false);
});

test('effects: #PF sets CR2; #DB sets DR6 and clears GD; injected events touch neither', () => {
  const set = (): void => {
    s.cr2 = 1;
    s.setDr(6, 0xffff0ff0);
    s.setDr(7, 0x2400);
    world.level(0);
  };
  set();
  cpu.faultAddress = 0x12345678;
  assert.ok(deliverEvent(cpu, Vector.PF, HARDWARE_EXCEPTION, 2, 0));
  assert.deepEqual([s.cr2, s.dr(6), s.dr(7)], [0x12345678, 0xffff0ff0, 0x2400]);
  set();
  cpu.faultAddress = 0x4001;
  assert.ok(deliverEvent(cpu, Vector.DB, HARDWARE_EXCEPTION, undefined, 0));
  assert.deepEqual([s.cr2, s.dr(6), s.dr(7)], [1, 0xffff4ff1, 0x400]);
  // The next one replaces B0 to B3; BS stays.
  cpu.faultAddress = 4;
  assert.ok(deliverEvent(cpu, Vector.DB, HARDWARE_EXCEPTION, undefined, 0));
  assert.equal(s.dr(6), 0xffff4ff4);
  for (const vector of [Vector.PF, Vector.DB]) {
    set();
    world.hooks({ exitOnException: () => true });
    assert.ok(injectEvent(cpu, vector, HARDWARE_EXCEPTION, vector === Vector.PF ? 2 : undefined, 0));
    assert.deepEqual([s.cr2, s.dr(6), s.dr(7)], [1, 0xffff0ff0, 0x2400]);
  }
});

test('delivery ends blocking by STI and MOV SS, wakes from HLT; an NMI blocks NMIs', () => {
  s.set(StateLayout.interruptibility, 3);
  s.set(StateLayout.activity, 1);
  assert.ok(deliverEvent(cpu, 2, NMI, undefined, 0));
  assert.deepEqual([s.get(StateLayout.interruptibility), s.get(StateLayout.activity)], [8, 0]);
});

const recordHooks = (exits: (vector: number) => boolean): string[] => {
  const log: string[] = [];
  world.hooks({
    exitOnException: (vector, error, address) =>
      log.push(`exit? ${vector} ${error} ${address.toString(16)}`) > 0 && exits(vector),
    exitOnTripleFault: () => log.push('triple') > 0,
    beginDelivery: (vector, type, error, length) => void log.push(`begin ${vector} ${type} ${error} ${length}`),
    endDelivery: () => void log.push('end'),
  });
  return log;
};

test('VMX: an exception that exits changes nothing, CR2 neither', () => {
  const log = recordHooks(() => true);
  const before = world.snapshot();
  cpu.faultAddress = 0xabc;
  cpu.raise(Vector.PF, 6);
  assert.equal(deliverPendingFault(cpu), false);
  assert.deepEqual(log, ['exit? 14 6 abc']);
  assert.deepEqual([world.snapshot(), s.cr2, cpu.faulted], [before, 0, false]);
});

test('VMX: a fault during delivery exits with the first event as IDT vectoring, before it becomes a double fault', () => {
  const log = recordHooks((vector) => vector === Vector.PF);
  arrangeSecond(Vector.GP, Vector.PF);
  const before = world.snapshot();
  cpu.raise(Vector.GP, 0x10);
  assert.equal(deliverPendingFault(cpu), false);
  assert.deepEqual(log, ['exit? 13 16 0', 'begin 13 3 16 0', `exit? 14 2 ${(stackTop(1) - 4).toString(16)}`]);
  assert.deepEqual([world.snapshot(), s.cr2], [before, 0]);
});

test('VMX: an exit for the double fault itself is not an exit during delivery', () => {
  const log = recordHooks((vector) => vector === Vector.DF);
  arrangeSecond(Vector.GP, Vector.NP);
  cpu.raise(Vector.GP, 0x10);
  assert.equal(deliverPendingFault(cpu), false);
  assert.deepEqual(log, ['exit? 13 16 0', 'begin 13 3 16 0', `exit? 11 ${13 * 8 + 3} 0`, 'end', 'exit? 8 0 0']);
});

test('VMX: triple fault exits instead of shutting down; external interrupts ask no exception bitmap', () => {
  const log = recordHooks(() => false);
  s.set(StateLayout.idtrLimit, 0);
  assert.equal(deliverEvent(cpu, 0x30, EXTERNAL_INTERRUPT, undefined, 0), false);
  assert.equal(log[0], 'begin 48 0 undefined 0');
  assert.deepEqual(log.slice(-3), [`exit? 13 ${8 * 8 + 3} 0`, 'end', 'triple']);
  assert.equal(s.get(StateLayout.activity), 0);
  assert.equal(cpu.tripleFault!.chain.length, 5);
});

test('VMX: a delivery that works is bracketed', () => {
  const log = recordHooks(() => false);
  assert.ok(injectEvent(cpu, 6, HARDWARE_EXCEPTION, undefined, 0));
  assert.deepEqual(log, ['begin 6 3 undefined 0', 'end']);
});

test("a fault behind a task gate's commit point belongs to the new task", () => {
  world.interrupt(Vector.UD, { selector: 0x58, type: 5 });
  const b = 0x5000;
  memory.write32(b + 0x20, 0xb000); // EIP
  memory.write32(b + 0x24, 2);
  memory.write32(b + 0x38, stackTop(2)); // ESP
  memory.write16(b + 0x4c, code(0)); // CS
  memory.write16(b + 0x50, data(0)); // SS
  memory.write16(b + 0x54, 0x200); // DS: outside the GDT
  assert.ok(deliverEvent(cpu, Vector.UD, HARDWARE_EXCEPTION, undefined, 0));
  assert.equal(s.eip, handler(Vector.TS));
  assert.deepEqual(world.stack(3), [0x201, 0xb000, code(0)]);
  assert.deepEqual([s.selector(TR), s.selector(CS), s.selector(SS)], [0x58, code(0), data(0)]);
  assert.equal(memory.read32(TSS_A + 0x20), 0x8000, 'the old task resumes at the faulting instruction');
  assert.equal(memory.read32(TSS_A + 0x24) & Flag.RF, Flag.RF);
  assert.equal(s.gpr(ESP), stackTop(2) - 16);
});
