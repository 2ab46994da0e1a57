// A guest driven in this process, as the command line drives it: runs until its console says something, types on its serial line.
// For specs only. Where exit status and messages matter, use test/cli/kansoku.ts.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { createSession, type MakeRecorder } from '../../src/workers/engine-session.ts';
import type { BootConfig, Session } from '../../src/workers/session.ts';

/** The sample guest. */
export const TSUBAME = join(import.meta.dirname, 'media', 'guests', 'tsubame', 'tsubame.elf');
export const PROMPT = 'tsubame> ';

/** 64 MiB, under the hypervisor, everything observed, unless changed. */
export const configOf = (file: string, changes: Partial<BootConfig> = {}): BootConfig => ({
  image: { name: basename(file), bytes: readFileSync(file) },
  cmdline: '',
  modules: [],
  memoryBytes: 64 << 20,
  cpu: 'core-duo',
  bare: false,
  observe: 'all',
  stateHashEvery: 0,
  ...changes,
});

const encoder = new TextEncoder();

export class RunningGuest {
  readonly session: Session;
  /** Everything that came on the serial line, without carriage returns. */
  output = '';

  constructor(config: BootConfig, makeRecorder?: MakeRecorder) {
    this.session = createSession(config, makeRecorder);
  }

  /** Runs one slice and takes what came out. */
  step(instructions = 500_000): void {
    // Idle time is not to run away between two looks: 10 ms of it is a timer tick.
    this.session.run(instructions, Math.max(instructions, 10_000_000));
    this.output += new TextDecoder('latin1').decode(this.session.takeSerial()).replaceAll('\r', '');
  }

  /** Runs until the output from `from` on matches; what came from there. Fails if the guest stops, or after `limit` instructions. */
  waitFor(pattern: RegExp, from = 0, limit = 500_000_000): string {
    const end = this.session.counters().instructions + limit;
    // A waiting guest may retire nothing: a limit on the slices too.
    for (let slices = 0; !pattern.test(this.output.slice(from)); slices++) {
      const seen = `${String(pattern)} did not come; this did:\n${this.output.slice(from)}`;
      assert.equal(this.session.stop, undefined, `${seen}\n${JSON.stringify(this.session.stop)}`);
      assert.ok(this.session.counters().instructions < end && slices < 10_000, seen);
      this.step();
    }
    return this.output.slice(from);
  }

  /** Runs until the guest stops. */
  waitForStop(limit = 500_000_000): NonNullable<Session['stop']> {
    const end = this.session.counters().instructions + limit;
    while (this.session.stop === undefined && this.session.counters().instructions < end && !this.session.waiting)
      this.step();
    const { stop } = this.session;
    assert.ok(stop !== undefined, `the guest did not stop; its output:\n${this.output}`);
    return stop;
  }

  type(text: string): void {
    this.session.typeSerial(encoder.encode(text));
  }

  // ---- tsubame's shell ----------------------------------------------------------------------------------------------

  /** Runs until the shell is ready for its first command; the banner. */
  boot(): string {
    return this.waitFor(/\ntsubame> $/);
  }
  /** What the command prints, without its echo and the next prompt. */
  command(line: string): string {
    const text = this.last(line, /\ntsubame> $/);
    assert.ok(text.startsWith(`${line}\n`), `no echo of ${line} in ${text}`);
    return text.slice(line.length + 1, -PROMPT.length);
  }
  /** Types a command that does not return; what came until the pattern matched. */
  last(line: string, pattern: RegExp): string {
    const from = this.output.length;
    this.type(`${line}\r`);
    return this.waitFor(pattern, from);
  }
}
