// A processor on identity-mapped RAM for the specs of src/machine/cpu: GDT, LDT, IDT, TSSs and stacks at known places, and a memory
// whose pages can be taken away. Not the machine: no translated code, no devices.

import { Bus } from '../../src/machine/bus.ts';
import { Clock } from '../../src/machine/clock.ts';
import { Cpu, type Operands, Vector } from '../../src/machine/cpu/cpu.ts';
import type { Mmu } from '../../src/machine/cpu/mmu.ts';
import { Access, CS, DS, ES, ESP, FS, GS, LDTR, SS, StateLayout, TR } from '../../src/machine/cpu/state.ts';
import type { CpuModel } from '../../src/machine/cpu/model.ts';
import { PhysicalMemory } from '../../src/machine/memory.ts';
import { NO_VMX, type VmxHooks } from '../../src/machine/vmx/hooks.ts';

export const GDT = 0x1000;
export const GDT_LIMIT = 0x1ff;
export const IDT = 0x2000;
export const LDT = 0x3000;
export const LDT_LIMIT = 0x3f;
export const TSS_A = 0x4000;
export const TSS_B = 0x5000;
/** Top of the stack of a level; SS is flat. */
export const stackTop = (level: number): number => 0x10000 + level * 0x4000 + 0x3000;

/** Flat 32-bit segments of each level, RPL included, and the others that the GDT always has. */
export const code = (level: number): number => (0x08 + level * 0x10) | level;
export const data = (level: number): number => (0x10 + level * 0x10) | level;
export const CONFORMING = 0x48;
export const TSS_A_SELECTOR = 0x50;
export const TSS_B_SELECTOR = 0x58;
export const LDT_SELECTOR = 0x60;
/** Free for a test's own descriptors: 0x68 to 0x1f8. */
export const FREE = 0x68;

export interface DescriptorFields {
  readonly base?: number;
  /** Raw 20-bit limit. */
  readonly limit?: number;
  readonly type: number;
  readonly system?: boolean;
  readonly dpl?: number;
  readonly absent?: boolean;
  readonly wide?: boolean;
  readonly pages?: boolean;
}
export interface GateFields {
  readonly selector: number;
  readonly offset?: number;
  readonly type: number;
  readonly dpl?: number;
  readonly absent?: boolean;
  readonly parameters?: number;
}

/** What a helper is given, by default the two-byte instruction at EIP with 32-bit sizes. */
export type OperandFields = { -readonly [K in keyof Operands]?: Operands[K] };

export class CpuWorld {
  readonly memory = new PhysicalMemory(1 << 20);
  readonly cpu: Cpu;
  /** Page numbers that are not present, and those that are read-only even for the supervisor. */
  readonly absentPages = new Set<number>();
  readonly readOnlyPages = new Set<number>();
  /** Every access that was made with user rights, as page numbers. */
  readonly userPages = new Set<number>();
  /** What was asked of VMX and the memory, in order. */
  readonly log: string[] = [];

  constructor() {
    this.cpu = new Cpu(this.memory, new Bus(), new Clock(), { id: 'core-duo' } as CpuModel);
    const fault = (linear: number, write: boolean, user: boolean): void => {
      if (this.cpu.faulted) return;
      this.cpu.faultAddress = linear;
      this.cpu.raise(Vector.PF, (this.absent(linear) ? 0 : 1) | (write ? 2 : 0) | (user ? 4 : 0));
    };
    const mmu = {
      read: (linear: number, size: number, user: boolean): number => {
        if (user) this.userPages.add(linear >>> 12);
        if (this.absent(linear)) {
          fault(linear, false, user);
          return 0;
        }
        const m = this.memory;
        return size === 1 ? m.read8(linear) : size === 2 ? m.read16(linear) : m.read32(linear);
      },
      write: (linear: number, size: number, value: number, user: boolean): boolean => {
        if (user) this.userPages.add(linear >>> 12);
        if (this.absent(linear) || this.readOnlyPages.has(linear >>> 12)) {
          fault(linear, true, user);
          return false;
        }
        const m = this.memory;
        if (size === 1) m.write8(linear, value);
        else if (size === 2) m.write16(linear, value);
        else m.write32(linear, value);
        return true;
      },
      flushAll: () => this.log.push('flushAll'),
      flushNonGlobal: () => this.log.push('flushNonGlobal'),
      controlsChanged: () => this.log.push('controlsChanged'),
      loadPdptes: (cr3: number) => {
        this.log.push(`loadPdptes ${cr3.toString(16)}`);
        return true;
      },
    };
    this.cpu.mmu = mmu as unknown as Mmu;
    this.cpu.interrupts = { intr: false, acknowledge: () => 0 };
    this.reset();
  }

