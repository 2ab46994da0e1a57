// The general registers in the region tier: locals that are loaded where they are used and stored where they are written. What writes AL, AH or AX goes to
// a local of its own and joins the whole register only where somebody wants that: older code and byte-wise code would else wait for one mask and shift
// after the other. Not which register an operand names (region-emitter.ts). SDM vol. 1, 3.4.1.1.

import { type Size, type Val } from '../../isa/emitter.ts';
import { type Code, I32, type Local } from '../../wasm/code.ts';
import type { Place } from './access-guesses.ts';
import { RegionFlags } from './region-flags.ts';
import type { LoopRange } from './kept-registers.ts';
import type { Remembered } from './region-memory.ts';
import { NO_SYMBOL } from './region-values.ts';

/** Parts of a register that can be in locals: bits 7:0, 15:8 and 15:0. Those that are agree with each other. */
const LOW = 1;
const HIGH = 2;
const WORD = 4;
const PARTS = [LOW, HIGH, WORD] as const;
/** Bits of a part in a set of parts of all registers. */
const PART_BITS = 3;
/** One bit for each general register. */
export const ALL_REGISTERS = 0xff;

/** `present`: the parts that are in their locals. `ahead`: LOW and HIGH where the local of the whole register does not have those bits yet. */
interface Parts {
  readonly present: number;
  readonly ahead: number;
}

export abstract class RegionRegisters extends RegionFlags {
  /** Locals of the eight general registers. */
  readonly registers: readonly Local[];
  used = 0;
  written = 0;
  private readonly parts = new Map<number, Local>();
  private present = 0;
  private ahead = 0;

  constructor(code: Code, auxiliaryFunction: number) {
    super(code, auxiliaryFunction);
    this.registers = Array.from({ length: 8 }, () => code.local(I32));
  }

  override remember(): Remembered & Parts {
    return { ...super.remember(), present: this.present, ahead: this.ahead };
  }
  override recall(remembered: Remembered & Parts): void {
    super.recall(remembered);
    this.present = remembered.present;
    this.ahead = remembered.ahead;
  }
  /** What follows is reached from elsewhere too, but these registers (one bit each) have there what they have here. */
  keepOnly(kept: number): void {
    // A whole register that its bytes are ahead of is joined on the way.
    const locals = this.registers.filter((_, number) => kept & (1 << number) && this.aheadOf(number) === 0);
    this.forgetBut(locals);
    this.present = 0;
    this.ahead = 0;
  }
  /** Anchors for what a loop accesses through registers that it does not write. What it returns comes at the loop's start. */
  loopAnchors(ranges: readonly LoopRange[]): () => void {
    const refreshes = ranges.map(({ register, range: { low, high, write } }) => {
      const { symbol, offset } = this.registerPlace(register);
      // A constant has no symbol, and its accesses need no anchor.
      if (symbol === NO_SYMBOL) return () => undefined;
      const anchor = this.loopAnchor(symbol, offset + low, offset + high, write);
      return () => this.refresh(anchor, (at) => this.add(this.reg(register, 32), this.const(at - offset)));
    });
    return () => refreshes.forEach((refresh) => refresh());
  }
  /** What is known of a whole register; it has a symbol or is a constant. */
  protected readonly registerPlace = (register: number): Place => {
    const local = this.registers[register]!;
    if (!this.has(local)) this.assign(local, undefined);
    return this.knownOf(local);
  };
  protected registerWith(symbol: number, offset: number): Local | undefined {
    return this.registers.find((local) => {
      const known = this.knownOf(local);
      return known.symbol === symbol && known.offset === offset;
    });
  }

  // ---- parts --------------------------------------------------------------------------------------------------------

  private partBits(number: number, parts: number): number {
    return parts << (number * PART_BITS);
  }
  private isPresent(number: number, part: number): boolean {
    return (this.present & this.partBits(number, part)) !== 0;
  }
  private aheadOf(number: number): number {
    return (this.ahead >> (number * PART_BITS)) & (LOW | HIGH);
  }
  private partLocal(number: number, part: number): Local {
    const key = this.partBits(number, part);
    let local = this.parts.get(key);
    if (local === undefined) {
      local = this.code.local(I32);
      this.parts.set(key, local);
    }
    return local;
  }
  /** A part gets the value on the stack. */
  private setPart(number: number, part: number, value: Val): void {
    const local = this.partLocal(number, part);
    super.set(local, value);
    if (!this.inArm) this.atMost(local, part === WORD ? 0xffff : 0xff);
  }
  private place(number: number, part: number): void {
    this.present |= this.partBits(number, part);
  }
  private lowByte(number: number): Val {
    if (this.isPresent(number, LOW)) return this.get(this.partLocal(number, LOW));
    return this.and(this.wordOrWhole(number), this.const(0xff));
  }
  private highByte(number: number): Val {
    if (this.isPresent(number, HIGH)) return this.get(this.partLocal(number, HIGH));
    const word = this.isPresent(number, WORD);
    const shifted = this.shrU(this.wordOrWhole(number), this.const(8));
    return word ? shifted : this.and(shifted, this.const(0xff));
  }
  /** A local with bits 15:0; of the whole register's those that are not ahead of it. */
  private wordOrWhole(number: number): Val {
    return this.get(this.isPresent(number, WORD) ? this.partLocal(number, WORD) : this.registers[number]!);
  }
  /** The whole register's bits in the mask, with the bytes that are ahead of it. */
  private joined(number: number, mask: number): Val {
    const ahead = this.aheadOf(number);
    const old = (taken: number): Val => this.and(this.get(this.registers[number]!), this.const(mask & ~taken));
    if (this.isPresent(number, WORD)) {
      const word = this.partLocal(number, WORD);
      return (mask & ~0xffff) === 0 ? this.get(word) : this.or(old(0xffff), this.get(word));
    }
    const low = (): Val => this.get(this.partLocal(number, LOW));
    const high = (): Val => this.shl(this.get(this.partLocal(number, HIGH)), this.const(8));
    if (ahead === LOW) return this.or(old(0xff), low());
    if (ahead === HIGH) return this.or(old(0xff00), high());
    if ((mask & ~0xffff) === 0) return this.or(high(), low());
    return this.or(this.or(old(0xffff), high()), low());
  }

