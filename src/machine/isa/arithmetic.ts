// Integer arithmetic: ADD to CMP, INC, DEC, NEG, MUL, DIV, decimal adjust. Not shifts (shift.ts) nor logic (logic.ts).
// SDM vol. 2, instruction pages; flags per vol. 1, appendix A.

import { Vector } from '../cpu/cpu.ts';
import { EAX, EDX } from '../cpu/state.ts';
import type { Local } from '../wasm/code.ts';
import type { Emitter } from './emitter.ts';
import { row, type Row, type Semantics } from './row.ts';

type Binary = (e: Emitter, a: Local, b: Local) => Local;

const sum: Binary = (e, a, b) => {
  const r = e.let(e.add(e.get(a), e.get(b)));
  e.flagsAdd(a, b, r);
  return r;
};
const sumWithCarry: Binary = (e, a, b) => {
  const carry = e.let(e.carry());
  const r = e.let(e.add(e.add(e.get(a), e.get(b)), e.get(carry)));
  e.flagsAddCarry(a, b, carry, r);
  return r;
};
const difference: Binary = (e, a, b) => {
  const r = e.let(e.sub(e.get(a), e.get(b)));
  e.flagsSub(a, b, r);
  return r;
};
const differenceWithBorrow: Binary = (e, a, b) => {
  const borrow = e.let(e.carry());
  const r = e.let(e.sub(e.sub(e.get(a), e.get(b)), e.get(borrow)));
  e.flagsSubBorrow(a, b, borrow, r);
  return r;
};

/** destination = destination op source. */
export const binary =
  (f: Binary): Semantics =>
  (e) => {
    const b = e.let(e.read(1));
    e.modify(0, (a) => f(e, a, b));
  };
/** Flags of destination op source; nothing is stored. */
export const compare =
  (f: Binary): Semantics =>
  (e) => {
    const a = e.let(e.read(0));
    const b = e.let(e.read(1));
    f(e, a, b);
  };

const increment: Semantics = (e) =>
  e.modify(0, (a) => {
    const r = e.let(e.add(e.get(a), e.const(1)));
    e.flagsIncrement(a, r);
    return r;
  });
const decrement: Semantics = (e) =>
  e.modify(0, (a) => {
    const r = e.let(e.sub(e.get(a), e.const(1)));
    e.flagsDecrement(a, r);
    return r;
  });
const negate: Semantics = (e) =>
  e.modify(0, (a) => {
    const zero = e.let(e.const(0));
    return difference(e, zero, a);
  });

const exchangeAndAdd: Semantics = (e) => {
  const b = e.let(e.read(1));
  let old: Local = b;
  e.modify(0, (a) => {
    old = a;
    return sum(e, a, b);
  });
  // With both operands the same register the sum wins: destination is written last (SDM XADD).
  if (e.isMemory(0)) e.write(1, old);
  else {
    const r = e.let(e.read(0));
    e.write(1, old);
    e.write(0, r);
  }
};

/** Accumulator compared with destination; equal: source is stored, else the accumulator is loaded. The destination is always written. */
const compareAndExchange: Semantics = (e) => {
  const source = e.let(e.read(1));
  const accumulator = e.let(e.reg(EAX, e.size));
  let old: Local = source;
  let equal: Local = source;
  e.modify(0, (a) => {
    old = a;
    difference(e, accumulator, a);
    equal = e.let(e.eq(e.get(accumulator), e.get(a)));
    return e.let(e.select(e.get(source), e.get(a), e.get(equal)));
  });
  e.if(e.eqz(e.get(equal)), () => e.setReg(EAX, e.size, old));
};

const compareAndExchange8Bytes: Semantics = (e) => {
  const host = e.hostForWrite(8);
  const low = e.let(e.peek32(host));
  const high = e.let(e.peek32(host, 4));
  const equal = e.let(e.eqz(e.or(e.xor(e.get(low), e.reg(EAX, 32)), e.xor(e.get(high), e.reg(EDX, 32)))));
  const newLow = e.let(e.select(e.reg(3, 32), e.get(low), e.get(equal)));
  const newHigh = e.let(e.select(e.reg(1, 32), e.get(high), e.get(equal)));
  e.poke32(host, newLow);
  e.poke32(host, newHigh, 4);
  e.commit(host);
  e.if(e.eqz(e.get(equal)), () => {
    e.setReg(EAX, 32, low);
    e.setReg(EDX, 32, high);
  });
  e.flagsZero(equal);
};

