// SSE, SSE2 and SSE3 floating-point arithmetic and comparisons. Ordinary operands with rounding to nearest go by JavaScript's doubles,
// whose results are the same and whose inexactness error-free transformations show; all else by narrow-float.ts.
// Most ordinary cases do not even come here (isa/sse-arithmetic.ts). Not conversions (sse-convert.ts). SDM vol. 2; vol. 1, 11.5.
//
// MIN, MAX: as the manual says, the second operand if either is a NaN or both are zeros.

import type { Helper, Operands } from './cpu.ts';
import {
  Double,
  flushed,
  isDenormalBits,
  isSignalingBits,
  type Layout,
  Mxcsr,
  operate,
  type Operation,
  type Result,
  root,
  roundingOf,
  Single,
} from './narrow-float.ts';
import { productError, sumError } from './rounding-error.ts';
import { report, RESULT, source, store, xmmAddress } from './sse-frame.ts';
import { ARITHMETIC_FLAGS, type CpuState, Flag, StateLayout } from './state.ts';
import { Exception } from './x87/float80.ts';

/**
 * One element: operands at addresses `a` and `b`, the result goes to address `to`. Returns the exceptions. Without an exception
 * unmasked the result counts.
 */
type Element = (s: CpuState, a: number, b: number, to: number, mxcsr: number) => number;

export const readBits = (s: CpuState, at: number, f: Layout): bigint =>
  f.bytes === 4 ? BigInt(s.view.getUint32(at, true)) : s.view.getBigUint64(at, true);
export const writeBits = (s: CpuState, at: number, bits: bigint, f: Layout): void => {
  if (f.bytes === 4) s.view.setUint32(at, Number(bits), true);
  else s.view.setBigUint64(at, bits, true);
};
export const writeResult = (s: CpuState, to: number, result: Result, f: Layout): number => {
  writeBits(s, to, result.bits, f);
  return result.flags;
};

// ---- the short way ------------------------------------------------------------------------------------------------------

/** Zero or a normal number? */
const ordinarySingle = (bits: number): boolean => {
  const exponent = (bits >>> 23) & 0xff;
  return (exponent !== 0 && exponent !== 0xff) || (bits & 0x7fffffff) === 0;
};
/** Zero, or a magnitude from 2^-400 to 2^400: products and quotients of two keep all their error terms. By the high word. */
const moderateDouble = (high: number, low: number): boolean => {
  const exponent = (high >>> 20) & 0x7ff;
  return (exponent > 623 && exponent < 1423) || ((high & 0x7fffffff) | low) === 0;
};
/** Singles from here on are neither denormal nor rounded to the least normal. */
const SAFE_SINGLE = 2 ** -125;

const sumIsExact = (a: number, b: number, sum: number): boolean => sumError(a, b, sum) === 0;
/** Is x * y exactly p? */
const productIs = (x: number, y: number, p: number): boolean => x * y === p && productError(x, y, p) === 0;

/** Writes a single rounded from `value`, exact or wrong by less than a double's rounding. -1: not safely normal. */
const writeSingle = (s: CpuState, to: number, value: number, valueExact: boolean): number => {
  const rounded = Math.fround(value);
  const magnitude = Math.abs(rounded);
  if (!(magnitude >= SAFE_SINGLE && magnitude !== Infinity) && value !== 0) return -1;
  s.view.setFloat32(to, rounded, true);
  return valueExact && rounded === value ? 0 : Exception.PE;
};
const shortSingle = (operation: Operation, s: CpuState, a: number, b: number, to: number): number => {
  const x = s.view.getFloat32(a, true);
  const y = s.view.getFloat32(b, true);
  switch (operation) {
    case 'add':
      return writeSingle(s, to, x + y, sumIsExact(x, y, x + y));
    case 'subtract':
      return writeSingle(s, to, x - y, sumIsExact(x, -y, x - y));
    case 'multiply':
      return writeSingle(s, to, x * y, true);
    case 'divide': {
      if (y === 0) return -1;
      const quotient = x / y;
      // Twenty-four bits times twenty-four are exact in a double.
      return writeSingle(s, to, quotient, Math.fround(quotient) * y === x);
    }
  }
};
const shortDouble = (operation: Operation, s: CpuState, a: number, b: number, to: number): number => {
  const x = s.view.getFloat64(a, true);
  const y = s.view.getFloat64(b, true);
  let value: number;
  let isExact: boolean;
  switch (operation) {
    case 'add':
      value = x + y;
      isExact = sumIsExact(x, y, value);
      break;
    case 'subtract':
      value = x - y;
      isExact = sumIsExact(x, -y, value);
      break;
    case 'multiply':
      value = x * y;
      isExact = productIs(x, y, value);
      break;
    case 'divide':
      if (y === 0) return -1;
      value = x / y;
      isExact = productIs(value, y, x);
      break;
  }
  s.view.setFloat64(to, value, true);
  return isExact ? 0 : Exception.PE;
};

