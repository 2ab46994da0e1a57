// The six arithmetic flags as EFLAGS has them, from the state's two words (cpu/state.ts `lazyResult`). Not who keeps them (emitter.ts, translate/region).
// SDM vol. 1, 3.4.3.1.

import type { Local } from '../wasm/code.ts';
import type { Val, ValueEmitter } from './value-emitter.ts';

/** PF as 0 or 1. */
const evenParity = (e: ValueEmitter, result: Local, aux: Local): Val => {
  const byte = e.and(e.xor(e.get(result), e.shrU(e.get(aux), e.const(8))), e.const(0xff));
  return e.eqz(e.and(e.popcnt(byte), e.const(1)));
};

export const flagsImage = (e: ValueEmitter, result: Local, aux: Local): Val => {
  const top = (value: Val, to: number): Val => e.shl(e.shrU(value, e.const(31)), e.const(to));
  const low = e.let(
    e.or(
      e.or(top(e.get(aux), 0), e.shl(evenParity(e, result, aux), e.const(2))),
      e.shl(e.and(e.get(aux), e.const(8)), e.const(1)),
    ),
  );
  return e.or(
    e.or(e.get(low), e.shl(e.eqz(e.get(result)), e.const(6))),
    e.or(
      top(e.xor(e.get(result), e.shl(e.get(aux), e.const(15))), 7),
      top(e.xor(e.get(aux), e.shl(e.get(aux), e.const(1))), 11),
    ),
  );
};
