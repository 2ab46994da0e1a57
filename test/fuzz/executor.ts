// What can run a fuzz case, whatever its machinery: the invariants (invariants.ts) are checked on this alone, so that one executor can be
// compared with another. Not the cases (scene.ts).

import type { Tiers } from '../../src/machine/cpu/cpu.ts';
import type { FuzzCase } from './fuzz-case.ts';

export interface Executor {
  /** For reports. */
  readonly name: string;
  /** Of its processor. */
  tiers: Tiers;
  /** Brings the machine into the case's first state, whatever it did before. */
  start(fuzzCase: FuzzCase): void;
  /** Runs until the clock stands at `until`, or to a legal stop (`stopped`). */
  run(until: number): void;
  /** `run` ends exactly there. If not, it may go on to the end of what cannot be cut. */
  readonly exact: boolean;
  /** Cycles since the start. */
  readonly now: number;
  readonly retired: number;
  /** Waiting for an interrupt: time passes without instructions. */
  readonly halted: boolean;
  /** Why it cannot go on; undefined while it can. */
  readonly stopped: string | undefined;
  /** Digest of all that a program could see. */
  hash(): string;
  /** The same by name, memory as one digest: to show a difference. */
  registers(): Record<string, string>;
  /** What is not as the architecture has it, as sentences. `deep`: the costly checks too. */
  violations(deep: boolean): string[];
  /** The instruction to come: CS:EIP and bytes. */
  where(): string;
}
