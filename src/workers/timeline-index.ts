// A summary of the record stream for the timeline: three columns (time, lane, part of the mode bar) and, every 1,024 records,
// how many events of each lane came before. A window of any width costs by its pixels, not by its events.
// Not the records themselves: those stay in the session, and their text is made on demand (event-text.ts).

import { RunState } from '../hypervisor/observer.ts';
import { Kind } from '../monitor/events.ts';
import { cyclesAt, kindAt, operandAt, RECORD_WORDS } from '../monitor/record.ts';
import { DETAIL_EVENTS, NO_LANE, type TimelineExtent, type TimelineWindow } from '../protocol/timeline.ts';
import { LANE_CODES, laneOf } from './lanes.ts';

const CHUNK = 0x1_0000;
const NODE = 1024;

/** What a record does to the mode bar: who has the processor from then on; 0 if it changes nothing. */
const Who = { NOBODY_NEW: 0, GUEST: 1, HYPERVISOR: 2, BLOCKED: 3 } as const;

const whoAt = (words: Uint32Array, at: number): number => {
  switch (kindAt(words, at)) {
    case Kind['vmx.exit']:
      return Who.HYPERVISOR;
    case Kind['vmx.entry']:
      return Who.GUEST;
    case Kind['sched.runstate']:
      return operandAt(words, at, 1) === RunState.BLOCKED
        ? Who.BLOCKED
        : operandAt(words, at, 0) === RunState.BLOCKED
          ? Who.HYPERVISOR
          : Who.NOBODY_NEW;
    default:
      return Who.NOBODY_NEW;
  }
};

/** Who has had the processor since when, and how long the hypervisor and nobody had it before: the mode bar at one moment. */
class ModeClock {
  constructor(
    private who: number = Who.GUEST,
    private since = 0,
    private hypervisor = 0,
    private blocked = 0,
  ) {}

  copy(): ModeClock {
    return new ModeClock(this.who, this.since, this.hypervisor, this.blocked);
  }

  turn(who: number, time: number): void {
    if (who === Who.NOBODY_NEW || who === this.who) return;
    this.hypervisor = this.hypervisorBefore(time);
    this.blocked = this.blockedBefore(time);
    this.who = who;
    this.since = time;
  }

  hypervisorBefore(time: number): number {
    return this.hypervisor + (this.who === Who.HYPERVISOR ? Math.max(0, time - this.since) : 0);
  }
  blockedBefore(time: number): number {
    return this.blocked + (this.who === Who.BLOCKED ? Math.max(0, time - this.since) : 0);
  }
  get present(): number {
    return this.who;
  }
  get start(): number {
    return this.since;
  }
}

interface Chunk {
  readonly cycles: Float64Array<ArrayBuffer>;
  readonly lanes: Uint8Array<ArrayBuffer>;
  readonly turns: Uint8Array<ArrayBuffer>;
}

/** At a node's first record: events of each lane before it, and the mode bar. */
interface Node {
  readonly before: Uint32Array<ArrayBuffer>;
  readonly mode: ModeClock;
}

export class TimelineIndex {
  private readonly chunks: Chunk[] = [];
  private readonly nodes: Node[] = [];
  private readonly totals = new Uint32Array(LANE_CODES);
  private readonly mode = new ModeClock();
  private length = 0;
  /** Sequence number of the first record: those before it were released before anybody looked. */
  private base = 0;
  lost = 0;

  get next(): number {
    return this.base + this.length;
  }

  get extent(): TimelineExtent {
    return {
      start: this.length === 0 ? 0 : this.cyclesOf(0),
      end: this.length === 0 ? 0 : this.cyclesOf(this.length - 1),
      records: this.length,
      lost: this.lost,
    };
  }

