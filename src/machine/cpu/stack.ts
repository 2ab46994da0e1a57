// A stack that is written before the processor commits to it: pushes go to memory, but SS and ESP stay as they are until the
// transfer is certain. Also the reading side of returns, and the inner stacks in the TSS. SDM vol. 3, 5.8.5 and 6.12.1.

import type { Cpu } from './cpu.ts';
import { Vector } from './cpu.ts';
import type { Descriptor } from './descriptors.ts';
import { selectorError } from './descriptors.ts';
import { Access, ESP, SS, TR } from './state.ts';

/** Reused for every transfer; `pointer` is what ESP, or SP of a 16-bit stack, will be. */
export class PendingStack {
  pointer = 0;
  private mask = 0xffff;
  private base = 0;
  private limit = 0;
  private access = 0;
  private user = false;
  private error = 0;

  /** The stack in use. Faults are #SS(0). */
  openPresent(cpu: Cpu): void {
    const s = cpu.s;
    this.open(s.base(SS), s.limit(SS), s.access(SS), s.gpr(ESP));
    this.user = s.cpl === 3;
    this.error = 0;
  }

  /** A checked stack segment for level `cpl`, not loaded yet. Faults are #SS(selector). */
  openInner(selector: number, d: Descriptor, pointer: number, cpl: number): void {
    this.open(d.base, d.limit, d.access, pointer);
    this.user = cpl === 3;
    this.error = selectorError(selector);
  }

  private open(base: number, limit: number, access: number, pointer: number): void {
    this.base = base;
    this.limit = limit;
    this.access = access;
    this.pointer = pointer;
    this.mask = access & Access.DB ? 0xffffffff : 0xffff;
  }

  private allowed(offset: number, size: number): boolean {
    if ((this.access & (Access.UNUSABLE | Access.P)) !== Access.P || (this.access & 0xa) !== 2) return false;
    const last = offset + size - 1;
    if ((this.access & 4) !== 0) return offset > this.limit && last <= this.mask >>> 0;
    return last <= this.limit || this.limit === 0xffffffff;
  }

  /** True if `count` values of `size` bytes can be pushed as far as the segment goes; #SS otherwise. Paging is not looked at. */
  room(cpu: Cpu, count: number, size: 2 | 4): boolean {
    let offset = this.pointer;
    for (let i = 0; i < count; i++) {
      offset = ((offset - size) & this.mask) >>> 0;
      if (!this.allowed(offset, size)) return cpu.raise(Vector.SS, this.error);
    }
    return true;
  }

  /** False if the store faulted. `room` must have been asked first. */
  push(cpu: Cpu, value: number, size: 2 | 4): boolean {
    const offset = ((this.pointer - size) & this.mask) >>> 0;
    if (!cpu.writeLinear((this.base + offset) >>> 0, size, size === 2 ? value & 0xffff : value >>> 0, this.user))
      return false;
    this.pointer = offset;
    return true;
  }
}

/** Reads from the present stack, `depth` bytes above its top, without popping. 0 if it faulted: ask `cpu.faulted`. */
export const peekStack = (cpu: Cpu, depth: number, size: 2 | 4): number =>
  cpu.read(SS, ((cpu.s.gpr(ESP) + depth) & cpu.stackMask) >>> 0, size);

/** Where the present TSS keeps the stack of an inner level; filled by `readInnerStack`. */
export const innerStack = { selector: 0, pointer: 0 };

/** Reads SSn and ESPn of level `level` (0 to 2). False with #TS(TSS selector) if the TSS is too short, or with a page fault. */
export const readInnerStack = (cpu: Cpu, level: number): boolean => {
  const s = cpu.s;
  const wide = (s.access(TR) & 8) !== 0;
  const offset = wide ? level * 8 + 4 : level * 4 + 2;
  if (offset + (wide ? 5 : 3) > s.limit(TR)) return cpu.raise(Vector.TS, selectorError(s.selector(TR)));
  const address = s.base(TR) + offset;
  const size = wide ? 4 : 2;
  innerStack.pointer = cpu.readLinear(address >>> 0, size, false);
  if (cpu.faulted) return false;
  innerStack.selector = cpu.readLinear((address + size) >>> 0, 2, false);
  return !cpu.faulted;
};
