// The form of the instruction table: one row an encoding, in the SDM's notation. Not the rows: they are in the family files.
// SDM vol. 2, 3.1.1.1 (opcode column) and appendix A.2 (operand codes).

import type { Helper } from '../cpu/cpu.ts';
import type { Emitter } from './emitter.ts';

export type Semantics = (e: Emitter) => void;

/**
 * How one operand is found. `E`: ModRM.rm, register or memory. `M`: memory only. `R`: register only (mod = 3). `G`: ModRM.reg.
 * `Z`: register in the opcode. `I`/`Is`: immediate, sign-extended. `J`: relative target. `O`: moffs. `N`: ModRM decoded, not accessed;
 * `H`: the same, memory only. `X`: the table byte of XLAT. `Y`: ECX or CX by the address size. `V`/`W`: XMM by reg/rm. `P`/`Q`: MMX by
 * reg/rm. `S C D`: segment, control, debug register by reg. `A`: far pointer in the instruction.
 */
// prettier-ignore
const OPERAND_KINDS = [
  'E', 'M', 'R', 'G', 'Z', 'I', 'Is', 'J', 'O', 'S', 'C', 'D', 'A', 'fixed', 'one', 'V', 'W', 'P', 'Q', 'N', 'H', 'U', 'X', 'Y',
] as const;
export type OperandKind = (typeof OPERAND_KINDS)[number];
/** Kinds of an operand that can be in memory, where ModRM or the opcode says. */
const MEMORY_KINDS: ReadonlySet<OperandKind> = new Set(['E', 'M', 'O', 'X', 'W', 'Q']);

export interface OperandSpec {
  readonly kind: OperandKind;
  /** Bits; 0: the operand-size attribute (v); -1: z (16 or 32: as v here); -2: no size (M of LGDT...). */
  readonly bits: number;
  /** Register number of a fixed operand. */
  readonly register?: number;
  /** The operand code as the row has it. */
  readonly code: string;
}

/**
 * What only the disassembler needs (disassemble/): where the text is not the mnemonic and the operands. The notation of names is
 * explained in disassemble/names.ts, that of operands in disassemble/operands.ts.
 */
export interface RowText {
  /** Names in Intel syntax; the mnemonic otherwise. */
  readonly names?: string;
  /** Names in AT&T syntax; the mnemonic, with a size suffix where no register tells the size, otherwise. */
  readonly att?: string;
  /** Operands that are shown; `operands` otherwise. */
  readonly shows?: string;
}

export interface Row {
  readonly mnemonic: string;
  /** 0: one-byte opcodes, 1: 0F, 2: 0F 38, 3: 0F 3A. */
  readonly map: 0 | 1 | 2 | 3;
  readonly opcode: number;
  /** ModRM.reg digit; -1: any. */
  readonly digit: number;
  readonly modrm: boolean;
  /** A whole ModRM byte fixed (x87 register forms "D9 E8"); -1 otherwise. */
  readonly fixedModrm: number;
  /** Mandatory prefix: 0x66, 0xf2, 0xf3, 0 = none of them allowed to select (NP), -1 = not looked at. */
  readonly prefix: number;
  /** Operand-size attribute this row is limited to (o16, o32); 0: both. */
  readonly onlySize: 0 | 16 | 32;
  readonly operands: readonly OperandSpec[];
  /** Which operand is accessed, or has its address formed, where it is in memory; -1: none. */
  readonly memoryOperand: number;
  /** With a helper too, it covers what Emitter.orHelper lets through. */
  readonly semantics: Semantics | undefined;
  readonly helper: Helper | undefined;
  readonly lockable: boolean;
  /** Control leaves the straight line: nothing is decoded behind it. */
  readonly ends: boolean;
  /** Pushes or pops: has a form for flat 32-bit stacks and one for all others. */
  readonly stack: boolean;
  /** Transfers control inside its segment: has a form for flat code segments and one that looks at the limit. */
  readonly near: boolean;
  /** Has 16- and 32-bit forms though no operand says so (PUSHA, LEAVE, RET). */
  readonly sized: boolean;
  /** Without operands: operation size in bits if it is not the operand-size attribute; 0 otherwise. */
  readonly bits: 0 | 8 | 16;
  /** The execution unit that must be available: CR0.EM/TS and CR4.OSFXSR decide. */
  readonly unit: 'integer' | 'fpu' | 'mmx' | 'sse';
  /** The first operand, if in memory, is only read. */
  readonly reads: boolean;
  /** MOVS, CMPS, STOS, LODS, SCAS: has a form for each repeat prefix, for flat segments and 32-bit addresses. */
  readonly string: boolean;
  /** Faults that come before those of the memory operand's segment; part of `semantics` too, which flat segments reach at once. */
  readonly prologue: Semantics | undefined;
  readonly text: RowText;
}

// prettier-ignore
const REGISTERS: Readonly<Record<string, [number, number]>> = {
  AL: [0, 8], CL: [1, 8], DL: [2, 8], AH: [4, 8], AX: [0, 16], DX: [2, 16], EAX: [0, 32], ECX: [1, 32], EDX: [2, 32], rAX: [0, 0],
  ES: [0, 16], CS: [1, 16], SS: [2, 16], DS: [3, 16], FS: [4, 16], GS: [5, 16],
};
// prettier-ignore
const WIDTHS: Readonly<Record<string, number>> = { b: 8, w: 16, d: 32, q: 64, t: 80, x: 128, v: 0, z: -1, a: -2, s: -2, p: -2, '': -2 };