  /** Takes the records of a batch whose first has sequence number `first`. */
  append(words: Uint32Array, first: number): void {
    if (this.length === 0) this.base = first;
    for (let at = 0; at < words.length; at += RECORD_WORDS) {
      const index = this.length;
      if (index % NODE === 0) {
        this.nodes.push({ before: this.totals.slice(), mode: this.mode.copy() });
      }
      if (index % CHUNK === 0) {
        this.chunks.push({
          cycles: new Float64Array(CHUNK),
          lanes: new Uint8Array(CHUNK),
          turns: new Uint8Array(CHUNK),
        });
      }
      const chunk = this.chunks[this.chunks.length - 1]!;
      const slot = index % CHUNK;
      const cycles = cyclesAt(words, at);
      const lane = laneOf(words, at);
      const who = whoAt(words, at);
      chunk.cycles[slot] = cycles;
      chunk.lanes[slot] = lane;
      chunk.turns[slot] = who;
      if (lane !== NO_LANE) this.totals[lane]!++;
      this.mode.turn(who, cycles);
      this.length++;
    }
  }

  /** What happened in [t0, t1), in `pixels` equal parts. */
  window(t0: number, t1: number, pixels: number): TimelineWindow {
    const lanes: number[] = [];
    for (let lane = 0; lane < LANE_CODES; lane++) if (this.totals[lane]! > 0) lanes.push(lane);
    const counts = new Uint32Array(lanes.length * pixels);
    const hypervisor = new Float32Array(pixels).fill(-1);
    const blocked = new Float32Array(pixels);
    const rowOf = new Int16Array(LANE_CODES).fill(-1);
    lanes.forEach((lane, row) => (rowOf[lane] = row));

    const { start, end } = this.extent;
    const width = (t1 - t0) / pixels;
    const first = this.lowerBound(t0);
    let from = first;
    let mode = this.modeAt(first, t0);
    for (let pixel = 0; pixel < pixels; pixel++) {
      const time = pixel === pixels - 1 ? t1 : t0 + width * (pixel + 1);
      const to = this.lowerBound(time);
      this.count(from, to, rowOf, counts, pixels, pixel);
      const last = this.modeAt(to, time);
      if (this.length > 0 && time > start && time - width <= end) {
        hypervisor[pixel] = Math.min(1, Math.max(0, (last.hypervisor - mode.hypervisor) / width));
        blocked[pixel] = Math.min(1, Math.max(0, (last.blocked - mode.blocked) / width));
      }
      from = to;
      mode = last;
    }

    const detail = from - first <= DETAIL_EVENTS ? this.detail(first, from, t0, t1) : {};
    return {
      t0,
      t1,
      pixels,
      lanes,
      totals: lanes.map((lane) => this.totals[lane]!),
      counts,
      hypervisor,
      blocked,
      first: this.base + first,
      next: this.base + from,
      extent: this.extent,
      ...detail,
    };
  }

  /** Sequence number of the next event of a lane (any lane if undefined) before or after `sequence`; undefined if there is none. */
  find(lane: number | undefined, sequence: number, direction: 1 | -1): number | undefined {
    let index = Math.min(Math.max(sequence - this.base, -1), this.length) + direction;
    while (index >= 0 && index < this.length) {
      // Whole nodes without this lane are passed over.
      if (lane !== undefined && index % NODE === (direction > 0 ? 0 : NODE - 1)) {
        const node = Math.floor(index / NODE);
        const behind = this.nodes[node + 1]?.before[lane] ?? this.totals[lane]!;
        if (behind === this.nodes[node]!.before[lane]!) {
          index += direction * NODE;
          continue;
        }
      }
      const found = this.laneAt(index);
      if (lane === undefined ? found !== NO_LANE : found === lane) return this.base + index;
      index += direction;
    }
    return undefined;
  }

  private cyclesOf(index: number): number {
    return this.chunks[Math.floor(index / CHUNK)]!.cycles[index % CHUNK]!;
  }

  private laneAt(index: number): number {
    return this.chunks[Math.floor(index / CHUNK)]!.lanes[index % CHUNK]!;
  }

