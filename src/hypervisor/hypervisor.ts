// The hypervisor: takes a machine into VMX operation, builds domains on it and runs them in turn, from VM entry to VM exit and back.
// Domains of one vCPU, on one processor. Not who runs next (dispatcher.ts, scheduler.ts), the handlers (exits.ts), shadow paging (shadow/) or the interrupt
// assist (interrupts.ts). Xen: arch/x86/hvm/vmx/vmx.c (vmx_vmexit_handler), entry.S (vmx_asm_do_vmentry), common/domain.c, common/schedule.c.

import type { CpuModel } from '../machine/cpu/model.ts';
import type { Persistent, StateArray } from '../machine/snapshot.ts';
import { WIDE_ZERO } from '../machine/wide-number.ts';
import { ENTRY_FAILURE, exitReasonName } from '../machine/vmx/exit-reasons.ts';
import { Field } from '../machine/vmx/fields.ts';
import { INSTRUCTION_ERRORS } from '../machine/vmx/instruction-errors.ts';
import { IntrInfo } from '../machine/vmx/qualification.ts';
import type { BootImage } from './boot/image.ts';
import { type AccountSaved, DEFAULT_PROFILE, ExitAccount, type CostProfile } from './costs.ts';
import { Dispatcher, type DispatcherSaved } from './dispatcher.ts';
import { Domain, type DomainSaved, type VirtualPlatform } from './domain.ts';
import { exitHandlers, unhandledExit, type ExitHandler } from './exits.ts';
import { FrameAllocator } from './frames.ts';
import { Hypercalls, type HypercallHandler } from './hypercalls.ts';
import { InterruptAssist } from './interrupts.ts';
import type { Machine } from './machine.ts';
import type { HypervisorObserver } from './observer.ts';
import { P2m } from './p2m.ts';
import { runOutsideVmx } from './real-mode.ts';
import { fillBitmaps, setUpControls, setUpGuest } from './setup.ts';
import { DEFAULT_SHADOW_OPTIONS, MIN_POOL_PAGES, ShadowPaging, type ShadowOptions } from './shadow/paging.ts';
import { Vcpu } from './vcpu.ts';

/** The machine's first MiB has the physical devices' windows in it: the hypervisor leaves it alone. */
const FIRST_FRAME = 0x100;
/** Of a domain: VMCS, two I/O bitmaps, MSR bitmaps, PAE top level. One more is the VMXON region. */
const DOMAIN_FRAMES = 5;
/** Longest virtual time an idle guest may skip in one call of `run`, in cycles. */
const DEFAULT_IDLE_LIMIT = 10_000_000_000;

export interface HypervisorOptions {
  readonly costs?: CostProfile;
  readonly shadow?: ShadowOptions;
  /** Pages of the shadow pool; by default one for 16 pages of the domain, 256 to 4096. */
  readonly shadowPages?: number;
  /** Ports that the guest reaches without an exit (on the PHYSICAL bus); none by default. */
  readonly passedPorts?: readonly number[];
}

const poolPages = (domainBytes: number, options: HypervisorOptions): number =>
  options.shadowPages ?? Math.min(4096, Math.max(256, domainBytes >>> 16));

/** Machine memory that a hypervisor with domains of so many bytes each needs, in bytes. */
export const machineBytesFor = (domains: readonly number[], options: HypervisorOptions = {}): number =>
  domains.reduce(
    (bytes, domain) => bytes + (DOMAIN_FRAMES + poolPages(domain, options)) * 4096 + domain,
    (FIRST_FRAME + 1) * 4096,
  );

export type DomainResult =
  { readonly ok: true; readonly domain: Domain } | { readonly ok: false; readonly reason: string };

export interface DomainConfig {
  /** Domain number, 0-255, no other's; 0, the default, is the domain that may use the control interfaces. */
  readonly id?: number;
  readonly name: string;
  /** RAM in bytes, a multiple of 4096. */
  readonly memoryBytes: number;
  readonly boot: BootImage;
  /** Makes the domain's virtual PC; its bus answers for everything that is not RAM. */
  readonly platform: VirtualPlatform;
  /** Its part of the processor among the others', 256 by default, and the most it gets in percent; 0, the default: no limit (scheduler.ts). */
  readonly weight?: number;
  readonly cap?: number;
}

export interface HypervisorSaved {
  readonly account: AccountSaved;
  readonly charge: number;
  readonly charged: number;
  readonly dispatcher: DispatcherSaved;
  readonly domains: readonly DomainSaved[];
}

