// Exit reasons 31 and 32: RDMSR and WRMSR. One table of the MSRs a guest has; all others raise #GP(0), as on hardware.
// SYSENTER's three do not exit (setup.ts). SDM vol. 4; Xen: vmx_msr_read_intercept, vmx_msr_write_intercept.

import { MTRR_CAP, MTRRS, mtrrAccepts, patAccepts } from '../../machine/cpu/memory-types.ts';
import { MsrSlot } from '../../machine/cpu/msr-rows.ts';
import { EAX, ECX, EDX } from '../../machine/cpu/state.ts';
import { Field } from '../../machine/vmx/fields.ts';
import { GUEST_MISC_READ_ONLY, GUEST_MISC_WRITABLE, GuestMsr } from '../guest-msrs.ts';
import { HandlerOutcome } from '../observer.ts';
import { Vector, type Vcpu } from '../vcpu.ts';

/** Halves of a value: one object, reused. */
interface Value {
  low: number;
  high: number;
}
interface Msr {
  readonly name: string;
  /** False: #GP. */
  readonly read: (vcpu: Vcpu, out: Value) => boolean;
  readonly write: (vcpu: Vcpu, low: number, high: number) => boolean;
}

const TWO_32 = 0x1_0000_0000;
const put = (out: Value, low: number, high: number): true => {
  out.low = low >>> 0;
  out.high = high >>> 0;
  return true;
};
const readOnly = (): boolean => false;
const ignored = (): boolean => true;

/** The time-stamp counter with the VMCS's offset (25.3). */
const readTsc = (vcpu: Vcpu, out: Value): true => {
  const now = vcpu.machine.clock.now;
  const low = (now >>> 0) + vcpu.vmx.vmread(Field.TSC_OFFSET);
  const high = Math.floor(now / TWO_32) + vcpu.vmx.vmread(Field.TSC_OFFSET + 1) + (low >= TWO_32 ? 1 : 0);
  return put(out, low, high);
};
/** A guest that writes its counter moves the offset. */
const writeTsc = (vcpu: Vcpu, low: number, high: number): true => {
  const now = vcpu.machine.clock.now;
  const difference = low - (now >>> 0);
  vcpu.vmx.vmwrite(Field.TSC_OFFSET, difference >>> 0);
  vcpu.vmx.vmwrite(Field.TSC_OFFSET + 1, (high - Math.floor(now / TWO_32) - (difference < 0 ? 1 : 0)) >>> 0);
  return true;
};

/** MSRs that live in the processor and that only the guest uses. Writes that `accepts` refuses raise #GP. */
const inProcessor = (name: string, slot: number, accepts: (low: number, high: number) => boolean): Msr => ({
  name,
  read: (vcpu, out) => put(out, vcpu.machine.state.msrLow(slot), vcpu.machine.state.msrHigh(slot)),
  write: (vcpu, low, high) => {
    if (!accepts(low, high)) return false;
    vcpu.machine.state.setMsr(slot, low, high);
    return true;
  },
});

/** MSRs that the hypervisor keeps for the vCPU. */
const virtual = (name: string, slot: number, accepts: (low: number, high: number) => boolean): Msr => ({
  name,
  read: (vcpu, out) => put(out, vcpu.msrs.low(slot), vcpu.msrs.high(slot)),
  write: (vcpu, low, high) => {
    if (!accepts(low, high)) return false;
    vcpu.msrs.set(slot, low, high);
    return true;
  },
});
/** MSRs that read as zero and take nothing else. */
const zero = (name: string): Msr => ({
  name,
  read: (_vcpu, out) => put(out, 0, 0),
  write: (_vcpu, low, high) => low === 0 && high === 0,
});

/** Reserved bits and those of features that a guest lacks are #GP; read-only bits stay. */
const miscEnable: Msr = {
  ...virtual('IA32_MISC_ENABLE', GuestMsr.MISC_ENABLE, () => true),
  write: (vcpu, low, high) => {
    if ((low & ~(GUEST_MISC_READ_ONLY | GUEST_MISC_WRITABLE)) !== 0 || high !== 0) return false;
    vcpu.msrs.set(GuestMsr.MISC_ENABLE, (low & GUEST_MISC_WRITABLE) | GUEST_MISC_READ_ONLY, 0);
    return true;
  },
};

/** By index. */
export const MSRS: ReadonlyMap<number, Msr> = new Map<number, Msr>([
  [0x10, { name: 'IA32_TIME_STAMP_COUNTER', read: readTsc, write: writeTsc }],
  [0x17, { name: 'IA32_PLATFORM_ID', read: (_vcpu, out) => put(out, 0, 5 << 18), write: readOnly }],
  [0x79, { name: 'IA32_BIOS_UPDT_TRIG', read: () => false, write: ignored }],
  [0x8b, virtual('IA32_BIOS_SIGN_ID', GuestMsr.BIOS_SIGN_ID, () => true)],
  [0xfe, { name: 'IA32_MTRRCAP', read: (_vcpu, out) => put(out, MTRR_CAP, 0), write: readOnly }],
  // A guest has no machine-check banks: what the real ones say is not its business.
  [0x179, { name: 'IA32_MCG_CAP', read: (_vcpu, out) => put(out, 0, 0), write: readOnly }],
  [0x17a, zero('IA32_MCG_STATUS')],
  [0x1a0, miscEnable],
  // No trace or branch facility exists: only 0 can be written.
  [0x1d9, zero('IA32_DEBUGCTL')],
  [0x277, inProcessor('IA32_PAT', MsrSlot.PAT, patAccepts)],
  ...MTRRS.map((index, slot): [number, Msr] => [
    index,
    virtual('IA32_MTRR', slot, (low, high) => mtrrAccepts(index, low, high)),
  ]),
]);

const value: Value = { low: 0, high: 0 };

/** The guest's time-stamp counter, in an object that the next call overwrites. */
export const readTimeStamp = (vcpu: Vcpu): Readonly<Value> => {
  readTsc(vcpu, value);
  return value;
};

/** Exit reason 31. */
export const exitRdmsr = (vcpu: Vcpu): number => {
  const state = vcpu.machine.state;
  const index = state.gpr(ECX);
  vcpu.detail0 = index;
  if (MSRS.get(index)?.read(vcpu, value) !== true) {
    vcpu.injectException(Vector.GP, 0);
    return HandlerOutcome.INJECTED;
  }
  vcpu.detail1 = value.low;
  vcpu.detail2 = value.high;
  state.setGpr(EAX, value.low);
  state.setGpr(EDX, value.high);
  vcpu.machine.points.usedMsr(index, false);
  vcpu.completeInstruction();
  return HandlerOutcome.EMULATED;
};

/** Exit reason 32. */
export const exitWrmsr = (vcpu: Vcpu): number => {
  const state = vcpu.machine.state;
  vcpu.detail0 = state.gpr(ECX);
  vcpu.detail1 = state.gpr(EAX);
  vcpu.detail2 = state.gpr(EDX);
  if (MSRS.get(vcpu.detail0)?.write(vcpu, vcpu.detail1, vcpu.detail2) !== true) {
    vcpu.injectException(Vector.GP, 0);
    return HandlerOutcome.INJECTED;
  }
  vcpu.machine.points.usedMsr(vcpu.detail0, true);
  vcpu.completeInstruction();
  return HandlerOutcome.EMULATED;
};
