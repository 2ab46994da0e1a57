// MONITOR and MWAIT: waiting for a store to a line of memory, or for an interrupt. The processor is alone on its bus, so that a store comes
// from itself (then MWAIT finds the monitor disarmed and does not wait) or from a device's DMA. SDM vol. 2, MONITOR and MWAIT; vol. 3, 8.10.4.

import { ExitReason } from '../vmx/exit-reasons.ts';
import type { Cpu, Helper } from './cpu.ts';
import { Vector } from './cpu.ts';
import { FeatureC } from './features.ts';
import { PageFlag } from './page-flags.ts';
import { MONITOR_LINE } from './model.ts';
import { MiscEnable } from './msr.ts';
import { MsrSlot } from './msr-rows.ts';
import { EAX, ECX, StateLayout } from './state.ts';

/** StateLayout.monitor. */
const ARMED = 1;
const WAITING = 2;
/** Interrupts end the wait even with IF clear. */
const MASKED_BREAK = 4;
/** ECX of MWAIT: bit 0 asks for that (CPUID leaf 5 ECX). */
const MWAIT_EXTENSIONS = 1;

const ACTIVE = 0;
const HALTED = 1;

const exists = (cpu: Cpu): boolean =>
  ((cpu.model.cpuid.get(1)?.ecx ?? 0) & FeatureC.MONITOR) !== 0 &&
  (cpu.s.msrLow(MsrSlot.MISC_ENABLE) & MiscEnable.MONITOR) !== 0;

/** #UD on a model without the feature and outside CPL 0. ECX must be 0: there are no extensions. */
export const monitor: Helper = (cpu, op) => {
  const s = cpu.s;
  if (!exists(cpu) || s.cpl !== 0) return cpu.raise(Vector.UD);
  if (cpu.vmx.exitOnInstruction(ExitReason.MONITOR, 0, op)) return false;
  if (s.gpr(ECX) !== 0) return cpu.raise(Vector.GP, 0);
  const linear = cpu.linear(op.segment, op.addressSize === 32 ? s.gpr(EAX) : s.gpr16(EAX), 1, false);
  if (linear === undefined) return false;
  const physical = cpu.mmu.translate(linear, false, false);
  if (physical < 0) return false;
  disarm(cpu);
  // Only write-back memory can be watched.
  if (physical < cpu.memory.bytes && !cpu.bus.isMmio(physical)) {
    s.set(StateLayout.monitorAddress, physical & -MONITOR_LINE);
    s.set(StateLayout.monitor, ARMED);
    cpu.mmu.pages.protect(physical >>> 12, PageFlag.monitored);
  }
  return true;
};

/** Waits if the monitor is armed; otherwise, as the SDM has it, does nothing. */
export const mwait: Helper = (cpu, op) => {
  const s = cpu.s;
  if (!exists(cpu) || s.cpl !== 0) return cpu.raise(Vector.UD);
  const armed = s.get(StateLayout.monitor) & ARMED;
  if (cpu.vmx.exitOnInstruction(ExitReason.MWAIT, armed, op)) return false;
  const extensions = s.gpr(ECX);
  if ((extensions & ~MWAIT_EXTENSIONS) !== 0) return cpu.raise(Vector.GP, 0);
  if (armed === 0) return true;
  s.set(StateLayout.monitor, ARMED | WAITING | (extensions !== 0 ? MASKED_BREAK : 0));
  s.set(StateLayout.activity, HALTED);
  return true;
};

/** A store to the line, an event or a VM exit: the wait is over and the line no longer watched. */
export const disarm = (cpu: Cpu): void => {
  const s = cpu.s;
  const state = s.get(StateLayout.monitor);
  if (state === 0) return;
  s.set(StateLayout.monitor, 0);
  cpu.mmu.pages.unprotect(s.get(StateLayout.monitorAddress) >>> 12, PageFlag.monitored);
  if (state & WAITING) s.set(StateLayout.activity, ACTIVE);
};

/** True if the processor waits and interrupts end that even with IF clear. */
export const waitsForMasked = (cpu: Cpu): boolean => (cpu.s.get(StateLayout.monitor) & MASKED_BREAK) !== 0;

/** An interrupt is pending and cannot be delivered. True if it has ended a wait all the same. */
export const endMaskedWait = (cpu: Cpu): boolean => {
  if (!waitsForMasked(cpu)) return false;
  disarm(cpu);
  return true;
};

/** A store, by whomever, to a page with a watched line. */
export const noteMonitoredStore = (cpu: Cpu, physical: number, bytes: number): void => {
  const line = cpu.s.get(StateLayout.monitorAddress);
  if (physical + bytes > line && physical < line + MONITOR_LINE) disarm(cpu);
};

/** Other state is about to take the place of the processor's, and has taken it: the mark of the watched page follows. */
export const disarmForLoad = (cpu: Cpu): void => {
  if (cpu.s.get(StateLayout.monitor) !== 0)
    cpu.mmu.pages.unprotect(cpu.s.get(StateLayout.monitorAddress) >>> 12, PageFlag.monitored);
};
export const armAfterLoad = (cpu: Cpu): void => {
  if (cpu.s.get(StateLayout.monitor) !== 0)
    cpu.mmu.pages.protect(cpu.s.get(StateLayout.monitorAddress) >>> 12, PageFlag.monitored);
};
