// The thread that runs fuzz cases: one message a case, one answer. A thread of its own, so that one that never ends can be ended
// (case-runner.ts). Not the checks (invariants.ts).

import { parentPort } from 'node:worker_threads';
import { Executors } from './executors.ts';
import type { FuzzCase } from './fuzz-case.ts';
import { type Depth, verify, type Verdict } from './invariants.ts';

export type Request =
  | { readonly kind: 'verify'; readonly fuzzCase: FuzzCase; readonly depth: Depth }
  /** Single-steps the case and says before each instruction where it stands. */
  | { readonly kind: 'trace'; readonly fuzzCase: FuzzCase };
export type Reply =
  | { readonly kind: 'verdict'; readonly verdict: Verdict }
  | { readonly kind: 'step'; readonly line: string }
  | { readonly kind: 'end' };

const executors = new Executors();
const reply = (message: Reply): void => parentPort!.postMessage(message);

const trace = (c: FuzzCase): void => {
  const executor = executors.fresh(c);
  try {
    executor.start(c);
    while (executor.now < c.cycles && executor.stopped === undefined) {
      reply({ kind: 'step', line: executor.where() });
      executor.run(executor.now + 1);
    }
    reply({ kind: 'step', line: `end: ${executor.stopped ?? executor.where()}` });
  } catch (error) {
    reply({ kind: 'step', line: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
  reply({ kind: 'end' });
};

parentPort!.on('message', (request: Request) => {
  if (request.kind === 'trace') trace(request.fuzzCase);
  else reply({ kind: 'verdict', verdict: verify(request.fuzzCase, executors, request.depth) });
});
