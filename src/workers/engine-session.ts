// A running machine: joins memory, processor, hypervisor, monitor and symbols and keeps the Session contract (session.ts). The one
// place where the layers meet. Not a thread (machine-worker.ts) and not a terminal (cli/).
// Longer than other files: every part of a session is made here and has its few lines.

import type { GuestSymbols } from '../debugger/guest-symbols.ts';
import type { FileAccess } from '../debugger/os/module-files.ts';
import { RecordedHistory } from '../debugger/history.ts';
import { isBehindEvent } from '../debugger/position.ts';
import type { DebugTarget, History } from '../debugger/target.ts';
import { type Hypervisor, machineBytesFor } from '../hypervisor/hypervisor.ts';
import { RunStopReason } from '../hypervisor/observer.ts';
import { type Clock, CYCLES_PER_SECOND } from '../machine/clock.ts';
import { CPU_MODELS } from '../machine/cpu/model.ts';
import type { Persistent } from '../machine/snapshot.ts';
import type { Position } from '../machine/stop-point.ts';
import type { EventMask } from '../monitor/events.ts';
import { type ObservationPoint, Recorder, type RecorderOptions } from '../monitor/recorder.ts';
import type { SourceLocation } from '../symbols/location.ts';
import type { SymbolFile } from '../symbols/symbol-file.ts';
import { loadBareMachine } from './bare-machine.ts';
import {
  checkMemory,
  type FurtherGuest,
  layOut,
  layOutDomains,
  loadSymbols,
  observeMask,
  type Start,
  withoutFiles,
} from './boot-config.ts';
import { MachineTarget, PresentOnly } from './debug-target.ts';
import { Guest } from './guest.ts';
import { createGuestDomains } from './guest-domain.ts';
import { stopOfBare, stopOfDomain } from './guest-stops.ts';
import { EnginePoint } from './observation-point.ts';
import { PhysicalMachine } from './physical-machine.ts';
import type {
  BootConfig,
  Counters,
  DomainView,
  EventBatch,
  Session,
  SessionConfig,
  Stop,
  VmcsFieldView,
} from './session.ts';
import { UserError } from './session.ts';
import { type Input, RecordedSession } from './recorded-session.ts';
import { SessionViews } from './session-views.ts';
import { type SessionSaved, Snapshots } from './snapshots.ts';
import { unpack } from './unpack.ts';
import { VmcsHistory } from './vmcs-history.ts';

/** How the recorder is made: tests put in one that disturbs the guest's clock, to see that the state hashes find it. */
export type MakeRecorder = (point: ObservationPoint, options: RecorderOptions, guestClock: Clock) => Recorder;
const DEFAULT_RECORDER: MakeRecorder = (point, options) => new Recorder(point, options);

/**
 * Builds the machine and loads the guest; nothing has run yet. Throws UserError for the user's mistakes.
 * @param files for `moduleSymbols`; left out: there is no file system here
 */
export const createSession = (
  config: BootConfig,
  makeRecorder: MakeRecorder = DEFAULT_RECORDER,
  files?: FileAccess,
): Session => {
  checkMemory(config.memoryBytes);
  const mask = observeMask(config.observe);
  const image = unpack(config.image.name, config.image.bytes);
  const start = layOut(config, image);
  const symbols = loadSymbols(config, image);
  const others = layOutDomains(config);
  try {
    return new EngineSession(config, start, symbols, others, mask, makeRecorder, files);
  } catch (error) {
    if (error instanceof RangeError)
      throw new UserError(`no memory on this host for a guest of ${config.memoryBytes >> 20} MiB: ask for less`);
    throw error;
  }
};

interface OwnState {
  readonly waiting: boolean;
  readonly hashed: number;
  readonly position: Position;
}

