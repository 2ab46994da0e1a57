// The registers that a debugger shows: ONE table. The description of the target for gdb, the scopes of the debug adapter and the names in
// expressions are made from it. Not how they are reached (guest-registers.ts). SDM vol. 1, 3.4, 8.1, 9.2, 10.2; vol. 3, 2.1, 2.5, 17.2.

import { MSR_NAMES } from '../machine/cpu/msr.ts';
import { CS, DS, ES, FS, GS, LDTR, SS, StateLayout, TR } from '../machine/cpu/state.ts';

export type RegisterGroup = 'general' | 'segment' | 'control' | 'debug' | 'table' | 'x87' | 'mmx' | 'sse' | 'msr';

/** How groups are headed. */
export const GROUP_TITLES: Readonly<Record<RegisterGroup, string>> = {
  general: 'General registers',
  segment: 'Segment registers',
  control: 'Control registers',
  debug: 'Debug registers',
  table: 'Descriptor tables',
  x87: 'x87 FPU',
  mmx: 'MMX',
  sse: 'SSE',
  msr: 'Model-specific registers',
};

export type SegmentPart = 'selector' | 'base' | 'limit' | 'access';

/** What a register is, to the one who reads it. */
export type RegisterPlace =
  | { readonly kind: 'gpr' | 'debug' | 'control' | 'st' | 'mm' | 'xmm'; readonly n: number }
  | { readonly kind: 'eip' | 'eflags' }
  | { readonly kind: 'segment'; readonly n: number; readonly part: SegmentPart }
  | { readonly kind: 'table'; readonly interrupts: boolean; readonly part: 'base' | 'limit' }
  | { readonly kind: 'fpu'; readonly register: 'control' | 'status' | 'tag' }
  /** A word of the processor's state (StateLayout) that no other rule applies to. */
  | { readonly kind: 'word'; readonly at: number; readonly mask: number }
  | { readonly kind: 'msr'; readonly index: number };

/** A bit or field of a register, lowest bit first. */
export interface RegisterField {
  readonly name: string;
  readonly first: number;
  readonly last: number;
}

export interface Register {
  /** As gdb calls it where gdb has it. */
  readonly name: string;
  readonly group: RegisterGroup;
  readonly bits: 8 | 16 | 32 | 64 | 80 | 128;
  readonly place: RegisterPlace;
  readonly fields?: readonly RegisterField[];
}

const bit = (name: string, first: number, last = first): RegisterField => ({ name, first, last });
const bits = (first: number, ...names: readonly string[]): RegisterField[] =>
  names.flatMap((name, i) => (name === '' ? [] : [bit(name, first + i)]));

/** SDM vol. 1, figure 3-8. */
const EFLAGS_FIELDS = [
  ...bits(0, 'CF', '', 'PF', '', 'AF', '', 'ZF', 'SF', 'TF', 'IF', 'DF', 'OF'),
  bit('IOPL', 12, 13),
  ...bits(14, 'NT', '', 'RF', 'VM', 'AC', 'VIF', 'VIP', 'ID'),
];
/** SDM vol. 3, figure 2-7. */
const CR0_FIELDS = [
  ...bits(0, 'PE', 'MP', 'EM', 'TS', 'ET', 'NE'),
  bit('WP', 16),
  bit('AM', 18),
  ...bits(29, 'NW', 'CD', 'PG'),
];
const CR3_FIELDS = [bit('PWT', 3), bit('PCD', 4), bit('base', 12, 31)];
const CR4_FIELDS = [
  ...bits(0, 'VME', 'PVI', 'TSD', 'DE', 'PSE', 'PAE', 'MCE', 'PGE', 'PCE', 'OSFXSR', 'OSXMMEXCPT'),
  bit('VMXE', 13),
];
/** SDM vol. 3, figure 17-1. */
const DR6_FIELDS = [...bits(0, 'B0', 'B1', 'B2', 'B3'), ...bits(13, 'BD', 'BS', 'BT')];
const DR7_FIELDS = [
  ...bits(0, 'L0', 'G0', 'L1', 'G1', 'L2', 'G2', 'L3', 'G3', 'LE', 'GE'),
  bit('GD', 13),
  ...[0, 1, 2, 3].flatMap((n) => [bit(`RW${n}`, 16 + n * 4, 17 + n * 4), bit(`LEN${n}`, 18 + n * 4, 19 + n * 4)]),
];
const SELECTOR_FIELDS = [bit('RPL', 0, 1), bit('TI', 2), bit('index', 3, 15)];
/** SDM vol. 3, table 24-2. */
const ACCESS_FIELDS = [
  bit('type', 0, 3),
  bit('S', 4),
  bit('DPL', 5, 6),
  bit('P', 7),
  bit('AVL', 12),
  ...bits(14, 'DB', 'G', 'unusable'),
];
const FLOAT_EXCEPTIONS = ['IE', 'DE', 'ZE', 'OE', 'UE', 'PE'];
const FLOAT_MASKS = ['IM', 'DM', 'ZM', 'OM', 'UM', 'PM'];
/** SDM vol. 1, figures 8-6 and 8-4. */
const FCW_FIELDS = [...bits(0, ...FLOAT_MASKS), bit('PC', 8, 9), bit('RC', 10, 11)];
const FSW_FIELDS = [
  ...bits(0, ...FLOAT_EXCEPTIONS, 'SF', 'ES', 'C0', 'C1', 'C2'),
  bit('TOP', 11, 13),
  ...bits(14, 'C3', 'B'),
];
/** SDM vol. 1, figure 10-3. */
const MXCSR_FIELDS = [...bits(0, ...FLOAT_EXCEPTIONS, 'DAZ', ...FLOAT_MASKS), bit('RC', 13, 14), bit('FZ', 15)];

