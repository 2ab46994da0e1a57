// What the debugger gets from the thread that has the machine: the machine as a target, the symbols, and how to be driven. Types
// only; workers/debug-host.ts keeps it.

import type { AddressMap } from '../symbols/address-map.ts';
import type { DebugInfo } from '../symbols/debug-info.ts';
import type { DebugTarget } from './target.ts';

/** Why the guest cannot go on. */
export interface GuestEnd {
  /** A kind of workers/session.ts. */
  readonly kind: string;
  readonly message: string;
  readonly details: readonly string[];
  readonly exitStatus?: number;
}

export interface DebuggedMachine {
  readonly target: DebugTarget;
  readonly symbols: AddressMap;
  /** Functions, types, variables, callers; undefined for an image without an ELF file. */
  readonly debug: DebugInfo | undefined;
  readonly image: string;
  readonly end: GuestEnd | undefined;
  /** Whether the guest runs at this moment without the debugger having sent it: at attaching. */
  readonly running: boolean;
  /** There is work: `DebugSession.slice` is to be called until there is none. */
  wake(): void;
  /** The guest stands still, or moved in time: panels look again. */
  changed(): void;
  /** The debugger goes. */
  release(how: 'end' | 'suspend' | 'run'): void;
  /** The same machine from the start; `target` and `symbols` are new then. */
  restart(): void;
}
