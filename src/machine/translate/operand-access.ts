// Questions about an instruction's memory operand that both tiers ask: is there one, is its segment flat, how is it accessed.
// Not the decoder (isa/decode.ts) and not the check itself (cpu.ts `linear`). SDM vol. 3, 5.3.

import { DS, ES, SS } from '../cpu/state.ts';
import type { Row } from '../isa/row.ts';
import { Mode } from './mode.ts';

/** The row accesses the memory operand that ModRM or the opcode names (LEA and INVLPG compute its address). */
export const namesMemory = (row: Row): boolean => row.memoryOperand >= 0;
/** Nothing is accessed: the segment is not looked at. */
export const isAddressOnly = ({ operands, memoryOperand }: Row): boolean =>
  memoryOperand >= 0 && operands[memoryOperand]!.kind === 'M' && operands[memoryOperand]!.bits === -2;
export const isXlat = ({ operands, memoryOperand }: Row): boolean =>
  memoryOperand >= 0 && operands[memoryOperand]!.kind === 'X';

/** The mode says that offsets in this segment are linear addresses, without limit or type to check. */
export const isFlat = (mode: number, segment: number): boolean => {
  const bit = segment === SS ? Mode.stackFlat : segment === DS ? Mode.dataFlat : segment === ES ? Mode.extraFlat : 0;
  return (mode & bit) !== 0;
};

/** The row has a description that covers the instruction in a mode; if not it is its helper's. */
export const isEmitted = (
  row: Row,
  { addressSize, segment }: { readonly addressSize: number; readonly segment: number },
  mode: number,
): boolean =>
  row.semantics !== undefined && (!row.string || (addressSize === 32 && isFlat(mode, ES) && isFlat(mode, segment)));

/** Rows whose first operand is only read, and those whose only one is. */
const READERS: ReadonlySet<string> = new Set(['cmp', 'test', 'bt', 'push', 'jmp', 'call']);
const LONE_READERS: ReadonlySet<string> = new Set(['mul', 'imul', 'div', 'idiv']);

/** Bytes of the memory access (for limits), with 256 added if it is written. */
export const accessOf = ({ operands, memoryOperand, mnemonic, reads }: Row, operandSize: number): number => {
  if (memoryOperand < 0) return 1;
  const { bits } = operands[memoryOperand]!;
  const bytes = (bits > 0 ? bits : operandSize) / 8;
  const read =
    memoryOperand !== 0 || reads || READERS.has(mnemonic) || (operands.length === 1 && LONE_READERS.has(mnemonic));
  return bytes | (read ? 0 : 256);
};
