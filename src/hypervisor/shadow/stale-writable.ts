// The frames that the TLB may still let the guest write though no shadow entry does any more. They are harmless, as the guest has not asked for
// INVLPG, until such a frame becomes a page table: then its translations must go. Not the shadow entries (tables.ts). SDM vol. 3, 4.10.4.

import type { Persistent } from '../../machine/snapshot.ts';

/** Whose translations may be left: bits by frame. Those without G go with the next MOV to CR3. */
const Stale = { NON_GLOBAL: 1, GLOBAL: 2 } as const;

export class StaleWritable implements Persistent<readonly number[]> {
  /** By gfn: Stale bits. */
  private readonly bits: Uint8Array;
  /** The frames with bits, each once. */
  private readonly frames: number[] = [];
  /** Stale bits that any frame may have. */
  private any = 0;

  constructor(gfns: number) {
    this.bits = new Uint8Array(gfns);
  }

  /** A writable translation of the frame was removed from the shadow tables. */
  note(gfn: number, global: boolean): void {
    const bits = this.bits[gfn]!;
    if (bits === 0) this.frames.push(gfn);
    this.bits[gfn] = bits | (global ? Stale.GLOBAL : Stale.NON_GLOBAL);
  }
  /** So many were removed that no list says of which frames. */
  noteAny(): void {
    this.any = Stale.NON_GLOBAL | Stale.GLOBAL;
  }
  has(gfn: number): boolean {
    return (this.bits[gfn]! | this.any) !== 0;
  }

  /** The TLB was flushed; `globals`: with its global translations. */
  flushed(globals: boolean): void {
    const left = globals ? 0 : Stale.GLOBAL;
    this.any &= left;
    let kept = 0;
    for (const gfn of this.frames) {
      const bits = this.bits[gfn]! & left;
      this.bits[gfn] = bits;
      if (bits !== 0) this.frames[kept++] = gfn;
    }
    this.frames.length = kept;
  }

  saveState(): readonly number[] {
    return [this.any, ...this.frames.flatMap((gfn) => [gfn, this.bits[gfn]!])];
  }
  loadState([any, ...frames]: readonly number[]): void {
    this.flushed(true);
    this.any = any!;
    for (let i = 0; i < frames.length; i += 2) {
      this.frames.push(frames[i]!);
      this.bits[frames[i]!] = frames[i + 1]!;
    }
  }
}
