// How the region tier keeps the arithmetic flags: by what produced them. Four locals hold the result and the operands of the last producer, and CF where
// another instruction has set it since or it is known anyway; a kind says which it was, so that nothing is computed for flags that nobody reads.
// `auxiliary` turns them into the word of the processor's state (StateLayout.lazyAux). Not the descriptions' vocabulary (isa/emitter.ts). SDM vol. 1,
// appendix A.

import type { Val, ValueEmitter } from '../../isa/value-emitter.ts';
import { Code, type Local } from '../../wasm/code.ts';

/** What produced the flags. `canonical`: the state's two words as they are. `overflow`: OF is known apart, and AF is clear (shifts, products). */
export const Producer = {
  canonical: 0,
  add: 1,
  adc: 2,
  sub: 3,
  sbb: 4,
  logic: 5,
  inc: 6,
  dec: 7,
  overflow: 8,
} as const;

/** The kind is known only at run time: local `kind` has it. */
export const DYNAMIC = -1;
export const CANONICAL = 0;
/** CF is what local `cf` has, whatever the producer says. */
const OWN_CARRY = 64;

/** Producer and operand size in one number. */
export const kindOf = (producer: number, size: 8 | 16 | 32): number =>
  producer * 4 + (size === 8 ? 0 : size === 16 ? 1 : 2);
export const producerOf = (kind: number): number => (kind & 63) >> 2;
export const owningCarry = (kind: number): number => kind | OWN_CARRY;
/** The same with the producer's CF. */
export const producersCarry = (kind: number): number => (kind === DYNAMIC ? DYNAMIC : kind & 63);
export const ownsCarry = (kind: number): boolean => kind !== DYNAMIC && (kind & OWN_CARRY) !== 0;
/**
 * INC or DEC after a producer of another kind: CF is the one of those operands, which stay in locals of their own, and `cf` is free. Known at
 * emission only; `plainOf` is the kind once `cf` has it.
 */
export const keeping = (kind: number, earlier: number): number => kind | ((earlier + 2) << 7);
/** The earlier kind; undefined: none is kept. */
export const keptOf = (kind: number): number | undefined =>
  kind === DYNAMIC || kind >> 7 === 0 ? undefined : (kind >> 7) - 2;
export const plainOf = (kind: number): number => kind & 127;
export const sizeOf = (kind: number): 8 | 16 | 32 => ((kind & 3) === 0 ? 8 : (kind & 3) === 1 ? 16 : 32);

/**
 * The locals. `result`: sign-extended to 32 bits, always. `a` and `b`: the operands of add, adc, sub, sbb. `a` besides: the auxiliary word where it is
 * canonical, OF (0 or 1) for overflow. `cf`: CF (0 or 1) of adc, sbb and where the kind says so, as it does for inc, dec and overflow.
 */
export interface FlagLocals {
  readonly result: Local;
  readonly a: Local;
  readonly b: Local;
  readonly cf: Local;
}

/** The auxiliary word of a producer, with the producer's CF. `shift`: 32 minus the operand size. */
const wordOf = (e: ValueEmitter, producer: number, f: FlagLocals, shift: () => Val): Val => {
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
    case Producer.overflow:
      return e.shl(e.get(f.a), e.const(30));
    default: {
      const increments = producer === Producer.inc;
      const lowest = (): Val => e.shrS(e.const(0x80000000 | 0), shift());
      const overflow = (): Val => e.eq(e.get(f.result), increments ? lowest() : e.xor(lowest(), e.const(-1)));
      const old = (): Val => e.sub(e.get(f.result), e.const(increments ? 1 : -1));
      return e.or(
        e.shl(overflow(), e.const(30)),
        e.shrU(e.and(e.xor(old(), e.get(f.result)), e.const(0x10)), e.const(1)),
      );
    }
  }
};
/** Bits 31 and 30 of a word if the value on the stack is 1, else 0: both change with CF where OF stays. */
const carryBits = (e: ValueEmitter, cf: Val): Val => {
  const bit = e.let(cf);
  return e.and(e.sub(e.const(0), e.get(bit)), e.const(0xc0000000 | 0));
};
/** A word with CF from a local. */
const replaceCarry = (e: ValueEmitter, word: Local, cf: Local): Val =>
  e.xor(e.get(word), carryBits(e, e.xor(e.shrU(e.get(word), e.const(31)), e.get(cf))));

/** The auxiliary word of a kind that is known at emission. */
export const auxiliary = (e: ValueEmitter, kind: number, f: FlagLocals): Val => {
  const producer = producerOf(kind);
  const word = wordOf(e, producer, f, () => e.const(32 - sizeOf(kind)));
  if (!ownsCarry(kind)) return word;
  const sets = producer === Producer.canonical || (producer >= Producer.add && producer <= Producer.sbb);
  return sets ? replaceCarry(e, e.let(word), f.cf) : e.xor(word, carryBits(e, e.get(f.cf)));
};

/** (kind, result, a, b, cf) -> auxiliary word, for kinds known only at run time. */
export const auxiliaryFunction = (make: (code: Code) => ValueEmitter): Code => {
  const code = new Code(5);
  const e = make(code);
  const kind = 0;
  const f: FlagLocals = { result: 1, a: 2, b: 3, cf: 4 };
  const shift = (): Val => e.sub(e.const(32), e.shl(e.const(8), e.and(e.get(kind), e.const(3))));
  const producer = e.let(e.and(e.shrU(e.get(kind), e.const(2)), e.const(15)));
  for (const each of Object.values(Producer))
    if (each !== Producer.canonical)
      e.if(e.eq(e.get(producer), e.const(each)), () => e.set(f.a, wordOf(e, each, f, shift)));
  e.if(e.and(e.get(kind), e.const(OWN_CARRY)), () => e.set(f.a, replaceCarry(e, f.a, f.cf)));
  e.get(f.a);
  return code;
};
