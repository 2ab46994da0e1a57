// A fixed set of fuzz cases: random machines and random code on the bare processor, the bare machine, in VMX non-root operation, in the
// instruction emulator and under the hypervisor. Nothing throws or hangs, the state is legal, and it is the same on a machine with another
// past, in slices and in single steps. Many more: fuzz.long.spec.ts. One again: `node scripts/fuzz.mjs --seed N`.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Campaign } from './campaign.ts';
import { CaseRunner } from './case-runner.ts';
import { type Environment, ENVIRONMENTS } from './fuzz-case.ts';
import { Random } from './random.ts';
import { makeCase } from './scene.ts';

/** Seeds 1 to this. */
const CASES: Readonly<Record<Environment, number>> = {
  processor: 36,
  machine: 60,
  vmx: 40,
  emulator: 15,
  hypervisor: 5,
};

describe('fuzzing', () => {
  let runner: CaseRunner;
  before(async () => {
    runner = await CaseRunner.create(import.meta.dirname);
  });
  after(() => runner.close());

  it('a seed is a case', () => {
    for (const environment of ENVIRONMENTS)
      assert.deepEqual(makeCase(12345, { environment }), makeCase(12345, { environment }));
    assert.notDeepEqual(makeCase(1, { environment: 'machine' }).pieces, makeCase(2, { environment: 'machine' }).pieces);
    assert.deepEqual(
      Array.from(
        { length: 4 },
        (
          (r) => () =>
            r.u32()
        )(new Random(1)),
      ),
      [3578193473, 1513073045, 2292284734, 2703237564],
      'the sequence is part of what a seed means',
    );
  });
  for (const environment of ENVIRONMENTS)
    it(`${CASES[environment]} cases: ${environment}`, async () => {
      const campaign = new Campaign(runner);
      for (let seed = 1; seed <= CASES[environment]; seed++) await campaign.run(seed, environment);
      assert.equal(campaign.failures.length, 0, campaign.report().join('\n'));
    });
});
