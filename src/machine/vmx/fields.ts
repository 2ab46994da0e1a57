// The fields of a VMCS: ONE table of SDM names, encodings, widths and groups, read by the processor, the hypervisor and the views.
// Not where a field lies in memory (vmcs.ts) and not what its bits mean (controls.ts, exit-reasons.ts).
// SDM vol. 3, 24.11.2 (encoding) and appendix B.

/** Natural-width fields have 32 bits here: the processors have no Intel 64 architecture. */
export type FieldWidth = 16 | 32 | 64 | 'natural';
/** SDM vol. 3, table 24-21, bits 11:10. */
export type FieldGroup = 'control' | 'exit-info' | 'guest' | 'host';
/** The feature of the processor that a field comes with; fields without one exist on every model. */
export type FieldFeature =
  'base' | 'msr-bitmaps' | 'secondary' | 'vpid' | 'ept' | 'preemption-timer' | 'pat' | 'tpr-shadow' | 'apic-access';

type Row = readonly [encoding: number, name: string, width: FieldWidth, group: FieldGroup, feature?: FieldFeature];

/** Keys are the names that Xen and the SDM's appendix B share in spirit: upper case, group first. */
const TABLE = {
  VIRTUAL_PROCESSOR_ID: [0x0000, 'Virtual-processor identifier (VPID)', 16, 'control', 'vpid'],

  GUEST_ES_SELECTOR: [0x0800, 'Guest ES selector', 16, 'guest'],
  GUEST_CS_SELECTOR: [0x0802, 'Guest CS selector', 16, 'guest'],
  GUEST_SS_SELECTOR: [0x0804, 'Guest SS selector', 16, 'guest'],
  GUEST_DS_SELECTOR: [0x0806, 'Guest DS selector', 16, 'guest'],
  GUEST_FS_SELECTOR: [0x0808, 'Guest FS selector', 16, 'guest'],
  GUEST_GS_SELECTOR: [0x080a, 'Guest GS selector', 16, 'guest'],
  GUEST_LDTR_SELECTOR: [0x080c, 'Guest LDTR selector', 16, 'guest'],
  GUEST_TR_SELECTOR: [0x080e, 'Guest TR selector', 16, 'guest'],

  HOST_ES_SELECTOR: [0x0c00, 'Host ES selector', 16, 'host'],
  HOST_CS_SELECTOR: [0x0c02, 'Host CS selector', 16, 'host'],
  HOST_SS_SELECTOR: [0x0c04, 'Host SS selector', 16, 'host'],
  HOST_DS_SELECTOR: [0x0c06, 'Host DS selector', 16, 'host'],
  HOST_FS_SELECTOR: [0x0c08, 'Host FS selector', 16, 'host'],
  HOST_GS_SELECTOR: [0x0c0a, 'Host GS selector', 16, 'host'],
  HOST_TR_SELECTOR: [0x0c0c, 'Host TR selector', 16, 'host'],

  IO_BITMAP_A: [0x2000, 'Address of I/O bitmap A', 64, 'control'],
  IO_BITMAP_B: [0x2002, 'Address of I/O bitmap B', 64, 'control'],
  MSR_BITMAP: [0x2004, 'Address of MSR bitmaps', 64, 'control', 'msr-bitmaps'],
  VM_EXIT_MSR_STORE_ADDR: [0x2006, 'VM-exit MSR-store address', 64, 'control'],
  VM_EXIT_MSR_LOAD_ADDR: [0x2008, 'VM-exit MSR-load address', 64, 'control'],
  VM_ENTRY_MSR_LOAD_ADDR: [0x200a, 'VM-entry MSR-load address', 64, 'control'],
  EXECUTIVE_VMCS_POINTER: [0x200c, 'Executive-VMCS pointer', 64, 'control'],
  TSC_OFFSET: [0x2010, 'TSC offset', 64, 'control'],
  VIRTUAL_APIC_PAGE_ADDR: [0x2012, 'Virtual-APIC address', 64, 'control', 'tpr-shadow'],
  APIC_ACCESS_ADDR: [0x2014, 'APIC-access address', 64, 'control', 'apic-access'],
  EPT_POINTER: [0x201a, 'EPT pointer (EPTP)', 64, 'control', 'ept'],

  GUEST_PHYSICAL_ADDRESS: [0x2400, 'Guest-physical address', 64, 'exit-info', 'ept'],

  VMCS_LINK_POINTER: [0x2800, 'VMCS link pointer', 64, 'guest'],
  GUEST_IA32_DEBUGCTL: [0x2802, 'Guest IA32_DEBUGCTL', 64, 'guest'],
  GUEST_IA32_PAT: [0x2804, 'Guest IA32_PAT', 64, 'guest', 'pat'],
  GUEST_PDPTE0: [0x280a, 'Guest PDPTE0', 64, 'guest', 'ept'],
  GUEST_PDPTE1: [0x280c, 'Guest PDPTE1', 64, 'guest', 'ept'],
  GUEST_PDPTE2: [0x280e, 'Guest PDPTE2', 64, 'guest', 'ept'],
  GUEST_PDPTE3: [0x2810, 'Guest PDPTE3', 64, 'guest', 'ept'],

  HOST_IA32_PAT: [0x2c00, 'Host IA32_PAT', 64, 'host', 'pat'],

  PIN_BASED_VM_EXEC_CONTROL: [0x4000, 'Pin-based VM-execution controls', 32, 'control'],
  CPU_BASED_VM_EXEC_CONTROL: [0x4002, 'Primary processor-based VM-execution controls', 32, 'control'],
  EXCEPTION_BITMAP: [0x4004, 'Exception bitmap', 32, 'control'],
  PAGE_FAULT_ERROR_CODE_MASK: [0x4006, 'Page-fault error-code mask', 32, 'control'],
  PAGE_FAULT_ERROR_CODE_MATCH: [0x4008, 'Page-fault error-code match', 32, 'control'],
  CR3_TARGET_COUNT: [0x400a, 'CR3-target count', 32, 'control'],
  VM_EXIT_CONTROLS: [0x400c, 'VM-exit controls', 32, 'control'],
  VM_EXIT_MSR_STORE_COUNT: [0x400e, 'VM-exit MSR-store count', 32, 'control'],
  VM_EXIT_MSR_LOAD_COUNT: [0x4010, 'VM-exit MSR-load count', 32, 'control'],
  VM_ENTRY_CONTROLS: [0x4012, 'VM-entry controls', 32, 'control'],
  VM_ENTRY_MSR_LOAD_COUNT: [0x4014, 'VM-entry MSR-load count', 32, 'control'],
  VM_ENTRY_INTR_INFO: [0x4016, 'VM-entry interruption-information field', 32, 'control'],
  VM_ENTRY_EXCEPTION_ERROR_CODE: [0x4018, 'VM-entry exception error code', 32, 'control'],
  VM_ENTRY_INSTRUCTION_LEN: [0x401a, 'VM-entry instruction length', 32, 'control'],
  TPR_THRESHOLD: [0x401c, 'TPR threshold', 32, 'control', 'tpr-shadow'],
  SECONDARY_VM_EXEC_CONTROL: [0x401e, 'Secondary processor-based VM-execution controls', 32, 'control', 'secondary'],

  VM_INSTRUCTION_ERROR: [0x4400, 'VM-instruction error', 32, 'exit-info'],
  VM_EXIT_REASON: [0x4402, 'Exit reason', 32, 'exit-info'],
  VM_EXIT_INTR_INFO: [0x4404, 'VM-exit interruption information', 32, 'exit-info'],
  VM_EXIT_INTR_ERROR_CODE: [0x4406, 'VM-exit interruption error code', 32, 'exit-info'],
  IDT_VECTORING_INFO: [0x4408, 'IDT-vectoring information field', 32, 'exit-info'],
  IDT_VECTORING_ERROR_CODE: [0x440a, 'IDT-vectoring error code', 32, 'exit-info'],
  VM_EXIT_INSTRUCTION_LEN: [0x440c, 'VM-exit instruction length', 32, 'exit-info'],
  VM_EXIT_INSTRUCTION_INFO: [0x440e, 'VM-exit instruction information', 32, 'exit-info'],

  GUEST_ES_LIMIT: [0x4800, 'Guest ES limit', 32, 'guest'],
  GUEST_CS_LIMIT: [0x4802, 'Guest CS limit', 32, 'guest'],
  GUEST_SS_LIMIT: [0x4804, 'Guest SS limit', 32, 'guest'],
  GUEST_DS_LIMIT: [0x4806, 'Guest DS limit', 32, 'guest'],
  GUEST_FS_LIMIT: [0x4808, 'Guest FS limit', 32, 'guest'],
  GUEST_GS_LIMIT: [0x480a, 'Guest GS limit', 32, 'guest'],
  GUEST_LDTR_LIMIT: [0x480c, 'Guest LDTR limit', 32, 'guest'],
  GUEST_TR_LIMIT: [0x480e, 'Guest TR limit', 32, 'guest'],
  GUEST_GDTR_LIMIT: [0x4810, 'Guest GDTR limit', 32, 'guest'],
  GUEST_IDTR_LIMIT: [0x4812, 'Guest IDTR limit', 32, 'guest'],
  GUEST_ES_AR_BYTES: [0x4814, 'Guest ES access rights', 32, 'guest'],
  GUEST_CS_AR_BYTES: [0x4816, 'Guest CS access rights', 32, 'guest'],
  GUEST_SS_AR_BYTES: [0x4818, 'Guest SS access rights', 32, 'guest'],
  GUEST_DS_AR_BYTES: [0x481a, 'Guest DS access rights', 32, 'guest'],
  GUEST_FS_AR_BYTES: [0x481c, 'Guest FS access rights', 32, 'guest'],
  GUEST_GS_AR_BYTES: [0x481e, 'Guest GS access rights', 32, 'guest'],
  GUEST_LDTR_AR_BYTES: [0x4820, 'Guest LDTR access rights', 32, 'guest'],
  GUEST_TR_AR_BYTES: [0x4822, 'Guest TR access rights', 32, 'guest'],
  GUEST_INTERRUPTIBILITY_INFO: [0x4824, 'Guest interruptibility state', 32, 'guest'],
  GUEST_ACTIVITY_STATE: [0x4826, 'Guest activity state', 32, 'guest'],
  GUEST_SMBASE: [0x4828, 'Guest SMBASE', 32, 'guest'],
  GUEST_SYSENTER_CS: [0x482a, 'Guest IA32_SYSENTER_CS', 32, 'guest'],
  GUEST_PREEMPTION_TIMER: [0x482e, 'VMX-preemption timer value', 32, 'guest', 'preemption-timer'],

  HOST_SYSENTER_CS: [0x4c00, 'Host IA32_SYSENTER_CS', 32, 'host'],

  CR0_GUEST_HOST_MASK: [0x6000, 'CR0 guest/host mask', 'natural', 'control'],
  CR4_GUEST_HOST_MASK: [0x6002, 'CR4 guest/host mask', 'natural', 'control'],
  CR0_READ_SHADOW: [0x6004, 'CR0 read shadow', 'natural', 'control'],
  CR4_READ_SHADOW: [0x6006, 'CR4 read shadow', 'natural', 'control'],
  CR3_TARGET_VALUE0: [0x6008, 'CR3-target value 0', 'natural', 'control'],
  CR3_TARGET_VALUE1: [0x600a, 'CR3-target value 1', 'natural', 'control'],
  CR3_TARGET_VALUE2: [0x600c, 'CR3-target value 2', 'natural', 'control'],
  CR3_TARGET_VALUE3: [0x600e, 'CR3-target value 3', 'natural', 'control'],

  EXIT_QUALIFICATION: [0x6400, 'Exit qualification', 'natural', 'exit-info'],
  IO_RCX: [0x6402, 'I/O RCX', 'natural', 'exit-info'],
  IO_RSI: [0x6404, 'I/O RSI', 'natural', 'exit-info'],
  IO_RDI: [0x6406, 'I/O RDI', 'natural', 'exit-info'],
  IO_RIP: [0x6408, 'I/O RIP', 'natural', 'exit-info'],
  GUEST_LINEAR_ADDRESS: [0x640a, 'Guest-linear address', 'natural', 'exit-info'],

  GUEST_CR0: [0x6800, 'Guest CR0', 'natural', 'guest'],
  GUEST_CR3: [0x6802, 'Guest CR3', 'natural', 'guest'],
  GUEST_CR4: [0x6804, 'Guest CR4', 'natural', 'guest'],
  GUEST_ES_BASE: [0x6806, 'Guest ES base', 'natural', 'guest'],
  GUEST_CS_BASE: [0x6808, 'Guest CS base', 'natural', 'guest'],
  GUEST_SS_BASE: [0x680a, 'Guest SS base', 'natural', 'guest'],
  GUEST_DS_BASE: [0x680c, 'Guest DS base', 'natural', 'guest'],
  GUEST_FS_BASE: [0x680e, 'Guest FS base', 'natural', 'guest'],
  GUEST_GS_BASE: [0x6810, 'Guest GS base', 'natural', 'guest'],
  GUEST_LDTR_BASE: [0x6812, 'Guest LDTR base', 'natural', 'guest'],
  GUEST_TR_BASE: [0x6814, 'Guest TR base', 'natural', 'guest'],
  GUEST_GDTR_BASE: [0x6816, 'Guest GDTR base', 'natural', 'guest'],
  GUEST_IDTR_BASE: [0x6818, 'Guest IDTR base', 'natural', 'guest'],
  GUEST_DR7: [0x681a, 'Guest DR7', 'natural', 'guest'],
  GUEST_RSP: [0x681c, 'Guest RSP', 'natural', 'guest'],
  GUEST_RIP: [0x681e, 'Guest RIP', 'natural', 'guest'],
  GUEST_RFLAGS: [0x6820, 'Guest RFLAGS', 'natural', 'guest'],
  GUEST_PENDING_DBG_EXCEPTIONS: [0x6822, 'Guest pending debug exceptions', 'natural', 'guest'],
  GUEST_SYSENTER_ESP: [0x6824, 'Guest IA32_SYSENTER_ESP', 'natural', 'guest'],
  GUEST_SYSENTER_EIP: [0x6826, 'Guest IA32_SYSENTER_EIP', 'natural', 'guest'],

  HOST_CR0: [0x6c00, 'Host CR0', 'natural', 'host'],
  HOST_CR3: [0x6c02, 'Host CR3', 'natural', 'host'],
  HOST_CR4: [0x6c04, 'Host CR4', 'natural', 'host'],
  HOST_FS_BASE: [0x6c06, 'Host FS base', 'natural', 'host'],
  HOST_GS_BASE: [0x6c08, 'Host GS base', 'natural', 'host'],
  HOST_TR_BASE: [0x6c0a, 'Host TR base', 'natural', 'host'],
  HOST_GDTR_BASE: [0x6c0c, 'Host GDTR base', 'natural', 'host'],
  HOST_IDTR_BASE: [0x6c0e, 'Host IDTR base', 'natural', 'host'],
  HOST_SYSENTER_ESP: [0x6c10, 'Host IA32_SYSENTER_ESP', 'natural', 'host'],
  HOST_SYSENTER_EIP: [0x6c12, 'Host IA32_SYSENTER_EIP', 'natural', 'host'],
  HOST_RSP: [0x6c14, 'Host RSP', 'natural', 'host'],
  HOST_RIP: [0x6c16, 'Host RIP', 'natural', 'host'],
} as const satisfies Record<string, Row>;

