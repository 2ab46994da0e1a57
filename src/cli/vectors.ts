// `kansoku vectors`: runs CPU test vectors (one instruction a case) on the processor alone and compares everything. Not a machine:
// no devices, no interrupts; faults are caught before delivery. Format: docs/vectors.md.

import { Bus } from '../machine/bus.ts';
import { Clock } from '../machine/clock.ts';
import { buildProcessor } from '../machine/cpu/build.ts';
import { CS, DS, ES, FS, GS, SS, Cr0, StateLayout } from '../machine/cpu/state.ts';
import { PhysicalMemory } from '../machine/memory.ts';
import { NO_VMX } from '../machine/vmx/hooks.ts';
import { EventType } from '../machine/vmx/qualification.ts';
import type { CpuModel } from '../machine/cpu/model.ts';
import type { Processor } from '../machine/cpu/run.ts';

interface Header {
  readonly format: string;
  readonly version: number;
  readonly context: string;
  readonly code: readonly [number, number];
  readonly data: readonly [number, number];
  readonly stack: readonly [number, number];
  /** What the generator was asked for; "approx" alone: results are compared within the architecture's tolerance. */
  readonly groups?: string;
}
interface FpuImage {
  readonly cw: number;
  readonly sw: number;
  readonly tw: number;
  readonly st: readonly string[];
}
type Image = Readonly<Record<string, number>> & {
  readonly mem?: readonly (readonly [number, string])[];
  readonly fpu?: FpuImage;
  readonly xmm?: readonly string[];
};
interface Case {
  readonly name: string;
  readonly bytes: string;
  readonly in: Image;
  readonly out: Image;
  readonly mask?: number;
  readonly swMask?: number;
  readonly ignore?: readonly (readonly [number, number])[];
  readonly fault?: { readonly vector: number; readonly error?: number; readonly address?: number };
}

const GENERAL = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'] as const;
const SEGMENTS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'] as const;
const AREAS = 3;
/** The model's answers do not matter here: vectors leave CPUID out. */
const BARE_MODEL: CpuModel = {
  id: 'core-duo',
  name: 'vectors',
  cpuid: new Map(),
  hasEpt: false,
} as unknown as CpuModel;
const RAM = 0x0100_0000;
const PAGE_DIRECTORY = 0x10_0000;
const FIRST_TABLE = 0x10_1000;
const FIRST_FRAME = 0x20_0000;
const GDT = 0x18_0000;

const bytesOf = (hex: string): Uint8Array =>
  Uint8Array.from({ length: hex.length / 2 }, (_, i) => parseInt(hex.slice(2 * i, 2 * i + 2), 16));
const hexOf = (bytes: Uint8Array): string => Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');

/** One processor, prepared for a file's header; runs its cases one after the other. */
export class VectorRunner {
  private readonly processor: Processor;
  private readonly memory = new PhysicalMemory(RAM);
  private readonly areas: readonly { address: number; bytes: number; frame: number }[];
  private readonly approximate: boolean;
  private fault: { vector: number; error: number | undefined; address: number } | undefined;

  constructor(private readonly header: Header) {
    this.approximate = header.groups === 'approx';
    if (header.context !== 'user32') throw new Error(`context ${header.context} is not supported by this version`);
    this.processor = buildProcessor(this.memory, new Bus(), new Clock(), BARE_MODEL, {
      deliverPendingFault: (cpu) => {
        const s = cpu.s;
        const vector = s.get(StateLayout.faultVector) - 1;
        const error = s.get(StateLayout.faultHasError) ? s.get(StateLayout.faultError) : undefined;
        this.fault = { vector, error, address: cpu.faultAddress };
        cpu.clearFault();
        return true;
      },
      deliverEvent: () => true,
    });
    // INT n, INT3 and INTO deliver inside their helper: the exception bitmap of this processor takes everything.
    this.processor.cpu.vmx = {
      ...NO_VMX,
      exitOnException: (vector, error, address, type = EventType.HARDWARE_EXCEPTION, length = 1) => {
        this.fault = { vector, error, address };
        const s = this.processor.cpu.s;
        if (type !== EventType.HARDWARE_EXCEPTION) s.eip = s.eip + length;
        return true;
      },
    };
    let frame = FIRST_FRAME;
    this.areas = [header.code, header.data, header.stack].map(([address, bytes]) => {
      const area = { address, bytes, frame };
      frame += bytes;
      return area;
    });
    this.mapAreas();
    this.mapGdt();
  }

