// The emulated PC as one object: memory, buses, processor with VMX, and the view of it that the hypervisor drives. Not the
// hypervisor, not the domain's virtual devices. Joins machine/ to hypervisor/machine.ts.

import { Bus } from '../machine/bus.ts';
import { Clock } from '../machine/clock.ts';
import { buildProcessor } from '../machine/cpu/build.ts';
import { deliverEvent, deliverPendingFault } from '../machine/cpu/exceptions.ts';
import type { Cpu, InterruptSource } from '../machine/cpu/cpu.ts';
import type { CpuModel } from '../machine/cpu/model.ts';
import type { LinearAccess } from '../machine/cpu/linear-access.ts';
import { PageFlag } from '../machine/cpu/page-flags.ts';
import type { Processor, ProcessorSaved } from '../machine/cpu/run.ts';
import type { StopPoints } from '../machine/cpu/stop-points.ts';
import { Blocking, type CpuState, Cr0, ESP, Flag, StateLayout } from '../machine/cpu/state.ts';
import { PhysicalMemory } from '../machine/memory.ts';
import type { Rom } from '../machine/rom.ts';
import type { Persistent, StateArray } from '../machine/snapshot.ts';
import type { EntryCheck } from '../machine/vmx/entry-checks.ts';
import { saveSegments } from '../machine/vmx/guest-segments.ts';
import { Field } from '../machine/vmx/fields.ts';
import { IntrInfo, PendingDebug, pendingBreakpoints } from '../machine/vmx/qualification.ts';
import { Vmx } from '../machine/vmx/vmx.ts';
import type { EmulationResult, EmulatorOps, Machine, OutsideRun, VmxPort } from '../hypervisor/machine.ts';
import { loadGuest, storeGuest } from './vmcs-guest.ts';
import { LOCAL_TIMER_VECTOR } from '../hypervisor/machine.ts';
import type { Timer } from '../machine/clock.ts';
import { initializeProcessor } from '../machine/cpu/reset.ts';

export interface PhysicalMachineSaved {
  readonly clock: readonly number[];
  readonly vmx: readonly number[];
  readonly lastEntryFailure: EntryCheck | undefined;
  readonly processor: ProcessorSaved;
  readonly timerPending: boolean;
}

/** The INTR pin behind the local APIC. (An object with accessors of its own would be slow to ask.) */
class TimerPin implements InterruptSource {
  /** The timer has fired and its interrupt waits to be taken. */
  intr = false;

  acknowledge(): number {
    this.intr = false;
    return LOCAL_TIMER_VECTOR;
  }
}

export class PhysicalMachine implements Machine, Persistent<PhysicalMachineSaved> {
  readonly memory: PhysicalMemory;
  readonly bus = new Bus();
  readonly clock = new Clock();
  readonly processor: Processor;
  readonly cpu: Cpu;
  readonly state: CpuState;
  readonly points: StopPoints;
  readonly vmxUnit: Vmx;
  readonly vmx: VmxPort;
  private readonly timer: Timer;
  private readonly timerPin = new TimerPin();
  private operations: EmulatorOps | undefined;
  private readonly access: LinearAccess & { refusesHandlers: boolean } = {
    refusesHandlers: false,
    read: (linear, size, user) => {
      const ops = this.operations!;
      const value = ops.read(linear, size as 1 | 2 | 4, user);
      return ops.faultVector >= 0 ? this.refused() : value;
    },
    write: (linear, size, value, user) => {
      if (this.operations!.write(linear, size as 1 | 2 | 4, value, user)) return true;
      this.refused();
      return false;
    },
    probeWrite: (linear, size, user) => {
      if (this.operations!.probeWrite(linear, size as 1 | 2 | 4, user)) return true;
      this.refused();
      return false;
    },
  };

  /** @param memoryBytes machine memory: the domains' and the hypervisor's. */
  constructor(memoryBytes: number, model: CpuModel, rom?: Rom) {
    this.memory = new PhysicalMemory(memoryBytes, rom);
    this.processor = buildProcessor(this.memory, this.bus, this.clock, model, {
      deliverEvent,
      deliverPendingFault,
      plain: true,
    });
    this.cpu = this.processor.cpu;
    this.state = this.cpu.s;
    this.points = this.cpu.points;
    const unit = new Vmx(this.cpu);
    this.vmxUnit = unit;
    this.cpu.vmx = unit;
    initializeProcessor(this.cpu);
    this.timer = this.clock.timer(() => {
      this.timerPin.intr = true;
    });
    this.vmx = unit;
  }

  /** Gives the machine's interrupt pin to a hypervisor: the local APIC timer is its only source. */
  enterVmxOperation(): void {
    this.cpu.interrupts = this.timerPin;
  }

  run(untilCycle: number): void {
    this.processor.run(untilCycle);
  }

