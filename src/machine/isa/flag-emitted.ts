// CLI, STI, PUSHF, POPF, PAUSE and RDTSC as descriptions, for the ordinary case: allowed by CPL and IOPL, outside virtual-8086 mode, and with nothing
// that the run loop would have to look at behind the instruction. All other cases are the helpers' (cpu/flag-instructions.ts, cpu/system.ts, cpu/msr.ts).
// Not the rows (system-rows.ts). SDM vol. 2.

import { MsrSlot } from '../cpu/msr-rows.ts';
import { EAX, EDX, Flag, StateLayout } from '../cpu/state.ts';
import { Mode } from '../translate/mode.ts';
import type { Local } from '../wasm/code.ts';
import type { Emitter, Val } from './emitter.ts';
import type { Semantics } from './row.ts';

const { cpl, eflagsRest, nothingWaits } = StateLayout;

/** CPL <= IOPL: IF may be changed. Real mode has CPL 0, virtual-8086 mode 3. */
const mayChangeIf = (e: Emitter, rest: Local): Val =>
  e.geU(e.and(e.shrU(e.get(rest), e.const(12)), e.const(3)), e.state(cpl));
/** The bits of a mask are clear. */
const clear = (e: Emitter, value: Local, mask: number): Val => e.eqz(e.and(e.get(value), e.const(mask)));

export const cli: Semantics = (e) => {
  const rest = e.let(e.state(eflagsRest));
  e.orHelper(mayChangeIf(e, rest));
  const after = e.let(e.and(e.get(rest), e.const(~Flag.IF)));
  e.setState(eflagsRest, after);
};

/** With IF set already there is no shadow. */
export const sti: Semantics = (e) => {
  const rest = e.let(e.state(eflagsRest));
  const thrown = e.let(clear(e, rest, Flag.IF));
  const kept = e.let(e.and(e.interruptShadow(thrown), e.state(nothingWaits)));
  e.orHelper(e.and(mayChangeIf(e, rest), e.or(e.eqz(e.get(thrown)), e.get(kept))));
  const after = e.let(e.or(e.get(rest), e.const(Flag.IF)));
  e.setState(eflagsRest, after);
};

export const pushf: Semantics = (e) => {
  const rest = e.let(e.state(eflagsRest));
  e.orHelper(clear(e, rest, Flag.VM));
  const image = e.let(e.or(e.and(e.get(rest), e.const(~Flag.RF)), e.flagsImage()));
  e.push(image, e.size as 16 | 32);
};

const ALWAYS = Flag.TF | Flag.DF | Flag.NT | Flag.AC | Flag.ID;
/** Bits whose change the run loop looks at. */
const WATCHED = Flag.TF | Flag.AC;

export const popf: Semantics = (e) => {
  const size = e.size as 16 | 32;
  const rest = e.let(e.state(eflagsRest));
  e.orHelper(clear(e, rest, Flag.VM | Flag.RF));
  const image = e.peek(size);
  const always = size === 16 ? ALWAYS & 0xffff : ALWAYS;
  const ioplIfSupervisor = (): Val => e.select(e.const(0), e.const(Flag.IOPL), e.state(cpl));
  const writable = e.let(e.or(e.or(e.const(always), ioplIfSupervisor()), e.shl(mayChangeIf(e, rest), e.const(9))));
  const change = e.let(e.and(e.xor(e.get(rest), e.get(image)), e.get(writable)));
  // IF may become set where nothing waits for it.
  const sets = e.let(e.and(e.and(e.get(change), e.get(image)), e.const(Flag.IF)));
  const lets = e.let(e.select(e.const(0), e.get(sets), e.state(nothingWaits)));
  e.orHelper(e.eqz(e.or(e.get(lets), e.and(e.get(change), e.const(WATCHED)))));
  const after = e.let(e.xor(e.get(rest), e.get(change)));
  e.setState(eflagsRest, after);
  e.flagsFromImage(image, true);
  e.addStack(size / 8);
};

export const pause: Semantics = (e) => e.orHelper(e.eqz(e.and(e.state(StateLayout.mode), e.const(Mode.pauseAside))));

/** The counter is the clock, which the budget counts, with what software wrote and VMX adds: modulo 2^64. */
export const rdtsc: Semantics = (e) => {
  e.orHelper(e.eqz(e.and(e.state(StateLayout.mode), e.const(Mode.timeAside))));
  const zero = e.let(e.const(0));
  const adjust = StateLayout.msrs + MsrSlot.TSC_ADJUST * 8;
  const clock = e.sub64(e.peek64(zero, StateLayout.timeBase), e.extendS64(e.budget()));
  const time = e.let64(e.add64(e.add64(clock, e.peek64(zero, adjust)), e.peek64(zero, StateLayout.timeOffset)));
  e.setReg(EAX, 32, e.let(e.wrap(e.get(time))));
  e.setReg(EDX, 32, e.let(e.wrap(e.shrU64(e.get(time), e.const64(32n)))));
};
