// The threaded tier's emission context: each instruction form becomes one small WebAssembly function that takes its operands from
// the entry it is given, and tail-calls the next entry's function. Not the decoder and not the form list (forms.ts).

import { type Size, type Val, VAL } from '../isa/emitter.ts';
import type { OperandSpec } from '../isa/row.ts';
import type { SharedFunction } from '../isa/x87-functions.ts';
import { Vector } from '../cpu/cpu.ts';
import { CS, ESP, SEGMENT_STRIDE, SegmentField, SS, StateLayout } from '../cpu/state.ts';
import type { Code, Local } from '../wasm/code.ts';
import { Entry, ExitKind } from './entry.ts';
import { type Form, MemoryKind, type Runtime } from './form.ts';
import { E, EA, N, ThreadedFrame, TLB } from './threaded-frame.ts';

export class ThreadedEmitter extends ThreadedFrame {
  readonly size: Size;
  /** The instruction has continued elsewhere: no fall-through code. */
  private ended = false;
  private linear: Local | undefined;

  constructor(runtime: Runtime, form: Form) {
    super(runtime, form);
    const first = form.row.operands[0];
    this.size = (first === undefined || form.row.sized ? form.size : this.bits(first)) as Size;
  }

  /** Emits the whole function of the form. */
  emit(): Code {
    this.form.row.semantics!(this);
    if (!this.ended) this.next();
    return this.code;
  }

  // ---- operands -----------------------------------------------------------------------------------------------------

