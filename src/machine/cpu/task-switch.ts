// Hardware task switching: CALL, JMP, IRET and interrupts to a task, with 16- and 32-bit task-state segments. Not the checks of the
// gate or selector that led here (far-transfer.ts, interrupts.ts). SDM vol. 3, ch. 7 (steps of 7.3, table 7-1).

import type { Cpu } from './cpu.ts';
import { Vector } from './cpu.ts';
import { Dr6, Dr7 } from './debug-registers.ts';
import {
  Descriptor,
  isLocal,
  isNull,
  markAccessed,
  markBusy,
  readDescriptor,
  rpl,
  selectorError,
  SystemType,
} from './descriptors.ts';
import {
  checkStackSegment,
  commitCode,
  commitSegment,
  loadDataSegment,
  loadNullSegment,
  loadVirtual8086Segment,
} from './segmentation.ts';
import { PendingStack } from './stack.ts';
import { Access, Cr0, Cr4, CS, Flag, LDTR, SS, TR } from './state.ts';
import { TaskSource, TSS16, TSS16_FILLER, TSS32, TSS_EFLAGS } from './task-state.ts';
import { noVirtualInterruptPending } from './virtual-interrupts.ts';

const newTss = new Descriptor();
const oldTss = new Descriptor();
const segment = new Descriptor();
const pending = new PendingStack();

/** What the new TSS holds, in the order of the registers' encodings. */
const incoming = { cr3: 0, eip: 0, eflags: 0, ldt: 0, trap: false, gpr: new Uint32Array(8), sreg: new Uint16Array(6) };

/** Reads and checks the descriptor of the task's TSS in `newTss`: for IRET it must be busy, otherwise available. */
const findTss = (cpu: Cpu, selector: number, source: TaskSource, vector: number): boolean => {
  if (isNull(selector) || isLocal(selector)) return cpu.raise(vector, selectorError(selector));
  if (!readDescriptor(cpu, selector, newTss, vector)) return false;
  const narrow = source === TaskSource.IRET ? SystemType.TSS16_BUSY : SystemType.TSS16_AVAILABLE;
  if (!newTss.isSystem || (newTss.type | 8) !== (narrow | 8)) return cpu.raise(vector, selectorError(selector));
  return newTss.present || cpu.raise(Vector.NP, selectorError(selector));
};

const writeField = (cpu: Cpu, offset: number, bytes: 2 | 4, value: number): boolean =>
  cpu.writeLinear((cpu.s.base(TR) + offset) >>> 0, bytes, bytes === 2 ? value & 0xffff : value >>> 0, false);

/** Writes the dynamic fields of the present task. */
const saveTask = (cpu: Cpu, eip: number, eflags: number): boolean => {
  const s = cpu.s;
  const wide = (s.access(TR) & 8) !== 0;
  const t = wide ? TSS32 : TSS16;
  const size = wide ? 4 : 2;
  if (!writeField(cpu, t.eip, size, eip) || !writeField(cpu, t.eflags, size, eflags)) return false;
  for (let i = 0; i < 8; i++) if (!writeField(cpu, t.gpr + i * size, size, s.gpr(i))) return false;
  for (let i = 0; i < (wide ? 6 : 4); i++) if (!writeField(cpu, t.sreg + i * size, 2, s.selector(i))) return false;
  return true;
};

const readField = (cpu: Cpu, offset: number, bytes: 1 | 2 | 4): number =>
  cpu.readLinear((newTss.base + offset) >>> 0, bytes, false);

