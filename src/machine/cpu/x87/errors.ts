// Floating-point errors with CR0.NE clear: a pending exception is not #MF but the business of the chip set. The processor asserts FERR# and
// freezes just before the waiting instruction until an interrupt comes, or, with IGNNE# asserted, executes it all the same. Every error is
// reported this deferred way, as the manual allows. Not the chip set (devices/coprocessor-error.ts).
// SDM vol. 1, 8.7.2 and appendix D.2; vol. 3, 2.5.

import type { Cpu } from '../cpu.ts';
import { Vector } from '../cpu.ts';
import { Cr0, type CpuState, StateLayout } from '../state.ts';
import { Status, updateSummary } from './unit.ts';

/** The fault in the mailbox is a pending x87 exception that the chip set hears of. */
export const isExternalError = (cpu: Cpu): boolean =>
  cpu.s.get(StateLayout.faultVector) === Vector.MF + 1 && (cpu.s.cr0 & Cr0.NE) === 0;

/** Takes the error out of the mailbox. True: FERR# is asserted, and the instruction waits for an interrupt. */
export const stopsForError = (cpu: Cpu): boolean => {
  cpu.clearFault();
  if (cpu.errorPins.ignne) return false;
  cpu.errorPins.ferr(true);
  return true;
};

/** Executes one instruction as though no exception were pending; afterwards ES and B are what flags and masks make them. */
export const ignoringError = (s: CpuState, execute: () => void): void => {
  s.set(StateLayout.fpuStatus, s.get(StateLayout.fpuStatus) & ~(Status.ES | Status.B));
  execute();
  updateSummary(s);
};
