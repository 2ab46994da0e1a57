// The basic exit reasons: ONE table of numbers, SDM names, Xen's names and the layout of the exit qualification.
// Not which exits this processor produces (that follows from controls.ts): all defined numbers are here, so that any trace can be named.
// SDM vol. 3, appendix C.

import { describeQualification, type QualificationLayout } from './qualification.ts';

type Row = readonly [reason: number, name: string, xen: string, layout?: QualificationLayout];

const TABLE = {
  EXCEPTION_OR_NMI: [0, 'Exception or non-maskable interrupt (NMI)', 'EXCEPTION_NMI', 'exception'],
  EXTERNAL_INTERRUPT: [1, 'External interrupt', 'EXTERNAL_INTERRUPT'],
  TRIPLE_FAULT: [2, 'Triple fault', 'TRIPLE_FAULT'],
  INIT_SIGNAL: [3, 'INIT signal', 'INIT'],
  SIPI: [4, 'Start-up IPI (SIPI)', 'SIPI', 'sipi'],
  IO_SMI: [5, 'I/O system-management interrupt (SMI)', 'IO_SMI'],
  OTHER_SMI: [6, 'Other SMI', 'OTHER_SMI'],
  INTERRUPT_WINDOW: [7, 'Interrupt window', 'PENDING_VIRT_INTR'],
  NMI_WINDOW: [8, 'NMI window', 'PENDING_VIRT_NMI'],
  TASK_SWITCH: [9, 'Task switch', 'TASK_SWITCH', 'task-switch'],
  CPUID: [10, 'CPUID', 'CPUID'],
  GETSEC: [11, 'GETSEC', 'GETSEC'],
  HLT: [12, 'HLT', 'HLT'],
  INVD: [13, 'INVD', 'INVD'],
  INVLPG: [14, 'INVLPG', 'INVLPG', 'linear-address'],
  RDPMC: [15, 'RDPMC', 'RDPMC'],
  RDTSC: [16, 'RDTSC', 'RDTSC'],
  RSM: [17, 'RSM', 'RSM'],
  VMCALL: [18, 'VMCALL', 'VMCALL'],
  VMCLEAR: [19, 'VMCLEAR', 'VMCLEAR', 'displacement'],
  VMLAUNCH: [20, 'VMLAUNCH', 'VMLAUNCH'],
  VMPTRLD: [21, 'VMPTRLD', 'VMPTRLD', 'displacement'],
  VMPTRST: [22, 'VMPTRST', 'VMPTRST', 'displacement'],
  VMREAD: [23, 'VMREAD', 'VMREAD', 'displacement'],
  VMRESUME: [24, 'VMRESUME', 'VMRESUME'],
  VMWRITE: [25, 'VMWRITE', 'VMWRITE', 'displacement'],
  VMXOFF: [26, 'VMXOFF', 'VMXOFF'],
  VMXON: [27, 'VMXON', 'VMXON', 'displacement'],
  CR_ACCESS: [28, 'Control-register accesses', 'CR_ACCESS', 'cr-access'],
  MOV_DR: [29, 'MOV DR', 'DR_ACCESS', 'dr-access'],
  IO_INSTRUCTION: [30, 'I/O instruction', 'IO_INSTRUCTION', 'io'],
  RDMSR: [31, 'RDMSR', 'MSR_READ'],
  WRMSR: [32, 'WRMSR', 'MSR_WRITE'],
  ENTRY_FAILURE_GUEST_STATE: [
    33,
    'VM-entry failure due to invalid guest state',
    'INVALID_GUEST_STATE',
    'entry-failure',
  ],
  ENTRY_FAILURE_MSR_LOADING: [34, 'VM-entry failure due to MSR loading', 'MSR_LOADING', 'msr-entry'],
  MWAIT: [36, 'MWAIT', 'MWAIT_INSTRUCTION', 'mwait'],
  MONITOR_TRAP_FLAG: [37, 'Monitor trap flag', 'MONITOR_TRAP_FLAG'],
  MONITOR: [39, 'MONITOR', 'MONITOR_INSTRUCTION'],
  PAUSE: [40, 'PAUSE', 'PAUSE_INSTRUCTION'],
  ENTRY_FAILURE_MACHINE_CHECK: [41, 'VM-entry failure due to machine-check event', 'MCE_DURING_VMENTRY'],
  TPR_BELOW_THRESHOLD: [43, 'TPR below threshold', 'TPR_BELOW_THRESHOLD'],
  APIC_ACCESS: [44, 'APIC access', 'APIC_ACCESS', 'apic-access'],
  VIRTUALIZED_EOI: [45, 'Virtualized EOI', 'EOI_INDUCED'],
  GDTR_IDTR_ACCESS: [46, 'Access to GDTR or IDTR', 'ACCESS_GDTR_OR_IDTR', 'displacement'],
  LDTR_TR_ACCESS: [47, 'Access to LDTR or TR', 'ACCESS_LDTR_OR_TR', 'displacement'],
  EPT_VIOLATION: [48, 'EPT violation', 'EPT_VIOLATION', 'ept-violation'],
  EPT_MISCONFIGURATION: [49, 'EPT misconfiguration', 'EPT_MISCONFIG'],
  INVEPT: [50, 'INVEPT', 'INVEPT', 'displacement'],
  RDTSCP: [51, 'RDTSCP', 'RDTSCP'],
  PREEMPTION_TIMER: [52, 'VMX-preemption timer expired', 'VMX_PREEMPTION_TIMER_EXPIRED'],
  INVVPID: [53, 'INVVPID', 'INVVPID', 'displacement'],
  WBINVD: [54, 'WBINVD', 'WBINVD'],
  XSETBV: [55, 'XSETBV', 'XSETBV'],
  APIC_WRITE: [56, 'APIC write', 'APIC_WRITE'],
  RDRAND: [57, 'RDRAND', 'RDRAND'],
  INVPCID: [58, 'INVPCID', 'INVPCID', 'displacement'],
  VMFUNC: [59, 'VMFUNC', 'VMFUNC'],
  ENCLS: [60, 'ENCLS', 'ENCLS'],
  RDSEED: [61, 'RDSEED', 'RDSEED'],
  PML_FULL: [62, 'Page-modification log full', 'PML_FULL'],
  XSAVES: [63, 'XSAVES', 'XSAVES', 'displacement'],
  XRSTORS: [64, 'XRSTORS', 'XRSTORS', 'displacement'],
} as const satisfies Record<string, Row>;

