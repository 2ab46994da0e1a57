// GDB's remote protocol over a machine: answers packets. Bytes in, bytes out: the connection is its driver's (cli/gdb.ts). Not the frame of packets
// (packet.ts), registers and memory (wire-state.ts), points (points.ts), domains as processes (processes.ts), how the machine runs (running.ts) nor what
// `monitor` does (monitor.ts). GDB manual, appendix E.

import type { DebugGuest, DebugTarget } from '../target.ts';
import { type MonitorCommand, runMonitor } from './monitor.ts';
import { bytesOfHex, hexOfText, PacketStream, textOf } from './packet.ts';
import { Points } from './points.ts';
import { type GuestFacts, Processes } from './processes.ts';
import { resumptionOf, resumptionOfActions, singleStep } from './resumption.ts';
import { Running, Signal } from './running.ts';
import { numberOf, PACKET_SIZE, WireState } from './wire-state.ts';

export interface StubHost extends GuestFacts {
  /** A new machine of the same kind, which has not run. */
  restart(): DebugTarget;
  readonly commands: readonly MonitorCommand[];
}

/** GDB shows it as it is. */
const WHO_STEPS_BACK = 'E.with "set schedule-multiple on" gdb does not say which inferior steps back; set it off';
/** Packets about registers and memory. */
const LOOKS = 'gGpPmMX';

/** What the driver is to do next. */
export type StubState = 'stopped' | 'running' | 'waiting' | 'killed' | 'detached';

export class GdbStub {
  private readonly packets: PacketStream;
  private readonly processes: Processes;
  private readonly wire: WireState;
  private readonly points: Points;
  private readonly running: Running;
  /** GDB stays when it has no process. */
  private extended = false;
  private over: 'killed' | 'detached' | undefined;

  constructor(
    private target: DebugTarget,
    private readonly host: StubHost,
    send: (bytes: Uint8Array) => void,
  ) {
    this.processes = new Processes(() => this.target, host);
    this.wire = new WireState(() => this.guest);
    this.points = new Points(this.processes);
    this.packets = new PacketStream(send, {
      packet: (data) => this.answer(data),
      interrupt: () => this.running.interrupt(),
    });
    this.running = new Running(
      () => this.target,
      this.processes,
      this.points,
      (packet) => this.packets.write(packet),
    );
  }

  get state(): StubState {
    return this.over ?? this.running.state;
  }
  receive(bytes: Uint8Array): void {
    this.packets.receive(bytes);
  }
  /** One slice of what GDB has asked for; the driver calls it while the state is 'running' or, from time to time, 'waiting'. */
  slice(): void {
    this.running.slice();
  }

  private get guest(): DebugGuest {
    return this.processes.guest;
  }
  /** The target keeps its past. */
  private get recorded(): boolean {
    return this.target.history.limit > 0;
  }

