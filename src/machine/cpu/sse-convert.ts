// SSE and SSE2 conversions between single, double and integers in XMM, MMX and general registers; the reciprocal approximations.
// Not arithmetic (sse-float.ts). SDM vol. 2, CVT*, RCPPS, RSQRTPS.
//
// CVTPI2PS with a memory source: Intel's manual has it change from x87 to MMX, the processors do not, as with CVTPI2PD. Here neither changes
// (docs/floating-point.md). Where there is a change, it comes before #XM.

import type { Cpu, Helper, Operands } from './cpu.ts';
import { convert, Double, type Layout, Mxcsr, roundNarrow, roundingOf, Single } from './narrow-float.ts';
import { operandSource } from './operand-memory.ts';
import { enterMmx, mayUseMmx, mmxAddress, report, RESULT, source, store, storeMmx, xmmAddress } from './sse-frame.ts';
import { readBits, writeResult } from './sse-float.ts';
import { type CpuState, StateLayout } from './state.ts';
import { Exception, Rounding } from './x87/float80.ts';

/** Converts the element at `from` into `to`; returns the exceptions. */
type Conversion = (s: CpuState, from: number, to: number, mxcsr: number) => number;

// ---- between single and double ------------------------------------------------------------------------------------------

/** Singles of this magnitude and more are safely normal. */
const SAFE_SINGLE = 2 ** -125;
const toDouble: Conversion = (s, from, to, mxcsr) => {
  const value = s.view.getFloat32(from, true);
  if (Math.abs(value) >= SAFE_SINGLE || value === 0) {
    s.view.setFloat64(to, value, true);
    return 0;
  }
  return writeResult(s, to, convert(readBits(s, from, Single), Single, Double, mxcsr), Double);
};
const toSingle: Conversion = (s, from, to, mxcsr) => {
  const value = s.view.getFloat64(from, true);
  const rounded = Math.fround(value);
  const magnitude = Math.abs(rounded);
  if ((magnitude >= SAFE_SINGLE && magnitude !== Infinity && roundingOf(mxcsr) === Rounding.nearest) || value === 0) {
    s.view.setFloat32(to, rounded, true);
    return rounded === value ? 0 : Exception.PE;
  }
  return writeResult(s, to, convert(readBits(s, from, Double), Double, Single, mxcsr), Single);
};

// ---- from integers ------------------------------------------------------------------------------------------------------

const integerToDouble: Conversion = (s, from, to) => {
  s.view.setFloat64(to, s.view.getInt32(from, true), true);
  return 0;
};
const integerToSingle: Conversion = (s, from, to, mxcsr) => {
  const value = s.view.getInt32(from, true);
  const rounded = Math.fround(value);
  if (rounded === value || roundingOf(mxcsr) === Rounding.nearest) {
    s.view.setFloat32(to, rounded, true);
    return rounded === value ? 0 : Exception.PE;
  }
  return writeResult(s, to, roundNarrow(value < 0 ? 1 : 0, BigInt(Math.abs(value)), 0, false, Single, mxcsr), Single);
};

// ---- to integers --------------------------------------------------------------------------------------------------------

const INTEGER_INDEFINITE = -0x80000000;
const nearestEven = (value: number): number => {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest !== 0.5) return rest < 0.5 ? below : below + 1;
  return below % 2 === 0 ? below : below + 1;
};
const roundTo = (value: number, rounding: number): number => {
  switch (rounding) {
    case Rounding.nearest:
      return nearestEven(value);
    case Rounding.down:
      return Math.floor(value);
    case Rounding.up:
      return Math.ceil(value);
    default:
      return Math.trunc(value);
  }
};
/** The rule is exact for doubles, and every single is one. Denormals raise PE only. */
const toInteger =
  (f: Layout, truncating: boolean): Conversion =>
  (s, from, to, mxcsr) => {
    let value = f.bytes === 4 ? s.view.getFloat32(from, true) : s.view.getFloat64(from, true);
    if (mxcsr & Mxcsr.DAZ && Math.abs(value) < 2 ** (1 - f.bias)) value = 0;
    const rounded = roundTo(value, truncating ? Rounding.zero : roundingOf(mxcsr));
    // Written so that a NaN does not pass.
    if (!(rounded >= -0x80000000 && rounded <= 0x7fffffff)) {
      s.view.setInt32(to, INTEGER_INDEFINITE, true);
      return Exception.IE;
    }
    s.view.setInt32(to, rounded, true);
    return rounded === value ? 0 : Exception.PE;
  };

// ---- instructions -------------------------------------------------------------------------------------------------------

/** Gathers `count` converted elements in RESULT. Returns the exceptions. */
const gather = (
  s: CpuState,
  conversion: Conversion,
  count: number,
  from: number,
  fromBytes: number,
  toBytes: number,
): number => {
  const mxcsr = s.get(StateLayout.mxcsr);
  let flags = 0;
  for (let i = 0; i < count; i++) flags |= conversion(s, from + i * fromBytes, RESULT + i * toBytes, mxcsr);
  return flags;
};
const clearHighResult = (s: CpuState): void => {
  s.u8.fill(0, RESULT + 8, RESULT + 16);
};
/** `count` elements into an XMM register: fewer than 16 bytes of a packed result leave the rest zero, of a scalar one as it is. */
const intoXmm =
  (conversion: Conversion, count: number, fromBytes: number, toBytes: number): Helper =>
  (cpu, op) => {
    const from = source(cpu, op, count * fromBytes);
    if (from === 0) return false;
    if (count > 1) clearHighResult(cpu.s);
    const flags = gather(cpu.s, conversion, count, from, fromBytes, toBytes);
    return report(cpu, flags) && store(cpu, xmmAddress(op.reg), count > 1 ? 16 : toBytes);
  };
