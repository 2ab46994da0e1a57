// The interrupt assist: before every VM entry, whether the guest's virtual interrupt controller has something to deliver and what
// stands in its way. Not the controller (machine/devices) and not exceptions (vcpu.ts).
// SDM vol. 3, 26.5 and 31.7; Xen: arch/x86/hvm/vmx/intr.c (vmx_intr_assist).

import { Blocking, Flag } from '../machine/cpu/state.ts';
import type { Persistent } from '../machine/snapshot.ts';
import { PrimaryControl } from '../machine/vmx/controls.ts';
import { Field } from '../machine/vmx/fields.ts';
import { EventType, IntrInfo } from '../machine/vmx/qualification.ts';
import { AssistBlocker, AssistDecision, AssistSource, NO_LINE, NO_VECTOR } from './observer.ts';
import type { Vcpu } from './vcpu.ts';

/**
 * What stands between a pending external interrupt and the guest, in the order in which Xen asks. `rflags`, `interruptibility`:
 * the VMCS fields; `entryInfo`: the VM-entry interruption information as it stands.
 */
export const interruptBlocker = (rflags: number, interruptibility: number, entryInfo: number): number => {
  if ((rflags & Flag.IF) === 0) return AssistBlocker.IF_CLEAR;
  if ((interruptibility & Blocking.STI) !== 0) return AssistBlocker.STI_SHADOW;
  if ((interruptibility & Blocking.MOV_SS) !== 0) return AssistBlocker.MOV_SS_SHADOW;
  if (IntrInfo.valid(entryInfo)) return AssistBlocker.INJECTION_PENDING;
  return AssistBlocker.NONE;
};

export class InterruptAssist implements Persistent<readonly number[]> {
  /** Physical cycle of the outstanding window request; before all time: there is none. */
  private windowSince = -Infinity;
  injected = 0;
  windowRequests = 0;
  windowExits = 0;
  reinjected = 0;

  constructor(private readonly vcpu: Vcpu) {}

  /** An interrupt waits for window exiting. */
  get windowRequested(): boolean {
    return this.windowSince >= 0;
  }

  /**
   * After the handler of an exit that interrupted the delivery of an event: the event is delivered again, unless the handler has delivered
   * it, or put something else into the entry fields (an exception of the guest's own, which has taken the event's place).
   */
  reinject(): void {
    const { vmx, domain } = this.vcpu;
    const info = vmx.vmread(Field.IDT_VECTORING_INFO);
    if (!IntrInfo.valid(info)) return;
    // The event has ended it. With TF an entry would want a single step to be pending, but that may be the very event (26.3.1.5).
    const blocking = vmx.vmread(Field.GUEST_INTERRUPTIBILITY_INFO);
    if ((blocking & Blocking.STI) !== 0) vmx.vmwrite(Field.GUEST_INTERRUPTIBILITY_INFO, blocking & ~Blocking.STI);
    if (this.vcpu.eventDelivered || IntrInfo.valid(vmx.vmread(Field.VM_ENTRY_INTR_INFO))) return;
    // Bit 12 is undefined here and reserved there (24.9.3).
    const event = (info & ~IntrInfo.NMI_UNBLOCKING) >>> 0;
    const error = vmx.vmread(Field.IDT_VECTORING_ERROR_CODE);
    vmx.vmwrite(Field.VM_ENTRY_INTR_INFO, event);
    if (IntrInfo.hasErrorCode(info)) vmx.vmwrite(Field.VM_ENTRY_EXCEPTION_ERROR_CODE, error);
    if (IntrInfo.type(info) >= EventType.SOFTWARE_INTERRUPT) {
      vmx.vmwrite(Field.VM_ENTRY_INSTRUCTION_LEN, vmx.vmread(Field.VM_EXIT_INSTRUCTION_LEN));
    }
    this.reinjected++;
    domain.observer?.reinject(info, error, vmx.vmread(Field.VM_EXIT_REASON) & 0xffff);
  }

  /** Before VM entry. Guest time is up to date. */
  assist(): void {
    const { vmx, domain } = this.vcpu;
    const interrupts = domain.platform.interrupts;
    if (!interrupts.intr) {
      this.setWindow(false);
      return;
    }
    const entryInfo = vmx.vmread(Field.VM_ENTRY_INTR_INFO);
    const blocker = interruptBlocker(
      vmx.vmread(Field.GUEST_RFLAGS),
      vmx.vmread(Field.GUEST_INTERRUPTIBILITY_INFO),
      entryInfo,
    );
    if (blocker !== AssistBlocker.NONE) {
      domain.observer?.assist(AssistSource.PIC, NO_VECTOR, AssistDecision.WINDOW, blocker);
      this.requestWindow(blocker);
      return;
    }
    const vector = interrupts.acknowledge();
    const info = IntrInfo.encode(vector, EventType.EXTERNAL_INTERRUPT, false);
    domain.observer?.assist(AssistSource.PIC, vector, AssistDecision.INJECT, AssistBlocker.NONE);
    vmx.vmwrite(Field.VM_ENTRY_INTR_INFO, info);
    this.injected++;
    domain.observer?.inject(info, 0, NO_LINE, 0, 0);
    // One more behind it: ask to be told when the guest can take it.
    if (interrupts.intr) this.requestWindow(AssistBlocker.INJECTION_PENDING);
    else this.setWindow(false);
  }

  /** Exit reason 7: the guest can take an interrupt now. */
  windowOpened(): void {
    this.windowExits++;
    const waited = this.windowSince < 0 ? 0 : this.vcpu.machine.clock.now - this.windowSince;
    this.vcpu.domain.observer?.windowExit(AssistSource.PIC, waited);
    this.setWindow(false);
  }

  private requestWindow(blocker: number): void {
    if (this.windowSince >= 0) return;
    this.windowSince = this.vcpu.machine.clock.now;
    this.windowRequests++;
    this.vcpu.domain.observer?.windowRequest(AssistSource.PIC, blocker);
    this.writeControl(true);
  }
  private setWindow(on: boolean): void {
    if (!on && this.windowSince >= 0) {
      this.windowSince = -Infinity;
      this.writeControl(false);
    }
  }
  private writeControl(on: boolean): void {
    const { vmx, domain } = this.vcpu;
    const old = vmx.vmread(Field.CPU_BASED_VM_EXEC_CONTROL);
    const bit = PrimaryControl.INTERRUPT_WINDOW_EXITING;
    const value = (on ? old | bit : old & ~bit) >>> 0;
    vmx.vmwrite(Field.CPU_BASED_VM_EXEC_CONTROL, value);
    domain.observer?.controlChange(
      Field.CPU_BASED_VM_EXEC_CONTROL,
      old,
      value,
      vmx.vmread(Field.VM_EXIT_REASON) & 0xffff,
    );
  }

  saveState(): readonly number[] {
    return [this.windowSince, this.injected, this.windowRequests, this.windowExits, this.reinjected];
  }
  /** The window itself is a control of the VMCS. */
  loadState(state: readonly number[]): void {
    const [since, injected, requests, exits, reinjected] = state as [number, number, number, number, number];
    this.windowSince = since;
    this.injected = injected;
    this.windowRequests = requests;
    this.windowExits = exits;
    this.reinjected = reinjected;
  }
}
