// The exit handlers: ONE table by basic exit reason. A reason that is not in it stops the domain and says so.
// Not what happens before and after every exit (hypervisor.ts). SDM vol. 3, appendix C; Xen: vmx_vmexit_handler.

import type { CpuModel } from '../machine/cpu/model.ts';
import { EAX, EBX, ECX, EDX, Flag } from '../machine/cpu/state.ts';
import { describeExit, ExitReason, exitReasonName } from '../machine/vmx/exit-reasons.ts';
import { Field } from '../machine/vmx/fields.ts';
import { IntrInfo } from '../machine/vmx/qualification.ts';
import { exitCrAccess, exitMovDr } from './exits/control-registers.ts';
import { exitCpuid } from './exits/cpuid.ts';
import { exitIo } from './exits/io.ts';
import { exitRdmsr, exitWrmsr, readTimeStamp } from './exits/msr.ts';
import { exitException } from './exits/page-fault.ts';
import { exitTaskSwitch } from './exits/task-switch.ts';
import type { Hypercalls } from './hypercalls.ts';
import { LOCAL_TIMER_VECTOR } from './machine.ts';
import { HandlerOutcome } from './observer.ts';
import { NO_ERROR, Vector, type Vcpu } from './vcpu.ts';

/** Returns a HandlerOutcome. */
export type ExitHandler = (vcpu: Vcpu) => number;

const hex = (value: number): string => `0x${(value >>> 0).toString(16)}`;

const invalidOpcode: ExitHandler = (vcpu) => {
  vcpu.injectException(Vector.UD, NO_ERROR);
  return HandlerOutcome.INJECTED;
};

/** A guest has no performance counters: whatever ECX says, there is none of that number. */
const rdpmc: ExitHandler = (vcpu) => {
  vcpu.injectException(Vector.GP, 0);
  return HandlerOutcome.INJECTED;
};

/** A guest here has no VMX of its own. */
const vmxInstruction: ExitHandler = (vcpu) => {
  vcpu.domain.observer?.vmxInstruction(vcpu.vmx.vmread(Field.VM_EXIT_REASON) & 0xffff, -1, 0, 0, 0);
  return invalidOpcode(vcpu);
};

/** The interrupt was acknowledged by the exit; only the local timer is ours, and what it stands for happens at every exit. */
const externalInterrupt: ExitHandler = (vcpu) => {
  const vector = IntrInfo.vector(vcpu.vmx.vmread(Field.VM_EXIT_INTR_INFO));
  vcpu.detail0 = vector;
  return vector === LOCAL_TIMER_VECTOR ? HandlerOutcome.EMULATED : HandlerOutcome.IGNORED;
};

const tripleFault: ExitHandler = (vcpu) => {
  vcpu.domain.stopTripleFault();
  return HandlerOutcome.CRASHED;
};

const interruptWindow: ExitHandler = (vcpu) => {
  vcpu.domain.assist.windowOpened();
  return HandlerOutcome.EMULATED;
};

/** HLT completes and the vCPU waits, unless an interrupt that it can take is there already, or a debug exception. */
const hlt: ExitHandler = (vcpu) => {
  vcpu.completeInstruction();
  if (vcpu.vmx.vmread(Field.GUEST_PENDING_DBG_EXCEPTIONS) !== 0) return HandlerOutcome.EMULATED;
  const enabled = (vcpu.vmx.vmread(Field.GUEST_RFLAGS) & Flag.IF) !== 0;
  if (enabled && vcpu.domain.platform.interrupts.intr) return HandlerOutcome.EMULATED;
  vcpu.blocked = true;
  return HandlerOutcome.BLOCKED;
};

const invlpg: ExitHandler = (vcpu) => {
  vcpu.shadow.invlpg(vcpu.vmx.vmread(Field.EXIT_QUALIFICATION));
  vcpu.completeInstruction();
  return HandlerOutcome.EMULATED;
};

const rdtsc: ExitHandler = (vcpu) => {
  const state = vcpu.machine.state;
  const value = readTimeStamp(vcpu);
  state.setGpr(EAX, value.low);
  state.setGpr(EDX, value.high);
  vcpu.detail0 = value.low;
  vcpu.detail1 = value.high;
  vcpu.completeInstruction();
  return HandlerOutcome.EMULATED;
};

/** Caches are not modelled: writing them back, or not, changes nothing. */
const nothing: ExitHandler = (vcpu) => {
  vcpu.completeInstruction();
  return HandlerOutcome.IGNORED;
};

const vmcall =
  (hypercalls: Hypercalls): ExitHandler =>
  (vcpu) => {
    const { state } = vcpu.machine;
    const number = state.gpr(EAX);
    const argument0 = state.gpr(EBX);
    const argument1 = state.gpr(ECX);
    const result = hypercalls.dispatch(vcpu);
    vcpu.domain.observer?.hypercall(number, argument0, argument1, result, 0);
    vcpu.detail0 = number;
    if (vcpu.domain.stopped === undefined) vcpu.completeInstruction();
    return HandlerOutcome.EMULATED;
  };

/** What every exit reason leads to; reasons without an entry are `unhandled`. */
export const exitHandlers = (model: CpuModel, hypercalls: Hypercalls): ReadonlyArray<ExitHandler | undefined> => {
  const table: (ExitHandler | undefined)[] = Array.from({ length: 128 }, () => undefined);
  const set = (reason: number, handler: ExitHandler): void => {
    table[reason] = handler;
  };
  set(ExitReason.EXCEPTION_OR_NMI, exitException);
  set(ExitReason.EXTERNAL_INTERRUPT, externalInterrupt);
  set(ExitReason.TRIPLE_FAULT, tripleFault);
  set(ExitReason.INTERRUPT_WINDOW, interruptWindow);
  set(ExitReason.TASK_SWITCH, exitTaskSwitch);
  set(ExitReason.CPUID, exitCpuid(model));
  set(ExitReason.HLT, hlt);
  set(ExitReason.INVD, nothing);
  set(ExitReason.INVLPG, invlpg);
  set(ExitReason.RDPMC, rdpmc);
  set(ExitReason.RDTSC, rdtsc);
  set(ExitReason.VMCALL, vmcall(hypercalls));
  // No VMX for the guest.
  for (let reason: number = ExitReason.VMCLEAR; reason <= ExitReason.VMXON; reason++) set(reason, vmxInstruction);
  set(ExitReason.INVVPID, vmxInstruction);
  set(ExitReason.CR_ACCESS, exitCrAccess);
  set(ExitReason.MOV_DR, exitMovDr);
  set(ExitReason.IO_INSTRUCTION, exitIo);
  set(ExitReason.RDMSR, exitRdmsr);
  set(ExitReason.WRMSR, exitWrmsr);
  set(ExitReason.MWAIT, invalidOpcode);
  set(ExitReason.MONITOR, invalidOpcode);
  set(ExitReason.WBINVD, nothing);
  return table;
};

/** For reasons without a handler. */
export const unhandledExit: ExitHandler = (vcpu) => {
  const { vmx, domain } = vcpu;
  const reason = vmx.vmread(Field.VM_EXIT_REASON);
  const qualification = vmx.vmread(Field.EXIT_QUALIFICATION);
  const meaning = describeExit(reason, qualification, vmx.vmread(Field.VM_EXIT_INTR_INFO));
  domain.stop({
    kind: 'unsupported',
    message: `VM exit "${exitReasonName(reason)}" (reason ${reason & 0xffff}) at ${hex(vcpu.rip)} has no handler`,
    details: [meaning === '' ? `exit qualification ${hex(qualification)}` : meaning],
  });
  return HandlerOutcome.CRASHED;
};
