// The model-specific registers: ONE table of those that exist, and RDMSR and WRMSR. Reads and writes also serve the MSR areas of VMX.
// An MSR that is not in the table raises #GP(0), as on hardware. SDM vol. 4 and vol. 3, ch. 35.

import { ExitReason } from '../vmx/exit-reasons.ts';
import type { Cpu, Helper } from './cpu.ts';
import { Vector } from './cpu.ts';
import { machineCheckMsrs } from './machine-check.ts';
import { memoryTypeMsrs } from './memory-types.ts';
import {
  constant,
  type MsrInfo,
  type MsrReader,
  MsrSlot,
  type MsrValue,
  type MsrWriter,
  readOnly,
  row,
  slotReader,
  slotWriter,
} from './msr-rows.ts';
import { performanceMsrs } from './performance-counters.ts';
import { Cr4, EAX, ECX, EDX } from './state.ts';

/** IA32_FEATURE_CONTROL: lock and "enable VMX outside SMX". */
export const FEATURE_CONTROL_LOCK = 1;
export const FEATURE_CONTROL_VMXON = 5;
/** IA32_SYSENTER_CS; IA32_SYSENTER_ESP and IA32_SYSENTER_EIP follow. */
export const SYSENTER_CS_INDEX = 0x174;
/** Power-on values. */
const PAT_RESET = { low: 0x0007_0406, high: 0x0007_0406 } as const;

/** IA32_MISC_ENABLE: the bits that mean something here. */
export const MiscEnable = {
  FAST_STRINGS: 1 << 0,
  /** Read-only: there are performance counters; no branch trace storage; no event-based sampling. */
  PERFORMANCE_MONITORING: 1 << 7,
  BTS_UNAVAILABLE: 1 << 11,
  PEBS_UNAVAILABLE: 1 << 12,
  MONITOR: 1 << 18,
  /** CPUID's highest basic leaf is 3 at most: for software that cannot deal with more. */
  LIMIT_CPUID: 1 << 22,
} as const;
const MISC_READ_ONLY = MiscEnable.PERFORMANCE_MONITORING | MiscEnable.BTS_UNAVAILABLE | MiscEnable.PEBS_UNAVAILABLE;
const MISC_WRITABLE = MiscEnable.FAST_STRINGS | MiscEnable.MONITOR | MiscEnable.LIMIT_CPUID;
const MISC_ENABLE_RESET = MISC_READ_ONLY | MiscEnable.FAST_STRINGS | MiscEnable.MONITOR;

/** The time-stamp counter without VMX's offset: cycles plus what software wrote, modulo 2^64. */
export const readTsc: MsrReader = (cpu, out) => {
  const now = cpu.clock.now;
  const low = (now >>> 0) + cpu.s.msrLow(MsrSlot.TSC_ADJUST);
  out.low = low >>> 0;
  out.high = (Math.floor(now / 0x1_0000_0000) + cpu.s.msrHigh(MsrSlot.TSC_ADJUST) + (low > 0xffff_ffff ? 1 : 0)) >>> 0;
  return true;
};

/** The time-stamp counter as software sees it: with the TSC offset in VMX non-root operation (SDM vol. 3, 25.3). */
export const readGuestTsc: MsrReader = (cpu, out) => {
  readTsc(cpu, out);
  const low = out.low + cpu.vmx.tscOffsetLow;
  out.high = (out.high + cpu.vmx.tscOffsetHigh + (low > 0xffff_ffff ? 1 : 0)) >>> 0;
  out.low = low >>> 0;
  return true;
};

const writeTsc: MsrWriter = (cpu, low, high) => {
  const now = cpu.clock.now;
  const difference = (low >>> 0) - (now >>> 0);
  const borrow = difference < 0 ? 1 : 0;
  cpu.s.setMsr(MsrSlot.TSC_ADJUST, difference, (high - Math.floor(now / 0x1_0000_0000) - borrow) | 0);
  return true;
};

