// VMX non-root operation: the state of the mode and the hooks that the processor's modules ask. Deciding is intercepts.ts, carrying an
// exit out is exit.ts, entering is entry.ts; the VMX instructions are vmx.ts. SDM vol. 3, ch. 25.

import type { Timer } from '../clock.ts';
import type { Cpu, Operands } from '../cpu/cpu.ts';
import { deliverEvent } from '../cpu/exceptions.ts';
import { Blocking, Flag, StateLayout } from '../cpu/state.ts';
import type { PhysicalMemory } from '../memory.ts';
import { ActiveControls } from './active-controls.ts';
import { capabilityMsr } from './capability-msrs.ts';
import { ExitControl, PinControl, PrimaryControl, SecondaryControl, type VmxCapabilities } from './controls.ts';
import { vmExit, type ExitInformation } from './exit.ts';
import { ExitReason } from './exit-reasons.ts';
import { Field } from './fields.ts';
import { HeldFields } from './held-fields.ts';
import type { VmxHooks } from './hooks.ts';
import { describeOperand } from './instruction-info.ts';
import * as decide from './intercepts.ts';
import { CrAccessType, EventType, IntrInfo, IoAccess } from './qualification.ts';
import { Vmcs } from './vmcs.ts';
import { WIDE_ZERO } from '../wide-number.ts';

/** Root software in TypeScript. With one, a VM exit does not load host state: it sets `exitPending` and the run loop returns. */
export interface VmxRoot {
  /** Called at the end of each VM exit, before the run loop returns. Must not enter the guest. `reason`: the whole exit-reason word. */
  onVmExit(reason: number): void;
  /** Answers a pending VM exit where the run loop has nothing to look at before it (VmxHooks). May enter the guest. */
  answer?(): boolean;
}

export abstract class NonRootOperation implements VmxHooks {
  readonly memory: PhysicalMemory;
  /** The current VMCS; meaningful while `currentPointer` is not -1. Write fields with `vmwrite`, which knows what must be checked again. */
  readonly vmcs: Vmcs;
  readonly controls = new ActiveControls();
  root: VmxRoot | undefined;
  inVmx = false;
  nonRoot = false;
  boundaryWatch = false;
  boundaryStep = false;
  /** VMX-abort indicator of a failed exit; 0: none. The processor is then shut down. */
  aborted = 0;
  tscOffsetLow = 0;
  tscOffsetHigh = 0;
  /** Pending debug exceptions in the form of the VMCS field: delivered at the next boundary without blocking by MOV SS. */
  pendingDebug = 0;
  /** Physical blocking by NMI while bit 3 of the state's interruptibility is the guest's virtual one. */
  nmiBlocked = false;
  monitorTrapPending = false;
  /**
   * Checks of a VM entry are functions of fields: true while no field that they read has changed since they held. `controlsHold`: the
   * checks on controls and host state; `segmentsHold`: those on the guest's segments.
   */
  controlsHold = false;
  segmentsHold = false;
  /** The same for the rest of the guest state, where nothing is injected and where something is. */
  readonly held = new HeldFields();
  readonly heldInjecting = new HeldFields();
  /** An event is being delivered: its interruption information, error code and instruction length. */
  delivering = false;
  deliveryInfo = WIDE_ZERO;
  deliveryErrorCode = 0;
  deliveryInstructionLength = 0;

  private readonly information: ExitInformation = {
    instructionLength: 0,
    instructionInfo: 0,
    intrInfo: WIDE_ZERO,
    intrErrorCode: 0,
    linearAddress: WIDE_ZERO,
    taskFlags: 0,
  };
  protected monitorTrapArmed = false;
  protected preemptionExpired = false;
  protected readonly preemption: Timer | undefined;

  constructor(
    readonly cpu: Cpu,
    readonly capabilities: VmxCapabilities,
  ) {
    this.memory = cpu.memory;
    this.vmcs = new Vmcs(cpu.memory);
    if (capabilities.hasPreemptionTimer) {
      this.preemption = cpu.clock.timer(() => {
        this.preemptionExpired = true;
        this.updateBoundaryWatch();
      });
    }
  }

  /** Set by a VM exit to a TypeScript root; the next VM entry clears it. */
  get exitPending(): boolean {
    return this.cpu.vmExitPending;
  }
  set exitPending(value: boolean) {
    this.cpu.vmExitPending = value;
  }

  // What entry.ts and exit.ts do to the mode.

  enterNonRoot(): void {
    this.nonRoot = true;
    this.delivering = false;
    this.monitorTrapPending = false;
    this.monitorTrapArmed = false;
    this.preemptionExpired = false;
    const offset = (this.controls.primary & PrimaryControl.USE_TSC_OFFSETTING) !== 0;
    this.tscOffsetLow = offset ? this.vmcs.read(Field.TSC_OFFSET) : 0;
    this.tscOffsetHigh = offset ? this.vmcs.read(Field.TSC_OFFSET + 1) : 0;
  }

