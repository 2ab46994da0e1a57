// The run loop: executes translated code up to a deadline, calls helpers, delivers faults and interrupts at exact instructions.
// Not the instructions and not the clock's timers. SDM vol. 3, 6.9 (priority among exceptions and interrupts).
// Longer than other files: what is executed for the hypervisor goes through the same words and helpers, and would be the part to stand alone.

import type { CodeCache } from '../translate/code-cache.ts';
import { Entry, ENTRY_SIZE, ExitKind, MAX_BLOCK } from '../translate/entry.ts';
import type { ThreadedModule } from '../translate/threaded-module.ts';
import { Mode, refreshGates } from '../translate/mode.ts';
import type { Regions } from '../translate/region/regions.ts';
import { type Persistent, saveFields } from '../snapshot.ts';
import type { Cpu, CpuSaved } from './cpu.ts';
import type { LinearAccess } from './linear-access.ts';
import { Vector } from './cpu.ts';
import { AGAIN, AGAIN_WITH_LIMITS } from './access-inspection.ts';
import { Dr6, Dr7 } from './debug-registers.ts';
import { injectEvent } from './exceptions.ts';
import { HelperCalls } from './helper-calls.ts';
import { armAfterLoad, disarmForLoad, endMaskedWait } from './monitor-wait.ts';
import type { MmuSaved } from './mmu.ts';
import { Activity, type EventDelivery, takeInterrupt } from './pending-interrupts.ts';
import { Blocking, CS, Flag, StateLayout } from './state.ts';
import { TlbContext } from './tlb.ts';
import { ignoringError, isExternalError, stopsForError } from './x87/errors.ts';
import { WIDE_ZERO } from '../wide-number.ts';

/** Instructions after which translated code comes back at the latest: V8 takes up a function's optimised code only when it is called. */
const STRETCH = 65536;

const FIELDS = ['retired', 'stopRequested', 'frozen', 'emulatedModeChange', 'alignmentFlag'] as const;

export interface ProcessorSaved {
  readonly cpu: CpuSaved;
  readonly memory: MmuSaved;
  readonly fields: Pick<Processor, (typeof FIELDS)[number]>;
  readonly completed: boolean;
  readonly resumed: boolean;
}

export class Processor implements Persistent<ProcessorSaved> {
  /** Instructions retired since reset; each REP iteration counts. Exact up to 2^53. */
  retired = WIDE_ZERO;
  /** Asked for by a device or the user: the loop returns at the next boundary. */
  stopRequested = false;
  /** The next instruction waits for the interrupt of a floating-point error (x87/errors.ts). */
  frozen = false;
  readonly helpers: HelperCalls;
  /** The last `execute` ended with an instruction that retired, not with a fault or exit. */
  private completed = false;
  private emulatedEvent = false;
  /** The guest's own, while an instruction is emulated for its hypervisor. */
  private readonly outside = { exitPending: false, kept: false, mode: 0, tlb: 0, gates: 0, walks: 0 };
  /** StopPoints.deliveries as of the last run. */
  private deliveries = false;
  /** The instruction last emulated loaded a segment register or changed another part of the mode. */
  emulatedModeChange = false;
  /** RF was set before the present instruction. */
  resumed = false;
  /** EFLAGS.AC as of the last change of mode. */
  alignmentFlag = 0;

  constructor(
    readonly cpu: Cpu,
    private readonly cache: CodeCache,
    private readonly module: ThreadedModule,
    readonly regions: Regions,
    private readonly events: EventDelivery,
  ) {
    this.retired = 0;
    this.helpers = new HelperCalls(cpu, cache, regions, events, this);
    cpu.points.surroundings = {
      retired: () => this.retired,
      eip: () => cpu.s.eip,
      forget: (addresses) => cache.forgetPoints(addresses),
      watch: (page, on) => cpu.mmu.watchAccesses(page, on),
      peek: (linear, into) => void cpu.mmu.peek(linear, into),
    };
  }

