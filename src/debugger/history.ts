// The recorded past of a machine: when snapshots are taken, which are given up for want of room, and the way to a moment: from the last snapshot
// before it the machine runs again, with the inputs that it had. Not what a snapshot is (machine/snapshot.ts, workers/snapshots.ts), nor what is
// looked for in the past (reverse.ts).
//
// - Snapshots are no part of the past: the guest does the same with any set of them. So the host's clock may say when to take one.
// - An input belongs to the moment at which it was given: what is typed, and what the debugger writes. In the past it begins a new future: what
//   was recorded behind that moment is dropped. A moment that is come to again is the one behind its inputs.
// - What was observed on the first way is not observed again on later ones: each part that keeps observations knows its place among them.

import { comparePositions } from './position.ts';
import type { DebugStop, History, Position, Work } from './target.ts';

/** The machine as its history has it. */
export interface RecordedMachine<Saved, Input> {
  readonly position: Position & { readonly cycles: number };
  /** The present state under a number that orders it among the others; it grows with time. */
  take(order: number): Saved;
  goTo(order: number, saved: Saved): void;
  forget(order: number): void;
  /** Bytes of host memory that all the states take. */
  readonly bytes: number;
  /** Runs on, to `until` or over so many instructions, whichever is first; the guest may stop before. Points do not stop it. */
  run(until: Position, instructions: number): void;
  /** The same, but ends where a point is met. */
  runToPoint(until: Position, instructions: number): DebugStop;
  /** Gives it an input, at the present moment. */
  give(input: Input): void;
  /** What comes behind the present moment is not what was there before. */
  beginFuture(): void;
  /** The same, where nobody has been told of it. */
  takeBack(): void;
}

export interface HistoryOptions {
  /** Bytes of host memory for snapshots. */
  readonly limit: number;
  /** Milliseconds of the host's clock, for when to take snapshots; left out: `every` says. */
  readonly now?: () => number;
  /** Instructions between snapshots where there is no clock. */
  readonly every?: number;
}

interface Snapshot<Saved> {
  readonly at: Position & { readonly cycles: number };
  readonly saved: Saved;
  /** Inputs given before it. */
  readonly inputs: number;
  /** For the next steps back only: given up first. */
  readonly passing: boolean;
}

/** Milliseconds of running between snapshots: a moment is reached in about as many. A snapshot is to cost a thirtieth of what lies between. */
const SHORTEST = 150;
const LONGEST = 600;
const COST_SHARE = 30;
const DEFAULT_EVERY = 20_000_000;
/** Instructions run at once: so that they take some ten milliseconds. */
const FIRST_SLICE = 250_000;
const SLICE_MS = 15;
/**
 * Before a moment that was travelled to, snapshots at these distances in instructions make further steps back short, where the way is so many times
 * as long: each stretch of a search begins at one, and none runs the way to it again.
 */
const NEAR = [2_000_000, 256_000, 32_000, 4_000] as const;
const NEAR_WAY = 3;
/** Running since the last snapshot, in milliseconds or instructions, after which the user's standing somewhere is worth one. */
const STANDING_MS = 2;
const STANDING_INSTRUCTIONS = 30_000;
/** Instructions that are rehearsed before the guest is put back, and those run at once: few, as each may lead to the hypervisor. */
const REHEARSED = 10_000;
const REHEARSED_AT_ONCE = 200;
/** So that whoever asks meanwhile does not wait. */
const APPROACHED_AT_ONCE = 50_000;
/** So many snapshots for steps back are kept, those nearest to where the user is. */
const MOST_PASSING = 64;

export class RecordedHistory<Saved, Input> implements History {
  limit: number;
  futures = 0;
  private readonly snapshots: Snapshot<Saved>[] = [];
  private readonly inputs: { readonly at: Position & { readonly cycles: number }; readonly input: Input }[] = [];
  /** Inputs that lie before the present moment. */
  private given = 0;
  private end: Position & { readonly cycles: number };
  /** Order of the snapshot that the machine comes from. */
  private base = 0;
  /** Of the one that it will be put back to. */
  private pinned: number | undefined;
  private slice: number;
  private sinceSnapshot = 0;
  /** The same, but passing ones count too. */
  private sinceAny = 0;
  private interval = SHORTEST;

