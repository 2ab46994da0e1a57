// Instructions in TypeScript ("helpers"), called by translated code while it runs: what a helper finds in the CPU, and whether translated
// code may go on behind it or the run loop has something to do first. Not the helpers and not the run loop (run.ts).

import type { CodeCache } from '../translate/code-cache.ts';
import { Entry, ExitKind } from '../translate/entry.ts';
import type { HelperOperands } from '../translate/helper-operands.ts';
import type { Regions } from '../translate/region/regions.ts';
import { AGAIN_WITH_LIMITS } from './access-inspection.ts';
import type { Cpu } from './cpu.ts';
import type { EventDelivery } from './pending-interrupts.ts';
import { Blocking, Flag, Resumed, StateLayout } from './state.ts';
import { isExternalError } from './x87/errors.ts';
import { WIDE_ZERO } from '../wide-number.ts';

/** Answers of `call` that are no number of retired instructions. */
export const HelperCall = {
  /** Not executed: the caller of translated code does it (emulation for the hypervisor). */
  refused: -1,
  /** Executed; `succeeded` says how. The run loop does the rest. */
  leaves: 0,
} as const;

const TWO_32 = 0x1_0000_0000;
/** More than any budget: with so much less translated code comes back before its next instruction. */
const ALL_BUDGET = 0x2000_0000;

export class HelperCalls {
  /** The helper last executed completed its instruction. */
  succeeded = false;
  /** Blocking.STI if it was executed in the shadow of an STI in a region, which nobody else ends. */
  shadow = 0;
  /** The run loop wants one instruction and no other. */
  alone = false;
  /** Translated code came back behind a VM exit that was answered while it ran (VmxHooks.answerExit). The run loop clears it before it executes. */
  answered = false;
  /** Translated code is being executed for the run loop. */
  private inside = false;
  private deadline = WIDE_ZERO;
  private start = WIDE_ZERO;
  private left = WIDE_ZERO;
  private clockAtStart = WIDE_ZERO;
  private retiredAtStart = WIDE_ZERO;
  /** The INTR pin as of the last look. */
  private intr = false;

  constructor(
    private readonly cpu: Cpu,
    private readonly cache: CodeCache,
    private readonly regions: Regions,
    private readonly events: EventDelivery,
    /** The run loop: its count, whether it was asked to stop, EFLAGS.AC as it knows it, whether RF was set before the present instruction. */
    private readonly processor: {
      retired: number;
      readonly stopRequested: boolean;
      readonly alignmentFlag: number;
      resumed: boolean;
    },
  ) {}

  /** Translated code is about to run with the budget `start`; `left`: instructions until the run loop must look up. */
  enter(start: number, left: number): void {
    const { cpu } = this;
    this.inside = true;
    this.start = start;
    this.left = left;
    this.clockAtStart = cpu.clock.now;
    this.retiredAtStart = this.processor.retired;
    this.deadline = cpu.clock.nextDeadline;
    this.setBases();
    cpu.s.set(StateLayout.budgetCut, 0);
    cpu.breakpoints.exact = left === 1 || !(cpu.breakpoints.data || cpu.points.data);
    // With RF set before it, the first instruction is as one that IRET has loaded RF for.
    cpu.s.set(StateLayout.resumed, this.processor.resumed ? start : Resumed.asBefore);
    this.lookForRequests();
  }
  private setBases(): void {
    this.setBase(StateLayout.timeBase, this.clockAtStart + this.start);
    this.setBase(StateLayout.retiredBase, this.retiredAtStart + this.start);
  }
  /** A count, 64 bits, where the budget will be 0. */
  private setBase(at: number, value: number): void {
    this.cpu.s.set(at, value);
    this.cpu.s.set(at + 4, Math.floor(value / TWO_32));
  }
  /** Translated code came back with the budget `end`: RF, which its last instruction has loaded, is for the one that it came back at. */
  private noteResumption(end: number): void {
    const resumed = this.cpu.s.get(StateLayout.resumed) | 0;
    if (end !== this.start || resumed === Resumed.byNothing) this.processor.resumed = resumed === end;
  }
  /** Only helpers and the run loop change what waits, and what is looked at. */
  private lookForRequests(): void {
    const { cpu } = this;
    const { s, interrupts, vmx, breakpoints, points } = cpu;
    this.intr = interrupts.intr;
    const waits = this.intr || vmx.boundaryWatch;
    s.set(StateLayout.nothingWaits, waits ? 0 : 1);
    const looked = waits || this.alone || points.armed || breakpoints.data || vmx.nonRoot || vmx.boundaryStep;
    const passes = !looked && this.processor.alignmentFlag === 0 && s.get(StateLayout.nmi) === 0;
    s.set(StateLayout.plainFaults, passes && this.events.plain === true ? 1 : 0);
    s.set(StateLayout.ports, vmx.nonRoot || breakpoints.io || points.ports ? 0 : 1);
    s.set(StateLayout.msrAccess, vmx.nonRoot || points.msrs ? 0 : 1);
  }
  /** It has come back with the budget `end`: the clock stands there. Returns the instructions it retired. */
  exit(end: number): number {
    this.inside = false;
    this.cpu.breakpoints.exact = true;
    // What is emulated for the hypervisor has no budget.
    this.cpu.s.set(StateLayout.ports, 0);
    this.cpu.s.set(StateLayout.msrAccess, 0);
    this.noteResumption(end);
    const executed = this.start - end;
    this.moveTo(executed);
    return executed;
  }
  private moveTo(executed: number): void {
    this.processor.retired = this.retiredAtStart + executed;
    this.cpu.clock.set(this.clockAtStart + executed);
  }

