// The machine's side of debugging: keeps the contract of debugger/target.ts over a session. Not the guests that run on it (debug-guest.ts), not the
// stop points (machine/cpu/stop-points.ts) and not the past (the session's history).

import { comparePositions, isBehindEvent } from '../debugger/position.ts';
import type { DebugStop, DebugTarget, History, Position, StopPoint, Work } from '../debugger/target.ts';
import type { StopPoints } from '../machine/cpu/stop-points.ts';
import { type Change, DebuggedGuest, type DebuggedParts } from './debug-guest.ts';
import type { Guest } from './guest.ts';
import { type Session, UserError } from './session.ts';

type Runner = Pick<Session, 'run' | 'stop' | 'waiting'>;

export interface TargetParts extends Omit<DebuggedParts, 'alone'> {
  readonly points: StopPoints;
  readonly guests: readonly Guest[];
  readonly runner: Runner;
  readonly history: () => History;
  /** In the past: where something was typed or written next. */
  readonly nextInput: () => Position | undefined;
}

export class MachineTarget implements DebugTarget {
  readonly guests: readonly DebuggedGuest[];
  /** A run is under way that ends exactly where it was asked to. */
  runs = false;
  private wanted: readonly StopPoint[] = [];
  private installed: readonly StopPoint[] = [];

  constructor(private readonly parts: TargetParts) {
    const alone = parts.guests.length === 1;
    this.guests = parts.guests.map((guest) => new DebuggedGuest(guest, { ...parts, alone }));
  }

  get onProcessor(): number {
    const { points, guests } = this.parts;
    return guests.length === 1 ? 0 : guests.findIndex(({ id }) => id === points.domain);
  }
  get position(): Position {
    return this.parts.position();
  }
  get changes(): number {
    return this.parts.changes();
  }
  get history(): History {
    return this.parts.history();
  }

  /** Does again what the debugger did at this moment. */
  repeat(change: Change): void {
    this.guests.find(({ domain }) => domain === change.domain)!.repeat(change);
  }

  /** In force from the next `run` on: a debugger takes its points out and puts them in again at every stop. */
  setPoints(points: readonly StopPoint[]): void {
    this.wanted = [...points];
  }

  run(instructions: number, cycles?: number): DebugStop {
    const { position } = this;
    const end = { instructions: position.instructions + instructions, events: 0 };
    const input = this.parts.nextInput();
    const go = (): void => this.parts.runner.run(instructions, cycles);
    const exact = input !== undefined && isBehindEvent(input, position) && comparePositions(input, end) < 0;
    if (!exact) return this.runTo(end, instructions === 1, go);
    // Behind an event that takes no time: to where that comes, and over it.
    const first = { instructions: input.instructions, events: 0 };
    if (input.instructions > position.instructions) return this.runTo(first, false, go);
    return this.runTo({ instructions: position.instructions + 1, events: 0 }, true, go);
  }

  /** Runs the machine by `go`, to `until` at most or to a point. The count of the session may be ahead by the events that take a cycle of their own: the end is the points' to see. */
  runTo(until: Position, single: boolean, go: () => void): DebugStop {
    const { points, runner } = this.parts;
    if (runner.stop !== undefined) return { kind: 'ended' };
    if (this.installed !== this.wanted) {
      points.replace(this.wanted);
      this.installed = this.wanted;
    }
    points.begin(until, single);
    this.runs = true;
    try {
      go();
    } finally {
      this.runs = false;
    }
    const { halted, ids, detail } = points;
    const met = [...ids];
    points.end();
    if (met.length > 0) {
      const guest = this.onProcessor;
      return { kind: 'point', ids: met, guest, ...(detail === undefined ? {} : { detail }) };
    }
    if (runner.stop !== undefined) return { kind: 'ended' };
    return { kind: runner.waiting && !halted ? 'waiting' : 'limit' };
  }
}

/** The history of a machine whose past is not recorded: there is only the present. */
export class PresentOnly implements History {
  limit = 0;
  readonly bytes = 0;
  readonly futures = 0;

  constructor(private readonly points: Pick<StopPoints, 'position'>) {}

  get oldest(): Position {
    return this.points.position;
  }
  get newest(): Position {
    return this.points.position;
  }
  markBefore(): Position {
    return this.points.position;
  }
  stand(): void {}
  readonly isFar = false;
  *approach(): Work<void> {}
  *rehearse(): Work<void> {}
  travel(to: Position): Work<void> {
    return this.refuse(to);
  }
  replay(from: Position): Work<void> {
    return this.refuse(from);
  }
  private *refuse(to: Position): Work<void> {
    const { instructions, events } = this.points.position;
    if (to.instructions !== instructions || to.events !== events)
      throw new UserError('this machine does not record its past: it cannot go to another moment');
  }
}
