// The threaded tier's functions that are no instruction: going on at an EIP, leaving to the run loop, address entries, block heads and ends.
// Not the forms of instructions (forms.ts). All entry functions take (entry, budget, ea, TLB context).

import { SegmentField, StateLayout } from '../cpu/state.ts';
import { Code, I32 } from '../wasm/code.ts';
import type { ModuleBuilder } from '../wasm/module.ts';
import { Entry, ExitKind } from './entry.ts';
import { dispatchNext, jumpCacheMiss, setState, throughJumpCache } from './entry-function.ts';

/** Micro-operations that are no instruction. */
export interface MicroSlots {
  /** ea = base + (index << scale) + disp, checked against a segment (r0: slot address, imm: bytes | 256 for a write). */
  readonly segment32: number;
  readonly segment16: number;
  /** ea = offset only (LEA with 16-bit addressing, helpers' operands). */
  readonly offset32: number;
  readonly offset16: number;
  /** XLAT: ea = EBX (BX) + AL, then as segment32/16. */
  readonly xlat32: number;
  readonly xlat16: number;
  /** End of a block without a jump: continues at imm. Linked like a jump. */
  readonly goto: number;
  /** End of a block of limited length. */
  readonly stop: number;
  /** Overwrites entries whose code page changed. */
  readonly stale: number;
  /** The instruction is a helper's. */
  readonly helper: number;
  /** Head of a block: counts `imm` down, leaves at zero. */
  readonly head: number;
  /** In its place where a debugger may want to stop: leaves. */
  readonly point: number;
}

export interface ControlFunctions {
  /** (eip, budget, tlb): through the jump cache. */
  readonly goto: number;
  /** (eip, budget, tlb): the same where the jump cache has no line that counts. */
  readonly jumpMiss: number;
  /** (entry, budget, kind): the entry has not executed. */
  readonly leaveAt: number;
  /** An entry's function: the entry is its helper's. */
  readonly callHelper: number;
}

/** `helper`: the imported function that calls one. `fill`: isa/walk-functions.ts `fillTranslation`. */
export const controlFunctions = (
  builder: ModuleBuilder,
  type: number,
  helper: number,
  fill: number,
): ControlFunctions => {
  const type3 = builder.type([I32, I32, I32], []);
  const m = new Code(3);
  jumpCacheMiss(m, type, { eip: 0, budget: 1, tlb: 2, line: m.local(I32) }, fill);
  const jumpMiss = builder.function(type3, m);
  // goto(eip, budget, tlb): through the jump cache.
  const g = new Code(3);
  throughJumpCache(g, type, { eip: 0, budget: 1, tlb: 2, line: g.local(I32) }, jumpMiss);
  const goto = builder.function(type3, g);

  // leaveAt(entry, budget, kind): the entry has not executed.
  const l = new Code(3);
  setState(l, StateLayout.eip, () => {
    l.localGet(0);
    l.memory(0x28, 2, Entry.eip);
  });
  setState(l, StateLayout.exitEntry, () => l.localGet(0));
  setState(l, StateLayout.exitBudget, () => {
    l.localGet(1);
    l.localGet(0);
    l.memory(0x2f, 1, Entry.done);
    l.op(0x6b);
  });
  setState(l, StateLayout.exitKind, () => l.localGet(2));
  const leaveAt = builder.function(type3, l);
  // callHelper: as an entry's function. Calls the helper and goes on behind it, unless the run loop is wanted.
  const h = new Code(4);
  const retired = h.local(I32);
  h.localGet(0);
  h.localGet(1);
  h.localGet(2);
  h.call(helper);
  h.localTee(retired);
  h.i32(0);
  h.op(0x48); // lt_s: refused
  h.unlikely();
  h.if();
  setState(h, StateLayout.exitEa, () => h.localGet(2));
  h.localGet(0);
  h.localGet(1);
  h.i32(ExitKind.helper);
  h.returnCall(leaveAt);
  h.end();
  const before = (): void => {
    h.localGet(1);
    h.localGet(0);
    h.memory(0x2f, 1, Entry.done);
    h.op(0x6b);
  };
  h.localGet(retired);
  h.op(0x45);
  h.unlikely();
  h.if();
  // EIP is the helper's: it may have entered the handler of an exception that it met.
  setState(h, StateLayout.exitBudget, before);
  setState(h, StateLayout.exitKind, () => h.i32(ExitKind.helped));
  h.return();
  h.end();
  h.i32(0);
  h.memory(0x28, 2, StateLayout.eip);
  before();
  h.localGet(retired);
  h.op(0x6b);
  h.i32(0);
  h.memory(0x28, 2, StateLayout.tlb);
  h.returnCall(goto);
  const callHelper = builder.function(type, h);
  return { goto, jumpMiss, leaveAt, callHelper };
};

