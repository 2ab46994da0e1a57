// Questions about an instruction's memory operand that both tiers ask: is there one, is its segment flat, how is it accessed.
// Not the decoder (isa/decode.ts) and not the check itself (cpu.ts `linear`). SDM vol. 3, 5.3.

import { DS, ES, SS } from '../cpu/state.ts';
import type { OperandKind, Row } from '../isa/row.ts';
import { Mode } from './mode.ts';

const MEMORY_KINDS: ReadonlySet<OperandKind> = new Set(['E', 'M', 'O', 'X', 'W', 'Q']);

/** The row accesses the memory operand that ModRM or the opcode names (LEA and INVLPG compute its address). */
export const namesMemory = (row: Row): boolean => row.operands.some((o) => MEMORY_KINDS.has(o.kind));
/** Nothing is accessed: the segment is not looked at. */
export const isAddressOnly = (row: Row): boolean => row.operands.some((o) => o.kind === 'M' && o.bits === -2);
export const isXlat = (row: Row): boolean => row.operands.some((o) => o.kind === 'X');

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

/** In the first operand only read. */
const READERS: ReadonlySet<string> = new Set(['cmp', 'test', 'bt', 'push', 'jmp', 'call']);

/** Bytes of the memory access (for limits), with 256 added if it is written. */
export const accessOf = (row: Row, operandSize: number): number => {
  for (const [k, { kind, bits }] of row.operands.entries())
    if (MEMORY_KINDS.has(kind)) {
      const bytes = (bits > 0 ? bits : operandSize) / 8;
      const reads = row.operands.length === 1 && /^(i?mul|i?div)$/.test(row.mnemonic);
      return bytes | (k === 0 && !READERS.has(row.mnemonic) && !reads && !row.reads ? 256 : 0);
    }
  return 1;
};
