// What exits cost on real processors: a profile gives the hardware's round trip, a table the handlers' work. Costs go to the report and
// never to the guest's clock, so that a profile changes no event. Not measurements of this emulator.
// Round trips: as cited from Agesen et al., "Software Techniques for Avoiding Hardware Virtualization Exits", USENIX ATC 2012, table 1;
// check them against the paper before quoting.

import type { Persistent } from '../machine/snapshot.ts';
import { ExitReason, exitReasonName } from '../machine/vmx/exit-reasons.ts';

export interface CostProfile {
  readonly id: string;
  readonly name: string;
  /** Cycles of a VM exit and the entry after it, without any handler. */
  readonly roundTrip: number;
}

export const COST_PROFILES = [
  { id: 'prescott', name: 'Prescott (2005)', roundTrip: 3963 },
  { id: 'merom', name: 'Merom (2006)', roundTrip: 1579 },
  { id: 'penryn', name: 'Penryn (2008)', roundTrip: 1266 },
  { id: 'nehalem', name: 'Nehalem (2009)', roundTrip: 1009 },
  { id: 'westmere', name: 'Westmere (2010)', roundTrip: 761 },
  { id: 'sandy-bridge', name: 'Sandy Bridge (2011)', roundTrip: 784 },
] as const satisfies readonly CostProfile[];

export const DEFAULT_PROFILE: CostProfile = COST_PROFILES[1];

/** Cycles of a handler that only reads a few VMCS fields and registers. */
const LIGHT = 400;
/** Handlers that do more, by basic exit reason: modelled round numbers, the same for every profile. */
const HANDLER: ReadonlyMap<number, number> = new Map<number, number>([
  [ExitReason.EXCEPTION_OR_NMI, 2000],
  [ExitReason.EXTERNAL_INTERRUPT, 1000],
  [ExitReason.CR_ACCESS, 1500],
  [ExitReason.IO_INSTRUCTION, 2500],
  [ExitReason.VMCALL, 800],
  [ExitReason.HLT, 1000],
]);

/** Cycles charged to one exit of this reason: hardware and handler together. */
export const exitCost = (profile: CostProfile, reason: number): number =>
  profile.roundTrip + (HANDLER.get(reason & 0xffff) ?? LIGHT);

const REASONS = 128;

/** Exits and their cycles by basic reason. */
export interface AccountSaved {
  readonly count: Float64Array;
  readonly cycles: Float64Array;
  readonly total: number;
}

export class ExitAccount implements Persistent<AccountSaved> {
  readonly count = new Float64Array(REASONS);
  readonly cycles = new Float64Array(REASONS);
  /** Cycles of all exits. */
  total = 0;
  private readonly cost = new Float64Array(REASONS);

  constructor(profile: CostProfile) {
    for (let reason = 0; reason < REASONS; reason++) this.cost[reason] = exitCost(profile, reason);
  }

  /** Counts one exit; returns its cycles. */
  charge(reason: number): number {
    const basic = reason & (REASONS - 1);
    this.count[basic] = this.count[basic]! + 1;
    this.cycles[basic] = this.cycles[basic]! + this.cost[basic]!;
    this.total += this.cost[basic]!;
    return this.cost[basic]!;
  }

  /** The reasons that occurred, in their order. */
  byReason(): { reason: number; name: string; count: number; cycles: number }[] {
    return Array.from(this.count, (count, reason) => ({
      reason,
      name: exitReasonName(reason),
      count,
      cycles: this.cycles[reason]!,
    })).filter((exit) => exit.count > 0);
  }

  saveState(): AccountSaved {
    return { count: this.count.slice(), cycles: this.cycles.slice(), total: this.total };
  }
  loadState(state: AccountSaved): void {
    this.count.set(state.count);
    this.cycles.set(state.cycles);
    this.total = state.total;
  }
}
