// Time travel: a moment that is travelled to has the state of a straight run that was stopped there, bit for bit, with typed input, timers,
// processes and page tables; and what is typed or written in the past begins a new future.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { buildOwnKernel } from '../../src/cli/bench/guests.ts';
import { comparePositions } from '../../src/debugger/position.ts';
import type { BootConfig } from '../../src/workers/session.ts';
import { configOf, TSUBAME } from '../boot/running-guest.ts';
import { missingCompiler } from '../guests/build.ts';
import { finish, randomly, record, straight } from './travels.ts';

const LINES = ['fork 3\r', 'touch 30\r', 'primes 500 &\r', 'ps\r', 'sleep 20\r', 'crash\r', 'echo end\r'];
const RECORD = { limit: 256 << 20, every: 400_000 };

const travels = (
  config: BootConfig,
  lines: readonly string[],
  instructions: number,
  count: number,
  seed: number,
): void => {
  const random = randomly(seed);
  const { session, typed } = record(config, lines, instructions, random);
  const { history } = session.debug;
  const { newest } = history;
  const targets = Array.from({ length: count }, () => Math.floor(random() * newest.instructions));
  const ascending = [...targets].sort((a, b) => a - b);
  const expected = straight(config, typed, ascending);
  for (const target of targets) {
    finish(history.travel({ instructions: target, events: 0 }));
    const { position } = session.debug;
    assert.deepEqual([position.instructions, position.events], [target, 0]);
    assert.equal(session.stateHash(), expected[ascending.indexOf(target)], `at ${target}`);
    assert.deepEqual(history.newest, newest);
  }
};

describe('time travel', () => {
  for (const bare of [true, false])
    for (const tiers of ['adaptive', 'threaded'] as const)
      it(`the sample kernel, ${bare ? 'bare' : 'under the hypervisor'}, ${tiers}`, () =>
        travels(configOf(TSUBAME, { bare, tiers, memoryBytes: 16 << 20, record: RECORD }), LINES, 4_000_000, 15, 7));
  it('the benchmark guests: code that changes itself, page tables, interrupts', { skip: missingCompiler() }, () => {
    const kernel = buildOwnKernel(join(import.meta.dirname));
    const config = configOf(kernel, { bare: true, memoryBytes: 256 << 20, cmdline: 'all:1', record: RECORD });
    travels(config, [], 6_000_000, 15, 11);
  });

  it('to the newest moment and back again, however it came to its end', () => {
    const config = configOf(TSUBAME, { memoryBytes: 16 << 20, record: RECORD });
    const { session } = record(config, ['echo a\r', 'poweroff\r'], 6_000_000, randomly(3));
    const { stop } = session;
    assert.equal(stop?.kind, 'debug-exit');
    const { history, position } = session.debug;
    const hash = session.stateHash();
    const output = new TextDecoder().decode(session.takeSerial());
    finish(history.travel(history.oldest));
    assert.equal(session.stop, undefined);
    assert.equal(comparePositions(session.debug.position, history.oldest), 0);
    finish(history.travel(position));
    assert.deepEqual(session.stop, stop);
    assert.equal(session.stateHash(), hash);
    assert.match(output, /a/);
    assert.equal(session.takeSerial().length, 0, 'what was sent out is not sent again');
  });
  it('a run in the past is the run that was, with its input', () => {
    const config = configOf(TSUBAME, { memoryBytes: 16 << 20, record: RECORD, stateHashEvery: 1 << 18 });
    const { session } = record(config, LINES, 4_000_000, randomly(5));
    const { history, position } = session.debug;
    const hash = session.stateHash();
    const hashes = [...session.stateHashes];
    const records = session.events(0, 1e6);
    finish(history.travel({ instructions: 1_000_000, events: 0 }));
    while (comparePositions(session.debug.position, position) < 0)
      session.run(1e9, position.cycles! - session.debug.position.cycles!);
    assert.deepEqual(session.debug.position, position);
    assert.equal(session.stateHash(), hash);
    assert.deepEqual(session.stateHashes, hashes);
    assert.deepEqual(session.events(0, 1e6), records, 'what was observed is not observed twice');
  });
  it('typing or writing in the past begins a new future', () => {
    const config = configOf(TSUBAME, { bare: true, memoryBytes: 16 << 20, record: RECORD });
    const { session } = record(config, LINES, 4_000_000, randomly(5));
    const { history } = session.debug;
    session.takeSerial();
    finish(history.travel({ instructions: 1_500_000, events: 0 }));
    session.debug.writeMemory(0xc0100000, Uint8Array.of(1));
    assert.equal(history.newest.instructions, 1_500_000);
    session.typeSerial(new TextEncoder().encode('echo another\r'));
    for (let i = 0; i < 20; i++) session.run(500_000, 20_000_000);
    const output = new TextDecoder().decode(session.takeSerial());
    assert.match(output, /another/);
    assert.doesNotMatch(output, /echo end/);
  });
  it('where the user stands, a snapshot makes the way back short; many of them do not pile up', () => {
    const config = configOf(TSUBAME, { bare: true, memoryBytes: 16 << 20, record: { limit: 256 << 20, every: 1e9 } });
    const { session } = record(config, [], 100_000, randomly(2));
    const { debug } = session;
    const { history } = debug;
    const marks = new Set<number>();
    for (let i = 0; i < 20; i++) {
      session.run(40_000);
      history.stand();
      assert.deepEqual(history.markBefore(debug.position), debug.position, 'far from the last one');
      marks.add(debug.position.instructions);
    }
    const { position } = debug;
    session.run(100);
    history.stand();
    assert.deepEqual(history.markBefore(debug.position), position, 'near it there is no need');
    const reached = [...marks].filter((at) => history.markBefore({ instructions: at, events: 0 }).instructions === at);
    assert.ok(reached.length < 10, `${reached.length} are kept`);
    const hash = session.stateHash();
    const here = debug.position;
    finish(history.travel({ instructions: 300_000, events: 0 }));
    finish(history.travel(here));
    assert.equal(session.stateHash(), hash);
  });
  it('keeps the room below its limit, and its first moment', () => {
    const config = configOf(TSUBAME, { bare: true, memoryBytes: 16 << 20, record: { limit: 3 << 20, every: 50_000 } });
    const { session } = record(config, LINES, 3_000_000, randomly(9));
    const { history } = session.debug;
    assert.ok(history.bytes <= 3 << 20, `${history.bytes}`);
    assert.equal(history.oldest.instructions, 0);
    finish(history.travel({ instructions: 1_234_567, events: 0 }));
    assert.equal(session.debug.position.instructions, 1_234_567);
  });
});
