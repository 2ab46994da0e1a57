// The exit qualification and the interruption-information words: their bit fields, taken apart, and said in words.
// Not which exit has which layout (exit-reasons.ts) and not when exits happen (exit.ts).
// SDM vol. 3, 27.2.1 (tables 27-1 to 27-6), 24.8.3 and 24.9.2.

import type { FieldWidth } from './fields.ts';

/** Kinds of layout an exit qualification can have. */
export type QualificationLayout =
  | 'none'
  | 'exception'
  | 'sipi'
  | 'task-switch'
  | 'linear-address'
  | 'displacement'
  | 'cr-access'
  | 'dr-access'
  | 'io'
  | 'mwait'
  | 'entry-failure'
  | 'msr-entry'
  | 'apic-access'
  | 'ept-violation';

/** Register names by ModRM number, as the qualification's GPR fields number them. */
export const GPR_NAMES = ['EAX', 'ECX', 'EDX', 'EBX', 'ESP', 'EBP', 'ESI', 'EDI'] as const;

/** Table 27-3, bits 5:4. */
export const CrAccessType = { TO: 0, FROM: 1, CLTS: 2, LMSW: 3 } as const;
/** Table 27-3: exit qualification of control-register accesses. */
export const CrAccess = {
  register: (q: number): number => q & 15,
  type: (q: number): number => (q >>> 4) & 3,
  lmswMemory: (q: number): boolean => (q & 0x40) !== 0,
  gpr: (q: number): number => (q >>> 8) & 15,
  lmswSource: (q: number): number => q >>> 16,
} as const;

/** Table 27-4: exit qualification of MOV DR. `from`: the debug register is read. */
export const DrAccess = {
  register: (q: number): number => q & 7,
  from: (q: number): boolean => (q & 0x10) !== 0,
  gpr: (q: number): number => (q >>> 8) & 15,
} as const;

/** Table 27-5: exit qualification of I/O instructions. */
export const IoAccess = {
  /** Bytes: 1, 2 or 4. */
  size: (q: number): 1 | 2 | 4 => ((q & 7) + 1) as 1 | 2 | 4,
  in: (q: number): boolean => (q & 8) !== 0,
  string: (q: number): boolean => (q & 0x10) !== 0,
  rep: (q: number): boolean => (q & 0x20) !== 0,
  immediate: (q: number): boolean => (q & 0x40) !== 0,
  port: (q: number): number => q >>> 16,
  encode: (size: number, input: boolean, string: boolean, rep: boolean, immediate: boolean, port: number): number =>
    ((size - 1) |
      (input ? 8 : 0) |
      (string ? 0x10 : 0) |
      (rep ? 0x20 : 0) |
      (immediate ? 0x40 : 0) |
      ((port & 0xffff) << 16)) >>>
    0,
} as const;

/** Table 27-2, bits 31:30: what initiated the task switch. */
export const TASK_SWITCH_SOURCES = ['CALL', 'IRET', 'JMP', 'task gate in the IDT'] as const;
/** Table 27-2. */
export const TaskSwitch = {
  selector: (q: number): number => q & 0xffff,
  source: (q: number): 0 | 1 | 2 | 3 => (q >>> 30) as 0 | 1 | 2 | 3,
} as const;

/** Interruption types, bits 10:8 of the interruption-information words (tables 24-14 and 24-16; 24-17 for VM entry). */
export const EventType = {
  EXTERNAL_INTERRUPT: 0,
  NMI: 2,
  HARDWARE_EXCEPTION: 3,
  SOFTWARE_INTERRUPT: 4,
  PRIVILEGED_SOFTWARE_EXCEPTION: 5,
  SOFTWARE_EXCEPTION: 6,
  OTHER_EVENT: 7,
} as const;
const EVENT_TYPE_NAMES = [
  'external interrupt',
  'reserved type 1',
  'NMI',
  'hardware exception',
  'software interrupt',
  'privileged software exception',
  'software exception',
  'other event',
] as const;

/** Bits of the interruption-information words. */
export const IntrInfo = {
  ERROR_CODE_VALID: 1 << 11,
  NMI_UNBLOCKING: 1 << 12,
  VALID: 0x8000_0000,
  vector: (info: number): number => info & 0xff,
  type: (info: number): number => (info >>> 8) & 7,
  hasErrorCode: (info: number): boolean => (info & 0x800) !== 0,
  valid: (info: number): boolean => info >>> 31 === 1,
  encode: (vector: number, type: number, hasErrorCode: boolean): number =>
    (0x8000_0000 | (type << 8) | vector | (hasErrorCode ? 0x800 : 0)) >>> 0,
} as const;

/** Bits of the pending debug exceptions besides B0 to B3 (SDM vol. 3, table 24-4). */
export const PendingDebug = { ENABLED_BREAKPOINT: 1 << 12, SINGLE_STEP: 1 << 14 } as const;
/** Breakpoints that were met (B0 to B3), as pending debug exceptions. */
export const pendingBreakpoints = (met: number): number => (met === 0 ? 0 : met | PendingDebug.ENABLED_BREAKPOINT);

/** Mnemonics of the exceptions by vector (SDM vol. 3, table 6-1). */
export const EXCEPTION_NAMES: readonly (string | undefined)[] = [
  '#DE', '#DB', 'NMI', '#BP', '#OF', '#BR', '#UD', '#NM', '#DF', undefined, '#TS', '#NP', '#SS', '#GP', '#PF', undefined,
  '#MF', '#AC', '#MC', '#XM',
]; // prettier-ignore

const hex = (value: number): string => `0x${(value >>> 0).toString(16)}`;

