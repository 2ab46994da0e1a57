// Running the guest for the debugger: on to a breakpoint that counts, or to a spot of the debugger's own. Every run is work in slices.
// Not the choice of spots (stepping.ts), not what a breakpoint is (breakpoints.ts).

import type { Breakpoint, BreakpointBook, Judge, Spot } from './breakpoints.ts';
import type { DebugStop, DebugTarget, StopDetail, StopPoint, Work } from './target.ts';

/** How much the next slice may run; the driver sets it before each. */
export interface Budget {
  instructions: number;
  cycles: number;
}

/** A place of the debugger's own where a run ends, once. */
export interface Landing {
  readonly spot: Spot;
  /** Whether this arrival is the one that is waited for; false: goes on. */
  readonly accept: (stop: DebugStop) => boolean;
}

/** What the debugger itself does where the guest comes by. */
export interface Errand {
  readonly spot: Spot;
  readonly met: () => void;
}
/** In which guest: number of its domain; undefined: there is no other. */
export type Spotted<T> = T & { readonly domain: number | undefined };

/** Which of the machine's guests is looked at, and stepped. */
export interface Subjects {
  /** Its place among the guests. */
  readonly index: () => number;
  readonly turnTo: (index: number) => void;
  /** How its breakpoints are judged. */
  readonly judge: () => Judge;
  /** A further guest has ended: is it looked at now, or was it the one that is stepped? */
  readonly isOver: () => boolean;
}

export type Outcome =
  | { readonly kind: 'landed'; readonly landing: Landing; readonly detail: StopDetail | undefined }
  | { readonly kind: 'met'; readonly breakpoints: readonly Breakpoint[]; readonly detail: StopDetail | undefined }
  | { readonly kind: 'ended' };

type Met = DebugStop & { readonly kind: 'point' };
type Stepped = Exclude<Outcome, { readonly kind: 'landed' }> | { readonly kind: 'retired' | 'delivered' };

/** The point at the ends of further guests; the book's numbers begin above. */
const END_ID = 0;
/** Points that are met and passed, before the driver is let in. */
const PASSES = 64;

export class Execution {
  readonly budget: Budget = { instructions: 20_000, cycles: 20_000 };
  /** The guest waits for input from outside: running it again is of no use until some comes. */
  waiting = false;

  constructor(
    private readonly machine: { readonly target: DebugTarget },
    readonly book: BreakpointBook,
    private readonly subjects: Subjects,
    private readonly output: (line: string) => void,
    /** The guest is about to move. */
    private readonly moving: () => void,
    /** It has come somewhere, where conditions are asked: what was known of the place before is old. */
    private readonly arrived: () => void,
    /** Where the debugger itself has something to do when the guest comes there; the guest goes on. */
    private readonly errands: () => readonly Spotted<Errand>[] = () => [],
  ) {}

  get target(): DebugTarget {
    return this.machine.target;
  }

  /** Gives the machine the user's points; for when they change while the guest runs. `extra`: those of the run under way. */
  arm(extra: readonly StopPoint[] = this.extra): void {
    this.extra = extra;
    const ends: readonly StopPoint[] = this.isAlone ? [] : [{ id: END_ID, on: 'domain-end' }];
    this.target.setPoints([...this.book.points, ...extra, ...ends]);
  }
  private extra: readonly StopPoint[] = [];

  private get isAlone(): boolean {
    return this.target.guests.length === 1;
  }
  /** Place of the guest that is looked at. */
  get index(): number {
    return this.subjects.index();
  }
  /** A point of it. */
  own(spot: Spot, id = this.book.nextId()): StopPoint {
    return pointOf(spot, id, this.target.guests[this.index]!.domain);
  }

  /** The machine is left without points: they are in force, and out of it, from a run on. */
  disarm(): void {
    this.target.setPoints([]);
    this.target.run(0);
  }

