// Makes a fuzz case from a seed: tables with plausible and with random content, handlers, page tables, registers, code.
// Not the instructions themselves (instructions.ts) and not their execution (executor.ts). SDM vol. 3, ch. 3 to 6, 20.

import { Block } from './block.ts';
import {
  type Environment,
  type FuzzCase,
  type InitialState,
  MODES,
  type Mode,
  type Paging,
  type SegmentState,
} from './fuzz-case.ts';
import { type CodeContext, randomInstruction } from './instructions.ts';
import { GDT_LIMIT, Place, RAM_BYTES, Selector } from './layout.ts';
import { writePageTables } from './page-tables.ts';
import { Random } from './random.ts';

/** Vectors whose exceptions push an error code. */
const WITH_ERROR = [8, 10, 11, 12, 13, 14, 17];
const UNUSABLE: SegmentState = { selector: 0, base: 0, limit: 0, access: 0x1_0000 };

/** Flags: bit 3 G, bit 2 D/B. */
const descriptor = (base: number, limit: number, access: number, flags: number): [low: number, high: number] => [
  ((base << 16) | (limit & 0xffff)) >>> 0,
  ((base & 0xff00_0000) | (flags << 20) | (limit & 0xf_0000) | (access << 8) | ((base >>> 16) & 0xff)) >>> 0,
];
/** The hidden part that loading a descriptor gives. */
const cached = (selector: number, [low, high]: readonly [number, number]): SegmentState => {
  const raw = (low & 0xffff) | (high & 0xf_0000);
  return {
    selector,
    base: ((low >>> 16) | ((high & 0xff) << 16) | (high & 0xff00_0000)) >>> 0,
    limit: high & 0x80_0000 ? ((raw << 12) | 0xfff) >>> 0 : raw,
    access: (high >>> 8) & 0xf0ff,
  };
};

export interface SceneOptions {
  readonly environment: Environment;
  readonly mode?: Mode;
}

export class Scene {
  private readonly r: Random;
  private readonly gdt = new Map<number, [number, number]>();
  private readonly memory: Block[] = [];
  private readonly mode: Mode;
  private readonly ring: number;
  private readonly paging: Paging;
  private readonly tablesProtected: boolean;

  constructor(
    readonly seed: number,
    private readonly options: SceneOptions,
  ) {
    const r = new Random(seed);
    this.r = r;
    const { environment } = options;
    const nonRoot = environment === 'vmx' || environment === 'emulator';
    const mode = options.mode ?? r.pick(MODES);
    this.mode = nonRoot && mode === 'real' ? 'v86' : mode;
    this.ring = this.mode === 'real' ? 0 : this.mode === 'v86' ? 3 : r.chance(60) ? 0 : 3;
    const paging = r.pick(['off', 'two-level', 'two-level', 'pae'] as const);
    this.paging = this.mode === 'real' ? 'off' : nonRoot && paging === 'off' ? 'two-level' : paging;
    this.tablesProtected = r.chance(85);
  }

  private block(address: number, length: number): Block {
    const block = new Block(address, length);
    this.memory.push(block);
    return block;
  }

  make(): FuzzCase {
    const { r } = this;
    const { environment } = this.options;
    this.descriptorTables();
    this.taskStates();
    this.interruptTables();
    this.handlers();
    const roots = writePageTables(
      r,
      this.block(Place.pagingRoot, 4096),
      this.block(Place.pagingTables, 4096 * 2),
      this.paging === 'pae',
      this.tablesProtected,
    );
    const data = this.block(Place.data, 0x1000);
    data.set(0, r.bytes(0x1000));
    // Operands of VMXON, VMPTRLD, VMCLEAR: pointers to the prepared regions.
    [Place.vmxon, Place.vmcs, Place.vmcs + 0x800].forEach((at, i) => data.u32(i * 8, at));
    const stack = this.block(Place.stack + 0xe00, 0x200);
    stack.set(0, r.bytes(0x200));
    for (let i = 0; i < 0x200; i += 4) if (r.chance(50)) stack.u32(i, Place.code + r.below(0x100));

    const segments = this.segments();
    const cs = segments[1]!;
    const code32 = (cs.access & 0x4000) !== 0;
    const start = r.chance(30) ? r.pick([0xfc0, 0xff0, 0xff8]) : r.below(0x800);
    const codeAddress = Place.code + start;
    const at = (physical: number): number => (physical - cs.base) >>> 0;
    const ds = segments[3]!;
    const within = (physical: number): number => (physical - ds.base) >>> 0;
    const context: CodeContext = {
      code32,
      ring0: this.ring === 0,
      roots,
      targets: [
        within(codeAddress), within(Place.data), within(Place.data), within(Place.data + 0x40),
        within(Place.data + 0xffe), within(Place.data + 0xffc), within(Place.stack + 0xf00),
        within(Place.code + 0xffe), at(codeAddress), within(Place.gdt), within(Place.handlers),
        0xfffe, within(Place.pagingTables), within(0xa_0000), within(RAM_BYTES - 2),
      ],
    }; // prettier-ignore
    const state = this.state(segments, at(codeAddress));
    return {
      seed: this.seed,
      environment,
      mode: this.mode,
      paging: this.paging,
      cpu: r.chance(60) ? 'core-duo' : 'modern',
      vmxRoot:
        (environment === 'processor' || environment === 'machine') &&
        this.paging !== 'off' &&
        this.ring === 0 &&
        r.chance(30),
      memory: this.memory.map(({ address, bytes }) => ({ address, bytes })),
      codeAddress,
      pieces: this.code(context),
      state,
      tablesProtected: this.tablesProtected,
      cycles: r.pick([300, 1000, 2000, 2000, 4000]),
    };
  }

