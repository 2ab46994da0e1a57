// Rows of the x87 instructions, opcodes D8 to DF and 9B, and of FXSAVE and FXRSTOR. Semantics: x87-emitted.ts for the ordinary cases of those
// that programs execute often, cpu/x87/ for all.
// A register operand `R` of these rows is ST(i), `i` by ModRM.rm. The aliases that the 8087 left (DC D0, DD C8, DE D0, DF C8...) are
// the instructions they act as; D9 D8 alone differs a little. SDM vol. 2, appendix A, tables.

import {
  compareMemory,
  compareRegister,
  compareToFlags,
  fprem,
  fprem1,
  frndint,
  fscale,
  fsqrt,
  ftst,
  fxtract,
  memoryForm,
  type MemoryFormat,
  registerForm,
} from '../cpu/x87/arithmetic.ts';
import { fldcw, fldenv, fnclex, fninit, fnop, fnsave, fnstenv, frstor, fwait, ignored } from '../cpu/x87/control.ts';
import { fxrstor, fxsave } from '../cpu/x87/fxsave.ts';
import { f2xm1, fcos, fpatan, fptan, fsin, fsincos, fyl2x, fyl2xp1 } from '../cpu/x87/transcendental.ts';
import {
  CmovFlags,
  fabs,
  fbld,
  fbstp,
  fchs,
  fcmov,
  ffree,
  fildInteger,
  fld1,
  fldDouble,
  fldExtended,
  fldl2e,
  fldl2t,
  fldlg2,
  fldln2,
  fldpi,
  fldRegister,
  fldSingle,
  fldz,
  fstDouble,
  fstpDouble,
  fstpExtended,
  fstpSingle,
  fstRegister,
  fstSingle,
  fxam,
  fxch,
  rotateStack,
  storeInteger,
} from '../cpu/x87/transfer.ts';
import type { Helper } from '../cpu/cpu.ts';
import { guarded, row, type Row, type RowOptions, rowsWith, type RowText, type Semantics } from './row.ts';
import * as emitted from './x87-emitted.ts';

const FPU: RowOptions = { unit: 'fpu' };
const { hard: x87 } = rowsWith(FPU);
/** With a description of the ordinary case. */
const { guarded: both } = rowsWith({ ...FPU, prologue: emitted.x87Prologue });
const READS: RowOptions = { reads: true };
/** AT&T suffixes of floating-point and integer memory operands by the operand code. */
const real = { Md: 's', Mq: 'l', Mt: 't' } as const;
const integer = { Mw: 's', Md: 'l', Mq: 'll' } as const;
/** Loads and stores: of these, `load` alone only reads. */
const suffixed =
  <Operand extends string>(suffixes: Readonly<Record<Operand, string>>, load: string) =>
  (mnemonic: string, encoding: string, operand: Operand, semantics: Semantics, helper: Helper): Row[] =>
    both(mnemonic, encoding, operand, semantics, helper, {
      att: mnemonic + suffixes[operand],
      reads: mnemonic === load,
    });
const memoryReal = suffixed(real, 'fld');
const memoryInteger = suffixed(integer, 'fild');
/** The assembler's default for ST(i) is ST(1). */
const implied = (operands: string): RowText => ({ shows: `[${operands}]` });
/** Environments and states are shorter with 16-bit operand size: AT&T's suffix says so. */
const environment = (mnemonic: string): RowText => ({ names: `${mnemonic}~`, att: `${mnemonic}~` });

/** FADD, FMUL, FCOM, FCOMP, FSUB, FSUBR, FDIV, FDIVR from memory: the digit chooses. */
const memoryArithmetic = (
  prefix: 'f' | 'fi',
  opcode: string,
  operand: 'Mw' | 'Md' | 'Mq',
  format: MemoryFormat,
): Row[] =>
  ['add', 'mul', 'com', 'comp', 'sub', 'subr', 'div', 'divr'].flatMap((name, digit) =>
    both(
      prefix + name,
      `${opcode} /${digit}`,
      operand,
      digit === 2 || digit === 3 ? emitted.compareMemory(format, digit === 3) : emitted.memoryArithmetic(digit, format),
      digit === 2 || digit === 3 ? compareMemory(format, digit === 3) : memoryForm(digit, format),
      { ...READS, att: prefix + name + (prefix === 'fi' ? integer[operand] : operand === 'Md' ? 's' : 'l') },
    ),
  );
/** The register forms. DC and DE exchange FSUB with FSUBR and FDIV with FDIVR: their destination is ST(i). */
const REGISTER_DIGITS = [0, 1, 4, 5, 6, 7] as const;
const NAMES = ['add', 'mul', '', '', 'sub', 'subr', 'div', 'divr'] as const;
const registerArithmetic = (opcode: string, toSource: boolean, pops: boolean): Row[] =>
  REGISTER_DIGITS.flatMap((digit) => {
    const operation = toSource && digit >= 4 ? digit ^ 1 : digit;
    const name = (n: number): string => `f${NAMES[n]!}${pops ? 'p' : ''}`;
    const text: RowText = pops ? implied('R ST') : { shows: toSource ? 'R ST' : 'ST R' };
    return both(
      name(operation),
      `${opcode} /${digit}`,
      'R',
      emitted.registerArithmetic(operation, toSource, pops),
      registerForm(operation, toSource, pops),
      {
        ...text,
        // AT&T assemblers kept an exchange of FSUB with FSUBR and FDIV with FDIVR for these.
        att: name(digit),
      },
    );
  });