const writeFeatureControl: MsrWriter = (cpu, low, high) => {
  if ((cpu.s.msrLow(MsrSlot.FEATURE_CONTROL) & FEATURE_CONTROL_LOCK) !== 0) return false;
  if ((low & ~FEATURE_CONTROL_VMXON) !== 0 || high !== 0) return false;
  cpu.s.setMsr(MsrSlot.FEATURE_CONTROL, low, 0);
  return true;
};

/** Reserved bits and those of features that do not exist are #GP; read-only bits stay. */
const writeMiscEnable: MsrWriter = (cpu, low, high) => {
  if ((low & ~(MISC_WRITABLE | MISC_READ_ONLY)) !== 0 || high !== 0) return false;
  cpu.s.setMsr(MsrSlot.MISC_ENABLE, (low & MISC_WRITABLE) | MISC_READ_ONLY, 0);
  return true;
};

const anything = (): boolean => true;
const nothing = (low: number, high: number): boolean => low === 0 && high === 0;
const low32 = (_low: number, high: number): boolean => high === 0;

/** Every MSR but the VMX capability MSRs (vmx/capability-msrs.ts). */
const TABLE: readonly MsrInfo[] = [
  row(0x10, 'IA32_TIME_STAMP_COUNTER', readGuestTsc, writeTsc),
  row(0x17, 'IA32_PLATFORM_ID', constant(0, 5 << 18), readOnly),
  row(0x3a, 'IA32_FEATURE_CONTROL', slotReader(MsrSlot.FEATURE_CONTROL), writeFeatureControl),
  // A microcode update is taken and changes nothing; write-only.
  row(
    0x79,
    'IA32_BIOS_UPDT_TRIG',
    () => false,
    () => true,
  ),
  row(0x8b, 'IA32_BIOS_SIGN_ID', slotReader(MsrSlot.BIOS_SIGN_ID), slotWriter(MsrSlot.BIOS_SIGN_ID, anything)),
  row(SYSENTER_CS_INDEX, 'IA32_SYSENTER_CS', slotReader(MsrSlot.SYSENTER_CS), slotWriter(MsrSlot.SYSENTER_CS, low32)),
  row(0x175, 'IA32_SYSENTER_ESP', slotReader(MsrSlot.SYSENTER_ESP), slotWriter(MsrSlot.SYSENTER_ESP, low32)),
  row(0x176, 'IA32_SYSENTER_EIP', slotReader(MsrSlot.SYSENTER_EIP), slotWriter(MsrSlot.SYSENTER_EIP, low32)),
  row(0x1a0, 'IA32_MISC_ENABLE', slotReader(MsrSlot.MISC_ENABLE), writeMiscEnable),
  row(0x1d9, 'IA32_DEBUGCTL', slotReader(MsrSlot.DEBUGCTL), slotWriter(MsrSlot.DEBUGCTL, nothing)),
  ...memoryTypeMsrs,
  ...machineCheckMsrs,
  ...performanceMsrs,
];

const BY_INDEX = new Map(TABLE.map((info) => [info.index, info]));

/** The MSRs there are, but for those of VMX. */
export const MSR_NAMES: readonly { readonly index: number; readonly name: string }[] = TABLE;

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
  for (let slot = 0; slot < MsrSlot.COUNT; slot++) cpu.s.setMsr(slot, 0, 0);
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
  if (cpu.points.msrs) cpu.points.usedMsr(index, false);
  return true;
};

export const wrmsr: Helper = (cpu, op) => {
  const s = cpu.s;
  if (s.cpl !== 0) return cpu.raise(Vector.GP, 0);
  const index = s.gpr(ECX);
  if (cpu.vmx.exitOnMsr(index, true, op)) return false;
  if (!writeMsr(cpu, index, s.gpr(EAX), s.gpr(EDX))) return cpu.raise(Vector.GP, 0);
  if (cpu.points.msrs) cpu.points.usedMsr(index, true);
  return true;
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
