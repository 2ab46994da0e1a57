// While the user looks at a guest that stands still for the first time, the thread has nothing to do, and the next step would run code of ours
// that the host has not compiled yet: under the hypervisor a line with a thousand VM exits takes ten times as long as later. So the guest's next
// instructions are rehearsed: run, and taken back with all that they did (debugger/history.ts). Before that, at every stop, the way to it is run
// again as the first step back would run it. Whatever is asked ends it first. Not what the guest does: that is the same with and without.

import type { History, Work } from '../debugger/target.ts';

export interface RehearsalClock {
  /** Wall clock in milliseconds. */
  readonly now: () => number;
  readonly later: (task: () => void, ms: number) => () => void;
}

/** Without a message for so long the user is taken to look: an editor asks for stack and variables first. */
const QUIET_MS = 40;
/** Rehearsed before messages are let in. */
const AT_ONCE_MS = 2;
/** All rehearsals of a boot together: by then the host has compiled what matters, on a host that is not busy. */
const MOST_MS = 1000;

export class Rehearsal {
  private work: Work<void> | undefined;
  private cancel: () => void = () => undefined;
  private rehearses = false;
  private spent = 0;

  constructor(
    private readonly clock: RehearsalClock,
    private readonly history: () => History,
  ) {}

  /** The guest stands still. */
  soon(): void {
    this.cancel();
    if (this.spent < MOST_MS || this.history().isFar) this.cancel = this.clock.later(() => this.slice(), QUIET_MS);
  }
  private *all(): Work<void> {
    const history = this.history();
    yield* history.approach();
    if (this.spent >= MOST_MS) return;
    this.rehearses = true;
    yield* history.rehearse();
  }
  private slice(): void {
    const began = this.clock.now();
    this.work ??= this.all();
    let over = false;
    let took = 0;
    try {
      for (; took < AT_ONCE_MS && !over; took = this.clock.now() - began) over = this.work.next().done === true;
    } catch {
      // The run itself will come to it, and say so.
      over = true;
    }
    if (this.rehearses) this.spent = over ? MOST_MS : this.spent + took;
    if (over || (this.rehearses && this.spent >= MOST_MS)) this.end();
    else this.cancel = this.clock.later(() => this.slice(), 0);
  }
  /** The guest is as it was before. */
  end(): void {
    this.cancel();
    this.work?.return();
    this.work = undefined;
    this.rehearses = false;
  }
}
