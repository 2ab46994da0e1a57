// The emulated machine as an executor: the processor alone with an interrupt source of the harness, or with the PC's devices.
// Not VMX non-root operation under the harness (vmx-executor.ts).

import type { Tiers } from '../../src/machine/cpu/cpu.ts';
import type { Timer } from '../../src/machine/clock.ts';
import { CPU_MODELS, type CpuModel } from '../../src/machine/cpu/model.ts';
import { initializeProcessor } from '../../src/machine/cpu/reset.ts';
import { CS, StateLayout } from '../../src/machine/cpu/state.ts';
import { PcPlatform } from '../../src/machine/devices/platform.ts';
import { VIDEO_BASE, VIDEO_BYTES, VideoMemory } from '../../src/machine/devices/video-memory.ts';
import { StateHash } from '../../src/machine/state-hash.ts';
import { VM_SUCCEED } from '../../src/machine/vmx/instruction-errors.ts';
import { PhysicalMachine } from '../../src/workers/physical-machine.ts';
import type { Executor } from './executor.ts';
import type { FuzzCase } from './fuzz-case.ts';
import { Place, RAM_BYTES } from './layout.ts';
import { guardViolations, illegalState, tlbViolations } from './legality.ts';
import { Random } from './random.ts';
import { writeHostState, writeGuestState } from './vmcs-state.ts';

const hex = (value: number): string => `0x${(value >>> 0).toString(16)}`;
const NAMES = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'];
const SEGMENTS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs', 'ldtr', 'tr'];

/** An INTR pin, and now and then the NMI pin, that goes up at cycles which the seed decides. */
class RandomInterrupts {
  intr = false;
  private r = new Random(0);
  private readonly timer: Timer;
  constructor(private readonly machine: PhysicalMachine) {
    this.timer = machine.clock.timer((now) => {
      if (this.r.chance(8)) machine.cpu.raiseNmi();
      else this.intr = true;
      machine.clock.arm(this.timer, now + this.r.between(1, 700));
    });
  }
  start(seed: number): void {
    this.r = new Random(seed, 7);
    this.intr = false;
    this.machine.clock.arm(this.timer, this.r.chance(60) ? this.r.between(1, 500) : Infinity);
  }
  acknowledge(): number {
    this.intr = false;
    return this.r.chance(95) ? 0x20 + this.r.below(16) : this.r.below(256);
  }
  state(): number[] {
    return [this.intr ? 1 : 0, this.timer.deadline];
  }
}

export class PhysicalExecutor implements Executor {
  readonly name: string;
  readonly exact = true;
  protected readonly machine: PhysicalMachine;
  private readonly random: RandomInterrupts | undefined;
  private readonly platform: PcPlatform | undefined;
  private readonly video = new VideoMemory();
  private readonly digest: StateHash;
  private readonly firstPlatform: readonly number[];
  private readonly firstVmx: readonly number[];
  protected ended: string | undefined;
  get tiers(): Tiers {
    return this.machine.cpu.tiers;
  }
  set tiers(tiers: Tiers) {
    this.machine.cpu.tiers = tiers;
    this.machine.cpu.modeDirty = true;
  }
  private serial = 0;
  /** What the TLB holds must equal a fresh walk. */
  protected tables = false;

  constructor(
    devices: boolean,
    readonly model: CpuModel['id'],
  ) {
    const machine = new PhysicalMachine(RAM_BYTES, CPU_MODELS[model]);
    this.machine = machine;
    this.name = `${devices ? 'machine' : 'processor'} ${model}`;
    this.digest = new StateHash(machine.memory.memory);
    if (devices) {
      machine.bus.claimMemory(VIDEO_BASE, VIDEO_BYTES, this.video);
      this.platform = new PcPlatform({
        bus: machine.bus,
        clock: machine.clock,
        memoryBytes: RAM_BYTES,
        read8: (physical) => this.video.read(physical - VIDEO_BASE, 1),
        onSerialByte: (byte) => (this.serial = (Math.imul(this.serial, 31) + byte) | 0),
        onDebugByte: (byte) => (this.serial = (Math.imul(this.serial, 37) + byte) | 0),
        onReset: () => this.end('reset'),
        onDebugExit: (value) => this.end(`debug exit ${value}`),
      });
      machine.cpu.interrupts = this.platform.interrupts;
    } else {
      this.random = new RandomInterrupts(machine);
      machine.cpu.interrupts = this.random;
    }
    this.firstPlatform = this.platform?.saveState() ?? [];
    this.firstVmx = machine.vmxUnit.saveState();
  }

  protected end(why: string): void {
    this.ended ??= why;
    this.machine.processor.stopRequested = true;
  }

