// VMX operation as a whole: VMX instructions, what entries load and exits save, the hooks of instructions, MSR areas, the modern model's
// features, the instruction emulated for root software. Events in events.spec.ts. SDM vol. 3, chapters 25 to 30.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { deliverEvent } from '../cpu/exceptions.ts';
import { MODERN } from '../cpu/model.ts';
import { readGuestTsc } from '../cpu/msr.ts';
import { MsrSlot } from '../cpu/msr-rows.ts';
import { CS, DS, ES, FS, LDTR, SS, StateLayout, TR } from '../cpu/state.ts';
import { ExitControl, PinControl, PrimaryControl, SecondaryControl } from './controls.ts';
import { ExitReason } from './exit-reasons.ts';
import { Field } from './fields.ts';
import { InstructionError, VM_FAIL_INVALID, VM_SUCCEED } from './instruction-errors.ts';
import { EventType, IntrInfo } from './qualification.ts';
import * as at from './vmx.fixture.ts';
import { enter, fixture, handlerOf, operands, setControls } from './vmx.fixture.ts';

const PRIMARY = Field.CPU_BASED_VM_EXEC_CONTROL;
const PIN = Field.PIN_BASED_VM_EXEC_CONTROL;

test('VMfail results of the root instructions (SDM 30.3, 30.4)', () => {
  const { vmx, memory } = fixture();
  assert.equal(vmx.vmxon(0x5000), InstructionError.VMXON_IN_ROOT);
  assert.equal(vmx.vmread(Field.VM_INSTRUCTION_ERROR), 15);
  assert.equal(vmx.vmclear(0x123), InstructionError.VMCLEAR_INVALID_ADDRESS);
  assert.equal(vmx.vmclear(2 ** 33), InstructionError.VMCLEAR_INVALID_ADDRESS);
  assert.equal(vmx.vmclear(at.VMXON_REGION), InstructionError.VMCLEAR_VMXON_POINTER);
  assert.equal(vmx.vmptrld(0x123), InstructionError.VMPTRLD_INVALID_ADDRESS);
  assert.equal(vmx.vmptrld(at.VMXON_REGION), InstructionError.VMPTRLD_VMXON_POINTER);
  memory.write32(at.OTHER_VMCS, 0x7777);
  assert.equal(vmx.vmptrld(at.OTHER_VMCS), InstructionError.VMPTRLD_WRONG_REVISION);
  assert.equal(vmx.currentPointer, at.VMCS_REGION);
  assert.equal(vmx.vmwrite(Field.VM_EXIT_REASON, 1), InstructionError.VMWRITE_READ_ONLY);
  assert.equal(vmx.vmwrite(Field.VIRTUAL_PROCESSOR_ID, 1), InstructionError.UNSUPPORTED_COMPONENT);
  assert.equal(vmx.vmwrite(0xffff_fffe, 1), InstructionError.UNSUPPORTED_COMPONENT);
  assert.throws(() => vmx.vmread(Field.EPT_POINTER));
  assert.equal(vmx.vmresume(), InstructionError.VMRESUME_NOT_LAUNCHED);
  assert.equal(vmx.vmclear(at.VMCS_REGION), VM_SUCCEED);
  assert.equal(vmx.currentPointer, -1);
  assert.equal(vmx.vmlaunch(), VM_FAIL_INVALID);
  assert.equal(vmx.vmwrite(Field.GUEST_RIP, 1), VM_FAIL_INVALID);
  assert.equal(vmx.vmxoff(), VM_SUCCEED);
  assert.equal(vmx.vmxon(0x5000), VM_FAIL_INVALID);
});

test('the launch state decides between VMLAUNCH and VMRESUME', () => {
  const f = fixture();
  enter(f);
  f.vmx.exitOnInstruction(ExitReason.CPUID, 0, operands());
  assert.equal(f.vmx.vmlaunch(), InstructionError.VMLAUNCH_NOT_CLEAR);
  assert.equal(f.vmx.vmresume(), VM_SUCCEED);
  assert.equal(f.vmx.nonRoot, true);
});

