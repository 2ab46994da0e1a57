// How many regions may be formed at once. Forming and compiling one takes about as long as the threaded tier needs for several 100 000 instructions:
// a program with a few loops gets its regions at once, one whose code is all warm for a short time (an operating system that boots) only
// for what goes on being executed. Not which code is hot (regions.ts). Nothing that the guest could see depends on it.

import { WIDE_ZERO } from '../../wide-number.ts';

/** Regions in a row. */
const MOST = 32;
/** Instructions after which there is one more. */
const INSTRUCTIONS = 16_000_000;

export class Allowance {
  private left = MOST;
  private since = WIDE_ZERO;

  /** May one be formed? If so it is one less. `retired`: the processor's count, which goes back where an earlier state is loaded. */
  take(retired: number): boolean {
    this.left = Math.min(MOST, this.left + Math.max(0, retired - this.since) / INSTRUCTIONS);
    this.since = retired;
    if (this.left < 1) return false;
    this.left--;
    return true;
  }
}
