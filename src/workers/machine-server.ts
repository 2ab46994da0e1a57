// The machine's thread: takes commands, runs the session in slices, reports what happened. One machine a thread; a reset is a new thread.
// Not the engine (session.ts) and not the thread itself (machine-worker.ts): everything from outside comes in as arguments, so tests
// run it without a thread.

import { CYCLES_PER_SECOND } from '../machine/clock.ts';
import type { DebugMessage, FromMachine, LiveView, Question, RunState, ToMachine } from '../protocol/machine.ts';
import { DebugHost } from './debug-host.ts';
import { LANES } from './lanes.ts';
import { Pacer } from './pacer.ts';
import type { Port } from './port.ts';
import { answerTo } from './questions.ts';
import { Reporter, type RunView } from './reporter.ts';
import { Rehearsal } from './rehearsal.ts';
import { type BootConfig, type Session, UserError } from './session.ts';

/** What a user has typed for a guest. */
type Typed = Pick<Extract<ToMachine, { readonly type: 'serial' }>, 'bytes' | 'domain'>;

export interface Surroundings {
  readonly createSession: (config: BootConfig) => Session;
  /** Wall clock in milliseconds. It paces the run and never reaches the guest. */
  readonly now: () => number;
  /** Calls `task` after `ms` milliseconds; 0: as soon as waiting messages were handled. Returns how to cancel. */
  readonly later: (task: () => void, ms: number) => () => void;
}

/** The debugger's work goes on for so long before messages are let in. */
const DEBUG_MS = 5;

const stackOf = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error));
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** One boot. */
interface Guest {
  readonly config: BootConfig;
  readonly session: Session;
  readonly reporter: Reporter;
  readonly rehearsal: Rehearsal;
}

export class MachineServer implements RunView {
  private guest: Guest | undefined;
  private debug: DebugHost | undefined;
  state: RunState = 'paused';
  idle = false;
  private cancel: () => void = () => {};
  private readonly pacer = new Pacer();
  private views: readonly LiveView[] = [];
  private readonly typed: Typed[] = [];

  constructor(
    private readonly port: Port<ToMachine, FromMachine>,
    private readonly around: Surroundings,
  ) {
    port.listen((message) => this.between(() => this.handle(message)));
  }

  /** Whoever comes finds the guest where it stands, and not in a rehearsal. */
  private between(task: () => void): void {
    this.guest?.rehearsal.end();
    task();
    if (this.state === 'paused' && this.debug !== undefined) this.guest?.rehearsal.soon();
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
        if (this.debug?.travelling === true) this.typed.push(message);
        else this.type(message);
        // An idle guest rests; a keystroke ends the rest.
        if (this.state === 'running') this.schedule(0);
        return;
      case 'watch':
        this.views = message.views;
        return this.guest?.reporter.watch(message.views);
      case 'ask':
        return this.answer(message.id, message.question);
      case 'debug':
        return this.debugRequest(message.message);
    }
  }

  private type({ bytes, domain }: Typed): void {
    this.guest?.session.typeSerial(bytes, domain);
  }

  private boot(config: BootConfig, paused: boolean): void {
    let session: Session;
    try {
      session = this.around.createSession(config);
    } catch (error) {
      const user = error instanceof UserError;
      this.port.post({ type: 'refused', user, message: messageOf(error), detail: user ? '' : stackOf(error) });
      return;
    }
    this.state = 'paused';
    this.typed.length = 0;
    const reporter = new Reporter(session, this.port, this.around.now, this, this.views);
    const rehearsal = new Rehearsal(this.around, () => session.debug.history);
    this.guest = { config, session, reporter, rehearsal };
    this.port.post({ type: 'booted', lanes: LANES, cyclesPerSecond: CYCLES_PER_SECOND });
    if (paused) reporter.report();
    else this.run();
  }

  private run(): void {
    if (this.guest === undefined || this.state !== 'paused') return;
    if (this.debug === undefined) this.go();
    else this.debug.resume();
  }

  private go(): void {
    this.state = 'running';
    this.pacer.restart();
    this.guest?.reporter.began();
    this.schedule(0);
  }

  private pause(): void {
    if (this.state !== 'running') return;
    if (this.debug?.busy === true) this.debug.pause();
    else this.rest();
  }

  private rest(): void {
    this.cancel();
    this.state = this.guest?.session.stop === undefined ? 'paused' : 'stopped';
    this.idle = false;
    this.guest?.reporter.report();
  }

  private debugRequest(message: DebugMessage): void {
    if (this.guest === undefined) return;
    const server = this;
    // A debugger begins with `initialize`; what comes behind `disconnect` is nobody's.
    if (this.debug === undefined && message.command !== 'initialize') return;
    this.debug ??= new DebugHost({
      get session() {
        return server.guest!.session;
      },
      get running() {
        return server.state === 'running';
      },
      send: (answer) => this.port.post({ type: 'debug', message: answer }),
      wake: () => this.go(),
      soon: (task) => void this.around.later(() => this.between(task), 0),
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
        this.boot(this.guest!.config, true);
      },
    });
    this.debug.receive(message);
  }

  private giveTyped(): void {
    for (const typed of this.typed.splice(0)) this.type(typed);
  }

  private schedule(ms: number): void {
    this.cancel();
    this.cancel = this.around.later(() => this.slice(), ms);
  }

  private slice(): void {
    if (this.guest === undefined || this.state !== 'running') return;
    const { session, reporter } = this.guest;
    const before = this.around.now();
    const { instructions: instructionsBefore, virtualSeconds: virtualBefore } = reporter;
    let passes: number;
    try {
      passes = this.advance(session, before);
      reporter.takeCounters();
    } catch (error) {
      this.state = 'stopped';
      reporter.drain();
      this.port.post({ type: 'broken', message: messageOf(error), detail: stackOf(error) });
      reporter.postStatus();
      return;
    }
    const after = this.around.now();
    reporter.drain();
    // The debugger has come to its end and has told the editor.
    if (this.state !== 'running') return reporter.postStop();
    if (session.stop !== undefined) {
      this.state = 'stopped';
      this.idle = false;
      reporter.report();
      return reporter.postStop();
    }
    if (this.debug?.busy === true ? this.debug.waiting : session.waiting) {
      // Only input can go on; until then there is nothing to run and nothing that changes.
      this.idle = true;
      return reporter.report();
    }
    const used = reporter.instructions - instructionsBefore;
    const rest = this.pacer.ran(used, before, after, virtualBefore * 1000, reporter.virtualSeconds * 1000, passes);
    this.idle = rest.idle;
    reporter.postDue(after);
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

  private answer(id: number, question: Question): void {
    try {
      if (this.guest === undefined) throw new Error('no guest');
      const { session, reporter } = this.guest;
      this.port.post({ type: 'answer', id, answer: answerTo(session, reporter.index, question) });
    } catch (error) {
      this.port.post({ type: 'failure', id, message: messageOf(error) });
    }
  }
}
