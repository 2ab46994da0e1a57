// The processor's state after power-on or RESET. SDM vol. 3, table 9-1.

import type { Cpu } from './cpu.ts';
import { resetMsrs } from './msr.ts';
import { CS, DS, ES, FS, GS, LDTR, SS, StateLayout, TR } from './state.ts';

/** Access rights of a real-mode segment, present and writable; CS too (SDM vol. 3, 9.1.4). */
const REAL_SEGMENT = 0x93;

export const initializeProcessor = (cpu: Cpu): void => {
  const s = cpu.s;
  s.u8.fill(0, StateLayout.gpr, StateLayout.end);
  s.setGpr(2, cpu.model.cpuid.get(1)?.eax ?? 0);
  s.eip = 0xfff0;
  s.eflags = 2;
  s.cr0 = 0x6000_0010;
  for (const segment of [ES, SS, DS, FS, GS]) s.setSegment(segment, 0, 0, 0xffff, REAL_SEGMENT);
  s.setSegment(CS, 0xf000, 0xffff_0000, 0xffff, REAL_SEGMENT);
  s.setSegment(LDTR, 0, 0, 0xffff, 0x82);
  s.setSegment(TR, 0, 0, 0xffff, 0x8b);
  s.set(StateLayout.gdtrLimit, 0xffff);
  s.set(StateLayout.idtrLimit, 0xffff);
  s.setDr(6, 0xffff_0ff0);
  s.setDr(7, 0x400);
  s.set(StateLayout.fpuControl, 0x40);
  s.set(StateLayout.mxcsr, 0x1f80);
  resetMsrs(cpu);
  cpu.clearFault();
  cpu.timeless.reset();
  cpu.modeDirty = true;
};
