// Addition, multiplication, division, square root and comparison of 80-bit values as WebAssembly functions, rounding to nearest at full precision.
// Not the table of functions (x87-functions.ts) nor the other cases (cpu/x87/float80.ts).
// SDM vol. 1, 4.8; D. Knuth, The Art of Computer Programming, vol. 2, 4.3.1 (division);
// P. Zimmermann, Karatsuba Square Root, INRIA research report 3805 (square root).

import { StateLayout } from '../cpu/state.ts';
import { BIAS, J, MAX_EXPONENT } from '../cpu/x87/float80.ts';
import { Control, Status } from '../cpu/x87/unit.ts';
import { I32, I64, type Local } from '../wasm/code.ts';
import type { Val } from './value-emitter.ts';
import { type Body, clearC1, type Parts, partsAt, roundsUp, storeValue } from './x87-function-body.ts';

const LOW = 0xffffffffn;
const PC_AND_RC = Control.PC | Control.RC;
const FULL_AND_NEAREST = Control.PC;

const requireFullNearest = (e: Body): void =>
  e.refuseUnless(e.eq(e.and(e.state(StateLayout.fpuControl), e.const(PC_AND_RC)), e.const(FULL_AND_NEAREST)));

/** The function's end: a 128-bit significand whose top bit is set, rounded to its upper half. */
const finish = (e: Body, sign: Local, exponent: Local, high: Local, low: Local): void => {
  e.refuseNewInexact(e.ne64(e.get(low), e.const64(0n)));
  const up = roundsUp(e, low, e.and(e.wrap(e.get(high)), e.const(1)));
  e.set(high, e.add64(e.get(high), e.extendU64(e.get(up))));
  e.if(e.eqz64(e.get(high)), () => {
    e.set(high, e.const64(J));
    e.set(exponent, e.add(e.get(exponent), e.const(1)));
  });
  e.refuseUnless(e.ltU(e.sub(e.get(exponent), e.const(1)), e.const(MAX_EXPONENT - 1)));
  storeValue(e, sign, exponent, high);
  e.storeC1(up);
  e.accept();
};

const shiftRight = (e: Body, high: Local, low: Local, by: Local): void => {
  // by < 64, not 0
  const n = e.let64(e.extendU64(e.get(by)));
  const lost = e.let64(e.shl64(e.get(low), e.sub64(e.const64(64n), e.get(n))));
  e.set(
    low,
    e.or64(
      e.or64(e.shrU64(e.get(low), e.get(n)), e.shl64(e.get(high), e.sub64(e.const64(64n), e.get(n)))),
      e.extendU64(e.ne64(e.get(lost), e.const64(0n))),
    ),
  );
  e.set(high, e.shrU64(e.get(high), e.get(n)));
};

