// Fuzzing for an hour, with seeds that no run before had: what fuzz.spec.ts does with a fixed few. KANSOKU_FUZZ_SECONDS says for how long,
// KANSOKU_FUZZ_SEED where to begin.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Campaign, describeFailure } from './campaign.ts';
import { CaseRunner } from './case-runner.ts';

const SECONDS = Number(process.env['KANSOKU_FUZZ_SECONDS'] ?? 3600);
const FIRST = Number(process.env['KANSOKU_FUZZ_SEED'] ?? Math.floor(Date.now() / 1000) * 1000);
/** With this many findings the rest is more of the same. */
const ENOUGH = 20;
const PROGRESS_MS = 60_000;

describe('fuzzing, long', () => {
  it(`${SECONDS} s from seed ${FIRST}`, { timeout: (SECONDS + 600) * 1000 }, async () => {
    const runner = await CaseRunner.create(import.meta.dirname);
    const campaign = new Campaign(runner);
    const end = performance.now() + SECONDS * 1000;
    let next = performance.now() + PROGRESS_MS;
    for (let seed = FIRST; performance.now() < end && campaign.failures.length < ENOUGH; seed++) {
      await campaign.run(seed);
      const last = campaign.failures.at(-1);
      if (last?.fuzzCase.seed === seed) console.log(describeFailure(last.fuzzCase, last.finding));
      if (performance.now() < next) continue;
      next += PROGRESS_MS;
      console.log(`${campaign.cases} cases, ${campaign.failures.length} findings, next seed ${seed + 1}`);
    }
    await runner.close();
    console.log(campaign.report().join('\n'));
    assert.equal(campaign.failures.length, 0, 'findings: see above');
  });
});
