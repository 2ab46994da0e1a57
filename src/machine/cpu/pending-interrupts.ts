// What comes between two instructions from outside: NMI, INTR, and what VMX watches for at a boundary. Not the delivery (exceptions.ts) and
// not when it is looked at (run.ts). SDM vol. 3, 6.7 to 6.9.

import { EventType } from '../vmx/qualification.ts';
import { type Cpu, Vector } from './cpu.ts';
import { Blocking, Flag, StateLayout } from './state.ts';

/** How faults and interrupts enter the guest: cpu/exceptions.ts, or a recorder in conformance tests. */
export interface EventDelivery {
  /** It does what translated code does by itself in the ordinary case (translate/fault-function.ts). Absent: translated code asks each time. */
  readonly plain?: boolean;
  /** Takes the fault out of the mailbox and delivers it; EIP is the faulting instruction's. */
  deliverPendingFault(cpu: Cpu): boolean;
  /** `type`: VMX interruption type (0 external, 2 NMI, 3 hardware exception). */
  deliverEvent(
    cpu: Cpu,
    vector: number,
    type: number,
    errorCode: number | undefined,
    instructionLength: number,
  ): boolean;
}

/** SDM vol. 3, 24.4.2. */
export const Activity = { active: 0, hlt: 1, shutdown: 2, waitForSipi: 3 } as const;
/** Blocked behind MOV SS, and from one NMI to the IRET that ends its handler; a VM exit takes it by its own rules. */
const takeNmi = (cpu: Cpu, events: EventDelivery): boolean => {
  const { s, vmx } = cpu;
  const blocking = s.get(StateLayout.interruptibility);
  if (blocking & Blocking.MOV_SS) return false;
  const left = vmx.nonRoot && vmx.exitOnNmi();
  if (!left && blocking & Blocking.NMI) return false;
  s.set(StateLayout.nmi, 0);
  if (left) return true;
  s.set(StateLayout.activity, Activity.active);
  events.deliverEvent(cpu, Vector.NMI, EventType.NMI, undefined, 0);
  return true;
};

/** True if an event was taken, or the guest left. NMI comes before INTR (SDM vol. 3, table 6-2). `shadow`: blocking by STI and MOV SS. */
export const takeInterrupt = (cpu: Cpu, events: EventDelivery, shadow: number): boolean => {
  const { s, vmx } = cpu;
  if (s.get(StateLayout.nmi) !== 0 && takeNmi(cpu, events)) return true;
  if (cpu.interrupts.intr) {
    if (vmx.nonRoot && vmx.exitOnExternalInterrupt()) return true;
    if (s.eflagsRest & Flag.IF && shadow === 0) {
      s.set(StateLayout.activity, Activity.active);
      events.deliverEvent(cpu, cpu.interrupts.acknowledge(), 0, undefined, 0);
      return true;
    }
  }
  return vmx.boundaryWatch && vmx.exitAtBoundary();
};