/** CF = OF = overflow (0/1); the undefined flags come from the low half. */
const multiplyFlags = (e: Emitter, low: Local, overflow: Local): void =>
  e.flagsResultCarryOverflow(low, overflow, overflow);

const multiply =
  (signed: boolean): Semantics =>
  (e) => {
    const source = e.let(e.read(0));
    if (e.size === 32) {
      const extend = signed ? e.extendS64.bind(e) : e.extendU64.bind(e);
      const product = e.let64(e.mul64(extend(e.reg(EAX, 32)), extend(e.get(source))));
      const low = e.let(e.wrap(e.get(product)));
      const high = e.let(e.wrap(e.shrU64(e.get(product), e.const64(32n))));
      e.setReg(EAX, 32, low);
      e.setReg(EDX, 32, high);
      const overflow = signed
        ? e.let(e.ne(e.get(high), e.shrS(e.get(low), e.const(31))))
        : e.let(e.ne(e.get(high), e.const(0)));
      multiplyFlags(e, low, overflow);
      return;
    }
    const a = signed ? e.let(e.signed(e.reg(EAX, e.size), e.size)) : e.let(e.reg(EAX, e.size));
    const b = signed ? e.let(e.signed(e.get(source), e.size)) : source;
    const product = e.let(e.mul(e.get(a), e.get(b)));
    if (e.size === 8) e.setReg(EAX, 16, product);
    else {
      e.setReg(EAX, 16, product);
      const high = e.let(e.shrU(e.get(product), e.const(16)));
      e.setReg(EDX, 16, high);
    }
    const overflow = signed
      ? e.let(e.ne(e.get(product), e.signed(e.get(product), e.size)))
      : e.let(e.ne(e.shrU(e.get(product), e.const(e.size)), e.const(0)));
    multiplyFlags(e, product, overflow);
  };

/** Two- and three-operand IMUL: destination = operand a * operand b, truncated. */
const multiplySigned =
  (a: number, b: number): Semantics =>
  (e) => {
    const x = e.let(e.signed(e.read(a), e.size));
    const y = e.let(e.signed(e.read(b), e.size));
    if (e.size === 32) {
      const product = e.let64(e.mul64(e.extendS64(e.get(x)), e.extendS64(e.get(y))));
      // Not the product's low half: often nobody reads the flags.
      const low = e.let(e.mul(e.get(x), e.get(y)));
      e.write(0, low);
      const overflow = e.let(e.ne64(e.extendS64(e.get(low)), e.get(product)));
      multiplyFlags(e, low, overflow);
      return;
    }
    const product = e.let(e.mul(e.get(x), e.get(y)));
    e.write(0, product);
    const overflow = e.let(e.ne(e.get(product), e.signed(e.get(product), e.size)));
    multiplyFlags(e, product, overflow);
  };

/** #DE if the divisor is zero or the quotient does not fit. All flags are undefined: they stay. */
const divide =
  (signed: boolean): Semantics =>
  (e) => {
    const source = e.let(e.read(0));
    const size = e.size;
    e.faultIf(e.eqz(e.get(source)), Vector.DE);
    const dividend =
      size === 32
        ? e.let64(e.or64(e.shl64(e.extendU64(e.reg(EDX, 32)), e.const64(32n)), e.extendU64(e.reg(EAX, 32))))
        : size === 16
          ? e.let64(e.extendU64(e.or(e.shl(e.reg(EDX, 16), e.const(16)), e.reg(EAX, 16))))
          : e.let64(e.extendU64(e.reg(EAX, 16)));
    const finish = (quotient: Local, remainder: Local): void => {
      const q = e.let(e.wrap(e.get(quotient)));
      const r = e.let(e.wrap(e.get(remainder)));
      if (size === 8) {
        e.setReg(0, 8, q);
        e.setReg(4, 8, r);
      } else {
        e.setReg(EAX, size, q);
        e.setReg(EDX, size, r);
      }
    };
    if (!signed) {
      const divisor = e.let64(e.extendU64(e.get(source)));
      const quotient = e.let64(e.divU64(e.get(dividend), e.get(divisor)));
      e.faultIf(e.gtU64(e.get(quotient), e.const64((1n << BigInt(size)) - 1n)), Vector.DE);
      const remainder = e.let64(e.sub64(e.get(dividend), e.mul64(e.get(quotient), e.get(divisor))));
      finish(quotient, remainder);
      return;
    }
    const divisor = e.let64(e.extendS64(e.signed(e.get(source), size)));
    const value =
      size === 32
        ? dividend
        : size === 16
          ? e.let64(e.extendS64(e.wrap(e.get(dividend))))
          : e.let64(e.extendS64(e.extend16(e.wrap(e.get(dividend)))));
    // The one division WebAssembly traps on.
    e.faultIf(e.and(e.eq64(e.get(value), e.const64(-(1n << 63n))), e.eq64(e.get(divisor), e.const64(-1n))), Vector.DE);
    const quotient = e.let64(e.divS64(e.get(value), e.get(divisor)));
    const half = 1n << BigInt(size - 1);
    e.faultIf(e.gtU64(e.add64(e.get(quotient), e.const64(half)), e.const64(2n * half - 1n)), Vector.DE);
    const remainder = e.let64(e.sub64(e.get(value), e.mul64(e.get(quotient), e.get(divisor))));
    finish(quotient, remainder);
  };

