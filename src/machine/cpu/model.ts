// The processor models a user can choose: what CPUID answers and which features exist. Not the CPUID instruction (cpuid.ts).
// A feature flag is set only where the machine implements the feature: this release has no local APIC, no machine check, no MTRRs.
// SDM vol. 2A CPUID; "Intel Core Duo Processor" specification update (family 6, model 14).

import { vmxCapabilities, type VmxCapabilities } from '../vmx/controls.ts';
import { Cr4 } from './state.ts';

export interface CpuidLeaf {
  readonly eax: number;
  readonly ebx: number;
  readonly ecx: number;
  readonly edx: number;
}

export interface CpuModel {
  readonly id: 'core-duo' | 'modern';
  readonly name: string;
  /** CPUID answers by leaf; the highest basic leaf answers for those above it (Intel's rule). */
  readonly cpuid: ReadonlyMap<number, CpuidLeaf>;
  readonly hasEpt: boolean;
  /** CR4 bits that can be set; all others are reserved (#GP). VMXE included. */
  readonly cr4Implemented: number;
  readonly vmx: VmxCapabilities;
}

/** CPUID leaf 1 EDX (SDM vol. 2A, table 3-11). */
export const Feature = {
  FPU: 1 << 0, VME: 1 << 1, DE: 1 << 2, PSE: 1 << 3, TSC: 1 << 4, MSR: 1 << 5, PAE: 1 << 6, CX8: 1 << 8, SEP: 1 << 11, PGE: 1 << 13,
  CMOV: 1 << 15, PAT: 1 << 16, CLFSH: 1 << 19, MMX: 1 << 23, FXSR: 1 << 24, SSE: 1 << 25, SSE2: 1 << 26,
} as const; // prettier-ignore
/** CPUID leaf 1 ECX (table 3-10). */
export const FeatureC = { MONITOR: 1 << 3, VMX: 1 << 5 } as const;

const IMPLEMENTED =
  Feature.FPU | Feature.VME | Feature.DE | Feature.PSE | Feature.TSC | Feature.MSR | Feature.PAE | Feature.CX8 | Feature.SEP | Feature.PGE |
  Feature.CMOV | Feature.PAT | Feature.CLFSH | Feature.MMX | Feature.FXSR | Feature.SSE | Feature.SSE2; // prettier-ignore

/** MOV to CR4 with a bit that is not here raises #GP. PCE has no counters behind it, but may be set. */
const CR4_IMPLEMENTED =
  Cr4.VME | Cr4.PVI | Cr4.DE | Cr4.TSD | Cr4.PSE | Cr4.PAE | Cr4.PGE | Cr4.PCE | Cr4.OSFXSR | Cr4.OSXMMEXCPT | Cr4.VMXE;

const leaf = (eax: number, ebx: number, ecx: number, edx: number): CpuidLeaf => ({
  eax: eax >>> 0,
  ebx: ebx >>> 0,
  ecx: ecx >>> 0,
  edx: edx >>> 0,
});

/** Four characters, little-endian. */
const word = (text: string, at: number): number => {
  let value = 0;
  for (let i = 0; i < 4; i++) value |= (text.charCodeAt(at + i) || 0) << (8 * i);
  return value;
};

const brandLeaves = (brand: string): [number, CpuidLeaf][] =>
  [0, 1, 2].map((n) => [
    0x8000_0002 + n,
    leaf(word(brand, n * 16), word(brand, n * 16 + 4), word(brand, n * 16 + 8), word(brand, n * 16 + 12)),
  ]);

const leaves = (signature: number, brand: string): ReadonlyMap<number, CpuidLeaf> =>
  new Map<number, CpuidLeaf>([
    // "GenuineIntel" in EBX EDX ECX.
    [0, leaf(2, word('Genu', 0), word('ntel', 0), word('ineI', 0))],
    // CLFLUSH line of 8 quadwords; one logical processor.
    [1, leaf(signature, 0x0000_0800, FeatureC.VMX, IMPLEMENTED)],
    // TLBs and caches of the Core Duo: 32 KiB L1 caches, 2 MiB L2, 64-byte lines.
    [2, leaf(0x02b3_b001, 0x0000_00f0, 0, 0x2c04_307d)],
    [0x8000_0000, leaf(0x8000_0008, 0, 0, 0)],
    [0x8000_0001, leaf(0, 0, 0, 0)],
    ...brandLeaves(brand),
    [0x8000_0005, leaf(0, 0, 0, 0)],
    // L2: 2048 KiB, 8-way, 64-byte lines.
    [0x8000_0006, leaf(0, 0, 0x0800_6040, 0)],
    [0x8000_0007, leaf(0, 0, 0, 0)],
    // 32 bits of physical and of linear address.
    [0x8000_0008, leaf(0x2020, 0, 0, 0)],
  ]);

/** Intel Core Duo T2400: VMX without EPT, VPID or unrestricted guest. */
export const CORE_DUO: CpuModel = {
  id: 'core-duo',
  name: 'Genuine Intel(R) CPU           T2400  @ 1.83GHz',
  cpuid: leaves(0x0000_06e8, 'Genuine Intel(R) CPU           T2400  @ 1.83GHz'),
  hasEpt: false,
  cr4Implemented: CR4_IMPLEMENTED,
  vmx: vmxCapabilities('core-duo', CR4_IMPLEMENTED),
};

/**
 * The same core with later VMX features: true controls, VPID, VMX-preemption timer, monitor trap flag, descriptor-table and WBINVD
 * exiting, PAT load and save. EPT and unrestricted guest are not in this release.
 */
export const MODERN: CpuModel = {
  id: 'modern',
  name: 'Kansoku virtual CPU',
  cpuid: leaves(0x0000_06e8, 'Kansoku virtual CPU @ 1.00GHz'),
  hasEpt: false,
  cr4Implemented: CR4_IMPLEMENTED,
  vmx: vmxCapabilities('modern', CR4_IMPLEMENTED),
};

/** By the name the user gives. */
export const CPU_MODELS: Readonly<Record<CpuModel['id'], CpuModel>> = { 'core-duo': CORE_DUO, modern: MODERN };