  /** The machine's present moment is the oldest. */
  constructor(
    private readonly machine: RecordedMachine<Saved, Input>,
    private readonly options: HistoryOptions,
  ) {
    this.limit = options.limit;
    this.end = machine.position;
    this.slice = options.now === undefined ? (options.every ?? DEFAULT_EVERY) : FIRST_SLICE;
    this.take(false);
  }

  get oldest(): Position {
    return this.snapshots[0]!.at;
  }
  get newest(): Position {
    const { position } = this.machine;
    return comparePositions(position, this.end) > 0 ? position : this.end;
  }
  get bytes(): number {
    return this.machine.bytes;
  }
  /** Moments with snapshots, ascending. */
  get marks(): readonly Position[] {
    return this.snapshots.filter(({ passing }) => !passing).map(({ at }) => at);
  }

  // ---- recording ----------------------------------------------------------------------------------------------------

  /**
   * Runs the machine by slices of `run` until that says that it is over; the inputs of the past are given where they were. `run` is told how far
   * it may go: so many instructions, and to what moment.
   */
  runThrough(
    run: (instructions: number, until: (Position & { readonly cycles: number }) | undefined) => boolean,
  ): void {
    for (let over = false; !over || this.atInput();) {
      while (this.atInput()) this.giveNext();
      const { position } = this.machine;
      const started = this.options.now?.() ?? 0;
      over = run(this.slice, this.nextInput);
      this.ran(position.instructions, started);
    }
  }
  /** The moment of the next input on the way. */
  get nextInput(): (Position & { readonly cycles: number }) | undefined {
    return this.inputs[this.given]?.at;
  }
  private atInput(): boolean {
    const { nextInput } = this;
    return nextInput !== undefined && comparePositions(this.machine.position, nextInput) >= 0;
  }
  private giveNext(): void {
    this.machine.give(this.inputs[this.given++]!.input);
  }

  /** A slice was run: perhaps it is time for a snapshot. */
  private ran(before: number, started: number): void {
    const { now, every = DEFAULT_EVERY } = this.options;
    const { position } = this.machine;
    if (comparePositions(position, this.end) > 0) this.end = position;
    const last = this.snapshots[this.indexBefore(position)]!;
    if (now === undefined) {
      if (position.instructions - last.at.instructions >= every) this.take(false);
      return;
    }
    // One that was passed counts as if it had just been taken.
    if (last.at.instructions > before) this.sinceSnapshot = this.sinceAny = 0;
    const elapsed = now() - started;
    this.sinceSnapshot += elapsed;
    this.sinceAny += elapsed;
    if (position.instructions - before >= this.slice)
      this.slice = Math.max(10_000, Math.round(this.slice * Math.min(2, SLICE_MS / Math.max(1, elapsed))));
    if (this.sinceSnapshot < this.interval) return;
    const began = now();
    this.take(false);
    this.interval = Math.min(LONGEST, Math.max(SHORTEST, COST_SHARE * (now() - began)));
    this.sinceSnapshot = 0;
  }

  /** An input from outside, now; it is given to the machine. */
  give(input: Input): void {
    this.noteGiven(input);
    this.machine.give(input);
  }
  /** The same, where the machine has it, or will have it at once, by another way. */
  noteGiven(input: Input): void {
    this.beginFuture();
    this.given = this.inputs.push({ at: this.machine.position, input });
  }
  /** What was recorded behind the present moment is dropped: something there is to be changed. */
  private beginFuture(): void {
    const { position } = this.machine;
    if (comparePositions(position, this.end) < 0) {
      while (comparePositions(this.snapshots.at(-1)!.at, position) > 0) this.drop(this.snapshots.length - 1);
      this.end = position;
      this.futures++;
      this.machine.beginFuture();
    }
    this.inputs.length = this.given;
  }

  // ---- snapshots ----------------------------------------------------------------------------------------------------