  private mapAreas(): void {
    const m = this.memory;
    let nextTable = FIRST_TABLE;
    for (const { address, bytes, frame } of this.areas)
      for (let offset = 0; offset < bytes; offset += 4096) {
        const linear = address + offset;
        const pde = PAGE_DIRECTORY + (linear >>> 22) * 4;
        if (!(m.read32(pde) & 1)) {
          m.write32(pde, nextTable | 7);
          nextTable += 4096;
        }
        m.write32((m.read32(pde) & 0xfffff000) + ((linear >>> 12) & 0x3ff) * 4, (frame + offset) | 0x67);
      }
  }
  /** The GDT of the format's conventions, in a supervisor page: 23h code, 2Bh data, both DPL 3, accessed. */
  private mapGdt(): void {
    const m = this.memory;
    const table = 0x17_0000;
    m.write32(
      PAGE_DIRECTORY + (GDT >>> 22) * 4,
      m.read32(PAGE_DIRECTORY + (GDT >>> 22) * 4) & 1 ? m.read32(PAGE_DIRECTORY + (GDT >>> 22) * 4) : table | 7,
    );
    m.write32((m.read32(PAGE_DIRECTORY + (GDT >>> 22) * 4) & 0xfffff000) + ((GDT >>> 12) & 0x3ff) * 4, GDT | 0x63);
    m.write32(GDT + 0x20, 0x0000ffff);
    m.write32(GDT + 0x24, 0x00cffb00);
    m.write32(GDT + 0x28, 0x0000ffff);
    m.write32(GDT + 0x2c, 0x00cff300);
  }
  private physical(linear: number): number {
    for (const a of this.areas)
      if (linear >= a.address && linear < a.address + a.bytes) return a.frame + linear - a.address;
    throw new Error(`address ${linear.toString(16)} is in none of the areas`);
  }
  private clear(): void {
    for (const a of this.areas) this.memory.ram.fill(0, a.frame, a.frame + a.bytes);
  }

