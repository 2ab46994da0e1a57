import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { geometricMean, spreadOf } from './statistics.ts';

describe('spread', () => {
  it('has the middle value, or the mean of the middle two', () => {
    assert.deepEqual(spreadOf([3, 1, 2]), { median: 2, least: 1, most: 3 });
    assert.deepEqual(spreadOf([10, 1, 2, 4]), { median: 3, least: 1, most: 10 });
    assert.deepEqual(spreadOf([5]), { median: 5, least: 5, most: 5 });
    assert.equal(spreadOf([]), undefined);
  });
  it('does not depend on the order, and leaves the values alone', () => {
    fc.assert(
      fc.property(fc.array(fc.integer(), { minLength: 1 }), (values) => {
        const before = [...values];
        assert.deepEqual(spreadOf(values), spreadOf([...values].reverse()));
        assert.deepEqual(values, before);
      }),
    );
  });
});

describe('geometric mean', () => {
  it('is the root of the product', () => {
    assert.ok(Math.abs(geometricMean([2, 8])! - 4) < 1e-12);
    assert.ok(Math.abs(geometricMean([0.5, 2])! - 1) < 1e-12);
  });
  it('is none of nothing, of zero, of a negative ratio and of what is no number', () => {
    for (const values of [[], [1, 0], [1, -1], [1, NaN]]) assert.equal(geometricMean(values), undefined);
  });
});
