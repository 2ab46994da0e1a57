// The VMX instructions as guests of the bare machine encode them: operands, privilege, and the flags that say VMsucceed or VMfail.
// Their meaning is in vmx.ts. SDM vol. 3, ch. 30.

import type { Cpu, Operands } from '../cpu/cpu.ts';
import { Vector } from '../cpu/cpu.ts';
import { FEATURE_CONTROL_VMXON } from '../cpu/msr.ts';
import { MsrSlot } from '../cpu/msr-rows.ts';
import { ARITHMETIC_FLAGS, Blocking, Cr0, Cr4, Flag, StateLayout } from '../cpu/state.ts';
import { ExitReason } from './exit-reasons.ts';
import { InstructionError, VM_FAIL_INVALID, VM_SUCCEED, type VmxResult } from './instruction-errors.ts';
import type { Vmx } from './vmx.ts';

/** 30.2: all six arithmetic flags are written. Always true: the instruction completed. */
const conclude = (cpu: Cpu, result: VmxResult): true => {
  const flags = cpu.s.eflags & ~ARITHMETIC_FLAGS;
  cpu.s.eflags = flags | (result === VM_SUCCEED ? 0 : result === VM_FAIL_INVALID ? Flag.CF : Flag.ZF);
  return true;
};

/** A 64-bit memory operand that must be a physical address: a number, above 2^32 if the high half is not zero; undefined if it faulted. */
const readAddress = (cpu: Cpu, op: Operands): number | undefined => {
  const linear = cpu.linear(op.segment, op.offset, 8, false);
  if (linear === undefined) return undefined;
  const user = cpu.s.cpl === 3;
  const low = cpu.readLinear(linear, 4, user);
  if (cpu.faulted) return undefined;
  const high = cpu.readLinear((linear + 4) >>> 0, 4, user);
  return cpu.faulted ? undefined : high * 0x1_0000_0000 + low;
};

const vmxon = (vmx: Vmx, cpu: Cpu, op: Operands): boolean => {
  if (vmx.inVmx)
    return cpu.s.cpl !== 0 ? cpu.raise(Vector.GP, 0) : conclude(cpu, vmx.fail(InstructionError.VMXON_IN_ROOT));
  const enabled = (cpu.s.msrLow(MsrSlot.FEATURE_CONTROL) & FEATURE_CONTROL_VMXON) === FEATURE_CONTROL_VMXON;
  const cr0Fits = (~cpu.s.cr0 & vmx.capabilities.cr0Fixed0) === 0;
  const cr4Fits = (cpu.s.cr4 & ~vmx.capabilities.cr4Fixed1) === 0;
  if (cpu.s.cpl !== 0 || !cr0Fits || !cr4Fits || !enabled) return cpu.raise(Vector.GP, 0);
  const pa = readAddress(cpu, op);
  return pa !== undefined && conclude(cpu, vmx.vmxon(pa));
};

const vmptrst = (vmx: Vmx, cpu: Cpu, op: Operands): boolean => {
  const linear = cpu.linear(op.segment, op.offset, 8, true);
  if (linear === undefined) return false;
  const none = vmx.currentPointer < 0;
  // The high half first: if its page faults, nothing was written.
  if (!cpu.writeLinear((linear + 4) >>> 0, 4, none ? 0xffff_ffff : 0, false)) return false;
  if (!cpu.writeLinear(linear, 4, none ? 0xffff_ffff : vmx.currentPointer, false)) return false;
  return conclude(cpu, VM_SUCCEED);
};

const vmread = (vmx: Vmx, cpu: Cpu, op: Operands): boolean => {
  if (vmx.currentPointer < 0) return conclude(cpu, VM_FAIL_INVALID);
  const encoding = cpu.s.gpr(op.reg);
  if (vmx.fieldKind(encoding) === 0) return conclude(cpu, vmx.fail(InstructionError.UNSUPPORTED_COMPONENT));
  const value = vmx.vmread(encoding);
  if (!op.memory) cpu.s.setGpr(op.rm, value);
  else if (!cpu.write(op.segment, op.offset, 4, value)) return false;
  return conclude(cpu, VM_SUCCEED);
};

const vmwrite = (vmx: Vmx, cpu: Cpu, op: Operands): boolean => {
  if (vmx.currentPointer < 0) return conclude(cpu, VM_FAIL_INVALID);
  const value = op.memory ? cpu.read(op.segment, op.offset, 4) : cpu.s.gpr(op.rm);
  if (cpu.faulted) return false;
  return conclude(cpu, vmx.vmwrite(cpu.s.gpr(op.reg), value));
};

