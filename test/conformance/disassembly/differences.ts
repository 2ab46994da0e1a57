// What iced-x86 decodes and writes otherwise, each with its reason: the tables of exceptions of the comparison (comparison.ts). An entry
// that no encoding needs fails the test.

const NOT_SSE3 = 'later than SSE3: #UD on the modelled processor';
const AMD = "AMD's: #UD on Intel's processors outside 64-bit mode";
const VIA = "VIA's: #UD on Intel's processors";
const LATER_VMX = 'VMX of later processors: #UD without its capability bit';

/** What iced decodes and the modelled processor does not: by iced's encoding kind, CPUID feature or code. */
export const LATER: Readonly<Record<string, string>> = {
  'encoding VEX': NOT_SSE3,
  'encoding EVEX': NOT_SSE3,
  'encoding D3NOW': AMD,
  SSSE3: NOT_SSE3,
  SSE4_1: NOT_SSE3,
  SSE4_2: NOT_SSE3,
  POPCNT: NOT_SSE3,
  MOVBE: NOT_SSE3,
  AES: NOT_SSE3,
  AESKLE: NOT_SSE3,
  KL: NOT_SSE3,
  PCLMULQDQ: NOT_SSE3,
  SHA: NOT_SSE3,
  GFNI: NOT_SSE3,
  ADX: NOT_SSE3,
  XSAVE: NOT_SSE3,
  XSAVEC: NOT_SSE3,
  XSAVEOPT: NOT_SSE3,
  XSAVES: NOT_SSE3,
  CLFLUSHOPT: NOT_SSE3,
  CLWB: NOT_SSE3,
  PTWRITE: NOT_SSE3,
  RDPID: NOT_SSE3,
  RDRAND: NOT_SSE3,
  RDSEED: NOT_SSE3,
  RDTSCP: NOT_SSE3,
  CET_SS: NOT_SSE3,
  ENQCMD: NOT_SSE3,
  MOVDIRI: NOT_SSE3,
  MOVDIR64B: NOT_SSE3,
  RAO_INT: NOT_SSE3,
  RTM: NOT_SSE3,
  HLE_or_RTM: NOT_SSE3,
  TSXLDTRK: NOT_SSE3,
  SERIALIZE: NOT_SSE3,
  SMAP: NOT_SSE3,
  PKU: NOT_SSE3,
  PCONFIG: NOT_SSE3,
  WAITPKG: NOT_SSE3,
  WRMSRNS: NOT_SSE3,
  HRESET: NOT_SSE3,
  INVPCID: NOT_SSE3,
  SMX: NOT_SSE3,
  TDX: NOT_SSE3,
  SGX1: NOT_SSE3,
  OSS: NOT_SSE3,
  SYSCALL: AMD,
  D3NOW: AMD,
  SSE4A: AMD,
  SVM: AMD,
  SEV_SNP: AMD,
  SKINIT_or_SVM: AMD,
  SEV_ES: AMD,
  CLZERO: AMD,
  INVLPGB: AMD,
  MCOMMIT: AMD,
  MONITORX: AMD,
  RDPRU: AMD,
  PADLOCK_ACE: VIA,
  PADLOCK_GMI: VIA,
  PADLOCK_PHE: VIA,
  PADLOCK_PMM: VIA,
  PADLOCK_RNG: VIA,
  PADLOCK_UNDOC: VIA,
  INVEPT: LATER_VMX,
  INVVPID: LATER_VMX,
  Vmfunc: LATER_VMX,
};

export interface TextDifference {
  /** AT&T is iced's GAS, Intel its MASM formatter. */
  readonly syntax: 'intel' | 'att' | 'both';
  readonly codeSize?: 16 | 32;
  /** Only for iced codes (names of its enumeration) that match. */
  readonly code?: RegExp;
  readonly pattern: RegExp;
  readonly text: string;
  readonly reason: string;
}

const PREFIX = 'the prefix got this meaning after SSE3; the modelled processor ignores it here';
const ACCUMULATOR = 'the accumulator is named, as objdump does';
const ES = 'a prefix that does nothing changes nothing in the text of SCAS, as in that of STOS';
const MASKED = 'the SDM has two operands; the segment and the address size show as prefixes';
const NOP = 'the SDM: NOP r/m has one operand';
const SDM = "the SDM's name";

