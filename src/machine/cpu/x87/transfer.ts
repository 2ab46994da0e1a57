// x87 data movement: loads and stores of every memory format, exchange, conditional moves, constants, tags and TOP.
// Not arithmetic. SDM vol. 1, 8.3.3 and 8.3.4.
//
// As AMD's processors do: a load that finds an unmasked denormal pushes it; FFREE clears C1; FCMOV leaves C1 alone.

import type { Helper } from '../cpu.ts';
import { commitOperand, operandDestination, operandSource } from '../operand-memory.ts';
import { type CpuState, Flag } from '../state.ts';
import {
  DOUBLE,
  Exception,
  f80,
  type Float80,
  fromInteger,
  fromNarrow,
  INDEFINITE,
  isInfinity,
  isNan,
  isSignaling,
  isUnsupported,
  type NarrowFormat,
  quiet,
  round,
  Rounding,
  SINGLE,
  toInteger,
  toNarrow,
} from './float80.ts';
import * as unit from './unit.ts';

// ---- loads --------------------------------------------------------------------------------------------------------------

/** A value pushed after its load found `exceptions`. */
const pushLoaded = (s: CpuState, value: Float80, exceptions: number): void => {
  if (!unit.roomToPush(s)) return;
  unit.setC1(s, false);
  // An unmasked denormal does not hold the push back; an unmasked invalid operation does.
  if (unit.signal(s, exceptions) && exceptions & Exception.IE) return;
  unit.push(s, value);
};
const loadNarrow = (format: NarrowFormat, bytes: 4 | 8): Helper =>
  unit.computing((cpu, op) => {
    const at = operandSource(cpu, op, bytes);
    if (at === 0) return false;
    const bits = bytes === 4 ? BigInt(cpu.s.view.getUint32(at, true)) : cpu.s.view.getBigUint64(at, true);
    const { value, denormal } = fromNarrow(bits, format);
    if (isSignaling(value)) pushLoaded(cpu.s, quiet(value), Exception.IE);
    else pushLoaded(cpu.s, value, denormal ? Exception.DE : 0);
    return true;
  });
export const fldSingle = loadNarrow(SINGLE, 4);
export const fldDouble = loadNarrow(DOUBLE, 8);
export const fldExtended: Helper = unit.computing((cpu, op) => {
  const at = operandSource(cpu, op, 10);
  if (at === 0) return false;
  pushLoaded(cpu.s, unit.readImage(cpu.s, at), 0);
  return true;
});
export const fildInteger = (bytes: 2 | 4 | 8): Helper =>
  unit.computing((cpu, op) => {
    const at = operandSource(cpu, op, bytes);
    if (at === 0) return false;
    pushLoaded(cpu.s, fromInteger(readInteger(cpu.s, at, bytes)), 0);
    return true;
  });
const readInteger = (s: CpuState, at: number, bytes: 2 | 4 | 8): bigint =>
  bytes === 8
    ? s.view.getBigInt64(at, true)
    : BigInt(bytes === 4 ? s.view.getInt32(at, true) : s.view.getInt16(at, true));

/** Eighteen packed decimal digits and a sign; digits above 9 count as they are (undefined by the manual). */
export const fbld: Helper = unit.computing((cpu, op) => {
  const at = operandSource(cpu, op, 10);
  if (at === 0) return false;
  const u8 = cpu.s.u8;
  let value = 0n;
  for (let i = 8; i >= 0; i--) value = value * 100n + BigInt((u8[at + i]! >> 4) * 10 + (u8[at + i]! & 15));
  const magnitude = fromInteger(value);
  pushLoaded(cpu.s, f80(u8[at + 9]! >> 7, magnitude.exponent, magnitude.significand), 0);
  return true;
});

export const fldRegister: Helper = unit.computing((cpu, op) => {
  const s = cpu.s;
  // An empty source counts before a full stack.
  if (unit.isEmpty(s, op.rm)) {
    if (unit.underflow(s)) unit.push(s, INDEFINITE);
  } else pushLoaded(s, unit.readSt(s, op.rm), 0);
  return true;
});

/** Constants are rounded from a longer value by the rounding control (SDM vol. 1, 8.3.8); PE is not raised. */
const constant = (magnitude: bigint, scale: number): Helper => {
  const rounded = [Rounding.nearest, Rounding.down, Rounding.up, Rounding.zero].map(
    (rounding) =>
      round(0, magnitude, scale, magnitude !== 0n && magnitude !== 1n, { precision: 64, rounding, masks: 0x3f }).value,
  );
  return unit.computing((cpu) => {
    pushLoaded(cpu.s, rounded[unit.environment(cpu.s).rounding]!, 0);
    return true;
  });
};
export const fldz = constant(0n, 0);
export const fld1 = constant(1n, 0);
/** Seventy bits and more, the true value a little larger. */
export const fldpi = constant(0x3243f6a8885a308d313198n, -84);
export const fldl2t = constant(0x35269e12f346e2bf924afdn, -84);
export const fldl2e = constant(0x171547652b82fe1777d0ffn, -84);
export const fldlg2 = constant(0x4d104d427de7fbcc47c4acn, -88);
export const fldln2 = constant(0xb17217f7d1cf79abc9e3b3n, -88);

