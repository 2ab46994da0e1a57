// Events in VMX non-root operation: exception exits, events injected and interrupted, interrupts, NMIs, windows, pending debug exceptions,
// task switches. SDM vol. 3, 25.2, 26.5, 26.6, 27.2.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deliverPendingFault } from '../cpu/exceptions.ts';
import { Vector } from '../cpu/cpu.ts';
import { StateLayout } from '../cpu/state.ts';
import { ExitControl, PinControl, PrimaryControl } from './controls.ts';
import { ExitReason } from './exit-reasons.ts';
import { Field } from './fields.ts';
import { VM_SUCCEED } from './instruction-errors.ts';
import { EventType, IntrInfo } from './qualification.ts';
import * as at from './vmx.fixture.ts';
import { enter, fixture, handlerOf, operands, setControls } from './vmx.fixture.ts';

const PRIMARY = Field.CPU_BASED_VM_EXEC_CONTROL;
const PIN = Field.PIN_BASED_VM_EXEC_CONTROL;

test('exception exits: information, error code, address, RF of the saved image', () => {
  const f = fixture();
  f.vmx.vmwrite(Field.EXCEPTION_BITMAP, (1 << 14) | (1 << 3) | (1 << 1));
  enter(f);
  assert.equal(f.vmx.exitOnException(Vector.UD, undefined, 0), false);
  assert.equal(f.vmx.nonRoot, true);
  assert.equal(f.vmx.exitOnException(Vector.PF, 6, 0xc000_1234), true);
  assert.equal(f.vmx.vmread(Field.VM_EXIT_INTR_INFO), 0x8000_0b0e);
  assert.equal(f.vmx.vmread(Field.VM_EXIT_INTR_ERROR_CODE), 6);
  assert.equal(f.vmx.vmread(Field.EXIT_QUALIFICATION), 0xc000_1234);
  assert.equal(f.vmx.vmread(Field.GUEST_RFLAGS), 0x1_0202);
  assert.equal(f.cpu.s.cr2, 0);

  assert.equal(f.vmx.vmresume(), VM_SUCCEED);
  f.cpu.s.eflags = 0x202;
  assert.equal(f.vmx.exitOnException(Vector.BP, undefined, 0), true);
  assert.equal(f.vmx.vmread(Field.VM_EXIT_INTR_INFO), 0x8000_0603);
  assert.equal(f.vmx.vmread(Field.VM_EXIT_INSTRUCTION_LEN), 1);
  assert.equal(f.vmx.vmread(Field.GUEST_RFLAGS), 0x202);

  assert.equal(f.vmx.vmresume(), VM_SUCCEED);
  assert.equal(f.vmx.exitOnException(Vector.DB, undefined, 0x4002), true);
  assert.equal(f.vmx.vmread(Field.EXIT_QUALIFICATION), 0x4002);
  assert.equal(f.vmx.vmread(Field.GUEST_RFLAGS), 0x202);
});

test('a fault in delivering an event: IDT-vectoring information', () => {
  const f = fixture();
  f.vmx.vmwrite(Field.EXCEPTION_BITMAP, 1 << 14);
  enter(f);
  f.vmx.beginDelivery(0x80, EventType.SOFTWARE_INTERRUPT, undefined, 2);
  f.vmx.exitOnException(Vector.PF, 2, 0x1000);
  assert.equal(f.vmx.vmread(Field.IDT_VECTORING_INFO), 0x8000_0480);
  assert.equal(f.vmx.vmread(Field.VM_EXIT_INSTRUCTION_LEN), 2);
  assert.equal(f.vmx.vmresume(), VM_SUCCEED);
  f.vmx.beginDelivery(Vector.GP, EventType.HARDWARE_EXCEPTION, 0x10, 0);
  f.vmx.exitOnException(Vector.PF, 2, 0x1000);
  assert.equal(f.vmx.vmread(Field.IDT_VECTORING_INFO), 0x8000_0b0d);
  assert.equal(f.vmx.vmread(Field.IDT_VECTORING_ERROR_CODE), 0x10);
  assert.equal(f.vmx.vmresume(), VM_SUCCEED);
  f.vmx.beginDelivery(Vector.DF, EventType.HARDWARE_EXCEPTION, 0, 0);
  f.vmx.exitOnTripleFault();
  assert.equal(f.vmx.vmread(Field.VM_EXIT_REASON), ExitReason.TRIPLE_FAULT);
  assert.equal(f.vmx.vmread(Field.IDT_VECTORING_INFO), 0);
});