  /**
   * Executes an instruction that translated code left to its helper: `succeeded` says how it went. `address`: of its memory operand.
   * `allowance`: instructions it may retire.
   */
  execute(op: HelperOperands, address: number, allowance: number): void {
    const { cpu } = this;
    op.offset = (op.linear ? address - cpu.s.base(op.segment) : address) >>> 0;
    const next = op.eip + op.length;
    this.shadow = cpu.s.get(StateLayout.interruptibility) & Blocking.STI;
    cpu.nextEip = next >>> 0;
    cpu.allowance = allowance;
    cpu.codeChanged = false;
    cpu.retiredByHelper = 1;
    cpu.retiredBeforeFault = 0;
    this.succeeded = op.row.helper!(cpu, op);
  }

  /**
   * Translated code has come to a helper's entry with `budget`; `address`: of its memory operand (HelperOperands). Answers how many instructions retired
   * (EIP and the TLB context are in the state), or a HelperCall.
   */
  call(entry: number, budget: number, address: number): number {
    if (!this.inside) return HelperCall.refused;
    const { cpu } = this;
    const { s } = cpu;
    const executed = this.start - (budget - s.u16[(entry + Entry.done) >> 1]!);
    const op = this.cache.operands[s.i32[(entry + Entry.target) >> 2]!]!;
    return this.completes(op, address, executed) ? cpu.retiredByHelper : HelperCall.leaves;
  }
  /** Executes a helper's instruction, `executed` others of the run before it. False: the run loop is wanted. */
  private completes(op: HelperOperands, address: number, executed: number): boolean {
    const { cpu } = this;
    this.moveTo(executed);
    cpu.s.eip = op.eip;
    cpu.breakpoints.exact = true;
    this.execute(op, address, this.left - executed);
    if (!this.succeeded) {
      if (!cpu.vmExitPending || !this.resumes(executed)) return false;
      // Where no instruction has retired the caller could not tell it from one that leaves.
      this.answered = cpu.retiredByHelper === 0;
      return !this.answered;
    }
    if (this.mustLeave()) return false;
    cpu.s.eip = cpu.nextEip;
    this.goOn();
    return true;
  }
  /**
   * The guest was left, `executed` instructions after the start. True: its hypervisor has entered it again and translated code goes on at EIP;
   * `retiredByHelper` says how many instructions the hypervisor has completed for it. False: the run loop is wanted, with the exit still pending
   * or (`answered`) behind it. What the run loop does where the guest is left and entered is done here too.
   */
  private resumes(executed: number): boolean {
    const { cpu, cache, processor } = this;
    // The shadow of STI or MOV SS is the run loop's, and so is a block whose room the emulator uses.
    if (this.left === 1 || cpu.points.armed || !cache.kept || cache.nearlyFull) return false;
    const { s, clock } = cpu;
    const { now } = clock;
    const { retired } = processor;
    // What is emulated for the hypervisor calls no helper in here.
    this.inside = false;
    const entered = cpu.vmx.answerExit();
    this.inside = true;
    this.succeeded = false;
    // It was saved with the guest.
    this.shadow = 0;
    cpu.unfinished = false;
    cpu.enteredHandler = false;
    cpu.breakpoints.met = 0;
    cpu.retiredBeforeFault = 0;
    cpu.retiredByHelper = (processor.retired - retired) | 0;
    const { retiredByHelper } = cpu;
    if (
      entered &&
      clock.now - now === retiredByHelper &&
      executed + retiredByHelper <= this.left &&
      !this.mustLeave()
    ) {
      processor.resumed = false;
      s.set(StateLayout.resumed, Resumed.asBefore);
      this.goOn();
      return true;
    }
    this.answered = true;
    // Translated code does not count what the hypervisor has retired.
    this.clockAtStart += clock.now - now;
    this.retiredAtStart += retiredByHelper;
    return false;
  }
  private goOn(): void {
    const { breakpoints, points } = this.cpu;
    this.cache.followMode();
    this.lookForRequests();
    breakpoints.exact = this.left === 1 || !(breakpoints.data || points.data);
  }

