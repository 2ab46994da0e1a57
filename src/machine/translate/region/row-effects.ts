// What an instruction does to flags and general registers, found by running its description in a context that only watches: once for each form of a row.
// Not the forms of flags (flag-kinds.ts) and not what follows for a region (flag-use.ts, kept-registers.ts).

import type { Size, Val } from '../../isa/emitter.ts';
import type { OperandSpec, Row } from '../../isa/row.ts';
import { INVALID } from '../../cpu/tlb.ts';
import type { Local } from '../../wasm/code.ts';
import { sharedFunctions } from '../runtime.ts';
import { DYNAMIC, keptOf } from './flag-kinds.ts';
import type { Instruction } from './instruction.ts';
import { RegionEmitter } from './region-emitter.ts';
import type { RegionRuntime } from './region-frame.ts';

const NOWHERE: RegionRuntime = {
  type: 0,
  loadSlow: 0,
  storeSlow: 0,
  hostRead: 0,
  hostWrite: 0,
  commit: 0,
  stackLinear: 0,
  segmentLinear: 0,
  raise: 0,
  portIn: 0,
  portOut: 0,
  auxiliary: 0,
  goto: 0,
  jumpMiss: 0,
  next: 0,
  atSite: 0,
  again: { loadSlow: 0, storeSlow: 0, hostRead: 0, hostWrite: 0 },
  shared: sharedFunctions(() => 0),
};

/** What an instruction does with flags. INC and DEC pass CF on without looking. */
export const FlagUse = { none: 0, sets: 1, passes: 2, reads: 3 } as const;

/** Where the number of a register that is written comes from, and whether it is one of bytes. */
interface Written {
  readonly kind: OperandSpec['kind'];
  readonly bytes: boolean;
}

interface Effects {
  readonly flags: number;
  /** Registers that the row itself names, one bit each, and those that operands name. */
  readonly fixed: number;
  readonly operands: readonly Written[];
}

const registerBit = (index: number, bytes: boolean): number => 1 << (bytes ? index & 3 : index);

/** Its code is for nobody. */
class Watcher extends RegionEmitter {
  private reads = false;
  private fixed = 0;
  private operands: Written[] = [];
  /** The operand that is being written. */
  private writing: OperandSpec | undefined;

  watch(instruction: Instruction): Effects {
    this.code.clear();
    this.sites.length = 0;
    this.keepOnly(0);
    this.kind = DYNAMIC;
    this.reads = false;
    this.fixed = 0;
    this.operands = [];
    this.emit(instruction, 0, undefined);
    const { kind, reads, fixed, operands } = this;
    const sets = kind === DYNAMIC ? FlagUse.none : keptOf(kind) === undefined ? FlagUse.sets : FlagUse.passes;
    return { flags: reads ? FlagUse.reads : sets, fixed, operands };
  }
  override lazyAux(): Val {
    this.reads = true;
    return super.lazyAux();
  }
  override lazyResult(): Val {
    this.reads = true;
    return super.lazyResult();
  }
  protected override writeRegister(spec: OperandSpec, bits: number, value: Local): void {
    this.writing = spec;
    super.writeRegister(spec, bits, value);
    this.writing = undefined;
  }
  override setReg(index: number, size: Size, value: Local): void {
    const bytes = size === 8;
    if (this.writing === undefined) this.fixed |= registerBit(index, bytes);
    else this.operands.push({ kind: this.writing.kind, bytes });
    super.setReg(index, size, value);
  }
}
const watcher = new Watcher(NOWHERE, 0, INVALID);

/** By row, and by what else decides what its description emits. */
const known = new Map<Row, (Effects | undefined)[]>();
const formOf = ({ memory, operandSize, addressSize, operands }: Instruction): number =>
  (memory ? 1 : 0) | (operandSize === 16 ? 2 : 0) | (addressSize === 16 ? 4 : 0) | ((operands?.rep ?? 0) !== 0 ? 8 : 0);

const effectsOf = (instruction: Instruction): Effects => {
  let forms = known.get(instruction.row);
  if (forms === undefined) {
    forms = [];
    known.set(instruction.row, forms);
  }
  const form = formOf(instruction);
  return (forms[form] ??= watcher.watch(instruction));
};

/** What it does with flags (FlagUse). */
export const flagsOf = (instruction: Instruction): number => effectsOf(instruction).flags;

/** General registers that it may write, one bit each. */
export const writtenBy = (instruction: Instruction): number => {
  const { fixed, operands } = effectsOf(instruction);
  let written = fixed;
  for (let i = 0; i < operands.length; i++) {
    const { kind, bytes } = operands[i]!;
    const { reg, rm, row } = instruction;
    written |= registerBit(kind === 'G' ? reg : kind === 'Z' ? row.opcode & 7 : rm, bytes);
  }
  return written;
};