  /** First index whose time is not below `time`. */
  private lowerBound(time: number): number {
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.cyclesOf(middle) < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The mode bar just before the record `index`. */
  private clockAt(index: number): ModeClock {
    const node = Math.min(Math.floor(index / NODE), this.nodes.length - 1);
    const mode = this.nodes[node]!.mode.copy();
    for (let i = node * NODE; i < index; i++) {
      const chunk = this.chunks[Math.floor(i / CHUNK)]!;
      const who = chunk.turns[i % CHUNK]!;
      if (who !== Who.NOBODY_NEW) mode.turn(who, chunk.cycles[i % CHUNK]!);
    }
    return mode;
  }

  /** Cycles that the hypervisor and nobody had before `time`. @param index first record not before `time` */
  private modeAt(index: number, time: number): { readonly hypervisor: number; readonly blocked: number } {
    if (this.length === 0) return { hypervisor: 0, blocked: 0 };
    const clock = this.clockAt(index);
    const until = Math.min(time, this.extent.end);
    return { hypervisor: clock.hypervisorBefore(until), blocked: clock.blockedBefore(until) };
  }

  private count(from: number, to: number, rowOf: Int16Array, counts: Uint32Array, pixels: number, pixel: number): void {
    const firstNode = Math.ceil(from / NODE);
    const lastNode = Math.floor(to / NODE);
    if (lastNode <= firstNode) {
      this.scan(from, to, rowOf, counts, pixels, pixel);
      return;
    }
    this.scan(from, firstNode * NODE, rowOf, counts, pixels, pixel);
    const a = this.nodes[firstNode]!.before;
    const b = this.nodes[lastNode]?.before ?? this.totals;
    for (let lane = 0; lane < LANE_CODES; lane++) {
      const row = rowOf[lane]!;
      if (row >= 0) counts[row * pixels + pixel]! += b[lane]! - a[lane]!;
    }
    this.scan(lastNode * NODE, to, rowOf, counts, pixels, pixel);
  }

  private scan(from: number, to: number, rowOf: Int16Array, counts: Uint32Array, pixels: number, pixel: number): void {
    for (let index = from; index < to; index++) {
      const lane = this.laneAt(index);
      if (lane !== NO_LANE) counts[rowOf[lane]! * pixels + pixel]!++;
    }
  }

  private detail(
    first: number,
    next: number,
    t0: number,
    t1: number,
  ): Pick<TimelineWindow, 'events' | 'stays' | 'blocks'> {
    const picked: number[] = [];
    const parts: Readonly<Record<number, number[]>> = { [Who.HYPERVISOR]: [], [Who.BLOCKED]: [] };
    const mode = this.length === 0 ? new ModeClock() : this.clockAt(first);
    const close = (time: number): void => {
      const from = Math.max(mode.start, t0);
      if (time > from) parts[mode.present]?.push(from, time);
    };
    for (let index = first; index < next; index++) {
      const chunk = this.chunks[Math.floor(index / CHUNK)]!;
      if (chunk.lanes[index % CHUNK] !== NO_LANE) picked.push(index);
      const who = chunk.turns[index % CHUNK]!;
      if (who === Who.NOBODY_NEW || who === mode.present) continue;
      close(chunk.cycles[index % CHUNK]!);
      mode.turn(who, chunk.cycles[index % CHUNK]!);
    }
    close(Math.min(t1, this.extent.end));
    return {
      events: {
        cycles: Float64Array.from(picked, (index) => this.cyclesOf(index)),
        sequences: Float64Array.from(picked, (index) => this.base + index),
        lanes: Uint8Array.from(picked, (index) => this.laneAt(index)),
      },
      stays: Float64Array.from(parts[Who.HYPERVISOR]!),
      blocks: Float64Array.from(parts[Who.BLOCKED]!),
    };
  }
}