export class Hypervisor implements Persistent<HypervisorSaved> {
  readonly frames: FrameAllocator;
  readonly hypercalls = new Hypercalls();
  readonly account: ExitAccount;
  readonly dispatcher: Dispatcher;
  private readonly handlers: ReadonlyArray<ExitHandler | undefined>;
  /** What the present exit was charged, and all exits since the last entry. */
  private charge = 0;
  private charged = 0;
  /** Where the present call of `run` ends: in instructions, and in cycles. */
  private end = WIDE_ZERO;
  private endOfTime = WIDE_ZERO;
  /** The exit that is pending has been answered, without an entry after it. */
  private answered = false;

  constructor(
    readonly machine: Machine,
    model: CpuModel,
    private readonly observer: HypervisorObserver | null = null,
    private readonly options: HypervisorOptions = {},
  ) {
    this.frames = new FrameAllocator(FIRST_FRAME, machine.memory.bytes >>> 12);
    this.account = new ExitAccount(options.costs ?? DEFAULT_PROFILE);
    this.handlers = exitHandlers(model, this.hypercalls);
    this.dispatcher = new Dispatcher(machine, observer);
    const region = this.frames.allocate(1);
    if (region < 0) throw new Error('the machine has no memory for a VMXON region');
    machine.memory.write32(region * 4096, machine.vmx.capabilities.revisionId);
    if (machine.vmx.vmxon(region * 4096) !== 0) throw new Error('VMXON failed');
    // Nothing is to be done inside the processor's own exit.
    machine.vmx.root = { onVmExit: () => undefined, answer: () => this.answerAtOnce() };
  }

  get domains(): readonly Domain[] {
    return this.dispatcher.list;
  }
  /** Cycles in which all guests waited in HLT. Retired instructions are `machine.clock.now` minus this. */
  get idleCycles(): number {
    return this.dispatcher.idle;
  }

  /** Adds a hypercall: see hypercalls.ts. Throws if the number is taken. */
  registerHypercall(number: number, name: string, handler: HypercallHandler): void {
    this.hypercalls.register(number, name, handler);
  }

  /** Builds a domain, loads its image, sets up its VMCS; before anything has run. The reason of a failure is one sentence for a person. */
  createDomain(config: DomainConfig): DomainResult {
    const { machine, frames, observer } = this;
    const { id = 0, memoryBytes, platform } = config;
    if (this.domains.some((other) => other.id === id)) return { ok: false, reason: `there is a domain ${id} already` };
    const shadowPages = Math.max(MIN_POOL_PAGES, poolPages(memoryBytes, this.options));
    const gfns = memoryBytes >>> 12;
    const fixed = frames.allocate(DOMAIN_FRAMES);
    const pool = frames.allocate(shadowPages);
    const ram = frames.allocate(gfns);
    if (fixed < 0 || pool < 0 || ram < 0) {
      const have = `${frames.free * 4} KiB of machine memory are free`;
      return { ok: false, reason: `no memory for the domain: it needs ${gfns * 4} KiB and ${have}` };
    }
    const p2m = new P2m(machine, gfns, platform.bus);
    p2m.populate(ram);
    const domain = new Domain(id, config.name, memoryBytes, p2m, platform);
    const topMfn = fixed + 4;
    const shadow = new ShadowPaging(
      machine,
      p2m,
      pool,
      shadowPages,
      topMfn,
      this.options.shadow ?? DEFAULT_SHADOW_OPTIONS,
    );
    const vcpu = new Vcpu(domain, 0, machine, shadow, fixed * 4096);
    domain.vcpu = vcpu;
    domain.assist = new InterruptAssist(vcpu);
    domain.observer = observer;
    vcpu.access.observer = observer;

    const bitmaps = { ioBitmapA: fixed + 1, ioBitmapB: fixed + 2, msrBitmap: fixed + 3 };
    fillBitmaps(machine, bitmaps, this.options.passedPorts ?? []);
    machine.memory.write32(vcpu.vmcsAddress, machine.vmx.capabilities.revisionId);
    if (machine.vmx.vmclear(vcpu.vmcsAddress) !== 0 || machine.vmx.vmptrld(vcpu.vmcsAddress) !== 0) {
      throw new Error('VMCLEAR or VMPTRLD failed');
    }
    this.dispatcher.make(vcpu);
    for (const load of config.boot.loads) p2m.load(load.address, load.bytes);
    observer?.domainCreate(domain.id, memoryBytes >>> 10);
    setUpControls(machine.vmx, bitmaps, observer);
    setUpGuest(machine.vmx, config.boot.state);
    shadow.observer = observer;
    if (!vcpu.start(config.boot.state)) return { ok: false, reason: 'the shadow pool is too small' };
    this.dispatcher.add(domain, config.weight, config.cap);
    return { ok: true, domain };
  }

