import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Vector } from '../cpu/cpu.ts';
import { MODERN } from '../cpu/model.ts';
import { MsrSlot } from '../cpu/msr-rows.ts';
import { StateLayout } from '../cpu/state.ts';
import { ExitReason } from './exit-reasons.ts';
import { Field } from './fields.ts';
import { NO_VMX } from './hooks.ts';
import * as at from './vmx.fixture.ts';
import { fixture, operands, type Fixture } from './vmx.fixture.ts';

const OPERAND = 0x3_8000;
const CF = 1;
const ZF = 0x40;
const ALL = 0x8d5;

const execute = (f: Fixture, reason: number, of: Parameters<typeof operands>[0] = {}): boolean =>
  f.vmx.instruction(f.cpu, reason, operands(of));
/** An instruction with the 64-bit memory operand `pa`. */
const withAddress = (f: Fixture, reason: number, pa: number, high = 0): boolean => {
  f.memory.write32(OPERAND, pa);
  f.memory.write32(OPERAND + 4, high);
  return execute(f, reason, { memory: true, offset: OPERAND });
};
const flags = (f: Fixture): number => f.cpu.s.eflags & ALL;
const fault = (f: Fixture): [number, number] => {
  const found: [number, number] = [f.cpu.s.get(StateLayout.faultVector) - 1, f.cpu.s.get(StateLayout.faultError)];
  f.cpu.clearFault();
  return found;
};

test('the life of a hypervisor on the bare machine, in flags', () => {
  const f = fixture({ bare: true });
  const s = f.cpu.s;
  s.eflags = 2 | ALL;
  assert.equal(execute(f, ExitReason.VMXOFF), true);
  assert.equal(flags(f), 0);
  s.setMsr(MsrSlot.FEATURE_CONTROL, 5, 0);
  assert.equal(withAddress(f, ExitReason.VMXON, at.VMXON_REGION), true);
  assert.equal(flags(f), 0);
  assert.equal(f.vmx.inVmx, true);
  assert.equal(withAddress(f, ExitReason.VMPTRLD, 0x123), true);
  assert.equal(flags(f), CF, 'VMfailInvalid without a current VMCS');
  assert.equal(withAddress(f, ExitReason.VMPTRLD, at.VMCS_REGION), true);
  assert.equal(flags(f), 0);
  assert.equal(withAddress(f, ExitReason.VMPTRLD, 0x1000, 1), true);
  assert.equal(flags(f), ZF, 'an address beyond 32 bits');
  assert.equal(f.vmx.vmread(Field.VM_INSTRUCTION_ERROR), 9);
  execute(f, ExitReason.VMCALL);
  assert.equal(flags(f), ZF);
  assert.equal(f.vmx.vmread(Field.VM_INSTRUCTION_ERROR), 1);

  s.setGpr(0, Field.GUEST_RIP);
  s.setGpr(3, 0x1234_5678);
  execute(f, ExitReason.VMWRITE, { reg: 0, rm: 3 });
  assert.equal(flags(f), 0);
  s.setGpr(3, 0);
  execute(f, ExitReason.VMREAD, { reg: 0, rm: 3 });
  assert.equal(s.gpr(3), 0x1234_5678);
  execute(f, ExitReason.VMREAD, { reg: 0, memory: true, offset: OPERAND });
  assert.equal(f.memory.read32(OPERAND), 0x1234_5678);
  s.setGpr(0, Field.EPT_POINTER);
  execute(f, ExitReason.VMREAD, { reg: 0, rm: 3 });
  assert.equal(flags(f), ZF);
  assert.equal(f.vmx.vmread(Field.VM_INSTRUCTION_ERROR), 12);
  s.setGpr(0, Field.VM_EXIT_REASON);
  execute(f, ExitReason.VMWRITE, { reg: 0, rm: 3 });
  assert.equal(f.vmx.vmread(Field.VM_INSTRUCTION_ERROR), 13);

  execute(f, ExitReason.VMPTRST, { memory: true, offset: OPERAND });
  assert.deepEqual([f.memory.read32(OPERAND), f.memory.read32(OPERAND + 4)], [at.VMCS_REGION, 0]);
  withAddress(f, ExitReason.VMCLEAR, at.VMCS_REGION);
  execute(f, ExitReason.VMPTRST, { memory: true, offset: OPERAND });
  assert.deepEqual([f.memory.read32(OPERAND), f.memory.read32(OPERAND + 4)], [0xffff_ffff, 0xffff_ffff]);
  execute(f, ExitReason.VMLAUNCH);
  assert.equal(flags(f), CF);
});

