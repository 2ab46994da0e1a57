// SSE, SSE2 and SSE3 floating-point arithmetic and comparisons for ordinary operands in WebAssembly's arithmetic. Operands that are NaNs or
// denormal, results that could overflow or underflow, and exceptions that MXCSR does not hold yet are the helpers' (cpu/sse-float.ts).
// Not the rows (sse-float-rows.ts). SDM vol. 2; vol. 1, 11.5.

import type { Local } from '../wasm/code.ts';
import type { Emitter, Val } from './emitter.ts';
import { Arithmetic, Comparison, Doubles, type Format, Lanes, Singles } from './float-lanes.ts';
import type { Semantics } from './row.ts';
import { range, source } from './simd-common.ts';

const XOR = 0x51;

/** Destination and source. */
const operands = (e: Emitter, bytes: 4 | 8 | 16): readonly [Local, Local] => {
  const second = source(e, bytes);
  return [e.letVector(e.readVector(0, bytes)), second];
};

/** x + y rounded, and the lanes where that is exact: the error by Knuth's two-sum is zero. */
const sum = (lanes: Lanes, x: Local, y: Local): readonly [Local, () => Val] => {
  const { e } = lanes;
  const { add, sub } = Arithmetic;
  const r = e.letVector(lanes.calculate(add, e.get(x), e.get(y)));
  const exact = (): Val => {
    const part = e.letVector(lanes.calculate(sub, e.get(r), e.get(x)));
    const error = e.letVector(
      lanes.calculate(
        add,
        lanes.calculate(sub, e.get(x), lanes.calculate(sub, e.get(r), e.get(part))),
        lanes.calculate(sub, e.get(y), e.get(part)),
      ),
    );
    return lanes.zero(error);
  };
  return [r, exact];
};
const difference = (lanes: Lanes, x: Local, y: Local): readonly [Local, () => Val] =>
  sum(lanes, x, lanes.e.letVector(lanes.calculate(Arithmetic.neg, lanes.e.get(y))));

/** The sum, if the operands are moderate. */
const writeSum = (lanes: Lanes, x: Local, y: Local, bytes: 4 | 8 | 16, combine = sum): void => {
  const { e } = lanes;
  const [r, exact] = combine(lanes, x, y);
  e.orHelper(e.and(lanes.all(lanes.both(lanes.moderate(x), lanes.moderate(y))), lanes.settled(exact)));
  e.writeVector(0, r, bytes);
};

type Description = (lanes: Lanes, bytes: 4 | 8 | 16) => void;

const add: Description = (lanes, bytes) => {
  const [x, y] = operands(lanes.e, bytes);
  writeSum(lanes, x, y, bytes);
};
const subtract: Description = (lanes, bytes) => {
  const [x, y] = operands(lanes.e, bytes);
  writeSum(lanes, x, y, bytes, difference);
};
const multiply: Description = (lanes, bytes) => {
  const { e } = lanes;
  const [x, y] = operands(e, bytes);
  const r = e.letVector(lanes.calculate(Arithmetic.mul, e.get(x), e.get(y)));
  const exact = (): Val => lanes.short(lanes.either(e.get(x), e.get(y)));
  e.orHelper(e.and(lanes.all(lanes.both(lanes.moderate(x), lanes.moderate(y))), lanes.settled(exact)));
  e.writeVector(0, r, bytes);
};
const divide: Description = (lanes, bytes) => {
  const { e } = lanes;
  const [x, y] = operands(e, bytes);
  const r = e.letVector(lanes.calculate(Arithmetic.div, e.get(x), e.get(y)));
  const exact = (): Val =>
    lanes.both(
      lanes.short(lanes.either(e.get(r), e.get(y))),
      lanes.compare(Comparison.eq, lanes.calculate(Arithmetic.mul, e.get(r), e.get(y)), e.get(x)),
    );
  const inRange = lanes.all(lanes.both(lanes.moderate(x), lanes.within(y, ...lanes.format.moderate)));
  e.orHelper(e.and(inRange, lanes.settled(exact)));
  e.writeVector(0, r, bytes);
};
const root: Description = (lanes, bytes) => {
  const { e } = lanes;
  const x = source(e, bytes);
  const r = e.letVector(lanes.calculate(Arithmetic.sqrt, e.get(x)));
  const exact = (): Val =>
    lanes.both(
      lanes.short(e.get(r)),
      lanes.compare(Comparison.eq, lanes.calculate(Arithmetic.mul, e.get(r), e.get(r)), e.get(x)),
    );
  const inRange = lanes.all(lanes.both(lanes.moderate(x), lanes.compare(Comparison.ge, e.get(x), lanes.splat(0))));
  e.orHelper(e.and(inRange, lanes.settled(exact)));
  e.writeVector(0, r, bytes);
};

