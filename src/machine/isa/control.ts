// Near control transfer: JMP, Jcc, CALL, RET, LOOP, JCXZ. Far transfers and interrupts are helpers (system-rows.ts). SDM vol. 2.

import { ECX, ESP } from '../cpu/state.ts';
import type { Emitter } from './emitter.ts';
import { CONDITION_SUFFIXES } from './logic.ts';
import { row, type Row, type Semantics } from './row.ts';

const jump: Semantics = (e) => {
  e.requireTarget(0);
  e.jump(0);
};
const jumpIf =
  (cc: number): Semantics =>
  (e) =>
    e.jumpIf(0, e.condition(cc));
const jumpIndirect: Semantics = (e) => {
  const target = e.let(e.read(0));
  e.requireTargetAt(target);
  e.jumpTo(target);
};
const wide = (e: Emitter): 16 | 32 => (e.size === 16 ? 16 : 32);
const call: Semantics = (e) => {
  e.requireTarget(0);
  const back = e.let(e.nextEip());
  e.push(back, wide(e));
  e.jump(0);
};
const callIndirect: Semantics = (e) => {
  const target = e.let(e.read(0));
  e.requireTargetAt(target);
  const back = e.let(e.nextEip());
  e.push(back, wide(e));
  e.jumpTo(target);
};
const returnNear: Semantics = (e) => {
  const target = e.peek(wide(e));
  e.requireTargetAt(target);
  e.addStack(wide(e) / 8);
  e.jumpTo(target);
};
const returnNearPop: Semantics = (e) => {
  const target = e.peek(wide(e));
  e.requireTargetAt(target);
  const bytes = e.let(e.add(e.truncate(e.read(0), 16), e.const(wide(e) / 8)));
  e.setStack(e.let(e.add(e.reg(ESP, 32), e.get(bytes))));
  e.jumpTo(target);
};
/** LOOP and JCXZ count in ECX or CX by the ADDRESS size; the decoder picks the row by it (operand 1: rCX). */
const loop =
  (cc: number | undefined): Semantics =>
  (e) => {
    const size = e.operandSize(1) as 16 | 32;
    const count = e.let(e.sub(e.reg(ECX, size), e.const(1)));
    const left = e.let(e.ne(e.truncate(e.get(count), size), e.const(0)));
    const taken = cc === undefined ? left : e.let(e.and(e.get(left), e.condition(cc)));
    e.if(e.get(taken), () => e.requireTarget(0));
    e.setReg(ECX, size, count);
    e.jumpIf(0, e.get(taken));
  };
const jumpIfCountZero: Semantics = (e) => e.jumpIf(0, e.eqz(e.reg(ECX, e.operandSize(1) as 16 | 32)));

const hex = (n: number): string => n.toString(16).padStart(2, '0');
const near = { near: true };
const ends = { ...near, ends: true };
const endsStack = { ...ends, stack: true };
const sizedRet = { names: 'ret~', att: 'ret~' };

export const controlRows: readonly Row[] = [
  ...row('jmp', 'eb', 'Jb', jump, { ...ends, att: '^jmp' }),
  ...row('jmp', 'e9', 'Jv', jump, { ...ends, att: '^jmp' }),
  ...row('jmp', 'ff /4', 'Ev', jumpIndirect, { ...ends, att: 'jmp~@' }),
  ...CONDITION_SUFFIXES.flatMap((suffix, cc) => [
    ...row(`j${suffix}`, hex(0x70 + cc), 'Jb', jumpIf(cc), { ...near, names: `?j${suffix}`, att: `?^j${suffix}` }),
    ...row(`j${suffix}`, `0f ${hex(0x80 + cc)}`, 'Jv', jumpIf(cc), {
      ...near,
      names: `?j${suffix}`,
      att: `?^j${suffix}`,
    }),
  ]),
  ...row('call', 'e8', 'Jv', call, { ...endsStack, att: 'call~' }),
  ...row('call', 'ff /2', 'Ev', callIndirect, { ...endsStack, att: 'call~@' }),
  ...row('ret', 'c3', '', returnNear, { ...endsStack, sized: true, ...sizedRet }),
  ...row('ret', 'c2', 'Iw', returnNearPop, { ...endsStack, sized: true, ...sizedRet }),
  ...row('loopne', 'e0', 'Jb Y', loop(5), { ...near, names: 'loopne~', att: '^loopne~', shows: 'Jb' }),
  ...row('loope', 'e1', 'Jb Y', loop(4), { ...near, names: 'loope~', att: '^loope~', shows: 'Jb' }),
  ...row('loop', 'e2', 'Jb Y', loop(undefined), { ...near, names: 'loop~', att: '^loop~', shows: 'Jb' }),
  ...row('jcxz', 'e3', 'Jb Y', jumpIfCountZero, { ...near, names: 'jcxz|jecxz', att: '^jcxz|jecxz', shows: 'Jb' }),
];