  private spec(k: number): OperandSpec {
    const spec = this.form.row.operands[k];
    if (spec === undefined) throw new Error(`${this.form.row.mnemonic} has no operand ${k}`);
    return spec;
  }
  private bits(spec: OperandSpec): number {
    if (spec.kind === 'Y') return this.form.addressSize;
    return spec.bits > 0 ? spec.bits : this.form.size;
  }
  operandSize(k: number): number {
    return this.bits(this.spec(k));
  }
  isMemory(k: number): boolean {
    const kind = this.spec(k).kind;
    return (
      (kind === 'E' && this.form.memory !== MemoryKind.none) ||
      kind === 'M' ||
      kind === 'O' ||
      kind === 'X' ||
      ((kind === 'W' || kind === 'Q') && this.form.memory !== MemoryKind.none)
    );
  }
  /** Address of the register of operand k: the entry's field, or a constant. */
  private registerField(spec: OperandSpec): number {
    return spec.kind === 'G' || spec.kind === 'V' || spec.kind === 'P' || spec.kind === 'S' ? Entry.r1 : Entry.r0;
  }
  read(k: number): Val {
    const spec = this.spec(k);
    const bits = this.bits(spec);
    switch (spec.kind) {
      case 'I':
      case 'Is':
        return this.truncate(this.field32(Entry.imm), this.size);
      case 'one':
        return this.const(1);
      case 'fixed':
        return this.reg(spec.register!, bits as Size);
      default:
        if (this.isMemory(k)) return this.load((bits / 8) as 1 | 2 | 4);
        this.field16(this.registerField(spec));
        this.loadSized(bits);
        return VAL;
    }
  }
  write(k: number, value: Local): void {
    const spec = this.spec(k);
    const bits = this.bits(spec);
    if (spec.kind === 'fixed') this.setReg(spec.register!, bits as Size, value);
    else if (this.isMemory(k)) this.store((bits / 8) as 1 | 2 | 4, value);
    else {
      this.field16(this.registerField(spec));
      this.get(value);
      this.storeSized(bits);
    }
  }
  modify(k: number, f: (old: Local) => Local): void {
    const spec = this.spec(k);
    const bits = this.bits(spec);
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

  private effective(): Val {
    const c = this.code;
    this.field16(Entry.base);
    c.memory(0x28, 2, 0);
    this.field32(Entry.disp);
    c.op(0x6a);
    if (this.form.memory === MemoryKind.indexed) {
      this.field16(Entry.index);
      c.memory(0x28, 2, 0);
      this.field8(Entry.scale);
      c.op(0x74);
      c.op(0x6a);
    }
    return VAL;
  }
  address(): Local {
    if (this.form.memory === MemoryKind.ea) return EA;
    this.linear ??= this.let(this.effective());
    return this.linear;
  }
  offset(): Val {
    return this.form.memory === MemoryKind.ea ? this.get(EA) : this.effective();
  }

  // ---- MMX and XMM --------------------------------------------------------------------------------------------------

  private static readonly VECTOR_LOADS = { 4: 0x5c, 8: 0x5d, 16: 0x00 } as const;

  readVector(k: number, bytes?: 4 | 8 | 16): Val {
    const spec = this.spec(k);
    const width = bytes ?? (spec.bits === 64 ? 8 : spec.bits === 32 ? 4 : 16);
    if (this.isMemory(k)) this.get(this.hostForRead(width));
    else this.field16(this.registerField(spec));
    this.code.simdMemory(ThreadedEmitter.VECTOR_LOADS[width], 0, 0);
    return VAL;
  }
  writeVector(k: number, value: Local, bytes?: 4 | 8 | 16): void {
    const c = this.code;
    const spec = this.spec(k);
    const width = bytes ?? (spec.bits === 64 ? 8 : spec.bits === 32 ? 4 : 16);
    const memory = this.isMemory(k);
    const host = memory ? this.hostForWrite(width) : this.let(this.field16(this.registerField(spec)));
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

  // ---- x87 ----------------------------------------------------------------------------------------------------------

  fpuOperand(): Val {
    return this.field16(Entry.r0);
  }
  fpuPointers(): void {
    const c = this.code;
    const eip = this.let(this.field32(Entry.eip));
    this.setState(StateLayout.fpuIp, eip);
    const cs = this.let(this.state(StateLayout.segments + CS * SEGMENT_STRIDE + SegmentField.selector));
    this.setState(StateLayout.fpuCs, cs);
    const opcode = this.let(this.field32(Entry.imm));
    this.setState(StateLayout.fpuOpcode, opcode);
    if (this.form.memory === MemoryKind.none) return;
    const segment = this.let(this.field16(Entry.r1));
    c.localGet(this.address());
    c.localGet(segment);
    c.memory(0x28, 2, SegmentField.base);
    c.op(0x6b);
    const offset = this.let(VAL);
    this.setState(StateLayout.fpuDp, offset);
    c.localGet(segment);
    c.memory(0x28, 2, SegmentField.selector);
    const selector = this.let(VAL);
    this.setState(StateLayout.fpuDs, selector);
  }
  call(f: SharedFunction, ..._arguments: Val[]): Val {
    this.code.call(this.runtime.shared[f]);
    return VAL;
  }

  // ---- stack --------------------------------------------------------------------------------------------------------

  /** Linear address of a stack access at an ESP-relative offset. */
  private stackAddress(base: Local | undefined, delta: number, bytes: number, write: boolean): Local {
    const c = this.code;
    const offset = this.let(this.add(base === undefined ? this.reg(ESP, 32) : this.get(base), this.const(delta)));
    if (!this.form.genericStack) return offset;
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
    const sum = this.let(this.add(this.reg(ESP, 32), this.const(bytes)));
    this.setStack(sum);
  }
  setStack(value: Local): void {
    if (!this.form.genericStack) {
      this.setReg(ESP, 32, value);
      return;
    }
    this.if(
      this.and(this.state(StateLayout.segments + SS * SEGMENT_STRIDE + SegmentField.access), this.const(1 << 14)),
      () => this.setReg(ESP, 32, value),
      () => this.setReg(ESP, 16, value),
    );
  }

  // ---- control ------------------------------------------------------------------------------------------------------

  requireTarget(_k: number): void {
    if (this.form.limitedCode) this.requireTargetAt(this.let(this.field32(Entry.imm)));
  }
  requireTargetAt(eip: Local): void {
    if (!this.form.limitedCode) return;
    const limit = StateLayout.segments + CS * SEGMENT_STRIDE + SegmentField.limit;
    const target = this.form.size === 16 ? this.let(this.and(this.get(eip), this.const(0xffff))) : eip;
    this.faultIf(this.gtU(this.get(target), this.state(limit)), Vector.GP, 0);
  }
  jump(_k: number): void {
    this.ended = true;
    const c = this.code;
    this.set(N, this.budgetAfter());
    const target = this.let(this.field32(Entry.target));
    c.localGet(target);
    c.i32(0);
    c.op(0x4a); // gt_s: linked
    c.localGet(N);
    c.i32(0);
    c.op(0x4e); // ge_s: budget left
    c.op(0x71);
    c.if();
    c.localGet(target);
    c.localGet(N);
    c.localGet(EA);
    c.localGet(TLB);
    c.localGet(target);
    c.memory(0x28, 2, Entry.fn);
    c.returnCallIndirect(this.runtime.type, 0);
    c.end();
    this.if(this.eqz(this.get(target)), () => this.leaveLink());
    this.gotoEip(() => this.field32(Entry.imm));
  }
  /** The jump is not linked: the run loop finds the target and may write it into the entry. */
  private leaveLink(): void {
    const c = this.code;
    const eip = this.let(this.field32(Entry.imm));
    this.setState(StateLayout.eip, eip);
    this.setState(StateLayout.exitEntry, E);
    this.setState(StateLayout.exitBudget, N);
    const kind = this.let(this.const(ExitKind.link));
    this.setState(StateLayout.exitKind, kind);
    c.return();
  }
  private gotoEip(eip: () => void): void {
    eip();
    this.code.localGet(N);
    this.code.localGet(TLB);
    this.code.returnCall(this.runtime.goto);
  }
  jumpIf(k: number, condition: Val): void {
    this.if(condition, () => {
      this.requireTarget(k);
      this.jump(k);
    });
    this.next();
  }
  jumpTo(eip: Local): void {
    this.ended = true;
    this.set(N, this.budgetAfter());
    this.gotoEip(() => {
      this.get(eip);
      if (this.form.size === 16) this.and(VAL, this.const(0xffff));
    });
  }
  nextEip(): Val {
    const eip = this.add(this.field32(Entry.eip), this.field8(Entry.length));
    return this.form.size === 16 ? this.and(eip, this.const(0xffff)) : eip;
  }
  orHelper(_guard: Val): void {
    const memory = this.form.memory === MemoryKind.none ? undefined : this.address();
    this.if(this.eqz(VAL), () => {
      this.get(E);
      this.get(N);
      this.get(memory ?? EA);
      this.get(TLB);
      this.code.returnCall(this.runtime.callHelper);
    });
  }
  faultIf(condition: Val, vector: number, errorCode?: number): void {
    this.if(condition, () => {
      this.code.i32(vector);
      this.code.i32(errorCode ?? -1);
      this.code.call(this.runtime.raise);
      this.leaveFault();
    });
  }
}
