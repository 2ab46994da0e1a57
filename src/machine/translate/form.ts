// What an instruction form is, and what its code may call. Types only: forms.ts builds them, threaded-emitter.ts emits them.

import type { Row } from '../isa/row.ts';
import type { Runtime } from './runtime.ts';

/** Where a form's memory operand comes from. */
export const MemoryKind = {
  /** No memory operand. */
  none: 0,
  /** base + disp, flat segment. */
  base: 1,
  /** base + (index << scale) + disp, flat segment. */
  indexed: 2,
  /** Parameter `ea`, computed by an address entry. */
  ea: 3,
} as const;

/** What forms call besides, by index. */
export type ThreadedRuntime = Runtime & {
  /** (eip, budget, tlb): continues at an EIP through the jump cache. */
  readonly goto: number;
  /** (entry, budget, kind): leaves at an entry that has not executed. */
  readonly leaveAt: number;
  /** As an entry's function: its helper executes it; `ea` is the address of its memory operand (helper-operands.ts). */
  readonly callHelper: number;
};

export interface Form {
  readonly row: Row;
  /** Operand-size attribute of this form. */
  readonly size: 16 | 32;
  readonly memory: number;
  /** True: the stack segment is not flat 32-bit. */
  readonly genericStack: boolean;
  /** True: the code segment is not flat, so that near jumps look at its limit. */
  readonly limitedCode: boolean;
  /** Address-size attribute, for LOOP and JCXZ. */
  readonly addressSize: 16 | 32;
  /** The repeat prefix, for string instructions: F2, F3 or 0. */
  readonly repeat: number;
}
