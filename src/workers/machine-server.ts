// The machine's thread: takes commands, runs the session in slices, reports what happened. One machine a thread; a reset is a new thread.
// Not the engine (session.ts) and not the thread itself (machine-worker.ts): everything from outside comes in as arguments, so tests
// run it without a thread.

import { CYCLES_PER_SECOND } from '../machine/clock.ts';
import type {
  DebugMessage,
  FromMachine,
  LiveView,
  MachineStatus,
  Question,
  Questions,
  RunState,
  ToMachine,
  VmcsView,
} from '../protocol/machine.ts';
import { DebugHost } from './debug-host.ts';
import { rowsOf } from './event-text.ts';
import { guestLog } from './guest-log.ts';
import { LANES } from './lanes.ts';
import { LineActivityCounter } from './line-activity.ts';
import { Pacer } from './pacer.ts';
import type { Port } from './port.ts';
import {
  type BootConfig,
  type DomainView,
  type Session,
  type SourceLocation,
  type Stop,
  UserError,
} from './session.ts';
import { TimelineIndex } from './timeline-index.ts';

export interface Surroundings {
  readonly createSession: (config: BootConfig) => Session;
  /** Wall clock in milliseconds. It paces the run and never reaches the guest. */
  readonly now: () => number;
  /** Calls `task` after `ms` milliseconds; 0: as soon as waiting messages were handled. Returns how to cancel. */
  readonly later: (task: () => void, ms: number) => () => void;
}

const STATUS_MS = 250;
const LIVE_MS = 150;
const ACTIVITY_MS = 1000;
/** Records taken from the session at once. */
const BATCH = 0x1_0000;
const MAX_ROWS = 5000;
/** The debugger's work goes on for so long before messages are let in. */
const DEBUG_MS = 5;
/** VMCS fields that hold guest addresses worth a link. */
const ADDRESS_FIELD = /\b(RIP|RSP|linear address)\b/i;

const stackOf = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error));
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

export class MachineServer {
  private session: Session | undefined;
  private config: BootConfig | undefined;
  private debug: DebugHost | undefined;
  private state: RunState = 'paused';
  private cancel: () => void = () => {};
  private readonly pacer = new Pacer();
  private index = new TimelineIndex();
  private activity: LineActivityCounter | undefined;
  private future = 0;
  private views: readonly LiveView[] = [];
  private statusDue = 0;
  private liveDue = 0;
  private activityDue = 0;
  private idle = false;
  private readonly typed: Uint8Array[] = [];
  private told: Stop | undefined;
  private vmcs: { readonly instructions: number; readonly view: VmcsView } | undefined;
  private instructions = 0;
  private virtualSeconds = 0;
  private speedMarks: { readonly at: number; readonly instructions: number }[] = [];

  constructor(
    private readonly port: Port<ToMachine, FromMachine>,
    private readonly around: Surroundings,
  ) {
    port.listen((message) => this.handle(message));
  }

  private handle(message: ToMachine): void {
    switch (message.type) {
      case 'boot':
        return this.boot(message.config, message.paused);
      case 'run':
        return this.run();
      case 'pause':
        return this.pause();
      case 'serial':
        // What is typed while the guest is on its way through the past is given to it where it arrives.
        if (this.debug?.travelling === true) this.typed.push(message.bytes);
        else this.session?.typeSerial(message.bytes);
        // An idle guest rests; a keystroke ends the rest.
        if (this.state === 'running') this.schedule(0);
        return;
      case 'watch':
        this.views = message.views;
        this.liveDue = 0;
        if (this.session !== undefined && this.state !== 'running') this.postLive();
        return;
      case 'ask':
        return this.answer(message.id, message.question);
      case 'debug':
        return this.debugRequest(message.message);
    }
  }

  private boot(config: BootConfig, paused: boolean): void {
    try {
      this.session = this.around.createSession(config);
    } catch (error) {
      const user = error instanceof UserError;
      this.port.post({ type: 'refused', user, message: messageOf(error), detail: user ? '' : stackOf(error) });
      return;
    }
    this.config = config;
    this.state = 'paused';
    this.typed.length = 0;
    this.index = new TimelineIndex();
    this.activity = new LineActivityCounter(this.session);
    this.future = 0;
    this.port.post({ type: 'booted', lanes: LANES, cyclesPerSecond: CYCLES_PER_SECOND });
    if (paused) this.report();
    else this.run();
  }

  private run(): void {
    if (this.session === undefined || this.state !== 'paused') return;
    if (this.debug === undefined) this.go();
    else this.debug.resume();
  }

