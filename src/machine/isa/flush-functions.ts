// Dropping translations as WebAssembly functions, outside VMX non-root operation: all of them (MOV to CR3) and those of a page (INVLPG). With them go the
// lines of the jump cache that no TLB word vouches for. Each refuses before it has changed anything what the general code (cpu/mmu.ts, cpu/tlb.ts,
// translate/jump-cache.ts) has to do. SDM vol. 3, 4.10.4.

import { StateLayout } from '../cpu/state.ts';
import { INVALID } from '../cpu/tlb.ts';
import { LinearLayout } from '../memory.ts';
import { JumpLine } from '../translate/entry.ts';
import { Mode } from '../translate/mode.ts';
import { I32, type Local } from '../wasm/code.ts';
import { FunctionBody, shared } from './function-body.ts';
import { WRITE_TABLE } from './value-emitter.ts';

/** Outside non-root operation: contexts of the supervisor and of the user. */
const CONTEXTS = [0, 1] as const;

/** Repeats while a local, which is counted down, is above zero. */
const countDown = (e: FunctionBody, count: Local, act: () => void): void => {
  const { code } = e;
  code.block();
  code.loop();
  e.eqz(e.get(count));
  code.brIf(1);
  e.set(count, e.sub(e.get(count), e.const(1)));
  act();
  code.br(0);
  code.end();
  code.end();
};
const scaled = (e: FunctionBody, index: Local): Local => e.let(e.shl(e.get(index), e.const(2)));

const refuseNonRoot = (e: FunctionBody): void => e.refuseIf(e.and(e.state(StateLayout.mode), e.const(Mode.nonRoot)));

/** As JumpCache.translationsDropped. */
const dropLooseLines = (e: FunctionBody, zero: Local): void => {
  const count = e.let(e.state(StateLayout.looseCount));
  e.refuseIf(e.gtU(e.get(count), e.const(LinearLayout.looseLinesMost)));
  e.store32(StateLayout.looseCount, zero);
  countDown(e, count, () => {
    const line = e.let(e.peek32(scaled(e, count), LinearLayout.looseLines));
    e.poke32(line, zero, JumpLine.tag);
  });
};
const empty = (e: FunctionBody, word: Local, invalid: Local): void => {
  e.poke32(word, invalid);
  e.poke32(word, invalid, WRITE_TABLE);
};

const flushTranslations = (e: FunctionBody): void => {
  refuseNonRoot(e);
  const zero = e.let(e.const(0));
  const invalid = e.let(e.const(INVALID));
  dropLooseLines(e, zero);
  for (const context of CONTEXTS) {
    const length = StateLayout.journalLength + context * 4;
    const left = e.let(e.state(length));
    countDown(e, left, () => {
      const index = e.let(e.peek32(scaled(e, left), LinearLayout.tlbJournals + context * LinearLayout.tlbJournalBytes));
      empty(e, scaled(e, index), invalid);
    });
    e.store32(length, zero);
  }
  e.accept();
};

/** (linear address). */
const invalidateTranslation = (e: FunctionBody): void => {
  const linear = 0;
  refuseNonRoot(e);
  dropLooseLines(e, e.let(e.const(0)));
  const invalid = e.let(e.const(INVALID));
  for (const context of CONTEXTS) {
    const table = LinearLayout.tlb + context * LinearLayout.tlbContextBytes;
    const word = e.let(
      e.add(e.and(e.shrU(e.get(linear), e.const(10)), e.const((WRITE_TABLE - 1) & ~3)), e.const(table)),
    );
    empty(e, word, invalid);
  }
  e.accept();
};

/** All return 1 if the case is covered. */
export const FLUSH_FUNCTIONS = {
  flushTranslations: shared(FunctionBody, [], flushTranslations),
  invalidateTranslation: shared(FunctionBody, [I32], invalidateTranslation),
} as const;
