// The mode word: what decides how bytes decode and which translations may run. Recomputed when `cpu.modeDirty`. Not state of its own.

import { Access, Cr0, Cr4, CS, DS, ES, SS, StateLayout } from '../cpu/state.ts';
import { Dr7 } from '../cpu/debug-registers.ts';
import type { Cpu } from '../cpu/cpu.ts';
import type { Row } from '../isa/row.ts';
import { countUntilNow } from '../cpu/performance-counters.ts';

export const Mode = {
  code32: 1,
  /** Base 0, limit 4 GiB; SS also 32-bit. */
  stackFlat: 2,
  dataFlat: 4,
  extraFlat: 8,
  codeFlat: 16,
  /** CR0.EM and CR0.TS clear: x87 (and MMX) instructions run. */
  fpu: 32,
  /** The same and CR4.OSFXSR. */
  sse: 64,
  user: 128,
  nonRoot: 256,
  /** No regions: instructions are looked at one by one (breakpoints), or the user wants the threaded tier alone. */
  threaded: 512,
  /** PAUSE exits, or RDTSC faults or exits, here: their helpers see to it. */
  pauseAside: 1024,
  timeAside: 2048,
  /** Bits that change how code decodes. */
  decode: 127 | 512,
} as const;

/** Instructions of this unit run in a mode. */
export const runsUnit = (unit: Row['unit'], mode: number): boolean =>
  unit === 'integer' || (mode & (unit === 'sse' ? Mode.sse : Mode.fpu)) !== 0;

const flat = (cpu: Cpu, segment: number, need: number): boolean => {
  const s = cpu.s;
  const access = s.access(segment);
  return (
    !cpu.checksLimits &&
    s.base(segment) === 0 &&
    s.limit(segment) === 0xffffffff &&
    (access & (Access.UNUSABLE | Access.P | 8 | 4 | 2)) === (Access.P | 2) &&
    (access & need) === need
  );
};

export const computeMode = (cpu: Cpu): number => {
  const s = cpu.s;
  const code = s.access(CS);
  let mode = 0;
  if (code & Access.DB) mode |= Mode.code32;
  if (flat(cpu, SS, Access.DB)) mode |= Mode.stackFlat;
  if (flat(cpu, DS, 0)) mode |= Mode.dataFlat;
  if (flat(cpu, ES, 0)) mode |= Mode.extraFlat;
  if (s.base(CS) === 0 && s.limit(CS) === 0xffffffff) mode |= Mode.codeFlat;
  if ((s.cr0 & (Cr0.EM | Cr0.TS)) === 0) {
    mode |= Mode.fpu;
    if (s.cr4 & Cr4.OSFXSR) mode |= Mode.sse;
  }
  if (s.cpl === 3) mode |= Mode.user;
  const timeStampRefused = (s.cr4 & Cr4.TSD) !== 0 && s.cpl !== 0;
  // Emulation for the hypervisor has no budget that tells the time.
  if (timeStampRefused || cpu.mmu.access !== undefined) mode |= Mode.timeAside;
  if (cpu.vmx.nonRoot) {
    mode |= Mode.nonRoot;
    if (cpu.vmx.pauseExits) mode |= Mode.pauseAside;
    if (cpu.vmx.rdtscExits) mode |= Mode.timeAside;
  }
  if (cpu.breakpoints.instructions || cpu.tiers === 'threaded') mode |= Mode.threaded;
  return mode;
};

/** May translated code pass gates by itself? */
export const refreshGates = (cpu: Cpu): void => {
  const looked = cpu.breakpoints.instructions || cpu.points.deliveries || cpu.mmu.access !== undefined;
  // Under CR4.TSD more than one bit of the mode word hangs on CPL.
  const passes = cpu.protectedMode && !looked && (cpu.s.cr4 & Cr4.TSD) === 0;
  cpu.s.set(StateLayout.gates, passes ? 1 : 0);
};

/** Writes the mode word and the TLB context for the present state. */
export const refreshMode = (cpu: Cpu): void => {
  if (cpu.s.get(StateLayout.counting) !== 0) countUntilNow(cpu);
  const { breakpoints: b } = cpu;
  const concerned = (cpu.s.dr(7) & Dr7.ENABLES) !== 0 || b.instructions || b.data || b.io;
  if (concerned && b.refresh(cpu.s)) {
    cpu.mmu.watchBreakpoints();
    // Known code of a page with an instruction breakpoint must not be found: each instruction is looked at.
    cpu.mmu.onBreakpoints();
  }
  cpu.s.set(StateLayout.mode, computeMode(cpu));
  refreshGates(cpu);
  cpu.s.set(StateLayout.timeOffset, cpu.vmx.tscOffsetLow);
  cpu.s.set(StateLayout.timeOffset + 4, cpu.vmx.tscOffsetHigh);
  cpu.mmu.inspection.refresh();
  cpu.s.set(StateLayout.tlb, cpu.mmu.contextAddress(cpu.mmu.context));
  cpu.modeDirty = false;
};
