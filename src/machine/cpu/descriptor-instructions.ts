// The instructions about descriptors that transfer no control: LLDT, LTR, SLDT, STR, LAR, LSL, VERR, VERW, ARPL. Not the tables'
// own registers (LGDT, LIDT: control-registers.ts). SDM vol. 2.

import { ExitReason } from '../vmx/exit-reasons.ts';
import type { Cpu, Helper, Operands } from './cpu.ts';
import { Vector } from './cpu.ts';
import {
  Descriptor,
  inTable,
  isLocal,
  isNull,
  markBusy,
  readDescriptor,
  rpl,
  selectorError,
  SystemType,
} from './descriptors.ts';
import { Access, Flag, LDTR, TR } from './state.ts';

const d = new Descriptor();

/** `which` of VmxHooks.exitOnDescriptorTable for LDTR_TR_ACCESS. */
const Which = { SLDT: 0, STR: 1, LLDT: 2, LTR: 3 } as const;

/** These instructions exist in protected mode only, virtual-8086 mode excluded. */
const recognized = (cpu: Cpu): boolean => (cpu.protectedMode && !cpu.virtual8086) || cpu.raise(Vector.UD);

const readSelector = (cpu: Cpu, op: Operands): number =>
  op.memory ? cpu.read(op.segment, op.offset, 2) : cpu.s.gpr16(op.rm);

const setZf = (cpu: Cpu, zf: boolean): true => {
  const flags = cpu.s.eflags;
  cpu.s.eflags = zf ? flags | Flag.ZF : flags & ~Flag.ZF;
  return true;
};

export const lldt: Helper = (cpu, op) => {
  if (!recognized(cpu)) return false;
  if (cpu.s.cpl !== 0) return cpu.raise(Vector.GP, 0);
  if (cpu.vmx.exitOnDescriptorTable(ExitReason.LDTR_TR_ACCESS, Which.LLDT, op)) return false;
  const selector = readSelector(cpu, op);
  if (cpu.faulted) return false;
  if (isNull(selector)) {
    cpu.s.setSegment(LDTR, selector, 0, 0, Access.UNUSABLE);
    return true;
  }
  if (isLocal(selector)) return cpu.raise(Vector.GP, selectorError(selector));
  if (!readDescriptor(cpu, selector, d, Vector.GP)) return false;
  if (!d.isSystem || d.type !== SystemType.LDT) return cpu.raise(Vector.GP, selectorError(selector));
  if (!d.present) return cpu.raise(Vector.NP, selectorError(selector));
  cpu.s.setSegment(LDTR, selector, d.base, d.limit, d.access);
  return true;
};

export const ltr: Helper = (cpu, op) => {
  if (!recognized(cpu)) return false;
  if (cpu.s.cpl !== 0) return cpu.raise(Vector.GP, 0);
  if (cpu.vmx.exitOnDescriptorTable(ExitReason.LDTR_TR_ACCESS, Which.LTR, op)) return false;
  const selector = readSelector(cpu, op);
  if (cpu.faulted) return false;
  if (isNull(selector)) return cpu.raise(Vector.GP, 0);
  if (isLocal(selector)) return cpu.raise(Vector.GP, selectorError(selector));
  if (!readDescriptor(cpu, selector, d, Vector.GP)) return false;
  if (!d.isSystem || (d.type !== SystemType.TSS16_AVAILABLE && d.type !== SystemType.TSS32_AVAILABLE)) {
    return cpu.raise(Vector.GP, selectorError(selector));
  }
  if (!d.present) return cpu.raise(Vector.NP, selectorError(selector));
  if (!markBusy(cpu, d, true)) return false;
  cpu.s.setSegment(TR, selector, d.base, d.limit, d.access);
  return true;
};

