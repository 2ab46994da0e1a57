// The model-specific registers: ONE table of those that exist, and RDMSR and WRMSR. Reads and writes also serve the MSR areas of VMX.
// An MSR that is not in the table raises #GP(0), as on hardware. SDM vol. 4 and vol. 3, ch. 35.

import type { Cpu, Helper } from './cpu.ts';
import { Vector } from './cpu.ts';
import { Cr4, EAX, ECX, EDX } from './state.ts';
import { ExitReason } from '../vmx/exit-reasons.ts';

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
} as const;

/** IA32_FEATURE_CONTROL: lock and "enable VMX outside SMX". */
export const FEATURE_CONTROL_LOCK = 1;
export const FEATURE_CONTROL_VMXON = 5;
/** Power-on values. */
export const PAT_RESET = { low: 0x0007_0406, high: 0x0007_0406 } as const;
/** IA32_MISC_ENABLE: fast strings (0), branch trace storage and PEBS unavailable (11, 12). */
const MISC_ENABLE_RESET = 0x1801;

export interface MsrValue {
  low: number;
  high: number;
}

/** False: #GP. */
type Reader = (cpu: Cpu, out: MsrValue) => boolean;
type Writer = (cpu: Cpu, low: number, high: number) => boolean;

interface MsrInfo {
  readonly index: number;
  readonly name: string;
  readonly read: Reader;
  readonly write: Writer;
}

const slotReader =
  (slot: number): Reader =>
  (cpu, out) => {
    out.low = cpu.s.msrLow(slot);
    out.high = cpu.s.msrHigh(slot);
    return true;
  };
/** Accepts what `mask` allows in the low half and zero in the high half. */
const slotWriter =
  (slot: number, mask: number): Writer =>
  (cpu, low, high) => {
    if ((low & ~mask) !== 0 || high !== 0) return false;
    cpu.s.setMsr(slot, low, 0);
    return true;
  };
const readOnly: Writer = () => false;
const ignored: Writer = () => true;
const constant =
  (low: number, high = 0): Reader =>
  (_cpu, out) => {
    out.low = low >>> 0;
    out.high = high >>> 0;
    return true;
  };

/** The time-stamp counter without VMX's offset: cycles plus what software wrote, modulo 2^64. */
export const readTsc: Reader = (cpu, out) => {
  const now = cpu.clock.now;
  const low = (now >>> 0) + cpu.s.msrLow(MsrSlot.TSC_ADJUST);
  out.low = low >>> 0;
  out.high = (Math.floor(now / 0x1_0000_0000) + cpu.s.msrHigh(MsrSlot.TSC_ADJUST) + (low > 0xffff_ffff ? 1 : 0)) >>> 0;
  return true;
};

/** The time-stamp counter as software sees it: with the TSC offset in VMX non-root operation (SDM vol. 3, 25.3). */
export const readGuestTsc: Reader = (cpu, out) => {
  readTsc(cpu, out);
  const low = out.low + cpu.vmx.tscOffsetLow;
  out.high = (out.high + cpu.vmx.tscOffsetHigh + (low > 0xffff_ffff ? 1 : 0)) >>> 0;
  out.low = low >>> 0;
  return true;
};

const writeTsc: Writer = (cpu, low, high) => {
  const now = cpu.clock.now;
  const difference = (low >>> 0) - (now >>> 0);
  const borrow = difference < 0 ? 1 : 0;
  cpu.s.setMsr(MsrSlot.TSC_ADJUST, difference, (high - Math.floor(now / 0x1_0000_0000) - borrow) | 0);
  return true;
};

const patWritable = (half: number): boolean => {
  for (let i = 0; i < 4; i++) {
    const type = (half >>> (8 * i)) & 0xff;
    if (type > 7 || type === 2 || type === 3) return false;
  }
  return true;
};

const writePat: Writer = (cpu, low, high) => {
  if (!patWritable(low) || !patWritable(high)) return false;
  cpu.s.setMsr(MsrSlot.PAT, low, high);
  return true;
};

const writeFeatureControl: Writer = (cpu, low, high) => {
  if ((cpu.s.msrLow(MsrSlot.FEATURE_CONTROL) & FEATURE_CONTROL_LOCK) !== 0) return false;
  if ((low & ~FEATURE_CONTROL_VMXON) !== 0 || high !== 0) return false;
  cpu.s.setMsr(MsrSlot.FEATURE_CONTROL, low, 0);
  return true;
};

const whole = (slot: number): Writer => slotWriter(slot, 0xffff_ffff);
const both =
  (slot: number): Writer =>
  (cpu, low, high) => {
    cpu.s.setMsr(slot, low, high);
    return true;
  };

const row = (index: number, name: string, read: Reader, write: Writer): MsrInfo => ({ index, name, read, write });

