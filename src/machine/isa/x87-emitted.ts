// x87 instructions as descriptions, for the ordinary case: no exception pending or raised anew, registers empty and full as the instruction
// wants them, operands zero or normal, rounding to nearest at full precision. All other cases are the helpers' (cpu/x87/).
// Not the arithmetic (x87-functions.ts) and not the rows (x87-rows.ts). SDM vol. 1, 8.1 and 8.3; vol. 2.

import { Vector } from '../cpu/cpu.ts';
import { Cr0, EAX, StateLayout } from '../cpu/state.ts';
import { BIAS, Exception, J } from '../cpu/x87/float80.ts';
import { CONDITIONS, Control, EXCEPTIONS, Status, TOP_SHIFT } from '../cpu/x87/unit.ts';
import { I64, type Local } from '../wasm/code.ts';
import type { Emitter, Val } from './emitter.ts';
import type { Semantics } from './row.ts';
import { OPERAND, RESULT, RESULT_C1 } from './x87-function-body.ts';

const { fpuStatus, fpuTop, fpuTags, fpuControl, fpuRegisters } = StateLayout;

/** A pending exception comes before the memory operand's faults. */
export const x87Prologue: Semantics = (e) => {
  e.faultIf(e.and(e.state(fpuStatus), e.const(Status.ES)), Vector.MF);
};

/** A place in the register stack. `number`: of the physical register. */
interface Register {
  readonly number: Local;
  readonly address: Local;
}
/** ST(0) plus or minus; ST(i) of the instruction with `operandRegister`. */
const register = (e: Emitter, from: Val): Register => {
  const number = e.let(e.and(from, e.const(7)));
  return { number, address: e.let(e.add(e.shl(e.get(number), e.const(4)), e.const(fpuRegisters))) };
};
const st = (e: Emitter, i: number): Register => register(e, e.add(e.state(fpuTop), e.const(i)));
const operandRegister = (e: Emitter): Register => register(e, e.add(e.state(fpuTop), e.fpuOperand()));
/** 1 or 0. */
const isFull = (e: Emitter, r: Register): Val => e.and(e.shrU(e.state(fpuTags), e.get(r.number)), e.const(1));
const isFree = (e: Emitter, r: Register): Val => e.eqz(isFull(e, r));

const copy = (e: Emitter, from: Local, to: Local): void => {
  const significand = e.let64(e.peek64(from));
  const top = e.let(e.peek16(from, 8));
  e.poke64(to, significand);
  e.poke16(to, top, 8);
};
const copyFrom = (e: Emitter, from: number, to: Local): void => copy(e, e.let(e.const(from)), to);
const fill = (e: Emitter, r: Register): void =>
  e.setState(fpuTags, e.let(e.or(e.state(fpuTags), e.shl(e.const(1), e.get(r.number)))));
const setStatus = (e: Emitter, mask: number, bits: Val): void => {
  const set = e.let(bits);
  e.setState(fpuStatus, e.let(e.or(e.and(e.state(fpuStatus), e.const(~mask)), e.get(set))));
};
const clearC1 = (e: Emitter): void => setStatus(e, Status.C1, e.const(0));
const resultC1 = (e: Emitter): void => setStatus(e, Status.C1, e.state(RESULT_C1));
/** `count` times, the first being ST(0). */
const pop = (e: Emitter, count: number): void => {
  for (let i = 0; i < count; i++) {
    const top = e.let(e.state(fpuTop));
    const mask = e.xor(e.shl(e.const(1), e.get(top)), e.const(-1));
    e.setState(fpuTags, e.let(e.and(mask, e.state(fpuTags))));
    e.setState(fpuTop, e.let(e.and(e.add(e.get(top), e.const(1)), e.const(7))));
  }
};

/** A computing instruction: waits, and the pointers lead to it afterwards. */
const computing =
  (body: Semantics): Semantics =>
  (e) => {
    x87Prologue(e);
    body(e);
    e.fpuPointers();
  };

// ---- memory operands ----------------------------------------------------------------------------------------------------

export type MemoryFormat = 'single' | 'double' | 'word' | 'dword' | 'qword';
/** Reads the operand into OPERAND; pushes 1 if it could. */
const readOperand = (e: Emitter, format: MemoryFormat): Val => {
  switch (format) {
    case 'single':
      return e.call('x87FromSingle', e.shl64(e.extendU64(e.load(4)), e.const64(32n)));
    case 'double':
      return e.call('x87FromDouble', e.peek64(e.hostForRead(8)));
    case 'word':
      return e.call('x87FromInteger', e.extendS64(e.extend16(e.load(2))));
    case 'dword':
      return e.call('x87FromInteger', e.extendS64(e.load(4)));
    case 'qword':
      return e.call('x87FromInteger', e.peek64(e.hostForRead(8)));
  }
};

