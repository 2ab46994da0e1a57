// The flag half of the region tier's emission context: flags stay with their producer's operands until somebody reads them, and a
// condition is computed from those operands. Not memory or registers (region-frame.ts).

import { Condition, type Val, VAL } from '../../isa/emitter.ts';
import { type Code, I32, type Local } from '../../wasm/code.ts';
import {
  auxiliary,
  CANONICAL,
  DYNAMIC,
  type FlagLocals,
  keeping,
  keptOf,
  kindOf,
  owningCarry,
  ownsCarry,
  plainOf,
  Producer,
  producerOf,
  producersCarry,
  sizeOf,
} from './flag-kinds.ts';
import { RegionMemory } from './region-memory.ts';

export abstract class RegionFlags extends RegionMemory implements FlagLocals {
  readonly result: Local;
  readonly a: Local;
  readonly b: Local;
  readonly cf: Local;
  /** Local with the kind where it is DYNAMIC. */
  readonly kindLocal: Local;
  /** What the flag locals held before INC or DEC, for CF; their kind, if it is DYNAMIC, is in the last (flag-kinds.ts `keeping`). */
  private readonly kept: FlagLocals & { readonly kindLocal: Local };
  /** What the flag locals hold at the point of emission. */
  kind = DYNAMIC;

  constructor(
    code: Code,
    /** Function (kind, result, a, b, cf) -> auxiliary word. */
    private readonly auxiliaryFunction: number,
  ) {
    super(code);
    this.result = code.local(I32);
    this.a = code.local(I32);
    this.b = code.local(I32);
    this.cf = code.local(I32);
    this.kindLocal = code.local(I32);
    this.kept = {
      result: code.local(I32),
      a: code.local(I32),
      b: code.local(I32),
      cf: code.local(I32),
      kindLocal: code.local(I32),
    };
  }

  // ---- producers ----------------------------------------------------------------------------------------------------

