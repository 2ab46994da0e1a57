// The operands of one decoded instruction as its helper gets them, for as long as its code is kept. Not the decoder, whose fields it copies.

import type { Operands } from '../cpu/cpu.ts';
import type { Decoder } from '../isa/decode.ts';
import type { Row } from '../isa/row.ts';
import { WIDE_ZERO } from '../wide-number.ts';

export class HelperOperands implements Operands {
  readonly eip: number;
  readonly length: number;
  readonly size: number;
  readonly addressSize: number;
  readonly reg: number;
  readonly rm: number;
  readonly memory: boolean;
  readonly segment: number;
  /** Filled in at each call. */
  offset = WIDE_ZERO;
  readonly imm: number;
  readonly imm2: number;
  readonly rep: number;
  readonly opcode: number;
  readonly modrm: number;

  constructor(
    /** The decoder's, or a stand-in for an instruction that is not available. */
    readonly row: Row,
    eip: number,
    d: Decoder,
    /** Translated code leaves the linear address, not the offset, in StateLayout.exitEa. */
    readonly linear: boolean,
  ) {
    this.eip = eip;
    this.length = d.length;
    this.size = row.bits !== 0 ? row.bits : d.operandSize;
    this.addressSize = d.addressSize;
    const fixed = row.operands[0]?.kind === 'fixed' ? row.operands[0].register : undefined;
    this.reg = fixed ?? d.reg;
    this.rm = d.rm;
    this.memory = d.memory;
    this.segment = d.segment;
    this.imm = d.immediate;
    this.imm2 = d.immediate2;
    this.rep = d.rep;
    this.opcode = row.opcode;
    this.modrm = d.modrm;
  }
}
