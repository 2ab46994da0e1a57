// A running machine: joins memory, processor, hypervisor, monitor and symbols and keeps the Session contract (session.ts). The one
// place where the layers meet. Not a thread (machine-worker.ts) and not a terminal (cli/).
// Longer than other files: every part of a session is made here and has its few lines.

import { GuestRegisters } from '../debugger/guest-registers.ts';
import { GuestSymbols } from '../debugger/guest-symbols.ts';
import { type FileAccess, ModuleFiles } from '../debugger/os/module-files.ts';
import { RecordedHistory } from '../debugger/history.ts';
import { isBehindEvent } from '../debugger/position.ts';
import type { DebugTarget, History } from '../debugger/target.ts';
import type { Domain } from '../hypervisor/domain.ts';
import { type Hypervisor, machineBytesFor } from '../hypervisor/hypervisor.ts';
import { RunStopReason } from '../hypervisor/observer.ts';
import { Bus } from '../machine/bus.ts';
import { Clock, CYCLES_PER_SECOND } from '../machine/clock.ts';
import { CPU_MODELS } from '../machine/cpu/model.ts';
import { PcPlatform } from '../machine/devices/platform.ts';
import { VIDEO_BASE, VIDEO_BYTES, VideoMemory } from '../machine/devices/video-memory.ts';
import type { Persistent } from '../machine/snapshot.ts';
import type { Position } from '../machine/stop-point.ts';
import type { EventMask } from '../monitor/events.ts';
import { type ObservationPoint, Recorder, type RecorderOptions } from '../monitor/recorder.ts';
import type { SourceLocation } from '../symbols/location.ts';
import type { SymbolFile } from '../symbols/symbol-file.ts';
import { loadBareMachine } from './bare-machine.ts';
import { baseName, checkMemory, layOut, loadSymbols, observeMask, type Start, withoutFiles } from './boot-config.ts';
import { MachineTarget, PresentOnly } from './debug-target.ts';
import { createGuestDomain } from './guest-domain.ts';
import { GuestMemory } from './guest-memory.ts';
import { stopOfBare, stopOfDomain, stopOfReset } from './guest-stops.ts';
import { EnginePoint } from './observation-point.ts';
import { OutputLine } from './output-line.ts';
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
  try {
    return new EngineSession(config, start, symbols, mask, makeRecorder, files);
  } catch (error) {
    if (error instanceof RangeError)
      throw new UserError(`no memory on this host for a guest of ${config.memoryBytes >> 20} MiB: ask for less`);
    throw error;
  }
};

interface OwnState {
  readonly stop: Stop | undefined;
  readonly waiting: boolean;
  readonly hashed: number;
  readonly position: Position;
}

class EngineSession implements Session {
  stop: Stop | undefined;
  waiting = false;
  readonly stateHashes: string[] = [];
  /** How many of them lie before the present moment. */
  private hashed = 0;
  private future = 0;
  /** By the debugger, or by loading a state. */
  private changes = 0;
  readonly snapshots: Snapshots;
  private readonly history: RecordedHistory<SessionSaved, Input> | undefined;
  private readonly recorded: RecordedSession | undefined;
  private readonly presentOnly: History;
  private readonly machine: PhysicalMachine;
  private readonly platform: PcPlatform;
  private readonly hypervisor: Hypervisor | undefined;
  private readonly domain: Domain | undefined;
  private readonly point: EnginePoint;
  private readonly recorder: Recorder;
  private readonly video: VideoMemory;
  private readonly serial = new OutputLine();
  private readonly debugConsole = new OutputLine();
  private readonly vmcsHistory: VmcsHistory;
  private readonly views: SessionViews;
  private readonly target: MachineTarget;
  readonly symbols: GuestSymbols;
  readonly config: SessionConfig;

