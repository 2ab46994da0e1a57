// x87 arithmetic instructions: add to divide in all forms, square root, scaling, remainders, rounding, comparisons.
// Not the transcendentals. NaNs, infinities, zeros and denormals are decided here, the rest by float80.ts.
// SDM vol. 1, 4.8.3.5 and 4.9 (priorities), tables 4-7 and 8-10; vol. 2.
//
// Left open by the manual and done as AMD's processors do: FCOMI sets EFLAGS under an unmasked exception too; FSCALE with a result out of
// range even after the unmasked response's bias gives infinity or zero; an incomplete FPREM takes 32 + (distance mod 32) quotient bits.

import type { Cpu, Helper, Operands } from '../cpu.ts';
import { operandSource } from '../operand-memory.ts';
import { ARITHMETIC_FLAGS, type CpuState, Flag } from '../state.ts';
import {
  addFinite,
  bitLength,
  compareNumbers,
  divideFinite,
  DOUBLE,
  type Environment,
  Exception,
  f80,
  type Float80,
  fromInteger,
  fromNarrow,
  INDEFINITE,
  infinity,
  isDenormal,
  isInfinity,
  isNan,
  isSignaling,
  isUnsupported,
  isZero,
  multiplyFinite,
  quiet,
  round,
  type Rounded,
  scaleOf,
  SINGLE,
  squareRootFinite,
  toInteger,
  zero,
} from './float80.ts';
import * as unit from './unit.ts';

const BEFORE_COMPUTATION = Exception.IE | Exception.DE | Exception.ZE;

const exact = (value: Float80, flags = 0): Rounded => ({ value, flags, up: false });
export const INVALID: Rounded = exact(INDEFINITE, Exception.IE);

/** Two operands of which one is a NaN: the one with the larger significand, quiet; of equal ones the positive (SDM vol. 1, table 4-7). */
const propagate = (a: Float80, b: Float80): Rounded => {
  const flags = isSignaling(a) || isSignaling(b) ? Exception.IE : 0;
  if (!isNan(b)) return exact(quiet(a), flags);
  if (!isNan(a)) return exact(quiet(b), flags);
  // A quiet NaN beats a signaling one.
  if (isSignaling(a) !== isSignaling(b)) return exact(isSignaling(a) ? b : a, flags);
  if (a.significand !== b.significand) return exact(quiet(a.significand > b.significand ? a : b), flags);
  return exact(quiet(a.sign === 0 ? a : b), flags);
};
/** Unsupported operands and NaNs: what they give, or undefined if neither is one. */
export const specialOperands = (a: Float80, b: Float80): Rounded | undefined => {
  if (isUnsupported(a) || isUnsupported(b)) return INVALID;
  return isNan(a) || isNan(b) ? propagate(a, b) : undefined;
};
export const specialOperand = (a: Float80): Rounded | undefined => {
  if (isUnsupported(a)) return INVALID;
  return isNan(a) ? exact(quiet(a), isSignaling(a) ? Exception.IE : 0) : undefined;
};
const withDenormal = (result: Rounded, denormal: boolean): Rounded =>
  denormal ? { ...result, flags: result.flags | Exception.DE } : result;

/** One of the dyadic operations, on operands that are no NaN and supported. */
export type Operation = (a: Float80, b: Float80, env: Environment) => Rounded;

const add: Operation = (a, b, env) => {
  if (isInfinity(a)) return isInfinity(b) && a.sign !== b.sign ? INVALID : exact(a);
  return isInfinity(b) ? exact(b) : addFinite(a, b, env);
};
const subtract: Operation = (a, b, env) => add(a, f80(1 - b.sign, b.exponent, b.significand), env);
const multiply: Operation = (a, b, env) => {
  if (isInfinity(a) || isInfinity(b)) return isZero(a) || isZero(b) ? INVALID : exact(infinity(a.sign ^ b.sign));
  return multiplyFinite(a, b, env);
};
const divide: Operation = (a, b, env) => {
  const sign = a.sign ^ b.sign;
  if (isInfinity(a)) return isInfinity(b) ? INVALID : exact(infinity(sign));
  if (isInfinity(b)) return exact(zero(sign));
  if (isZero(b)) return isZero(a) ? INVALID : exact(infinity(sign), Exception.ZE);
  return divideFinite(a, b, env);
};
const reversed =
  (operation: Operation): Operation =>
  (a, b, env) =>
    operation(b, a, env);
/** By the opcode's digit: FADD FMUL - - FSUB FSUBR FDIV FDIVR. The NaN rules are symmetric, so reversing comes after them. */
const OPERATIONS: readonly (Operation | undefined)[] = [
  add,
  multiply,
  undefined,
  undefined,
  subtract,
  reversed(subtract),
  divide,
  reversed(divide),
];

