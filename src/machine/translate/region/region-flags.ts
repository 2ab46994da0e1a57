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
  plainOf,
  Producer,
  producerOf,
  sizeOf,
  WITH_CARRY,
} from './flag-kinds.ts';
import { RegionMemory } from './region-memory.ts';

export abstract class RegionFlags extends RegionMemory implements FlagLocals {
  readonly result: Local;
  readonly a: Local;
  readonly b: Local;
  /** Local with the kind where it is DYNAMIC. */
  readonly kindLocal: Local;
  /** What the flag locals held before INC or DEC, for CF; their kind, if it is DYNAMIC, is in the last (flag-kinds.ts `keeping`). */
  private readonly kept: FlagLocals & { readonly kindLocal: Local };
  /** What the flag locals hold at the point of emission. */
  kind = DYNAMIC;

  constructor(
    code: Code,
    /** Function (kind, result, a, b) -> auxiliary word. */
    private readonly auxiliaryFunction: number,
  ) {
    super(code);
    this.result = code.local(I32);
    this.a = code.local(I32);
    this.b = code.local(I32);
    this.kindLocal = code.local(I32);
    this.kept = { result: code.local(I32), a: code.local(I32), b: code.local(I32), kindLocal: code.local(I32) };
  }

  // ---- producers ----------------------------------------------------------------------------------------------------

  private produce(producer: number, r: Local, a?: Local, b?: Local): void {
    const { code, size } = this;
    if (a !== undefined) {
      code.localGet(a);
      code.localSet(this.a);
    }
    if (b !== undefined) {
      code.localGet(b);
      code.localSet(this.b);
    }
    this.set(this.result, this.signed(this.get(r), size));
    this.kind = kindOf(producer, size);
  }
  override flagsAdd(a: Local, b: Local, r: Local): void {
    this.produce(Producer.add, r, a, b);
  }
  override flagsAddCarry(a: Local, b: Local, r: Local): void {
    this.produce(Producer.adc, r, a, b);
  }
  override flagsSub(a: Local, b: Local, r: Local): void {
    this.produce(Producer.sub, r, a, b);
  }
  override flagsSubBorrow(a: Local, b: Local, r: Local): void {
    this.produce(Producer.sbb, r, a, b);
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
    super.flagsResultCarryOverflow(r, cf, of);
    this.withCarry(cf);
  }
  override flagsCarryOverflow(cf: Local, of: Local): void {
    super.flagsCarryOverflow(cf, of);
    this.withCarry(cf);
  }
  private withCarry(cf: Local): void {
    this.code.localGet(cf);
    this.code.localSet(this.b);
    this.kind = WITH_CARRY;
  }
  private keepCarry(producer: number, r: Local): void {
    const { kind, kept, code } = this;
    const before = kind === DYNAMIC ? -1 : producerOf(kind);
    const carries = before === Producer.inc || before === Producer.dec;
    if (!carries) {
      for (const name of ['result', 'a', 'b'] as const) {
        code.localGet(this[name]);
        code.localSet(kept[name]);
      }
      if (kind === DYNAMIC) {
        code.localGet(this.kindLocal);
        code.localSet(kept.kindLocal);
      }
    }
    this.produce(producer, r);
    const earlier = carries ? keptOf(kind) : kind;
    if (earlier !== undefined) this.kind = keeping(this.kind, earlier);
  }
  protected setLazy(result: Val | undefined, _aux: Val): void {
    this.code.localSet(this.a);
    if (result !== undefined) this.code.localSet(this.result);
    this.kind = CANONICAL;
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
    if (kind !== DYNAMIC) return auxiliary(this, producerOf(kind), locals, () => this.const(32 - sizeOf(kind)));
    const { code } = this;
    code.localGet(locals.kindLocal);
    code.localGet(locals.result);
    code.localGet(locals.a);
    code.localGet(locals.b);
    code.call(this.auxiliaryFunction);
    return VAL;
  }
  /** After INC and DEC, `a` gets the carry that they keep, if it has not got it yet: that is what the kind without `keeping` says. */
  protected takeCarry(): void {
    const kept = keptOf(this.kind);
    if (kept !== undefined) this.set(this.a, this.carryOf(kept, this.kept));
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
    if (this.kind === DYNAMIC || this.kind === WITH_CARRY) return;
    const producer = producerOf(this.kind);
    if (producer === Producer.logic) this.drop(this.a);
    if (producer < Producer.add || producer > Producer.sbb) this.drop(this.b);
    this.drop(this.kindLocal);
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
    if (kind === WITH_CARRY) return this.get(b);
    switch (kind === DYNAMIC ? -1 : producerOf(kind)) {
      case Producer.sub:
        return this.ltU(this.operandOf(kind, a, false), this.operandOf(kind, b, false));
      case Producer.add:
        return this.ltU(this.operandOf(kind, result, false), this.operandOf(kind, a, false));
      case Producer.logic:
        return this.const(0);
      case Producer.inc:
      case Producer.dec:
        return this.get(a);
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
    const sub = producer === Producer.sub;
    switch (cc) {
      case Condition.S:
        this.shrU(this.get(this.result), this.const(31));
        return true;
      case Condition.BE:
        if (sub) this.eqz(this.gtU(this.operand(this.a, false), this.operand(this.b, false)));
        else if (producer === Producer.logic) zero();
        else return false;
        return true;
      case Condition.L:
        if (sub) this.ltS(this.operand(this.a, true), this.operand(this.b, true));
        else if (producer === Producer.logic) this.shrU(this.get(this.result), this.const(31));
        else return false;
        return true;
      case Condition.LE:
        if (sub) this.eqz(this.ltS(this.operand(this.b, true), this.operand(this.a, true)));
        else if (producer === Producer.logic) this.ltS(this.get(this.result), this.const(1));
        else return false;
        return true;
      case Condition.P:
        this.eqz(this.and(this.popcnt(this.and(this.get(this.result), this.const(0xff))), this.const(1)));
        return true;
      case Condition.O:
        if (producer !== Producer.logic) return false;
        this.const(0);
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
