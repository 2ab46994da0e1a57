// The checks of a VM entry on the guest-state area but for the segments: registers, tables, RFLAGS, non-register state, PDPTEs.
// A failure is a VM exit with reason 33 and bit 31. SDM vol. 3, 26.3.1.

import { Blocking, Cr0, Cr4, Flag } from '../../cpu/state.ts';
import type { PhysicalMemory } from '../../memory.ts';
import { EntryControl, PinControl } from '../controls.ts';
import { Field } from '../fields.ts';
import { EventType, IntrInfo } from '../qualification.ts';
import {
  fixed,
  has,
  ifInjecting,
  pageAddress,
  patValid,
  read,
  rows,
  type EntryCheck,
  type EntryContext,
} from './check.ts';
import { GUEST_SEGMENTS } from './guest-segments.ts';

export const GUEST_REGISTERS: readonly EntryCheck[] = rows('guest', '26.3.1.1', [
  [
    'guest-cr0',
    'the guest CR0 must have the bits fixed in VMX operation (PE, NE and PG set)',
    (c) => fixed(read(c, Field.GUEST_CR0), c.capabilities.cr0Fixed0, c.capabilities.cr0Fixed1),
  ],
  [
    'guest-cr0-pg-pe',
    'the guest CR0 must not have PG without PE',
    (c) => !has(read(c, Field.GUEST_CR0), Cr0.PG) || has(read(c, Field.GUEST_CR0), Cr0.PE),
  ],
  [
    'guest-cr4',
    'the guest CR4 must have the bits fixed in VMX operation (VMXE set, no reserved bit)',
    (c) => fixed(read(c, Field.GUEST_CR4), c.capabilities.cr4Fixed0, c.capabilities.cr4Fixed1),
  ],
  [
    'guest-debugctl',
    'reserved bits of the guest IA32_DEBUGCTL must be 0',
    (c) =>
      !has(c.controls.entry, EntryControl.LOAD_DEBUG_CONTROLS) ||
      ((read(c, Field.GUEST_IA32_DEBUGCTL) & ~0x3) === 0 && read(c, Field.GUEST_IA32_DEBUGCTL + 1) === 0),
  ],
  [
    'guest-pat',
    'the guest IA32_PAT must have valid memory types',
    (c) =>
      !has(c.controls.entry, EntryControl.LOAD_IA32_PAT) ||
      patValid(read(c, Field.GUEST_IA32_PAT), read(c, Field.GUEST_IA32_PAT + 1)),
  ],
]);
const GUEST_TABLES = rows('guest', '26.3.1.3', [
  ['guest-gdtr-limit', 'bits 31:16 of the GDTR limit must be 0', (c) => read(c, Field.GUEST_GDTR_LIMIT) <= 0xffff],
  ['guest-idtr-limit', 'bits 31:16 of the IDTR limit must be 0', (c) => read(c, Field.GUEST_IDTR_LIMIT) <= 0xffff],
]);

const GUEST_RFLAGS = rows('guest', '26.3.1.4', [
  [
    'guest-rflags-reserved',
    'bits 31:22, 15, 5 and 3 of RFLAGS must be 0 and bit 1 must be 1',
    (c) => (read(c, Field.GUEST_RFLAGS) & 0xffc0_802a) === 2,
  ],
  [
    'guest-rflags-if',
    'RFLAGS.IF must be 1 if an external interrupt is injected',
    ifInjecting(
      (info, c) => IntrInfo.type(info) !== EventType.EXTERNAL_INTERRUPT || has(read(c, Field.GUEST_RFLAGS), Flag.IF),
    ),
  ],
]);

const activity = (c: EntryContext): number => read(c, Field.GUEST_ACTIVITY_STATE);
const blocking = (c: EntryContext): number => read(c, Field.GUEST_INTERRUPTIBILITY_INFO);

/** Events that may be injected into each activity state; active takes all. */
const activityTakes = (state: number, info: number): boolean => {
  const type = IntrInfo.type(info);
  const vector = IntrInfo.vector(info);
  switch (state) {
    case 0:
      return true;
    case 1:
      if (type === EventType.HARDWARE_EXCEPTION) return vector === 1 || vector === 18;
      return type === EventType.EXTERNAL_INTERRUPT || type === EventType.NMI || type === EventType.OTHER_EVENT;
    case 2:
      return type === EventType.NMI || (type === EventType.HARDWARE_EXCEPTION && vector === 18);
    default:
      return false;
  }
};

const pendingDebug = (c: EntryContext): number => read(c, Field.GUEST_PENDING_DBG_EXCEPTIONS);
const BS = 1 << 14;

/** After STI or MOV SS, or in HLT, a pending single step is there exactly if TF is set and BTF is not. */
const singleStepFits = (c: EntryContext): boolean => {
  if (!has(blocking(c), Blocking.STI_OR_MOV_SS) && activity(c) !== 1) return true;
  const stepping = has(read(c, Field.GUEST_RFLAGS), Flag.TF) && !has(read(c, Field.GUEST_IA32_DEBUGCTL), 2);
  return stepping === has(pendingDebug(c), BS);
};

const linkAbsent = (c: EntryContext): boolean =>
  read(c, Field.VMCS_LINK_POINTER) === 0xffff_ffff && read(c, Field.VMCS_LINK_POINTER + 1) === 0xffff_ffff;

