// What the functions of entries share: their parameters, the tail call of another entry's function, the way on by a link or through the jump
// cache. Not instructions and not which functions there are (forms.ts, micro-operations.ts, region/region-function.ts).

import { StateLayout } from '../cpu/state.ts';
import { INVALID } from '../cpu/tlb.ts';
import { Filled } from '../isa/walk-functions.ts';
import { LinearLayout } from '../memory.ts';
import type { Code, Local } from '../wasm/code.ts';
import { Entry, ENTRY_SIZE, ExitKind, JUMP_LINES, JumpLine } from './entry.ts';
import { Mode } from './mode.ts';

/** Parameters of every entry's function: entry, budget, address from an address entry before it, TLB context. */
export const E = 0,
  N = 1,
  EA = 2,
  TLB = 3;

/** A word of the processor's state. */
export const setState = (c: Code, address: number, value: () => void): void => {
  c.i32(0);
  value();
  c.memory(0x36, 2, address);
};

/** Goes on at an entry. `type`: of all entry functions. The parameters are locals of the calling function. */
export const dispatch = (c: Code, type: number, entry: Local, budget: Local = N, tlb: Local = TLB): void => {
  c.localGet(entry);
  c.localGet(budget);
  c.i32(0);
  c.localGet(tlb);
  c.localGet(entry);
  c.memory(0x28, 2, Entry.fn);
  c.returnCallIndirect(type, 0);
};
/** Goes on at the entry behind this one. */
export const dispatchNext = (c: Code, type: number): void => {
  c.localGet(E);
  c.i32(ENTRY_SIZE);
  c.op(0x6a);
  c.localGet(N);
  c.localGet(EA);
  c.localGet(TLB);
  c.localGet(E);
  c.memory(0x28, 2, ENTRY_SIZE + Entry.fn);
  c.returnCallIndirect(type, 0);
};
/** Goes on at a jump entry's target if it is linked (`target` > 0) and budget is left. */
export const dispatchLinked = (c: Code, type: number, target: Local): void => {
  c.localGet(target);
  c.i32(0);
  c.op(0x4a); // gt_s
  c.localGet(N);
  c.i32(0);
  c.op(0x4e); // ge_s
  c.op(0x71);
  c.likely();
  c.if();
  dispatch(c, type, target);
  c.end();
};

/** Locals of a function that goes on at an EIP; `line` is free. */
export interface JumpLocals {
  readonly eip: Local;
  readonly budget: Local;
  readonly tlb: Local;
  readonly line: Local;
}
/** Is the line of the EIP for it, and for the present mode and code? Its offset is in `line` then. */
const findLine = (c: Code, { eip, line }: JumpLocals): void => {
  c.localGet(eip);
  c.localGet(eip);
  c.i32(12);
  c.op(0x76);
  c.op(0x73);
  c.i32(JUMP_LINES - 1);
  c.op(0x71);
  c.i32(4);
  c.op(0x74);
  c.localTee(line);
  c.memory(0x28, 2, LinearLayout.jumpCache + JumpLine.eip);
  c.localGet(eip);
  c.op(0x46);
  c.localGet(line);
  c.memory(0x28, 2, LinearLayout.jumpCache + JumpLine.tag);
  c.i32(0);
  c.memory(0x28, 2, StateLayout.jumpTag);
  c.op(0x46);
  c.op(0x71);
};
/** The TLB word of the EIP's page. */
const translation = (c: Code, { eip, tlb }: JumpLocals): void => {
  c.localGet(eip);
  c.i32(12);
  c.op(0x76);
  c.i32(2);
  c.op(0x74);
  c.localGet(tlb);
  c.op(0x6a);
  c.memory(0x28, 2, 0);
};
/** Does the line still say where the EIP's page is? */
const isThere = (c: Code, locals: JumpLocals): void => {
  c.localGet(locals.line);
  c.memory(0x28, 2, LinearLayout.jumpCache + JumpLine.translation);
  translation(c, locals);
  c.op(0x46);
};
const dispatchLine = (c: Code, type: number, { budget, tlb, line }: JumpLocals): void => {
  c.localGet(line);
  c.memory(0x28, 2, LinearLayout.jumpCache + JumpLine.entry);
  c.localSet(line);
  dispatch(c, type, line, budget, tlb);
};

/** Goes on at an EIP through the jump cache. `miss`: (eip, budget, TLB context), which goes on where that has no line, or no budget is left. */
export const throughJumpCache = (c: Code, type: number, locals: JumpLocals, miss: number): void => {
  c.localGet(locals.budget);
  c.i32(0);
  c.op(0x4e); // ge_s
  c.likely();
  c.if();
  findLine(c, locals);
  isThere(c, locals);
  c.op(0x71);
  c.likely();
  c.if();
  dispatchLine(c, type, locals);
  c.end();
  c.end();
  c.localGet(locals.eip);
  c.localGet(locals.budget);
  c.localGet(locals.tlb);
  c.returnCall(miss);
};

/**
 * Such a `miss`. Perhaps a line lacks no more than the translation of its page, which was dropped: the page is walked for then, as the run loop would,
 * and if it is where it was control goes on. Else the state is as the run loop wants it. `fill`: isa/walk-functions.ts `fillTranslation`.
 */
export const jumpCacheMiss = (c: Code, type: number, locals: JumpLocals, fill: number): void => {
  const { eip, budget } = locals;
  c.localGet(budget);
  c.i32(0);
  c.op(0x4e); // ge_s
  c.i32(0);
  c.memory(0x28, 2, StateLayout.mode);
  c.i32(Math.log2(Mode.codeFlat));
  c.op(0x76);
  c.op(0x71);
  c.if();
  findLine(c, locals);
  translation(c, locals);
  c.i32(INVALID);
  c.op(0x46); // eq
  c.op(0x71);
  c.if();
  c.localGet(eip);
  c.i32(0);
  c.call(fill);
  c.i32(Filled.done);
  c.op(0x46);
  c.if();
  isThere(c, locals);
  c.if();
  dispatchLine(c, type, locals);
  c.end();
  c.end();
  c.end();
  c.end();
  setState(c, StateLayout.eip, () => c.localGet(eip));
  setState(c, StateLayout.exitBudget, () => c.localGet(budget));
  setState(c, StateLayout.exitKind, () => {
    c.i32(ExitKind.budget);
    c.i32(ExitKind.lookup);
    c.localGet(budget);
    c.i32(0);
    c.op(0x48); // lt_s
    c.op(0x1b);
  });
};