/** "none", "hardware exception #PF with error code", "external interrupt 32". */
export const describeIntrInfo = (info: number): string => {
  if (!IntrInfo.valid(info)) return 'none';
  const type = IntrInfo.type(info);
  const vector = IntrInfo.vector(info);
  const exception = type === EventType.EXTERNAL_INTERRUPT || type === EventType.SOFTWARE_INTERRUPT;
  const what = type === EventType.NMI ? '' : ` ${(exception ? undefined : EXCEPTION_NAMES[vector]) ?? vector}`;
  const unblocking = info & IntrInfo.NMI_UNBLOCKING ? ', NMI unblocking due to IRET' : '';
  return `${EVENT_TYPE_NAMES[type]}${what}${IntrInfo.hasErrorCode(info) ? ' with error code' : ''}${unblocking}`;
};

/** Qualification of a failed VM entry due to invalid guest state (26.7). */
export const ENTRY_FAILURES: Readonly<Record<number, string>> = {
  0: 'a check of the guest state failed',
  2: 'PDPTE loading failed',
  3: 'an NMI would be injected while blocking by STI is in effect',
  4: 'the VMCS link pointer is invalid',
};

const describeCrAccess = (q: number): string => {
  const cr = CrAccess.register(q);
  const gpr = GPR_NAMES[CrAccess.gpr(q) & 7];
  switch (CrAccess.type(q)) {
    case CrAccessType.TO:
      return `MOV to CR${cr} from ${gpr}`;
    case CrAccessType.FROM:
      return `MOV from CR${cr} to ${gpr}`;
    case CrAccessType.CLTS:
      return 'CLTS';
    default:
      return `LMSW ${hex(CrAccess.lmswSource(q))} (${CrAccess.lmswMemory(q) ? 'memory' : 'register'} operand)`;
  }
};

const describeIo = (q: number): string => {
  const mnemonic = IoAccess.in(q) ? (IoAccess.string(q) ? 'INS' : 'IN') : IoAccess.string(q) ? 'OUTS' : 'OUT';
  const operand = IoAccess.immediate(q) ? ' (immediate)' : '';
  return `${IoAccess.rep(q) ? 'REP ' : ''}${mnemonic} port ${hex(IoAccess.port(q))}${operand}, ${IoAccess.size(q)} byte${IoAccess.size(q) === 1 ? '' : 's'}`;
};

const DEBUG_BITS: readonly (readonly [number, string])[] = [
  [1, 'B0'],
  [2, 'B1'],
  [4, 'B2'],
  [8, 'B3'],
  [1 << 13, 'BD'],
  [1 << 14, 'BS'],
];

const APIC_ACCESS_TYPES = ['read', 'write', 'instruction fetch', 'access during event delivery'] as const;

const describeEptViolation = (q: number): string => {
  const access = [q & 1 ? 'read' : '', q & 2 ? 'write' : '', q & 4 ? 'fetch' : ''].filter((word) => word !== '');
  const allowed = `${q & 8 ? 'r' : '-'}${q & 16 ? 'w' : '-'}${q & 32 ? 'x' : '-'}`;
  const linear = q & 0x80 ? (q & 0x100 ? ', linear address valid' : ', during a page walk') : '';
  return `${access.join(' and ')} of a page with rights ${allowed}${linear}`;
};

/** One line for a person. `intrInfo`: VM-exit interruption information, which the layout 'exception' depends on. */
export const describeQualification = (
  layout: QualificationLayout,
  qualification: number,
  intrInfo: number = 0,
): string => {
  const q = qualification >>> 0;
  switch (layout) {
    case 'none':
      return '';
    case 'exception': {
      const exception = IntrInfo.valid(intrInfo) && IntrInfo.type(intrInfo) !== EventType.NMI;
      if (exception && IntrInfo.vector(intrInfo) === 14) return `page-fault address ${hex(q)}`;
      if (exception && IntrInfo.vector(intrInfo) === 1) {
        return DEBUG_BITS.filter(([bit]) => q & bit)
          .map(([, name]) => name)
          .join(' ');
      }
      return '';
    }
    case 'sipi':
      return `SIPI vector ${hex(q & 0xff)}`;
    case 'task-switch':
      return `to TSS ${hex(TaskSwitch.selector(q))} by ${TASK_SWITCH_SOURCES[TaskSwitch.source(q)]}`;
    case 'linear-address':
      return `linear address ${hex(q)}`;
    case 'displacement':
      return `displacement ${hex(q)}`;
    case 'cr-access':
      return describeCrAccess(q);
    case 'dr-access':
      return DrAccess.from(q)
        ? `MOV from DR${DrAccess.register(q)} to ${GPR_NAMES[DrAccess.gpr(q) & 7]}`
        : `MOV to DR${DrAccess.register(q)} from ${GPR_NAMES[DrAccess.gpr(q) & 7]}`;
    case 'io':
      return describeIo(q);
    case 'mwait':
      return q & 1 ? 'monitoring hardware armed' : 'monitoring hardware not armed';
    case 'entry-failure':
      return ENTRY_FAILURES[q] ?? `unknown cause ${q}`;
    case 'msr-entry':
      return `entry ${q} of the MSR-load area`;
    case 'apic-access':
      return `${APIC_ACCESS_TYPES[(q >>> 12) & 15] ?? 'access'} at offset ${hex(q & 0xfff)}`;
    case 'ept-violation':
      return describeEptViolation(q);
  }
};

/** A value as views show it: as many hexadecimal digits as the field has. */
export const formatField = (width: FieldWidth, low: number, high: number): string => {
  const digits = (value: number, count: number): string => (value >>> 0).toString(16).padStart(count, '0');
  if (width === 64) return `0x${digits(high, 8)}${digits(low, 8)}`;
  return `0x${digits(low, width === 16 ? 4 : 8)}`;
};
