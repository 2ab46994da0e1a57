// A thousand moments of long recordings: each has the state of a straight run stopped there. What the way to them takes on this host is told, not
// asserted.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { BootConfig } from '../../src/workers/session.ts';
import { configOf, TSUBAME } from '../boot/running-guest.ts';
import { finish, randomly, record, straight } from './travels.ts';

const TARGETS = 500;
const LINES = [
  'fork 20\r',
  'touch 200\r',
  'primes 20000 &\r',
  'ps\r',
  'sleep 20\r',
  'crash\r',
  'fork 9\r',
  'primes 30000\r',
  'echo end\r',
];

const travels = (config: BootConfig, seed: number): void => {
  const random = randomly(seed);
  const { session, typed } = record(config, LINES, 400_000_000, random);
  const { history } = session.debug;
  const targets = Array.from({ length: TARGETS }, () => Math.floor(random() * history.newest.instructions));
  const ascending = [...targets].sort((a, b) => a - b);
  const expected = straight(config, typed, ascending);
  const times: number[] = [];
  for (const target of targets) {
    const began = performance.now();
    finish(history.travel({ instructions: target, events: 0 }));
    times.push(performance.now() - began);
    assert.equal(session.stateHash(), expected[ascending.indexOf(target)], `at ${target}`);
  }
  times.sort((a, b) => a - b);
  const at = (share: number): string => times[Math.floor(share * (times.length - 1))]!.toFixed(0);
  console.log(
    `${history.newest.instructions} instructions, ${history.bytes >> 20} MiB: half within ${at(0.5)} ms, 95 % within ${at(0.95)} ms, all within ${at(1)} ms`,
  );
};

describe('a thousand moments', () => {
  for (const bare of [true, false])
    it(bare ? 'of the bare machine' : 'under the hypervisor', () =>
      travels(configOf(TSUBAME, { bare, memoryBytes: 64 << 20, observe: 'none', record: { limit: 512 << 20 } }), 17),
    );
});
