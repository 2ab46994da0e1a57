// A snapshot is complete: after going back to it every object that the machine reaches has the values that it had, and a run from there ends
// with those of the first run. So a field that somebody adds and forgets to save fails here.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { StateLayout } from '../../src/machine/cpu/state.ts';
import { createSession } from '../../src/workers/engine-session.ts';
import type { BootConfig, Session } from '../../src/workers/session.ts';
import type { Snapshots } from '../../src/workers/snapshots.ts';
import type { PhysicalMachine } from '../../src/workers/physical-machine.ts';
import { configOf, TSUBAME } from '../boot/running-guest.ts';
import { differences, reachable } from './reachable.ts';

/** What is no state, and why. */
const NO_STATE: readonly RegExp[] = [
  // What was observed stays observed, and what was sent out stays sent.
  /^\.session\.(stateHashes|config|ends)/,
  /\.(main|guests\.\d+|guests\[\d+\])\.(config|symbols|parts)/,
  /\.(recorder|observer|monitor)\.(store|words|at|roomEnd|madeEver|ownAt|halfFull|icountEnd|cyclesEnd|high(Word|Context))/,
  /\.(serial|debugConsole)\.(sentEver|bytes)/,
  // Tells what was read before from what is there now.
  /^\.session\.changes$/,
  // The snapshots themselves, and which pages they still have to look at.
  /^\.session\.snapshots/,
  /\.mmu\.pages\.changed|\.pool\.unseen|\.vmcs\.left/,
  /^\.saved\.processor\.cpu\.words/,
  // Decoded code. Nothing that the guest could see depends on it.
  /\.(cache|regions|module)\./,
  // Of a page walk, for the TLB entry that is filled behind it.
  /\.walker\.last/,
  // Meaningful only inside a call of the run loop, or inside one instruction, or inside one delivery.
  /\.processor\.(helpers|emulatedEvent|outside)/,
  /\.hypervisor\.(end|endOfTime|answered)$|\.dispatcher\.(aside|fresh)/,
  /\.mmu\.bounce/,
  /\.vmxUnit\.(information|delivery[A-Z])/,
  /\.shadowOutsideVmx|\.hypercalls\.caller|\.access\.fetch/,
  // Events delivered behind an earlier instruction; the position says how many behind the last one.
  /\.points\.event/,
  // Checks of a VM entry that need not be made again: without them they are made.
  /\.vmxUnit\.(held|heldInjecting|controlsHold|segmentsHold)/,
];

/** Words of the processor's state that mean nothing between two instructions. */
const PASSING_WORDS: readonly (readonly [first: number, end: number])[] = [
  [StateLayout.nothingWaits, StateLayout.nothingWaits + 4],
  [StateLayout.gates, StateLayout.gates + 4],
  [StateLayout.jumpTag, StateLayout.faultVector],
  [StateLayout.faultError, StateLayout.interruptibility],
  [StateLayout.exitSite, StateLayout.fpuRegisters],
];

interface Inside {
  readonly snapshots: Snapshots;
  readonly machine: PhysicalMachine;
}
const inside = (session: Session): Inside => session as unknown as Inside;
const all = (session: Session): Map<string, unknown> => {
  const { machine } = inside(session);
  // What lies in linear memory beside RAM, whose hash is compared: registers and TLB.
  const saved = machine.saveState();
  const words = [...saved.processor.cpu.words].map((word, i) =>
    PASSING_WORDS.some(([first, end]) => i >= (first - StateLayout.gpr) >> 2 && i < (end - StateLayout.gpr) >> 2)
      ? 0
      : word,
  );
  return reachable({ session, saved, words, position: session.debug.position }, NO_STATE, machine.memory.memory.buffer);
};
const equal = (a: ReadonlyMap<string, unknown>, b: ReadonlyMap<string, unknown>): void => {
  const differing = differences(a, b);
  assert.equal(differing.length, 0, `${differing.length} differ:\n${differing.slice(0, 40).join('\n')}`);
};

const INPUT = 'fork 5\rtouch 60\rprimes 2000 &\rsleep 20\rps\rcrash\recho end\r';
const start = (config: BootConfig): Session => {
  const session = createSession(config);
  session.typeSerial(new TextEncoder().encode(INPUT));
  return session;
};

const check = (config: BootConfig, at: number, length: number): void => {
  const session = start(config);
  const { snapshots } = inside(session);
  session.run(at);
  const saved = snapshots.take(1);
  const before = all(session);
  const hash = session.stateHash();
  session.run(length);
  const behind = all(session);
  const end = session.stateHash();
  assert.notEqual(end, hash);
  for (let i = 0; i < 2; i++) {
    snapshots.goTo(1, saved);
    equal(before, all(session));
    assert.equal(session.stateHash(), hash);
    session.run(length);
    equal(behind, all(session));
    assert.equal(session.stateHash(), end);
  }
};

/** Hashes at equal distances, with a snapshot after each slice of `slice` instructions; 0: none. */
const hashes = (config: BootConfig, slice: number, limit: number): readonly string[] => {
  const session = start({ ...config, stateHashEvery: 1 << 18 });
  for (let done = 0; done < limit; done += slice || limit) {
    session.run(slice || limit);
    if (slice > 0) inside(session).snapshots.take(done);
  }
  return session.stateHashes;
};

describe('a snapshot', () => {
  for (const bare of [true, false]) {
    const config = configOf(TSUBAME, { bare, memoryBytes: 16 << 20 });
    it(`is complete: the sample kernel, ${bare ? 'bare' : 'under the hypervisor'}`, () => {
      for (const at of [0, 3_000_001]) check(config, at, 2_500_000);
    });
    for (const tiers of ['adaptive', 'threaded'] as const)
      it(`leaves the guest alone: ${bare ? 'bare' : 'under the hypervisor'}, ${tiers}`, () => {
        const undisturbed = hashes({ ...config, tiers }, 0, 6_000_000);
        assert.ok(undisturbed.length > 10);
        const disturbed = hashes({ ...config, tiers }, 123_457, 6_000_000);
        assert.deepEqual(disturbed.slice(0, undisturbed.length), undisturbed);
      });
  }
  it('that forgets something is found out', () => {
    const session = start(configOf(TSUBAME, { bare: true, observe: 'none', memoryBytes: 16 << 20 }));
    const part = Object.assign(inside(session).machine, { forgotten: 0 });
    const saved = inside(session).snapshots.take(1);
    const before = all(session);
    session.run(1000);
    part.forgotten = 1;
    inside(session).snapshots.goTo(1, saved);
    assert.deepEqual(differences(before, all(session)), ['.session.machine.forgotten: 0, then 1']);
  });
});
