// Running the machine for GDB in slices, forwards and back in time, and the reply that says why it stands still again. Not the other packets (stub.ts),
// not who is resumed (resumption.ts). GDB manual, appendix E.3 "Stop Reply Packets".

import { formatAddress } from '../../symbols/location.ts';
import type { GuestEnd } from '../machine.ts';
import { continueBack, type Met, stepGuestBack } from '../reverse.ts';
import { english } from '../saying.ts';
import { stopSentence } from '../stop-sentence.ts';
import type { DebugStop, DebugTarget, StopPoint, Work } from '../target.ts';
import { hexByte, hexOfText } from './packet.ts';
import type { Points } from './points.ts';
import type { Processes, Whom } from './processes.ts';
import { type Resumption, resumptionOf, type Step } from './resumption.ts';

/** GDB's numbers of signals. */
export const Signal = { INT: 2, TRAP: 5, KILL: 9, SEGV: 11 } as const;
/** Instructions between two looks at the connection. */
const SLICE = 2_000_000;
/** Virtual time that an idle machine may skip meanwhile: 10 ms. */
const SLICE_CYCLES = 10_000_000;
/** Single steps of a range between two looks. */
const RANGE_STEPS = 20_000;
/** Points of our own; GDB's have numbers above. */
const END_ID = 0;
const TURN_ID = -1;

const RUNS_TOO =
  'all domains run, as they share the processor: without "set schedule-multiple on" gdb shows of the others what was before, and they do not stop';

type Order =
  | { readonly kind: 'run'; readonly resumed: readonly number[]; readonly step: Step | undefined }
  | {
      readonly kind: 'back';
      readonly resumed: readonly number[];
      readonly work: Work<unknown>;
      readonly done: (result: unknown) => string;
    };

/** The status of a guest that ended by itself. */
const statusOf = ({ kind, exitStatus = 0 }: GuestEnd): number | undefined =>
  kind === 'debug-exit' ? exitStatus : kind === 'power-off' || kind === 'reset' ? 0 : undefined;

export class Running {
  state: 'stopped' | 'running' | 'waiting' = 'stopped';
  /** GDB wants to be told what kind of breakpoint it was. */
  tellsBreakpoints = false;
  private order: Order | undefined;
  private stopReply: string | undefined;
  /** Where the slice began, and how it ended. */
  private before = -1;
  private kind: DebugStop['kind'] = 'limit';
  /** Ends that GDB was told of while it still had the process. */
  private readonly told = new WeakSet<GuestEnd>();
  private hasHinted = false;

  constructor(
    private readonly target: () => DebugTarget,
    private readonly processes: Processes,
    private readonly points: Points,
    private readonly write: (packet: string) => void,
  ) {}

  /** What `?` is answered with. */
  get lastStop(): string {
    return this.stopReply ?? this.replyOf(Signal.TRAP);
  }
  /** The machine is another. */
  restart(): string {
    return (this.stopReply = this.replyOf(Signal.TRAP));
  }
  get runs(): boolean {
    return this.order !== undefined;
  }

  // ---- orders -------------------------------------------------------------------------------------------------------

  go({ resumed, step, partly }: Resumption): void {
    // An end that it was not told of, as it had not resumed that one.
    const gone = this.processes.multiple ? this.endOf(resumed) : undefined;
    if (gone !== undefined) return this.stopped(gone);
    if (partly && !this.hasHinted) {
      this.hasHinted = true;
      this.say(RUNS_TOO);
    }
    this.start({ kind: 'run', resumed, step }, this.points.of(resumed));
  }
  /** bs: one instruction, or one delivery. */
  stepBack(index: number): void {
    const work = stepGuestBack(this.target(), index);
    const done = (moved: unknown): string => this.replyOf(Signal.TRAP, moved === true ? '' : 'replaylog:begin;', index);
    this.start({ kind: 'back', resumed: [index], work, done }, []);
  }
  /** bc. */
  continueBack(whom: Whom): void {
    const { resumed } = resumptionOf(whom, this.processes);
    const done = (met: unknown): string =>
      met === undefined
        ? this.replyOf(Signal.TRAP, 'replaylog:begin;', this.speakerOf(resumed))
        : this.replyTo((met as Met).stop, resumed)!;
    this.start({ kind: 'back', resumed, work: continueBack(this.target()), done }, this.points.of(resumed));
  }
  private start(order: Order, points: readonly StopPoint[]): void {
    const { multiple, guests } = this.processes;
    const step = order.kind === 'run' ? order.step : undefined;
    this.target().setPoints([
      ...points,
      ...(multiple && order.kind === 'run' ? [{ id: END_ID, on: 'domain-end' } as const] : []),
      ...(step === undefined || guests.length === 1
        ? []
        : [{ id: TURN_ID, on: 'switch-in', domain: guests[step.guest]!.domain! } as const]),
    ]);
    this.order = order;
    this.state = 'running';
  }
  interrupt(): void {
    const { order } = this;
    if (order === undefined) return;
    if (order.kind === 'back') order.work.return(undefined);
    const index = order.kind === 'run' ? order.step?.guest : undefined;
    this.stopped(this.replyOf(Signal.INT, '', index ?? this.speakerOf(order.resumed)));
  }
  /** Whose a stop is that is nobody's. */
  private speakerOf(resumed: readonly number[]): number {
    const { general } = this.processes;
    return resumed.includes(general) ? general : resumed[0]!;
  }

