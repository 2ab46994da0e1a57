import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { branchHintsNeedFlag, FOLLOW_BRANCH_HINTS } from './branch-hints.ts';

test('which processes need the flag', () => {
  for (const [versions, needed] of [
    [{ v8: '11.3.244.8-node.38' }, true],
    [{ v8: '12.4.254.21-node.33' }, true],
    [{ v8: '13.6.233.10-node.28' }, true],
    [{ v8: '13.7.1' }, false],
    [{ v8: '14.0.3' }, false],
    [{ v8: '11.3.244.8', electron: '25.0.0' }, false],
    [{ v8: '11.3.244.8', nw: '0.80.0' }, false],
    [{}, false],
    [{ v8: 'unknown' }, false],
  ] as const)
    assert.equal(branchHintsNeedFlag(versions), needed, JSON.stringify(versions));
});

test('the V8 at hand has the flag, if it needs one', { skip: !branchHintsNeedFlag(process.versions) }, () => {
  const options = execFileSync(process.execPath, ['--v8-options'], { encoding: 'utf8' });
  assert.ok(options.split('\n').some((line) => line.trim().startsWith(`${FOLLOW_BRANCH_HINTS} `)));
});
