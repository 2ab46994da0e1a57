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

export type Outcome =
  | { readonly kind: 'landed'; readonly landing: Landing; readonly detail: StopDetail | undefined }
  | { readonly kind: 'met'; readonly breakpoints: readonly Breakpoint[]; readonly detail: StopDetail | undefined }
  | { readonly kind: 'ended' };

/** Points that are met and passed, before the driver is let in. */
const PASSES = 64;

export class Execution {
  readonly budget: Budget = { instructions: 20_000, cycles: 20_000 };
  /** The guest waits for input from outside: running it again is of no use until some comes. */
  waiting = false;

  constructor(
    private readonly machine: { readonly target: DebugTarget },
    readonly book: BreakpointBook,
    private readonly judge: Judge,
    private readonly output: (line: string) => void,
    /** The guest is about to move. */
    private readonly moving: () => void,
    /** It has come somewhere, where conditions are asked: what was known of the place before is old. */
    private readonly arrived: () => void,
    /** Where the debugger itself has something to do when the guest comes there; the guest goes on. */
    private readonly errand: () => Errand | undefined = () => undefined,
  ) {}

  get target(): DebugTarget {
    return this.machine.target;
  }

  /** Gives the machine the user's points; for when they change while the guest runs. `extra`: those of the run under way. */
  arm(extra: readonly StopPoint[] = this.extra): void {
    this.extra = extra;
    this.target.setPoints([...this.book.points, ...extra]);
  }
  private extra: readonly StopPoint[] = [];

  /** The machine is left without points: they are in force, and out of it, from a run on. */
  disarm(): void {
    this.target.setPoints([]);
    this.target.run(0);
  }

  /** Runs to the first landing that accepts or the first breakpoint that counts. */
  *run(landings: readonly Landing[] = []): Work<Outcome> {
    const byId = new Map(landings.map((landing) => [this.book.nextId(), landing]));
    const errand = this.errand();
    const errandId = errand === undefined ? -1 : this.book.nextId();
    this.moving();
    this.arm([
      ...[...byId].map(([id, { spot }]) => ({ ...spot, id }) as StopPoint),
      ...(errand === undefined ? [] : [{ ...errand.spot, id: errandId } as StopPoint]),
    ]);
    try {
      for (let passes = 1; ; passes++) {
        const stop = this.target.run(this.budget.instructions, this.budget.cycles);
        this.waiting = stop.kind === 'waiting';
        if (stop.kind === 'ended') return { kind: 'ended' };
        if (stop.kind !== 'point') {
          yield {};
          continue;
        }
        if (stop.ids.includes(errandId)) errand?.met();
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

  /** One instruction. `delivered`: an interrupt or an exception was, instead; the guest is at the first instruction of the handler. */
  step(): Exclude<Outcome, { readonly kind: 'landed' }> | { readonly kind: 'retired' | 'delivered' } {
    this.moving();
    const [interrupt, exception] = [this.book.nextId(), this.book.nextId()];
    this.arm([
      { id: interrupt, on: 'interrupt' },
      { id: exception, on: 'exception' },
    ]);
    try {
      const stop = this.target.run(1);
      this.waiting = stop.kind === 'waiting';
      if (stop.kind === 'ended') return { kind: 'ended' };
      if (stop.kind !== 'point') return { kind: 'retired' };
      const breakpoints = this.userStops(stop);
      if (breakpoints.length > 0) return { kind: 'met', breakpoints, detail: stop.detail };
      return { kind: stop.ids.includes(interrupt) || stop.ids.includes(exception) ? 'delivered' : 'retired' };
    } finally {
      this.arm([]);
    }
  }

  /** The breakpoints that would have stopped the guest, in the past: nothing is counted and nothing said. */
  pastStops(stop: DebugStop & { readonly kind: 'point' }): readonly Breakpoint[] {
    this.arrived();
    return this.book.stopsAt(stop, this.judge);
  }

  private userStops(stop: DebugStop & { readonly kind: 'point' }): readonly Breakpoint[] {
    this.arrived();
    const { stops, output } = this.book.judge(stop, this.judge);
    for (const line of output) this.output(line);
    return stops;
  }
}

export const at = (address: number): Spot => ({ on: 'execute', address });