  private go(): void {
    this.state = 'running';
    this.pacer.restart();
    this.speedMarks = [];
    this.postStatus();
    this.schedule(0);
  }

  private pause(): void {
    if (this.state !== 'running') return;
    if (this.debug?.busy === true) this.debug.pause();
    else this.rest();
  }

  private rest(): void {
    this.cancel();
    this.state = this.session?.stop === undefined ? 'paused' : 'stopped';
    this.idle = false;
    this.report();
  }

  private debugRequest(message: DebugMessage): void {
    const { session } = this;
    if (session === undefined) return;
    const server = this;
    // A debugger begins with `initialize`; what comes behind `disconnect` is nobody's.
    if (this.debug === undefined && message.command !== 'initialize') return;
    this.debug ??= new DebugHost({
      get session() {
        return server.session!;
      },
      get running() {
        return server.state === 'running';
      },
      send: (answer) => this.port.post({ type: 'debug', message: answer }),
      wake: () => this.go(),
      soon: (task) => void this.around.later(task, 0),
      changed: () => {
        this.giveTyped();
        this.rest();
      },
      release: (how) => {
        this.debug = undefined;
        this.giveTyped();
        if (how === 'run') this.run();
        else if (this.state === 'running') this.rest();
      },
      restart: () => {
        this.cancel();
        this.boot(this.config!, true);
      },
    });
    this.debug.receive(message);
  }

  private giveTyped(): void {
    for (const bytes of this.typed.splice(0)) this.session?.typeSerial(bytes);
  }

  private schedule(ms: number): void {
    this.cancel();
    this.cancel = this.around.later(() => this.slice(), ms);
  }

  private slice(): void {
    const session = this.session;
    if (session === undefined || this.state !== 'running') return;
    const before = this.around.now();
    const virtualBefore = this.virtualSeconds;
    const instructionsBefore = this.instructions;
    let passes: number;
    try {
      passes = this.advance(session, before);
      this.takeCounters(session);
    } catch (error) {
      this.state = 'stopped';
      this.drain(session);
      this.port.post({ type: 'broken', message: messageOf(error), detail: stackOf(error) });
      this.postStatus();
      return;
    }
    const after = this.around.now();
    this.drain(session);
    // The debugger has come to its end and has told the editor.
    if (this.state !== 'running') return this.postStop(session);
    if (session.stop !== undefined) {
      this.state = 'stopped';
      this.idle = false;
      this.report();
      return this.postStop(session);
    }
    if (this.debug?.busy === true ? this.debug.waiting : session.waiting) {
      // Only input can go on; until then there is nothing to run and nothing that changes.
      this.idle = true;
      this.report();
      return;
    }
    const used = this.instructions - instructionsBefore;
    const rest = this.pacer.ran(used, before, after, virtualBefore * 1000, this.virtualSeconds * 1000, passes);
    this.idle = rest.idle;
    this.postDue(after);
    this.schedule(rest.ms);
  }

  /** How many slices were run: a debugger's work goes on in short ones. */
  private advance(session: Session, before: number): number {
    const [instructions, cycles] = [this.pacer.slice, (this.pacer.virtualMs * CYCLES_PER_SECOND) / 1000];
    const { debug } = this;
    if (debug?.busy !== true) {
      session.run(instructions, cycles);
      return 1;
    }
    let passes = 0;
    do {
      debug.advance(instructions, cycles);
      passes++;
    } while (debug.busy && !debug.waiting && this.around.now() - before < DEBUG_MS);
    return passes;
  }

  /** Tells that the guest cannot go on, once. */
  private postStop(session: Session): void {
    const { stop } = session;
    if (stop === undefined || stop === this.told) return;
    this.told = stop;
    this.port.post({ type: 'stopped', stop, location: stopLocation(session, stop) });
  }

  /** Output and new events. The console shows the firmware's log with the serial line. */
  private drain(session: Session): void {
    for (const output of [session.takeSerial(), session.takeDebugConsole()]) {
      if (output.length === 0) continue;
      const bytes = output.slice();
      this.port.post({ type: 'serial', bytes }, [bytes.buffer]);
    }
    for (;;) {
      const batch = session.events(this.index.next, BATCH);
      // Some of what was read is of a future that will not be: the stream is read anew.
      if (batch.future !== this.future) {
        this.future = batch.future;
        this.index = new TimelineIndex();
        this.activity = new LineActivityCounter(session);
        continue;
      }
      if (batch.records.length === 0) break;
      this.index.append(batch.records, batch.first);
      this.activity?.append(batch.records);
    }
  }

  private takeCounters(session: Session): void {
    const counters = session.counters();
    this.instructions = counters.instructions;
    this.virtualSeconds = counters.virtualSeconds;
    this.index.lost = counters.events.lost;
  }

