// Records that came while a store was full: how many, from when to when, and the mon.lost record that stands where they would be. Not the store (store.ts).

import { Kind } from './events.ts';
import { cyclesAt, icountAt, RECORD_WORDS, writeHeader } from './record.ts';

/** A gap: records that came while the store was full. */
export interface LostInterval {
  readonly count: number;
  /** Sequence number of the mon.lost record that stands for it, or of the next record to come while the store is still full. */
  readonly sequence: number;
  readonly firstIcount: number;
  readonly lastIcount: number;
  readonly firstCycles: number;
  readonly lastCycles: number;
}

type Gap = { -readonly [Field in Exclude<keyof LostInterval, 'sequence'>]: LostInterval[Field] };

export class LostRecords {
  /** Since the start. */
  count = 0;
  private readonly gaps: LostInterval[] = [];
  private gap: Gap | undefined;
  private readonly record = new Uint32Array(RECORD_WORDS);

  /** Some were lost since the last record that was stored. */
  get open(): boolean {
    return this.gap !== undefined;
  }

  /** Every gap, the open one last. @param next sequence number of the next record to come */
  intervals(next: number): LostInterval[] {
    return this.gap === undefined ? [...this.gaps] : [...this.gaps, { ...this.gap, sequence: next }];
  }

  /** `count` records from word `at` find no room. */
  add(words: Uint32Array, at: number, count: number): void {
    const last = at + (count - 1) * RECORD_WORDS;
    this.gap ??= {
      count: 0,
      firstIcount: icountAt(words, at),
      lastIcount: 0,
      firstCycles: cyclesAt(words, at),
      lastCycles: 0,
    };
    this.gap.count += count;
    this.gap.lastIcount = icountAt(words, last);
    this.gap.lastCycles = cyclesAt(words, last);
    this.count += count;
  }

  /** There is room again: the mon.lost record for what came meanwhile. @param sequence that it will have */
  close(sequence: number): Uint32Array {
    const gap = this.gap!;
    const { record } = this;
    writeHeader(record, 0, Kind['mon.lost'], 0, 0, gap.lastIcount, gap.lastCycles, 0, 0, 0);
    record[7] = Math.min(gap.count, 0xffff_ffff);
    record[8] = gap.firstIcount;
    record[9] = Math.floor(gap.firstIcount / 0x1_0000_0000);
    record[10] = gap.lastIcount;
    record[11] = Math.floor(gap.lastIcount / 0x1_0000_0000);
    this.gaps.push({ ...gap, sequence });
    this.gap = undefined;
    return record;
  }

  /** What was lost from a sequence number on did not happen. */
  truncate(end: number): void {
    this.count -= this.gap?.count ?? 0;
    this.gap = undefined;
    while (this.gaps.length > 0 && this.gaps.at(-1)!.sequence >= end) this.count -= this.gaps.pop()!.count;
  }
}
