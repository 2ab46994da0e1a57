// What a row of the MSR table is made of: slots of the state, and the usual ways to read and write one. Not the table (msr.ts).

import type { Cpu } from './cpu.ts';

/** Slots of the state's MSRs, 8 bytes each (StateLayout.msrs). */
export const MsrSlot = {
  SYSENTER_CS: 0,
  SYSENTER_ESP: 1,
  SYSENTER_EIP: 2,
  APIC_BASE: 3,
  MISC_ENABLE: 4,
  PAT: 5,
  DEBUGCTL: 6,
  EFER: 7,
  /** Added to the clock's cycles: writes of IA32_TIME_STAMP_COUNTER land here. */
  TSC_ADJUST: 8,
  FEATURE_CONTROL: 9,
  BIOS_SIGN_ID: 10,
  /** 28 slots in the order of memory-types.ts. */
  MTRR: 11,
  MCG_STATUS: 39,
  /** CTL, STATUS, ADDR and MISC of six banks. */
  MC_BANKS: 40,
  /** IA32_PERFEVTSEL0 and 1, IA32_PMC0 and 1 as counted up to the number of retired instructions in COUNTED. */
  PERFEVTSEL: 64,
  PMC: 66,
  COUNTED: 68,
  /** How many there are. */
  COUNT: 69,
} as const;

export interface MsrValue {
  low: number;
  high: number;
}

/** False: #GP. */
export type MsrReader = (cpu: Cpu, out: MsrValue) => boolean;
export type MsrWriter = (cpu: Cpu, low: number, high: number) => boolean;

export interface MsrInfo {
  readonly index: number;
  readonly name: string;
  readonly read: MsrReader;
  readonly write: MsrWriter;
}

export const row = (index: number, name: string, read: MsrReader, write: MsrWriter): MsrInfo => ({
  index,
  name,
  read,
  write,
});

export const slotReader =
  (slot: number): MsrReader =>
  (cpu, out) => {
    out.low = cpu.s.msrLow(slot);
    out.high = cpu.s.msrHigh(slot);
    return true;
  };
/** Accepts what `accepts` says. */
export const slotWriter =
  (slot: number, accepts: (low: number, high: number) => boolean): MsrWriter =>
  (cpu, low, high) => {
    if (!accepts(low, high)) return false;
    cpu.s.setMsr(slot, low, high);
    return true;
  };
export const constant =
  (low: number, high = 0): MsrReader =>
  (_cpu, out) => {
    out.low = low >>> 0;
    out.high = high >>> 0;
    return true;
  };
export const readOnly: MsrWriter = () => false;
