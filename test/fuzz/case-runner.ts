// Runs fuzz cases on a thread and ends the thread when a case takes too long: an endless loop inside the engine becomes a finding with a
// seed. The only place where the fuzzer looks at the wall clock. Not the cases' checks (worker.ts).

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { build } from 'esbuild';
import type { FuzzCase } from './fuzz-case.ts';
import type { Depth, Verdict } from './invariants.ts';
import type { Reply, Request } from './worker.ts';

/** A case takes a tenth of a second; a busy host is slower. */
const PATIENCE_MS = 60_000;

export class CaseRunner {
  private worker: Worker | undefined;
  private onReply: (reply: Reply) => void = () => undefined;
  private onError: (error: Error) => void = () => undefined;

  private constructor(private readonly bundle: string) {}

  /** @param root the checkout: the bundle goes to its `out` folder */
  static async create(root: string): Promise<CaseRunner> {
    const bundle = join(root, 'out', 'fuzz', `worker-${process.pid}.mjs`);
    await build({
      entryPoints: [join(root, 'test', 'fuzz', 'worker.ts')],
      outfile: bundle,
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      logLevel: 'warning',
    });
    return new CaseRunner(bundle);
  }

  async close(): Promise<void> {
    await this.worker?.terminate();
    rmSync(this.bundle, { force: true });
  }

  private start(): Worker {
    const worker = new Worker(this.bundle);
    worker.on('message', (reply: Reply) => this.onReply(reply));
    worker.on('error', (error) => this.onError(error));
    return worker;
  }

  /** Sends a request and passes on the replies until `done` says that it was the last. False: it took too long, the thread is gone. */
  private converse(request: Request, done: (reply: Reply) => boolean): Promise<boolean> {
    const worker = (this.worker ??= this.start());
    return new Promise((resolve, reject) => {
      const watchdog = setTimeout(() => {
        this.worker = undefined;
        this.onReply = () => undefined;
        void worker.terminate().then(() => resolve(false));
      }, PATIENCE_MS);
      this.onReply = (reply) => {
        if (!done(reply)) return;
        clearTimeout(watchdog);
        resolve(true);
      };
      this.onError = (error) => {
        clearTimeout(watchdog);
        this.worker = undefined;
        reject(error);
      };
      worker.postMessage(request);
    });
  }

  async verify(fuzzCase: FuzzCase, depth: Depth): Promise<Verdict> {
    let verdict: Verdict | undefined;
    await this.converse({ kind: 'verify', fuzzCase, depth }, (reply) => {
      if (reply.kind === 'verdict') verdict = reply.verdict;
      return reply.kind === 'verdict';
    });
    return (
      verdict ?? {
        finding: { invariant: 'hangs', detail: `no end after ${PATIENCE_MS / 1000} s` },
        instructions: 0,
        stopped: undefined,
      }
    );
  }

  /** The last `keep` instructions of the case, single-stepped, oldest first. */
  async trace(fuzzCase: FuzzCase, keep: number): Promise<string[]> {
    const lines: string[] = [];
    const ended = await this.converse({ kind: 'trace', fuzzCase }, (reply) => {
      if (reply.kind === 'step' && lines.push(reply.line) > keep) lines.shift();
      return reply.kind === 'end';
    });
    if (!ended) lines.push(`no end after ${PATIENCE_MS / 1000} s`);
    return lines;
  }
}
