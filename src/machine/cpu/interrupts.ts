// One passage through the interrupt table: from a vector to its handler's first instruction. Not which events are delivered, nor
// what happens if this fails (exceptions.ts). SDM vol. 3, ch. 6 and 20; vol. 2, INT n (whose pseudo-code gives the order of checks).

import type { Cpu } from './cpu.ts';
import { Vector } from './cpu.ts';
import { Descriptor, isNull, markAccessed, readDescriptor, selectorError, SystemType } from './descriptors.ts';
import {
  checkStackSegment,
  commitCode,
  commitSegment,
  loadNullSegment,
  loadRealSegment,
  loadVirtual8086Segment,
} from './segmentation.ts';
import { innerStack, PendingStack, readInnerStack } from './stack.ts';
import { CS, DS, ES, ESP, Flag, FS, GS, SS, StateLayout, TR } from './state.ts';
import { TaskSource } from './task-state.ts';
import { switchTask } from './task-switch.ts';
import { virtualFlags } from './virtual-interrupts.ts';

const gate = new Descriptor();
const code = new Descriptor();
const stackSegment = new Descriptor();
const pending = new PendingStack();

/** IDT bit of an error code; the index is the vector (SDM vol. 3, 6.13). */
const IDT = 2;

const isInterruptGate = (type: number): boolean => (type & 7) === SystemType.INTERRUPT_GATE16;
const isTrapGate = (type: number): boolean => (type & 7) === SystemType.TRAP_GATE16;

/**
 * Enters the handler of `vector`. `software`: INT n, INT3 or INTO, to which the gate's DPL applies. `returnEip` and `flags` are what
 * the handler will return to. On success CS, EIP, SS, ESP, EFLAGS and CPL are the handler's and `cpu.nextEip` equals EIP.
 * False with the fault in the mailbox (EXT not yet set), nothing changed but memory below the stack pointer; or after a VM exit or,
 * through a task gate, in the new task's context: see `switchTask`.
 */
export const deliverThroughTable = (
  cpu: Cpu,
  vector: number,
  software: boolean,
  errorCode: number | undefined,
  returnEip: number,
  flags: number,
  instructionLength: number,
): boolean => {
  if (!cpu.protectedMode) return deliverThroughIvt(cpu, vector, returnEip, flags);
  const s = cpu.s;
  const gateError = (vector << 3) | IDT;
  if (vector * 8 + 7 > s.get(StateLayout.idtrLimit)) return cpu.raise(Vector.GP, gateError);
  if (!gate.read(cpu, s.get(StateLayout.idtrBase) + vector * 8)) return false;
  const type = gate.type;
  const taskGate = type === SystemType.TASK_GATE;
  if (!gate.isSystem || !(taskGate || isInterruptGate(type) || isTrapGate(type)))
    return cpu.raise(Vector.GP, gateError);
  if (software && gate.dpl < s.cpl) return cpu.raise(Vector.GP, gateError);
  if (!gate.present) return cpu.raise(Vector.NP, gateError);
  if (taskGate) {
    const length = instructionLength;
    return switchTask(cpu, gate.gateSelector, TaskSource.GATE, returnEip, flags, Vector.GP, length, errorCode);
  }

  const selector = gate.gateSelector;
  if (isNull(selector)) return cpu.raise(Vector.GP, 0);
  if (!readDescriptor(cpu, selector, code, Vector.GP)) return false;
  if (!code.isCode || code.dpl > s.cpl) return cpu.raise(Vector.GP, selectorError(selector));
  if (!code.present) return cpu.raise(Vector.NP, selectorError(selector));
  if (!code.isConforming && code.dpl < s.cpl) {
    if (cpu.virtual8086 && code.dpl !== 0) return cpu.raise(Vector.GP, selectorError(selector));
    return enterInner(cpu, selector, errorCode, returnEip, flags);
  }
  if (cpu.virtual8086) return cpu.raise(Vector.GP, selectorError(selector));
  return enterSame(cpu, selector, errorCode, returnEip, flags);
};

/** EFLAGS as the handler finds it: an interrupt gate masks interrupts, a trap gate does not. */
const handlerFlags = (cpu: Cpu): number => {
  const cleared = Flag.TF | Flag.NT | Flag.RF | Flag.VM;
  return cpu.s.eflagsRest & ~(isInterruptGate(gate.type) ? cleared | Flag.IF : cleared);
};

/** INTRA-PRIVILEGE-LEVEL-INTERRUPT. */
const enterSame = (
  cpu: Cpu,
  selector: number,
  errorCode: number | undefined,
  returnEip: number,
  flags: number,
): boolean => {
  const s = cpu.s;
  const size = gate.isWide ? 4 : 2;
  pending.openPresent(cpu);
  if (!pending.room(cpu, errorCode === undefined ? 3 : 4, size)) return false;
  if (gate.gateOffset > code.limit) return cpu.raise(Vector.GP, 0);
  if (!markAccessed(cpu, code) || !pushReturn(cpu, errorCode, returnEip, flags, size)) return false;
  cpu.setStackPointer(pending.pointer);
  enterHandler(cpu, selector, s.cpl);
  return true;
};