// prettier-ignore
export const TEXTS: readonly TextDifference[] = [
  { syntax: 'both', pattern: /^(xacquire|xrelease) /, text: '', reason: PREFIX },
  { syntax: 'both', pattern: /\bbnd /, text: 'repne ', reason: PREFIX },
  { syntax: 'intel', pattern: /\bnotrack (.* ptr )(?:ds:)?/, text: '$1ds:', reason: PREFIX },
  { syntax: 'att', pattern: /\bnotrack (.*)\*(?!%\w+$)(?:%ds:)?/, text: '$1*%ds:', reason: PREFIX },
  { syntax: 'both', pattern: /\bnotrack /, text: 'ds ', reason: PREFIX },
  { syntax: 'intel', pattern: /\bhnt /, text: 'hint-not-taken ', reason: 'spelled out' },
  { syntax: 'intel', pattern: /\bht /, text: 'hint-taken ', reason: 'spelled out' },
  { syntax: 'intel', pattern: /\bmmword ptr/, text: 'qword ptr', reason: 'the SDM has m64 here as everywhere' },
  { syntax: 'intel', pattern: /\bwait$/, text: 'fwait', reason: SDM },
  { syntax: 'intel', code: /^Int3$/, pattern: /int 0x3$/, text: 'int3', reason: 'the SDM tells INT3 (CC) from INT 3 (CD 03)' },
  { syntax: 'intel', code: /^(Pusha|Popa)w$/, pattern: /(pusha|popa)w?$/, text: '$1', reason: 'the SDM: PUSHA is the 16-bit form' },
  { syntax: 'intel', code: /^(Pusha|Popa)d$/, pattern: /(pusha|popa)d?$/, text: '$1d', reason: 'the SDM: PUSHAD is the 32-bit form' },
  { syntax: 'intel', pattern: /\bretnd\b/, text: 'retd', reason: 'as retw' },
  { syntax: 'intel', code: /^Xchg_rm/, pattern: /xchg (\w+), (.*)$/, text: 'xchg $2, $1', reason: 'the order of the encoding, as in the SDM' },
  { syntax: 'both', code: /^Nopw$/, pattern: /^(.*)xchg (%?ax), \2$/, text: 'data16 $1nop', reason: 'the SDM: 90 is NOP with either operand size' },
  { syntax: 'both', code: /^Nopd$/, pattern: /^(.*)xchg (%?eax), \2$/, text: 'data32 $1nop', reason: 'the SDM: 90 is NOP with either operand size' },
  { syntax: 'intel', code: /^Imul_r/, pattern: /imul (\w+), (0x\w+)$/, text: 'imul $1, $1, $2', reason: 'the SDM has three operands' },
  { syntax: 'att', code: /^Imul_r/, pattern: /imul (\$0x\w+), (%\w+)$/, text: 'imul $1, $2, $2', reason: 'the SDM has three operands' },
  { syntax: 'intel', pattern: /\b(aam|aad)$/, text: '$1 0xa', reason: 'the base is an operand, whatever it is' },
  { syntax: 'att', pattern: /\b(aam|aad)$/, text: '$1 $$0xa', reason: 'the base is an operand, whatever it is' },
  { syntax: 'intel', pattern: /\b(monitor|mwait) .*$/, text: '$1', reason: 'the SDM: no operands' },
  { syntax: 'intel', pattern: /(maskmov\w+) \w+ ptr (\ws):(\[e?di\]), /, text: '$2 $1 $3, ', reason: MASKED },
  { syntax: 'intel', codeSize: 32, pattern: /^(.*maskmov\w+) (\w+ ptr )?\[di\],/, text: 'addr16 $1', reason: MASKED },
  { syntax: 'intel', codeSize: 16, pattern: /^(.*maskmov\w+) (\w+ ptr )?\[edi\],/, text: 'addr32 $1', reason: MASKED },
  { syntax: 'intel', pattern: /(maskmov\w+) (\w+ ptr )?\[e?di\],/, text: '$1', reason: MASKED },
  { syntax: 'att', pattern: /\bmov([sz])xw /, text: 'mov$1ww ', reason: 'as objdump, and as movzwl' },
  ...[['byte', 'al'], ['word', 'ax'], ['dword', 'eax']].flatMap(([size, accumulator]): TextDifference[] => [
    { syntax: 'intel', pattern: new RegExp(`\\bstos (${size} ptr .*)$`), text: `stos $1, ${accumulator}`, reason: ACCUMULATOR },
    { syntax: 'intel', pattern: new RegExp(`\\b(lods|scas) (${size} ptr .*)$`), text: `$1 ${accumulator}, $2`, reason: ACCUMULATOR },
    { syntax: 'intel', codeSize: 32, pattern: new RegExp(`scas \\w+, ${size} ptr es:\\[edi\\]$`), text: `scas${size![0]}`, reason: ES },
    { syntax: 'intel', codeSize: 16, pattern: new RegExp(`scas \\w+, ${size} ptr es:\\[di\\]$`), text: `scas${size![0]}`, reason: ES },
  ]),
  { syntax: 'intel', pattern: /\b(\w+) (?:fpuenv14|fpustate94) ptr /, text: '$1w ', reason: 'the size in the name, as everywhere no operand tells it' },
  { syntax: 'intel', pattern: /\b(\w+) (?:fpuenv28|fpustate108) ptr /, text: '$1d ', reason: 'the size in the name, as everywhere no operand tells it' },
  { syntax: 'intel', code: /^Reservednop/, pattern: /\bnop (.*), \w+$/, text: 'nop $1', reason: NOP },
  { syntax: 'att', code: /^Reservednop/, pattern: /\bnop %\w+, (%\w+)$/, text: 'nop $1', reason: NOP },
  { syntax: 'att', code: /^Reservednop/, pattern: /\bnop %e\w+, /, text: 'nopl ', reason: NOP },
  { syntax: 'att', code: /^Reservednop/, pattern: /\bnop %\w\w, /, text: 'nopw ', reason: NOP },
  { syntax: 'att', pattern: /\.byte 0x66; /, text: 'data16 ', codeSize: 32, reason: 'the byte is a prefix that does something' },
  { syntax: 'att', pattern: /\.byte 0x66; /, text: 'data32 ', codeSize: 16, reason: 'the byte is a prefix that does something' },
  { syntax: 'att', pattern: /\b(call|jmp)l \*/, text: '$1 *', codeSize: 32, reason: "the code segment's size goes without saying, as in objdump" },
  { syntax: 'att', pattern: /\b(call|jmp)w \*/, text: '$1 *', codeSize: 16, reason: "the code segment's size goes without saying, as in objdump" },
  { syntax: 'att', pattern: /\(,(%\w+)\)/, text: '(,$1,1)', reason: 'a scale, so that the index is not taken for a base, as in objdump' },
  { syntax: 'att', pattern: /,\)/, text: ')', reason: 'a SIB byte without an index adds nothing' },
];
