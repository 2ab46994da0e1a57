// The frame of functions that the instructions of both tiers call (shared-functions.ts): the processor's state, refusing a case, answering. Not what
// they do (x87-functions.ts, gate-functions.ts).

import { Code, I32, type Local, type ValueType } from '../wasm/code.ts';
import { type Val, ValueEmitter } from './value-emitter.ts';

/** A function that all instructions share. It answers an i32. */
export interface SharedDescription {
  readonly parameters: readonly ValueType[];
  code(): Code;
}

/** A function's body: values, the state, and the ways it ends. Its parameters are the first locals. */
export class FunctionBody extends ValueEmitter {
  private readonly zero: Local;
  constructor(parameters: readonly ValueType[]) {
    super(new Code(parameters.length));
    this.zero = this.code.local(I32);
  }
  state(address: number): Val {
    return this.peek32(this.zero, address);
  }
  /** Bits at a constant address. */
  store64(address: number, value: Local): void {
    this.poke64(this.zero, value, address);
  }
  store32(address: number, value: Local): void {
    this.poke32(this.zero, value, address);
  }
  refuseIf(condition: Val): void {
    this.code.unlikely();
    this.if(condition, () => {
      this.const(0);
      this.code.return();
    });
  }
  refuseUnless(condition: Val): void {
    this.refuseIf(this.eqz(condition));
  }
  accept(): void {
    this.const(1);
    this.code.return();
  }
}

/** The function that `emit` describes in a body of its family's kind. */
export const shared = <B extends FunctionBody>(
  Body: new (parameters: readonly ValueType[]) => B,
  parameters: readonly ValueType[],
  emit: (e: B) => void,
): SharedDescription => ({
  parameters,
  code: () => {
    const body = new Body(parameters);
    emit(body);
    // Every way has returned.
    body.code.op(0x00);
    return body.code;
  },
});
