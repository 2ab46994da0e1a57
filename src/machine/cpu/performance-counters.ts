// Architectural performance monitoring, version 1: two 40-bit counters and RDPMC. Events: instructions retired, and cycles while not halted,
// which are the same number here. They count from the exact number of retired instructions (each repetition of a string instruction is one),
// under the OS and USR bits; an instruction that changes CPL belongs to the level it began at. Overflow raises nothing: that needs a local APIC.
// SDM vol. 3, 18.2.1; vol. 2, RDPMC.

import { ExitReason } from '../vmx/exit-reasons.ts';
import type { Cpu, Helper } from './cpu.ts';
import { Vector } from './cpu.ts';
import { PERFORMANCE_COUNTERS } from './model.ts';
import { type MsrInfo, MsrSlot, type MsrValue, row, slotReader } from './msr-rows.ts';
import { Cr4, EAX, ECX, EDX, StateLayout } from './state.ts';

const { count: COUNTERS, bits: BITS } = PERFORMANCE_COUNTERS;
const TWO_32 = 0x1_0000_0000;
const MODULUS = 2 ** BITS;

/** IA32_PERFEVTSELx (figure 18-1); bit 21 is reserved. */
const Select = { USR: 1 << 16, OS: 1 << 17, EDGE: 1 << 18, EN: 1 << 22, INV: 1 << 23, RESERVED: 1 << 21 } as const;
/** Event and unit mask: UnHalted Core Cycles, UnHalted Reference Cycles, Instruction Retired. */
const EVENTS = [0x003c, 0x013c, 0x00c0];

/** True if an instruction at this level counts: exactly one event comes with each, so the counter mask and edge detection are decided here. */
const counts = (select: number, cpl: number): boolean => {
  if ((select & Select.EN) === 0 || (select & (cpl === 0 ? Select.OS : Select.USR)) === 0) return false;
  if (!EVENTS.includes(select & 0xffff)) return false;
  const mask = select >>> 24;
  if (mask === 0) return true;
  // The condition "at least `mask` events in this cycle" has one value for good: it never rises again.
  if ((select & Select.EDGE) !== 0) return false;
  return mask <= 1 !== ((select & Select.INV) !== 0);
};

/** Brings the counters up to the present instruction, and remembers at which level the next ones run. */
export const countUntilNow = (cpu: Cpu): void => {
  const s = cpu.s;
  const { retired } = cpu.progress;
  const passed = Math.max(0, retired - (s.msrHigh(MsrSlot.COUNTED) * TWO_32 + s.msrLow(MsrSlot.COUNTED)));
  const level = s.get(StateLayout.countedLevel);
  for (let i = 0; i < COUNTERS; i++) {
    if (!counts(s.msrLow(MsrSlot.PERFEVTSEL + i), level)) continue;
    const slot = MsrSlot.PMC + i;
    const value = (s.msrHigh(slot) * TWO_32 + s.msrLow(slot) + passed) % MODULUS;
    s.setMsr(slot, value, Math.floor(value / TWO_32));
  }
  s.setMsr(MsrSlot.COUNTED, retired, Math.floor(retired / TWO_32));
  s.set(StateLayout.countedLevel, s.cpl);
};

/** Bits 31:0 are written, bit 31 is copied to those above. */
const writeCounter = (cpu: Cpu, slot: number, low: number): true => {
  countUntilNow(cpu);
  cpu.s.setMsr(slot, low, low >>> 31 ? 0xff : 0);
  return true;
};

const writeSelect = (cpu: Cpu, slot: number, low: number, high: number): boolean => {
  if ((low & Select.RESERVED) !== 0 || high !== 0) return false;
  const s = cpu.s;
  countUntilNow(cpu);
  s.setMsr(slot, low, 0);
  let any = 0;
  for (let i = 0; i < COUNTERS; i++) any |= s.msrLow(MsrSlot.PERFEVTSEL + i) & Select.EN;
  s.set(StateLayout.counting, any === 0 ? 0 : 1);
  return true;
};

const readCounter = (cpu: Cpu, counter: number, out: MsrValue): true => {
  countUntilNow(cpu);
  out.low = cpu.s.msrLow(MsrSlot.PMC + counter);
  out.high = cpu.s.msrHigh(MsrSlot.PMC + counter);
  return true;
};

export const performanceMsrs: readonly MsrInfo[] = Array.from({ length: COUNTERS }, (_, i) => [
  row(
    0xc1 + i,
    `IA32_PMC${i}`,
    (cpu, out) => readCounter(cpu, i, out),
    (cpu, low) => writeCounter(cpu, MsrSlot.PMC + i, low),
  ),
  row(0x186 + i, `IA32_PERFEVTSEL${i}`, slotReader(MsrSlot.PERFEVTSEL + i), (cpu, low, high) =>
    writeSelect(cpu, MsrSlot.PERFEVTSEL + i, low, high),
  ),
]).flat();

const value: MsrValue = { low: 0, high: 0 };

/** Above CPL 0 only with CR4.PCE; #GP(0) for a counter that does not exist. */
export const rdpmc: Helper = (cpu, op) => {
  const s = cpu.s;
  if (cpu.protectedMode && s.cpl !== 0 && (s.cr4 & Cr4.PCE) === 0) return cpu.raise(Vector.GP, 0);
  if (cpu.vmx.exitOnInstruction(ExitReason.RDPMC, 0, op)) return false;
  const counter = s.gpr(ECX);
  if (counter >= COUNTERS) return cpu.raise(Vector.GP, 0);
  readCounter(cpu, counter, value);
  s.setGpr(EAX, value.low);
  s.setGpr(EDX, value.high);
  return true;
};
