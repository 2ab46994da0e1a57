// How the region tier reaches memory. Besides a lookup in the TLB for each access (translation-emitter.ts) it has two shorter ways: an address
// that lies in one page whatever its value is reads a TLB word that is known at emission; and accesses at constant distances from each other
// share one lookup (an anchor). Slow paths may change the TLB: anchors end there. Not the slow paths (cpu/region-access.ts).

import type { SharedFunction } from '../../isa/shared-functions.ts';
import { type Val, VAL, WRITE_TABLE } from '../../isa/value-emitter.ts';
import type { ValueType } from '../../wasm/code.ts';
import { I32, type Local } from '../../wasm/code.ts';
import { TLB } from '../entry-function.ts';
import type { Miss } from '../miss-functions.ts';
import { HOST_OFFSET } from '../../cpu/tlb.ts';
import type { FastAccess, SlowAccess } from '../translation-emitter.ts';
import { AccessRange } from './access-guesses.ts';
import { type Knowledge, RegionValues } from './region-values.ts';

const PAGE = 0x1000;
const TWO_32 = 0x1_0000_0000;
/** Bytes that an anchor covers at most: the longer, the more often it lies in two pages and is of no use. */
const WIDEST = 256;
/** Anchors that a slow path ends one by one. */
const MOST_ANCHORS = 3;

/** Bytes [low, high) from a symbol's value on (region-values.ts) lie in one page of the TLB. */
interface Anchor {
  readonly symbol: number;
  readonly low: number;
  readonly high: number;
  /** They may be written. */
  readonly write: boolean;
  /** 0: where they are is not known any more, or they are in no such page. Else the byte at an offset is `ahead` and the offset from here on in linear memory. */
  readonly host: Local;
  readonly ahead: number;
}

/** What is known at a place in the code. */
export interface Remembered {
  readonly knowledge: Knowledge;
  readonly anchors: readonly Anchor[];
}

export abstract class RegionMemory extends RegionValues {
  private anchors: readonly Anchor[] = [];

  /** Functions as the slow paths with the TLB context as last argument, which look there first. */
  protected abstract readonly lookingAgain: Readonly<Record<Miss, number>>;
  /** Accesses from the present instruction on, as far as that can be guessed. */
  protected abstract widen(range: AccessRange): void;
  /** The local of a general register whose value is a symbol's plus the offset. */
  protected abstract registerWith(symbol: number, offset: number): Local | undefined;
  /** A local that keeps its value over instructions. */
  private lasting(type: ValueType = I32): Local {
    return this.code.local(type);
  }

  remember(): Remembered {
    return { knowledge: this.knowledge, anchors: this.anchors };
  }
  recall({ knowledge, anchors }: Remembered): void {
    this.knowledge = knowledge;
    this.anchors = anchors;
  }
  /** The code that follows is reached from elsewhere too. */
  forget(): void {
    this.forgetValues();
    this.anchors = [];
  }
  override switchContext(context: Local): void {
    super.switchContext(context);
    this.anchors = [];
  }

  /** INVLPG drops translations. */
  override call(f: SharedFunction, ...parameters: Val[]): Val {
    this.anchors = [];
    return super.call(f, ...parameters);
  }

  /** A device may do anything. */
  override portIn(port: Local, bytes: 1 | 2 | 4): Val {
    this.anchors = [];
    return super.portIn(port, bytes);
  }
  override portOut(port: Local, bytes: 1 | 2 | 4, value: Local): void {
    this.anchors = [];
    super.portOut(port, bytes, value);
  }

  // ---- slow paths ---------------------------------------------------------------------------------------------------

  protected override callSlow(name: Miss, again: boolean): void {
    if (!again) {
      super.callSlow(name, again);
      return;
    }
    this.code.localGet(TLB);
    this.code.call(this.lookingAgain[name]);
  }
  protected override slowly(slow: SlowAccess, again: boolean): void {
    super.slowly(slow, again);
    this.endAnchors();
  }
  protected override committed(): void {
    this.endAnchors();
  }
  private endAnchors(): void {
    const { anchors, code } = this;
    for (let i = 0; i < anchors.length; i++) {
      code.i32(0);
      code.localSet(anchors[i]!.host);
    }
  }

