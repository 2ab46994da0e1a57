// A VM exit: recording why, saving guest state, loading host state. Not the decision that there is one (intercepts.ts, vmx.ts).
// SDM vol. 3, ch. 27.

import { disarm } from '../cpu/monitor-wait.ts';
import { readMsr, writeMsr } from '../cpu/msr.ts';
import { MsrSlot, type MsrValue } from '../cpu/msr-rows.ts';
import { Access, Blocking, CS, DS, ES, Flag, FS, GS, LDTR, SS, StateLayout, TR } from '../cpu/state.ts';
import { ExitControl, PinControl } from './controls.ts';
import { pdptesValid } from './entry-checks.ts';
import { ENTRY_FAILURE, ExitReason } from './exit-reasons.ts';
import { Field } from './fields.ts';
import { saveSegments } from './guest-segments.ts';
import { EventType, IntrInfo, PendingDebug, pendingBreakpoints } from './qualification.ts';
import type { NonRootOperation } from './non-root.ts';
import { SharedWords } from './shared-words.ts';
import { wordInRegion } from './vmcs.ts';

/** Bits of CR0 that VM entries and VM exits never change: ET, 15:6, 17, 28:19, NW, CD (26.3.2.1, 27.5.1). */
export const CR0_KEPT = 0x7ffa_ffd0;

/** VMX-abort indicators (27.7). */
export const VmxAbort = { SAVING_GUEST_MSRS: 1, HOST_PDPTES: 2, LOADING_HOST_MSRS: 4 } as const;

const ESP = 4;
const msr: MsrValue = { low: 0, high: 0 };

/** Everything an exit can tell besides reason and qualification; one object, reused. */
export interface ExitInformation {
  instructionLength: number;
  instructionInfo: number;
  intrInfo: number;
  intrErrorCode: number;
  linearAddress: number;
  /** A task switch: the EFLAGS of the old task, whose RF is saved. */
  taskFlags: number;
}

/**
 * RF as the saved image would have it (27.3.3): set by faults other than #DB, clear for intercepted instructions, as in the old TSS for
 * task switches, else as it is.
 */
const savedFlags = (
  flags: number,
  reason: number,
  info: ExitInformation,
  instruction: boolean,
  unfinished: boolean,
): number => {
  if (instruction) return flags & ~Flag.RF;
  if (unfinished && reason === ExitReason.EXTERNAL_INTERRUPT) return flags | Flag.RF;
  if (reason === ExitReason.TASK_SWITCH) return (flags & ~Flag.RF) | (info.taskFlags & Flag.RF);
  if (reason !== ExitReason.EXCEPTION_OR_NMI) return flags;
  const fault = IntrInfo.type(info.intrInfo) === EventType.HARDWARE_EXCEPTION && IntrInfo.vector(info.intrInfo) !== 1;
  return fault ? flags | Flag.RF : flags;
};

/** Debug exceptions that MOV SS holds back, in the form of the pending-debug-exceptions field: B0 to B3, enabled breakpoint, BS. */
const heldByMovSs = (vmx: NonRootOperation): number => {
  const { s, breakpoints } = vmx.cpu;
  if ((s.get(StateLayout.interruptibility) & Blocking.MOV_SS) === 0) return 0;
  return pendingBreakpoints(breakpoints.met) | (s.eflagsRest & Flag.TF ? PendingDebug.SINGLE_STEP : 0);
};

/** Guest state that is loaded and saved as it is: control registers but CR0, the SYSENTER MSRs (whose high halves are 0), EIP and ESP. */
export const GUEST_WORDS = new SharedWords([
  [StateLayout.cr3, Field.GUEST_CR3],
  [StateLayout.cr4, Field.GUEST_CR4],
  [StateLayout.msrs + MsrSlot.SYSENTER_CS * 8, Field.GUEST_SYSENTER_CS],
  [StateLayout.msrs + MsrSlot.SYSENTER_ESP * 8, Field.GUEST_SYSENTER_ESP],
  [StateLayout.msrs + MsrSlot.SYSENTER_EIP * 8, Field.GUEST_SYSENTER_EIP],
  [StateLayout.eip, Field.GUEST_RIP],
  [StateLayout.gpr + ESP * 8, Field.GUEST_RSP],
]);

