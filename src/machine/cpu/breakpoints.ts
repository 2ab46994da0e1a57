// The four breakpoints of DR0 to DR3 as DR7 arms them: where they are, whether an access meets one, and what was met and waits to be
// reported. Not MOV DR (control-registers.ts), not the delivery of #DB (run.ts, exceptions.ts). SDM vol. 3, 17.2 and 17.3.1.

import { type Persistent, saveFields } from '../snapshot.ts';
import type { CpuState } from './state.ts';
import { Cr4 } from './state.ts';

/** R/Wn of DR7 (SDM vol. 3, 17.2.4). */
const Kind = { INSTRUCTION: 0, WRITE: 1, IO: 2, ACCESS: 3 } as const;
/** LENn of DR7 to bytes; 10b is eight bytes on family 6 model 15 and later, and undefined before. */
const LENGTHS = [1, 2, 8, 4] as const;

const FLAGS = ['instructions', 'data', 'io', 'met', 'exact'] as const;
export type BreakpointState = Pick<Breakpoints, (typeof FLAGS)[number]> & { readonly armed: readonly number[] };

export class Breakpoints implements Persistent<BreakpointState> {
  /** Some breakpoint of the class is armed. Everything else costs nothing while these are false. */
  instructions = false;
  data = false;
  io = false;
  /** B0 to B3 of data and I/O breakpoints met and not yet reported: by the instruction in flight, or held back by MOV SS. */
  met = 0;
  /**
   * True while at most one instruction is in flight, so that what it meets can be reported behind it. Where translated code runs on, an
   * access that meets a breakpoint is refused instead (`AGAIN`), and the run loop repeats the instruction alone.
   */
  exact = true;

  private readonly address = new Uint32Array(4);
  private readonly length = new Uint8Array(4);
  /** Kind of each armed breakpoint; -1: not armed. */
  private readonly kind = new Int8Array(4).fill(-1);
  private readonly seen = new Uint32Array(6);

  /** Takes over DR0 to DR3, DR7 and CR4.DE. True if anything that matters has changed since the last call. */
  refresh(s: Pick<CpuState, 'dr' | 'cr4'>): boolean {
    const dr7 = s.dr(7);
    const extensions = (s.cr4 & Cr4.DE) !== 0;
    const { seen } = this;
    let same = seen[4] === dr7 && seen[5] === (extensions ? 1 : 0);
    for (let i = 0; i < 4; i++) {
      same &&= seen[i] === s.dr(i);
      seen[i] = s.dr(i);
    }
    if (same) return false;
    seen[4] = dr7;
    seen[5] = extensions ? 1 : 0;
    this.instructions = false;
    this.data = false;
    this.io = false;
    for (let i = 0; i < 4; i++) {
      const kind = (dr7 >>> (16 + i * 4)) & 3;
      const length = LENGTHS[(dr7 >>> (18 + i * 4)) & 3]!;
      // Without CR4.DE, R/W = 10b is undefined: nothing is armed.
      const armed = (dr7 & (3 << (i * 2))) !== 0 && (kind !== Kind.IO || extensions);
      this.kind[i] = armed ? kind : -1;
      this.length[i] = kind === Kind.INSTRUCTION ? 1 : length;
      // The low bits inside the length are masked off.
      this.address[i] = kind === Kind.INSTRUCTION ? s.dr(i) : s.dr(i) & -length;
      if (!armed) continue;
      if (kind === Kind.INSTRUCTION) this.instructions = true;
      else if (kind === Kind.IO) this.io = true;
      else this.data = true;
    }
    return true;
  }

  /** B0 to B3 of the instruction breakpoints at a linear address. */
  atInstruction(linear: number): number {
    let bits = 0;
    for (let i = 0; i < 4; i++)
      if (this.kind[i] === Kind.INSTRUCTION && this.address[i] === linear >>> 0) bits |= 1 << i;
    return bits;
  }
  /** Does a linear page hold an instruction breakpoint? Its code runs one instruction at a time then. */
  instructionInPage(page: number): boolean {
    for (let i = 0; i < 4; i++) if (this.kind[i] === Kind.INSTRUCTION && this.address[i]! >>> 12 === page) return true;
    return false;
  }
  /** Does a linear page hold part of a data breakpoint? Each access to such a page is looked at. */
  dataInPage(page: number): boolean {
    for (let i = 0; i < 4; i++) if (this.watches(i) && this.address[i]! >>> 12 === page) return true;
    return false;
  }
  /** The linear pages of armed data breakpoints; a breakpoint never crosses pages. */
  forEachDataPage(visit: (page: number) => void): void {
    for (let i = 0; i < 4; i++) if (this.watches(i)) visit(this.address[i]! >>> 12);
  }
  private watches(i: number): boolean {
    return this.kind[i] === Kind.WRITE || this.kind[i] === Kind.ACCESS;
  }

  /** B0 to B3 of the data breakpoints that an access touches. */
  atData(linear: number, bytes: number, write: boolean): number {
    let bits = 0;
    for (let i = 0; i < 4; i++) {
      if (!this.watches(i) || (!write && this.kind[i] === Kind.WRITE)) continue;
      // Distances modulo 2^32, for accesses that wrap.
      const behind = (this.address[i]! - linear) >>> 0;
      const before = (linear - this.address[i]!) >>> 0;
      if (behind < bytes || before < this.length[i]!) bits |= 1 << i;
    }
    return bits;
  }

  /** Notes the I/O breakpoints that an access to a port touches. */
  meetIo(port: number, bytes: number): void {
    if (!this.io) return;
    for (let i = 0; i < 4; i++) {
      if (this.kind[i] !== Kind.IO) continue;
      if (port < this.address[i]! + this.length[i]! && this.address[i]! < port + bytes) this.met |= 1 << i;
    }
  }

  saveState(): BreakpointState {
    const armed = [...this.address, ...this.length, ...this.kind, ...this.seen];
    return { ...saveFields(this, FLAGS), armed };
  }
  loadState({ armed, ...flags }: BreakpointState): void {
    Object.assign(this, flags);
    this.address.set(armed.slice(0, 4));
    this.length.set(armed.slice(4, 8));
    this.kind.set(armed.slice(8, 12));
    this.seen.set(armed.slice(12));
  }
}
