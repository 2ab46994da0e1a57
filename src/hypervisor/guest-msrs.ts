// The MSRs of a vCPU that the hypervisor keeps in memory and never loads into the processor: MTRRs (firmware's values at first), the
// miscellaneous enables and the microcode revision. Not RDMSR and WRMSR (exits/msr.ts). Xen: struct mtrr_state of a vCPU.

import { FIRMWARE_MTRRS, MTRRS } from '../machine/cpu/memory-types.ts';
import { MiscEnable } from '../machine/cpu/msr.ts';

/** Slots: the MTRRs in the order of `MTRRS`, then these. */
export const GuestMsr = { MISC_ENABLE: MTRRS.length, BIOS_SIGN_ID: MTRRS.length + 1 } as const;

/** A guest may turn fast strings off; it has no performance counters, no trace, no MONITOR and no limit of CPUID. */
export const GUEST_MISC_READ_ONLY = MiscEnable.BTS_UNAVAILABLE | MiscEnable.PEBS_UNAVAILABLE;
export const GUEST_MISC_WRITABLE = MiscEnable.FAST_STRINGS;

export class GuestMsrs {
  /** Low and high half of each slot: part of what the guest can see, and so of the state hash. */
  readonly words = new Uint32Array(2 * (GuestMsr.BIOS_SIGN_ID + 1));

  constructor() {
    FIRMWARE_MTRRS.forEach(([low, high], slot) => this.set(slot, low, high));
    this.set(GuestMsr.MISC_ENABLE, GUEST_MISC_READ_ONLY | GUEST_MISC_WRITABLE, 0);
  }

  low(slot: number): number {
    return this.words[2 * slot]!;
  }
  high(slot: number): number {
    return this.words[2 * slot + 1]!;
  }
  set(slot: number, low: number, high: number): void {
    this.words[2 * slot] = low;
    this.words[2 * slot + 1] = high;
  }
}