  /** Index of the last snapshot not behind a moment; the first, where none is. */
  private indexBefore(at: Position): number {
    let index = this.snapshots.length - 1;
    while (index > 0 && comparePositions(this.snapshots[index]!.at, at) > 0) index--;
    return index;
  }
  markBefore(at: Position): Position {
    return this.snapshots[this.indexBefore(at)]!.at;
  }
  stand(): void {
    const { position } = this.machine;
    const way = position.instructions - this.markBefore(position).instructions;
    if (this.options.now === undefined ? way >= STANDING_INSTRUCTIONS : this.sinceAny >= STANDING_MS) this.take(true);
  }
  /** The snapshot of the present moment, which may be of before what was typed here. */
  private get here(): Snapshot<Saved> | undefined {
    const { position } = this.machine;
    const last = this.snapshots[this.indexBefore(position)]!;
    return comparePositions(last.at, position) === 0 ? last : undefined;
  }
  get isFar(): boolean {
    const { instructions } = this.machine.position;
    const before = this.markBefore({ instructions: instructions - 1, events: 0 });
    return instructions - before.instructions >= NEAR_WAY * NEAR.at(-1)!;
  }
  *approach(): Work<void> {
    if (!this.isFar) return;
    const { position } = this.machine;
    this.take(true);
    const { here, sinceSnapshot } = this;
    if (here === undefined) return;
    this.pinned = here.at.cycles;
    try {
      this.putTo(this.snapshots[this.indexBefore({ instructions: position.instructions - 1, events: 0 })]!);
      yield* this.runTo(position, true, APPROACHED_AT_ONCE);
    } finally {
      this.putTo(here);
      while (this.atInput()) this.giveNext();
      this.sinceSnapshot = sinceSnapshot;
      this.pinned = undefined;
    }
  }
  *rehearse(): Work<void> {
    const { position } = this.machine;
    // What lies ahead in the past was run already.
    if (comparePositions(position, this.end) < 0) return;
    this.take(true);
    const { here } = this;
    if (here === undefined) return;
    const end = { instructions: position.instructions + REHEARSED, events: 0 };
    const takeBack = (): void => {
      this.putTo(here);
      while (this.atInput()) this.giveNext();
      this.machine.takeBack();
    };
    try {
      for (let before = -1; ;) {
        this.machine.run(end, REHEARSED_AT_ONCE);
        const { cycles, instructions } = this.machine.position;
        const over = instructions >= end.instructions || cycles === before;
        if (over) takeBack();
        before = over ? -1 : cycles;
        yield {};
      }
    } finally {
      takeBack();
    }
  }
  private take(passing: boolean): void {
    const at = this.machine.position;
    const index = this.snapshots.length === 0 ? -1 : this.indexBefore(at);
    if (index >= 0 && this.snapshots[index]!.at.cycles === at.cycles) return;
    const saved = this.machine.take(at.cycles);
    this.snapshots.splice(index + 1, 0, { at, saved, inputs: this.given, passing });
    this.base = at.cycles;
    this.sinceAny = 0;
    this.thin();
  }
  private drop(index: number): void {
    this.machine.forget(this.snapshots[index]!.at.cycles);
    this.snapshots.splice(index, 1);
  }
  /**
   * Keeps the room that snapshots take below the limit: the one goes whose loss makes the way to a moment longest by the least share of the
   * time since then. So the past is dense near its end and thin at its beginning, and the first snapshot stays.
   */
  private thin(): void {
    const passing = this.snapshots.filter((snapshot) => snapshot.passing && !this.isNeeded(snapshot));
    while (passing.length > MOST_PASSING) {
      const [first, last] = [passing[0]!, passing.at(-1)!];
      const isFirst = this.base - first.at.cycles > last.at.cycles - this.base;
      this.drop(this.snapshots.indexOf((isFirst ? passing.shift() : passing.pop())!));
    }
    while (this.machine.bytes > this.limit) {
      const victim = this.victim();
      if (victim < 0) return;
      this.drop(victim);
    }
  }
  private isNeeded({ at: { cycles } }: Snapshot<Saved>): boolean {
    return cycles === this.base || cycles === this.pinned;
  }
  private victim(): number {
    let best = -1;
    let least = Infinity;
    for (let i = 1; i < this.snapshots.length - 1; i++) {
      const { at, passing } = this.snapshots[i]!;
      if (this.isNeeded(this.snapshots[i]!)) continue;
      const gap = this.snapshots[i + 1]!.at.instructions - this.snapshots[i - 1]!.at.instructions;
      const score = passing ? 0 : gap / (this.end.instructions - at.instructions + gap + 1);
      if (score >= least) continue;
      least = score;
      best = i;
    }
    return best;
  }

