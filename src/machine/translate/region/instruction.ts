// A decoded instruction as the region tier keeps it while it forms a region. Not the decoder (isa/decode.ts), whose fields it copies, and
// not an entry of the threaded tier (translate/entry.ts).

import type { Decoder } from '../../isa/decode.ts';
import type { Row } from '../../isa/row.ts';
import { ESP } from '../../cpu/state.ts';
import { formSize } from '../forms.ts';
import { HelperOperands } from '../helper-operands.ts';
import { accessOf, isAddressOnly, namesMemory } from '../operand-access.ts';

export class Instruction {
  readonly row: Row;
  /** EIP of its first byte, and behind its last. */
  readonly eip: number;
  readonly next: number;
  readonly operandSize: 16 | 32;
  readonly addressSize: 16 | 32;
  readonly memory: boolean;
  readonly base: number;
  readonly index: number;
  readonly scale: number;
  readonly displacement: number;
  readonly segment: number;
  readonly reg: number;
  readonly rm: number;
  readonly immediate: number;
  readonly immediate2: number;
  /** How its memory operand is accessed (operand-access.ts `accessOf`); 0: it has none, or forms only its address. */
  readonly access: number;
  /** What its helper gets where its semantics does not cover the case. */
  readonly operands: HelperOperands | undefined;

  constructor(eip: number, d: Decoder) {
    this.row = d.row;
    this.eip = eip;
    this.next = (eip + d.length) >>> 0;
    this.operandSize = formSize(d.row, d.operandSize);
    this.addressSize = d.addressSize;
    this.memory = d.memory;
    this.base = d.base;
    this.index = d.index;
    this.scale = d.scale;
    // POP m: the address is formed with ESP already incremented (SDM vol. 2, POP).
    const popped = d.row.stack && d.row.mnemonic === 'pop' && d.memory && d.base === ESP;
    this.displacement = popped ? (d.displacement + d.operandSize / 8) | 0 : d.displacement;
    this.segment = d.segment;
    this.reg = d.reg;
    this.rm = d.rm;
    this.immediate = d.immediate;
    this.immediate2 = d.immediate2;
    const accesses = d.memory && namesMemory(d.row) && !isAddressOnly(d.row);
    this.access = accesses ? accessOf(d.row, this.operandSize) : 0;
    this.operands = d.row.helper === undefined ? undefined : new HelperOperands(d.row, eip, d, !isAddressOnly(d.row));
  }

  /** EIP that a relative jump goes to. */
  get target(): number {
    return ((this.next + this.immediate) & (this.operandSize === 16 ? 0xffff : -1)) >>> 0;
  }
}
