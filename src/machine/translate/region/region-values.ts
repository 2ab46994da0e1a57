// What the region tier knows about values while it emits them: constants, ranges, and which values differ by a constant only. From this come
// accesses that need no TLB lookup of their own (region-memory.ts) and branches that are decided at once. Nothing here computes: a value about
// which nothing is known is emitted the same way. Not the values' code (isa/value-emitter.ts).

import { type Val, VAL } from '../../isa/value-emitter.ts';
import { I32, type Local, type ValueType } from '../../wasm/code.ts';
import { TranslationEmitter } from '../translation-emitter.ts';

const TWO_32 = 0x1_0000_0000;
export const NO_SYMBOL = 0;

/** A value of 32 bits: between `min` and `max`, unsigned; equal to what `symbol` stands for plus `offset`, modulo 2^32 (symbol 0: not known). */
interface Known {
  readonly min: number;
  readonly max: number;
  readonly symbol: number;
  readonly offset: number;
}
const UNKNOWN: Known = { min: 0, max: TWO_32 - 1, symbol: NO_SYMBOL, offset: 0 };
const range = (min: number, max: number): Known => ({ min, max, symbol: NO_SYMBOL, offset: 0 });
/** Most constants are small, and many values bytes or words: one object each for all. */
const CONSTANTS: readonly Known[] = Array.from({ length: 256 }, (_, value) => range(value, value));
const BYTE = range(0, 0xff);
const WORD = range(0, 0xffff);
const between = (min: number, max: number): Known => {
  if (min === max && max < CONSTANTS.length) return CONSTANTS[max]!;
  if (min !== 0) return range(min, max);
  return max === 0xff ? BYTE : max === 0xffff ? WORD : max === UNKNOWN.max ? UNKNOWN : range(min, max);
};

/** What is known at a place in the code, by local. */
export type Knowledge = readonly (Known | undefined)[];

export abstract class RegionValues extends TranslationEmitter {
  /** Of locals that only `let` and `set` write. */
  private values: (Known | undefined)[] = [];
  /** Somebody keeps `values` for another place in the code: the next change makes a copy of it. */
  private lent = false;
  private symbols = 0;
  /** Symbols of sums and multiples of symbols. */
  private readonly composed = new Map<number, number>();
  /** Arms of branches inside an instruction that are open: what they write is not known behind them. */
  private arms = 0;

  private of(value: Val): Known {
    return value === VAL ? UNKNOWN : (value as unknown as Known);
  }
  private val(known: Known): Val {
    return known as unknown as Val;
  }
  /** A value like no other. */
  private fresh(known: Known): Known {
    return { min: known.min, max: known.max, symbol: ++this.symbols, offset: 0 };
  }
  private composedOf(key: number): number {
    let symbol = this.composed.get(key);
    if (symbol === undefined) {
      symbol = ++this.symbols;
      this.composed.set(key, symbol);
    }
    return symbol;
  }

  // ---- locals -------------------------------------------------------------------------------------------------------

  private note(local: Local, known: Known | undefined): void {
    if (this.lent) {
      this.values = this.values.slice();
      this.lent = false;
    }
    this.values[local] = known;
  }
  /** What is known of a local. */
  protected knownOf(local: Local): Known {
    return this.values[local] ?? UNKNOWN;
  }
  /** A local whose value was pushed and set elsewhere is at most `max`. */
  protected atMost(local: Local, max: number): void {
    this.note(local, between(0, max));
  }
  /** A local that keeps its value over instructions has got another: `value`, if that is known. */
  protected assign(local: Local, value: Local | undefined): void {
    let known = value === undefined || this.arms > 0 ? UNKNOWN : this.knownOf(value);
    if (known.symbol === NO_SYMBOL && known.min !== known.max) known = this.fresh(known);
    this.note(local, known);
  }
  /** Of the first `count` locals nothing is known any more. */
  protected forgetLocals(locals: readonly Local[], count = locals.length): void {
    for (let i = 0; i < count; i++) if (this.has(locals[i]!)) this.note(locals[i]!, undefined);
  }
  get knowledge(): Knowledge {
    this.lent = true;
    return this.values;
  }
  set knowledge(knowledge: Knowledge) {
    // It is copied before it is changed.
    this.values = knowledge as (Known | undefined)[];
    this.lent = true;
  }
  /** Of no local but these is anything known any more. */
  protected keepValues(locals: readonly Local[]): void {
    const { values } = this;
    this.values = [];
    this.lent = false;
    for (const local of locals) this.values[local] = values[local];
  }