  /**
   * Runs until the clock stands at `until` (cycles), a VM exit is pending for a TypeScript root, the processor shut down, a stop is
   * requested or a debugger's stop point is met. Timers of the clock fire on the way at their exact cycles.
   */
  run(until: number): void {
    const cpu = this.cpu;
    const s = cpu.s;
    const clock = cpu.clock;
    const { points } = cpu;
    // Found out anew: from outside anything may have changed.
    this.frozen = false;
    if (points.deliveries !== this.deliveries) {
      this.deliveries = points.deliveries;
      cpu.modeDirty = true;
    }
    for (;;) {
      if (clock.nextDeadline <= clock.now) clock.runDue();
      if (points.armed && this.endsHere()) return;
      if (this.stopRequested || cpu.vmExitPending) return;
      const activity = s.get(StateLayout.activity);
      if (activity >= Activity.shutdown) return;
      const shadow = s.get(StateLayout.interruptibility) & Blocking.STI_OR_MOV_SS;
      if (clock.now >= until && cpu.timeless.full(clock.now)) return;
      if (takeInterrupt(cpu, this.events, shadow)) {
        this.frozen = false;
        if (cpu.vmExitPending) return;
        this.countEvent();
        continue;
      }
      if (clock.now >= until) return;
      if (this.frozen || s.get(StateLayout.activity) === Activity.hlt) {
        if (cpu.interrupts.intr && endMaskedWait(cpu)) continue;
        const wake = Math.min(clock.nextDeadline, until);
        if (wake === Infinity) return;
        clock.set(wake);
        continue;
      }
      const flags = s.eflagsRest;
      const trap = (flags & Flag.TF) !== 0;
      let room = Math.min(clock.nextDeadline, until) - clock.now;
      if (points.armed) {
        if (points.stopsBefore((s.base(CS) + s.eip) >>> 0)) return;
        room = Math.min(room, points.limit - this.retired);
      }
      this.beginInstruction();
      if (cpu.vmx.boundaryStep) cpu.vmx.beginStep();
      // RF concerns breakpoints alone: without them an instruction under it needs no loop turn of its own.
      const alone = flags & Flag.TF || (flags & Flag.RF && cpu.breakpoints.instructions);
      this.execute(shadow !== 0 || alone || cpu.vmx.boundaryStep ? 1 : room, shadow);
      if (!this.completed && !cpu.vmExitPending && !this.helpers.answered) this.countEvent();
      if (!this.completed || cpu.vmExitPending) cpu.breakpoints.met = 0;
      else {
        this.endInstruction();
        if (trap || cpu.breakpoints.met !== 0) this.debugTrap(trap && !cpu.enteredHandler);
      }
    }
  }

  /** A debugger's run ends at this boundary. The accesses of an instruction that left the guest are not done yet. */
  private endsHere(): boolean {
    const { points, vmExitPending } = this.cpu;
    if (vmExitPending) points.drop();
    return points.ends();
  }

  /** RF lasts for one instruction, whose faults set it again in what they save; IRET may set it anew. */
  private beginInstruction(): void {
    const { s } = this.cpu;
    const flags = s.eflagsRest;
    this.resumed = (flags & Flag.RF) !== 0;
    if (this.resumed) s.eflagsRest = flags & ~Flag.RF;
  }
  /** A repeated string instruction is one instruction to its breakpoint. */
  private endInstruction(): void {
    if (this.resumed && this.cpu.unfinished) this.cpu.s.eflagsRest |= Flag.RF;
  }

  /**
   * Executes exactly one instruction, without looking at interrupts or timers. `iterations`: how many of a repeated string instruction,
   * below MAX_BLOCK; all other instructions are given 1.
   */
  step(iterations = 1): void {
    this.resumed = (this.cpu.s.eflagsRest & Flag.RF) !== 0;
    this.helpers.alone = true;
    this.execute(iterations, this.cpu.s.get(StateLayout.interruptibility) & Blocking.STI_OR_MOV_SS);
    this.helpers.alone = false;
  }

