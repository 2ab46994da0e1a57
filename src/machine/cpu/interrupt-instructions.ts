// The instructions of interrupts: INT n, INT3, INTO, INT1, BOUND, and IRET in all its forms. Not the delivery (exceptions.ts).
// SDM vol. 2, INT n, BOUND, IRET/IRETD (whose pseudo-code gives the order of checks); vol. 3, 6.7.1 for NMIs, 20.3.3 for virtual-8086 mode.

import { EventType } from '../vmx/qualification.ts';
import type { Cpu, Helper, Operands } from './cpu.ts';
import { Vector } from './cpu.ts';
import { Descriptor, rpl } from './descriptors.ts';
import { Outcome, raiseEvent } from './exceptions.ts';
import { checkReturnCode, loadParagraphCode, returnOuter, returnSame } from './far-transfer.ts';
import { deliverInVirtual8086, redirectedToVirtual8086 } from './interrupts.ts';
import { loadVirtual8086Segment, nextOffset } from './segmentation.ts';
import { peekStack } from './stack.ts';
import { Blocking, Cr4, CS, DS, ES, ESP, Flag, FS, GS, SS, StateLayout, TR } from './state.ts';
import { TaskSource } from './task-state.ts';
import { switchTask } from './task-switch.ts';
import { mayPopVirtualFlags, noVirtualInterruptPending } from './virtual-interrupts.ts';

/** True if the handler was entered. False: its delivery raised an exception, which has been delivered instead, or the guest was left. */
const raise = (cpu: Cpu, op: Operands, vector: number, type: number, debugEvents = 0): boolean => {
  cpu.s.eip = op.eip;
  cpu.faultAddress = debugEvents;
  return raiseEvent(cpu, vector, type, undefined, op.length) === Outcome.DELIVERED;
};

/** INT n: in virtual-8086 mode subject to IOPL and, under CR4.VME, to the interrupt redirection bitmap. */
export const intN: Helper = (cpu, op) => {
  const vector = op.imm & 0xff;
  if (cpu.protectedMode && cpu.virtual8086) {
    const redirected = (cpu.s.cr4 & Cr4.VME) !== 0 && redirectedToVirtual8086(cpu, vector);
    if (cpu.faulted) return false;
    if (redirected) return deliverInVirtual8086(cpu, vector, cpu.nextEip);
    if (cpu.s.iopl < 3) return cpu.raise(Vector.GP, 0);
  }
  return raise(cpu, op, vector, EventType.SOFTWARE_INTERRUPT);
};

export const int3: Helper = (cpu, op) => raise(cpu, op, Vector.BP, EventType.SOFTWARE_EXCEPTION);

export const into: Helper = (cpu, op) =>
  (cpu.s.eflags & Flag.OF) === 0 || raise(cpu, op, Vector.OF, EventType.SOFTWARE_EXCEPTION);

/** INT1 (F1), also called ICEBP: a #DB that no gate's DPL holds back. It reports the breakpoints that MOV SS has held back: they are this #DB. */
export const int1: Helper = (cpu, op) => {
  const { met } = cpu.breakpoints;
  cpu.breakpoints.met = 0;
  return raise(cpu, op, Vector.DB, EventType.PRIVILEGED_SOFTWARE_EXCEPTION, met);
};

/** BOUND r, m&m: signed index against lower and upper bound. */
export const bound: Helper = (cpu, op) => {
  const bytes = op.size === 32 ? 4 : 2;
  const shift = 32 - op.size;
  const lower = cpu.read(op.segment, op.offset, bytes);
  if (cpu.faulted) return false;
  const upper = cpu.read(op.segment, nextOffset(op, bytes), bytes);
  if (cpu.faulted) return false;
  const index = (cpu.s.gpr(op.reg) << shift) >> shift;
  if (index < (lower << shift) >> shift || index > (upper << shift) >> shift) return cpu.raise(Vector.BR);
  return true;
};

// ---- IRET ---------------------------------------------------------------------------------------------------------------

const code = new Descriptor();

/** Flags that every IRET pops: CF PF AF ZF SF TF DF OF NT. */
const POPPED = 0x4dd5;
/** What the 32-bit form adds at any level. */
const POPPED32 = Flag.RF | Flag.AC | Flag.ID;
/** All the bits that exist: what the return to virtual-8086 mode loads. */
const ALL = 0x3f7fd5;

const frame = { eip: 0, selector: 0, flags: 0 };

const readFrame = (cpu: Cpu, size: 2 | 4): boolean => {
  frame.eip = peekStack(cpu, 0, size);
  if (cpu.faulted) return false;
  frame.selector = peekStack(cpu, size, size) & 0xffff;
  if (cpu.faulted) return false;
  frame.flags = peekStack(cpu, 2 * size, size);
  return !cpu.faulted;
};

const setFlags = (cpu: Cpu, image: number, mask: number): void => {
  cpu.s.eflags = (cpu.s.eflags & ~mask) | (image & mask);
};

