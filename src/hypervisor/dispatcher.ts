// Whose turn on the processor it is: carries out what the scheduler chooses, wakes vCPUs that sleep, and puts the processor to sleep where nobody
// can run. Not the choice (scheduler.ts) and not what a vCPU does while it runs (hypervisor.ts). Xen: common/schedule.c, arch/x86/domain.c
// (context_switch).

import { Flag } from '../machine/cpu/state.ts';
import type { Persistent } from '../machine/snapshot.ts';
import { Field } from '../machine/vmx/fields.ts';
import { WIDE_ZERO } from '../machine/wide-number.ts';
import type { Domain } from './domain.ts';
import { GuestContext } from './guest-context.ts';
import type { Machine } from './machine.ts';
import { type HypervisorObserver, RunState } from './observer.ts';
import { CreditScheduler, type SchedulerSaved } from './scheduler.ts';
import type { Vcpu } from './vcpu.ts';

export interface DispatcherSaved {
  readonly idle: number;
  readonly current: number;
  readonly lookAt: number;
  readonly started: boolean;
  readonly scheduler: SchedulerSaved;
}

export class Dispatcher implements Persistent<DispatcherSaved> {
  /** In the order in which they were made, which is how the scheduler counts. */
  readonly list: Domain[] = [];
  /** The vCPU whose state the processor has: the one that runs, or the last one that did. Undefined before the first domain is made. */
  current: Vcpu | undefined;
  /** From which cycle on somebody else may have to run; with one domain never. */
  lookAt = WIDE_ZERO;
  /** Cycles in which no guest ran. */
  idle = WIDE_ZERO;
  /** Told whose doings the observer hears of from now on. */
  onSubject: ((vcpu: Vcpu) => void) | undefined;
  private readonly scheduler = new CreditScheduler();
  /** What a processor has for a guest that was never on it. */
  private readonly fresh = new GuestContext();
  /** The running guest's registers while another's are looked at. */
  private readonly aside = new GuestContext();
  /** A vCPU has been put on the processor. */
  private started = false;
  /** `current` is only looked at: the guest that the processor has left off in, if it has, is another. */
  private examines = false;

  constructor(
    private readonly machine: Machine,
    private readonly observer: HypervisorObserver | null,
  ) {
    this.fresh.save(machine.state);
  }

  /** A vCPU is being made, on a processor as RESET leaves it. Its VMCS is current. */
  make(vcpu: Vcpu): void {
    const { machine } = this;
    this.current?.context.save(machine.state);
    this.fresh.load(machine.state);
    this.current = vcpu;
    machine.points.domain = vcpu.domain.id;
    this.onSubject?.(vcpu);
  }
  /** It is made, and can run. */
  add(domain: Domain, weight?: number, cap?: number): void {
    this.list.push(domain);
    this.scheduler.add(weight, cap);
  }
  weightOf(domain: Domain): number {
    return this.scheduler.weightOf(this.list.indexOf(domain));
  }

  /** Input from outside may have come: a sleeping domain may have to wake. */
  lookAgain(): void {
    if (this.started) this.lookAt = Math.min(this.lookAt, this.nextLook());
  }

