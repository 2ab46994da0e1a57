// The CPUID instruction. What it answers is in model.ts. SDM vol. 2A, CPUID.

import { ExitReason } from '../vmx/exit-reasons.ts';
import type { Cpu, Helper } from './cpu.ts';
import { FeatureC } from './features.ts';
import { type CpuidLeaf, cpuidLeaf } from './model.ts';
import { MiscEnable } from './msr.ts';
import { MsrSlot } from './msr-rows.ts';
import { EAX, EBX, ECX, EDX } from './state.ts';

/** Highest basic leaf under IA32_MISC_ENABLE's limit. */
const LIMITED = 3;

/** What IA32_MISC_ENABLE has switched off is not shown. */
const asEnabled = (cpu: Cpu, leaf: number, answer: CpuidLeaf): CpuidLeaf => {
  const enable = cpu.s.msrLow(MsrSlot.MISC_ENABLE);
  if (leaf === 0 && (enable & MiscEnable.LIMIT_CPUID) !== 0) return { ...answer, eax: Math.min(answer.eax, LIMITED) };
  if (leaf === 1 && (enable & MiscEnable.MONITOR) === 0) {
    return { ...answer, ecx: (answer.ecx & ~FeatureC.MONITOR) >>> 0 };
  }
  return answer;
};

export const cpuid: Helper = (cpu, op) => {
  if (cpu.vmx.exitOnInstruction(ExitReason.CPUID, 0, op)) return false;
  const s = cpu.s;
  const leaf = s.gpr(EAX);
  const answer = asEnabled(cpu, leaf, cpuidLeaf(cpu.model, leaf, s.gpr(ECX)));
  // Leaf 1 also leaves the microcode's revision in IA32_BIOS_SIGN_ID (SDM vol. 3, 9.11.7.1).
  if (leaf === 1) s.setMsr(MsrSlot.BIOS_SIGN_ID, s.msrLow(MsrSlot.BIOS_SIGN_ID), cpu.model.microcode);
  s.setGpr(EAX, answer.eax);
  s.setGpr(EBX, answer.ebx);
  s.setGpr(ECX, answer.ecx);
  s.setGpr(EDX, answer.edx);
  return true;
};