  /** Nothing is mapped above RAM. */
  private absent(linear: number): boolean {
    return this.absentPages.has(linear >>> 12) || linear >= this.memory.bytes;
  }

  hooks(some: Partial<VmxHooks>): void {
    this.cpu.vmx = { ...NO_VMX, ...some };
  }

  /** Protected mode at level `cpl`, the tables filled in, every register with a recognizable value. */
  reset(cpl = 0): void {
    const { cpu, memory } = this;
    const s = cpu.s;
    memory.ram.fill(0);
    memory.u8.fill(0, StateLayout.gpr, StateLayout.end);
    this.absentPages.clear();
    this.readOnlyPages.clear();
    this.userPages.clear();
    this.log.length = 0;
    cpu.vmx = NO_VMX;
    cpu.faultAddress = 0;
    cpu.tripleFault = undefined;
    cpu.nmiUnblockedByIret = false;
    s.cr0 = 0x31;
    s.set(StateLayout.gdtrBase, GDT);
    s.set(StateLayout.gdtrLimit, GDT_LIMIT);
    s.set(StateLayout.idtrBase, IDT);
    s.set(StateLayout.idtrLimit, 0x7ff);
    for (let level = 0; level < 4; level++) {
      this.segment(code(level), { type: 0xa, dpl: level, limit: 0xfffff, pages: true, wide: true });
      this.segment(data(level), { type: 0x2, dpl: level, limit: 0xfffff, pages: true, wide: true });
    }
    this.segment(CONFORMING, { type: 0xe, dpl: 0, limit: 0xfffff, pages: true, wide: true });
    this.segment(TSS_A_SELECTOR, { type: 0xb, system: true, base: TSS_A, limit: 0x20ff });
    this.segment(TSS_B_SELECTOR, { type: 0x9, system: true, base: TSS_B, limit: 0x67 });
    this.segment(LDT_SELECTOR, { type: 0x2, system: true, base: LDT, limit: LDT_LIMIT });
    for (let level = 0; level < 3; level++) {
      memory.write32(TSS_A + 4 + level * 8, stackTop(level));
      memory.write16(TSS_A + 8 + level * 8, data(level));
    }
    s.setSegment(TR, TSS_A_SELECTOR, TSS_A, 0x20ff, 0x8b);
    s.setSegment(LDTR, LDT_SELECTOR, LDT, LDT_LIMIT, 0x82);
    for (let i = 0; i < 8; i++) s.setGpr(i, 0x11111111 * (i + 1));
    s.eflags = 0x202;
    s.eip = 0x8000;
    this.level(cpl);
  }

  /** Puts the processor at a level with that level's flat segments and stack. */
  level(cpl: number): void {
    const s = this.cpu.s;
    s.cpl = cpl;
    s.setSegment(CS, code(cpl), 0, 0xffffffff, 0xc09b | (cpl << 5));
    for (const register of [ES, SS, DS, FS, GS]) s.setSegment(register, data(cpl), 0, 0xffffffff, 0xc093 | (cpl << 5));
    s.setGpr(ESP, stackTop(cpl));
    this.cpu.modeDirty = false;
  }

  /** Real mode, paragraphs everywhere, interrupt vectors at 0. */
  real(): void {
    const s = this.cpu.s;
    s.cr0 = 0x30;
    s.cpl = 0;
    for (let i = 0; i < 6; i++) s.setSegment(i, 0x1000 + i * 0x100, 0x10000 + i * 0x1000, 0xffff, 0x93);
    s.set(StateLayout.idtrBase, 0);
    s.set(StateLayout.idtrLimit, 0x3ff);
    s.setGpr(ESP, 0x0800);
    s.eip = 0x0100;
  }

  /** Virtual-8086 mode. */
  virtual8086(iopl: number): void {
    const s = this.cpu.s;
    s.cpl = 3;
    for (let i = 0; i < 6; i++) s.setSegment(i, 0x2000 + i * 0x100, 0x20000 + i * 0x1000, 0xffff, 0xf3);
    s.eflags = 0x20202 | (iopl << 12);
    s.setGpr(ESP, 0x0800);
    s.eip = 0x0100;
  }

