// A domain: an isolated guest with its memory, its virtual platform and its vCPU. Not the loop that runs it (hypervisor.ts).
// Xen: struct domain in xen/include/xen/sched.h.

import type { Bus } from '../machine/bus.ts';
import type { Clock } from '../machine/clock.ts';
import type { InterruptSource } from '../machine/cpu/cpu.ts';
import type { Persistent, StateArray } from '../machine/snapshot.ts';
import { EXCEPTION_NAMES, IntrInfo } from '../machine/vmx/qualification.ts';
import { Field } from '../machine/vmx/fields.ts';
import { LivelockWatch } from './exits/page-fault.ts';
import type { InterruptAssist } from './interrupts.ts';
import { type HypervisorObserver, ShutdownReason } from './observer.ts';
import type { P2m } from './p2m.ts';
import type { Vcpu, VcpuSaved } from './vcpu.ts';

/** The virtual PC of a domain: a second instance of what the bare machine has, on its own bus and clock. */
export interface VirtualPlatform {
  readonly bus: Bus;
  /** Guest time. The hypervisor sets it to physical time at every exit and runs what is due. */
  readonly clock: Clock;
  /** The output of the virtual interrupt controller. */
  readonly interrupts: InterruptSource;
}

export type DomainStopKind =
  /** The guest asked for it (sched_op shutdown, or halted for good). */
  | 'shutdown'
  | 'reboot'
  | 'triple-fault'
  | 'vm-entry-failure'
  /** The hypervisor cannot go on: says what and where. */
  | 'unsupported'
  /** Stopped from outside: debug-exit port, user. */
  | 'external';

export interface DomainStop {
  readonly kind: DomainStopKind;
  /** One sentence for a person. Addresses are left to the joiner to symbolise: see `rip`. */
  readonly message: string;
  readonly details: readonly string[];
  /** Guest EIP at the stop. */
  readonly rip?: number;
}

const SHUTDOWN_REASON: Readonly<Record<DomainStopKind, number>> = {
  shutdown: ShutdownReason.POWEROFF,
  reboot: ShutdownReason.REBOOT,
  'triple-fault': ShutdownReason.CRASH,
  'vm-entry-failure': ShutdownReason.CRASH,
  unsupported: ShutdownReason.CRASH,
  external: ShutdownReason.POWEROFF,
};

const hex = (value: number): string => `0x${(value >>> 0).toString(16)}`;

export interface DomainSaved {
  readonly stopped: DomainStop | undefined;
  readonly livelock: readonly number[];
  readonly chain: Int32Array;
  readonly chainLength: number;
  readonly assist: readonly number[];
  readonly vcpu: VcpuSaved;
}

export class Domain implements Persistent<DomainSaved> {
  /** Undefined while the domain can run. */
  stopped: DomainStop | undefined;
  vcpu!: Vcpu;
  assist!: InterruptAssist;
  readonly livelock = new LivelockWatch();
  observer: HypervisorObserver | null = null;
  /** The last exceptions on their way to the guest, oldest first: the chain of a triple fault. Vector, error code (-1 none), EIP, CR2. */
  private readonly chain = new Int32Array(4 * 4);
  private chainLength = 0;

  constructor(
    readonly id: number,
    readonly name: string,
    readonly memoryBytes: number,
    readonly p2m: P2m,
    readonly platform: VirtualPlatform,
  ) {}

  /** Guest time follows physical time, and what is due on the virtual platform happens. */
  crank(now: number): void {
    const { clock } = this.platform;
    clock.set(now);
    if (clock.nextDeadline <= now) clock.runDue();
  }

  /** Stops the domain; the first reason stays. */
  stop(stop: DomainStop): void {
    if (this.stopped !== undefined) return;
    this.stopped = stop.rip === undefined ? { ...stop, rip: this.vcpu.rip } : stop;
    this.observer?.domainShutdown(this.id, SHUTDOWN_REASON[stop.kind]);
  }

  /** Remembers an exception that was seen on its way to the guest. */
  noteException(vector: number, errorCode: number, rip: number, address: number): void {
    const { chain } = this;
    for (let i = 0; i < 12; i++) chain[i] = chain[i + 4]!;
    chain[12] = vector;
    chain[13] = errorCode;
    chain[14] = rip;
    chain[15] = address;
    if (this.chainLength < 4) this.chainLength++;
  }

  /** A triple fault: by injection (then `vector` was the last straw) or seen by the processor. */
  stopTripleFault(vector = -1, errorCode = -1, address = 0): void {
    const details: string[] = [];
    const describe = (v: number, error: number, rip: number, cr2: number): string => {
      const name = EXCEPTION_NAMES[v] ?? `vector ${v}`;
      return `${name}${error === -1 ? '' : ` (error code ${hex(error)})`} at ${hex(rip)}${v === 14 ? `, CR2 ${hex(cr2)}` : ''}`;
    };
    for (let i = 4 - this.chainLength; i < 4; i++) {
      const at = i * 4;
      details.push(describe(this.chain[at]!, this.chain[at + 1]!, this.chain[at + 2]!, this.chain[at + 3]!));
    }
    const vmx = this.vcpu.vmx;
    const idtv = vmx.vmread(Field.IDT_VECTORING_INFO);
    if (IntrInfo.valid(idtv))
      details.push(`while delivering ${EXCEPTION_NAMES[IntrInfo.vector(idtv)] ?? `vector ${IntrInfo.vector(idtv)}`}`);
    if (vector >= 0) details.push(`then ${describe(vector, errorCode, this.vcpu.rip, address)}`);
    const idt = `IDT at ${hex(vmx.vmread(Field.GUEST_IDTR_BASE))}, limit ${hex(vmx.vmread(Field.GUEST_IDTR_LIMIT))}`;
    details.push(`${idt}, ESP ${hex(vmx.vmread(Field.GUEST_RSP))}`);
    this.stop({ kind: 'triple-fault', message: `triple fault at ${hex(this.vcpu.rip)}`, details });
  }

  /** Without the platform, which is its owner's, and without the p2m, which is all arrays. */
  saveState(): DomainSaved {
    return {
      stopped: this.stopped,
      livelock: this.livelock.saveState(),
      chain: this.chain.slice(),
      chainLength: this.chainLength,
      assist: this.assist.saveState(),
      vcpu: this.vcpu.saveState(),
    };
  }
  loadState(state: DomainSaved): void {
    this.stopped = state.stopped;
    this.livelock.loadState(state.livelock);
    this.chain.set(state.chain);
    this.chainLength = state.chainLength;
    this.assist.loadState(state.assist);
    this.vcpu.loadState(state.vcpu);
  }
  get stateArrays(): readonly StateArray[] {
    return [...this.p2m.stateArrays, ...this.vcpu.shadow.stateArrays];
  }
}
