// One debug session: what is under way, what the editor was told, and the parts that the requests work with. Not the messages
// (adapter.ts), not how a request is answered (requests/).

import { type Breakpoint, BreakpointBook } from '../breakpoints.ts';
import type { Code } from '../code.ts';
import type { GuestContext } from '../context.ts';
import { type Errand, Execution, type Spotted } from '../execution.ts';
import type { Frames, Frame } from '../frames.ts';
import type { DebuggedGuest, DebuggedMachine } from '../machine.ts';
import type { GuestOs } from '../os/guest-os.ts';
import type { StepEnd } from '../stepping.ts';
import { english, type Saying, type Tell } from '../saying.ts';
import { stopSentence } from '../stop-sentence.ts';
import type { StopDetail, Work } from '../target.ts';
import { Activities, type ActivityEnd, type Past } from './activities.ts';
import type { Container } from './containers.ts';
import { GuestEnds } from './guest-ends.ts';
import { Handles } from './handles.ts';
import { Postponed } from './postponed.ts';
import { type Dap, type Events, Late, Refusal } from './protocol.ts';
import { placeAt } from './references.ts';
import { Subject } from './subject.ts';
import { Threads } from './threads.ts';

export type { DebuggedMachine } from '../machine.ts';

type Emit = <E extends keyof Events>(event: E, body: Events[E]) => void;

/** What requests say of whom they are about. */
interface About {
  readonly threadId?: number;
  readonly frameId?: number;
  readonly variablesReference?: number;
  readonly memoryReference?: string;
}

const REASONS: Readonly<Record<Breakpoint['order']['kind'], string>> = {
  source: 'breakpoint',
  function: 'function breakpoint',
  instruction: 'instruction breakpoint',
  data: 'data breakpoint',
  exception: 'exception',
};

export class DebugSession {
  readonly book = new BreakpointBook();
  readonly execution: Execution;
  /** One for each guest of the machine, the session's own first. */
  readonly subjects: readonly Subject[];
  /** The guest that is looked at, and stepped. */
  subject: Subject;
  readonly threads = new Threads(this);
  private readonly ends = new GuestEnds(this);
  readonly frameHandles = new Handles<Frame, Subject>(1, () => this.subject);
  readonly containers = new Handles<Container, Subject>(0x1000, () => this.subject);
  /** By group: places the breakpoints anew, and gives those that lie elsewhere now. */
  readonly placings = new Map<string, () => readonly Dap.Breakpoint[]>();
  /** In the user's language. */
  tell: Tell = english;
  /** How the editor counts. */
  firstLine = 1;
  firstColumn = 1;
  /** The session was joined to a guest that ran already: leaving it lets it go on. */
  attached = false;
  /** Where the guest shall stand still first; from the launch configuration. */
  firstStop: 'run' | 'first-line' | { readonly at: string } = 'run';
  /** What the last stop was about, for exceptionInfo. */
  lastStop: { readonly breakpoints: readonly Breakpoint[]; readonly detail: StopDetail | undefined } | undefined;
  /** Filters of exceptions.ts that are switched on: whether a guest that died is looked at. */
  standsAtEnd: ReadonlySet<string> = new Set(['triple-fault', 'vm-entry-failure']);
  /** What waits for the names of the program. */
  readonly postponed: Postponed;
  private readonly activities: Activities;
  private over = false;
  private readonly queue: (() => void)[] = [];

  constructor(
    readonly machine: DebuggedMachine,
    readonly emit: Emit,
    readonly capabilities: Dap.Capabilities,
  ) {
    this.activities = new Activities(
      () => machine.target,
      emit,
      (...saying) => this.tell(...saying),
    );
    this.postponed = new Postponed(machine, emit, (...saying) => this.tell(...saying));
    this.execution = new Execution(
      machine,
      this.book,
      {
        index: () => this.subject.index,
        turnTo: (index) => (this.subject = this.subjects[index]!),
        judge: () => this.subject,
        isOver: () => {
          const ended = this.ends.tellFurther();
          if (ended !== undefined) this.subject = ended;
          return ended !== undefined;
        },
      },
      (line) => this.say(this.subject.prefix + line),
      () => this.subjects.forEach(({ frames }) => frames.leaveInlined()),
      () => this.frames.forget(),
      () => this.errands(),
    );
    this.subjects = machine.guests.map((_, index) => new Subject(this, index));
    this.subject = this.subjects[0]!;
  }

  // ---- the guest that is looked at ----------------------------------------------------------------------------------

