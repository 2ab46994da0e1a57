// A session as its history has it: snapshots, runs that end at an exact moment, and the inputs from outside. Not when snapshots are taken and not
// the way to a moment (debugger/history.ts).

import type { RecordedMachine } from '../debugger/history.ts';
import type { DebugStop, Position } from '../debugger/target.ts';
import type { StopPoints } from '../machine/cpu/stop-points.ts';
import type { SessionSaved, Snapshots } from './snapshots.ts';

/** What comes from outside. */
export interface Input {
  readonly serial: Uint8Array;
}

export interface RecordedParts {
  readonly points: StopPoints;
  readonly snapshots: Snapshots;
  readonly position: () => Position & { readonly cycles: number };
  /** Runs without regard to recorded inputs. */
  readonly runOn: (instructions: number, cycles: number) => void;
  /** The same, up to a point of the debugger's that is met. */
  readonly runToPoint: (until: Position, go: () => void) => DebugStop;
  readonly give: (input: Input) => void;
  readonly beginFuture: () => void;
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

  run(until: Position, instructions: number): void {
    const { points, runOn } = this.parts;
    const way = this.wayTo(until, instructions);
    points.begin(way.end, false, true);
    runOn(way.instructions, way.cycles);
    points.end();
  }
  runToPoint(until: Position, instructions: number): DebugStop {
    const way = this.wayTo(until, instructions);
    return this.parts.runToPoint(way.end, () => this.parts.runOn(way.instructions, way.cycles));
  }

  /**
   * The end of the next run on the way: a boundary between instructions, exact; or, where only the guest's waiting lies between, a cycle. An event
   * that an instruction raises comes when that is begun, at the cycle itself.
   */
  private wayTo(until: Position, most: number): Way {
    const at = this.position;
    const instructions = until.instructions - at.instructions;
    const cycles = until.cycles === undefined ? LONG : Math.max(1, until.cycles - at.cycles);
    if (instructions > most)
      return { end: { instructions: at.instructions + most, events: 0 }, instructions: most, cycles };
    if (instructions === 0 && until.events <= at.events)
      return { end: { instructions: Infinity, events: 0 }, instructions: most, cycles };
    return { end: until, instructions: Math.max(1, instructions), cycles: cycles + 1 };
  }
}

interface Way {
  readonly end: Position;
  readonly instructions: number;
  readonly cycles: number;
}
