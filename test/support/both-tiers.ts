// One program on two small processors, one that has the threaded tier alone and one that forms regions everywhere: what they come to must be the same.
// Paging is on, with pages of 4 KiB that map memory to itself.

import assert from 'node:assert/strict';
import { BareProcessor } from './bare-processor.ts';
import { EAX, EBP, EBX, ECX, EDI, EDX, ESI, ESP } from '../../src/machine/cpu/state.ts';

/** Where a program begins. */
export const CODE = 0x1000;
const DIRECTORY = 0x20000;
const TABLES = 0x21000;
const PRESENT = 1;
const WRITABLE = 2;
/** Four bytes. */
export const word = (n: number): number[] => [n & 255, (n >> 8) & 255, (n >> 16) & 255, (n >>> 24) & 255];
/** Address of the page-table entry of a linear address. */
export const entryOf = (linear: number): number => TABLES + (linear >>> 12) * 4;

export interface Program {
  readonly code: readonly (number | readonly number[])[];
  /** Registers by number. */
  readonly registers: Readonly<Record<number, number>>;
  /** Linear pages that are not present, and that are read-only. */
  readonly absent?: readonly number[];
  readonly readOnly?: readonly number[];
  readonly prepare?: (machine: BareProcessor) => void;
  readonly instructions?: number;
  /** Instructions that come first and form no regions: those that do later know more places that the program jumps to. */
  readonly before?: number;
}

const machines = {
  threaded: new BareProcessor(1 << 20, 'threaded'),
  eager: new BareProcessor(1 << 20, 'eager'),
};
const run = (tiers: 'threaded' | 'eager', program: Program): unknown => {
  const machine = machines[tiers];
  machine.reset();
  const { memory, cpu } = machine;
  const { formed } = machine.processor.regions;
  const { s } = cpu;
  memory.write32(DIRECTORY, TABLES | PRESENT | WRITABLE);
  for (let page = 0; page < 256; page++) memory.write32(TABLES + page * 4, (page * 4096) | PRESENT | WRITABLE);
  for (const page of program.absent ?? []) memory.write32(entryOf(page), 0);
  for (const page of program.readOnly ?? []) memory.write32(entryOf(page), page | PRESENT);
  for (let at = 0x5000; at < 0x10000; at += 4) memory.write32(at, Math.imul(at, 0x9e3779b1));
  machine.load(CODE, program.code.flat());
  program.prepare?.(machine);
  s.cr3 = DIRECTORY;
  s.cr0 = 0x80010033 | 0;
  cpu.modeDirty = true;
  cpu.mmu.flushAll();
  s.eip = CODE;
  for (const [register, value] of Object.entries(program.registers)) s.setGpr(Number(register), value);
  const states: unknown[] = [];
  machine.onFault = (): void => {
    states.push([s.eflags, ...[EAX, ECX, EDX, EBX, ESP, EBP, ESI, EDI].map((r) => s.gpr(r))]);
    machine.processor.stopRequested = true;
  };
  if (program.before !== undefined) {
    if (tiers === 'eager') cpu.tiers = 'adaptive';
    machine.run(program.before);
    cpu.tiers = tiers;
  }
  for (let i = 0; i < 10 && machine.faults.length === 0; i++) {
    machine.run(program.instructions ?? 500);
    states.push([s.eip, s.eflags, ...[EAX, ECX, EDX, EBX, ESP, EBP, ESI, EDI].map((r) => s.gpr(r))]);
  }
  if (tiers === 'eager' && program.before === undefined)
    assert.ok(machine.processor.regions.formed > formed, 'no region was formed');
  return { states, faults: machine.faults, memory: Buffer.from(memory.ram.slice(0x5000, 0x10000)).toString('base64') };
};
/** Registers, flags and memory at some places, and faults, are the same in both tiers. */
export const same = (program: Program): void => assert.deepEqual(run('eager', program), run('threaded', program));