  // ---- travelling ---------------------------------------------------------------------------------------------------

  *travel(to: Position): Work<void> {
    const target = this.clamp(to);
    this.start(target);
    yield* this.runTo(target, true);
    // A moment is behind its inputs, as when it was left.
    while (this.atInput()) this.giveNext();
  }
  *replay(from: Position, to: Position, met: (stop: DebugStop, at: Position) => void): Work<void> {
    const target = this.clamp(to);
    yield* this.travel(from);
    const begin = this.machine.position.instructions;
    while (comparePositions(this.machine.position, target) < 0) {
      const { cycles, events } = this.machine.position;
      const stop = this.advance(target, (until, instructions) => this.machine.runToPoint(until, instructions));
      const at = this.machine.position;
      if (stop.kind === 'point') met(stop, at);
      else if (stop.kind === 'ended' || (at.cycles === cycles && at.events === events)) return;
      yield this.progress(begin, target);
    }
  }
  private clamp(to: Position): Position {
    if (comparePositions(to, this.oldest) < 0) return this.oldest;
    return comparePositions(to, this.newest) > 0 ? this.newest : to;
  }
  /** Puts the machine to the last snapshot before a moment, unless it is nearer already. */
  private start(target: Position): void {
    const { position } = this.machine;
    if (comparePositions(position, this.end) > 0) this.end = position;
    const snapshot = this.snapshots[this.indexBefore(target)]!;
    if (comparePositions(position, target) <= 0 && comparePositions(position, snapshot.at) >= 0) return;
    this.putTo(snapshot);
    this.sinceSnapshot = 0;
  }
  private putTo({ at, saved, inputs }: Snapshot<Saved>): void {
    this.machine.goTo(at.cycles, saved);
    this.base = at.cycles;
    this.given = inputs;
    this.sinceAny = 0;
  }
  /** @param near leave snapshots close before the target @param most instructions at once */
  private *runTo(target: Position, near: boolean, most = Infinity): Work<void> {
    const begin = this.machine.position.instructions;
    if (near)
      for (const distance of NEAR) {
        if (target.instructions - begin < NEAR_WAY * distance) continue;
        yield* this.runTo({ instructions: target.instructions - distance, events: 0 }, false, most);
        this.take(true);
      }
    while (comparePositions(this.machine.position, target) < 0) {
      const before = this.machine.position;
      this.advance(target, (until, instructions) => this.machine.run(until, Math.min(most, instructions)));
      // The guest has come to its end, or waits for an input that is not there.
      const { cycles, events } = this.machine.position;
      const stands = cycles === before.cycles && events === before.events;
      if (stands && comparePositions(this.machine.position, target) < 0) return;
      yield this.progress(begin, target);
    }
  }
  /** A slice of the way to a moment, with the inputs that lie on it. */
  private advance<Result>(target: Position, run: (until: Position, instructions: number) => Result): Result {
    while (this.atInput()) this.giveNext();
    const next = this.inputs[this.given];
    const { position } = this.machine;
    const started = this.options.now?.() ?? 0;
    const stop = run(next !== undefined && comparePositions(next.at, target) < 0 ? next.at : target, this.slice);
    this.ran(position.instructions, started);
    return stop;
  }
  private progress(begin: number, target: Position): { readonly done: number } {
    const way = target.instructions - begin;
    return { done: way === 0 ? 1 : Math.min(1, (this.machine.position.instructions - begin) / way) };
  }
}
