// Running totals: exits and their cost by reason, shadow faults by outcome, interrupts by vector and line, counters by domain.
// They count whatever the mask says, cost an addition each and never look at a record twice. Not the trace (store.ts).

import { ShadowOutcome } from '../hypervisor/observer.ts';
import { type Persistent, type StateArray, stateArray } from '../machine/snapshot.ts';
import { exitReasonName } from '../machine/vmx/exit-reasons.ts';
import { CODE_SETS } from './codes.ts';
import { Kind } from './events.ts';
import { BUCKETS, Histogram } from './histogram.ts';
import { domainAt, kindAt, operandAt, RECORD_WORDS, vcpuAt } from './record.ts';

/** Basic exit reasons go up to 75 today. */
const REASONS = 128;
const VCPUS = 0x1_0000;
/** No exit, or an exit of one of the reasons. */
const OPENS = REASONS + 1;

/** Counters of one domain. `shadowFaults`: those that were the shadow tables' own, not the guest's. `interrupts`: external ones injected. */
const DOMAIN_COUNTERS = [
  'guestPageFaults',
  'shadowFaults',
  'tableWrites',
  'interrupts',
  'ioAccesses',
  'hypercalls',
] as const;
type DomainCounter = (typeof DOMAIN_COUNTERS)[number];
const COUNTER = Object.fromEntries(DOMAIN_COUNTERS.map((name, i) => [name, i])) as Record<DomainCounter, number>;
const DOMAINS = 256;
/** A domain's exits are told for so many reasons; the last stands for all above. */
export const DOMAIN_REASONS = 64;

export interface ExitMetric {
  readonly reason: number;
  readonly name: string;
  readonly count: number;
  /** Hypervisor cycles until the next VM entry, in all. */
  readonly cycles: number;
  /** Cost of one exit in cycles; percentiles are right to 1/32. Undefined while no exit of this reason was followed by an entry. */
  readonly cost:
    | { readonly mean: number; readonly p5: number; readonly p50: number; readonly p95: number; readonly max: number }
    | undefined;
}

export interface CodeCount {
  readonly code: number;
  readonly name: string;
  readonly count: number;
}

export interface MetricsSaved {
  readonly counts: readonly [coalesced: number, merged: number, spurious: number, windows: number];
  /** queued, windowWait, then exitCost by reason; undefined: nothing was added. */
  readonly histograms: readonly (ReturnType<Histogram['saveState']> | undefined)[];
}

export class Metrics implements Persistent<MetricsSaved> {
  /** Of all histograms: queued, windowWait, then exitCost by reason. */
  private readonly buckets = new Uint32Array((REASONS + 2) * BUCKETS);
  /** By domain and reason, in rows of REASONS. */
  private readonly exitCount = new Float64Array(DOMAINS * REASONS);
  /** By domain and what `open` says, in rows of OPENS: hypervisor cycles until the entry. */
  private readonly exitCycles = new Float64Array(DOMAINS * OPENS);
  private readonly exitCost: (Histogram | undefined)[] = new Array<Histogram | undefined>(REASONS).fill(undefined);
  /** Reason of the exit that each vCPU has not come back from, plus 1; 0: none. */
  private readonly open = new Uint8Array(VCPUS);
  private readonly shadow = new Float64Array(16);
  private readonly vectors = new Float64Array(256);
  private readonly traps = new Float64Array(32);
  private readonly lines = new Float64Array(16);
  private readonly domains = new Float64Array(DOMAINS * DOMAIN_COUNTERS.length);
  /** From an interrupt's edge to its injection, and from a window request to its exit; in cycles. */
  readonly queued = this.histogram(0);
  readonly windowWait = this.histogram(1);
  coalesced = 0;
  merged = 0;
  spurious = 0;
  windows = 0;