const GUEST_NON_REGISTER = rows('guest', '26.3.1.5', [
  ['guest-activity', 'the activity state must be active, HLT, shutdown or wait-for-SIPI', (c) => activity(c) <= 3],
  [
    'guest-activity-hlt-dpl',
    'the HLT activity state requires SS.DPL 0',
    (c) => activity(c) !== 1 || ((read(c, Field.GUEST_SS_AR_BYTES) >>> 5) & 3) === 0,
  ],
  [
    'guest-activity-blocking',
    'blocking by STI or by MOV SS requires the active state',
    (c) => !has(blocking(c), Blocking.STI_OR_MOV_SS) || activity(c) === 0,
  ],
  [
    'guest-activity-injection',
    'the activity state must be one that the injected event can be delivered in',
    ifInjecting((info, c) => activityTakes(activity(c), info)),
  ],
  ['guest-blocking-reserved', 'bits 31:4 of the interruptibility state must be 0', (c) => (blocking(c) & ~0xf) === 0],
  [
    'guest-blocking-both',
    'blocking by STI and by MOV SS cannot both be in effect',
    (c) => (blocking(c) & Blocking.STI_OR_MOV_SS) !== Blocking.STI_OR_MOV_SS,
  ],
  [
    'guest-blocking-sti-if',
    'blocking by STI requires RFLAGS.IF',
    (c) => !has(blocking(c), Blocking.STI) || has(read(c, Field.GUEST_RFLAGS), Flag.IF),
  ],
  [
    'guest-blocking-interrupt',
    'an external interrupt cannot be injected while STI or MOV SS blocks it',
    ifInjecting(
      (info, c) => IntrInfo.type(info) !== EventType.EXTERNAL_INTERRUPT || !has(blocking(c), Blocking.STI_OR_MOV_SS),
    ),
  ],
  [
    'guest-blocking-nmi-mov-ss',
    'an NMI cannot be injected while MOV SS blocks it',
    ifInjecting((info, c) => IntrInfo.type(info) !== EventType.NMI || !has(blocking(c), Blocking.MOV_SS)),
  ],
  ['guest-blocking-smi', 'blocking by SMI is possible in SMM only', (c) => !has(blocking(c), Blocking.SMI)],
  [
    'guest-blocking-nmi-sti',
    'an NMI cannot be injected while STI blocks it',
    ifInjecting((info, c) => IntrInfo.type(info) !== EventType.NMI || !has(blocking(c), Blocking.STI)),
    3,
  ],
  [
    'guest-blocking-virtual-nmi',
    'with virtual NMIs, an NMI cannot be injected while NMIs are blocked',
    ifInjecting(
      (info, c) =>
        IntrInfo.type(info) !== EventType.NMI ||
        !has(c.controls.pin, PinControl.VIRTUAL_NMIS) ||
        !has(blocking(c), Blocking.NMI),
    ),
  ],
  [
    'guest-pending-debug-reserved',
    'bits 11:4, 13 and 31:15 of the pending debug exceptions must be 0',
    (c) => (pendingDebug(c) & ~0x500f) === 0,
  ],
  ['guest-pending-debug-bs', 'BS of the pending debug exceptions must fit TF and BTF', singleStepFits],
  [
    'guest-link-alignment',
    'a VMCS link pointer other than all ones must be page-aligned and inside the physical-address width',
    (c) => linkAbsent(c) || pageAddress(c, Field.VMCS_LINK_POINTER),
    4,
  ],
  [
    'guest-link-revision',
    'the VMCS that the link pointer names must have the revision identifier of this processor',
    (c) => {
      if (linkAbsent(c)) return true;
      const pa = read(c, Field.VMCS_LINK_POINTER);
      return pa + 4 <= c.memory.bytes && c.memory.read32(pa) === c.capabilities.revisionId;
    },
    4,
  ],
  [
    'guest-link-current',
    'the VMCS link pointer must not name the current VMCS',
    (c) => linkAbsent(c) || read(c, Field.VMCS_LINK_POINTER) !== c.vmcs.address,
    4,
  ],
]);

/** Reserved bits of a present PDPTE with 32 physical-address bits: 2:1, 8:5 and 63:32. */
const pdpteValid = (low: number, high: number): boolean => !has(low, 1) || ((low & 0x1e6) === 0 && high === 0);

/** True if the page-directory-pointer table at a CR3 can be loaded; bytes outside RAM read as ones. */
export const pdptesValid = (memory: PhysicalMemory, cr3: number): boolean => {
  const table = (cr3 & 0xffff_ffe0) >>> 0;
  if (table + 32 > memory.bytes) return false;
  for (let i = 0; i < 4; i++) {
    if (!pdpteValid(memory.read32(table + i * 8), memory.read32(table + i * 8 + 4))) return false;
  }
  return true;
};

/** The last of all: what it reads is in memory. */
export const GUEST_PDPTES: readonly EntryCheck[] = rows('guest', '26.3.1.6', [
  [
    'guest-pdptes',
    'with PAE paging, reserved bits of the page-directory-pointer-table entries must be 0',
    (c) =>
      !has(read(c, Field.GUEST_CR0), Cr0.PG) ||
      !has(read(c, Field.GUEST_CR4), Cr4.PAE) ||
      pdptesValid(c.memory, read(c, Field.GUEST_CR3)),
    2,
  ],
]);

/** In the SDM's order: registers, segments, the rest, PDPTEs. */
export const GUEST_REST: readonly EntryCheck[] = [...GUEST_TABLES, ...GUEST_RFLAGS, ...GUEST_NON_REGISTER];
export const GUEST_CHECKS: readonly EntryCheck[] = [
  ...GUEST_REGISTERS,
  ...GUEST_SEGMENTS,
  ...GUEST_REST,
  ...GUEST_PDPTES,
];
