// What a vCPU did with its time: running, runnable (it waits for the processor), blocked (it waits for an interrupt), offline. Not who runs
// next (scheduler.ts). Xen: struct vcpu_runstate_info in public/vcpu.h.

import type { Persistent } from '../machine/snapshot.ts';
import { RunState } from './observer.ts';

export class RunStates implements Persistent<readonly number[]> {
  /** One of RunState. */
  state: number = RunState.RUNNABLE;
  private since = 0;
  /** Cycles of physical time by RunState, without those since `since`. */
  private readonly spent = [0, 0, 0, 0];

  /** `since`: when the vCPU was made. */
  constructor(since: number) {
    this.since = since;
  }

  change(state: number, now: number): void {
    this.spent[this.state]! += now - this.since;
    this.state = state;
    this.since = now;
  }
  /** Cycles spent in a state up to now. */
  cycles(state: number, now: number): number {
    return this.spent[state]! + (state === this.state ? now - this.since : 0);
  }

  saveState(): readonly number[] {
    return [this.state, this.since, ...this.spent];
  }
  loadState([state, since, ...spent]: readonly number[]): void {
    this.state = state!;
    this.since = since!;
    for (const [i, cycles] of spent.entries()) this.spent[i] = cycles;
  }
}
