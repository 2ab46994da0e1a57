// What the debugger gets from the thread that has the machine: the machine as a target, the symbols, and how to be driven. Types
// only; workers/debug-host.ts keeps it.

import type { CodeMap, ProgramInfo } from '../symbols/program.ts';
import type { GuestSymbols } from './guest-symbols.ts';
import type { DebugGuest, DebugTarget, Position } from './target.ts';

/** Why the guest cannot go on. */
export interface GuestEnd {
  /** A kind of workers/session.ts. */
  readonly kind: string;
  readonly message: string;
  readonly details: readonly string[];
  readonly exitStatus?: number;
}

/** A field of the VMCS, decoded. */
export interface VmcsField {
  readonly name: string;
  /** What part of the VMCS it is in. */
  readonly group: string;
  readonly low: number;
  readonly high: number;
  readonly width: 16 | 32 | 64;
  readonly decoded: string;
}

/** One guest of the machine. */
export interface DebuggedGuest {
  readonly target: DebugGuest;
  /** What addresses are called, and where that comes from: `symbols` and `debug` are its answers of the moment. */
  readonly guestSymbols: GuestSymbols;
  readonly symbols: CodeMap;
  readonly debug: ProgramInfo;
  /** Name of its kernel's file. */
  readonly image: string;
  /** Empty: there is no hypervisor. */
  vmcs(): readonly VmcsField[];
  /** Undefined: it can go on. */
  readonly end: GuestEnd | undefined;
}

export interface DebuggedMachine {
  readonly target: DebugTarget;
  /** As in the target; there are as many after a restart, and their parts are new then. */
  readonly guests: readonly DebuggedGuest[];
  /** When a recorded event happened, by its number in the stream; undefined: it is not kept. */
  moment(sequence: number): Position | undefined;
  /** Whether the guests run at this moment without the debugger having sent them: at attaching. */
  readonly running: boolean;
  /** There is work: `DebugSession.slice` is to be called until there is none. */
  wake(): void;
  /** Calls a task in a moment, when other messages have been read. */
  soon(task: () => void): void;
  /** The guests stand still, or moved in time: panels look again. */
  changed(): void;
  /** The debugger goes. */
  release(how: 'end' | 'suspend' | 'run'): void;
  /** The same machine from the start; `target` is new then. */
  restart(): void;
}
