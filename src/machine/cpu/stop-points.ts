// The stop points of a debugger outside the machine: which there are, whether one is met, and what was met. They cost nothing until they are
// met: code with a point before an instruction is decoded so that it leaves there (translate/code-cache.ts), a page with watched bytes has
// TLB entries that no access can use directly (tlb.ts). Nothing here changes what the guest sees. Not the guest's own breakpoints (breakpoints.ts).

import { MomentCount } from '../moment-count.ts';
import type { Position, StopDetail, StopPoint, WatchPoint } from '../stop-point.ts';

/** Interruption types (SDM vol. 3, 24.8.3) of what is an exception to the debugger; all others are interrupts. */
const EXCEPTION_TYPES = (1 << 3) | (1 << 5) | (1 << 6);
const PAGE_FAULT = 14;

/** An access to watched bytes by the instruction in flight. */
interface Note {
  readonly address: number;
  readonly bytes: number;
  readonly write: boolean;
  readonly read: boolean;
  readonly eip: number;
  readonly before: Uint8Array;
}

/** What the points need of the processor they belong to. */
export interface Surroundings {
  readonly retired: () => number;
  /** EIP of the instruction in flight. */
  readonly eip: () => number;
  /** Points at these linear addresses come or go: their code is decoded anew. */
  readonly forget: (addresses: readonly number[]) => void;
  /** The pages with watched bytes are others. */
  readonly watch: (page: number, on: boolean) => void;
  /** Copies memory by the guest's page tables without any effect; bytes that are not mapped stay. */
  peek: (linear: number, into: Uint8Array) => void;
}

/** Of points that belong to no processor. */
const NOWHERE: Surroundings = {
  retired: () => 0,
  eip: () => 0,
  forget: () => undefined,
  watch: () => undefined,
  peek: () => undefined,
};

/** All points of some kinds. */
type Of<On extends StopPoint['on']> = StopPoint & { readonly on: On };

const touches = (watch: WatchPoint, address: number, bytes: number): boolean =>
  // Distances modulo 2^32, for accesses that wrap.
  (watch.address - address) >>> 0 < bytes || (address - watch.address) >>> 0 < watch.bytes;
const pagesOf = (watch: WatchPoint): number[] => {
  const first = watch.address >>> 12;
  const count = ((watch.address & 0xfff) + watch.bytes + 4095) >>> 12;
  return Array.from({ length: count }, (_, i) => (first + i) & 0xfffff);
};
const listed = (list: readonly number[] | undefined, value: number): boolean => list?.includes(value) ?? true;

export class StopPoints {
  /** There are points, or an end that is exact: the run loop looks at every boundary that it comes to. */
  armed = false;
  /** Some point of the class is set. */
  execution = false;
  data = false;
  ports = false;
  msrs = false;
  /** Deliveries to handlers are met, those by INT n too. */
  deliveries = false;
  /** The machine stands still: nothing goes on before `begin`. */
  halted = false;
  /** The boundary behind this instruction must be looked at: accesses were noted, or `halted`. */
  boundary = false;
  /** Retired instructions at which the machine stands still, and how many events have been delivered there. */
  limit = Infinity;
  private limitEvents = 0;
  /** Number of the domain whose vCPU the processor has; on the bare machine there is one guest. */
  domain = 0;
  /** What was met at the last stop. */
  readonly ids: number[] = [];
  detail: StopDetail | undefined;
  surroundings: Surroundings = NOWHERE;

  private readonly execute = new Map<number, Of<'execute'>[]>();
  /** Page offsets of the addresses: all that is certain of code in a segment that is not flat. */
  private readonly offsets = new Set<number>();
  private watches: readonly Of<WatchPoint['on']>[] = [];
  private pages = new Set<number>();
  private events: readonly Of<'exception' | 'interrupt'>[] = [];
  private exits: readonly Of<'exit'>[] = [];
  private portPoints: readonly Of<'port'>[] = [];
  private msrPoints: readonly Of<'msr'>[] = [];
  private turns: readonly Of<'switch-in' | 'switch-out' | 'domain-end'>[] = [];
  private readonly notes: Note[] = [];
  /** A delivery is the end of what was asked for. */
  private single = false;
  /** No point is met: the way to a moment that is known. */
  private muted = false;
  /** Where `begin` was: the points before that instruction do not stop it. */
  private startRetired = -1;
  private startEvents = -1;
  private startDomain = 0;
  /** Where a run came to its end before the points of the instruction there were looked at: the next one looks. */
  private unseen: Position | undefined;
  /** Domains that lost the processor where they stood then: the points there do not stop them when they get it again. */
  private readonly stillThere = new Set<number>();

  /** @param deliveredEvents events delivered when so many instructions had retired */
  constructor(private readonly deliveredEvents = new MomentCount()) {}

  // ---- the set ------------------------------------------------------------------------------------------------------

