// A guest of the hypervisor as an executor: a session with a kernel that does nothing, in whose place the case is put. Not the bare machine
// (physical-executor.ts) and not the boot protocols.

import type { Tiers } from '../../src/machine/cpu/cpu.ts';
import type { Domain } from '../../src/hypervisor/domain.ts';
import { CrLoad } from '../../src/hypervisor/observer.ts';
import { Field } from '../../src/machine/vmx/fields.ts';
import { createSession } from '../../src/workers/engine-session.ts';
import type { PhysicalMachine } from '../../src/workers/physical-machine.ts';
import type { Session } from '../../src/workers/session.ts';
import { saveSegments } from '../../src/machine/vmx/guest-segments.ts';
import type { Executor } from './executor.ts';
import type { FuzzCase } from './fuzz-case.ts';

const STOPS = ['debug-exit', 'power-off', 'reset', 'triple-fault', 'unsupported'];

/** A Multiboot kernel of one HLT: the session boots it, then the case takes its place before the first instruction. */
const kernel = (): Uint8Array => {
  const header = [0x1bad_b002, 0x1_0000, -(0x1bad_b002 + 0x1_0000), 0x10_0000, 0x10_0000, 0, 0, 0x10_0020];
  const bytes = new Uint8Array(0x40);
  new Uint32Array(bytes.buffer).set(header);
  bytes[0x20] = 0xf4;
  return bytes;
};

/** What the session is made of, reached from a test only. */
interface Inside {
  readonly machine: PhysicalMachine;
  readonly main: { readonly domain: Domain };
}

/** Memory and registers of the case, as the hypervisor keeps a guest: general registers live, the rest in the VMCS and the vCPU. */
const replaceGuest = ({ machine, main: { domain } }: Inside, c: FuzzCase): void => {
  const { vcpu, p2m } = domain;
  const { vmxUnit: vmx, state: s } = machine;
  const { state } = c;
  for (const { address, bytes } of c.memory) p2m.load(address, bytes);
  p2m.load(c.codeAddress, Uint8Array.from(c.pieces.flat()));
  state.gpr.forEach((value, n) => s.setGpr(n, value));
  state.segments.forEach((g, n) => s.setSegment(n, g.selector, g.base, g.limit, g.access));
  saveSegments(vmx);
  for (let n = 0; n < 4; n++) s.setDr(n, state.dr[n]!);
  for (const [field, value] of [
    [Field.GUEST_RIP, state.eip],
    [Field.GUEST_RSP, state.gpr[4]],
    [Field.GUEST_RFLAGS, state.eflags],
    [Field.GUEST_GDTR_BASE, state.gdtr.base],
    [Field.GUEST_GDTR_LIMIT, state.gdtr.limit],
    [Field.GUEST_IDTR_BASE, state.idtr.base],
    [Field.GUEST_IDTR_LIMIT, state.idtr.limit],
    [Field.GUEST_DR7, state.dr[7]],
  ] as const)
    vmx.vmwrite(field, value!);
  vcpu.writeCr4(state.cr4);
  vcpu.writeCr3(state.cr3);
  vcpu.writeCr0(state.cr0, CrLoad.MOV);
  vcpu.outsideVmx = !vcpu.canEnter;
};

export class HypervisorExecutor implements Executor {
  readonly name = 'hypervisor';
  /** A repeated string instruction on ports is done in one exit. */
  readonly exact = false;
  tiers: Tiers = 'adaptive';
  private session!: Session;
  private base = 0;

  start(c: FuzzCase): void {
    this.session = createSession({
      image: { name: 'fuzz', bytes: kernel() },
      cmdline: '',
      modules: [],
      memoryBytes: 4 << 20,
      cpu: c.cpu,
      bare: false,
      observe: 'none',
      stateHashEvery: 0,
      tiers: this.tiers,
    });
    this.base = 0;
    replaceGuest(this.session as unknown as Inside, c);
  }
  run(until: number): void {
    const { session } = this;
    if (session.stop !== undefined) return;
    const count = until - this.now;
    if (count <= 0) return;
    // Idle time counts: a guest in HLT gets on in time.
    session.run(count, count);
    if (session.waiting) this.base += until - this.now;
  }
  /** Cycles; what a waiting guest would have slept through is added. */
  get now(): number {
    return Math.round(this.session.counters().virtualSeconds * 1e9) + this.base;
  }
  get retired(): number {
    return this.session.counters().instructions;
  }
  get halted(): boolean {
    return this.session.waiting || this.session.domains()[0]!.vcpus[0]!.runState === 'blocked';
  }
  get stopped(): string | undefined {
    return this.session.stop?.kind;
  }
  hash(): string {
    return this.session.stateHash();
  }
  registers(): Record<string, string> {
    const { registers } = this.session.domains()[0]!.vcpus[0]!;
    const shown: Record<string, string> = {
      hash: this.hash(),
      instructions: String(this.retired),
      now: String(this.now),
    };
    for (const [name, value] of Object.entries(registers.general)) shown[name] = value.toString(16);
    for (const name of ['eip', 'eflags', 'cr0', 'cr2', 'cr3', 'cr4'] as const)
      shown[name] = registers[name].toString(16);
    return shown;
  }
  violations(): string[] {
    const { stop } = this.session;
    if (stop === undefined) return [];
    const wrong: string[] = [];
    if (!STOPS.includes(stop.kind)) wrong.push(`stop of unknown kind ${stop.kind}`);
    if (stop.message.trim() === '') wrong.push(`stop ${stop.kind} without a message`);
    if (stop.message.includes('undefined') || stop.message.includes('NaN')) wrong.push(`stop says "${stop.message}"`);
    return wrong;
  }
  where(): string {
    const { registers } = this.session.domains()[0]!.vcpus[0]!;
    return `${this.now} 0x${registers.eip.toString(16)}`;
  }
}