/** DAA and DAS (SDM pseudo-code, OF cleared). */
const decimalAdjust =
  (add: boolean): Semantics =>
  (e) => {
    const al = e.let(e.reg(EAX, 8));
    const cf = e.let(e.carry());
    const low = e.let(e.or(e.gtU(e.and(e.get(al), e.const(15)), e.const(9)), e.adjust()));
    const high = e.let(e.or(e.gtU(e.get(al), e.const(0x99)), e.get(cf)));
    const change = e.let(e.add(e.mul(e.get(low), e.const(6)), e.mul(e.get(high), e.const(0x60))));
    const r = e.let(e.and(add ? e.add(e.get(al), e.get(change)) : e.sub(e.get(al), e.get(change)), e.const(0xff)));
    // A borrow out of the low-digit correction also sets CF when the high digit needs none (SDM DAS).
    const carry = add ? high : e.let(e.or(e.get(high), e.and(e.get(low), e.ltU(e.get(al), e.const(6)))));
    e.setReg(EAX, 8, r);
    adjustFlags(e, r, carry, low);
  };
/** SF ZF PF from an 8-bit result; CF and AF as given; OF cleared. */
const adjustFlags = (e: Emitter, r: Local, cf: Local, af: Local): void => {
  const image = e.let(
    e.or(
      e.or(e.get(cf), e.shl(e.get(af), e.const(4))),
      e.or(
        e.or(e.and(e.get(r), e.const(0x80)), e.shl(e.eqz(e.and(e.get(r), e.const(0xff))), e.const(6))),
        e.shl(e.eqz(e.and(e.popcnt(e.and(e.get(r), e.const(0xff))), e.const(1))), e.const(2)),
      ),
    ),
  );
  const zero = e.let(e.const(0));
  e.flagsResultCarryOverflow(zero, zero, zero);
  e.flagsFromImage(image);
};
const asciiAdjust =
  (add: boolean): Semantics =>
  (e) => {
    const ax = e.let(e.reg(EAX, 16));
    const adjust = e.let(e.or(e.gtU(e.and(e.get(ax), e.const(15)), e.const(9)), e.adjust()));
    const change = e.let(e.mul(e.get(adjust), e.const(0x106)));
    const sumOf = e.let(add ? e.add(e.get(ax), e.get(change)) : e.sub(e.get(ax), e.get(change)));
    const r = e.let(e.and(e.get(sumOf), e.const(0xff0f)));
    e.setReg(EAX, 16, r);
    adjustFlags(e, r, adjust, adjust);
  };
const asciiAdjustMultiply: Semantics = (e) => {
  const base = e.let(e.and(e.read(0), e.const(0xff)));
  e.faultIf(e.eqz(e.get(base)), Vector.DE);
  const al = e.let(e.reg(EAX, 8));
  const quotient = e.let(e.divU(e.get(al), e.get(base)));
  const remainder = e.let(e.remU(e.get(al), e.get(base)));
  e.setReg(4, 8, quotient);
  e.setReg(0, 8, remainder);
  e.flagsLogic(e.let(e.extend8(e.get(remainder))));
};
const asciiAdjustDivide: Semantics = (e) => {
  const base = e.let(e.and(e.read(0), e.const(0xff)));
  const r = e.let(e.and(e.add(e.reg(EAX, 8), e.mul(e.reg(4, 8), e.get(base))), e.const(0xff)));
  e.setReg(EAX, 16, r);
  e.flagsLogic(e.let(e.extend8(e.get(r))));
};

