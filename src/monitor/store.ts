// Where records stay: chunks of 65,536 records in a growing list up to a memory cap, with an index for zooming and searching.
// Not what is in a record (record.ts) and not a file (trace-file.ts). The index holds, for every 256 records, how many records of each kind
// came before: a count over any range is a subtraction, so ten million records summarise as fast as ten thousand.

import { type EventMask, KINDS, Kind } from './events.ts';
import { cyclesAt, icountAt, operandAt, RECORD_BYTES, RECORD_WORDS, writeHeader } from './record.ts';

export const CHUNK_RECORDS = 0x1_0000;
const CHUNK_SHIFT = 16;
export const NODE_RECORDS = 256;
const NODE_SHIFT = 8;
const CHUNK_NODES = CHUNK_RECORDS / NODE_RECORDS;
/** 512 MiB hold eleven million records. */
export const DEFAULT_CAPACITY_BYTES = 512 * 1024 * 1024;

interface Chunk {
  readonly words: Uint32Array<ArrayBuffer>;
  /** For each node: records of each kind in the whole stream before it. */
  readonly before: Uint32Array<ArrayBuffer>;
  /** For each node: hypervisor cycles (of vmx.entry) before it. */
  readonly cyclesBefore: Float64Array<ArrayBuffer>;
}

/** A gap: records that came while the store was full. */
export interface LostInterval {
  readonly count: number;
  /** Sequence number of the mon.lost record that stands for it, or of the next record to come while the store is still full. */
  readonly sequence: number;
  readonly firstIcount: number;
  readonly lastIcount: number;
  readonly firstCycles: number;
  readonly lastCycles: number;
}

export type TimeAxis = 'icount' | 'cycles';

/** What a timeline draws: for each of `pixels` equal parts of [t0, t1), how many records of each lane. */
export interface RangeSummary {
  readonly pixels: number;
  readonly lanes: number;
  /** counts[pixel * lanes + lane] */
  readonly counts: Uint32Array<ArrayBuffer>;
  /** Hypervisor cycles charged at the VM entries of each part. */
  readonly hypervisorCycles: Float64Array<ArrayBuffer>;
  /** Sequence number of each part's first record; one more than `pixels` entries. */
  readonly sequences: Float64Array<ArrayBuffer>;
}

export interface RecordSlice {
  readonly records: Uint32Array<ArrayBuffer>;
  /** Sequence number of the first record. */
  readonly first: number;
  /** Sequence number to ask for next. */
  readonly next: number;
}

/** Every kind its own lane. */
export const LANE_PER_KIND: Int8Array = Int8Array.from({ length: KINDS }, (_, kind) => kind);

export class EventStore {
  /** Records that fit. */
  readonly capacity: number;
  private readonly chunks: Chunk[] = [];
  /** Sequence number of the first chunk's first record: above 0 once something was released. */
  private base: number;
  private end: number;
  private readonly totals = new Uint32Array(KINDS);
  private cyclesTotal = 0;
  private readonly gaps: LostInterval[] = [];
  private gap:
    { count: number; firstIcount: number; lastIcount: number; firstCycles: number; lastCycles: number } | undefined;
  private lostCount = 0;
  private readonly lostRecord = new Uint32Array(RECORD_WORDS);
  /** Where the records go that are written next: see `open`. */
  private room: Uint32Array<ArrayBuffer> = this.lostRecord;
  private roomAt = 0;
  private overflow = new Uint32Array(0);

  /**
   * @param capacityBytes memory for records; rounded up to a whole chunk of 3 MiB, which is allocated when needed.
   * @param first sequence number of the first record to come, a multiple of CHUNK_RECORDS.
   */
  constructor(capacityBytes: number = DEFAULT_CAPACITY_BYTES, first = 0) {
    this.base = first;
    this.end = first;
    this.capacity = Math.max(1, Math.ceil(capacityBytes / (CHUNK_RECORDS * RECORD_BYTES))) * CHUNK_RECORDS;
  }

