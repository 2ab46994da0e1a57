// The checks of a VM entry on the guest's segment registers, LDTR and TR. SDM vol. 3, 26.3.1.2.

import { Access, Flag } from '../../cpu/state.ts';
import { Field } from '../fields.ts';
import { has, read, rows, type EntryCheck, type EntryContext, type Row } from './check.ts';

const SEGMENT_NAMES = ['ES', 'CS', 'SS', 'DS', 'FS', 'GS'] as const;
const selectorOf = (c: EntryContext, n: number): number => read(c, Field.GUEST_ES_SELECTOR + 2 * n);
const baseOf = (c: EntryContext, n: number): number => read(c, Field.GUEST_ES_BASE + 2 * n);
const limitOf = (c: EntryContext, n: number): number => read(c, Field.GUEST_ES_LIMIT + 2 * n);
const accessOf = (c: EntryContext, n: number): number => read(c, Field.GUEST_ES_AR_BYTES + 2 * n);
const v86 = (c: EntryContext): boolean => has(read(c, Field.GUEST_RFLAGS), Flag.VM);
const dpl = (access: number): number => (access >>> 5) & 3;
const usable = (access: number): boolean => !has(access, Access.UNUSABLE);
const CS = 1, SS = 2, LDTR = 6, TR = 7; // prettier-ignore

/** G must say how the limit was made: low 12 bits not all ones need G = 0, any of the high 12 bits needs G = 1. */
const granularityFits = (limit: number, access: number): boolean => {
  if ((limit & 0xfff) !== 0xfff && has(access, Access.G)) return false;
  return (limit & 0xfff0_0000) === 0 || has(access, Access.G);
};

/** A check of segment n outside virtual-8086 mode; CS is checked even if marked unusable, the others if usable. */
const protectedRow = (
  n: number,
  what: string,
  rule: string,
  holds: (c: EntryContext, access: number) => boolean,
): Row => [
  `guest-${SEGMENT_NAMES[n]!.toLowerCase()}-${what}`,
  `${SEGMENT_NAMES[n]}: ${rule}`,
  (c) => {
    if (v86(c)) return true;
    const access = accessOf(c, n);
    return (n !== CS && !usable(access)) || holds(c, access);
  },
];

const segmentRows = (make: (n: number) => Row | undefined): Row[] =>
  SEGMENT_NAMES.map((_, n) => make(n)).filter((row) => row !== undefined);

const v86Row = (n: number, what: string, rule: string, holds: (c: EntryContext) => boolean): Row => [
  `guest-v86-${SEGMENT_NAMES[n]!.toLowerCase()}-${what}`,
  `in virtual-8086 mode ${SEGMENT_NAMES[n]} must have ${rule}`,
  (c) => !v86(c) || holds(c),
];

const typeRow = (n: number): Row => {
  if (n === CS) {
    return protectedRow(
      n,
      'type',
      'the type must be that of accessed code (9, 11, 13 or 15)',
      (_, access) => (access & 9) === 9,
    );
  }
  if (n === SS) {
    return protectedRow(
      n,
      'type',
      'the type must be that of accessed, writable data (3 or 7)',
      (_, access) => (access & 0xb) === 3,
    );
  }
  return protectedRow(
    n,
    'type',
    'the type must be accessed, and readable if it is code',
    (_, access) => has(access, 1) && (!has(access, 8) || has(access, 2)),
  );
};

const dplRow = (n: number): Row => {
  if (n === CS) {
    return protectedRow(
      n,
      'dpl',
      'the DPL must equal that of SS for non-conforming code and not exceed it for conforming code',
      (c, access) => {
        const stack = dpl(accessOf(c, SS));
        return has(access, 4) ? dpl(access) <= stack : dpl(access) === stack;
      },
    );
  }
  if (n === SS) {
    return [
      'guest-ss-dpl',
      'SS: the DPL must equal the RPL of the selector',
      (c) => v86(c) || dpl(accessOf(c, SS)) === (selectorOf(c, SS) & 3),
    ];
  }
  return protectedRow(
    n,
    'dpl',
    'the DPL must not be less than the RPL, unless the segment is conforming code',
    (c, access) => (access & 0xf) > 11 || dpl(access) >= (selectorOf(c, n) & 3),
  );
};

