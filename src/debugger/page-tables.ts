// The guest's page tables as a person reads them: what the walk of a linear address meets, level by level. By CR0, CR3, CR4 and physical memory
// alone, so under PAE the PDPTEs are those in memory, not the processor's copies. Nothing changes. SDM vol. 3, 4.3 and 4.4.

import { Cr0, Cr4 } from '../machine/cpu/state.ts';
import type { DebugGuest, DebugVcpu } from './target.ts';

export interface WalkLevel {
  readonly name: 'PDPTE' | 'PDE' | 'PTE';
  /** Physical address of the entry. */
  readonly at: number;
  readonly low: number;
  readonly high: number;
  readonly present: boolean;
  /** It maps a page itself: 4 MiB, or 2 MiB under PAE. */
  readonly large: boolean;
}
export interface PageWalk {
  readonly paging: 'none' | '32-bit' | 'PAE';
  readonly levels: readonly WalkLevel[];
  /** Undefined: not mapped. */
  readonly physical: number | undefined;
}

const PRESENT = 1;
const LARGE = 0x80;
const BITS: readonly [number, string][] = [
  [2, 'R/W'],
  [4, 'U/S'],
  [8, 'PWT'],
  [0x10, 'PCD'],
  [0x20, 'A'],
  [0x40, 'D'],
  [0x80, 'PS'],
  [0x100, 'G'],
];

/** @param cr3 of another address space than the processor's */
export const walkPages = (
  target: Pick<DebugGuest, 'readPhysical'>,
  vcpu: DebugVcpu,
  linear: number,
  cr3 = vcpu.read('cr3'),
): PageWalk => {
  const cr4 = vcpu.read('cr4');
  if ((vcpu.read('cr0') & Cr0.PG) === 0) return { paging: 'none', levels: [], physical: linear >>> 0 };
  const pae = (cr4 & Cr4.PAE) !== 0;
  const levels: WalkLevel[] = [];
  const entryBytes = pae ? 8 : 4;
  const look = (name: WalkLevel['name'], table: number, index: number): WalkLevel => {
    const at = table + index * entryBytes;
    const bytes = new Uint8Array(8);
    const there = target.readPhysical(at, bytes.subarray(0, entryBytes)) === entryBytes;
    const view = new DataView(bytes.buffer);
    const low = there ? view.getUint32(0, true) : 0;
    const level = {
      name,
      at,
      low,
      high: view.getUint32(4, true),
      present: (low & PRESENT) !== 0,
      large: name === 'PDE' && (low & LARGE) !== 0 && (pae || (cr4 & Cr4.PSE) !== 0),
    };
    levels.push(level);
    return level;
  };
  const paging = pae ? 'PAE' : '32-bit';
  let table = pae ? (cr3 & ~0x1f) >>> 0 : (cr3 & ~0xfff) >>> 0;
  if (pae) {
    const top = look('PDPTE', table, linear >>> 30);
    if (!top.present) return { paging, levels, physical: undefined };
    table = (top.low & ~0xfff) >>> 0;
  }
  const shift = pae ? 21 : 22;
  const mask = pae ? 0x1ff : 0x3ff;
  const directory = look('PDE', table, (linear >>> shift) & mask);
  if (!directory.present) return { paging, levels, physical: undefined };
  if (directory.large) {
    const inside = (1 << shift) - 1;
    return { paging, levels, physical: ((directory.low & ~inside) | (linear & inside)) >>> 0 };
  }
  const page = look('PTE', (directory.low & ~0xfff) >>> 0, (linear >>> 12) & mask);
  const physical = page.present ? ((page.low & ~0xfff) | (linear & 0xfff)) >>> 0 : undefined;
  return { paging, levels, physical };
};

/** Whether a linear address means the same bytes in the processor's address space and in another. */
export const sameBytes = (target: DebugGuest, linear: number, cr3: number): boolean => {
  const { physical } = walkPages(target, target.vcpu, linear, cr3);
  return physical !== undefined && physical === target.translate(linear);
};

const PAGE = 0x1000;

/** Reads and writes linear addresses of an address space; `cr3` undefined: the processor's. Both return how many bytes from the start are mapped. */
export const memoryOf =
  (target: DebugGuest, cr3: number | undefined, write = false) =>
  (linear: number, bytes: Uint8Array): number => {
    if (cr3 === undefined) return write ? target.writeMemory(linear, bytes) : target.readMemory(linear, bytes);
    for (let done = 0; done < bytes.length;) {
      const at = (linear + done) >>> 0;
      const { physical } = walkPages(target, target.vcpu, at, cr3);
      if (physical === undefined) return done;
      const piece = bytes.subarray(done, Math.min(bytes.length, done + PAGE - (at & (PAGE - 1))));
      const moved = write ? target.writePhysical(physical, piece) : target.readPhysical(physical, piece);
      done += moved;
      if (moved < piece.length) return done;
    }
    return bytes.length;
  };

const hex = (value: number, digits = 8): string => value.toString(16).padStart(digits, '0');

/** One line a level, and where it ends. */
export const describeWalk = (walk: PageWalk, linear: number): string[] => {
  if (walk.paging === 'none') return [`paging is off: ${hex(linear)} is physical`];
  const lines = walk.levels.map(({ name, at, low, high, present }) => {
    const value = walk.paging === 'PAE' ? hex(high) + hex(low) : hex(low);
    const bits = BITS.filter(([bit]) => (low & bit) !== 0).map(([, text]) => text);
    return `${name.padEnd(5)} at ${hex(at)}: ${value} ${present ? ['P', ...bits].join(' ') : 'not present'}`;
  });
  return [
    ...lines,
    walk.physical === undefined ? `${hex(linear)} is not mapped` : `${hex(linear)} is at ${hex(walk.physical)}`,
  ];
};
