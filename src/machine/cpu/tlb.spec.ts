// The TLB's tables cost the host memory only where they were filled: what was never filled, or is flushed, is zero.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LinearLayout, PhysicalMemory } from '../memory.ts';
import { HOST_OFFSET, Tlb, TlbContext } from './tlb.ts';

const PAGES = 16;

describe('TLB tables', () => {
  const memory = new PhysicalMemory(PAGES * 4096);
  const tlb = new Tlb(memory);
  const used = (): number => {
    const first = LinearLayout.tlb >> 2;
    const words = memory.i32.subarray(first, first + (LinearLayout.tlbContexts * LinearLayout.tlbContextBytes) / 4);
    return words.reduce((count, word) => count + (word === 0 ? 0 : 1), 0);
  };

  it('are zero but for what is filled', () => {
    assert.equal(used(), 0);
    for (let page = 0; page < PAGES; page++)
      tlb.fill(TlbContext.guestUser, 0xc000_0000 + page * 4096, page * 4096, page % 2 === 0, false, false);
    assert.equal(used(), PAGES + PAGES / 2);
    tlb.invalidate(TlbContext.guestUser, 0xc000_0123);
    assert.equal(used(), PAGES + PAGES / 2 - 2);
    tlb.flush(TlbContext.guestUser);
    assert.equal(used(), 0);
  });
  it('hold no entry that is zero, wherever a page is', () => {
    for (const linear of [0, 0x1000, memory.ramBase - HOST_OFFSET, memory.ramBase, 0xffff_f000]) {
      tlb.fill(TlbContext.rootSupervisor, linear, 0x3000, true, false, false);
      const page = (linear & ~0xfff) >>> 0;
      for (const write of [false, true])
        assert.equal(tlb.direct(TlbContext.rootSupervisor, page + 0x123, write), memory.ramBase + 0x3123);
      assert.equal(tlb.direct(TlbContext.none, page, false), 0);
    }
  });
});