  leaveNonRoot(): void {
    this.nonRoot = false;
    this.delivering = false;
    this.boundaryWatch = false;
    this.boundaryStep = false;
    this.pendingDebug = 0;
    this.monitorTrapPending = false;
    this.monitorTrapArmed = false;
    this.tscOffsetLow = 0;
    this.tscOffsetHigh = 0;
    if (this.preemption !== undefined) this.cpu.clock.arm(this.preemption, Infinity);
  }

  /** The monitor trap flag: an exit after one instruction, or at once after an event delivered before it (25.5.2). */
  armMonitorTrap(injected: boolean): void {
    if (injected) this.monitorTrapPending = true;
    else this.monitorTrapArmed = true;
  }
  beginStep(): void {
    if (!this.monitorTrapArmed) return;
    this.monitorTrapArmed = false;
    this.monitorTrapPending = true;
  }

  /** `value` counts down once in 2^shift cycles, on the processor's own multiples of that (25.5.1). */
  startPreemptionTimer(value: number): void {
    const unit = 2 ** this.capabilities.preemptionShift;
    const deadline = (Math.floor(this.cpu.clock.now / unit) + value) * unit;
    if (value === 0) this.preemptionExpired = true;
    else if (this.preemption !== undefined) this.cpu.clock.arm(this.preemption, deadline);
  }
  get preemptionTimer(): number {
    if (this.preemptionExpired || this.preemption === undefined || this.preemption.deadline === Infinity) return 0;
    const unit = 2 ** this.capabilities.preemptionShift;
    return Math.max(0, this.preemption.deadline / unit - Math.floor(this.cpu.clock.now / unit));
  }

  updateBoundaryWatch(): void {
    const windows = PrimaryControl.NMI_WINDOW_EXITING | PrimaryControl.INTERRUPT_WINDOW_EXITING;
    this.boundaryStep = this.nonRoot && (this.monitorTrapPending || this.monitorTrapArmed || this.pendingDebug !== 0);
    this.boundaryWatch =
      this.nonRoot && (this.boundaryStep || this.preemptionExpired || (this.controls.primary & windows) !== 0);
  }

  // Exits.

  private clearInformation(): ExitInformation {
    const info = this.information;
    info.instructionLength = 0;
    info.instructionInfo = 0;
    info.intrInfo = 0;
    info.intrErrorCode = 0;
    info.linearAddress = 0;
    info.taskFlags = 0;
    return info;
  }

  private leave(reason: number, qualification: number, info: ExitInformation): true {
    return vmExit(this, reason, qualification, info, false);
  }

  /** Exit because of an intercepted instruction: RIP stays on it. */
  private leaveAt(op: Operands, reason: number, qualification: number, linear = 0, instructionInfo = 0): true {
    const info = this.clearInformation();
    info.instructionLength = op.length;
    info.linearAddress = linear;
    info.instructionInfo = instructionInfo;
    this.cpu.s.eip = op.eip;
    return vmExit(this, reason, qualification, info, true);
  }

  exitOnException(vector: number, errorCode: number | undefined, address: number, type?: number, length = 1): boolean {
    if (!this.nonRoot || !decide.exceptionExits(this.controls, vector, errorCode ?? 0)) return false;
    const kind = type ?? (vector === 3 || vector === 4 ? EventType.SOFTWARE_EXCEPTION : EventType.HARDWARE_EXCEPTION);
    const info = this.clearInformation();
    // 27.2.3: not for a double fault, nor for an exception met in delivering another event.
    const unblocking = this.cpu.nmiUnblockedByIret && !this.delivering && vector !== 8;
    info.intrInfo = IntrInfo.encode(vector, kind, errorCode !== undefined) | (unblocking ? IntrInfo.NMI_UNBLOCKING : 0);
    info.intrErrorCode = errorCode ?? 0;
    if (kind !== EventType.HARDWARE_EXCEPTION) info.instructionLength = length;
    return this.leave(ExitReason.EXCEPTION_OR_NMI, vector === 14 || vector === 1 ? address : 0, info);
  }

  exitOnExternalInterrupt(): boolean {
    if (!this.nonRoot || (this.controls.pin & PinControl.EXTERNAL_INTERRUPT_EXITING) === 0) return false;
    if (this.cpu.s.get(StateLayout.activity) > 1) return false;
    const info = this.clearInformation();
    if ((this.controls.exit & ExitControl.ACKNOWLEDGE_INTERRUPT_ON_EXIT) !== 0) {
      info.intrInfo = IntrInfo.encode(this.cpu.interrupts.acknowledge(), EventType.EXTERNAL_INTERRUPT, false);
    }
    return this.leave(ExitReason.EXTERNAL_INTERRUPT, 0, info);
  }

