// Loading segment registers: what each mode and each register demands, and the instructions that do nothing else (MOV, POP, LDS...).
// Not LDTR and TR (descriptor-instructions.ts) and not CS by way of transfers (far-transfer.ts). SDM vol. 3, 3.4 and 5.5 to 5.7.

import type { Cpu, Helper, Operands } from './cpu.ts';
import { Vector } from './cpu.ts';
import { Descriptor, isNull, markAccessed, readDescriptor, rpl, selectorError } from './descriptors.ts';
import { Access, Blocking, CS, DS, ES, ESP, FS, GS, SS, StateLayout } from './state.ts';

/** Present, S = 1, data, writable, accessed: what real mode (DPL 0) and virtual-8086 mode (DPL 3) put into the slot. */
const REAL_ACCESS = 0x93;
const V86_ACCESS = 0xf3;

const segmentDescriptor = new Descriptor();

/** Real mode: the base follows the selector; limit, D/B and G keep what they were ("unreal mode" relies on it). */
export const loadRealSegment = (cpu: Cpu, segment: number, selector: number): void => {
  const s = cpu.s;
  const old = s.access(segment);
  const unusable = (old & Access.UNUSABLE) !== 0;
  const access = unusable ? REAL_ACCESS : REAL_ACCESS | (old & (Access.DB | Access.G));
  s.setSegment(segment, selector, (selector & 0xffff) << 4, unusable ? 0xffff : s.limit(segment), access);
  cpu.modeDirty = true;
};

/** Virtual-8086 mode: everything but the selector is fixed (SDM vol. 3, 20.2). */
export const loadVirtual8086Segment = (cpu: Cpu, segment: number, selector: number): void => {
  cpu.s.setSegment(segment, selector, (selector & 0xffff) << 4, 0xffff, V86_ACCESS);
  cpu.modeDirty = true;
};

/** A null selector in DS, ES, FS or GS: the register keeps the selector and cannot be used. */
export const loadNullSegment = (cpu: Cpu, segment: number, selector: number): void => {
  cpu.s.setSegment(segment, selector, 0, 0, Access.UNUSABLE);
  cpu.modeDirty = true;
};

/** Puts a checked descriptor, whose accessed bit is set, into DS, ES, FS, GS or SS. */
export const commitSegment = (cpu: Cpu, segment: number, selector: number, d: Descriptor): void => {
  cpu.s.setSegment(segment, selector, d.base, d.limit, d.access);
  cpu.modeDirty = true;
};

/** Puts a checked code descriptor into CS; the privilege level becomes `cpl`. */
export const commitCode = (cpu: Cpu, selector: number, d: Descriptor, cpl: number): void => {
  cpu.s.setSegment(CS, (selector & 0xfffc) | cpl, d.base, d.limit, d.access);
  cpu.s.cpl = cpl;
  cpu.modeDirty = true;
};

/**
 * The checks that a stack segment for privilege level `level` must pass, for MOV SS, outward returns (`vector` #GP), inward
 * calls and task switches (#TS): null gives `vector`(0), not present #SS(selector), everything else `vector`(selector).
 */
export const checkStackSegment = (
  cpu: Cpu,
  selector: number,
  level: number,
  vector: number,
  into: Descriptor,
): boolean => {
  if (isNull(selector)) return cpu.raise(vector, 0);
  if (!readDescriptor(cpu, selector, into, vector)) return false;
  if (rpl(selector) !== level || !into.isWritableData || into.dpl !== level) {
    return cpu.raise(vector, selectorError(selector));
  }
  return into.present || cpu.raise(Vector.SS, selectorError(selector));
};

/** DS, ES, FS or GS in protected mode. `vector`: #GP, or #TS in a task switch. False if refused: nothing has changed then. */
export const loadDataSegment = (cpu: Cpu, segment: number, selector: number, vector: number = Vector.GP): boolean => {
  if (isNull(selector)) {
    loadNullSegment(cpu, segment, selector);
    return true;
  }
  const d = segmentDescriptor;
  if (!readDescriptor(cpu, selector, d, vector)) return false;
  if (!d.isReadable) return cpu.raise(vector, selectorError(selector));
  if (!d.isConforming && (rpl(selector) > d.dpl || cpu.s.cpl > d.dpl)) {
    return cpu.raise(vector, selectorError(selector));
  }
  if (!d.present) return cpu.raise(Vector.NP, selectorError(selector));
  if (!markAccessed(cpu, d)) return false;
  commitSegment(cpu, segment, selector, d);
  return true;
};

