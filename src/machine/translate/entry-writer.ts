// Writes a decoded instruction as entries: chooses the form, fills in registers, immediates and targets. Not which instructions make a
// block, nor where blocks are kept (code-cache.ts), nor the decoder (isa/decode.ts).

import type { Cpu } from '../cpu/cpu.ts';
import { controlRegisterAt, debugRegisterAt, SEGMENT_STRIDE, StateLayout } from '../cpu/state.ts';
import { DecodeResult, type Decoder, NONE } from '../isa/decode.ts';
import type { Row } from '../isa/row.ts';
import { Entry, ENTRY_SIZE } from './entry.ts';
import { MemoryKind } from './form.ts';
import { formSize } from './forms.ts';
import { fpuOpcode } from '../cpu/x87/unit.ts';
import { HelperOperands } from './helper-operands.ts';
import { Mode, runsUnit } from './mode.ts';
import type { ThreadedModule } from './threaded-module.ts';
import { accessOf, isEmitted, isFlat, isAddressOnly, isXlat, namesMemory } from './operand-access.ts';

/** Stand-ins for what cannot be decoded or may not run now (isa/table.ts). */
export interface UnavailableRows {
  readonly fpu: Row;
  readonly mmx: Row;
  readonly sse: Row;
  readonly invalid: Row;
  readonly tooLong: Row;
}

export class EntryWriter {
  /** Operands of helper instructions, by the index in their entries' `target`. */
  readonly operands: HelperOperands[] = [];
  /** The instruction last written ends its block. */
  ends = false;
  private readonly i32: Int32Array;
  private readonly u16: Uint16Array;
  private readonly u8: Uint8Array;

  constructor(
    private readonly cpu: Cpu,
    private readonly module: ThreadedModule,
    private readonly decoder: Decoder,
    private readonly unavailable: UnavailableRows,
  ) {
    this.i32 = cpu.memory.i32;
    this.u16 = cpu.memory.u16;
    this.u8 = cpu.memory.u8;
  }

  header(at: number, fn: number, eip: number, length: number, done: number): void {
    this.i32[at >> 2] = fn;
    this.u8[at + Entry.length] = length;
    this.u16[(at + Entry.done) >> 1] = done;
    this.i32[(at + Entry.eip) >> 2] = eip;
  }
  private registers(at: number): void {
    const d = this.decoder;
    this.u16[(at + Entry.base) >> 1] = d.base === NONE ? StateLayout.zero : StateLayout.gpr + d.base * 8;
    this.u16[(at + Entry.index) >> 1] = d.index === NONE ? StateLayout.zero : StateLayout.gpr + d.index * 8;
    this.u8[at + Entry.scale] = d.scale;
    this.i32[(at + Entry.disp) >> 2] = d.displacement;
  }