/** Reads the new TSS into `incoming`. The upper halves of what a 16-bit TSS lacks are as processors since the 386 leave them. */
const readTask = (cpu: Cpu): boolean => {
  const wide = newTss.isWide;
  const t = wide ? TSS32 : TSS16;
  const size = wide ? 4 : 2;
  const filler = wide ? 0 : TSS16_FILLER;
  incoming.cr3 = wide ? readField(cpu, TSS32.cr3, 4) : 0;
  incoming.eip = readField(cpu, t.eip, size);
  incoming.eflags = readField(cpu, t.eflags, size) & TSS_EFLAGS;
  for (let i = 0; i < 8; i++) incoming.gpr[i] = filler | readField(cpu, t.gpr + i * size, size);
  for (let i = 0; i < 6; i++) incoming.sreg[i] = wide || i < 4 ? readField(cpu, t.sreg + i * size, 2) : 0;
  incoming.ldt = readField(cpu, t.ldt, 2);
  incoming.trap = wide && (readField(cpu, TSS32.trap, 1) & 1) !== 0;
  return !cpu.faulted;
};

const loadLdt = (cpu: Cpu, selector: number): boolean => {
  if (isNull(selector)) return true;
  if (isLocal(selector)) return cpu.raise(Vector.TS, selectorError(selector));
  if (!readDescriptor(cpu, selector, segment, Vector.TS)) return false;
  if (!segment.isSystem || segment.type !== SystemType.LDT || !segment.present) {
    return cpu.raise(Vector.TS, selectorError(selector));
  }
  cpu.s.setSegment(LDTR, selector, segment.base, segment.limit, segment.access);
  return true;
};

const loadCode = (cpu: Cpu, selector: number): boolean => {
  const error = selectorError(selector);
  if (isNull(selector)) return cpu.raise(Vector.TS, error);
  if (!readDescriptor(cpu, selector, segment, Vector.TS)) return false;
  if (!segment.isCode) return cpu.raise(Vector.TS, error);
  if (segment.isConforming ? segment.dpl > rpl(selector) : segment.dpl !== rpl(selector))
    return cpu.raise(Vector.TS, error);
  if (!segment.present) return cpu.raise(Vector.NP, error);
  if (!markAccessed(cpu, segment)) return false;
  commitCode(cpu, selector, segment, rpl(selector));
  return true;
};

/** Step 13: the segment registers, in the new task's context. CPL is the RPL of its CS from the start. */
const loadSegments = (cpu: Cpu): boolean => {
  const s = cpu.s;
  const sreg = incoming.sreg;
  for (let i = 0; i < 6; i++) loadNullSegment(cpu, i, sreg[i]!);
  s.setSegment(LDTR, incoming.ldt, 0, 0, Access.UNUSABLE);
  const v86 = (incoming.eflags & Flag.VM) !== 0;
  s.cpl = v86 ? 3 : rpl(sreg[CS]!);
  if (v86) for (let i = 0; i < 6; i++) loadVirtual8086Segment(cpu, i, sreg[i]!);
  if (!loadLdt(cpu, incoming.ldt)) return false;
  if (v86) return true;
  if (!loadCode(cpu, sreg[CS]!)) return false;
  if (!checkStackSegment(cpu, sreg[SS]!, s.cpl, Vector.TS, segment) || !markAccessed(cpu, segment)) return false;
  commitSegment(cpu, SS, sreg[SS]!, segment);
  for (let i = 0; i < 6; i++) {
    if (i !== CS && i !== SS && !loadDataSegment(cpu, i, sreg[i]!, Vector.TS)) return false;
  }
  return true;
};

/** Error codes of exceptions that come through a task gate go onto the new task's stack, as wide as its TSS. */
const pushErrorCode = (cpu: Cpu, wide: boolean, errorCode: number): boolean => {
  const size = wide ? 4 : 2;
  pending.openPresent(cpu);
  if (!pending.room(cpu, 1, size) || !pending.push(cpu, errorCode, size)) return false;
  cpu.setStackPointer(pending.pointer);
  return true;
};

