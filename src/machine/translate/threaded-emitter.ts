// The threaded tier's emission context: each instruction form becomes one small WebAssembly function that takes its operands from
// the entry it is given, and tail-calls the next entry's function. Not the decoder and not the form list (forms.ts).

import { type Size, type Val, VAL } from '../isa/emitter.ts';
import type { OperandSpec, Row } from '../isa/row.ts';
import { Vector } from '../cpu/cpu.ts';
import { CS, SEGMENT_STRIDE, SegmentField, StateLayout } from '../cpu/state.ts';
import type { Code, Local } from '../wasm/code.ts';
import { Entry, ExitKind } from './entry.ts';
import { dispatchLinked, E, EA, N, TLB } from './entry-function.ts';
import { type Form, MemoryKind, type ThreadedRuntime } from './form.ts';
import { ThreadedFrame } from './threaded-frame.ts';

export class ThreadedEmitter extends ThreadedFrame {
  readonly size: Size;
  /** The instruction has continued elsewhere: no fall-through code. */
  private ended = false;
  private linear: Local | undefined;

  constructor(runtime: ThreadedRuntime, form: Form) {
    super(runtime, form);
    this.size = this.operationSize;
  }

  /** Emits the whole function of the form. */
  emit(): Code {
    this.form.row.semantics!(this);
    if (!this.ended) this.next();
    return this.code;
  }

  // ---- operands -----------------------------------------------------------------------------------------------------

  protected get row(): Row {
    return this.form.row;
  }
  protected get operandAttribute(): 16 | 32 {
    return this.form.size;
  }
  protected get addressAttribute(): 16 | 32 {
    return this.form.addressSize;
  }
  get repeat(): number {
    return this.form.repeat;
  }
  protected get inMemory(): boolean {
    return this.form.memory !== MemoryKind.none;
  }
  get flatStack(): boolean {
    return !this.form.genericStack;
  }
  protected immediate(): Val {
    return this.truncate(this.field32(Entry.imm), this.size);
  }
  /** Address of the register, from the entry. */
  protected vectorRegister({ kind }: OperandSpec): Val {
    return this.field16(
      kind === 'G' || kind === 'V' || kind === 'P' || kind === 'S' || kind === 'C' || kind === 'D'
        ? Entry.r1
        : Entry.r0,
    );
  }
  protected readRegister(spec: OperandSpec, bits: number): Val {
    this.vectorRegister(spec);
    this.loadSized(bits);
    return VAL;
  }
  protected writeRegister(spec: OperandSpec, bits: number, value: Local): void {
    this.vectorRegister(spec);
    this.get(value);
    this.storeSized(bits);
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

  segmentField(field: number): Val {
    const segment = this.let(this.field16(Entry.r1));
    return this.peek32(segment, field);
  }
  secondImmediate(): Val {
    return this.field16(Entry.r1);
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
    this.set(N, this.budgetAfter());
    const target = this.let(this.field32(Entry.target));
    dispatchLinked(this.code, this.runtime.type, target);
    this.rarely(this.eqz(this.get(target)), () => this.leaveLink());
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
  lookUp(): void {
    this.ended = true;
    this.set(N, this.budgetAfter());
    this.gotoEip(() => this.add(this.field32(Entry.eip), this.field8(Entry.length)));
  }
  nextEip(): Val {
    const eip = this.add(this.field32(Entry.eip), this.field8(Entry.length));
    return this.form.size === 16 ? this.and(eip, this.const(0xffff)) : eip;
  }
  /** The next instruction's function may be left anywhere. */
  interruptShadow(_thrown: Local): Val {
    return this.const(0);
  }
  orHelper(_guard: Val): void {
    const memory = this.form.memory === MemoryKind.none ? undefined : this.address();
    this.rarely(this.eqz(VAL), () => {
      this.get(E);
      this.get(N);
      this.get(memory ?? EA);
      this.get(TLB);
      this.code.returnCall(this.runtime.callHelper);
    });
  }
}
