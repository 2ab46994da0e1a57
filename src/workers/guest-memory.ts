// The guest's memory for a debugger: by linear address through the guest's own page tables, by physical address through the p2m where there
// is a hypervisor. No effects: no accessed bits, no faults, no device is touched (the video window is plain memory). What is written makes the
// processor decode its code anew. Not the guest's accesses (machine/cpu/mmu.ts, hypervisor/shadow/guest-access.ts).

import type { Domain } from '../hypervisor/domain.ts';
import { GuestWalker } from '../hypervisor/shadow/walker.ts';
import { VIDEO_BASE, VIDEO_BYTES, type VideoMemory } from '../machine/devices/video-memory.ts';
import type { PhysicalMachine } from './physical-machine.ts';

const PAGE = 4096;
/** A supervisor's read, which passes wherever a page is mapped. */
const ANY_ACCESS = 0;

export class GuestMemory {
  private readonly walker: GuestWalker | undefined;

  constructor(
    private readonly machine: PhysicalMachine,
    private readonly domain: Domain | undefined,
    private readonly video: VideoMemory,
  ) {
    if (domain !== undefined) this.walker = new GuestWalker(domain.p2m, domain.vcpu.shadow.mode);
  }

  /** Physical address of a linear one, as the guest counts it; undefined: not mapped. */
  translate(linear: number): number | undefined {
    const { walker } = this;
    if (walker === undefined) {
      const physical = this.machine.cpu.mmu.look(linear);
      return physical < 0 ? undefined : physical;
    }
    return walker.walk(linear >>> 0, ANY_ACCESS, false) ? walker.physical(linear) : undefined;
  }

  readLinear(linear: number, into: Uint8Array): number {
    return this.linearPieces(linear, into, (physical, piece) => this.readPhysical(physical, piece));
  }
  writeLinear(linear: number, bytes: Uint8Array): number {
    return this.linearPieces(linear, bytes, (physical, piece) => this.writePhysical(physical, piece));
  }
  /** Page by page, up to the first byte that is not there. */
  private linearPieces(
    linear: number,
    bytes: Uint8Array,
    act: (physical: number, piece: Uint8Array) => number,
  ): number {
    for (let done = 0; done < bytes.length;) {
      const at = (linear + done) >>> 0;
      const physical = this.translate(at);
      if (physical === undefined) return done;
      const piece = bytes.subarray(done, Math.min(bytes.length, done + PAGE - (at & (PAGE - 1))));
      const moved = act(physical, piece);
      done += moved;
      if (moved < piece.length) return done;
    }
    return bytes.length;
  }

  /** How many bytes from the start are memory. */
  readPhysical(physical: number, into: Uint8Array): number {
    return this.physicalPieces(
      physical,
      into,
      (place, piece) => piece.set(this.machine.memory.u8.subarray(place, place + piece.length)),
      false,
    );
  }
  writePhysical(physical: number, bytes: Uint8Array): number {
    return this.physicalPieces(physical, bytes, (place, piece) => this.machine.memory.u8.set(piece, place), true);
  }
  private physicalPieces(
    physical: number,
    bytes: Uint8Array,
    act: (place: number, piece: Uint8Array) => void,
    write: boolean,
  ): number {
    for (let done = 0; done < bytes.length;) {
      const at = physical + done;
      const piece = bytes.subarray(done, Math.min(bytes.length, done + PAGE - (at & (PAGE - 1))));
      if (this.isVideo(at)) this.moveVideo(at - VIDEO_BASE, piece, write);
      else {
        const place = this.placeOf(at);
        if (place < 0) return done;
        act(this.machine.memory.ramBase + place, piece);
        if (write) this.wrote(at, place, piece.length);
      }
      done += piece.length;
    }
    return bytes.length;
  }
  /** It is not memory of the machine. */
  private isVideo(physical: number): boolean {
    return this.domain !== undefined && physical >= VIDEO_BASE && physical < VIDEO_BASE + VIDEO_BYTES;
  }
  private moveVideo(offset: number, piece: Uint8Array, write: boolean): void {
    for (let i = 0; i < piece.length; i++)
      if (write) this.video.write(offset + i, 1, piece[i]!);
      else piece[i] = this.video.read(offset + i, 1);
  }
  /** Where a physical byte lies in machine memory (RAM or ROM); -1: nowhere. */
  private placeOf(physical: number): number {
    const { memory } = this.machine;
    if (this.domain === undefined) {
      const place = memory.place(physical);
      return place < memory.bytes ? place : -1;
    }
    const gfn = Math.floor(physical / PAGE);
    return this.domain.p2m.isRam(gfn) ? this.domain.p2m.mfnOf[gfn]! * PAGE + (physical & (PAGE - 1)) : -1;
  }
  /** Decoded code and shadows of page tables follow. */
  private wrote(physical: number, place: number, bytes: number): void {
    this.machine.wrote(place, bytes);
    if (this.domain === undefined) return;
    const { shadow } = this.domain.vcpu;
    const gfn = Math.floor(physical / PAGE);
    if (!shadow.isTable(gfn)) return;
    const last = physical + bytes - 1;
    for (let word = physical & ~3; word <= last; word += 4) shadow.validate(gfn, word & (PAGE - 1), 4);
  }
}
