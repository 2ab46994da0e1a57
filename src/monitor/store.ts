// Where records stay: a growing list up to a number of records, with an index for zooming and searching. Not how they lie in memory
// (record-blocks.ts), not what is in a record (record.ts), not what found no room (lost-records.ts) and not a file (trace-file.ts). The index
// holds, for every 1024 records, when the first was and how many of each kind came before: a count over any range is a subtraction, so ten
// million records summarise as fast as ten thousand.

import { type EventMask, KINDS, Kind } from './events.ts';
import { cyclesAt, icountAt, operandAt, RECORD_BYTES, RECORD_WORDS } from './record.ts';
import { type LostInterval, LostRecords } from './lost-records.ts';
import { BLOCK_RECORDS, ROOM_RECORDS } from './packing.ts';
import { RecordBlocks } from './record-blocks.ts';

export const CHUNK_RECORDS = 0x1_0000;
const CHUNK_SHIFT = 16;
/** A block of record-blocks.ts: what is between two nodes is unpacked at once. */
export const NODE_RECORDS = BLOCK_RECORDS;
const NODE_SHIFT = 10;
const CHUNK_NODES_SHIFT = CHUNK_SHIFT - NODE_SHIFT;
const CHUNK_NODES = 1 << CHUNK_NODES_SHIFT;
/** Eleven million records of 48 bytes. They are kept packed: a sixth of that, or less. */
export const DEFAULT_CAPACITY_BYTES = 512 * 1024 * 1024;

/** The index of CHUNK_RECORDS records. */
interface Chunk {
  /** For each node: records of each kind in the whole stream before it. */
  readonly before: Uint32Array<ArrayBuffer>;
  /** For each node: hypervisor cycles (of vmx.entry) before it. */
  readonly cyclesBefore: Float64Array<ArrayBuffer>;
  /** For each node: the time of its first record. */
  readonly times: Readonly<Record<TimeAxis, Float64Array<ArrayBuffer>>>;
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
  private readonly records = new RecordBlocks();
  private readonly chunks: Chunk[] = [];
  /** Sequence number of the first chunk's first record: above 0 once something was released. */
  private base: number;
  private end: number;
  /** Of all records held or released: how many of each kind, and the hypervisor cycles of vmx.entry. */
  private readonly totals = this.records.packer.counts;
  private readonly cyclesTotal = this.records.packer.cycles;
  private readonly lostRecords = new LostRecords();
  /** Where the records are written that come next: see `open`. */
  readonly room = this.records.packer.room;

  /**
   * @param capacityBytes of records as they are read, 48 bytes each; rounded up to a whole chunk of 3 MiB. They take less, and memory only
   * when it is needed.
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
  /** Bytes of memory that the records held take, without the index. */
  get memoryBytes(): number {
    return this.records.bytes;
  }
  /** Records lost since the start. */
  get lost(): number {
    return this.lostRecords.count;
  }
  /** Every gap, the open one last. */
  lostIntervals(): LostInterval[] {
    return this.lostRecords.intervals(this.end);
  }
  /** Records of a kind since the start. */
  countOf(kind: number): number {
    return this.totals[kind]!;
  }

  /**
   * Room for up to `limit` records in a row, from the start of `room` on: they are written there, and `commit` stores them. Answers how many
   * there is room for; at least one. Room ends with the next call of anything else here.
   */
  open(limit: number): number {
    if (this.lostRecords.open && this.held < this.capacity) this.append(this.lostRecords.close(this.end), 0, 1);
    const { held } = this;
    const left = held < this.capacity ? this.capacity - held : limit;
    return Math.min(limit, left, ROOM_RECORDS, NODE_RECORDS - (held & (NODE_RECORDS - 1)));
  }
  /** The first `count` records of the room are written. Where the store was full, they are counted as lost. */
  commit(count: number): void {
    if (count === 0) return;
    const { held } = this;
    if (held >= this.capacity) {
      this.lostRecords.add(this.room, 0, count);
      return;
    }
    if ((held & (NODE_RECORDS - 1)) === 0) this.beginNode(held);
    this.records.add(count);
    this.end += count;
  }

  /** Stores `count` records from word `at`; those that do not fit are counted as lost. */
  append(words: Uint32Array, at: number, count: number): void {
    for (let done = 0; done < count;) {
      const run = this.open(count - done);
      const from = at + done * RECORD_WORDS;
      this.room.set(words.subarray(from, from + run * RECORD_WORDS));
      this.commit(run);
      done += run;
    }
  }

  /** Forgets whole chunks of records before a sequence number (they were written elsewhere): makes room again. */
  release(before: number): void {
    while (this.chunks.length > 0 && this.base + CHUNK_RECORDS <= Math.min(before, this.end)) {
      this.chunks.shift();
      this.records.dropFirst(CHUNK_RECORDS);
      this.base += CHUNK_RECORDS;
    }
  }

