// Where the engine is, for each record: the guest's instruction count, time, address and privilege at the moment of the call. While the
// guest runs the processor answers; in the hypervisor the VMCS does. Not the recorder (monitor/recorder.ts).

import type { Hypervisor } from '../hypervisor/hypervisor.ts';
import type { PagingState } from '../hypervisor/shadow/paging-state.ts';
import type { Vcpu } from '../hypervisor/vcpu.ts';
import type { Clock } from '../machine/clock.ts';
import type { CpuState } from '../machine/cpu/state.ts';
import { Field } from '../machine/vmx/fields.ts';
import { type Vmcs, wordInRegion } from '../machine/vmx/vmcs.ts';
import type { Vmx } from '../machine/vmx/vmx.ts';
import type { ObservationPoint } from '../monitor/recorder.ts';
import type { PhysicalMachine } from './physical-machine.ts';

const GUEST_RIP = wordInRegion(Field.GUEST_RIP);
const GUEST_SS_AR_BYTES = wordInRegion(Field.GUEST_SS_AR_BYTES);

/** Addresses are signed here: V8 keeps 32-bit integers as they are, and may make objects of anything larger. */
export class EnginePoint implements ObservationPoint {
  vcpu = 0;
  /** Undefined: the bare machine. */
  hypervisor: Hypervisor | undefined;
  /** CR3 as the guest has it, not the shadow's; undefined until there is a domain. */
  private paging: PagingState | undefined;
  /** Where the VMCS of the vCPU begins, as `Vmcs.base` counts. */
  private base = 0;

  private readonly clock: Clock;
  private readonly state: CpuState;
  private readonly vmx: Vmx;
  private readonly vmcs: Vmcs;

  constructor(
    private readonly machine: PhysicalMachine,
    public domain: number,
  ) {
    this.clock = machine.clock;
    this.state = machine.state;
    this.vmx = machine.vmxUnit;
    this.vmcs = this.vmx.vmcs;
  }

  /** Records from now on are of this vCPU's doings. */
  is({ domain, id, shadow, vmcsAddress }: Vcpu): void {
    this.domain = domain.id;
    this.vcpu = id;
    this.paging = shadow.mode;
    this.base = (this.machine.memory.ramBase + vmcsAddress) >>> 2;
  }

  get icount(): number {
    const { hypervisor } = this;
    return hypervisor === undefined ? this.machine.processor.retired : this.clock.now - hypervisor.idleCycles;
  }
  get cycles(): number {
    const { hypervisor } = this;
    return hypervisor === undefined ? this.clock.now : this.clock.now + hypervisor.account.total;
  }
  get eip(): number {
    return (this.inVmcs ? this.vmcs.u32[this.base + GUEST_RIP]! : this.state.eip) | 0;
  }
  get cr3(): number {
    const { paging } = this;
    return (paging === undefined ? this.state.cr3 : paging.cr3) | 0;
  }
  get cpl(): number {
    return (this.inVmcs ? this.vmcs.u32[this.base + GUEST_SS_AR_BYTES]! >>> 5 : this.state.cpl) & 3;
  }
  /** The vCPU's state is in its VMCS: another's even while the guest runs. */
  private get inVmcs(): boolean {
    const { vmx, vmcs } = this;
    return vmx.currentPointer >= 0 && (!vmx.nonRoot || vmcs.base !== this.base);
  }
}