  /** Replaces all points. Only what differs is decoded anew. */
  replace(points: readonly StopPoint[]): void {
    this.unseen = undefined;
    const of = <On extends StopPoint['on']>(...kinds: readonly On[]): Of<On>[] =>
      points.filter((p): p is Of<On> => kinds.includes(p.on as On));
    this.replaceExecution(of('execute'));
    this.watches = of('write', 'read', 'access', 'change');
    this.replacePages(new Set(this.watches.flatMap(pagesOf)));
    this.events = of('exception', 'interrupt');
    this.exits = of('exit');
    this.portPoints = of('port');
    this.msrPoints = of('msr');
    this.turns = of('switch-in', 'switch-out', 'domain-end');
    this.ports = this.portPoints.length > 0;
    this.msrs = this.msrPoints.length > 0;
    this.arm();
  }
  private replaceExecution(points: readonly Of<'execute'>[]): void {
    const before = new Set(this.execute.keys());
    this.execute.clear();
    this.offsets.clear();
    for (const point of points) {
      const at = point.address >>> 0;
      this.execute.set(at, [...(this.execute.get(at) ?? []), point]);
      this.offsets.add(at & 0xfff);
    }
    this.execution = points.length > 0;
    const changed = [...this.execute.keys()].filter((at) => !before.delete(at));
    changed.push(...before);
    if (changed.length > 0) this.surroundings.forget(changed);
  }
  private replacePages(pages: Set<number>): void {
    const before = this.pages;
    this.pages = pages;
    this.data = pages.size > 0;
    for (const page of before) if (!pages.has(page)) this.surroundings.watch(page, false);
    for (const page of pages) if (!before.has(page)) this.surroundings.watch(page, true);
  }
  private arm(): void {
    const some = this.execution || this.data || this.ports || this.msrs;
    this.deliveries = this.events.length > 0 || this.single;
    this.armed = some || this.events.length > 0 || this.exits.length > 0 || this.limit !== Infinity || this.halted;
  }

  // ---- a run --------------------------------------------------------------------------------------------------------

  get position(): Position {
    const instructions = this.surroundings.retired();
    return { instructions, events: this.deliveredEvents.at(instructions) };
  }
  /** Where a machine that was put to another moment stands. */
  set position(at: Position) {
    this.deliveredEvents.set(at.instructions, at.events);
    this.stillThere.clear();
    this.unseen = undefined;
  }
  /** The machine may go on from here, to `until` at most. `single`: only over one instruction or one delivery. `muted`: no point is met. */
  begin(until: Position, single: boolean, muted = false): void {
    this.muted = muted;
    const { instructions, events } = this.position;
    const isUnseen = this.unseen?.instructions === instructions && this.unseen.events === events;
    this.startRetired = isUnseen ? -1 : instructions;
    this.startEvents = events;
    this.startDomain = this.domain;
    this.limit = until.instructions;
    this.limitEvents = until.events;
    this.single = single;
    this.halted = false;
    this.boundary = false;
    this.ids.length = 0;
    this.detail = undefined;
    this.notes.length = 0;
    this.arm();
  }
  /** What `begin` asked for is over; points stay. A single step stands at those that it comes to. */
  end(): void {
    const looked = this.ids.length > 0 || this.single || this.muted || this.atStart;
    this.unseen = looked ? undefined : this.position;
    this.limit = Infinity;
    this.single = false;
    this.muted = false;
    this.halted = false;
    this.boundary = false;
    this.arm();
  }
  private halt(): void {
    this.halted = true;
    this.boundary = true;
    this.armed = true;
  }
  private meet(id: number): void {
    if (this.muted) return;
    if (!this.ids.includes(id)) this.ids.push(id);
    this.halt();
  }
  /** A point of another domain lies elsewhere, though its address be the same. */
  private isHere({ domain = this.domain }: { readonly domain?: number }): boolean {
    return domain === this.domain;
  }
  private get atStart(): boolean {
    const { instructions, events } = this.position;
    return this.domain === this.startDomain && instructions === this.startRetired && events === this.startEvents;
  }

  /** At a boundary, before an interrupt is taken there: is it the end of the run? */
  ends(): boolean {
    if (this.notes.length > 0) this.settle();
    if (this.halted) return true;
    const retired = this.surroundings.retired();
    if (retired < this.limit) return false;
    if (retired === this.limit && this.position.events < this.limitEvents) return false;
    this.halt();
    return true;
  }
  /** Before the instruction at a linear address: does a point stop the run? */
  stopsBefore(linear: number): boolean {
    const points = this.execution ? this.execute.get(linear) : undefined;
    if (points === undefined || this.muted || this.atStart) return false;
    for (const point of points) if (this.isHere(point)) this.meet(point.id);
    return this.halted;
  }
  /** Code is being decoded: must it leave before the instruction at a linear address? Where the segment is not flat, that is looked at again. */
  marks(linear: number, flat: boolean): boolean {
    return flat ? this.execute.has(linear >>> 0) : this.offsets.has(linear & 0xfff);
  }

  // ---- accesses -----------------------------------------------------------------------------------------------------