export type FieldId = keyof typeof TABLE;

/** Encodings by identifier: `Field.GUEST_RIP` is 0x681e. Of a 64-bit field, encoding + 1 names the high half. */
export const Field = Object.freeze(
  Object.fromEntries(Object.entries(TABLE).map(([id, row]) => [id, row[0]])),
) as unknown as {
  readonly [K in FieldId]: (typeof TABLE)[K][0];
};

export interface FieldInfo {
  readonly id: FieldId;
  /** The SDM's name (appendix B). */
  readonly name: string;
  readonly encoding: number;
  readonly width: FieldWidth;
  /** Bits of storage on these processors: natural-width fields have 32. */
  readonly bits: 16 | 32 | 64;
  readonly group: FieldGroup;
  readonly feature: FieldFeature;
  /** Position in `FIELDS`, which is the order of the SDM's appendix B. */
  readonly index: number;
}

/** Every field, in the order of their encodings. */
export const FIELDS: readonly FieldInfo[] = (Object.entries(TABLE) as [FieldId, Row][]).map(([id, row], index) => ({
  id,
  encoding: row[0],
  name: row[1],
  width: row[2],
  bits: row[2] === 'natural' ? 32 : row[2],
  group: row[3],
  feature: row[4] ?? 'base',
  index,
}));

const BY_ENCODING = new Map(FIELDS.map((field) => [field.encoding, field]));

/** The field with this encoding (the high-half encoding of a 64-bit field finds the field too), or undefined. */
export const fieldByEncoding = (encoding: number): FieldInfo | undefined => {
  const field = BY_ENCODING.get(encoding & ~1);
  return field !== undefined && (encoding === field.encoding || field.width === 64) ? field : undefined;
};
