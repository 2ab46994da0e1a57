// Memory formats to and from 80-bit values as WebAssembly functions. Not the table of functions (x87-functions.ts) nor the other cases
// (cpu/x87/float80.ts). SDM vol. 1, 4.2, 4.8 and 8.2.

import { StateLayout } from '../cpu/state.ts';
import { BIAS, J } from '../cpu/x87/float80.ts';
import { Control } from '../cpu/x87/unit.ts';
import type { Local } from '../wasm/code.ts';
import type { Val } from './value-emitter.ts';
import { type Body, clearC1, OPERAND, type Parts, partsAt, RESULT, roundsUp, storeValue } from './x87-function-body.ts';

/** Rounding toward zero: all bits of RC are set. */
const RC_ZERO = Control.RC;
const RC_DOWN = 0x400;
const RC_UP = 0x800;

const storeOperand = (e: Body, sign: Local, exponent: Local, significand: Local): void => {
  storeValue(e, sign, exponent, significand, OPERAND);
  e.accept();
};
/** (bits): a double or single, its bits at the top, as OPERAND. */
export const fromReal =
  (exponentBits: number): ((e: Body) => void) =>
  (e) => {
    const bits = 0;
    const greatest = (1 << exponentBits) - 1;
    const sign = e.let(e.and(e.wrap(e.shrU64(e.get(bits), e.const64(48n))), e.const(0x8000)));
    const exponent = e.let(
      e.and(e.wrap(e.shrU64(e.get(bits), e.const64(BigInt(63 - exponentBits)))), e.const(greatest)),
    );
    const fraction = e.let64(e.shl64(e.get(bits), e.const64(BigInt(exponentBits + 1))));
    e.if(e.eqz64(e.shl64(e.get(bits), e.const64(1n))), () => {
      storeOperand(e, sign, exponent, fraction);
    });
    e.refuseUnless(e.ltU(e.sub(e.get(exponent), e.const(1)), e.const(greatest - 1)));
    e.set(exponent, e.add(e.get(exponent), e.const(BIAS - (greatest >> 1))));
    storeOperand(e, sign, exponent, e.let64(e.or64(e.shrU64(e.get(fraction), e.const64(1n)), e.const64(J))));
  };
/** (integer): OPERAND. */
export const fromInteger = (e: Body): void => {
  const value = 0;
  const zero = e.let(e.const(0));
  e.if(e.eqz64(e.get(value)), () => storeOperand(e, zero, zero, value));
  const sign = e.let(e.and(e.wrap(e.shrU64(e.get(value), e.const64(48n))), e.const(0x8000)));
  e.if(e.get(sign), () => e.set(value, e.sub64(e.const64(0n), e.get(value))));
  const leading = e.let64(e.clz64(e.get(value)));
  const exponent = e.let(e.sub(e.const(BIAS + 63), e.wrap(e.get(leading))));
  storeOperand(e, sign, exponent, e.let64(e.shl64(e.get(value), e.get(leading))));
};

/** (a): the bits of a double or single as RESULT. */
export const toReal =
  (exponentBits: number, fractionBits: number): ((e: Body) => void) =>
  (e) => {
    const bias = (1 << (exponentBits - 1)) - 1;
    const x = partsAt(e, 0);
    const kept = BigInt(63 - fractionBits);
    const signBit = (): Val => e.shl64(e.extendU64(e.get(x.sign)), e.const64(BigInt(exponentBits + fractionBits - 15)));
    e.if(e.isZero(x.significand, x.exponent), () => {
      e.store64(RESULT, e.let64(signBit()));
      clearC1(e);
      e.accept();
    });
    e.refuseUnless(e.ltS64(e.get(x.significand), e.const64(0n)));
    // Not the least nor the greatest exponents, which rounding could leave.
    e.refuseUnless(e.ltU(e.sub(e.get(x.exponent), e.const(BIAS - bias + 2)), e.const(2 * bias - 2)));
    e.refuseUnless(e.eqz(e.and(e.state(StateLayout.fpuControl), e.const(Control.RC))));
    const below = e.let64(e.shl64(e.get(x.significand), e.const64(BigInt(fractionBits + 1))));
    e.refuseNewInexact(e.ne64(e.get(below), e.const64(0n)));
    const whole = e.let64(e.shrU64(e.get(x.significand), e.const64(kept)));
    const up = roundsUp(e, below, e.and(e.wrap(e.get(whole)), e.const(1)));
    // The integer bit adds one to the exponent field, and so does a carry out of the fraction.
    const field = e.shl64(
      e.extendU64(e.sub(e.get(x.exponent), e.const(BIAS - bias + 1))),
      e.const64(BigInt(fractionBits)),
    );
    const magnitude = e.add64(field, e.add64(e.get(whole), e.extendU64(e.get(up))));
    e.store64(RESULT, e.let64(e.or64(magnitude, signBit())));
    e.storeC1(up);
    e.accept();
  };