/** (a, b, flip): a + b, or a - b if `flip`. */
export const add = (e: Body): void => {
  const [a, b, flip] = [0, 1, 2];
  requireFullNearest(e);
  const x = partsAt(e, a);
  const y = partsAt(e, b);
  e.set(y.sign, e.xor(e.get(y.sign), e.shl(e.get(flip), e.const(15))));
  // A zero adds nothing to a normal number.
  const alone = (zero: Parts, other: Parts): void =>
    e.if(e.isZero(zero.significand, zero.exponent), () => {
      e.refuseUnless(e.normal(other.significand, other.exponent));
      storeValue(e, other.sign, other.exponent, other.significand);
      clearC1(e);
      e.accept();
    });
  alone(x, y);
  alone(y, x);
  e.refuseUnless(e.and(e.normal(x.significand, x.exponent), e.normal(y.significand, y.exponent)));
  // x becomes the greater magnitude.
  const swap = e.or(
    e.ltU(e.get(x.exponent), e.get(y.exponent)),
    e.and(e.eq(e.get(x.exponent), e.get(y.exponent)), e.gtU64(e.get(y.significand), e.get(x.significand))),
  );
  e.if(swap, () => {
    for (const [p, q, type] of [
      [x.sign, y.sign, I32],
      [x.exponent, y.exponent, I32],
      [x.significand, y.significand, I64],
    ] as const) {
      const held = e.let(e.get(p), type);
      e.set(p, e.get(q));
      e.set(q, e.get(held));
    }
  });
  const { sign, exponent, significand: high } = x;
  const low = e.let64(e.const64(0n));
  const small = y.significand;
  const smallLow = e.let64(e.const64(0n));
  const distance = e.let(e.sub(e.get(exponent), e.get(y.exponent)));
  // Bits lost below the 128th are kept as one: it never decides more than that there are some.
  e.if(e.geU(e.get(distance), e.const(64)), () => {
    e.set(smallLow, e.get(small));
    e.set(small, e.const64(0n));
    e.set(distance, e.sub(e.get(distance), e.const(64)));
    e.if(e.geU(e.get(distance), e.const(64)), () => {
      e.set(smallLow, e.const64(1n));
      e.set(distance, e.const(0));
    });
  });
  e.if(e.get(distance), () => shiftRight(e, small, smallLow, distance));
  e.if(
    e.eq(e.get(sign), e.get(y.sign)),
    () => {
      e.set(high, e.add64(e.get(high), e.get(small)));
      e.set(low, e.get(smallLow));
      e.if(e.gtU64(e.get(small), e.get(high)), () => {
        e.set(
          low,
          e.or64(
            e.or64(e.shrU64(e.get(low), e.const64(1n)), e.and64(e.get(low), e.const64(1n))),
            e.shl64(e.get(high), e.const64(63n)),
          ),
        );
        e.set(high, e.or64(e.shrU64(e.get(high), e.const64(1n)), e.const64(J)));
        e.set(exponent, e.add(e.get(exponent), e.const(1)));
      });
    },
    () => {
      e.set(low, e.sub64(e.const64(0n), e.get(smallLow)));
      e.set(high, e.sub64(e.sub64(e.get(high), e.get(small)), e.extendU64(e.ne64(e.get(smallLow), e.const64(0n)))));
      e.if(e.eqz64(e.or64(e.get(high), e.get(low))), () => {
        // Equal magnitudes: +0 with rounding to nearest.
        const zero = e.let(e.const(0));
        storeValue(e, zero, zero, high);
        clearC1(e);
        e.accept();
      });
      e.if(e.eqz64(e.get(high)), () => {
        e.set(high, e.get(low));
        e.set(low, e.const64(0n));
        e.set(exponent, e.sub(e.get(exponent), e.const(64)));
      });
      const leading = e.let64(e.clz64(e.get(high)));
      e.if(e.ne64(e.get(leading), e.const64(0n)), () => {
        e.set(
          high,
          e.or64(e.shl64(e.get(high), e.get(leading)), e.shrU64(e.get(low), e.sub64(e.const64(64n), e.get(leading)))),
        );
        e.set(low, e.shl64(e.get(low), e.get(leading)));
        e.set(exponent, e.sub(e.get(exponent), e.wrap(e.get(leading))));
      });
    },
  );
  finish(e, sign, exponent, high, low);
};

/** An exact zero of the given sign, if one operand is zero and the other normal (or zero too). */
const zeroResult = (e: Body, zero: Parts, other: Parts, sign: Local, otherMayBeZero: boolean): void =>
  e.if(e.isZero(zero.significand, zero.exponent), () => {
    const normal = e.normal(other.significand, other.exponent);
    e.refuseUnless(otherMayBeZero ? e.or(normal, e.isZero(other.significand, other.exponent)) : normal);
    storeValue(e, sign, zero.exponent, zero.significand);
    clearC1(e);
    e.accept();
  });

