// The disassembler: bytes to text in Intel or AT&T syntax, from the instruction table and the decoder that the processor itself uses, so
// that the text cannot disagree with what is executed. Not a second opcode table. SDM vol. 2.
//
// Intel syntax follows the SDM and MASM: `mov eax, dword ptr [ebx+ecx*4+0x10]`, `rep movsd`, `fadd st, st(2)`. An operand size that no
// operand tells and that is not the code segment's shows in the name: `pushw 0x1`, `retd`. AT&T syntax follows the GNU assembler. Prefixes
// that change nothing are shown too (`es inc ecx`), operand-size and address-size prefixes only through what they change.

import { CS, DS } from '../../cpu/state.ts';
import { DecodeResult, Decoder, type OpcodeTable } from '../decode.ts';
import type { Row } from '../row.ts';
import { type Name, nameOf, PREDICATES, sizeLetter, type Syntax } from './names.ts';
import {
  type MemoryOperand,
  OperandWriter,
  segmentName,
  type Shown,
  type ShownOperand,
  shownOperands,
} from './operands.ts';

export interface CodeToDisassemble {
  /** The byte at position i of the instruction, or a negative number if it cannot be had. */
  readonly fetch: (i: number) => number;
  /** CS.D. */
  readonly code32: boolean;
  /** Offset of the instruction in its segment. */
  readonly eip: number;
  readonly syntax: Syntax;
  /** The name of an address, such as `start_kernel+0x10`: shown behind jump targets and addresses without a register. */
  readonly symbolize?: (address: number) => string | undefined;
}

export interface Disassembly {
  /** Bytes of the instruction; those that had to be looked at where there is none. */
  readonly length: number;
  /** Prefixes, mnemonic and operands; `(bad)` where there is no instruction. */
  readonly text: string;
  /** One of DecodeResult. */
  readonly result: number;
  readonly mnemonic: string;
  readonly operands: string;
  /** Where a relative jump or call goes. */
  readonly target: number | undefined;
  /** The memory operand, the first of two. */
  readonly memory: MemoryOperand | undefined;
}

const FAILURES: Readonly<Record<number, string>> = {
  [DecodeResult.undefined]: '(bad)',
  [DecodeResult.tooLong]: '(bad: longer than 15 bytes)',
  [DecodeResult.fetchFault]: '(bytes not readable)',
};

/** Branch hints by the segment prefix that they are (SDM vol. 2, 2.1.1): a word before the name, a suffix of the name. */
const HINTS: Readonly<Record<Syntax, Readonly<Record<number, string>>>> = {
  intel: { [CS]: 'hint-not-taken', [DS]: 'hint-taken' },
  att: { [CS]: ',pn', [DS]: ',pt' },
};

/** What a row's text is made of, parsed once. */
interface Prepared {
  readonly shown: Shown;
  readonly intel: Name;
  readonly att: Name;
}

export class Disassembler {
  private readonly decoder: Decoder;
  private readonly prepared = new Map<Row, Prepared>();

  constructor(table: OpcodeTable) {
    this.decoder = new Decoder(table);
  }

