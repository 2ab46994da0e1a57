// Searching the past: what is found going backwards is what a search forwards through the whole past finds last.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { comparePositions } from '../../src/debugger/position.ts';
import { lastExecution, lastMet, lastWrite, positionOfRecord, stepBack } from '../../src/debugger/reverse.ts';
import type { DebugStop, Position, StopPoint } from '../../src/debugger/target.ts';
import { Kind } from '../../src/monitor/events.ts';
import { kindAt, RECORD_WORDS } from '../../src/monitor/record.ts';
import type { Session } from '../../src/workers/session.ts';
import { configOf, TSUBAME } from '../boot/running-guest.ts';
import { finish, randomly, record } from './travels.ts';

const LINES = ['fork 3\r', 'primes 500 &\r', 'ps\r'];
const recorded = (bare: boolean): Session =>
  record(
    configOf(TSUBAME, { bare, memoryBytes: 16 << 20, record: { limit: 256 << 20, every: 300_000 } }),
    LINES,
    2_000_000,
    randomly(21),
  ).session;

/** Every point met in the whole past. */
const everyStop = ({ debug }: Session, points: readonly StopPoint[]): [DebugStop, Position][] => {
  const met: [DebugStop, Position][] = [];
  const { position } = debug;
  debug.setPoints(points);
  finish(debug.history.replay(debug.history.oldest, debug.history.newest, (stop, at) => met.push([stop, at])));
  debug.setPoints([]);
  finish(debug.history.travel(position));
  return met;
};

for (const bare of [true, false])
  describe(`the past, ${bare ? 'bare' : 'under the hypervisor'}`, () => {
    const session = recorded(bare);
    const { debug } = session;
    const hash = session.stateHash();
    const symbol = (name: string): number => session.lookup(name)!;

    it('step by step back is the way that led here', () => {
      const way: [Position, string][] = [];
      const begin = everyStop(session, [{ id: 1, on: 'interrupt', vectors: [0x20] }]).at(-3)![1];
      // The interrupt's delivery lies among these steps.
      finish(debug.history.travel({ instructions: begin.instructions - 40, events: 0 }));
      for (let i = 0; i < 60; i++) {
        way.push([debug.position, session.stateHash()]);
        debug.run(1);
      }
      assert.ok(way.some(([at]) => at.events > 0));
      for (const [at, state] of way.reverse()) {
        assert.equal(finish(stepBack(debug)), true);
        assert.deepEqual(debug.position, at);
        assert.equal(session.stateHash(), state);
      }
      finish(debug.history.travel(debug.history.oldest));
      assert.equal(finish(stepBack(debug)), false);
    });
    it('reverse-continue stops at each point in turn, the last one first', () => {
      const points: StopPoint[] = [
        { id: 1, on: 'execute', address: symbol('clock_tick') },
        { id: 2, on: 'write', address: symbol('switches'), bytes: 4 },
        { id: 3, on: 'exception', vectors: [14] },
      ];
      finish(debug.history.travel(debug.history.newest));
      const forwards = everyStop(session, points);
      assert.ok(
        forwards.length > 20 &&
          [1, 2, 3].every((id) => forwards.some(([stop]) => stop.kind === 'point' && stop.ids.includes(id))),
      );
      debug.setPoints(points);
      for (const [stop, at] of forwards.slice(-6).reverse()) {
        const met = finish(lastMet(debug));
        assert.deepEqual([met?.stop, met?.at], [stop, at]);
        assert.deepEqual(debug.position, at);
      }
      debug.setPoints([]);
    });
    it('who wrote a variable last, when a function was last entered', () => {
      finish(debug.history.travel(debug.history.newest));
      assert.equal(session.stateHash(), hash);
      const ticks = symbol('ticks');
      const writes = everyStop(session, [{ id: 9, on: 'write', address: ticks, bytes: 4 }]);
      const calls = everyStop(session, [{ id: 9, on: 'execute', address: symbol('schedule') }]);
      assert.deepEqual(finish(lastWrite(debug, ticks, 4, []))?.at, writes.at(-1)![1]);
      finish(debug.history.travel(debug.history.newest));
      assert.deepEqual(finish(lastExecution(debug, [symbol('schedule')], []))?.at, calls.at(-1)![1]);
      finish(debug.history.travel({ instructions: 1000, events: 0 }));
      const { position } = debug;
      assert.equal(finish(lastWrite(debug, ticks, 4, [])), undefined);
      assert.equal(comparePositions(debug.position, position), 0);
    });
    // The bare machine records no events.
    if (!bare)
      it('a record of an event leads to its moment', () => {
        const { records } = session.events(0, 100_000);
        let at = records.length - RECORD_WORDS;
        while (kindAt(records, at) !== Kind['vmx.exit']) at -= RECORD_WORDS;
        finish(debug.history.travel(positionOfRecord(records, at)));
        assert.equal(debug.position.instructions, positionOfRecord(records, at).instructions);
      });
    it('a point is found also where the debugger wrote something', () => {
      const points: StopPoint[] = [{ id: 1, on: 'execute', address: symbol('clock_tick') }];
      finish(debug.history.travel(debug.history.newest));
      debug.setPoints(points);
      const before = finish(lastMet(debug));
      assert.ok(before !== undefined);
      debug.guests[0]!.writeMemory(symbol('frames_free'), Uint8Array.of(1, 2, 3, 4));
      debug.setPoints([]);
      debug.run(500);
      debug.setPoints(points);
      assert.deepEqual(finish(lastMet(debug))?.at, before.at);
      debug.setPoints([]);
    });
  });
