// Stores to a page that holds decoded code, but not where they go: the emitted part of the slow path, which lets them through. What else is to be
// seen to in the page, and stores that hit code, it leaves to TypeScript (cpu/mmu.ts). Not which granules hold code (code-granules.ts).

import { PageFlag } from '../cpu/page-flags.ts';
import { StateLayout } from '../cpu/state.ts';
import { INVALID, PAGES_BELOW } from '../cpu/tlb.ts';
import type { FunctionBody } from '../isa/function-body.ts';
import type { Val } from '../isa/value-emitter.ts';
import { LinearLayout } from '../memory.ts';
import type { Local } from '../wasm/code.ts';

/** Granules that are looked at: those of the first byte and of the last. */
const MOST_BYTES = 64;

/** `store` emits the access to a linear-memory address. The access lies in one page. */
export const storeBesideCode = (e: FunctionBody, linear: Local, bytes: Local, store: (host: Local) => void): void => {
  const context = e.let(e.state(StateLayout.tlb));
  const word = e.let(e.tlbWord(context, linear, true));
  // Stores must be seen, but the translation is known: where loads go directly nothing else looks at the page's accesses.
  const known = e.ne(e.get(word), e.const(INVALID));
  const seen = e.and(known, e.notDirect(word));
  const plain = e.and(e.tlbWord(context, linear, false), e.const(1));
  e.if(e.and(e.and(seen, plain), e.eqz(e.gtU(e.get(bytes), e.const(MOST_BYTES)))), () => {
    const host = e.let(e.add(e.add(e.get(word), e.get(linear)), e.const(PAGES_BELOW)));
    const page = e.let(e.shrU(e.sub(e.get(host), e.const(LinearLayout.ram)), e.const(12)));
    e.if(e.eq(e.peek8(page, LinearLayout.pageFlags), e.const(PageFlag.code)), () => {
      const granules = e.let64(e.peek64(e.let(e.shl(e.get(page), e.const(3))), LinearLayout.codeGranules));
      const last = e.let(e.sub(e.add(e.get(linear), e.get(bytes)), e.const(1)));
      const from = (offset: Local): Val =>
        e.shrU64(e.get(granules), e.extendU64(e.shrU(e.and(e.get(offset), e.const(0xfff)), e.const(6))));
      const hit = e.and(e.wrap(e.or64(from(linear), from(last))), e.const(1));
      // A page without code is not watched any longer.
      e.if(e.and(e.eqz(hit), e.eqz(e.eqz64(e.get(granules)))), () => store(host));
    });
  });
};