  /**
   * Runs the domains until they have retired `instructions` more, until `cycles` of virtual time have passed (idle time counts here), until all
   * wait for something that no timer brings, until a debugger's stop point is met, or until one of them stops. Slicing changes nothing: any sequence of calls gives the same run.
   */
  run(instructions: number, cycles = instructions + DEFAULT_IDLE_LIMIT): void {
    if (this.domains.every((domain) => domain.stopped !== undefined)) return;
    const { machine, dispatcher } = this;
    const vmx = machine.vmx;
    const endOfTime = machine.clock.now + cycles;
    this.end = machine.clock.now - dispatcher.idle + instructions;
    this.endOfTime = endOfTime;
    // Input from outside may have come since the last slice.
    dispatcher.lookAgain();
    if (vmx.nonRoot) this.armTimer(dispatcher.current!);
    while (this.goesOn()) {
      const vcpu = dispatcher.current!;
      vcpu.sliceEnd = Math.min(this.end + dispatcher.idle, endOfTime);
      if (dispatcher.takeOff(vcpu)) break;
      if (vcpu.exitWaits) {
        vcpu.exitWaits = false;
        this.answerExit(vcpu);
        continue;
      }
      if (
        !vmx.nonRoot &&
        vcpu.unfinishedIo.elements === 0 &&
        (vcpu.blocked || machine.clock.now >= dispatcher.lookAt)
      ) {
        if (!dispatcher.schedule(endOfTime)) break;
        continue;
      }
      if (vcpu.outsideVmx) {
        runOutsideVmx(vcpu.domain, this.handlers, Math.min(vcpu.sliceEnd, dispatcher.lookAt));
        if (vcpu.blocked) dispatcher.block(vcpu);
        continue;
      }
      if (vcpu.unfinishedIo.elements > 0) {
        this.answerExit(vcpu);
        continue;
      }
      if (!vmx.nonRoot && !this.enter(vcpu)) continue;
      if (vmx.nonRoot) machine.run(vcpu.sliceEnd);
      if (this.answered) {
        this.answered = false;
        continue;
      }
      if (!vmx.exitPending) break; // the end of the slice, or a stop that a debugger asked for
      this.handleExit(vcpu);
    }
    dispatcher.takeOff(dispatcher.current!);
    // Input that comes before the next slice happens now, not at the last exit.
    for (const { platform } of this.domains) platform.clock.set(machine.clock.now);
  }

  private goesOn(): boolean {
    const { clock, points } = this.machine;
    const { now } = clock;
    return now - this.dispatcher.idle < this.end && now < this.endOfTime && !points.halted;
  }

  /** What the loop above does from an exit to the entry behind it, for a processor that is still in its run loop. True if the guest runs again. */
  private answerAtOnce(): boolean {
    const vcpu = this.dispatcher.current!;
    this.handleExit(vcpu);
    this.answered = true;
    if (vcpu.exitWaits || vcpu.blocked || vcpu.outsideVmx || vcpu.unfinishedIo.elements > 0) return false;
    if (vcpu.domain.stopped !== undefined || this.machine.clock.now >= this.dispatcher.lookAt) return false;
    if (!this.goesOn() || !this.enter(vcpu)) return false;
    // An entry that fails late, or leaves at once, is an exit of its own.
    this.answered = false;
    return !this.machine.vmx.exitPending;
  }

  /**
   * The physical timer stands in for the virtual platform's next deadline, or brings the processor back to the hypervisor for another vCPU; an
   * interrupt that nobody has seen yet is due at once.
   */
  private armTimer({ domain }: Vcpu): void {
    const unseen = domain.platform.interrupts.intr && !domain.assist.windowRequested;
    const deadline = unseen ? this.machine.clock.now : domain.platform.clock.nextDeadline;
    this.machine.setTimer(Math.min(deadline, this.dispatcher.lookAt));
  }

  // ---- entry and exit -----------------------------------------------------------------------------------------------