const general = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'].map((name, n): Register => ({
  name,
  group: 'general',
  bits: 32,
  place: { kind: 'gpr', n },
}));

const segment = (name: string, n: number, group: RegisterGroup): Register[] =>
  (['selector', 'base', 'limit', 'access'] as const).map((part) => ({
    name: part === 'selector' ? name : `${name}_${part}`,
    group,
    bits: part === 'selector' ? 16 : 32,
    place: { kind: 'segment', n, part },
    ...(part === 'selector' ? { fields: SELECTOR_FIELDS } : part === 'access' ? { fields: ACCESS_FIELDS } : {}),
  }));
const table = (name: string, interrupts: boolean): Register[] => [
  { name: `${name}_base`, group: 'table', bits: 32, place: { kind: 'table', interrupts, part: 'base' } },
  { name: `${name}_limit`, group: 'table', bits: 16, place: { kind: 'table', interrupts, part: 'limit' } },
];
const word = (
  name: string,
  group: RegisterGroup,
  size: 16 | 32,
  at: number,
  fields?: readonly RegisterField[],
): Register => ({
  name,
  group,
  bits: size,
  place: { kind: 'word', at, mask: size === 16 ? 0xffff : 0xffff_ffff },
  ...(fields === undefined ? {} : { fields }),
});
const fpu = (name: string, register: 'control' | 'status' | 'tag', fields?: readonly RegisterField[]): Register => ({
  name,
  group: 'x87',
  bits: 16,
  place: { kind: 'fpu', register },
  ...(fields === undefined ? {} : { fields }),
});
const eight = (name: string, group: RegisterGroup, kind: 'st' | 'mm' | 'xmm', size: 64 | 80 | 128): Register[] =>
  Array.from({ length: 8 }, (_, n) => ({ name: `${name}${n}`, group, bits: size, place: { kind, n } }));
const control = (n: number, fields?: readonly RegisterField[]): Register => ({
  name: `cr${n}`,
  group: 'control',
  bits: 32,
  place: { kind: 'control', n },
  ...(fields === undefined ? {} : { fields }),
});
const debug = (n: number, fields?: readonly RegisterField[]): Register => ({
  name: `dr${n}`,
  group: 'debug',
  bits: 32,
  place: { kind: 'debug', n },
  ...(fields === undefined ? {} : { fields }),
});

/** In the order in which they are shown. */
export const REGISTERS: readonly Register[] = [
  ...general,
  { name: 'eip', group: 'general', bits: 32, place: { kind: 'eip' } },
  { name: 'eflags', group: 'general', bits: 32, place: { kind: 'eflags' }, fields: EFLAGS_FIELDS },
  ...segment('cs', CS, 'segment'),
  ...segment('ss', SS, 'segment'),
  ...segment('ds', DS, 'segment'),
  ...segment('es', ES, 'segment'),
  ...segment('fs', FS, 'segment'),
  ...segment('gs', GS, 'segment'),
  control(0, CR0_FIELDS),
  control(2),
  control(3, CR3_FIELDS),
  control(4, CR4_FIELDS),
  ...[0, 1, 2, 3].map((n) => debug(n)),
  debug(6, DR6_FIELDS),
  debug(7, DR7_FIELDS),
  ...table('gdtr', false),
  ...table('idtr', true),
  ...segment('ldtr', LDTR, 'table'),
  ...segment('tr', TR, 'table'),
  ...eight('st', 'x87', 'st', 80),
  fpu('fctrl', 'control', FCW_FIELDS),
  fpu('fstat', 'status', FSW_FIELDS),
  fpu('ftag', 'tag'),
  word('fiseg', 'x87', 16, StateLayout.fpuCs),
  word('fioff', 'x87', 32, StateLayout.fpuIp),
  word('foseg', 'x87', 16, StateLayout.fpuDs),
  word('fooff', 'x87', 32, StateLayout.fpuDp),
  word('fop', 'x87', 16, StateLayout.fpuOpcode),
  ...eight('mm', 'mmx', 'mm', 64),
  ...eight('xmm', 'sse', 'xmm', 128),
  word('mxcsr', 'sse', 32, StateLayout.mxcsr, MXCSR_FIELDS),
  ...MSR_NAMES.map(({ index, name }): Register => ({
    name: name.toLowerCase(),
    group: 'msr',
    bits: 64,
    place: { kind: 'msr', index },
  })),
];

const BY_NAME = new Map(REGISTERS.map((register) => [register.name, register]));

/** By the name of the table; without regard to case. */
export const registerNamed = (name: string): Register | undefined => BY_NAME.get(name.toLowerCase());

/** The set flags and the fields of a value: "ZF PF IOPL=3". */
export const describeFields = (register: Register, value: number): string =>
  (register.fields ?? [])
    .flatMap(({ name, first, last }) => {
      const field = (value >>> first) & ((2 << (last - first)) - 1);
      if (field === 0) return [];
      return [first === last ? name : `${name}=${field.toString(name === 'base' || name === 'index' ? 16 : 10)}`];
    })
    .reverse()
    .join(' ');