/** To memory always 16 bits; to a 32-bit register zero-extended. */
const store = (cpu: Cpu, op: Operands, selector: number): boolean => {
  if (op.memory) return cpu.write(op.segment, op.offset, 2, selector);
  if (op.size === 32) cpu.s.setGpr(op.rm, selector);
  else cpu.s.setGpr16(op.rm, selector);
  return true;
};

export const sldt: Helper = (cpu, op) => {
  if (!recognized(cpu) || cpu.vmx.exitOnDescriptorTable(ExitReason.LDTR_TR_ACCESS, Which.SLDT, op)) return false;
  return store(cpu, op, cpu.s.selector(LDTR));
};

export const str: Helper = (cpu, op) => {
  if (!recognized(cpu) || cpu.vmx.exitOnDescriptorTable(ExitReason.LDTR_TR_ACCESS, Which.STR, op)) return false;
  return store(cpu, op, cpu.s.selector(TR));
};

const bits = (...types: readonly number[]): number => types.reduce((set, type) => set | (1 << type), 0);
/** System types that LSL accepts: those with a limit; LAR accepts call and task gates too (SDM vol. 2, tables 3-53 and 3-60). */
export const WITH_LIMIT = bits(
  SystemType.TSS16_AVAILABLE,
  SystemType.LDT,
  SystemType.TSS16_BUSY,
  SystemType.TSS32_AVAILABLE,
  SystemType.TSS32_BUSY,
);
export const WITH_RIGHTS = WITH_LIMIT | bits(SystemType.CALL_GATE16, SystemType.TASK_GATE, SystemType.CALL_GATE32);

/** Reads the descriptor if the selector is non-null, inside its table, and visible at CPL and RPL. A page fault may be in the mailbox. */
const visible = (cpu: Cpu, selector: number): boolean => {
  if (isNull(selector) || !inTable(cpu, selector) || !readDescriptor(cpu, selector, d, Vector.GP)) return false;
  return d.isConforming || (cpu.s.cpl <= d.dpl && rpl(selector) <= d.dpl);
};

const load = (cpu: Cpu, op: Operands, types: number, limit: boolean): boolean => {
  if (!recognized(cpu)) return false;
  const selector = readSelector(cpu, op);
  if (cpu.faulted) return false;
  const ok = visible(cpu, selector) && (!d.isSystem || ((types >> d.type) & 1) === 1);
  if (cpu.faulted) return false;
  if (ok) {
    const value = limit ? d.limit : d.high & 0x00f0ff00;
    if (op.size === 32) cpu.s.setGpr(op.reg, value);
    else cpu.s.setGpr16(op.reg, value);
  }
  return setZf(cpu, ok);
};

export const lar: Helper = (cpu, op) => load(cpu, op, WITH_RIGHTS, false);
export const lsl: Helper = (cpu, op) => load(cpu, op, WITH_LIMIT, true);

const verify = (cpu: Cpu, op: Operands, write: boolean): boolean => {
  if (!recognized(cpu)) return false;
  const selector = readSelector(cpu, op);
  if (cpu.faulted) return false;
  const ok = visible(cpu, selector) && (write ? d.isWritableData : d.isReadable);
  return !cpu.faulted && setZf(cpu, ok);
};

export const verr: Helper = (cpu, op) => verify(cpu, op, false);
export const verw: Helper = (cpu, op) => verify(cpu, op, true);

/** ARPL r/m16, r16: raises the destination's RPL to the source's. */
export const arpl: Helper = (cpu, op) => {
  if (!recognized(cpu)) return false;
  const selector = readSelector(cpu, op);
  if (cpu.faulted) return false;
  const wanted = cpu.s.gpr16(op.reg) & 3;
  if (rpl(selector) >= wanted) return setZf(cpu, false);
  const adjusted = (selector & 0xfffc) | wanted;
  if (op.memory) {
    if (!cpu.write(op.segment, op.offset, 2, adjusted)) return false;
  } else {
    cpu.s.setGpr16(op.rm, adjusted);
  }
  return setZf(cpu, true);
};