/** INTER-PRIVILEGE-LEVEL-INTERRUPT and INTERRUPT-FROM-VIRTUAL-8086-MODE. */
const enterInner = (
  cpu: Cpu,
  selector: number,
  errorCode: number | undefined,
  returnEip: number,
  flags: number,
): boolean => {
  const s = cpu.s;
  const level = code.dpl;
  const v86 = cpu.virtual8086;
  if (!readInnerStack(cpu, level)) return false;
  const stackSelector = innerStack.selector;
  if (!checkStackSegment(cpu, stackSelector, level, Vector.TS, stackSegment)) return false;
  const size = gate.isWide ? 4 : 2;
  pending.openInner(stackSelector, stackSegment, innerStack.pointer, level);
  if (!pending.room(cpu, (v86 ? 9 : 5) + (errorCode === undefined ? 0 : 1), size)) return false;
  if (gate.gateOffset > code.limit) return cpu.raise(Vector.GP, 0);
  if (!markAccessed(cpu, stackSegment) || !markAccessed(cpu, code)) return false;
  if (v86) {
    if (!pending.push(cpu, s.selector(GS), size) || !pending.push(cpu, s.selector(FS), size)) return false;
    if (!pending.push(cpu, s.selector(DS), size) || !pending.push(cpu, s.selector(ES), size)) return false;
  }
  if (!pending.push(cpu, s.selector(SS), size) || !pending.push(cpu, s.gpr(ESP), size)) return false;
  if (!pushReturn(cpu, errorCode, returnEip, flags, size)) return false;
  commitSegment(cpu, SS, stackSelector, stackSegment);
  cpu.setStackPointer(pending.pointer);
  if (v86) {
    loadNullSegment(cpu, GS, 0);
    loadNullSegment(cpu, FS, 0);
    loadNullSegment(cpu, DS, 0);
    loadNullSegment(cpu, ES, 0);
  }
  enterHandler(cpu, selector, level);
  return true;
};

const pushReturn = (cpu: Cpu, errorCode: number | undefined, returnEip: number, flags: number, size: 2 | 4): boolean =>
  pending.push(cpu, flags, size) &&
  pending.push(cpu, cpu.s.selector(CS), size) &&
  pending.push(cpu, returnEip, size) &&
  (errorCode === undefined || pending.push(cpu, errorCode, size));

const enterHandler = (cpu: Cpu, selector: number, level: number): void => {
  commitCode(cpu, selector, code, level);
  cpu.s.eflagsRest = handlerFlags(cpu);
  cpu.s.eip = gate.gateOffset;
  cpu.nextEip = gate.gateOffset;
};

/** REAL-ADDRESS-MODE: the interrupt vector table of far pointers at IDTR.base; no error codes. */
const deliverThroughIvt = (cpu: Cpu, vector: number, returnEip: number, flags: number): boolean => {
  const s = cpu.s;
  if (vector * 4 + 3 > s.get(StateLayout.idtrLimit)) return cpu.raise(Vector.GP, 0);
  const entry = cpu.readLinear((s.get(StateLayout.idtrBase) + vector * 4) >>> 0, 4, false);
  if (cpu.faulted || !pushRealReturn(cpu, returnEip, flags)) return false;
  if ((entry & 0xffff) > s.limit(CS)) return cpu.raise(Vector.GP, 0);
  cpu.setStackPointer(pending.pointer);
  loadRealSegment(cpu, CS, entry >>> 16);
  s.eflagsRest &= ~(Flag.IF | Flag.TF | Flag.AC | Flag.RF);
  s.eip = entry & 0xffff;
  cpu.nextEip = entry & 0xffff;
  return true;
};

const pushRealReturn = (cpu: Cpu, returnEip: number, flags: number): boolean => {
  pending.openPresent(cpu);
  if (!pending.room(cpu, 3, 2)) return false;
  return pending.push(cpu, flags, 2) && pending.push(cpu, cpu.s.selector(CS), 2) && pending.push(cpu, returnEip, 2);
};

/**
 * INT n in virtual-8086 mode under CR4.VME: true if the redirection bitmap keeps it in the task, whose own vector table at linear
 * address 0 is then the one to use. #GP(0) if the bitmap lies outside the TSS. SDM vol. 3, 20.3.3.
 */
export const redirectedToVirtual8086 = (cpu: Cpu, vector: number): boolean => {
  const s = cpu.s;
  if (!(s.access(TR) & 8) || s.limit(TR) < 103) return cpu.raise(Vector.GP, 0);
  const ioBase = cpu.readLinear((s.base(TR) + 102) >>> 0, 2, false);
  if (cpu.faulted) return false;
  const offset = ioBase - 32 + (vector >> 3);
  if (offset < 0 || offset > s.limit(TR)) return cpu.raise(Vector.GP, 0);
  const byte = cpu.readLinear((s.base(TR) + offset) >>> 0, 1, false);
  return !cpu.faulted && ((byte >> (vector & 7)) & 1) === 0;
};

/** Enters the virtual-8086 program's own handler. With IOPL < 3 it sees VIF in place of IF. */
export const deliverInVirtual8086 = (cpu: Cpu, vector: number, returnEip: number): boolean => {
  const s = cpu.s;
  const virtual = s.iopl < 3;
  let flags = s.eflags & ~Flag.RF;
  if (virtual) flags = virtualFlags(flags);
  const entry = cpu.readLinear(vector * 4, 4, false);
  if (cpu.faulted || !pushRealReturn(cpu, returnEip, flags)) return false;
  cpu.setStackPointer(pending.pointer);
  loadVirtual8086Segment(cpu, CS, entry >>> 16);
  s.eflagsRest &= ~(Flag.TF | Flag.RF | (virtual ? Flag.VIF : Flag.IF));
  cpu.enteredHandler = true;
  cpu.nextEip = entry & 0xffff;
  return true;
};
