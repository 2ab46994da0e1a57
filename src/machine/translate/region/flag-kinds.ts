// How the region tier keeps the arithmetic flags: by what produced them. Three locals hold the result and the operands of the last
// producer, and a kind says which it was, so that nothing is computed for flags that nobody reads. `auxiliary` turns them into the word
// of the processor's state (StateLayout.lazyAux). Not the descriptions' vocabulary (isa/emitter.ts). SDM vol. 1, appendix A.

import type { Val, ValueEmitter } from '../../isa/value-emitter.ts';
import { Code, type Local } from '../../wasm/code.ts';

/** What produced the flags. `canonical`: the state's two words as they are. */
export const Producer = { canonical: 0, add: 1, adc: 2, sub: 3, sbb: 4, logic: 5, inc: 6, dec: 7 } as const;

/** The kind is known only at run time: local `kind` has it. */
export const DYNAMIC = -1;
export const CANONICAL = 0;
/** As CANONICAL, and local `b` is the carry (0 or 1): shifts and rotates. */
export const WITH_CARRY = 1;

/** Producer and operand size in one number. */
export const kindOf = (producer: number, size: 8 | 16 | 32): number =>
  producer * 4 + (size === 8 ? 0 : size === 16 ? 1 : 2);
export const producerOf = (kind: number): number => (kind & 63) >> 2;
/**
 * INC or DEC after a producer of another kind: CF is the one of those operands, which stay in locals of their own, and `a` is free. Known at
 * emission only; `plainOf` is the kind once `a` has the carry.
 */
export const keeping = (kind: number, earlier: number): number => kind | ((earlier + 2) << 6);
/** The earlier kind; undefined: none is kept. */
export const keptOf = (kind: number): number | undefined =>
  kind === DYNAMIC || kind >> 6 === 0 ? undefined : (kind >> 6) - 2;
export const plainOf = (kind: number): number => kind & 63;
export const sizeOf = (kind: number): 8 | 16 | 32 => ((kind & 3) === 0 ? 8 : (kind & 3) === 1 ? 16 : 32);

/**
 * The locals. `result`: sign-extended to 32 bits, always. add, adc, sub, sbb: `a` and `b` are the operands. inc, dec: `a` is the carry (0 or 1)
 * that they keep. logic: neither. canonical: `a` is the auxiliary word.
 */
export interface FlagLocals {
  readonly result: Local;
  readonly a: Local;
  readonly b: Local;
}

/** The auxiliary word of a producer. `shift`: 32 minus the operand size. */
export const auxiliary = (e: ValueEmitter, producer: number, f: FlagLocals, shift: () => Val): Val => {
  const word = (vector: () => Val): Val =>
    e.or(e.and(e.shl(vector(), shift()), e.const(0xc0000000 | 0)), e.and(vector(), e.const(8)));
  const not = (local: Local): Val => e.xor(e.get(local), e.const(-1));
  switch (producer) {
    case Producer.canonical:
      return e.get(f.a);
    case Producer.add:
    case Producer.adc:
      return word(() => e.or(e.and(e.get(f.a), e.get(f.b)), e.and(e.or(e.get(f.a), e.get(f.b)), not(f.result))));
    case Producer.sub:
    case Producer.sbb:
      return word(() => e.or(e.and(not(f.a), e.get(f.b)), e.and(e.or(not(f.a), e.get(f.b)), e.get(f.result))));
    case Producer.logic:
      return e.const(0);
    default: {
      const increments = producer === Producer.inc;
      const lowest = (): Val => e.shrS(e.const(0x80000000 | 0), shift());
      const overflow = (): Val => e.eq(e.get(f.result), increments ? lowest() : e.xor(lowest(), e.const(-1)));
      const old = (): Val => e.sub(e.get(f.result), e.const(increments ? 1 : -1));
      return e.or(
        e.or(e.shl(e.get(f.a), e.const(31)), e.shl(e.xor(e.get(f.a), overflow()), e.const(30))),
        e.shrU(e.and(e.xor(old(), e.get(f.result)), e.const(0x10)), e.const(1)),
      );
    }
  }
};

/** (kind, result, a, b) -> auxiliary word, for kinds known only at run time. */
export const auxiliaryFunction = (make: (code: Code) => ValueEmitter): Code => {
  const code = new Code(4);
  const e = make(code);
  const kind = 0;
  const f: FlagLocals = { result: 1, a: 2, b: 3 };
  const shift = (): Val => e.sub(e.const(32), e.shl(e.const(8), e.and(e.get(kind), e.const(3))));
  for (const producer of Object.values(Producer)) {
    if (producer === Producer.canonical) continue;
    e.if(e.eq(e.shrU(e.get(kind), e.const(2)), e.const(producer)), () => {
      auxiliary(e, producer, f, shift);
      code.return();
    });
  }
  e.get(f.a);
  return code;
};
