// The slow paths of memory accesses in regions (translate/region): as those of the threaded tier (mmu.ts), but a running region cannot notice
// that code was overwritten. An access that would overwrite decoded code is refused with AGAIN before anything changes, and so is one whose
// page walk did: the run loop repeats the instruction alone.

import type { MissPaths } from '../translate/miss-functions.ts';
import { AGAIN } from './access-inspection.ts';
import type { Cpu } from './cpu.ts';

/** @param invalidations counts how often decoded code was thrown away */
export const regionAccess = (cpu: Cpu, invalidations: () => number): MissPaths => {
  const { mmu } = cpu;
  const changed = (before: number): boolean => {
    if (invalidations() === before) return false;
    if (!cpu.faulted) cpu.raise(AGAIN);
    return true;
  };
  return {
    loadSlow(linear, bytes) {
      const before = invalidations();
      const value = mmu.loadSlow(linear, bytes);
      changed(before);
      return value;
    },
    storeSlow(linear, value, bytes) {
      const before = invalidations();
      mmu.sparesCode = true;
      const faulted = mmu.storeSlow(linear, value, bytes);
      mmu.sparesCode = false;
      return changed(before) ? 1 : faulted;
    },
    hostRead(linear, bytes) {
      const before = invalidations();
      const host = mmu.hostReadSlow(linear, bytes);
      return changed(before) ? 0 : host;
    },
    hostWrite(linear, bytes) {
      const before = invalidations();
      mmu.sparesCode = true;
      const host = mmu.hostWriteSlow(linear, bytes);
      mmu.sparesCode = false;
      return changed(before) ? 0 : host;
    },
  };
};
