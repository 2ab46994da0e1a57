// The operands of a decoded instruction as text: registers, memory, immediates, in both syntaxes. Not names and prefixes (names.ts,
// disassembler.ts), and not how operands are found (row.ts, decode.ts). SDM vol. 2, 3.1.1.3 (instruction column).
//
// What `shows` of a row can name besides the operand codes of row.ts:
//   ST           the top of the x87 stack
//   SIb DIv ...  memory at DS:rSI and ES:rDI
//   Rv/Mw        a register of the first size, or memory of the second
//   [...]        shown unless ST(i) is ST(1)

import { CS, DS, ES, FS, GS, SS } from '../../cpu/state.ts';
import { type Decoder, NONE } from '../decode.ts';
import { type OperandKind, type OperandSpec, parseOperand, type Row } from '../row.ts';
import type { Syntax } from './names.ts';

/** As OperandSpec, with the kinds that are only shown. */
export interface ShownOperand {
  readonly kind: OperandKind | 'ST' | 'SI' | 'DI' | 'register or memory';
  readonly bits: number;
  readonly code: string;
  readonly register?: number;
  readonly memoryBits?: number;
}

const parseShown = (code: string): ShownOperand => {
  if (code === 'ST') return { kind: 'ST', bits: 80, code };
  const string = /^(SI|DI)([bv])$/.exec(code);
  if (string !== null) return { kind: string[1] as 'SI' | 'DI', bits: string[2] === 'b' ? 8 : 0, code };
  const [register, memory] = code.split('/');
  if (memory === undefined) return parseOperand(code);
  const bits = parseOperand(register!).bits;
  return { kind: 'register or memory', bits, memoryBits: parseOperand(memory).bits, code };
};

export interface Shown {
  readonly operands: readonly ShownOperand[];
  readonly hiddenForSt1: boolean;
}
export const shownOperands = (row: Row): Shown => {
  const { shows } = row.text;
  if (shows === undefined) return { operands: row.operands.filter((o) => o.kind !== 'Y'), hiddenForSt1: false };
  const codes = shows.replace(/[[\]]/g, '');
  return { operands: codes === '' ? [] : codes.split(' ').map(parseShown), hiddenForSt1: shows.startsWith('[') };
};

/** A memory operand of an instruction, as the instruction names it. */
export interface MemoryOperand {
  /** Segment register by number (cpu/state.ts). */
  readonly segment: number;
  /** General registers by number; undefined: none. */
  readonly base: number | undefined;
  readonly index: number | undefined;
  readonly scale: 1 | 2 | 4 | 8;
  /** Signed if there is a base or an index, an unsigned offset otherwise. */
  readonly displacement: number;
  readonly addressSize: 16 | 32;
  /** Bits accessed; 0 if the instruction has no one size. */
  readonly bits: number;
}

const R8 = ['al', 'cl', 'dl', 'bl', 'ah', 'ch', 'dh', 'bh'] as const;
const R16 = ['ax', 'cx', 'dx', 'bx', 'sp', 'bp', 'si', 'di'] as const;
const SEGMENTS: Readonly<Record<number, string>> = {
  [ES]: 'es',
  [CS]: 'cs',
  [SS]: 'ss',
  [DS]: 'ds',
  [FS]: 'fs',
  [GS]: 'gs',
};
export const segmentName = (segment: number): string => SEGMENTS[segment]!;
const generalRegister = (number: number, bits: number): string =>
  bits === 8 ? R8[number]! : bits === 16 ? R16[number]! : `e${R16[number]!}`;
const POINTERS: Readonly<Record<number, string>> = {
  8: 'byte ptr ',
  16: 'word ptr ',
  32: 'dword ptr ',
  48: 'fword ptr ',
  64: 'qword ptr ',
  80: 'tbyte ptr ',
  128: 'xmmword ptr ',
};
const BX = 3;
const SI = 6;
const DI = 7;

const hex = (value: number): string => `0x${(value >>> 0).toString(16)}`;
const signed = (value: number): string => (value < 0 ? `-${hex(-value)}` : hex(value));
const truncate = (value: number, bits: number): number => (bits === 32 ? value >>> 0 : value & ((1 << bits) - 1));
const address = (value: number, bits: 16 | 32): string =>
  `0x${truncate(value, bits)
    .toString(16)
    .padStart(bits / 4, '0')}`;

/** Writes the operands of the instruction that `decoder` holds. */
export class OperandWriter {
  constructor(
    private readonly d: Decoder,
    private readonly syntax: Syntax,
    /** Address of the next instruction. */
    private readonly next: number,
    private readonly symbolize: ((address: number) => string | undefined) | undefined,
  ) {}