const operate = (operation: Operation, a: Float80, b: Float80, env: Environment, denormal = false): Rounded => {
  const special = specialOperands(a, b);
  if (special !== undefined) return special;
  const result = operation(a, b, env);
  // Invalid operation and division by zero come before the denormal operand.
  if (result.flags & (Exception.IE | Exception.ZE)) return result;
  return withDenormal(result, denormal || isDenormal(a) || isDenormal(b));
};

/** Writes a result to ST(i) as its exceptions and the masks say. True if it was written. */
export const deliver = (s: CpuState, i: number, result: Rounded): boolean => {
  unit.setC1(s, false);
  if (unit.signal(s, result.flags & BEFORE_COMPUTATION)) return false;
  unit.signal(s, result.flags);
  unit.setC1(s, result.up);
  unit.writeSt(s, i, result.value);
  return true;
};

/** op ST(i) into ST(0) (`toSource` false), or op ST(0) into ST(i); `pops` only with the latter. */
export const registerForm = (digit: number, toSource: boolean, pops: boolean): Helper => {
  const operation = OPERATIONS[digit]!;
  return unit.computing((cpu, op) => {
    const s = cpu.s;
    const target = toSource ? op.rm : 0;
    const other = toSource ? 0 : op.rm;
    if (unit.isEmpty(s, 0) || unit.isEmpty(s, op.rm)) {
      if (!unit.underflow(s)) return true;
      unit.writeSt(s, target, INDEFINITE);
    } else if (
      !deliver(s, target, operate(operation, unit.readSt(s, target), unit.readSt(s, other), unit.environment(s)))
    )
      return true;
    if (pops) unit.pop(s);
    return true;
  });
};

/** A memory operand in extended format. */
interface MemoryValue {
  readonly value: Float80;
  readonly denormal: boolean;
}
export type MemoryFormat = 'single' | 'double' | 'word' | 'dword';
const readMemory = (cpu: Cpu, op: Operands, format: MemoryFormat): MemoryValue | undefined => {
  const at = operandSource(cpu, op, format === 'double' ? 8 : format === 'word' ? 2 : 4);
  if (at === 0) return undefined;
  const view = cpu.s.view;
  switch (format) {
    case 'single':
      return fromNarrow(BigInt(view.getUint32(at, true)), SINGLE);
    case 'double':
      return fromNarrow(view.getBigUint64(at, true), DOUBLE);
    case 'word':
      return { value: fromInteger(BigInt(view.getInt16(at, true))), denormal: false };
    case 'dword':
      return { value: fromInteger(BigInt(view.getInt32(at, true))), denormal: false };
  }
};
export const memoryForm = (digit: number, format: MemoryFormat): Helper => {
  const operation = OPERATIONS[digit]!;
  return unit.computing((cpu, op) => {
    const operand = readMemory(cpu, op, format);
    if (operand === undefined) return false;
    const s = cpu.s;
    if (unit.isEmpty(s, 0)) {
      if (unit.underflow(s)) unit.writeSt(s, 0, INDEFINITE);
    } else deliver(s, 0, operate(operation, unit.readSt(s, 0), operand.value, unit.environment(s), operand.denormal));
    return true;
  });
};

// ---- comparisons --------------------------------------------------------------------------------------------------------

const { C0, C1, C2, C3 } = unit.Status;
const UNORDERED = C3 | C2 | C0;
/** Condition codes of a : b and the exceptions. `quietly`: quiet NaNs raise nothing (FUCOM). */
const compare = (
  a: Float80,
  b: Float80,
  quietly: boolean,
  denormal: boolean,
): { conditions: number; flags: number } => {
  if (isUnsupported(a) || isUnsupported(b)) return { conditions: UNORDERED, flags: Exception.IE };
  if (isNan(a) || isNan(b)) {
    const invalid = !quietly || isSignaling(a) || isSignaling(b);
    return { conditions: UNORDERED, flags: invalid ? Exception.IE : 0 };
  }
  const order = compareNumbers(a, b);
  const conditions = order > 0 ? 0 : order < 0 ? C0 : C3;
  return { conditions, flags: denormal || isDenormal(a) || isDenormal(b) ? Exception.DE : 0 };
};
/** Sets C3, C2, C0. True if no unmasked exception holds the pops back. */
const setComparison = (s: CpuState, a: Float80, b: Float80, quietly: boolean, denormal = false): boolean => {
  const { conditions, flags } = compare(a, b, quietly, denormal);
  unit.setConditions(s, unit.CONDITIONS, conditions);
  return !unit.signal(s, flags);
};
const setUnordered = (s: CpuState): boolean => {
  const masked = unit.underflow(s);
  unit.setConditions(s, UNORDERED, UNORDERED);
  return masked;
};

