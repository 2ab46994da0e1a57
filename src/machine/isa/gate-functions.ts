// Gates of the IDT and the ways back, as WebAssembly functions for the ordinary case: 32-bit interrupt and trap gates, flat 32-bit code and stacks, the
// same privilege level or between 3 and 0, all descriptors and stacks in the TLB, nothing to be looked at behind. INT n, IRET, SYSENTER, SYSEXIT and
// the delivery of exceptions call them. Each refuses all other cases, and all that fault, before it has changed anything: they are those of the
// general code (cpu/interrupts.ts, cpu/interrupt-instructions.ts, cpu/system.ts). SDM vol. 2, INT n, IRET, SYSENTER, SYSEXIT; vol. 3, 6.12.

import { MsrSlot } from '../cpu/msr-rows.ts';
import {
  Access,
  CS,
  DS,
  ES,
  ESP,
  Flag,
  FS,
  GS,
  SEGMENT_STRIDE,
  SegmentField,
  SS,
  StateLayout,
  TR,
} from '../cpu/state.ts';
import { HOST_OFFSET } from '../cpu/tlb.ts';
import { LinearLayout } from '../memory.ts';
import { Mode } from '../translate/mode.ts';
import { I32, type Local } from '../wasm/code.ts';
import { FunctionBody, shared } from './function-body.ts';
import type { Val } from './value-emitter.ts';

/** Where `leaveGate` leaves the popped EFLAGS, whose arithmetic flags the caller loads. EIP and ESP are in the state. */
export const FLAGS_IMAGE = StateLayout.scratch;

/** A descriptor's high word without AVL and L: present flat 32-bit code, readable, not conforming; a writable data segment. Both accessed. */
export const CODE = { mask: 0xffcf9fff | 0, value: 0x00cf9b00 } as const;
const STACK = { mask: 0xffcf9fff | 0, value: 0x00cf9300 } as const;
const LOW_FLAT = 0x0000ffff;
/** What such a descriptor puts into the segment register (CpuState.deriveLimits). */
const WHOLE = 0xfffffffd | 0;
/** Present, a 32-bit interrupt or trap gate; and which of the two. */
const GATE = { mask: 0x9e00, value: 0x8e00, trap: 0x0100 } as const;

const FLAT = Mode.code32 | Mode.codeFlat | Mode.stackFlat;
const CONTEXT_BITS = Math.log2(LinearLayout.tlbContextBytes);

export const slot = (segment: number, field: number): number => StateLayout.segments + segment * SEGMENT_STRIDE + field;
export const bits = (e: FunctionBody, value: Local, mask: number): Val => e.and(e.get(value), e.const(mask));
export const dplOf = (e: FunctionBody, high: Local): Local =>
  e.let(e.and(e.shrU(e.get(high), e.const(13)), e.const(3)));

/** The segments in use are those that gates lead to and from, no flag of EFLAGS asks for more, and nothing hangs on the privilege level. */
export const refuseUnusual = (e: FunctionBody, flags: number): Local => {
  e.refuseUnless(e.state(StateLayout.gates));
  e.refuseIf(e.xor(e.and(e.state(StateLayout.mode), e.const(FLAT)), e.const(FLAT)));
  const rest = e.let(e.state(StateLayout.eflagsRest));
  e.refuseIf(e.or(bits(e, rest, flags), e.state(StateLayout.counting)));
  return rest;
};
/** Nor do interrupts or MONITOR concern the passage. */
const refuseBlocked = (e: FunctionBody): void =>
  e.refuseIf(e.or(e.state(StateLayout.interruptibility), e.state(StateLayout.monitor)));

/** Address of the TLB context for a level in a local, in the present mode. */
export const contextOf = (e: FunctionBody, user: Val): Val => {
  const nonRoot = e.let(e.and(e.state(StateLayout.mode), e.const(Mode.nonRoot)));
  return e.add(
    e.shl(e.add(user, e.shrU(e.get(nonRoot), e.const(Math.log2(Mode.nonRoot) - 1))), e.const(CONTEXT_BITS)),
    e.const(LinearLayout.tlb),
  );
};
const hostOf = (e: FunctionBody, word: Local, linear: Local): Local =>
  e.let(e.add(e.add(e.get(word), e.get(linear)), e.const(HOST_OFFSET)));
