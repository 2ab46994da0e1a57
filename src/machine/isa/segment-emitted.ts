// MOV and POP of DS, ES, FS and GS as descriptions, for the ordinary case: at CPL 0 in protected mode, with a descriptor of a data segment of 4 GiB that the
// TLB has. In DS and ES a flat one takes the place of another; FS and GS, on which the mode word (translate/mode.ts) does not hang, may have any base,
// or become null. So the mode word stays. All other cases are the helpers' (cpu/segmentation.ts). Not the rows (system-rows.ts).
// SDM vol. 2, MOV, POP; vol. 3, 3.4.5.

import { Access, Cr0, CS, FS, SEGMENT_STRIDE, SegmentField, SS, StateLayout } from '../cpu/state.ts';
import type { Local } from '../wasm/code.ts';
import type { Emitter, Val } from './emitter.ts';
import type { Semantics } from './row.ts';

/** A descriptor's high word without base, DPL, AVL, L and D/B, and what it is for a present, accessed, writable data segment of 4 GiB. */
const HIGH_MASK = 0x008f9f00;
const HIGH_WHOLE = 0x008f9300;
/** `readLimit` and `writeLimit` of a writable segment of 4 GiB (CpuState.deriveLimits). */
const WHOLE = 0xfffffffd | 0;

const slotOf = (segment: number): number => StateLayout.segments + segment * SEGMENT_STRIDE;

/** Puts a selector into the segment register whose slot is in a local, or asks for the helper. */
const load = (e: Emitter, slot: Local, selector: Local): void => {
  const bits = (mask: number): Val => e.and(e.get(selector), e.const(mask));
  const supervisor = e.let(e.and(e.eqz(e.state(StateLayout.cpl)), e.and(e.state(StateLayout.cr0), e.const(Cr0.PE))));
  const free = e.let(e.geU(e.get(slot), e.const(slotOf(FS))));
  const usable = e.let(e.ne(bits(0xfffc), e.const(0)));
  // In the GDT, inside its limit.
  const named = e.let(e.gtU(e.eqz(bits(4)), e.gtU(e.or(e.get(selector), e.const(7)), e.state(StateLayout.gdtrLimit))));
  const linear = e.let(e.add(e.state(StateLayout.gdtrBase), bits(0xfff8)));
  const host = e.let(e.cachedHost(linear, 8));
  // Without one, address 0 is read and not used.
  const low = e.let(e.peek32(host));
  const high = e.let(e.peek32(host, 4));
  const whole = e.let(
    e.and(
      e.and(e.ne(e.get(host), e.const(0)), e.eq(e.and(e.get(low), e.const(0xffff)), e.const(0xffff))),
      e.eq(e.and(e.get(high), e.const(HIGH_MASK)), e.const(HIGH_WHOLE)),
    ),
  );
  const middle = e.shl(e.and(e.get(high), e.const(0xff)), e.const(16));
  const upper = e.or(middle, e.and(e.get(high), e.const(0xff000000 | 0)));
  const base = e.let(e.or(upper, e.shrU(e.get(low), e.const(16))));
  const allowed = e.let(e.geU(e.and(e.shrU(e.get(high), e.const(13)), e.const(3)), bits(3)));
  const replaces = e.let(
    e.and(
      e.eqz(e.or(e.get(base), e.peek32(slot, SegmentField.base))),
      e.eq(e.peek32(slot, SegmentField.writeLimit), e.const(WHOLE)),
    ),
  );
  const suits = e.let(
    e.and(
      e.and(e.and(e.get(named), e.get(usable)), e.and(e.get(whole), e.get(allowed))),
      e.or(e.get(free), e.get(replaces)),
    ),
  );
  e.orHelper(e.and(e.get(supervisor), e.or(e.get(suits), e.gtU(e.get(free), e.get(usable)))));
  // A null segment has neither base nor limit.
  const some = e.let(e.sub(e.const(0), e.get(usable)));
  const limit = e.let(e.and(e.get(some), e.const(WHOLE)));
  const access = e.and(e.shrU(e.get(high), e.const(8)), e.const(0xd0ff));
  const rights = e.let(e.select(access, e.const(Access.UNUSABLE), e.get(usable)));
  e.poke32(slot, selector, SegmentField.selector);
  e.poke32(slot, e.let(e.and(e.get(base), e.get(some))), SegmentField.base);
  e.poke32(slot, some, SegmentField.limit);
  e.poke32(slot, rights, SegmentField.access);
  e.poke32(slot, limit, SegmentField.readLimit);
  e.poke32(slot, limit, SegmentField.writeLimit);
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