export const compareRegister = (quietly: boolean, pops: 0 | 1 | 2): Helper =>
  unit.computing((cpu, op) => {
    const s = cpu.s;
    const empty = unit.isEmpty(s, 0) || unit.isEmpty(s, op.rm);
    const completes = empty ? setUnordered(s) : setComparison(s, unit.readSt(s, 0), unit.readSt(s, op.rm), quietly);
    if (completes) for (let i = 0; i < pops; i++) unit.pop(s);
    return true;
  });
export const compareMemory = (format: MemoryFormat, popping: boolean): Helper =>
  unit.computing((cpu, op) => {
    const operand = readMemory(cpu, op, format);
    if (operand === undefined) return false;
    const s = cpu.s;
    const completes = unit.isEmpty(s, 0)
      ? setUnordered(s)
      : setComparison(s, unit.readSt(s, 0), operand.value, false, operand.denormal);
    if (completes && popping) unit.pop(s);
    return true;
  });
export const ftst: Helper = unit.computing((cpu) => {
  const s = cpu.s;
  if (unit.isEmpty(s, 0)) setUnordered(s);
  else setComparison(s, unit.readSt(s, 0), zero(0), false);
  return true;
});

/** FCOMI, FUCOMI and their popping forms: ZF, PF, CF; OF, SF and AF become 0. An unmasked exception holds only the pop back. */
export const compareToFlags = (quietly: boolean, popping: boolean): Helper =>
  unit.computing((cpu, op) => {
    const s = cpu.s;
    let conditions: number = UNORDERED;
    let completes = true;
    if (unit.isEmpty(s, 0) || unit.isEmpty(s, op.rm)) completes = unit.underflow(s);
    else {
      const result = compare(unit.readSt(s, 0), unit.readSt(s, op.rm), quietly, false);
      completes = !unit.signal(s, result.flags);
      conditions = result.conditions;
    }
    let flags = s.eflags & ~ARITHMETIC_FLAGS;
    if (conditions & C3) flags |= Flag.ZF;
    if (conditions & C2) flags |= Flag.PF;
    if (conditions & C0) flags |= Flag.CF;
    s.eflags = flags;
    if (popping && completes) unit.pop(s);
    return true;
  });

// ---- one operand --------------------------------------------------------------------------------------------------------

/** A function of ST(0) that replaces it. */
const monadic = (f: (a: Float80, s: CpuState) => Rounded): Helper =>
  unit.computing((cpu) => {
    const s = cpu.s;
    if (unit.isEmpty(s, 0)) {
      if (unit.underflow(s)) unit.writeSt(s, 0, INDEFINITE);
      return true;
    }
    const a = unit.readSt(s, 0);
    deliver(s, 0, specialOperand(a) ?? f(a, s));
    return true;
  });

export const fsqrt = monadic((a, s) => {
  if (isZero(a)) return exact(a);
  if (a.sign) return INVALID;
  return isInfinity(a) ? exact(a) : withDenormal(squareRootFinite(a, unit.environment(s)), isDenormal(a));
});
export const frndint = monadic((a, s) => {
  if (isInfinity(a) || isZero(a)) return exact(a);
  // From 2^63 on everything is an integer.
  if (scaleOf(a) >= 0) return exact(a);
  const { value, inexact, up } = toInteger(a, unit.environment(s).rounding);
  const magnitude = fromInteger(value < 0n ? -value : value);
  const flags = (inexact ? Exception.PE : 0) | (isDenormal(a) ? Exception.DE : 0);
  return { value: f80(a.sign, magnitude.exponent, magnitude.significand), flags, up };
});

/** Any shift beyond this over- or underflows all the same. */
const FAR = 1 << 17;
const scale: Operation = (a, b, env) => {
  if (isInfinity(b)) {
    if (b.sign === 0) return isZero(a) ? INVALID : exact(infinity(a.sign));
    return isInfinity(a) ? INVALID : exact(zero(a.sign));
  }
  if (isInfinity(a) || isZero(a)) return exact(a);
  const { value } = toInteger(b, 3);
  const by = value > BigInt(FAR) ? FAR : value < BigInt(-FAR) ? -FAR : Number(value);
  return round(a.sign, a.significand, scaleOf(a) + by, false, env);
};

