// What an instruction form is, and what its code may call. Types only: forms.ts builds them, threaded-emitter.ts emits them.

import type { Row } from '../isa/row.ts';
import type { SharedFunction } from '../isa/x87-functions.ts';

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

/** Imported and common functions by index, known before any form is emitted. */
export interface Runtime {
  /** Type of all entry functions: (i32 i32 i32 i32) -> (). */
  readonly type: number;
  /** (linear, bytes) -> value; a fault goes to the mailbox. */
  readonly loadSlow: number;
  /** (linear, value, bytes) -> 1 if it faulted. */
  readonly storeSlow: number;
  /** (linear, bytes) -> linear-memory address to read at, or 0 if it faulted. */
  readonly hostRead: number;
  /** The same for writing; an address below 64 KiB is a bounce buffer that `commit` writes back. */
  readonly hostWrite: number;
  /** (host) -> nothing: writes the bounce buffer back. */
  readonly commit: number;
  /** (offset, bytes) -> linear address of a stack access in a segment that is not flat; a fault goes to the mailbox. Write: bytes | 256. */
  readonly stackLinear: number;
  /** (vector, errorCode | -1) -> nothing: fills the mailbox. */
  readonly raise: number;
  /** (eip, budget, tlb): continues at an EIP through the jump cache. */
  readonly goto: number;
  /** (entry, budget, kind): leaves at an entry that has not executed. */
  readonly leaveAt: number;
  /** As an entry's function: its helper executes it; `ea` is the address of its memory operand (helper-operands.ts). */
  readonly callHelper: number;
  /** Functions of the instructions. */
  readonly shared: Readonly<Record<SharedFunction, number>>;
}

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
}
