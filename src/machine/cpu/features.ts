// The feature flags of CPUID: ONE table of what the Core Duo T2400 has, and why this machine leaves a flag clear. A flag is set only where
// the machine implements the feature. Not the other leaves (model.ts). SDM vol. 2A, CPUID, tables 3-10 and 3-11.

/** Where a flag is: leaf 1 ECX or EDX, leaf 80000001h EDX. */
export type FeatureWord = '1.ECX' | '1.EDX' | '80000001.EDX';

export interface FeatureRow {
  readonly word: FeatureWord;
  readonly bit: number;
  /** The SDM's mnemonic. */
  readonly id: string;
  readonly text: string;
  /** Why the flag is clear here; absent: the feature is implemented. */
  readonly absent?: string;
}

const row = (word: FeatureWord, bit: number, id: string, text: string, absent?: string): FeatureRow =>
  absent === undefined ? { word, bit, id, text } : { word, bit, id, text, absent };

/** Every flag that the Core Duo T2400 (family 6, model 14, stepping 8) sets: EDX BFE9FBFFh and ECX C1A9h of leaf 1. */
export const FEATURES: readonly FeatureRow[] = [
  row('1.EDX', 0, 'FPU', 'x87 unit on chip'),
  row('1.EDX', 1, 'VME', 'Virtual-8086 mode extensions, protected-mode virtual interrupts'),
  row('1.EDX', 2, 'DE', 'Debugging extensions: I/O breakpoints, DR4 and DR5 undefined'),
  row('1.EDX', 3, 'PSE', '4 MiB pages'),
  row('1.EDX', 4, 'TSC', 'Time-stamp counter'),
  row('1.EDX', 5, 'MSR', 'RDMSR and WRMSR'),
  row('1.EDX', 6, 'PAE', 'Physical address extension'),
  row('1.EDX', 7, 'MCE', 'Machine-check exception'),
  row('1.EDX', 8, 'CX8', 'CMPXCHG8B'),
  row('1.EDX', 9, 'APIC', 'Local APIC', 'interrupts come from the pair of 8259A; there is no local APIC'),
  row('1.EDX', 11, 'SEP', 'SYSENTER and SYSEXIT'),
  row('1.EDX', 12, 'MTRR', 'Memory type range registers'),
  row('1.EDX', 13, 'PGE', 'Global pages'),
  row('1.EDX', 14, 'MCA', 'Machine-check architecture'),
  row('1.EDX', 15, 'CMOV', 'Conditional moves'),
  row('1.EDX', 16, 'PAT', 'Page attribute table'),
  row('1.EDX', 19, 'CLFSH', 'CLFLUSH'),
  row('1.EDX', 21, 'DS', 'Debug store', 'no branch trace storage and no event-based sampling'),
  row('1.EDX', 22, 'ACPI', 'Thermal and clock-modulation MSRs', 'the clock is virtual and nothing gets hot'),
  row('1.EDX', 23, 'MMX', 'MMX instructions'),
  row('1.EDX', 24, 'FXSR', 'FXSAVE and FXRSTOR'),
  row('1.EDX', 25, 'SSE', 'SSE instructions'),
  row('1.EDX', 26, 'SSE2', 'SSE2 instructions'),
  row('1.EDX', 27, 'SS', 'Self-snoop: memory is coherent whatever its type'),
  row('1.EDX', 28, 'HTT', 'More than one logical processor', 'the machine has one'),
  row('1.EDX', 29, 'TM', 'Thermal monitor', 'nothing gets hot'),
  row('1.EDX', 31, 'PBE', 'Pending break enable', 'it is about the pin STPCLK#, which the machine lacks'),
  row('1.ECX', 0, 'SSE3', 'SSE3 instructions'),
  row('1.ECX', 3, 'MONITOR', 'MONITOR and MWAIT'),
  row('1.ECX', 5, 'VMX', 'Virtual machine extensions'),
  row('1.ECX', 7, 'EST', 'Enhanced SpeedStep', 'there is one speed: a cycle is an instruction'),
  row('1.ECX', 8, 'TM2', 'Thermal monitor 2', 'nothing gets hot'),
  row('1.ECX', 14, 'xTPR', 'Task-priority messages on the bus', 'there is no local APIC to send them'),
  row(
    '1.ECX',
    15,
    'PDCM',
    'IA32_PERF_CAPABILITIES',
    'it describes sampling and branch records, which the machine lacks',
  ),
  row(
    '80000001.EDX',
    20,
    'XD',
    'Execute disable',
    'bit 63 of a page-table entry is reserved and IA32_EFER does not exist',
  ),
];

/** The flags of one word that are set: those of implemented features, or with `real` all that the T2400 has. Unsigned. */
export const featureFlags = (word: FeatureWord, real = false): number =>
  FEATURES.reduce(
    (flags, f) => (f.word === word && (real || f.absent === undefined) ? flags | (1 << f.bit) : flags),
    0,
  ) >>> 0;

/** Flags that something asks for by name. */
export const Feature = { SSE2: 1 << 26 } as const;
export const FeatureC = { MONITOR: 1 << 3, VMX: 1 << 5 } as const;