/** `to`, which has its contents already, becomes ST(0); the guard is checked. */
const becomeTop = (e: Emitter, to: Register): void => {
  fill(e, to);
  e.setState(fpuTop, to.number);
  clearC1(e);
};
/** Pushes what `from` holds; the guard is checked. */
const push = (e: Emitter, to: Register, from: Local): void => {
  copy(e, from, to.address);
  becomeTop(e, to);
};
/** FLD m32, FLD m64, FILD. */
export const load = (format: MemoryFormat): Semantics =>
  computing((e) => {
    const covered = e.let(readOperand(e, format));
    const to = st(e, -1);
    e.orHelper(e.and(e.get(covered), isFree(e, to)));
    push(e, to, e.let(e.const(OPERAND)));
  });
export const loadExtended: Semantics = computing((e) => {
  const from = e.hostForRead(10);
  const to = st(e, -1);
  e.orHelper(isFree(e, to));
  push(e, to, from);
});
export const loadRegister: Semantics = computing((e) => {
  const from = operandRegister(e);
  const to = st(e, -1);
  e.orHelper(e.and(isFull(e, from), isFree(e, to)));
  push(e, to, from.address);
});
const writeConstant = (e: Emitter, to: Register, exponent: number, significand: bigint): void => {
  e.poke64(to.address, e.let64(e.const64(significand)));
  e.poke16(to.address, e.let(e.const(exponent)), 8);
};
/** FLDZ (0), FLD1 (1). */
export const loadConstant = (value: 0 | 1): Semantics =>
  computing((e) => {
    const to = st(e, -1);
    e.orHelper(isFree(e, to));
    writeConstant(e, to, value === 0 ? 0 : BIAS, value === 0 ? 0n : J);
    becomeTop(e, to);
  });

const storeResult = (e: Emitter, bytes: 2 | 4 | 8): void => {
  const at = e.let(e.const(RESULT));
  if (bytes !== 8) {
    e.store(bytes, e.let(e.peek32(at)));
    return;
  }
  const host = e.hostForWrite(8);
  e.poke64(host, e.let(e.peek64(at), I64));
  e.commit(host);
};
/** FST, FSTP to single or double. */
export const storeReal = (bytes: 4 | 8, popping: boolean): Semantics =>
  computing((e) => {
    const from = st(e, 0);
    const covered = e.let(e.call(bytes === 4 ? 'x87ToSingle' : 'x87ToDouble', e.get(from.address)));
    e.orHelper(e.and(e.get(covered), isFull(e, from)));
    storeResult(e, bytes);
    resultC1(e);
    if (popping) pop(e, 1);
  });
export const storeExtended: Semantics = computing((e) => {
  const from = st(e, 0);
  e.orHelper(isFull(e, from));
  const host = e.hostForWrite(10);
  copy(e, from.address, host);
  e.commit(host);
  clearC1(e);
  pop(e, 1);
});
/** FIST, FISTP, FISTTP. */
export const storeInteger = (bytes: 2 | 4 | 8, popping: boolean, truncating = false): Semantics =>
  computing((e) => {
    const from = st(e, 0);
    const covered = e.let(e.call('x87ToInteger', e.get(from.address), e.const(bytes), e.const(truncating ? 1 : 0)));
    e.orHelper(e.and(e.get(covered), isFull(e, from)));
    storeResult(e, bytes);
    resultC1(e);
    if (popping) pop(e, 1);
  });

// ---- between registers --------------------------------------------------------------------------------------------------

export const storeRegister = (popping: boolean): Semantics =>
  computing((e) => {
    const from = st(e, 0);
    const to = operandRegister(e);
    e.orHelper(isFull(e, from));
    copy(e, from.address, to.address);
    fill(e, to);
    clearC1(e);
    if (popping) pop(e, 1);
  });
export const exchange: Semantics = computing((e) => {
  const a = st(e, 0);
  const b = operandRegister(e);
  e.orHelper(e.and(isFull(e, a), isFull(e, b)));
  const significand = e.let64(e.peek64(a.address));
  const top = e.let(e.peek16(a.address, 8));
  copy(e, b.address, a.address);
  e.poke64(b.address, significand);
  e.poke16(b.address, top, 8);
  clearC1(e);
});
/** FCHS, FABS: of whatever is there. */
const signChange = (change: (e: Emitter, top: Val) => Val): Semantics =>
  computing((e) => {
    const a = st(e, 0);
    e.orHelper(isFull(e, a));
    e.poke16(a.address, e.let(change(e, e.peek16(a.address, 8))), 8);
    clearC1(e);
  });