  exit(domain: number, vcpu: number, reason: number): void {
    const basic = reason & (REASONS - 1);
    this.exitCount[domain * REASONS + basic]!++;
    this.open[(domain << 8) | vcpu] = basic + 1;
  }
  entry(domain: number, vcpu: number, cycles: number): void {
    const at = (domain << 8) | vcpu;
    const open = this.open[at]!;
    this.exitCycles[domain * OPENS + open]! += cycles;
    if (open === 0) return;
    this.open[at] = 0;
    (this.exitCost[open - 1] ??= this.histogram(open + 1)).add(cycles);
  }
  shadowFault(domain: number, outcome: number): void {
    this.shadow[outcome & 15]!++;
    if (outcome !== ShadowOutcome.PROPAGATE && outcome !== ShadowOutcome.FAST_PROPAGATE) {
      this.bump(domain, COUNTER.shadowFaults);
    }
  }
  guestPageFault(domain: number): void {
    this.bump(domain, COUNTER.guestPageFaults);
  }
  tableWrite(domain: number): void {
    this.bump(domain, COUNTER.tableWrites);
  }
  line(line: number, level: number, coalesced: number): void {
    if (level === 0) return;
    this.lines[line & 15]!++;
    this.coalesced += coalesced;
  }
  intack(spurious: number): void {
    this.spurious += spurious;
  }
  window(waited: number): void {
    this.windows++;
    this.windowWait.add(waited);
  }
  inject(domain: number, info: number, queued: number, merged: number): void {
    const vector = info & 0xff;
    if (((info >>> 8) & 7) === 0) {
      this.vectors[vector]!++;
      this.queued.add(queued);
      this.merged += merged;
      this.bump(domain, COUNTER.interrupts);
    } else this.traps[vector & 31]!++;
  }
  /** A port or MMIO access to a virtual device. */
  io(domain: number): void {
    this.bump(domain, COUNTER.ioAccesses);
  }
  hypercall(domain: number): void {
    this.bump(domain, COUNTER.hypercalls);
  }

  /** Counts records of a trace, as if each had just happened. */
  addRecords(words: Uint32Array, at: number, count: number): void {
    for (let i = 0; i < count; i++) this.addRecord(words, at + i * RECORD_WORDS);
  }

  /** Exits by reason, the most cycles first, then the most exits. */
  exits(): ExitMetric[] {
    const list: ExitMetric[] = [];
    for (let reason = 0; reason < REASONS; reason++) {
      const count = columnSum(this.exitCount, REASONS, reason);
      if (count === 0) continue;
      const cost = this.exitCost[reason];
      list.push({
        reason,
        name: exitReasonName(reason),
        count,
        cycles: columnSum(this.exitCycles, OPENS, reason + 1),
        cost: cost && {
          mean: cost.mean,
          p5: cost.percentile(0.05),
          p50: cost.percentile(0.5),
          p95: cost.percentile(0.95),
          max: cost.max,
        },
      });
    }
    return list.sort((a, b) => b.cycles - a.cycles || b.count - a.count || a.reason - b.reason);
  }
  shadowFaults(): CodeCount[] {
    return counted(this.shadow, (code) => (CODE_SETS.shadow as Record<number, string>)[code] ?? `outcome ${code}`);
  }
  /** External interrupts injected, by vector. */
  interruptsByVector(): CodeCount[] {
    return counted(this.vectors, (vector) => `vector 0x${vector.toString(16).padStart(2, '0')}`);
  }
  /** Rising edges by interrupt line. */
  interruptsByLine(): CodeCount[] {
    return counted(this.lines, (line) => `IRQ${line}`);
  }
  /** Exceptions and NMIs injected by the hypervisor, by vector. */
  exceptionsInjected(): CodeCount[] {
    return counted(this.traps, (vector) => (CODE_SETS.trap as Record<number, string>)[vector] ?? `vector ${vector}`);
  }
  domainCounter(domain: number, counter: DomainCounter): number {
    return this.domains[(domain & 0xff) * DOMAIN_COUNTERS.length + COUNTER[counter]]!;
  }

