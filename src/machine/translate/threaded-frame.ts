// The ground of the threaded tier's emission: the entry's fields, registers and flags in the state, the ways out of an entry's function.
// Operands, memory and the stack are translation-emitter.ts's, addresses and control threaded-emitter.ts's.

import { type Size, type Val, VAL } from '../isa/emitter.ts';
import { Code, type Local } from '../wasm/code.ts';
import { StateLayout } from '../cpu/state.ts';
import { Entry, ExitKind } from './entry.ts';
import { dispatchNext, E, N } from './entry-function.ts';
import type { Form, ThreadedRuntime } from './form.ts';
import { TranslationEmitter } from './translation-emitter.ts';

export abstract class ThreadedFrame extends TranslationEmitter {
  constructor(
    protected readonly runtime: ThreadedRuntime,
    protected readonly form: Form,
  ) {
    super(new Code(4));
  }

  // ---- the entry ----------------------------------------------------------------------------------------------------

  protected field16(offset: number): Val {
    this.code.localGet(E);
    this.code.memory(0x2f, 1, offset);
    return VAL;
  }
  protected field8(offset: number): Val {
    this.code.localGet(E);
    this.code.memory(0x2d, 0, offset);
    return VAL;
  }
  protected field32(offset: number): Val {
    this.code.localGet(E);
    this.code.memory(0x28, 2, offset);
    return VAL;
  }
  protected next(): void {
    dispatchNext(this.code, this.runtime.type);
  }
  protected leaveFault(): void {
    const c = this.code;
    c.localGet(E);
    c.localGet(N);
    c.i32(ExitKind.fault);
    c.returnCall(this.runtime.leaveAt);
  }
  protected leaveFaultIf(condition: Val): void {
    this.rarely(condition, () => this.leaveFault());
  }
  /** budget - (done + 1): this instruction retires and the block ends. */
  budgetAfter(): Val {
    return this.sub(this.get(N), this.add(this.field16(Entry.done), this.const(1)));
  }

  /** A block may be entered while N is not negative. Where the instruction is its 64th, one more iteration must fit behind what is allowed. */
  spare(): Val {
    return this.sub(this.get(N), this.const(1));
  }
  budget(): Val {
    return this.sub(this.get(N), this.field16(Entry.done));
  }

  // ---- registers ----------------------------------------------------------------------------------------------------

  private registerAddress(index: number, size: Size): number {
    return size === 8 ? StateLayout.gpr + (index & 3) * 8 + (index >> 2) : StateLayout.gpr + index * 8;
  }
  reg(index: number, size: Size): Val {
    const at = this.registerAddress(index, size);
    this.code.i32(0);
    this.code.memory(size === 8 ? 0x2d : size === 16 ? 0x2f : 0x28, size === 8 ? 0 : 1, at);
    return VAL;
  }
  setReg(index: number, size: Size, value: Local): void {
    const at = this.registerAddress(index, size);
    this.code.i32(0);
    this.get(value);
    this.code.memory(size === 8 ? 0x3a : size === 16 ? 0x3b : 0x36, size === 8 ? 0 : 1, at);
  }

  // ---- flags --------------------------------------------------------------------------------------------------------

  protected setLazy(result: Val | undefined, _aux: Val): void {
    const aux = this.let(VAL);
    this.setState(StateLayout.lazyAux, aux);
    if (result === undefined) return;
    const value = this.let(VAL);
    this.setState(StateLayout.lazyResult, value);
  }
  protected lazyResult(): Val {
    return this.state(StateLayout.lazyResult);
  }
  protected lazyAux(): Val {
    return this.state(StateLayout.lazyAux);
  }
}
