// The machine's side of debugging: keeps the contract of debugger/target.ts over a session. Not the stop points (machine/cpu/stop-points.ts),
// not the registers' table (debugger/registers.ts) and not the past (the session's history).

import { comparePositions, isBehindEvent } from '../debugger/position.ts';
import { registerNamed } from '../debugger/registers.ts';
import type { DebugStop, DebugTarget, DebugVcpu, History, Position, StopPoint, Work } from '../debugger/target.ts';
import type { StopPoints } from '../machine/cpu/stop-points.ts';
import type { Guest } from './guest.ts';
import { type Session, UserError } from './session.ts';

type Runner = Pick<Session, 'run' | 'stop' | 'waiting'>;

/** What the debugger changes, so that it can be done again where the past is run again. */
export type Change =
  | { readonly kind: 'linear' | 'physical'; readonly address: number; readonly bytes: Uint8Array }
  | { readonly kind: 'register'; readonly name: string; readonly value: number | Uint8Array };

class Vcpu implements DebugVcpu {
  constructor(
    readonly id: number,
    private readonly prefix: string,
    private readonly guest: Pick<Guest, 'registers' | 'examine'>,
    private readonly changed: (change: Change) => void,
  ) {}

  get name(): string {
    return `${this.prefix} ring ${(this.read('ss_access') >>> 5) & 3}`;
  }
  read(name: string): number {
    const register = registerNamed(name);
    const { guest } = this;
    return register === undefined ? 0 : guest.examine(() => guest.registers.read(register));
  }
  write(name: string, value: number): boolean {
    const register = registerNamed(name);
    const { guest } = this;
    if (register === undefined || !guest.examine(() => guest.registers.write(register, value))) return false;
    this.changed({ kind: 'register', name, value });
    return true;
  }
  readWide(name: string): Uint8Array {
    const register = registerNamed(name);
    const { guest } = this;
    return (register && guest.examine(() => guest.registers.readWide(register))) ?? new Uint8Array(0);
  }
  writeWide(name: string, value: Uint8Array): boolean {
    const register = registerNamed(name);
    const { guest } = this;
    if (register === undefined || !guest.examine(() => guest.registers.writeWide(register, value))) return false;
    this.changed({ kind: 'register', name, value: value.slice() });
    return true;
  }
}

export interface TargetParts {
  readonly points: StopPoints;
  /** The guest that is debugged. */
  readonly guest: Pick<Guest, 'memory' | 'registers' | 'examine'>;
  readonly runner: Runner;
  /** "d0v0". */
  readonly vcpuName: string;
  readonly position: () => Position;
  /** Counts changes, and what else changes the guest without running it. */
  readonly changes: () => number;
  readonly history: () => History;
  /** In the past: where something was typed or written next. */
  readonly nextInput: () => Position | undefined;
  /** The debugger changes the guest: what was recorded behind this moment is not its future any more. */
  readonly changed: (change: Change) => void;
}

export class MachineTarget implements DebugTarget {
  readonly vcpus: readonly DebugVcpu[];
  /** A run is under way that ends exactly where it was asked to. */
  runs = false;
  private wanted: readonly StopPoint[] = [];
  private installed: readonly StopPoint[] = [];

  constructor(private readonly parts: TargetParts) {
    this.vcpus = [new Vcpu(0, parts.vcpuName, parts.guest, parts.changed)];
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

  readMemory(linear: number, into: Uint8Array): number {
    return this.parts.guest.memory.readLinear(linear, into);
  }
  writeMemory(linear: number, bytes: Uint8Array): number {
    this.parts.changed({ kind: 'linear', address: linear, bytes: bytes.slice() });
    return this.parts.guest.memory.writeLinear(linear, bytes);
  }
  translate(linear: number): number | undefined {
    return this.parts.guest.memory.translate(linear);
  }
  readPhysical(physical: number, into: Uint8Array): number {
    return this.parts.guest.memory.readPhysical(physical, into);
  }
  writePhysical(physical: number, bytes: Uint8Array): number {
    this.parts.changed({ kind: 'physical', address: physical, bytes: bytes.slice() });
    return this.parts.guest.memory.writePhysical(physical, bytes);
  }
  /** Does again what was done at this moment. */
  repeat(change: Change): void {
    const { guest } = this.parts;
    const { memory, registers } = guest;
    switch (change.kind) {
      case 'linear':
        memory.writeLinear(change.address, change.bytes);
        return;
      case 'physical':
        memory.writePhysical(change.address, change.bytes);
        return;
      case 'register': {
        const register = registerNamed(change.name)!;
        const { value } = change;
        if (typeof value === 'number') guest.examine(() => registers.write(register, value));
        else guest.examine(() => registers.writeWide(register, value));
      }
    }
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
    if (met.length > 0) return { kind: 'point', ids: met, ...(detail === undefined ? {} : { detail }) };
    if (runner.stop !== undefined) return { kind: 'ended' };
    return { kind: runner.waiting && !halted ? 'waiting' : 'limit' };
  }
}

/** The history of a machine whose past is not recorded: there is only the present. */
export class PresentOnly implements History {
  limit = 0;
  readonly bytes = 0;

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
