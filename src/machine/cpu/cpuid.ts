// The CPUID instruction. What it answers is in model.ts. SDM vol. 2A, CPUID.

import { ExitReason } from '../vmx/exit-reasons.ts';
import type { Helper } from './cpu.ts';
import type { CpuidLeaf, CpuModel } from './model.ts';
import { EAX, EBX, ECX, EDX } from './state.ts';

const NOTHING: CpuidLeaf = { eax: 0, ebx: 0, ecx: 0, edx: 0 };

/** Intel's rule: leaves beyond the highest basic or extended one answer as the highest basic one; holes answer zeros. */
export const cpuidLeaf = (model: CpuModel, leaf: number): CpuidLeaf => {
  const number = leaf >>> 0;
  const answer = model.cpuid.get(number);
  if (answer !== undefined) return answer;
  const highestBasic = model.cpuid.get(0)!.eax;
  const highestExtended = model.cpuid.get(0x8000_0000)!.eax;
  const inside = number <= highestBasic || (number >= 0x8000_0000 && number <= highestExtended);
  return inside ? NOTHING : model.cpuid.get(highestBasic)!;
};

export const cpuid: Helper = (cpu, op) => {
  if (cpu.vmx.exitOnInstruction(ExitReason.CPUID, 0, op)) return false;
  const s = cpu.s;
  const answer = cpuidLeaf(cpu.model, s.gpr(EAX));
  s.setGpr(EAX, answer.eax);
  s.setGpr(EBX, answer.ebx);
  s.setGpr(ECX, answer.ecx);
  s.setGpr(EDX, answer.edx);
  return true;
};