  // ---- accesses -----------------------------------------------------------------------------------------------------

  protected override access(linear: Local, bytes: number, write: boolean, slow: SlowAccess, fast: FastAccess): void {
    const { min, max, symbol, offset } = this.knownOf(linear);
    const page = Math.floor(min / PAGE);
    if (page === Math.floor((max + bytes - 1) / PAGE)) {
      const entry = this.let(this.pageWord(page, write));
      this.rarely(
        this.notDirect(entry),
        () => this.slowly(slow, false),
        () => fast(() => this.add(this.get(entry), this.get(linear)), HOST_OFFSET),
      );
      return;
    }
    if (symbol === 0) {
      super.access(linear, bytes, write, slow, fast);
      return;
    }
    const known = this.anchorOf(linear, bytes, write);
    if (known !== undefined) {
      this.rarely(
        this.eqz(this.get(known.host)),
        () => this.slowly(slow, true),
        () => fast(() => this.get(known.host), known.ahead + offset),
      );
      return;
    }
    const range = this.inArm ? undefined : this.rangeAt(symbol, offset, bytes, write);
    if (range === undefined) super.access(linear, bytes, write, slow, fast);
    else this.dropAnchor(range, linear, offset, slow, fast);
  }
  override cachedHost(linear: Local, bytes: number, write = false): Val {
    const known = this.anchorOf(linear, bytes, write);
    if (known === undefined) return super.cachedHost(linear, bytes, write);
    const host = this.temporary(I32);
    const { offset } = this.knownOf(linear);
    this.rarely(
      this.eqz(this.get(known.host)),
      () => this.set(host, super.cachedHost(linear, bytes, write)),
      () => this.set(host, this.add(this.get(known.host), this.const(known.ahead + offset))),
    );
    return this.get(host);
  }
  /** An anchor that has the bytes. */
  private anchorOf(linear: Local, bytes: number, write: boolean): Anchor | undefined {
    const { symbol, offset } = this.knownOf(linear);
    return this.anchors.find(
      (a) => a.symbol === symbol && a.low <= offset && offset + bytes <= a.high && (a.write || !write),
    );
  }
  /** The word of the present TLB context for a page. */
  private pageWord(page: number, write: boolean): Val {
    this.code.localGet(TLB);
    this.code.memory(0x28, 2, page * 4 + (write ? WRITE_TABLE : 0));
    return VAL;
  }
  /** An anchor for this access, if others that it can serve seem to follow. */
  private rangeAt(symbol: number, offset: number, bytes: number, write: boolean): AccessRange | undefined {
    const range = new AccessRange(symbol, offset, offset + bytes, write, WIDEST);
    this.widen(range);
    // The first is the present one.
    return range.served < 2 ? undefined : range;
  }
  private dropAnchor(
    { symbol, low, high, write }: AccessRange,
    linear: Local,
    offset: number,
    slow: SlowAccess,
    fast: FastAccess,
  ): void {
    const host = this.lasting();
    // What the next address depends on waits for this lookup: a register that has the first byte's address spares it an addition.
    const first = this.registerWith(symbol, low) ?? (low === offset ? linear : undefined);
    const others = high - low - 1;
    const last =
      first === undefined
        ? this.let(this.add(this.get(linear), this.const(high - 1 - offset)))
        : this.lastOf(first, high - low);
    const place = first ?? last;
    const ahead = HOST_OFFSET - (first === undefined ? high - 1 : low);
    const entry = this.let(this.tlbWord(TLB, place, write));
    this.rarely(
      // (One byte lies in one page.)
      others === 0 ? this.notDirect(entry) : this.beyondPage(entry, last, this.const(others)),
      () => {
        this.slowly(slow, true);
        this.code.i32(0);
        this.code.localSet(host);
      },
      () => {
        this.set(host, this.add(this.get(entry), this.get(place)));
        fast(() => this.get(host), ahead + offset);
      },
    );
    this.anchors = [...this.anchors.slice(1 - MOST_ANCHORS), { symbol, low, high, write, host, ahead }];
  }
  protected override loaded(value: Local, bytes: 1 | 2 | 4): void {
    this.atMost(value, bytes === 4 ? TWO_32 - 1 : 256 ** bytes - 1);
  }
}
