// Writes records of twelve words straight to where the store keeps them, and hands them over in batches: the index is made then. Counts the
// records that a past which is run again makes a second time. Not which kinds are recorded (recorder.ts) and not the layout (record.ts).

import { Kind } from './events.ts';
import { Metrics } from './metrics.ts';
import { highContextOf, highWordOf, RECORD_WORDS, Word } from './record.ts';
import { EventStore } from './store.ts';

/**
 * Where the engine is, at the moment of the question. While a guest runs that is the processor's to say, in the hypervisor the VMCS's guest
 * state.
 */
export interface ObservationPoint {
  /** Guest instructions retired since the machine started; below 2^48. */
  readonly icount: number;
  /** Emulated host cycles: the guest's clock plus the modelled cost of the hypervisor so far; below 2^53, never going back. */
  readonly cycles: number;
  /** 0-255. */
  readonly domain: number;
  readonly vcpu: number;
  /** Signed or unsigned: their low 32 bits count. */
  readonly eip: number;
  readonly cr3: number;
  /** 0-3. */
  readonly cpl: number;
}

export interface WriterOptions {
  readonly store?: EventStore;
  readonly metrics?: Metrics;
  /** Records handed to the store at once, at most; by default as many as it has room for. */
  readonly batch?: number;
}

/** Whose the records were that have been made. */
export interface RecordPlaces {
  readonly place: number;
  readonly placedAt: number;
  readonly byDomain: Float64Array;
}

const TWO_32 = 0x1_0000_0000;

/**
 * A past that was left and is run again makes the same records again: they are counted, so that everybody knows where in the stream the present
 * moment is, and not written. What a guest can ask for (observe-op.ts) ends at the present moment; who looks from outside sees the whole stream.
 */
export abstract class RecordWriter {
  readonly store: EventStore;
  readonly metrics: Metrics;
  private readonly batch: number;
  /** The store's room, the word in it where the next record goes, and where that room ends; all before it is not handed over yet. */
  protected readonly words: Uint32Array<ArrayBuffer>;
  private at = 0;
  private roomEnd = 0;
  private halfFull = false;
  /** Records that the run has made up to the present moment, and up to the newest moment that was left. */
  protected made = 0;
  private madeEver = 0;
  /** The value of `made` at which the recorder put in a record of its own (mon.highwater). */
  private ownAt = Infinity;
  /** Time split at 2^32: where the words that hold the upper halves are others. */
  private icountEnd = 0;
  private cyclesEnd = 0;
  private highWord = 0;
  private highContext = 0;
  /** Domain and vCPU of the last record, as its first word has them. */
  private place: number;
  /** Records made by domain, without those since `placedAt`, which are all the last one's. */
  private readonly byDomain = new Float64Array(256);
  private placedAt = 0;

  constructor(
    protected readonly point: ObservationPoint,
    { store, metrics, batch }: WriterOptions,
  ) {
    this.store = store ?? new EventStore();
    this.metrics = metrics ?? new Metrics();
    this.batch = batch ?? Infinity;
    this.words = this.store.room;
    this.place = (point.domain << 16) | (point.vcpu << 24);
  }

  /** mon.highwater is recorded. */
  protected abstract readonly tellsHighWater: boolean;

  /** Hands what was written to the store. */
  flush(): void {
    this.handOver();
    if (this.halfFull || this.store.held * 2 < this.store.capacity) return;
    this.halfFull = true;
    if (!this.tellsHighWater) return;
    this.ownAt = Math.max(this.made, this.madeEver);
    const { held, capacity } = this.store;
    const at = this.write(Kind['mon.highwater']);
    this.words.set([held, capacity, 0, 0, 0], at + Word.OPERAND);
    this.handOver();
  }
  private handOver(): void {
    this.store.commit(this.at / RECORD_WORDS);
    this.at = 0;
    this.roomEnd = 0;
  }
  private makeRoom(): void {
    this.flush();
    this.roomEnd = this.store.open(this.batch) * RECORD_WORDS;
  }

  /** Sequence number of the first record behind the present moment. Everything is handed over. */
  protected get present(): number {
    if (this.made >= this.madeEver) return this.store.next;
    return Math.min(this.store.next, this.made + (this.made > this.ownAt ? 1 : 0));
  }
  /** The records behind the present moment are of a future that will not be. */
  beginFuture(): void {
    this.flush();
    this.store.truncate(this.present);
    this.madeEver = this.made;
    if (this.made > this.ownAt) return;
    this.ownAt = Infinity;
    this.halfFull = false;
  }
  /** The present moment is that at which so many records were made. */
  protected moveTo(made: number): void {
    this.flush();
    this.madeEver = Math.max(this.made, this.madeEver);
    this.made = made;
    // Time may go back.
    this.icountEnd = 0;
  }
  /** Records that the run has made of a domain up to the present moment. */
  recordedOf(domain: number): number {
    const last = (this.place >>> 16) & 0xff;
    if (domain !== last) return this.byDomain[domain]!;
    return this.byDomain[domain]! + this.made - this.placedAt + (this.made >= this.ownAt ? 1 : 0);
  }
  /** Another vCPU's records follow. */
  private move(place: number): void {
    this.byDomain[(this.place >>> 16) & 0xff]! += this.made - this.placedAt;
    this.placedAt = this.made;
    this.place = place;
  }
  protected get places(): RecordPlaces {
    const { place, placedAt, byDomain } = this;
    return { place, placedAt, byDomain: byDomain.slice() };
  }
  protected set places({ place, placedAt, byDomain }: RecordPlaces) {
    this.place = place;
    this.placedAt = placedAt;
    this.byDomain.set(byDomain);
  }

  /** A record of a kind with its operands. Small, so that it becomes part of whoever calls it: numbers stay what they are. */
  protected put(kind: number, a: number, b: number, c: number, d: number, e: number): void {
    const at = this.begin(kind);
    if (at < 0) return;
    const { words } = this;
    words[at + 7] = a;
    words[at + 8] = b;
    words[at + 9] = c;
    words[at + 10] = d;
    words[at + 11] = e;
  }
  /** A record without its operands. Answers its place in `words`; -1: it is one that was made before. */
  protected begin(kind: number): number {
    const { point } = this;
    const place = (point.domain << 16) | (point.vcpu << 24);
    if (place !== this.place) this.move(place);
    return ++this.made > this.madeEver ? this.write(kind) : -1;
  }
  private write(kind: number): number {
    if (this.at === this.roomEnd) this.makeRoom();
    const { point, words, at } = this;
    this.at = at + RECORD_WORDS;
    const { icount, cycles } = point;
    if (!(icount < this.icountEnd && cycles < this.cyclesEnd)) this.rebase(icount, cycles);
    words[at] = kind | this.place;
    words[at + 1] = cycles;
    words[at + 2] = icount;
    words[at + 3] = this.highWord;
    words[at + 4] = point.eip;
    words[at + 5] = point.cr3;
    words[at + 6] = point.cpl | this.highContext;
    return at;
  }

  /** The upper halves of the times, until one of them changes. */
  private rebase(icount: number, cycles: number): void {
    const icountHigh = Math.floor(icount / TWO_32);
    const cyclesHigh = Math.floor(cycles / TWO_32);
    this.icountEnd = (icountHigh + 1) * TWO_32;
    this.cyclesEnd = (cyclesHigh + 1) * TWO_32;
    this.highWord = highWordOf(icountHigh, cyclesHigh);
    this.highContext = highContextOf(cyclesHigh);
  }
}
