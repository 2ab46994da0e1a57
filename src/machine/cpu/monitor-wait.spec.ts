// MONITOR and MWAIT on a running processor: what arms, what wakes, what disarms. SDM vol. 3, 8.10.4.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BareProcessor } from '../../../test/support/bare-processor.ts';
import { enter, fixture, GDT, IDT, operands, STACK } from '../vmx/vmx.fixture.ts';
import { deliverEvent } from './exceptions.ts';
import { monitor, mwait } from './monitor-wait.ts';
import { resetMsrs, writeMsr } from './msr.ts';
import { CORE_DUO, cpuidLeaf } from './model.ts';
import { cpuid } from './cpuid.ts';
import { EAX, ECX, Flag, StateLayout } from './state.ts';

const LINE = 0x5040;
/** monitor; nop; nop; mwait; inc ebx; jmp to itself. */
const WAIT = [0x0f, 0x01, 0xc8, 0x90, 0x90, 0x0f, 0x01, 0xc9, 0x43, 0xeb, 0xfe];
/** monitor; mov [5044h], eax; mwait; inc ebx; jmp to itself. */
const STORE = [0x0f, 0x01, 0xc8, 0xa3, 0x44, 0x50, 0, 0, 0x0f, 0x01, 0xc9, 0x43, 0xeb, 0xfe];

const started = (code: readonly number[]): BareProcessor => {
  const p = new BareProcessor();
  resetMsrs(p.cpu);
  p.load(0x1000, code);
  const s = p.cpu.s;
  s.eip = 0x1000;
  s.setGpr(EAX, LINE + 0x30);
  return p;
};
const waits = (p: BareProcessor): boolean => p.cpu.s.get(StateLayout.activity) === 1;
const went = (p: BareProcessor): number => p.cpu.s.gpr(3);

test('MWAIT waits until somebody else stores to the line, and only the line', () => {
  const p = started(WAIT);
  p.run(100);
  assert.deepEqual([waits(p), p.processor.retired, p.clock.now], [true, 4, 100]);
  p.cpu.mmu.pages.noteStore(LINE - 4, 4);
  p.cpu.mmu.pages.noteStore(LINE + 64, 4);
  assert.equal(waits(p), true);
  p.cpu.mmu.pages.noteStore(LINE - 1, 2);
  assert.equal(waits(p), false);
  p.run(10);
  assert.equal(went(p), 1);
});

test('a timer of the machine that stores wakes it at its exact cycle', () => {
  const p = started(WAIT);
  const timer = p.clock.timer(() => p.cpu.mmu.pages.noteStore(LINE + 8, 1));
  p.clock.arm(timer, 50);
  p.run(60);
  assert.deepEqual([went(p), p.processor.retired], [1, 4 + 10]);
});

test("the processor's own store between the two disarms: no wait", () => {
  const p = started(STORE);
  p.run(10);
  assert.deepEqual([waits(p), went(p)], [false, 1]);
  // The page takes direct stores again.
  assert.equal(p.cpu.mmu.pages.of[LINE >>> 12], 0);
  const other = started([...STORE.slice(0, 4), 0x80, ...STORE.slice(5)]);
  other.run(10);
  assert.deepEqual([waits(other), went(other)], [true, 0]);
});

test('an interrupt ends the wait, and the next MWAIT does not wait without another MONITOR', () => {
  const f = fixture({ bare: true });
  f.vmx.vmxoff();
  const { s } = f.cpu;
  s.setGpr(EAX, 0x1000);
  s.setGpr(ECX, 0);
  assert.ok(monitor(f.cpu, operands({})) && mwait(f.cpu, operands({})));
  assert.equal(s.get(StateLayout.activity), 1);
  for (const [register, base] of [
    [StateLayout.idtrBase, IDT],
    [StateLayout.gdtrBase, GDT],
  ] as const) {
    // prettier-ignore
    s.set(register, base);
    s.set(register + 4, 0x7ff);
  }
  s.setGpr(4, STACK);
  assert.ok(deliverEvent(f.cpu, 0x20, 0, undefined, 0));
  assert.equal(s.get(StateLayout.activity), 0);
  assert.ok(mwait(f.cpu, operands({})));
  assert.equal(s.get(StateLayout.activity), 0);
});

test('with ECX bit 0, a masked interrupt ends the wait without being delivered', () => {
  for (const extension of [0, 1]) {
    // monitor; mov ecx, extension; mwait; inc ebx; jmp to itself
    const p = started([0x0f, 0x01, 0xc8, 0xb9, extension, 0, 0, 0, 0x0f, 0x01, 0xc9, 0x43, 0xeb, 0xfe]);
    let pending = false;
    p.cpu.interrupts = { get intr() { return pending; }, acknowledge: () => assert.fail('delivered') }; // prettier-ignore
    p.run(10);
    assert.equal(waits(p), true);
    pending = true;
    p.run(10);
    assert.deepEqual([waits(p), went(p)], [extension === 0, extension]);
  }
});

test('#UD outside level 0, without the feature, and with IA32_MISC_ENABLE.18 clear, which CPUID shows; #GP for extensions', () => {
  const f = fixture({ bare: true });
  const { cpu } = f;
  const s = cpu.s;
  f.vmx.vmxoff();
  const fault = (helper: typeof monitor): number => {
    assert.equal(helper(cpu, operands({})), false);
    const vector = s.get(StateLayout.faultVector) - 1;
    cpu.clearFault();
    return vector;
  };
  s.setGpr(EAX, 0x1000);
  assert.equal(monitor(cpu, operands({})), true);
  s.setGpr(ECX, 2);
  for (const helper of [monitor, mwait]) assert.equal(fault(helper), 13);
  s.setGpr(ECX, 1);
  assert.equal(fault(monitor), 13);
  s.setGpr(ECX, 0);
  s.cpl = 3;
  for (const helper of [monitor, mwait]) assert.equal(fault(helper), 6);
  s.cpl = 0;
  assert.equal(writeMsr(cpu, 0x1a0, 1, 0), true);
  for (const helper of [monitor, mwait]) assert.equal(fault(helper), 6);
  s.setGpr(EAX, 1);
  cpuid(cpu, operands({}));
  assert.equal(s.gpr(ECX) & 8, 0);
  assert.equal(cpuidLeaf(CORE_DUO, 1, 0).ecx & 8, 8);
});

test('memory that is not plain RAM is not watched; a refused load is the fault of MONITOR', () => {
  const f = fixture({ bare: true });
  f.vmx.vmxoff();
  const { s } = f.cpu;
  s.setGpr(EAX, 0x3f_f000);
  f.bus.claimMemory(0x3f_f000, 0x1000, {} as never);
  assert.equal(monitor(f.cpu, operands({})), true);
  assert.equal(mwait(f.cpu, operands({})), true);
  assert.equal(s.get(StateLayout.activity), 0);
  s.setGpr(EAX, 0x9999_9999);
  assert.equal(monitor(f.cpu, operands({})), false);
  assert.equal(s.get(StateLayout.faultVector) - 1, 14);
});

test('a VM entry and a VM exit disarm', () => {
  const f = fixture();
  const { s } = f.cpu;
  s.setGpr(EAX, 0x1000);
  s.eflags &= ~Flag.VM;
  assert.equal(monitor(f.cpu, operands({})), true);
  assert.equal(s.get(StateLayout.monitor), 1);
  enter(f);
  assert.equal(s.get(StateLayout.monitor), 0);
});