  start(c: FuzzCase): void {
    const { machine, platform } = this;
    const { cpu, processor, memory } = machine;
    this.ended = undefined;
    this.serial = 0;
    this.tables = c.tablesProtected;
    processor.retired = 0;
    processor.stopRequested = false;
    machine.clock.set(0);
    machine.setTimer(Infinity);
    for (let page = 0; page < memory.bytes / 4096; page++) processor.forgetCode(page);
    memory.ram.fill(0);
    for (const { address, bytes } of c.memory) memory.ram.set(bytes, address);
    memory.ram.set(c.pieces.flat(), c.codeAddress);
    initializeProcessor(cpu);
    cpu.tripleFault = undefined;
    cpu.nmiUnblockedByIret = false;
    cpu.vmExitPending = false;
    cpu.faultAddress = 0;
    cpu.unfinished = false;
    cpu.enteredHandler = false;
    cpu.breakpoints.met = 0;
    machine.vmxUnit.root = undefined;
    machine.vmxUnit.loadState(this.firstVmx);
    machine.vmxUnit.lastEntryFailure = undefined;
    this.video.reset();
    if (platform !== undefined) {
      platform.loadState(this.firstPlatform);
      this.programDevices(new Random(c.seed, 8));
    }
    this.random?.start(c.seed);
    this.registersOf(c);
    cpu.mmu.loadState([0, 0, 0, 0, 0, 0, 0, 0]);
    if (c.paging === 'pae') {
      cpu.mmu.loadPdptes(c.state.cr3);
      cpu.clearFault();
    }
    if (c.vmxRoot) this.enterVmxRoot(c);
  }

  private registersOf(c: FuzzCase): void {
    const s = this.machine.state;
    const { state } = c;
    state.gpr.forEach((value, n) => s.setGpr(n, value));
    s.eip = state.eip;
    s.eflags = state.eflags;
    s.cpl = state.cpl;
    s.cr0 = state.cr0;
    s.cr3 = state.cr3;
    s.cr4 = state.cr4;
    state.segments.forEach((g, n) => s.setSegment(n, g.selector, g.base, g.limit, g.access));
    s.set(StateLayout.gdtrBase, state.gdtr.base);
    s.set(StateLayout.gdtrLimit, state.gdtr.limit);
    s.set(StateLayout.idtrBase, state.idtr.base);
    s.set(StateLayout.idtrLimit, state.idtr.limit);
    state.dr.forEach((value, n) => s.setDr(n, value));
    this.machine.cpu.modeDirty = true;
  }

  /** The interrupt controllers at vectors 20h and 28h, timer and real-time clock running. */
  private programDevices(r: Random): void {
    const { bus } = this.machine;
    for (const [port, base, wire] of [[0x20, 0x20, 4], [0xa0, 0x28, 2]] as const) {
      bus.out(port, 1, 0x11);
      bus.out(port + 1, 1, base);
      bus.out(port + 1, 1, wire);
      bus.out(port + 1, 1, r.chance(20) ? 3 : 1);
      bus.out(port + 1, 1, r.chance(80) ? 0 : r.below(256));
    } // prettier-ignore
    bus.out(0x43, 1, r.pick([0x34, 0x36, 0x30]));
    bus.out(0x40, 1, r.below(8));
    bus.out(0x40, 1, 0);
    if (r.chance(30)) this.platform!.typeSerial(r.bytes(3));
    if (r.chance(50)) bus.out(0x3f9, 1, r.below(16));
  }

  /** VMX root operation with a current VMCS that holds this program's own state as guest and as host. */
  private enterVmxRoot(c: FuzzCase): void {
    const { vmxUnit: vmx, memory, state: s } = this.machine;
    const revision = vmx.capabilities.revisionId;
    s.cr0 = (s.cr0 | 0x21) >>> 0;
    s.cr4 |= 0x2000;
    memory.write32(Place.vmxon, revision);
    memory.write32(Place.vmcs, revision);
    if (vmx.vmxon(Place.vmxon) !== VM_SUCCEED) throw new Error('VMXON failed');
    if (vmx.vmclear(Place.vmcs) !== VM_SUCCEED || vmx.vmptrld(Place.vmcs) !== VM_SUCCEED)
      throw new Error('VMPTRLD failed');
    const r = new Random(c.seed, 9);
    writeGuestState(vmx, c, r);
    writeHostState(vmx, c);
  }

  run(until: number): void {
    if (this.ended !== undefined) return;
    this.machine.processor.run(until);
    if (this.machine.state.get(StateLayout.activity) >= 2) this.ended ??= 'shutdown';
  }