test('an entry loads the guest; the exit that follows saves the same guest and says why', () => {
  const f = fixture();
  const { vmx, cpu } = f;
  const s = cpu.s;
  vmx.vmwrite(Field.GUEST_ES_SELECTOR + 2 * FS, 0);
  vmx.vmwrite(Field.GUEST_ES_AR_BYTES + 2 * FS, 0x1_0000);
  vmx.vmwrite(Field.GUEST_SYSENTER_CS, 0x60);
  vmx.vmwrite(Field.GUEST_SYSENTER_ESP, 0x1111);
  vmx.vmwrite(Field.GUEST_SYSENTER_EIP, 0x2222);
  vmx.vmwrite(Field.GUEST_DR7, 0xffff_dfff);
  vmx.vmwrite(Field.GUEST_RFLAGS, 0x0cd7);
  vmx.vmwrite(Field.GUEST_INTERRUPTIBILITY_INFO, 8);
  enter(f);
  assert.equal(s.eip, at.GUEST_CODE);
  assert.equal(s.eflags, 0xcd7);
  assert.equal(s.selector(CS), at.CODE_SELECTOR);
  assert.equal(s.access(FS), 0x1_0000);
  assert.equal(s.limit(DS), 0xffff_ffff);
  assert.equal(s.base(TR), 0x7000);
  assert.equal(s.cpl, 0);
  assert.equal(s.dr(7), 0xffff_07ff);
  assert.equal(s.msrLow(MsrSlot.SYSENTER_EIP), 0x2222);
  assert.equal(s.get(StateLayout.interruptibility), 8);
  assert.equal(s.get(StateLayout.idtrLimit), 0x7ff);
  assert.equal(cpu.modeDirty, true);

  s.setGpr(4, 0x1_2340);
  s.eip = at.GUEST_CODE + 0x10;
  s.eflags |= 0x1_0000;
  assert.equal(vmx.exitOnInstruction(ExitReason.CPUID, 0, operands({ eip: at.GUEST_CODE + 0x10 })), true);
  assert.equal(vmx.nonRoot, false);
  assert.equal(vmx.exitPending, true);
  assert.equal(cpu.vmExitPending, true);
  assert.deepEqual(f.exits, [ExitReason.CPUID]);
  const read = (field: number): number => vmx.vmread(field);
  assert.equal(read(Field.VM_EXIT_REASON), ExitReason.CPUID);
  assert.equal(read(Field.VM_EXIT_INSTRUCTION_LEN), 2);
  assert.equal(read(Field.VM_EXIT_INTR_INFO), 0);
  assert.equal(read(Field.IDT_VECTORING_INFO), 0);
  assert.equal(read(Field.GUEST_RIP), at.GUEST_CODE + 0x10);
  assert.equal(read(Field.GUEST_RSP), 0x1_2340);
  assert.equal(read(Field.GUEST_RFLAGS), 0xcd7);
  assert.equal(read(Field.GUEST_INTERRUPTIBILITY_INFO), 8);
  assert.equal(read(Field.GUEST_DR7), 0xffff_07ff);
  assert.equal(read(Field.GUEST_ES_AR_BYTES + 2 * FS), 0x1_0000);
});

test('property: CR0 bits that VMX does not load or save keep their value; all others round-trip', () => {
  const f = fixture();
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0xffff_ffff }), fc.integer({ min: 0, max: 0xffff_ffff }), (now, guest) => {
      f.cpu.s.cr0 = now;
      f.vmx.vmclear(at.VMCS_REGION);
      f.vmx.vmptrld(at.VMCS_REGION);
      f.vmx.vmwrite(Field.GUEST_CR0, (guest | 0x8000_0021) >>> 0);
      enter(f);
      for (let bit = 0; bit < 32; bit++) {
        const kept = bit === 4 || (bit >= 6 && bit <= 15) || bit === 17 || (bit >= 19 && bit <= 30);
        const wanted = kept ? now : guest | 0x8000_0021;
        assert.equal((f.cpu.s.cr0 >>> bit) & 1, (wanted >>> bit) & 1, `bit ${bit}`);
      }
      f.vmx.exitOnInstruction(ExitReason.CPUID, 0, operands());
      assert.equal(f.vmx.vmread(Field.GUEST_CR0), f.cpu.s.cr0);
    }),
  );
});

