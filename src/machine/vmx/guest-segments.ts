// Segment registers, GDTR and IDTR between the processor and the guest-state area of the VMCS. Not the checks on them
// (checks/guest-segments.ts) and not the rest of the guest's state (entry.ts, exit.ts). SDM vol. 3, 24.4.1, 26.3.2.2 and 27.3.2.

import { ES, Flag, SEGMENT_STRIDE, SegmentField, SS, StateLayout, TR } from '../cpu/state.ts';
import { Field } from './fields.ts';
import type { NonRootOperation } from './non-root.ts';
import { SharedWords } from './shared-words.ts';
import { wordInRegion } from './vmcs.ts';

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

/** The words of all segments: in the state, and in the region. */
const [STATE_WORDS, REGION_WORDS] = ((): readonly [Uint16Array, Uint16Array] => {
  const state: number[] = [];
  const region: number[] = [];
  for (const [part, field] of PARTS)
    for (let n = 0; n < SEGMENTS; n++) {
      state.push((StateLayout.segments + n * SEGMENT_STRIDE + part) >> 2);
      region.push(wordInRegion(field) + n);
    }
  return [Uint16Array.from(state), Uint16Array.from(region)];
})();

/** Into the guest-state area. Before RFLAGS: a change of VM makes other checks of the segments. */
export const saveSegments = (vmx: NonRootOperation): void => {
  const { s } = vmx.cpu;
  const v = vmx.vmcs;
  const { u32 } = s;
  let changed = (v.read(Field.GUEST_RFLAGS) ^ s.eflagsRest) & Flag.VM;
  if (s.get(StateLayout.segmentsApart) !== 0) {
    const { base } = v;
    for (let i = 0; i < STATE_WORDS.length; i++) {
      const value = u32[STATE_WORDS[i]!]!;
      const at = base + REGION_WORDS[i]!;
      changed |= u32[at]! ^ value;
      u32[at] = value;
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