  /** Wakes who has got an interrupt, and puts on the processor whose turn it is. False: nobody can run, and nothing in sight changes that. */
  schedule(endOfTime: number): boolean {
    const { machine, scheduler, list } = this;
    for (const { vcpu } of list) if (vcpu.states.state === RunState.BLOCKED) this.wake(vcpu);
    this.onSubject?.(this.current!);
    if (this.ended()) return false;
    const { now } = machine.clock;
    if (scheduler.mustChoose(now)) {
      const chosen = scheduler.choose(now);
      if (chosen >= 0) this.put(list[chosen]!.vcpu);
      for (const { vcpu } of list)
        if (!vcpu.blocked && vcpu.states.state === RunState.BLOCKED) this.change(vcpu, RunState.RUNNABLE);
      this.onSubject?.(this.current!);
      if (chosen < 0) return this.sleep(endOfTime);
    }
    this.lookAt = this.nextLook();
    return true;
  }
  /** A domain has stopped that nobody has taken off the processor yet. */
  private ended(): boolean {
    let ended = false;
    for (const { vcpu } of this.list) if (this.takeOff(vcpu)) ended = true;
    return ended;
  }
  /** True if the vCPU's domain has stopped since this was last asked. */
  takeOff(vcpu: Vcpu): boolean {
    if (vcpu.domain.stopped === undefined || vcpu.states.state === RunState.OFFLINE) return false;
    this.scheduler.sleep(this.list.indexOf(vcpu.domain), this.machine.clock.now);
    vcpu.states.change(RunState.OFFLINE, this.machine.clock.now);
    this.lookAt = 0;
    return true;
  }
  block(vcpu: Vcpu): void {
    this.scheduler.sleep(this.list.indexOf(vcpu.domain), this.machine.clock.now);
    this.change(vcpu, RunState.BLOCKED);
  }
  /** A vCPU in HLT, if its platform has an interrupt for it. One that can take none will sleep for ever. */
  private wake(vcpu: Vcpu): void {
    const { machine } = this;
    const { domain } = vcpu;
    this.onSubject?.(vcpu);
    domain.crank(machine.clock.now);
    if (domain.stopped !== undefined) return;
    if (vcpu === this.current && (machine.vmx.vmread(Field.GUEST_RFLAGS) & Flag.IF) === 0) {
      domain.stop({ kind: 'shutdown', message: 'the guest halted with interrupts disabled', details: [] });
      return;
    }
    if (!domain.platform.interrupts.intr) return;
    vcpu.blocked = false;
    this.scheduler.wake(this.list.indexOf(domain), machine.clock.now);
  }
  /** VMPTRLD and the registers that the VMCS does not have. Without VPID, entering another guest drops all translations. */
  private put(vcpu: Vcpu): void {
    const { machine } = this;
    const last = this.current!;
    if (vcpu !== last) {
      if (last.states.state === RunState.RUNNING) this.change(last, RunState.RUNNABLE);
      last.context.save(machine.state);
      if (machine.vmx.vmptrld(vcpu.vmcsAddress) !== 0) throw new Error('VMPTRLD failed');
      vcpu.context.load(machine.state);
      machine.flushGuestTlb(true);
      last.shadow.tables.translationsGone();
      vcpu.shadow.tables.translationsGone();
      this.current = vcpu;
      machine.points.switched(vcpu.domain.id);
    }
    // The first one runs from the start.
    if (this.started) {
      if (vcpu.states.state !== RunState.RUNNING) this.change(vcpu, RunState.RUNNING);
    } else vcpu.states.change(RunState.RUNNING, machine.clock.now);
    this.started = true;
  }
  /** Calls `act`; what is observed meanwhile is the doing of that vCPU. */
  attribute(vcpu: Vcpu, act: () => void): void {
    this.onSubject?.(vcpu);
    act();
    this.onSubject?.(this.current!);
  }
  /** Calls `act` with a vCPU's registers and VMCS on the processor, then puts back what was there. For who looks from outside: nothing runs meanwhile. */
  examine<T>(vcpu: Vcpu, act: () => T): T {
    const { machine } = this;
    const last = this.current!;
    if (vcpu === last) return act();
    const { state, vmx } = machine;
    this.aside.save(state);
    vcpu.context.load(state);
    vmx.vmptrld(vcpu.vmcsAddress);
    this.current = vcpu;
    this.examines = true;
    try {
      return act();
    } finally {
      vcpu.context.save(state);
      this.aside.load(state);
      vmx.vmptrld(last.vmcsAddress);
      this.current = last;
      this.examines = false;
    }
  }
  /** Whether the processor, if it is in VMX non-root operation, is there as this vCPU: others have their state in their VMCS. */
  isInGuest(vcpu: Vcpu): boolean {
    return vcpu === this.current && !this.examines;
  }
  private change(vcpu: Vcpu, state: number): void {
    const old = vcpu.states.state;
    vcpu.states.change(state, this.machine.clock.now);
    this.onSubject?.(vcpu);
    this.observer?.runState(old, state);
  }
  /** When the scheduler has to look again: at the end of a slice, or when a sleeping domain's platform has something to do. */
  private nextLook(): number {
    let at = this.scheduler.due;
    for (const { vcpu, platform } of this.list) {
      if (!vcpu.blocked || vcpu === this.current) continue;
      at = Math.min(at, platform.interrupts.intr ? this.machine.clock.now : platform.clock.nextDeadline);
    }
    return at;
  }
  /** Nobody can run: the processor sleeps to the next deadline. False: nothing that can wake anybody is in sight. */
  private sleep(endOfTime: number): boolean {
    const { machine } = this;
    let deadline = this.scheduler.due;
    for (const { vcpu, platform } of this.list)
      if (vcpu.blocked) deadline = Math.min(deadline, platform.clock.nextDeadline);
    this.lookAt = 0;
    if (deadline === Infinity) return false;
    machine.setTimer(deadline);
    const before = machine.clock.now;
    machine.halt(Math.min(deadline, endOfTime));
    this.idle += machine.clock.now - before;
    return machine.clock.now < endOfTime;
  }

  saveState(): DispatcherSaved {
    const { idle, lookAt, started } = this;
    const current = this.list.indexOf(this.current!.domain);
    return { idle, current, lookAt, started, scheduler: this.scheduler.saveState() };
  }
  /** After the domains. */
  loadState({ idle, current, lookAt, started, scheduler }: DispatcherSaved): void {
    this.idle = idle;
    this.lookAt = lookAt;
    this.started = started;
    this.scheduler.loadState(scheduler);
    this.current = this.list[current]!.vcpu;
    this.machine.points.domain = this.current.domain.id;
    this.onSubject?.(this.current);
  }
}
