// Singles or doubles as lanes of a WebAssembly vector, and when WebAssembly's arithmetic on them is the processor's: the same rounding, and
// no exception that MXCSR does not hold already. Not instructions (sse-arithmetic.ts, sse-conversion.ts), nor the exact way for all
// other cases (cpu/narrow-float.ts). SDM vol. 1, 4.8, 4.9 and 11.5; WebAssembly core specification 2.0, 4.3.

import { Mxcsr } from '../cpu/narrow-float.ts';
import { StateLayout } from '../cpu/state.ts';
import { Exception } from '../cpu/x87/float80.ts';
import type { Local } from '../wasm/code.ts';
import type { Emitter, Val } from './emitter.ts';
import { range } from './simd-common.ts';

/** Bits of MXCSR. */
const { PE } = Exception;
const PM = PE << Mxcsr.MASK_SHIFT;
const RC = 3 << Mxcsr.RC_SHIFT;

/** Offsets from the first opcode of a shape's arithmetic, which are the same for f32x4 and f64x2. */
export const Arithmetic = { abs: 0, neg: 1, sqrt: 3, add: 4, sub: 5, mul: 6, div: 7, pmin: 10, pmax: 11 } as const;
/** The same for its comparisons. */
export const Comparison = { eq: 0, lt: 2, le: 4, ge: 5 } as const;

/** What the two shapes differ in. */
export interface Format {
  readonly bytes: 4 | 8;
  /** First opcodes of arithmetic, of comparisons. */
  readonly arithmetic: number;
  readonly comparison: number;
  readonly equalIntegers: number;
  readonly bitmask: number;
  readonly nearest: number;
  readonly trunc: number;
  /** Magnitudes whose sum, difference, product and quotient are normal or exactly zero. */
  readonly moderate: readonly [number, number];
  readonly leastNormal: number;
  /** Fraction bits that are zero in half as long a significand: the product of two such is exact. */
  readonly lowHalf: bigint;
}
export const Singles: Format = {
  bytes: 4,
  arithmetic: 0xe0,
  comparison: 0x41,
  equalIntegers: 0x37,
  bitmask: 0xa4,
  nearest: 0x6a,
  trunc: 0x69,
  moderate: [2 ** -62, 2 ** 62],
  leastNormal: 2 ** -126,
  lowHalf: 0xfffn,
};
export const Doubles: Format = {
  bytes: 8,
  arithmetic: 0xec,
  comparison: 0x47,
  equalIntegers: 0xd6,
  bitmask: 0xc4,
  nearest: 0x94,
  trunc: 0x7a,
  moderate: [2 ** -510, 2 ** 510],
  leastNormal: 2 ** -1022,
  lowHalf: 0x7ffffffn,
};

/** Opcodes on whole vectors. */
const AND = 0x4e,
  OR = 0x50;

/** The low `count` lanes of a format in a description. Methods push one vector unless they say otherwise. */
export class Lanes {
  constructor(
    readonly e: Emitter,
    readonly format: Format,
    readonly count: number,
  ) {}

  calculate(operation: number, ..._arguments: Val[]): Val {
    return this.e.simd(this.format.arithmetic + operation);
  }
  compare(comparison: number, _a: Val, _b: Val): Val {
    return this.e.simd(this.format.comparison + comparison);
  }
  /** The same number in all lanes. */
  splat(value: number): Val {
    const lane = new DataView(new ArrayBuffer(8));
    if (this.format.bytes === 4) lane.setFloat32(0, value, true);
    else lane.setFloat64(0, value, true);
    return this.splatBits(lane.getBigUint64(0, true));
  }
  /** The same bits in all lanes. */
  splatBits(bits: bigint): Val {
    const lane = new DataView(new ArrayBuffer(8));
    lane.setBigUint64(0, bits, true);
    return this.e.constVector(range(16, (i) => lane.getUint8(i % this.format.bytes)));
  }

  /** Lanes whose magnitude lies in [least, greatest]: no NaN does. */
  within(x: Local, least: number, greatest: number): Val {
    const { e } = this;
    const magnitude = e.letVector(this.calculate(Arithmetic.abs, e.get(x)));
    return e.simd(
      AND,
      this.compare(Comparison.ge, e.get(magnitude), this.splat(least)),
      this.compare(Comparison.le, e.get(magnitude), this.splat(greatest)),
    );
  }
  zero(x: Local): Val {
    return this.compare(Comparison.eq, this.e.get(x), this.splat(0));
  }
  withinOrZero(x: Local, least: number, greatest: number): Val {
    return this.e.simd(OR, this.within(x, least, greatest), this.zero(x));
  }
  /** Zero, normal or infinite: neither a NaN nor denormal. */
  ordinary(x: Local): Val {
    return this.withinOrZero(x, this.format.leastNormal, Infinity);
  }
  moderate(x: Local): Val {
    return this.withinOrZero(x, ...this.format.moderate);
  }
  /** At most half of the significand is used. */
  short(x: Val): Val {
    return this.e.simd(
      this.format.equalIntegers,
      this.e.simd(AND, x, this.splatBits(this.format.lowHalf)),
      this.splat(0),
    );
  }
  both(_a: Val, _b: Val): Val {
    return this.e.simd(AND);
  }
  either(_a: Val, _b: Val): Val {
    return this.e.simd(OR);
  }

  /** 0 or 1: the mask is set in all lanes that count. */
  all(_mask: Val): Val {
    const { e, count } = this;
    const lanes = (1 << count) - 1;
    return e.eq(e.and(e.simd(this.format.bitmask), e.const(lanes)), e.const(lanes));
  }
  /**
   * 0 or 1: rounding to nearest is asked for, and no result is inexact (`exact` pushes the lanes that are not) or PE is masked and set
   * already. `exact` is looked at only until PE is set. `anyRounding`: what is rounded does not depend on RC.
   */
  settled(exact: () => Val, anyRounding = false): Val {
    const { e } = this;
    const rounding = anyRounding ? 0 : RC;
    const mxcsr = e.let(e.state(StateLayout.mxcsr));
    const settled = e.let(e.eq(e.and(e.get(mxcsr), e.const(rounding | PM | PE)), e.const(PM | PE)));
    e.if(e.eqz(e.or(e.get(settled), e.and(e.get(mxcsr), e.const(rounding)))), () => e.set(settled, this.all(exact())));
    return e.get(settled);
  }
}
