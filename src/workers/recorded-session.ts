// A session as its history has it: snapshots, runs that end at an exact moment, and the inputs from outside. Not when snapshots are taken and not
// the way to a moment (debugger/history.ts).

import type { RecordedMachine } from '../debugger/history.ts';
import type { DebugStop, Position } from '../debugger/target.ts';
import type { StopPoints } from '../machine/cpu/stop-points.ts';
import type { Change } from './debug-guest.ts';
import type { SessionSaved, Snapshots } from './snapshots.ts';

/** What comes from outside: what is typed (on a domain's serial line; left out: the first one's), and what the debugger changes. */
export type Input = { readonly serial: Uint8Array; readonly domain?: number } | { readonly change: Change };

export interface RecordedParts {
  readonly points: StopPoints;
  readonly snapshots: Snapshots;
  readonly position: () => Position & { readonly cycles: number };
  /** Runs without regard to recorded inputs. */
  readonly runOn: (instructions: number, cycles: number) => void;
  /** The same, up to a point of the debugger's that is met. */
  readonly runToPoint: (until: Position, single: boolean, go: () => void) => DebugStop;
  readonly give: (input: Input) => void;
  readonly beginFuture: () => void;
  readonly takeBack: () => void;
}

/** Cycles that a run without an end in time may take: a guest that waits is not waited for. */
const LONG = 10_000_000_000;

export class RecordedSession implements RecordedMachine<SessionSaved, Input> {
  constructor(private readonly parts: RecordedParts) {}

  get position(): Position & { readonly cycles: number } {
    return this.parts.position();
  }
  get bytes(): number {
    return this.parts.snapshots.bytes;
  }
  take(order: number): SessionSaved {
    return this.parts.snapshots.take(order);
  }
  goTo(order: number, saved: SessionSaved): void {
    this.parts.snapshots.goTo(order, saved);
  }
  forget(order: number): void {
    this.parts.snapshots.forget(order);
  }
  give(input: Input): void {
    this.parts.give(input);
  }
  beginFuture(): void {
    this.parts.beginFuture();
  }
  takeBack(): void {
    this.parts.takeBack();
  }

  run(until: Position, instructions: number): void {
    const { points, runOn } = this.parts;
    const way = this.wayTo(until, instructions);
    points.begin(way.end, way.single, true);
    runOn(way.instructions, way.cycles);
    points.end();
  }
  runToPoint(until: Position, instructions: number): DebugStop {
    const way = this.wayTo(until, instructions);
    return this.parts.runToPoint(way.end, way.single, () => this.parts.runOn(way.instructions, way.cycles));
  }

  /**
   * The end of the next run on the way: a boundary between instructions, exact; or, where only the guest's waiting lies between, a cycle. To an
   * event it goes by itself: an instruction that raises one has to be begun, so that it must not be the first that is too many.
   */
  private wayTo(until: Position, most: number): Way {
    const at = this.position;
    const instructions = until.instructions - at.instructions;
    const cycles = until.cycles === undefined ? LONG : Math.max(1, until.cycles - at.cycles);
    const single = false;
    if (instructions > most)
      return { end: { instructions: at.instructions + most, events: 0 }, single, instructions: most, cycles };
    if (instructions > 0)
      return { end: { instructions: until.instructions, events: 0 }, single, instructions, cycles: cycles + 1 };
    if (until.events > at.events)
      return {
        end: { instructions: at.instructions + 1, events: 0 },
        single: true,
        instructions: 1,
        cycles: cycles + 1,
      };
    return { end: { instructions: Infinity, events: 0 }, single, instructions: most, cycles };
  }
}

interface Way {
  readonly end: Position;
  /** Over one event. */
  readonly single: boolean;
  readonly instructions: number;
  readonly cycles: number;
}
