// What a debugger may do with a machine that runs: look, change, run to a stop, travel in time. Types only; the machine's side is
// workers/debug-target.ts, the debugger's side are the adapter (debugger/dap) and the remote stub (debugger/gdb). Nothing here
// knows source lines: that is symbols/. Conditions, hit counts and log messages are the debugger's own, above this contract.

import type { Position, StopDetail, StopPoint } from '../machine/stop-point.ts';

export type { Position, StopDetail, StopPoint } from '../machine/stop-point.ts';

/** Why the machine stands still. `ids`: every point that was met. */
export type DebugStop =
  | {
      readonly kind: 'point';
      readonly ids: readonly number[];
      readonly detail?: StopDetail;
      /** Which had the processor: its place among the target's guests. */
      readonly guest: number;
    }
  /** The instructions that were asked for have retired. */
  | { readonly kind: 'limit' }
  /** The guest waits for input from outside. */
  | { readonly kind: 'waiting' }
  /** The machine cannot go on: power off, triple fault, reset. The session's `stop` says why. */
  | { readonly kind: 'ended' };

/** A virtual processor: a thread to the debugger. Every guest has one. */
export interface DebugVcpu {
  /** The telling part first: "d0v0 ring 0". */
  readonly name: string;
  /** A register of debugger/registers.ts of at most 32 bits. */
  read(register: string): number;
  /** False: the value is not one that the register can hold, or the register cannot be written. */
  write(register: string, value: number): boolean;
  /** ST0 to ST7 (10 bytes) and XMM0 to XMM7 (16 bytes), little endian. */
  readWide(register: string): Uint8Array;
  writeWide(register: string, value: Uint8Array): boolean;
}

/**
 * One guest of the machine, on the processor or off it. Reading and writing have no effects of their own: no accessed bits, no faults, no device
 * is touched, the guest's clock stands still.
 */
export interface DebugGuest {
  /** Number of its domain, for stop points; undefined: it is the machine's only guest. */
  readonly domain: number | undefined;
  readonly vcpu: DebugVcpu;
  /** The machine's. */
  readonly position: Position;
  /** Counts what has changed a guest without running it: the debugger's writes, and putting the machine to another moment. */
  readonly changes: number;
  /** Cycles for which its vCPU had the processor: grows by each instruction and each delivery of its own. */
  readonly ran: number;

  /** Copies guest memory by the guest's own page tables; returns how many bytes from the start are mapped. */
  readMemory(linear: number, into: Uint8Array): number;
  /** The same for writing; code that is changed is decoded anew. Writing begins a new future: what was recorded behind it is dropped. */
  writeMemory(linear: number, bytes: Uint8Array): number;
  /** Physical address behind a linear one, or undefined. */
  translate(linear: number): number | undefined;
  readPhysical(physical: number, into: Uint8Array): number;
  writePhysical(physical: number, bytes: Uint8Array): number;
}

/** The machine as a debugger has it: guests that run and stand still together. */
export interface DebugTarget {
  /** The first is the one that the session ends with. */
  readonly guests: readonly DebugGuest[];
  /** Whose vCPU the processor has, or had last: a place in `guests`. */
  readonly onProcessor: number;
  readonly position: Position;
  /** As a guest's. */
  readonly changes: number;

  /** Replaces all stop points. They cost nothing until they are met. */
  setPoints(points: readonly StopPoint[]): void;
  /**
   * Runs up to `instructions` more instructions, of whichever guests (and `cycles` of virtual time). The points at the instruction it starts
   * with do not stop it again; one instruction is a single step, which goes into the handler of what it raises.
   */
  run(instructions: number, cycles?: number): DebugStop;

  readonly history: History;
}

/**
 * Work that takes long: it yields between slices, so that its driver can show progress, and listen; `return()` cancels it and leaves the
 * machine at a boundary where it can go on.
 */
export type Work<T> = Generator<Progress, T, void>;
export interface Progress {
  /** 0 to 1; undefined: unknown. */
  readonly done?: number;
}

/** The recorded past: snapshots and the inputs between them. Running again from a snapshot gives the same states, bit for bit. */
export interface History {
  /** The oldest moment that can be reached. */
  readonly oldest: Position;
  /** The newest that was: behind it the guest has not been. */
  readonly newest: Position;
  /** Bytes of host memory for snapshots; older ones are thinned to stay below. */
  limit: number;
  /** Bytes held now. */
  readonly bytes: number;
  /** Counts how often the past behind a moment was given up for another future. */
  readonly futures: number;
  /** The last moment not behind `at` that is reached without running. */
  markBefore(at: Position): Position;
  /** The user looks at the present moment: steps back from here are to be short. */
  stand(): void;
  /** From the present moment a step back would run a long way again. */
  readonly isFar: boolean;
  /** Runs that way ahead of it, so that steps back are short then. Ended by `return`, as `rehearse` is. */
  approach(): Work<void>;
  /**
   * Runs the guest's next instructions and takes them back, again and again, so that the host compiles what the next steps will run. Ended by
   * `return`; the guest is as if nothing had been run, and nothing of it is told to anybody.
   */
  rehearse(): Work<void>;
  /** Puts the machine to a moment between `oldest` and `newest`. Stop points do not stop it on the way. */
  travel(to: Position): Work<void>;
  /** As `travel`, but tells every point that is met on the way from where the machine is put first (`from`); for searching the past. */
  replay(from: Position, to: Position, met: (stop: DebugStop, at: Position) => void): Work<void>;
}
