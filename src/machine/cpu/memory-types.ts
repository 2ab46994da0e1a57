// Memory types: which values the MTRRs and IA32_PAT take, and what firmware leaves in the MTRRs. Memory is always coherent here, so a type
// has no effect. The rules are pure: the processor keeps the values in its state, the hypervisor a guest's in its own. SDM vol. 3, 11.11, 11.12.

import { type MsrInfo, MsrSlot, readOnly, row, constant, slotReader, slotWriter } from './msr-rows.ts';

/** SDM vol. 3, table 11-2. */
const MemoryType = { UC: 0, WC: 1, WT: 4, WP: 5, WB: 6, UC_MINUS: 7 } as const;

/** Eight variable ranges, fixed ranges, write combining. */
export const MTRR_CAP = 0x508;
const VARIABLE_RANGES = MTRR_CAP & 0xff;
const DEF_TYPE = 0x2ff;
const DEF_TYPE_MASK = 0xcff;
/** 64 KiB, two of 16 KiB, eight of 4 KiB: 88 ranges of the first MiB, a byte each. */
const FIXED = [0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f] as const;
const FIXED_NAMES = [
  '64K_00000', '16K_80000', '16K_A0000', '4K_C0000', '4K_C8000', '4K_D0000', '4K_D8000', '4K_E0000', '4K_E8000', '4K_F0000',
  '4K_F8000',
] as const; // prettier-ignore
const FIRST_VARIABLE = 0x200;
/** Physical addresses have 32 bits: nothing above them may be set. */
const PHYS_BASE_MASK = 0xffff_f0ff;
const PHYS_MASK_MASK = 0xffff_f800;

/** MSR indices in the order in which values are kept: the default type, fixed ranges, then base and mask of each variable range. */
export const MTRRS: readonly number[] = [
  DEF_TYPE,
  ...FIXED,
  ...Array.from({ length: 2 * VARIABLE_RANGES }, (_, i) => FIRST_VARIABLE + i),
];

const isMtrrType = (type: number): boolean => type <= MemoryType.WB && type !== 2 && type !== 3;
const isPatType = (type: number): boolean => type <= MemoryType.UC_MINUS && type !== 2 && type !== 3;
const everyByte = (half: number, accepts: (byte: number) => boolean): boolean => {
  for (let shift = 0; shift < 32; shift += 8) if (!accepts((half >>> shift) & 0xff)) return false;
  return true;
};

/** True if IA32_PAT can hold the value. */
export const patAccepts = (low: number, high: number): boolean =>
  everyByte(low, isPatType) && everyByte(high, isPatType);

/** True if the MTRR (one of `MTRRS`) can hold the value; otherwise writing it is #GP. */
export const mtrrAccepts = (index: number, low: number, high: number): boolean => {
  if (FIXED.some((fixed) => fixed === index)) return everyByte(low, isMtrrType) && everyByte(high, isMtrrType);
  if (high !== 0) return false;
  if (index === DEF_TYPE) return (low & ~DEF_TYPE_MASK) === 0 && isMtrrType(low & 0xff);
  if ((index & 1) === 1) return (low & ~PHYS_MASK_MASK) === 0;
  return (low & ~PHYS_BASE_MASK) === 0 && isMtrrType(low & 0xff);
};

const repeated = (type: number): number => type * 0x0101_0101;

/**
 * What firmware hands over: everything write-back but the video memory at A0000h (uncacheable) and the ROMs from C0000h (write-protected).
 * In the order of `MTRRS`, both halves alike; those left out are 0.
 */
export const FIRMWARE_MTRRS: readonly (readonly [low: number, high: number])[] = [
  [0xc00 | MemoryType.WB, 0],
  ...FIXED.map((index) => {
    const half = repeated(index < 0x259 ? MemoryType.WB : index === 0x259 ? MemoryType.UC : MemoryType.WP);
    return [half, half] as const;
  }),
];

const nameOf = (index: number): string => {
  if (index === DEF_TYPE) return 'IA32_MTRR_DEF_TYPE';
  const fixed = FIXED.findIndex((f) => f === index);
  if (fixed >= 0) return `IA32_MTRR_FIX${FIXED_NAMES[fixed]}`;
  return `IA32_MTRR_PHYS${index & 1 ? 'MASK' : 'BASE'}${(index - FIRST_VARIABLE) >> 1}`;
};

export const memoryTypeMsrs: readonly MsrInfo[] = [
  row(0xfe, 'IA32_MTRRCAP', constant(MTRR_CAP), readOnly),
  ...MTRRS.map((index, i) => {
    const slot = MsrSlot.MTRR + i;
    return row(
      index,
      nameOf(index),
      slotReader(slot),
      slotWriter(slot, (low, high) => mtrrAccepts(index, low, high)),
    );
  }),
  row(0x277, 'IA32_PAT', slotReader(MsrSlot.PAT), slotWriter(MsrSlot.PAT, patAccepts)),
];
