// GDB's breakpoints and watchpoints, and what `monitor catch` has set: each is of one guest. Not where they are met (running.ts). GDB manual, appendix
// E.2 "Packets": z, Z.

import type { StopPoint } from '../target.ts';
import type { Processes } from './processes.ts';
import { numberOf } from './wire-state.ts';

const WATCHES: Readonly<Record<string, 'write' | 'read' | 'access'>> = { 2: 'write', 3: 'read', 4: 'access' };
const REPLY_OF_WATCH = { write: 'watch', read: 'rwatch', access: 'awatch' } as const;

interface Inserted {
  readonly type: string;
  readonly point: StopPoint;
}

export class Points {
  /** By whose they are and what GDB calls them. */
  private readonly inserted = new Map<string, Inserted>();
  /** Those of `monitor catch`. */
  readonly catches: StopPoint[] = [];
  private lastId = 0;

  constructor(private readonly processes: Processes) {}

  nextId(): number {
    return ++this.lastId;
  }

  /** Z and z, of the process at hand. */
  change(insert: boolean, text: string): string {
    const [type = '', address = '', kind = ''] = text.split(';')[0]!.split(',');
    const at = numberOf(address);
    const bytes = numberOf(kind) ?? 0;
    const on = WATCHES[type];
    if (on === undefined && type !== '0' && type !== '1') return '';
    if (at === undefined) return 'E01';
    const { domain } = this.processes.guest;
    const key = `${domain} ${type} ${at} ${on === undefined ? '' : bytes}`;
    if (!insert) {
      this.inserted.delete(key);
      return 'OK';
    }
    if (on !== undefined && bytes === 0) return 'E01';
    const id = this.inserted.get(key)?.point.id ?? this.nextId();
    const whose = domain === undefined ? {} : { domain };
    const point: StopPoint =
      on === undefined ? { id, on: 'execute', address: at, ...whose } : { id, on, address: at, bytes, ...whose };
    this.inserted.set(key, { type, point });
    return 'OK';
  }

  /** All points of some of the guests. */
  of(guests: readonly number[]): StopPoint[] {
    const domains = guests.map((index) => this.processes.guests[index]!.domain);
    return this.all.filter(({ domain }) => domains.includes(domain));
  }
  /** GDB has this guest no more. */
  drop(index: number): void {
    const { domain } = this.processes.guests[index]!;
    for (const [key, { point }] of this.inserted) if (point.domain === domain) this.inserted.delete(key);
    this.catches.splice(0, Infinity, ...this.catches.filter((point) => point.domain !== domain));
  }
  private get all(): readonly StopPoint[] {
    return [...[...this.inserted.values()].map(({ point }) => point), ...this.catches];
  }

  /** Place of the guest that met one of these; undefined: they are not among ours. */
  guestThatMet(ids: readonly number[]): number | undefined {
    const met = this.all.find(({ id }) => ids.includes(id));
    return met === undefined ? undefined : this.processes.guests.findIndex(({ domain }) => domain === met.domain);
  }
  /** What a stop reply says of those of GDB's own that were met; undefined: none was. @param kinds GDB knows of kinds of breakpoints */
  reasonOf(ids: readonly number[], kinds: boolean): string | undefined {
    const met = [...this.inserted.values()].filter(({ point }) => ids.includes(point.id));
    const watch = met.find(({ type }) => type in WATCHES);
    if (watch !== undefined && 'bytes' in watch.point)
      return `${REPLY_OF_WATCH[WATCHES[watch.type]!]}:${watch.point.address.toString(16)};`;
    const [breakpoint] = met;
    if (breakpoint === undefined) return undefined;
    return !kinds ? '' : breakpoint.type === '0' ? 'swbreak:;' : 'hwbreak:;';
  }
}
