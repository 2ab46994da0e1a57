// Both tiers do the same: guests that were not written for this have the same state hash at every 2^16
// instructions in the threaded tier, with regions where code is hot, and with regions everywhere.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { buildOwnKernel } from '../../src/cli/bench/guests.ts';
import type { Tiers } from '../../src/machine/cpu/cpu.ts';
import { createSession } from '../../src/workers/engine-session.ts';
import type { BootConfig } from '../../src/workers/session.ts';
import { missingCompiler } from '../guests/build.ts';
import { configOf, TSUBAME } from './running-guest.ts';

const ROOT = join(import.meta.dirname);
const EVERY = 1 << 16;

interface Run {
  readonly hashes: readonly string[];
  readonly output: string;
  readonly instructions: number;
}
const run = (config: BootConfig, input: string, limit: number, tiers: Tiers): Run => {
  const session = createSession({ ...config, observe: 'none', stateHashEvery: EVERY, tiers });
  session.typeSerial(new TextEncoder().encode(input));
  while (session.stop === undefined && session.counters().instructions < limit) session.run(limit);
  const output = new TextDecoder('latin1').decode(session.takeSerial());
  return { hashes: session.stateHashes, output, instructions: session.counters().instructions };
};

const same = (config: BootConfig, input: string, limit: number, output: RegExp): void => {
  const threaded = run(config, input, limit, 'threaded');
  assert.match(threaded.output, output);
  for (const tiers of ['adaptive', 'eager'] as const) {
    const other = run(config, input, limit, tiers);
    const differs = threaded.hashes.findIndex((hash, i) => hash !== other.hashes[i]);
    assert.equal(differs, -1, `${tiers}: hash ${differs} of ${threaded.hashes.length} differs`);
    assert.deepEqual(other, threaded);
  }
};

describe('tiers', () => {
  for (const bare of [true, false])
    it(`the sample kernel and its shell, ${bare ? 'bare' : 'under the hypervisor'}`, () =>
      same(
        configOf(TSUBAME, { bare }),
        'fork 5\rtouch 60\rprimes 2000 &\rsleep 20\rps\rcrash\recho end\rpoweroff\r',
        60_000_000,
        /fork: 5 children[^]*killed[^]*power off/,
      ));
  it('the benchmark guests, bare', { skip: missingCompiler() }, () => {
    const kernel = buildOwnKernel(ROOT);
    same(configOf(kernel, { bare: true, memoryBytes: 256 << 20, cmdline: 'all:2' }), '', 12_000_000, /@E/);
  });
});
