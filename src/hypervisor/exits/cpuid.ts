// Exit reason 10: CPUID. The guest sees the processor it runs on, without what the hypervisor keeps for itself or does not virtualize.
// Xen's own leaves (40000000h) are not offered: a guest that finds them expects Xen's whole paravirtual interface.
// SDM vol. 2A, CPUID; Xen: vmx_cpuid_intercept.

import { FeatureC } from '../../machine/cpu/features.ts';
import { cpuidLeaf, type CpuidLeaf, type CpuModel } from '../../machine/cpu/model.ts';
import { EAX, EBX, ECX, EDX } from '../../machine/cpu/state.ts';
import { GuestMsr } from '../guest-msrs.ts';
import { HandlerOutcome } from '../observer.ts';
import type { Vcpu } from '../vcpu.ts';

/** Leaf 1, ECX: VMX is the hypervisor's, MONITOR exits to #UD. */
const HIDDEN_1C = FeatureC.VMX | FeatureC.MONITOR;
/** Leaves of what a guest does not have: MONITOR, and performance counters (Xen gives none unless told to). */
const MONITOR_LEAF = 5;
const PERFORMANCE_LEAF = 0x0a;
const NOTHING: CpuidLeaf = { eax: 0, ebx: 0, ecx: 0, edx: 0 };

/** What the guest sees. */
const visible = (model: CpuModel, leaf: number, subleaf: number): CpuidLeaf => {
  const answer = cpuidLeaf(model, leaf, subleaf);
  if (leaf === 1) return { ...answer, ecx: (answer.ecx & ~HIDDEN_1C) >>> 0 };
  // A leaf beyond the highest answers as that one: as the performance leaf, too.
  const hidden = leaf === MONITOR_LEAF || answer === cpuidLeaf(model, PERFORMANCE_LEAF, 0);
  return hidden ? NOTHING : answer;
};

/** Exit reason 10 on a given processor. */
export const exitCpuid =
  (model: CpuModel) =>
  (vcpu: Vcpu): number => {
    const state = vcpu.machine.state;
    const leaf = state.gpr(EAX);
    const answer = visible(model, leaf, state.gpr(ECX));
    vcpu.detail0 = leaf;
    vcpu.detail1 = state.gpr(ECX);
    if (leaf === 1) vcpu.msrs.set(GuestMsr.BIOS_SIGN_ID, vcpu.msrs.low(GuestMsr.BIOS_SIGN_ID), model.microcode);
    state.setGpr(EAX, answer.eax);
    state.setGpr(EBX, answer.ebx);
    state.setGpr(ECX, answer.ecx);
    state.setGpr(EDX, answer.edx);
    vcpu.completeInstruction();
    return HandlerOutcome.EMULATED;
  };