const arithmeticElement = (operation: Operation, f: Layout): Element => {
  const long: Element = (s, a, b, to, mxcsr) =>
    writeResult(s, to, operate(operation, readBits(s, a, f), readBits(s, b, f), f, mxcsr), f);
  if (f.bytes === 4)
    return (s, a, b, to, mxcsr) => {
      if (
        roundingOf(mxcsr) === 0 &&
        ordinarySingle(s.view.getInt32(a, true)) &&
        ordinarySingle(s.view.getInt32(b, true))
      ) {
        const flags = shortSingle(operation, s, a, b, to);
        if (flags >= 0) return flags;
      }
      return long(s, a, b, to, mxcsr);
    };
  return (s, a, b, to, mxcsr) => {
    const view = s.view;
    if (
      roundingOf(mxcsr) === 0 &&
      moderateDouble(view.getInt32(a + 4, true), view.getInt32(a, true)) &&
      moderateDouble(view.getInt32(b + 4, true), view.getInt32(b, true))
    ) {
      const flags = shortDouble(operation, s, a, b, to);
      if (flags >= 0) return flags;
    }
    return long(s, a, b, to, mxcsr);
  };
};

const rootElement =
  (f: Layout): Element =>
  (s, _a, b, to, mxcsr) => {
    const view = s.view;
    if (roundingOf(mxcsr) === 0) {
      if (f.bytes === 4 && ordinarySingle(view.getInt32(b, true))) {
        const x = view.getFloat32(b, true);
        const value = Math.sqrt(x);
        const rounded = Math.fround(value);
        if (x >= 0) return writeSingle(s, to, value, rounded * rounded === x);
      } else if (f.bytes === 8 && moderateDouble(view.getInt32(b + 4, true), view.getInt32(b, true))) {
        const x = view.getFloat64(b, true);
        const value = Math.sqrt(x);
        if (x >= 0) {
          view.setFloat64(to, value, true);
          return productIs(value, value, x) ? 0 : Exception.PE;
        }
      }
    }
    return writeResult(s, to, root(readBits(s, b, f), f, mxcsr), f);
  };

/** Value of bits that are no NaN; the comparison of doubles is exact for both formats. */
const valueAt = (s: CpuState, at: number, f: Layout, mxcsr: number): number => {
  if (mxcsr & Mxcsr.DAZ && isDenormalBits(readBits(s, at, f), f)) return 0;
  return f.bytes === 4 ? s.view.getFloat32(at, true) : s.view.getFloat64(at, true);
};
const isNanAt = (s: CpuState, at: number, f: Layout): boolean =>
  Number.isNaN(f.bytes === 4 ? s.view.getFloat32(at, true) : s.view.getFloat64(at, true));
/** DE of either operand, unless denormals are zeros. */
const denormals = (s: CpuState, a: number, b: number, f: Layout, mxcsr: number): number =>
  (mxcsr & Mxcsr.DAZ) === 0 && (isDenormalBits(readBits(s, a, f), f) || isDenormalBits(readBits(s, b, f), f))
    ? Exception.DE
    : 0;

const extremeElement =
  (greatest: boolean, f: Layout): Element =>
  (s, a, b, to, mxcsr) => {
    if (isNanAt(s, a, f) || isNanAt(s, b, f)) {
      writeBits(s, to, flushed(readBits(s, b, f), f, mxcsr), f);
      return Exception.IE;
    }
    const x = valueAt(s, a, f, mxcsr);
    const y = valueAt(s, b, f, mxcsr);
    const first = greatest ? x > y : x < y;
    writeBits(s, to, flushed(readBits(s, first ? a : b, f), f, mxcsr), f);
    return denormals(s, a, b, f, mxcsr);
  };

/** EQ LT LE UNORD NEQ NLT NLE ORD: the last four negate the first. LT and LE raise IE for quiet NaNs too. */
const compareElement =
  (predicate: number, f: Layout): Element =>
  (s, a, b, to, mxcsr) => {
    let holds: boolean;
    let flags: number;
    if (isNanAt(s, a, f) || isNanAt(s, b, f)) {
      holds = (predicate & 3) === 3;
      flags = signals(s, a, b, f, (predicate & 3) === 1 || (predicate & 3) === 2) ? Exception.IE : 0;
    } else {
      const x = valueAt(s, a, f, mxcsr);
      const y = valueAt(s, b, f, mxcsr);
      const kind = predicate & 3;
      holds = kind === 0 ? x === y : kind === 1 ? x < y : kind === 2 ? x <= y : false;
      flags = denormals(s, a, b, f, mxcsr);
    }
    const mask = holds !== ((predicate & 4) !== 0) ? -1 : 0;
    s.view.setInt32(to, mask, true);
    if (f.bytes === 8) s.view.setInt32(to + 4, mask, true);
    return flags;
  };
/** Does a NaN among the operands raise IE? `quietToo`: a quiet one does. */
const signals = (s: CpuState, a: number, b: number, f: Layout, quietToo: boolean): boolean =>
  quietToo || isSignalingBits(readBits(s, a, f), f) || isSignalingBits(readBits(s, b, f), f);

