// Guest states that VMX without "unrestricted guest" cannot enter: real-address mode, and protected mode while segments left over from it
// are loaded; and events that the processor cannot deliver, because their frames go to page tables or devices. The hypervisor executes
// the guest's instructions itself until VM entry is possible. Instructions that would exit go to the same handlers as real exits.
// Not the emulator (the machine's). SDM vol. 3, 26.3.1.2; Xen: arch/x86/hvm/vmx/realmode.c.

import { Dr6 } from '../machine/cpu/debug-registers.ts';
import { Blocking, Cr0, Flag } from '../machine/cpu/state.ts';
import { ExitReason } from '../machine/vmx/exit-reasons.ts';
import { Field } from '../machine/vmx/fields.ts';
import { IntrInfo, PendingDebug } from '../machine/vmx/qualification.ts';
import type { Domain } from './domain.ts';
import { unhandledExit, type ExitHandler } from './exits.ts';
import { interruptBlocker } from './interrupts.ts';
import { AssistBlocker } from './observer.ts';
import { NO_ERROR, Vector, type Vcpu } from './vcpu.ts';

/** An interrupt of the virtual platform goes into the entry fields as soon as the guest can take it. */
const assist = (domain: Domain): void => {
  const { vcpu, platform } = domain;
  const { vmx } = vcpu;
  if (!platform.interrupts.intr) {
    if (domain.assist.windowRequested) domain.assist.assist();
    return;
  }
  const blocker = interruptBlocker(
    vmx.vmread(Field.GUEST_RFLAGS),
    vmx.vmread(Field.GUEST_INTERRUPTIBILITY_INFO),
    vmx.vmread(Field.VM_ENTRY_INTR_INFO),
  );
  // One request, not one for each instruction that passes meanwhile.
  if (blocker === AssistBlocker.NONE || !domain.assist.windowRequested) domain.assist.assist();
};

const behindMovSs = (vcpu: Vcpu): boolean =>
  (vcpu.vmx.vmread(Field.GUEST_INTERRUPTIBILITY_INFO) & Blocking.MOV_SS) !== 0;

/** #DB of pending debug exceptions, whose B0 to B3 and BS are where DR6 has them; behind MOV SS it waits. */
const injectDebug = (vcpu: Vcpu): void => {
  const { vmx } = vcpu;
  const pending = vmx.vmread(Field.GUEST_PENDING_DBG_EXCEPTIONS);
  if (pending === 0 || behindMovSs(vcpu)) return;
  vmx.vmwrite(Field.GUEST_PENDING_DBG_EXCEPTIONS, 0);
  vcpu.injectException(Vector.DB, NO_ERROR, pending & (Dr6.BREAKPOINTS | Dr6.BS), false);
};

/** How many instructions may pass before anything must be looked at again: interrupts, the platform's timers, the way into VMX. */
const uninterrupted = (domain: Domain, until: number): number => {
  const { vcpu, platform } = domain;
  if (platform.interrupts.intr || (vcpu.cr0 & Cr0.PE) !== 0) return 1;
  return Math.max(1, Math.min(until, platform.clock.nextDeadline) - vcpu.machine.clock.now);
};

/** The exit fields are as after a VM exit. An exception met in delivering an event is the guest's own: there are no shadows to repair. */
const handleExit = (vcpu: Vcpu, handlers: ReadonlyArray<ExitHandler | undefined>): void => {
  const { vmx, domain } = vcpu;
  const reason = vmx.vmread(Field.VM_EXIT_REASON) & 0xffff;
  if (reason === ExitReason.EXCEPTION_OR_NMI) {
    const info = vmx.vmread(Field.VM_EXIT_INTR_INFO);
    const error = IntrInfo.hasErrorCode(info) ? vmx.vmread(Field.VM_EXIT_INTR_ERROR_CODE) : NO_ERROR;
    vcpu.injectException(IntrInfo.vector(info), error, vmx.vmread(Field.EXIT_QUALIFICATION));
    return;
  }
  (handlers[reason] ?? unhandledExit)(vcpu);
  if (domain.stopped === undefined) injectDebug(vcpu);
};

/**
 * Runs the vCPU until it can be entered (`vcpu.outsideVmx` is false then), waits in HLT, stops, or the clock reaches `until`.
 */
export const runOutsideVmx = (
  domain: Domain,
  handlers: ReadonlyArray<ExitHandler | undefined>,
  until: number,
): void => {
  const { vcpu } = domain;
  const { machine, vmx, access } = vcpu;
  const { points } = machine;
  while (domain.stopped === undefined && !vcpu.blocked && machine.clock.now < until && !points.halted) {
    if (vcpu.exitWaits) {
      vcpu.exitWaits = false;
      handleExit(vcpu, handlers);
      continue;
    }
    domain.crank(machine.clock.now);
    if (domain.stopped !== undefined) return;
    if (vcpu.canEnter) {
      // Behind MOV SS with TF set, VM entry wants what the processor would have saved (26.3.1.5).
      const stepped = (vmx.vmread(Field.GUEST_RFLAGS) & Flag.TF) !== 0;
      if (stepped && behindMovSs(vcpu)) vcpu.pendDebug(PendingDebug.SINGLE_STEP);
      vcpu.outsideVmx = false;
      return;
    }
    assist(domain);
    access.begin();
    const goesOn = vcpu.unfinishedIo.elements > 0;
    // An event that waits in the entry fields comes first.
    const instructionNext = !goesOn && !IntrInfo.valid(vmx.vmread(Field.VM_ENTRY_INTR_INFO));
    if (instructionNext && points.armed && points.stopsBefore(vcpu.codeAddress)) return;
    const result = goesOn ? 'exit' : machine.runOutsideVmx(access, vcpu.cr0, uninterrupted(domain, until));
    vcpu.deliversOutside = false;
    switch (result) {
      case 'event':
        break;
      case 'done':
        injectDebug(vcpu);
        break;
      case 'fault':
        domain.noteException(access.faultVector, access.faultError, vcpu.rip, access.faultAddress);
        vcpu.injectAccessFault(false);
        break;
      case 'exit': {
        const reason = vmx.vmread(Field.VM_EXIT_REASON) & 0xffff;
        if (!goesOn && points.armed && points.left(reason, vmx.vmread(Field.EXIT_QUALIFICATION))) vcpu.exitWaits = true;
        else handleExit(vcpu, handlers);
      }
    }
  }
};
