// The NMI pin on a running processor in real mode: blocking until IRET, priority, HLT, shadows, VM exits. SDM vol. 3, 6.7, 6.8.3, 6.9.
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { Bus } from '../bus.ts';
import { Clock } from '../clock.ts';
import { PhysicalMemory } from '../memory.ts';
import { PinControl } from '../vmx/controls.ts';
import { Field } from '../vmx/fields.ts';
import { NO_VMX } from '../vmx/hooks.ts';
import { EventType, IntrInfo } from '../vmx/qualification.ts';
import { enter, fixture, setControls } from '../vmx/vmx.fixture.ts';
import { buildProcessor } from './build.ts';
import { deliverEvent, deliverPendingFault } from './exceptions.ts';
import { CORE_DUO } from './model.ts';
import { initializeProcessor } from './reset.ts';
import { CS, EBX, ECX, EDX, ESP, Flag, SS, StateLayout } from './state.ts';

const memory = new PhysicalMemory(1 << 20);
const clock = new Clock();
const processor = buildProcessor(memory, new Bus(), clock, CORE_DUO, { deliverEvent, deliverPendingFault });
const { cpu } = processor;
const s = cpu.s;
let pins: number[] = [];
cpu.interrupts = {
  get intr() {
    return pins.length > 0;
  },
  acknowledge: () => pins.shift()!,
};

const IRET = 0xcf;
/** Handlers: inc ecx, nop, nop, nop, iret for NMI; inc edx, iret for the interrupt. */
const NMI_HANDLER = [0x41, 0x90, 0x90, 0x90, IRET];
const BLOCKED = 8;
const blocked = (): boolean => (s.get(StateLayout.interruptibility) & BLOCKED) !== 0;

const load = (address: number, bytes: readonly number[]): void => {
  memory.ram.set(bytes, address);
  processor.forgetCode(address >>> 12);
};
/** `code` at 1000h with a stack below 8000h. */
const start = (code: readonly number[], flags = 0): void => {
  load(0x1000, [...code, 0xeb, 0xfe]);
  s.setSegment(CS, 0, 0, 0xffff, 0x93);
  s.setSegment(SS, 0, 0, 0xffff, 0x93);
  s.eip = 0x1000;
  s.eflags = 2 | flags;
  s.setGpr(ESP, 0x8000);
};

beforeEach(() => {
  memory.ram.fill(0);
  cpu.vmx = NO_VMX;
  initializeProcessor(cpu);
  pins = [];
  memory.write32(2 * 4, 0x2000);
  memory.write32(0x20 * 4, 0x3000);
  load(0x2000, NMI_HANDLER);
  load(0x3000, [0x42, IRET]);
});

test('an NMI needs no IF; a second one waits for the IRET, a third is lost', () => {
  start([0x43, 0x43, 0x43, 0x43]);
  processor.run(clock.now + 2);
  cpu.raiseNmi();
  processor.run(clock.now + 1);
  assert.deepEqual([s.gpr(EBX), s.gpr(ECX), s.eip, blocked()], [2, 1, 0x2001, true]);
  assert.equal(memory.read16(s.gpr(ESP)), 0x1002);
  cpu.raiseNmi();
  cpu.raiseNmi();
  processor.run(clock.now + 3);
  assert.deepEqual([s.gpr(ECX), s.eip], [1, 0x2004], 'blocked');
  processor.run(clock.now + 2);
  assert.deepEqual([s.gpr(ECX), s.eip, s.gpr(EBX)], [2, 0x2001, 2], 'right behind the IRET');
  processor.run(clock.now + 8);
  assert.deepEqual([s.gpr(ECX), s.gpr(EBX), blocked()], [2, 4, false]);
});

test('NMI comes before INTR, which comes when the handler has returned', () => {
  start([0x43, 0x43], Flag.IF);
  pins = [0x20];
  cpu.raiseNmi();
  processor.run(clock.now + 1);
  assert.deepEqual([s.gpr(ECX), s.gpr(EDX) & 0xffff, pins.length], [1, 0x6e8, 1], 'EDX holds the signature');
  processor.run(clock.now + 5);
  assert.deepEqual([s.gpr(EDX) & 0xffff, pins.length, s.eip], [0x6e9, 0, 0x3001]);
});

test('it wakes from HLT, even with IF clear, and returns behind it', () => {
  start([0xf4, 0x43]);
  processor.run(clock.now + 10);
  assert.equal(s.get(StateLayout.activity), 1);
  const timer = clock.timer(() => cpu.raiseNmi());
  clock.arm(timer, clock.now + 100);
  processor.run(clock.now + 100 + 6);
  assert.deepEqual([s.gpr(ECX), s.gpr(EBX), s.get(StateLayout.activity)], [1, 1, 0]);
});

test('MOV SS holds it back for one instruction, STI does not', () => {
  for (const [code, returns] of [
    [[0x8e, 0xd0, 0x43, 0x43], 0x1003],
    [[0xfb, 0x43, 0x43], 0x1001],
  ] as const) {
    start(code);
    s.setGpr(0, 0);
    processor.run(clock.now + 1);
    cpu.raiseNmi();
    processor.run(clock.now + 2);
    assert.equal(memory.read16(0x8000 - 6), returns);
    s.set(StateLayout.interruptibility, 0);
  }
});

test('a VM exit takes it; what blocks it there is bit 3 without virtual NMIs, and MOV SS', () => {
  start([0x90, 0x90, 0x90]);
  let exits = 0;
  cpu.vmx = {
    ...NO_VMX,
    nonRoot: true,
    exitOnNmi: () => {
      exits++;
      cpu.vmExitPending = true;
      return true;
    },
  };
  cpu.raiseNmi();
  processor.run(clock.now + 3);
  assert.deepEqual([exits, s.eip, s.get(StateLayout.nmi)], [1, 0x1000, 0]);
  cpu.vmExitPending = false;

  for (const [controls, interruptibility, leaves] of [
    [PinControl.NMI_EXITING, 0, true],
    [PinControl.NMI_EXITING, BLOCKED, false],
    [PinControl.NMI_EXITING | PinControl.VIRTUAL_NMIS, BLOCKED, true],
    [0, 0, false],
  ] as const) {
    const f = fixture();
    setControls(f.vmx, Field.PIN_BASED_VM_EXEC_CONTROL, controls);
    enter(f);
    f.cpu.s.set(StateLayout.interruptibility, interruptibility);
    assert.equal(f.vmx.exitOnNmi(), leaves);
    if (!leaves) continue;
    assert.equal(f.vmx.vmread(Field.VM_EXIT_INTR_INFO), IntrInfo.encode(2, EventType.NMI, false));
  }
});