  get guest(): DebuggedGuest {
    return this.subject.guest;
  }
  get code(): Code {
    return this.subject.code;
  }
  get context(): GuestContext {
    return this.subject.context;
  }
  get frames(): Frames {
    return this.subject.frames;
  }
  get os(): GuestOs {
    return this.subject.os;
  }
  /** A request is about a guest if it names its thread, frame, values or memory. While something runs, that stays what it is about. */
  turnTo({ threadId, frameId, variablesReference, memoryReference }: About): void {
    if (this.running) return;
    const found =
      (frameId === undefined ? undefined : this.frameHandles.ownerOf(frameId)) ??
      (variablesReference === undefined ? undefined : this.containers.ownerOf(variablesReference)) ??
      (threadId === undefined ? undefined : this.threads.subjectOf(threadId)) ??
      (memoryReference === undefined ? undefined : this.subjectIn(memoryReference));
    if (found !== undefined) this.subject = found;
  }
  /** Whose memory a reference means. @throws Refusal */
  subjectIn(memoryReference: string): Subject {
    const { domain } = placeAt(memoryReference);
    if (domain === undefined) return this.subjects[0]!;
    const found = this.subjects.find((one) => one.domain === domain);
    if (found === undefined) throw new Refusal('noDomain', { domain });
    return found;
  }
  /** Calls `act` with another guest looked at. */
  within<T>(subject: Subject, act: () => T): T {
    const before = this.subject;
    this.subject = subject;
    try {
      return act();
    } finally {
      this.subject = before;
    }
  }

  // ---- what runs ----------------------------------------------------------------------------------------------------

  get running(): boolean {
    return this.activities.running;
  }

  /** The guest waits for input: no slice is of use until some comes. */
  get waiting(): boolean {
    return this.running && !this.travelling && this.execution.waiting;
  }

  /** The guest goes through its recorded past: it stands at no moment that anybody has asked for. */
  get travelling(): boolean {
    return this.activities.past !== undefined;
  }

  /** Begins work; the guest leaves the place it stands at. @param past it goes through what is recorded */
  begin(reason: string, work: Work<StepEnd>, past?: Past): void {
    if (this.running) throw new Refusal('runsAlready');
    // With the first guest all end; of the others only the one that is to be stepped matters.
    const { end } = past !== undefined ? { end: undefined } : reason === 'step' ? this.guest : this.subjects[0]!.guest;
    if (end !== undefined) throw new Refusal('cannotGoOn', { reason: end.message });
    this.forget();
    this.lastStop = undefined;
    this.activities.begin(reason, work, past);
    this.machine.wake();
  }

  /** Work for a request that the editor does not know to move the guest: it is told, so that the stop before is over for it. */
  beginOfOurs(reason: string, work: Work<StepEnd>, past: Past): void {
    this.begin(reason, work, past);
    this.later(() => this.emit('continued', { threadId: this.threads.current, allThreadsContinued: true }));
  }

  /** Runs on until something stops the guest. */
  *free(): Work<StepEnd> {
    const outcome = yield* this.execution.run();
    return outcome.kind === 'landed' ? { kind: 'done' } : outcome;
  }

  /** One slice of the work under way; the driver has set the budget. */
  slice(): void {
    this.finish(this.activities.slice());
  }

  /** Stops what runs between two instructions; what goes through the past goes back to where it began. */
  pause(threadId?: number): void {
    const end = this.activities.breakOff(['paused']);
    if (end === undefined) return;
    if (threadId !== undefined) this.turnTo({ threadId });
    this.finish(end);
  }

  /** What runs ends without a word to the editor: before another takes its place, and at the end. */
  abandon(): void {
    this.postponed.drop();
    this.activities.drop();
    this.forget();
  }

  /** Cancels progress by its id. */
  cancel(progressId: string): void {
    this.finish(this.activities.cancel(progressId));
  }

  /** The user's breakpoints are others now. */
  arm(): void {
    if (this.activities.past?.ownPoints !== true) this.execution.arm();
  }

  private finish(end: ActivityEnd | undefined): void {
    if (end === undefined) return;
    this.forget();
    const { reason, description } = end;
    if (end.kind === 'ended') return this.guestEnded();
    if (end.kind === 'done')
      return this.stopped(reason, description === undefined ? {} : { description: this.tell(...description) });
    this.lastStop = end;
    const [first] = end.breakpoints;
    this.stopped(first === undefined ? reason : REASONS[first.order.kind], {
      description: this.describeStop(end.detail, first),
      hitBreakpointIds: end.breakpoints.map(({ id }) => id),
    });
  }

  /** What a stop was about; one sentence without its full stop. */
  describeStop(detail: StopDetail | undefined, breakpoint: Breakpoint | undefined): string {
    const order = breakpoint?.order;
    if (detail === undefined)
      return order === undefined ? this.tell('paused') : this.tell('pausedOn', { name: order.name });
    const watched = order?.kind === 'data' ? order.name : undefined;
    return this.tell(...stopSentence(detail, (address) => this.subject.place(address), watched));
  }

