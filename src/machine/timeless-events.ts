// Events (faults, interrupts, VM exits to a root that is code) that take no time, and how many of them one cycle may hold. A handler whose
// first instruction faults again, or a line that stays high behind a trap gate, is a loop without instructions: time must pass all the same,
// or whoever runs the guest up to a cycle would never come to its end. Not the delivery of events (cpu/exceptions.ts).

import type { Persistent } from './snapshot.ts';

const MOST = 64;

export class TimelessEvents implements Persistent<readonly [cycle: number, count: number]> {
  private cycle = -1;
  private count = 0;

  /** One more event at cycle `now`. True if it must take a cycle. */
  add(now: number): boolean {
    if (now !== this.cycle) {
      this.cycle = now;
      this.count = 0;
    }
    return this.count++ >= MOST;
  }
  /** The next event at cycle `now` takes a cycle: it must not be taken where the run ends. */
  full(now: number): boolean {
    return now === this.cycle && this.count >= MOST;
  }
  reset(): void {
    this.cycle = -1;
  }
  saveState(): readonly [cycle: number, count: number] {
    return [this.cycle, this.count];
  }
  loadState(state: readonly [cycle: number, count: number]): void {
    [this.cycle, this.count] = state;
  }
}
