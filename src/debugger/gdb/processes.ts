// The guests as GDB has them: where it tells processes apart, each domain is one, with its vCPU as the thread. Which GDB has attached, what they are
// called on the wire, whom packets are about. Not what runs (running.ts). GDB manual, appendix E.2 "Packets" (thread-id) and E.4 "General Query Packets".

import type { GuestEnd } from '../machine.ts';
import type { DebugGuest, DebugTarget } from '../target.ts';

/** What a target does not know of its guests, by their places. */
export interface GuestFacts {
  nameOf(index: number): string;
  /** Undefined: it can go on. */
  endOf(index: number): GuestEnd | undefined;
}

/** A place among the guests, or all that are attached. */
export type Whom = number | 'all';

/** There is one vCPU. */
const THREAD = '1';

const escaped = (text: string): string => text.replace(/[&<>"]|[^ -~]/gu, (c) => `&#${c.codePointAt(0)};`);
const item = (columns: Readonly<Record<string, string>>): string =>
  `<item>${Object.entries(columns)
    .map(([name, value]) => `<column name="${name}">${escaped(value)}</column>`)
    .join('')}</item>`;
const osdata = (type: string, items: readonly string[]): string =>
  `<?xml version="1.0"?><!DOCTYPE target SYSTEM "osdata.dtd"><osdata type="${type}">${items.join('')}</osdata>`;

export class Processes {
  /** GDB tells processes apart, and there are several; false: it has the first guest alone. */
  multiple = false;
  /** Whom registers, memory and points are about. */
  general = 0;
  /** Whom the packets of running are about that do not say it. */
  continued: Whom = 'all';
  /** Whose registers or memory GDB saw or set last, and whose the last stop was. */
  looked = 0;
  stopped = 0;
  private readonly held = new Set([0]);

  constructor(
    private readonly target: () => DebugTarget,
    private readonly facts: GuestFacts,
  ) {}

  get guests(): readonly DebugGuest[] {
    return this.target().guests;
  }
  get guest(): DebugGuest {
    return this.guests[this.general]!;
  }
  /** Places of those that GDB has, in order. */
  get attached(): readonly number[] {
    return [...this.held].sort((a, b) => a - b);
  }
  endOf(index: number): GuestEnd | undefined {
    return this.facts.endOf(index);
  }
  /** What is said of one of several begins with its domain, as on Xen's console. */
  prefixOf(index: number): string {
    return this.multiple ? `(d${this.guests[index]!.domain}) ` : '';
  }

  // ---- the wire -----------------------------------------------------------------------------------------------------

  /** Its number is one more than the domain's: there is no process 0. */
  pid(index: number): string {
    return ((this.guests[index]!.domain ?? 0) + 1).toString(16);
  }
  thread(index: number): string {
    return this.multiple ? `p${this.pid(index)}.${THREAD}` : THREAD;
  }
  /** Of any guest; undefined: there is no such process. */
  withPid(pid: string): number | undefined {
    const index = this.guests.findIndex((_, n) => this.pid(n) === pid.toLowerCase());
    return index < 0 ? undefined : index;
  }
  /** Whom a thread id means. Undefined: nobody that GDB has. */
  whom(id: string): Whom | undefined {
    if (!this.multiple) return 0;
    const [, pid = '1', thread = '-1'] = /^(?:p(-1|[0-9a-f]+)(?:\.|$))?(-1|[0-9a-f]+)?$/i.exec(id) ?? ['', '?', '?'];
    const anyThread = thread === '-1' || thread === '0';
    if (pid === '-1' || pid === '0' || (anyThread && !id.startsWith('p'))) return 'all';
    const index = this.withPid(pid);
    return index !== undefined && this.held.has(index) && (anyThread || thread === THREAD) ? index : undefined;
  }
  /** H: false: there is no such thread. */
  choose(what: string, id: string): boolean {
    const whom = this.whom(id);
    if (whom === undefined) return false;
    if (what === 'c') this.continued = whom;
    // Any of them: as it is.
    else if (whom !== 'all') this.general = whom;
    return true;
  }

  /** Whom a step back is about. Undefined: GDB does not say it where all are resumed (Hc0), and the user may have turned to another since the stop. */
  get stepsBack(): number | undefined {
    if (this.continued !== 'all') return this.continued;
    return this.looked === this.stopped && this.held.has(this.stopped) ? this.stopped : undefined;
  }

  // ---- attaching ----------------------------------------------------------------------------------------------------

  /** Its place, or why not. */
  attach(pid: string): number | string {
    const index = this.withPid(pid);
    if (index === undefined) return 'there is no such domain: "info os processes" lists them';
    if (this.held.has(index)) return 'it is attached already';
    if (this.endOf(index) !== undefined) return 'the domain has ended';
    this.held.add(index);
    return index;
  }
  detach(index: number): void {
    this.held.delete(index);
    if (this.continued === index) this.continued = 'all';
    if (this.general === index) this.general = this.attached[0] ?? 0;
  }
  /** The machine is another. */
  restart(): void {
    this.held.add(0);
    this.general = this.looked = this.stopped = 0;
    this.continued = 'all';
  }

  // ---- lists --------------------------------------------------------------------------------------------------------

  get threads(): string {
    return this.attached.map((index) => this.thread(index)).join(',');
  }
  get threadList(): string {
    const lines = this.attached.map(
      (index) => `<thread id="${this.thread(index)}" core="0" name="${this.guests[index]!.vcpu.name}"/>`,
    );
    return `<?xml version="1.0"?><threads>${lines.join('')}</threads>`;
  }
  /** What there is to attach to: `info os`. Undefined: there is no such list. */
  osdata(annex: string): string | undefined {
    if (!this.multiple) return undefined;
    if (annex === '')
      return osdata('types', [item({ Type: 'processes', Description: 'The domains', Title: 'Domains' })]);
    if (annex !== 'processes') return undefined;
    const stateOf = (index: number): string =>
      this.endOf(index) !== undefined ? 'ended' : this.held.has(index) ? 'attached' : 'not attached';
    return osdata(
      'processes',
      this.guests.map((guest, n) =>
        item({
          pid: String(parseInt(this.pid(n), 16)),
          domain: `d${guest.domain}`,
          command: this.facts.nameOf(n),
          state: stateOf(n),
        }),
      ),
    );
  }
}
