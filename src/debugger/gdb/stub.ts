// GDB's remote protocol over a machine: answers packets, runs the machine in slices, tells GDB why it stopped. Bytes in, bytes out: the
// connection is its driver's (cli/gdb.ts). Not the frame of packets (packet.ts), registers and memory (wire-state.ts) nor what `monitor` does
// (monitor.ts). GDB manual, appendix E.

import { continueBack, type Met, stepBack } from '../reverse.ts';
import type { DebugGuest, DebugStop, DebugTarget, StopPoint, Work } from '../target.ts';
import { type MonitorCommand, runMonitor } from './monitor.ts';
import { formatAddress } from '../../symbols/location.ts';
import { english } from '../saying.ts';
import { stopSentence } from '../stop-sentence.ts';
import { bytesOfHex, hexOfText, PacketStream, textOf } from './packet.ts';
import { numberOf, PACKET_SIZE, WireState } from './wire-state.ts';

export interface StubHost {
  /** A new machine of the same kind, which has not run. */
  restart(): DebugTarget;
  /** Why a machine that has ended did: a sentence, and the status of a guest that ended by itself; undefined: it crashed. */
  ending(): { readonly message: string; readonly status: number | undefined };
  readonly commands: readonly MonitorCommand[];
}

/** What the driver is to do next. */
export type StubState = 'stopped' | 'running' | 'waiting' | 'killed' | 'detached';

/** GDB's numbers of signals. */
const Signal = { INT: 2, TRAP: 5, SEGV: 11 } as const;
/** Instructions between two looks at the connection. */
const SLICE = 2_000_000;
/** Virtual time that an idle machine may skip meanwhile: 10 ms. */
const SLICE_CYCLES = 10_000_000;
/** Single steps of a range between two looks. */
const RANGE_STEPS = 20_000;

const WATCHES: Readonly<Record<string, 'write' | 'read' | 'access'>> = { 2: 'write', 3: 'read', 4: 'access' };
const REPLY_OF_WATCH = { write: 'watch', read: 'rwatch', access: 'awatch' } as const;

type Running =
  | { readonly kind: 'continue' }
  | { readonly kind: 'step' }
  | { readonly kind: 'range'; readonly first: number; readonly end: number }
  | { readonly kind: 'back'; readonly work: Work<unknown>; readonly done: (result: unknown) => string };

/** GDB's breakpoints and watchpoints, by what it calls them. */
interface Inserted {
  readonly type: string;
  readonly point: StopPoint;
}

export class GdbStub {
  state: StubState = 'stopped';
  private readonly packets: PacketStream;
  private readonly wire: WireState;
  private readonly inserted = new Map<string, Inserted>();
  private readonly catches: StopPoint[] = [];
  private lastId = 0;
  private running: Running | undefined;
  /** The stop that `?` is answered with. */
  private lastStop = `T05thread:1;`;
  private tellsBreakpoints = false;

  constructor(
    private target: DebugTarget,
    private readonly host: StubHost,
    send: (bytes: Uint8Array) => void,
  ) {
    this.wire = new WireState(() => this.guest);
    this.packets = new PacketStream(send, {
      packet: (data) => this.answer(data),
      interrupt: () => this.interrupt(),
    });
  }

  private get guest(): DebugGuest {
    return this.target.guests[0]!;
  }
  receive(bytes: Uint8Array): void {
    this.packets.receive(bytes);
  }

  // ---- running ------------------------------------------------------------------------------------------------------

  /** One slice of what GDB has asked for; the driver calls it while the state is 'running' or, from time to time, 'waiting'. */
  slice(): void {
    const { running, target } = this;
    if (running === undefined) return;
    if (running.kind === 'back') {
      const { done, value } = running.work.next();
      if (done === true) this.stopped(running.done(value));
      return;
    }
    const reply = running.kind === 'range' ? this.stepRange(running) : this.runSome(running.kind === 'step');
    if (reply !== undefined) this.stopped(reply);
    else if (target.position.instructions === this.before && this.idle) this.state = 'waiting';
    else this.state = 'running';
  }
  private before = -1;
  private idle = false;

  private runSome(step: boolean): string | undefined {
    this.before = this.target.position.instructions;
    const stop = step ? this.target.run(1) : this.target.run(SLICE, SLICE_CYCLES);
    this.idle = stop.kind === 'waiting';
    if (step && stop.kind === 'limit') return this.replyOf(Signal.TRAP);
    return this.replyTo(stop);
  }
  /** GDB leaves the steps of a source line to us. */
  private stepRange({ first, end }: { readonly first: number; readonly end: number }): string | undefined {
    const vcpu = this.guest.vcpu;
    for (let i = 0; i < RANGE_STEPS; i++) {
      const reply = this.runSome(true);
      if (reply === undefined) return undefined;
      const eip = vcpu.read('eip');
      if (reply !== this.replyOf(Signal.TRAP) || eip < first || eip >= end) return reply;
    }
    return undefined;
  }
  private stopped(reply: string): void {
    this.running = undefined;
    this.state = 'stopped';
    this.lastStop = reply;
    this.packets.write(reply);
  }
  private interrupt(): void {
    const { running } = this;
    if (running === undefined) return;
    if (running.kind === 'back') running.work.return(undefined);
    this.stopped(this.replyOf(Signal.INT));
  }
  private start(running: Running): void {
    this.target.setPoints([...[...this.inserted.values()].map(({ point }) => point), ...this.catches]);
    this.running = running;
    this.state = 'running';
  }