export const changeSign = signChange((e, top) => e.xor(top, e.const(0x8000)));
export const absolute = signChange((e, top) => e.and(top, e.const(0x7fff)));

// ---- arithmetic ---------------------------------------------------------------------------------------------------------

/** FADD FMUL - - FSUB FSUBR FDIV FDIVR by the digit, of addresses: 1 if RESULT holds the result. */
const calculate = (e: Emitter, digit: number, a: Local, b: Local): Val => {
  const [x, y] = digit === 5 || digit === 7 ? [b, a] : [a, b];
  if (digit === 1) return e.call('x87Multiply', e.get(x), e.get(y));
  if (digit >= 6) return e.call('x87Divide', e.get(x), e.get(y));
  return e.call('x87Add', e.get(x), e.get(y), e.const(digit === 0 ? 0 : 1));
};
const deliver = (e: Emitter, to: Register): void => {
  copyFrom(e, RESULT, to.address);
  resultC1(e);
};
export const memoryArithmetic = (digit: number, format: MemoryFormat): Semantics =>
  computing((e) => {
    const readable = e.let(readOperand(e, format));
    const a = st(e, 0);
    const covered = calculate(e, digit, a.address, e.let(e.const(OPERAND)));
    e.orHelper(e.and(e.and(covered, e.get(readable)), isFull(e, a)));
    deliver(e, a);
  });
export const registerArithmetic = (digit: number, toSource: boolean, pops: boolean): Semantics =>
  computing((e) => {
    const top = st(e, 0);
    const other = operandRegister(e);
    const [to, from] = toSource ? [other, top] : [top, other];
    const covered = calculate(e, digit, to.address, from.address);
    e.orHelper(e.and(e.and(covered, isFull(e, top)), isFull(e, other)));
    deliver(e, to);
    if (pops) pop(e, 1);
  });

/** ST(0) replaced by a function of it: FSQRT, FRNDINT. */
const replace = (name: 'x87SquareRoot' | 'x87RoundToInteger'): Semantics =>
  computing((e) => {
    const a = st(e, 0);
    const covered = e.call(name, e.get(a.address));
    e.orHelper(e.and(covered, isFull(e, a)));
    deliver(e, a);
  });
export const squareRoot = replace('x87SquareRoot');
export const roundToInteger = replace('x87RoundToInteger');

// ---- transcendental functions -------------------------------------------------------------------------------------------

/** Their functions answer for inexact results alone, with PE masked. C1 as it is after the first result. */
const inexact = (e: Emitter, cleared: number): void =>
  setStatus(e, cleared | Status.C1, e.or(e.state(RESULT_C1), e.const(Exception.PE)));

/** ST(0) replaced by its function, within the range of which C2 is cleared (`cleared`). */
const unary = (name: 'x87Sine' | 'x87Cosine' | 'x87Exponential', cleared: number): Semantics =>
  computing((e) => {
    const a = st(e, 0);
    const covered = e.call(name, e.get(a.address));
    e.orHelper(e.and(covered, isFull(e, a)));
    copyFrom(e, RESULT, a.address);
    inexact(e, cleared);
  });
export const sine = unary('x87Sine', Status.C2);
export const cosine = unary('x87Cosine', Status.C2);
export const exponential = unary('x87Exponential', 0);

/** ST(0) replaced by its function, and a second value pushed: FSINCOS, FPTAN. */
const binaryResult = (name: 'x87SineAndCosine' | 'x87Tangent', second: (e: Emitter, to: Register) => void): Semantics =>
  computing((e) => {
    const a = st(e, 0);
    const to = st(e, -1);
    const covered = e.call(name, e.get(a.address));
    e.orHelper(e.and(e.and(covered, isFull(e, a)), isFree(e, to)));
    copyFrom(e, RESULT, a.address);
    second(e, to);
    fill(e, to);
    e.setState(fpuTop, to.number);
    inexact(e, Status.C2);
  });
export const sineAndCosine = binaryResult('x87SineAndCosine', (e, to) => copyFrom(e, OPERAND, to.address));
export const tangent = binaryResult('x87Tangent', (e, to) => writeConstant(e, to, BIAS, J));

