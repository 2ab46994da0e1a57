// What is looked at in a data access besides segments and pages, and only while it is switched on: alignment (#AC), data breakpoints and the
// debugger's watched bytes (stop-points.ts). The TLB leaves the accesses in question to the slow path (mmu.ts). SDM vol. 3, 6.15 (interrupt 17) and 17.3.1.2.

import { type Cpu, Vector } from './cpu.ts';
import { Cr0, Flag, StateLayout } from './state.ts';

/** Not an exception: in the fault mailbox it asks the run loop to execute the instruction again, alone (Breakpoints.exact). */
export const AGAIN = 0xff;
/** The same, and the limits of flat segments are looked at (Cpu.checksLimits): an access crosses 4 GiB. */
export const AGAIN_WITH_LIMITS = 0xfe;

/** Alignment that an access of so many bytes needs (SDM vol. 3, table 6-7); areas of FSTENV and FSAVE follow their element. */
const alignmentOf = (bytes: number): number => {
  switch (bytes) {
    case 2:
    case 14:
    case 94: return 2; // prettier-ignore
    case 4:
    case 28:
    case 108: return 4; // prettier-ignore
    case 8:
    case 10: return 8; // prettier-ignore
    default: return 1; // prettier-ignore
  }
};

export class AccessInspection {
  /** Accesses with user rights must be aligned: CR0.AM, EFLAGS.AC and CPL 3. */
  alignment = false;
  /** Something is to be looked at. */
  active = false;

  constructor(private readonly cpu: Cpu) {}

  /** For the present state; called with every change of mode. */
  refresh(): void {
    const s = this.cpu.s;
    this.alignment = s.cpl === 3 && (s.cr0 & Cr0.AM) !== 0 && (s.eflagsRest & Flag.AC) !== 0;
    this.active = this.alignment || this.cpu.breakpoints.data || this.cpu.points.data;
    const walks = (s.cr0 & Cr0.PG) !== 0 && !this.active && this.cpu.mmu.access === undefined;
    s.set(StateLayout.walks, walks ? 1 : 0);
  }

  /** False with #AC(0) in the mailbox, or with AGAIN. `reads`: a write that reads first. */
  permits(linear: number, bytes: number, write: boolean, user: boolean, reads = !write): boolean {
    const cpu = this.cpu;
    if (this.alignment && user && (linear & (alignmentOf(bytes) - 1)) !== 0) return cpu.raise(Vector.AC, 0);
    const { breakpoints, points } = cpu;
    const bits = breakpoints.data ? breakpoints.atData(linear, bytes, write) : 0;
    const watched = points.data && points.watched(linear, bytes, write, reads);
    if (bits === 0 && !watched) return true;
    if (!breakpoints.exact) return cpu.raise(AGAIN);
    breakpoints.met |= bits;
    if (watched) points.note(linear, bytes, write, reads);
    return true;
  }
}
