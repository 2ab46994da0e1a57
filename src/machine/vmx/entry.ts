// A VM entry after VMLAUNCH or VMRESUME found a usable VMCS: checks, loading guest state and MSRs, event injection.
// Not the checks themselves (entry-checks.ts). SDM vol. 3, ch. 26.

import { Dr6, Dr7, dr7Written } from '../cpu/debug-registers.ts';
import { injectEvent } from '../cpu/exceptions.ts';
import { disarm } from '../cpu/monitor-wait.ts';
import { MsrSlot } from '../cpu/msr-rows.ts';
import { Blocking, Cr0, Cr4, StateLayout } from '../cpu/state.ts';
import { EntryControl, PinControl, PrimaryControl } from './controls.ts';
import {
  CONTROL_CHECKS,
  firstFailure,
  GUEST_PDPTES,
  GUEST_REGISTERS,
  GUEST_REST,
  GUEST_SEGMENTS,
  HOST_CHECKS,
  INJECTION_CHECKS,
  type EntryCheck,
} from './entry-checks.ts';
import { CR0_KEPT, entryFailureExit, GUEST_WORDS, loadMsrs } from './exit.ts';
import { ExitReason } from './exit-reasons.ts';
import { Field } from './fields.ts';
import { loadSegments } from './guest-segments.ts';
import { InstructionError, VM_SUCCEED, type VmxResult } from './instruction-errors.ts';
import { EventType, IntrInfo, PendingDebug } from './qualification.ts';
import { LaunchState } from './vmcs.ts';
import type { Vmx } from './vmx.ts';

/** CR0 and CR4 bits that change what a linear address means. */
const PAGING_CR0 = Cr0.PG | Cr0.WP | Cr0.PE;
const PAGING_CR4 = Cr4.PSE | Cr4.PAE | Cr4.PGE;
/** B0 to B3 with the enabled breakpoint, and BS. */
const ALL_PENDING = Dr6.BREAKPOINTS | PendingDebug.ENABLED_BREAKPOINT | PendingDebug.SINGLE_STEP;

const loadControlState = (vmx: Vmx): void => {
  const s = vmx.cpu.s;
  const v = vmx.vmcs;
  s.cr0 = (s.cr0 & CR0_KEPT) | (v.read(Field.GUEST_CR0) & ~CR0_KEPT);
  GUEST_WORDS.load(v);
  if (vmx.controls.entry & EntryControl.LOAD_DEBUG_CONTROLS) {
    s.setDr(7, dr7Written(v.read(Field.GUEST_DR7)));
    s.setMsr(MsrSlot.DEBUGCTL, v.read(Field.GUEST_IA32_DEBUGCTL), v.read(Field.GUEST_IA32_DEBUGCTL + 1));
  }
  if (vmx.controls.entry & EntryControl.LOAD_IA32_PAT) {
    s.setMsr(MsrSlot.PAT, v.read(Field.GUEST_IA32_PAT), v.read(Field.GUEST_IA32_PAT + 1));
  }
};

/** 26.3.2: registers and the non-register state; blocking by STI and MOV SS ends where an event is injected (26.6.1). */
const loadGuestState = (vmx: Vmx, injecting: boolean): void => {
  const s = vmx.cpu.s;
  const v = vmx.vmcs;
  loadControlState(vmx);
  loadSegments(vmx);
  s.eflags = v.read(Field.GUEST_RFLAGS);
  const blocking = v.read(Field.GUEST_INTERRUPTIBILITY_INFO);
  vmx.nmiBlocked = (s.get(StateLayout.interruptibility) & Blocking.NMI) !== 0;
  s.set(StateLayout.interruptibility, injecting ? blocking & Blocking.NMI : blocking);
  s.set(StateLayout.activity, injecting ? 0 : v.read(Field.GUEST_ACTIVITY_STATE));
  // 26.6.3: breakpoints count only with the "enabled breakpoint" bit; an injected event drops the pending ones that MOV SS held back.
  const pending = v.read(Field.GUEST_PENDING_DBG_EXCEPTIONS);
  vmx.pendingDebug = injecting
    ? 0
    : pending & (pending & PendingDebug.ENABLED_BREAKPOINT ? ALL_PENDING : PendingDebug.SINGLE_STEP);
};

/** The mode word (translate/mode.ts) that a TypeScript root's processor has kept since the exit is right, if the segments are the same. VMWRITE sees to the controls. */
const keepsMode = (vmx: Vmx, oldCr0: number, oldCr4: number, cpl: number): boolean => {
  const { s, breakpoints: b } = vmx.cpu;
  const watched = (s.dr(7) & Dr7.ENABLES) !== 0 || b.instructions || b.data || b.io;
  return s.cr0 === oldCr0 && s.cr4 === oldCr4 && s.cpl === cpl && !watched;
};