  private answer(data: Uint8Array): void {
    const text = textOf(data);
    // While the machine runs GDB sends nothing but the interrupt.
    if (this.running.runs && text[0] !== 'k') return;
    const reply = this.replyToPacket(text);
    if (reply !== undefined) this.packets.write(reply);
  }
  /** Undefined: the answer comes when the machine stops, or never. */
  private replyToPacket(text: string): string | undefined {
    const rest = text.slice(1);
    if (text !== '' && LOOKS.includes(text[0]!)) this.processes.looked = this.processes.general;
    switch (text[0]) {
      case '?':
        return this.running.lastStop;
      case '!':
        this.extended = true;
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
        return this.points.change(text[0] === 'Z', rest);
      case 'H':
        return this.processes.choose(rest[0] ?? '', rest.slice(1)) ? 'OK' : 'E01';
      case 'T':
        return this.processes.whom(rest) === undefined ? 'E01' : 'OK';
      case 'D':
        return this.detach(rest.slice(1));
      case 'k':
        this.over = 'killed';
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
  private restart(): string {
    this.target = this.host.restart();
    this.processes.restart();
    return this.running.restart();
  }

  // ---- running ------------------------------------------------------------------------------------------------------

  private resume(kind: string, address: string): string | undefined {
    const { continued, general, attached } = this.processes;
    if (attached.length === 0) return 'E01';
    if (address !== '') this.guest.vcpu.write('eip', parseInt(address, 16));
    const resumption = resumptionOf(continued, this.processes);
    if (kind === 'c') this.running.go(resumption);
    else this.running.go({ ...resumption, partly: false, step: singleStep(continued === 'all' ? general : continued) });
    return undefined;
  }
  /** bs and bc. */
  private back(how: string): string | undefined {
    if (how !== 's' && how !== 'c') return '';
    const { continued, stepsBack, attached } = this.processes;
    if (!this.recorded || attached.length === 0) return 'E01';
    if (how === 'c') this.running.continueBack(continued);
    else if (stepsBack === undefined) return WHO_STEPS_BACK;
    else this.running.stepBack(stepsBack);
    return undefined;
  }
  private verbose(text: string): string | undefined {
    const [name = '', ...rest] = text.split(';');
    switch (name) {
      case 'vCont?':
        return 'vCont;c;C;s;S;r';
      case 'vCont': {
        const resumption = resumptionOfActions(rest.join(';'), this.processes);
        if (resumption === undefined) return 'E01';
        this.running.go(resumption);
        return undefined;
      }
      case 'vRun':
        return this.restart();
      case 'vAttach':
        return this.attach(rest[0] ?? '');
      case 'vKill':
        return this.kill(rest[0] ?? '');
      default:
        return '';
    }
  }

  // ---- processes ----------------------------------------------------------------------------------------------------

  private attach(pid: string): string {
    if (!this.processes.multiple) return '';
    const attached = this.processes.attach(pid);
    return typeof attached === 'string' ? `E.${attached}` : this.running.replyOf(Signal.TRAP, '', attached);
  }
  private detach(pid: string): string {
    const { processes } = this;
    if (processes.multiple && pid !== '') {
      const index = processes.withPid(pid);
      if (index === undefined || !processes.attached.includes(index)) return 'E01';
      this.points.drop(index);
      processes.detach(index);
      if (this.extended || processes.attached.length > 0) return 'OK';
    }
    this.over = 'detached';
    return 'OK';
  }
  /** The first guest is the session; another ends by itself. */
  private kill(pid: string): string {
    const { processes } = this;
    if (processes.multiple && processes.withPid(pid) !== 0)
      return 'E.only the first domain can be killed, and kansoku ends with it';
    this.over = 'killed';
    return 'OK';
  }

  // ---- questions ----------------------------------------------------------------------------------------------------

  private query(text: string): string {
    const { processes } = this;
    const [name = '', argument = ''] = text.split(/[:,]/);
    switch (name) {
      case 'qSupported':
        return this.supported(text);
      case 'qXfer':
        return this.transfer(text);
      case 'qAttached':
        return '1';
      case 'qC':
        return `QC${processes.thread(processes.general)}`;
      case 'qfThreadInfo':
        return processes.attached.length === 0 ? 'l' : `m${processes.threads}`;
      case 'qsThreadInfo':
        return 'l';
      case 'qThreadExtraInfo': {
        const whom = processes.whom(argument);
        return typeof whom === 'number' ? hexOfText(processes.guests[whom]!.vcpu.name) : 'E01';
      }
      case 'qSymbol':
        return 'OK';
      case 'qRcmd':
        return this.monitor(text.slice(6));
      default:
        return '';
    }
  }
  private supported(text: string): string {
    const { processes } = this;
    this.running.tellsBreakpoints = text.includes('swbreak+');
    processes.multiple = text.includes('multiprocess+') && processes.guests.length > 1;
    return [
      `PacketSize=${PACKET_SIZE.toString(16)}`,
      'QStartNoAckMode+',
      'qXfer:features:read+',
      'qXfer:threads:read+',
      'swbreak+',
      'hwbreak+',
      'vContSupported+',
      ...(processes.multiple ? ['multiprocess+', 'qXfer:osdata:read+'] : []),
      ...(this.recorded ? ['ReverseStep+', 'ReverseContinue+'] : []),
    ].join(';');
  }
  private transfer(text: string): string {
    const [, object, action, annex = '', window = ''] = text.split(':');
    const [offset, length] = window.split(',').map(numberOf);
    if (action !== 'read' || offset === undefined || length === undefined) return 'E00';
    const document = this.document(object, annex);
    if (document === undefined) return 'E00';
    const part = document.slice(offset, offset + length);
    return (offset + part.length < document.length ? 'm' : 'l') + part;
  }
  private document(object: string | undefined, annex: string): string | undefined {
    switch (object) {
      case 'features':
        return annex === 'target.xml' ? this.wire.description.xml : undefined;
      case 'threads':
        return this.processes.threadList;
      case 'osdata':
        return this.processes.osdata(annex);
      default:
        return undefined;
    }
  }

  // ---- monitor ------------------------------------------------------------------------------------------------------

  private monitor(encoded: string): string {
    const bytes = bytesOfHex(encoded);
    if (bytes === undefined) return 'E01';
    const answer = runMonitor(
      textOf(bytes),
      {
        target: () => this.target,
        guest: () => this.guest,
        catches: this.points.catches,
        nextId: () => this.points.nextId(),
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
}
