// The names of instructions in both syntaxes: what `names` and `att` of a row mean (RowText in row.ts). Not the operands (operands.ts).
// SDM vol. 2 for Intel's names; the GNU assembler's manual, "80386 Dependent Features", for AT&T's.
//
// A name template is a name with marks:
//   a|b   a with 16-bit, b with 32-bit operand size (address size for the instructions that count in rCX)
//   ~     the letter of that size, if it is not the code segment's and no register operand tells it
//   *     the letter of the memory operand's size
//   #     the predicate of CMPPS and its kin, if the immediate has one
//   ^     first: "data16" or "data32" before the name if the operand size is not the code segment's
//   &     first: "addr16" or "addr32" before the name if the address size is not the code segment's
//   ?     first: a CS or DS prefix is a branch hint
//   =     first: operands in Intel's order in AT&T syntax too
//   @     last: an asterisk before the operand

import type { Row } from '../row.ts';
import type { ShownOperand } from './operands.ts';

export type Syntax = 'intel' | 'att';

export interface Name {
  readonly byAddressSize: boolean;
  readonly hinted: boolean;
  readonly dataPrefix: boolean;
  readonly addressPrefix: boolean;
  readonly keepsOrder: boolean;
  readonly indirect: boolean;
  /** There are `~`, `*` or `#` in the names. */
  readonly marked: boolean;
  /** With 16-bit and with 32-bit size, marks still in them. */
  readonly small: string;
  readonly large: string;
}

const parse = (template: string, byAddressSize: boolean): Name => {
  const [, first, rest] = /^([?^&=]*)(.*)$/.exec(template) as unknown as [string, string, string];
  const indirect = rest.endsWith('@');
  const [small, large = small] = (indirect ? rest.slice(0, -1) : rest).split('|') as [string, string?];
  return {
    byAddressSize,
    hinted: first.includes('?'),
    dataPrefix: first.includes('^'),
    addressPrefix: first.includes('&'),
    keepsOrder: first.includes('='),
    indirect,
    marked: /[~*#]/.test(rest),
    small,
    large,
  };
};

/** AT&T's letter is needed where the one operand with a variable size is memory and no register stands beside it. CL is a count. */
const attDefault = (row: Row, shown: readonly ShownOperand[]): string => {
  const sized = shown.some((o) => o.kind === 'E' && (o.bits === 8 || o.bits === 0));
  const register = shown.some((o) => 'GZSCDVP'.includes(o.kind) || (o.kind === 'fixed' && o.code !== 'CL'));
  return sized && !register ? `${row.mnemonic}*` : row.mnemonic;
};

export const nameOf = (row: Row, shown: readonly ShownOperand[], syntax: Syntax): Name => {
  const { names, att } = row.text;
  const template = syntax === 'intel' ? (names ?? row.mnemonic) : (att ?? attDefault(row, shown));
  return parse(
    template,
    row.operands.some((o) => o.kind === 'Y'),
  );
};

/** Letters for sizes in bits. Intel's are those of the string instructions; AT&T's x87 instructions have "short" for 16 bits. */
const LETTERS: Readonly<Record<'intel' | 'att' | 'x87', Readonly<Record<number, string>>>> = {
  intel: { 8: 'b', 16: 'w', 32: 'd' },
  att: { 8: 'b', 16: 'w', 32: 'l' },
  x87: { 16: 's', 32: 'l' },
};
export const sizeLetter = (bits: number, syntax: Syntax, unit: Row['unit']): string =>
  LETTERS[syntax === 'att' && unit === 'fpu' ? 'x87' : syntax][bits] ?? '';

/** SDM vol. 2, table 3-1 (CMPPD: comparison predicates of the SSE forms). */
export const PREDICATES = ['eq', 'lt', 'le', 'unord', 'neq', 'nlt', 'nle', 'ord'] as const;