  exitOnNmi(): boolean {
    if (!this.nonRoot || (this.controls.pin & PinControl.NMI_EXITING) === 0) return false;
    // Bit 3 blocks real NMIs unless it is about virtual ones (table 24-3).
    const virtual = (this.controls.pin & PinControl.VIRTUAL_NMIS) !== 0;
    if (!virtual && (this.cpu.s.get(StateLayout.interruptibility) & Blocking.NMI) !== 0) return false;
    const info = this.clearInformation();
    info.intrInfo = IntrInfo.encode(2, EventType.NMI, false);
    return this.leave(ExitReason.EXCEPTION_OR_NMI, 0, info);
  }

  exitOnInterruptWindow(): boolean {
    const s = this.cpu.s;
    if (!this.nonRoot || (this.controls.primary & PrimaryControl.INTERRUPT_WINDOW_EXITING) === 0) return false;
    if ((s.eflagsRest & Flag.IF) === 0 || (s.get(StateLayout.interruptibility) & Blocking.STI_OR_MOV_SS) !== 0)
      return false;
    if (s.get(StateLayout.activity) > 1) return false;
    return this.leave(ExitReason.INTERRUPT_WINDOW, 0, this.clearInformation());
  }

  exitAtBoundary(): boolean {
    if (!this.nonRoot) return false;
    if (this.monitorTrapPending) return this.leave(ExitReason.MONITOR_TRAP_FLAG, 0, this.clearInformation());
    const blocking = this.cpu.s.get(StateLayout.interruptibility);
    if (this.pendingDebug !== 0 && (blocking & 2) === 0 && this.deliverPendingDebug()) return true;
    if (this.preemptionExpired) return this.leave(ExitReason.PREEMPTION_TIMER, 0, this.clearInformation());
    if ((this.controls.primary & PrimaryControl.NMI_WINDOW_EXITING) !== 0 && (blocking & 0xa) === 0) {
      return this.leave(ExitReason.NMI_WINDOW, 0, this.clearInformation());
    }
    return this.exitOnInterruptWindow();
  }

  /** True if the #DB left the guest; otherwise EIP stands at its handler. */
  private deliverPendingDebug(): boolean {
    const bits = this.pendingDebug & 0x400f;
    this.pendingDebug = 0;
    this.updateBoundaryWatch();
    this.cpu.faultAddress = bits;
    deliverEvent(this.cpu, 1, EventType.HARDWARE_EXCEPTION, undefined, 0);
    return !this.nonRoot;
  }

  exitOnTripleFault(): boolean {
    return this.nonRoot && this.leave(ExitReason.TRIPLE_FAULT, 0, this.clearInformation());
  }

  exitOnTaskSwitch(selector: number, source: 0 | 1 | 2 | 3, instructionLength: number, flags: number): boolean {
    if (!this.nonRoot) return false;
    const info = this.clearInformation();
    info.taskFlags = flags;
    info.instructionLength = instructionLength;
    return this.leave(ExitReason.TASK_SWITCH, ((selector & 0xffff) | (source << 30)) >>> 0, info);
  }

  beginDelivery(vector: number, type: number, errorCode: number | undefined, instructionLength: number): void {
    this.beginStep();
    this.delivering = true;
    this.deliveryInfo = IntrInfo.encode(vector, type, errorCode !== undefined);
    this.deliveryErrorCode = errorCode ?? 0;
    this.deliveryInstructionLength = instructionLength;
  }
  endDelivery(): void {
    this.delivering = false;
  }

  exitOnInstruction(reason: number, qualification: number, op: Operands): boolean {
    return this.nonRoot && decide.instructionExits(this.controls, reason) && this.leaveAt(op, reason, qualification);
  }

  get pauseExits(): boolean {
    return decide.instructionExits(this.controls, ExitReason.PAUSE);
  }
  get rdtscExits(): boolean {
    return decide.instructionExits(this.controls, ExitReason.RDTSC);
  }

  exitOnMovToCr(cr: number, value: number, op: Operands): boolean {
    if (!this.nonRoot) return false;
    const c = this.controls;
    const exits =
      cr === 3
        ? decide.movToCr3Exits(c, value)
        : cr === 0
          ? decide.movToCrExits(c.cr0Mask, c.cr0Shadow, value)
          : cr === 4 && decide.movToCrExits(c.cr4Mask, c.cr4Shadow, value);
    return exits && this.leaveAt(op, ExitReason.CR_ACCESS, cr | (CrAccessType.TO << 4) | (op.rm << 8));
  }