  private postDue(now: number): void {
    if (now >= this.statusDue) this.postStatus();
    if (now >= this.liveDue) this.postLive();
    if (now >= this.activityDue) this.postActivity();
  }

  /** Everything at once: at a stop of any kind. */
  private report(): void {
    if (this.session !== undefined) {
      this.takeCounters(this.session);
      this.drain(this.session);
    }
    this.postStatus();
    this.postLive();
    this.postActivity();
  }

  private postStatus(): void {
    const session = this.session;
    if (session === undefined) return;
    const now = this.around.now();
    this.statusDue = now + STATUS_MS;
    const exits = session.counters().exits.reduce((sum, exit) => sum + exit.count, 0);
    const status: MachineStatus = {
      state: this.state,
      instructions: this.instructions,
      virtualSeconds: this.virtualSeconds,
      speed: this.state === 'running' ? this.speed(now) : 0,
      idle: this.idle,
      exits,
      extent: this.index.extent,
    };
    this.port.post({ type: 'status', status });
  }

  private speed(now: number): number {
    this.speedMarks.push({ at: now, instructions: this.instructions });
    while (this.speedMarks.length > 2 && now - this.speedMarks[0]!.at > 1000) this.speedMarks.shift();
    const oldest = this.speedMarks[0]!;
    return now > oldest.at ? ((this.instructions - oldest.instructions) * 1000) / (now - oldest.at) : 0;
  }

  private postLive(): void {
    this.liveDue = this.around.now() + LIVE_MS;
    const session = this.session;
    if (session === undefined) return;
    if (this.views.includes('vmState')) {
      const domains = session.domains();
      this.port.post({
        type: 'vmState',
        view: { domains, counters: session.counters(), locations: known(session, registerValues(domains)) },
      });
    }
    if (this.views.includes('vmcs')) {
      // What changed is told once an exit: the same exit is shown again as it was.
      if (this.vmcs?.instructions !== this.instructions) {
        const fields = session.vmcs();
        const addresses = fields.filter((field) => ADDRESS_FIELD.test(field.name)).map((field) => field.low);
        this.vmcs = { instructions: this.instructions, view: { fields, locations: known(session, addresses) } };
      }
      this.port.post({ type: 'vmcs', view: this.vmcs.view });
    }
  }

  private postActivity(): void {
    this.activityDue = this.around.now() + ACTIVITY_MS;
    const lines = this.activity?.take();
    if (lines !== undefined) this.port.post({ type: 'activity', lines });
  }

  private answer(id: number, question: Question): void {
    try {
      const session = this.session;
      if (session === undefined) throw new Error('no guest');
      this.port.post({ type: 'answer', id, answer: this.find(session, question) });
    } catch (error) {
      this.port.post({ type: 'failure', id, message: messageOf(error) });
    }
  }

  private find(session: Session, question: Question): Questions[Question['name']]['answer'] {
    switch (question.name) {
      case 'locate':
        return session.locate(question.address);
      case 'lookup':
        return session.lookup(question.symbol);
      case 'guestLog':
        return guestLog(session);
      case 'window':
        return this.index.window(question.t0, question.t1, Math.min(8192, Math.max(1, Math.floor(question.pixels))));
      case 'rows':
        return this.rows(session, question.from, Math.min(MAX_ROWS, question.count));
      case 'find': {
        const sequence = this.index.find(question.lane, question.from, question.direction);
        return sequence === undefined ? undefined : this.rows(session, sequence, 1)[0];
      }
      case 'trace': {
        const trace = session.trace();
        return trace.slice();
      }
    }
  }

  private rows(session: Session, from: number, count: number): ReturnType<typeof rowsOf> {
    const batch = session.events(from, count);
    return rowsOf(batch.records, batch.first, (address) => session.locate(address));
  }
}

const stopLocation = (session: Session, { address }: Stop): SourceLocation | undefined =>
  address === undefined ? undefined : session.locate(address);

const registerValues = (domains: readonly DomainView[]): number[] =>
  domains.flatMap((domain) =>
    domain.vcpus.flatMap(({ registers }) => [
      registers.eip,
      ...Object.values(registers.general),
      registers.cr2,
      registers.gdtr.base,
      registers.idtr.base,
    ]),
  );

/** Those addresses that lie in a symbol. */
const known = (session: Session, addresses: readonly number[]): Record<number, SourceLocation> => {
  const found: Record<number, SourceLocation> = {};
  for (const address of addresses) {
    const place = session.locate(address);
    if (place.function !== undefined) found[address] = place;
  }
  return found;
};
