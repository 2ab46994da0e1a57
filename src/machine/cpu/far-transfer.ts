// Far CALL, JMP and RET: code segments, call gates with stack switch and parameter copy, task gates and TSSs. Not interrupts nor IRET,
// which shares the checks of returns (iret.ts). SDM vol. 2, CALL, JMP, RET; vol. 3, 5.8.

import type { Cpu, Helper, Operands } from './cpu.ts';
import { Vector } from './cpu.ts';
import { Descriptor, isNull, markAccessed, readDescriptor, rpl, selectorError, SystemType } from './descriptors.ts';
import {
  checkStackSegment,
  commitCode,
  commitSegment,
  dropInnerSegments,
  loadRealSegment,
  loadVirtual8086Segment,
  nextOffset,
} from './segmentation.ts';
import { innerStack, peekStack, PendingStack, readInnerStack } from './stack.ts';
import { CS, ESP, SS } from './state.ts';
import { TaskSource } from './task-state.ts';
import { switchTask } from './task-switch.ts';

const target = new Descriptor();
const code = new Descriptor();
const stackSegment = new Descriptor();
const pending = new PendingStack();
const pointer = { selector: 0, offset: 0 };

const width = (op: Operands): 2 | 4 => (op.size === 32 ? 4 : 2);

/** The far pointer: in the instruction (offset `imm`, selector `imm2`) or in memory, offset first. */
const readPointer = (cpu: Cpu, op: Operands): boolean => {
  const size = width(op);
  if (!op.memory) {
    pointer.offset = size === 4 ? op.imm >>> 0 : op.imm & 0xffff;
    pointer.selector = op.imm2 & 0xffff;
    return true;
  }
  pointer.offset = cpu.read(op.segment, op.offset, size);
  if (cpu.faulted) return false;
  pointer.selector = cpu.read(op.segment, nextOffset(op, size), 2);
  return !cpu.faulted;
};

/** True in real and virtual-8086 mode, where a selector is a paragraph number. */
export const selectsParagraphs = (cpu: Cpu): boolean => !cpu.protectedMode || cpu.virtual8086;

/** CS in real and virtual-8086 mode. */
export const loadParagraphCode = (cpu: Cpu, selector: number): void => {
  if (cpu.protectedMode) loadVirtual8086Segment(cpu, CS, selector);
  else loadRealSegment(cpu, CS, selector);
};

export const jmpFar: Helper = (cpu, op) => {
  if (!readPointer(cpu, op)) return false;
  if (!selectsParagraphs(cpu)) return transfer(cpu, op, false);
  if (pointer.offset > cpu.s.limit(CS)) return cpu.raise(Vector.GP, 0);
  loadParagraphCode(cpu, pointer.selector);
  cpu.nextEip = pointer.offset;
  return true;
};

export const callFar: Helper = (cpu, op) => {
  if (!readPointer(cpu, op)) return false;
  if (!selectsParagraphs(cpu)) return transfer(cpu, op, true);
  const size = width(op);
  pending.openPresent(cpu);
  if (!pending.room(cpu, 2, size)) return false;
  if (pointer.offset > cpu.s.limit(CS)) return cpu.raise(Vector.GP, 0);
  if (!pushReturn(cpu, size)) return false;
  cpu.setStackPointer(pending.pointer);
  loadParagraphCode(cpu, pointer.selector);
  cpu.nextEip = pointer.offset;
  return true;
};

const pushReturn = (cpu: Cpu, size: 2 | 4): boolean =>
  pending.push(cpu, cpu.s.selector(CS), size) && pending.push(cpu, cpu.nextEip, size);

/** JMP or CALL in protected mode, by what the selector names. */
const transfer = (cpu: Cpu, op: Operands, call: boolean): boolean => {
  const { selector } = pointer;
  if (isNull(selector)) return cpu.raise(Vector.GP, 0);
  if (!readDescriptor(cpu, selector, target, Vector.GP)) return false;
  if (target.isCode) return toCodeSegment(cpu, call, width(op));
  const error = selectorError(selector);
  if (!target.isSystem) return cpu.raise(Vector.GP, error);
  switch (target.type) {
    case SystemType.CALL_GATE16:
    case SystemType.CALL_GATE32:
      return throughCallGate(cpu, call);
    case SystemType.TASK_GATE:
    case SystemType.TSS16_AVAILABLE:
    case SystemType.TSS32_AVAILABLE:
      return toTask(cpu, op, call);
    default:
      return cpu.raise(Vector.GP, error);
  }
};

