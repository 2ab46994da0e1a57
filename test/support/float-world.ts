// A processor without paging that executes single instructions from their bytes, for the specs of x87 and SSE: through the decoder and the
// run loop, with faults caught before delivery. Not the machine: no devices, no interrupt table.

import { Bus } from '../../src/machine/bus.ts';
import { Clock } from '../../src/machine/clock.ts';
import { buildProcessor } from '../../src/machine/cpu/build.ts';
import type { Cpu } from '../../src/machine/cpu/cpu.ts';
import type { CpuModel } from '../../src/machine/cpu/model.ts';
import type { Processor } from '../../src/machine/cpu/run.ts';
import { Cr0, Cr4, CS, type CpuState, DS, ES, SS, StateLayout } from '../../src/machine/cpu/state.ts';
import { initialize } from '../../src/machine/cpu/x87/control.ts';
import { PhysicalMemory } from '../../src/machine/memory.ts';

/** Where the specs' operands lie. */
export const DATA = 0x4000;

/** The transcendental instructions of the x87 by mnemonic, with their bytes. */
export const TRANSCENDENTALS = {
  fsin: 'd9 fe',
  fcos: 'd9 ff',
  fsincos: 'd9 fb',
  fptan: 'd9 f2',
  fpatan: 'd9 f3',
  f2xm1: 'd9 f0',
  fyl2x: 'd9 f1',
  fyl2xp1: 'd9 f9',
} as const;

export class FloatWorld {
  static readonly CODE = 0x1000;
  /** How often `loop` executes its instruction. */
  static readonly LOOPS = 40;
  readonly memory = new PhysicalMemory(1 << 20);
  readonly cpu: Cpu;
  readonly processor: Processor;
  private fault: number | undefined;
  private looped = '';

  constructor() {
    this.processor = buildProcessor(this.memory, new Bus(), new Clock(), { id: 'core-duo' } as CpuModel, {
      deliverPendingFault: (cpu) => {
        this.fault = cpu.s.get(StateLayout.faultVector) - 1;
        cpu.clearFault();
        return true;
      },
      deliverEvent: () => true,
    });
    this.cpu = this.processor.cpu;
    this.reset();
  }
  get s(): CpuState {
    return this.cpu.s;
  }
  /** Flat 32-bit protected mode, x87 and SSE usable, everything masked. */
  reset(): void {
    const s = this.s;
    s.cr0 = Cr0.PE | Cr0.MP | Cr0.NE | Cr0.ET;
    s.cr4 = Cr4.OSFXSR | Cr4.OSXMMEXCPT;
    s.setSegment(CS, 8, 0, 0xffffffff, 0xc09b);
    for (const segment of [DS, ES, SS]) s.setSegment(segment, 16, 0, 0xffffffff, 0xc093);
    s.eflags = 0x202;
    s.u8.fill(0, StateLayout.xmm, StateLayout.xmm + 128);
    s.set(StateLayout.mxcsr, 0x1f80);
    initialize(s);
    this.cpu.modeDirty = true;
  }
  /** Executes one instruction given as hex bytes; EBX holds DATA. The vector of its fault, or undefined. */
  run(hex: string): number | undefined {
    const s = this.s;
    this.load(hex);
    s.eip = FloatWorld.CODE;
    s.setGpr(3, DATA);
    this.fault = undefined;
    this.processor.step();
    return this.fault;
  }
  /** Puts code, given as hex bytes, at CODE. */
  load(hex: string): void {
    this.looped = '';
    const at = this.s.base(CS) + FloatWorld.CODE;
    const bytes = hex.split(' ').map((byte) => parseInt(byte, 16));
    this.processor.forgetCode(at >>> 12);
    bytes.forEach((byte, i) => this.memory.write8(at + i, byte));
  }
  /** The instruction (no jump, nothing that needs EDX) LOOPS times in a loop, in the region tier or without it. The code stays for the next call. */
  loop(hex: string, tiers: 'eager' | 'threaded'): void {
    const { cpu, s } = this;
    cpu.tiers = tiers;
    cpu.modeDirty = true;
    if (hex !== this.looped) {
      const back = 256 - hex.split(' ').length - 3;
      // dec edx; jnz back; hlt, where the region ends: else the longest way through it would not fit into the run
      this.load(`${hex} 4a 75 ${back.toString(16)} f4`);
    }
    this.looped = hex;
    s.eip = FloatWorld.CODE;
    s.setGpr(2, FloatWorld.LOOPS);
    this.processor.run(cpu.clock.now + 3 * FloatWorld.LOOPS);
    cpu.tiers = 'adaptive';
    if (s.gpr(2) !== 0) throw new Error(`${s.gpr(2)} rounds of ${hex} are missing`);
  }
  /** Little-endian value at DATA + offset. */
  word(offset: number): number {
    return this.memory.read16(DATA + offset);
  }
  dword(offset: number): number {
    return this.memory.read32(DATA + offset);
  }
  double(offset: number): number {
    return this.s.view.getFloat64(this.memory.ramBase + DATA + offset, true);
  }
  setDouble(offset: number, value: number): void {
    this.s.view.setFloat64(this.memory.ramBase + DATA + offset, value, true);
  }
  /** FLD m64, `code`, FSTP m64: a function of one double. */
  apply(code: string, value: number): number {
    initialize(this.s);
    this.setDouble(0, value);
    this.run('dd 03');
    this.run(code);
    this.run('dd 1b');
    return this.double(0);
  }
}