/** SS in protected mode, for the present privilege level. */
export const loadStackSegment = (cpu: Cpu, selector: number, vector: number = Vector.GP): boolean => {
  const d = segmentDescriptor;
  if (!checkStackSegment(cpu, selector, cpu.s.cpl, vector, d) || !markAccessed(cpu, d)) return false;
  commitSegment(cpu, SS, selector, d);
  return true;
};

/** Loads DS, ES, FS, GS or SS as MOV and POP do, in whatever mode the processor is. False with a fault in the mailbox if refused. */
export const loadSegment = (cpu: Cpu, segment: number, selector: number): boolean => {
  selector &= 0xffff;
  if (!cpu.protectedMode) loadRealSegment(cpu, segment, selector);
  else if (cpu.virtual8086) loadVirtual8086Segment(cpu, segment, selector);
  else return segment === SS ? loadStackSegment(cpu, selector) : loadDataSegment(cpu, segment, selector);
  return true;
};

/** After a return to an outer level: data segments that the new CPL may not use become null (SDM vol. 3, 5.8.6). */
export const dropInnerSegments = (cpu: Cpu): void => {
  const s = cpu.s;
  for (let i = 0; i < 4; i++) {
    const segment = i === 0 ? ES : i === 1 ? DS : i === 2 ? FS : GS;
    const access = s.access(segment);
    const conforming = (access & 0x1c) === 0x1c;
    if (!(access & Access.UNUSABLE) && !conforming && (access & Access.DPL) >> 5 < s.cpl) {
      loadNullSegment(cpu, segment, 0);
    }
  }
};

/** MOV SS and POP SS keep interrupts and debug traps away from the next instruction (SDM vol. 3, 6.8.3). */
const blockByMovSs = (cpu: Cpu): void => {
  const blocking = cpu.s.get(StateLayout.interruptibility);
  cpu.s.set(StateLayout.interruptibility, (blocking & ~Blocking.STI) | Blocking.MOV_SS);
};

/** MOV Sreg, r/m16. */
export const movToSreg: Helper = (cpu, op) => {
  const selector = op.memory ? cpu.read(op.segment, op.offset, 2) : cpu.s.gpr16(op.rm);
  if (cpu.faulted || !loadSegment(cpu, op.reg, selector)) return false;
  if (op.reg === SS) blockByMovSs(cpu);
  return true;
};

/** POP ES, SS, DS, FS, GS: `op.reg` is the segment register, `op.size` the width of the stack slot. */
export const popSreg: Helper = (cpu, op) => {
  const s = cpu.s;
  const bytes = op.size === 32 ? 4 : 2;
  const mask = cpu.stackMask;
  const esp = s.gpr(ESP);
  const selector = cpu.read(SS, (esp & mask) >>> 0, bytes) & 0xffff;
  if (cpu.faulted || !loadSegment(cpu, op.reg, selector)) return false;
  // The old stack's width counts even if SS itself was loaded.
  if (mask === 0xffff) s.setGpr16(ESP, esp + bytes);
  else s.setGpr(ESP, esp + bytes);
  if (op.reg === SS) blockByMovSs(cpu);
  return true;
};

/** LDS, LES, LSS, LFS, LGS: offset to the register `op.reg`, selector to the segment register. */
export const loadFarPointer = (cpu: Cpu, op: Operands, segment: number): boolean => {
  const bytes = op.size === 32 ? 4 : 2;
  const offset = cpu.read(op.segment, op.offset, bytes);
  if (cpu.faulted) return false;
  const selector = cpu.read(op.segment, nextOffset(op, bytes), 2);
  if (cpu.faulted || !loadSegment(cpu, segment, selector)) return false;
  if (bytes === 4) cpu.s.setGpr(op.reg, offset);
  else cpu.s.setGpr16(op.reg, offset);
  return true;
};

/** The effective address `bytes` behind the memory operand's, wrapped at the address size. */
export const nextOffset = (op: Operands, bytes: number): number =>
  op.addressSize === 16 ? (op.offset + bytes) & 0xffff : (op.offset + bytes) >>> 0;

export const lds: Helper = (cpu, op) => loadFarPointer(cpu, op, DS);
export const les: Helper = (cpu, op) => loadFarPointer(cpu, op, ES);
export const lss: Helper = (cpu, op) => loadFarPointer(cpu, op, SS);
export const lfs: Helper = (cpu, op) => loadFarPointer(cpu, op, FS);
export const lgs: Helper = (cpu, op) => loadFarPointer(cpu, op, GS);
