// Numbers as unevaluated sums of two doubles, high and low, in the functions of x87 instructions: some 104 bits. How operands become pairs, and a
// pair a rounded result. Not the functions (x87-transcendentals.ts).
// T. J. Dekker, A Floating-Point Technique for Extending the Available Precision, Numerische Mathematik 18, 1971.

import { StateLayout } from '../cpu/state.ts';
import { BIAS, Exception } from '../cpu/x87/float80.ts';
import { PAIR_BYTES, type PairTable, READY } from '../cpu/x87/pair-tables.ts';
import { Control } from '../cpu/x87/unit.ts';
import { F64, type Local } from '../wasm/code.ts';
import { type Val, VAL } from './value-emitter.ts';
import { Body, partsAt, storeValue } from './x87-function-body.ts';

export interface Pair {
  readonly high: Local;
  readonly low: Local;
}
/** An operand's magnitude, its upper and lower 32 bits: exact, the halves not normalized. Sign as 8000h or 0, exponent without bias. */
export interface Operand extends Pair {
  readonly sign: Local;
  readonly exponent: Local;
}

/** 2^27 + 1 cuts a double into halves. */
const SPLITTER = 134217729;
/** 3 * 2^51: doubles near it are integers. */
const ROUNDER = 6755399441055744;
const ROUNDER_BITS = 0x4338_0000_0000_0000n;
/** Powers of two that operands and results have here; exponents of doubles have room to spare. */
export const LEAST = -100;
export const MOST = 100;
/** In units of the last bit: what the error of a pair, below 2^-82 of it, cannot reach, many times over. */
const DOUBT = 2 ** -14;
/** The same of the first phase, whose errors are below 2^-72 of the result, and so below 2^-8 units of the last of 64 bits. */
const FIRST_DOUBT = 2 ** -8;
const DOUBLE_BIAS = 1023;
const FRACTION = 52n;

export class PairBody extends Body {
  private trying = false;

  /** What `body` refuses goes on behind it. (Not refused inside an `if`.) */
  attempt(body: () => void): void {
    this.trying = true;
    this.code.block();
    body();
    this.code.end();
    this.trying = false;
  }
  override refuseIf(condition: Val): void {
    if (!this.trying) {
      super.refuseIf(condition);
      return;
    }
    this.code.unlikely();
    this.code.brIf(0);
  }

  // ---- doubles: operations on locals that make locals ---------------------------------------------------------------------

  private operate(opcode: number, ...operands: readonly Local[]): Local {
    for (const operand of operands) this.get(operand);
    this.code.op(opcode);
    return this.let(VAL, F64);
  }
  double(value: number): Local {
    this.code.f64(value);
    return this.let(VAL, F64);
  }
  plus(a: Local, b: Local): Local {
    return this.operate(0xa0, a, b);
  }
  minus(a: Local, b: Local): Local {
    return this.operate(0xa1, a, b);
  }
  times(a: Local, b: Local): Local {
    return this.operate(0xa2, a, b);
  }
  over(a: Local, b: Local): Local {
    return this.operate(0xa3, a, b);
  }
  minusOf(a: Local): Local {
    return this.operate(0x9a, a);
  }
  floor(a: Local): Local {
    return this.operate(0x9c, a);
  }
  magnitude(a: Local): Local {
    return this.operate(0x99, a);
  }
  /** `magnitude` with the sign of another. */
  signedAs(magnitude: Local, sign: Local): Local {
    return this.operate(0xa6, magnitude, sign);
  }
  /** A double below 2^51 rounded to an integer: as a double, and its bits as those of an i64 that is ROUNDER's bits less than it. */
  private nearest(a: Local): { readonly value: Local; readonly bits: Local } {
    const rounder = this.double(ROUNDER);
    const sum = this.plus(a, rounder);
    return { value: this.minus(sum, rounder), bits: this.bitsOf(sum) };
  }
  /** The same, as a double and as an i32. */
  nearestInteger(a: Local): { readonly value: Local; readonly integer: Local } {
    const { value, bits } = this.nearest(a);
    // The bits of ROUNDER that an i32 has are zero.
    return { value, integer: this.let(this.wrap(this.get(bits))) };
  }
  /** Rounded to a multiple of a power of two, of which it has less than 2^51. */
  multipleOf(unit: number, a: Local): Local {
    const rounder = this.double(ROUNDER * unit);
    return this.minus(this.plus(a, rounder), rounder);
  }
  private bitsOf(a: Local): Local {
    this.get(a);
    this.code.op(0xbd);
    return this.let64(VAL);
  }
  less(a: Local, b: Local): Val {
    this.get(a);
    this.get(b);
    this.code.op(0x63);
    return VAL;
  }
  equal(a: Local, b: Local): Val {
    this.get(a);
    this.get(b);
    this.code.op(0x61);
    return VAL;
  }
  /** An integral double as an i32. */
  integer(a: Local): Local {
    this.get(a);
    this.code.op(0xaa);
    return this.let(VAL);
  }
  fromInteger(a: Local): Local {
    this.get(a);
    this.code.op(0xb7);
    return this.let(VAL, F64);
  }
  choose(condition: Local, yes: Local, no: Local): Local {
    return this.let(this.select(this.get(yes), this.get(no), this.get(condition)), F64);
  }
  /** 2^n as a double. */
  private power(n: Val): Local {
    this.shl64(this.extendU64(this.add(n, this.const(DOUBLE_BIAS))), this.const64(FRACTION));
    this.code.op(0xbf);
    return this.let(VAL, F64);
  }