  /** Sequence number of the oldest record held. */
  get first(): number {
    return this.base;
  }
  /** Sequence number that the next record will get: so many were stored since the start. */
  get next(): number {
    return this.end;
  }
  get held(): number {
    return this.end - this.base;
  }
  /** Bytes of all records stored since the start. */
  get bytes(): number {
    return this.end * RECORD_BYTES;
  }
  /** Records lost since the start. */
  get lost(): number {
    return this.lostCount;
  }
  /** Every gap, the open one last. */
  lostIntervals(): LostInterval[] {
    return this.gap === undefined ? [...this.gaps] : [...this.gaps, { ...this.gap, sequence: this.end }];
  }
  /** Records of a kind since the start. */
  countOf(kind: number): number {
    return this.totals[kind]!;
  }

  /**
   * Room for up to `limit` records in a row, from word `at` of `words` on: they are written there, and `commit` stores them. Answers how many
   * there is room for; at least one. Room ends with the next call of anything else here.
   */
  open(limit: number, into: { words: Uint32Array<ArrayBuffer>; at: number }): number {
    if (this.gap !== undefined && this.held < this.capacity) this.closeGap();
    if (this.held >= this.capacity) {
      if (this.overflow.length < limit * RECORD_WORDS) this.overflow = new Uint32Array(limit * RECORD_WORDS);
      this.room = into.words = this.overflow;
      this.roomAt = into.at = 0;
      return limit;
    }
    const inChunk = this.end & (CHUNK_RECORDS - 1);
    if (this.chunks.length << CHUNK_SHIFT === this.held) this.addChunk();
    this.room = into.words = this.chunks[this.chunks.length - 1]!.words;
    this.roomAt = into.at = inChunk * RECORD_WORDS;
    return Math.min(limit, CHUNK_RECORDS - inChunk);
  }
  /** The first `count` records of the room are written. Where the store was full, they are counted as lost. */
  commit(count: number): void {
    if (count === 0) return;
    if (this.room === this.overflow) {
      this.lose(this.overflow, 0, count);
      return;
    }
    this.index(this.chunks[this.chunks.length - 1]!, this.roomAt / RECORD_WORDS, count);
    this.roomAt += count * RECORD_WORDS;
    this.end += count;
  }

  /** Stores `count` records from word `at`; those that do not fit are counted as lost. */
  append(words: Uint32Array, at: number, count: number): void {
    const into = { words: this.room, at: 0 };
    for (let done = 0; done < count;) {
      const run = this.open(count - done, into);
      const from = at + done * RECORD_WORDS;
      into.words.set(words.subarray(from, from + run * RECORD_WORDS), into.at);
      this.commit(run);
      done += run;
    }
  }

  /** Forgets whole chunks of records before a sequence number (they were written elsewhere): makes room again. */
  release(before: number): void {
    while (this.chunks.length > 0 && this.base + CHUNK_RECORDS <= Math.min(before, this.end)) {
      this.chunks.shift();
      this.base += CHUNK_RECORDS;
    }
  }

  /** Forgets the records from a sequence number on: they did not happen. */
  truncate(to: number): void {
    if (to >= this.end && this.gap === undefined) return;
    const sums = new Float64Array(KINDS);
    this.cyclesTotal = this.before(to, sums);
    this.totals.set(sums);
    this.end = Math.min(to, this.end);
    this.chunks.length = Math.ceil((this.end - this.base) / CHUNK_RECORDS);
    this.lostCount -= this.gap?.count ?? 0;
    this.gap = undefined;
    while (this.gaps.length > 0 && this.gaps.at(-1)!.sequence >= this.end) this.lostCount -= this.gaps.pop()!.count;
  }

  /** A copy of up to `limit` records from sequence number `from` on. */
  slice(from: number, limit: number): RecordSlice {
    const first = Math.min(Math.max(from, this.base), this.end);
    const next = Math.min(this.end, first + Math.max(0, limit));
    const records = new Uint32Array((next - first) * RECORD_WORDS);
    for (let at = first; at < next;) {
      const run = Math.min(next - at, CHUNK_RECORDS - (at & (CHUNK_RECORDS - 1)));
      const word = this.wordOf(at);
      records.set(this.chunkOf(at).words.subarray(word, word + run * RECORD_WORDS), (at - first) * RECORD_WORDS);
      at += run;
    }
    return { records, first, next };
  }

