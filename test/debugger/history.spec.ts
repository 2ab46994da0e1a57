// Time travel: a moment that is travelled to has the state of a straight run that was stopped there, bit for bit, with typed input, timers,
// processes and page tables; and what is typed or written in the past begins a new future.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { buildOwnKernel } from '../../src/cli/bench/guests.ts';
import { comparePositions } from '../../src/debugger/position.ts';
import type { Position } from '../../src/debugger/target.ts';
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
    session.debug.guests[0]!.writeMemory(0xc0100000, Uint8Array.of(1));
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
    for (let i = 0; i < 100; i++) {
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
    assert.ok(reached.length < 70, `${reached.length} are kept`);
    assert.deepEqual(reached, [...marks].slice(-reached.length), 'those nearest to here');
    const hash = session.stateHash();
    const here = debug.position;
    finish(history.travel({ instructions: 300_000, events: 0 }));
    finish(history.travel(here));
    assert.equal(session.stateHash(), hash);
  });
  for (const bare of [true, false])
    it(`what the debugger has written is written again on every way, ${bare ? 'bare' : 'under the hypervisor'}`, () => {
      const config = configOf(TSUBAME, { bare, memoryBytes: 16 << 20, record: RECORD });
      const { session } = record(config, LINES, 2_000_000, randomly(5));
      const { debug } = session;
      const { history } = debug;
      const { vcpu } = debug.guests[0]!;
      const moments: { at: Position; hash: string }[] = [];
      const mark = (): void => void moments.push({ at: debug.position, hash: session.stateHash() });
      const word = Uint8Array.of(0x78, 0x56, 0x34, 0x12);
      const ticks = debug.guests[0]!.translate(session.lookup('ticks')!)!;
      mark();
      debug.guests[0]!.writeMemory(session.lookup('frames_free')!, word);
      debug.guests[0]!.writePhysical(ticks, word);
      assert.ok(
        vcpu.writeWide(
          'xmm1',
          Uint8Array.from({ length: 16 }, (_, i) => i + 1),
        ),
      );
      assert.ok(vcpu.write('dr0', 0x1234_5678));
      const written = session.stateHash();
      assert.notEqual(written, moments.pop()!.hash);
      mark();
      for (let i = 0; i < 4; i++) {
        session.run(500_003, 500_003);
        mark();
      }
      for (const { at, hash } of [...moments].reverse()) {
        finish(history.travel(at));
        assert.deepEqual(debug.position, at);
        assert.equal(session.stateHash(), hash, `at ${at.instructions}`);
      }
      // From a moment before: running on comes by.
      finish(history.travel({ instructions: moments[0]!.at.instructions - 10_000, events: 0 }));
      const home = new Uint8Array(4);
      debug.guests[0]!.readPhysical(ticks, home);
      assert.notDeepEqual(home, word);
      finish(history.travel(moments[2]!.at));
      assert.equal(session.stateHash(), moments[2]!.hash);
    });
  for (const bare of [true, false])
    it(`also at the handler of an exception, by any way forwards, ${bare ? 'bare' : 'under the hypervisor'}`, () => {
      const config = configOf(TSUBAME, { bare, memoryBytes: 16 << 20, record: RECORD });
      const { session } = record(config, LINES, 2_000_000, randomly(5));
      const { debug } = session;
      const { history } = debug;
      const before = debug.position;
      const disarm = (): void => {
        debug.setPoints([]);
        debug.run(0);
      };
      debug.setPoints([{ id: 1, on: 'exception', vectors: [14] }]);
      session.typeSerial(new TextEncoder().encode('crash\r'));
      const toFault = (): void => {
        for (let i = 0; i < 2000; i++) if (debug.run(100_000, 10_000_000).kind === 'point') return;
        assert.fail('no page fault');
      };
      toFault();
      const fault = debug.position;
      assert.equal(fault.events, 1);
      assert.ok(debug.guests[0]!.vcpu.write('ebx', 0x1234_5678));
      debug.guests[0]!.writeMemory(session.lookup('frames_free')!, Uint8Array.of(0x78, 0x56, 0, 0));
      session.typeSerial(new TextEncoder().encode('echo x\r'));
      const written = session.stateHash();
      disarm();
      session.run(3_000, 3_000);
      const after = { at: debug.position, hash: session.stateHash() };
      finish(history.travel(fault));
      assert.deepEqual([debug.position, session.stateHash()], [fault, written]);
      // By the debugger's runs, which stop at the fault; and by those of nobody.
      finish(history.travel(before));
      debug.setPoints([{ id: 1, on: 'exception', vectors: [14] }]);
      toFault();
      assert.deepEqual([debug.position, session.stateHash()], [fault, written]);
      disarm();
      for (const [how, run] of [
        ['single steps', (rest: number) => debug.run(1, Math.min(rest, 1))],
        ['runs of the debugger', (rest: number) => debug.run(rest, rest)],
        ['runs of nobody', (rest: number) => session.run(rest, rest)],
      ] as const) {
        finish(history.travel({ instructions: fault.instructions - 300, events: 0 }));
        for (;;) {
          const rest = after.at.cycles! - debug.position.cycles!;
          if (rest <= 0) break;
          run(rest);
        }
        assert.deepEqual([debug.position, session.stateHash()], [after.at, after.hash], how);
      }
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