test('control-register hooks: qualification by register and kind', () => {
  const f = fixture();
  f.vmx.vmwrite(Field.CR0_GUEST_HOST_MASK, 0x9);
  f.vmx.vmwrite(Field.CR0_READ_SHADOW, 0x8);
  f.vmx.vmwrite(Field.CR4_GUEST_HOST_MASK, 0x2000);
  enter(f);
  const { vmx } = f;
  assert.equal(vmx.readCr(0), 0x8000_0038);
  assert.equal(vmx.readCr(4), 0x10);
  assert.equal(vmx.exitOnMovToCr(0, 0x8000_0038, operands({ rm: 3 })), false);
  assert.equal(vmx.mergeCr(0, 0x8000_0038), 0x8000_0031);
  const cases: [() => boolean, number][] = [
    [() => vmx.exitOnMovToCr(0, 1, operands({ rm: 3 })), 0x300],
    [() => vmx.exitOnMovToCr(3, 0x1000, operands({ rm: 7 })), 0x703],
    [() => vmx.exitOnMovFromCr(3, operands({ rm: 1 })), 0x113],
    [() => vmx.exitOnMovToCr(4, 0x2010, operands({ rm: 0 })), 0x004],
    [() => vmx.exitOnClts(operands()), 0x20],
    [() => vmx.exitOnLmsw(0xfff1, 0, operands()), 0xfff1_0030],
    [() => vmx.exitOnLmsw(0xfff1, 0x1234, operands({ memory: true })), 0xfff1_0070],
  ];
  for (const [exits, qualification] of cases) {
    if (!vmx.nonRoot) vmx.vmresume();
    assert.equal(exits(), true);
    assert.equal(vmx.vmread(Field.VM_EXIT_REASON), ExitReason.CR_ACCESS);
    assert.equal(vmx.vmread(Field.EXIT_QUALIFICATION), qualification);
  }
  assert.equal(vmx.vmread(Field.GUEST_LINEAR_ADDRESS), 0x1234);
});

test('MOV DR, I/O and MSR hooks: qualification and instruction information', () => {
  const f = fixture();
  setControls(f.vmx, PRIMARY, PrimaryControl.MOV_DR_EXITING | PrimaryControl.UNCONDITIONAL_IO_EXITING);
  enter(f);
  const { vmx } = f;
  assert.equal(vmx.exitOnMovDr(7, true, operands({ rm: 2 })), true);
  assert.equal(vmx.vmread(Field.EXIT_QUALIFICATION), 0x217);
  vmx.vmresume();
  vmx.exitOnIo(0x1f0, 2, true, true, false, 0x9000, operands({ rep: 0xf3, segment: ES }));
  assert.equal(vmx.vmread(Field.EXIT_QUALIFICATION), 0x01f0_0039);
  assert.equal(vmx.vmread(Field.GUEST_LINEAR_ADDRESS), 0x9000);
  assert.equal(vmx.vmread(Field.VM_EXIT_INSTRUCTION_INFO), 0x80);
  vmx.vmresume();
  vmx.exitOnIo(0x1f0, 4, false, true, false, 0x9000, operands({ addressSize: 16, segment: FS }));
  assert.equal(vmx.vmread(Field.VM_EXIT_INSTRUCTION_INFO), FS << 15);
  vmx.vmresume();
  vmx.exitOnMsr(0x10, true, operands());
  assert.equal(vmx.vmread(Field.VM_EXIT_REASON), ExitReason.WRMSR);
});

test('the TSC offset is seen by the guest only', () => {
  const f = fixture();
  f.clock.set(1000);
  setControls(f.vmx, PRIMARY, PrimaryControl.USE_TSC_OFFSETTING);
  f.vmx.vmwrite(Field.TSC_OFFSET, -400 >>> 0);
  f.vmx.vmwrite(Field.TSC_OFFSET + 1, 0xffff_ffff);
  const out = { low: 0, high: 0 };
  enter(f);
  readGuestTsc(f.cpu, out);
  assert.deepEqual(out, { low: 600, high: 0 });
  f.vmx.exitOnInstruction(ExitReason.CPUID, 0, operands());
  readGuestTsc(f.cpu, out);
  assert.deepEqual(out, { low: 1000, high: 0 });
});

