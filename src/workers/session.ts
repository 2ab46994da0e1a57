// The contract between the engine and those who drive it (the worker, the command line): one running machine.
// Types only. The class that keeps it is workers/engine-session.ts, the one place that joins machine, hypervisor, monitor and symbols.

import type { GuestSymbols } from '../debugger/guest-symbols.ts';
import type { DebugTarget } from '../debugger/target.ts';
import type { Tiers } from '../machine/cpu/cpu.ts';
import type { SourceLocation } from '../symbols/location.ts';

export type { SourceLocation } from '../symbols/location.ts';

/** A mistake of the user's: one clear sentence that names the file or option, the reason and, where there is one, the remedy. */
export class UserError extends Error {
  override readonly name = 'UserError';
}

export interface NamedBytes {
  /** Path or URI as the user knows it: messages name it. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** What a guest consists of. */
export interface GuestConfig {
  /** The kernel, or the firmware. */
  readonly image: NamedBytes;
  readonly cmdline: string;
  readonly initrd?: NamedBytes;
  readonly modules: readonly (NamedBytes & { readonly cmdline: string })[];
  /** Symbols and line table; the image itself if it is an ELF and none is given. */
  readonly symbols?: NamedBytes;
  /** Folders and files with the debug data of modules that the kernel loads (.ko); read when they are needed. */
  readonly moduleSymbols?: readonly string[];
  /** Guest memory in bytes, a multiple of 4096. */
  readonly memoryBytes: number;
}

/** The largest number of a domain. */
export const MOST_DOMAIN = 255;

/** A further domain. */
export interface DomainConfig extends GuestConfig {
  /** 0-255, no other's; 0 may use the control interfaces (observe_op). */
  readonly id: number;
  /** Left out: the image's. */
  readonly name?: string;
  /** Its part of the processor among the others', 1-65535 (256 if left out), and the most it gets in percent (hypervisor/scheduler.ts). */
  readonly weight?: number;
  readonly cap?: number;
}

export interface BootConfig extends GuestConfig {
  /** The image is firmware: a ROM that the processor starts in. Only on the bare machine; what is for a kernel is not looked at. */
  readonly firmware?: boolean;
  readonly cpu: 'core-duo' | 'modern';
  /** True: no hypervisor, the kernel owns the machine. */
  readonly bare: boolean;
  /** Number of the guest's domain, 0-255; 0, the default, may use the control interfaces (observe_op). */
  readonly domainId?: number;
  /** Further domains, which share the processor with the first. The session ends with the first one. */
  readonly domains?: readonly DomainConfig[];
  /** Event kinds recorded: 'all', 'none' or names of monitor/events.ts. */
  readonly observe: 'all' | 'none' | readonly string[];
  /** Guest instructions between two entries of `stateHashes`; 0: none. */
  readonly stateHashEvery: number;
  /** `adaptive` if left out. */
  readonly tiers?: Tiers;
  /**
   * The past is recorded: any moment of it can be reached. `limit`: bytes of host memory for snapshots. `every`: instructions between them; left
   * out: as often as makes every moment near.
   */
  readonly record?: { readonly limit: number; readonly every?: number };
}

/** What is known of a guest when it has begun. The files' bytes are in its memory: who wants to start it again keeps them. */
export type WithoutFiles<Config extends GuestConfig> = Omit<Config, 'image' | 'initrd' | 'modules' | 'symbols'> & {
  readonly image: Pick<NamedBytes, 'name'>;
  readonly symbols?: Pick<NamedBytes, 'name'>;
};
export type SessionConfig = Omit<WithoutFiles<BootConfig>, 'domains'>;

export type StopKind =
  /** Port 0xf4 was written: `exitStatus` is (value << 1) | 1. */
  | 'debug-exit'
  /** Halted with interrupts off and nothing that could wake it, or powered off. */
  | 'power-off'
  /** The guest asked for a reset (keyboard controller, port 92h or CF9h). */
  | 'reset'
  | 'triple-fault'
  | 'vm-entry-failure'
  /** The engine cannot go on (an exit it does not handle): says what and where. */
  | 'unsupported';

export interface Stop {
  readonly kind: StopKind;
  readonly exitStatus?: number;
  /** EIP of the guest where it stopped: of the first exception of a triple fault, else of the instruction that ended it. */
  readonly address?: number;
  /** One sentence for a person, with symbol and source line where known. */
  readonly message: string;
  /** Lines of detail: the exception chain of a triple fault, the failed check of a VM entry. */
  readonly details: readonly string[];
}

export interface SegmentView {
  readonly name: string;
  readonly selector: number;
  readonly base: number;
  readonly limit: number;
  readonly access: number;
}

/** Registers of one vCPU. All numbers unsigned 32-bit. */
export interface RegistersView {
  readonly general: Readonly<Record<'eax' | 'ecx' | 'edx' | 'ebx' | 'esp' | 'ebp' | 'esi' | 'edi', number>>;
  readonly eip: number;
  readonly eflags: number;
  readonly cr0: number;
  readonly cr2: number;
  readonly cr3: number;
  readonly cr4: number;
  readonly segments: readonly SegmentView[];
  readonly gdtr: { readonly base: number; readonly limit: number };
  readonly idtr: { readonly base: number; readonly limit: number };
}

export interface VcpuView {
  readonly id: number;
  /** Cycles of physical time in which it ran, waited for the processor, and waited for an interrupt. Undefined: the bare machine. */
  readonly spent?: { readonly running: number; readonly runnable: number; readonly blocked: number };
  /** "protected, paging, CPL 0", "real", "halted" ... from closed sets, see guest-view.ts. */
  readonly mode: string;
  readonly runState: 'running' | 'runnable' | 'blocked' | 'paused' | 'shutdown';
  readonly registers: RegistersView;
}

export interface DomainView {
  readonly id: number;
  readonly name: string;
  readonly memoryBytes: number;
  /** Its part of the processor among the other domains'. Undefined: the bare machine. */
  readonly weight?: number;
  /** Why it ended. */
  readonly stop?: Stop;
  readonly vcpus: readonly VcpuView[];
}

/** One VMCS field as shown: raw value, decoded text, and whether it changed between the last two VM exits. */
export interface VmcsFieldView {
  readonly name: string;
  /** SDM encoding. */
  readonly encoding: number;
  readonly group: string;
  /** Low and high 32 bits: 64-bit values do not cross JSON as BigInt. */
  readonly low: number;
  readonly high: number;
  readonly width: 16 | 32 | 64;
  readonly decoded: string;
  readonly changed: boolean;
}

export interface ExitCount {
  readonly reason: number;
  readonly name: string;
  readonly count: number;
  readonly cycles: number;
}

export interface Counters {
  readonly instructions: number;
  readonly virtualSeconds: number;
  readonly exits: readonly ExitCount[];
  readonly events: { readonly recorded: number; readonly lost: number; readonly bytes: number };
  readonly shadow: Readonly<Record<string, number>>;
  readonly interrupts: Readonly<Record<string, number>>;
}

/** Records since a sequence number, packed as monitor/record.ts says; `next` is the sequence number to ask for next. */
export interface EventBatch {
  readonly records: Uint32Array<ArrayBuffer>;
  readonly first: number;
  readonly next: number;
  /** Counts how often the past was changed: with another number than before, records given out then need not be what they were. */
  readonly future: number;
}

/** One of the guests that run in a session. */
export interface SessionGuest {
  /** Number of its domain. */
  readonly id: number;
  readonly config: WithoutFiles<GuestConfig>;
  readonly symbols: GuestSymbols;
  /** Undefined while it can go on. */
  readonly stop: Stop | undefined;
}

export interface Session {
  readonly config: SessionConfig;
  /** The machine as a debugger has it. */
  readonly debug: DebugTarget;
  /** In the order of `debug.guests`; the session is over when the first one is. */
  readonly guests: readonly SessionGuest[];
  /** What the first guest's addresses are called. */
  readonly symbols: GuestSymbols;
  /** Undefined while the guest can go on. */
  readonly stop: Stop | undefined;
  /** Runs up to `instructions` more guest instructions, or `cycles` of virtual time (idle time counts there); returns early when the guest stops. Deterministic however it is sliced. */
  run(instructions: number, cycles?: number): void;
  /** The guest waits for an interrupt that no timer will bring: only input from outside can move it. */
  readonly waiting: boolean;
  /** Bytes typed on a domain's serial line (left out: the first one's), delivered from the present instruction on. */
  typeSerial(bytes: Uint8Array, domain?: number): void;
  /** Serial output of a domain since the last call. */
  takeSerial(domain?: number): Uint8Array;
  /** What firmware wrote to the debug console since the last call. */
  takeDebugConsole(domain?: number): Uint8Array;
  /** 80x25 text of the VGA screen, lines joined by \n, trailing blanks removed. */
  vgaText(domain?: number): string;
  domains(): readonly DomainView[];
  /** Of a domain; left out: of the first. */
  vmcs(domain?: number): readonly VmcsFieldView[];
  counters(): Counters;
  stateHash(): string;
  readonly stateHashes: readonly string[];
  /** By the symbols of a domain; left out: of the first. */
  locate(address: number, domain?: number): SourceLocation;
  /** Address of a symbol's start, or undefined. */
  lookup(symbol: string): number | undefined;
  events(from: number, limit: number): EventBatch;
  /** The whole trace as a file (monitor/trace-file.ts). */
  trace(): Uint8Array;
}
