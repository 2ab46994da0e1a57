// What the emission contexts of both tiers share: operands by their codes, memory through the flat TLB with its slow path, vectors, the stack,
// faults. A tier says where registers, immediates and addresses come from and how its code is left (threaded-emitter.ts, region/).
// Not the vocabulary of descriptions (isa/emitter.ts). SDM vol. 2, appendix A.2.

import { Vector } from '../cpu/cpu.ts';
import { ESP, SEGMENT_STRIDE, SegmentField, SS, StateLayout } from '../cpu/state.ts';
import { HOST_OFFSET } from '../cpu/tlb.ts';
import { Emitter, type Size, type Val, VAL } from '../isa/emitter.ts';
import type { OperandSpec, Row } from '../isa/row.ts';
import type { SharedFunction } from '../isa/shared-functions.ts';
import { I32, type Local } from '../wasm/code.ts';
import { N, TLB } from './entry-function.ts';
import type { Miss } from './miss-functions.ts';
import type { Runtime } from './runtime.ts';

/** Addresses below this are the bounce buffer. */
const BOUNCE_LIMIT = 0x10000;
const VECTOR_LOADS = { 4: 0x5c, 8: 0x5d, 16: 0x00 } as const;

/** Emits the way through a slow path; see `callSlow` for `again`. */
export type SlowAccess = (again: boolean) => void;
/** Emits the access at a linear-memory address, which `host` pushes, plus a constant. */
export type FastAccess = (host: () => Val, offset: number) => void;

export abstract class TranslationEmitter extends Emitter {
  // ---- what a tier says ---------------------------------------------------------------------------------------------

  protected abstract readonly runtime: Runtime;
  protected abstract get row(): Row;
  /** Operand-size and address-size attributes. */
  protected abstract get operandAttribute(): 16 | 32;
  protected abstract get addressAttribute(): 16 | 32;
  /** The operand that ModRM can put into a register or into memory is in memory. */
  protected abstract get inMemory(): boolean;
  /** The immediate operand, cut to the operation's size. */
  protected abstract immediate(): Val;
  /** An operand in a register that no row fixes. */
  protected abstract readRegister(spec: OperandSpec, bits: number): Val;
  protected abstract writeRegister(spec: OperandSpec, bits: number, value: Local): void;
  /** Linear-memory address of such a register, which is none of the general ones. */
  protected abstract vectorRegister(spec: OperandSpec): Val;
  /** Comes before code that may leave at this instruction. */
  protected beforeLeaving(): void {}
  /** Leaves before this instruction, with the fault that is in the mailbox. */
  protected abstract leaveFault(): void;
  /** The same if the value on the stack is not zero. */
  protected abstract leaveFaultIf(condition: Val): void;

  // ---- operands -----------------------------------------------------------------------------------------------------

  private spec(k: number): OperandSpec {
    const spec = this.row.operands[k];
    if (spec === undefined) throw new Error(`${this.row.mnemonic} has no operand ${k}`);
    return spec;
  }
  private bits(spec: OperandSpec): number {
    if (spec.kind === 'Y') return this.addressAttribute;
    return spec.bits > 0 ? spec.bits : this.operandAttribute;
  }
  /** Size of the operation: that of the first operand, unless the row says otherwise. */
  protected get operationSize(): Size {
    const first = this.row.operands[0];
    if (first === undefined && this.row.bits !== 0) return this.row.bits;
    return (first === undefined || this.row.sized ? this.operandAttribute : this.bits(first)) as Size;
  }
  operandSize(k: number): number {
    return this.bits(this.spec(k));
  }
  isMemory(k: number): boolean {
    const { kind } = this.spec(k);
    if (kind === 'M' || kind === 'O' || kind === 'X') return true;
    return (kind === 'E' || kind === 'W' || kind === 'Q') && this.inMemory;
  }
  read(k: number): Val {
    const spec = this.spec(k);
    const bits = this.bits(spec);
    switch (spec.kind) {
      case 'I':
      case 'Is':
      case 'A':
        return this.immediate();
      case 'one':
        return this.const(1);
      case 'fixed':
        return this.reg(spec.register!, bits as Size);
      default:
        return this.isMemory(k) ? this.load((bits / 8) as 1 | 2 | 4) : this.readRegister(spec, bits);
    }
  }
  write(k: number, value: Local): void {
    const spec = this.spec(k);
    const bits = this.bits(spec);
    if (spec.kind === 'fixed') this.setReg(spec.register!, bits as Size, value);
    else if (this.isMemory(k)) this.store((bits / 8) as 1 | 2 | 4, value);
    else this.writeRegister(spec, bits, value);
  }
  modify(k: number, f: (old: Local) => Local): void {
    const bits = this.bits(this.spec(k));
    if (!this.isMemory(k)) {
      const old = this.let(this.read(k));
      this.write(k, f(old));
      return;
    }
    const host = this.hostForWrite(bits / 8);
    this.get(host);
    this.loadSized(bits);
    const old = this.let(VAL);
    const value = f(old);
    this.get(host);
    this.get(value);
    this.storeSized(bits);
    this.commit(host);
  }