const saveGuestState = (vmx: NonRootOperation, reason: number, info: ExitInformation, instruction: boolean): void => {
  const s = vmx.cpu.s;
  const v = vmx.vmcs;
  const controls = vmx.controls;
  v.write(Field.GUEST_CR0, s.cr0);
  GUEST_WORDS.save(v);
  if (controls.exit & ExitControl.SAVE_DEBUG_CONTROLS) {
    v.write(Field.GUEST_DR7, s.dr(7));
    v.write(Field.GUEST_IA32_DEBUGCTL, s.msrLow(MsrSlot.DEBUGCTL));
    v.write(Field.GUEST_IA32_DEBUGCTL + 1, s.msrHigh(MsrSlot.DEBUGCTL));
  }
  if (controls.exit & ExitControl.SAVE_IA32_PAT) {
    v.write(Field.GUEST_IA32_PAT, s.msrLow(MsrSlot.PAT));
    v.write(Field.GUEST_IA32_PAT + 1, s.msrHigh(MsrSlot.PAT));
  }
  if (controls.exit & ExitControl.SAVE_PREEMPTION_TIMER) v.write(Field.GUEST_PREEMPTION_TIMER, vmx.preemptionTimer);
  saveSegments(vmx);
  v.write(Field.GUEST_RFLAGS, savedFlags(s.eflags, reason, info, instruction, vmx.cpu.unfinished));
  v.write(Field.GUEST_ACTIVITY_STATE, vmx.delivering ? 0 : s.get(StateLayout.activity));
  v.write(Field.GUEST_INTERRUPTIBILITY_INFO, s.get(StateLayout.interruptibility));
  // 27.3.4: kept for trap-like exits and while MOV SS holds debug exceptions back; a delivered #DB has taken them.
  const trapLike =
    reason === ExitReason.MONITOR_TRAP_FLAG || (s.get(StateLayout.interruptibility) & Blocking.MOV_SS) !== 0;
  v.write(Field.GUEST_PENDING_DBG_EXCEPTIONS, trapLike ? vmx.pendingDebug | heldByMovSs(vmx) : 0);
};

/** The VM-exit information fields that are written at each exit lie behind each other, in the order of their encodings. */
const INFORMATION = wordInRegion(Field.VM_EXIT_REASON);
const QUALIFICATION = wordInRegion(Field.EXIT_QUALIFICATION);
const LINEAR_ADDRESS = wordInRegion(Field.GUEST_LINEAR_ADDRESS);

const recordInformation = (
  vmx: NonRootOperation,
  reason: number,
  qualification: number,
  info: ExitInformation,
): void => {
  const { u32, base } = vmx.vmcs;
  // 27.2.4: a triple fault, and a double fault that exits by itself, are not exits "during" the delivery they came from.
  const doubleFault =
    IntrInfo.valid(info.intrInfo) && IntrInfo.vector(info.intrInfo) === 8 && IntrInfo.hasErrorCode(info.intrInfo);
  const during = vmx.delivering && reason !== ExitReason.TRIPLE_FAULT && !doubleFault;
  const software = during && IntrInfo.type(vmx.deliveryInfo) >= EventType.SOFTWARE_INTERRUPT;
  const at = base + INFORMATION;
  u32[at] = reason;
  u32[at + 1] = info.intrInfo;
  u32[at + 2] = info.intrErrorCode;
  u32[at + 3] = during ? vmx.deliveryInfo : 0;
  u32[at + 4] = during ? vmx.deliveryErrorCode : 0;
  u32[at + 5] = software ? vmx.deliveryInstructionLength : info.instructionLength;
  u32[at + 6] = info.instructionInfo;
  u32[base + QUALIFICATION] = qualification;
  u32[base + LINEAR_ADDRESS] = info.linearAddress;
};

