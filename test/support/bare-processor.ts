// A whole processor (translated code, MMU, run loop) on little RAM and without devices, for specs: flat ring-0 segments, faults go to a
// recorder instead of an IDT. Not the machine and not cpu-world.ts, which has no translated code.

import { Bus } from '../../src/machine/bus.ts';
import { Clock } from '../../src/machine/clock.ts';
import { buildProcessor } from '../../src/machine/cpu/build.ts';
import type { Cpu, Tiers } from '../../src/machine/cpu/cpu.ts';
import { CORE_DUO } from '../../src/machine/cpu/model.ts';
import type { Processor } from '../../src/machine/cpu/run.ts';
import { CS, DS, ES, FS, GS, SS, StateLayout } from '../../src/machine/cpu/state.ts';
import { PhysicalMemory } from '../../src/machine/memory.ts';

export interface RecordedFault {
  readonly vector: number;
  readonly error: number | undefined;
  /** CR2 of a #PF, DR6 bits of a #DB; else 0. */
  readonly address: number;
  readonly eip: number;
  readonly retired: number;
}

/** Where translated code and helpers keep what is no architectural state. */
const PAGE = 4096;

export class BareProcessor {
  readonly memory: PhysicalMemory;
  readonly bus = new Bus();
  readonly clock = new Clock();
  readonly processor: Processor;
  readonly cpu: Cpu;
  readonly faults: RecordedFault[] = [];
  /** What happens after a fault was recorded; by default the run stops. */
  onFault: (fault: RecordedFault) => void = () => {
    this.processor.stopRequested = true;
  };

  /** @param tiers which tiers execute (Cpu.tiers) */
  constructor(
    readonly bytes = 1 << 20,
    tiers: Tiers = 'adaptive',
  ) {
    this.memory = new PhysicalMemory(bytes);
    this.processor = buildProcessor(this.memory, this.bus, this.clock, CORE_DUO, {
      deliverPendingFault: (cpu) => {
        const s = cpu.s;
        const vector = s.get(StateLayout.faultVector) - 1;
        const error = s.get(StateLayout.faultHasError) ? s.get(StateLayout.faultError) : undefined;
        const address = vector === 14 || vector === 1 ? cpu.faultAddress : 0;
        cpu.clearFault();
        const fault = { vector, error, address, eip: s.eip, retired: this.processor.retired };
        this.faults.push(fault);
        this.onFault(fault);
        return true;
      },
      deliverEvent: () => true,
    });
    this.cpu = this.processor.cpu;
    this.cpu.tiers = tiers;
    this.reset();
  }

  /** Protected mode without paging, flat 4 GiB segments of level `cpl`, x87 and SSE on, RAM zero, time zero. */
  reset(cpl = 0): void {
    const { cpu, memory, processor } = this;
    const s = cpu.s;
    for (let page = 0; page < this.bytes / PAGE; page++) processor.forgetCode(page);
    memory.ram.fill(0);
    memory.u8.fill(0, StateLayout.gpr, StateLayout.end);
    cpu.mmu.flushAll();
    cpu.clearFault();
    cpu.timeless.reset();
    s.cr0 = 0x33;
    s.cr4 = 0x600;
    s.cpl = cpl;
    s.setSegment(CS, 8 | cpl, 0, 0xffffffff, 0xc09b | (cpl << 5));
    for (const segment of [ES, SS, DS, FS, GS]) s.setSegment(segment, 0x10 | cpl, 0, 0xffffffff, 0xc093 | (cpl << 5));
    s.set(StateLayout.fpuControl, 0x37f);
    s.set(StateLayout.mxcsr, 0x1f80);
    s.eflags = 2;
    cpu.modeDirty = true;
    processor.retired = 0;
    processor.stopRequested = false;
    this.clock.set(0);
    this.faults.length = 0;
  }

  /** Puts code or data into RAM, as a loader does. */
  load(address: number, bytes: ArrayLike<number>): void {
    this.memory.ram.set(bytes, address);
    for (let page = address >>> 12; page <= (address + bytes.length - 1) >>> 12; page++)
      this.processor.forgetCode(page);
  }

  /** Runs `count` cycles further. */
  run(count: number): void {
    this.processor.run(this.clock.now + count);
  }

  /** Registers by name, and a digest of RAM: everything a program can see. */
  state(): Record<string, unknown> {
    const s = this.cpu.s;
    let sum = 0x811c9dc5;
    const words = new Uint32Array(this.memory.memory.buffer, this.memory.ramBase, this.bytes / 4);
    for (let i = 0; i < words.length; i++) {
      const word = words[i]!;
      if (word !== 0) sum = Math.imul(sum ^ word ^ Math.imul(i, 0x9e3779b1), 0x01000193) ^ (sum >>> 15);
    }
    return {
      gpr: Array.from({ length: 8 }, (_, i) => s.gpr(i)),
      eip: s.eip,
      eflags: s.eflags,
      retired: this.processor.retired,
      now: this.clock.now,
      activity: s.get(StateLayout.activity),
      interruptibility: s.get(StateLayout.interruptibility),
      ram: sum >>> 0,
      xmm: Array.from({ length: 8 }, (_, i) => s.u32[(StateLayout.xmm >> 2) + i * 4]),
    };
  }
}