  /** VM entry. False if the domain stopped. */
  private enter(vcpu: Vcpu): boolean {
    const { machine, observer } = this;
    const { domain } = vcpu;
    const vmx = machine.vmx;
    domain.crank(machine.clock.now);
    if (domain.stopped !== undefined) return false;
    domain.assist.assist();
    vcpu.shadow.tables.flushIfNeeded();
    this.armTimer(vcpu);
    if (observer !== null) {
      const info = vmx.vmread(Field.VM_ENTRY_INTR_INFO);
      const valid = IntrInfo.valid(info);
      const error = valid && IntrInfo.hasErrorCode(info) ? vmx.vmread(Field.VM_ENTRY_EXCEPTION_ERROR_CODE) : 0;
      const length = valid && IntrInfo.type(info) >= 4 ? vmx.vmread(Field.VM_ENTRY_INSTRUCTION_LEN) : 0;
      observer.vmEntry(vcpu.launched ? 0 : 1, valid ? info : 0, error, length, this.charged);
    }
    this.charged = 0;
    const result = vcpu.launched ? vmx.vmresume() : vmx.vmlaunch();
    if (result === 0) {
      vcpu.launched = true;
      return true;
    }
    const check = vmx.lastEntryFailure;
    const error = INSTRUCTION_ERRORS[result] ?? `VM-instruction error ${result}`;
    observer?.vmEntryFailure(0, 0, result, 0);
    domain.stop({
      kind: 'vm-entry-failure',
      message: `VM entry failed: ${error}`,
      details: check === undefined ? [] : [`SDM ${check.section}: ${check.rule}`],
    });
    return false;
  }

  private handleExit(vcpu: Vcpu): void {
    const { machine, observer } = this;
    const { domain } = vcpu;
    const vmx = machine.vmx;
    const word = vmx.vmread(Field.VM_EXIT_REASON);
    const reason = word & 0xffff;
    observer?.vmExit(word, vmx.exitInformation);
    this.charge = this.account.charge(reason);
    this.charged += this.charge;
    if ((word & ENTRY_FAILURE) !== 0) {
      this.entryFailed(domain, word);
      return;
    }
    domain.crank(machine.clock.now);
    vcpu.detail0 = 0;
    vcpu.detail1 = 0;
    vcpu.detail2 = 0;
    vcpu.eventDelivered = false;
    vcpu.exitWaits = machine.points.armed && machine.points.left(reason, vmx.vmread(Field.EXIT_QUALIFICATION));
    if (!vcpu.exitWaits) this.answerExit(vcpu);
  }

  /** The handler of the exit; it may need several slices. */
  private answerExit(vcpu: Vcpu): void {
    const { observer } = this;
    const { domain } = vcpu;
    const reason = vcpu.vmx.vmread(Field.VM_EXIT_REASON) & 0xffff;
    const handler = this.handlers[reason] ?? unhandledExit;
    const outcome = handler(vcpu);
    if (vcpu.unfinishedIo.elements > 0) return;
    observer?.handler(reason, outcome, this.charge, vcpu.detail0, vcpu.detail1, vcpu.detail2);
    if (domain.stopped !== undefined) return;
    domain.assist.reinject();
    if (vcpu.blocked) this.dispatcher.block(vcpu);
  }

  private entryFailed(domain: Domain, word: number): void {
    const vmx = this.machine.vmx;
    const check = vmx.lastEntryFailure;
    this.observer?.vmEntryFailure(word & 0xffff, vmx.vmread(Field.EXIT_QUALIFICATION), 0, 0);
    domain.stop({
      kind: 'vm-entry-failure',
      message: exitReasonName(word),
      details: check === undefined ? [] : [`SDM ${check.section}: ${check.rule}`],
    });
  }

  // ---- snapshots ----------------------------------------------------------------------------------------------------

  /** After the domains were made. Frames, hypercalls and bitmaps do not change any more. */
  saveState(): HypervisorSaved {
    const { charge, charged } = this;
    return {
      account: this.account.saveState(),
      charge,
      charged,
      dispatcher: this.dispatcher.saveState(),
      domains: this.domains.map((domain) => domain.saveState()),
    };
  }
  loadState(state: HypervisorSaved): void {
    this.account.loadState(state.account);
    this.charge = state.charge;
    this.charged = state.charged;
    for (const [i, domain] of state.domains.entries()) this.domains[i]!.loadState(domain);
    this.dispatcher.loadState(state.dispatcher);
  }
  get stateArrays(): readonly StateArray[] {
    return this.domains.flatMap((domain) => domain.stateArrays);
  }
  /** Calls back with the machine frames that the hypervisor has written since the last call in ways that the machine does not see. */
  takeWritten(visit: (mfn: number) => void): void {
    for (const { vcpu } of this.domains) vcpu.shadow.takeWritten(visit);
  }
}
