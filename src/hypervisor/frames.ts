// The hypervisor's heap: which machine frames are free. Hands out runs of whole frames for VMCS regions, bitmaps, shadow pools
// and domains' memory. Not a mapping of any kind (p2m.ts). Xen: common/page_alloc.c.

/** First fit over one byte a frame: frames are taken when a domain is made, never while it runs; nothing is given back in this release. */
export class FrameAllocator {
  private readonly used: Uint8Array;
  private freeFrames: number;

  /** Manages machine frames `first` to `end` - 1. */
  constructor(
    private readonly first: number,
    end: number,
  ) {
    this.used = new Uint8Array(Math.max(0, end - first));
    this.freeFrames = this.used.length;
  }

  get free(): number {
    return this.freeFrames;
  }

  /** First frame of a run of `count` frames, or -1 if there is none that long. */
  allocate(count: number): number {
    let run = 0;
    for (let i = 0; i < this.used.length; i++) {
      run = this.used[i] === 0 ? run + 1 : 0;
      if (run === count) {
        const start = i - count + 1;
        this.used.fill(1, start, i + 1);
        this.freeFrames -= count;
        return this.first + start;
      }
    }
    return -1;
  }
}
