// The slow paths of memory accesses in regions (translate/region): as those of the threaded tier (mmu.ts), but a running region cannot notice
// that its code was overwritten. An access that would overwrite code of regions is refused with AGAIN before anything changes, and so is one whose
// page walk did: the run loop repeats the instruction alone.

import type { MissPaths } from '../translate/miss-functions.ts';
import { AGAIN } from './access-inspection.ts';
import type { Cpu } from './cpu.ts';

/** @param lost counts the regions that were taken away */
export const regionAccess = (cpu: Cpu, lost: () => number): MissPaths => {
  const { mmu } = cpu;
  const changed = (before: number): boolean => {
    if (lost() === before) return false;
    if (!cpu.faulted) cpu.raise(AGAIN);
    return true;
  };
  return {
    loadSlow(linear, bytes) {
      const before = lost();
      const value = mmu.loadSlow(linear, bytes);
      changed(before);
      return value;
    },
    storeSlow(linear, value, bytes) {
      const before = lost();
      mmu.sparesRegions = true;
      const faulted = mmu.storeSlow(linear, value, bytes);
      mmu.sparesRegions = false;
      return changed(before) ? 1 : faulted;
    },
    hostRead(linear, bytes) {
      const before = lost();
      const host = mmu.hostReadSlow(linear, bytes);
      return changed(before) ? 0 : host;
    },
    hostWrite(linear, bytes) {
      const before = lost();
      mmu.sparesRegions = true;
      const host = mmu.hostWriteSlow(linear, bytes);
      mmu.sparesRegions = false;
      return changed(before) ? 0 : host;
    },
  };
};