/**
 * Switches to the task whose TSS `selector` names. `returnEip`, `flags`: what the old task resumes with. `vector`: which exception a bad TSS
 * selector gives (#GP for CALL, JMP and gates, #TS for IRET). `errorCode`: of an exception delivered through a task gate.
 *
 * False with a fault in the mailbox, or after a VM exit. Up to the commit point (SDM vol. 3, 7.3, step 12) nothing of the
 * processor's state has changed then; behind it the new task's state is loaded and `s.eip` is the new task's.
 */
export const switchTask = (
  cpu: Cpu,
  selector: number,
  source: TaskSource,
  returnEip: number,
  flags: number,
  vector: number,
  instructionLength: number,
  errorCode?: number,
): boolean => {
  const s = cpu.s;
  if (!findTss(cpu, selector, source, vector)) return false;
  const wide = newTss.isWide;
  const minimum = wide ? TSS32.minimum : TSS16.minimum;
  if (newTss.limit < minimum) return cpu.raise(Vector.TS, selectorError(selector));
  if (cpu.vmx.exitOnTaskSwitch(selector, source, instructionLength, flags)) return false;
  const oldWide = (s.access(TR) & 8) !== 0;
  const oldSelector = s.selector(TR);
  if (s.access(TR) & Access.UNUSABLE || s.limit(TR) < (oldWide ? TSS32.minimum : TSS16.minimum)) {
    return cpu.raise(Vector.TS, selectorError(oldSelector));
  }

  // Everything that may fault comes before anything that counts: the new TSS must be readable before the old one is written.
  cpu.readLinear(newTss.base, 1, false);
  if (!cpu.faulted) cpu.readLinear((newTss.base + minimum) >>> 0, 1, false);
  if (cpu.faulted) return false;
  const leaves = source === TaskSource.JMP || source === TaskSource.IRET;
  const nests = source === TaskSource.CALL || source === TaskSource.GATE;
  const outgoing = flags & (source === TaskSource.IRET ? ~Flag.NT : -1);
  if (!saveTask(cpu, returnEip, outgoing)) return false;
  if (nests && !cpu.writeLinear(newTss.base, 2, oldSelector, false)) return false;
  if (!readTask(cpu)) return false;
  if (leaves) {
    if (!readDescriptor(cpu, oldSelector, oldTss, Vector.TS) || !markBusy(cpu, oldTss, false)) return false;
  }
  if (source !== TaskSource.IRET && !markBusy(cpu, newTss, true)) {
    if (leaves) restoreBusy(cpu);
    return false;
  }

  // The commit point.
  s.setSegment(TR, selector, newTss.base, newTss.limit, newTss.access);
  s.cr0 |= Cr0.TS;
  s.setDr(7, s.dr(7) & ~Dr7.LOCAL);
  cpu.modeDirty = true;
  s.eip = incoming.eip;
  cpu.nextEip = incoming.eip;
  s.eflags = nests ? incoming.eflags | Flag.NT : incoming.eflags;
  for (let i = 0; i < 8; i++) s.setGpr(i, incoming.gpr[i]!);
  // With paging off, CR3 stays; a 16-bit TSS has none.
  if (wide && s.cr0 & Cr0.PG) {
    if (s.cr4 & Cr4.PAE && !cpu.mmu.loadPdptes(incoming.cr3)) return false;
    s.cr3 = incoming.cr3;
    cpu.mmu.flushNonGlobal();
  }
  if (!loadSegments(cpu)) return false;
  if (errorCode !== undefined && !pushErrorCode(cpu, wide, errorCode)) return false;
  if (s.eip > s.limit(CS)) return cpu.raise(Vector.GP, 0);
  if (incoming.trap) {
    cpu.faultAddress = Dr6.BT;
    return cpu.raise(Vector.DB);
  }
  return noVirtualInterruptPending(cpu);
};

/** The new TSS could not be marked: the old one is busy again (its descriptor was just written, so this cannot fault). */
const restoreBusy = (cpu: Cpu): void => {
  const { faultAddress } = cpu;
  markBusy(cpu, oldTss, true);
  cpu.faultAddress = faultAddress;
};
