// How many guest instructions to run before looking for messages, and how long to rest when virtual time is ahead of the wall clock.
// An idle guest skips to its next timer, so without rest its clock would race. Slicing never changes what the guest does:
// the session is deterministic however it is sliced. Wall time is passed in, in milliseconds.

/** A slice should take about so long: short enough for a keystroke to feel immediate. */
const SLICE_MS = 6;
/** Virtual time may be ahead of the wall clock by so much before the thread rests. */
const LEAD_MS = 12;
/** A host that was suspended or a slow stretch is not caught up with beyond this. */
const MAX_LAG_MS = 100;
const LEAST = 500;
const MOST = 20_000_000;
const FIRST = 20_000;

export interface Rest {
  /** Milliseconds to wait; 0: only let messages in. */
  readonly ms: number;
  readonly idle: boolean;
}

export class Pacer {
  private size = FIRST;
  /** Wall milliseconds minus virtual milliseconds at which both are level. */
  private origin: number | undefined;

  /** Instructions of the next slice. */
  get slice(): number {
    return this.size;
  }

  /** Forgets the relation of the clocks: after a pause. */
  restart(): void {
    this.origin = undefined;
    this.size = Math.min(this.size, FIRST);
  }

  /** Virtual milliseconds that a slice may take, however few instructions that is: an idle guest skips to its next timer. */
  readonly virtualMs = LEAD_MS;

  /**
   * After a slice of `used` instructions that took from `before` to `after` of wall time. `virtual`: virtual time now.
   * All times in milliseconds.
   * @param passes slices that were run one after the other in that time: each counts for itself
   */
  ran(used: number, before: number, after: number, virtualBefore: number, virtual: number, passes = 1): Rest {
    this.origin ??= before - virtualBefore;
    this.origin = Math.max(this.origin, after - virtual - MAX_LAG_MS);
    // A slice cut short by virtual time says nothing about how fast instructions run.
    if (used > this.size * passes * 0.8) {
      const factor = Math.min(2, Math.max(0.25, (SLICE_MS * passes) / Math.max(after - before, 0.01)));
      this.size = Math.round(Math.min(MOST, Math.max(LEAST, this.size * factor)));
    }
    const lead = this.origin + virtual - after;
    return lead > LEAD_MS ? { ms: lead - LEAD_MS / 2, idle: true } : { ms: 0, idle: false };
  }
}