/** One operand code: a letter for how it is found, a letter for its width (a: two words of the operand size, p: far pointer, s: GDTR). */
export const parseOperand = (text: string): OperandSpec => {
  if (text === '1') return { kind: 'one', bits: 8, code: text };
  const fixed = REGISTERS[text];
  if (fixed !== undefined) return { kind: 'fixed', bits: fixed[1], register: fixed[0], code: text };
  const match = /^(Is|[A-Z])([bwdqtxvzasp]?)$/.exec(text);
  if (match === null) throw new Error(`bad operand code ${text}`);
  const bits = WIDTHS[match[2]!];
  if (bits === undefined) throw new Error(`bad operand width ${text}`);
  // The list's own string, not a piece of `text`: comparing that one is slower.
  const kind = OPERAND_KINDS.find((known) => known === match[1]);
  if (kind === undefined) throw new Error(`bad operand kind ${text}`);
  return { kind, bits, code: text };
};

export interface RowOptions extends RowText {
  readonly lock?: boolean;
  readonly ends?: boolean;
  readonly stack?: boolean;
  readonly near?: boolean;
  readonly sized?: boolean;
  readonly bits?: 8 | 16;
  readonly unit?: 'integer' | 'fpu' | 'mmx' | 'sse';
  readonly reads?: boolean;
  readonly string?: boolean;
  readonly prologue?: Semantics;
}

const make = (
  mnemonic: string,
  encoding: string,
  operands: string,
  semantics: Semantics | undefined,
  helper: Helper | undefined,
  options: RowOptions,
): Row[] => {
  let prefix = -1;
  let onlySize: 0 | 16 | 32 = 0;
  let map: Row['map'] = 0;
  let digit = -1;
  let modrm = false;
  let fixedModrm = -1;
  let plus = false;
  const bytes: number[] = [];
  for (const token of encoding.split(' ')) {
    if (token === 'NP') prefix = 0;
    else if (token === 'P66') prefix = 0x66;
    else if (token === 'PF2') prefix = 0xf2;
    else if (token === 'PF3') prefix = 0xf3;
    else if (token === 'o16') onlySize = 16;
    else if (token === 'o32') onlySize = 32;
    else if (token === '+r') plus = true;
    else if (token === '/r') modrm = true;
    else if (token.startsWith('/')) {
      modrm = true;
      digit = Number(token.slice(1));
    } else if (token.startsWith('=')) {
      modrm = true;
      fixedModrm = parseInt(token.slice(1), 16);
    } else bytes.push(parseInt(token, 16));
  }
  if (bytes[0] === 0x0f && bytes.length > 1) {
    bytes.shift();
    map = 1;
    const second = bytes[0] as number;
    if (bytes.length > 1 && second === 0x38) map = 2;
    if (bytes.length > 1 && second === 0x3a) map = 3;
    if (map > 1) bytes.shift();
  }
  if (bytes.length !== 1 || Number.isNaN(bytes[0])) throw new Error(`bad encoding ${encoding}`);
  const specs = operands === '' ? [] : operands.split(' ').map(parseOperand);
  const row: Row = {
    mnemonic,
    map,
    opcode: bytes[0]!,
    digit,
    modrm,
    fixedModrm,
    prefix,
    onlySize,
    operands: specs,
    memoryOperand: specs.findIndex(({ kind }) => MEMORY_KINDS.has(kind)),
    semantics,
    helper,
    lockable: options.lock === true,
    ends: options.ends === true || semantics === undefined,
    stack: options.stack === true,
    near: options.near === true,
    sized: options.sized === true,
    bits: options.bits ?? 0,
    unit: options.unit ?? 'integer',
    reads: options.reads === true,
    string: options.string === true,
    prologue: options.prologue,
    text: options,
  };
  return plus ? Array.from({ length: 8 }, (_, i) => ({ ...row, opcode: row.opcode + i })) : [row];
};

/**
 * A row with emitted semantics. `encoding`: prefix (NP, P66, PF2, PF3), size limit (o16, o32), hex bytes, "/r", "/digit", "+r" or
 * "=XX" (fixed ModRM byte). `operands`: SDM operand codes separated by blanks, destination first.
 */
export const row = (
  mnemonic: string,
  encoding: string,
  operands: string,
  semantics: Semantics,
  options: RowOptions = {},
): Row[] => make(mnemonic, encoding, operands, semantics, undefined, options);

/** A row whose semantics is a TypeScript helper. */
export const hard = (
  mnemonic: string,
  encoding: string,
  operands: string,
  helper: Helper,
  options: RowOptions = {},
): Row[] => make(mnemonic, encoding, operands, undefined, helper, options);

/** A row whose emitted semantics covers the ordinary cases (Emitter.orHelper) and whose helper covers all. */
export const guarded = (
  mnemonic: string,
  encoding: string,
  operands: string,
  semantics: Semantics,
  helper: Helper,
  options: RowOptions = {},
): Row[] => make(mnemonic, encoding, operands, semantics, helper, options);

/** `hard` and `guarded` for rows that have options in common: the unit, a prologue. */
export const rowsWith = (common: RowOptions): { readonly hard: typeof hard; readonly guarded: typeof guarded } => ({
  hard: (mnemonic, encoding, operands, helper, options) =>
    hard(mnemonic, encoding, operands, helper, { ...common, ...options }),
  guarded: (mnemonic, encoding, operands, semantics, helper, options) =>
    guarded(mnemonic, encoding, operands, semantics, helper, { ...common, ...options }),
});