  emulateInstruction(operations: EmulatorOps): EmulationResult {
    // The hypervisor's view of the guest is the VMCS; the general registers are live.
    const { vmxUnit: vmx, state: s } = this;
    s.eip = vmx.vmread(Field.GUEST_RIP);
    s.eflags = vmx.vmread(Field.GUEST_RFLAGS);
    const rootDr7 = s.dr(7);
    s.setDr(7, vmx.vmread(Field.GUEST_DR7));
    this.access.refusesHandlers = true;
    const result = this.execute(operations);
    this.access.refusesHandlers = false;
    s.setDr(7, rootDr7);
    const met = this.breakpointsMet();
    if (result === 'done') {
      if (met !== 0) this.pendDebug(met);
      // A far transfer, POP of a segment register, LDS.
      if (this.processor.emulatedModeChange) saveSegments(vmx);
      vmx.vmwrite(Field.GUEST_RIP, s.eip);
      vmx.vmwrite(Field.GUEST_RSP, s.gpr(ESP));
      vmx.vmwrite(Field.GUEST_RFLAGS, s.eflags);
    }
    return result;
  }
  runOutsideVmx(operations: EmulatorOps, cr0: number, limit: number): OutsideRun {
    const { vmxUnit: vmx, state: s, cpu } = this;
    const [rootCr0, rootDr7] = [s.cr0, s.dr(7)];
    loadGuest(vmx, s);
    // What is pending, behind MOV SS, comes with what the next instruction does.
    const held = vmx.vmread(Field.GUEST_PENDING_DBG_EXCEPTIONS) !== 0;
    const trap = (s.eflagsRest & Flag.TF) !== 0;
    // Linear addresses go to the operations, which know the guest's paging.
    s.cr0 = (cr0 & ~Cr0.PG) >>> 0;
    const info = vmx.vmread(Field.VM_ENTRY_INTR_INFO);
    let result: OutsideRun;
    if (IntrInfo.valid(info)) {
      vmx.vmwrite(Field.VM_ENTRY_INTR_INFO, info & ~IntrInfo.VALID);
      result = this.deliverOutsideVmx(operations, info);
      cpu.clearFault();
    } else {
      const executed = this.execute(operations, trap || held ? 1 : limit, this.retiredOutsideVmx);
      result = executed === 'unhandled' ? 'exit' : executed;
      const met = this.breakpointsMet();
      if (result === 'fault') vmx.vmwrite(Field.GUEST_PENDING_DBG_EXCEPTIONS, 0);
      else if (met !== 0) this.pendDebug(met);
      if (result === 'done' && trap && !cpu.enteredHandler && !this.behindMovSs)
        this.pendDebug(PendingDebug.SINGLE_STEP);
    }
    s.cr0 = rootCr0;
    // A fault or an exit changes nothing; the instructions before it count.
    storeGuest(vmx, s);
    s.setDr(7, rootDr7);
    return result;
  }
  /** The shadow of STI or MOV SS lasts for one instruction: one that sets it anew is told by its having been clear. */
  private readonly retiredOutsideVmx = (): boolean => {
    const { state: s } = this;
    const blocking = s.get(StateLayout.interruptibility);
    s.set(StateLayout.interruptibility, blocking & ~this.shadowOutsideVmx);
    this.shadowOutsideVmx = s.get(StateLayout.interruptibility) & Blocking.STI_OR_MOV_SS;
    this.retire(1);
    return (s.eflagsRest & Flag.TF) === 0 && (this.cpu.breakpoints.met === 0 || this.behindMovSs);
  };
  private get behindMovSs(): boolean {
    return (this.state.get(StateLayout.interruptibility) & Blocking.MOV_SS) !== 0;
  }
  /** The data breakpoints that the emulated instructions met, as the pending debug exceptions have them; they are forgotten here. */
  private breakpointsMet(): number {
    const { breakpoints } = this.cpu;
    const { met } = breakpoints;
    breakpoints.met = 0;
    return pendingBreakpoints(met);
  }
  private pendDebug(bits: number): void {
    const { vmxUnit: vmx } = this;
    vmx.vmwrite(Field.GUEST_PENDING_DBG_EXCEPTIONS, vmx.vmread(Field.GUEST_PENDING_DBG_EXCEPTIONS) | bits);
  }
  private shadowOutsideVmx = 0;
  private deliverOutsideVmx(operations: EmulatorOps, info: number): OutsideRun {
    const vmx = this.vmxUnit;
    const error = IntrInfo.hasErrorCode(info) ? vmx.vmread(Field.VM_ENTRY_EXCEPTION_ERROR_CODE) : undefined;
    const length = vmx.vmread(Field.VM_ENTRY_INSTRUCTION_LEN);
    const access = this.begin(operations);
    const delivered = this.processor.emulateEvent(
      vmx,
      access,
      IntrInfo.vector(info),
      IntrInfo.type(info),
      error,
      length,
    );
    this.operations = undefined;
    return delivered === 'unhandled' ? 'exit' : 'event';
  }
  private readonly fetch = (linear: number): number => this.operations!.fetch(linear, this.state.cpl === 3);
  private begin(operations: EmulatorOps): LinearAccess {
    this.operations = operations;
    operations.faultVector = -1;
    operations.faultError = -1;
    return this.access;
  }
  /** Instructions from the state's EIP on; a fault is in the operations' words. */
  private execute(operations: EmulatorOps, limit = 1, retired?: () => boolean): EmulationResult {
    const { cpu, state: s } = this;
    const access = this.begin(operations);
    this.shadowOutsideVmx = s.get(StateLayout.interruptibility) & Blocking.STI_OR_MOV_SS;
    const result = this.processor.emulate(this.vmxUnit, access, this.fetch, limit, retired);
    this.operations = undefined;
    if (result === 'fault' && operations.faultVector < 0) {
      operations.faultVector = s.get(StateLayout.faultVector) - 1;
      operations.faultError = s.get(StateLayout.faultHasError) ? s.get(StateLayout.faultError) : -1;
      operations.faultAddress = cpu.faultAddress;
    }
    cpu.clearFault();
    return result;
  }
  private refused(): -1 {
    const ops = this.operations!;
    this.cpu.faultAddress = ops.faultAddress;
    this.cpu.raise(ops.faultVector >= 0 ? ops.faultVector : 13, ops.faultError >= 0 ? ops.faultError : undefined);
    return -1;
  }