  /**
   * Executes up to `limit` instructions of the guest for its hypervisor: the guest's registers, but every memory access through `access`.
   * Nothing is delivered; `retired` is called after each and says whether to go on. 'fault': the mailbox says which, and that instruction changed nothing.
   * 'unhandled': it would have left the guest. Data breakpoints that were met wait in `cpu.breakpoints.met`.
   */
  emulate(
    mode: { nonRoot: boolean },
    access: LinearAccess,
    fetch: (linear: number) => number,
    limit = 1,
    retired: () => boolean = () => true,
  ): 'done' | 'fault' | 'unhandled' {
    this.beginForHypervisor(mode, access);
    return this.endForHypervisor(mode, this.emulateSome(fetch, limit, retired));
  }
  private emulateSome(fetch: (linear: number) => number, limit: number, retired: () => boolean): boolean {
    const { cpu, cache } = this;
    const { breakpoints, points, s } = cpu;
    for (let i = 0; i < limit; i++) {
      cache.followMode();
      if (i > 0 && points.armed && points.stopsBefore((s.base(CS) + s.eip) >>> 0)) return true;
      const held = breakpoints.met;
      this.beginInstruction();
      cpu.unfinished = false;
      cpu.enteredHandler = false;
      if (breakpoints.instructions && this.meetsInstruction(s.eip, s.get(StateLayout.interruptibility))) return false;
      const entry = cache.entryFromBytes(cpu.s.eip, fetch);
      this.emulatedEvent = false;
      if (entry === 0 || !this.emulateEntry(entry)) {
        points.drop();
        return false;
      }
      if (cpu.vmExitPending) {
        breakpoints.met = held;
        points.drop();
      }
      if (this.emulatedEvent) breakpoints.met = 0;
      if (cpu.vmExitPending || this.emulatedEvent) return true;
      this.endInstruction();
      const goesOn = retired();
      if ((points.armed && points.ends()) || !goesOn) return true;
    }
    return true;
  }
  /** Delivers an event to the guest in the same way. 'unhandled': its delivery left the guest. */
  emulateEvent(
    mode: { nonRoot: boolean },
    access: LinearAccess,
    vector: number,
    type: number,
    errorCode: number | undefined,
    instructionLength: number,
  ): 'done' | 'fault' | 'unhandled' {
    this.beginForHypervisor(mode, access);
    return this.endForHypervisor(mode, injectEvent(this.cpu, vector, type, errorCode, instructionLength));
  }
  private beginForHypervisor(mode: { nonRoot: boolean }, access: LinearAccess): void {
    const { cpu, outside } = this;
    outside.exitPending = cpu.vmExitPending;
    mode.nonRoot = true;
    cpu.mmu.access = access;
    cpu.vmExitPending = false;
    const { s } = cpu;
    outside.mode = s.get(StateLayout.mode);
    outside.tlb = s.get(StateLayout.tlb);
    outside.gates = s.get(StateLayout.gates);
    outside.walks = s.get(StateLayout.walks);
    if (this.keepsGuestMode(outside.mode)) {
      s.set(StateLayout.mode, outside.mode | Mode.timeAside);
      s.set(StateLayout.tlb, cpu.mmu.contextAddress(TlbContext.none));
      s.set(StateLayout.gates, 0);
      s.set(StateLayout.walks, 0);
    } else cpu.modeDirty = true;
    outside.kept = !cpu.modeDirty;
  }
  private endForHypervisor(mode: { nonRoot: boolean }, done: boolean): 'done' | 'fault' | 'unhandled' {
    const { cpu, outside } = this;
    const { s } = cpu;
    const left = cpu.vmExitPending;
    this.emulatedModeChange = cpu.modeDirty;
    mode.nonRoot = false;
    cpu.mmu.access = undefined;
    cpu.vmExitPending = outside.exitPending;
    if (outside.kept && !cpu.modeDirty) {
      s.set(StateLayout.mode, outside.mode);
      s.set(StateLayout.tlb, outside.tlb);
      s.set(StateLayout.gates, outside.gates);
      s.set(StateLayout.walks, outside.walks);
    } else cpu.modeDirty = true;
    if (left) return 'unhandled';
    return done ? 'done' : 'fault';
  }
  /** The mode word is the guest's still, from before its VM exit, and nothing is looked at in its accesses. */
  private keepsGuestMode(guestMode: number): boolean {
    const { s, modeDirty, breakpoints: b, mmu } = this.cpu;
    const watched = (s.dr(7) & Dr7.ENABLES) !== 0 || b.instructions || b.data || b.io || mmu.inspection.active;
    const sameAlignment = (s.eflagsRest & Flag.AC) === this.alignmentFlag;
    return !modeDirty && (guestMode & Mode.nonRoot) !== 0 && sameAlignment && !watched;
  }
  private emulateEntry(entry: number): boolean {
    const cpu = this.cpu;
    const s = cpu.s;
    this.module.instance.run(entry, -2 * MAX_BLOCK, s.i32[StateLayout.tlb >> 2]!);
    const kind = s.get(StateLayout.exitKind);
    if (kind !== ExitKind.helper) return kind !== ExitKind.fault;
    const op = this.cache.operands[s.i32[(s.get(StateLayout.exitEntry) + Entry.target) >> 2]!]!;
    this.helpers.execute(op, s.get(StateLayout.exitEa), 1);
    if (!this.helpers.succeeded) {
      // INT n whose delivery raised another exception: that one's handler is entered, and nothing retired.
      this.emulatedEvent = !cpu.faulted && !cpu.vmExitPending;
      return this.emulatedEvent;
    }
    s.eip = cpu.nextEip;
    return true;
  }

