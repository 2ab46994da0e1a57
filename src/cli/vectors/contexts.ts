// The contexts of a vector file: the processor's system state around a case, and where the areas lie in RAM. Not a case (runner.ts).
// docs/vectors.md; SDM vol. 3, ch. 4 (paging) and 20.1 (real mode).

import type { Cpu } from '../../machine/cpu/cpu.ts';
import { Access, Cr0, CS, DS, ES, FS, GS, SS, StateLayout } from '../../machine/cpu/state.ts';
import { UserError } from '../../workers/session.ts';
import type { Areas } from './areas.ts';
import { type Header, type Image, SEGMENTS } from './format.ts';

export interface Context {
  /** RAM of the processor in bytes. */
  readonly ram: number;
  /** An exception without `fault` in the case enters its handler through the vector table in memory. */
  readonly delivers: boolean;
  /** Memory outside the areas begins at 0 and ends here (exclusive); 0: there is none. */
  readonly absentEnd: number;
  /** Physical address of the areas' n-th page. */
  frameOf(page: number, index: number): number;
  /** Tables in RAM that all cases share. */
  prepareMemory(cpu: Cpu, areas: Areas): void;
  /** System registers and segments before a case. */
  prepare(cpu: Cpu, header: Header, image: Image): void;
  /** May an unlisted segment register hold this after the case? `before`: what it held. */
  unlisted(selector: number, before: number): boolean;
}

const CR4 = 0x600; // OSFXSR, OSXMMEXCPT
const PAGE_DIRECTORY = 0x10_0000;
const FIRST_TABLE = 0x10_1000;
const FIRST_FRAME = 0x20_0000;
const GDT = 0x18_0000;
/** Where the GDT is mapped, for the supervisor only: nowhere a test is likely to look. */
const GDT_LINEAR = 0xd4a5_3000;
const USER_CODE = 0x23;
const USER_DATA = 0x2b;
const FLAT_CODE = 0xc0fb;
const FLAT_DATA = 0xc0f3;

/** 32-bit user code as Linux sets it up: flat segments, paging, CPL 3. */
const user32: Context = {
  ram: 0x0100_0000,
  delivers: false,
  absentEnd: 0,
  frameOf: (_page, index) => FIRST_FRAME + index * 4096,

  prepareMemory(cpu, areas) {
    const m = cpu.memory;
    let nextTable = FIRST_TABLE;
    const map = (linear: number, entry: number): void => {
      const pde = PAGE_DIRECTORY + (linear >>> 22) * 4;
      if (!(m.read32(pde) & 1)) {
        m.write32(pde, nextTable | 7);
        nextTable += 4096;
      }
      m.write32((m.read32(pde) & 0xfffff000) + ((linear >>> 12) & 0x3ff) * 4, entry);
    };
    // Present, writable, user, accessed, dirty.
    for (const { linear, frame } of areas.pages()) {
      if (linear === GDT_LINEAR)
        throw new UserError(`has an area at 0x${GDT_LINEAR.toString(16)}, where this runner keeps its GDT`);
      map(linear, frame | 0x67);
    }
    map(GDT_LINEAR, GDT | 0x63);
    m.write32(GDT + 0x20, 0x0000ffff);
    m.write32(GDT + 0x24, 0x00cffb00);
    m.write32(GDT + 0x28, 0x0000ffff);
    m.write32(GDT + 0x2c, 0x00cff300);
    cpu.s.cr3 = PAGE_DIRECTORY;
  },

  prepare(cpu, header, image) {
    const s = cpu.s;
    s.cr0 = header.cr0 ?? Cr0.PE | Cr0.MP | Cr0.ET | Cr0.NE | Cr0.WP | Cr0.PG;
    s.cr4 = CR4;
    s.cpl = 3;
    s.set(StateLayout.gdtrBase, GDT_LINEAR);
    s.set(StateLayout.gdtrLimit, 0x2f);
    // No gate lets user code through: INT n is #GP(8n+2), here by the limit as there by the DPL.
    s.set(StateLayout.idtrLimit, 0);
    for (let segment = 0; segment < SEGMENTS.length; segment++) {
      const name = SEGMENTS[segment]!;
      const selector = image[name] ?? (segment === CS ? USER_CODE : USER_DATA);
      if (selector === USER_DATA && segment !== CS) s.setSegment(segment, selector, 0, 0xffffffff, FLAT_DATA);
      else if (selector === USER_CODE && segment !== SS) s.setSegment(segment, selector, 0, 0xffffffff, FLAT_CODE);
      else if (selector < 4 && segment !== CS && segment !== SS) s.setSegment(segment, selector, 0, 0, Access.UNUSABLE);
      else throw new UserError(`has ${name} ${selector}; user32 knows 35 (code), 43 (data) and the null selectors`);
    }
  },
  // Files made before selectors were listed load null selectors without saying so.
  unlisted: (selector, before) => selector === before || selector < 4,
};

/** Addresses that real mode can form: FFFFh * 16 + FFFFh, with A20 open. */
const REAL_MODE_END = 0x11_0000;
const REAL_SEGMENT = 0x93;

/** Real mode: physical addresses, segments of 64 KiB, the vector table at 0. */
const real16: Context = {
  ram: REAL_MODE_END,
  delivers: true,
  absentEnd: REAL_MODE_END,
  frameOf: (page) => {
    if ((page + 1) * 4096 > REAL_MODE_END) throw new UserError('has an area that real mode cannot reach');
    return page * 4096;
  },
  prepareMemory: () => undefined,
  prepare(cpu, header, image) {
    const s = cpu.s;
    s.cr0 = header.cr0 ?? Cr0.MP | Cr0.ET | Cr0.NE;
    s.cr4 = CR4;
    s.cpl = 0;
    s.set(StateLayout.idtrBase, 0);
    s.set(StateLayout.idtrLimit, 0x3ff);
    for (const segment of [ES, CS, SS, DS, FS, GS]) {
      const selector = image[SEGMENTS[segment]!] ?? 0;
      s.setSegment(segment, selector, selector << 4, 0xffff, REAL_SEGMENT);
    }
  },
  unlisted: (selector, before) => selector === before,
};

const CONTEXTS: Readonly<Record<string, Context>> = { user32, real16 };

export const contextOf = (name: string): Context => {
  const context = Object.hasOwn(CONTEXTS, name) ? CONTEXTS[name] : undefined;
  if (context === undefined)
    throw new UserError(`has the context "${name}"; this version knows ${Object.keys(CONTEXTS).join(' and ')}`);
  return context;
};