class EngineSession implements Session {
  waiting = false;
  readonly stateHashes: string[] = [];
  /** How many of them lie before the present moment. */
  private hashed = 0;
  private future = 0;
  /** Guests that were seen to end: only their change counts. */
  private ends = 0;
  /** By the debugger, or by loading a state. */
  private changes = 0;
  readonly snapshots: Snapshots;
  private readonly history: RecordedHistory<SessionSaved, Input> | undefined;
  private readonly recorded: RecordedSession | undefined;
  private readonly presentOnly: History;
  private readonly machine: PhysicalMachine;
  /** The first is the session's own: it ends with it. */
  readonly guests: readonly Guest[];
  private readonly main: Guest;
  private readonly hypervisor: Hypervisor | undefined;
  private readonly point: EnginePoint;
  private readonly recorder: Recorder;
  private readonly vmcsHistory: VmcsHistory;
  private readonly views: SessionViews;
  private readonly target: MachineTarget;
  readonly config: SessionConfig;

  constructor(
    config: BootConfig,
    start: Start,
    symbolFile: SymbolFile,
    others: readonly FurtherGuest[],
    mask: EventMask,
    makeRecorder: MakeRecorder,
    files: FileAccess | undefined,
  ) {
    const { domains = [], ...own } = config;
    const { bare, memoryBytes } = config;
    this.config = withoutFiles(own);
    const bytes = bare ? memoryBytes : machineBytesFor([memoryBytes, ...domains.map((domain) => domain.memoryBytes)]);
    const machine = new PhysicalMachine(bytes, CPU_MODELS[config.cpu], 'rom' in start ? start.rom : undefined);
    this.machine = machine;
    machine.cpu.tiers = config.tiers ?? 'adaptive';
    const kernel = 'kernel' in start ? start.kernel : undefined;
    const ended = (guest: Guest, stop: Stop): void => this.finish(guest, stop);
    const shared = { machine, bare, files, ended };
    const id = config.domainId ?? 0;
    this.main = new Guest({ ...shared, config: own, id, symbolFile, kernel });
    this.guests = [this.main, ...others.map((other) => new Guest({ ...shared, id: other.config.id, ...other }))];
    this.vmcsHistory = new VmcsHistory(machine.vmxUnit);
    this.point = new EnginePoint(machine, id);
    this.recorder = makeRecorder(this.point, { mask }, machine.clock);
    if (bare) {
      // Without a kernel the processor stays where RESET has put it: in the ROM.
      if (kernel !== undefined) loadBareMachine(machine, kernel);
      machine.cpu.interrupts = this.main.platform.interrupts;
      machine.cpu.errorPins = this.main.platform.errorPins;
    } else {
      const { recorder, point, vmcsHistory } = this;
      const kernels = others.map((other) => other.kernel);
      const parts = { config, machine, recorder, point, vmcsHistory };
      this.hypervisor = createGuestDomains(parts, this.guests, [kernel!, ...kernels]);
    }
    for (const [i, guest] of this.guests.entries())
      guest.begin(() => this.target.guests[i]!, this.hypervisor, this.hypervisor?.domains[i]);
    this.snapshots = this.makeSnapshots();
    this.presentOnly = new PresentOnly(machine.points);
    machine.points.surroundings.peek = (linear, into) =>
      this.guests[this.target.onProcessor]!.memory.readLinear(linear, into);
    const target = (this.target = new MachineTarget({
      points: machine.points,
      guests: this.guests,
      runner: this,
      position: () => this.position(),
      now: () => machine.clock.now,
      history: () => this.history ?? this.presentOnly,
      nextInput: () => this.history?.nextInput,
      changes: () => this.changes,
      changed: (change) => {
        this.changes++;
        this.history?.noteGiven({ change });
      },
    }));
    const { hypervisor, guests, recorder, vmcsHistory } = this;
    const instructions = (): number => this.instructions;
    this.views = new SessionViews({
      config: this.config,
      machine,
      hypervisor,
      guests,
      recorder,
      vmcsHistory,
      instructions,
    });
    if (config.record === undefined) return;
    this.recorded = new RecordedSession({
      points: machine.points,
      snapshots: this.snapshots,
      position: () => this.position(),
      runOn: (count, cycles) => this.runOn(count, cycles),
      runToPoint: (until, single, go) => target.runTo(until, single, go),
      give: (input) => this.give(input),
      beginFuture: () => this.beginFuture(),
      takeBack: () => this.takeBack(),
    });
    // Snapshots are no part of what the guest does: the host's clock may say when to take one.
    const now = config.record.every === undefined ? { now: () => performance.now() } : {};
    this.history = new RecordedHistory(this.recorded, { ...config.record, ...now });
  }

