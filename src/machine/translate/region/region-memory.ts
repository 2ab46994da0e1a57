// How the region tier reaches memory. Besides a lookup in the TLB for each access (translation-emitter.ts) it has two shorter ways: an address
// that lies in one page whatever its value is reads a TLB word that is known at emission; and accesses at constant distances from each other
// share one lookup (an anchor), over branches and around loops too. Slow paths may change the TLB: anchors end there. Not the slow paths
// (cpu/region-access.ts) and not which registers keep their values (kept-registers.ts).

import type { SharedFunction } from '../../isa/shared-functions.ts';
import { X87_FUNCTIONS } from '../../isa/x87-functions.ts';
import { type Val, VAL, WRITE_TABLE } from '../../isa/value-emitter.ts';
import type { ValueType } from '../../wasm/code.ts';
import { I32, type Local } from '../../wasm/code.ts';
import { TLB } from '../entry-function.ts';
import type { Miss } from '../miss-functions.ts';
import { HOST_OFFSET, INVALID } from '../../cpu/tlb.ts';
import type { FastAccess, SlowAccess } from '../translation-emitter.ts';
import { AccessRange } from './access-guesses.ts';
import { type Knowledge, RegionValues } from './region-values.ts';

const PAGE = 0x1000;
const TWO_32 = 0x1_0000_0000;
/** Bytes that an anchor covers at most: the longer, the more often it lies in two pages and is of no use. */
const WIDEST = 256;
/** Anchors that are used at a place. */
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
  /** It stays while a loop's code is emitted. */
  readonly loop: boolean;
}

/** What is known at a place in the code. */
export interface Remembered {
  readonly knowledge: Knowledge;
  readonly anchors: readonly Anchor[];
}

export abstract class RegionMemory extends RegionValues {
  private anchors: readonly Anchor[] = [];
  /** Those that are wanted further on, where control comes together or turns back: slow paths on the way there end them. */
  private readonly awaited: (readonly Anchor[])[] = [];
  /** All of them, if none has changed since. */
  private allAwaited: readonly Anchor[] | undefined;

  /** TLB word that most accesses find (regions.ts); INVALID: there is none. Their addresses need not wait for the lookup then, which is only compared. */
  protected abstract readonly usual: number;
  /** As `rarely`, with several conditions, of which each is one not to meet. */
  protected abstract eitherRarely(conditions: readonly (() => Val)[], then: () => void, otherwise: () => void): void;
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
  /** The code that follows is reached from elsewhere too: nothing is known but of these locals and through them. */
  protected forgetBut(locals: readonly Local[]): void {
    this.keepValues(locals);
    this.anchors = this.anchors.filter(({ symbol }) => locals.some((local) => this.knownOf(local).symbol === symbol));
  }
  override switchContext(context: Local): void {
    super.switchContext(context);
    this.dropAnchors();
  }

  /** INVLPG drops translations; calculations do nothing to memory. */
  override call(f: SharedFunction, ...parameters: Val[]): Val {
    if (!(f in X87_FUNCTIONS)) this.dropAnchors();
    return super.call(f, ...parameters);
  }

  /** A device may do anything. */
  override portIn(port: Local, bytes: 1 | 2 | 4): Val {
    this.dropAnchors();
    return super.portIn(port, bytes);
  }
  override portOut(port: Local, bytes: 1 | 2 | 4, value: Local): void {
    this.dropAnchors();
    super.portOut(port, bytes, value);
  }

  // ---- anchors over branches and loops ------------------------------------------------------------------------------