  private write(address: number, low: number, high: number): void {
    this.memory.write32(address, low >>> 0);
    this.memory.write32(address + 4, high >>> 0);
  }
  private address(selector: number): number {
    return (selector & 4 ? LDT : GDT) + (selector & 0xfff8);
  }

  segment(selector: number, f: DescriptorFields): void {
    const { base = 0, limit = 0xffff, dpl = 0 } = f;
    const rights = f.type | (f.system ? 0 : 0x10) | (dpl << 5) | (f.absent ? 0 : 0x80);
    const high =
      (base & 0xff000000) | ((base >>> 16) & 0xff) | (rights << 8) | (limit & 0xf0000) |
      (f.wide ? 1 << 22 : 0) | (f.pages ? 1 << 23 : 0); // prettier-ignore
    this.write(this.address(selector), ((base & 0xffff) << 16) | (limit & 0xffff), high);
  }
  private gateAt(address: number, g: GateFields): void {
    const { offset = 0x9000, dpl = 0, parameters = 0 } = g;
    const rights = g.type | (dpl << 5) | (g.absent ? 0 : 0x80);
    this.write(address, (g.selector << 16) | (offset & 0xffff), (offset & 0xffff0000) | (rights << 8) | parameters);
  }
  gate(selector: number, g: GateFields): void {
    this.gateAt(this.address(selector), g);
  }
  interrupt(vector: number, g: GateFields): void {
    this.gateAt(IDT + vector * 8, g);
  }
  /** The access byte of a descriptor in memory. */
  rights(selector: number): number {
    return this.memory.read8(this.address(selector) + 5);
  }

  /** Operands; `cpu.nextEip` is preset as the run loop does. */
  op(fields: OperandFields = {}): Operands {
    const op: Operands = {
      eip: this.cpu.s.eip, length: 2, size: 32, addressSize: 32, reg: 0, rm: 0, memory: false, segment: DS, offset: 0, imm: 0, imm2: 0, opcode: 0, modrm: 0,
      rep: 0, ...fields,
    }; // prettier-ignore
    this.cpu.nextEip = op.eip + op.length;
    return op;
  }

  /** Everything that a failed instruction must not have changed. */
  snapshot(): string {
    const s = this.cpu.s;
    const registers: Record<string, unknown> = {
      eip: s.eip,
      eflags: s.eflags,
      cpl: s.cpl,
      cr0: s.cr0,
      cr3: s.cr3,
      dr7: s.dr(7),
    };
    for (let i = 0; i < 8; i++) registers[`r${i}`] = s.gpr(i);
    for (let i = 0; i < 8; i++) registers[`s${i}`] = [s.selector(i), s.base(i), s.limit(i), s.access(i)];
    return JSON.stringify(registers);
  }

  /** The fault in the mailbox: [vector, error code or undefined], and takes it out. */
  fault(): [number, number | undefined] | undefined {
    const s = this.cpu.s;
    if (!this.cpu.faulted) return undefined;
    const vector = s.get(StateLayout.faultVector) - 1;
    const error = s.get(StateLayout.faultHasError) ? s.get(StateLayout.faultError) : undefined;
    this.cpu.clearFault();
    return [vector, error];
  }

  usable(segment: number): boolean {
    return (this.cpu.s.access(segment) & Access.UNUSABLE) === 0;
  }
  push32(...values: readonly number[]): void {
    const s = this.cpu.s;
    for (const value of values) {
      s.setGpr(ESP, s.gpr(ESP) - 4);
      this.memory.write32(s.base(SS) + s.gpr(ESP), value >>> 0);
    }
  }
  push16(...values: readonly number[]): void {
    const s = this.cpu.s;
    for (const value of values) {
      s.setGpr(ESP, s.gpr(ESP) - 2);
      this.memory.write16(s.base(SS) + s.gpr(ESP), value & 0xffff);
    }
  }
  /** Values from the top of the present stack upwards. */
  stack(count: number, size: 2 | 4 = 4): number[] {
    const s = this.cpu.s;
    return Array.from({ length: count }, (_, i) => {
      const at = s.base(SS) + ((s.gpr(ESP) + i * size) & this.cpu.stackMask);
      return size === 4 ? this.memory.read32(at) : this.memory.read16(at);
    });
  }
}