const systemRow = (
  n: number,
  name: string,
  what: string,
  rule: string,
  holds: (access: number, c: EntryContext) => boolean,
): Row => [
  `guest-${name.toLowerCase()}-${what}`,
  `${name}: ${rule}`,
  (c) => {
    const access = accessOf(c, n);
    return (n === LDTR && !usable(access)) || holds(access, c);
  },
];

const RESERVED_ACCESS = 0xfffe_0f00;

export const GUEST_SEGMENTS: readonly EntryCheck[] = rows('guest', '26.3.1.2', [
  ['guest-tr-ti', 'TR: the TI flag of the selector must be 0', (c) => !has(selectorOf(c, TR), 4)],
  [
    'guest-ldtr-ti',
    'LDTR: the TI flag of the selector must be 0',
    (c) => !usable(accessOf(c, LDTR)) || !has(selectorOf(c, LDTR), 4),
  ],
  [
    'guest-ss-rpl',
    'SS: the RPL must equal the RPL of CS',
    (c) => v86(c) || (selectorOf(c, SS) & 3) === (selectorOf(c, CS) & 3),
  ],
  ...segmentRows((n) => v86Row(n, 'base', 'the base selector * 16', (c) => baseOf(c, n) === selectorOf(c, n) << 4)),
  ...segmentRows((n) => v86Row(n, 'limit', 'the limit FFFFh', (c) => limitOf(c, n) === 0xffff)),
  ...segmentRows((n) => v86Row(n, 'access', 'the access rights F3h', (c) => accessOf(c, n) === 0xf3)),
  ...segmentRows(typeRow),
  ...segmentRows((n) =>
    protectedRow(n, 's', 'it must be a code or data segment (S = 1)', (_, access) => has(access, Access.S)),
  ),
  ...segmentRows(dplRow),
  ...segmentRows((n) => protectedRow(n, 'p', 'it must be present (P = 1)', (_, access) => has(access, Access.P))),
  ...segmentRows((n) =>
    protectedRow(
      n,
      'reserved',
      'reserved bits of the access rights must be 0',
      (_, access) => (access & RESERVED_ACCESS) === 0,
    ),
  ),
  ...segmentRows((n) =>
    protectedRow(n, 'g', 'the G flag must fit the limit', (c, access) => granularityFits(limitOf(c, n), access)),
  ),
  systemRow(
    TR,
    'TR',
    'type',
    'the type must be that of a busy TSS (3 or 11)',
    (access) => (access & 0xf) === 3 || (access & 0xf) === 11,
  ),
  systemRow(TR, 'TR', 's', 'it must be a system segment (S = 0)', (access) => !has(access, Access.S)),
  systemRow(TR, 'TR', 'p', 'it must be present (P = 1)', (access) => has(access, Access.P)),
  systemRow(
    TR,
    'TR',
    'reserved',
    'reserved bits of the access rights must be 0',
    (access) => (access & RESERVED_ACCESS) === 0,
  ),
  systemRow(TR, 'TR', 'g', 'the G flag must fit the limit', (access, c) => granularityFits(limitOf(c, TR), access)),
  systemRow(TR, 'TR', 'usable', 'it must be usable', (access) => usable(access)),
  systemRow(LDTR, 'LDTR', 'type', 'the type must be that of an LDT (2)', (access) => (access & 0xf) === 2),
  systemRow(LDTR, 'LDTR', 's', 'it must be a system segment (S = 0)', (access) => !has(access, Access.S)),
  systemRow(LDTR, 'LDTR', 'p', 'it must be present (P = 1)', (access) => has(access, Access.P)),
  systemRow(
    LDTR,
    'LDTR',
    'reserved',
    'reserved bits of the access rights must be 0',
    (access) => (access & RESERVED_ACCESS) === 0,
  ),
  systemRow(LDTR, 'LDTR', 'g', 'the G flag must fit the limit', (access, c) =>
    granularityFits(limitOf(c, LDTR), access),
  ),
]);
