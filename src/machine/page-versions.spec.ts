import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { PAGE_SIZE } from './memory.ts';
import { PageVersions } from './page-versions.ts';

const PAGES = 4;

describe('versions of pages', () => {
  it('brings back what was there at each snapshot', () => {
    const step = fc.oneof(
      fc.record({
        does: fc.constant('write' as const),
        page: fc.nat(PAGES - 1),
        value: fc.constantFrom(0, 0, 1, 2),
      }),
      fc.record({ does: fc.constant('capture' as const) }),
      fc.record({ does: fc.constant('restore' as const), which: fc.nat(100) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const bytes = new Uint8Array(PAGES * PAGE_SIZE);
        const versions = new PageVersions([{ bytes }]);
        const model: Uint8Array[] = [];
        for (const s of steps) {
          if (s.does === 'write') bytes.fill(s.value, s.page * PAGE_SIZE, (s.page + 1) * PAGE_SIZE);
          else if (s.does === 'capture') {
            versions.capture(model.length);
            model.push(bytes.slice());
          } else if (model.length > 0) {
            const order = s.which % model.length;
            versions.restore(order, () => undefined);
            assert.deepEqual(bytes, model[order]);
          }
        }
      }),
    );
  });
  it('takes nothing for pages that nobody has written', () => {
    const bytes = new Uint8Array(PAGES * PAGE_SIZE);
    const versions = new PageVersions([{ bytes }]);
    bytes[PAGE_SIZE] = 1;
    versions.capture(0);
    assert.equal(versions['versions'].filter((list) => list !== undefined).length, 1);
    assert.equal(versions.bytes, PAGE_SIZE);
  });
});