test('MSR areas: loaded on entry, stored and loaded on exit; a bad entry is reason 34 with its number', () => {
  const f = fixture({ bare: true });
  const { vmx, memory, cpu } = f;
  const area = (address: number, index: number, low: number): void => {
    memory.write32(address, index);
    memory.write32(address + 4, 0);
    memory.write32(address + 8, low);
    memory.write32(address + 12, 0);
  };
  area(at.MSR_AREA, 0x175, 0);
  area(at.MSR_AREA + 0x100, 0x176, 0xbeef);
  area(at.MSR_AREA + 0x200, 0x175, 0xcafe);
  vmx.vmwrite(Field.VM_EXIT_MSR_STORE_COUNT, 1);
  vmx.vmwrite(Field.VM_EXIT_MSR_LOAD_COUNT, 1);
  vmx.vmwrite(Field.VM_ENTRY_MSR_LOAD_COUNT, 1);
  enter(f);
  assert.equal(cpu.s.msrLow(MsrSlot.SYSENTER_ESP), 0xcafe);
  vmx.exitOnInstruction(ExitReason.CPUID, 0, operands());
  assert.equal(memory.read32(at.MSR_AREA + 8), 0xcafe);
  assert.equal(cpu.s.msrLow(MsrSlot.SYSENTER_EIP), 0xbeef);
  area(at.MSR_AREA + 0x210, 0x1234_5678, 0);
  vmx.vmwrite(Field.VM_ENTRY_MSR_LOAD_COUNT, 2);
  assert.equal(vmx.vmresume(), VM_SUCCEED);
  assert.equal(vmx.nonRoot, false);
  assert.equal(vmx.vmread(Field.VM_EXIT_REASON), 0x8000_0022);
  assert.equal(vmx.vmread(Field.EXIT_QUALIFICATION), 2);
  assert.equal(cpu.s.eip, at.HOST_CODE);
});

test('an MSR-store area that names no MSR aborts the exit', () => {
  const f = fixture({ bare: true });
  f.vmx.vmwrite(Field.VM_EXIT_MSR_STORE_COUNT, 1);
  f.memory.write32(at.MSR_AREA, 0x1234_5678);
  enter(f);
  f.vmx.exitOnInstruction(ExitReason.CPUID, 0, operands());
  assert.equal(f.vmx.aborted, 1);
  assert.equal(f.memory.read32(at.VMCS_REGION + 4), 1);
  assert.equal(f.cpu.s.get(StateLayout.activity), 2);
});

test('bare: an exit loads host state in full (SDM 27.5)', () => {
  const f = fixture({ bare: true });
  const { vmx, cpu } = f;
  const s = cpu.s;
  vmx.vmwrite(Field.HOST_ES_SELECTOR, 0);
  vmx.vmwrite(Field.HOST_SYSENTER_CS, 0x77);
  vmx.vmwrite(Field.HOST_FS_SELECTOR, at.DATA_SELECTOR);
  vmx.vmwrite(Field.HOST_FS_BASE, 0x1_2345);
  vmx.vmwrite(Field.GUEST_INTERRUPTIBILITY_INFO, 1);
  enter(f);
  s.setDr(7, 0x401);
  vmx.exitOnInstruction(ExitReason.CPUID, 0, operands());
  assert.equal(vmx.exitPending, false);
  assert.equal(s.eip, at.HOST_CODE);
  assert.equal(cpu.nextEip, at.HOST_CODE);
  assert.equal(s.gpr(4), 0x2_8000);
  assert.equal(s.eflags, 2);
  assert.equal(s.dr(7), 0x400);
  assert.equal(s.cpl, 0);
  assert.equal(s.access(CS), 0xc09b);
  assert.equal(s.access(SS), 0xc093);
  assert.equal(s.access(ES) >>> 16, 1);
  assert.equal(s.base(FS), 0x1_2345);
  assert.equal(s.base(TR), 0x6000);
  assert.equal(s.limit(TR), 0x67);
  assert.equal(s.access(LDTR) >>> 16, 1);
  assert.equal(s.get(StateLayout.gdtrLimit), 0xffff);
  assert.equal(s.msrLow(MsrSlot.SYSENTER_CS), 0x77);
  assert.equal(s.get(StateLayout.interruptibility), 0);
  assert.equal(vmx.vmread(Field.GUEST_INTERRUPTIBILITY_INFO), 1);
});