const bothOrdinary = (lanes: Lanes, x: Local, y: Local): void =>
  lanes.e.orHelper(lanes.all(lanes.both(lanes.ordinary(x), lanes.ordinary(y))));

/** MIN, MAX: the second operand if both are zeros. WebAssembly's pseudo-minimum and -maximum take the first: the operands change places. */
const extreme =
  (operation: number): Description =>
  (lanes, bytes) => {
    const { e } = lanes;
    const [x, y] = operands(e, bytes);
    bothOrdinary(lanes, x, y);
    e.writeVector(0, e.letVector(lanes.calculate(operation, e.get(y), e.get(x))), bytes);
  };

/** EQ LT LE UNORD, then their negations: without NaNs, UNORD is never. */
const compare: Description = (lanes, bytes) => {
  const { e } = lanes;
  const [x, y] = operands(e, bytes);
  bothOrdinary(lanes, x, y);
  const predicate = e.let(e.read(2));
  const ifBit = (bit: Val): Val => e.simd(0x11, e.mul(e.and(bit, e.const(1)), e.const(-1)));
  // 0 asks for equal, 1 for less, 2 for both.
  const less = lanes.both(
    ifBit(e.xor(e.get(predicate), e.shrU(e.get(predicate), e.const(1)))),
    lanes.compare(Comparison.lt, e.get(x), e.get(y)),
  );
  const equal = lanes.both(
    ifBit(e.xor(e.get(predicate), e.const(1))),
    lanes.compare(Comparison.eq, e.get(x), e.get(y)),
  );
  const negated = e.simd(XOR, lanes.either(less, equal), ifBit(e.shrU(e.get(predicate), e.const(2))));
  e.writeVector(0, e.letVector(negated), bytes);
};

/** An instruction in its four formats. */
export interface FourDescriptions {
  readonly ps: Semantics;
  readonly pd: Semantics;
  readonly ss: Semantics;
  readonly sd: Semantics;
}
const four = (description: Description): FourDescriptions => ({
  ps: (e) => description(new Lanes(e, Singles, 4), 16),
  pd: (e) => description(new Lanes(e, Doubles, 2), 16),
  ss: (e) => description(new Lanes(e, Singles, 1), 4),
  sd: (e) => description(new Lanes(e, Doubles, 1), 8),
});
export const addSemantics = four(add);
export const subtractSemantics = four(subtract);
export const multiplySemantics = four(multiply);
export const divideSemantics = four(divide);
export const rootSemantics = four(root);
export const minimumSemantics = four(extreme(Arithmetic.pmin));
export const maximumSemantics = four(extreme(Arithmetic.pmax));
export const compareSemantics = four(compare);

/** COMISS, COMISD, UCOMISS, UCOMISD: they differ in NaNs only. */
export const orderSemantics =
  (format: Format): Semantics =>
  (e) => {
    const lanes = new Lanes(e, format, 1);
    const [x, y] = operands(e, format.bytes);
    bothOrdinary(lanes, x, y);
    const cf = e.let(lanes.all(lanes.compare(Comparison.lt, e.get(x), e.get(y))));
    const zf = e.let(lanes.all(lanes.compare(Comparison.eq, e.get(x), e.get(y))));
    e.flagsCarryZero(cf, zf);
  };

const packed = (e: Emitter, format: Format): Lanes => new Lanes(e, format, 16 / format.bytes);

/** ADDSUBPS, ADDSUBPD: a sum with the sign of the source's even elements changed. */
export const addSubtractSemantics =
  (format: Format): Semantics =>
  (e) => {
    const [x, y] = operands(e, 16);
    const { bytes } = format;
    const signs = e.constVector(range(16, (i) => (i % (2 * bytes) === bytes - 1 ? 0x80 : 0)));
    writeSum(packed(e, format), x, e.letVector(e.simd(XOR, signs, e.get(y))), 16);
  };
/** HADD, HSUB: neighbours of the destination give the low half, of the source the high half. */
export const horizontalSemantics =
  (operation: 'add' | 'subtract', format: Format): Semantics =>
  (e) => {
    const [x, y] = operands(e, 16);
    const { bytes } = format;
    const every = (first: number): Local =>
      e.letVector(
        e.shuffle(
          e.get(x),
          e.get(y),
          range(16, (i) => Math.floor(i / bytes) * 2 * bytes + first + (i % bytes)),
        ),
      );
    const even = every(0);
    const odd = every(bytes);
    writeSum(packed(e, format), even, odd, 16, operation === 'add' ? sum : difference);
  };
