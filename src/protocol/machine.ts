// The messages between the extension and the machine's thread. Types only; every message is plain data that structured clone carries.
// The extension asks and commands (ToMachine); the thread reports (FromMachine). Not the messages of the pages (pages.ts).

import type { EventRow, Lane, TimelineExtent, TimelineWindow } from './timeline.ts';
import type { BootConfig, Counters, DomainView, SourceLocation, Stop, VmcsFieldView } from './views.ts';

export type RunState = 'running' | 'paused' | 'stopped';

/** Sent four times a second while the guest runs, and at every change. */
export interface MachineStatus {
  readonly state: RunState;
  readonly instructions: number;
  readonly virtualSeconds: number;
  /** Guest instructions a second of wall time, over the last second; 0 unless running. */
  readonly speed: number;
  /** The guest waits for time to pass: virtual time is ahead of the wall clock. */
  readonly idle: boolean;
  readonly exits: number;
  readonly extent: TimelineExtent;
}

export interface VmStateView {
  readonly domains: readonly DomainView[];
  readonly counters: Counters;
  /** Where register values point to, for those that point to known code or data. */
  readonly locations: Readonly<Record<number, SourceLocation>>;
}

export interface VmcsView {
  readonly fields: readonly VmcsFieldView[];
  readonly locations: Readonly<Record<number, SourceLocation>>;
}

/** Panels that want pushed data while they are visible. */
export type LiveView = 'vmState' | 'vmcs';

/** Exits by source line since the boot, for lenses and hovers. */
export interface LineActivity {
  readonly file: string;
  readonly line: number;
  readonly function?: string;
  /** First line of the function, if it begins in this file. */
  readonly functionLine?: number;
  readonly exits: number;
  readonly reasons: readonly { readonly name: string; readonly count: number }[];
}

export interface GuestLog {
  /** "Linux 6.1.0"; undefined: what system the guest is, is not known. */
  readonly system: string | undefined;
  readonly lines: readonly { readonly seconds: number; readonly level: number; readonly text: string }[];
}

/** What can be asked: the question's shape and its answer's, by name. */
export interface Questions {
  /** `domain` here and below: left out, the first one. */
  readonly locate: {
    readonly ask: { readonly address: number; readonly domain?: number | undefined };
    readonly answer: SourceLocation;
  };
  readonly lookup: { readonly ask: { readonly symbol: string }; readonly answer: number | undefined };
  /** The kernel's own log, read from its memory. */
  readonly guestLog: { readonly ask: { readonly domain?: number | undefined }; readonly answer: GuestLog };
  readonly window: {
    readonly ask: { readonly t0: number; readonly t1: number; readonly pixels: number };
    readonly answer: TimelineWindow;
  };
  readonly rows: {
    readonly ask: { readonly from: number; readonly count: number };
    readonly answer: readonly EventRow[];
  };
  /** The event of a lane before (-1) or after (1) a sequence number; of any lane if none is given. */
  readonly find: {
    readonly ask: { readonly lane?: number; readonly from: number; readonly direction: 1 | -1 };
    readonly answer: EventRow | undefined;
  };
  readonly trace: { readonly ask: Record<never, never>; readonly answer: Uint8Array<ArrayBuffer> };
}
export type QuestionName = keyof Questions;
export type Question = { readonly [N in QuestionName]: { readonly name: N } & Questions[N]['ask'] }[QuestionName];

/** A message of the Debug Adapter Protocol, as it is: the machine's thread answers it, the extension passes it on. */
export interface DebugMessage {
  readonly seq: number;
  readonly type: string;
  readonly command?: string;
}

export type ToMachine =
  | { readonly type: 'boot'; readonly config: BootConfig; readonly paused: boolean }
  | { readonly type: 'run' }
  | { readonly type: 'pause' }
  /** Typed on a domain's serial line; left out: the first one's. */
  | { readonly type: 'serial'; readonly bytes: Uint8Array; readonly domain?: number | undefined }
  | { readonly type: 'watch'; readonly views: readonly LiveView[] }
  | { readonly type: 'ask'; readonly id: number; readonly question: Question }
  | { readonly type: 'debug'; readonly message: DebugMessage };

export type FromMachine =
  | { readonly type: 'booted'; readonly lanes: readonly Lane[]; readonly cyclesPerSecond: number }
  /** The boot failed. `user`: the message is a clear sentence for the user; else it is a defect of ours and `detail` has its stack. */
  | { readonly type: 'refused'; readonly user: boolean; readonly message: string; readonly detail: string }
  /** The engine threw: a defect of ours. The guest is stopped. */
  | { readonly type: 'broken'; readonly message: string; readonly detail: string }
  | { readonly type: 'serial'; readonly bytes: Uint8Array<ArrayBuffer>; readonly domain?: number | undefined }
  | { readonly type: 'status'; readonly status: MachineStatus }
  | { readonly type: 'stopped'; readonly stop: Stop; readonly location: SourceLocation | undefined }
  /** A further domain has ended; the others go on. */
  | { readonly type: 'domainStopped'; readonly domain: number; readonly stop: Stop }
  | { readonly type: 'vmState'; readonly view: VmStateView }
  | { readonly type: 'vmcs'; readonly view: VmcsView }
  | { readonly type: 'debug'; readonly message: DebugMessage }
  | { readonly type: 'activity'; readonly lines: readonly LineActivity[] }
  | { readonly type: 'answer'; readonly id: number; readonly answer: unknown }
  | { readonly type: 'failure'; readonly id: number; readonly message: string };