test('modern: monitor trap flag after one instruction, or at once after an injection or another event', () => {
  const f = fixture({ model: MODERN });
  setControls(f.vmx, PRIMARY, PrimaryControl.MONITOR_TRAP_FLAG);
  enter(f);
  assert.equal(f.vmx.boundaryStep, true);
  assert.equal(f.vmx.exitAtBoundary(), false);
  assert.equal(f.vmx.exitAtBoundary(), false, 'asked again before the instruction');
  f.vmx.beginStep();
  assert.equal(f.vmx.exitAtBoundary(), true);
  assert.equal(f.vmx.vmread(Field.VM_EXIT_REASON), ExitReason.MONITOR_TRAP_FLAG);
  f.vmx.vmwrite(Field.VM_ENTRY_INTR_INFO, IntrInfo.encode(0x30, 0, false));
  f.vmx.vmresume();
  assert.equal(f.cpu.s.eip, handlerOf(0x30));
  assert.equal(f.vmx.exitAtBoundary(), true);
  f.vmx.vmwrite(Field.VM_ENTRY_INTR_INFO, 0);
  f.vmx.vmresume();
  assert.equal(f.vmx.exitAtBoundary(), false);
  assert.equal(deliverEvent(f.cpu, 0x31, EventType.EXTERNAL_INTERRUPT, undefined, 0), true);
  assert.equal(f.vmx.exitAtBoundary(), true);
  assert.equal(f.vmx.vmread(Field.VM_EXIT_REASON), ExitReason.MONITOR_TRAP_FLAG);
  assert.equal(f.vmx.vmread(Field.GUEST_RIP), handlerOf(0x31));
});

test('modern: the preemption timer counts in units of 32 cycles and saves what is left', () => {
  const f = fixture({ model: MODERN });
  f.clock.set(100);
  setControls(f.vmx, PIN, PinControl.ACTIVATE_PREEMPTION_TIMER);
  setControls(f.vmx, Field.VM_EXIT_CONTROLS, ExitControl.SAVE_PREEMPTION_TIMER);
  f.vmx.vmwrite(Field.GUEST_PREEMPTION_TIMER, 10);
  enter(f);
  assert.equal(f.clock.nextDeadline, (3 + 10) * 32);
  f.clock.set(200);
  f.vmx.exitOnInstruction(ExitReason.CPUID, 0, operands());
  assert.equal(f.vmx.vmread(Field.GUEST_PREEMPTION_TIMER), 13 - 6);
  assert.equal(f.clock.nextDeadline, Infinity);
  f.vmx.vmresume();
  f.clock.set(f.clock.nextDeadline);
  f.clock.runDue();
  assert.equal(f.vmx.boundaryWatch, true);
  assert.equal(f.vmx.exitAtBoundary(), true);
  assert.equal(f.vmx.vmread(Field.VM_EXIT_REASON), ExitReason.PREEMPTION_TIMER);
  assert.equal(f.vmx.vmread(Field.GUEST_PREEMPTION_TIMER), 0);
});

test('modern: descriptor-table exiting', () => {
  const f = fixture({ model: MODERN });
  setControls(f.vmx, PRIMARY, PrimaryControl.ACTIVATE_SECONDARY_CONTROLS);
  f.vmx.vmwrite(Field.SECONDARY_VM_EXEC_CONTROL, SecondaryControl.DESCRIPTOR_TABLE_EXITING);
  // lgdt [eax*4 + 0x12345678]
  [0x0f, 0x01, 0x14, 0x85, 0x78, 0x56, 0x34, 0x12].forEach((byte, i) => f.memory.write8(at.GUEST_CODE + i, byte));
  enter(f);
  f.vmx.exitOnDescriptorTable(
    ExitReason.GDTR_IDTR_ACCESS,
    2,
    operands({ length: 8, reg: 2, memory: true, offset: 0x1234_5678 }),
  );
  assert.equal(f.vmx.vmread(Field.EXIT_QUALIFICATION), 0x1234_5678);
  const info = f.vmx.vmread(Field.VM_EXIT_INSTRUCTION_INFO);
  assert.equal(info & 3, 2, 'scale by 4');
  assert.equal((info >>> 7) & 7, 1, '32-bit addresses');
  assert.equal((info >>> 18) & 15, 0, 'index EAX');
  assert.equal((info >>> 22) & 1, 0);
  assert.equal((info >>> 27) & 1, 1, 'no base');
  assert.equal((info >>> 28) & 3, 2, 'LGDT');
});

