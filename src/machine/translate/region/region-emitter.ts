// The region tier's emission context: the operands of a decoded instruction as constants, the stack, and where control goes. It emits
// instructions; what joins them to a function is region-function.ts. Ground: region-frame.ts.

import { type Size, type Val, VAL } from '../../isa/emitter.ts';
import type { OperandSpec } from '../../isa/row.ts';
import type { SharedFunction } from '../../isa/x87-functions.ts';
import { fpuOpcode } from '../../cpu/x87/unit.ts';
import { CS, ESP, SEGMENT_STRIDE, SegmentField, SS, StateLayout } from '../../cpu/state.ts';
import type { Local } from '../../wasm/code.ts';
import { Mode } from '../mode.ts';
import { namesMemory } from '../operand-access.ts';
import type { Instruction } from './instruction.ts';
import { RegionFrame } from './region-frame.ts';

/** How an instruction hands control on. */
export const Transfer = {
  /** To the next instruction. */
  next: 0,
  /** To its relative target. */
  jump: 1,
  /** To its relative target if `condition` is set, else to the next instruction. */
  branch: 2,
  /** To the EIP in `condition`. */
  indirect: 3,
} as const;

const VECTOR_LOADS = { 4: 0x5c, 8: 0x5d, 16: 0x00 } as const;

export class RegionEmitter extends RegionFrame {
  size: Size = 32;
  /** What the instruction last emitted does (Transfer), and its local. */
  transfer: number = Transfer.next;
  outcome: Local = 0;

  /** Emits one instruction, `done` others of its node before it. */
  emit(instruction: Instruction, done: number): void {
    this.begin(instruction, done);
    this.transfer = Transfer.next;
    const { row } = instruction;
    const first = row.operands[0];
    this.size = (first === undefined || row.sized ? instruction.operandSize : this.bits(first)) as Size;
    if (instruction.memory && namesMemory(row)) this.checkSegment();
    row.semantics!(this);
  }

  // ---- operands -----------------------------------------------------------------------------------------------------