  private prepare(image: Image): void {
    const { cpu } = this.processor;
    const s = cpu.s;
    s.cr0 = Cr0.PE | Cr0.MP | Cr0.ET | Cr0.NE | Cr0.WP | Cr0.PG;
    s.cr4 = 0x600;
    s.cr3 = PAGE_DIRECTORY;
    s.cpl = 3;
    // GDT of the format's conventions: 23h code, 2Bh data, both DPL 3; 10h and 18h for ring 0.
    s.set(StateLayout.gdtrBase, GDT);
    s.set(StateLayout.gdtrLimit, 0x2f);
    // No gate lets user code through: INT n is #GP(8n+2), here by the limit as there by the DPL.
    s.set(StateLayout.idtrLimit, 0);
    s.setSegment(CS, 0x23, 0, 0xffffffff, 0xc0fb);
    for (const segment of [ES, SS, DS, FS, GS]) s.setSegment(segment, 0x2b, 0, 0xffffffff, 0xc0f3);
    GENERAL.forEach((name, i) => s.setGpr(i, image[name] ?? 0));
    s.eip = this.header.code[0];
    s.eflags = image['eflags'] ?? 0x202;
    s.set(StateLayout.activity, 0);
    s.set(StateLayout.interruptibility, 0);
    this.setFpu(image.fpu);
    for (let i = 0; i < 8; i++)
      s.u8.set(image.xmm === undefined ? new Uint8Array(16) : bytesOf(image.xmm[i]!), StateLayout.xmm + i * 16);
    s.set(StateLayout.mxcsr, image['mxcsr'] ?? 0x1f80);
    cpu.modeDirty = true;
  }
  private setFpu(fpu: FpuImage | undefined): void {
    const s = this.processor.cpu.s;
    s.set(StateLayout.fpuControl, fpu?.cw ?? 0x37f);
    const sw = fpu?.sw ?? 0;
    const tw = fpu?.tw ?? 0xffff;
    const top = (sw >> 11) & 7;
    s.set(StateLayout.fpuStatus, sw & ~0x3800);
    s.set(StateLayout.fpuTop, top);
    let tags = 0;
    for (let i = 0; i < 8; i++) if (((tw >> (2 * i)) & 3) !== 3) tags |= 1 << i;
    s.set(StateLayout.fpuTags, tags);
    for (let i = 0; i < 8; i++) {
      const at = StateLayout.fpuRegisters + ((top + i) & 7) * 16;
      s.u8.fill(0, at, at + 16);
      if (fpu !== undefined) s.u8.set(bytesOf(fpu.st[i]!), at);
    }
  }
  private fpuImage(): FpuImage {
    const s = this.processor.cpu.s;
    const top = s.get(StateLayout.fpuTop);
    const st: string[] = [];
    let tw = 0;
    const tags = s.get(StateLayout.fpuTags);
    for (let i = 0; i < 8; i++) {
      const at = StateLayout.fpuRegisters + ((top + i) & 7) * 16;
      st.push(hexOf(s.u8.subarray(at, at + 10)));
      const physical = StateLayout.fpuRegisters + i * 16;
      tw |= (tags & (1 << i) ? tagOf(s.u8.subarray(physical, physical + 10)) : 3) << (2 * i);
    }
    return { cw: s.get(StateLayout.fpuControl) & 0xffff, sw: s.get(StateLayout.fpuStatus) | (top << 11), tw, st };
  }

  /** Undefined if the case passed, else what differs. */
  run(test: Case): string | undefined {
    const { cpu } = this.processor;
    const s = cpu.s;
    this.clear();
    const code = bytesOf(test.bytes);
    this.memory.ram.set(code, this.physical(this.header.code[0]));
    for (const [address, hex] of test.in.mem ?? [])
      bytesOf(hex).forEach((b, i) => this.memory.write8(this.physical(address + i), b));
    this.prepare(test.in);
    this.fault = undefined;
    // The case's code replaces the last one's without a guest store: what was decoded from it goes.
    this.processor.forgetCode(this.physical(this.header.code[0]) >>> 12);
    const before = this.memory.ram.slice(FIRST_FRAME, this.areas[AREAS - 1]!.frame + this.areas[AREAS - 1]!.bytes);
    let guard = 0;
    do {
      this.processor.step();
    } while (s.eip === this.header.code[0] && this.fault === undefined && this.repeats(test) && guard++ < 1 << 20);

    const fault = this.fault as { vector: number; error: number | undefined; address: number } | undefined;
    if (test.fault !== undefined) {
      if (fault === undefined) return `no fault, expected vector ${test.fault.vector}`;
      if (fault.vector !== test.fault.vector) return `vector ${fault.vector}, expected ${test.fault.vector}`;
      if (test.fault.error !== undefined && (fault.error ?? 0) !== test.fault.error)
        return `error code ${fault.error}, expected ${test.fault.error}`;
      if (test.fault.address !== undefined && fault.address !== test.fault.address)
        return `address ${fault.address.toString(16)}, expected ${test.fault.address.toString(16)}`;
    } else if (fault !== undefined)
      return `unexpected fault, vector ${fault.vector}, error ${fault.error}, address ${fault.address.toString(16)}`;

    for (const [i, name] of GENERAL.entries()) {
      const expected = (test.out[name] ?? test.in[name] ?? 0) >>> 0;
      if (s.gpr(i) !== expected) return `${name} ${s.gpr(i).toString(16)}, expected ${expected.toString(16)}`;
    }
    const eip = test.out['eip'] ?? this.header.code[0];
    if (s.eip !== eip) return `eip ${s.eip.toString(16)}, expected ${eip.toString(16)}`;
    const flags = (test.out['eflags'] ?? test.in['eflags'] ?? 0x202) & ~0x10100;
    const mask = (test.mask ?? 0xffffffff) & ~0x10100;
    if ((s.eflags & mask) !== (flags & mask))
      return `eflags ${(s.eflags & mask).toString(16)}, expected ${(flags & mask).toString(16)} (mask ${mask.toString(16)})`;
    for (const [i, name] of SEGMENTS.entries()) {
      const expected = test.out[name];
      if (expected !== undefined && s.selector(i) !== expected)
        return `${name} ${s.selector(i).toString(16)}, expected ${expected.toString(16)}`;
    }
    return this.compareMemory(test, before) ?? this.compareFpu(test) ?? this.compareXmm(test);
  }
  private repeats(test: Case): boolean {
    return /^(?:..){0,3}f[23]/.test(test.bytes) || test.name.startsWith('rep');
  }

