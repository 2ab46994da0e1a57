// Exit reasons 28 and 29: MOV to and from control registers, CLTS, LMSW; MOV DR. SDM vol. 3, tables 27-3 and 27-4.
// Xen: vmx_cr_access and vmx_dr_access in arch/x86/hvm/vmx/vmx.c.

import { Cr0, ESP } from '../../machine/cpu/state.ts';
import { PrimaryControl } from '../../machine/vmx/controls.ts';
import { ExitReason } from '../../machine/vmx/exit-reasons.ts';
import { Field } from '../../machine/vmx/fields.ts';
import { CrAccess, CrAccessType } from '../../machine/vmx/qualification.ts';
import { CrLoad, HandlerOutcome } from '../observer.ts';
import { CrWrite, Vector, type Vcpu } from '../vcpu.ts';

/** Guest's ESP is in the VMCS, the other general registers are in the processor (27.3.3). */
const readRegister = (vcpu: Vcpu, register: number): number =>
  register === ESP ? vcpu.vmx.vmread(Field.GUEST_RSP) : vcpu.machine.state.gpr(register);
const writeRegister = (vcpu: Vcpu, register: number, value: number): void => {
  if (register === ESP) vcpu.vmx.vmwrite(Field.GUEST_RSP, value);
  else vcpu.machine.state.setGpr(register, value);
};

/** Exit reason 28. */
export const exitCrAccess = (vcpu: Vcpu): number => {
  const qualification = vcpu.vmx.vmread(Field.EXIT_QUALIFICATION);
  const cr = CrAccess.register(qualification);
  const register = CrAccess.gpr(qualification) & 7;
  let result: CrWrite = CrWrite.DONE;
  vcpu.detail0 = cr;
  switch (CrAccess.type(qualification)) {
    case CrAccessType.TO:
      vcpu.detail1 = readRegister(vcpu, register);
      result = write(vcpu, cr, vcpu.detail1);
      break;
    case CrAccessType.FROM:
      // CR0 and CR4 are read from their shadows without an exit.
      vcpu.detail1 = vcpu.shadow.mode.cr3;
      writeRegister(vcpu, register, vcpu.detail1);
      break;
    case CrAccessType.CLTS:
      vcpu.detail1 = vcpu.cr0 & ~Cr0.TS;
      result = vcpu.writeCr0(vcpu.detail1, CrLoad.CLTS);
      break;
    default: {
      // LMSW loads bits 3:0 and cannot clear PE.
      const source = CrAccess.lmswSource(qualification);
      vcpu.detail1 = (vcpu.cr0 & ~0xe) | (source & 0xf);
      result = vcpu.writeCr0(vcpu.detail1, CrLoad.LMSW);
    }
  }
  if (result === CrWrite.STOPPED) return HandlerOutcome.CRASHED;
  if (result === CrWrite.GENERAL_PROTECTION) {
    vcpu.injectException(Vector.GP, 0);
    return HandlerOutcome.INJECTED;
  }
  vcpu.completeInstruction();
  return HandlerOutcome.EMULATED;
};

const write = (vcpu: Vcpu, cr: number, value: number): CrWrite => {
  switch (cr) {
    case 0:
      return vcpu.writeCr0(value, CrLoad.MOV);
    case 3:
      return vcpu.writeCr3(value);
    case 4:
      return vcpu.writeCr4(value);
    default:
      // MOV to CR8 does not exist outside 64-bit mode; no other register exits.
      return CrWrite.GENERAL_PROTECTION;
  }
};

/** Exit reason 29: from now on the debug registers are the guest's, and the instruction runs again without an exit. */
export const exitMovDr = (vcpu: Vcpu): number => {
  const { vmx, domain } = vcpu;
  const old = vmx.vmread(Field.CPU_BASED_VM_EXEC_CONTROL);
  const value = (old & ~PrimaryControl.MOV_DR_EXITING) >>> 0;
  vmx.vmwrite(Field.CPU_BASED_VM_EXEC_CONTROL, value);
  domain.observer?.controlChange(Field.CPU_BASED_VM_EXEC_CONTROL, old, value, ExitReason.MOV_DR);
  return HandlerOutcome.PASSED;
};
