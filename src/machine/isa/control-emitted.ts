// MOV from CR0, CR2, CR3 and CR4 as a description, for the ordinary case: at CPL 0, and outside VMX non-root operation, where CR2 alone is what it is.
// All other cases are the helper's (cpu/control-registers.ts). Not the rows (system-rows.ts). SDM vol. 2, MOV; vol. 3, 25.3.

import { StateLayout } from '../cpu/state.ts';
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