  override get(local: Local): Val {
    super.get(local);
    const known = this.values[local];
    return known === undefined ? VAL : this.val(known);
  }
  override set(local: Local, value: Val): void {
    super.set(local, value);
    if (this.has(local)) this.note(local, this.arms > 0 ? undefined : this.of(value));
  }
  override let(value: Val, type: ValueType = I32): Local {
    const local = super.let(value, type);
    if (type === I32) this.note(local, this.of(value));
    return local;
  }

  // ---- operations ---------------------------------------------------------------------------------------------------

  override const(value: number): Val {
    super.const(value);
    const number = value >>> 0;
    return this.val(between(number, number));
  }
  override add(a: Val, b: Val): Val {
    super.add(a, b);
    return this.val(this.sum(this.of(a), this.of(b)));
  }
  private sum(a: Known, b: Known): Known {
    if (a.min === a.max && b.min !== b.max) return this.sum(b, a);
    let min = a.min + b.min;
    let max = a.max + b.max;
    if (min >= TWO_32) {
      min -= TWO_32;
      max -= TWO_32;
    }
    if (max >= TWO_32) {
      min = 0;
      max = TWO_32 - 1;
    }
    if (a.symbol === NO_SYMBOL) return between(min, max);
    if (b.min === b.max) return { min, max, symbol: a.symbol, offset: (a.offset + b.min) | 0 };
    if (b.symbol === NO_SYMBOL) return between(min, max);
    return { min, max, symbol: this.symbolNames.sum(a.symbol, b.symbol), offset: (a.offset + b.offset) | 0 };
  }
  override sub(a: Val, b: Val): Val {
    super.sub(a, b);
    const { min, max } = this.of(b);
    if (min !== max) return VAL;
    const negative = (TWO_32 - min) % TWO_32;
    return this.val(this.sum(this.of(a), between(negative, negative)));
  }
  override and(a: Val, b: Val): Val {
    super.and(a, b);
    const x = this.of(a);
    const y = this.of(b);
    if (x.min === x.max && y.min === y.max) {
      const both = (x.min & y.min) >>> 0;
      return this.val(between(both, both));
    }
    // A mask of low bits that takes nothing away.
    if (y.min === y.max && (y.min & (y.min + 1)) === 0 && x.max <= y.min) return a;
    return this.val(between(0, Math.min(x.max, y.max)));
  }
  override shl(a: Val, b: Val): Val {
    super.shl(a, b);
    const x = this.of(a);
    const { min, max } = this.of(b);
    if (min !== max || min > 31) return VAL;
    if (min === 0) return a;
    const factor = 2 ** min;
    const multiple = x.max * factor < TWO_32 ? between(x.min * factor, x.max * factor) : UNKNOWN;
    if (x.symbol === NO_SYMBOL) return this.val(multiple);
    const symbol = this.symbolNames.multiple(x.symbol, min);
    return this.val({ min: multiple.min, max: multiple.max, symbol, offset: x.offset << min });
  }
  override shrU(a: Val, b: Val): Val {
    super.shrU(a, b);
    const x = this.of(a);
    const { min, max } = this.of(b);
    return min === max && min < 32 ? this.val(between(x.min >>> min, x.max >>> min)) : VAL;
  }

  // ---- symbols, for guesses -----------------------------------------------------------------------------------------

  protected readonly symbolNames = {
    // One number for both: a region has far fewer than 2^21 symbols, and a shift is below 32.
    sum: (a: number, b: number): number => this.composedOf((a * 2 ** 21 + b) * 32),
    multiple: (symbol: number, shift: number): number => this.composedOf(symbol * 32 + shift),
  };

  // ---- branches -----------------------------------------------------------------------------------------------------

  /** Emits one arm alone if the condition is known; else what the arms write is not known. */
  protected decided(condition: Val, then: () => void, otherwise?: () => void): boolean {
    const { min, max } = this.of(condition);
    if (min !== max) return false;
    this.code.op(0x1a); // drop
    if (min !== 0) then();
    else otherwise?.();
    return true;
  }
  protected get inArm(): boolean {
    return this.arms > 0;
  }
  protected has(local: Local): boolean {
    return this.values[local] !== undefined;
  }
  /** An arm of a branch inside an instruction. */
  protected arm(emit: (() => void) | undefined): void {
    this.arms++;
    emit?.();
    this.arms--;
  }
}