  // ---- pairs --------------------------------------------------------------------------------------------------------------

  /** What a sum leaves out, exactly (Knuth). */
  private sumError(a: Local, b: Local, sum: Local): Local {
    const rounded = this.minus(sum, a);
    return this.plus(this.minus(a, this.minus(sum, rounded)), this.minus(b, rounded));
  }
  /** What a product leaves out, exactly. */
  private productError(a: Local, b: Local, product: Local): Local {
    const splitter = this.double(SPLITTER);
    const cut = (value: Local): readonly [Local, Local] => {
      const scaled = this.times(splitter, value);
      const high = this.minus(scaled, this.minus(scaled, value));
      return [high, this.minus(value, high)];
    };
    const [aHigh, aLow] = cut(a);
    const [bHigh, bLow] = cut(b);
    const most = this.minus(product, this.times(aHigh, bHigh));
    const rest = this.minus(this.minus(most, this.times(aLow, bHigh)), this.times(aHigh, bLow));
    return this.minus(this.times(aLow, bLow), rest);
  }
  /** Low at most half a unit of high. `ordered`: high is not the smaller of the two. */
  normalized(high: Local, low: Local, ordered = false): Pair {
    const sum = this.plus(high, low);
    return { high: sum, low: ordered ? this.minus(low, this.minus(sum, high)) : this.sumError(high, low, sum) };
  }
  addPairs(a: Pair, b: Pair): Pair {
    const sum = this.plus(a.high, b.high);
    return this.normalized(sum, this.plus(this.sumError(a.high, b.high, sum), this.plus(a.low, b.low)));
  }
  multiplyPairs(a: Pair, b: Pair): Pair {
    const product = this.times(a.high, b.high);
    const cross = this.plus(this.times(a.high, b.low), this.times(a.low, b.high));
    return this.normalized(product, this.plus(this.productError(a.high, b.high, product), cross), true);
  }
  dividePairs(a: Pair, b: Pair): Pair {
    const quotient = this.over(a.high, b.high);
    const product = this.times(quotient, b.high);
    const exact = this.minus(this.minus(a.high, product), this.productError(quotient, b.high, product));
    const rest = this.plus(exact, this.minus(a.low, this.times(quotient, b.low)));
    return this.normalized(quotient, this.over(rest, b.high), true);
  }
  pair(high: number, low = 0): Pair {
    return { high: this.double(high), low: this.double(low) };
  }
  negatedPair(a: Pair): Pair {
    return { high: this.minusOf(a.high), low: this.minusOf(a.low) };
  }
  choosePair(condition: Local, yes: Pair, no: Pair): Pair {
    return { high: this.choose(condition, yes.high, no.high), low: this.choose(condition, yes.low, no.low) };
  }

  // ---- tables and series --------------------------------------------------------------------------------------------------