/** Every MSR but the VMX capability MSRs (vmx/capability-msrs.ts). */
const TABLE: readonly MsrInfo[] = [
  row(0x10, 'IA32_TIME_STAMP_COUNTER', readGuestTsc, writeTsc),
  row(0x17, 'IA32_PLATFORM_ID', constant(0, 5 << 18), readOnly),
  row(0x3a, 'IA32_FEATURE_CONTROL', slotReader(MsrSlot.FEATURE_CONTROL), writeFeatureControl),
  row(0x79, 'IA32_BIOS_UPDT_TRIG', () => false, ignored),
  row(0x8b, 'IA32_BIOS_SIGN_ID', slotReader(MsrSlot.BIOS_SIGN_ID), both(MsrSlot.BIOS_SIGN_ID)),
  row(0x174, 'IA32_SYSENTER_CS', slotReader(MsrSlot.SYSENTER_CS), whole(MsrSlot.SYSENTER_CS)),
  row(0x175, 'IA32_SYSENTER_ESP', slotReader(MsrSlot.SYSENTER_ESP), whole(MsrSlot.SYSENTER_ESP)),
  row(0x176, 'IA32_SYSENTER_EIP', slotReader(MsrSlot.SYSENTER_EIP), whole(MsrSlot.SYSENTER_EIP)),
  row(0x1a0, 'IA32_MISC_ENABLE', slotReader(MsrSlot.MISC_ENABLE), both(MsrSlot.MISC_ENABLE)),
  row(0x1d9, 'IA32_DEBUGCTL', slotReader(MsrSlot.DEBUGCTL), slotWriter(MsrSlot.DEBUGCTL, 0)),
  row(0x277, 'IA32_PAT', slotReader(MsrSlot.PAT), writePat),
];

const BY_INDEX = new Map(TABLE.map((info) => [info.index, info]));

/** Reads an MSR, no privilege checked; false: there is none (or it cannot be read). */
export const readMsr = (cpu: Cpu, index: number, out: MsrValue): boolean => {
  const info = BY_INDEX.get(index >>> 0);
  return info === undefined ? cpu.vmx.readCapability(index >>> 0, out) : info.read(cpu, out);
};

/** Writes an MSR, no privilege checked; false: there is none, it is read-only, or the value has reserved bits. */
export const writeMsr = (cpu: Cpu, index: number, low: number, high: number): boolean =>
  BY_INDEX.get(index >>> 0)?.write(cpu, low >>> 0, high >>> 0) ?? false;

/** Values after power-on. */
export const resetMsrs = (cpu: Cpu): void => {
  for (let slot = 0; slot <= MsrSlot.BIOS_SIGN_ID; slot++) cpu.s.setMsr(slot, 0, 0);
  cpu.s.setMsr(MsrSlot.PAT, PAT_RESET.low, PAT_RESET.high);
  cpu.s.setMsr(MsrSlot.MISC_ENABLE, MISC_ENABLE_RESET, 0);
};

const value: MsrValue = { low: 0, high: 0 };

export const rdmsr: Helper = (cpu, op) => {
  const s = cpu.s;
  if (s.cpl !== 0) return cpu.raise(Vector.GP, 0);
  const index = s.gpr(ECX);
  if (cpu.vmx.exitOnMsr(index, false, op)) return false;
  if (!readMsr(cpu, index, value)) return cpu.raise(Vector.GP, 0);
  s.setGpr(EAX, value.low);
  s.setGpr(EDX, value.high);
  return true;
};

export const wrmsr: Helper = (cpu, op) => {
  const s = cpu.s;
  if (s.cpl !== 0) return cpu.raise(Vector.GP, 0);
  const index = s.gpr(ECX);
  if (cpu.vmx.exitOnMsr(index, true, op)) return false;
  return writeMsr(cpu, index, s.gpr(EAX), s.gpr(EDX)) || cpu.raise(Vector.GP, 0);
};

export const rdtsc: Helper = (cpu, op) => {
  const s = cpu.s;
  if ((s.cr4 & Cr4.TSD) !== 0 && s.cpl !== 0) return cpu.raise(Vector.GP, 0);
  if (cpu.vmx.exitOnInstruction(ExitReason.RDTSC, 0, op)) return false;
  readGuestTsc(cpu, value);
  s.setGpr(EAX, value.low);
  s.setGpr(EDX, value.high);
  return true;
};

/** There are no performance counters: every counter number is an invalid one. */
export const rdpmc: Helper = (cpu, op) => {
  const s = cpu.s;
  if ((s.cr4 & Cr4.PCE) === 0 && s.cpl !== 0) return cpu.raise(Vector.GP, 0);
  if (cpu.vmx.exitOnInstruction(ExitReason.RDPMC, 0, op)) return false;
  return cpu.raise(Vector.GP, 0);
};