  private makeSnapshots(): Snapshots {
    const { machine, guests, hypervisor, recorder } = this;
    const others: Persistent<unknown>[] = [this.ownState, ...guests, this.vmcsHistory];
    return new Snapshots({ machine, guests, hypervisor, recorder, others });
  }
  /** What is kept here. */
  private readonly ownState: Persistent<OwnState> = {
    saveState: () => ({
      waiting: this.waiting,
      hashed: this.hashed,
      position: this.machine.points.position,
    }),
    loadState: ({ waiting, hashed, position }) => {
      this.changes++;
      this.machine.points.position = position;
      this.waiting = waiting;
      this.hashed = hashed;
    },
  };

  /** Undefined while the session's own guest can go on. */
  get stop(): Stop | undefined {
    return this.main.stop;
  }
  get symbols(): GuestSymbols {
    return this.main.symbols;
  }

  // ---- running ------------------------------------------------------------------------------------------------------

  private get instructions(): number {
    return this.hypervisor === undefined
      ? this.machine.processor.retired
      : this.machine.clock.now - this.hypervisor.idleCycles;
  }

  private position(): Position & { readonly cycles: number } {
    return { ...this.machine.points.position, cycles: this.machine.clock.now };
  }

  run(instructions: number, cycles = instructions + IDLE_LIMIT): void {
    this.vmcsHistory.slice();
    const { history, machine } = this;
    if (history === undefined) {
      this.runOn(instructions, cycles);
      return;
    }
    const end = this.instructions + instructions;
    const endOfTime = machine.clock.now + cycles;
    this.waiting = false;
    history.runThrough((slice, until) => {
      const exact = until !== undefined && isBehindEvent(until, this.position());
      const most = Math.min(slice, end - this.instructions);
      // The debugger's run ends exactly there by itself.
      if (exact && !this.target.runs) this.recorded!.run(until, most);
      else {
        const cycle = until === undefined ? Infinity : until.cycles + Number(exact);
        this.runOn(most, Math.min(cycle, endOfTime) - machine.clock.now);
      }
      const over = this.stop !== undefined || this.waiting || machine.points.halted;
      return over || this.instructions >= end || machine.clock.now >= endOfTime;
    });
  }
  /** Without regard to inputs of the past. */
  private runOn(instructions: number, cycles: number): void {
    const end = this.instructions + instructions;
    const endOfTime = this.machine.clock.now + cycles;
    const every = this.config.stateHashEvery;
    while (this.stop === undefined && this.instructions < end && this.machine.clock.now < endOfTime) {
      const nextHash = every > 0 ? (this.hashed + 1) * every : Infinity;
      const before = this.machine.clock.now;
      const ends = this.ends;
      this.runSome(Math.min(end, nextHash) - this.instructions, endOfTime - this.machine.clock.now);
      if (this.machine.points.halted) return;
      if (this.instructions >= nextHash) {
        this.takeHash();
        continue;
      }
      // The hypervisor comes back at once where a further domain has ended: the others go on.
      if (this.stop === undefined && this.machine.clock.now === before && ends === this.ends) {
        this.waiting = true;
        return;
      }
    }
  }

  private takeHash(): void {
    // A moment that was there before has its hash already.
    const hash = (this.stateHashes[this.hashed++] ??= this.stateHash());
    const word = (at: number): number => parseInt(hash.slice(8 * at, 8 * at + 8), 16);
    this.recorder.runHash(word(0), word(1), word(2), word(3));
  }