  /** Runs to the first landing that accepts or the first breakpoint that counts. */
  *run(landings: readonly Landing[] = []): Work<Outcome> {
    const byId = new Map(landings.map((landing) => [this.book.nextId(), landing]));
    const errands = new Map(this.errands().map((errand) => [this.book.nextId(), errand]));
    this.moving();
    this.arm([
      ...[...byId].map(([id, { spot }]) => this.own(spot, id)),
      ...[...errands].map(([id, { spot, domain }]) => pointOf(spot, id, domain)),
    ]);
    try {
      for (let passes = 1; ; passes++) {
        const stop = this.slice();
        this.waiting = stop.kind === 'waiting';
        if (stop.kind === 'ended') return { kind: 'ended' };
        if (stop.kind !== 'point') {
          yield {};
          continue;
        }
        if (this.isOver(stop)) return { kind: 'ended' };
        for (const id of stop.ids) errands.get(id)?.met();
        const breakpoints = this.userStops(stop);
        if (breakpoints.length > 0) return { kind: 'met', breakpoints, detail: stop.detail };
        const landing = stop.ids.map((id) => byId.get(id)).find((found) => found?.accept(stop) === true);
        if (landing !== undefined) return { kind: 'landed', landing, detail: stop.detail };
        if (passes % PASSES === 0) yield {};
      }
    } finally {
      this.arm([]);
    }
  }

  /**
   * One instruction of the guest that is looked at. `delivered`: an interrupt or an exception was, instead; the guest is at the first instruction of
   * the handler. While another guest has the processor, that one runs: until this one gets it.
   */
  *step(): Work<Stepped> {
    const { target, subjects } = this;
    this.moving();
    const [interrupt, exception] = [this.book.nextId(), this.book.nextId()];
    this.arm([
      this.own({ on: 'interrupt' }, interrupt),
      this.own({ on: 'exception' }, exception),
      ...(this.isAlone ? [] : [this.own({ on: 'switch-in' })]),
    ]);
    try {
      for (const index = subjects.index(); ;) {
        const before = target.guests[index]!.ran;
        const stop = target.onProcessor === index ? target.run(1) : this.slice();
        this.waiting = stop.kind === 'waiting';
        if (stop.kind === 'ended') return { kind: 'ended' };
        if (stop.kind === 'point') {
          if (this.isOver(stop)) return { kind: 'ended' };
          const breakpoints = this.userStops(stop);
          if (breakpoints.length > 0) return { kind: 'met', breakpoints, detail: stop.detail };
          if (stop.ids.includes(interrupt) || stop.ids.includes(exception)) return { kind: 'delivered' };
        }
        if (this.isAlone || this.waiting || target.guests[index]!.ran !== before) return { kind: 'retired' };
        yield {};
      }
    } finally {
      this.arm([]);
    }
  }
  private slice(): DebugStop {
    return this.target.run(this.budget.instructions, this.budget.cycles);
  }
  private isOver(stop: Met): boolean {
    return stop.ids.includes(END_ID) && this.subjects.isOver();
  }

  /** The breakpoints that would have stopped the guest, in the past: nothing is counted and nothing said. */
  pastStops(stop: Met): readonly Breakpoint[] {
    return this.judged(stop, (judge) => this.book.stopsAt(stop, judge));
  }

  private userStops(stop: Met): readonly Breakpoint[] {
    return this.judged(stop, (judge) => {
      const { stops, output } = this.book.judge(stop, judge);
      for (const line of output) this.output(line);
      return stops;
    });
  }
  /** The guest that met something is looked at: from then on, if it is to stop. */
  private judged(stop: Met, ask: (judge: Judge) => readonly Breakpoint[]): readonly Breakpoint[] {
    const { subjects } = this;
    const before = subjects.index();
    subjects.turnTo(stop.guest);
    this.arrived();
    const stops = ask(subjects.judge());
    if (stops.length === 0) subjects.turnTo(before);
    return stops;
  }
}

const pointOf = (spot: Spot, id: number, domain: number | undefined): StopPoint =>
  ({ ...spot, id, ...(domain === undefined ? {} : { domain }) }) as StopPoint;

export const at = (address: number): Spot => ({ on: 'execute', address });