  /** Between two calls of `run`. Decoded code and regions are no state: nothing that the guest could see depends on them. */
  saveState(): ProcessorSaved {
    return {
      cpu: this.cpu.saveState(),
      memory: this.cpu.mmu.saveTranslations(),
      fields: saveFields(this, FIELDS),
      completed: this.completed,
      resumed: this.resumed,
    };
  }
  /** After the memory's pages were put back, and the decoded code of those that differ was thrown away. */
  loadState(state: ProcessorSaved): void {
    const { cpu } = this;
    disarmForLoad(cpu);
    cpu.loadState(state.cpu);
    armAfterLoad(cpu);
    cpu.mmu.loadTranslations(state.memory);
    Object.assign(this, state.fields);
    this.completed = state.completed;
    this.resumed = state.resumed;
    this.cache.stateReplaced();
    // What a debugger looks at is no state.
    refreshGates(cpu);
  }

  /** Code in a physical page was replaced from outside (a loader, a debugger, a test). */
  forgetCode(page: number): void {
    this.cache.invalidatePage(page);
  }

  /**
   * #DB after an instruction that met data or I/O breakpoints or (`step`) ran with TF set (SDM vol. 3, 17.3.1.2 to 17.3.1.4). Behind MOV SS it waits:
   * breakpoints are reported with what the next instruction does.
   */
  private debugTrap(step: boolean): void {
    const cpu = this.cpu;
    const { s, breakpoints } = cpu;
    if (s.get(StateLayout.activity) >= Activity.shutdown) return;
    if (s.get(StateLayout.interruptibility) & Blocking.MOV_SS) return;
    const bits = breakpoints.met | (step ? Dr6.BS : 0);
    breakpoints.met = 0;
    if (bits === 0) return;
    this.raiseDebug(bits);
    this.events.deliverPendingFault(cpu);
  }
  private raiseDebug(bits: number): void {
    const cpu = this.cpu;
    cpu.faultAddress = bits;
    cpu.raise(Vector.DB);
  }
  /** True with #DB in the mailbox if an instruction breakpoint at EIP was met: it comes before the instruction. RF and MOV SS hold it off. */
  private meetsInstruction(eip: number, shadow: number): boolean {
    const { s, breakpoints } = this.cpu;
    if (this.resumed || shadow & Blocking.MOV_SS) return false;
    const bits = breakpoints.atInstruction((s.base(CS) + eip) >>> 0);
    if (bits !== 0) this.raiseDebug(bits);
    return bits !== 0;
  }