  forEachWatchedPage(visit: (page: number) => void): void {
    this.pages.forEach(visit);
  }
  watchesPage(page: number): boolean {
    return this.pages.has(page);
  }
  /** Does an access touch watched bytes in a way that is watched? */
  watched(address: number, bytes: number, write: boolean, read: boolean): boolean {
    if (!this.pages.has(address >>> 12) && !this.pages.has(((address + bytes - 1) >>> 12) & 0xfffff)) return false;
    return this.watches.some(
      (w) => (w.on === 'read' ? read : w.on === 'access' || write) && touches(w, address, bytes) && this.isHere(w),
    );
  }
  /** The instruction in flight is about to access watched bytes. */
  note(address: number, bytes: number, write: boolean, read: boolean): void {
    const before = new Uint8Array(bytes);
    this.surroundings.peek(address, before);
    this.notes.push({ address, bytes, write, read, eip: this.surroundings.eip(), before });
    this.boundary = true;
  }
  /** The instruction did not complete: it will do its accesses again. */
  drop(): void {
    if (this.notes.length === 0) return;
    this.notes.length = 0;
    this.boundary = this.halted;
  }
  /** It did: what it touched is met, unless it left watched bytes as they were. */
  settle(): void {
    for (const { address, bytes, write, read, eip, before } of this.notes) {
      const after = new Uint8Array(bytes);
      this.surroundings.peek(address, after);
      const changed = (w: WatchPoint): boolean =>
        after.some((byte, i) => byte !== before[i] && (address + i - w.address) >>> 0 < w.bytes);
      const met = this.watches.filter(
        (w) =>
          touches(w, address, bytes) &&
          this.isHere(w) &&
          (w.on === 'change' ? write && changed(w) : w.on === 'read' ? read : w.on === 'access' || write),
      );
      for (const { id } of met) this.meet(id);
      if (met.length > 0) this.detail ??= { on: 'access', address, bytes, write, eip, before, after };
    }
    this.notes.length = 0;
    this.boundary = this.halted;
  }

  // ---- events, exits, ports, MSRs -----------------------------------------------------------------------------------

  /** An event's handler was entered. `type`: its interruption type; `eip`: where the guest was; `address`: of a page fault. */
  delivered(vector: number, type: number, errorCode: number | undefined, eip: number, address: number): void {
    this.deliveredEvents.add(this.surroundings.retired());
    if (!this.armed) return;
    if (this.single) this.halt();
    const exception = ((EXCEPTION_TYPES >>> type) & 1) !== 0;
    for (const point of this.events) {
      if ((point.on === 'exception') !== exception || !listed(point.vectors, vector) || !this.isHere(point)) continue;
      this.meet(point.id);
      this.detail ??= exception
        ? {
            on: 'exception',
            vector,
            ...(errorCode === undefined ? {} : { errorCode }),
            ...(vector === PAGE_FAULT ? { address } : {}),
            eip,
          }
        : { on: 'interrupt', vector, eip };
    }
  }
  /** The guest has left for its hypervisor. True: the exit is not handled before the machine goes on. */
  left(reason: number, qualification: number): boolean {
    for (const point of this.exits) {
      if (!listed(point.reasons, reason) || !this.isHere(point)) continue;
      this.meet(point.id);
      this.detail ??= { on: 'exit', reason, qualification };
    }
    return this.halted;
  }
  /** An instruction has used a port. */
  usedPort(port: number, bytes: number, out: boolean, value: number): void {
    for (const point of this.portPoints) {
      const { id, first, last, direction } = point;
      if (port > last || port + bytes <= first || (direction !== undefined && (direction === 'out') !== out)) continue;
      if (!this.isHere(point)) continue;
      this.meet(id);
      this.detail ??= { on: 'port', port, out, value, eip: this.surroundings.eip() };
    }
  }
  /** An instruction has read or written an MSR. */
  usedMsr(index: number, write: boolean): void {
    for (const point of this.msrPoints) {
      const { id, index: wanted, direction } = point;
      if (wanted !== index || (direction !== undefined && (direction === 'write') !== write)) continue;
      if (!this.isHere(point)) continue;
      this.meet(id);
      this.detail ??= { on: 'msr', index, write, eip: this.surroundings.eip() };
    }
  }

  // ---- domains ------------------------------------------------------------------------------------------------------

  /** A vCPU of another domain gets the processor. */
  switched(to: number): void {
    const from = this.domain;
    if (this.atStart) this.stillThere.add(from);
    this.domain = to;
    if (this.stillThere.delete(to)) {
      const { instructions, events } = this.position;
      [this.startRetired, this.startEvents, this.startDomain] = [instructions, events, to];
    }
    this.meetTurn('switch-out', from);
    this.meetTurn('switch-in', to);
  }
  /** A further domain has ended. */
  domainEnded(domain: number): void {
    this.meetTurn('domain-end', domain);
  }
  private meetTurn(on: 'switch-in' | 'switch-out' | 'domain-end', of: number): void {
    for (const { id, on: wanted, domain = of } of this.turns) if (wanted === on && domain === of) this.meet(id);
  }
}