/** The six encodings that ADD, OR, ADC, SBB, AND, SUB, XOR and CMP share (SDM vol. 2, table A-2). */
export const arithmeticGroup = (mnemonic: string, index: number, semantics: Semantics, lock = true): Row[] => {
  const base = (index * 8).toString(16).padStart(2, '0');
  const hex = (n: number): string => (parseInt(base, 16) + n).toString(16).padStart(2, '0');
  const options = { lock };
  return [
    ...row(mnemonic, `${hex(0)} /r`, 'Eb Gb', semantics, options),
    ...row(mnemonic, `${hex(1)} /r`, 'Ev Gv', semantics, options),
    ...row(mnemonic, `${hex(2)} /r`, 'Gb Eb', semantics),
    ...row(mnemonic, `${hex(3)} /r`, 'Gv Ev', semantics),
    ...row(mnemonic, hex(4), 'AL Ib', semantics),
    ...row(mnemonic, hex(5), 'rAX Iz', semantics),
    ...row(mnemonic, `80 /${index}`, 'Eb Ib', semantics, options),
    ...row(mnemonic, `81 /${index}`, 'Ev Iz', semantics, options),
    ...row(mnemonic, `82 /${index}`, 'Eb Ib', semantics, options),
    ...row(mnemonic, `83 /${index}`, 'Ev Isb', semantics, options),
  ];
};

export const arithmetic: readonly Row[] = [
  ...arithmeticGroup('add', 0, binary(sum)),
  ...arithmeticGroup('adc', 2, binary(sumWithCarry)),
  ...arithmeticGroup('sbb', 3, binary(differenceWithBorrow)),
  ...arithmeticGroup('sub', 5, binary(difference)),
  ...arithmeticGroup('cmp', 7, compare(difference), false),
  ...row('inc', '40 +r', 'Zv', increment),
  ...row('dec', '48 +r', 'Zv', decrement),
  ...row('inc', 'fe /0', 'Eb', increment, { lock: true }),
  ...row('dec', 'fe /1', 'Eb', decrement, { lock: true }),
  ...row('inc', 'ff /0', 'Ev', increment, { lock: true }),
  ...row('dec', 'ff /1', 'Ev', decrement, { lock: true }),
  ...row('neg', 'f6 /3', 'Eb', negate, { lock: true }),
  ...row('neg', 'f7 /3', 'Ev', negate, { lock: true }),
  ...row('mul', 'f6 /4', 'Eb', multiply(false)),
  ...row('mul', 'f7 /4', 'Ev', multiply(false)),
  ...row('imul', 'f6 /5', 'Eb', multiply(true)),
  ...row('imul', 'f7 /5', 'Ev', multiply(true)),
  ...row('imul', '0f af /r', 'Gv Ev', multiplySigned(0, 1)),
  ...row('imul', '69 /r', 'Gv Ev Iz', multiplySigned(1, 2)),
  ...row('imul', '6b /r', 'Gv Ev Isb', multiplySigned(1, 2)),
  ...row('div', 'f6 /6', 'Eb', divide(false)),
  ...row('div', 'f7 /6', 'Ev', divide(false)),
  ...row('idiv', 'f6 /7', 'Eb', divide(true)),
  ...row('idiv', 'f7 /7', 'Ev', divide(true)),
  ...row('xadd', '0f c0 /r', 'Eb Gb', exchangeAndAdd, { lock: true }),
  ...row('xadd', '0f c1 /r', 'Ev Gv', exchangeAndAdd, { lock: true }),
  ...row('cmpxchg', '0f b0 /r', 'Eb Gb', compareAndExchange, { lock: true }),
  ...row('cmpxchg', '0f b1 /r', 'Ev Gv', compareAndExchange, { lock: true }),
  ...row('cmpxchg8b', '0f c7 /1', 'Mq', compareAndExchange8Bytes, { lock: true }),
  ...row('daa', '27', '', decimalAdjust(true)),
  ...row('das', '2f', '', decimalAdjust(false)),
  ...row('aaa', '37', '', asciiAdjust(true)),
  ...row('aas', '3f', '', asciiAdjust(false)),
  ...row('aam', 'd4', 'Ib', asciiAdjustMultiply),
  ...row('aad', 'd5', 'Ib', asciiAdjustDivide),
];