/** INVVPID: types 0 to 3 (individual address, single context, all contexts, single context but globals). More is dropped than asked for. */
const invvpid = (vmx: Vmx, cpu: Cpu, op: Operands): boolean => {
  const type = cpu.s.gpr(op.reg);
  const linear = cpu.linear(op.segment, op.offset, 16, false);
  if (linear === undefined) return false;
  let vpid = 0;
  let reserved = 0;
  for (let i = 0; i < 4; i++) {
    const word = cpu.readLinear((linear + 4 * i) >>> 0, 4, false);
    if (cpu.faulted) return false;
    if (i === 0) {
      vpid = word & 0xffff;
      reserved = word >>> 16;
    } else if (i === 1) reserved |= word;
  }
  if (type > 3 || reserved !== 0 || (type !== 2 && vpid === 0)) {
    return conclude(cpu, vmx.fail(InstructionError.INVALID_INVVPID_OPERAND));
  }
  cpu.mmu.flushGuest();
  return conclude(cpu, VM_SUCCEED);
};

const launch = (vmx: Vmx, cpu: Cpu, resume: boolean): boolean => {
  const movSs = vmx.currentPointer >= 0 && (cpu.s.get(StateLayout.interruptibility) & Blocking.MOV_SS) !== 0;
  if (movSs) return conclude(cpu, vmx.fail(InstructionError.ENTRY_EVENTS_BLOCKED_BY_MOV_SS));
  const result = resume ? vmx.vmresume() : vmx.vmlaunch();
  if (result !== VM_SUCCEED) return conclude(cpu, result);
  cpu.nextEip = cpu.s.eip;
  return true;
};

const takesMemory = (reason: number): boolean =>
  reason === ExitReason.VMXON ||
  reason === ExitReason.VMCLEAR ||
  reason === ExitReason.VMPTRLD ||
  reason === ExitReason.VMPTRST ||
  reason === ExitReason.INVVPID;

/** By basic exit reason: 18 to 27 and 53 (INVVPID). Everything else is #UD. */
export const executeVmxInstruction = (vmx: Vmx, cpu: Cpu, reason: number, op: Operands): boolean => {
  const s = cpu.s;
  const vmcall = reason === ExitReason.VMCALL;
  const legacyMode = (s.cr0 & Cr0.PE) === 0 || (s.eflagsRest & Flag.VM) !== 0;
  if (reason === ExitReason.INVVPID && !vmx.capabilities.hasVpid) return cpu.raise(Vector.UD);
  if (reason === ExitReason.VMXON ? (s.cr4 & Cr4.VMXE) === 0 : !vmx.inVmx) return cpu.raise(Vector.UD);
  if (legacyMode && !(vmcall && vmx.nonRoot)) return cpu.raise(Vector.UD);
  if (vmx.nonRoot) {
    const memory = takesMemory(reason) || reason === ExitReason.VMREAD || reason === ExitReason.VMWRITE;
    return !vmx.exitOnVmxInstruction(reason, op, memory);
  }
  if (reason === ExitReason.VMXON) return vmxon(vmx, cpu, op);
  if (s.cpl !== 0) return cpu.raise(Vector.GP, 0);

  switch (reason) {
    case ExitReason.VMCALL:
      return conclude(cpu, vmx.fail(InstructionError.VMCALL_IN_ROOT));
    case ExitReason.VMXOFF:
      return conclude(cpu, vmx.vmxoff());
    case ExitReason.VMLAUNCH:
      return launch(vmx, cpu, false);
    case ExitReason.VMRESUME:
      return launch(vmx, cpu, true);
    case ExitReason.VMREAD:
      return vmread(vmx, cpu, op);
    case ExitReason.VMWRITE:
      return vmwrite(vmx, cpu, op);
    case ExitReason.VMPTRST:
      return vmptrst(vmx, cpu, op);
    case ExitReason.INVVPID:
      return invvpid(vmx, cpu, op);
    case ExitReason.VMCLEAR:
    case ExitReason.VMPTRLD: {
      const pa = readAddress(cpu, op);
      if (pa === undefined) return false;
      return conclude(cpu, reason === ExitReason.VMCLEAR ? vmx.vmclear(pa) : vmx.vmptrld(pa));
    }
    default:
      return cpu.raise(Vector.UD);
  }
};
