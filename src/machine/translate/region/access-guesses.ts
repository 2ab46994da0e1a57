// Guesses which accesses the next instructions make, and at which distances from each other, so that one TLB lookup can serve them
// (region-memory.ts). Only guesses: what is wrong here makes code slower, and nothing else depends on it. The semantics are the rows' (isa/).

import { ESP } from '../../cpu/state.ts';
import { accessOf, isFlat, isAddressOnly, namesMemory } from '../operand-access.ts';
import type { Instruction } from './instruction.ts';

/** An access to `bytes` at a symbol's value (region-values.ts) plus `offset`. */
export interface AccessGuess {
  readonly symbol: number;
  readonly offset: number;
  readonly bytes: number;
  readonly write: boolean;
}

interface Place {
  readonly symbol: number;
  readonly offset: number;
}

/** Symbols of sums and multiples, as the values that are known have them. */
export interface SymbolNames {
  sum(a: number, b: number): number;
  multiple(symbol: number, shift: number): number;
}

/** Instructions that are looked at. */
export const FAR = 40;
const NOT_WRITTEN: ReadonlySet<string> = new Set(['cmp', 'test', 'push', 'bt', 'jmp', 'call', 'mul', 'div', 'idiv']);

class Guesser {
  readonly guesses: AccessGuess[] = [];

  constructor(
    private readonly registers: (Place | undefined)[],
    private readonly mode: number,
    private readonly names: SymbolNames,
  ) {}

  private moved(register: number, by: number): void {
    const place = this.registers[register];
    if (place !== undefined) this.registers[register] = { symbol: place.symbol, offset: (place.offset + by) | 0 };
  }
  private stack(below: number, write: boolean): void {
    const top = this.registers[ESP];
    if (top !== undefined) this.guesses.push({ symbol: top.symbol, offset: (top.offset - below) | 0, bytes: 4, write });
  }
  /** Place of an instruction's memory operand. */
  private operand(i: Instruction): Place | undefined {
    const base = i.base < 8 ? this.registers[i.base] : undefined;
    if (i.addressSize === 16 || (i.base < 8 && base === undefined)) return undefined;
    if (i.index >= 8) return base && { symbol: base.symbol, offset: (base.offset + i.displacement) | 0 };
    const index = this.registers[i.index];
    if (index === undefined) return undefined;
    const symbol = i.scale === 0 ? index.symbol : this.names.multiple(index.symbol, i.scale);
    const offset = (index.offset << i.scale) + i.displacement;
    return base === undefined
      ? { symbol, offset: offset | 0 }
      : { symbol: this.names.sum(base.symbol, symbol), offset: (base.offset + offset) | 0 };
  }
  private access(i: Instruction): void {
    if (!i.memory || !namesMemory(i.row) || isAddressOnly(i.row) || !isFlat(this.mode, i.segment)) return;
    const place = this.operand(i);
    if (place === undefined) return;
    const access = accessOf(i.row, i.operandSize);
    this.guesses.push({ ...place, bytes: access & 255, write: (access & 256) !== 0 });
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
      this.registers[size === 8 ? register & 3 : register] = undefined;
      return;
    }
    const source = row.operands[1];
    const constant = source?.kind === 'I' || source?.kind === 'Is';
    if (row.mnemonic === 'add' && constant) this.moved(register, i.immediate);
    else if (row.mnemonic === 'sub' && constant) this.moved(register, -i.immediate);
    else if (row.mnemonic === 'inc') this.moved(register, 1);
    else if (row.mnemonic === 'dec') this.moved(register, -1);
    else if (row.mnemonic === 'lea') this.registers[register] = this.operand(i);
    else if (row.mnemonic === 'mov' && (source?.kind === 'G' || source?.kind === 'E') && !i.memory)
      this.registers[register] = this.registers[source.kind === 'G' ? i.reg : i.rm];
    else this.registers[register] = undefined;
  }
  instruction(i: Instruction): void {
    this.access(i);
    switch (i.row.mnemonic) {
      case 'push':
      case 'call':
        this.stack(4, true);
        this.moved(ESP, -4);
        break;
      case 'pop':
        this.stack(0, false);
        this.moved(ESP, 4);
        this.result(i);
        break;
      case 'ret':
        this.stack(0, false);
        this.moved(ESP, 4);
        break;
      default:
        this.result(i);
    }
  }
}

/** @param registers what is known of the eight registers before the first instruction */
export const guessAccesses = (
  instructions: readonly Instruction[],
  first: number,
  mode: number,
  registers: (Place | undefined)[],
  names: SymbolNames,
): readonly AccessGuess[] => {
  const guesser = new Guesser(registers, mode, names);
  const end = Math.min(instructions.length, first + FAR);
  for (let at = first; at < end; at++) guesser.instruction(instructions[at]!);
  return guesser.guesses;
};
