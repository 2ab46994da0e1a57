// What the machine's thread tells without being asked: output as it comes, status, the views that are watched, and source lines at work, each so often; all
// at once where the guest stands still. It reads the stream of events for that. Not when the guest runs (machine-server.ts) and not what is asked
// (questions.ts).

import type { FromMachine, LiveView, MachineStatus, RunState, ToMachine, VmcsView } from '../protocol/machine.ts';
import { LineActivityCounter } from './line-activity.ts';
import type { Port } from './port.ts';
import type { DomainView, Session, SourceLocation, Stop } from './session.ts';
import { TimelineIndex } from './timeline-index.ts';

const STATUS_MS = 250;
const LIVE_MS = 150;
const ACTIVITY_MS = 1000;
/** Records taken from the session at once. */
const BATCH = 0x1_0000;
/** VMCS fields that hold guest addresses worth a link. */
const ADDRESS_FIELD = /\b(RIP|RSP|linear address)\b/i;

/** How the guest runs at the moment. */
export interface RunView {
  readonly state: RunState;
  readonly idle: boolean;
}

export class Reporter {
  index = new TimelineIndex();
  instructions = 0;
  virtualSeconds = 0;
  private activity: LineActivityCounter;
  /** Numbers of the further domains. */
  private readonly others: readonly number[];
  private future = 0;
  private statusDue = 0;
  private liveDue = 0;
  private activityDue = 0;
  /** By guest: the stop that was told. */
  private readonly told: (Stop | undefined)[] = [];
  private vmcs: { readonly instructions: number; readonly view: VmcsView } | undefined;
  private speedMarks: { readonly at: number; readonly instructions: number }[] = [];

  constructor(
    private readonly session: Session,
    private readonly port: Port<ToMachine, FromMachine>,
    private readonly now: () => number,
    private readonly run: RunView,
    private views: readonly LiveView[],
  ) {
    this.activity = new LineActivityCounter(session);
    this.others = session.guests.slice(1).map(({ id }) => id);
  }

  /** The guest begins to run. */
  began(): void {
    this.speedMarks = [];
    this.postStatus();
  }

  watch(views: readonly LiveView[]): void {
    this.views = views;
    this.liveDue = 0;
    if (this.run.state !== 'running') this.postLive();
  }

  /** Tells that the guest cannot go on, once. */
  postStop(): void {
    const { session } = this;
    const stop = this.newStop(0);
    if (stop !== undefined) this.port.post({ type: 'stopped', stop, location: stopLocation(session, stop) });
  }
  /** Why a guest cannot go on, if that has not been told. */
  private newStop(index: number): Stop | undefined {
    const { stop } = this.session.guests[index]!;
    if (stop === this.told[index]) return undefined;
    this.told[index] = stop;
    return stop;
  }

  /** Output, ends of further domains, and new events. The console shows the firmware's log with the serial line. */
  drain(): void {
    const { session } = this;
    this.postSerial(session.takeSerial());
    this.postSerial(session.takeDebugConsole());
    this.others.forEach((domain, i) => {
      this.postSerial(session.takeSerial(domain), domain);
      const stop = this.newStop(i + 1);
      if (stop !== undefined) this.port.post({ type: 'domainStopped', domain, stop });
    });
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
      this.activity.append(batch.records);
    }
  }

  private postSerial(output: Uint8Array, domain?: number): void {
    if (output.length === 0) return;
    const bytes = output.slice();
    this.port.post({ type: 'serial', bytes, domain }, [bytes.buffer]);
  }

  takeCounters(): void {
    const counters = this.session.counters();
    this.instructions = counters.instructions;
    this.virtualSeconds = counters.virtualSeconds;
    this.index.lost = counters.events.lost;
  }

  postDue(now: number): void {
    if (now >= this.statusDue) this.postStatus();
    if (now >= this.liveDue) this.postLive();
    if (now >= this.activityDue) this.postActivity();
  }

  /** Everything at once: at a stop of any kind. */
  report(): void {
    this.takeCounters();
    this.drain();
    this.postStatus();
    this.postLive();
    this.postActivity();
  }

  postStatus(): void {
    const { run } = this;
    const now = this.now();
    this.statusDue = now + STATUS_MS;
    const exits = this.session.counters().exits.reduce((sum, exit) => sum + exit.count, 0);
    const status: MachineStatus = {
      state: run.state,
      instructions: this.instructions,
      virtualSeconds: this.virtualSeconds,
      speed: run.state === 'running' ? this.speed(now) : 0,
      idle: run.idle,
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
    this.liveDue = this.now() + LIVE_MS;
    const { session } = this;
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
    this.activityDue = this.now() + ACTIVITY_MS;
    const lines = this.activity.take();
    if (lines !== undefined) this.port.post({ type: 'activity', lines });
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
