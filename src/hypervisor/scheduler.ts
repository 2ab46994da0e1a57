// Which vCPU has the processor: Xen's credit scheduler for one physical CPU and domains of one vCPU each. Not the switch itself
// (hypervisor.ts) and not what a vCPU did (run-states.ts). Xen: common/sched_credit.c (4.x: credits are burnt by time, not by ticks).
//
// A vCPU that runs burns ten credits a millisecond. Every 30 ms all that are active get credits by their domains' weights; who has some is
// UNDER and goes before those that are OVER. One that wakes while UNDER is BOOSTed before both, until the next tick. The first of the
// queue runs for 30 ms, or until one of a higher priority wakes.

import { CYCLES_PER_SECOND } from '../machine/clock.ts';
import type { Persistent } from '../machine/snapshot.ts';

const MILLISECOND = CYCLES_PER_SECOND / 1000;
const CREDITS_PER_MS = 10;
const TICK = 10 * MILLISECOND;
const TICKS_PER_SLICE = 3;
const SLICE = TICK * TICKS_PER_SLICE;
const CREDITS_PER_SLICE = (SLICE / MILLISECOND) * CREDITS_PER_MS;

export const DEFAULT_WEIGHT = 256;
/** What `weight` may be, and `cap` in percent of a processor (0: none). */
export const WEIGHTS = { least: 1, most: 65535 } as const;
export const CAPS = { least: 0, most: 100 } as const;

export const Priority = { BOOST: 0, UNDER: -1, OVER: -2 } as const;
type Priority = (typeof Priority)[keyof typeof Priority];

/** What the scheduler keeps of one vCPU (struct csched_vcpu and csched_dom). */
interface Share {
  readonly weight: number;
  readonly cap: number;
  credit: number;
  priority: Priority;
  /** It has run since it last had more credits than it could use: it earns. */
  active: boolean;
  /** Beyond its cap: it does not run before its credits are positive again. */
  parked: boolean;
  runnable: boolean;
}

export interface SchedulerSaved {
  readonly shares: readonly Readonly<Share>[];
  readonly queue: readonly number[];
  readonly numbers: readonly number[];
}

/** vCPUs are numbers, in the order in which they came. All times are cycles of physical time. */
export class CreditScheduler implements Persistent<SchedulerSaved> {
  private readonly shares: Share[] = [];
  /** Runnable, but not running: in the order in which they will be. */
  private readonly queue: number[] = [];
  /** -1: nobody. */
  private running = -1;
  /** Since when it runs without having paid for it. */
  private unpaid = 0;
  private sliceEnd = 0;
  private nextTick = TICK;
  private ticks = 0;
  private balance = 0;
  private capped = false;
  /** One of a higher priority than the running one has come. */
  private tickled = false;

  /** The next one: its number is how many were there. It is runnable at once. */
  add(weight = DEFAULT_WEIGHT, cap = 0): number {
    const id = this.shares.length;
    this.shares.push({
      weight,
      cap,
      credit: 0,
      priority: Priority.UNDER,
      active: false,
      parked: false,
      runnable: true,
    });
    if (cap > 0) this.capped = true;
    this.insert(id);
    return id;
  }
  weightOf(id: number): number {
    return this.shares[id]!.weight;
  }
  creditOf(id: number): number {
    return this.shares[id]!.credit;
  }
  priorityOf(id: number): Priority {
    return this.shares[id]!.priority;
  }

  /** It waits for an interrupt, or has ended. */
  sleep(id: number, now: number): void {
    this.advance(now);
    this.shares[id]!.runnable = false;
    this.remove(id);
  }
  /** Xen's csched_vcpu_wake: who was not using its share goes first. */
  wake(id: number, now: number): void {
    this.advance(now);
    const share = this.shares[id]!;
    if (share.runnable) return;
    share.runnable = true;
    if (share.parked) return;
    if (share.priority === Priority.UNDER) share.priority = Priority.BOOST;
    this.insert(id);
  }

  /** Somebody else may have to run than at the last `choose`. */
  mustChoose(now: number): boolean {
    this.advance(now);
    const share = this.shares[this.running];
    if (share === undefined || !share.runnable || share.parked || this.tickled) return true;
    return now >= this.sliceEnd && this.queue.length > 0;
  }
  /** When that will be so at the latest, if nobody wakes; Infinity: not by itself. */
  get due(): number {
    const slice = this.queue.length === 0 ? Infinity : this.sliceEnd;
    if (!this.capped) return slice;
    return Math.min(slice, this.nextTick + (TICKS_PER_SLICE - 1 - (this.ticks % TICKS_PER_SLICE)) * TICK);
  }
  /** Who runs from now on; -1: nobody can. */
  choose(now: number): number {
    this.advance(now);
    this.burn(now);
    const last = this.running;
    this.running = -1;
    if (last >= 0 && this.shares[last]!.runnable && !this.shares[last]!.parked) this.insert(last);
    this.running = this.queue.shift() ?? -1;
    this.unpaid = now;
    this.sliceEnd = now + SLICE;
    this.tickled = false;
    return this.running;
  }