  // ---- whole registers ----------------------------------------------------------------------------------------------

  private whole(number: number): Val {
    const local = this.registers[number]!;
    if (this.aheadOf(number) !== 0) {
      const whole = this.joined(number, -1);
      if (this.inArm) return whole;
      super.set(local, whole);
      this.ahead &= ~this.partBits(number, LOW | HIGH);
      this.assign(local, undefined);
    } else if (!this.has(local)) this.assign(local, undefined);
    return this.get(local);
  }
  /** The whole registers have all, for who looks at them now; what follows here goes on with the parts. */
  joinRegisters(): void {
    for (let number = 0; number < 8; number++)
      if (this.aheadOf(number) !== 0) super.set(this.registers[number]!, this.joined(number, -1));
  }

  // ---- what descriptions see ----------------------------------------------------------------------------------------

  reg(index: number, size: Size): Val {
    const number = size === 8 ? index & 3 : index;
    this.used |= 1 << number;
    if (size === 32) return this.whole(number);
    if (size === 8) return index < 4 ? this.lowByte(number) : this.highByte(number);
    if (this.isPresent(number, WORD)) return this.get(this.partLocal(number, WORD));
    if (this.aheadOf(number) === 0) return this.and(this.get(this.registers[number]!), this.const(0xffff));
    const word = this.joined(number, 0xffff);
    if (this.inArm) return word;
    this.setPart(number, WORD, word);
    this.place(number, WORD);
    return this.get(this.partLocal(number, WORD));
  }
  setReg(index: number, size: Size, value: Local): void {
    const number = size === 8 ? index & 3 : index;
    this.used |= 1 << number;
    this.written |= 1 << number;
    if (this.inArm) this.setInArm(index, number, size, value);
    else if (size === 32) {
      const local = this.registers[number]!;
      super.set(local, this.get(value));
      this.assign(local, value);
      this.present &= ~this.partBits(number, LOW | HIGH | WORD);
      this.ahead &= ~this.partBits(number, LOW | HIGH);
    } else this.setAhead(number, size === 16 ? WORD : index < 4 ? LOW : HIGH, value);
  }
  private setAhead(number: number, part: number, value: Local): void {
    const other = LOW | HIGH;
    const ahead = part === WORD ? other : part;
    if (part === WORD) this.present &= ~this.partBits(number, other);
    else {
      // Of a word the other byte stays, where the whole register does not have it.
      const rest = other & ~part;
      if (this.isPresent(number, WORD) && !this.isPresent(number, rest) && (this.aheadOf(number) & rest) !== 0) {
        this.setPart(number, rest, rest === LOW ? this.lowByte(number) : this.highByte(number));
        this.place(number, rest);
      }
      this.present &= ~this.partBits(number, WORD);
    }
    const most = part === WORD ? 0xffff : 0xff;
    const fits = this.knownOf(value).max <= most;
    this.setPart(number, part, fits ? this.get(value) : this.and(this.get(value), this.const(most)));
    this.place(number, part);
    this.ahead |= this.partBits(number, ahead);
    this.forgetLocals([this.registers[number]!]);
  }
  /** An arm of a branch leaves whole and parts as the other arm expects them: the same parts present, all of them right. */
  private setInArm(index: number, number: number, size: Size, value: Local): void {
    const local = this.registers[number]!;
    if (size === 32) this.set(local, this.get(value));
    else {
      const shift = size === 8 && index >= 4 ? 8 : 0;
      const mask = size === 16 ? 0xffff : 0xff;
      const rest = this.and(this.whole(number), this.const(~(mask << shift)));
      this.set(local, this.or(rest, this.shl(this.and(this.get(value), this.const(mask)), this.const(shift))));
    }
    for (const part of PARTS) {
      if (!this.isPresent(number, part)) continue;
      const bits = this.shrU(this.get(local), this.const(part === HIGH ? 8 : 0));
      this.setPart(number, part, this.and(bits, this.const(part === WORD ? 0xffff : 0xff)));
    }
  }
}