/** What a linear address means may have changed. A TypeScript root invalidates exactly what it changed, unless it says otherwise. */
const updateTranslation = (vmx: Vmx, oldCr0: number, oldCr4: number): void => {
  const { s, mmu } = vmx.cpu;
  const changed = ((oldCr0 ^ s.cr0) & PAGING_CR0) !== 0 || ((oldCr4 ^ s.cr4) & PAGING_CR4) !== 0;
  if (changed) mmu.controlsChanged();
  if (vmx.root === undefined || vmx.entryFlushesTlb) mmu.flushAll();
  if ((s.cr0 & Cr0.PG) !== 0 && (s.cr4 & Cr4.PAE) !== 0) mmu.loadPdptes(s.cr3);
};

/** 26.5: the event goes through the guest's IDT as if it had just happened. */
const inject = (vmx: Vmx, info: number): void => {
  const cpu = vmx.cpu;
  const type = IntrInfo.type(info);
  if (type === EventType.OTHER_EVENT) {
    vmx.monitorTrapPending = true;
    return;
  }
  const errorCode = IntrInfo.hasErrorCode(info) ? vmx.vmcs.read(Field.VM_ENTRY_EXCEPTION_ERROR_CODE) : undefined;
  const software = type >= EventType.SOFTWARE_INTERRUPT;
  const length = software ? vmx.vmcs.read(Field.VM_ENTRY_INSTRUCTION_LEN) : 0;
  injectEvent(cpu, IntrInfo.vector(info), type, errorCode, length);
};

/** The first check that fails, in order; checks whose fields are as they were when they held are not made again. */
const failedCheck = (vmx: Vmx, injecting: boolean): EntryCheck | undefined => {
  if (!vmx.controlsHold) {
    const failure =
      firstFailure(CONTROL_CHECKS, vmx) ?? firstFailure(INJECTION_CHECKS, vmx) ?? firstFailure(HOST_CHECKS, vmx);
    if (failure !== undefined) return failure;
    vmx.controlsHold = true;
  } else if (injecting) {
    const failure = firstFailure(INJECTION_CHECKS, vmx);
    if (failure !== undefined) return failure;
  }
  const held = injecting ? vmx.heldInjecting : vmx.held;
  const known = held.unchanged(vmx);
  let failure = known ? undefined : firstFailure(GUEST_REGISTERS, vmx);
  if (failure === undefined && !vmx.segmentsHold) {
    failure = firstFailure(GUEST_SEGMENTS, vmx);
    vmx.segmentsHold = failure === undefined;
  }
  if (failure === undefined && !known) {
    failure = firstFailure(GUEST_REST, vmx);
    if (failure === undefined) held.note(vmx);
  }
  if (failure !== undefined || (vmx.vmcs.read(Field.GUEST_CR4) & Cr4.PAE) === 0) return failure;
  return firstFailure(GUEST_PDPTES, vmx);
};

/** The rest of VMLAUNCH and VMRESUME: VMsucceed also where the entry fails with a VM exit (reason bit 31). */
export const enterGuest = (vmx: Vmx): VmxResult => {
  const cpu = vmx.cpu;
  const v = vmx.vmcs;
  const controls = vmx.controls;
  vmx.lastEntryFailure = undefined;

  const info = v.read(Field.VM_ENTRY_INTR_INFO);
  const injecting = IntrInfo.valid(info);
  const failure = failedCheck(vmx, injecting);
  if (failure !== undefined) {
    vmx.lastEntryFailure = failure;
    if (failure.area === 'controls') return InstructionError.ENTRY_INVALID_CONTROLS;
    if (failure.area === 'host') return InstructionError.ENTRY_INVALID_HOST_STATE;
    entryFailureExit(vmx, ExitReason.ENTRY_FAILURE_GUEST_STATE, failure.qualification);
    return VM_SUCCEED;
  }

  const { cr0: oldCr0, cr4: oldCr4, cpl } = cpu.s;
  const sameSegments = cpu.s.get(StateLayout.segmentsApart) === 0;
  loadGuestState(vmx, injecting && IntrInfo.type(info) !== EventType.OTHER_EVENT);
  const badMsr = loadMsrs(vmx, Field.VM_ENTRY_MSR_LOAD_COUNT, Field.VM_ENTRY_MSR_LOAD_ADDR);
  if (badMsr !== 0) {
    cpu.s.set(StateLayout.interruptibility, vmx.nmiBlocked ? 8 : 0);
    entryFailureExit(vmx, ExitReason.ENTRY_FAILURE_MSR_LOADING, badMsr);
    return VM_SUCCEED;
  }

  v.launchState = LaunchState.LAUNCHED;
  vmx.enterNonRoot();
  disarm(cpu); // 26.3.4
  if (!(vmx.root !== undefined && sameSegments && keepsMode(vmx, oldCr0, oldCr4, cpl))) cpu.modeDirty = true;
  updateTranslation(vmx, oldCr0, oldCr4);
  cpu.nextEip = cpu.s.eip;
  if ((controls.pin & PinControl.ACTIVATE_PREEMPTION_TIMER) !== 0)
    vmx.startPreemptionTimer(v.read(Field.GUEST_PREEMPTION_TIMER));
  if ((controls.primary & PrimaryControl.MONITOR_TRAP_FLAG) !== 0) vmx.armMonitorTrap(injecting);
  if (injecting) inject(vmx, info);
  vmx.updateBoundaryWatch();
  return VM_SUCCEED;
};
