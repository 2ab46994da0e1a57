// SSE and SSE2 conversions and the reciprocal approximations for ordinary operands in WebAssembly's arithmetic; those from integers to double
// are exact and complete. All other cases are the helpers' (cpu/sse-convert.ts), and so are those with an MMX operand.
// Not the rows (sse-float-rows.ts). SDM vol. 2, CVT*, RCPPS, RSQRTPS.

import type { Local } from '../wasm/code.ts';
import type { Emitter, Val } from './emitter.ts';
import { Arithmetic, Comparison, Doubles, type Format, Lanes, Singles } from './float-lanes.ts';
import type { Semantics } from './row.ts';
import { range, source } from './simd-common.ts';

/** Opcodes that name both formats. */
const PROMOTE_LOW = 0x5f,
  DEMOTE_ZERO = 0x5e,
  SINGLES_FROM_INTEGERS = 0xfa,
  DOUBLES_FROM_LOW_INTEGERS = 0xfe,
  INTEGERS_FROM_SINGLES = 0xf8,
  INTEGERS_FROM_DOUBLES = 0xfc,
  SPLAT_INTEGER = 0x11;

// ---- between single and double ------------------------------------------------------------------------------------------

/** CVTSS2SD (1), CVTPS2PD (2): exact. */
export const toDoubles =
  (count: 1 | 2): Semantics =>
  (e) => {
    const lanes = new Lanes(e, Singles, count);
    const x = source(e, count === 1 ? 4 : 8);
    e.orHelper(lanes.all(lanes.ordinary(x)));
    e.writeVector(0, e.letVector(e.simd(PROMOTE_LOW, e.get(x))), count === 1 ? 8 : 16);
  };
/** CVTSD2SS (1), CVTPD2PS (2). */
export const toSingles =
  (count: 1 | 2): Semantics =>
  (e) => {
    const lanes = new Lanes(e, Doubles, count);
    const x = source(e, count === 1 ? 8 : 16);
    const r = e.letVector(e.simd(DEMOTE_ZERO, e.get(x)));
    const exact = (): Val => lanes.compare(Comparison.eq, e.simd(PROMOTE_LOW, e.get(r)), e.get(x));
    e.orHelper(e.and(lanes.all(lanes.withinOrZero(x, 2 ** -125, 2 ** 127)), lanes.settled(exact)));
    e.writeVector(0, r, count === 1 ? 4 : 16);
  };

// ---- from integers ------------------------------------------------------------------------------------------------------

/** Integers below 2^24 in magnitude are exact. */
const writeSingles = (e: Emitter, x: Local, count: 1 | 4): void => {
  const lanes = new Lanes(e, Singles, count);
  const exact = (): Val => e.simd(0x3a, e.simd(0xae, e.get(x), lanes.splatBits(1n << 24n)), lanes.splatBits(1n << 25n));
  e.orHelper(lanes.settled(exact));
  e.writeVector(0, e.letVector(e.simd(SINGLES_FROM_INTEGERS, e.get(x))), count === 1 ? 4 : 16);
};
const splatGeneral = (e: Emitter): Local => e.letVector(e.simd(SPLAT_INTEGER, e.read(1)));
export const cvtdq2psSemantics: Semantics = (e) => writeSingles(e, source(e, 16), 4);
export const cvtsi2ssSemantics: Semantics = (e) => writeSingles(e, splatGeneral(e), 1);
export const cvtdq2pdSemantics: Semantics = (e) =>
  e.writeVector(0, e.letVector(e.simd(DOUBLES_FROM_LOW_INTEGERS, e.readVector(1, 8))), 16);
export const cvtsi2sdSemantics: Semantics = (e) =>
  e.writeVector(0, e.letVector(e.simd(DOUBLES_FROM_LOW_INTEGERS, e.get(splatGeneral(e)))), 8);

// ---- to integers --------------------------------------------------------------------------------------------------------

/** `count` integers, the other lanes zero. */
const toIntegers = (e: Emitter, format: Format, truncating: boolean, count: 1 | 2 | 4): Local => {
  const lanes = new Lanes(e, format, count);
  const x = source(e, (count * format.bytes) as 4 | 8 | 16);
  const whole = e.letVector(e.simd(truncating ? format.trunc : format.nearest, e.get(x)));
  const exact = (): Val => lanes.compare(Comparison.eq, e.get(whole), e.get(x));
  const inRange = lanes.all(
    lanes.both(
      lanes.compare(Comparison.ge, e.get(whole), lanes.splat(-(2 ** 31))),
      lanes.compare(Comparison.lt, e.get(whole), lanes.splat(2 ** 31)),
    ),
  );
  e.orHelper(e.and(inRange, lanes.settled(exact, truncating)));
  return e.letVector(e.simd(format.bytes === 4 ? INTEGERS_FROM_SINGLES : INTEGERS_FROM_DOUBLES, e.get(whole)));
};
export const toPackedIntegers =
  (format: Format, truncating: boolean): Semantics =>
  (e) =>
    e.writeVector(0, toIntegers(e, format, truncating, format.bytes === 4 ? 4 : 2), 16);
export const toGeneralRegister =
  (format: Format, truncating: boolean): Semantics =>
  (e) =>
    e.write(0, e.let(e.lane(0x1b, 0, e.get(toIntegers(e, format, truncating, 1)))));

// ---- approximations -----------------------------------------------------------------------------------------------------

/** Rounded as a single from a normal result, as the helper has it. They raise no exception. */
export const reciprocalSemantics =
  (count: 1 | 4): Semantics =>
  (e) => {
    const lanes = new Lanes(e, Singles, count);
    const x = source(e, (count * 4) as 4 | 16);
    e.orHelper(lanes.all(lanes.within(x, Singles.leastNormal, 2 ** 125)));
    e.writeVector(0, e.letVector(lanes.calculate(Arithmetic.div, lanes.splat(1), e.get(x))), (count * 4) as 4 | 16);
  };
/** By doubles: two roundings of singles would not give the helper's one. */
export const reciprocalRootSemantics =
  (count: 1 | 4): Semantics =>
  (e) => {
    const lanes = new Lanes(e, Singles, count);
    const doubles = new Lanes(e, Doubles, 2);
    const x = source(e, (count * 4) as 4 | 16);
    const positive = lanes.compare(Comparison.ge, e.get(x), lanes.splat(Singles.leastNormal));
    e.orHelper(lanes.all(lanes.both(positive, lanes.compare(Comparison.lt, e.get(x), lanes.splat(Infinity)))));
    const half = (singles: Local): Local =>
      e.letVector(
        e.simd(
          DEMOTE_ZERO,
          doubles.calculate(
            Arithmetic.div,
            doubles.splat(1),
            doubles.calculate(Arithmetic.sqrt, e.simd(PROMOTE_LOW, e.get(singles))),
          ),
        ),
      );
    const low = half(x);
    if (count === 1) return e.writeVector(0, low, 4);
    const upper = range(16, (i) => 8 + (i & 7));
    const high = half(e.letVector(e.shuffle(e.get(x), e.get(x), upper)));
    const joined = range(16, (i) => (i < 8 ? i : i + 8));
    e.writeVector(0, e.letVector(e.shuffle(e.get(low), e.get(high), joined)), 16);
  };
