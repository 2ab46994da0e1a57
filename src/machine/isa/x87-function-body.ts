// The frame of the x87 functions (x87-functions.ts): how a body reads values and the control word, refuses a case, rounds and answers.
// Not arithmetic. SDM vol. 1, 4.8 and 8.1.5.
//
// A value lies in 16 bytes of linear memory, as a register does: significand, then sign and exponent.

import { StateLayout } from '../cpu/state.ts';
import { Exception, MAX_EXPONENT } from '../cpu/x87/float80.ts';
import { Status } from '../cpu/x87/unit.ts';
import type { Local } from '../wasm/code.ts';
import { FunctionBody } from './function-body.ts';
import type { Val } from './value-emitter.ts';

/** Where results are: a value, or 64 bits; behind it C1 as the status word has it. */
export const RESULT = StateLayout.scratch;
export const RESULT_C1 = StateLayout.scratch + 12;
/** Room for a memory operand as a value. */
export const OPERAND = StateLayout.scratch + 16;

/** A function's body: values, and the ways it ends. */
export class Body extends FunctionBody {
  /** An inexact result sets PE: it must be set and masked already. */
  refuseNewInexact(inexact: Val): void {
    this.if(inexact, () =>
      this.refuseUnless(
        this.and(
          this.and(this.state(StateLayout.fpuStatus), this.state(StateLayout.fpuControl)),
          this.const(Exception.PE),
        ),
      ),
    );
  }
  storeC1(up: Local): void {
    this.store32(RESULT_C1, this.let(this.mul(this.get(up), this.const(Status.C1))));
  }
  /** 1 for a normal number. */
  normal(significand: Local, exponent: Local): Val {
    return this.and(
      this.ltS64(this.get(significand), this.const64(0n)),
      this.ltU(this.sub(this.get(exponent), this.const(1)), this.const(MAX_EXPONENT - 1)),
    );
  }
  isZero(significand: Local, exponent: Local): Val {
    return this.eqz64(this.or64(this.get(significand), this.extendU64(this.get(exponent))));
  }
}

export interface Parts {
  readonly sign: Local;
  readonly exponent: Local;
  readonly significand: Local;
}
/** Sign as 8000h or 0. */
export const partsAt = (e: Body, at: Local): Parts => {
  const top = e.let(e.peek16(at, 8));
  return {
    sign: e.let(e.and(e.get(top), e.const(0x8000))),
    exponent: e.let(e.and(e.get(top), e.const(MAX_EXPONENT))),
    significand: e.let64(e.peek64(at)),
  };
};
export const storeValue = (e: Body, sign: Local, exponent: Local, significand: Local, at: number = RESULT): void => {
  e.store64(at, significand);
  e.store32(at + 8, e.let(e.or(e.get(sign), e.get(exponent))));
};
export const clearC1 = (e: Body): void => e.store32(RESULT_C1, e.let(e.const(0)));
/** Rounds up: the cut-off bits, left-aligned in `below`, are more than half, or half and the last bit kept is set. */
export const roundsUp = (e: Body, below: Local, last: Val): Local =>
  e.let(
    e.and(
      e.or(last, e.ne64(e.shl64(e.get(below), e.const64(1n)), e.const64(0n))),
      e.ltS64(e.get(below), e.const64(0n)),
    ),
  );
