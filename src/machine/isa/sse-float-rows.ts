// Rows of the SSE, SSE2 and SSE3 floating-point instructions, of MXCSR and of the masked moves. Most are emitted for ordinary operands
// (sse-arithmetic.ts, sse-conversion.ts) and have a TypeScript helper for all. Moves and integer forms are in simd-moves.ts and simd-lanes.ts. SDM vol. 2, appendix A.

import { Vector } from '../cpu/cpu.ts';
import { StateLayout } from '../cpu/state.ts';
import { maskmovdqu, maskmovq } from '../cpu/masked-move.ts';
import { Double, Single } from '../cpu/narrow-float.ts';
import * as convert from '../cpu/sse-convert.ts';
import {
  addForms,
  addSubtract,
  compareForms,
  compareToFlags,
  divideForms,
  type FourForms,
  horizontal,
  maximumForms,
  minimumForms,
  multiplyForms,
  rootForms,
  subtractForms,
} from '../cpu/sse-float.ts';
import { Doubles, Singles } from './float-lanes.ts';
import { hard, row, type Row, rowsWith, type RowText, type Semantics } from './row.ts';
import { SSE } from './simd-common.ts';
import * as emitted from './sse-arithmetic.ts';
import * as conversion from './sse-conversion.ts';

const { hard: sse, guarded: both } = rowsWith(SSE);

const four = (
  name: string,
  opcode: string,
  semantics: emitted.FourDescriptions,
  forms: FourForms,
  immediate = '',
): Row[] => {
  const text = (type: string): RowText =>
    immediate === '' ? {} : { names: `${name}#${type}`, att: `${name}#${type}` };
  return [
    ...both(`${name}ps`, `NP 0f ${opcode} /r`, `Vx Wx${immediate}`, semantics.ps, forms.ps, text('ps')),
    ...both(`${name}pd`, `P66 0f ${opcode} /r`, `Vx Wx${immediate}`, semantics.pd, forms.pd, text('pd')),
    ...both(`${name}ss`, `PF3 0f ${opcode} /r`, `Vx Wd${immediate}`, semantics.ss, forms.ss, text('ss')),
    ...both(`${name}sd`, `PF2 0f ${opcode} /r`, `Vx Wq${immediate}`, semantics.sd, forms.sd, text('sd')),
  ];
};

/** Memory at DS:rDI, which is no operand: the address size shows as a prefix. */
const masked = (name: string): RowText => ({ names: `&${name}`, att: `&${name}` });

/** All 16 low bits can be written, denormals-are-zeros among them (SDM vol. 1, 11.6.6). */
const ldmxcsr: Semantics = (e) => {
  const value = e.let(e.read(0));
  e.faultIf(e.shrU(e.get(value), e.const(16)), Vector.GP, 0);
  e.setState(StateLayout.mxcsr, value);
};

