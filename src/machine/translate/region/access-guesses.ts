// Guesses which accesses the next instructions make near a given one, so that one TLB lookup can serve them all (region-memory.ts). Only guesses:
// what is wrong here makes code slower, and nothing else depends on it. The semantics are the rows' (isa/).

import { EBP, ESP } from '../../cpu/state.ts';
import { isFlat } from '../operand-access.ts';
import type { Instruction } from './instruction.ts';
import { NO_SYMBOL } from './region-values.ts';

/** Instructions that are looked at. */
export const FAR = 40;
const NOT_WRITTEN: ReadonlySet<string> = new Set(['cmp', 'test', 'push', 'bt', 'jmp', 'call', 'mul', 'div', 'idiv']);

/** Symbols of sums and multiples, as the values that are known have them (region-values.ts). */
export interface SymbolNames {
  sum(a: number, b: number): number;
  multiple(symbol: number, shift: number): number;
}

/** A symbol, and an offset from its value (region-values.ts). */
export interface Place {
  readonly symbol: number;
  readonly offset: number;
}

/** Bytes [low, high) from a symbol's value that one lookup shall serve; it grows with the accesses that are guessed. */
export class AccessRange {
  /** Accesses inside, the present one among them. */
  served = 0;

  constructor(
    readonly symbol: number,
    public low: number,
    public high: number,
    public write: boolean,
    /** Bytes that it may have at most. */
    private readonly widest: number,
  ) {}

  /** False: it would become too wide. */
  take(offset: number, bytes: number, write: boolean): boolean {
    const low = Math.min(this.low, offset);
    const high = Math.max(this.high, offset + bytes);
    if (high - low > this.widest) return false;
    this.low = low;
    this.high = high;
    this.write ||= write;
    this.served++;
    return true;
  }
}

/**
 * Follows what registers hold over instructions: a symbol and an offset from it each. It runs for each access of a region over the next FAR instructions,
 * so it makes no objects.
 */
class Guesser {
  /** Of the eight general registers. */
  readonly symbols = new Int32Array(8);
  readonly offsets = new Int32Array(8);
  /** Place of the operand last looked at. */
  private symbol = NO_SYMBOL;
  private offset = 0;
  private mode = 0;
  private range!: AccessRange;
  private names!: SymbolNames;

  follow(
    instructions: readonly Instruction[],
    first: number,
    mode: number,
    range: AccessRange,
    names: SymbolNames,
  ): void {
    this.mode = mode;
    this.range = range;
    this.names = names;
    const end = Math.min(instructions.length, first + FAR);
    for (let at = first; at < end; at++) this.instruction(instructions[at]!);
  }