  private spec(k: number): OperandSpec {
    const spec = this.instruction.row.operands[k];
    if (spec === undefined) throw new Error(`${this.instruction.row.mnemonic} has no operand ${k}`);
    return spec;
  }
  private bits(spec: OperandSpec): number {
    if (spec.kind === 'Y') return this.instruction.addressSize;
    return spec.bits > 0 ? spec.bits : this.instruction.operandSize;
  }
  operandSize(k: number): number {
    return this.bits(this.spec(k));
  }
  isMemory(k: number): boolean {
    const { kind } = this.spec(k);
    if (kind === 'M' || kind === 'O' || kind === 'X') return true;
    return (kind === 'E' || kind === 'W' || kind === 'Q') && this.instruction.memory;
  }
  /** Number of the general register of operand k. */
  private generalRegister(spec: OperandSpec): number {
    const i = this.instruction;
    return spec.kind === 'G' ? i.reg : spec.kind === 'Z' ? i.row.opcode & 7 : i.rm;
  }
  /** Address in the state of an operand that is no general register. */
  private stateRegister(spec: OperandSpec): number {
    const i = this.instruction;
    switch (spec.kind) {
      case 'V':
        return StateLayout.xmm + i.reg * 16;
      case 'W':
      case 'U':
        return StateLayout.xmm + i.rm * 16;
      case 'P':
        return StateLayout.fpuRegisters + i.reg * 16;
      case 'Q':
      case 'N':
        return StateLayout.fpuRegisters + i.rm * 16;
      case 'S':
        return StateLayout.segments + i.reg * SEGMENT_STRIDE;
      default:
        return -1;
    }
  }
  read(k: number): Val {
    const spec = this.spec(k);
    const bits = this.bits(spec);
    switch (spec.kind) {
      case 'I':
      case 'Is': {
        const value = this.instruction.immediate;
        return this.const(this.size === 32 ? value : value & (this.size === 16 ? 0xffff : 0xff));
      }
      case 'one':
        return this.const(1);
      case 'fixed':
        return this.reg(spec.register!, bits as Size);
      default:
        if (this.isMemory(k)) return this.load((bits / 8) as 1 | 2 | 4);
    }
    const at = this.stateRegister(spec);
    if (at < 0) return this.reg(this.generalRegister(spec), bits as Size);
    this.code.i32(at);
    this.loadSized(bits);
    return VAL;
  }
  write(k: number, value: Local): void {
    const spec = this.spec(k);
    const bits = this.bits(spec);
    if (spec.kind === 'fixed') this.setReg(spec.register!, bits as Size, value);
    else if (this.isMemory(k)) this.store((bits / 8) as 1 | 2 | 4, value);
    else {
      const at = this.stateRegister(spec);
      if (at < 0) {
        this.setReg(this.generalRegister(spec), bits as Size, value);
        return;
      }
      this.code.i32(at);
      this.get(value);
      this.storeSized(bits);
    }
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

  // ---- MMX and XMM --------------------------------------------------------------------------------------------------

  private vectorBytes(spec: OperandSpec): 4 | 8 | 16 {
    return spec.bits === 64 ? 8 : spec.bits === 32 ? 4 : 16;
  }
  readVector(k: number, bytes?: 4 | 8 | 16): Val {
    const spec = this.spec(k);
    const width = bytes ?? this.vectorBytes(spec);
    if (this.isMemory(k)) {
      this.get(this.hostForRead(width));
      this.code.simdMemory(VECTOR_LOADS[width], 0, 0);
    } else {
      this.code.i32(0);
      this.code.simdMemory(VECTOR_LOADS[width], 0, this.stateRegister(spec));
    }
    return VAL;
  }
  writeVector(k: number, value: Local, bytes?: 4 | 8 | 16): void {
    const c = this.code;
    const spec = this.spec(k);
    const width = bytes ?? this.vectorBytes(spec);
    const memory = this.isMemory(k);
    const host = memory ? this.hostForWrite(width) : this.let(this.const(this.stateRegister(spec)));
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
    return this.const(this.instruction.rm);
  }
  fpuPointers(): void {
    const { eip, memory, operands, segment } = this.instruction;
    const slot = (number: number): number => StateLayout.segments + number * SEGMENT_STRIDE;
    this.setState(StateLayout.fpuIp, this.let(this.const(eip | 0)));
    this.setState(StateLayout.fpuCs, this.let(this.state(slot(CS) + SegmentField.selector)));
    this.setState(StateLayout.fpuOpcode, this.let(this.const(fpuOpcode(operands!.opcode, operands!.modrm))));
    if (!memory) return;
    const offset = this.let(this.sub(this.get(this.address()), this.state(slot(segment) + SegmentField.base)));
    this.setState(StateLayout.fpuDp, offset);
    this.setState(StateLayout.fpuDs, this.let(this.state(slot(segment) + SegmentField.selector)));
  }
  call(f: SharedFunction, ..._arguments: Val[]): Val {
    this.code.call(this.runtime.shared[f]);
    return VAL;
  }

  // ---- stack --------------------------------------------------------------------------------------------------------

  private get flatStack(): boolean {
    return (this.mode & Mode.stackFlat) !== 0;
  }
  private stackAddress(base: Local | undefined, delta: number, bytes: number, write: boolean): Local {
    const c = this.code;
    const offset = this.let(this.add(base === undefined ? this.reg(ESP, 32) : this.get(base), this.const(delta)));
    if (this.flatStack) return offset;
    this.markSite();
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

  // ---- control ------------------------------------------------------------------------------------------------------

  /** Regions are of flat code segments, which have no limit to look at. */
  requireTarget(_k: number): void {}
  requireTargetAt(_eip: Local): void {}
  jump(_k: number): void {
    this.transfer = Transfer.jump;
  }
  jumpIf(_k: number, condition: Val): void {
    this.outcome = this.let(condition);
    this.transfer = Transfer.branch;
  }
  jumpTo(eip: Local): void {
    this.get(eip);
    if (this.instruction.operandSize === 16) this.and(VAL, this.const(0xffff));
    this.outcome = this.let(VAL);
    this.transfer = Transfer.indirect;
  }
  nextEip(): Val {
    const { next, operandSize } = this.instruction;
    return this.const((operandSize === 16 ? next & 0xffff : next) | 0);
  }
}