  /** Hands every held record from `from` to `to` (exclusive) to `take` in runs, without copying; `take` must not keep `words`. */
  forEachRun(
    from: number,
    to: number,
    take: (words: Uint32Array, at: number, count: number, sequence: number) => void,
  ): void {
    let at = Math.max(from, this.base);
    const end = Math.min(to, this.end);
    while (at < end) {
      const run = Math.min(end - at, CHUNK_RECORDS - (at & (CHUNK_RECORDS - 1)));
      take(this.chunkOf(at).words, this.wordOf(at), run, at);
      at += run;
    }
  }

  /** First sequence number whose time is not below `time`; `next` if there is none. */
  lowerBound(time: number, axis: TimeAxis): number {
    const timeAt = axis === 'icount' ? icountAt : cyclesAt;
    let low = this.base;
    let high = this.end;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (timeAt(this.chunkOf(middle).words, this.wordOf(middle)) < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /**
   * Counts per pixel over [t0, t1) of an axis. @param laneOf lane of each kind, -1 for none; lanes are numbered from 0.
   * Costs by pixels, not by records.
   */
  range(
    t0: number,
    t1: number,
    pixels: number,
    axis: TimeAxis = 'icount',
    laneOf: Int8Array = LANE_PER_KIND,
  ): RangeSummary {
    const lanes = laneOf.reduce((most, lane) => Math.max(most, lane + 1), 0);
    const counts = new Uint32Array(pixels * lanes);
    const hypervisorCycles = new Float64Array(pixels);
    const sequences = new Float64Array(pixels + 1);
    const sums = [new Float64Array(KINDS), new Float64Array(KINDS)] as const;
    for (let i = 0; i <= pixels; i++) sequences[i] = this.lowerBound(t0 + ((t1 - t0) * i) / pixels, axis);
    for (let pixel = 0; pixel < pixels; pixel++) {
      const from = sequences[pixel]!;
      const to = sequences[pixel + 1]!;
      const row = pixel * lanes;
      if (to - from <= 2 * NODE_RECORDS) {
        hypervisorCycles[pixel] = this.scan(from, to, (kind) => {
          const lane = laneOf[kind]!;
          if (lane >= 0) counts[row + lane]!++;
        });
      } else {
        const cycles0 = this.before(from, sums[0]);
        const cycles1 = this.before(to, sums[1]);
        hypervisorCycles[pixel] = cycles1 - cycles0;
        for (let kind = 0; kind < KINDS; kind++) {
          const lane = laneOf[kind]!;
          if (lane >= 0) counts[row + lane]! += sums[1][kind]! - sums[0][kind]!;
        }
      }
    }
    return { pixels, lanes, counts, hypervisorCycles, sequences };
  }

  /** Sequence number of the first record at or after `from` whose kind is in the mask; -1 if there is none. */
  findNext(mask: EventMask, from: number): number {
    let at = Math.max(from, this.base);
    while (at < this.end) {
      if ((at & (NODE_RECORDS - 1)) === 0 && !this.nodeHas(mask, at)) at += NODE_RECORDS;
      else if (inMask(mask, this.kindOf(at))) return at;
      else at++;
    }
    return -1;
  }

  /** Sequence number of the last record at or before `from` whose kind is in the mask; -1 if there is none. */
  findPrevious(mask: EventMask, from: number): number {
    let at = Math.min(from, this.end - 1);
    while (at >= this.base) {
      const node = at - (at & (NODE_RECORDS - 1));
      if (at === node + NODE_RECORDS - 1 && !this.nodeHas(mask, node)) at = node - 1;
      else if (inMask(mask, this.kindOf(at))) return at;
      else at--;
    }
    return -1;
  }

  private chunkOf(sequence: number): Chunk {
    return this.chunks[(sequence - this.base) >> CHUNK_SHIFT]!;
  }
  private wordOf(sequence: number): number {
    return (sequence & (CHUNK_RECORDS - 1)) * RECORD_WORDS;
  }
  private kindOf(sequence: number): number {
    return this.chunkOf(sequence).words[this.wordOf(sequence)]! & (KINDS - 1);
  }

  private addChunk(): void {
    this.chunks.push({
      words: new Uint32Array(CHUNK_RECORDS * RECORD_WORDS),
      before: new Uint32Array(CHUNK_NODES * KINDS),
      cyclesBefore: new Float64Array(CHUNK_NODES),
    });
  }

  private index(chunk: Chunk, from: number, count: number): void {
    const { words, before, cyclesBefore } = chunk;
    const totals = this.totals;
    for (let i = from; i < from + count; i++) {
      if ((i & (NODE_RECORDS - 1)) === 0) {
        const node = i >> NODE_SHIFT;
        before.set(totals, node * KINDS);
        cyclesBefore[node] = this.cyclesTotal;
      }
      const at = i * RECORD_WORDS;
      const kind = words[at]! & (KINDS - 1);
      totals[kind]!++;
      if (kind === Kind['vmx.entry']) this.cyclesTotal += operandAt(words, at, 4);
    }
  }

  /** Counts of all kinds before a sequence number into `out`; returns the hypervisor cycles before it. */
  private before(sequence: number, out: Float64Array): number {
    if (sequence >= this.end) {
      out.set(this.totals);
      return this.cyclesTotal;
    }
    const chunk = this.chunkOf(sequence);
    const node = (sequence & (CHUNK_RECORDS - 1)) >> NODE_SHIFT;
    out.set(chunk.before.subarray(node * KINDS, (node + 1) * KINDS));
    const start = sequence - (sequence & (NODE_RECORDS - 1));
    return chunk.cyclesBefore[node]! + this.scan(start, sequence, (kind) => void out[kind]!++);
  }

  /** Visits the kind of every record in [from, to); returns their hypervisor cycles. */
  private scan(from: number, to: number, visit: (kind: number) => void): number {
    let cycles = 0;
    for (let sequence = from; sequence < to; sequence++) {
      const words = this.chunkOf(sequence).words;
      const at = this.wordOf(sequence);
      const kind = words[at]! & (KINDS - 1);
      if (kind === Kind['vmx.entry']) cycles += operandAt(words, at, 4);
      visit(kind);
    }
    return cycles;
  }

  /** Whether the node that starts at a sequence number has a record of the mask. */
  private nodeHas(mask: EventMask, start: number): boolean {
    const here = this.chunkOf(start);
    const row = ((start & (CHUNK_RECORDS - 1)) >> NODE_SHIFT) * KINDS;
    const after = start + NODE_RECORDS;
    const last = after >= this.end;
    const next = last ? undefined : this.chunkOf(after);
    const nextRow = ((after & (CHUNK_RECORDS - 1)) >> NODE_SHIFT) * KINDS;
    for (let kind = 0; kind < KINDS; kind++) {
      if (!inMask(mask, kind)) continue;
      const upTo = next === undefined ? this.totals[kind]! : next.before[nextRow + kind]!;
      if (upTo !== here.before[row + kind]!) return true;
    }
    return false;
  }

  private lose(words: Uint32Array, at: number, count: number): void {
    const last = at + (count - 1) * RECORD_WORDS;
    this.gap ??= {
      count: 0,
      firstIcount: icountAt(words, at),
      lastIcount: 0,
      firstCycles: cyclesAt(words, at),
      lastCycles: 0,
    };
    this.gap.count += count;
    this.gap.lastIcount = icountAt(words, last);
    this.gap.lastCycles = cyclesAt(words, last);
    this.lostCount += count;
  }

  /** There is room again: one mon.lost record stands where the lost ones would be. */
  private closeGap(): void {
    const gap = this.gap!;
    const record = this.lostRecord;
    writeHeader(record, 0, Kind['mon.lost'], 0, 0, gap.lastIcount, gap.lastCycles, 0, 0, 0);
    record[7] = Math.min(gap.count, 0xffff_ffff);
    record[8] = gap.firstIcount;
    record[9] = Math.floor(gap.firstIcount / 0x1_0000_0000);
    record[10] = gap.lastIcount;
    record[11] = Math.floor(gap.lastIcount / 0x1_0000_0000);
    this.gaps.push({ ...gap, sequence: this.end });
    this.gap = undefined;
    this.append(record, 0, 1);
  }
}

const inMask = (mask: EventMask, kind: number): boolean =>
  (((kind < 32 ? mask.low : mask.high) >>> (kind & 31)) & 1) === 1;