  get now(): number {
    return this.machine.clock.now;
  }
  get retired(): number {
    return this.machine.processor.retired;
  }
  get halted(): boolean {
    return this.machine.state.get(StateLayout.activity) === 1;
  }
  get stopped(): string | undefined {
    return this.ended;
  }

  private words(): Record<string, readonly number[]> {
    const { machine } = this;
    const s = machine.state;
    const words: Record<string, readonly number[]> = {};
    NAMES.forEach((name, n) => (words[name] = [s.gpr(n)]));
    words['eip'] = [s.eip];
    words['eflags'] = [s.eflags];
    words['cpl'] = [s.cpl];
    SEGMENTS.forEach((name, n) => (words[name] = [s.selector(n), s.base(n), s.limit(n), s.access(n)]));
    for (const name of ['gdtrBase', 'gdtrLimit', 'idtrBase', 'idtrLimit'] as const)
      words[name] = [s.get(StateLayout[name])];
    for (const name of ['cr0', 'cr2', 'cr3', 'cr4', 'interruptibility', 'activity'] as const)
      words[name] = [s.get(StateLayout[name])];
    words['dr'] = [0, 1, 2, 3, 6, 7].map((n) => s.dr(n));
    words['fpu'] = [...s.u32.subarray(StateLayout.fpuRegisters >> 2, StateLayout.xmm >> 2)];
    words['xmm'] = [...s.u32.subarray(StateLayout.xmm >> 2, StateLayout.mxcsr >> 2)];
    words['mxcsr'] = [s.get(StateLayout.mxcsr)];
    words['msrs'] = [...s.u32.subarray(StateLayout.msrs >> 2, StateLayout.end >> 2)];
    words['pdptes'] = machine.cpu.mmu.saveState();
    words['vmx'] = machine.vmxUnit.saveState().map((value) => (value === Infinity ? -1 : value));
    words['devices'] = (this.platform?.saveState() ?? this.random!.state()).map((v) => (Number.isFinite(v) ? v : -1));
    words['serial'] = [this.serial];
    words['retired'] = [machine.processor.retired];
    words['now'] = [machine.clock.now];
    words['chain'] = (machine.cpu.tripleFault?.chain ?? []).flatMap((e) => [e.vector, e.errorCode ?? -1, e.eip]);
    return words;
  }
  private digestOf(use: (digest: StateHash) => void): string {
    this.digest.begin();
    use(this.digest);
    return this.digest.digest();
  }
  hash(): string {
    const { memory } = this.machine;
    return this.digestOf((digest) => {
      digest.memoryRange(memory.ramBase, memory.ramBase + memory.bytes);
      if (this.platform !== undefined) digest.add(this.video.saveState());
      for (const values of Object.values(this.words())) digest.add(values);
    });
  }
  registers(): Record<string, string> {
    const { memory } = this.machine;
    const shown: Record<string, string> = {};
    for (const [name, values] of Object.entries(this.words()))
      shown[name] = values
        .map((value) => (Number.isInteger(value) && value >= 0 ? value.toString(16) : String(value)))
        .join(' ');
    for (let page = 0; page < memory.bytes / 4096; page++) {
      const at = memory.ramBase + page * 4096;
      if (memory.u32.subarray(at >> 2, (at >> 2) + 1024).some((word) => word !== 0))
        shown[`page ${hex(page * 4096)}`] = this.digestOf((digest) => digest.memoryRange(at, at + 4096));
    }
    return shown;
  }
  violations(deep: boolean): string[] {
    const { cpu, clock, processor } = this.machine;
    const wrong = [...illegalState(cpu), ...guardViolations(cpu)];
    if (processor.retired > clock.now) wrong.push(`${processor.retired} instructions in ${clock.now} cycles`);
    if (deep)
      wrong.push(...tlbViolations(cpu, this.tables && (cpu.s.cr0 & 0x8000_0000) !== 0 && this.ended === undefined));
    return wrong;
  }
  /** A byte of a linear address, without a trace in TLB or page tables if the page is known. */
  where(): string {
    const s = this.machine.state;
    const { mmu, memory } = this.machine.cpu;
    const linear = (s.base(CS) + s.eip) >>> 0;
    const context = (this.machine.vmxUnit.nonRoot ? 2 : 0) + (s.cpl === 3 ? 1 : 0);
    const entry = memory.i32[(mmu.contextAddress(context) >> 2) + (linear >>> 12)]!;
    const host = entry === 0xfff ? memory.ramBase + linear : (entry + linear) >>> 0;
    const bytes = [...memory.u8.subarray(host, host + 10)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    return `${this.now} ${s.selector(CS).toString(16)}:${hex(s.eip)} (linear ${hex(linear)}${entry === 0xfff ? '?' : ''}) ${bytes}`;
  }
}