test('event injection goes through the guest IDT; its valid bit is cleared by the next exit', () => {
  const f = fixture();
  const { vmx, cpu, memory } = f;
  vmx.vmwrite(Field.VM_ENTRY_INTR_INFO, IntrInfo.encode(0x30, EventType.EXTERNAL_INTERRUPT, false));
  enter(f);
  assert.equal(cpu.s.eip, handlerOf(0x30));
  assert.equal(cpu.s.gpr(4), at.STACK - 12);
  assert.equal(memory.read32(at.STACK - 12), at.GUEST_CODE);
  assert.equal(cpu.s.eflags & 0x200, 0);
  assert.equal(vmx.delivering, false);
  vmx.exitOnInstruction(ExitReason.CPUID, 0, operands());
  assert.equal(vmx.vmread(Field.VM_ENTRY_INTR_INFO), 0x30);

  vmx.vmwrite(Field.GUEST_RIP, at.GUEST_CODE);
  vmx.vmwrite(Field.GUEST_RSP, at.STACK);
  vmx.vmwrite(Field.VM_ENTRY_INTR_INFO, IntrInfo.encode(0x80, EventType.SOFTWARE_INTERRUPT, false));
  vmx.vmwrite(Field.VM_ENTRY_INSTRUCTION_LEN, 2);
  assert.equal(vmx.vmresume(), VM_SUCCEED);
  assert.equal(cpu.s.eip, handlerOf(0x80));
  assert.equal(memory.read32(at.STACK - 12), at.GUEST_CODE + 2);
  vmx.exitOnInstruction(ExitReason.CPUID, 0, operands());

  vmx.vmwrite(Field.GUEST_RIP, at.GUEST_CODE);
  vmx.vmwrite(Field.GUEST_RSP, at.STACK);
  vmx.vmwrite(Field.VM_ENTRY_INTR_INFO, IntrInfo.encode(14, EventType.HARDWARE_EXCEPTION, true));
  vmx.vmwrite(Field.VM_ENTRY_EXCEPTION_ERROR_CODE, 5);
  vmx.vmwrite(Field.EXCEPTION_BITMAP, 0xffff_ffff);
  const cr2 = cpu.s.cr2;
  assert.equal(vmx.vmresume(), VM_SUCCEED);
  assert.equal(vmx.nonRoot, true, 'an injected exception is not subject to the exception bitmap');
  assert.equal(cpu.s.eip, handlerOf(14));
  assert.equal(memory.read32(at.STACK - 16), 5);
  assert.equal(cpu.s.cr2, cr2);
});

test('injecting an NMI blocks further ones; a fault in its delivery exits with IDT-vectoring information', () => {
  const f = fixture();
  f.vmx.vmwrite(Field.VM_ENTRY_INTR_INFO, IntrInfo.encode(2, EventType.NMI, false));
  enter(f);
  assert.equal(f.cpu.s.get(StateLayout.interruptibility), 8);
  f.vmx.exitOnInstruction(ExitReason.CPUID, 0, operands());
  f.vmx.vmwrite(Field.GUEST_INTERRUPTIBILITY_INFO, 0);
  f.vmx.vmwrite(Field.GUEST_IDTR_LIMIT, 0);
  f.vmx.vmwrite(Field.EXCEPTION_BITMAP, 1 << 13);
  f.vmx.vmwrite(Field.VM_ENTRY_INTR_INFO, IntrInfo.encode(2, EventType.NMI, false));
  assert.equal(f.vmx.vmresume(), VM_SUCCEED);
  assert.equal(f.vmx.exitPending, true);
  assert.equal(f.vmx.vmread(Field.VM_EXIT_REASON), 0);
  assert.equal(f.vmx.vmread(Field.VM_EXIT_INTR_INFO), 0x8000_0b0d);
  assert.equal(f.vmx.vmread(Field.IDT_VECTORING_INFO), 0x8000_0202);
  assert.equal(f.vmx.vmread(Field.GUEST_RIP), f.cpu.s.eip);
});

test('without a usable IDT a guest fault becomes a triple-fault exit', () => {
  const f = fixture();
  f.vmx.vmwrite(Field.GUEST_IDTR_LIMIT, 0);
  enter(f);
  f.cpu.raise(Vector.UD);
  deliverPendingFault(f.cpu);
  assert.equal(f.vmx.exitPending, true);
  assert.equal(f.vmx.vmread(Field.VM_EXIT_REASON), ExitReason.TRIPLE_FAULT);
});

test('external interrupts: exit with and without acknowledging, none without the control', () => {
  const f = fixture();
  enter(f);
  assert.equal(f.vmx.exitOnExternalInterrupt(), false);
  f.vmx.exitOnInstruction(ExitReason.CPUID, 0, operands());
  setControls(f.vmx, PIN, PinControl.EXTERNAL_INTERRUPT_EXITING);
  f.vmx.vmresume();
  f.cpu.s.set(StateLayout.activity, 1);
  assert.equal(f.vmx.exitOnExternalInterrupt(), true);
  assert.equal(f.vmx.vmread(Field.VM_EXIT_REASON), 1);
  assert.equal(f.vmx.vmread(Field.VM_EXIT_INTR_INFO), 0);
  assert.equal(f.vmx.vmread(Field.GUEST_ACTIVITY_STATE), 1);
  setControls(f.vmx, Field.VM_EXIT_CONTROLS, ExitControl.ACKNOWLEDGE_INTERRUPT_ON_EXIT);
  f.vmx.vmresume();
  f.vmx.exitOnExternalInterrupt();
  assert.equal(f.vmx.vmread(Field.VM_EXIT_INTR_INFO), 0x8000_0077);
});

