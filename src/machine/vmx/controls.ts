// The VMX controls: ONE table of the bits of the pin-based, processor-based, secondary, VM-exit and VM-entry controls, and from it
// the capability MSRs of each processor model (allowed 0-settings and 1-settings). Not the checks on them (entry-checks.ts).
// SDM vol. 3, 24.6 to 24.8 and appendix A.

/** The words of controls. */
export type ControlWord = 'pin' | 'primary' | 'secondary' | 'exit' | 'entry';
/** Which models have a control: 'default1' bits are 1 where the processor has no say over them (appendix A.2). */
type Availability = 'all' | 'modern' | 'default1' | 'default1-modern-clearable';

type Row = readonly [bit: number, name: string, availability: Availability];

/** Pin-based VM-execution controls (table 24-5). */
const PIN = {
  EXTERNAL_INTERRUPT_EXITING: [0, 'External-interrupt exiting', 'all'],
  NMI_EXITING: [3, 'NMI exiting', 'all'],
  VIRTUAL_NMIS: [5, 'Virtual NMIs', 'all'],
  ACTIVATE_PREEMPTION_TIMER: [6, 'Activate VMX-preemption timer', 'modern'],
} as const satisfies Record<string, Row>;

/** Primary processor-based VM-execution controls (table 24-6). */
const PRIMARY = {
  INTERRUPT_WINDOW_EXITING: [2, 'Interrupt-window exiting', 'all'],
  USE_TSC_OFFSETTING: [3, 'Use TSC offsetting', 'all'],
  HLT_EXITING: [7, 'HLT exiting', 'all'],
  INVLPG_EXITING: [9, 'INVLPG exiting', 'all'],
  MWAIT_EXITING: [10, 'MWAIT exiting', 'all'],
  RDPMC_EXITING: [11, 'RDPMC exiting', 'all'],
  RDTSC_EXITING: [12, 'RDTSC exiting', 'all'],
  CR3_LOAD_EXITING: [15, 'CR3-load exiting', 'default1-modern-clearable'],
  CR3_STORE_EXITING: [16, 'CR3-store exiting', 'default1-modern-clearable'],
  NMI_WINDOW_EXITING: [22, 'NMI-window exiting', 'all'],
  MOV_DR_EXITING: [23, 'MOV-DR exiting', 'all'],
  UNCONDITIONAL_IO_EXITING: [24, 'Unconditional I/O exiting', 'all'],
  USE_IO_BITMAPS: [25, 'Use I/O bitmaps', 'all'],
  MONITOR_TRAP_FLAG: [27, 'Monitor trap flag', 'modern'],
  USE_MSR_BITMAPS: [28, 'Use MSR bitmaps', 'all'],
  MONITOR_EXITING: [29, 'MONITOR exiting', 'all'],
  PAUSE_EXITING: [30, 'PAUSE exiting', 'all'],
  ACTIVATE_SECONDARY_CONTROLS: [31, 'Activate secondary controls', 'modern'],
} as const satisfies Record<string, Row>;

/** Secondary processor-based VM-execution controls (table 24-7). */
const SECONDARY = {
  DESCRIPTOR_TABLE_EXITING: [2, 'Descriptor-table exiting', 'modern'],
  ENABLE_VPID: [5, 'Enable VPID', 'modern'],
  WBINVD_EXITING: [6, 'WBINVD exiting', 'modern'],
} as const satisfies Record<string, Row>;

/** VM-exit controls (table 24-13). */
const EXIT = {
  SAVE_DEBUG_CONTROLS: [2, 'Save debug controls', 'default1-modern-clearable'],
  ACKNOWLEDGE_INTERRUPT_ON_EXIT: [15, 'Acknowledge interrupt on exit', 'all'],
  SAVE_IA32_PAT: [18, 'Save IA32_PAT', 'modern'],
  LOAD_IA32_PAT: [19, 'Load IA32_PAT', 'modern'],
  SAVE_PREEMPTION_TIMER: [22, 'Save VMX-preemption timer value', 'modern'],
} as const satisfies Record<string, Row>;

/** VM-entry controls (table 24-15). */
const ENTRY = {
  LOAD_DEBUG_CONTROLS: [2, 'Load debug controls', 'default1-modern-clearable'],
  LOAD_IA32_PAT: [14, 'Load IA32_PAT', 'modern'],
} as const satisfies Record<string, Row>;

type Bits<T extends Record<string, Row>> = { readonly [K in keyof T]: number };
const bits = <T extends Record<string, Row>>(table: T): Bits<T> =>
  Object.freeze(
    Object.fromEntries(Object.entries(table).map(([id, row]) => [id, (1 << row[0]) >>> 0])),
  ) as unknown as Bits<T>;

/** Masks by identifier: `PinControl.NMI_EXITING` is 8. Unsigned. */
export const PinControl = bits(PIN);
export const PrimaryControl = bits(PRIMARY);
export const SecondaryControl = bits(SECONDARY);
export const ExitControl = bits(EXIT);
export const EntryControl = bits(ENTRY);