/** (a, b): a * b. */
export const multiply = (e: Body): void => {
  requireFullNearest(e);
  const x = partsAt(e, 0);
  const y = partsAt(e, 1);
  const sign = e.let(e.xor(e.get(x.sign), e.get(y.sign)));
  zeroResult(e, x, y, sign, true);
  zeroResult(e, y, x, sign, true);
  e.refuseUnless(e.and(e.normal(x.significand, x.exponent), e.normal(y.significand, y.exponent)));
  const exponent = e.let(e.sub(e.add(e.get(x.exponent), e.get(y.exponent)), e.const(BIAS - 1)));
  const lowOf = (local: Local): Local => e.let64(e.and64(e.get(local), e.const64(LOW)));
  const highOf = (local: Local): Local => e.let64(e.shrU64(e.get(local), e.const64(32n)));
  const [xl, xh, yl, yh] = [lowOf(x.significand), highOf(x.significand), lowOf(y.significand), highOf(y.significand)];
  const product = (p: Local, q: Local): Local => e.let64(e.mul64(e.get(p), e.get(q)));
  const [ll, lh, hl, hh] = [product(xl, yl), product(xl, yh), product(xh, yl), product(xh, yh)];
  // None of the two sums overflows.
  const first = e.let64(e.add64(e.get(lh), e.shrU64(e.get(ll), e.const64(32n))));
  const second = e.let64(e.add64(e.get(hl), e.and64(e.get(first), e.const64(LOW))));
  const high = e.let64(
    e.add64(e.add64(e.get(hh), e.shrU64(e.get(first), e.const64(32n))), e.shrU64(e.get(second), e.const64(32n))),
  );
  const low = e.let64(e.or64(e.shl64(e.get(second), e.const64(32n)), e.and64(e.get(ll), e.const64(LOW))));
  e.if(e.eqz(e.ltS64(e.get(high), e.const64(0n))), () => {
    e.set(high, e.or64(e.shl64(e.get(high), e.const64(1n)), e.shrU64(e.get(low), e.const64(63n))));
    e.set(low, e.shl64(e.get(low), e.const64(1n)));
    e.set(exponent, e.sub(e.get(exponent), e.const(1)));
  });
  finish(e, sign, exponent, high, low);
};

/** A 32-bit digit of (rest * 2^32 + digit) / divisor; `rest` becomes the remainder. The divisor's top bit is set. */
const quotientDigit = (e: Body, rest: Local, digit: Local, divisor: Local, top: Local, bottom: Local): Local => {
  const q = e.let64(e.divU64(e.get(rest), e.get(top)));
  const r = e.let64(e.sub64(e.get(rest), e.mul64(e.get(q), e.get(top))));
  const tooGreat = (): Val =>
    e.or(
      e.gtU64(e.get(q), e.const64(LOW)),
      e.gtU64(e.mul64(e.get(q), e.get(bottom)), e.or64(e.shl64(e.get(r), e.const64(32n)), e.get(digit))),
    );
  const lessen = (then: () => void): void =>
    e.if(tooGreat(), () => {
      e.set(q, e.sub64(e.get(q), e.const64(1n)));
      e.set(r, e.add64(e.get(r), e.get(top)));
      then();
    });
  // At most twice, and the second time only while the remainder is one digit.
  lessen(() => e.if(e.eqz(e.gtU64(e.get(r), e.const64(LOW))), () => lessen(() => {})));
  e.set(rest, e.sub64(e.add64(e.shl64(e.get(rest), e.const64(32n)), e.get(digit)), e.mul64(e.get(q), e.get(divisor))));
  return q;
};
/** (a, b): a / b. */
export const divide = (e: Body): void => {
  requireFullNearest(e);
  const x = partsAt(e, 0);
  const y = partsAt(e, 1);
  const sign = e.let(e.xor(e.get(x.sign), e.get(y.sign)));
  zeroResult(e, x, y, sign, false);
  e.refuseUnless(e.and(e.normal(x.significand, x.exponent), e.normal(y.significand, y.exponent)));
  const exponent = e.let(e.add(e.sub(e.get(x.exponent), e.get(y.exponent)), e.const(BIAS - 1)));
  const divisor = y.significand;
  const rest = x.significand;
  const below = e.let64(e.const64(0n));
  // The quotient shall have 64 bits.
  e.if(e.eqz(e.gtU64(e.get(divisor), e.get(rest))), () => {
    e.set(below, e.shl64(e.get(rest), e.const64(63n)));
    e.set(rest, e.shrU64(e.get(rest), e.const64(1n)));
    e.set(exponent, e.add(e.get(exponent), e.const(1)));
  });
  const top = e.let64(e.shrU64(e.get(divisor), e.const64(32n)));
  const bottom = e.let64(e.and64(e.get(divisor), e.const64(LOW)));
  const upper = quotientDigit(e, rest, e.let64(e.shrU64(e.get(below), e.const64(32n))), divisor, top, bottom);
  const lower = quotientDigit(e, rest, e.let64(e.and64(e.get(below), e.const64(LOW))), divisor, top, bottom);
  const high = e.let64(e.add64(e.shl64(e.get(upper), e.const64(32n)), e.get(lower)));
  // What is left over, compared with half the divisor.
  const other = e.let64(e.sub64(e.get(divisor), e.get(rest)));
  const low = e.let64(
    e.or64(
      e.shl64(e.extendU64(e.eqz(e.gtU64(e.get(other), e.get(rest)))), e.const64(63n)),
      e.extendU64(e.and(e.ne64(e.get(rest), e.const64(0n)), e.ne64(e.get(rest), e.get(other)))),
    ),
  );
  finish(e, sign, exponent, high, low);
};

