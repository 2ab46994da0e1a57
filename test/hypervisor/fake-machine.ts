// A machine without a processor: memory, registers, a VMCS as a map of fields, and counters of what the hypervisor did to it.
// What the guest "executes" is a script of the test's. Not the emulated machine.

import { Bus } from '../../src/machine/bus.ts';
import { Clock } from '../../src/machine/clock.ts';
import { CpuState } from '../../src/machine/cpu/state.ts';
import { StopPoints } from '../../src/machine/cpu/stop-points.ts';
import { PhysicalMemory } from '../../src/machine/memory.ts';
import { CORE_DUO } from '../../src/machine/cpu/model.ts';
import { ExitInformation } from '../../src/machine/vmx/exit-information.ts';
import { Field } from '../../src/machine/vmx/fields.ts';
import type { EmulationResult, EmulatorOps, Machine, OutsideRun, VmxPort } from '../../src/hypervisor/machine.ts';

export class FakeVmx implements VmxPort {
  nonRoot = false;
  exitPending = false;
  readonly capabilities = CORE_DUO.vmx;
  readonly exitInformation = new ExitInformation({ read: (field) => this.vmread(field) });
  lastEntryFailure = undefined;
  root = undefined;
  readonly fields = new Map<number, number>();
  /** Called at VMLAUNCH and VMRESUME. */
  onEntry: () => void = () => undefined;

  vmxon(): number {
    return 0;
  }
  vmclear(): number {
    return 0;
  }
  vmptrld(): number {
    return 0;
  }
  vmread(field: number): number {
    return this.fields.get(field) ?? 0;
  }
  vmwrite(field: number, value: number): number {
    this.fields.set(field, value >>> 0);
    return 0;
  }
  vmlaunch(): number {
    return this.enter();
  }
  vmresume(): number {
    return this.enter();
  }
  guestSegmentsValid(): boolean {
    return true;
  }
  private enter(): number {
    this.exitPending = false;
    this.nonRoot = true;
    this.onEntry();
    return 0;
  }
  /** An exit as the processor would report it. */
  exit(reason: number, fields: Readonly<Record<number, number>> = {}): void {
    this.nonRoot = false;
    this.exitPending = true;
    for (const field of [
      Field.EXIT_QUALIFICATION,
      Field.VM_EXIT_INTR_INFO,
      Field.IDT_VECTORING_INFO,
      Field.VM_EXIT_INSTRUCTION_LEN,
    ]) {
      this.fields.set(field, 0);
    }
    this.fields.set(Field.VM_ENTRY_INTR_INFO, this.vmread(Field.VM_ENTRY_INTR_INFO) & 0x7fff_ffff);
    this.fields.set(Field.VM_EXIT_REASON, reason);
    for (const [field, value] of Object.entries(fields)) this.fields.set(Number(field), value >>> 0);
  }
}

export class FakeMachine implements Machine {
  readonly memory: PhysicalMemory;
  readonly state: CpuState;
  readonly vmx = new FakeVmx();
  readonly bus = new Bus();
  readonly clock = new Clock();
  readonly points = new StopPoints();
  timer = Infinity;
  flushes = 0;
  globalFlushes = 0;
  invalidated: number[] = [];
  /** What `run` does: the test's guest. */
  guest: (until: number) => void = () => undefined;
  /** What the next emulated instruction does. */
  instruction: (operations: EmulatorOps) => EmulationResult = () => 'unhandled';

  constructor(bytes: number) {
    this.memory = new PhysicalMemory(bytes);
    this.state = new CpuState(this.memory);
  }
  run(until: number): void {
    this.guest(until);
  }
  emulateInstruction(operations: EmulatorOps): EmulationResult {
    return this.instruction(operations);
  }
  runOutsideVmx(): OutsideRun {
    throw new Error('no real mode here');
  }
  retire(instructions: number): void {
    this.clock.set(this.clock.now + instructions);
  }
  wrote(): void {
    // nothing is cached
  }
  invalidateGuestPage(linear: number): void {
    this.invalidated.push(linear);
  }
  flushGuestTlb(globals: boolean): void {
    this.flushes++;
    if (globals) this.globalFlushes++;
  }
  setTimer(cycle: number): void {
    this.timer = cycle;
  }
  halt(until: number): void {
    this.clock.set(Math.min(until, this.timer));
  }
}
