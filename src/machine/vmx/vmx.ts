// VMX operation of the processor: the VMX instructions as root software in TypeScript calls them. Their encoded forms are
// instructions.ts; non-root operation is non-root.ts; entering a guest is entry.ts. SDM vol. 3, ch. 23, 24 and 30.

import type { Cpu, Operands } from '../cpu/cpu.ts';
import { Flag, StateLayout } from '../cpu/state.ts';
import { ActiveControls } from './active-controls.ts';
import type { VmxCapabilities } from './controls.ts';
import { enterGuest } from './entry.ts';
import { ExitInformation } from './exit-information.ts';
import { firstFailure, GUEST_SEGMENTS, type EntryCheck } from './entry-checks.ts';
import { Field } from './fields.ts';
import { InstructionError, VM_FAIL_INVALID, VM_SUCCEED, type VmxResult } from './instruction-errors.ts';
import { executeVmxInstruction } from './instructions.ts';
import { NonRootOperation } from './non-root.ts';
import { LaunchState, supportedEncodings, VMCS_BYTES } from './vmcs.ts';

export type { VmxRoot } from './non-root.ts';

/** No VMXON region, no current VMCS: the all-ones pointer. */
const NO_POINTER = -1;

/** Group "guest" of the encoding (bits 11:10). */
const isGuestField = (encoding: number): boolean => (encoding & 0xc00) === 0x800;

const isInjectionField = (encoding: number): boolean =>
  encoding >= Field.VM_ENTRY_INTR_INFO && encoding <= Field.VM_ENTRY_INSTRUCTION_LEN;

/** Selectors, limits, access rights and bases of ES to TR. */
const isSegmentField = (encoding: number): boolean =>
  encoding <= Field.GUEST_TR_SELECTOR ||
  (encoding >= Field.GUEST_ES_LIMIT && encoding <= Field.GUEST_TR_AR_BYTES) ||
  (encoding >= Field.GUEST_ES_BASE && encoding <= Field.GUEST_TR_BASE);

export class Vmx extends NonRootOperation {
  /** True: every entry of a TypeScript root drops the guest's translations, as without VPID. False: that root invalidates exactly. */
  entryFlushesTlb = false;
  /** Which check made the last VM entry fail; undefined after one that succeeded (or failed in loading MSRs). */
  lastEntryFailure: EntryCheck | undefined;

  /** Of the last VM exit. */
  readonly exitInformation: ExitInformation;

  private vmxonPointer = NO_POINTER;
  private pointer = NO_POINTER;
  private readonly supported: Uint8Array;

  constructor(cpu: Cpu, capabilities: VmxCapabilities = cpu.model.vmx) {
    super(cpu, capabilities);
    this.supported = supportedEncodings(capabilities);
    this.exitInformation = new ExitInformation(this.vmcs);
  }

  /** Physical address of the current VMCS, or -1. */
  get currentPointer(): number {
    return this.pointer;
  }

  // The VMX instructions for root software in TypeScript.

  private regionUsable(pa: number): boolean {
    return pa >= 0 && pa % VMCS_BYTES === 0 && pa + VMCS_BYTES <= this.memory.bytes;
  }

  /** VMfailValid needs a current VMCS to keep the error in. */
  fail(error: number): VmxResult {
    if (this.pointer === NO_POINTER) return VM_FAIL_INVALID;
    this.vmcs.write(Field.VM_INSTRUCTION_ERROR, error);
    return error;
  }

  /** Operand: physical address of a region that starts with the revision identifier. CR4.VMXE and the like are the instruction's to check. */
  vmxon(pa: number): VmxResult {
    if (this.inVmx) return this.fail(InstructionError.VMXON_IN_ROOT);
    if (!this.regionUsable(pa) || this.memory.read32(pa) !== this.capabilities.revisionId) return VM_FAIL_INVALID;
    this.vmxonPointer = pa;
    this.pointer = NO_POINTER;
    this.inVmx = true;
    return VM_SUCCEED;
  }

  vmxoff(): VmxResult {
    this.inVmx = false;
    this.vmxonPointer = NO_POINTER;
    this.pointer = NO_POINTER;
    return VM_SUCCEED;
  }

  vmclear(pa: number): VmxResult {
    if (!this.regionUsable(pa)) return this.fail(InstructionError.VMCLEAR_INVALID_ADDRESS);
    if (pa === this.vmxonPointer) return this.fail(InstructionError.VMCLEAR_VMXON_POINTER);
    this.vmcs.address = pa;
    this.vmcs.launchState = LaunchState.CLEAR;
    if (pa === this.pointer) this.pointer = NO_POINTER;
    else if (this.pointer !== NO_POINTER) this.vmcs.address = this.pointer;
    return VM_SUCCEED;
  }

  vmptrld(pa: number): VmxResult {
    if (!this.regionUsable(pa)) return this.fail(InstructionError.VMPTRLD_INVALID_ADDRESS);
    if (pa === this.vmxonPointer) return this.fail(InstructionError.VMPTRLD_VMXON_POINTER);
    if (this.memory.read32(pa) !== this.capabilities.revisionId) {
      return this.fail(InstructionError.VMPTRLD_WRONG_REVISION);
    }
    this.pointer = pa;
    this.vmcs.address = pa;
    this.controls.load(this.vmcs);
    this.checkAll();
    return VM_SUCCEED;
  }