/** The integer square root of a 64-bit number whose top two bits are not both zero. */
const root32 = (e: Body, square: Local): Local => {
  // The double may be one off either way, or 2^32.
  const root = e.let64(e.truncateU64(e.sqrtDouble(e.convertU64(e.get(square)))));
  e.if(e.gtU64(e.get(root), e.const64(LOW)), () => e.set(root, e.const64(LOW)));
  e.if(e.gtU64(e.mul64(e.get(root), e.get(root)), e.get(square)), () =>
    e.set(root, e.sub64(e.get(root), e.const64(1n))),
  );
  e.if(e.gtU64(e.sub64(e.get(square), e.mul64(e.get(root), e.get(root))), e.shl64(e.get(root), e.const64(1n))), () =>
    e.set(root, e.add64(e.get(root), e.const64(1n))),
  );
  return root;
};
/** (a): the square root of a. */
export const squareRoot = (e: Body): void => {
  requireFullNearest(e);
  const x = partsAt(e, 0);
  e.if(e.isZero(x.significand, x.exponent), () => {
    storeValue(e, x.sign, x.exponent, x.significand);
    clearC1(e);
    e.accept();
  });
  e.refuseUnless(e.and(e.normal(x.significand, x.exponent), e.eqz(e.get(x.sign))));
  // The radicand is the significand times 2^63 or, for an odd power of two, 2^64. BIAS is odd.
  const even = e.let64(e.extendU64(e.and(e.get(x.exponent), e.const(1))));
  const upper = e.let64(e.shrU64(e.get(x.significand), e.get(even)));
  const lower = e.let64(e.and64(e.shl64(e.get(x.significand), e.const64(63n)), e.sub64(e.const64(0n), e.get(even))));
  const exponent = e.let(e.shrU(e.add(e.get(x.exponent), e.const(BIAS)), e.const(1)));
  const top = root32(e, upper);
  const rest = e.let64(e.sub64(e.get(upper), e.mul64(e.get(top), e.get(top))));
  // The lower half of the root: (rest * 2^32 + digit) / (2 * top), halved on both sides for room. `lower` has but its top bit.
  const half = e.let64(e.or64(e.shl64(e.get(rest), e.const64(31n)), e.shrU64(e.get(lower), e.const64(33n))));
  const q = e.let64(e.divU64(e.get(half), e.get(top)));
  e.if(e.gtU64(e.get(q), e.const64(LOW)), () => e.set(q, e.const64(LOW)));
  // What is left, below 2^34, is even.
  e.set(rest, e.shl64(e.sub64(e.get(half), e.mul64(e.get(q), e.get(top))), e.const64(1n)));
  const root = e.let64(e.or64(e.shl64(e.get(top), e.const64(32n)), e.get(q)));
  // The remainder of the whole, in two words: rest * 2^32 - q^2.
  const low = e.let64(e.shl64(e.get(rest), e.const64(32n)));
  const square = e.let64(e.mul64(e.get(q), e.get(q)));
  const high = e.let64(e.sub64(e.shrU64(e.get(rest), e.const64(32n)), e.extendU64(e.gtU64(e.get(square), e.get(low)))));
  e.set(low, e.sub64(e.get(low), e.get(square)));
  e.if(e.ltS64(e.get(high), e.const64(0n)), () => {
    // One too great: the remainder grows by twice the lesser root and one, 2^64 and some.
    e.set(root, e.sub64(e.get(root), e.const64(1n)));
    const twice = e.let64(e.or64(e.shl64(e.get(root), e.const64(1n)), e.const64(1n)));
    e.set(low, e.add64(e.get(low), e.get(twice)));
    e.set(
      high,
      e.add64(
        e.add64(e.get(high), e.shrU64(e.get(root), e.const64(63n))),
        e.extendU64(e.gtU64(e.get(twice), e.get(low))),
      ),
    );
  });
  // A remainder greater than the root is more than half a unit; it is never half.
  const above = e.or(e.ne64(e.get(high), e.const64(0n)), e.gtU64(e.get(low), e.get(root)));
  const below = e.let64(
    e.or64(
      e.shl64(e.extendU64(above), e.const64(63n)),
      e.extendU64(e.ne64(e.or64(e.get(high), e.get(low)), e.const64(0n))),
    ),
  );
  finish(e, x.sign, exponent, root, below);
};