test('an instruction emulated for the hypervisor that would exit says why and changes nothing else', () => {
  const f = fixture();
  enter(f);
  f.vmx.exitOnInstruction(ExitReason.CPUID, 0, operands());
  const before = f.vmx.vmread(Field.GUEST_RIP);
  f.exits.length = 0;
  f.cpu.s.eip = before + 5;
  f.vmx.exitPending = false;
  f.vmx.nonRoot = true;
  f.cpu.mmu.access = { read: () => 0, write: () => true, probeWrite: () => true };
  assert.equal(f.vmx.exitOnInstruction(ExitReason.INVD, 0, operands()), true);
  assert.equal(f.vmx.exitPending, true);
  assert.equal(f.vmx.vmread(Field.VM_EXIT_REASON), ExitReason.INVD);
  assert.equal(f.vmx.vmread(Field.GUEST_RIP), before);
  assert.deepEqual(f.exits, []);
});

test('a snapshot restores the mode, the current VMCS and what is pending', () => {
  const f = fixture({ model: MODERN });
  setControls(f.vmx, PRIMARY, PrimaryControl.MONITOR_TRAP_FLAG | PrimaryControl.USE_TSC_OFFSETTING);
  f.vmx.vmwrite(Field.TSC_OFFSET, 55);
  enter(f);
  const state = f.vmx.saveState();
  f.vmx.exitOnInstruction(ExitReason.CPUID, 0, operands());
  f.vmx.vmxoff();
  f.vmx.loadState(state);
  assert.equal(f.vmx.nonRoot, true);
  assert.equal(f.vmx.inVmx, true);
  assert.equal(f.vmx.exitPending, false);
  assert.equal(f.vmx.currentPointer, at.VMCS_REGION);
  assert.equal(f.vmx.tscOffsetLow, 55);
  assert.deepEqual(f.vmx.saveState(), state);
  assert.equal(f.vmx.exitAtBoundary(), false);
  f.vmx.beginStep();
  assert.equal(f.vmx.exitAtBoundary(), true);
  assert.throws(() => f.vmx.loadState([1, 2]));
});

test('an instruction emulated between entries sees the masks and shadows as root software left them', () => {
  const f = fixture();
  enter(f);
  f.vmx.exitOnInstruction(ExitReason.CPUID, 0, operands());
  f.vmx.vmwrite(Field.CR0_GUEST_HOST_MASK, 0xffff_ffff);
  f.vmx.vmwrite(Field.CR0_READ_SHADOW, 0x10);
  f.vmx.nonRoot = true;
  assert.equal(f.vmx.readCr(0), 0x10);
});

test('a check is made again when a field it reads has changed, by VMWRITE or by the guest', () => {
  const f = fixture();
  enter(f);
  const leave = (): void => void f.vmx.exitOnInstruction(ExitReason.CPUID, 0, operands());
  const refused = (id: string): void => {
    f.vmx.vmresume();
    assert.equal(f.vmx.lastEntryFailure?.id, id);
  };
  leave();
  f.vmx.vmwrite(Field.HOST_CR4, 0);
  refused('host-cr4');
  f.vmx.vmwrite(Field.HOST_CR4, 0x2010);
  f.vmx.vmwrite(Field.CR3_TARGET_COUNT, 9);
  refused('cr3-target-count');
  f.vmx.vmwrite(Field.CR3_TARGET_COUNT, 0);
  f.vmx.vmwrite(Field.GUEST_LDTR_AR_BYTES, 0);
  refused('guest-ldtr-type');
  f.vmx.vmwrite(Field.GUEST_LDTR_AR_BYTES, 0x1_0000);
  f.vmx.vmwrite(Field.GUEST_RFLAGS, 0x2_0002);
  refused('guest-v86-es-base');
  f.vmx.vmwrite(Field.GUEST_RFLAGS, 2);
  f.vmx.vmresume();
  assert.equal(f.vmx.nonRoot, true);
  f.cpu.s.setSegment(DS, 0x10, 0, 0xffff_ffff, 0xc083);
  leave();
  refused('guest-ds-s');
  f.vmx.vmwrite(Field.GUEST_DS_AR_BYTES, 0xc093);
  f.vmx.vmresume();
  f.cpu.s.eflags = 0x2_0002;
  leave();
  refused('guest-v86-es-base');
});
