// Segment registers, GDTR and IDTR between the processor and the guest-state area of the VMCS. Not the checks on them
// (checks/guest-segments.ts) and not the rest of the guest's state (entry.ts, exit.ts). SDM vol. 3, 24.4.1, 26.3.2.2 and 27.3.2.

import { ES, Flag, SEGMENT_STRIDE, SegmentField, SS, StateLayout, TR } from '../cpu/state.ts';
import { Field } from './fields.ts';
import type { NonRootOperation } from './non-root.ts';
import { SharedWords } from './shared-words.ts';

/** What a segment register has, in the processor's slot and in the VMCS: there ES to TR lie behind each other. */
const PARTS = [
  [SegmentField.selector, Field.GUEST_ES_SELECTOR],
  [SegmentField.base, Field.GUEST_ES_BASE],
  [SegmentField.limit, Field.GUEST_ES_LIMIT],
  [SegmentField.access, Field.GUEST_ES_AR_BYTES],
] as const;
const TABLES = new SharedWords([
  [StateLayout.gdtrBase, Field.GUEST_GDTR_BASE],
  [StateLayout.gdtrLimit, Field.GUEST_GDTR_LIMIT],
  [StateLayout.idtrBase, Field.GUEST_IDTR_BASE],
  [StateLayout.idtrLimit, Field.GUEST_IDTR_LIMIT],
]);
const SEGMENTS = TR - ES + 1;

const slotWord = (part: number, segment: number): number =>
  (StateLayout.segments + segment * SEGMENT_STRIDE + part) >> 2;

/** Into the guest-state area. Before RFLAGS: a change of VM makes other checks of the segments. */
export const saveSegments = (vmx: NonRootOperation): void => {
  const { s } = vmx.cpu;
  const v = vmx.vmcs;
  const { u32 } = s;
  let changed = (v.read(Field.GUEST_RFLAGS) ^ s.eflagsRest) & Flag.VM;
  if (s.get(StateLayout.segmentsApart) !== 0) {
    for (const [part, field] of PARTS) {
      const first = v.wordOf(field);
      for (let n = 0; n < SEGMENTS; n++) {
        const value = u32[slotWord(part, n)]!;
        changed |= u32[first + n]! ^ value;
        u32[first + n] = value;
      }
    }
    s.set(StateLayout.segmentsApart, 0);
  }
  if (changed !== 0) vmx.segmentsHold = false;
  TABLES.save(v);
};

/** Out of it, with CPL. */
export const loadSegments = (vmx: NonRootOperation): void => {
  const { s } = vmx.cpu;
  const v = vmx.vmcs;
  if (s.get(StateLayout.segmentsApart) !== 0) {
    for (let n = 0; n < SEGMENTS; n++) {
      const part = (field: number): number => v.read(field + 2 * n);
      s.setSegment(
        n,
        part(Field.GUEST_ES_SELECTOR),
        part(Field.GUEST_ES_BASE),
        part(Field.GUEST_ES_LIMIT),
        part(Field.GUEST_ES_AR_BYTES),
      );
    }
    s.set(StateLayout.segmentsApart, 0);
  }
  s.cpl = (v.read(Field.GUEST_ES_AR_BYTES + 2 * SS) >>> 5) & 3;
  TABLES.load(v);
};