  /** Nothing is known of the current VMCS. */
  private checkAll(): void {
    this.controlsHold = false;
    this.segmentsHold = false;
    this.cpu.s.set(StateLayout.segmentsApart, 1);
  }

  /** 0: no such field here; 1: a field; 2: a read-only field. */
  fieldKind(encoding: number): number {
    return encoding >>> 0 < this.supported.length ? this.supported[encoding]! : 0;
  }

  /**
   * Reads a field of the current VMCS; unsigned. Throws where the VMREAD of this TypeScript root would fail: no current VMCS, or a
   * field this processor does not have. That is a bug of ours; guests' VMREAD goes through instructions.ts.
   */
  vmread(encoding: number): number {
    if (this.pointer === NO_POINTER) throw new Error('VMREAD without a current VMCS');
    if (this.fieldKind(encoding) === 0) throw new Error(`VMREAD of unsupported field 0x${encoding.toString(16)}`);
    return this.vmcs.read(encoding);
  }

  vmwrite(encoding: number, value: number): VmxResult {
    if (this.pointer === NO_POINTER) return VM_FAIL_INVALID;
    const kind = this.fieldKind(encoding);
    if (kind === 0) return this.fail(InstructionError.UNSUPPORTED_COMPONENT);
    if (kind === 2) return this.fail(InstructionError.VMWRITE_READ_ONLY);
    // RFLAGS says whether the segments are virtual-8086 ones, which are checked otherwise.
    if (encoding === Field.GUEST_RFLAGS && ((this.vmcs.read(encoding) ^ value) & Flag.VM) !== 0)
      this.segmentsHold = false;
    this.vmcs.write(encoding, value);
    if (isGuestField(encoding)) {
      if (isSegmentField(encoding)) {
        this.segmentsHold = false;
        this.cpu.s.set(StateLayout.segmentsApart, 1);
        this.cpu.modeDirty = true;
      }
      return VM_SUCCEED;
    }
    if (ActiveControls.covers(encoding)) this.controls.load(this.vmcs);
    // What an entry injects is looked at whenever there is something.
    if (!isInjectionField(encoding)) {
      this.controlsHold = false;
      this.cpu.modeDirty = true;
    }
    return VM_SUCCEED;
  }

  /** VMsucceed: the guest runs at the next run loop, or (if `exitPending`) the entry failed late or left at once, as the exit reason says. */
  vmlaunch(): VmxResult {
    return this.enter(true);
  }
  vmresume(): VmxResult {
    return this.enter(false);
  }

  private enter(launch: boolean): VmxResult {
    if (this.pointer === NO_POINTER) return VM_FAIL_INVALID;
    const clear = this.vmcs.launchState === LaunchState.CLEAR;
    if (launch && !clear) return this.fail(InstructionError.VMLAUNCH_NOT_CLEAR);
    if (!launch && clear) return this.fail(InstructionError.VMRESUME_NOT_LAUNCHED);
    this.exitPending = false;
    const result = enterGuest(this);
    return result === VM_SUCCEED ? result : this.fail(result);
  }

  /** The checks on the guest's segments (26.3.1.2) hold for the current VMCS: what root software knows without trying. */
  guestSegmentsValid(): boolean {
    return firstFailure(GUEST_SEGMENTS, this) === undefined;
  }

  override instruction(cpu: Cpu, reason: number, op: Operands): boolean {
    return executeVmxInstruction(this, cpu, reason, op);
  }

  // Snapshots. The VMCS regions are in machine memory.

  saveState(): number[] {
    return [
      this.vmxonPointer, this.pointer, +this.inVmx, +this.nonRoot, +this.exitPending, this.aborted, this.pendingDebug,
      +this.nmiBlocked, +this.monitorTrapPending, +this.monitorTrapArmed, +this.preemptionExpired,
      this.preemption?.deadline ?? Infinity, this.tscOffsetLow, this.tscOffsetHigh,
    ]; // prettier-ignore
  }

  /** Inverse of `saveState`, after machine memory was restored. Throws on a wrong length: a bug of ours. */
  loadState(state: readonly number[]): void {
    if (state.length !== 14) throw new Error(`VMX state has ${state.length} numbers, not 14`);
    const at = (i: number): number => state[i]!;
    this.vmxonPointer = at(0);
    this.pointer = at(1);
    if (this.pointer !== NO_POINTER) {
      this.vmcs.address = this.pointer;
      this.controls.load(this.vmcs);
    }
    this.checkAll();
    this.inVmx = at(2) === 1;
    if (at(3) === 1) this.enterNonRoot();
    else this.leaveNonRoot();
    this.exitPending = at(4) === 1;
    this.aborted = at(5);
    this.pendingDebug = at(6);
    this.nmiBlocked = at(7) === 1;
    this.monitorTrapPending = at(8) === 1;
    this.monitorTrapArmed = at(9) === 1;
    this.preemptionExpired = at(10) === 1;
    if (this.preemption !== undefined) this.cpu.clock.arm(this.preemption, at(11));
    this.tscOffsetLow = at(12);
    this.tscOffsetHigh = at(13);
    this.updateBoundaryWatch();
    this.cpu.modeDirty = true;
  }
}
