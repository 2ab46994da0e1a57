// How many guest instructions a test makes the engine run, in the past too. For specs only.

import type { TestContext } from 'node:test';
import { RecordedSession } from '../../src/workers/recorded-session.ts';

/** Counts from now on, to the end of the test. */
export const countInstructionsRun = (t: TestContext): { ran: number } => {
  const count = { ran: 0 };
  for (const name of ['run', 'runToPoint'] as const) {
    const way = RecordedSession.prototype[name];
    t.mock.method(RecordedSession.prototype, name, function (this: RecordedSession, ...to: Parameters<typeof way>) {
      const from = this.position.instructions;
      const stop = way.apply(this, to);
      count.ran += this.position.instructions - from;
      return stop;
    });
  }
  return count;
};