/** Reserved bits that must be 1 (appendix A.3 to A.5: the default1 class), without the named ones above. */
const RESERVED_ONE: Readonly<Record<ControlWord, number>> = {
  pin: 0x0000_0016,
  primary: 0x0400_6172,
  secondary: 0,
  exit: 0x0003_6dfb,
  entry: 0x0000_11fb,
};

const TABLES: Readonly<Record<ControlWord, Record<string, Row>>> = {
  pin: PIN,
  primary: PRIMARY,
  secondary: SECONDARY,
  exit: EXIT,
  entry: ENTRY,
};

export interface ControlInfo {
  readonly word: ControlWord;
  readonly bit: number;
  readonly id: string;
  /** The SDM's name. */
  readonly name: string;
}

/** Every named control. */
export const CONTROLS: readonly ControlInfo[] = (Object.keys(TABLES) as ControlWord[]).flatMap((word) =>
  Object.entries(TABLES[word]).map(([id, row]) => ({ word, bit: row[0], id, name: row[1] })),
);

/** Names of the controls that are set, for views: reserved bits are left out. */
export const describeControls = (word: ControlWord, value: number): string[] =>
  CONTROLS.filter((control) => control.word === word && ((value >>> control.bit) & 1) === 1).map(
    (control) => control.name,
  );

/** What a control word may be: a bit of `allowed0` must be 1, a bit outside `allowed1` must be 0. Unsigned. */
export interface AllowedSettings {
  readonly allowed0: number;
  readonly allowed1: number;
}

export type VmxModelId = 'core-duo' | 'modern';

const settings = (word: ControlWord, model: VmxModelId, trueControls: boolean): AllowedSettings => {
  let allowed0 = RESERVED_ONE[word];
  let allowed1 = RESERVED_ONE[word];
  for (const [bit, , availability] of Object.values(TABLES[word])) {
    const mask = 1 << bit;
    const exists = availability !== 'modern' || model === 'modern';
    if (exists) allowed1 |= mask;
    if (availability.startsWith('default1') && !(trueControls && availability === 'default1-modern-clearable'))
      allowed0 |= mask;
  }
  return { allowed0: allowed0 >>> 0, allowed1: allowed1 >>> 0 };
};

/** The VMX capabilities of a processor model, as the MSRs IA32_VMX_* report them (appendix A). */
export interface VmxCapabilities {
  readonly model: VmxModelId;
  /** Bits 30:0 of IA32_VMX_BASIC: what the first word of a VMCS region must hold. */
  readonly revisionId: number;
  /** IA32_VMX_TRUE_*_CTLS exist: default1 controls with a name may be cleared. */
  readonly trueControls: boolean;
  /** What the processor enforces: the true controls where there are any. */
  readonly controls: Readonly<Record<ControlWord, AllowedSettings>>;
  /** What IA32_VMX_*_CTLS report, with default1 controls as fixed. */
  readonly legacyControls: Readonly<Record<ControlWord, AllowedSettings>>;
  readonly hasSecondary: boolean;
  readonly hasPreemptionTimer: boolean;
  readonly hasVpid: boolean;
  readonly hasPat: boolean;
  /** Bits that must be 1, and bits that may be 1, in CR0 and CR4 in VMX operation (A.7, A.8). */
  readonly cr0Fixed0: number;
  readonly cr0Fixed1: number;
  readonly cr4Fixed0: number;
  readonly cr4Fixed1: number;
  /** CR3-target values supported (IA32_VMX_MISC 24:16). */
  readonly cr3Targets: number;
  /** Entries recommended at most in an MSR area (IA32_VMX_MISC 27:25). */
  readonly maxMsrs: number;
  /** The preemption timer counts down once in 2^this cycles (IA32_VMX_MISC 4:0). */
  readonly preemptionShift: number;
}

const WORDS: readonly ControlWord[] = ['pin', 'primary', 'secondary', 'exit', 'entry'];

/** `cr4Implemented`: the CR4 bits this processor has besides VMXE (model.ts). */
export const vmxCapabilities = (model: VmxModelId, cr4Implemented: number): VmxCapabilities => {
  const trueControls = model === 'modern';
  const words = (real: boolean): Record<ControlWord, AllowedSettings> =>
    Object.fromEntries(WORDS.map((word) => [word, settings(word, model, real)])) as Record<
      ControlWord,
      AllowedSettings
    >;
  return {
    model,
    revisionId: model === 'modern' ? 0x10 : 0x05,
    trueControls,
    controls: words(trueControls),
    legacyControls: words(false),
    hasSecondary: model === 'modern',
    hasPreemptionTimer: model === 'modern',
    hasVpid: model === 'modern',
    hasPat: model === 'modern',
    cr0Fixed0: 0x8000_0021,
    cr0Fixed1: 0xffff_ffff,
    cr4Fixed0: 0x2000,
    cr4Fixed1: (cr4Implemented | 0x2000) >>> 0,
    cr3Targets: 4,
    maxMsrs: 512,
    preemptionShift: 5,
  };
};
