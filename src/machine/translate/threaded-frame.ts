// The ground of the threaded tier's emission: the entry's fields, registers and state words, and memory through the flat TLB.
// Operands, stack and control are threaded-emitter.ts's.
// Parameters of every function: 0 entry, 1 budget, 2 ea (address from an address entry before), 3 TLB context.

import { Emitter, type Size, type Val, VAL } from '../isa/emitter.ts';
import { Code, I32, type Local } from '../wasm/code.ts';
import { StateLayout } from '../cpu/state.ts';
import { Entry, ENTRY_SIZE, ExitKind } from './entry.ts';
import type { Form, Runtime } from './form.ts';

/** Locals that are parameters. */
export const E = 0,
  N = 1,
  EA = 2,
  TLB = 3;
/** The write table lies this many bytes behind the read table. */
export const WRITE_TABLE = 0x0040_0000;
/** Addresses below this are the bounce buffer. */
export const BOUNCE_LIMIT = 0x10000;

export abstract class ThreadedFrame extends Emitter {
  constructor(
    protected readonly runtime: Runtime,
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
    const c = this.code;
    c.localGet(E);
    c.i32(ENTRY_SIZE);
    c.op(0x6a);
    c.localGet(N);
    c.localGet(EA);
    c.localGet(TLB);
    c.localGet(E);
    c.memory(0x28, 2, ENTRY_SIZE + Entry.fn);
    c.returnCallIndirect(this.runtime.type, 0);
  }
  /** Leaves before this instruction, with the fault that is in the mailbox. */
  protected leaveFault(): void {
    const c = this.code;
    c.localGet(E);
    c.localGet(N);
    c.i32(ExitKind.fault);
    c.returnCall(this.runtime.leaveAt);
  }
  /** budget - (done + 1): this instruction retires and the block ends. */
  protected budgetAfter(): Val {
    return this.sub(this.get(N), this.add(this.field16(Entry.done), this.const(1)));
  }

  protected loadSized(bits: number): void {
    if (bits === 8) this.code.memory(0x2d, 0, 0);
    else if (bits === 16) this.code.memory(0x2f, 0, 0);
    else this.code.memory(0x28, 0, 0);
  }
  protected storeSized(bits: number): void {
    if (bits === 8) this.code.memory(0x3a, 0, 0);
    else if (bits === 16) this.code.memory(0x3b, 0, 0);
    else this.code.memory(0x36, 0, 0);
  }

  // ---- memory -------------------------------------------------------------------------------------------------------

  /** The TLB entry of a linear address: host page minus linear page, or FFFh in the low bits if there is none. */
  private tlbEntry(linear: Local, write: boolean): Local {
    const c = this.code;
    c.localGet(TLB);
    c.localGet(linear);
    c.i32(10);
    c.op(0x76);
    c.i32(0x003ffffc);
    c.op(0x71);
    c.op(0x6a);
    c.memory(0x28, 2, write ? WRITE_TABLE : 0);
    return this.let(VAL);
  }
  /** 1 if the access needs the slow path: no entry, or it crosses into the next page. */
  private needsSlow(entry: Local, linear: Local, bytes: number): Val {
    if (bytes === 1) return this.and(this.get(entry), this.const(1));
    return this.gtU(
      this.and(this.or(this.get(entry), this.get(linear)), this.const(0xfff)),
      this.const(0x1000 - bytes),
    );
  }
  private plus(plus: number): Local {
    const address = this.address();
    return plus === 0 ? address : this.let(this.add(this.get(address), this.const(plus)));
  }
  protected faultCheck(): void {
    this.if(this.state(StateLayout.faultVector), () => this.leaveFault());
  }

  load(bytes: 1 | 2 | 4, plus = 0): Val {
    return this.get(this.loadAt(this.plus(plus), bytes));
  }
  protected loadAt(linear: Local, bytes: 1 | 2 | 4): Local {
    const c = this.code;
    const entry = this.tlbEntry(linear, false);
    const value = c.local(I32);
    this.if(
      this.needsSlow(entry, linear, bytes),
      () => {
        c.localGet(linear);
        c.i32(bytes);
        c.call(this.runtime.loadSlow);
        c.localSet(value);
        this.faultCheck();
      },
      () => {
        this.add(this.get(entry), this.get(linear));
        this.loadSized(bytes * 8);
        c.localSet(value);
      },
    );
    return value;
  }
  store(bytes: 1 | 2 | 4, value: Local, plus = 0): void {
    this.storeAt(this.plus(plus), bytes, value);
  }
  protected storeAt(linear: Local, bytes: 1 | 2 | 4, value: Local): void {
    const c = this.code;
    const entry = this.tlbEntry(linear, true);
    this.if(
      this.needsSlow(entry, linear, bytes),
      () => {
        c.localGet(linear);
        c.localGet(value);
        c.i32(bytes);
        c.call(this.runtime.storeSlow);
        c.if();
        this.leaveFault();
        c.end();
      },
      () => {
        this.add(this.get(entry), this.get(linear));
        this.get(value);
        this.storeSized(bytes * 8);
      },
    );
  }
  private host(bytes: number, write: boolean): Local {
    const c = this.code;
    const linear = this.address();
    const entry = this.tlbEntry(linear, write);
    const host = c.local(I32);
    this.if(
      this.needsSlow(entry, linear, bytes),
      () => {
        c.localGet(linear);
        c.i32(bytes);
        c.call(write ? this.runtime.hostWrite : this.runtime.hostRead);
        c.localTee(host);
        c.op(0x45);
        c.if();
        this.leaveFault();
        c.end();
      },
      () => this.set(host, this.add(this.get(entry), this.get(linear))),
    );
    return host;
  }
  hostForRead(bytes: number): Local {
    return this.host(bytes, false);
  }
  hostForWrite(bytes: number): Local {
    return this.host(bytes, true);
  }
  commit(host: Local): void {
    this.if(this.ltU(this.get(host), this.const(BOUNCE_LIMIT)), () => {
      this.code.localGet(host);
      this.code.call(this.runtime.commit);
    });
  }
  requireAligned(bytes: number): void {
    this.faultIf(this.and(this.get(this.address()), this.const(bytes - 1)), 13, 0);
  }

  // ---- registers and state ------------------------------------------------------------------------------------------

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
  state(address: number): Val {
    this.code.i32(0);
    this.code.memory(0x28, 2, address);
    return VAL;
  }
  setState(address: number, value: Local): void {
    this.code.i32(0);
    this.get(value);
    this.code.memory(0x36, 2, address);
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