  // ---- memory -------------------------------------------------------------------------------------------------------

  protected loadSized(bits: number, offset = 0): void {
    this.code.memory(bits === 8 ? 0x2d : bits === 16 ? 0x2f : 0x28, 0, offset);
  }
  protected storeSized(bits: number, offset = 0): void {
    this.code.memory(bits === 8 ? 0x3a : bits === 16 ? 0x3b : 0x36, 0, offset);
  }
  /**
   * An access to a linear address. `fast` gets a linear-memory address and a constant to add to it; `slow` is for what the TLB (tlb.ts) does not have,
   * and for accesses that cross into the next page.
   */
  protected access(linear: Local, bytes: number, write: boolean, slow: SlowAccess, fast: FastAccess): void {
    const entry = this.let(this.tlbWord(TLB, linear, write));
    this.rarely(
      this.misses(entry, linear, bytes),
      () => this.slowly(slow, false),
      () => fast(() => this.add(this.get(entry), this.get(linear)), HOST_OFFSET),
    );
  }
  private misses(entry: Local, linear: Local, bytes: number): Val {
    return this.beyond(entry, this.lastOf(linear, bytes), bytes);
  }
  /** Some bytes are not in one page, or not in one that is accessed directly. */
  protected beyond(entry: Local, last: Local, bytes: number): Val {
    return bytes === 1 ? this.notDirect(entry) : this.beyondPage(entry, last, this.const(bytes - 1));
  }
  protected slowly(slow: SlowAccess, again: boolean): void {
    this.beforeLeaving();
    slow(again);
  }
  /** Calls a slow path, its arguments pushed. `again`: the TLB may have the page. */
  protected callSlow(name: Miss, _again: boolean): void {
    this.code.call(this.runtime[name]);
  }
  cachedHost(linear: Local, bytes: number, write = false): Val {
    const entry = this.let(this.tlbWord(TLB, linear, write));
    return this.select(
      this.const(0),
      this.add(this.add(this.get(entry), this.get(linear)), this.const(HOST_OFFSET)),
      this.misses(entry, linear, bytes),
    );
  }
  portIn(port: Local, bytes: 1 | 2 | 4): Val {
    const value = this.temporary(I32);
    this.get(port);
    this.const(bytes);
    this.budget();
    this.code.call(this.runtime.portIn);
    this.code.localSet(value);
    this.cutBudget();
    return this.get(value);
  }
  portOut(port: Local, bytes: 1 | 2 | 4, value: Local): void {
    this.get(port);
    this.const(bytes);
    this.get(value);
    this.budget();
    this.code.call(this.runtime.portOut);
    this.cutBudget();
  }
  /** What the run loop takes away to be looked at (cpu/helper-calls.ts). */
  private cutBudget(): void {
    this.set(N, this.sub(this.get(N), this.state(StateLayout.budgetCut)));
  }
  switchContext(context: Local): void {
    this.set(TLB, this.get(context));
  }
  spend(_instructions: Val): void {
    const spent = this.let(VAL);
    this.set(N, this.sub(this.get(N), this.get(spent)));
  }
  private plus(plus: number): Local {
    const address = this.address();
    return plus === 0 ? address : this.let(this.add(this.get(address), this.const(plus)));
  }
  /** After a slow path: leaves if the fault mailbox is full. */
  protected faultCheck(): void {
    this.leaveFaultIf(this.state(StateLayout.faultVector));
  }
  load(bytes: 1 | 2 | 4, plus = 0): Val {
    return this.get(this.loadAt(this.plus(plus), bytes));
  }
  private loadAt(linear: Local, bytes: 1 | 2 | 4): Local {
    const c = this.code;
    const value = this.temporary(I32);
    const slow = (again: boolean): void => {
      c.localGet(linear);
      c.i32(bytes);
      this.callSlow('loadSlow', again);
      c.localSet(value);
      this.faultCheck();
    };
    this.access(linear, bytes, false, slow, (host, offset) => {
      host();
      this.loadSized(bytes * 8, offset);
      c.localSet(value);
    });
    this.loaded(value, bytes);
    return value;
  }
  /** A local has a value of so many bytes, zero-extended. */
  protected loaded(_value: Local, _bytes: 1 | 2 | 4): void {}
  store(bytes: 1 | 2 | 4, value: Local, plus = 0): void {
    this.storeAt(this.plus(plus), bytes, value);
  }
  private storeAt(linear: Local, bytes: 1 | 2 | 4, value: Local): void {
    const c = this.code;
    const slow = (again: boolean): void => {
      c.localGet(linear);
      c.localGet(value);
      c.i32(bytes);
      this.callSlow('storeSlow', again);
      this.leaveFaultIf(VAL);
    };
    this.access(linear, bytes, true, slow, (host, offset) => {
      host();
      this.get(value);
      this.storeSized(bytes * 8, offset);
    });
  }
  private host(bytes: number, write: boolean): Local {
    const c = this.code;
    const linear = this.address();
    const host = this.temporary(I32);
    const slow = (again: boolean): void => {
      c.localGet(linear);
      c.i32(bytes);
      this.callSlow(write ? 'hostWrite' : 'hostRead', again);
      c.localTee(host);
      this.leaveFaultIf(this.eqz(VAL));
    };
    this.access(linear, bytes, write, slow, (at, offset) => {
      at();
      this.set(host, offset === 0 ? VAL : this.add(VAL, this.const(offset)));
    });
    return host;
  }
  hostForRead(bytes: number): Local {
    return this.host(bytes, false);
  }
  hostForWrite(bytes: number): Local {
    return this.host(bytes, true);
  }
  commit(host: Local): void {
    this.rarely(this.ltU(this.get(host), this.const(BOUNCE_LIMIT)), () => {
      this.code.localGet(host);
      this.code.call(this.runtime.commit);
      this.committed();
    });
  }
  /** A bounce buffer was written back. */
  protected committed(): void {}
  requireAligned(bytes: number): void {
    this.faultIf(this.and(this.get(this.address()), this.const(bytes - 1)), Vector.GP, 0);
  }
  faultIf(condition: Val, vector: number, errorCode?: number): void {
    this.rarely(condition, () => {
      this.beforeLeaving();
      this.code.i32(vector);
      this.code.i32(errorCode ?? -1);
      this.code.call(this.runtime.raise);
      this.leaveFault();
    });
  }