  private copy(from: Local, to: Local): void {
    this.code.localGet(from);
    this.code.localSet(to);
  }
  private produce(producer: number, r: Local, a?: Local, b?: Local): void {
    const { size } = this;
    if (a !== undefined) this.copy(a, this.a);
    if (b !== undefined) this.copy(b, this.b);
    this.set(this.result, this.signed(this.get(r), size));
    this.kind = kindOf(producer, size);
  }
  /** CF is another from here on. */
  private ownCarry(cf: Local): void {
    this.copy(cf, this.cf);
    this.kind = owningCarry(this.kind);
  }
  override flagsAdd(a: Local, b: Local, r: Local): void {
    this.produce(Producer.add, r, a, b);
  }
  /** The carry needs no more than the operands and the carry before it: a chain of them is no longer than that of the sums. */
  override flagsAddCarry(a: Local, b: Local, carry: Local, r: Local): void {
    this.produce(Producer.adc, r, a, b);
    if (this.size === 32) {
      this.add64(this.add64(this.extendU64(this.get(a)), this.extendU64(this.get(b))), this.extendU64(this.get(carry)));
      this.set(this.cf, this.wrap(this.shrU64(VAL, this.const64(32n))));
    } else this.set(this.cf, this.shrU(this.get(r), this.const(this.size)));
    this.kind = owningCarry(this.kind);
  }
  override flagsSub(a: Local, b: Local, r: Local): void {
    this.produce(Producer.sub, r, a, b);
  }
  override flagsSubBorrow(a: Local, b: Local, borrow: Local, r: Local): void {
    this.produce(Producer.sbb, r, a, b);
    if (this.size === 32) {
      this.sub64(
        this.sub64(this.extendU64(this.get(a)), this.extendU64(this.get(b))),
        this.extendU64(this.get(borrow)),
      );
      this.set(this.cf, this.wrap(this.shrU64(VAL, this.const64(63n))));
    } else this.set(this.cf, this.shrU(this.get(r), this.const(31)));
    this.kind = owningCarry(this.kind);
  }
  override flagsLogic(r: Local): void {
    this.produce(Producer.logic, r);
  }
  override flagsIncrement(_a: Local, r: Local): void {
    this.keepCarry(Producer.inc, r);
  }
  override flagsDecrement(_a: Local, r: Local): void {
    this.keepCarry(Producer.dec, r);
  }
  override flagsResultCarryOverflow(r: Local, cf: Local, of: Local): void {
    this.produce(Producer.overflow, r, of);
    this.ownCarry(cf);
  }
  override flagsCarryOverflow(cf: Local, of: Local): void {
    const { kind } = this;
    const producer = kind === DYNAMIC ? -1 : producerOf(kind);
    if (producer === Producer.logic || producer === Producer.overflow) {
      this.copy(of, this.a);
      this.kind = kindOf(Producer.overflow, this.size);
    } else {
      const rest = this.and(this.auxiliaryOf(producersCarry(kind), this), this.const(0x3fffffff));
      this.set(this.a, this.or(rest, this.shl(this.get(of), this.const(30))));
      this.kind = CANONICAL;
    }
    this.ownCarry(cf);
  }
  override flagsCarry(cf: Local): void {
    if (this.kind === DYNAMIC) this.canonicalise();
    this.kind = plainOf(this.kind);
    this.ownCarry(cf);
  }
  private keepCarry(producer: number, r: Local): void {
    const earlier = keptOf(this.kind) ?? this.keep(this.kind);
    this.produce(producer, r);
    this.kind = owningCarry(this.kind);
    if (earlier !== undefined) this.kind = keeping(this.kind, earlier);
  }
  /** Keeps what CF is computed from, and tells its kind; undefined: `cf` has it. */
  private keep(kind: number): number | undefined {
    if (ownsCarry(kind)) return undefined;
    const dynamic = kind === DYNAMIC;
    const producer = dynamic ? -1 : producerOf(kind);
    if (producer === Producer.canonical || producer === Producer.logic) {
      this.set(this.cf, this.carry());
      return undefined;
    }
    for (const name of dynamic ? (['result', 'a', 'b', 'cf', 'kindLocal'] as const) : (['result', 'a', 'b'] as const))
      this.copy(this[name], this.kept[name]);
    return kind;
  }
  protected setLazy(result: Val | undefined, _aux: Val, cf?: Local): void {
    this.code.localSet(this.a);
    if (result !== undefined) this.code.localSet(this.result);
    this.kind = CANONICAL;
    if (cf !== undefined) this.ownCarry(cf);
  }

  // ---- readers ------------------------------------------------------------------------------------------------------

  protected lazyResult(): Val {
    return this.get(this.result);
  }
  protected lazyAux(): Val {
    this.takeCarry();
    return this.auxiliaryOf(this.kind, this);
  }
  private auxiliaryOf(kind: number, locals: FlagLocals & { readonly kindLocal: Local }): Val {
    if (kind !== DYNAMIC) return auxiliary(this, kind, locals);
    const { code } = this;
    code.localGet(locals.kindLocal);
    code.localGet(locals.result);
    code.localGet(locals.a);
    code.localGet(locals.b);
    code.localGet(locals.cf);
    code.call(this.auxiliaryFunction);
    return VAL;
  }
  /** After INC and DEC, `cf` gets the carry that they keep, if it has not got it yet: that is what the kind without `keeping` says. */
  protected takeCarry(): void {
    const kept = keptOf(this.kind);
    if (kept !== undefined) this.set(this.cf, this.carryOf(kept, this.kept));
  }
  /** From here on the locals hold the state's two words. */
  canonicalise(): void {
    if (this.kind === CANONICAL) return;
    this.set(this.a, this.lazyAux());
    this.kind = CANONICAL;
  }
  /** What follows may be reached with the same kind from elsewhere: nothing is kept. */
  settleKind(): void {
    if (this.kind === DYNAMIC) return;
    this.takeCarry();
    this.kind = plainOf(this.kind);
  }
  /** The present kind does not use all locals: the others need not have been kept until here. */
  protected dropUnused(): void {
    if (this.kind === DYNAMIC) return;
    const { a, b, cf, kindLocal } = this;
    if (!ownsCarry(this.kind)) this.drop(cf);
    this.drop(kindLocal);
    switch (producerOf(this.kind)) {
      case Producer.canonical:
      case Producer.overflow:
        this.drop(b);
        break;
      case Producer.logic:
      case Producer.inc:
      case Producer.dec:
        this.drop(a);
        this.drop(b);
    }
  }
  private drop(local: Local): void {
    this.code.i32(0);
    this.code.localSet(local);
  }
  /** The kind goes into its local: what follows may be reached with others. */
  publishKind(): void {
    if (this.kind === DYNAMIC) return;
    this.settleKind();
    this.code.i32(this.kind);
    this.code.localSet(this.kindLocal);
  }