/** The MSR areas are arrays of 16 bytes: index, reserved, value. True, or false at an entry that cannot be read. */
const storeMsrs = (vmx: NonRootOperation): boolean => {
  const memory = vmx.cpu.memory;
  const count = vmx.vmcs.read(Field.VM_EXIT_MSR_STORE_COUNT);
  let at = vmx.vmcs.read(Field.VM_EXIT_MSR_STORE_ADDR);
  for (let i = 0; i < count; i++, at += 16) {
    if (at + 16 > memory.bytes || memory.read32(at + 4) !== 0 || !readMsr(vmx.cpu, memory.read32(at), msr))
      return false;
    vmx.cpu.mmu.writePhysical(at + 8, 4, msr.low);
    vmx.cpu.mmu.writePhysical(at + 12, 4, msr.high);
  }
  return true;
};

const FS_BASE = 0xc000_0100;
const GS_BASE = 0xc000_0101;

/** 0, or the number (from 1) of the entry of an MSR-load area that failed (26.4, 27.6). */
export const loadMsrs = (vmx: NonRootOperation, countField: number, addressField: number): number => {
  const memory = vmx.cpu.memory;
  const count = vmx.vmcs.read(countField);
  let at = vmx.vmcs.read(addressField);
  for (let i = 1; i <= count; i++, at += 16) {
    if (at + 16 > memory.bytes || memory.read32(at + 4) !== 0) return i;
    const index = memory.read32(at);
    if (index === FS_BASE || index === GS_BASE) return i;
    if (!writeMsr(vmx.cpu, index, memory.read32(at + 8), memory.read32(at + 12))) return i;
  }
  return 0;
};

/** 27.7: the processor goes into the shutdown state, and the indicator says why. */
const abort = (vmx: NonRootOperation, indicator: number): void => {
  vmx.vmcs.abortIndicator = indicator;
  vmx.aborted = indicator;
  vmx.cpu.s.set(StateLayout.activity, 2);
};

const DATA_RIGHTS = 0x3 | Access.S | Access.P | Access.DB | Access.G;
const CODE_RIGHTS = 0xb | Access.S | Access.P | Access.DB | Access.G;

const loadHostSegments = (vmx: NonRootOperation): void => {
  const s = vmx.cpu.s;
  const v = vmx.vmcs;
  for (const n of [ES, CS, SS, DS, FS, GS]) {
    const selector = v.read(Field.HOST_ES_SELECTOR + 2 * n);
    const base = n === FS ? v.read(Field.HOST_FS_BASE) : n === GS ? v.read(Field.HOST_GS_BASE) : 0;
    const rights = n === CS ? CODE_RIGHTS : DATA_RIGHTS | (selector === 0 ? Access.UNUSABLE : 0);
    s.setSegment(n, selector, base, 0xffff_ffff, rights);
  }
  s.setSegment(TR, v.read(Field.HOST_TR_SELECTOR), v.read(Field.HOST_TR_BASE), 0x67, 0xb | Access.P);
  s.setSegment(LDTR, 0, 0, 0, Access.UNUSABLE);
  s.set(StateLayout.gdtrBase, v.read(Field.HOST_GDTR_BASE));
  s.set(StateLayout.gdtrLimit, 0xffff);
  s.set(StateLayout.idtrBase, v.read(Field.HOST_IDTR_BASE));
  s.set(StateLayout.idtrLimit, 0xffff);
};

/** 27.5, for a host on this machine. */
const loadHostState = (vmx: NonRootOperation): void => {
  const cpu = vmx.cpu;
  const s = cpu.s;
  const v = vmx.vmcs;
  s.cr0 = (s.cr0 & CR0_KEPT) | (v.read(Field.HOST_CR0) & ~CR0_KEPT);
  s.cr3 = v.read(Field.HOST_CR3);
  s.cr4 = v.read(Field.HOST_CR4);
  s.setDr(7, 0x400);
  s.setMsr(MsrSlot.DEBUGCTL, 0, 0);
  s.setMsr(MsrSlot.SYSENTER_CS, v.read(Field.HOST_SYSENTER_CS), 0);
  s.setMsr(MsrSlot.SYSENTER_ESP, v.read(Field.HOST_SYSENTER_ESP), 0);
  s.setMsr(MsrSlot.SYSENTER_EIP, v.read(Field.HOST_SYSENTER_EIP), 0);
  if (vmx.controls.exit & ExitControl.LOAD_IA32_PAT) {
    s.setMsr(MsrSlot.PAT, v.read(Field.HOST_IA32_PAT), v.read(Field.HOST_IA32_PAT + 1));
  }
  loadHostSegments(vmx);
  s.cpl = 0;
  s.eip = v.read(Field.HOST_RIP);
  s.setGpr(ESP, v.read(Field.HOST_RSP));
  s.eflags = 2;
  s.set(StateLayout.activity, 0);
  cpu.nextEip = s.eip;
  cpu.mmu.controlsChanged();
  cpu.mmu.flushAll();
  if ((s.cr4 & 0x20) !== 0) {
    if (!pdptesValid(cpu.memory, s.cr3)) return abort(vmx, VmxAbort.HOST_PDPTES);
    cpu.mmu.loadPdptes(s.cr3);
  }
  if (loadMsrs(vmx, Field.VM_EXIT_MSR_LOAD_COUNT, Field.VM_EXIT_MSR_LOAD_ADDR) !== 0)
    abort(vmx, VmxAbort.LOADING_HOST_MSRS);
};