  /** Forgets the records from a sequence number on: they did not happen. */
  truncate(to: number): void {
    if (to >= this.end && !this.lostRecords.open) return;
    const sums = new Float64Array(KINDS);
    const cycles = this.before(to, sums);
    this.end = Math.min(to, this.end);
    this.records.cut(this.held);
    this.totals.set(sums);
    this.cyclesTotal[0] = cycles;
    this.chunks.length = Math.ceil(this.held / CHUNK_RECORDS);
    this.lostRecords.truncate(this.end);
  }

  /** A copy of up to `limit` records from sequence number `from` on. */
  slice(from: number, limit: number): RecordSlice {
    const first = Math.min(Math.max(from, this.base), this.end);
    const next = Math.min(this.end, first + Math.max(0, limit));
    const records = new Uint32Array((next - first) * RECORD_WORDS);
    this.records.copy(first - this.base, next - first, records, 0);
    return { records, first, next };
  }

  /** Hands every held record from `from` to `to` (exclusive) to `take` in runs, a chunk each; `take` must not keep `words`. */
  forEachRun(
    from: number,
    to: number,
    take: (words: Uint32Array, at: number, count: number, sequence: number) => void,
  ): void {
    let at = Math.max(from, this.base);
    const end = Math.min(to, this.end);
    const words = new Uint32Array(Math.max(0, Math.min(end - at, CHUNK_RECORDS)) * RECORD_WORDS);
    while (at < end) {
      const run = Math.min(end - at, CHUNK_RECORDS - (at & (CHUNK_RECORDS - 1)));
      this.records.copy(at - this.base, run, words, 0);
      take(words, 0, run, at);
      at += run;
    }
  }

  /** First sequence number whose time is not below `time`; `next` if there is none. */
  lowerBound(time: number, axis: TimeAxis): number {
    // The last node whose first record is before that time: what is looked for lies in it, or begins the next one.
    let low = -1;
    for (let high = Math.ceil(this.held / NODE_RECORDS); high - low > 1;) {
      const middle = (low + high) >> 1;
      if (this.chunks[middle >> CHUNK_NODES_SHIFT]!.times[axis][middle & (CHUNK_NODES - 1)]! < time) low = middle;
      else high = middle;
    }
    if (low < 0) return this.base;
    const timeAt = axis === 'icount' ? icountAt : cyclesAt;
    const words = this.records.read(low << NODE_SHIFT);
    let from = 0;
    let to = Math.min(NODE_RECORDS, this.held - (low << NODE_SHIFT));
    while (from < to) {
      const middle = (from + to) >> 1;
      if (timeAt(words, middle * RECORD_WORDS) < time) from = middle + 1;
      else to = middle;
    }
    return this.base + (low << NODE_SHIFT) + from;
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
  private kindOf(sequence: number): number {
    const index = sequence - this.base;
    return this.records.read(index)[this.records.wordOf(index)]! & (KINDS - 1);
  }

  private addChunk(): Chunk {
    const chunk = {
      before: new Uint32Array(CHUNK_NODES * KINDS),
      cyclesBefore: new Float64Array(CHUNK_NODES),
      times: { icount: new Float64Array(CHUNK_NODES), cycles: new Float64Array(CHUNK_NODES) },
    };
    this.chunks.push(chunk);
    return chunk;
  }

  /** The records of the room are the next to be held, and the first of a node. */
  private beginNode(held: number): void {
    const chunk = (held & (CHUNK_RECORDS - 1)) === 0 ? this.addChunk() : this.chunks[this.chunks.length - 1]!;
    const node = (held & (CHUNK_RECORDS - 1)) >> NODE_SHIFT;
    chunk.before.set(this.totals, node * KINDS);
    chunk.cyclesBefore[node] = this.cyclesTotal[0]!;
    chunk.times.icount[node] = icountAt(this.room, 0);
    chunk.times.cycles[node] = cyclesAt(this.room, 0);
  }

  /** Counts of all kinds before a sequence number into `out`; returns the hypervisor cycles before it. */
  private before(sequence: number, out: Float64Array): number {
    if (sequence >= this.end) {
      out.set(this.totals);
      return this.cyclesTotal[0]!;
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
    for (let sequence = from; sequence < to;) {
      const words = this.records.read(sequence - this.base);
      const run = Math.min(to - sequence, NODE_RECORDS - (sequence & (NODE_RECORDS - 1)));
      let at = this.records.wordOf(sequence - this.base);
      for (const end = at + run * RECORD_WORDS; at < end; at += RECORD_WORDS) {
        const kind = words[at]! & (KINDS - 1);
        if (kind === Kind['vmx.entry']) cycles += operandAt(words, at, 4);
        visit(kind);
      }
      sequence += run;
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
}

const inMask = (mask: EventMask, kind: number): boolean =>
  (((kind < 32 ? mask.low : mask.high) >>> (kind & 31)) & 1) === 1;
