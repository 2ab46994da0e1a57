// What is rehearsed leaves no trace: neither in the guest, nor in what it does later, nor in anything that is told.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createSession } from '../../src/workers/engine-session.ts';
import { RecordedSession } from '../../src/workers/recorded-session.ts';
import type { Session } from '../../src/workers/session.ts';
import { configOf, TSUBAME } from '../boot/running-guest.ts';
import { DapBench } from './dap-bench.ts';
import { randomly } from './travels.ts';

const LINES = ['fork 3\r', 'touch 30\r', 'primes 500 &\r', 'ps\r', 'poweroff\r'];

/** Slices of a rehearsal; then it is broken off. */
const rehearse = (session: Session, slices: number): void => {
  const work = session.debug.history.rehearse();
  for (let i = 0; i < slices; i++) work.next();
  work.return();
};

/** All that can be seen of a run with typed input; `between` comes in wherever the guest stands still. */
const run = (bare: boolean, between: (session: Session) => void): object => {
  const record = { limit: 256 << 20, every: 300_000 };
  const session = createSession(configOf(TSUBAME, { bare, memoryBytes: 16 << 20, stateHashEvery: 50_000, record }));
  const moments: unknown[] = [];
  let output = '';
  const stand = (): void => {
    between(session);
    const { debug, stop, waiting } = session;
    moments.push([debug.position, debug.history.newest, session.stateHash(), session.counters(), stop, waiting]);
    output += new TextDecoder('latin1').decode(session.takeSerial());
  };
  stand();
  session.run(14);
  stand();
  for (const line of LINES) {
    for (let i = 0; i < 3; i++) {
      session.run(150_000, 50_000_000);
      stand();
    }
    session.typeSerial(new TextEncoder().encode(line));
    stand();
  }
  for (let i = 0; i < 40 && session.stop === undefined; i++) session.run(500_000, 50_000_000);
  stand();
  return { moments, output, hashes: session.stateHashes, trace: session.trace() };
};

describe('a rehearsal', () => {
  for (const bare of [true, false])
    it(`leaves no trace ${bare ? 'on the bare machine' : 'under the hypervisor'}`, () => {
      const random = randomly(11);
      const rehearsed = run(bare, (session) => rehearse(session, Math.floor(random() * 120)));
      assert.deepEqual(
        rehearsed,
        run(bare, () => undefined),
      );
    });

  it('begins where nobody asks any more, and is over for whoever does', (t) => {
    const bench = new DapBench(configOf(TSUBAME, { bare: true, record: { limit: 256 << 20, every: 1e9 } }));
    bench.launch({ stopOnEntry: true });
    let ran = 0;
    const way = RecordedSession.prototype.run;
    t.mock.method(RecordedSession.prototype, 'run', function (this: RecordedSession, ...to: Parameters<typeof way>) {
      const from = this.position.instructions;
      way.apply(this, to);
      ran += this.position.instructions - from;
    });
    const seen = (): unknown => {
      const { records } = bench;
      const sample = bench.request('kansoku/sample', { expressions: [] });
      return [sample, bench.stack(), records, bench.rows(0, records + 10), bench.serial];
    };
    const before = seen();
    assert.equal(ran, 0);
    for (let i = 0; i < 20; i++) assert.ok(bench.turn());
    assert.ok(ran > 10_000, `${ran} instructions were rehearsed`);
    assert.deepEqual(seen(), before);
    // With what is typed and asked meanwhile.
    bench.turn();
    bench.type('help\r');
    bench.turn();
    assert.equal(bench.where, 'kmain kmain.c:9');
    bench.turn();
    bench.run('next');
    assert.equal(bench.where, 'kmain kmain.c:10');
    // All together only so long.
    for (let i = 0; i < 2000 && bench.turn(); i++);
    assert.equal(bench.turn(), false);
    assert.equal(bench.where, 'kmain kmain.c:10');
    assert.equal(bench.turn(), false);
  });
});