  /** An operand of a producer, cut to its size or sign-extended. */
  private operandOf(kind: number, local: Local, signed: boolean): Val {
    const size = sizeOf(kind);
    return signed ? this.signed(this.get(local), size) : this.truncate(this.get(local), size);
  }
  private operand(local: Local, signed: boolean): Val {
    return this.operandOf(this.kind, local, signed);
  }
  override carry(): Val {
    const kept = keptOf(this.kind);
    return kept === undefined ? this.carryOf(this.kind, this) : this.carryOf(kept, this.kept);
  }
  private carryOf(kind: number, locals: FlagLocals & { readonly kindLocal: Local }): Val {
    const { result, a, b } = locals;
    if (ownsCarry(kind)) return this.get(locals.cf);
    switch (kind === DYNAMIC ? -1 : producerOf(kind)) {
      case Producer.sub:
        return this.ltU(this.operandOf(kind, a, false), this.operandOf(kind, b, false));
      case Producer.add:
        return this.ltU(this.operandOf(kind, result, false), this.operandOf(kind, a, false));
      case Producer.logic:
        return this.const(0);
      default:
        return this.shrU(this.auxiliaryOf(kind, locals), this.const(31));
    }
  }
  override condition(cc: number): Val {
    if (!this.directly(cc & ~1)) return super.condition(cc);
    if (cc & 1) this.eqz(VAL);
    return VAL;
  }
  /** Emits an even condition from the producer's operands, if there is a shorter way than through the auxiliary word. */
  private directly(cc: number): boolean {
    if (this.kind === DYNAMIC) return false;
    const producer = producerOf(this.kind);
    // SF is the result's sign for all but the canonical form, which can hold SF and ZF both.
    if (producer === Producer.canonical) return false;
    const zero = (): Val => this.eqz(this.get(this.result));
    const sign = (): Val => this.shrU(this.get(this.result), this.const(31));
    const sub = producer === Producer.sub;
    const logic = producer === Producer.logic;
    const overflow = producer === Producer.overflow;
    const owns = ownsCarry(this.kind);
    switch (cc) {
      case Condition.S:
        sign();
        return true;
      case Condition.BE:
        if (owns) this.or(this.carry(), zero());
        else if (sub) this.eqz(this.gtU(this.operand(this.a, false), this.operand(this.b, false)));
        else if (logic) zero();
        else return false;
        return true;
      case Condition.L:
        if (sub) this.ltS(this.operand(this.a, true), this.operand(this.b, true));
        else if (logic) sign();
        else if (overflow) this.xor(sign(), this.get(this.a));
        else return false;
        return true;
      case Condition.LE:
        if (sub) this.eqz(this.ltS(this.operand(this.b, true), this.operand(this.a, true)));
        else if (logic) this.ltS(this.get(this.result), this.const(1));
        else if (overflow) this.or(this.xor(sign(), this.get(this.a)), zero());
        else return false;
        return true;
      case Condition.P:
        this.eqz(this.and(this.popcnt(this.and(this.get(this.result), this.const(0xff))), this.const(1)));
        return true;
      case Condition.O:
        if (overflow) this.get(this.a);
        else if (logic) this.const(0);
        else return false;
        return true;
      case Condition.B:
        this.carry();
        return true;
      case Condition.Z:
        zero();
        return true;
      default:
        return false;
    }
  }
}
