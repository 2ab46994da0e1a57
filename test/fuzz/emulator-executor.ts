// The instruction emulator as an executor: each step emulates one instruction at CS:EIP of a guest in the VMCS, with memory refused here
// and there. What faults or cannot be emulated is skipped by a byte. Not the hypervisor's use of it (hypervisor/exits).

import { VM_SUCCEED } from '../../src/machine/vmx/instruction-errors.ts';
import { Field } from '../../src/machine/vmx/fields.ts';
import type { CpuModel } from '../../src/machine/cpu/model.ts';
import type { EmulatorOps } from '../../src/hypervisor/machine.ts';
import type { FuzzCase } from './fuzz-case.ts';
import { Place } from './layout.ts';
import { PhysicalExecutor } from './physical-executor.ts';
import { Random } from './random.ts';
import { writeGuestState, writeHostState } from './vmcs-state.ts';

/** Guest memory by linear address: RAM up to its end, some pages refused. */
class Operations implements EmulatorOps {
  faultVector = -1;
  faultError = -1;
  faultAddress = 0;
  constructor(
    private readonly ram: Uint8Array,
    private readonly refused: (page: number, write: boolean) => boolean,
  ) {}
  private allowed(linear: number, size: number, write: boolean, user: boolean): boolean {
    if (linear + size > this.ram.length || this.refused(linear >>> 12, write)) {
      this.faultVector = 14;
      this.faultError = (write ? 2 : 0) | (user ? 4 : 0);
      this.faultAddress = linear;
      return false;
    }
    return true;
  }
  fetch(linear: number, user: boolean): number {
    return this.allowed(linear, 1, false, user) ? this.ram[linear]! : -1;
  }
  read(linear: number, size: 1 | 2 | 4, user: boolean): number {
    if (!this.allowed(linear, size, false, user)) return 0;
    let value = 0;
    for (let i = 0; i < size; i++) value |= this.ram[linear + i]! << (8 * i);
    return value >>> 0;
  }
  write(linear: number, size: 1 | 2 | 4, value: number, user: boolean): boolean {
    if (!this.allowed(linear, size, true, user)) return false;
    for (let i = 0; i < size; i++) this.ram[linear + i] = (value >>> (8 * i)) & 0xff;
    return true;
  }
  probeWrite(linear: number, size: 1 | 2 | 4, user: boolean): boolean {
    return this.allowed(linear, size, true, user);
  }
}

export class EmulatorExecutor extends PhysicalExecutor {
  override readonly name: string;
  private operations!: Operations;
  private strange: string[] = [];

  constructor(model: CpuModel['id']) {
    super(false, model);
    this.name = `emulator ${model}`;
  }

  override start(c: FuzzCase): void {
    super.start(c);
    const { vmxUnit: vmx, memory } = this.machine;
    const r = new Random(c.seed, 6);
    const holes = new Set([r.below(0x50), r.below(0x50), r.below(0x110)]);
    this.operations = new Operations(memory.ram, (page, write) => holes.has(page) && (write || (page & 1) === 1));
    this.strange = [];
    memory.write32(Place.vmxon, vmx.capabilities.revisionId);
    memory.write32(Place.vmcs, vmx.capabilities.revisionId);
    if (vmx.vmxon(Place.vmxon) !== VM_SUCCEED) throw new Error('VMXON failed');
    if (vmx.vmclear(Place.vmcs) !== VM_SUCCEED || vmx.vmptrld(Place.vmcs) !== VM_SUCCEED)
      throw new Error('VMPTRLD failed');
    vmx.root = { onVmExit: () => this.strange.push('a VM exit was carried out while emulating') };
    writeGuestState(vmx, c, r);
    writeHostState(vmx, c);
  }

  override run(until: number): void {
    const { vmxUnit: vmx, machine } = this;
    while (machine.clock.now < until) {
      const before = vmx.vmread(Field.GUEST_RIP);
      const result = machine.emulateInstruction(this.operations);
      if (result !== 'done' && vmx.vmread(Field.GUEST_RIP) !== before) this.strange.push(`RIP moved though ${result}`);
      if (result !== 'done') vmx.vmwrite(Field.GUEST_RIP, (before + 1) >>> 0);
      if (result === 'fault' && this.operations.faultVector < 0) this.strange.push('a fault without a vector');
      if (vmx.nonRoot) this.strange.push('still in non-root operation');
      machine.retire(1);
    }
  }
  private get vmxUnit() {
    return this.machine.vmxUnit;
  }
  override violations(deep: boolean): string[] {
    return [...super.violations(deep), ...this.strange];
  }
}