/** Linear-memory address of bytes that may be read in one page by the TLB; and the same for writing as many as a local says. */
export const host = (e: FunctionBody, context: Local, linear: Local, bytes: number): Local => {
  const word = e.let(e.tlbWord(context, linear, false));
  e.refuseIf(e.beyondPage(word, e.lastOf(linear, bytes), e.const(bytes - 1)));
  return hostOf(e, word, linear);
};
export const writable = (e: FunctionBody, context: Local, linear: Local, size: Local): Local => {
  const word = e.let(e.tlbWord(context, linear, true));
  const others = e.let(e.sub(e.get(size), e.const(1)));
  e.refuseIf(e.beyondPage(word, e.let(e.add(e.get(linear), e.get(others))), e.get(others)));
  return hostOf(e, word, linear);
};
/** The high word of the descriptor that a selector names in the GDT, if it is of a kind. */
export const descriptor = (
  e: FunctionBody,
  supervisor: Local,
  selector: Local,
  kind: typeof CODE | typeof STACK,
): Local => {
  e.refuseIf(e.or(e.eqz(bits(e, selector, 0xfffc)), bits(e, selector, 4)));
  e.refuseIf(e.gtU(e.or(e.get(selector), e.const(7)), e.state(StateLayout.gdtrLimit)));
  const at = host(e, supervisor, e.let(e.add(e.state(StateLayout.gdtrBase), bits(e, selector, 0xfff8))), 8);
  e.refuseIf(e.ne(e.peek32(at), e.const(LOW_FLAT)));
  const high = e.let(e.peek32(at, 4));
  e.refuseIf(e.ne(bits(e, high, kind.mask), e.const(kind.value)));
  return high;
};

/** Base and limit are those of the flat segment that is there. */
const loadSegment = (e: FunctionBody, segment: number, selector: Local, access: Val): void => {
  e.store32(slot(segment, SegmentField.access), e.let(access));
  e.store32(slot(segment, SegmentField.selector), selector);
  e.store32(StateLayout.segmentsApart, e.let(e.const(1)));
};
export const loadCode = (e: FunctionBody, selector: Local, access: Val): void => {
  loadSegment(e, CS, selector, access);
  e.store32(slot(CS, SegmentField.readLimit), e.let(e.const(WHOLE)));
};
export const accessOf = (e: FunctionBody, high: Local): Val => e.and(e.shrU(e.get(high), e.const(8)), e.const(0xd0ff));

/** CPL becomes 0 or 3, and with it the mode word, the TLB context and the tag of the jump cache (translate/mode.ts, jump-cache.ts). */
const setLevel = (e: FunctionBody, level: 0 | 3): void => {
  const mode = e.let(e.state(StateLayout.mode));
  const user = level === 3 ? Mode.user : 0;
  const after = e.let(e.or(bits(e, mode, ~Mode.user), e.const(user)));
  e.store32(StateLayout.cpl, e.let(e.const(level)));
  e.store32(StateLayout.mode, after);
  e.store32(StateLayout.jumpTag, e.let(e.xor(e.state(StateLayout.jumpTag), e.xor(e.get(mode), e.get(after)))));
  e.store32(StateLayout.tlb, e.let(contextOf(e, e.const(user >>> Math.log2(Mode.user)))));
};
export const setStack = (e: FunctionBody, pointer: Local): void => e.store32(StateLayout.gpr + ESP * 8, pointer);