// ---- stores -------------------------------------------------------------------------------------------------------------

const popIf = (s: CpuState, popping: boolean): void => {
  if (popping) unit.pop(s);
};
const NARROW_INDEFINITE = new Map<NarrowFormat, bigint>([
  [SINGLE, 0xffc00000n],
  [DOUBLE, 0xfff8000000000000n],
]);
const storeNarrow = (format: NarrowFormat, bytes: 4 | 8, popping: boolean): Helper =>
  unit.computing((cpu, op) => {
    const s = cpu.s;
    // The address is checked before the operand.
    const at = operandDestination(cpu, op, bytes);
    if (at === 0) return false;
    let bits = NARROW_INDEFINITE.get(format)!;
    if (unit.isEmpty(s, 0)) {
      if (!unit.underflow(s)) return true;
    } else {
      const value = unit.readSt(s, 0);
      unit.setC1(s, false);
      if (isUnsupported(value)) {
        if (unit.signal(s, Exception.IE)) return true;
      } else {
        const result = toNarrow(value, format, unit.environment(s));
        const refused = unit.signal(s, result.flags);
        if (!result.store || (refused && result.flags & Exception.IE)) return true;
        unit.setC1(s, result.up);
        bits = result.bits;
      }
    }
    if (bytes === 4) s.view.setUint32(at, Number(bits), true);
    else s.view.setBigUint64(at, bits, true);
    commitOperand(cpu, at);
    popIf(s, popping);
    return true;
  });
export const fstSingle = storeNarrow(SINGLE, 4, false);
export const fstpSingle = storeNarrow(SINGLE, 4, true);
export const fstDouble = storeNarrow(DOUBLE, 8, false);
export const fstpDouble = storeNarrow(DOUBLE, 8, true);

export const fstpExtended: Helper = unit.computing((cpu, op) => {
  const s = cpu.s;
  const at = operandDestination(cpu, op, 10);
  if (at === 0) return false;
  let value = INDEFINITE;
  if (unit.isEmpty(s, 0)) {
    if (!unit.underflow(s)) return true;
  } else {
    value = unit.readSt(s, 0);
    unit.setC1(s, false);
  }
  unit.writeImage(s, at, value);
  commitOperand(cpu, at);
  unit.pop(s);
  return true;
});

/** FIST, FISTP; `truncating`: FISTTP. The integer indefinite, 100...0b, answers what does not fit. */
export const storeInteger = (bytes: 2 | 4 | 8, popping: boolean, truncating = false): Helper =>
  unit.computing((cpu, op) => {
    const s = cpu.s;
    const at = operandDestination(cpu, op, bytes);
    if (at === 0) return false;
    const limit = 1n << BigInt(8 * bytes - 1);
    let integer = -limit;
    if (unit.isEmpty(s, 0)) {
      if (!unit.underflow(s)) return true;
    } else {
      const value = unit.readSt(s, 0);
      unit.setC1(s, false);
      const special = isUnsupported(value) || isNan(value) || isInfinity(value);
      const result = special ? undefined : toInteger(value, truncating ? Rounding.zero : unit.environment(s).rounding);
      if (result === undefined || result.value >= limit || result.value < -limit) {
        if (unit.signal(s, Exception.IE)) return true;
      } else {
        if (result.inexact) unit.signal(s, Exception.PE);
        unit.setC1(s, result.up);
        integer = result.value;
      }
    }
    if (bytes === 8) s.view.setBigInt64(at, integer, true);
    else if (bytes === 4) s.view.setInt32(at, Number(integer), true);
    else s.view.setInt16(at, Number(integer), true);
    commitOperand(cpu, at);
    popIf(s, popping);
    return true;
  });