  private code(c: CodeContext): number[][] {
    const { r } = this;
    const pieces: number[][] = [];
    const count = r.between(5, 90);
    const structured = r.chance(80);
    for (let i = 0; i < count; i++) pieces.push(structured ? randomInstruction(r, c) : r.bytes(r.between(1, 6)));
    if (r.chance(85)) {
      const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
      const back = -(length + (c.code32 ? 5 : 3));
      pieces.push([0xe9, back & 0xff, (back >> 8) & 0xff, ...(c.code32 ? [0xff, 0xff] : [])]);
    }
    return pieces;
  }

  // ---- tables -------------------------------------------------------------------------------------------------------

  private descriptorTables(): void {
    const { r } = this;
    const s = Selector;
    const set = (selector: number, d: [number, number]): void => void this.gdt.set(selector, d);
    const code = Place.code;
    const data = Place.data;
    const stack = Place.stack;
    set(s.code32, descriptor(0, 0xfffff, 0x9b, 0xc));
    set(s.data32, descriptor(0, 0xfffff, 0x93, 0xc));
    set(s.userCode32, descriptor(0, 0xfffff, 0xfb, 0xc));
    set(s.userData32, descriptor(0, 0xfffff, 0xf3, 0xc));
    set(s.code16, descriptor(code, r.pick([0xffff, 0x1fff, 0xfff]), 0x9b, 0));
    set(s.userCode16, descriptor(code, 0xffff, 0xfb, 0));
    set(s.data16, descriptor(data, r.pick([0xffff, 0x7ff, 0xfff]), 0x93, r.pick([0, 4])));
    set(s.userData16, descriptor(data, 0xffff, 0xf3, r.pick([0, 4])));
    set(s.stack16, descriptor(stack, 0xffff, 0x93, r.pick([0, 4])));
    set(s.userStack16, descriptor(stack, 0xffff, 0xf3, r.pick([0, 4])));
    set(s.expandDown, descriptor(stack, r.pick([0, 0x7ff, 0xeff]), 0x97, r.pick([0, 4])));
    set(s.userExpandDown, descriptor(stack, r.pick([0, 0x7ff, 0xeff]), 0xf7, r.pick([0, 4])));
    set(s.conforming, descriptor(0, 0xfffff, 0x9f, 0xc));
    set(s.tssA, descriptor(Place.tssA, r.pick([0x67, 0x20ff, 0x2fff]), 0x8b, 0));
    set(s.tssB, descriptor(Place.tssB, 0x67, 0x89, 0));
    set(s.ldt, descriptor(Place.ldt, 0x3f, 0x82, 0));
    const target = (Place.code + r.below(0x100)) >>> 0;
    set(s.callGate, [(s.code32 << 16) | (target & 0xffff), (target & 0xffff_0000) | 0xec00 | r.below(4)].map((x) => x >>> 0) as [number, number]); // prettier-ignore
    set(s.taskGate, [(s.tssB << 16) >>> 0, 0xe500]);
    set(s.basedCode32, descriptor(code + r.pick([0, 0x10, 0x1000]), 0xffff, 0x9b, 4));
    set(s.readOnly, descriptor(0, 0xfffff, 0xf1, 0xc));
    set(s.absent, descriptor(0, 0xfffff, 0x73, 0xc));
    const gdt = this.block(Place.gdt, GDT_LIMIT + 1);
    gdt.set(s.random, r.bytes(GDT_LIMIT + 1 - s.random));
    for (const [selector, [low, high]] of this.gdt) {
      gdt.u32(selector, low);
      gdt.u32(selector + 4, high);
    }
    const ldt = this.block(Place.ldt, 0x40);
    ldt.set(0, r.bytes(0x40));
    [s.code32, s.data32, s.userCode32, s.userData32].forEach((selector, i) => {
      ldt.u32(i * 8, this.gdt.get(selector)![0]);
      ldt.u32(i * 8 + 4, this.gdt.get(selector)![1]);
    });
  }

