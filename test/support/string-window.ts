// A processor whose repeated string instructions work on a window of sixteen linear pages, mapped as a case wants: for the specs of their helpers and
// of what is emitted for them. Not the cases, nor what a program consists of.

import { Cr0 } from '../../src/machine/cpu/state.ts';
import type { Tiers } from '../../src/machine/cpu/cpu.ts';
import { BareProcessor } from './bare-processor.ts';

const DIRECTORY = 0x10000;
const TABLE = 0x11000;
export const CODE = 0x8000;
/** The linear pages, and the physical ones that they are mapped to. */
export const WINDOW = 0x40000;
const PHYSICAL = 0x20000;
export const Page = { notPresent: 0, readOnly: 1, writable: 3 } as const;

export interface WindowCase {
  /** By linear page: which of eight physical ones, and the low bits of its entry. */
  readonly pages: readonly (readonly [frame: number, bits: number])[];
  /** Where the data is not the usual byte. */
  readonly data: readonly number[];
}

export class StringWindow extends BareProcessor {
  constructor(tiers?: Tiers) {
    super(PHYSICAL + 0x8000, tiers);
  }
  /** Anew, with paging on; segments and registers are the caller's. */
  protected prepare({ pages, data }: WindowCase): void {
    this.reset();
    const { cpu, memory } = this;
    const s = cpu.s;
    memory.write32(DIRECTORY, TABLE | 3);
    memory.write32(TABLE + (CODE >>> 12) * 4, CODE | 3);
    pages.forEach(([frame, bits], i) =>
      memory.write32(TABLE + ((WINDOW >>> 12) + i) * 4, (PHYSICAL + frame * 4096) | bits),
    );
    memory.ram.fill(1, PHYSICAL, PHYSICAL + 0x8000);
    data.forEach((at, i) => (memory.ram[PHYSICAL + at] = [0, 0x80, 2][i % 3]!));
    s.cr3 = DIRECTORY;
    s.cr0 = s.cr0 | Cr0.PG | Cr0.WP;
    cpu.mmu.controlsChanged();
  }
}