/** Whole units, and what is below the point, left-aligned; far below it, anything but zero. The value is less than 2^63. */
const cutAtPoint = (e: Body, x: Parts): { readonly whole: Local; readonly below: Local } => {
  const shift = e.let(e.sub(e.const(BIAS + 63), e.get(x.exponent)));
  const whole = e.let64(e.const64(0n));
  const below = e.let64(e.extendU64(e.ne64(e.get(x.significand), e.const64(0n))));
  e.if(
    e.ltU(e.get(shift), e.const(64)),
    () => {
      const n = e.let64(e.extendU64(e.get(shift)));
      e.set(whole, e.shrU64(e.get(x.significand), e.get(n)));
      e.set(below, e.shl64(e.get(x.significand), e.sub64(e.const64(64n), e.get(n))));
    },
    () => e.if(e.eq(e.get(shift), e.const(64)), () => e.set(below, e.get(x.significand))),
  );
  return { whole, below };
};
/** (a, bytes, truncating): an integer as RESULT. */
export const toInteger = (e: Body): void => {
  const [at, bytes, truncating] = [0, 1, 2];
  const x = partsAt(e, at);
  e.refuseUnless(e.or(e.normal(x.significand, x.exponent), e.isZero(x.significand, x.exponent)));
  const rounding = e.let(e.and(e.state(StateLayout.fpuControl), e.const(Control.RC)));
  e.if(e.get(truncating), () => e.set(rounding, e.const(RC_ZERO)));
  e.refuseUnless(e.or(e.eqz(e.get(rounding)), e.eq(e.get(rounding), e.const(RC_ZERO))));
  e.refuseUnless(e.ltU(e.get(x.exponent), e.const(BIAS + 63)));
  const { whole, below } = cutAtPoint(e, x);
  e.refuseNewInexact(e.ne64(e.get(below), e.const64(0n)));
  const up = roundsUp(e, below, e.and(e.wrap(e.get(whole)), e.const(1)));
  e.set(up, e.and(e.get(up), e.eqz(e.get(rounding))));
  e.set(whole, e.add64(e.get(whole), e.extendU64(e.get(up))));
  // The least integer is the helper's too.
  const bits = e.let64(e.extendU64(e.sub(e.shl(e.get(bytes), e.const(3)), e.const(1))));
  e.refuseUnless(e.eqz64(e.shrU64(e.get(whole), e.get(bits))));
  e.if(e.get(x.sign), () => e.set(whole, e.sub64(e.const64(0n), e.get(whole))));
  e.store64(RESULT, whole);
  e.storeC1(up);
  e.accept();
};
/** (a): a as an integral value. */
export const roundToInteger = (e: Body): void => {
  const x = partsAt(e, 0);
  e.refuseUnless(e.or(e.normal(x.significand, x.exponent), e.isZero(x.significand, x.exponent)));
  // From 2^63 on everything is an integer.
  e.if(e.or(e.eqz(e.get(x.exponent)), e.geU(e.get(x.exponent), e.const(BIAS + 63))), () => {
    storeValue(e, x.sign, x.exponent, x.significand);
    clearC1(e);
    e.accept();
  });
  const rounding = e.let(e.and(e.state(StateLayout.fpuControl), e.const(Control.RC)));
  const { whole, below } = cutAtPoint(e, x);
  e.refuseNewInexact(e.ne64(e.get(below), e.const64(0n)));
  const up = roundsUp(e, below, e.and(e.wrap(e.get(whole)), e.const(1)));
  e.if(e.get(rounding), () => {
    // Away from zero if RC is the direction of the sign.
    const away = e.let(e.select(e.const(RC_DOWN), e.const(RC_UP), e.get(x.sign)));
    e.set(up, e.and(e.ne64(e.get(below), e.const64(0n)), e.eq(e.get(rounding), e.get(away))));
  });
  e.set(whole, e.add64(e.get(whole), e.extendU64(e.get(up))));
  const leading = e.let64(e.clz64(e.get(whole)));
  const exponent = e.let(
    e.select(e.const(0), e.sub(e.const(BIAS + 63), e.wrap(e.get(leading))), e.eqz64(e.get(whole))),
  );
  storeValue(e, x.sign, exponent, e.let64(e.shl64(e.get(whole), e.get(leading))));
  e.storeC1(up);
  e.accept();
};
