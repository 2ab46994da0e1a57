// The memory of a vector file's three areas: where they lie in RAM, what a case puts there, what it expects there afterwards. Not how the
// processor maps them (contexts.ts).

import type { PhysicalMemory } from '../../machine/memory.ts';
import { UserError } from '../../workers/session.ts';
import { type Bytes, putHex, type Range } from './format.ts';

const PAGE = 4096;

/** Consecutive pages of the areas: the same in RAM and in the expectation, where `offset` is their start. */
interface Run {
  readonly linear: number;
  readonly bytes: number;
  readonly frame: number;
  readonly offset: number;
}

// Most pieces are a few bytes: a loop is faster than a call into the host.
const copy = (from: Uint8Array, at: number, to: Uint8Array, toAt: number, bytes: number): void => {
  for (let i = 0; i < bytes; i++) to[toAt + i] = from[at + i]!;
};
const zero = (bytes: Uint8Array, at: number, count: number): void => {
  for (let i = 0; i < count; i++) bytes[at + i] = 0;
};

export class Areas {
  private readonly runs: readonly Run[];
  private readonly ram: Buffer;
  /** What RAM must hold after the case, run by run. Zero between cases, like RAM. */
  private readonly expected: Buffer;
  /** What the present case has made other than zero: pairs of offset into the run and bytes. */
  private readonly touched: { run: Run; at: number; bytes: number }[] = [];

  /** `frameOf`: the physical address of the areas' n-th page. Pages that follow each other must keep doing so. */
  constructor(memory: PhysicalMemory, ranges: readonly Range[], frameOf: (page: number, index: number) => number) {
    const pages = new Set<number>();
    for (const [address, bytes] of ranges)
      for (let page = Math.floor(address / PAGE); page * PAGE < address + bytes; page++) pages.add(page);
    const runs: { linear: number; bytes: number; frame: number; offset: number }[] = [];
    let offset = 0;
    [...pages]
      .sort((a, b) => a - b)
      .forEach((page, index) => {
        const last = runs.at(-1);
        if (last !== undefined && last.linear + last.bytes === page * PAGE) last.bytes += PAGE;
        else runs.push({ linear: page * PAGE, bytes: PAGE, frame: frameOf(page, index), offset });
        offset += PAGE;
      });
    this.runs = runs;
    this.ram = Buffer.from(memory.memory.buffer, memory.ramBase, memory.bytes);
    this.expected = Buffer.alloc(offset);
  }

  /** Linear and physical address of every page. */
  *pages(): Generator<{ linear: number; frame: number }> {
    for (const run of this.runs)
      for (let at = 0; at < run.bytes; at += PAGE) yield { linear: run.linear + at, frame: run.frame + at };
  }
  has(address: number): boolean {
    return this.runs.some((run) => address >= run.linear && address < run.linear + run.bytes);
  }

  private runOf(address: number, bytes: number): Run {
    for (const run of this.runs) if (address >= run.linear && address + bytes <= run.linear + run.bytes) return run;
    throw new UserError(`names memory at 0x${address.toString(16)}, ${bytes} bytes, which is in none of the areas`);
  }
  private touch(run: Run, at: number, bytes: number): void {
    this.touched.push({ run, at, bytes });
  }

  /** Memory before the instruction. */
  put(address: number, hex: string): void {
    const bytes = hex.length >> 1;
    const run = this.runOf(address, bytes);
    const at = address - run.linear;
    putHex(hex, this.ram, run.frame + at);
    copy(this.ram, run.frame + at, this.expected, run.offset + at, bytes);
    this.touch(run, at, bytes);
  }
  /** Memory after the instruction, where it must differ. */
  expect([address, hex]: Bytes): void {
    const run = this.runOf(address, hex.length >> 1);
    const at = address - run.linear;
    this.touch(run, at, putHex(hex, this.expected, run.offset + at));
  }
  /** Whatever is there is right. */
  ignore([address, bytes]: Range): void {
    for (const run of this.runs) {
      const from = Math.max(address, run.linear) - run.linear;
      const to = Math.min(address + bytes, run.linear + run.bytes) - run.linear;
      if (from >= to) continue;
      copy(this.ram, run.frame + from, this.expected, run.offset + from, to - from);
      this.touch(run, from, to - from);
    }
  }

  /** Undefined, or where memory is not what it must be. */
  compare(): string | undefined {
    for (const run of this.runs) {
      const { ram, expected } = this;
      const end = run.offset + run.bytes;
      if (ram.compare(expected, run.offset, end, run.frame, run.frame + run.bytes) === 0) continue;
      let i = 0;
      while (ram[run.frame + i] === expected[run.offset + i]) i++;
      const hex = (value: number): string => value.toString(16).padStart(2, '0');
      return `memory ${(run.linear + i).toString(16)}: ${hex(ram[run.frame + i]!)}, expected ${hex(expected[run.offset + i]!)}`;
    }
    return undefined;
  }

  /** All zero again. `known`: RAM differs from zero only where the case said so. */
  clear(known: boolean): void {
    for (const { run, at, bytes } of this.touched) {
      zero(this.expected, run.offset + at, bytes);
      if (known) zero(this.ram, run.frame + at, bytes);
    }
    if (!known) for (const run of this.runs) this.ram.fill(0, run.frame, run.frame + run.bytes);
    this.touched.length = 0;
  }
}
