// A recorded run with typed input, and a straight run beside it that is stopped at the moments that the first one travels to. For specs only.

import assert from 'node:assert/strict';
import type { Position, Work } from '../../src/debugger/target.ts';
import { createSession } from '../../src/workers/engine-session.ts';
import type { BootConfig, Session } from '../../src/workers/session.ts';

/** Numbers in [0, 1), the same for the same seed (xorshift32). */
export const randomly = (seed: number): (() => number) => {
  let x = seed | 1;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) / 0x1_0000_0000;
  };
};

export const finish = <T>(work: Work<T>): T => {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
};

export interface Typed {
  readonly at: Position;
  readonly text: string;
}

/** Runs a guest and types a line from time to time, until it has retired `instructions`. */
export const record = (
  config: BootConfig,
  lines: readonly string[],
  instructions: number,
  random: () => number,
): { session: Session; typed: Typed[] } => {
  const session = createSession(config);
  const typed: Typed[] = [];
  const slice = instructions / (lines.length + 1);
  for (const line of lines) {
    session.run(Math.ceil(slice * (0.5 + random())), 50_000_000 + Math.ceil(random() * 1e9));
    typed.push({ at: session.debug.position, text: line });
    session.typeSerial(new TextEncoder().encode(line));
  }
  while (session.debug.position.instructions < instructions && session.stop === undefined && !session.waiting)
    session.run(instructions - session.debug.position.instructions, 2e9);
  return { session, typed };
};

/** State hashes of a run that is not recorded, at the moments asked for (ascending). */
export const straight = (config: BootConfig, typed: readonly Typed[], instructions: readonly number[]): string[] => {
  const { record: _, ...plain } = config;
  const session = createSession(plain);
  const hashes: string[] = [];
  const next = [...typed];
  const runTo = (target: number): void => {
    for (let at = session.debug.position; at.instructions < target; at = session.debug.position) {
      const input = next[0];
      if (input !== undefined && input.at.instructions < target) {
        session.run(1e12, input.at.cycles! - at.cycles!);
        if (session.debug.position.cycles! < input.at.cycles!) continue;
        assert.deepEqual(session.debug.position, input.at);
        session.typeSerial(new TextEncoder().encode(input.text));
        next.shift();
      } else {
        const stop = session.debug.run(target - at.instructions);
        assert.ok(stop.kind === 'limit', `at ${at.instructions}: ${stop.kind}`);
      }
    }
  };
  for (const target of instructions) {
    runTo(target);
    hashes.push(session.stateHash());
  }
  return hashes;
};
