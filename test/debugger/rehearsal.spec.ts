// What is rehearsed leaves no trace: neither in the guest, nor in what it does later, nor in anything that is told. Nor does what is run again so that
// steps back are short.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Work } from '../../src/debugger/target.ts';
import { createSession } from '../../src/workers/engine-session.ts';
import type { Session } from '../../src/workers/session.ts';
import { configOf, TSUBAME } from '../boot/running-guest.ts';
import { countInstructionsRun } from './instructions-run.ts';
import { DapBench } from './dap-bench.ts';
import { randomly } from './travels.ts';

const LINES = ['fork 3\r', 'touch 30\r', 'primes 500 &\r', 'ps\r', 'poweroff\r'];

/** Slices of work; then it is broken off. */
const begin = (work: Work<void>, slices: number): void => {
  for (let i = 0; i < slices; i++) work.next();
  work.return();
};
const rehearse = ({ debug: { history } }: Session, slices: number): void => begin(history.rehearse(), slices);
const approach = ({ debug: { history, position } }: Session, slices: number): void => {
  const wasFar = history.isFar;
  begin(history.approach(), slices);
  if (wasFar) assert.deepEqual(history.markBefore(position), position);
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
      const plain = run(bare, () => undefined);
      assert.deepEqual(rehearsed, plain);
      const approached = run(bare, (session) => approach(session, Math.floor(random() * 20)));
      assert.deepEqual(approached, plain);
    });

  it('comes behind the way to the stop, which makes the first step back short', (t) => {
    const bench = new DapBench(configOf(TSUBAME, { record: { limit: 256 << 20, every: 1e9 } }));
    bench.launch({}, () => bench.request('setFunctionBreakpoints', { breakpoints: [{ name: 'kmain.c:25' }] }));
    const seen = (): unknown => [
      bench.request('kansoku/sample', { expressions: [] }),
      bench.stack(),
      bench.records,
      bench.serial,
    ];
    const before = seen();
    for (let i = 0; i < 2000 && bench.turn(); i++) if (i % 7 === 0) assert.deepEqual(seen(), before);
    assert.deepEqual(seen(), before);
    const count = countInstructionsRun(t);
    bench.run('stepBack', { granularity: 'instruction' });
    assert.ok(count.ran < 10_000, `${count.ran} instructions`);
  });

  it('begins where nobody asks any more, and is over for whoever does', (t) => {
    const bench = new DapBench(configOf(TSUBAME, { bare: true, record: { limit: 256 << 20, every: 1e9 } }));
    bench.launch({ stopOnEntry: true });
    const count = countInstructionsRun(t);
    const seen = (): unknown => {
      const { records } = bench;
      const sample = bench.request('kansoku/sample', { expressions: [] });
      return [sample, bench.stack(), records, bench.rows(0, records + 10), bench.serial];
    };
    const before = seen();
    assert.equal(count.ran, 0);
    for (let i = 0; i < 20; i++) assert.ok(bench.turn());
    assert.ok(count.ran > 10_000, `${count.ran} instructions were rehearsed`);
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
