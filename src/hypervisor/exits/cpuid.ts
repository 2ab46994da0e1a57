// Exit reason 10: CPUID. The guest sees the processor it runs on, without what the hypervisor keeps for itself.
// Xen's own leaves (40000000h) are not offered: a guest that finds them expects Xen's whole paravirtual interface.
// SDM vol. 2A, CPUID; Xen: vmx_cpuid_intercept.

import { FeatureC, type CpuModel } from '../../machine/cpu/model.ts';
import { EAX, EBX, ECX, EDX } from '../../machine/cpu/state.ts';
import { HandlerOutcome } from '../observer.ts';
import type { Vcpu } from '../vcpu.ts';

/** Leaf 1, ECX: VMX is the hypervisor's, MONITOR exits to #UD. */
const HIDDEN_1C = FeatureC.VMX | FeatureC.MONITOR;
const EXTENDED = 0x8000_0000;

/** Exit reason 10 on a given processor. */
export const exitCpuid =
  (model: CpuModel) =>
  (vcpu: Vcpu): number => {
    const state = vcpu.machine.state;
    const leaf = state.gpr(EAX);
    const answer = lookUp(model, leaf);
    vcpu.detail0 = leaf;
    vcpu.detail1 = state.gpr(ECX);
    state.setGpr(EAX, answer?.eax ?? 0);
    state.setGpr(EBX, answer?.ebx ?? 0);
    state.setGpr(ECX, leaf === 1 ? (answer?.ecx ?? 0) & ~HIDDEN_1C : (answer?.ecx ?? 0));
    state.setGpr(EDX, answer?.edx ?? 0);
    vcpu.completeInstruction();
    return HandlerOutcome.EMULATED;
  };

/** Leaves above the highest of their range answer like the highest basic leaf (Intel's rule). */
const lookUp = (model: CpuModel, leaf: number): { eax: number; ebx: number; ecx: number; edx: number } | undefined => {
  const found = model.cpuid.get(leaf >>> 0);
  if (found !== undefined) return found;
  const highestBasic = model.cpuid.get(0)?.eax ?? 0;
  const highestExtended = model.cpuid.get(EXTENDED)?.eax ?? 0;
  const inside = leaf >>> 0 >= EXTENDED ? leaf >>> 0 <= highestExtended : leaf >>> 0 <= highestBasic;
  return inside ? undefined : model.cpuid.get(highestBasic);
};