  /** Slow paths from here on to `reached` end the present anchors: who goes on behind them, or turns back, wants to use them. */
  await(): void {
    this.awaited.push(this.anchors);
    this.allAwaited = undefined;
  }
  /** What was awaited last is reached. */
  reached(): void {
    this.awaited.pop();
    this.allAwaited = undefined;
  }
  /** An anchor for a loop, ready at the start of each of its turns, of bytes from a symbol's value on. */
  protected loopAnchor(symbol: number, low: number, high: number, write: boolean): Anchor {
    const known = this.anchorOver(symbol, low, high, write);
    if (known !== undefined) return known;
    const anchor = { symbol, low, high, write, host: this.lasting(), ahead: HOST_OFFSET - low, loop: true };
    this.end(anchor);
    this.anchors = [...this.anchors, anchor];
    return anchor;
  }
  /** A turn begins: an anchor that is of no use looks the TLB up again. `address` pushes that of a byte of it. */
  protected refresh({ host, low, high, write, ahead }: Anchor, address: (offset: number) => Val): void {
    this.rarely(this.eqz(this.get(host)), () => {
      const at = HOST_OFFSET - ahead;
      const place = this.let(address(at));
      const last = at === high - 1 ? place : this.let(address(high - 1));
      const entry = this.let(this.tlbWord(TLB, place, write));
      this.const(0);
      this.add(this.get(entry), this.get(place));
      this.beyond(entry, last, high - low);
      this.set(host, this.select(VAL, VAL, VAL));
    });
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
  private end({ host }: Anchor): void {
    this.code.i32(0);
    this.code.localSet(host);
  }
  private endAnchors(): void {
    const { anchors } = this;
    const awaited = this.dropAnchors();
    for (const anchor of anchors) if (!awaited.includes(anchor)) this.end(anchor);
    this.anchors = anchors;
  }
  /** None of them is used any more here; those that are wanted elsewhere, which it returns, are ended. */
  private dropAnchors(): readonly Anchor[] {
    this.anchors = [];
    const awaited = (this.allAwaited ??= [...new Set(this.awaited.flat())]);
    for (const anchor of awaited) this.end(anchor);
    return awaited;
  }

  // ---- accesses -----------------------------------------------------------------------------------------------------

  protected override access(linear: Local, bytes: number, write: boolean, slow: SlowAccess, fast: FastAccess): void {
    const { min, max, symbol, offset } = this.knownOf(linear);
    const page = Math.floor(min / PAGE);
    const slowly: SlowAccess = (again) => this.slowly(slow, again);
    if (page === Math.floor((max + bytes - 1) / PAGE)) {
      this.findPage(() => this.pageWord(page, write), linear, linear, 1, slowly, fast);
      return;
    }
    if (symbol === 0) {
      this.accessAlone(linear, bytes, write, slowly, fast);
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
    if (range === undefined) this.accessAlone(linear, bytes, write, slowly, fast);
    else this.makeAnchor(range, linear, offset, slow, fast);
  }
  private accessAlone(linear: Local, bytes: number, write: boolean, missed: SlowAccess, found: FastAccess): void {
    this.findPage(() => this.tlbWord(TLB, linear, write), linear, this.lastOf(linear, bytes), bytes, missed, found);
  }
  /**
   * Whether bytes are in one page that is accessed directly, by its TLB word, which `word` pushes. `place`: an address in it; `last`: that of the last
   * byte; `bytes` is 1 where they cannot be in two pages. `found` gets where `place` is.
   */
  private findPage(
    word: () => Val,
    place: Local,
    last: Local,
    bytes: number,
    missed: SlowAccess,
    found: FastAccess,
  ): void {
    if (this.usual === INVALID) {
      const entry = this.let(word());
      this.rarely(
        this.beyond(entry, last, bytes),
        () => missed(false),
        () => found(() => this.add(this.get(entry), this.get(place)), HOST_OFFSET),
      );
      return;
    }
    const isUnusual = (): Val => this.ne(word(), this.const(this.usual));
    const crosses = (): Val => this.gtU(this.const(bytes - 1), this.and(this.get(last), this.const(0xfff)));
    this.eitherRarely(
      bytes === 1 ? [isUnusual] : [isUnusual, crosses],
      () => missed(true),
      () => found(() => this.add(this.get(place), this.const(this.usual)), HOST_OFFSET),
    );
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
    return this.anchorOver(symbol, offset, offset + bytes, write);
  }
  private anchorOver(symbol: number, low: number, high: number, write: boolean): Anchor | undefined {
    return this.anchors.find((a) => a.symbol === symbol && a.low <= low && high <= a.high && (a.write || !write));
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
  private makeAnchor(
    { symbol, low, high, write }: AccessRange,
    linear: Local,
    offset: number,
    slow: SlowAccess,
    fast: FastAccess,
  ): void {
    const host = this.lasting();
    // What the next address depends on waits for this lookup: a register that has the first byte's address spares it an addition.
    const first = this.registerWith(symbol, low) ?? (low === offset ? linear : undefined);
    const last =
      first === undefined
        ? this.let(this.add(this.get(linear), this.const(high - 1 - offset)))
        : this.lastOf(first, high - low);
    const place = first ?? last;
    const ahead = HOST_OFFSET - (first === undefined ? high - 1 : low);
    const anchor = { symbol, low, high, write, host, ahead, loop: false };
    this.findPage(
      () => this.tlbWord(TLB, place, write),
      place,
      last,
      high - low,
      () => {
        this.slowly(slow, true);
        this.end(anchor);
      },
      (found) => {
        this.set(host, found());
        fast(() => this.get(host), ahead + offset);
      },
    );
    const others = this.anchors.filter(({ loop }) => !loop);
    const oldest = others.length < MOST_ANCHORS ? undefined : others[0];
    this.anchors = [...this.anchors.filter((a) => a !== oldest), anchor];
  }
  protected override loaded(value: Local, bytes: 1 | 2 | 4): void {
    this.atMost(value, bytes === 4 ? TWO_32 - 1 : 256 ** bytes - 1);
  }
}
