// Joins the debug adapter to the machine's thread: gives it target and symbols of the session at hand, and lets it run in the thread's
// slices. Not the adapter (debugger/dap) and not the thread's own loop (machine-server.ts).

import { DebugAdapter } from '../debugger/dap/adapter.ts';
import type { GuestSymbols } from '../debugger/guest-symbols.ts';
import type { DebuggedGuest, DebuggedMachine, GuestEnd, VmcsField } from '../debugger/machine.ts';
import { positionOfRecord } from '../debugger/reverse.ts';
import type { DebugGuest, DebugTarget, Position } from '../debugger/target.ts';
import type { DebugMessage } from '../protocol/machine.ts';
import type { CodeMap, ProgramInfo } from '../symbols/program.ts';
import type { Session, SessionGuest } from './session.ts';

/** What the thread does for the debugger. */
export interface DebuggedThread {
  readonly session: Session;
  readonly running: boolean;
  send(message: DebugMessage): void;
  wake(): void;
  soon(task: () => void): void;
  changed(): void;
  release(how: 'end' | 'suspend' | 'run'): void;
  restart(): void;
}

/** A guest of whichever session is at hand: after a restart of the new one. */
class HostedGuest implements DebuggedGuest {
  constructor(
    private readonly thread: DebuggedThread,
    private readonly index: number,
  ) {}

  private get guest(): SessionGuest {
    return this.thread.session.guests[this.index]!;
  }
  get target(): DebugGuest {
    return this.thread.session.debug.guests[this.index]!;
  }
  get guestSymbols(): GuestSymbols {
    return this.guest.symbols;
  }
  get symbols(): CodeMap {
    return this.guestSymbols.map;
  }
  get debug(): ProgramInfo {
    return this.guestSymbols.info;
  }
  get image(): string {
    return this.guest.config.image.name;
  }
  vmcs(): readonly VmcsField[] {
    return this.thread.session.vmcs(this.guest.id);
  }
  get end(): GuestEnd | undefined {
    return this.guest.stop;
  }
}

export class DebugHost implements DebuggedMachine {
  readonly guests: readonly DebuggedGuest[];
  private readonly adapter: DebugAdapter;

  constructor(private readonly thread: DebuggedThread) {
    this.guests = thread.session.guests.map((_, index) => new HostedGuest(thread, index));
    this.adapter = new DebugAdapter(this, (message) => thread.send(message as DebugMessage));
  }

  receive(message: DebugMessage): void {
    this.adapter.receive(message);
  }

  // ---- for the thread -----------------------------------------------------------------------------------------------

  /** The debugger has work for the thread. */
  get busy(): boolean {
    return this.adapter.session.running;
  }
  /** It can go on only when input comes. */
  get waiting(): boolean {
    return this.adapter.session.waiting;
  }
  /** The guest goes through its recorded past: it takes no input on the way. */
  get travelling(): boolean {
    return this.adapter.session.travelling;
  }
  /** Some work; at most so much of it in the guest's time. */
  advance(instructions: number, cycles: number): void {
    const { session } = this.adapter;
    session.execution.budget.instructions = instructions;
    session.execution.budget.cycles = cycles;
    session.slice();
  }
  /** Commands of the user's that do not come through the debugger. */
  resume(): void {
    this.adapter.resume();
  }
  pause(): void {
    this.adapter.session.pause();
  }

  // ---- for the debugger ---------------------------------------------------------------------------------------------

  get target(): DebugTarget {
    return this.thread.session.debug;
  }
  moment(sequence: number): Position | undefined {
    const { records, first } = this.thread.session.events(sequence, 1);
    return records.length === 0 || first !== sequence ? undefined : positionOfRecord(records, 0);
  }
  get running(): boolean {
    return this.thread.running;
  }
  wake(): void {
    this.thread.wake();
  }
  soon(task: () => void): void {
    this.thread.soon(task);
  }
  changed(): void {
    this.thread.changed();
  }
  release(how: 'end' | 'suspend' | 'run'): void {
    this.thread.release(how);
  }
  restart(): void {
    this.thread.restart();
  }
}
