// Where the engine is, for each record: the guest's instruction count, time, address and privilege at the moment of the call. While the
// guest runs the processor answers; in the hypervisor the VMCS does. Not the recorder (monitor/recorder.ts).

import { Field } from '../machine/vmx/fields.ts';
import type { ObservationPoint } from '../monitor/recorder.ts';
import type { PhysicalMachine } from './physical-machine.ts';

export interface PointSources {
  readonly domainId: number;
  /** Retired guest instructions. */
  readonly instructions: () => number;
  /** Modelled cycles of the hypervisor so far. */
  readonly hypervisorCycles: () => number;
  /** CR3 as the guest has it, not the shadow's. */
  readonly guestCr3: () => number;
}

/** One object whose properties are read at each record. */
export const observationPoint = (machine: PhysicalMachine, sources: PointSources): ObservationPoint => {
  const s = machine.state;
  const vmx = machine.vmxUnit;
  const inProcessor = (): boolean => vmx.nonRoot || vmx.currentPointer < 0;
  return {
    get icount() {
      return sources.instructions();
    },
    get cycles() {
      return machine.clock.now + sources.hypervisorCycles();
    },
    domain: sources.domainId,
    vcpu: 0,
    get eip() {
      return inProcessor() ? s.eip : vmx.vmread(Field.GUEST_RIP);
    },
    get cr3() {
      return sources.guestCr3();
    },
    get cpl() {
      return inProcessor() ? s.cpl : (vmx.vmread(Field.GUEST_SS_AR_BYTES) >>> 5) & 3;
    },
  };
};