/** The end of every exit: out of non-root operation, to the host's RIP or to the TypeScript root. */
const toHost = (vmx: NonRootOperation, reason: number): void => {
  const cpu = vmx.cpu;
  const s = cpu.s;
  const nmi =
    (reason & 0xffff) === ExitReason.EXCEPTION_OR_NMI &&
    IntrInfo.type(vmx.vmcs.read(Field.VM_EXIT_INTR_INFO)) === EventType.NMI;
  // With virtual NMIs bit 3 was the guest's own blocking; without, the processor's stays as it is (27.5.5).
  const virtual = (vmx.controls.pin & PinControl.VIRTUAL_NMIS) !== 0 && vmx.nonRoot;
  const blocked = nmi || (virtual ? vmx.nmiBlocked : (s.get(StateLayout.interruptibility) & Blocking.NMI) !== 0);
  vmx.leaveNonRoot();
  s.set(StateLayout.interruptibility, blocked ? 8 : 0);
  if (vmx.root !== undefined) {
    // Its processor keeps the guest's mode, which the next entry finds (enterGuest).
    vmx.exitPending = true;
    vmx.root.onVmExit(reason);
    return;
  }
  cpu.modeDirty = true;
  loadHostState(vmx);
};

/**
 * Takes a VM exit. `instruction`: it is an intercepted instruction (RF is saved as 0). Always true, so that hooks can return it.
 * The guest's RIP is `cpu.s.eip`.
 */
export const vmExit = (
  vmx: NonRootOperation,
  reason: number,
  qualification: number,
  info: ExitInformation,
  instruction: boolean,
): true => {
  if (vmx.cpu.mmu.access !== undefined) {
    // The instruction is being emulated for the hypervisor: it hears why it would leave the guest, whose state it has itself.
    recordInformation(vmx, reason, qualification, info);
    vmx.exitPending = true;
    return true;
  }
  // 27.5.6: no monitor outlives an exit, and who waited with MWAIT is active (27.3.4).
  disarm(vmx.cpu);
  recordInformation(vmx, reason, qualification, info);
  const injected = vmx.vmcs.read(Field.VM_ENTRY_INTR_INFO);
  vmx.vmcs.write(Field.VM_ENTRY_INTR_INFO, injected & ~IntrInfo.VALID);
  saveGuestState(vmx, reason, info, instruction);
  const stored = storeMsrs(vmx);
  toHost(vmx, reason);
  if (!stored) abort(vmx, VmxAbort.SAVING_GUEST_MSRS);
  return true;
};

/** A VM entry that failed after the host-state checks (26.7): nothing of the guest is saved, the interruption information stays. */
export const entryFailureExit = (vmx: NonRootOperation, basicReason: number, qualification: number): void => {
  const reason = (basicReason | ENTRY_FAILURE) >>> 0;
  vmx.vmcs.write(Field.VM_EXIT_REASON, reason);
  vmx.vmcs.write(Field.EXIT_QUALIFICATION, qualification);
  vmx.vmcs.write(Field.VM_EXIT_INTR_INFO, 0);
  vmx.vmcs.write(Field.IDT_VECTORING_INFO, 0);
  toHost(vmx, reason);
};