/** CONFORMING-CODE-SEGMENT and NONCONFORMING-CODE-SEGMENT: the privilege level stays. */
const toCodeSegment = (cpu: Cpu, call: boolean, size: 2 | 4): boolean => {
  const { selector, offset } = pointer;
  const cpl = cpu.s.cpl;
  const permitted = target.isConforming ? target.dpl <= cpl : rpl(selector) <= cpl && target.dpl === cpl;
  if (!permitted) return cpu.raise(Vector.GP, selectorError(selector));
  if (!target.present) return cpu.raise(Vector.NP, selectorError(selector));
  return enterSame(cpu, selector, target, offset, call, size);
};

/** Into a checked code segment without changing stacks. */
const enterSame = (cpu: Cpu, selector: number, d: Descriptor, offset: number, call: boolean, size: 2 | 4): boolean => {
  pending.openPresent(cpu);
  if (call && !pending.room(cpu, 2, size)) return false;
  if (offset > d.limit) return cpu.raise(Vector.GP, 0);
  if (!markAccessed(cpu, d)) return false;
  if (call) {
    if (!pushReturn(cpu, size)) return false;
    cpu.setStackPointer(pending.pointer);
  }
  commitCode(cpu, selector, d, cpu.s.cpl);
  cpu.nextEip = offset;
  return true;
};

/** CALL-GATE: only CALL may go inwards. */
const throughCallGate = (cpu: Cpu, call: boolean): boolean => {
  const gate = target;
  const cpl = cpu.s.cpl;
  const gateError = selectorError(pointer.selector);
  if (gate.dpl < cpl || gate.dpl < rpl(pointer.selector)) return cpu.raise(Vector.GP, gateError);
  if (!gate.present) return cpu.raise(Vector.NP, gateError);
  const selector = gate.gateSelector;
  if (isNull(selector)) return cpu.raise(Vector.GP, 0);
  if (!readDescriptor(cpu, selector, code, Vector.GP)) return false;
  const permitted = call || code.isConforming ? code.dpl <= cpl : code.dpl === cpl;
  if (!code.isCode || !permitted) return cpu.raise(Vector.GP, selectorError(selector));
  if (!code.present) return cpu.raise(Vector.NP, selectorError(selector));
  if (call && !code.isConforming && code.dpl < cpl) return callInner(cpu, selector);
  return enterSame(cpu, selector, code, gate.gateOffset, call, gate.isWide ? 4 : 2);
};

/** MORE-PRIVILEGE: the TSS's stack for the new level, with the parameters copied from the old one. */
const callInner = (cpu: Cpu, selector: number): boolean => {
  const s = cpu.s;
  const gate = target;
  const level = code.dpl;
  const size = gate.isWide ? 4 : 2;
  const parameters = gate.gateParameters;
  if (!readInnerStack(cpu, level)) return false;
  const stackSelector = innerStack.selector;
  if (!checkStackSegment(cpu, stackSelector, level, Vector.TS, stackSegment)) return false;
  pending.openInner(stackSelector, stackSegment, innerStack.pointer, level);
  if (!pending.room(cpu, 4 + parameters, size)) return false;
  if (gate.gateOffset > code.limit) return cpu.raise(Vector.GP, 0);
  if (!markAccessed(cpu, stackSegment) || !markAccessed(cpu, code)) return false;
  if (!pending.push(cpu, s.selector(SS), size) || !pending.push(cpu, s.gpr(ESP), size)) return false;
  for (let i = parameters - 1; i >= 0; i--) {
    const parameter = peekStack(cpu, i * size, size);
    if (cpu.faulted || !pending.push(cpu, parameter, size)) return false;
  }
  if (!pushReturn(cpu, size)) return false;
  commitSegment(cpu, SS, stackSelector, stackSegment);
  cpu.setStackPointer(pending.pointer);
  commitCode(cpu, selector, code, level);
  cpu.nextEip = gate.gateOffset;
  return true;
};