  private replyOf(signal: number, more = ''): string {
    return `T${signal.toString(16).padStart(2, '0')}thread:1;${more}`;
  }
  /** Undefined: it has not stopped. */
  private replyTo(stop: DebugStop): string | undefined {
    switch (stop.kind) {
      case 'point':
        return this.replyToPoint(stop);
      case 'ended': {
        const { message, status } = this.host.ending();
        this.say(message);
        return status === undefined ? this.replyOf(Signal.SEGV) : `W${(status & 0xff).toString(16).padStart(2, '0')}`;
      }
      default:
        return undefined;
    }
  }
  private replyToPoint({ ids, detail }: Extract<DebugStop, { kind: 'point' }>): string {
    const met = [...this.inserted.values()].filter(({ point }) => ids.includes(point.id));
    const watch = met.find(({ type }) => type in WATCHES);
    if (watch !== undefined && 'bytes' in watch.point)
      return this.replyOf(Signal.TRAP, `${REPLY_OF_WATCH[WATCHES[watch.type]!]}:${watch.point.address.toString(16)};`);
    const breakpoint = met[0];
    if (breakpoint !== undefined) {
      const kind = breakpoint.type === '0' ? 'swbreak:;' : 'hwbreak:;';
      return this.replyOf(Signal.TRAP, this.tellsBreakpoints ? kind : '');
    }
    // A watchpoint GDB describes itself.
    const sentence =
      detail === undefined || detail.on === 'access' ? undefined : english(...stopSentence(detail, formatAddress));
    if (sentence !== undefined) this.say(sentence);
    return this.replyOf(Signal.TRAP);
  }
  /** GDB shows it while the machine runs. */
  private say(line: string): void {
    this.packets.write(`O${hexOfText(`${line}\n`)}`);
  }

  // ---- packets ------------------------------------------------------------------------------------------------------

  private answer(data: Uint8Array): void {
    const text = textOf(data);
    // While the machine runs GDB sends nothing but the interrupt.
    if (this.running !== undefined && text[0] !== 'k') return;
    const reply = this.replyToPacket(text);
    if (reply !== undefined) this.packets.write(reply);
  }
  /** Undefined: the answer comes when the machine stops, or never. */
  private replyToPacket(text: string): string | undefined {
    const rest = text.slice(1);
    switch (text[0]) {
      case '?':
        return this.lastStop;
      case '!':
        return 'OK';
      case 'g':
        return this.wire.readRegisters();
      case 'G':
        return this.wire.writeRegisters(rest);
      case 'p':
        return this.wire.readRegister(parseInt(rest, 16)) || 'E01';
      case 'P':
        return this.wire.writeRegister(rest);
      case 'm':
        return this.wire.readMemory(rest);
      case 'M':
      case 'X':
        return this.wire.writeMemory(text[0], rest);
      case 'c':
      case 's':
        return this.resume(text[0], rest);
      case 'C':
      case 'S':
        // A signal means nothing to a machine.
        return this.resume(text[0].toLowerCase(), rest.split(';')[1] ?? '');
      case 'b':
        return this.back(rest);
      case 'Z':
      case 'z':
        return this.point(text[0] === 'Z', rest);
      case 'H':
      case 'T':
        return 'OK';
      case 'D':
        this.state = 'detached';
        return 'OK';
      case 'k':
        this.state = 'killed';
        return undefined;
      case 'R':
        this.restart();
        return undefined;
      case 'v':
        return this.verbose(text);
      case 'q':
        return this.query(text);
      case 'Q':
        if (text !== 'QStartNoAckMode') return '';
        this.packets.write('OK');
        this.packets.noAck = true;
        return undefined;
      default:
        return '';
    }
  }
  private restart(): void {
    this.target = this.host.restart();
    this.lastStop = this.replyOf(Signal.TRAP);
  }

