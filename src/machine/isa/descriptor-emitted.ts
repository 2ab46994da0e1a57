// SLDT, STR, SGDT, SIDT, LAR, LSL, VERR and VERW as descriptions, for the ordinary case: outside virtual-8086 mode; those that store outside VMX non-root
// operation too, the others with a descriptor that the TLB has (far-functions.ts). All other cases are the helpers' (cpu/descriptor-instructions.ts,
// cpu/control-registers.ts). Not the rows (system-rows.ts). SDM vol. 2.

import { WITH_LIMIT, WITH_RIGHTS } from '../cpu/descriptor-instructions.ts';
import { Cr0, Flag, LDTR, SEGMENT_STRIDE, SegmentField, StateLayout, TR } from '../cpu/state.ts';
import { Mode } from '../translate/mode.ts';
import type { Local } from '../wasm/code.ts';
import type { Emitter, Val } from './emitter.ts';
import { INVISIBLE } from './far-functions.ts';
import type { Semantics } from './row.ts';

const nonRoot = (e: Emitter): Val => e.and(e.state(StateLayout.mode), e.const(Mode.nonRoot));

/** To a register. */
const storeSelector =
  (segment: number): Semantics =>
  (e) => {
    const recognized = e.and(e.state(StateLayout.cr0), e.const(Cr0.PE));
    const apart = e.or(e.and(e.state(StateLayout.eflagsRest), e.const(Flag.VM)), nonRoot(e));
    e.orHelper(e.gtU(recognized, apart));
    e.write(0, e.let(e.state(StateLayout.segments + segment * SEGMENT_STRIDE + SegmentField.selector)));
  };
export const sldt = storeSelector(LDTR);
export const str = storeSelector(TR);

/** `writeLimit` of a writable segment of 4 GiB (CpuState.deriveLimits). */
const WHOLE = 0xfffffffd | 0;

/** To a flat segment. */
const storeTable =
  (baseAt: number, limitAt: number): Semantics =>
  (e) => {
    const linear = e.let(e.offset());
    const host = e.let(e.cachedHost(linear, 6, true));
    const flat = e.and(
      e.eqz(e.segmentField(SegmentField.base)),
      e.eq(e.segmentField(SegmentField.writeLimit), e.const(WHOLE)),
    );
    e.orHelper(e.and(flat, e.and(e.eqz(nonRoot(e)), e.ne(e.get(host), e.const(0)))));
    e.poke16(host, e.let(e.state(limitAt)));
    e.poke32(host, e.let(e.state(baseAt)), 2);
  };
export const sgdt = storeTable(StateLayout.gdtrBase, StateLayout.gdtrLimit);
export const sidt = storeTable(StateLayout.idtrBase, StateLayout.idtrLimit);

/** 1 if the selector in operand k names a descriptor that may be seen, and where its high word can be read, with what `found` asks of it. */
const look = (e: Emitter, k: number, suits: (high: Local) => Val): { readonly ok: Local; readonly at: Local } => {
  const selector = e.and(e.read(k), e.const(0xffff));
  const at = e.let(e.call('visibleDescriptor', selector));
  e.orHelper(e.get(at));
  const high = e.let(e.peek32(at, 4));
  return { ok: e.let(e.and(e.ne(e.get(at), e.const(INVISIBLE)), suits(high))), at };
};
const bits = (e: Emitter, value: Local, mask: number): Val => e.and(e.get(value), e.const(mask));

const load =
  (types: number, valueOf: (e: Emitter, at: Local) => Val): Semantics =>
  (e) => {
    const { ok, at } = look(e, 1, (high) => {
      const type = e.let(e.shrU(bits(e, high, 0xf00), e.const(8)));
      const named = e.and(e.shrU(e.const(types), e.get(type)), e.const(1));
      return e.or(named, e.shrU(bits(e, high, 0x1000), e.const(12)));
    });
    const value = e.let(valueOf(e, at));
    e.write(0, e.let(e.select(e.get(value), e.read(0), e.get(ok))));
    e.flagsZero(ok);
  };
export const lar = load(WITH_RIGHTS, (e, at) => e.and(e.peek32(at, 4), e.const(0x00f0ff00)));
export const lsl = load(WITH_LIMIT, (e, at) => {
  const high = e.let(e.peek32(at, 4));
  const raw = e.let(e.or(e.peek16(at), bits(e, high, 0xf0000)));
  const pages = e.or(e.shl(e.get(raw), e.const(12)), e.const(0xfff));
  return e.select(pages, e.get(raw), bits(e, high, 0x800000));
});

/** Any code or data segment that may be read: data, or readable code; and a data segment that may be written. */
export const verr: Semantics = (e) => {
  const { ok } = look(e, 0, (high) => {
    const segment = e.eq(bits(e, high, 0x1000), e.const(0x1000));
    return e.and(segment, e.ne(bits(e, high, 0x0a00), e.const(0x0800)));
  });
  e.flagsZero(ok);
};
export const verw: Semantics = (e) => {
  const { ok } = look(e, 0, (high) => e.eq(bits(e, high, 0x1a00), e.const(0x1200)));
  e.flagsZero(ok);
};
