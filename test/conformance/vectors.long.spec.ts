// The same comparison with the real processor as vectors.spec.ts, wide: 500 cases of each form, several seeds.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runVectors } from '../../src/cli/vectors.ts';
import { generate, groups, missingGenerator } from './vecgen/generate.ts';

const missing = missingGenerator();

describe('vectors of the real processor, many', () => {
  for (const seed of [2, 3, 5])
    for (const group of groups)
      it(`${group}, seed ${seed}`, { skip: missing }, () => {
        const result = runVectors(generate(group, seed, 500));
        assert.deepEqual(result.failures, []);
        assert.equal(result.failed, 0);
      });
});
