// A domain's physical memory: guest frame (gfn) to machine frame (mfn), and access to it by guest-physical address.
// Not linear addresses (shadow/walker.ts) and not the shadow tables. Xen: arch/x86/mm/p2m.c.

import type { Bus } from '../machine/bus.ts';
import { PAGE_SIZE, type PhysicalMemory } from '../machine/memory.ts';
import { type StateArray, stateArray } from '../machine/snapshot.ts';
import type { Machine } from './machine.ts';

/** gfns of the legacy video window, a0000h to bfffffh: device memory on every PC. */
const VIDEO_FIRST = 0xa0;
const VIDEO_END = 0xc0;

export class P2m {
  /** By gfn: machine frame, or -1 where the guest has no RAM. */
  readonly mfnOf: Int32Array;
  /** By machine frame: gfn of this domain, or -1. */
  readonly gfnOf: Int32Array;
  private readonly u32: Uint32Array;
  private readonly ramWord: number;

  private readonly memory: PhysicalMemory;

  /** `bus`: the domain's virtual bus, which answers for what is not RAM. `gfns`: frames of the guest's physical address space that can be RAM. */
  constructor(
    private readonly machine: Pick<Machine, 'memory' | 'wrote'>,
    readonly gfns: number,
    private readonly bus: Bus,
  ) {
    const memory = machine.memory;
    this.memory = memory;
    this.mfnOf = new Int32Array(gfns).fill(-1);
    this.gfnOf = new Int32Array(memory.bytes >>> 12).fill(-1);
    this.u32 = memory.u32;
    this.ramWord = memory.ramBase >>> 2;
  }

  /** The PC's layout over a run of machine frames: everything is RAM except the video window. */
  populate(firstMfn: number): void {
    for (let gfn = 0; gfn < this.gfns; gfn++) {
      if (gfn >= VIDEO_FIRST && gfn < VIDEO_END) continue;
      this.set(gfn, firstMfn + gfn);
    }
  }

  /** Maps one frame; -1 unmaps. Shadows that show the old frame are the caller's to remove. */
  set(gfn: number, mfn: number): void {
    const old = this.mfnOf[gfn]!;
    if (old >= 0) this.gfnOf[old] = -1;
    this.mfnOf[gfn] = mfn;
    if (mfn >= 0) this.gfnOf[mfn] = gfn;
  }

  isRam(gfn: number): boolean {
    return gfn < this.gfns && this.mfnOf[gfn]! >= 0;
  }

  /** Index into `memory.u32` of a guest frame's first word; the frame must be RAM. */
  wordOf(gfn: number): number {
    return this.ramWord + this.mfnOf[gfn]! * (PAGE_SIZE / 4);
  }

  /** A word of a guest frame that is RAM, by word index 0 to 1023. Unsigned. */
  readWord(gfn: number, index: number): number {
    return this.u32[this.wordOf(gfn) + index]!;
  }
  writeWord(gfn: number, index: number, value: number): void {
    this.u32[this.wordOf(gfn) + index] = value;
    this.machine.wrote(this.mfnOf[gfn]! * PAGE_SIZE + index * 4, 4);
  }

  /** Reads inside one page by guest-physical address: RAM, or what the virtual bus says. Unsigned. */
  read(gpa: number, size: 1 | 2 | 4): number {
    const gfn = gpa >>> 12;
    if (!this.isRam(gfn)) return this.bus.readMemory(gpa, size);
    const pa = this.mfnOf[gfn]! * PAGE_SIZE + (gpa & 0xfff);
    return size === 4 ? this.memory.read32(pa) : size === 2 ? this.memory.read16(pa) : this.memory.read8(pa);
  }

  /** Writes inside one page. Shadows of a page table that changes are the caller's to validate (shadow/guest-access.ts). */
  write(gpa: number, size: 1 | 2 | 4, value: number): void {
    const gfn = gpa >>> 12;
    if (!this.isRam(gfn)) {
      this.bus.writeMemory(gpa, size, value);
      return;
    }
    const pa = this.mfnOf[gfn]! * PAGE_SIZE + (gpa & 0xfff);
    if (size === 4) this.memory.write32(pa, value);
    else if (size === 2) this.memory.write16(pa, value);
    else this.memory.write8(pa, value);
    this.machine.wrote(pa, size);
  }

  /** Copies bytes into guest RAM (boot images). The range must be RAM: callers check. */
  load(gpa: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length;) {
      const at = gpa + done;
      const length = Math.min(PAGE_SIZE - (at & 0xfff), bytes.length - done);
      const pa = this.mfnOf[at >>> 12]! * PAGE_SIZE + (at & 0xfff);
      this.memory.u8.set(bytes.subarray(done, done + length), this.memory.ramBase + pa);
      this.machine.wrote(pa, length);
      done += length;
    }
  }

  get stateArrays(): readonly StateArray[] {
    return [stateArray(this.mfnOf), stateArray(this.gfnOf)];
  }
}