/** A function of ST(0) and ST(1) that replaces ST(0). */
const dyadicInPlace = (f: (s: CpuState, a: Float80, b: Float80) => void): Helper =>
  unit.computing((cpu) => {
    const s = cpu.s;
    // FPREM: finished, unless it says otherwise. FSCALE leaves C2 undefined.
    unit.setConditions(s, C2, 0);
    if (unit.isEmpty(s, 0) || unit.isEmpty(s, 1)) {
      if (unit.underflow(s)) unit.writeSt(s, 0, INDEFINITE);
    } else f(s, unit.readSt(s, 0), unit.readSt(s, 1));
    return true;
  });
export const fscale = dyadicInPlace((s, a, b) => void deliver(s, 0, operate(scale, a, b, unit.fullEnvironment(s))));

/** Exponent and significand: ST(0) becomes the exponent, the significand is pushed. */
export const fxtract: Helper = unit.computing((cpu) => {
  const s = cpu.s;
  if (unit.isEmpty(s, 0)) {
    if (unit.underflow(s)) {
      unit.writeSt(s, 0, INDEFINITE);
      unit.push(s, INDEFINITE);
    }
    return true;
  }
  if (!unit.isEmpty(s, 7)) {
    if (unit.overflow(s)) {
      unit.writeSt(s, 0, INDEFINITE);
      unit.push(s, INDEFINITE);
    }
    return true;
  }
  const a = unit.readSt(s, 0);
  const special = specialOperand(a);
  let exponent: Rounded;
  let significand: Float80;
  if (special !== undefined) {
    exponent = special;
    significand = special.value;
  } else if (isZero(a)) {
    exponent = exact(infinity(1), Exception.ZE);
    significand = a;
  } else if (isInfinity(a)) {
    exponent = exact(infinity(0));
    significand = a;
  } else {
    const length = bitLength(a.significand);
    exponent = withDenormal(exact(fromInteger(BigInt(scaleOf(a) + length - 1))), isDenormal(a));
    significand = f80(a.sign, 16383, a.significand << BigInt(64 - length));
  }
  if (deliver(s, 0, exponent)) unit.push(s, significand);
  return true;
});

/** FPREM (truncated quotient) and FPREM1 (nearest). Quotient bits 2, 1, 0 go to C0, C3, C1; C2: not finished. */
const remainder = (nearest: boolean): Helper =>
  dyadicInPlace((s, a, b) => {
    const special = specialOperands(a, b) ?? (isInfinity(a) || isZero(b) ? INVALID : undefined);
    if (special !== undefined) {
      deliver(s, 0, special);
      return;
    }
    const denormal = isDenormal(a) || isDenormal(b);
    if (isInfinity(b) || isZero(a)) {
      // The dividend, but as a result: a pseudo-denormal is normal then, a denormal underflows where that is not masked.
      const whole = round(a.sign, a.significand, scaleOf(a), false, unit.fullEnvironment(s));
      if (deliver(s, 0, withDenormal(whole, denormal))) unit.setConditions(s, unit.CONDITIONS, 0);
      return;
    }
    const exponentOf = (x: Float80): number => scaleOf(x) + bitLength(x.significand);
    const distance = exponentOf(a) - exponentOf(b);
    // Both magnitudes as multiples of one unit.
    const unitScale = Math.min(scaleOf(a), scaleOf(b));
    let left = a.significand << BigInt(scaleOf(a) - unitScale);
    let divisor = b.significand << BigInt(scaleOf(b) - unitScale);
    let sign = a.sign;
    let conditions = 0;
    if (distance >= 64) {
      divisor <<= BigInt(distance - partialBits(distance));
      left %= divisor;
      conditions = C2;
    } else {
      let quotient = left / divisor;
      left -= quotient * divisor;
      if (nearest && (left * 2n > divisor || (left * 2n === divisor && quotient & 1n))) {
        quotient++;
        left = divisor - left;
        sign = sign === 0 ? 1 : 0;
      }
      const low = Number(quotient & 7n);
      conditions = (low & 4 ? C0 : 0) | (low & 2 ? C3 : 0) | (low & 1 ? C1 : 0);
    }
    const result = left === 0n ? exact(zero(a.sign)) : round(sign, left, unitScale, false, unit.fullEnvironment(s));
    if (deliver(s, 0, withDenormal(result, denormal))) unit.setConditions(s, unit.CONDITIONS, conditions);
  });
/** Quotient bits of one incomplete step: 32 to 63 (SDM FPREM leaves the number to the implementation). */
const partialBits = (distance: number): number => 32 + (distance % 32);
export const fprem = remainder(false);
export const fprem1 = remainder(true);