export const sseFloatRows: readonly Row[] = [
  ...four('sqrt', '51', emitted.rootSemantics, rootForms),
  ...four('add', '58', emitted.addSemantics, addForms),
  ...four('mul', '59', emitted.multiplySemantics, multiplyForms),
  ...four('sub', '5c', emitted.subtractSemantics, subtractForms),
  ...four('min', '5d', emitted.minimumSemantics, minimumForms),
  ...four('div', '5e', emitted.divideSemantics, divideForms),
  ...four('max', '5f', emitted.maximumSemantics, maximumForms),
  ...four('cmp', 'c2', emitted.compareSemantics, compareForms, ' Ib'),
  ...both('ucomiss', 'NP 0f 2e /r', 'Vx Wd', emitted.orderSemantics(Singles), compareToFlags(Single, true)),
  ...both('ucomisd', 'P66 0f 2e /r', 'Vx Wq', emitted.orderSemantics(Doubles), compareToFlags(Double, true)),
  ...both('comiss', 'NP 0f 2f /r', 'Vx Wd', emitted.orderSemantics(Singles), compareToFlags(Single, false)),
  ...both('comisd', 'P66 0f 2f /r', 'Vx Wq', emitted.orderSemantics(Doubles), compareToFlags(Double, false)),
  ...both('rsqrtps', 'NP 0f 52 /r', 'Vx Wx', conversion.reciprocalRootSemantics(4), convert.rsqrtps),
  ...both('rsqrtss', 'PF3 0f 52 /r', 'Vx Wd', conversion.reciprocalRootSemantics(1), convert.rsqrtss),
  ...both('rcpps', 'NP 0f 53 /r', 'Vx Wx', conversion.reciprocalSemantics(4), convert.rcpps),
  ...both('rcpss', 'PF3 0f 53 /r', 'Vx Wd', conversion.reciprocalSemantics(1), convert.rcpss),
  ...both('addsubpd', 'P66 0f d0 /r', 'Vx Wx', emitted.addSubtractSemantics(Doubles), addSubtract(Double)),
  ...both('addsubps', 'PF2 0f d0 /r', 'Vx Wx', emitted.addSubtractSemantics(Singles), addSubtract(Single)),
  ...both('haddpd', 'P66 0f 7c /r', 'Vx Wx', emitted.horizontalSemantics('add', Doubles), horizontal('add', Double)),
  ...both('haddps', 'PF2 0f 7c /r', 'Vx Wx', emitted.horizontalSemantics('add', Singles), horizontal('add', Single)),
  ...both(
    'hsubpd',
    'P66 0f 7d /r',
    'Vx Wx',
    emitted.horizontalSemantics('subtract', Doubles),
    horizontal('subtract', Double),
  ),
  ...both(
    'hsubps',
    'PF2 0f 7d /r',
    'Vx Wx',
    emitted.horizontalSemantics('subtract', Singles),
    horizontal('subtract', Single),
  ),

  ...both('cvtps2pd', 'NP 0f 5a /r', 'Vx Wq', conversion.toDoubles(2), convert.cvtps2pd),
  ...both('cvtpd2ps', 'P66 0f 5a /r', 'Vx Wx', conversion.toSingles(2), convert.cvtpd2ps),
  ...both('cvtss2sd', 'PF3 0f 5a /r', 'Vx Wd', conversion.toDoubles(1), convert.cvtss2sd),
  ...both('cvtsd2ss', 'PF2 0f 5a /r', 'Vx Wq', conversion.toSingles(1), convert.cvtsd2ss),
  ...both('cvtdq2ps', 'NP 0f 5b /r', 'Vx Wx', conversion.cvtdq2psSemantics, convert.cvtdq2ps),
  ...both('cvtps2dq', 'P66 0f 5b /r', 'Vx Wx', conversion.toPackedIntegers(Singles, false), convert.cvtps2dq),
  ...both('cvttps2dq', 'PF3 0f 5b /r', 'Vx Wx', conversion.toPackedIntegers(Singles, true), convert.cvttps2dq),
  ...both('cvttpd2dq', 'P66 0f e6 /r', 'Vx Wx', conversion.toPackedIntegers(Doubles, true), convert.cvttpd2dq),
  ...row('cvtdq2pd', 'PF3 0f e6 /r', 'Vx Wq', conversion.cvtdq2pdSemantics, SSE),
  ...both('cvtpd2dq', 'PF2 0f e6 /r', 'Vx Wx', conversion.toPackedIntegers(Doubles, false), convert.cvtpd2dq),
  ...sse('cvtpi2ps', 'NP 0f 2a /r', 'Vx Qq', convert.cvtpi2ps),
  ...sse('cvtpi2pd', 'P66 0f 2a /r', 'Vx Qq', convert.cvtpi2pd),
  ...both('cvtsi2ss', 'PF3 0f 2a /r', 'Vx Ed', conversion.cvtsi2ssSemantics, convert.cvtsi2ss, { att: 'cvtsi2ss*' }),
  ...row('cvtsi2sd', 'PF2 0f 2a /r', 'Vx Ed', conversion.cvtsi2sdSemantics, { ...SSE, att: 'cvtsi2sd*' }),
  ...sse('cvttps2pi', 'NP 0f 2c /r', 'Pq Wq', convert.cvttps2pi),
  ...sse('cvttpd2pi', 'P66 0f 2c /r', 'Pq Wx', convert.cvttpd2pi),
  ...both('cvttss2si', 'PF3 0f 2c /r', 'Gd Wd', conversion.toGeneralRegister(Singles, true), convert.cvttss2si),
  ...both('cvttsd2si', 'PF2 0f 2c /r', 'Gd Wq', conversion.toGeneralRegister(Doubles, true), convert.cvttsd2si),
  ...sse('cvtps2pi', 'NP 0f 2d /r', 'Pq Wq', convert.cvtps2pi),
  ...sse('cvtpd2pi', 'P66 0f 2d /r', 'Pq Wx', convert.cvtpd2pi),
  ...both('cvtss2si', 'PF3 0f 2d /r', 'Gd Wd', conversion.toGeneralRegister(Singles, false), convert.cvtss2si),
  ...both('cvtsd2si', 'PF2 0f 2d /r', 'Gd Wq', conversion.toGeneralRegister(Doubles, false), convert.cvtsd2si),

  ...row('ldmxcsr', 'NP 0f ae /2', 'Md', ldmxcsr, { ...SSE, reads: true }),
  ...row('stmxcsr', 'NP 0f ae /3', 'Md', (e) => e.write(0, e.let(e.state(StateLayout.mxcsr))), SSE),
  ...sse('maskmovdqu', 'P66 0f f7 /r', 'Vx Ux', maskmovdqu, masked('maskmovdqu')),
  ...hard('maskmovq', 'NP 0f f7 /r', 'Pq Nq', maskmovq, { unit: 'mmx', ...masked('maskmovq') }),
];