  private compareMemory(test: Case, before: Uint8Array): string | undefined {
    const expected = before;
    for (const [address, hex] of test.out.mem ?? [])
      bytesOf(hex).forEach((b, i) => (expected[this.physical(address + i) - FIRST_FRAME] = b));
    for (const [address, count] of test.ignore ?? [])
      for (let i = 0; i < count; i++)
        expected[this.physical(address + i) - FIRST_FRAME] = this.memory.read8(this.physical(address + i));
    const actual = this.memory.ram.subarray(FIRST_FRAME, FIRST_FRAME + expected.length);
    for (let i = 0; i < expected.length; i++)
      if (actual[i] !== expected[i]) {
        const area = this.areas.find((a) => FIRST_FRAME + i >= a.frame && FIRST_FRAME + i < a.frame + a.bytes)!;
        return `memory ${(area.address + FIRST_FRAME + i - area.frame).toString(16)}: ${actual[i]!.toString(16)}, expected ${expected[i]!.toString(16)}`;
      }
    return undefined;
  }
  private compareFpu(test: Case): string | undefined {
    const expected = test.out.fpu ??
      test.in.fpu ?? { cw: 0x37f, sw: 0, tw: 0xffff, st: Array<string>(8).fill('00000000000000000000') };
    const actual = this.fpuImage();
    // The direction of rounding goes with the last bits.
    const mask = (test.swMask ?? 0xffff) & (this.approximate ? ~C1 : 0xffff);
    if (actual.cw !== expected.cw) return `fpu cw ${actual.cw.toString(16)}, expected ${expected.cw.toString(16)}`;
    if ((actual.sw & mask) !== (expected.sw & mask))
      return `fpu sw ${(actual.sw & mask).toString(16)}, expected ${(expected.sw & mask).toString(16)}`;
    if (actual.tw !== expected.tw) return `fpu tw ${actual.tw.toString(16)}, expected ${expected.tw.toString(16)}`;
    for (let i = 0; i < 8; i++)
      if (actual.st[i] !== expected.st[i] && !(this.approximate && withinUlp(actual.st[i]!, expected.st[i]!)))
        return `st${i} ${actual.st[i]}, expected ${expected.st[i]}`;
    return undefined;
  }
  private compareXmm(test: Case): string | undefined {
    const s = this.processor.cpu.s;
    const expected = test.out.xmm ?? test.in.xmm;
    for (let i = 0; i < 8; i++) {
      const actual = hexOf(s.u8.subarray(StateLayout.xmm + i * 16, StateLayout.xmm + i * 16 + 16));
      const want = expected?.[i] ?? '0'.repeat(32);
      if (actual !== want && !(this.approximate && nearSingles(actual, want)))
        return `xmm${i} ${actual}, expected ${want}`;
    }
    const mxcsr = test.out['mxcsr'] ?? test.in['mxcsr'] ?? 0x1f80;
    return s.get(StateLayout.mxcsr) === mxcsr
      ? undefined
      : `mxcsr ${s.get(StateLayout.mxcsr).toString(16)}, expected ${mxcsr.toString(16)}`;
  }
}

