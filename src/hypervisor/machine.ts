// What the hypervisor is given: one physical machine whose processor it drives in VMX root operation. The engine implements
// it over the emulated CPU; tests implement it with a fake. Nothing here that VMX root software could not do: VMCS fields,
// machine memory, general registers, INVLPG, the local APIC timer, HLT. SDM vol. 3, ch. 23 to 31.

import type { Bus } from '../machine/bus.ts';
import type { Clock } from '../machine/clock.ts';
import type { CpuState } from '../machine/cpu/state.ts';
import type { StopPoints } from '../machine/cpu/stop-points.ts';
import type { PhysicalMemory } from '../machine/memory.ts';
import type { Vmx } from '../machine/vmx/vmx.ts';

/**
 * VMX as software in root operation uses it (machine/vmx/vmx.ts). `exitPending` after VMLAUNCH or VMRESUME: the entry failed late, or the
 * guest left at once.
 */
export type VmxPort = Pick<
  Vmx,
  | 'nonRoot'
  | 'exitPending'
  | 'exitInformation'
  | 'capabilities'
  | 'lastEntryFailure'
  | 'guestSegmentsValid'
  | 'root'
  | 'vmxon'
  | 'vmclear'
  | 'vmptrld'
  | 'vmread'
  | 'vmwrite'
  | 'vmlaunch'
  | 'vmresume'
>;

/**
 * Memory and ports as one emulated instruction sees them. A refused access leaves the exception in the fault words and the
 * caller gives the instruction up; what it wrote before stays written (as on hardware for the string instructions).
 */
export interface EmulatorOps {
  /** Instruction byte at a linear address; -1 if refused. */
  fetch(linear: number, user: boolean): number;
  /** Unsigned; 0 if refused (check `faultVector`). */
  read(linear: number, size: 1 | 2 | 4, user: boolean): number;
  /** False if refused. */
  write(linear: number, size: 1 | 2 | 4, value: number, user: boolean): boolean;
  /**
   * Is a write of `size` bytes allowed here? Called before the read of a read-modify-write instruction, so that the fault
   * has the W bit. Nothing is written, but accessed and dirty bits are set. False if refused.
   */
  probeWrite(linear: number, size: 1 | 2 | 4, user: boolean): boolean;
  /** Vector of the fault to deliver; -1: none. The emulator itself sets it for #GP, #SS, #UD, #DE. */
  faultVector: number;
  /** Its error code; -1: it has none. */
  faultError: number;
  /** Linear address for CR2 if it is a #PF. */
  faultAddress: number;
}

/**
 * 'done': one instruction executed, guest registers, RIP and RFLAGS are in the VMCS and the GPRs, and the data breakpoints that its accesses
 * met are among the pending debug exceptions. 'fault': nothing retired, the fault
 * is in the operations' words. 'unhandled': an instruction that cannot be emulated (it must be named by the caller's message).
 */
export type EmulationResult = 'done' | 'fault' | 'unhandled';

export type OutsideRun = 'done' | 'event' | 'fault' | 'exit';

export interface Machine {
  readonly memory: PhysicalMemory;
  /** GPRs, CR2, DR0-DR3, DR6 and FPU of the guest: what a VM exit leaves in the processor (SDM vol. 3, 27.3). */
  readonly state: CpuState;
  readonly vmx: VmxPort;
  /** The physical bus: ports and device memory of the real machine. */
  readonly bus: Bus;
  /** Physical time. Only guest instructions and `halt` move it. */
  readonly clock: Clock;
  /** A debugger of the whole machine, as a probe at the processor's test port would be: where it wants the machine to stand still. */
  readonly points: StopPoints;
  /** Runs the guest from the last VM entry until a VM exit or until `clock.now >= untilCycle`; afterwards `vmx.exitPending` says which. */
  run(untilCycle: number): void;
  /**
   * Executes exactly one guest instruction at the guest's CS:RIP without entering the guest (the role of Xen's x86_emulate). Accesses go
   * through `operations`. A REP string instruction is one iteration or all of them, as the machine likes: RIP and ECX say.
   * Does not count the instruction as retired: the caller does, by `retire`.
   */
  emulateInstruction(operations: EmulatorOps): EmulationResult;
  /**
   * Executes the guest where VMX cannot enter it: `cr0` (as the guest sees it) is in force. 'event': an event that stood in the VM-entry
   * interruption fields was delivered, and nothing more was done. 'done': `limit` instructions were executed, or fewer where the trap flag
   * is set now or debug exceptions are pending, which are in the VMCS. 'fault': one raised an exception, as above. 'exit': one would have left the guest, and the VM-exit information fields say
   * why; like a fault it changed nothing.
   * What was executed is retired. The guest-state area of the VMCS is current afterwards.
   */
  runOutsideVmx(operations: EmulatorOps, cr0: number, limit: number): OutsideRun;
  /** An instruction the hypervisor completed for the guest counts as retired: one cycle of the clock each. */
  retire(instructions: number): void;
  /** Software wrote machine memory itself (a store by the hypervisor): decoded instructions of those bytes are forgotten, as a processor's snooping does. */
  wrote(pa: number, bytes: number): void;
  /** INVLPG for guest translations: drops every cached translation of this linear page, global or not. */
  invalidateGuestPage(linear: number): void;
  /** Drops cached guest translations; `globals`: also those whose entries have the G bit. */
  flushGuestTlb(globals: boolean): void;
  /**
   * Arms the local APIC timer (one shot) for an absolute cycle; Infinity disarms. When it is due while the guest runs, a VM exit with
   * reason 1 and vector LOCAL_TIMER_VECTOR follows at the first instruction boundary at or after that cycle, whatever the guest's RFLAGS.IF.
   */
  setTimer(cycle: number): void;
  /**
   * The hypervisor's own HLT: time moves to the timer's deadline, to the next device deadline or to `untilCycle`, whichever
   * is first; due device timers fire. A timer that is due here is consumed: it causes no exit afterwards.
   */
  halt(untilCycle: number): void;
}

/** Vector of the local APIC timer, as Xen numbers it (high-priority vectors from 0xf0). */
export const LOCAL_TIMER_VECTOR = 0xf0;
