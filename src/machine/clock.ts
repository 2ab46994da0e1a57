// Virtual time and the timers that live on it. Not wall-clock time: the only source is the CPU's progress, so that a run
// repeats bit for bit. Unit: cycles of the time-stamp counter (one retired instruction is one cycle; idle time is skipped to the next timer).

import type { Persistent } from './snapshot.ts';
import { WIDE_ZERO } from './wide-number.ts';

/** Cycles a virtual second has. 1 GHz: one cycle is one nanosecond of virtual time. */
export const CYCLES_PER_SECOND = 1_000_000_000;

export interface Timer {
  /** Absolute cycle at which `fire` is due, or Infinity when not armed. */
  readonly deadline: number;
}

class ClockTimer implements Timer {
  deadline = Infinity;
  constructor(
    readonly order: number,
    readonly fire: (now: number) => void,
  ) {}
}

/** Cycles are JavaScript numbers: exact up to 2^53, that is 104 days of virtual time. */
export class Clock implements Persistent<readonly number[]> {
  private cycles = WIDE_ZERO;
  private readonly timers: ClockTimer[] = [];
  private next = Infinity;

  constructor() {
    this.cycles = 0;
  }

  get now(): number {
    return this.cycles;
  }

  /** The earliest deadline, in cycles; Infinity if nothing is armed. */
  get nextDeadline(): number {
    return this.next;
  }

  /** Makes a timer. Timers with equal deadlines fire in the order in which they were made. */
  timer(fire: (now: number) => void): Timer {
    const timer = new ClockTimer(this.timers.length, fire);
    this.timers.push(timer);
    return timer;
  }

  /** Arms (or re-arms) a timer for an absolute cycle; Infinity disarms it. A deadline in the past fires at the next `advanceTo`. */
  arm(timer: Timer, deadline: number): void {
    (timer as ClockTimer).deadline = deadline;
    this.findNext();
  }
  private findNext(): void {
    let next = Infinity;
    for (const t of this.timers) if (t.deadline < next) next = t.deadline;
    this.next = next;
  }

  /** Moves time forward without firing (the CPU calls this as instructions retire). */
  set(cycles: number): void {
    this.cycles = cycles;
  }

  /** Fires everything that is due at the present time, in deadline order. */
  runDue(): void {
    while (this.next <= this.cycles) {
      let due: ClockTimer | undefined;
      for (const t of this.timers)
        if (t.deadline <= this.cycles && (due === undefined || t.deadline < due.deadline)) due = t;
      if (due === undefined) break;
      const at = due.deadline;
      this.arm(due, Infinity);
      due.fire(at);
    }
  }

  /** The present cycle, then each timer's deadline in the order in which the timers were made. */
  saveState(): readonly number[] {
    return [this.cycles, ...this.timers.map((timer) => timer.deadline)];
  }
  loadState(state: readonly number[]): void {
    if (state.length !== this.timers.length + 1)
      throw new Error(`clock: state of ${state.length} numbers, ${this.timers.length + 1} expected`);
    this.cycles = state[0]!;
    for (const [i, timer] of this.timers.entries()) timer.deadline = state[i + 1]!;
    this.findNext();
  }
}