  private runSome(instructions: number, cycles: number): void {
    if (this.hypervisor === undefined) {
      this.runBare(instructions, cycles);
      return;
    }
    this.hypervisor.run(instructions, cycles);
    for (const guest of this.guests) {
      const stopped = guest.domain!.stopped;
      if (stopped === undefined || guest.stop !== undefined) continue;
      this.finish(guest, stopOfDomain(this.machine, guest.names, stopped));
    }
  }

  private finish(guest: Guest, stop: Stop): void {
    if (guest.stop !== undefined) return;
    guest.stop = stop;
    this.ends++;
    if (guest === this.main) {
      this.recorder.runStop(RunStopReason.GUEST_STOPPED);
      this.machine.processor.stopRequested = true;
    } else this.machine.points.domainEnded(guest.id);
    // What the user is told is the session's own reason.
    guest.domain?.stop({ kind: 'external', message: stop.kind, details: [] });
  }
  private guest(domain: number | undefined): Guest {
    const guest = domain === undefined ? this.main : this.guests.find(({ id }) => id === domain);
    if (guest === undefined) throw new UserError(`there is no domain ${domain}`);
    return guest;
  }
  typeSerial(bytes: Uint8Array, domain?: number): void {
    if (bytes.length === 0) return;
    const input = { serial: bytes.slice(), ...(domain === undefined ? {} : { domain }) };
    if (this.history === undefined) this.give(input);
    else this.history.give(input);
  }
  private give(input: Input): void {
    if ('change' in input) {
      this.changes++;
      this.target.repeat(input.change);
      return;
    }
    const { serial, domain } = input;
    this.waiting = false;
    this.recorder.runInput(0, serial.length, serial[0]!);
    this.guest(domain).typeSerial(serial);
  }
  /** What was sent, hashed and observed behind the present moment is of a future that will not be. */
  private beginFuture(): void {
    this.takeBack();
    this.future++;
  }
  private takeBack(): void {
    this.stateHashes.length = Math.min(this.stateHashes.length, this.hashed);
    for (const guest of this.guests) guest.beginFuture();
    this.recorder.beginFuture();
  }
  takeSerial(domain?: number): Uint8Array {
    return this.guest(domain).serial.take();
  }
  takeDebugConsole(domain?: number): Uint8Array {
    return this.guest(domain).debugConsole.take();
  }

  // ---- the bare machine ---------------------------------------------------------------------------------------------

  private runBare(instructions: number, cycles: number): void {
    const { processor, clock, points } = this.machine;
    // A debugger's end is exact: idle time needs no steps of one cycle.
    const exact = points.limit - processor.retired <= instructions;
    processor.run(clock.now + (exact ? cycles : Math.min(instructions, cycles)));
    if (this.stop !== undefined || points.halted) return;
    const stop = stopOfBare(this.machine, () => this.main.names);
    if (stop !== undefined) this.finish(this.main, stop);
  }

  get debug(): DebugTarget {
    return this.target;
  }

  // ---- views (session-views.ts) ---------------------------------------------------------------------------------------

  domains(): readonly DomainView[] {
    return this.views.domains();
  }
  vmcs(domain?: number): readonly VmcsFieldView[] {
    return this.views.vmcs(this.guest(domain));
  }
  counters(): Counters {
    return this.views.counters();
  }
  vgaText(domain?: number): string {
    return this.guest(domain).platform.vgaText();
  }
  locate(address: number, domain?: number): SourceLocation {
    return this.guest(domain).names.locate(address);
  }
  lookup(symbol: string): number | undefined {
    return this.views.lookup(symbol);
  }
  trace(): Uint8Array {
    return this.views.trace();
  }
  stateHash(): string {
    return this.views.stateHash();
  }

  // ---- observations -------------------------------------------------------------------------------------------------

  events(from: number, limit: number): EventBatch {
    const { records, first, next } = this.recorder.records(from, limit);
    return { records, first, next, future: this.future };
  }
}

/** Cycles an idle guest may skip in one call of `run`. */
const IDLE_LIMIT = 10 * CYCLES_PER_SECOND;