/** TASK-GATE and TASK-STATE-SEGMENT. */
const toTask = (cpu: Cpu, op: Operands, call: boolean): boolean => {
  const { selector } = pointer;
  if (target.dpl < cpu.s.cpl || target.dpl < rpl(selector)) return cpu.raise(Vector.GP, selectorError(selector));
  const gated = target.type === SystemType.TASK_GATE;
  if (gated && !target.present) return cpu.raise(Vector.NP, selectorError(selector));
  const task = gated ? target.gateSelector : selector;
  cpu.s.eip = op.eip;
  const source = call ? TaskSource.CALL : TaskSource.JMP;
  return switchTask(cpu, task, source, cpu.nextEip, cpu.s.eflags, Vector.GP, op.length);
};

/** The checks of the code segment that RET and IRET return to: RPL is the level returned to, never an inner one. */
export const checkReturnCode = (cpu: Cpu, selector: number, into: Descriptor): boolean => {
  if (isNull(selector)) return cpu.raise(Vector.GP, 0);
  if (!readDescriptor(cpu, selector, into, Vector.GP)) return false;
  const level = rpl(selector);
  const matches = into.isConforming ? into.dpl <= level : into.dpl === level;
  if (!into.isCode || level < cpu.s.cpl || !matches) return cpu.raise(Vector.GP, selectorError(selector));
  return into.present || cpu.raise(Vector.NP, selectorError(selector));
};

/** RET and IRET within the level. `popped`: bytes that leave the stack. */
export const returnSame = (cpu: Cpu, selector: number, d: Descriptor, eip: number, popped: number): boolean => {
  if (eip > d.limit) return cpu.raise(Vector.GP, 0);
  if (!markAccessed(cpu, d)) return false;
  cpu.setStackPointer(cpu.s.gpr(ESP) + popped);
  commitCode(cpu, selector, d, cpu.s.cpl);
  cpu.nextEip = eip;
  return true;
};

/**
 * RET and IRET to an outer level: ESP and SS lie `depth` bytes up the stack; `released` bytes of parameters leave the outer stack too.
 */
export const returnOuter = (
  cpu: Cpu,
  selector: number,
  d: Descriptor,
  eip: number,
  depth: number,
  size: 2 | 4,
  released: number,
): boolean => {
  const level = rpl(selector);
  const esp = peekStack(cpu, depth, size);
  if (cpu.faulted) return false;
  const stackSelector = peekStack(cpu, depth + size, size) & 0xffff;
  if (cpu.faulted || !checkStackSegment(cpu, stackSelector, level, Vector.GP, stackSegment)) return false;
  if (eip > d.limit) return cpu.raise(Vector.GP, 0);
  if (!markAccessed(cpu, d) || !markAccessed(cpu, stackSegment)) return false;
  commitCode(cpu, selector, d, level);
  commitSegment(cpu, SS, stackSelector, stackSegment);
  cpu.setStackPointer(esp + released);
  dropInnerSegments(cpu);
  cpu.nextEip = eip;
  return true;
};

/** RETF and RETF imm16: `op.imm` bytes of parameters are released. */
export const retFar: Helper = (cpu, op) => {
  const size = width(op);
  const released = op.imm & 0xffff;
  const eip = peekStack(cpu, 0, size);
  if (cpu.faulted) return false;
  const selector = peekStack(cpu, size, size) & 0xffff;
  if (cpu.faulted) return false;
  if (selectsParagraphs(cpu)) {
    if (eip > cpu.s.limit(CS)) return cpu.raise(Vector.GP, 0);
    cpu.setStackPointer(cpu.s.gpr(ESP) + 2 * size + released);
    loadParagraphCode(cpu, selector);
    cpu.nextEip = eip;
    return true;
  }
  if (!checkReturnCode(cpu, selector, code)) return false;
  if (rpl(selector) > cpu.s.cpl) return returnOuter(cpu, selector, code, eip, 2 * size + released, size, released);
  return returnSame(cpu, selector, code, eip, 2 * size + released);
};