  /** IN and OUT in translated code, without their helpers. `budget`: before the instruction. */
  portIn(port: number, bytes: 1 | 2 | 4, budget: number): number {
    const { cpu } = this;
    this.moveTo(this.start - budget);
    cpu.codeChanged = false;
    const value = cpu.bus.in(port, bytes);
    this.behindDevice();
    return value | 0;
  }
  portOut(port: number, bytes: 1 | 2 | 4, value: number, budget: number): void {
    const { cpu } = this;
    this.moveTo(this.start - budget);
    cpu.codeChanged = false;
    cpu.bus.out(port, bytes, value);
    this.behindDevice();
  }
  /** Translated code has come back because the run loop is wanted, whatever was left of its instructions. */
  get budgetTaken(): boolean {
    return this.cpu.s.get(StateLayout.budgetCut) !== 0;
  }
  /** Whatever a device can do that the run loop looks at before the next instruction, or that ends the running code. */
  private behindDevice(): void {
    const { cpu, processor } = this;
    const { s, clock } = cpu;
    const { intr } = cpu.interrupts;
    const leaves =
      clock.nextDeadline !== this.deadline ||
      (intr && (s.eflagsRest & Flag.IF) !== 0) ||
      processor.stopRequested ||
      cpu.codeChanged ||
      cpu.modeDirty ||
      cpu.vmExitPending ||
      cpu.points.boundary ||
      s.get(StateLayout.nmi) !== 0 ||
      s.get(StateLayout.activity) !== 0;
    if (leaves) {
      this.start -= ALL_BUDGET;
      this.setBases();
      s.set(StateLayout.budgetCut, ALL_BUDGET);
    } else if (intr !== this.intr) this.lookForRequests();
  }

  /**
   * A region has left at an instruction that has not executed: it is its helper's, or a fault is in the mailbox. Answers 1 if translated code goes on at
   * EIP, with the budget and the TLB context that are in the state.
   */
  atSite(): 0 | 1 {
    const { cpu } = this;
    const { s } = cpu;
    const helper = this.regions.settle();
    const budget = s.i32[StateLayout.exitBudget >> 2]!;
    const executed = this.start - budget;
    cpu.retiredByHelper = 0;
    const goesOn =
      helper === undefined ? this.delivers(executed) : this.completes(helper, s.get(StateLayout.exitEa), executed);
    // What a hypervisor emulates uses these words too.
    s.set(StateLayout.exitBudget, goesOn ? budget - cpu.retiredByHelper : budget);
    if (!goesOn && helper !== undefined) s.set(StateLayout.exitKind, ExitKind.helped);
    return goesOn ? 1 : 0;
  }
  /** Delivers the fault of an instruction, `executed` others of the run before it, where it needs nothing else. False: the run loop is wanted. */
  private delivers(executed: number): boolean {
    const { cpu, processor } = this;
    const { s, clock, timeless } = cpu;
    this.moveTo(executed);
    const { now } = clock;
    this.shadow = 0;
    const asksAgain = s.get(StateLayout.faultVector) - 1 >= AGAIN_WITH_LIMITS;
    const shadow = s.get(StateLayout.interruptibility) & Blocking.STI_OR_MOV_SS;
    if (asksAgain || shadow !== 0 || cpu.points.armed || isExternalError(cpu) || timeless.full(now)) {
      s.set(StateLayout.exitKind, ExitKind.fault);
      return false;
    }
    cpu.breakpoints.exact = true;
    const entered = this.events.deliverPendingFault(cpu);
    cpu.breakpoints.met = 0;
    processor.resumed = false;
    s.set(StateLayout.resumed, Resumed.asBefore);
    if (cpu.vmExitPending) {
      this.succeeded = false;
      cpu.retiredBeforeFault = 0;
      if (this.resumes(executed)) return true;
      s.set(StateLayout.exitKind, ExitKind.helped);
      return false;
    }
    // Whoever took the event may have let time pass.
    const passed = clock.now - now;
    this.clockAtStart += passed;
    if (!entered || passed !== 0 || this.mustLeave()) {
      this.succeeded = false;
      cpu.retiredBeforeFault = 0;
      s.set(StateLayout.exitKind, ExitKind.helped);
      return false;
    }
    timeless.add(now);
    this.goOn();
    return true;
  }
  /**
   * Is there anything that the run loop would look at before the next instruction? An entered handler is none: that matters to TF alone, under which
   * one instruction is executed at a time.
   */
  private mustLeave(): boolean {
    const { cpu } = this;
    const { s, vmx } = cpu;
    const flags = s.eflagsRest;
    return (
      this.alone ||
      cpu.vmExitPending ||
      cpu.unfinished ||
      cpu.breakpoints.met !== 0 ||
      cpu.breakpoints.instructions ||
      cpu.points.boundary ||
      (flags & (Flag.TF | Flag.RF)) !== 0 ||
      (flags & Flag.AC) !== this.processor.alignmentFlag ||
      (s.get(StateLayout.interruptibility) & Blocking.STI_OR_MOV_SS) !== 0 ||
      s.get(StateLayout.activity) !== 0 ||
      s.get(StateLayout.nmi) !== 0 ||
      cpu.clock.nextDeadline !== this.deadline ||
      vmx.boundaryWatch ||
      vmx.boundaryStep ||
      this.processor.stopRequested ||
      (cpu.interrupts.intr && (vmx.nonRoot || (flags & Flag.IF) !== 0))
    );
  }
}