  write(operand: ShownOperand): string {
    const { d } = this;
    const bits = operand.bits > 0 ? operand.bits : d.operandSize;
    switch (operand.kind) {
      case 'E':
      case 'M':
      case 'H':
      case 'O':
      case 'X':
      case 'SI':
      case 'DI':
        return this.inMemory(operand) ? this.memoryText(operand) : this.register(generalRegister(d.rm, bits));
      case 'register or memory':
        return d.memory ? this.memoryText(operand) : this.register(generalRegister(d.rm, bits));
      case 'W':
        return d.memory ? this.memoryText(operand) : this.register(`xmm${d.rm}`);
      case 'Q':
        return d.memory ? this.memoryText(operand) : this.register(`mm${d.rm}`);
      case 'U':
        return this.register(`xmm${d.rm}`);
      case 'N':
        return this.register(`mm${d.rm}`);
      case 'V':
        return this.register(`xmm${d.reg}`);
      case 'P':
        return this.register(`mm${d.reg}`);
      case 'R':
        return this.register(operand.code === 'R' ? `st(${d.rm})` : generalRegister(d.rm, bits));
      case 'ST':
        return this.register('st');
      case 'G':
        return this.register(generalRegister(d.reg, bits));
      case 'Z':
        return this.register(generalRegister(d.row.opcode & 7, bits));
      case 'S':
        return this.register(segmentName(d.reg));
      case 'C':
        return this.register(`cr${d.reg}`);
      case 'D':
        return this.register(`dr${d.reg}`);
      case 'fixed':
        return this.register(
          operand.code === 'rAX' ? generalRegister(operand.register!, bits) : operand.code.toLowerCase(),
        );
      case 'one':
        return this.immediate(1, 8);
      case 'I':
        return this.immediate(this.immediateOf(operand), bits);
      case 'Is':
        return this.immediate(this.immediateOf(operand), d.operandSize);
      case 'J':
        return this.code(this.target());
      case 'A':
        return this.syntax === 'intel'
          ? `${address(d.immediate2, 16)}:${address(d.immediate, d.operandSize)}`
          : `$${address(d.immediate2, 16)}, $${address(d.immediate, d.operandSize)}`;
      case 'Y':
        return '';
    }
  }
  /** Where a relative jump goes. */
  target(): number {
    return truncate(this.next + this.d.immediate, this.d.operandSize);
  }
  /** The operand is memory in this instruction. */
  inMemory({ kind }: ShownOperand): boolean {
    switch (kind) {
      case 'E':
      case 'W':
      case 'Q':
      case 'register or memory':
        return this.d.memory;
      case 'M':
      case 'H':
      case 'O':
      case 'X':
      case 'SI':
      case 'DI':
        return true;
      default:
        return false;
    }
  }
  memory(operand: ShownOperand): MemoryOperand {
    const { d } = this;
    const implied = operand.kind === 'SI' ? SI : operand.kind === 'DI' ? DI : operand.kind === 'X' ? BX : undefined;
    const base = implied ?? (d.base === NONE ? undefined : d.base);
    const index = implied !== undefined || d.index === NONE ? undefined : d.index;
    const displacement = implied === undefined ? d.displacement : 0;
    return {
      segment: operand.kind === 'DI' ? ES : d.segment,
      base,
      index,
      scale: (1 << d.scale) as 1 | 2 | 4 | 8,
      displacement:
        base === undefined && index === undefined ? truncate(displacement, d.addressSize) : displacement | 0,
      addressSize: d.addressSize,
      bits: this.memoryBits(operand),
    };
  }
  private memoryBits(operand: ShownOperand): number {
    const size = this.d.operandSize;
    if (operand.memoryBits !== undefined) return operand.memoryBits;
    if (operand.bits > 0) return operand.bits;
    switch (operand.code) {
      case 'Ms':
        return 48;
      case 'Mp':
        return size + 16;
      case 'Ma':
        return 2 * size;
      case 'M':
        return 0;
      default:
        return size;
    }
  }

  private immediateOf(operand: ShownOperand): number {
    const immediates = this.d.row.operands.filter((o: OperandSpec) => o.kind === 'I' || o.kind === 'Is');
    return immediates.findIndex((o) => o.code === operand.code) === 0 ? this.d.immediate : this.d.immediate2;
  }
  private immediate(value: number, bits: number): string {
    return (this.syntax === 'att' ? '$' : '') + hex(truncate(value, bits));
  }
  private register(name: string): string {
    return this.syntax === 'att' ? `%${name}` : name;
  }
  private code(target: number): string {
    return address(target, this.d.operandSize) + this.symbol(target);
  }
  private symbol(at: number): string {
    const symbol = this.symbolize?.(at);
    return symbol === undefined ? '' : ` <${symbol}>`;
  }

  private memoryText(operand: ShownOperand): string {
    const { d, syntax } = this;
    const m = this.memory(operand);
    // ES:rDI cannot be overridden; it is spelled out where its neighbour is.
    const segment = d.override < 0 ? '' : `${this.register(segmentName(m.segment))}:`;
    const base = m.base === undefined ? '' : this.register(generalRegister(m.base, m.addressSize));
    const index = m.index === undefined ? '' : this.register(generalRegister(m.index, m.addressSize));
    const absolute = base === '' && index === '';
    const symbol = absolute ? this.symbol(m.displacement) : '';
    if (syntax === 'intel') {
      // With a scale even if it is 1 where it stands alone, so that it isn't taken for a base.
      const scaled = index === '' || (m.scale === 1 && base !== '') ? index : `${index}*${m.scale}`;
      const registers = base !== '' && scaled !== '' ? `${base}+${scaled}` : base + scaled;
      const offset = absolute
        ? hex(m.displacement)
        : m.displacement === 0
          ? ''
          : (m.displacement < 0 ? '' : '+') + signed(m.displacement);
      return `${POINTERS[m.bits] ?? ''}${segment}[${registers}${offset}]${symbol}`;
    }
    if (absolute) return segment + hex(m.displacement) + symbol;
    const offset = m.displacement === 0 ? '' : signed(m.displacement);
    const scaled = index === '' ? '' : m.scale === 1 && base !== '' ? `,${index}` : `,${index},${m.scale}`;
    return `${segment}${offset}(${base}${scaled})`;
  }
}