/** Value class of the two-bit tag word (SDM vol. 1, 8.1.7): 0 valid, 1 zero, 2 special. */
const tagOf = (register: Uint8Array): number => {
  const exponent = register[8]! | ((register[9]! & 0x7f) << 8);
  const zero = register.subarray(0, 8).every((b) => b === 0);
  if (exponent === 0x7fff) return 2;
  if (exponent === 0) return zero ? 1 : 2;
  return register[7]! & 0x80 ? 0 : 2;
};

/** C1 of the x87 status word. */
const C1 = 0x200;
/** Extended values as one integer that counts representable numbers: neighbours differ by one. */
const ordinal = (hex: string): bigint => {
  const bytes = bytesOf(hex);
  let magnitude = BigInt(bytes[8]! | ((bytes[9]! & 0x7f) << 8));
  for (let i = 7; i >= 0; i--) magnitude = (magnitude << 8n) | BigInt(i === 7 ? bytes[i]! & 0x7f : bytes[i]!);
  return bytes[9]! & 0x80 ? -magnitude : magnitude;
};
const withinUlp = (a: string, b: string): boolean => {
  const difference = ordinal(a) - ordinal(b);
  return difference >= -1n && difference <= 1n;
};
/** RCPPS and RSQRTPS: twice the relative error of 1.5 * 2^-12, for both sides have it. */
const nearSingles = (a: string, b: string): boolean => {
  const x = new DataView(bytesOf(a).buffer);
  const y = new DataView(bytesOf(b).buffer);
  for (let i = 0; i < 16; i += 4) {
    const difference = Math.abs(x.getFloat32(i, true) - y.getFloat32(i, true));
    if (x.getInt32(i, true) !== y.getInt32(i, true) && !(difference <= 3 * 2 ** -12 * Math.abs(y.getFloat32(i, true))))
      return false;
  }
  return true;
};

export interface VectorResult {
  readonly passed: number;
  readonly failed: number;
  /** First failures, a line each. */
  readonly failures: readonly string[];
}

const parseLine = (lines: readonly string[], index: number): unknown => {
  try {
    return JSON.parse(lines[index]!);
  } catch (error) {
    throw new Error(`line ${index + 1} is no JSON: ${(error as Error).message}`);
  }
};

/** Runs the text of one file: a header line, then one case a line. Throws on a malformed file with the line number. */
export const runVectors = (text: string, failureLimit = 20, only?: RegExp): VectorResult => {
  const lines = text.split('\n');
  const header = parseLine(lines, 0) as Header;
  if (header.format !== 'ia32-vectors' || header.version !== 1)
    throw new Error('not a vector file: the first line is no "ia32-vectors" header of version 1');
  const runner = new VectorRunner(header);
  let passed = 0;
  let failed = 0;
  const failures: string[] = [];
  for (let i = 1; i < lines.length; i++) {
    if (lines[i] === '') continue;
    const test = parseLine(lines, i) as Case;
    if (only !== undefined && !only.test(test.name)) continue;
    const problem = runner.run(test);
    if (problem === undefined) passed++;
    else {
      failed++;
      if (failures.length < failureLimit) failures.push(`${test.name}  ${test.bytes}: ${problem}`);
    }
  }
  return { passed, failed, failures };
};