  /** What ticks and accountings up to now have done. */
  private advance(now: number): void {
    while (this.nextTick <= now) {
      this.tick(this.nextTick);
      this.nextTick += TICK;
      if (++this.ticks % TICKS_PER_SLICE === 0) this.account();
    }
    // The slice of one that nobody waited behind is renewed.
    while (this.sliceEnd <= now && this.queue.length === 0) this.sliceEnd += SLICE;
  }
  private tick(at: number): void {
    const share = this.shares[this.running];
    if (share === undefined) return;
    if (share.priority === Priority.BOOST) share.priority = Priority.UNDER;
    this.burn(at);
    share.active = true;
  }
  private burn(now: number): void {
    const share = this.shares[this.running];
    if (share === undefined) return;
    const burnt = Math.floor(((now - this.unpaid) * CREDITS_PER_MS) / MILLISECOND);
    if (burnt <= 0) return;
    share.credit -= burnt;
    this.unpaid += (burnt * MILLISECOND) / CREDITS_PER_MS;
  }
  /** csched_acct: credits by weight; more than a whole period's nobody gets, and what one leaves the others may have. */
  private account(): void {
    const active = this.shares.filter((share) => share.active);
    const weights = active.reduce((sum, share) => sum + share.weight, 0);
    const owed = Math.max(0, -this.balance);
    let total = CREDITS_PER_SLICE + owed;
    let left = weights;
    this.balance = 0;
    for (const share of active) {
      left -= share.weight;
      const cap = Math.ceil((share.cap * CREDITS_PER_SLICE) / 100);
      const most = CREDITS_PER_SLICE + Math.ceil((owed * share.weight) / weights);
      const peak = share.cap > 0 ? Math.min(most, cap) : most;
      let fair = Math.ceil((total * share.weight) / weights);
      if (fair >= peak) {
        if (left > 0) total += Math.ceil(((fair - peak) * weights) / left);
        fair = peak;
      }
      share.credit += fair;
      this.judge(share, cap);
      this.balance += share.credit;
    }
    for (const [id, share] of this.shares.entries())
      if (share.runnable && !share.parked && id !== this.running && !this.queue.includes(id)) this.insert(id);
    // Those that are UNDER now go before those that are OVER; else the order stays.
    const under = (id: number): number => Number(this.shares[id]!.priority < Priority.UNDER);
    this.queue.sort((a, b) => under(a) - under(b));
  }
  private judge(share: Share, cap: number): void {
    if (share.credit < 0) {
      share.priority = Priority.OVER;
      if (share.cap > 0 && share.credit < -cap && !share.parked) {
        share.parked = true;
        this.remove(this.shares.indexOf(share));
      }
      share.credit = Math.max(share.credit, -CREDITS_PER_SLICE);
      return;
    }
    share.priority = Priority.UNDER;
    share.parked = false;
    if (share.credit <= CREDITS_PER_SLICE) return;
    share.active = false;
    share.credit = Math.floor(share.credit / 2);
  }

  /** Behind the last of its priority. */
  private insert(id: number): void {
    const { priority } = this.shares[id]!;
    const at = this.queue.findIndex((other) => this.shares[other]!.priority < priority);
    this.queue.splice(at < 0 ? this.queue.length : at, 0, id);
    const running = this.shares[this.running];
    if (running === undefined || priority > running.priority) this.tickled = true;
  }
  private remove(id: number): void {
    const at = this.queue.indexOf(id);
    if (at >= 0) this.queue.splice(at, 1);
  }

  saveState(): SchedulerSaved {
    const { running, unpaid, sliceEnd, nextTick, ticks, balance, tickled } = this;
    return {
      shares: this.shares.map((share) => ({ ...share })),
      queue: [...this.queue],
      numbers: [running, unpaid, sliceEnd, nextTick, ticks, balance, Number(tickled)],
    };
  }
  loadState({ shares, queue, numbers }: SchedulerSaved): void {
    for (const [id, share] of shares.entries()) Object.assign(this.shares[id]!, share);
    this.queue.splice(0, this.queue.length, ...queue);
    const [running, unpaid, sliceEnd, nextTick, ticks, balance, tickled] = numbers;
    this.running = running!;
    this.unpaid = unpaid!;
    this.sliceEnd = sliceEnd!;
    this.nextTick = nextTick!;
    this.ticks = ticks!;
    this.balance = balance!;
    this.tickled = tickled === 1;
  }
}