  private guestEnded(): void {
    const [first] = this.subjects;
    // Whichever was looked at: without the first there is no session.
    if (first!.guest.end !== undefined) this.subject = first!;
    const { end } = this.guest;
    if (end === undefined) return this.stopped('pause', {});
    this.ends.tell(this.subject, end);
    if (this.subject !== first || this.ends.isLookedAt(end))
      this.stopped('exception', { description: end.message, text: end.message });
    else this.terminate(end.exitStatus ?? 0);
  }

  /** The guest stands still already: says so. */
  stand(reason: string, ...description: Saying): void {
    this.stopped(reason, { description: this.tell(...description) });
  }

  private stopped(reason: string, body: Partial<Dap.StoppedEvent['body']>): void {
    for (const subject of this.subjects) this.within(subject, () => subject.arrivals.look());
    for (const breakpoint of this.book.all) {
      const why = breakpoint.whyMissed();
      if (why !== undefined) this.say(this.tell(...why));
    }
    for (const { loadedModules } of this.subjects) loadedModules.stopped();
    this.emit('stopped', { reason, threadId: this.threads.current, allThreadsStopped: true, ...body });
    // Panels come behind the editor, which the user looks at.
    this.machine.changed();
    this.machine.target.history.stand();
  }

  /** A frame by its id; left out: the one the guest stands in. */
  frame(id: number | undefined): Frame {
    if (id === undefined) return this.frames.top;
    const frame = this.frameHandles.get(id);
    if (frame === undefined) throw new Late('frameIsOver');
    // Registers may have been set since.
    return frame.task === undefined ? (this.frames.get(frame.index) ?? frame) : frame;
  }

  /** Everything that held for the place the guest stood at. */
  forget(): void {
    this.frameHandles.clear();
    this.containers.clear();
    for (const { frames } of this.subjects) frames.forget();
    this.threads.forget();
  }
  /** The same machine from the start. */
  restart(): void {
    this.abandon();
    this.machine.restart();
    this.subject = this.subjects[0]!;
    this.forget();
  }

  /** Where breakpoints wait for something to come up. */
  private errands(): readonly Spotted<Errand>[] {
    return this.subjects.flatMap((subject) => {
      const errand = subject.arrivals.errand;
      if (errand === undefined) return [];
      const met = (): void => this.within(subject, () => errand.met());
      return [{ spot: errand.spot, met, domain: subject.domain }];
    });
  }
  /** The breakpoints lie elsewhere now, or somewhere for the first time. */
  placeAgain(): void {
    for (const place of this.placings.values())
      for (const breakpoint of place()) this.emit('breakpoint', { reason: 'changed', breakpoint });
  }

  /** The guest's state was changed by the user: what the editor shows of it is old. */
  changed(...areas: Dap.InvalidatedAreas[]): void {
    this.frames.forget();
    this.threads.forget();
    // A guest that runs goes on; panels look by themselves.
    if (!this.running) this.machine.changed();
    this.later(() => this.emit('invalidated', { areas }));
  }

  // ---- the end ------------------------------------------------------------------------------------------------------

  terminate(exitCode?: number): void {
    if (this.over) return;
    this.over = true;
    this.abandon();
    if (exitCode !== undefined) this.emit('exited', { exitCode });
    this.emit('terminated', {});
  }

  /** The editor goes; the guest ends, stays as it is, or runs on. */
  leave(how: 'end' | 'suspend' | 'run'): void {
    this.postponed.drop();
    if (how === 'end') this.activities.drop();
    else this.activities.dropAtHome();
    this.book.clear();
    this.execution.disarm();
    this.later(() => {
      this.over = true;
      this.emit('terminated', {});
      this.machine.release(how);
    });
  }

  // ---- after the answer ---------------------------------------------------------------------------------------------

  /** Runs a task when the request at hand is answered: events that speak of its effect come behind the answer. */
  later(task: () => void): void {
    this.queue.push(task);
  }
  answered(): void {
    for (const task of this.queue.splice(0)) task();
  }

  /** A line on the debug console. */
  say(line: string): void {
    this.emit('output', { category: 'console', output: `${line}\n` });
  }

  // ---- numbers as the editor counts ---------------------------------------------------------------------------------

  toLine(line: number): number {
    return line - 1 + this.firstLine;
  }
  fromLine(line: number): number {
    return line - this.firstLine + 1;
  }
  toColumn(column: number): number {
    return Math.max(1, column) - 1 + this.firstColumn;
  }
  fromColumn(column: number): number {
    return column - this.firstColumn + 1;
  }
  source(path: string): Dap.Source {
    return { name: path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1), path };
  }
}