const conditionalMoves = (opcode: string, negated: boolean): Row[] =>
  (['b', 'e', 'be', 'u'] as const).flatMap((name, digit) =>
    x87(`fcmov${negated ? 'n' : ''}${name}`, `${opcode} /${digit}`, 'R', fcmov(CmovFlags[name], negated), {
      shows: 'ST R',
    }),
  );

export const x87Rows: readonly Row[] = [
  ...guarded('fwait', '9b', '', emitted.fwait, fwait),
  ...memoryArithmetic('f', 'd8', 'Md', 'single'),
  ...memoryArithmetic('f', 'dc', 'Mq', 'double'),
  ...memoryArithmetic('fi', 'da', 'Md', 'dword'),
  ...memoryArithmetic('fi', 'de', 'Mw', 'word'),
  ...registerArithmetic('d8', false, false),
  ...registerArithmetic('dc', true, false),
  ...registerArithmetic('de', true, true),
  ...both('fcom', 'd8 /2', 'R', emitted.compareRegister(0), compareRegister(false, 0), implied('R')),
  ...both('fcomp', 'd8 /3', 'R', emitted.compareRegister(1), compareRegister(false, 1), implied('R')),
  ...both('fcom', 'dc /2', 'R', emitted.compareRegister(0), compareRegister(false, 0), implied('R')),
  ...both('fcomp', 'dc /3', 'R', emitted.compareRegister(1), compareRegister(false, 1), implied('R')),
  ...both('fcomp', 'de /2', 'R', emitted.compareRegister(1), compareRegister(false, 1), implied('R')),
  ...both('fcompp', 'de =d9', '', emitted.compareRegister(2), compareRegister(false, 2)),
  ...both('fucom', 'dd /4', 'R', emitted.compareRegister(0), compareRegister(true, 0), implied('R')),
  ...both('fucomp', 'dd /5', 'R', emitted.compareRegister(1), compareRegister(true, 1), implied('R')),
  ...both('fucompp', 'da =e9', '', emitted.compareRegister(2), compareRegister(true, 2)),
  ...both('fucomi', 'db /5', 'R', emitted.compareToFlags(false), compareToFlags(true, false), { shows: 'ST R' }),
  ...both('fcomi', 'db /6', 'R', emitted.compareToFlags(false), compareToFlags(false, false), { shows: 'ST R' }),
  ...both('fucomip', 'df /5', 'R', emitted.compareToFlags(true), compareToFlags(true, true), { shows: 'ST R' }),
  ...both('fcomip', 'df /6', 'R', emitted.compareToFlags(true), compareToFlags(false, true), { shows: 'ST R' }),
  ...conditionalMoves('da', false),
  ...conditionalMoves('db', true),

  ...memoryReal('fld', 'd9 /0', 'Md', emitted.load('single'), fldSingle),
  ...memoryReal('fst', 'd9 /2', 'Md', emitted.storeReal(4, false), fstSingle),
  ...memoryReal('fstp', 'd9 /3', 'Md', emitted.storeReal(4, true), fstpSingle),
  ...memoryReal('fld', 'dd /0', 'Mq', emitted.load('double'), fldDouble),
  ...memoryInteger('fisttp', 'dd /1', 'Mq', emitted.storeInteger(8, true, true), storeInteger(8, true, true)),
  ...memoryReal('fst', 'dd /2', 'Mq', emitted.storeReal(8, false), fstDouble),
  ...memoryReal('fstp', 'dd /3', 'Mq', emitted.storeReal(8, true), fstpDouble),
  ...memoryInteger('fild', 'db /0', 'Md', emitted.load('dword'), fildInteger(4)),
  ...memoryInteger('fisttp', 'db /1', 'Md', emitted.storeInteger(4, true, true), storeInteger(4, true, true)),
  ...memoryInteger('fist', 'db /2', 'Md', emitted.storeInteger(4, false), storeInteger(4, false)),
  ...memoryInteger('fistp', 'db /3', 'Md', emitted.storeInteger(4, true), storeInteger(4, true)),
  ...memoryReal('fld', 'db /5', 'Mt', emitted.loadExtended, fldExtended),
  ...memoryReal('fstp', 'db /7', 'Mt', emitted.storeExtended, fstpExtended),
  ...memoryInteger('fild', 'df /0', 'Mw', emitted.load('word'), fildInteger(2)),
  ...memoryInteger('fisttp', 'df /1', 'Mw', emitted.storeInteger(2, true, true), storeInteger(2, true, true)),
  ...memoryInteger('fist', 'df /2', 'Mw', emitted.storeInteger(2, false), storeInteger(2, false)),
  ...memoryInteger('fistp', 'df /3', 'Mw', emitted.storeInteger(2, true), storeInteger(2, true)),
  ...x87('fbld', 'df /4', 'Mt', fbld),
  ...memoryInteger('fild', 'df /5', 'Mq', emitted.load('qword'), fildInteger(8)),
  ...x87('fbstp', 'df /6', 'Mt', fbstp),
  ...memoryInteger('fistp', 'df /7', 'Mq', emitted.storeInteger(8, true), storeInteger(8, true)),

  ...both('fld', 'd9 /0', 'R', emitted.loadRegister, fldRegister),
  ...both('fxch', 'd9 /1', 'R', emitted.exchange, fxch, implied('R')),
  ...both('fxch', 'dd /1', 'R', emitted.exchange, fxch, implied('R')),
  ...both('fxch', 'df /1', 'R', emitted.exchange, fxch, implied('R')),
  ...both('fst', 'dd /2', 'R', emitted.storeRegister(false), fstRegister(false)),
  ...both('fstp', 'dd /3', 'R', emitted.storeRegister(true), fstRegister(true)),
  ...both('fstp', 'd9 /3', 'R', emitted.storeRegister(true), fstRegister(true, true)),
  ...both('fstp', 'df /2', 'R', emitted.storeRegister(true), fstRegister(true)),
  ...both('fstp', 'df /3', 'R', emitted.storeRegister(true), fstRegister(true)),
  ...x87('ffree', 'dd /0', 'R', ffree(false)),
  ...x87('ffreep', 'df /0', 'R', ffree(true)),

  ...both('fldcw', 'd9 /5', 'Mw', emitted.fldcw, fldcw, READS),
  ...row('fnstcw', 'd9 /7', 'Mw', emitted.fnstcw, FPU),
  ...x87('fldenv', 'd9 /4', 'M', fldenv, environment('fldenv')),
  ...x87('fnstenv', 'd9 /6', 'M', fnstenv, environment('fnstenv')),
  ...x87('frstor', 'dd /4', 'M', frstor, environment('frstor')),
  ...x87('fnsave', 'dd /6', 'M', fnsave, environment('fnsave')),
  ...row('fnstsw', 'dd /7', 'Mw', emitted.fnstsw, FPU),
  ...row('fnstsw', 'df =e0', '', emitted.fnstswAx, { ...FPU, shows: 'AX' }),
  ...x87('fneni', 'db =e0', '', ignored),
  ...x87('fndisi', 'db =e1', '', ignored),
  ...x87('fnclex', 'db =e2', '', fnclex),
  ...x87('fninit', 'db =e3', '', fninit),
  ...x87('fnsetpm', 'db =e4', '', ignored),
  ...x87('fxsave', 'NP 0f ae /0', 'M', fxsave),
  ...x87('fxrstor', 'NP 0f ae /1', 'M', fxrstor),

  ...x87('fnop', 'd9 =d0', '', fnop),
  ...both('fchs', 'd9 =e0', '', emitted.changeSign, fchs),
  ...both('fabs', 'd9 =e1', '', emitted.absolute, fabs),
  ...both('ftst', 'd9 =e4', '', emitted.compareZero, ftst),
  ...x87('fxam', 'd9 =e5', '', fxam),
  ...both('fld1', 'd9 =e8', '', emitted.loadConstant(1), fld1),
  ...x87('fldl2t', 'd9 =e9', '', fldl2t),
  ...x87('fldl2e', 'd9 =ea', '', fldl2e),
  ...x87('fldpi', 'd9 =eb', '', fldpi),
  ...x87('fldlg2', 'd9 =ec', '', fldlg2),
  ...x87('fldln2', 'd9 =ed', '', fldln2),
  ...both('fldz', 'd9 =ee', '', emitted.loadConstant(0), fldz),
  ...both('f2xm1', 'd9 =f0', '', emitted.exponential, f2xm1),
  ...both('fyl2x', 'd9 =f1', '', emitted.logarithm, fyl2x),
  ...both('fptan', 'd9 =f2', '', emitted.tangent, fptan),
  ...both('fpatan', 'd9 =f3', '', emitted.arctangent, fpatan),
  ...x87('fxtract', 'd9 =f4', '', fxtract),
  ...x87('fprem1', 'd9 =f5', '', fprem1),
  ...x87('fdecstp', 'd9 =f6', '', rotateStack(-1)),
  ...x87('fincstp', 'd9 =f7', '', rotateStack(1)),
  ...x87('fprem', 'd9 =f8', '', fprem),
  ...both('fyl2xp1', 'd9 =f9', '', emitted.logarithmPlusOne, fyl2xp1),
  ...both('fsqrt', 'd9 =fa', '', emitted.squareRoot, fsqrt),
  ...both('fsincos', 'd9 =fb', '', emitted.sineAndCosine, fsincos),
  ...both('frndint', 'd9 =fc', '', emitted.roundToInteger, frndint),
  ...x87('fscale', 'd9 =fd', '', fscale),
  ...both('fsin', 'd9 =fe', '', emitted.sine, fsin),
  ...both('fcos', 'd9 =ff', '', emitted.cosine, fcos),
];