export const cvtps2pd = intoXmm(toDouble, 2, 4, 8);
export const cvtss2sd = intoXmm(toDouble, 1, 4, 8);
export const cvtpd2ps = intoXmm(toSingle, 2, 8, 4);
export const cvtsd2ss = intoXmm(toSingle, 1, 8, 4);
export const cvtdq2ps = intoXmm(integerToSingle, 4, 4, 4);
export const cvtps2dq = intoXmm(toInteger(Single, false), 4, 4, 4);
export const cvttps2dq = intoXmm(toInteger(Single, true), 4, 4, 4);
export const cvtpd2dq = intoXmm(toInteger(Double, false), 2, 8, 4);
export const cvttpd2dq = intoXmm(toInteger(Double, true), 2, 8, 4);

/** From a general register or 32 bits of memory. */
export const cvtsi2ss: Helper = (cpu, op) => {
  const from = op.memory ? operandSource(cpu, op, 4) : StateLayout.gpr + op.rm * 8;
  if (from === 0) return false;
  return report(cpu, gather(cpu.s, integerToSingle, 1, from, 4, 4)) && store(cpu, xmmAddress(op.reg), 4);
};

const toGeneral = (f: Layout, truncating: boolean): Helper => {
  const conversion = toInteger(f, truncating);
  return (cpu, op) => {
    const from = source(cpu, op, f.bytes);
    if (from === 0 || !report(cpu, gather(cpu.s, conversion, 1, from, f.bytes, 4))) return false;
    cpu.s.setGpr(op.reg, cpu.s.view.getInt32(RESULT, true));
    return true;
  };
};
export const cvtss2si = toGeneral(Single, false);
export const cvttss2si = toGeneral(Single, true);
export const cvtsd2si = toGeneral(Double, false);
export const cvttsd2si = toGeneral(Double, true);

/** Two integers from an MMX register or memory; only the register makes it an MMX instruction. */
const fromMmx =
  (conversion: Conversion, toBytes: number): Helper =>
  (cpu, op) => {
    const from = mmxSource(cpu, op);
    if (from === 0) return false;
    if (!op.memory) enterMmx(cpu);
    return report(cpu, gather(cpu.s, conversion, 2, from, 4, toBytes)) && store(cpu, xmmAddress(op.reg), 2 * toBytes);
  };
const mmxSource = (cpu: Cpu, op: Operands): number => {
  if (op.memory) return operandSource(cpu, op, 8);
  return mayUseMmx(cpu) ? mmxAddress(op.rm) : 0;
};
export const cvtpi2ps = fromMmx(integerToSingle, 4);
export const cvtpi2pd = fromMmx(integerToDouble, 8);

const toMmx = (f: Layout, truncating: boolean): Helper => {
  const conversion = toInteger(f, truncating);
  return (cpu, op) => {
    if (!mayUseMmx(cpu)) return false;
    const from = source(cpu, op, 2 * f.bytes);
    if (from === 0) return false;
    enterMmx(cpu);
    return report(cpu, gather(cpu.s, conversion, 2, from, f.bytes, 4)) && storeMmx(cpu, op.reg);
  };
};
export const cvtps2pi = toMmx(Single, false);
export const cvttps2pi = toMmx(Single, true);
export const cvtpd2pi = toMmx(Double, false);
export const cvttpd2pi = toMmx(Double, true);

// ---- approximations -----------------------------------------------------------------------------------------------------

const QUIET_SINGLE = 0x400000;
const INFINITY_SINGLE = 0x7f800000;
const INDEFINITE_SINGLE = 0xffc00000 | 0;
/** Rounded as a single, which the manual's bound of 1.5 * 2^-12 allows: no processor's table can be further away than that bound. Neither raises an exception; denormals count as zeros, and a result that would be denormal is zero. */
const reciprocal: Conversion = (s, from, to) => {
  const bits = s.view.getInt32(from, true);
  const sign = bits & 0x80000000;
  const exponent = (bits >>> 23) & 0xff;
  if (exponent === 0xff) s.view.setInt32(to, bits & 0x7fffff ? bits | QUIET_SINGLE : sign, true);
  else if (exponent === 0) s.view.setInt32(to, sign | INFINITY_SINGLE, true);
  else if (exponent >= 253)
    s.view.setInt32(to, exponent === 253 && (bits & 0x7fffff) === 0 ? sign | 0x800000 : sign, true);
  else s.view.setFloat32(to, 1 / s.view.getFloat32(from, true), true);
  return 0;
};
const reciprocalRoot: Conversion = (s, from, to) => {
  const bits = s.view.getInt32(from, true);
  const exponent = (bits >>> 23) & 0xff;
  if (exponent === 0xff && bits & 0x7fffff) s.view.setInt32(to, bits | QUIET_SINGLE, true);
  else if (exponent === 0) s.view.setInt32(to, (bits & 0x80000000) | INFINITY_SINGLE, true);
  else if (bits < 0) s.view.setInt32(to, INDEFINITE_SINGLE, true);
  else if (exponent === 0xff) s.view.setInt32(to, 0, true);
  else s.view.setFloat32(to, 1 / Math.sqrt(s.view.getFloat32(from, true)), true);
  return 0;
};
export const rcpps = intoXmm(reciprocal, 4, 4, 4);
export const rcpss = intoXmm(reciprocal, 1, 4, 4);
export const rsqrtps = intoXmm(reciprocalRoot, 4, 4, 4);
export const rsqrtss = intoXmm(reciprocalRoot, 1, 4, 4);