  private moved(register: number, by: number): void {
    this.offsets[register] = this.offsets[register]! + by;
  }
  private stack(below: number, write: boolean): void {
    if (this.symbols[ESP] === this.range.symbol) this.range.take((this.offsets[ESP]! - below) | 0, 4, write);
  }
  /** Finds the place of an instruction's memory operand. */
  private operand(i: Instruction): void {
    this.symbol = NO_SYMBOL;
    this.offset = i.displacement | 0;
    const based = i.base < 8;
    if (i.addressSize === 16 || (based && this.symbols[i.base] === NO_SYMBOL)) return;
    if (based) this.offset = (this.offset + this.offsets[i.base]!) | 0;
    if (i.index >= 8) {
      if (based) this.symbol = this.symbols[i.base]!;
      return;
    }
    const index = this.symbols[i.index]!;
    if (index === NO_SYMBOL) return;
    const multiple = i.scale === 0 ? index : this.names.multiple(index, i.scale);
    this.offset = (this.offset + (this.offsets[i.index]! << i.scale)) | 0;
    this.symbol = based ? this.names.sum(this.symbols[i.base]!, multiple) : multiple;
  }
  private access(i: Instruction): void {
    if (i.access === 0 || !isFlat(this.mode, i.segment)) return;
    this.operand(i);
    if (this.symbol === this.range.symbol) this.range.take(this.offset, i.access & 255, (i.access & 256) !== 0);
  }
  /** The register that is written first of all, and what it gets. */
  private result(i: Instruction): void {
    const { row } = i;
    const spec = row.operands[0];
    if (spec === undefined || NOT_WRITTEN.has(row.mnemonic)) return;
    const inRegister = spec.kind === 'E' && !i.memory;
    const register = spec.kind === 'G' ? i.reg : inRegister ? i.rm : spec.kind === 'Z' ? row.opcode & 7 : spec.register;
    if (register === undefined || (spec.kind === 'E' && i.memory)) return;
    const size = spec.bits > 0 ? spec.bits : i.operandSize;
    if (size !== 32) {
      this.symbols[size === 8 ? register & 3 : register] = NO_SYMBOL;
      return;
    }
    const source = row.operands[1];
    const constant = source?.kind === 'I' || source?.kind === 'Is';
    if (row.mnemonic === 'add' && constant) this.moved(register, i.immediate);
    else if (row.mnemonic === 'sub' && constant) this.moved(register, -i.immediate);
    else if (row.mnemonic === 'inc') this.moved(register, 1);
    else if (row.mnemonic === 'dec') this.moved(register, -1);
    else if (row.mnemonic === 'lea') {
      this.operand(i);
      this.symbols[register] = this.symbol;
      this.offsets[register] = this.offset;
    } else if (row.mnemonic === 'mov' && (source?.kind === 'G' || source?.kind === 'E') && !i.memory) {
      const from = source.kind === 'G' ? i.reg : i.rm;
      this.symbols[register] = this.symbols[from]!;
      this.offsets[register] = this.offsets[from]!;
    } else this.symbols[register] = NO_SYMBOL;
  }
  private instruction(i: Instruction): void {
    this.access(i);
    switch (i.row.mnemonic) {
      case 'push':
      case 'pushf':
      case 'call':
        this.stack(4, true);
        this.moved(ESP, -4);
        break;
      case 'pop':
        this.stack(0, false);
        this.moved(ESP, 4);
        this.result(i);
        break;
      case 'popf':
      case 'ret':
        this.stack(0, false);
        this.moved(ESP, 4);
        break;
      case 'pusha':
        for (let below = 4; below <= 32; below += 4) this.stack(below, true);
        this.moved(ESP, -32);
        break;
      case 'popa':
        for (let above = 0; above < 32; above += 4) this.stack(-above, false);
        this.symbols.fill(NO_SYMBOL, 0, ESP);
        this.symbols.fill(NO_SYMBOL, ESP + 1);
        this.moved(ESP, 32);
        break;
      case 'enter':
        this.stack(4, true);
        this.symbols[EBP] = this.symbols[ESP]!;
        this.offsets[EBP] = this.offsets[ESP]! - 4;
        this.moved(ESP, -4 - (i.immediate & 0xffff));
        this.stack(0, true);
        break;
      case 'leave':
        this.symbols[ESP] = this.symbols[EBP]!;
        this.offsets[ESP] = this.offsets[EBP]!;
        this.stack(0, false);
        this.symbols[EBP] = NO_SYMBOL;
        this.moved(ESP, 4);
        break;
      default:
        this.result(i);
    }
  }
}

/** One for all: it holds nothing between two questions. */
const guesser = new Guesser();

/**
 * Widens a range by the accesses that instructions from the `first` on seem to make.
 *
 * @param place what is known of a register before the first instruction
 */
export const widenByAccesses = (
  range: AccessRange,
  instructions: readonly Instruction[],
  first: number,
  mode: number,
  place: (register: number) => Place,
  names: SymbolNames,
): void => {
  for (let register = 0; register < 8; register++) {
    const { symbol, offset } = place(register);
    guesser.symbols[register] = symbol;
    guesser.offsets[register] = offset;
  }
  guesser.follow(instructions, first, mode, range, names);
};
