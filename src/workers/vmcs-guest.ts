// The guest-state area of the VMCS into the processor and back, for instructions that are executed outside VMX (hypervisor/real-mode.ts).
// Not VM entry and exit (machine/vmx), whose segments these are. SDM vol. 3, 24.4.

import { type CpuState, ESP, StateLayout } from '../machine/cpu/state.ts';
import { loadSegments, saveSegments } from '../machine/vmx/guest-segments.ts';
import { Field } from '../machine/vmx/fields.ts';
import type { Vmx } from '../machine/vmx/vmx.ts';

export const loadGuest = (vmx: Vmx, s: CpuState): void => {
  loadSegments(vmx);
  s.set(StateLayout.interruptibility, vmx.vmread(Field.GUEST_INTERRUPTIBILITY_INFO));
  s.eip = vmx.vmread(Field.GUEST_RIP);
  s.setGpr(ESP, vmx.vmread(Field.GUEST_RSP));
  s.eflags = vmx.vmread(Field.GUEST_RFLAGS);
  s.setDr(7, vmx.vmread(Field.GUEST_DR7));
};

export const storeGuest = (vmx: Vmx, s: CpuState): void => {
  saveSegments(vmx);
  vmx.vmwrite(Field.GUEST_INTERRUPTIBILITY_INFO, s.get(StateLayout.interruptibility));
  vmx.vmwrite(Field.GUEST_RIP, s.eip);
  vmx.vmwrite(Field.GUEST_RSP, s.gpr(ESP));
  vmx.vmwrite(Field.GUEST_RFLAGS, s.eflags);
  vmx.vmwrite(Field.GUEST_DR7, s.dr(7));
};
