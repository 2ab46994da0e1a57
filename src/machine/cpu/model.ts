// The processor models a user can choose: what CPUID answers and which CR4 bits exist. Not the CPUID instruction (cpuid.ts) and not the
// feature flags, of which features.ts has the table. SDM vol. 2A CPUID; "Intel Core Duo Processor" specification update.

import { vmxCapabilities, type VmxCapabilities } from '../vmx/controls.ts';
import { featureFlags } from './features.ts';
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
  /** CPUID answers by leaf; the highest basic leaf answers for those above it (Intel's rule). Leaf 4 is `caches`. */
  readonly cpuid: ReadonlyMap<number, CpuidLeaf>;
  /** Leaf 4 by ECX: deterministic cache parameters. */
  readonly caches: readonly CpuidLeaf[];
  /** Revision of the microcode: the high half of IA32_BIOS_SIGN_ID after CPUID leaf 1. */
  readonly microcode: number;
  readonly hasEpt: boolean;
  /** CR4 bits that can be set; all others are reserved (#GP). VMXE included. */
  readonly cr4Implemented: number;
  readonly vmx: VmxCapabilities;
}

/** Every bit that the Core Duo has: MOV to CR4 with another one raises #GP. */
const CR4_IMPLEMENTED =
  Cr4.VME | Cr4.PVI | Cr4.TSD | Cr4.DE | Cr4.PSE | Cr4.PAE | Cr4.MCE | Cr4.PGE | Cr4.PCE | Cr4.OSFXSR | Cr4.OSXMMEXCPT |
  Cr4.VMXE; // prettier-ignore

/** Bytes of a cache line, which is also what MONITOR watches. */
export const MONITOR_LINE = 64;
/** Architectural performance monitoring (performance-counters.ts). */
export const PERFORMANCE_COUNTERS = { version: 1, count: 2, bits: 40 } as const;
/** Events of leaf 0Ah's list, one bit each: seven are listed; last-level cache and branch events do not exist. */
const EVENTS_LISTED = 7;
const EVENTS_MISSING = 0x78;

const leaf = (eax: number, ebx: number, ecx: number, edx: number): CpuidLeaf => ({
  eax: eax >>> 0,
  ebx: ebx >>> 0,
  ecx: ecx >>> 0,
  edx: edx >>> 0,
});
const NOTHING = leaf(0, 0, 0, 0);

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

const HIGHEST = 0x0a;
const leaves = (signature: number, brand: string): ReadonlyMap<number, CpuidLeaf> =>
  new Map<number, CpuidLeaf>([
    // "GenuineIntel" in EBX EDX ECX.
    [0, leaf(HIGHEST, word('Genu', 0), word('ntel', 0), word('ineI', 0))],
    // CLFLUSH line of 8 quadwords; one logical processor.
    [1, leaf(signature, (MONITOR_LINE >> 3) << 8, featureFlags('1.ECX'), featureFlags('1.EDX'))],
    // TLBs and caches of the Core Duo: 32 KiB L1 caches, 2 MiB L2, 64-byte lines.
    [2, leaf(0x02b3_b001, 0x0000_00f0, 0, 0x2c04_307d)],
    // MONITOR: smallest and largest line; MWAIT's extension for masked interrupts, and its hints for C1 to C4, which are all the same here.
    [5, leaf(MONITOR_LINE, MONITOR_LINE, 3, 0x0002_2220)],
    [
      HIGHEST,
      leaf(
        PERFORMANCE_COUNTERS.version |
          (PERFORMANCE_COUNTERS.count << 8) |
          (PERFORMANCE_COUNTERS.bits << 16) |
          (EVENTS_LISTED << 24),
        EVENTS_MISSING,
        0,
        0,
      ),
    ],
    [0x8000_0000, leaf(0x8000_0008, 0, 0, 0)],
    [0x8000_0001, leaf(0, 0, 0, featureFlags('80000001.EDX'))],
    ...brandLeaves(brand),
    // L2: 2048 KiB, 8-way, 64-byte lines.
    [0x8000_0006, leaf(0, 0, 0x0800_6040, 0)],
    // 32 bits of physical and of linear address.
    [0x8000_0008, leaf(0x2020, 0, 0, 0)],
  ]);

/** One cache of leaf 4 (table 3-12 ff.): type 1 data, 2 instruction, 3 unified; nobody shares it, for there is one processor. */
const cache = (type: number, level: number, ways: number, sets: number): CpuidLeaf =>
  leaf(type | (level << 5) | (1 << 8), ((ways - 1) << 22) | (MONITOR_LINE - 1), sets - 1, 1);
/** 32 KiB, 32 KiB and 2 MiB, all 8-way. */
const CACHES = [cache(1, 1, 8, 64), cache(2, 1, 8, 64), cache(3, 2, 8, 4096)];

/** What CPUID answers. Leaves beyond the highest basic or extended one answer as the highest basic one; holes answer zeros. */
export const cpuidLeaf = (model: CpuModel, eax: number, ecx: number): CpuidLeaf => {
  const number = eax >>> 0;
  if (number === 4) return model.caches[ecx >>> 0] ?? NOTHING;
  const answer = model.cpuid.get(number);
  if (answer !== undefined) return answer;
  const highestBasic = model.cpuid.get(0)!.eax;
  const highestExtended = model.cpuid.get(0x8000_0000)!.eax;
  const inside = number <= highestBasic || (number >= 0x8000_0000 && number <= highestExtended);
  return inside ? NOTHING : model.cpuid.get(highestBasic)!;
};

/** Intel Core Duo T2400: VMX without EPT, VPID or unrestricted guest. */
export const CORE_DUO: CpuModel = {
  id: 'core-duo',
  name: 'Genuine Intel(R) CPU           T2400  @ 1.83GHz',
  cpuid: leaves(0x0000_06e8, 'Genuine Intel(R) CPU           T2400  @ 1.83GHz'),
  caches: CACHES,
  microcode: 0x39,
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
  caches: CACHES,
  microcode: 1,
  hasEpt: false,
  cr4Implemented: CR4_IMPLEMENTED,
  vmx: vmxCapabilities('modern', CR4_IMPLEMENTED),
};

/** By the name the user gives. */
export const CPU_MODELS: Readonly<Record<CpuModel['id'], CpuModel>> = { 'core-duo': CORE_DUO, modern: MODERN };
