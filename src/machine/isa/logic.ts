// Logic and bit instructions: AND, OR, XOR, NOT, TEST, BT family, BSF, BSR, SETcc. Not shifts (shift.ts).
// SDM vol. 2, instruction pages.

import type { Local } from '../wasm/code.ts';
import { arithmeticGroup, binary, compare } from './arithmetic.ts';
import type { Emitter, Val } from './emitter.ts';
import { row, type Row, type Semantics } from './row.ts';

const logic =
  (f: (e: Emitter, a: Val, b: Val) => Val) =>
  (e: Emitter, a: Local, b: Local): Local => {
    const r = e.let(f(e, e.get(a), e.get(b)));
    e.flagsLogic(r);
    return r;
  };
const and = logic((e, a, b) => e.and(a, b));
const or = logic((e, a, b) => e.or(a, b));
const xor = logic((e, a, b) => e.xor(a, b));

const not: Semantics = (e) => e.modify(0, (a) => e.let(e.xor(e.get(a), e.const(-1))));

/** The bit's number inside the operand; a register offset also moves the address of a memory operand (SDM vol. 2, 3.1.1.9 "BitBase"). */
const bitIndex = (e: Emitter): Local => {
  const offset = e.let(e.read(1));
  const immediate = e.operandSize(1) === 8;
  if (e.isMemory(0) && !immediate) {
    const address = e.address();
    const bytes = e.size / 8;
    const steps = e.let(e.shrS(e.signed(e.get(offset), e.size), e.const(e.size === 32 ? 5 : 4)));
    e.set(address, e.add(e.get(address), e.mul(e.get(steps), e.const(bytes))));
  }
  return e.let(e.and(e.get(offset), e.const(e.size - 1)));
};
const bitTest: Semantics = (e) => {
  const bit = bitIndex(e);
  const value = e.let(e.read(0));
  e.flagsCarry(e.let(e.and(e.shrU(e.get(value), e.get(bit)), e.const(1))));
};
const bitChange =
  (f: (e: Emitter, value: Val, mask: Val) => Val): Semantics =>
  (e) => {
    const bit = bitIndex(e);
    e.modify(0, (a) => {
      const r = e.let(f(e, e.get(a), e.shl(e.const(1), e.get(bit))));
      e.flagsCarry(e.let(e.and(e.shrU(e.get(a), e.get(bit)), e.const(1))));
      return r;
    });
  };
const bitSet = bitChange((e, value, mask) => e.or(value, mask));
const bitReset = bitChange((e, value, mask) => e.and(value, e.xor(mask, e.const(-1))));
const bitComplement = bitChange((e, value, mask) => e.xor(value, mask));

/** Source 0: ZF = 1 and the destination stays. */
const bitScan =
  (forward: boolean): Semantics =>
  (e) => {
    const source = e.let(e.read(1));
    e.if(e.get(source), () => {
      const index = forward ? e.let(e.ctz(e.get(source))) : e.let(e.sub(e.const(31), e.clz(e.get(source))));
      e.write(0, index);
    });
    e.flagsLogic(source);
  };

const setIf =
  (cc: number): Semantics =>
  (e) =>
    e.write(0, e.let(e.condition(cc)));

export const CONDITION_SUFFIXES = [
  'o',
  'no',
  'b',
  'ae',
  'e',
  'ne',
  'be',
  'a',
  's',
  'ns',
  'p',
  'np',
  'l',
  'ge',
  'le',
  'g',
] as const;
const hex = (n: number): string => n.toString(16).padStart(2, '0');

const bitFamily = (mnemonic: string, opcode: string, digit: number, semantics: Semantics, lock: boolean): Row[] => [
  ...row(mnemonic, `0f ${opcode} /r`, 'Ev Gv', semantics, { lock }),
  ...row(mnemonic, `0f ba /${digit}`, 'Ev Ib', semantics, { lock }),
];

export const logicRows: readonly Row[] = [
  ...arithmeticGroup('or', 1, binary(or)),
  ...arithmeticGroup('and', 4, binary(and)),
  ...arithmeticGroup('xor', 6, binary(xor)),
  ...row('not', 'f6 /2', 'Eb', not, { lock: true }),
  ...row('not', 'f7 /2', 'Ev', not, { lock: true }),
  ...row('test', '84 /r', 'Eb Gb', compare(and)),
  ...row('test', '85 /r', 'Ev Gv', compare(and)),
  ...row('test', 'a8', 'AL Ib', compare(and)),
  ...row('test', 'a9', 'rAX Iz', compare(and)),
  ...row('test', 'f6 /0', 'Eb Ib', compare(and)),
  ...row('test', 'f7 /0', 'Ev Iz', compare(and)),
  ...row('test', 'f6 /1', 'Eb Ib', compare(and)),
  ...row('test', 'f7 /1', 'Ev Iz', compare(and)),
  ...bitFamily('bt', 'a3', 4, bitTest, false),
  ...bitFamily('bts', 'ab', 5, bitSet, true),
  ...bitFamily('btr', 'b3', 6, bitReset, true),
  ...bitFamily('btc', 'bb', 7, bitComplement, true),
  ...row('bsf', '0f bc /r', 'Gv Ev', bitScan(true)),
  ...row('bsr', '0f bd /r', 'Gv Ev', bitScan(false)),
  ...CONDITION_SUFFIXES.flatMap((suffix, cc) =>
    row(`set${suffix}`, `0f ${hex(0x90 + cc)} /r`, 'Eb', setIf(cc), { att: `set${suffix}` }),
  ),
];