  exitOnMovFromCr(cr: number, op: Operands): boolean {
    if (!this.nonRoot || cr !== 3 || (this.controls.primary & PrimaryControl.CR3_STORE_EXITING) === 0) return false;
    return this.leaveAt(op, ExitReason.CR_ACCESS, cr | (CrAccessType.FROM << 4) | (op.rm << 8));
  }

  exitOnClts(op: Operands): boolean {
    return (
      this.nonRoot && decide.cltsExits(this.controls) && this.leaveAt(op, ExitReason.CR_ACCESS, CrAccessType.CLTS << 4)
    );
  }

  get cltsIgnored(): boolean {
    return this.nonRoot && (this.controls.cr0Mask & 8) !== 0;
  }

  exitOnLmsw(source: number, linear: number, op: Operands): boolean {
    if (!this.nonRoot || !decide.lmswExits(this.controls, source)) return false;
    const qualification = ((CrAccessType.LMSW << 4) | (op.memory ? 0x40 : 0) | ((source & 0xffff) << 16)) >>> 0;
    return this.leaveAt(op, ExitReason.CR_ACCESS, qualification, op.memory ? linear : 0);
  }

  readCr(cr: 0 | 4): number {
    const s = this.cpu.s;
    const c = this.controls;
    if (!this.nonRoot) return cr === 0 ? s.cr0 : s.cr4;
    return cr === 0
      ? decide.maskedRead(s.cr0, c.cr0Mask, c.cr0Shadow)
      : decide.maskedRead(s.cr4, c.cr4Mask, c.cr4Shadow);
  }

  mergeCr(cr: 0 | 4, value: number): number {
    if (!this.nonRoot) return value >>> 0;
    const s = this.cpu.s;
    return cr === 0
      ? decide.maskedWrite(s.cr0, this.controls.cr0Mask, value)
      : decide.maskedWrite(s.cr4, this.controls.cr4Mask, value);
  }

  crForbidden(cr: 0 | 4, value: number): boolean {
    // What an emulated guest may load is its hypervisor's to say.
    if (!this.inVmx || this.cpu.mmu.access !== undefined) return false;
    const k = this.capabilities;
    return cr === 0
      ? (~value & k.cr0Fixed0) !== 0 || (value & ~k.cr0Fixed1) !== 0
      : (~value & k.cr4Fixed0) !== 0 || (value & ~k.cr4Fixed1) !== 0;
  }

  exitOnMovDr(dr: number, from: boolean, op: Operands): boolean {
    if (!this.nonRoot || (this.controls.primary & PrimaryControl.MOV_DR_EXITING) === 0) return false;
    return this.leaveAt(op, ExitReason.MOV_DR, dr | (from ? 0x10 : 0) | (op.rm << 8));
  }

  exitOnIo(
    port: number,
    size: 1 | 2 | 4,
    input: boolean,
    string: boolean,
    immediate: boolean,
    linear: number,
    op: Operands,
  ): boolean {
    if (!this.nonRoot || !decide.ioExits(this.controls, this.memory, port, size)) return false;
    const qualification = IoAccess.encode(size, input, string, string && op.rep !== 0, immediate, port);
    // Table 27-8: address size in bits 9:7, segment of OUTS in bits 17:15.
    const segment = input ? 0 : op.segment;
    const instructionInfo = string ? (op.addressSize === 32 ? 0x80 : 0) | (segment << 15) : 0;
    return this.leaveAt(op, ExitReason.IO_INSTRUCTION, qualification, linear, instructionInfo);
  }

  exitOnMsr(index: number, write: boolean, op: Operands): boolean {
    if (!this.nonRoot || !decide.msrExits(this.controls, this.memory, index, write)) return false;
    return this.leaveAt(op, write ? ExitReason.WRMSR : ExitReason.RDMSR, 0);
  }

  exitOnDescriptorTable(reason: 46 | 47, which: number, op: Operands): boolean {
    if (!this.nonRoot || (this.controls.secondary & SecondaryControl.DESCRIPTOR_TABLE_EXITING) === 0) return false;
    const operand = describeOperand(this.cpu, op);
    return this.leaveAt(
      op,
      reason,
      operand.displacement,
      0,
      ((operand.information & 0x0fff_ffff) | (which << 28)) >>> 0,
    );
  }

  /** Exit of a VMX instruction that a guest executed (25.1.2): always. */
  exitOnVmxInstruction(reason: number, op: Operands, memory: boolean): true {
    if (!memory) return this.leaveAt(op, reason, 0);
    const operand = describeOperand(this.cpu, op);
    return this.leaveAt(op, reason, operand.displacement, 0, operand.information);
  }

  answerExit(): boolean {
    return this.root?.answer?.() ?? false;
  }

  abstract instruction(cpu: Cpu, reason: number, op: Operands): boolean;

  readCapability(index: number, out: { low: number; high: number }): boolean {
    return capabilityMsr(this.capabilities, index, out);
  }
}