  retire(instructions: number): void {
    this.processor.retired += instructions;
    this.clock.set(this.clock.now + instructions);
  }
  wrote(pa: number, bytes: number): void {
    this.cpu.mmu.pages.noteStore(pa, bytes);
  }
  invalidateGuestPage(linear: number): void {
    this.cpu.mmu.invalidateGuestPage(linear);
  }
  flushGuestTlb(_globals: boolean): void {
    this.cpu.mmu.flushGuest();
  }
  setTimer(cycle: number): void {
    this.timerPin.intr = false;
    if (this.timer.deadline !== cycle) this.clock.arm(this.timer, cycle);
  }
  halt(untilCycle: number): void {
    const wake = Math.min(this.clock.nextDeadline, untilCycle);
    if (wake === Infinity || wake < this.clock.now) {
      this.clock.runDue();
      this.timerPin.intr = false;
      return;
    }
    this.clock.set(wake);
    this.clock.runDue();
    this.timerPin.intr = false;
  }

  // ---- snapshots ----------------------------------------------------------------------------------------------------

  /** RAM. `others` tells the pages that software in TypeScript writes itself. */
  ram(others: (visit: (page: number) => void) => void): StateArray {
    return {
      bytes: this.memory.ram,
      takeChanged: (visit) => {
        const pages = this.cpu.mmu.pages.watchChanges();
        if (pages === undefined) for (let page = 0; page < this.memory.ramBytes >>> 12; page++) visit(page);
        else pages.forEach(visit);
        this.vmxUnit.vmcs.takeWritten(visit);
        others(visit);
      },
    };
  }
  /** Without RAM. */
  saveState(): PhysicalMachineSaved {
    return {
      clock: this.clock.saveState(),
      vmx: this.vmxUnit.saveState(),
      lastEntryFailure: this.vmxUnit.lastEntryFailure,
      processor: this.processor.saveState(),
      timerPending: this.timerPin.intr,
    };
  }
  /** After RAM. Devices on the bus have loaded theirs before, at the clock's time. */
  loadState(state: PhysicalMachineSaved): void {
    this.vmxUnit.loadState(state.vmx);
    this.vmxUnit.lastEntryFailure = state.lastEntryFailure;
    this.processor.loadState(state.processor);
    this.timerPin.intr = state.timerPending;
    this.clock.loadState(state.clock);
  }
  /** A page of RAM is about to get other bytes (undefined: zeros) in a way that no store does: decoded code that differs is forgotten. */
  replacing(page: number, bytes: Uint8Array | undefined): void {
    const { mmu } = this.cpu;
    if ((mmu.pages.of[page]! & PageFlag.code) === 0) return;
    const { u8, ramBase } = this.memory;
    for (let at = 0; at < 4096; at += CODE_GRANULE) {
      const pa = page * 4096 + at;
      if (!mmu.holdsCode(pa, CODE_GRANULE)) continue;
      for (let i = 0; i < CODE_GRANULE; i++)
        if (u8[ramBase + pa + i] !== (bytes === undefined ? 0 : bytes[at + i])) {
          mmu.pages.onCodeWrite(pa, CODE_GRANULE, false);
          break;
        }
    }
  }
}

/** Bytes compared at once: those of a granule of decoded code (machine/translate/code-granules.ts), or fewer. */
const CODE_GRANULE = 64;