/** (vector, software, has error code, error code, return EIP, EFLAGS image, ESP): `software` asks for the gate's DPL. */
const enterGate = (e: FunctionBody): void => {
  const [vector, software, hasError, error, eip, flags, esp] = [0, 1, 2, 3, 4, 5, 6];
  const rest = refuseUnusual(e, Flag.TF | Flag.VM | Flag.AC);
  refuseBlocked(e);
  const supervisor = e.let(contextOf(e, e.const(0)));
  const at = e.let(e.shl(e.get(vector), e.const(3)));
  e.refuseIf(e.gtU(e.or(e.get(at), e.const(7)), e.state(StateLayout.idtrLimit)));
  const gate = host(e, supervisor, e.let(e.add(e.state(StateLayout.idtrBase), e.get(at))), 8);
  const low = e.let(e.peek32(gate));
  const high = e.let(e.peek32(gate, 4));
  e.refuseIf(e.ne(bits(e, high, GATE.mask), e.const(GATE.value)));
  const cpl = e.let(e.state(StateLayout.cpl));
  e.refuseIf(e.and(e.get(software), e.gtU(e.get(cpl), e.get(dplOf(e, high)))));
  const selector = e.let(e.shrU(e.get(low), e.const(16)));
  const code = descriptor(e, supervisor, selector, CODE);
  const level = dplOf(e, code);
  const inner = e.let(e.ne(e.get(level), e.get(cpl)));
  const context = e.let(e.state(StateLayout.tlb));
  const top = e.let(e.get(esp));
  const stack = e.temporary(I32);
  const stackSelector = e.temporary(I32);
  e.if(e.get(inner), () => {
    e.refuseIf(e.get(level));
    // ESP0 and SS0 of a 32-bit TSS.
    e.refuseUnless(e.and(e.state(slot(TR, SegmentField.access)), e.const(8)));
    e.refuseIf(e.ltU(e.state(slot(TR, SegmentField.limit)), e.const(9)));
    const task = host(e, supervisor, e.let(e.add(e.state(slot(TR, SegmentField.base)), e.const(4))), 8);
    e.set(top, e.peek32(task));
    e.set(stackSelector, e.peek16(task, 4));
    e.set(stack, e.get(descriptor(e, supervisor, stackSelector, STACK)));
    e.refuseIf(e.or(bits(e, stackSelector, 3), e.get(dplOf(e, stack))));
    e.set(context, e.get(supervisor));
  });
  const errorBytes = e.let(e.shl(e.get(hasError), e.const(2)));
  const size = e.let(e.add(e.add(e.get(errorBytes), e.const(12)), e.shl(e.get(inner), e.const(3))));
  const pointer = e.let(e.sub(e.get(top), e.get(size)));
  const frame = writable(e, context, pointer, size);

  e.if(e.get(hasError), () => e.poke32(frame, error));
  const values = e.let(e.add(e.get(frame), e.get(errorBytes)));
  e.poke32(values, eip);
  e.poke32(values, e.let(e.state(slot(CS, SegmentField.selector))), 4);
  e.poke32(values, flags, 8);
  setStack(e, pointer);
  e.if(e.get(inner), () => {
    e.poke32(values, esp, 12);
    e.poke32(values, e.let(e.state(slot(SS, SegmentField.selector))), 16);
    loadSegment(e, SS, stackSelector, accessOf(e, stack));
    setLevel(e, 0);
  });
  loadCode(e, e.let(e.or(bits(e, selector, 0xfffc), e.get(level))), accessOf(e, code));
  const kept = ~(Flag.TF | Flag.NT | Flag.RF | Flag.VM);
  const interrupt = e.select(e.const(kept), e.const(kept & ~Flag.IF), bits(e, high, GATE.trap));
  e.store32(StateLayout.eflagsRest, e.let(e.and(interrupt, e.get(rest))));
  e.store32(StateLayout.eip, e.let(e.or(bits(e, low, 0xffff), bits(e, high, 0xffff0000 | 0))));
  e.accept();
};

/** What IRET loads at any level besides the arithmetic flags, as far as it does not have to be looked at. RF is said in another way. */
const POPPED = Flag.DF | Flag.ID;
const WATCHED = Flag.TF | Flag.VM | Flag.NT | Flag.AC | Flag.VIF | Flag.VIP;

/** A segment register that is unusable, or that CPL 3 may go on using. */
const usableOutside = (e: FunctionBody, segment: number): Val => {
  const access = e.let(e.state(slot(segment, SegmentField.access)));
  return e.or(bits(e, access, Access.UNUSABLE), e.eq(bits(e, access, Access.DPL), e.const(Access.DPL)));
};

/**
 * (ESP, budget behind the instruction). RF holds off the breakpoints of the next instruction, of which there are none: it is gone when that one
 * begins, and so need not be set if another instruction follows at once. StateLayout.resumed remembers it.
 */