  // ---- slices -------------------------------------------------------------------------------------------------------

  /** One slice of what GDB has asked for. */
  slice(): void {
    const { order } = this;
    if (order === undefined) return;
    if (order.kind === 'back') {
      const { done, value } = order.work.next();
      if (done === true) this.stopped(order.done(value));
      return;
    }
    const reply = order.step === undefined ? this.run(order.resumed) : this.steps(order.step, order.resumed);
    if (reply !== undefined) this.stopped(reply);
    else if (this.target().position.instructions === this.before && this.kind === 'waiting') this.state = 'waiting';
    else this.state = 'running';
  }
  private run(resumed: readonly number[], single = false): string | undefined {
    const target = this.target();
    this.before = target.position.instructions;
    const stop = single ? target.run(1) : target.run(SLICE, SLICE_CYCLES);
    this.kind = stop.kind;
    return this.replyTo(stop, resumed);
  }
  private steps({ guest: index, first, end }: Step, resumed: readonly number[]): string | undefined {
    const target = this.target();
    const guest = target.guests[index]!;
    const { vcpu } = guest;
    const alone = target.guests.length === 1;
    for (let i = 0; i < RANGE_STEPS; i++) {
      // While another has the processor, that one runs: until this one gets it.
      const isOn = target.onProcessor === index;
      const [ran, eip, esp] = alone ? [-1, 0, 0] : [guest.ran, vcpu.read('eip'), vcpu.read('esp')];
      const reply = this.run(resumed, isOn);
      if (reply !== undefined) return reply;
      if (!isOn || this.kind === 'waiting') return undefined;
      const at = vcpu.read('eip');
      // A delivery takes no time.
      if (guest.ran === ran && at === eip && vcpu.read('esp') === esp) return undefined;
      if (at < first || at >= end) return this.replyOf(Signal.TRAP, '', index);
    }
    return undefined;
  }

  // ---- replies ------------------------------------------------------------------------------------------------------

  private stopped(reply: string): void {
    this.order = undefined;
    this.state = 'stopped';
    this.stopReply = reply;
    this.write(reply);
  }
  /** GDB takes it that the thread of a stop is the one that packets are about from then on. */
  replyOf(signal: number, more = '', index = this.processes.general): string {
    const { processes } = this;
    processes.general = processes.looked = processes.stopped = index;
    return `T${hexByte(signal)}thread:${processes.thread(index)};${more}`;
  }
  /** Undefined: it has not stopped. */
  private replyTo(stop: DebugStop, resumed: readonly number[]): string | undefined {
    switch (stop.kind) {
      case 'point':
        return (stop.ids.includes(END_ID) ? this.endOf(resumed) : undefined) ?? this.replyToPoint(stop);
      case 'ended':
        return this.endOf(resumed);
      default:
        return undefined;
    }
  }
  private replyToPoint({ ids, detail }: Extract<DebugStop, { kind: 'point' }>): string | undefined {
    const index = this.points.guestThatMet(ids);
    if (index === undefined) return undefined;
    const reason = this.points.reasonOf(ids, this.tellsBreakpoints);
    // A watchpoint GDB describes itself.
    if (reason === undefined && detail !== undefined && detail.on !== 'access')
      this.say(this.processes.prefixOf(index) + english(...stopSentence(detail, formatAddress)));
    return this.replyOf(Signal.TRAP, reason, index);
  }

  /** Of one of these that has ended, or ends with the first guest. Undefined: they go on. */
  private endOf(resumed: readonly number[]): string | undefined {
    const { processes } = this;
    for (const index of resumed) {
      const end = processes.endOf(index);
      if (end !== undefined) return this.ended(index, end);
    }
    const first = processes.endOf(0);
    if (first === undefined) return undefined;
    this.say(processes.prefixOf(0) + first.message);
    return `X${hexByte(Signal.KILL)}${this.gone(resumed[0]!)}`;
  }
  /** One that broke stands there to be looked at; if it is to go on nevertheless, it is gone. */
  private ended(index: number, end: GuestEnd): string {
    const { processes } = this;
    const status = statusOf(end);
    if (status !== undefined || !this.told.has(end)) this.say(processes.prefixOf(index) + end.message);
    if (status !== undefined) return `W${hexByte(status)}${this.gone(index)}`;
    if (processes.multiple && this.told.has(end)) return `X${hexByte(Signal.SEGV)}${this.gone(index)}`;
    this.told.add(end);
    return this.replyOf(Signal.SEGV, '', index);
  }
  /** GDB has this process no more; how the packet says which. */
  private gone(index: number): string {
    const { processes, points } = this;
    if (!processes.multiple) return '';
    points.drop(index);
    processes.detach(index);
    return `;process:${processes.pid(index)}`;
  }
  /** GDB shows it while the machine runs. */
  private say(line: string): void {
    this.write(`O${hexOfText(`${line}\n`)}`);
  }
}
