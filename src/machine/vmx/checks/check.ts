// What a check of a VM entry is, and the pieces that several lists of checks share. Not the checks (the other files here).
// SDM vol. 3, 26.2 and 26.3.

import type { PhysicalMemory } from '../../memory.ts';
import type { ActiveControls } from '../active-controls.ts';
import type { VmxCapabilities } from '../controls.ts';
import { Field } from '../fields.ts';
import { IntrInfo } from '../qualification.ts';
import type { Vmcs } from '../vmcs.ts';

/** What the checks look at. */
export interface EntryContext {
  readonly vmcs: Vmcs;
  readonly controls: ActiveControls;
  readonly capabilities: VmxCapabilities;
  readonly memory: PhysicalMemory;
}

export type EntryArea = 'controls' | 'host' | 'guest';

export interface EntryCheck {
  readonly id: string;
  readonly area: EntryArea;
  /** Section of SDM vol. 3. */
  readonly section: string;
  /** What must hold, for a person. */
  readonly rule: string;
  /** Exit qualification if the check fails: guest-state checks only (26.7). */
  readonly qualification: number;
  readonly holds: (c: EntryContext) => boolean;
}

export type Row = readonly [id: string, rule: string, holds: (c: EntryContext) => boolean, qualification?: number];
export const rows = (area: EntryArea, section: string, list: readonly Row[]): EntryCheck[] =>
  list.map(([id, rule, holds, qualification]) => ({
    id,
    area,
    section,
    rule,
    qualification: qualification ?? 0,
    holds,
  }));

export const has = (word: number, mask: number): boolean => (word & mask) !== 0;

export const read = (c: EntryContext, field: number): number => c.vmcs.read(field);

/** Bits of an address beyond the processor's physical-address width of 32 bits are in the high half. */
export const pageAddress = (c: EntryContext, field: number): boolean =>
  (read(c, field) & 0xfff) === 0 && read(c, field + 1) === 0;
/** The VM-entry interruption-information field. */
export const injection = (c: EntryContext): number => read(c, Field.VM_ENTRY_INTR_INFO);
/** A rule about the event that the entry injects; holds where it injects none. */
export const ifInjecting =
  (holds: (info: number, c: EntryContext) => boolean) =>
  (c: EntryContext): boolean => {
    const info = injection(c);
    return !IntrInfo.valid(info) || holds(info, c);
  };

/** Every byte of IA32_PAT must be 0, 1, 4, 5, 6 or 7. */
export const patValid = (low: number, high: number): boolean => {
  for (let i = 0; i < 8; i++) {
    const type = ((i < 4 ? low : high) >>> ((i & 3) * 8)) & 0xff;
    if (type > 7 || type === 2 || type === 3) return false;
  }
  return true;
};

/** The bits that VMX operation fixes in CR0 or CR4. */
export const fixed = (value: number, fixed0: number, fixed1: number): boolean =>
  (~value & fixed0) === 0 && (value & ~fixed1) === 0;
