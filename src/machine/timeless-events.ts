// Events (faults, interrupts, VM exits to a root that is code) that take no time, and how many of them one cycle may hold. A handler whose
// first instruction faults again, or a line that stays high behind a trap gate, is a loop without instructions: time must pass all the same,
// or whoever runs the guest up to a cycle would never come to its end. Not the delivery of events (cpu/exceptions.ts).

import { MomentCount } from './moment-count.ts';
import type { Persistent } from './snapshot.ts';

/** Events that one cycle holds. */
export const MOST_TIMELESS = 64;

export class TimelessEvents implements Persistent<readonly [cycle: number, count: number]> {
  constructor(private readonly events = new MomentCount()) {}

  /** One more event at cycle `now`. True if it must take a cycle. */
  add(now: number): boolean {
    return this.events.add(now) >= MOST_TIMELESS;
  }
  /** The next event at cycle `now` takes a cycle: it must not be taken where the run ends. */
  full(now: number): boolean {
    return this.events.at(now) >= MOST_TIMELESS;
  }
  reset(): void {
    this.events.set(0, 0);
  }
  saveState(): readonly [cycle: number, count: number] {
    return [this.events.moment, this.events.count];
  }
  loadState(state: readonly [cycle: number, count: number]): void {
    this.events.set(...state);
  }
}