  /** Writes the entry or entries of the decoded instruction; returns the address behind them. */
  emit(at: number, result: number, eip: number, done: number): number {
    const d = this.decoder;
    const mode = this.cpu.s.get(StateLayout.mode);
    const micro = this.module.micro;
    let row =
      result === DecodeResult.ok
        ? d.row
        : result === DecodeResult.tooLong
          ? this.unavailable.tooLong
          : this.unavailable.invalid;
    if (row.unit !== 'integer' && !runsUnit(row.unit, mode)) row = this.unavailable[row.unit];
    const emitted = isEmitted(row, d, mode);
    this.ends = row.ends || !emitted;
    if (!emitted) return this.emitHelper(at, row, eip, done);

    // POP m: the address is formed with ESP already incremented (SDM vol. 2, POP).
    if (row.stack && row.mnemonic === 'pop' && d.memory && d.base === 4)
      d.displacement = (d.displacement + d.operandSize / 8) | 0;
    let kind: number = MemoryKind.none;
    if (d.memory && namesMemory(row)) {
      const lea = isAddressOnly(row);
      const xlat = isXlat(row);
      const flat = lea || isFlat(mode, d.segment);
      if (flat && d.addressSize === 32 && !xlat)
        kind = d.index === NONE || row.operands[row.memoryOperand]!.kind === 'O' ? MemoryKind.base : MemoryKind.indexed;
      else {
        kind = MemoryKind.ea;
        if (row.prologue !== undefined) {
          const stackFlat = (mode & Mode.stackFlat) !== 0;
          this.header(at, this.module.forms.prologueSlot(row, d.operandSize, !stackFlat), eip, d.length, done);
          at += ENTRY_SIZE;
        }
        const wide = d.addressSize === 32;
        const fn = xlat
          ? wide
            ? micro.xlat32
            : micro.xlat16
          : lea
            ? wide
              ? micro.offset32
              : micro.offset16
            : wide
              ? micro.segment32
              : micro.segment16;
        this.header(at, fn, eip, d.length, done);
        this.registers(at);
        this.u16[(at + Entry.r0) >> 1] = StateLayout.segments + d.segment * SEGMENT_STRIDE;
        this.i32[(at + Entry.imm) >> 2] = accessOf(row, d.operandSize);
        at += ENTRY_SIZE;
      }
    }
    const slot = this.module.forms.slot(
      row,
      formSize(row, d.operandSize),
      kind,
      (mode & Mode.stackFlat) === 0,
      (mode & Mode.codeFlat) === 0,
      d.addressSize,
      d.rep,
    );
    this.header(at, slot, eip, d.length, done);
    this.registers(at);
    const { operands } = row;
    for (let k = 0; k < operands.length; k++) {
      const operand = operands[k]!;
      const bits = operand.bits > 0 ? operand.bits : d.operandSize;
      switch (operand.kind) {
        case 'E':
        case 'R':
          this.u16[(at + Entry.r0) >> 1] = gprAddress(d.rm, bits);
          break;
        case 'Z':
          this.u16[(at + Entry.r0) >> 1] = gprAddress(this.opcodeRegister(), bits);
          break;
        case 'G':
          this.u16[(at + Entry.r1) >> 1] = gprAddress(d.reg, bits);
          break;
        case 'S':
          this.u16[(at + Entry.r1) >> 1] = StateLayout.segments + d.reg * SEGMENT_STRIDE;
          break;
        case 'C':
          this.u16[(at + Entry.r1) >> 1] = controlRegisterAt(d.reg);
          break;
        case 'D':
          this.u16[(at + Entry.r1) >> 1] = debugRegisterAt(d.reg);
          break;
        case 'I':
          if (k > 0 && operands[0]!.kind === 'I') this.u16[(at + Entry.r1) >> 1] = d.immediate2;
          break;
        case 'A':
          this.u16[(at + Entry.r1) >> 1] = d.immediate2;
          break;
        case 'M':
          if (operands.length === 1) this.u16[(at + Entry.r1) >> 1] = StateLayout.segments + d.segment * SEGMENT_STRIDE;
          break;
        case 'V':
          this.u16[(at + Entry.r1) >> 1] = StateLayout.xmm + d.reg * 16;
          break;
        case 'W':
        case 'U':
          this.u16[(at + Entry.r0) >> 1] = StateLayout.xmm + d.rm * 16;
          break;
        case 'P':
          this.u16[(at + Entry.r1) >> 1] = StateLayout.fpuRegisters + d.reg * 16;
          break;
        case 'Q':
        case 'N':
          this.u16[(at + Entry.r0) >> 1] = StateLayout.fpuRegisters + d.rm * 16;
          break;
        default:
          break;
      }
    }
    this.i32[(at + Entry.imm) >> 2] = d.immediate;
    if (row.unit === 'fpu') this.fpuFields(at, row);
    this.i32[(at + Entry.target) >> 2] = row.helper === undefined ? 0 : this.addOperands(row, eip, !isAddressOnly(row));
    if (operands.length > 0 && operands[0]!.kind === 'J') {
      const target = (eip + d.length + d.immediate) & (d.operandSize === 16 ? 0xffff : -1);
      this.i32[(at + Entry.imm) >> 2] = target;
      const samePage = (eip & 0xfffff000) === (target & 0xfffff000) && (eip & 0xfff) + d.length <= 4096;
      this.i32[(at + Entry.target) >> 2] = samePage ? 0 : -1;
    }
    return at + ENTRY_SIZE;
  }

  /** What x87 instructions need besides: `i` of ST(i), the segment of the memory operand, FOP. */
  private fpuFields(at: number, row: Row): void {
    const d = this.decoder;
    this.u16[(at + Entry.r0) >> 1] = d.rm;
    this.u16[(at + Entry.r1) >> 1] = StateLayout.segments + d.segment * SEGMENT_STRIDE;
    this.i32[(at + Entry.imm) >> 2] = fpuOpcode(row.opcode, d.modrm);
  }
  /** The register in the opcode's low bits ("+r" rows). */
  private opcodeRegister(): number {
    return this.decoder.row.opcode & 7;
  }
  private emitHelper(at: number, row: Row, eip: number, done: number): number {
    const d = this.decoder;
    const micro = this.module.micro;
    if (d.memory) {
      this.header(at, d.addressSize === 32 ? micro.offset32 : micro.offset16, eip, d.length, done);
      this.registers(at);
      at += ENTRY_SIZE;
    }
    this.header(at, micro.helper, eip, d.length, done);
    this.i32[(at + Entry.target) >> 2] = this.addOperands(row, eip, false);
    return at + ENTRY_SIZE;
  }

  /** The decoded operands for the row's helper; their index. `linear`: see HelperOperands. */
  private addOperands(row: Row, eip: number, linear: boolean): number {
    return this.operands.push(new HelperOperands(row, eip, this.decoder, linear)) - 1;
  }
}

const gprAddress = (index: number, bits: number): number =>
  bits === 8 ? StateLayout.gpr + (index & 3) * 8 + (index >> 2) : StateLayout.gpr + index * 8;