  disassemble(code: CodeToDisassemble): Disassembly {
    const d = this.decoder;
    const { syntax, code32 } = code;
    const result = d.decode(code.fetch, code32);
    if (result !== DecodeResult.ok) {
      const text = FAILURES[result]!;
      const length = result === DecodeResult.fetchFault ? d.length - 1 : d.length;
      return { length, text, result, mnemonic: text, operands: '', target: undefined, memory: undefined };
    }
    const prepared = this.prepare(d.row);
    const name = prepared[syntax];
    const writer = new OperandWriter(d, syntax, code.eip + d.length, code.symbolize);
    let shown = prepared.shown.hiddenForSt1 && d.rm === 1 ? [] : prepared.shown.operands;
    // CMPPS and its kin have names with the predicate in them for the eight immediates that have one (SDM vol. 2, CMPPS).
    const predicate = name.large.includes('#') ? (PREDICATES[d.immediate & 0xff] ?? '') : '';
    if (predicate !== '') shown = shown.filter((o) => o.kind !== 'I');
    // String instructions and XLAT have no operands in Intel syntax while addresses are the usual ones (SDM vol. 2, MOVS).
    const implied = shown.some((o) => o.kind === 'SI' || o.kind === 'DI' || o.kind === 'X');
    const long = implied && (this.overrides(shown) || d.addressSize !== (code32 ? 32 : 16));
    if (implied && !long && syntax === 'intel') shown = [];

    const memory = prepared.shown.operands.find((o) => writer.inMemory(o));
    const plain = long && syntax === 'intel' ? d.row.mnemonic : this.mnemonic(name, shown, writer, code, predicate);
    const hint = name.hinted ? (HINTS[syntax][d.override] ?? '') : '';
    const mnemonic = syntax === 'att' ? plain + hint : plain;
    const texts = shown.map((o) => writer.write(o));
    if (syntax === 'att' && !name.keepsOrder) texts.reverse();
    const operands = (name.indirect && syntax === 'att' ? '*' : '') + texts.join(', ');
    const prefixes = this.prefixes(name, prepared.shown.operands, writer, code);
    if (syntax === 'intel' && hint !== '') prefixes.unshift(hint);
    return {
      length: d.length,
      text: [...prefixes, mnemonic, operands].filter((part) => part !== '').join(' '),
      result,
      mnemonic,
      operands,
      target: d.row.operands[0]?.kind === 'J' ? writer.target() : undefined,
      memory: memory === undefined ? undefined : writer.memory(memory),
    };
  }

  private prepare(row: Row): Prepared {
    let prepared = this.prepared.get(row);
    if (prepared === undefined) {
      const shown = shownOperands(row);
      prepared = {
        shown,
        intel: nameOf(row, shown.operands, 'intel'),
        att: nameOf(row, shown.operands, 'att'),
      };
      this.prepared.set(row, prepared);
    }
    return prepared;
  }

  /** A segment override that the instruction's memory operand uses. */
  private overrides(shown: readonly ShownOperand[]): boolean {
    return this.decoder.override >= 0 && shown.some((o) => o.kind === 'SI' || o.kind === 'X');
  }

  private mnemonic(
    name: Name,
    shown: readonly ShownOperand[],
    writer: OperandWriter,
    { syntax, code32 }: CodeToDisassemble,
    predicate: string,
  ): string {
    const d = this.decoder;
    const size = name.byAddressSize ? d.addressSize : d.operandSize;
    const text = size === 16 ? name.small : name.large;
    if (!name.marked) return text;
    const told = shown.some((o) => o.kind === 'E' && !d.memory);
    return text.replace(/[~*#]/, (mark) => {
      if (mark === '#') return predicate;
      if (mark === '~') return size === (code32 ? 32 : 16) || told ? '' : sizeLetter(size, syntax, d.row.unit);
      const memory = shown.find((o) => writer.inMemory(o));
      return memory === undefined ? '' : sizeLetter(writer.memory(memory).bits, syntax, 'integer');
    });
  }

  private prefixes(
    name: Name,
    shown: readonly ShownOperand[],
    writer: OperandWriter,
    { syntax, code32 }: CodeToDisassemble,
  ): string[] {
    const d = this.decoder;
    const list: string[] = [];
    const usual = code32 ? 32 : 16;
    if (name.dataPrefix && d.operandSize !== usual) list.push(`data${d.operandSize}`);
    const addressed = name.addressPrefix || (syntax === 'att' && shown.some((o) => o.kind === 'O'));
    if (addressed && d.addressSize !== usual) list.push(`addr${d.addressSize}`);
    const uses = shown.some((o) => o.kind !== 'DI' && writer.inMemory(o));
    const hint = name.hinted && HINTS[syntax][d.override] !== undefined;
    if (d.override >= 0 && !uses && !hint) list.push(segmentName(d.override));
    if (d.lock) list.push('lock');
    if (d.rep !== 0 && d.row.prefix !== d.rep) {
      const compares = d.row.mnemonic === 'cmps' || d.row.mnemonic === 'scas';
      list.push(d.rep === 0xf2 ? 'repne' : compares ? 'repe' : 'rep');
    }
    return list;
  }
}
