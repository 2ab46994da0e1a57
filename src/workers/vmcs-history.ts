// What the VMCS looked like at the last two VM exits, so that a panel can mark what changed between them. Copies the raw region, and only
// while somebody looks. Not the decoding (guest-view.ts).

import type { Persistent } from '../machine/snapshot.ts';
import { fieldOffset, VMCS_BYTES } from '../machine/vmx/vmcs.ts';
import type { Vmx } from '../machine/vmx/vmx.ts';

const WORDS = VMCS_BYTES / 4;
/** Slices of the run without a look after which copying stops. */
const PATIENCE = 64;

interface VmcsHistorySaved {
  readonly copied: number;
  /** Undefined: nothing was copied. */
  readonly last: Uint32Array | undefined;
  readonly before: Uint32Array | undefined;
}

export class VmcsHistory implements Persistent<VmcsHistorySaved> {
  private last = new Uint32Array(WORDS);
  private before = new Uint32Array(WORDS);
  /** Exits copied since the copying began: with fewer than two there is nothing to compare. */
  private copied = 0;
  private patience = 0;

  constructor(private readonly vmx: Vmx) {}

  /** Called at every VM exit. */
  exit(): void {
    if (this.patience === 0) return;
    const { memory, vmcs } = this.vmx;
    const first = (memory.ramBase + vmcs.address) >>> 2;
    const oldest = this.before;
    this.before = this.last;
    this.last = oldest;
    oldest.set(memory.u32.subarray(first, first + WORDS));
    this.copied++;
  }
  /** Called once a slice of the run. */
  slice(): void {
    if (this.patience > 0 && --this.patience === 0) this.copied = 0;
  }
  /** Somebody looks: keep copying. */
  look(): void {
    this.patience = PATIENCE;
  }
  /** Did the field (or its high half) differ between the last two exits? */
  changed(encoding: number, wide: boolean): boolean {
    if (this.copied < 2) return false;
    const at = (fieldOffset(encoding) ?? 0) >> 2;
    const high = wide ? (fieldOffset(encoding + 1) ?? 0) >> 2 : at;
    return this.last[at] !== this.before[at] || this.last[high] !== this.before[high];
  }

  /** Whether anybody looks is no state. */
  saveState(): VmcsHistorySaved {
    const any = this.copied > 0;
    return {
      copied: this.copied,
      last: any ? this.last.slice() : undefined,
      before: any ? this.before.slice() : undefined,
    };
  }
  loadState({ copied, last, before }: VmcsHistorySaved): void {
    this.copied = copied;
    if (last !== undefined) this.last.set(last);
    if (before !== undefined) this.before.set(before);
  }
}