test('interrupt window: only with IF and without blocking by STI or MOV SS', () => {
  const f = fixture();
  setControls(f.vmx, PRIMARY, PrimaryControl.INTERRUPT_WINDOW_EXITING);
  enter(f);
  assert.equal(f.vmx.boundaryWatch, true);
  assert.equal(f.vmx.boundaryStep, false);
  f.cpu.s.eflags = 2;
  assert.equal(f.vmx.exitAtBoundary(), false);
  f.cpu.s.eflags = 0x202;
  for (const blocking of [1, 2]) {
    f.cpu.s.set(StateLayout.interruptibility, blocking);
    assert.equal(f.vmx.exitOnInterruptWindow(), false);
  }
  f.cpu.s.set(StateLayout.interruptibility, 8);
  assert.equal(f.vmx.exitAtBoundary(), true);
  assert.equal(f.vmx.vmread(Field.VM_EXIT_REASON), ExitReason.INTERRUPT_WINDOW);
  assert.equal(f.vmx.boundaryWatch, false);
});

test('NMIs: exiting, virtual blocking, the NMI window, and the processor blocked after the exit', () => {
  const f = fixture();
  setControls(f.vmx, PIN, PinControl.NMI_EXITING | PinControl.VIRTUAL_NMIS);
  setControls(f.vmx, PRIMARY, PrimaryControl.NMI_WINDOW_EXITING);
  f.vmx.vmwrite(Field.GUEST_INTERRUPTIBILITY_INFO, 8);
  enter(f);
  assert.equal(f.vmx.exitAtBoundary(), false);
  assert.equal(f.vmx.exitOnNmi(), true);
  assert.equal(f.vmx.vmread(Field.VM_EXIT_INTR_INFO), 0x8000_0202);
  assert.equal(f.cpu.s.get(StateLayout.interruptibility), 8, 'blocked in root operation');
  assert.equal(f.vmx.vmread(Field.GUEST_INTERRUPTIBILITY_INFO), 8, 'the virtual blocking of the guest');
  f.vmx.vmwrite(Field.GUEST_INTERRUPTIBILITY_INFO, 0);
  f.vmx.vmresume();
  assert.equal(f.vmx.exitAtBoundary(), true);
  assert.equal(f.vmx.vmread(Field.VM_EXIT_REASON), ExitReason.NMI_WINDOW);
  assert.equal(f.cpu.s.get(StateLayout.interruptibility), 8, 'still physically blocked');
});

test('pending debug exceptions: delivered at the first boundary, or an exit with their bits', () => {
  for (const intercepted of [false, true]) {
    const f = fixture();
    f.vmx.vmwrite(Field.GUEST_PENDING_DBG_EXCEPTIONS, 0x1001);
    f.vmx.vmwrite(Field.EXCEPTION_BITMAP, intercepted ? 2 : 0);
    enter(f);
    assert.equal(f.vmx.boundaryStep, true);
    assert.equal(f.vmx.exitAtBoundary(), intercepted);
    if (intercepted) {
      assert.equal(f.vmx.vmread(Field.EXIT_QUALIFICATION), 1);
      assert.equal(f.vmx.vmread(Field.GUEST_PENDING_DBG_EXCEPTIONS), 0);
    } else {
      assert.equal(f.cpu.s.eip, handlerOf(1));
      assert.equal(f.cpu.s.dr(6) & 0xf, 1);
      assert.equal(f.vmx.boundaryStep, false);
    }
  }
});

test('task switch: qualification, length, IDT vectoring of a task gate', () => {
  const f = fixture();
  enter(f);
  f.vmx.exitOnTaskSwitch(0x28, 2, 7, 2);
  assert.equal(f.vmx.vmread(Field.VM_EXIT_REASON), ExitReason.TASK_SWITCH);
  assert.equal(f.vmx.vmread(Field.EXIT_QUALIFICATION), 0x8000_0028);
  assert.equal(f.vmx.vmread(Field.VM_EXIT_INSTRUCTION_LEN), 7);
  f.vmx.vmresume();
  f.vmx.beginDelivery(8, EventType.HARDWARE_EXCEPTION, 0, 0);
  f.vmx.exitOnTaskSwitch(0x30, 3, 0, 0x1_0002);
  assert.equal(f.vmx.vmread(Field.GUEST_RFLAGS) & 0x1_0000, 0x1_0000, "RF as the old task's TSS would have it");
  assert.equal(f.vmx.vmread(Field.EXIT_QUALIFICATION), 0xc000_0030);
  assert.equal(f.vmx.vmread(Field.IDT_VECTORING_INFO), 0x8000_0b08);
});