  // ---- MMX, XMM, x87 ------------------------------------------------------------------------------------------------

  private vectorBytes(spec: OperandSpec): 4 | 8 | 16 {
    return spec.bits === 64 ? 8 : spec.bits === 32 ? 4 : 16;
  }
  readVector(k: number, bytes?: 4 | 8 | 16): Val {
    const spec = this.spec(k);
    const width = bytes ?? this.vectorBytes(spec);
    if (this.isMemory(k)) this.get(this.hostForRead(width));
    else this.vectorRegister(spec);
    this.code.simdMemory(VECTOR_LOADS[width], 0, 0);
    return VAL;
  }
  writeVector(k: number, value: Local, bytes?: 4 | 8 | 16): void {
    const c = this.code;
    const spec = this.spec(k);
    const width = bytes ?? this.vectorBytes(spec);
    const memory = this.isMemory(k);
    const host = memory ? this.hostForWrite(width) : this.let(this.vectorRegister(spec));
    c.localGet(host);
    c.localGet(value);
    if (width === 16) c.simdMemory(0x0b, 0, 0);
    else {
      c.simdMemory(width === 8 ? 0x5b : 0x5a, 0, 0);
      c.byte(0);
    }
    if (memory) this.commit(host);
    else if (spec.kind === 'P' || spec.kind === 'Q' || spec.kind === 'N') {
      c.localGet(host);
      c.i32(0xffff);
      c.memory(0x3b, 0, 8);
    }
  }
  call(f: SharedFunction, ..._arguments: Val[]): Val {
    this.code.call(this.runtime.shared[f]);
    return VAL;
  }

  // ---- stack --------------------------------------------------------------------------------------------------------

  /** Linear address of a stack access at an offset from ESP, or from `base`. */
  private stackAddress(base: Local | undefined, delta: number, bytes: number, write: boolean): Local {
    const c = this.code;
    const offset = this.let(this.add(base === undefined ? this.reg(ESP, 32) : this.get(base), this.const(delta)));
    if (this.flatStack) return offset;
    this.beforeLeaving();
    c.localGet(offset);
    c.i32(bytes | (write ? 256 : 0));
    c.call(this.runtime.stackLinear);
    const linear = this.let(VAL);
    this.faultCheck();
    return linear;
  }
  pokeStack(value: Local, size: 16 | 32, below: number): void {
    const bytes = (size / 8) as 2 | 4;
    this.storeAt(this.stackAddress(undefined, -below, bytes, true), bytes, value);
  }
  peek(size: 16 | 32, above = 0, base?: Local): Local {
    const bytes = (size / 8) as 2 | 4;
    return this.loadAt(this.stackAddress(base, above, bytes, false), bytes);
  }
  addStack(bytes: number): void {
    this.setStack(this.let(this.add(this.reg(ESP, 32), this.const(bytes))));
  }
  setStack(value: Local): void {
    if (this.flatStack) {
      this.setReg(ESP, 32, value);
      return;
    }
    this.if(
      this.and(this.state(StateLayout.segments + SS * SEGMENT_STRIDE + SegmentField.access), this.const(1 << 14)),
      () => this.setReg(ESP, 32, value),
      () => this.setReg(ESP, 16, value),
    );
  }

  // ---- state --------------------------------------------------------------------------------------------------------

  stateSlot(k: number): Val {
    return this.vectorRegister(this.spec(k));
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
}
