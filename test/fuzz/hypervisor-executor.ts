// A guest of the hypervisor as an executor: the case becomes a Multiboot image, loaded at 1 MiB by the session as a user's kernel is,
// whose first instructions load the case's tables and registers. Not the bare machine (physical-executor.ts).

import { createSession } from '../../src/workers/engine-session.ts';
import type { Session } from '../../src/workers/session.ts';
import type { Executor } from './executor.ts';
import type { FuzzCase } from './fuzz-case.ts';
import { Place } from './layout.ts';

const BASE = 0x10_0000;
const BYTES = 0x5_1000;
const STOPS = ['debug-exit', 'power-off', 'reset', 'triple-fault', 'vm-entry-failure', 'unsupported'];

const little = (value: number, bytes = 4): number[] =>
  Array.from({ length: bytes }, (_, i) => (value >>> (8 * i)) & 0xff);

/** LGDT, LIDT, LTR and the general registers, then the code. */
const prologue = (c: FuzzCase, at: number): number[] => {
  const { gdtr, idtr, gpr, eip, segments } = c.state;
  const tables = at + 0x80;
  const bytes = [
    0x0f, 0x01, 0x15, ...little(tables), 0x0f, 0x01, 0x1d, ...little(tables + 8),
    0xea, ...little(at + 21), ...little(0x08, 2),
    0x66, 0xb8, ...little(segments[7]!.selector, 2), 0x80, 0x25, ...little(BASE + Place.gdt + 0x75), 0xfd, 0x0f, 0x00, 0xd8,
    0x66, 0xb8, ...little(0x10, 2), 0x8e, 0xd0, 0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xe0, 0x8e, 0xe8,
    ...gpr.flatMap((value, n) => [0xb8 | n, ...little(value)]),
    0xe9,
  ]; // prettier-ignore
  bytes.push(...little(eip - (at + bytes.length + 4)));
  const all = [...bytes, ...Array<number>(0x80 - bytes.length).fill(0x90)];
  return [...all, ...little(gdtr.limit, 2), ...little(gdtr.base), 0, 0, ...little(idtr.limit, 2), ...little(idtr.base)];
};

/** A flat image with the address fields of the Multiboot header. */
const image = (c: FuzzCase): Uint8Array => {
  const bytes = new Uint8Array(BYTES);
  for (const { address, bytes: block } of c.memory) bytes.set(block, address - BASE);
  bytes.set(c.pieces.flat(), c.codeAddress - BASE);
  const header = 0x800;
  const flags = 0x1_0000;
  const start = BASE + header + 0x40;
  const words = [0x1bad_b002, flags, -(0x1bad_b002 + flags), BASE + header, BASE, 0, 0, start];
  bytes.set(
    words.flatMap((word) => little(word)),
    header,
  );
  bytes.set(prologue(c, start), header + 0x40);
  return bytes;
};

export class HypervisorExecutor implements Executor {
  readonly name = 'hypervisor';
  private session!: Session;
  private base = 0;

  start(c: FuzzCase): void {
    this.session = createSession({
      image: { name: 'fuzz', bytes: image(c) },
      cmdline: '',
      modules: [],
      memoryBytes: 4 << 20,
      cpu: c.cpu,
      bare: false,
      observe: 'none',
      stateHashEvery: 0,
    });
    this.base = 0;
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
