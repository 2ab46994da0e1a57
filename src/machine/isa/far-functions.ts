// Far transfers within the privilege level and what LAR, LSL, VERR and VERW ask of a descriptor, as WebAssembly functions for the ordinary case: a
// descriptor of the GDT that the TLB has; for transfers also flat 32-bit code and stacks. Each refuses all other cases, and all that fault, before it has
// changed anything: they are those of the general code (cpu/far-transfer.ts, cpu/descriptor-instructions.ts). Not gates (gate-functions.ts).
// SDM vol. 2, CALL, JMP, RET, LAR; vol. 3, 5.8.1, 5.10.

import { CS, Flag, SegmentField, StateLayout } from '../cpu/state.ts';
import { I32, type Local } from '../wasm/code.ts';
import { FunctionBody, shared } from './function-body.ts';
import { accessOf, bits, CODE, contextOf, descriptor, dplOf, host, loadCode, refuseUnusual, setStack, slot, writable } from './gate-functions.ts'; // prettier-ignore

/** What `visibleDescriptor` answers where there is none; else it is the descriptor's linear-memory address. */
export const INVISIBLE = 1;

/** (selector): null or beyond the GDT, or not to be seen at CPL and RPL? */
const visibleDescriptor = (e: FunctionBody): void => {
  const selector = 0;
  const invisibleIf = (condition: Local): void =>
    e.rarely(e.get(condition), () => {
      e.const(INVISIBLE);
      e.code.return();
    });
  e.refuseUnless(e.state(StateLayout.gates));
  e.refuseIf(e.and(e.state(StateLayout.eflagsRest), e.const(Flag.VM)));
  const beyond = e.gtU(e.or(e.get(selector), e.const(7)), e.state(StateLayout.gdtrLimit));
  const none = e.let(e.or(beyond, e.eqz(bits(e, selector, 0xfffc))));
  e.refuseIf(bits(e, selector, 4));
  invisibleIf(none);
  const supervisor = e.let(contextOf(e, e.const(0)));
  const at = host(e, supervisor, e.let(e.add(e.state(StateLayout.gdtrBase), bits(e, selector, 0xfff8))), 8);
  const high = e.let(e.peek32(at, 4));
  const dpl = dplOf(e, high);
  const inner = e.or(e.gtU(e.state(StateLayout.cpl), e.get(dpl)), e.gtU(bits(e, selector, 3), e.get(dpl)));
  const conforming = e.eq(bits(e, high, 0x1c00), e.const(0x1c00));
  invisibleIf(e.let(e.gtU(inner, conforming)));
  e.get(at);
  e.code.return();
};

const FLAGS = Flag.VM | Flag.AC;

/** Loads CS and goes on at an EIP. `returns`: RPL is the level returned to. `act` comes between what may be refused and the changes. */
const enterCode = (e: FunctionBody, selector: Local, eip: Local, returns: boolean, act: () => void): void => {
  const cpl = e.let(e.state(StateLayout.cpl));
  const code = descriptor(e, e.let(contextOf(e, e.const(0))), selector, CODE);
  const rpl = e.let(bits(e, selector, 3));
  const otherRpl = returns ? e.ne(e.get(rpl), e.get(cpl)) : e.gtU(e.get(rpl), e.get(cpl));
  e.refuseIf(e.or(otherRpl, e.ne(e.get(dplOf(e, code)), e.get(cpl))));
  act();
  loadCode(e, e.let(e.or(bits(e, selector, 0xfffc), e.get(cpl))), accessOf(e, code));
  e.store32(StateLayout.eip, eip);
  e.accept();
};

/** (selector, offset). */
const farJump = (e: FunctionBody): void => {
  const [selector, offset] = [0, 1];
  refuseUnusual(e, FLAGS);
  enterCode(e, selector, offset, false, () => undefined);
};
/** (selector, offset, return EIP, ESP). */
const farCall = (e: FunctionBody): void => {
  const [selector, offset, back, esp] = [0, 1, 2, 3];
  refuseUnusual(e, FLAGS);
  enterCode(e, selector, offset, false, () => {
    const pointer = e.let(e.sub(e.get(esp), e.const(8)));
    const frame = writable(e, e.let(e.state(StateLayout.tlb)), pointer, e.let(e.const(8)));
    e.poke32(frame, back);
    e.poke32(frame, e.let(e.state(slot(CS, SegmentField.selector))), 4);
    setStack(e, pointer);
  });
};
/** (ESP, bytes that are released besides). */
const farReturn = (e: FunctionBody): void => {
  const [esp, released] = [0, 1];
  refuseUnusual(e, FLAGS);
  const frame = host(e, e.let(e.state(StateLayout.tlb)), esp, 8);
  const selector = e.let(e.peek16(frame, 4));
  const eip = e.let(e.peek32(frame));
  enterCode(e, selector, eip, true, () => setStack(e, e.let(e.add(e.add(e.get(esp), e.const(8)), e.get(released)))));
};

/** All answer 0 if the case is not covered. */
export const FAR_FUNCTIONS = {
  visibleDescriptor: shared(FunctionBody, [I32], visibleDescriptor),
  farJump: shared(FunctionBody, [I32, I32], farJump),
  farCall: shared(FunctionBody, [I32, I32, I32, I32], farCall),
  farReturn: shared(FunctionBody, [I32, I32], farReturn),
} as const;