test('VMLAUNCH goes on at the guest; an exit comes back to the host; VMRESUME goes on', () => {
  const f = fixture({ bare: true });
  f.vmx.vmwrite(Field.CR3_TARGET_COUNT, 5);
  assert.equal(execute(f, ExitReason.VMLAUNCH), true);
  assert.equal(flags(f), ZF);
  assert.equal(f.vmx.vmread(Field.VM_INSTRUCTION_ERROR), 7);
  f.vmx.vmwrite(Field.CR3_TARGET_COUNT, 0);
  f.cpu.s.set(StateLayout.interruptibility, 2);
  assert.equal(execute(f, ExitReason.VMLAUNCH), true);
  assert.equal(f.vmx.vmread(Field.VM_INSTRUCTION_ERROR), 26);
  f.cpu.s.set(StateLayout.interruptibility, 0);
  assert.equal(execute(f, ExitReason.VMLAUNCH), true);
  assert.equal(f.vmx.nonRoot, true);
  assert.equal(f.cpu.nextEip, at.GUEST_CODE);
  // The guest is a hypervisor too: its VMREAD leaves it, whatever its privilege.
  f.memory.write8(at.GUEST_CODE, 0x0f);
  f.memory.write8(at.GUEST_CODE + 1, 0x78);
  f.memory.write8(at.GUEST_CODE + 2, 0xd8);
  assert.equal(execute(f, ExitReason.VMREAD, { length: 3, reg: 3, rm: 0 }), false);
  assert.equal(f.cpu.faulted, false);
  assert.equal(f.cpu.s.eip, at.HOST_CODE);
  assert.equal(f.vmx.vmread(Field.VM_EXIT_REASON), ExitReason.VMREAD);
  assert.equal(f.vmx.vmread(Field.VM_EXIT_INSTRUCTION_LEN), 3);
  const info = f.vmx.vmread(Field.VM_EXIT_INSTRUCTION_INFO);
  assert.equal((info >>> 10) & 1, 1, 'register form');
  assert.equal((info >>> 3) & 15, 0, 'to EAX');
  assert.equal(info >>> 28, 3, 'encoding in EBX');
  execute(f, ExitReason.VMLAUNCH);
  assert.equal(f.vmx.vmread(Field.VM_INSTRUCTION_ERROR), 4);
  assert.equal(execute(f, ExitReason.VMRESUME), true);
  assert.equal(f.vmx.nonRoot, true);
});

test('an entry that fails in the guest-state checks goes on at the host RIP', () => {
  const f = fixture({ bare: true });
  f.vmx.vmwrite(Field.GUEST_ACTIVITY_STATE, 9);
  assert.equal(execute(f, ExitReason.VMLAUNCH), true);
  assert.equal(f.cpu.nextEip, at.HOST_CODE);
  assert.equal(f.vmx.nonRoot, false);
  assert.equal(f.vmx.vmread(Field.VM_EXIT_REASON), 0x8000_0021);
});

test('#UD and #GP of the VMX instructions', () => {
  const cases: [string, (f: Fixture) => boolean, [number, number]][] = [
    ['outside VMX operation', (f) => (f.vmx.vmxoff(), execute(f, ExitReason.VMCALL)), [Vector.UD, 0]],
    [
      'VMXON without CR4.VMXE',
      (f) => (f.vmx.vmxoff(), (f.cpu.s.cr4 = 0x10), withAddress(f, ExitReason.VMXON, at.VMXON_REGION)),
      [Vector.UD, 0],
    ],
    [
      'VMXON without the feature control',
      (f) => (f.vmx.vmxoff(), withAddress(f, ExitReason.VMXON, at.VMXON_REGION)),
      [Vector.GP, 0],
    ],
    [
      'VMXON with CR0.NE clear',
      (f) => (
        f.vmx.vmxoff(),
        f.cpu.s.setMsr(MsrSlot.FEATURE_CONTROL, 5, 0),
        (f.cpu.s.cr0 = 0x8000_0011),
        withAddress(f, ExitReason.VMXON, at.VMXON_REGION)
      ),
      [Vector.GP, 0],
    ],
    ['CPL 3', (f) => ((f.cpu.s.cpl = 3), execute(f, ExitReason.VMLAUNCH)), [Vector.GP, 0]],
    ['virtual-8086 mode', (f) => ((f.cpu.s.eflags = 0x2_0002), execute(f, ExitReason.VMXOFF)), [Vector.UD, 0]],
    ['INVVPID without VPID', (f) => withAddress(f, ExitReason.INVVPID, 0), [Vector.UD, 0]],
    ['INVEPT', (f) => execute(f, ExitReason.INVEPT), [Vector.UD, 0]],
    [
      'an operand outside its segment',
      (f) => execute(f, ExitReason.VMCLEAR, { memory: true, offset: 0, segment: 6 }),
      [Vector.GP, 0],
    ],
  ];
  for (const [name, run, expected] of cases) {
    const f = fixture({ bare: true });
    assert.equal(run(f), false, name);
    assert.deepEqual(fault(f), expected, name);
  }
  const f = fixture({ bare: true });
  f.cpu.vmx = NO_VMX;
  assert.equal(f.cpu.vmx.instruction(f.cpu, ExitReason.VMCALL, operands()), false);
  assert.deepEqual(fault(f), [Vector.UD, 0]);
});

test('INVVPID: operands', () => {
  const f = fixture({ bare: true, model: MODERN });
  const run = (type: number, vpid: number, reserved = 0): number => {
    f.memory.write32(OPERAND, vpid);
    f.memory.write32(OPERAND + 4, reserved);
    f.cpu.s.setGpr(2, type);
    assert.equal(execute(f, ExitReason.INVVPID, { reg: 2, memory: true, offset: OPERAND }), true);
    return flags(f);
  };
  assert.equal(run(1, 1), 0);
  assert.equal(run(2, 0), 0);
  assert.equal(run(1, 0), ZF);
  assert.equal(f.vmx.vmread(Field.VM_INSTRUCTION_ERROR), 28);
  assert.equal(run(4, 1), ZF);
  assert.equal(run(1, 0x1_0001), ZF);
  assert.equal(run(1, 1, 1), ZF);
});