/** An IRET ends blocking by NMI even if it faults (SDM vol. 3, 25.3, and 27.2.2 for what a VM exit then reports). */
const unblockNmi = (cpu: Cpu): void => {
  const blocking = cpu.s.get(StateLayout.interruptibility);
  if (!(blocking & Blocking.NMI) || cpu.vmx.iretKeepsNmiBlocking === true) return;
  cpu.s.set(StateLayout.interruptibility, blocking & ~Blocking.NMI);
  cpu.nmiUnblockedByIret = true;
};

export const iret: Helper = (cpu, op) => {
  unblockNmi(cpu);
  const size = op.size === 32 ? 4 : 2;
  let done: boolean;
  if (!cpu.protectedMode) done = inRealMode(cpu, size);
  else if (cpu.virtual8086) done = inVirtual8086Mode(cpu, size);
  else if (cpu.s.eflagsRest & Flag.NT) done = toPreviousTask(cpu, op);
  else done = inProtectedMode(cpu, size);
  if (!done) return false;
  cpu.nmiUnblockedByIret = false;
  if (noVirtualInterruptPending(cpu)) return true;
  cpu.retiredBeforeFault = 1;
  return false;
};

/** Leaves real or virtual-8086 mode's frame; false with #GP(0) if EIP is outside the segment. */
const returnToParagraph = (cpu: Cpu, size: 2 | 4, mask: number): boolean => {
  if (frame.eip > cpu.s.limit(CS)) return cpu.raise(Vector.GP, 0);
  cpu.setStackPointer(cpu.s.gpr(ESP) + 3 * size);
  loadParagraphCode(cpu, frame.selector);
  setFlags(cpu, frame.flags, mask);
  cpu.nextEip = frame.eip;
  return true;
};

const inRealMode = (cpu: Cpu, size: 2 | 4): boolean => {
  const mask = POPPED | Flag.IF | Flag.IOPL;
  return readFrame(cpu, size) && returnToParagraph(cpu, size, size === 4 ? mask | POPPED32 : mask);
};

/** IOPL 3 gives a plain return; below it only CR4.VME's 16-bit form exists, with VIF in the place of IF. */
const inVirtual8086Mode = (cpu: Cpu, size: 2 | 4): boolean => {
  const s = cpu.s;
  if (s.iopl === 3) {
    const mask = POPPED | Flag.IF;
    return readFrame(cpu, size) && returnToParagraph(cpu, size, size === 4 ? mask | POPPED32 : mask);
  }
  if (!(s.cr4 & Cr4.VME) || size === 4) return cpu.raise(Vector.GP, 0);
  if (!readFrame(cpu, size) || !mayPopVirtualFlags(cpu, frame.flags)) return false;
  if (frame.flags & Flag.IF) frame.flags |= Flag.VIF;
  return returnToParagraph(cpu, size, POPPED | Flag.VIF);
};

/** TASK-RETURN: to the task in the back link of the present TSS. */
const toPreviousTask = (cpu: Cpu, op: Operands): boolean => {
  const link = cpu.readLinear(cpu.s.base(TR), 2, false);
  if (cpu.faulted) return false;
  cpu.s.eip = op.eip;
  return switchTask(cpu, link, TaskSource.IRET, cpu.nextEip, cpu.s.eflags, Vector.TS, op.length);
};

const inProtectedMode = (cpu: Cpu, size: 2 | 4): boolean => {
  const s = cpu.s;
  if (!readFrame(cpu, size)) return false;
  const { eip, selector, flags } = frame;
  if (size === 4 && flags & Flag.VM && s.cpl === 0) return toVirtual8086Mode(cpu);
  if (!checkReturnCode(cpu, selector, code)) return false;
  // The level that executes IRET decides which flags it may change.
  let mask = size === 4 ? POPPED | POPPED32 : POPPED;
  if (s.cpl <= s.iopl) mask |= Flag.IF;
  if (s.cpl === 0) mask |= size === 4 ? Flag.IOPL | Flag.VIF | Flag.VIP : Flag.IOPL;
  const outer = rpl(selector) > s.cpl;
  if (
    outer ? !returnOuter(cpu, selector, code, eip, 3 * size, size, 0) : !returnSame(cpu, selector, code, eip, 3 * size)
  ) {
    return false;
  }
  setFlags(cpu, flags, mask);
  return true;
};

const tail = new Uint32Array(6);

/** RETURN-TO-VIRTUAL-8086-MODE: six more doublewords, ESP SS ES DS FS GS. */
const toVirtual8086Mode = (cpu: Cpu): boolean => {
  const s = cpu.s;
  for (let i = 0; i < 6; i++) {
    tail[i] = peekStack(cpu, 12 + i * 4, 4);
    if (cpu.faulted) return false;
  }
  if (frame.eip > 0xffff) return cpu.raise(Vector.GP, 0);
  s.eflags = frame.flags & ALL;
  s.cpl = 3;
  loadVirtual8086Segment(cpu, CS, frame.selector);
  loadVirtual8086Segment(cpu, SS, tail[1]!);
  loadVirtual8086Segment(cpu, ES, tail[2]!);
  loadVirtual8086Segment(cpu, DS, tail[3]!);
  loadVirtual8086Segment(cpu, FS, tail[4]!);
  loadVirtual8086Segment(cpu, GS, tail[5]!);
  s.setGpr(ESP, tail[0]!);
  cpu.nextEip = frame.eip;
  return true;
};
