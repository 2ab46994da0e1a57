// MOV from CR0, CR2, CR3 and CR4, MOV to CR3 and INVLPG as descriptions, for the ordinary case: at CPL 0, and outside VMX non-root operation, where CR2
// alone is what it is. All other cases are the helpers' (cpu/control-registers.ts, cpu/system.ts). Not the rows (system-rows.ts) and not the dropping of
// translations (flush-functions.ts). SDM vol. 2, MOV, INVLPG; vol. 3, 25.3.

import { Cr4, StateLayout } from '../cpu/state.ts';
import { Mode } from '../translate/mode.ts';
import type { Semantics } from './row.ts';

export const movFromCr: Semantics = (e) => {
  const slot = e.let(e.stateSlot(1));
  const shadowed = e.and(
    e.ne(e.get(slot), e.const(StateLayout.cr2)),
    e.ne(e.and(e.state(StateLayout.mode), e.const(Mode.nonRoot)), e.const(0)),
  );
  e.orHelper(e.eqz(e.or(shadowed, e.state(StateLayout.cpl))));
  e.write(0, e.let(e.peek32(slot)));
};

/** Not under PAE paging, which loads the PDPTEs. Code goes on through the jump cache, by the new tables. */
export const movToCr: Semantics = (e) => {
  if (e.size === 32) {
    const slot = e.let(e.stateSlot(0));
    const pae = e.and(e.state(StateLayout.cr4), e.const(Cr4.PAE));
    e.orHelper(e.eqz(e.or(e.or(pae, e.state(StateLayout.cpl)), e.ne(e.get(slot), e.const(StateLayout.cr3)))));
    e.orHelper(e.call('flushTranslations'));
    e.poke32(slot, e.let(e.read(1)));
  } else e.orHelper(e.const(0));
  e.jumpTo(e.let(e.nextEip()));
};

/** Of another page than the one in which code goes on. */
export const invlpg: Semantics = (e) => {
  const linear = e.let(e.add(e.offset(), e.segmentBase()));
  const codeFlat = e.let(e.and(e.state(StateLayout.mode), e.const(Mode.codeFlat)));
  const elsewhere = e.let(e.shrU(e.xor(e.get(linear), e.sub(e.nextEip(), e.const(1))), e.const(12)));
  const ordinary = e.and(e.ne(e.get(elsewhere), e.const(0)), e.ne(e.get(codeFlat), e.const(0)));
  e.orHelper(e.and(ordinary, e.eqz(e.state(StateLayout.cpl))));
  e.orHelper(e.call('invalidateTranslation', e.get(linear)));
};