// ---- instructions -------------------------------------------------------------------------------------------------------

/** The packed or scalar form: the element operation over 16 bytes or one element. */
const vectorForm = (choose: (op: Operands) => Element, f: Layout, scalar: boolean): Helper => {
  const bytes = scalar ? f.bytes : 16;
  return (cpu, op) => {
    const from = source(cpu, op, bytes);
    if (from === 0) return false;
    const s = cpu.s;
    const to = xmmAddress(op.reg);
    const mxcsr = s.get(StateLayout.mxcsr);
    const element = choose(op);
    let flags = 0;
    for (let i = 0; i < bytes; i += f.bytes) flags |= element(s, to + i, from + i, RESULT + i, mxcsr);
    return report(cpu, flags) && store(cpu, to, bytes);
  };
};
/** An instruction in its four formats. */
export interface FourForms {
  readonly ps: Helper;
  readonly pd: Helper;
  readonly ss: Helper;
  readonly sd: Helper;
}
const fourForms = (element: (f: Layout) => (op: Operands) => Element): FourForms => ({
  ps: vectorForm(element(Single), Single, false),
  pd: vectorForm(element(Double), Double, false),
  ss: vectorForm(element(Single), Single, true),
  sd: vectorForm(element(Double), Double, true),
});
const fixed =
  (make: (f: Layout) => Element) =>
  (f: Layout): ((op: Operands) => Element) => {
    const element = make(f);
    return () => element;
  };
export const addForms = fourForms(fixed((f) => arithmeticElement('add', f)));
export const subtractForms = fourForms(fixed((f) => arithmeticElement('subtract', f)));
export const multiplyForms = fourForms(fixed((f) => arithmeticElement('multiply', f)));
export const divideForms = fourForms(fixed((f) => arithmeticElement('divide', f)));
export const rootForms = fourForms(fixed(rootElement));
export const minimumForms = fourForms(fixed((f) => extremeElement(false, f)));
export const maximumForms = fourForms(fixed((f) => extremeElement(true, f)));
export const compareForms = fourForms((f) => {
  const predicates = Array.from({ length: 8 }, (_, predicate) => compareElement(predicate, f));
  return (op) => predicates[op.imm & 7]!;
});

/** COMISS, COMISD, UCOMISS, UCOMISD: ZF, PF, CF; OF, SF and AF become 0. */
export const compareToFlags =
  (f: Layout, quietly: boolean): Helper =>
  (cpu, op) => {
    const from = source(cpu, op, f.bytes);
    if (from === 0) return false;
    const s = cpu.s;
    const to = xmmAddress(op.reg);
    const mxcsr = s.get(StateLayout.mxcsr);
    let flags: number;
    let relation: number = Flag.ZF | Flag.PF | Flag.CF;
    if (isNanAt(s, to, f) || isNanAt(s, from, f)) flags = signals(s, to, from, f, !quietly) ? Exception.IE : 0;
    else {
      const x = valueAt(s, to, f, mxcsr);
      const y = valueAt(s, from, f, mxcsr);
      flags = denormals(s, to, from, f, mxcsr);
      relation = x > y ? 0 : x < y ? Flag.CF : Flag.ZF;
    }
    if (!report(cpu, flags)) return false;
    s.eflags = (s.eflags & ~ARITHMETIC_FLAGS) | relation;
    return true;
  };

/** ADDSUBPS, ADDSUBPD: subtracts in even elements, adds in odd ones. */
export const addSubtract = (f: Layout): Helper => {
  const add = arithmeticElement('add', f);
  const subtract = arithmeticElement('subtract', f);
  return (cpu, op) => {
    const from = source(cpu, op, 16);
    if (from === 0) return false;
    const s = cpu.s;
    const to = xmmAddress(op.reg);
    const mxcsr = s.get(StateLayout.mxcsr);
    let flags = 0;
    for (let i = 0; i < 16; i += f.bytes)
      flags |= ((i / f.bytes) & 1 ? add : subtract)(s, to + i, from + i, RESULT + i, mxcsr);
    return report(cpu, flags) && store(cpu, to, 16);
  };
};
/** HADD, HSUB: neighbours of the destination give the low half, of the source the high half. */
export const horizontal = (operation: 'add' | 'subtract', f: Layout): Helper => {
  const element = arithmeticElement(operation, f);
  return (cpu, op) => {
    const from = source(cpu, op, 16);
    if (from === 0) return false;
    const s = cpu.s;
    const to = xmmAddress(op.reg);
    const mxcsr = s.get(StateLayout.mxcsr);
    let flags = 0;
    for (let i = 0; i < 8; i += f.bytes) {
      flags |= element(s, to + 2 * i, to + 2 * i + f.bytes, RESULT + i, mxcsr);
      flags |= element(s, from + 2 * i, from + 2 * i + f.bytes, RESULT + 8 + i, mxcsr);
    }
    return report(cpu, flags) && store(cpu, to, 16);
  };
};