export type ExitReasonId = keyof typeof TABLE;

/** Basic exit reasons by identifier: `ExitReason.CPUID` is 10. */
export const ExitReason = Object.freeze(
  Object.fromEntries(Object.entries(TABLE).map(([id, row]) => [id, row[0]])),
) as unknown as { readonly [K in ExitReasonId]: (typeof TABLE)[K][0] };

/** Bit 31 of the exit reason: the VM entry failed; the guest did not run. */
export const ENTRY_FAILURE = 0x8000_0000;

export interface ExitReasonInfo {
  readonly reason: number;
  readonly id: ExitReasonId;
  /** The SDM's name. */
  readonly name: string;
  /** Xen's EXIT_REASON_ name without the prefix. */
  readonly xen: string;
  readonly layout: QualificationLayout;
}

/** By basic reason; numbers that Intel has not assigned are undefined. */
export const EXIT_REASONS: readonly (ExitReasonInfo | undefined)[] = (() => {
  const list: (ExitReasonInfo | undefined)[] = [];
  for (const [id, row] of Object.entries(TABLE) as [ExitReasonId, Row][]) {
    list[row[0]] = { reason: row[0], id, name: row[1], xen: row[2], layout: row[3] ?? 'none' };
  }
  return Array.from(list);
})();

/** The SDM's name of an exit reason word (bits above 15 are ignored), or "reason N". */
export const exitReasonName = (reason: number): string =>
  EXIT_REASONS[reason & 0xffff]?.name ?? `reason ${reason & 0xffff}`;

/** One line that says what the qualification of this exit means; empty where it means nothing. */
export const describeExit = (reason: number, qualification: number, intrInfo: number = 0): string => {
  const info = EXIT_REASONS[reason & 0xffff];
  return info === undefined ? '' : describeQualification(info.layout, qualification, intrInfo);
};
