// A guest in VMX non-root operation whose root is the harness: at each VM exit it does one of the things a hypervisor does (skip, inject,
// move, change controls), or breaks a field and repairs the guest when the entry is refused. Not the product's hypervisor.

import { VM_SUCCEED } from '../../src/machine/vmx/instruction-errors.ts';
import { FIELDS, Field } from '../../src/machine/vmx/fields.ts';
import type { CpuModel } from '../../src/machine/cpu/model.ts';
import type { FuzzCase } from './fuzz-case.ts';
import { Place } from './layout.ts';
import { PhysicalExecutor } from './physical-executor.ts';
import { Random } from './random.ts';
import { writeControls, writeGuestState, writeHostState } from './vmcs-state.ts';

/** Entries refused one after the other before the guest is given up. */
const PATIENCE = 8;
const GUEST_FIELDS = FIELDS.filter((field) => field.group === 'guest' && field.encoding !== Field.VMCS_LINK_POINTER);

export class VmxExecutor extends PhysicalExecutor {
  override readonly name: string;
  private r = new Random(0);
  private fuzzCase!: FuzzCase;
  private launched = false;
  private inside = false;
  /** A VM exit waits for the root. */
  private exited = false;

  constructor(model: CpuModel['id']) {
    super(false, model);
    this.name = `vmx ${model}`;
  }

  override start(c: FuzzCase): void {
    super.start(c);
    const { vmxUnit: vmx, memory } = this.machine;
    this.fuzzCase = c;
    // The harness changes CR3 and the like in the VMCS without flushing, as a root may that has VPID.
    this.tables = false;
    this.r = new Random(c.seed, 5);
    this.inside = false;
    this.exited = false;
    const revision = vmx.capabilities.revisionId;
    memory.write32(Place.vmxon, revision);
    memory.ram.set(this.r.chance(50) ? this.r.bytes(4096) : [], Place.bitmaps);
    if (vmx.vmxon(Place.vmxon) !== VM_SUCCEED) throw new Error('VMXON failed');
    vmx.root = { onVmExit: () => undefined };
    this.repair();
  }

  /** The guest as the case has it, in a fresh VMCS. */
  private repair(): void {
    const { vmxUnit: vmx, memory } = this.machine;
    // The guest may have stored there.
    memory.write32(Place.vmcs, vmx.capabilities.revisionId);
    if (vmx.vmclear(Place.vmcs) !== VM_SUCCEED || vmx.vmptrld(Place.vmcs) !== VM_SUCCEED)
      throw new Error('VMPTRLD failed');
    writeGuestState(vmx, this.fuzzCase, this.r);
    writeHostState(vmx, this.fuzzCase);
    this.launched = false;
  }

  override run(until: number): void {
    const { vmxUnit: vmx, clock } = this.machine;
    while (this.ended === undefined && clock.now < until) {
      if (this.exited) {
        this.exited = false;
        this.handle();
        // The root's own work takes a cycle: a guest that only exits gets on in time.
        this.machine.retire(1);
        this.inside = false;
      } else if (!this.inside) this.enter();
      else {
        super.run(until);
        this.exited = vmx.exitPending;
        if (!this.exited && clock.now < until && this.ended === undefined) this.end('the processor returned early');
      }
    }
  }

  private enter(): void {
    const { vmxUnit: vmx } = this.machine;
    for (let tries = 0; tries < PATIENCE; tries++) {
      const result = this.launched ? vmx.vmresume() : vmx.vmlaunch();
      if (result === VM_SUCCEED && vmx.nonRoot) {
        this.launched = true;
        this.inside = true;
        return;
      }
      if (result === VM_SUCCEED && vmx.exitPending && vmx.vmread(Field.VM_EXIT_REASON) >>> 31 === 0) {
        // It entered and left at once.
        this.launched = true;
        this.inside = true;
        return;
      }
      vmx.exitPending = false;
      this.repair();
    }
    this.end('the guest cannot be entered');
  }

  private handle(): void {
    const { r } = this;
    const { vmxUnit: vmx } = this.machine;
    for (const field of FIELDS) if (vmx.fieldKind(field.encoding) !== 0) vmx.vmread(field.encoding);
    const length = vmx.vmread(Field.VM_EXIT_INSTRUCTION_LEN);
    vmx.vmwrite(Field.VM_ENTRY_INTR_INFO, 0);
    const skip = (): void =>
      void vmx.vmwrite(Field.GUEST_RIP, (vmx.vmread(Field.GUEST_RIP) + (length || r.below(3))) >>> 0);
    switch (r.below(14)) {
      case 0: {
        const vector = r.pick([0, 1, 3, 6, 8, 13, 14, r.below(32)]);
        const error = [8, 10, 11, 12, 13, 14, 17].includes(vector) ? 0x800 : 0;
        vmx.vmwrite(Field.VM_ENTRY_INTR_INFO, (0x8000_0300 | vector | error) >>> 0);
        vmx.vmwrite(Field.VM_ENTRY_EXCEPTION_ERROR_CODE, r.below(16));
        break;
      }
      case 1:
        vmx.vmwrite(Field.VM_ENTRY_INTR_INFO, (0x8000_0000 | r.between(32, 255)) >>> 0);
        vmx.vmwrite(Field.GUEST_RFLAGS, vmx.vmread(Field.GUEST_RFLAGS) | 0x200);
        break;
      case 2:
        vmx.vmwrite(Field.VM_ENTRY_INTR_INFO, 0x8000_0202);
        break;
      case 3:
        vmx.vmwrite(Field.VM_ENTRY_INTR_INFO, (0x8000_0000 | (r.pick([4, 5, 6]) << 8) | r.below(256)) >>> 0);
        vmx.vmwrite(Field.VM_ENTRY_INSTRUCTION_LEN, r.between(1, 15));
        break;
      case 4:
        vmx.vmwrite(Field.GUEST_RIP, (this.fuzzCase.state.eip + r.below(64)) >>> 0);
        break;
      case 5:
        writeControls(vmx, r);
        break;
      case 6: {
        const field = r.pick(GUEST_FIELDS);
        if (vmx.fieldKind(field.encoding) === 1) vmx.vmwrite(field.encoding, r.interesting());
        break;
      }
      case 7:
        vmx.vmwrite(Field.GUEST_RSP, this.fuzzCase.state.gpr[4]!);
        break;
      case 8:
        vmx.vmwrite(Field.GUEST_PENDING_DBG_EXCEPTIONS, r.pick([0, 0x4000]));
        break;
      default:
        skip();
    }
    if (r.chance(20)) this.machine.flushGuestTlb(true);
  }
}