const DECIMAL_LIMIT = 10n ** 18n;
const DECIMAL_INDEFINITE = [0, 0, 0, 0, 0, 0, 0, 0xc0, 0xff, 0xff] as const;
export const fbstp: Helper = unit.computing((cpu, op) => {
  const s = cpu.s;
  const at = operandDestination(cpu, op, 10);
  if (at === 0) return false;
  let bytes: readonly number[] = DECIMAL_INDEFINITE;
  if (unit.isEmpty(s, 0)) {
    if (!unit.underflow(s)) return true;
  } else {
    const value = unit.readSt(s, 0);
    unit.setC1(s, false);
    const special = isUnsupported(value) || isNan(value) || isInfinity(value);
    const result = special ? undefined : toInteger(value, unit.environment(s).rounding);
    if (result === undefined || result.value >= DECIMAL_LIMIT || result.value <= -DECIMAL_LIMIT) {
      if (unit.signal(s, Exception.IE)) return true;
    } else {
      if (result.inexact) unit.signal(s, Exception.PE);
      unit.setC1(s, result.up);
      bytes = decimalBytes(result.value < 0n ? -result.value : result.value, value.sign);
    }
  }
  s.u8.set(bytes, at);
  commitOperand(cpu, at);
  unit.pop(s);
  return true;
});
const decimalBytes = (magnitude: bigint, sign: number): number[] => {
  const bytes: number[] = [];
  for (let i = 0; i < 9; i++) {
    const pair = Number(magnitude % 100n);
    magnitude /= 100n;
    bytes.push((Math.floor(pair / 10) << 4) | (pair % 10));
  }
  return [...bytes, sign << 7];
};

// ---- between registers --------------------------------------------------------------------------------------------------

/** FSTP's alias D9 D8 (`always`): an empty ST(0) is popped without a stack fault. */
export const fstRegister = (popping: boolean, always = false): Helper =>
  unit.computing((cpu, op) => {
    const s = cpu.s;
    let value = INDEFINITE;
    if (unit.isEmpty(s, 0)) {
      if (always) {
        unit.setC1(s, false);
        unit.moveTop(s, 1);
        return true;
      }
      if (!unit.underflow(s)) return true;
    } else {
      value = unit.readSt(s, 0);
      unit.setC1(s, false);
    }
    unit.writeSt(s, op.rm, value);
    popIf(s, popping);
    return true;
  });
/** An empty register takes part as the indefinite. */
export const fxch: Helper = unit.computing((cpu, op) => {
  const s = cpu.s;
  const empty0 = unit.isEmpty(s, 0);
  const empty = unit.isEmpty(s, op.rm);
  if ((empty0 || empty) && !unit.underflow(s)) return true;
  unit.setC1(s, false);
  const a = empty0 ? INDEFINITE : unit.readSt(s, 0);
  const b = empty ? INDEFINITE : unit.readSt(s, op.rm);
  unit.writeSt(s, op.rm, a);
  unit.writeSt(s, 0, b);
  return true;
});
/** Moves if one of `flags` is set, or none is (`negated`). */
export const fcmov = (flags: number, negated: boolean): Helper =>
  unit.computing((cpu, op) => {
    const s = cpu.s;
    if (unit.isEmpty(s, 0) || unit.isEmpty(s, op.rm)) {
      if (unit.underflow(s)) unit.writeSt(s, 0, INDEFINITE);
      return true;
    }
    if (((s.eflags & flags) !== 0) !== negated) unit.writeSt(s, 0, unit.readSt(s, op.rm));
    return true;
  });
export const CmovFlags = { b: Flag.CF, e: Flag.ZF, be: Flag.CF | Flag.ZF, u: Flag.PF } as const;

export const ffree = (popping: boolean): Helper =>
  unit.computing((cpu, op) => {
    unit.freeSt(cpu.s, op.rm);
    unit.setC1(cpu.s, false);
    if (popping) unit.pop(cpu.s);
    return true;
  });
export const rotateStack = (by: 1 | -1): Helper =>
  unit.computing((cpu) => {
    unit.moveTop(cpu.s, by);
    unit.setC1(cpu.s, false);
    return true;
  });

/** FCHS and FABS: the sign bit of whatever is there, NaNs and unsupported formats too. */
const signChange = (sign: (a: Float80) => number): Helper =>
  unit.computing((cpu) => {
    const s = cpu.s;
    if (unit.isEmpty(s, 0)) {
      if (unit.underflow(s)) unit.writeSt(s, 0, INDEFINITE);
      return true;
    }
    unit.setC1(s, false);
    const a = unit.readSt(s, 0);
    unit.writeSt(s, 0, f80(sign(a), a.exponent, a.significand));
    return true;
  });
export const fchs = signChange((a) => 1 - a.sign);
export const fabs = signChange(() => 0);

/** Class of ST(0) in C3, C2, C0; its sign in C1, of an empty register too. */
export const fxam: Helper = unit.computing((cpu) => {
  const s = cpu.s;
  const a = unit.readSt(s, 0);
  const { C0, C1, C2, C3 } = unit.Status;
  let conditions: number;
  if (unit.isEmpty(s, 0)) conditions = C3 | C0;
  else if (isUnsupported(a)) conditions = 0;
  else if (isNan(a)) conditions = C0;
  else if (isInfinity(a)) conditions = C2 | C0;
  else if (a.exponent === 0) conditions = a.significand === 0n ? C3 : C3 | C2;
  else conditions = C2;
  unit.setConditions(s, unit.CONDITIONS, conditions | (a.sign ? C1 : 0));
  return true;
});
