// Instructions on control and debug registers and INVLPG as descriptions, for the ordinary case: at CPL 0 (SMSW at any), outside VMX non-root operation,
// where CR2 alone is what it is; of CR0 TS alone changes, and no breakpoint is armed. All other cases are the helpers' (cpu/control-registers.ts,
// cpu/system.ts). Not the rows (system-rows.ts) and not the dropping of translations (flush-functions.ts).
// SDM vol. 2, MOV, CLTS, SMSW, INVLPG; vol. 3, 17.2, 25.3.

import { CR0_WRITABLE } from '../cpu/control-registers.ts';
import { Dr6, Dr7 } from '../cpu/debug-registers.ts';
import { Cr0, Cr4, debugRegisterAt, SegmentField, StateLayout } from '../cpu/state.ts';
import { Mode } from '../translate/mode.ts';
import { I32, type Local } from '../wasm/code.ts';
import type { Emitter, Val } from './emitter.ts';
import type { Semantics } from './row.ts';

const nonRoot = (e: Emitter): Val => e.and(e.state(StateLayout.mode), e.const(Mode.nonRoot));
const has = (e: Emitter, value: Local, bits: number): Val => e.and(e.get(value), e.const(bits));

/** CR0 whose TS alone may have changed: with it the mode word and the tag of the jump cache (translate/mode.ts, jump-cache.ts). */
const setTaskSwitched = (e: Emitter, cr0: Local): void => {
  const mode = e.let(e.state(StateLayout.mode));
  const sse = e.and(e.shrU(e.state(StateLayout.cr4), e.const(Math.log2(Cr4.OSFXSR / Mode.sse))), e.const(Mode.sse));
  const running = e.let(e.or(sse, e.const(Mode.fpu)));
  const units = e.select(e.const(0), e.get(running), has(e, cr0, Cr0.EM | Cr0.TS));
  const after = e.let(e.or(units, has(e, mode, ~(Mode.fpu | Mode.sse))));
  e.setState(StateLayout.cr0, cr0);
  e.setState(StateLayout.mode, after);
  e.setState(StateLayout.jumpTag, e.let(e.xor(e.state(StateLayout.jumpTag), e.xor(e.get(mode), e.get(after)))));
};
/** Translated code may change its mode by itself, at CPL 0. */
const mayChangeMode = (e: Emitter): Val =>
  e.and(e.state(StateLayout.gates), e.eqz(e.or(e.state(StateLayout.cpl), nonRoot(e))));

export const movFromCr: Semantics = (e) => {
  const slot = e.let(e.stateSlot(1));
  const shadowed = e.and(e.ne(e.get(slot), e.const(StateLayout.cr2)), e.ne(nonRoot(e), e.const(0)));
  e.orHelper(e.eqz(e.or(shadowed, e.state(StateLayout.cpl))));
  e.write(0, e.let(e.peek32(slot)));
};

/**
 * CR3, but not under PAE paging, which loads the PDPTEs; and CR0. Code goes on through the jump cache, by the new tables, or for the units that run
 * now.
 */
export const movToCr: Semantics = (e) => {
  if (e.size === 32) {
    const slot = e.let(e.stateSlot(0));
    const wanted = e.let(e.read(1));
    const isCr0 = e.let(e.eq(e.get(slot), e.const(StateLayout.cr0)));
    const cr0 = e.let(e.or(has(e, wanted, CR0_WRITABLE), e.const(Cr0.ET)));
    const passes = e.temporary(I32);
    e.if(
      e.get(isCr0),
      () => {
        const others = e.let(e.and(e.xor(e.get(cr0), e.state(StateLayout.cr0)), e.const(~Cr0.TS)));
        e.set(passes, e.and(mayChangeMode(e), e.eqz(e.get(others))));
      },
      () => {
        const pae = e.and(e.state(StateLayout.cr4), e.const(Cr4.PAE));
        const refused = e.or(e.or(pae, e.state(StateLayout.cpl)), e.ne(e.get(slot), e.const(StateLayout.cr3)));
        e.set(passes, e.const(0));
        e.if(e.eqz(refused), () => e.set(passes, e.call('flushTranslations')));
      },
    );
    e.orHelper(e.get(passes));
    e.if(
      e.get(isCr0),
      () => setTaskSwitched(e, cr0),
      () => e.poke32(slot, wanted),
    );
  } else e.orHelper(e.const(0));
  e.jumpTo(e.let(e.nextEip()));
};

export const clts: Semantics = (e) => {
  e.orHelper(mayChangeMode(e));
  setTaskSwitched(e, e.let(e.and(e.state(StateLayout.cr0), e.const(~Cr0.TS))));
  e.jumpTo(e.let(e.nextEip()));
};

/** To a register. */
export const smsw: Semantics = (e) => {
  e.orHelper(e.eqz(nonRoot(e)));
  e.write(0, e.let(e.state(StateLayout.cr0)));
};

const DR6 = debugRegisterAt(6);
const DR7 = debugRegisterAt(7);

/** What keeps the debug registers from being read: other than 0. DR4 and DR5 are others' names, or undefined. */
const debugRefused = (e: Emitter, slot: Local): Val => {
  const alias = e.eq(e.or(e.get(slot), e.const(8)), e.const(debugRegisterAt(4) | 8));
  const detected = e.and(e.state(DR7), e.const(Dr7.GD));
  return e.or(e.or(alias, detected), e.or(e.state(StateLayout.cpl), nonRoot(e)));
};

export const movFromDr: Semantics = (e) => {
  const slot = e.let(e.stateSlot(1));
  e.orHelper(e.eqz(debugRefused(e, slot)));
  e.write(0, e.let(e.peek32(slot)));
};

/** With no breakpoint enabled before and behind it the registers are words, and nothing hangs on them. */
export const movToDr: Semantics = (e) => {
  const slot = e.let(e.stateSlot(0));
  const wanted = e.let(e.read(1));
  const isDr7 = e.let(e.eq(e.get(slot), e.const(DR7)));
  const dr6 = e.or(has(e, wanted, Dr6.WRITABLE), e.const(Dr6.FIXED | 0));
  const value = e.let(e.select(dr6, e.get(wanted), e.eq(e.get(slot), e.const(DR6))));
  const dr7 = e.or(has(e, wanted, ~Dr7.ALWAYS_ZERO), e.const(Dr7.ALWAYS_ONE));
  e.set(value, e.select(dr7, e.get(value), e.get(isDr7)));
  const enables = e.or(e.state(DR7), e.and(e.get(value), e.sub(e.const(0), e.get(isDr7))));
  const armed = e.let(e.and(enables, e.const(Dr7.ENABLES)));
  e.orHelper(e.eqz(e.or(debugRefused(e, slot), e.get(armed))));
  e.poke32(slot, value);
};

/** Of another page than the one in which code goes on. */
export const invlpg: Semantics = (e) => {
  const linear = e.let(e.add(e.offset(), e.segmentField(SegmentField.base)));
  const codeFlat = e.let(e.and(e.state(StateLayout.mode), e.const(Mode.codeFlat)));
  const elsewhere = e.let(e.shrU(e.xor(e.get(linear), e.sub(e.nextEip(), e.const(1))), e.const(12)));
  const ordinary = e.and(e.ne(e.get(elsewhere), e.const(0)), e.ne(e.get(codeFlat), e.const(0)));
  e.orHelper(e.and(ordinary, e.eqz(e.state(StateLayout.cpl))));
  e.orHelper(e.call('invalidateTranslation', e.get(linear)));
};
