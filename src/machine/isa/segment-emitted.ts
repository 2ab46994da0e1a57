// MOV and POP of DS, ES, FS and GS as descriptions, for the ordinary case: at CPL 0 in protected mode a flat data segment takes the place of another,
// and the TLB has its descriptor. Then nothing but selector and access rights changes, so that the mode word (translate/mode.ts) stays. All other
// cases are the helpers' (cpu/segmentation.ts). Not the rows (system-rows.ts). SDM vol. 2, MOV, POP; vol. 3, 3.4.5.

import { Cr0, CS, SEGMENT_STRIDE, SegmentField, SS, StateLayout } from '../cpu/state.ts';
import type { Local } from '../wasm/code.ts';
import type { Emitter, Val } from './emitter.ts';
import type { Semantics } from './row.ts';

/** A descriptor's high word without DPL, AVL, L and D/B, and what it is for a present, accessed, writable data segment of 4 GiB at 0. */
const HIGH_MASK = 0xff8f9fff | 0;
const HIGH_FLAT = 0x008f9300;
const LOW_FLAT = 0x0000ffff;
/** `writeLimit` of a writable segment of 4 GiB (CpuState.deriveLimits). */
const WHOLE = 0xfffffffd | 0;

const slotOf = (segment: number): number => StateLayout.segments + segment * SEGMENT_STRIDE;

/** Puts a selector into the segment register whose slot is in a local, or asks for the helper. */
const load = (e: Emitter, slot: Local, selector: Local): void => {
  const bits = (mask: number): Val => e.and(e.get(selector), e.const(mask));
  const supervisor = e.let(e.and(e.eqz(e.state(StateLayout.cpl)), e.and(e.state(StateLayout.cr0), e.const(Cr0.PE))));
  // Not null, in the GDT, inside its limit.
  const named = e.let(
    e.and(
      e.and(e.ne(bits(0xfffc), e.const(0)), e.eqz(bits(4))),
      e.eqz(e.gtU(e.or(e.get(selector), e.const(7)), e.state(StateLayout.gdtrLimit))),
    ),
  );
  const linear = e.let(e.add(e.state(StateLayout.gdtrBase), bits(0xfff8)));
  const host = e.let(e.cachedHost(linear, 8));
  // Without one, address 0 is read and not used.
  const high = e.let(e.peek32(host, 4));
  const flat = e.let(
    e.and(
      e.and(e.ne(e.get(host), e.const(0)), e.eq(e.peek32(host), e.const(LOW_FLAT))),
      e.eq(e.and(e.get(high), e.const(HIGH_MASK)), e.const(HIGH_FLAT)),
    ),
  );
  const allowed = e.let(e.geU(e.and(e.shrU(e.get(high), e.const(13)), e.const(3)), bits(3)));
  const replaces = e.let(
    e.and(e.eqz(e.peek32(slot, SegmentField.base)), e.eq(e.peek32(slot, SegmentField.writeLimit), e.const(WHOLE))),
  );
  e.orHelper(e.and(e.and(e.get(supervisor), e.get(named)), e.and(e.and(e.get(flat), e.get(allowed)), e.get(replaces))));
  const access = e.let(e.and(e.shrU(e.get(high), e.const(8)), e.const(0xd0ff)));
  e.poke32(slot, selector, SegmentField.selector);
  e.poke32(slot, access, SegmentField.access);
  e.setState(StateLayout.segmentsApart, e.let(e.const(1)));
};

/** SS, which blocks interrupts, is the helper's. */
export const movToSreg: Semantics = (e) => {
  const slot = e.let(e.stateSlot(0));
  e.orHelper(e.and(e.ne(e.get(slot), e.const(slotOf(SS))), e.ne(e.get(slot), e.const(slotOf(CS)))));
  const selector = e.let(e.read(1));
  load(e, slot, selector);
};

export const popSreg =
  (segment: number): Semantics =>
  (e) => {
    const size = e.size as 16 | 32;
    const image = e.peek(size);
    const selector = e.let(e.and(e.get(image), e.const(0xffff)));
    load(e, e.let(e.const(slotOf(segment))), selector);
    e.addStack(size / 8);
  };