const { C0, C3 } = Status;
/** (a, b): condition codes C3 and C0 of a compared with b; -1 if one is a NaN, denormal or unsupported. */
export const compare = (e: Body): void => {
  const x = partsAt(e, 0);
  const y = partsAt(e, 1);
  const comparable = (p: Parts): Val =>
    e.or(
      e.or(e.normal(p.significand, p.exponent), e.isZero(p.significand, p.exponent)),
      e.and(e.eq(e.get(p.exponent), e.const(MAX_EXPONENT)), e.eq64(e.get(p.significand), e.const64(J))),
    );
  e.if(e.eqz(e.and(comparable(x), comparable(y))), () => {
    e.const(-1);
    e.code.return();
  });
  const answer = (value: Val): void => {
    void value;
    e.code.return();
  };
  const less = (condition: Val): Val => e.mul(condition, e.const(C0));
  e.if(e.and(e.isZero(x.significand, x.exponent), e.isZero(y.significand, y.exponent)), () => answer(e.const(C3)));
  e.if(e.ne(e.get(x.sign), e.get(y.sign)), () => answer(less(e.ne(e.get(x.sign), e.const(0)))));
  const negative = e.let(e.ne(e.get(x.sign), e.const(0)));
  e.if(e.ne(e.get(x.exponent), e.get(y.exponent)), () =>
    answer(less(e.xor(e.ltU(e.get(x.exponent), e.get(y.exponent)), e.get(negative)))),
  );
  e.if(e.eq64(e.get(x.significand), e.get(y.significand)), () => answer(e.const(C3)));
  answer(less(e.xor(e.gtU64(e.get(y.significand), e.get(x.significand)), e.get(negative))));
};
