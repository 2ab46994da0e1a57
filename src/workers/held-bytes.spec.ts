import assert from 'node:assert/strict';
import { test } from 'node:test';
import { heldBytes } from './held-bytes.ts';

test('plain data is as large as what it holds', () => {
  assert.equal(heldBytes(7), 0);
  const words = new Uint32Array(1000);
  assert.ok(heldBytes(words) >= 4000 && heldBytes(words) < 4100);
  assert.ok(heldBytes({ a: words, b: [words, 'text', undefined] }) < 4300, 'shared arrays count once');
  assert.ok(heldBytes(Array.from({ length: 1000 }, (_, i) => i)) >= 8000);
  assert.ok(heldBytes(new Map([[1, words]])) >= 4000 && heldBytes(new Set([words])) >= 4000);
  const cycle: { self?: object } = {};
  cycle.self = cycle;
  assert.ok(heldBytes(cycle) < 100);
});
