// Rows of the SSE, SSE2 and SSE3 floating-point instructions, of MXCSR and of the masked moves: all TypeScript helpers.
// Moves and integer forms are in simd-moves.ts and simd-lanes.ts. SDM vol. 2, appendix A.

import type { Helper } from '../cpu/cpu.ts';
import { maskmovdqu, maskmovq } from '../cpu/masked-move.ts';
import { Double, Single } from '../cpu/narrow-float.ts';
import * as convert from '../cpu/sse-convert.ts';
import {
  addForms,
  addSubtract,
  compareForms,
  compareToFlags,
  divideForms,
  duplicateSingles,
  type FourForms,
  horizontal,
  lddqu,
  maximumForms,
  minimumForms,
  movddup,
  multiplyForms,
  rootForms,
  subtractForms,
} from '../cpu/sse-float.ts';
import { ldmxcsr, stmxcsr } from '../cpu/x87/fxsave.ts';
import { hard, type Row, type RowText } from './row.ts';

const sse = (mnemonic: string, encoding: string, operands: string, helper: Helper, text: RowText = {}): Row[] =>
  hard(mnemonic, encoding, operands, helper, { unit: 'sse', ...text });

const four = (name: string, opcode: string, forms: FourForms, immediate = ''): Row[] => {
  const text = (type: string): RowText =>
    immediate === '' ? {} : { names: `${name}#${type}`, att: `${name}#${type}` };
  return [
    ...sse(`${name}ps`, `NP 0f ${opcode} /r`, `Vx Wx${immediate}`, forms.ps, text('ps')),
    ...sse(`${name}pd`, `P66 0f ${opcode} /r`, `Vx Wx${immediate}`, forms.pd, text('pd')),
    ...sse(`${name}ss`, `PF3 0f ${opcode} /r`, `Vx Wd${immediate}`, forms.ss, text('ss')),
    ...sse(`${name}sd`, `PF2 0f ${opcode} /r`, `Vx Wq${immediate}`, forms.sd, text('sd')),
  ];
};

/** Memory at DS:rDI, which is no operand: the address size shows as a prefix. */
const masked = (name: string): RowText => ({ names: `&${name}`, att: `&${name}` });

