// The guest-state area of the VMCS into the processor and back, for instructions that are executed outside VMX (hypervisor/real-mode.ts).
// Not VM entry and exit (machine/vmx). SDM vol. 3, 24.4.

import { type CpuState, ES, ESP, SS, StateLayout, TR } from '../machine/cpu/state.ts';
import { Field } from '../machine/vmx/fields.ts';
import type { Vmx } from '../machine/vmx/vmx.ts';

/** Registers that are one state word and one field. */
const WORDS = [
  [StateLayout.gdtrBase, Field.GUEST_GDTR_BASE],
  [StateLayout.gdtrLimit, Field.GUEST_GDTR_LIMIT],
  [StateLayout.idtrBase, Field.GUEST_IDTR_BASE],
  [StateLayout.idtrLimit, Field.GUEST_IDTR_LIMIT],
  [StateLayout.interruptibility, Field.GUEST_INTERRUPTIBILITY_INFO],
  [StateLayout.eip, Field.GUEST_RIP],
] as const;

export const loadGuest = (vmx: Vmx, s: CpuState): void => {
  for (let n = ES; n <= TR; n++)
    s.setSegment(
      n,
      vmx.vmread(Field.GUEST_ES_SELECTOR + 2 * n),
      vmx.vmread(Field.GUEST_ES_BASE + 2 * n),
      vmx.vmread(Field.GUEST_ES_LIMIT + 2 * n),
      vmx.vmread(Field.GUEST_ES_AR_BYTES + 2 * n),
    );
  for (const [word, field] of WORDS) s.set(word, vmx.vmread(field));
  s.setGpr(ESP, vmx.vmread(Field.GUEST_RSP));
  s.eflags = vmx.vmread(Field.GUEST_RFLAGS);
  s.cpl = (s.access(SS) >>> 5) & 3;
};

export const storeSegments = (vmx: Vmx, s: CpuState): void => {
  for (let n = ES; n <= TR; n++) {
    vmx.vmwrite(Field.GUEST_ES_SELECTOR + 2 * n, s.selector(n));
    vmx.vmwrite(Field.GUEST_ES_BASE + 2 * n, s.base(n));
    vmx.vmwrite(Field.GUEST_ES_LIMIT + 2 * n, s.limit(n));
    vmx.vmwrite(Field.GUEST_ES_AR_BYTES + 2 * n, s.access(n));
  }
};

export const storeGuest = (vmx: Vmx, s: CpuState): void => {
  storeSegments(vmx, s);
  for (const [word, field] of WORDS) vmx.vmwrite(field, s.get(word));
  vmx.vmwrite(Field.GUEST_RSP, s.gpr(ESP));
  vmx.vmwrite(Field.GUEST_RFLAGS, s.eflags);
};