  load(address: Val, offset: number): Local {
    void address;
    this.code.memory(0x2b, 3, offset);
    return this.let(VAL, F64);
  }
  /** The k-th pair of a table; `from`: k of the first. */
  entry({ at }: PairTable, k: Local, from = 0): Pair {
    const place = this.let(this.mul(this.sub(this.get(k), this.const(from)), this.const(PAIR_BYTES)));
    return { high: this.load(this.get(place), at), low: this.load(this.get(place), at + 8) };
  }
  /** The sum of coefficients times 1, x, x^2...; so many of the first count as pairs, the low halves of the others do not matter. */
  series({ at, length }: PairTable, precise: number, x: Pair): Pair {
    const coefficient = (i: number, half: 0 | 8): Local => this.load(this.const(0), at + i * PAIR_BYTES + half);
    let high = coefficient(length - 1, 0);
    for (let i = length - 2; i >= precise; i--) high = this.plus(this.times(high, x.high), coefficient(i, 0));
    let low = this.double(0);
    for (let i = precise - 1; i >= 0; i--) {
      const product = this.times(high, x.high);
      const cross = this.plus(this.times(high, x.low), this.times(low, x.high));
      const below = this.plus(this.plus(this.productError(high, x.high, product), cross), coefficient(i, 8));
      const above = coefficient(i, 0);
      high = this.plus(above, product);
      low = this.plus(below, this.sumError(above, product, high));
    }
    return this.normalized(high, low, true);
  }

  // ---- operands and results -----------------------------------------------------------------------------------------------

  /** Results are rounded to nearest and inexact, which must be masked. */
  requireOrdinary(): void {
    const control = this.let(this.and(this.state(StateLayout.fpuControl), this.const(Control.RC | Exception.PE)));
    this.refuseUnless(this.eq(this.get(control), this.const(Exception.PE)));
    this.refuseUnless(this.state(READY));
  }
  /** A normal number with an exponent from `least` to `most`. Its significand counts as from 1 to 2 if not `scaled`. */
  operand(at: Local, least: number, most: number, scaled = true): Operand {
    const { sign, exponent: biased, significand } = partsAt(this, at);
    this.refuseUnless(this.ltS64(this.get(significand), this.const64(0n)));
    this.refuseIf(this.gtU(this.sub(this.get(biased), this.const(BIAS + least)), this.const(most - least)));
    const exponent = this.let(this.sub(this.get(biased), this.const(BIAS)));
    const half = (bits: Val, below: number): Local => {
      void bits;
      this.code.op(0xb8);
      const value = this.let(VAL, F64);
      return this.times(
        value,
        scaled ? this.power(this.sub(this.get(exponent), this.const(below))) : this.double(2 ** -below),
      );
    };
    const high = half(this.wrap(this.shrU64(this.get(significand), this.const64(32n))), 31);
    const low = half(this.wrap(this.get(significand)), 63);
    return { sign, exponent, high, low };
  }
  /** 1 for a negative operand. */
  isNegative(a: Operand): Local {
    return this.let(this.shrU(this.get(a.sign), this.const(15)));
  }
  /** With its sign, normalized. */
  signed80(a: Operand): Pair {
    const magnitude = this.normalized(a.high, a.low);
    return this.choosePair(a.sign, this.negatedPair(magnitude), magnitude);
  }
  /**
   * Rounds a positive pair to nearest and stores it; leaves whether that was up. Refuses what is too near an exact value or the middle of two, or not
   * an ordinary number.
   */
  storeRounded(value: Pair, sign: Local, to: number): Local {
    const doubt = this.trying ? FIRST_DOUBT : DOUBT;
    const bits = this.bitsOf(value.high);
    const exponent = this.let(
      this.sub(this.wrap(this.shrU64(this.get(bits), this.const64(FRACTION))), this.const(DOUBLE_BIAS)),
    );
    this.refuseIf(this.gtU(this.sub(this.get(exponent), this.const(2 * LEAST)), this.const(2 * (MOST - LEAST))));
    const significand = this.let64(
      this.or64(this.shl64(this.get(bits), this.const64(11n)), this.const64(-(1n << 63n))),
    );
    // Just below a power of two the units are half of those of high.
    const zero = this.double(0);
    const above = this.let(this.less(value.low, zero));
    this.refuseIf(this.and(this.get(above), this.eq64(this.get(significand), this.const64(-(1n << 63n)))));
    const low = this.times(value.low, this.power(this.sub(this.const(63), this.get(exponent))));
    const whole = this.nearest(low);
    const rest = this.minus(low, whole.value);
    const up = this.let(this.less(rest, zero));
    const doubtful = this.magnitude(this.minus(this.magnitude(rest), this.double(0.25)));
    this.refuseUnless(this.less(doubtful, this.double(0.25 - doubt)));
    const rounded = this.let64(
      this.add64(this.get(significand), this.sub64(this.get(whole.bits), this.const64(ROUNDER_BITS))),
    );
    this.refuseUnless(this.ltS64(this.get(rounded), this.const64(0n)));
    storeValue(this, sign, this.let(this.add(this.get(exponent), this.const(BIAS))), rounded, to);
    return up;
  }
}
