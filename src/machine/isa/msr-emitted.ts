// RDMSR and WRMSR of the SYSENTER MSRs as descriptions, for the ordinary case: at CPL 0, outside VMX non-root operation, with no stop point at an MSR. All
// other cases and MSRs are the helpers' (cpu/msr.ts). Not the rows (system-rows.ts). SDM vol. 2, RDMSR, WRMSR.

import { SYSENTER_CS_INDEX } from '../cpu/msr.ts';
import { MsrSlot } from '../cpu/msr-rows.ts';
import { EAX, ECX, EDX, StateLayout } from '../cpu/state.ts';
import type { Local } from '../wasm/code.ts';
import type { Emitter, Val } from './emitter.ts';
import type { Semantics } from './row.ts';

/** The slots follow each other as the indices do: SYSENTER_CS, SYSENTER_ESP, SYSENTER_EIP. */
const COUNT = 3;
const FIRST = StateLayout.msrs + MsrSlot.SYSENTER_CS * 8;

/** Address of the slot that ECX names, unless the helper must see to it, or `refused` is not 0. */
const slotOf = (e: Emitter, refused: () => Val): Local => {
  const number = e.let(e.sub(e.reg(ECX, 32), e.const(SYSENTER_CS_INDEX)));
  const named = e.and(e.ltU(e.get(number), e.const(COUNT)), e.state(StateLayout.msrAccess));
  e.orHelper(e.and(named, e.eqz(e.or(e.state(StateLayout.cpl), refused()))));
  return e.let(e.shl(e.get(number), e.const(3)));
};

export const rdmsr: Semantics = (e) => {
  const slot = slotOf(e, () => e.const(0));
  e.setReg(EAX, 32, e.let(e.peek32(slot, FIRST)));
  e.setReg(EDX, 32, e.let(e.peek32(slot, FIRST + 4)));
};

/** Their upper halves are reserved. */
export const wrmsr: Semantics = (e) => {
  const slot = slotOf(e, () => e.reg(EDX, 32));
  e.poke32(slot, e.let(e.reg(EAX, 32)), FIRST);
  e.poke32(slot, e.let(e.const(0)), FIRST + 4);
};
