// The same comparison with the real processor as vectors.spec.ts, wide: 20,000 cases of each form, several seeds. Takes hours;
// KANSOKU_VECTOR_CONTEXTS (user32, real16) names the halves to run.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runVectors } from '../../src/cli/vectors/run.ts';
import { withoutDifferences } from './differences.ts';
import { CODE_END_GROUPS, CODE_ENDS, CONTEXTS, generate, GROUPS, missingGenerator } from './vecgen/generate.ts';

const SEEDS = [2, 3, 5, 7];
const PER_FORM = 5000;
const PER_FORM_AT_CODE_END = 500;
const WANTED = process.env['KANSOKU_VECTOR_CONTEXTS']?.split(',') ?? CONTEXTS;

for (const context of CONTEXTS.filter((c) => WANTED.includes(c))) {
  const missing = missingGenerator(context);
  const passes = async (group: string, seed: number, perForm: number, code?: number): Promise<void> => {
    const vectors = generate({ context, group, seed, perForm, ...(code === undefined ? {} : { code }) });
    const result = await runVectors(withoutDifferences(vectors, new Map()));
    assert.deepEqual(result.failures, []);
    assert.equal(result.failed, 0);
  };
  describe(`many vectors of the real processor, ${context}`, () => {
    for (const seed of SEEDS) {
      for (const group of GROUPS[context])
        it(`${group}, seed ${seed}`, { skip: missing }, () => passes(group, seed, PER_FORM));
      for (const code of CODE_ENDS[context])
        for (const group of CODE_END_GROUPS)
          it(`${group}, code at ${code.toString(16)}, seed ${seed}`, { skip: missing }, () =>
            passes(group, seed, PER_FORM_AT_CODE_END, code),
          );
    }
  });
}
