// The region tier's emission context: the operands of a decoded instruction as constants, and what decides where control goes. It emits
// instructions; what joins them to a function is region-function.ts. Ground: region-frame.ts.

import { type Size, type Val, VAL } from '../../isa/emitter.ts';
import type { OperandSpec, Row } from '../../isa/row.ts';
import { fpuOpcode } from '../../cpu/x87/unit.ts';
import { controlRegisterAt, CS, debugRegisterAt, SEGMENT_STRIDE, SegmentField, StateLayout } from '../../cpu/state.ts';
import type { Local } from '../../wasm/code.ts';
import { MAX_BLOCK } from '../entry.ts';
import { N } from '../entry-function.ts';
import { Mode } from '../mode.ts';
import { namesMemory } from '../operand-access.ts';
import { Transfer, transferOf } from './flow-graph.ts';
import type { Instruction } from './instruction.ts';
import { RegionFrame } from './region-frame.ts';

export class RegionEmitter extends RegionFrame {
  size: Size = 32;
  /** Most instructions of the region between two checks of the budget. */
  longest = 0;
  /** Of the instruction last emitted: 0/1 if it branches, the EIP if that is computed. */
  outcome: Local = 0;
  /** It wants the budget to be looked at behind it. */
  looksUp = false;
  private next: Instruction | undefined;
  private throwsShadow = false;

  /** Emits one instruction, `done` others of its node before it. `next`: the one behind it, of the same node. */
  emit(instruction: Instruction, done: number, next: Instruction | undefined): void {
    this.begin(instruction, done);
    this.looksUp = false;
    this.next = next;
    this.throwsShadow = false;
    const { row } = instruction;
    const sites = this.sites.length;
    this.size = this.operationSize;
    if (instruction.memory && namesMemory(row)) this.checkSegment();
    row.semantics!(this);
    this.endShadow(sites);
    this.inShadow = this.throwsShadow;
  }
  /** A transfer of control leaves in more ways than sites; an iteration of a repeated instruction does not retire it. */
  interruptShadow(thrown: Local): Val {
    const { next } = this;
    this.set(this.shadowLocal, this.get(thrown));
    this.throwsShadow = next !== undefined && transferOf(next.row) === Transfer.next && (next.operands?.rep ?? 0) === 0;
    return this.const(this.throwsShadow ? 1 : 0);
  }

  // ---- operands -----------------------------------------------------------------------------------------------------

  protected get row(): Row {
    return this.instruction.row;
  }
  protected get operandAttribute(): 16 | 32 {
    return this.instruction.operandSize;
  }
  protected get addressAttribute(): 16 | 32 {
    return this.instruction.addressSize;
  }
  get repeat(): number {
    return this.instruction.operands!.rep;
  }
  protected get inMemory(): boolean {
    return this.instruction.memory;
  }
  get flatStack(): boolean {
    return (this.mode & Mode.stackFlat) !== 0;
  }
  protected immediate(): Val {
    const value = this.instruction.immediate;
    return this.const(this.size === 32 ? value : value & (this.size === 16 ? 0xffff : 0xff));
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
      case 'C':
        return controlRegisterAt(i.reg);
      case 'D':
        return debugRegisterAt(i.reg);
      default:
        return -1;
    }
  }
  protected vectorRegister(spec: OperandSpec): Val {
    return this.const(this.stateRegister(spec));
  }
  protected readRegister(spec: OperandSpec, bits: number): Val {
    if (this.stateRegister(spec) < 0) return this.reg(this.generalRegister(spec), bits as Size);
    this.vectorRegister(spec);
    this.loadSized(bits);
    return VAL;
  }
  protected writeRegister(spec: OperandSpec, bits: number, value: Local): void {
    if (this.stateRegister(spec) < 0) {
      this.setReg(this.generalRegister(spec), bits as Size, value);
      return;
    }
    this.vectorRegister(spec);
    this.get(value);
    this.storeSized(bits);
  }

  segmentField(field: number): Val {
    return this.state(StateLayout.segments + this.instruction.segment * SEGMENT_STRIDE + field);
  }
  secondImmediate(): Val {
    return this.const(this.instruction.immediate2 & 0xffff);
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
  // ---- control ------------------------------------------------------------------------------------------------------

  /** Regions are of flat code segments, which have no limit to look at. */
  requireTarget(_k: number): void {}
  requireTargetAt(_eip: Local): void {}
  /** Where control goes is the region's to say (flow-graph.ts). */
  jump(_k: number): void {}
  jumpIf(_k: number, condition: Val): void {
    this.outcome = this.let(condition);
  }
  jumpTo(eip: Local): void {
    this.get(eip);
    if (this.instruction.operandSize === 16) this.and(VAL, this.const(0xffff));
    this.outcome = this.let(VAL);
  }
  /** Behind all that it allows there is room for one more: an iteration that goes to the helper. */
  spare(): Val {
    return this.sub(this.get(N), this.const(Math.max(this.longest, this.done + 2) - MAX_BLOCK));
  }
  lookUp(): void {
    this.looksUp = true;
  }
  nextEip(): Val {
    const { next, operandSize } = this.instruction;
    return this.const((operandSize === 16 ? next & 0xffff : next) | 0);
  }
}
