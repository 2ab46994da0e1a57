// Guesses where a RET, or a jump or call through a register, goes whose EIP is a constant of the instructions before it: one that was pushed instead of
// called, or moved into the register. Only a guess: the region compares the EIP (region-function.ts). Not tables of addresses (flow-graph.ts).

import type { Instruction } from './instruction.ts';

/** The register that a MOV writes as a whole. */
const movedTo = ({ row, operandSize, memory, reg, rm }: Instruction): number => {
  const to = row.operands[0];
  if (row.mnemonic !== 'mov' || operandSize === 16 || to === undefined || to.bits > 0) return -1;
  if (to.kind === 'G') return reg;
  if (to.kind === 'Z') return row.opcode & 7;
  return to.kind === 'E' && !memory ? rm : -1;
};
const immediateOf = ({ row, immediate }: Instruction, k: number): number | undefined => {
  const kind = row.operands[k]?.kind;
  return kind === 'I' || kind === 'Is' ? immediate >>> 0 : undefined;
};
const inRegister = (register: number, before: readonly Instruction[]): number | undefined => {
  const moved = before.findLast((i) => movedTo(i) === register);
  return moved === undefined ? undefined : immediateOf(moved, 1);
};

/** What is on top of the stack behind instructions that push and pop. */
const onStack = (before: readonly Instruction[]): number | undefined => {
  let above = 0;
  for (let at = before.length - 1; at >= 0; at--) {
    const i = before[at]!;
    const { mnemonic, operands } = i.row;
    if (mnemonic === 'pop') above++;
    else if (mnemonic === 'push' && above > 0) above--;
    else if (mnemonic === 'push') {
      const kind = operands[0]?.kind;
      if (kind === 'Z') return inRegister(i.row.opcode & 7, before.slice(0, at));
      return immediateOf(i, 0);
    }
  }
  return undefined;
};

/** @param line the instructions before `i`, without a jump between them */
export const constantTarget = (i: Instruction, line: readonly Instruction[]): number | undefined => {
  if (i.row.mnemonic === 'ret') return onStack(line);
  return i.memory ? undefined : inRegister(i.rm, line);
};