/** A function of ST(1) and ST(0) that replaces ST(1) and pops. */
const binary = (name: 'x87Arctangent' | 'x87Logarithm' | 'x87LogarithmPlusOne'): Semantics =>
  computing((e) => {
    const b = st(e, 0);
    const a = st(e, 1);
    const covered = e.call(name, e.get(a.address), e.get(b.address));
    e.orHelper(e.and(e.and(covered, isFull(e, a)), isFull(e, b)));
    copyFrom(e, RESULT, a.address);
    inexact(e, 0);
    pop(e, 1);
  });
export const arctangent = binary('x87Arctangent');
export const logarithm = binary('x87Logarithm');
export const logarithmPlusOne = binary('x87LogarithmPlusOne');

// ---- comparisons --------------------------------------------------------------------------------------------------------

/** FCOM and FUCOM differ in NaNs only. */
export const compareRegister = (pops: 0 | 1 | 2): Semantics =>
  computing((e) => {
    const a = st(e, 0);
    const b = operandRegister(e);
    const conditions = e.let(e.call('x87Compare', e.get(a.address), e.get(b.address)));
    e.orHelper(e.and(e.and(e.ne(e.get(conditions), e.const(-1)), isFull(e, a)), isFull(e, b)));
    setStatus(e, CONDITIONS, e.get(conditions));
    pop(e, pops);
  });
export const compareMemory = (format: MemoryFormat, popping: boolean): Semantics =>
  computing((e) => {
    const readable = e.let(readOperand(e, format));
    const a = st(e, 0);
    const conditions = e.let(e.call('x87Compare', e.get(a.address), e.const(OPERAND)));
    e.orHelper(e.and(e.and(e.ne(e.get(conditions), e.const(-1)), e.get(readable)), isFull(e, a)));
    setStatus(e, CONDITIONS, e.get(conditions));
    if (popping) pop(e, 1);
  });
/** FTST. */
export const compareZero: Semantics = computing((e) => {
  const a = st(e, 0);
  const zero = e.call('x87FromInteger', e.const64(0n));
  const conditions = e.let(e.call('x87Compare', e.get(a.address), e.const(OPERAND)));
  e.orHelper(e.and(e.and(zero, e.ne(e.get(conditions), e.const(-1))), isFull(e, a)));
  setStatus(e, CONDITIONS, e.get(conditions));
});
/** FCOMI, FUCOMI and their popping forms: C1 stays. */
export const compareToFlags = (popping: boolean): Semantics =>
  computing((e) => {
    const a = st(e, 0);
    const b = operandRegister(e);
    const conditions = e.let(e.call('x87Compare', e.get(a.address), e.get(b.address)));
    e.orHelper(e.and(e.and(e.ne(e.get(conditions), e.const(-1)), isFull(e, a)), isFull(e, b)));
    const bit = (n: number): Local => e.let(e.and(e.shrU(e.get(conditions), e.const(n)), e.const(1)));
    e.flagsCarryZero(bit(8), bit(14));
    if (popping) pop(e, 1);
  });

// ---- control ------------------------------------------------------------------------------------------------------------

const statusWord = (e: Emitter): Local => e.let(e.or(e.state(fpuStatus), e.shl(e.state(fpuTop), e.const(TOP_SHIFT))));
export const fnstsw: Semantics = (e) => e.write(0, statusWord(e));
export const fnstswAx: Semantics = (e) => e.setReg(EAX, 16, statusWord(e));
export const fnstcw: Semantics = (e) => e.write(0, e.let(e.state(fpuControl)));
/** Unless it leaves an exception unmasked that has occurred. The pointers stay. */
export const fldcw: Semantics = (e) => {
  x87Prologue(e);
  const word = e.let(e.load(2));
  const unmasked = e.and(e.state(fpuStatus), e.and(e.xor(e.get(word), e.const(-1)), e.const(EXCEPTIONS)));
  e.orHelper(e.eqz(unmasked));
  e.setState(fpuControl, e.let(e.or(e.and(e.get(word), e.const(Control.WRITABLE)), e.const(Control.ONES))));
};
/** Nothing, unless it raises something. */
export const fwait: Semantics = (e) => {
  const monitored = Cr0.MP | Cr0.TS;
  const free = e.ne(e.and(e.state(StateLayout.cr0), e.const(monitored)), e.const(monitored));
  e.orHelper(e.and(free, e.eqz(e.and(e.state(fpuStatus), e.const(Status.ES)))));
};
