// INT n, IRET, SYSENTER and SYSEXIT as descriptions: the state changes in a function (gate-functions.ts), then control goes on at the EIP that it has
// left, in the TLB context of the new level. Cases that the function refuses are the helpers' (cpu/interrupt-instructions.ts, cpu/system.ts).
// Not the rows (system-rows.ts). SDM vol. 2.

import { ECX, EDX, ESP, Flag, StateLayout } from '../cpu/state.ts';
import type { Emitter, Val } from './emitter.ts';
import { FLAGS_IMAGE } from './gate-functions.ts';
import type { Semantics } from './row.ts';

const goOn = (e: Emitter, passed: Val): void => {
  e.orHelper(passed);
  e.setReg(ESP, 32, e.let(e.state(StateLayout.gpr + ESP * 8)));
  e.switchContext(e.let(e.state(StateLayout.tlb)));
};

/** The forms that an operand-size prefix makes are the helpers'. */
export const only32 =
  (semantics: Semantics): Semantics =>
  (e) => {
    if (e.size === 32) semantics(e);
    else e.orHelper(e.const(0));
    e.jumpTo(e.let(e.state(StateLayout.eip)));
  };

export const intN = only32((e) => {
  const rest = e.and(e.state(StateLayout.eflagsRest), e.const(~Flag.RF));
  const flags = e.let(e.or(rest, e.flagsImage()));
  const vector = e.and(e.read(0), e.const(0xff));
  goOn(e, e.call('enterGate', vector, e.const(1), e.const(0), e.const(0), e.nextEip(), e.get(flags), e.reg(ESP, 32)));
});

export const iret = only32((e) => {
  goOn(e, e.call('leaveGate', e.reg(ESP, 32), e.budgetAfter()));
  e.flagsFromImage(e.let(e.state(FLAGS_IMAGE)), true);
});

export const sysenter = only32((e) => goOn(e, e.call('systemEnter')));
export const sysexit = only32((e) => goOn(e, e.call('systemExit', e.reg(ECX, 32), e.reg(EDX, 32))));