  constructor(
    config: BootConfig,
    start: Start,
    symbolFile: SymbolFile,
    mask: EventMask,
    makeRecorder: MakeRecorder,
    files: FileAccess | undefined,
  ) {
    this.config = withoutFiles(config);
    const model = CPU_MODELS[config.cpu];
    const memoryBytes = config.bare ? config.memoryBytes : machineBytesFor(config.memoryBytes);
    this.machine = new PhysicalMachine(memoryBytes, model, 'rom' in start ? start.rom : undefined);
    this.machine.cpu.tiers = config.tiers ?? 'adaptive';
    const bus = config.bare ? this.machine.bus : new Bus();
    const clock = config.bare ? this.machine.clock : new Clock();
    if (config.bare)
      this.video = new VideoMemory(this.machine.memory.ram.subarray(VIDEO_BASE, VIDEO_BASE + VIDEO_BYTES));
    else {
      this.video = new VideoMemory();
      bus.claimMemory(VIDEO_BASE, VIDEO_BYTES, this.video);
    }
    this.platform = new PcPlatform({
      bus,
      clock,
      memoryBytes: config.memoryBytes,
      read8: (physical) => this.video.read(physical - VIDEO_BASE, 1),
      onSerialByte: this.serial.push,
      onDebugByte: this.debugConsole.push,
      onReset: () => this.finish(stopOfReset(this.views.registers.eip, () => this.views.names)),
      onDebugExit: (value) =>
        this.finish({
          kind: 'debug-exit',
          exitStatus: ((value << 1) | 1) & 0xff,
          address: this.views.registers.eip,
          message: `the guest wrote 0x${value.toString(16)} to port 0xf4`,
          details: [],
        }),
    });
    this.vmcsHistory = new VmcsHistory(this.machine.vmxUnit);
    this.point = new EnginePoint(this.machine, config.domainId ?? 0);
    this.recorder = makeRecorder(this.point, { mask }, this.machine.clock);
    if (config.bare || 'rom' in start) {
      // Without a kernel the processor stays where RESET has put it: in the ROM.
      if ('kernel' in start) loadBareMachine(this.machine, start.kernel);
      this.machine.cpu.interrupts = this.platform.interrupts;
      this.machine.cpu.errorPins = this.platform.errorPins;
    } else {
      const { machine, recorder, point, platform, vmcsHistory } = this;
      const instructions = (): number => this.instructions;
      const parts = { config, machine, recorder, point, platform, vmcsHistory, instructions };
      ({ hypervisor: this.hypervisor, domain: this.domain } = createGuestDomain(parts, start.kernel));
    }
    this.snapshots = this.makeSnapshots();
    this.presentOnly = new PresentOnly(this.machine.points);
    const memory = new GuestMemory(this.machine, this.domain, this.video);
    const readMemory = (linear: number, into: Uint8Array): number => memory.readLinear(linear, into);
    this.machine.points.surroundings.peek = readMemory;
    const guest = this.domain === undefined ? undefined : { vmx: this.machine.vmxUnit, vcpu: this.domain.vcpu };
    const registers = new GuestRegisters(this.machine.cpu, guest, readMemory);
    const target = (this.target = new MachineTarget({
      points: this.machine.points,
      memory,
      registers,
      runner: this,
      vcpuName: this.domain === undefined ? 'v0' : `d${this.domain.id}v0`,
      position: () => this.position(),
      history: () => this.history ?? this.presentOnly,
      nextInput: () => this.history?.nextInput,
      changes: () => this.changes,
      changed: (change) => {
        this.changes++;
        this.history?.noteGiven({ change });
      },
    }));
    const zeroPage = 'kernel' in start && start.kernel.protocol === 'linux' ? start.kernel.state.esi : undefined;
    const { moduleSymbols = [] } = config;
    const moduleFiles =
      moduleSymbols.length === 0 || files === undefined ? undefined : new ModuleFiles(moduleSymbols, files);
    this.symbols = new GuestSymbols(symbolFile, baseName(config.image.name), zeroPage, () => target, moduleFiles);
    this.views = new SessionViews({
      config: this.config,
      machine: this.machine,
      platform: this.platform,
      video: this.video,
      hypervisor: this.hypervisor,
      domain: this.domain,
      recorder: this.recorder,
      vmcsHistory: this.vmcsHistory,
      registers,
      symbols: this.symbols,
      instructions: () => this.instructions,
      stop: () => this.stop,
    });
    if (config.record === undefined) return;
    this.recorded = new RecordedSession({
      points: this.machine.points,
      snapshots: this.snapshots,
      position: () => this.position(),
      runOn: (instructions, cycles) => this.runOn(instructions, cycles),
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
    const { machine, platform, video, hypervisor, recorder } = this;
    const others: Persistent<unknown>[] = [this.ownState, this.serial, this.debugConsole, this.vmcsHistory];
    return new Snapshots({ machine, platform, video, hypervisor, recorder, others });
  }
  /** What is kept here. */
  private readonly ownState: Persistent<OwnState> = {
    saveState: () => ({
      stop: this.stop,
      waiting: this.waiting,
      hashed: this.hashed,
      position: this.machine.points.position,
    }),
    loadState: ({ stop, waiting, hashed, position }) => {
      this.changes++;
      this.machine.points.position = position;
      this.stop = stop;
      this.waiting = waiting;
      this.hashed = hashed;
    },
  };

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
      this.runSome(Math.min(end, nextHash) - this.instructions, endOfTime - this.machine.clock.now);
      if (this.machine.points.halted) return;
      if (this.instructions >= nextHash) {
        this.takeHash();
        continue;
      }
      if (this.stop === undefined && this.machine.clock.now === before) {
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
    const stopped = this.domain!.stopped;
    if (stopped === undefined || this.stop !== undefined) return;
    this.finish(stopOfDomain(this.machine, this.views.names, stopped));
  }

  private finish(stop: Stop): void {
    if (this.stop !== undefined) return;
    this.stop = stop;
    this.recorder.runStop(RunStopReason.GUEST_STOPPED);
    this.machine.processor.stopRequested = true;
    // What the user is told is the session's own reason.
    this.domain?.stop({ kind: 'external', message: stop.kind, details: [] });
  }
  typeSerial(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const input = { serial: bytes.slice() };
    if (this.history === undefined) this.give(input);
    else this.history.give(input);
  }
  private give(input: Input): void {
    if ('change' in input) {
      this.changes++;
      this.target.repeat(input.change);
      return;
    }
    const { serial } = input;
    this.waiting = false;
    this.recorder.runInput(0, serial.length, serial[0]!);
    this.platform.typeSerial(serial);
  }
  /** What was sent, hashed and observed behind the present moment is of a future that will not be. */
  private beginFuture(): void {
    this.takeBack();
    this.future++;
  }
  private takeBack(): void {
    this.stateHashes.length = Math.min(this.stateHashes.length, this.hashed);
    this.serial.beginFuture();
    this.debugConsole.beginFuture();
    this.recorder.beginFuture();
  }
  takeSerial(): Uint8Array {
    return this.serial.take();
  }
  takeDebugConsole(): Uint8Array {
    return this.debugConsole.take();
  }

  // ---- the bare machine ---------------------------------------------------------------------------------------------

  private runBare(instructions: number, cycles: number): void {
    const { processor, clock, points } = this.machine;
    // A debugger's end is exact: idle time needs no steps of one cycle.
    const exact = points.limit - processor.retired <= instructions;
    processor.run(clock.now + (exact ? cycles : Math.min(instructions, cycles)));
    if (this.stop !== undefined || points.halted) return;
    const stop = stopOfBare(this.machine, () => this.views.names);
    if (stop !== undefined) this.finish(stop);
  }

  get debug(): DebugTarget {
    return this.target;
  }

  // ---- views (session-views.ts) ---------------------------------------------------------------------------------------

  domains(): readonly DomainView[] {
    return this.views.domains();
  }
  vmcs(): readonly VmcsFieldView[] {
    return this.views.vmcs();
  }
  counters(): Counters {
    return this.views.counters();
  }
  vgaText(): string {
    return this.views.vgaText();
  }
  locate(address: number): SourceLocation {
    return this.views.locate(address);
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