  private taskStates(): void {
    const { r } = this;
    for (const place of [Place.tssA, Place.tssB]) {
      const tss = this.block(place, 0x68);
      tss.set(0, r.bytes(0x68));
      for (let level = 0; level < 3; level++) {
        tss.u32(4 + level * 8, Place.innerStacks + 0x1000 * (level + 1) - 0x10);
        tss.u16(8 + level * 8, Selector.data32);
      }
      tss.u32(0x1c, Place.pagingRoot);
      tss.u32(0x20, Place.code);
      tss.u32(0x24, 0x202);
      tss.u32(0x38, Place.stack + 0xf00);
      [Selector.data32, Selector.code32, Selector.data32, Selector.data32, 0, 0, Selector.ldt].forEach((value, i) =>
        tss.u32(0x48 + i * 4, value),
      );
      tss.u16(0x64, r.chance(10) ? 1 : 0);
      tss.u16(0x66, r.pick([0x68, 0x68, 0x20, 0xdfff]));
    }
    const bitmap = this.block(Place.tssA + 0x68, 0x400);
    if (r.chance(50)) bitmap.set(0, r.bytes(0x400));
  }

  /** Handlers of 32 bytes each; real mode's interrupt vectors lead to the second half. */
  private handlers(): void {
    const { r } = this;
    const block = this.block(Place.handlers, 0x1000);
    const restart = Place.code;
    const own = (at: number): number[] => {
      const target = restart - (Place.handlers + at + 8);
      return [
        0x83,
        0xc4,
        0x0c,
        0xe9,
        target & 0xff,
        (target >> 8) & 0xff,
        (target >> 16) & 0xff,
        (target >> 24) & 0xff,
      ];
    };
    for (let i = 0; i < 64; i++) {
      const skip = r.between(1, 3);
      const error = i >= 32 ? [] : [0x83, 0xc4, 0x04];
      const eoi = [0x50, 0xb0, 0x20, 0xe6, 0x20, 0xe6, 0xa0, 0x58];
      const list = [
        [...error, 0x83, 0x04, 0x24, skip, 0xcf],
        [...error, 0x83, 0x04, 0x24, skip, 0xcf],
        [...eoi, 0xcf],
        [0xcf],
        own(i * 32),
        [0x66, 0xcf],
        r.bytes(16),
      ];
      block.set(i * 32, i % 7 < list.length ? list[i % 7]! : [0xcf]);
    }
    for (let i = 0; i < 64; i++) {
      const eoi = [0x50, 0xb0, 0x20, 0xe6, 0x20, 0x58, 0xcf];
      const skip = [0x55, 0x89, 0xe5, 0x83, 0x46, 0x02, r.between(1, 3), 0x5d, 0xcf];
      block.set(0x800 + i * 32, r.pick([skip, skip, skip, eoi, [0xcf], r.bytes(12)]));
    }
  }

  private interruptTables(): void {
    const { r } = this;
    const ivt = this.block(Place.ivt, 0x400);
    for (let vector = 0; vector < 256; vector++) {
      const entry = (Place.handlers << 12) | (0x800 + r.below(64) * 32);
      ivt.u32(vector * 4, r.chance(98) ? entry : r.u32());
    }
    const idt = this.block(Place.idt, 0x800);
    for (let vector = 0; vector < 256; vector++) {
      if (r.chance(3)) {
        idt.set(vector * 8, r.bytes(8));
        continue;
      }
      if (r.chance(2)) {
        idt.u32(vector * 8, Selector.tssB << 16);
        idt.u32(vector * 8 + 4, 0xe500);
        continue;
      }
      const pushes = WITH_ERROR.includes(vector);
      const irq = vector >= 0x20 && vector < 0x30;
      const kind = irq ? 2 : r.pick([0, 1, 0, 1, 0, 1, 3, 4, 5, 6]);
      const index = r.below(4) * 7 + kind;
      const offset = Place.handlers + (pushes && kind < 2 ? index : index + 35) * 32;
      const type = (r.chance(90) ? 0x8e00 : 0x8600) | (r.chance(30) ? 0x100 : 0) | (r.chance(50) ? 0x6000 : 0);
      const selector = r.chance(92) ? Selector.code32 : r.pick(Object.values(Selector));
      idt.u32(vector * 8, (selector << 16) | (offset & 0xffff));
      idt.u32(vector * 8 + 4, (offset & 0xffff_0000) | type);
    }
  }