  /** Exits of a domain by basic reason; the last of DOMAIN_REASONS stands for all above. */
  domainExitCount(domain: number, reason: number): number {
    const last = reason === DOMAIN_REASONS - 1 ? REASONS : reason + 1;
    return rowSum(this.exitCount, (domain & 0xff) * REASONS + reason, last - reason);
  }
  domainExits(domain: number): number {
    return rowSum(this.exitCount, (domain & 0xff) * REASONS, REASONS);
  }
  /** Hypervisor cycles credited at a domain's VM entries. */
  domainCycles(domain: number): number {
    return rowSum(this.exitCycles, (domain & 0xff) * OPENS, OPENS);
  }

  private histogram(index: number): Histogram {
    return new Histogram(this.buckets.subarray(index * BUCKETS, (index + 1) * BUCKETS));
  }

  get stateArrays(): readonly StateArray[] {
    return [
      this.buckets, this.exitCount, this.exitCycles, this.open, this.shadow, this.vectors, this.traps, this.lines, this.domains,
    ].map(stateArray); // prettier-ignore
  }
  saveState(): MetricsSaved {
    return {
      counts: [this.coalesced, this.merged, this.spurious, this.windows],
      histograms: [this.queued, this.windowWait, ...this.exitCost].map((histogram) => histogram?.saveState()),
    };
  }
  loadState({ counts, histograms }: MetricsSaved): void {
    [this.coalesced, this.merged, this.spurious, this.windows] = counts;
    this.queued.loadState(histograms[0]!);
    this.windowWait.loadState(histograms[1]!);
    for (let reason = 0; reason < REASONS; reason++) {
      const saved = histograms[reason + 2];
      if (saved === undefined) this.exitCost[reason] = undefined;
      else (this.exitCost[reason] ??= this.histogram(reason + 2)).loadState(saved);
    }
  }

  private bump(domain: number, counter: number): void {
    this.domains[domain * DOMAIN_COUNTERS.length + counter]!++;
  }

  private addRecord(words: Uint32Array, at: number): void {
    const domain = domainAt(words, at);
    const operand = (index: number): number => operandAt(words, at, index);
    switch (kindAt(words, at)) {
      case Kind['vmx.exit']:
        return this.exit(domain, vcpuAt(words, at), operand(0));
      case Kind['vmx.entry']:
        return this.entry(domain, vcpuAt(words, at), operand(4));
      case Kind['mem.guest_pf']:
        return this.guestPageFault(domain);
      case Kind['shadow.fault']:
        return this.shadowFault(domain, operand(2));
      case Kind['shadow.pt_write']:
        return this.tableWrite(domain);
      case Kind['mem.mmio']:
      case Kind['io.pio']:
        return this.io(domain);
      case Kind['irq.line']:
        return this.line(operand(0), operand(1), operand(2));
      case Kind['pic.intack']:
        return this.intack(operand(2));
      case Kind['irq.window_exit']:
        return this.window(operand(1));
      case Kind['irq.inject']:
        return this.inject(domain, operand(0), operand(3), operand(4));
      case Kind.hcall:
        return this.hypercall(domain);
    }
  }
}

const rowSum = (numbers: Float64Array, at: number, count: number): number =>
  numbers.subarray(at, at + count).reduce((sum, number) => sum + number, 0);
const columnSum = (numbers: Float64Array, width: number, column: number): number => {
  let sum = 0;
  for (let at = column; at < numbers.length; at += width) sum += numbers[at]!;
  return sum;
};

const counted = (counts: Float64Array, name: (code: number) => string): CodeCount[] => {
  const list: CodeCount[] = [];
  counts.forEach((count, code) => {
    if (count > 0) list.push({ code, name: name(code), count });
  });
  return list.sort((a, b) => b.count - a.count || a.code - b.code);
};