  /** Runs up to `limit` instructions; returns earlier when anything but a jump needs the loop. */
  private execute(limit: number, shadow: number): void {
    const cpu = this.cpu;
    const s = cpu.s;
    const u32 = s.u32;
    const i32 = s.i32;
    const { breakpoints } = cpu;
    let left = limit;
    let jump = 0;
    let behindPoint = 0;
    this.completed = false;
    this.helpers.answered = false;
    cpu.unfinished = false;
    cpu.enteredHandler = false;
    if ((s.eflagsRest & Flag.AC) !== this.alignmentFlag) {
      this.alignmentFlag = s.eflagsRest & Flag.AC;
      cpu.modeDirty = true;
    }
    for (;;) {
      this.cache.followMode();
      // Compiling may empty the cache.
      if (this.regions.anyWaiting && behindPoint === 0) this.regions.compile(this.retired);
      const flushes = this.cache.counters.flushes;
      const whole = left >= MAX_BLOCK;
      const eip = u32[StateLayout.eip >> 2]!;
      if (breakpoints.instructions && this.meetsInstruction(eip, shadow)) {
        this.events.deliverPendingFault(cpu);
        return;
      }
      const longest = this.helpers.alone ? 1 : whole ? MAX_BLOCK : left;
      const entry = behindPoint || this.cache.entryAt(eip, longest);
      behindPoint = 0;
      if (entry === 0) {
        this.finishShadow(shadow);
        this.events.deliverPendingFault(cpu);
        return;
      }
      if (jump !== 0 && this.cache.kept && flushes === this.cache.counters.flushes) this.cache.link(jump, entry, eip);
      jump = 0;
      const budget = Math.min(left, STRETCH) - MAX_BLOCK;
      const start = whole ? budget : budget - MAX_BLOCK;
      const kept = this.cache.kept;
      this.helpers.enter(start, left);
      this.module.instance.run(entry, start, i32[StateLayout.tlb >> 2]!);
      const end = i32[StateLayout.exitBudget >> 2]!;
      left -= this.helpers.exit(end);
      // Iterations that are left over are no other instruction's; and behind a device's work the run loop looks up.
      if ((this.helpers.alone && left < limit) || this.helpers.budgetTaken) left = 0;
      switch (i32[StateLayout.exitKind >> 2]) {
        case ExitKind.link:
          if (left > 0) {
            if (kept) jump = i32[StateLayout.exitEntry >> 2]!;
            continue;
          }
          break;
        case ExitKind.hot:
          this.regions.request(i32[StateLayout.exitEntry >> 2]!, s.eip, this.retired);
          if (left > 0) continue;
          break;
        case ExitKind.point:
          // Before the first instruction the run loop has looked already.
          if (left === limit || !cpu.points.stopsBefore((s.base(CS) + s.eip) >>> 0)) {
            behindPoint = i32[StateLayout.exitEntry >> 2]! + ENTRY_SIZE;
            continue;
          }
          break;
        case ExitKind.lookup:
        case ExitKind.budget:
        case ExitKind.stop:
          if (left > 0) continue;
          break;
        case ExitKind.helped:
          this.afterHelper(shadow | this.helpers.shadow);
          return;
        case ExitKind.fault: {
          // A region leaves inside the shadow of its own STI.
          const held = shadow | (s.get(StateLayout.interruptibility) & Blocking.STI);
          if (this.again(held)) return;
          this.finishShadow(held);
          this.fault();
          return;
        }
      }
      this.finishShadow(shadow);
      this.completed = true;
      return;
    }
  }

  /** Executes an instruction again, alone, if the fault mailbox asks for it. */
  private again(shadow: number): boolean {
    const cpu = this.cpu;
    const vector = cpu.s.get(StateLayout.faultVector) - 1;
    if (vector !== AGAIN && vector !== AGAIN_WITH_LIMITS) return false;
    cpu.clearFault();
    const limits = vector === AGAIN_WITH_LIMITS;
    if (limits) cpu.checkLimits(true);
    this.execute(1, shadow);
    if (limits) cpu.checkLimits(false);
    return true;
  }
  private countEvent(): void {
    const { clock, timeless } = this.cpu;
    if (timeless.add(clock.now)) clock.set(clock.now + 1);
  }
  private retire(count: number): void {
    this.retired += count;
    this.cpu.clock.set(this.cpu.clock.now + count);
  }
  /** The shadow of STI or MOV SS lasts for one instruction. */
  private finishShadow(shadow: number): void {
    if (shadow === 0) return;
    const s = this.cpu.s;
    s.set(StateLayout.interruptibility, s.get(StateLayout.interruptibility) & ~shadow);
  }

  /** A helper was executed whose instruction the run loop looks at. */
  private afterHelper(shadow: number): void {
    const cpu = this.cpu;
    if (this.helpers.succeeded) {
      this.finishShadow(shadow);
      cpu.s.eip = cpu.nextEip;
      this.retire(cpu.retiredByHelper);
      this.completed = true;
      return;
    }
    // A VM exit has saved the shadow with the guest; otherwise it ends here too.
    if (!cpu.vmExitPending) this.finishShadow(shadow);
    if (cpu.retiredBeforeFault > 0) this.retire(cpu.retiredBeforeFault);
    if (cpu.faulted) this.fault();
  }
  /** An instruction's fault. With CR0.NE clear a pending x87 exception is none: it goes out by FERR#, or is ignored. */
  private fault(): void {
    const cpu = this.cpu;
    cpu.points.drop();
    if (!isExternalError(cpu)) this.events.deliverPendingFault(cpu);
    else if (stopsForError(cpu)) this.frozen = true;
    else ignoringError(cpu.s, () => this.execute(1, 0));
  }
}