  // ---- registers ----------------------------------------------------------------------------------------------------

  private segments(): SegmentState[] {
    const { r, ring } = this;
    const s = Selector;
    if (this.mode === 'real' || this.mode === 'v86') {
      const access = this.mode === 'real' ? 0x93 : 0xf3;
      const at = (physical: number): SegmentState => {
        const selector = (physical >>> 4) - r.pick([0, 0, 0, 1, 0x100]);
        return { selector, base: selector << 4, limit: 0xffff, access };
      };
      const any = (): SegmentState => (r.chance(70) ? at(Place.data) : at(r.below(0x10000) << 4 || 0x1000));
      return [
        any(),
        at(Place.code),
        at(Place.stack),
        at(Place.data),
        any(),
        any(),
        this.system(s.ldt),
        this.system(s.tssA),
      ];
    }
    const user = ring === 3;
    const load = (selector: number): SegmentState => cached(selector | ring, this.gdt.get(selector)!);
    const wide = this.mode === 'protected32';
    const flatCode = user ? s.userCode32 : s.code32;
    const flatData = user ? s.userData32 : s.data32;
    const cs = load(wide ? (user || r.chance(75) ? flatCode : s.basedCode32) : user ? s.userCode16 : s.code16);
    const ss = load(
      r.chance(60) ? flatData : r.chance(70) ? (user ? s.userStack16 : s.stack16) : user ? s.userExpandDown : s.expandDown,
    ); // prettier-ignore
    const data = (): SegmentState =>
      r.chance(60)
        ? load(flatData)
        : r.pick([
            load(user ? s.userData16 : s.data16),
            load(user ? s.userExpandDown : s.expandDown),
            load(s.userData32),
            cached(s.readOnly | 3, this.gdt.get(s.readOnly)!),
            UNUSABLE,
          ]);
    return [data(), cs, ss, data(), data(), data(), this.system(s.ldt), this.system(s.tssA)];
  }
  private system(selector: number): SegmentState {
    return cached(selector, this.gdt.get(selector)!);
  }

  private state(segments: SegmentState[], eip: number): InitialState {
    const { r } = this;
    const real = this.mode === 'real';
    const vmx = this.options.environment === 'vmx';
    const pg = this.paging === 'off' ? 0 : 0x8000_0000;
    const cr0 =
      (real ? 0x10 : 0x11) | pg | (r.chance(70) ? 0x20 : 0) | (r.chance(85) ? 0 : r.pick([2, 4, 8, 0xa])) |
      (r.chance(50) ? 0x10000 : 0) | (r.chance(50) ? 0x40000 : 0); // prettier-ignore
    const cr4 = (this.paging === 'pae' ? 0x20 : 0x10) | (r.chance(80) ? 0x600 : 0) | (r.chance(20) ? 0x84 : 0);
    const gpr = Array.from({ length: 8 }, () => r.interesting());
    const ss = segments[2]!;
    gpr[4] = (Place.stack + 0xf00 - ss.base) >>> 0;
    for (const i of [3, 5, 6, 7]) if (r.chance(70)) gpr[i] = (Place.data + r.below(0x80) - segments[3]!.base) >>> 0;
    const flags = (r.u32() & (vmx ? 0x40ed5 : 0x44fd5)) | 2 | (r.chance(96) ? 0 : 0x100);
    const tf = r.chance(95) ? flags & ~0x100 : flags;
    return {
      gpr,
      eip,
      eflags: (tf & ~(r.chance(90) ? 0x4400 : 0)) | (this.mode === 'v86' ? 0x20000 | (r.chance(50) ? 0x3000 : 0) : 0),
      cpl: this.ring,
      cr0: (cr0 | (vmx ? 0x20 : 0)) >>> 0,
      cr3: Place.pagingRoot,
      cr4,
      segments,
      gdtr: { base: Place.gdt, limit: GDT_LIMIT },
      idtr: real ? { base: Place.ivt, limit: 0x3ff } : { base: Place.idt, limit: 0x7ff },
      dr: this.debugRegisters(eip),
    };
  }

  private debugRegisters(eip: number): number[] {
    const { r } = this;
    const linear = (): number => r.pick([eip, Place.data, Place.data + 4, Place.code, r.u32()]);
    return [
      linear(), linear(), linear(), linear(), 0, 0,
      0xffff_0ff0 | (r.u32() & 0xe00f),
      r.chance(75) ? 0x400 : 0x400 | (r.u32() & 0xffff_23ff),
    ].map((x) => x >>> 0); // prettier-ignore
  }
}

/** What a seed means: its environment and mode come from the seed unless they are given. */
export const makeCase = (seed: number, options: SceneOptions): FuzzCase => new Scene(seed, options).make();
