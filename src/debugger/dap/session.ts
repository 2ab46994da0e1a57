// One debug session: what is under way, what the editor was told, and the parts that the requests work with. Not the messages
// (adapter.ts), not how a request is answered (requests/).

import { type Breakpoint, BreakpointBook, type Judge } from '../breakpoints.ts';
import { Code } from '../code.ts';
import { Execution } from '../execution.ts';
import { Frames, type Frame } from '../frames.ts';
import type { DebuggedMachine } from '../machine.ts';
import { GuestContext } from '../context.ts';
import type { StepEnd } from '../stepping.ts';
import { sameBytes, walkPages } from '../page-tables.ts';
import { english, type Saying, type Tell } from '../saying.ts';
import { stopSentence } from '../stop-sentence.ts';
import type { StopDetail, Work } from '../target.ts';
import { formatAddress, type SourceLocation } from '../../symbols/location.ts';
import { Activities, type ActivityEnd, type Past } from './activities.ts';
import { Arrivals } from './arrivals.ts';
import type { Container } from './containers.ts';
import { GuestOs } from '../os/guest-os.ts';
import { Handles } from './handles.ts';
import { expandMessage } from './log-message.ts';
import { LoadedModules } from './loaded-modules.ts';
import { Postponed } from './postponed.ts';
import { type Dap, type Events, Late, Refusal } from './protocol.ts';
import { FIRST_THREAD, Threads } from './threads.ts';
import { wholeText, withoutFormat } from './values.ts';

export type { DebuggedMachine } from '../machine.ts';

type Emit = <E extends keyof Events>(event: E, body: Events[E]) => void;

const REASONS: Readonly<Record<Breakpoint['order']['kind'], string>> = {
  source: 'breakpoint',
  function: 'function breakpoint',
  instruction: 'instruction breakpoint',
  data: 'data breakpoint',
  exception: 'exception',
};

export class DebugSession implements Judge {
  readonly book = new BreakpointBook();
  readonly code: Code;
  readonly execution: Execution;
  readonly context: GuestContext;
  readonly frames: Frames;
  readonly os: GuestOs;
  readonly threads = new Threads(this);
  readonly loadedModules = new LoadedModules(this);
  readonly frameHandles = new Handles<Frame>(1);
  readonly containers = new Handles<Container>(0x1000);
  readonly arrivals = new Arrivals(this);
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
    this.code = new Code(
      () => machine.target,
      (address) => this.nameOf(address),
    );
    this.execution = new Execution(
      machine,
      this.book,
      this,
      (line) => this.say(line),
      () => this.frames.leaveInlined(),
      () => this.frames.forget(),
      () => this.arrivals.errand,
    );
    this.frames = new Frames(machine);
    this.os = new GuestOs(machine, (text) => this.say(this.tell('sentence', { text })));
    this.context = new GuestContext(machine, this.execution, this.code, this.frames);
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
    if (this.machine.end !== undefined && past === undefined)
      throw new Refusal('cannotGoOn', { reason: this.machine.end.message });
    this.forget();
    this.lastStop = undefined;
    this.activities.begin(reason, work, past);
    this.machine.wake();
  }

  /** Work for a request that the editor does not know to move the guest: it is told, so that the stop before is over for it. */
  beginOfOurs(reason: string, work: Work<StepEnd>, past: Past): void {
    this.begin(reason, work, past);
    this.later(() => this.emit('continued', { threadId: FIRST_THREAD, allThreadsContinued: true }));
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
  pause(): void {
    this.finish(this.activities.breakOff(['paused']));
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
    return this.tell(...stopSentence(detail, (address) => this.place(address), watched));
  }

  private guestEnded(): void {
    const { end } = this.machine;
    if (end === undefined) return this.stopped('pause', {});
    this.say(end.message);
    for (const line of end.details) this.say(`  ${line}`);
    // A guest that broke is looked at, if the user wants; one that ended by itself is over.
    const filter = end.kind === 'unsupported' ? 'vm-entry-failure' : end.kind;
    if (this.standsAtEnd.has(filter)) this.stopped('exception', { description: end.message, text: end.message });
    else this.terminate(end.exitStatus ?? 0);
  }

  /** The guest stands still already: says so. */
  stand(reason: string, ...description: Saying): void {
    this.stopped(reason, { description: this.tell(...description) });
  }

  private stopped(reason: string, body: Partial<Dap.StoppedEvent['body']>): void {
    this.arrivals.look();
    for (const breakpoint of this.book.all) {
      const why = breakpoint.whyMissed();
      if (why !== undefined) this.say(this.tell(...why));
    }
    this.loadedModules.stopped();
    this.emit('stopped', { reason, threadId: FIRST_THREAD, allThreadsStopped: true, ...body });
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
    this.frames.forget();
    this.threads.forget();
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

  // ---- asking about the guest ---------------------------------------------------------------------------------------

  truth(expression: string): boolean {
    return this.context.truth(expression);
  }

  standIn(name: string | undefined): void {
    this.frames.standIn(name);
  }

  means(address: number, space: number): boolean {
    return sameBytes(this.machine.target, address, space);
  }
  isMapped(address: number, space: number): boolean {
    const { target } = this.machine;
    return walkPages(target, target.vcpus[0]!, address, space).physical !== undefined;
  }
  /** The address space of a task as far as an address needs it: what means the same everywhere is nobody's. */
  spaceOf(address: number, pageTable: number | undefined): number | undefined {
    return pageTable === undefined || this.means(address, pageTable) ? undefined : pageTable;
  }

  expand(message: string): string {
    const value = (expression: string): string => {
      const { plain, number } = withoutFormat(expression);
      return wholeText(this, this.context.look(plain), number);
    };
    return expandMessage(message, value, this.tell);
  }

  /** A line on the debug console. */
  say(line: string): void {
    this.emit('output', { category: 'console', output: `${line}\n` });
  }

  nameOf(address: number): string | undefined {
    return named(this.machine.guestSymbols.kernel.map.locate(address)) ?? this.inModule(address);
  }
  /** Code that was loaded later: as the kernel itself names it. Its data only its file names. */
  private inModule(address: number): string | undefined {
    const module = this.os.moduleAt(address);
    if (module === undefined) return undefined;
    const is = this.os.moduleFunction(address)?.is;
    const name =
      is === undefined
        ? named(this.machine.symbols.locate(address))
        : named({ function: is.name, offset: address - is.address });
    return name === undefined
      ? `[${module.name}]+0x${((address - module.base) >>> 0).toString(16)}`
      : `${name} [${module.name}]`;
  }
  place(address: number): string {
    const name = this.nameOf(address);
    return name === undefined ? formatAddress(address) : `${formatAddress(address)} <${name}>`;
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

const named = ({ function: name, offset }: Pick<SourceLocation, 'function' | 'offset'>): string | undefined =>
  name === undefined || offset === undefined || offset === 0 ? name : `${name}+0x${offset.toString(16)}`;