  private resume(kind: string, address: string): undefined {
    if (address !== '') this.guest.vcpu.write('eip', parseInt(address, 16));
    this.start({ kind: kind === 'c' ? 'continue' : 'step' });
  }
  private verbose(text: string): string | undefined {
    if (text === 'vCont?') return 'vCont;c;C;s;S;r';
    if (text.startsWith('vCont;')) {
      // One thread: the first action is for it.
      const action = text.slice(6).split(';')[0]!.split(':')[0]!;
      const range = /^r([0-9a-f]+),([0-9a-f]+)$/i.exec(action);
      if (range !== null) this.start({ kind: 'range', first: parseInt(range[1]!, 16), end: parseInt(range[2]!, 16) });
      else if (/^[cCsS]/.test(action)) this.resume(action[0]!.toLowerCase(), '');
      else return 'E01';
      return undefined;
    }
    if (text.startsWith('vRun')) {
      this.restart();
      return this.lastStop;
    }
    if (text.startsWith('vKill')) {
      this.state = 'killed';
      return 'OK';
    }
    return '';
  }
  /** bs and bc. */
  private back(how: string): string | undefined {
    const { target } = this;
    if (how !== 's' && how !== 'c') return '';
    if (!this.recorded) return 'E01';
    const atBeginning = (): string => this.replyOf(Signal.TRAP, 'replaylog:begin;');
    if (how === 's')
      this.start({
        kind: 'back',
        work: stepBack(target),
        done: (moved) => (moved === true ? this.replyOf(Signal.TRAP) : atBeginning()),
      });
    else
      this.start({
        kind: 'back',
        work: continueBack(target),
        done: (met) => (met === undefined ? atBeginning() : this.replyTo((met as Met).stop)!),
      });
    return undefined;
  }
  /** The target keeps its past. */
  private get recorded(): boolean {
    return this.target.history.limit > 0;
  }

  private query(text: string): string {
    const [name = ''] = text.split(/[:,]/);
    switch (name) {
      case 'qSupported':
        this.tellsBreakpoints = text.includes('swbreak+');
        return [
          `PacketSize=${PACKET_SIZE.toString(16)}`,
          'QStartNoAckMode+',
          'qXfer:features:read+',
          'qXfer:threads:read+',
          'swbreak+',
          'hwbreak+',
          'vContSupported+',
          ...(this.recorded ? ['ReverseStep+', 'ReverseContinue+'] : []),
        ].join(';');
      case 'qXfer':
        return this.transfer(text);
      case 'qAttached':
        return '1';
      case 'qC':
        return 'QC1';
      case 'qfThreadInfo':
        return 'm1';
      case 'qsThreadInfo':
        return 'l';
      case 'qThreadExtraInfo':
        return hexOfText(this.guest.vcpu.name);
      case 'qSymbol':
        return 'OK';
      case 'qRcmd':
        return this.monitor(text.slice(6));
      default:
        return '';
    }
  }
  private transfer(text: string): string {
    const [, object, action, annex, window = ''] = text.split(':');
    const [offset, length] = window.split(',').map(numberOf);
    if (action !== 'read' || offset === undefined || length === undefined) return 'E00';
    const document =
      object === 'features' && annex === 'target.xml'
        ? this.wire.description.xml
        : object === 'threads'
          ? `<?xml version="1.0"?><threads><thread id="1" core="0" name="${this.guest.vcpu.name}"/></threads>`
          : undefined;
    if (document === undefined) return 'E00';
    const part = document.slice(offset, offset + length);
    return (offset + part.length < document.length ? 'm' : 'l') + part;
  }
  private monitor(encoded: string): string {
    const bytes = bytesOfHex(encoded);
    if (bytes === undefined) return 'E01';
    const answer = runMonitor(
      textOf(bytes),
      {
        target: () => this.target,
        guest: () => this.guest,
        catches: this.catches,
        nextId: () => ++this.lastId,
        travel: (instructions, events) => this.travel(instructions, events),
      },
      this.host.commands,
    );
    return answer === '' ? 'OK' : hexOfText(`${answer}\n`);
  }

  /** Why it cannot go there; undefined: it is there. */
  private travel(instructions: number, events: number): string | undefined {
    try {
      for (const _ of this.target.history.travel({ instructions, events }));
      return undefined;
    } catch (error) {
      // A mistake of the user's has a sentence for him.
      if (error instanceof Error && error.name === 'UserError') return error.message;
      throw error;
    }
  }

  // ---- points -------------------------------------------------------------------------------------------------------

  private point(insert: boolean, text: string): string {
    const [type = '', address = '', kind = ''] = text.split(';')[0]!.split(',');
    const at = numberOf(address);
    const bytes = numberOf(kind) ?? 0;
    const on = WATCHES[type];
    if (on === undefined && type !== '0' && type !== '1') return '';
    if (at === undefined) return 'E01';
    const key = `${type} ${at} ${on === undefined ? '' : bytes}`;
    if (!insert) {
      this.inserted.delete(key);
      return 'OK';
    }
    if (on !== undefined && bytes === 0) return 'E01';
    const known = this.inserted.get(key);
    const id = known?.point.id ?? ++this.lastId;
    const point: StopPoint = on === undefined ? { id, on: 'execute', address: at } : { id, on, address: at, bytes };
    this.inserted.set(key, { type, point });
    return 'OK';
  }
}