/** Table slots of all but `goto`, which is a form, and `helper`, which forms call too. */
export const microOperations = (
  add: (code: Code) => number,
  { leaveAt }: ControlFunctions,
  type: number,
  segmentLinear: number,
): Omit<MicroSlots, 'goto' | 'helper'> => {
  const leave = (kind: number): number => {
    const c = new Code(4);
    c.localGet(0);
    c.localGet(1);
    c.i32(kind);
    c.returnCall(leaveAt);
    return add(c);
  };
  /** Address entries: leave the offset (or linear address) in parameter 2 and go on. */
  const address = (bits: 16 | 32, segment: boolean, xlat: boolean): number => {
    const c = new Code(4);
    const register = (offset: number): void => {
      c.localGet(0);
      c.memory(0x2f, 1, offset);
      c.memory(0x28, 2, 0);
    };
    if (xlat) {
      c.i32(0);
      c.memory(0x28, 2, StateLayout.gpr + 3 * 8);
      c.i32(0);
      c.memory(0x2d, 0, StateLayout.gpr);
      c.op(0x6a);
    } else {
      register(Entry.base);
      register(Entry.index);
      c.localGet(0);
      c.memory(0x2d, 0, Entry.scale);
      c.op(0x74);
      c.op(0x6a);
      c.localGet(0);
      c.memory(0x28, 2, Entry.disp);
      c.op(0x6a);
    }
    if (bits === 16) {
      c.i32(0xffff);
      c.op(0x71);
    }
    c.localSet(2);
    if (segment) {
      const slot = c.local(I32);
      c.localGet(2);
      c.localGet(0);
      c.memory(0x2f, 1, Entry.r0);
      c.localTee(slot);
      c.memory(0x28, 2, SegmentField.readLimit);
      c.localGet(slot);
      c.memory(0x28, 2, SegmentField.writeLimit);
      c.localGet(0);
      c.memory(0x28, 2, Entry.imm);
      c.i32(256);
      c.op(0x71);
      c.op(0x45);
      c.op(0x1b);
      c.op(0x4f); // offset >= limit: the full check
      c.unlikely();
      c.if();
      c.localGet(slot);
      c.localGet(2);
      c.localGet(0);
      c.memory(0x28, 2, Entry.imm);
      c.call(segmentLinear);
      c.localSet(2);
      c.i32(0);
      c.memory(0x28, 2, StateLayout.faultVector);
      c.if();
      c.localGet(0);
      c.localGet(1);
      c.i32(ExitKind.fault);
      c.returnCall(leaveAt);
      c.end();
      c.else();
      c.localGet(2);
      c.localGet(slot);
      c.memory(0x28, 2, SegmentField.base);
      c.op(0x6a);
      c.localSet(2);
      c.end();
    }
    dispatchNext(c, type);
    return add(c);
  };

  /** Counts down in the entry; what the block does is in the next one. */
  const head = (): number => {
    const c = new Code(4);
    const count = c.local(I32);
    c.localGet(0);
    c.localGet(0);
    c.memory(0x28, 2, Entry.imm);
    c.i32(1);
    c.op(0x6b);
    c.localTee(count);
    c.memory(0x36, 2, Entry.imm);
    c.localGet(count);
    c.op(0x45);
    c.unlikely();
    c.if();
    c.localGet(0);
    c.localGet(1);
    c.i32(ExitKind.hot);
    c.returnCall(leaveAt);
    c.end();
    dispatchNext(c, type);
    return add(c);
  };
  return {
    stale: leave(ExitKind.lookup),
    stop: leave(ExitKind.stop),
    head: head(),
    point: leave(ExitKind.point),
    segment32: address(32, true, false),
    segment16: address(16, true, false),
    offset32: address(32, false, false),
    offset16: address(16, false, false),
    xlat32: address(32, true, true),
    xlat16: address(16, true, true),
  };
};