export const sseFloatRows: readonly Row[] = [
  ...four('sqrt', '51', rootForms),
  ...four('add', '58', addForms),
  ...four('mul', '59', multiplyForms),
  ...four('sub', '5c', subtractForms),
  ...four('min', '5d', minimumForms),
  ...four('div', '5e', divideForms),
  ...four('max', '5f', maximumForms),
  ...four('cmp', 'c2', compareForms, ' Ib'),
  ...sse('ucomiss', 'NP 0f 2e /r', 'Vx Wd', compareToFlags(Single, true)),
  ...sse('ucomisd', 'P66 0f 2e /r', 'Vx Wq', compareToFlags(Double, true)),
  ...sse('comiss', 'NP 0f 2f /r', 'Vx Wd', compareToFlags(Single, false)),
  ...sse('comisd', 'P66 0f 2f /r', 'Vx Wq', compareToFlags(Double, false)),
  ...sse('rsqrtps', 'NP 0f 52 /r', 'Vx Wx', convert.rsqrtps),
  ...sse('rsqrtss', 'PF3 0f 52 /r', 'Vx Wd', convert.rsqrtss),
  ...sse('rcpps', 'NP 0f 53 /r', 'Vx Wx', convert.rcpps),
  ...sse('rcpss', 'PF3 0f 53 /r', 'Vx Wd', convert.rcpss),
  ...sse('addsubpd', 'P66 0f d0 /r', 'Vx Wx', addSubtract(Double)),
  ...sse('addsubps', 'PF2 0f d0 /r', 'Vx Wx', addSubtract(Single)),
  ...sse('haddpd', 'P66 0f 7c /r', 'Vx Wx', horizontal('add', Double)),
  ...sse('haddps', 'PF2 0f 7c /r', 'Vx Wx', horizontal('add', Single)),
  ...sse('hsubpd', 'P66 0f 7d /r', 'Vx Wx', horizontal('subtract', Double)),
  ...sse('hsubps', 'PF2 0f 7d /r', 'Vx Wx', horizontal('subtract', Single)),

  ...sse('cvtps2pd', 'NP 0f 5a /r', 'Vx Wq', convert.cvtps2pd),
  ...sse('cvtpd2ps', 'P66 0f 5a /r', 'Vx Wx', convert.cvtpd2ps),
  ...sse('cvtss2sd', 'PF3 0f 5a /r', 'Vx Wd', convert.cvtss2sd),
  ...sse('cvtsd2ss', 'PF2 0f 5a /r', 'Vx Wq', convert.cvtsd2ss),
  ...sse('cvtdq2ps', 'NP 0f 5b /r', 'Vx Wx', convert.cvtdq2ps),
  ...sse('cvtps2dq', 'P66 0f 5b /r', 'Vx Wx', convert.cvtps2dq),
  ...sse('cvttps2dq', 'PF3 0f 5b /r', 'Vx Wx', convert.cvttps2dq),
  ...sse('cvttpd2dq', 'P66 0f e6 /r', 'Vx Wx', convert.cvttpd2dq),
  ...sse('cvtdq2pd', 'PF3 0f e6 /r', 'Vx Wq', convert.cvtdq2pd),
  ...sse('cvtpd2dq', 'PF2 0f e6 /r', 'Vx Wx', convert.cvtpd2dq),
  ...sse('cvtpi2ps', 'NP 0f 2a /r', 'Vx Qq', convert.cvtpi2ps),
  ...sse('cvtpi2pd', 'P66 0f 2a /r', 'Vx Qq', convert.cvtpi2pd),
  ...sse('cvtsi2ss', 'PF3 0f 2a /r', 'Vx Ed', convert.cvtsi2ss, { att: 'cvtsi2ss*' }),
  ...sse('cvtsi2sd', 'PF2 0f 2a /r', 'Vx Ed', convert.cvtsi2sd, { att: 'cvtsi2sd*' }),
  ...sse('cvttps2pi', 'NP 0f 2c /r', 'Pq Wq', convert.cvttps2pi),
  ...sse('cvttpd2pi', 'P66 0f 2c /r', 'Pq Wx', convert.cvttpd2pi),
  ...sse('cvttss2si', 'PF3 0f 2c /r', 'Gd Wd', convert.cvttss2si),
  ...sse('cvttsd2si', 'PF2 0f 2c /r', 'Gd Wq', convert.cvttsd2si),
  ...sse('cvtps2pi', 'NP 0f 2d /r', 'Pq Wq', convert.cvtps2pi),
  ...sse('cvtpd2pi', 'P66 0f 2d /r', 'Pq Wx', convert.cvtpd2pi),
  ...sse('cvtss2si', 'PF3 0f 2d /r', 'Gd Wd', convert.cvtss2si),
  ...sse('cvtsd2si', 'PF2 0f 2d /r', 'Gd Wq', convert.cvtsd2si),

  ...sse('movddup', 'PF2 0f 12 /r', 'Vx Wq', movddup),
  ...sse('movsldup', 'PF3 0f 12 /r', 'Vx Wx', duplicateSingles(0)),
  ...sse('movshdup', 'PF3 0f 16 /r', 'Vx Wx', duplicateSingles(4)),
  ...sse('lddqu', 'PF2 0f f0 /r', 'Vx Mx', lddqu),
  ...sse('ldmxcsr', 'NP 0f ae /2', 'Md', ldmxcsr),
  ...sse('stmxcsr', 'NP 0f ae /3', 'Md', stmxcsr),
  ...sse('maskmovdqu', 'P66 0f f7 /r', 'Vx Ux', maskmovdqu, masked('maskmovdqu')),
  ...hard('maskmovq', 'NP 0f f7 /r', 'Pq Nq', maskmovq, { unit: 'mmx', ...masked('maskmovq') }),
];