const leaveGate = (e: FunctionBody): void => {
  const [esp, budget] = [0, 1];
  const rest = refuseUnusual(e, WATCHED | Flag.RF);
  refuseBlocked(e);
  const context = e.let(e.state(StateLayout.tlb));
  const frame = host(e, context, esp, 12);
  const image = e.let(e.peek32(frame, 8));
  e.refuseIf(bits(e, image, WATCHED));
  const resumes = e.let(bits(e, image, Flag.RF));
  e.refuseIf(e.and(e.ne(e.get(resumes), e.const(0)), e.shrU(e.get(budget), e.const(31))));
  const cpl = e.let(e.state(StateLayout.cpl));
  const iopl = e.let(e.and(e.shrU(e.get(rest), e.const(12)), e.const(3)));
  const byLevel = e.let(
    e.or(e.shl(e.geU(e.get(iopl), e.get(cpl)), e.const(9)), e.select(e.const(0), e.const(Flag.IOPL), e.get(cpl))),
  );
  const change = e.let(e.and(e.xor(e.get(rest), e.get(image)), e.or(e.get(byLevel), e.const(POPPED))));
  const sets = e.let(e.and(e.and(e.get(change), e.get(image)), e.const(Flag.IF)));
  e.refuseIf(e.select(e.const(0), e.get(sets), e.state(StateLayout.nothingWaits)));
  const selector = e.let(e.peek16(frame, 4));
  const supervisor = e.let(contextOf(e, e.const(0)));
  const code = descriptor(e, supervisor, selector, CODE);
  const level = e.let(bits(e, selector, 3));
  e.refuseIf(e.or(e.gtU(e.get(cpl), e.get(level)), e.ne(e.get(dplOf(e, code)), e.get(level))));
  const pointer = e.let(e.add(e.get(esp), e.const(12)));
  const outer = e.let(e.ne(e.get(level), e.get(cpl)));
  e.if(e.get(outer), () => {
    e.refuseIf(e.ne(e.get(level), e.const(3)));
    const longer = host(e, context, esp, 20);
    const stackSelector = e.let(e.peek16(longer, 16));
    const stack = descriptor(e, supervisor, stackSelector, STACK);
    e.refuseIf(e.ne(e.and(bits(e, stackSelector, 3), e.get(dplOf(e, stack))), e.const(3)));
    for (const segment of [ES, DS, FS, GS]) e.refuseUnless(usableOutside(e, segment));
    e.set(pointer, e.peek32(longer, 12));
    loadSegment(e, SS, stackSelector, accessOf(e, stack));
    setLevel(e, 3);
  });
  loadCode(e, selector, accessOf(e, code));
  setStack(e, pointer);
  e.store32(StateLayout.eflagsRest, e.let(e.xor(e.get(rest), e.get(change))));
  e.store32(StateLayout.eip, e.let(e.peek32(frame)));
  e.store32(FLAGS_IMAGE, image);
  e.if(e.get(resumes), () => e.store32(StateLayout.resumed, budget));
  e.accept();
};

const msr = (number: number): number => StateLayout.msrs + number * 8;
const { SYSENTER_CS, SYSENTER_ESP, SYSENTER_EIP } = MsrSlot;

/** Access rights of the flat segments that SYSENTER and SYSEXIT load: 32-bit, page-granular, accessed. */
const loadFlat = (e: FunctionBody, selector: Local, plus: number, level: 0 | 3): void => {
  const rights = (access: number): Val => e.const(access | (level << 5));
  const at = (offset: number): Local =>
    e.let(e.and(e.or(e.add(e.get(selector), e.const(offset)), e.const(level)), e.const(0xffff)));
  loadCode(e, at(plus), rights(0xc09b));
  loadSegment(e, SS, at(plus + 8), rights(0xc093));
  setLevel(e, level);
};
const systemSelector = (e: FunctionBody): Local => {
  const selector = e.let(e.and(e.state(msr(SYSENTER_CS)), e.const(0xfffc)));
  e.refuseUnless(e.get(selector));
  return selector;
};

const systemEnter = (e: FunctionBody): void => {
  const rest = refuseUnusual(e, Flag.VM | Flag.AC | Flag.RF | Flag.TF);
  const selector = systemSelector(e);
  e.store32(StateLayout.eflagsRest, e.let(bits(e, rest, ~Flag.IF)));
  loadFlat(e, selector, 0, 0);
  setStack(e, e.let(e.state(msr(SYSENTER_ESP))));
  e.store32(StateLayout.eip, e.let(e.state(msr(SYSENTER_EIP))));
  e.accept();
};
/** (ECX, EDX). */
const systemExit = (e: FunctionBody): void => {
  const [ecx, edx] = [0, 1];
  refuseUnusual(e, Flag.VM | Flag.AC | Flag.RF | Flag.TF);
  e.refuseIf(e.state(StateLayout.cpl));
  loadFlat(e, systemSelector(e), 16, 3);
  setStack(e, ecx);
  e.store32(StateLayout.eip, edx);
  e.accept();
};

const i32s = (count: number): (typeof I32)[] => new Array<typeof I32>(count).fill(I32);
/** All return 1 if the case is covered. */
export const GATE_FUNCTIONS = {
  enterGate: shared(FunctionBody, i32s(7), enterGate),
  leaveGate: shared(FunctionBody, i32s(2), leaveGate),
  systemEnter: shared(FunctionBody, [], systemEnter),
  systemExit: shared(FunctionBody, i32s(2), systemExit),
} as const;
