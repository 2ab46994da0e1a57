// Is a processor's state one that the architecture allows, and are the engine's own tables in linear memory whole? Not equality of two
// runs (invariants.ts). SDM vol. 3, 2.3, 2.5, 17.2, 24.4; vol. 1, 3.4.3, 8.1, 10.2.3.

import type { Cpu } from '../../src/machine/cpu/cpu.ts';
import { Cr0, CS, Flag, SEGMENT_STRIDE, SS, StateLayout } from '../../src/machine/cpu/state.ts';
import { DIRECT, INVALID, PAGES_BELOW } from '../../src/machine/cpu/tlb.ts';
import { LinearLayout } from '../../src/machine/memory.ts';
import { computeMode, Mode } from '../../src/machine/translate/mode.ts';

const hex = (value: number): string => `0x${(value >>> 0).toString(16)}`;
const EFLAGS_RESERVED = 0xffc0_8028;
const CR0_DEFINED = 0xe005_003f;
/** Bits of the mode word that non-root operation sets. */
const GUESTS_OWN = Mode.nonRoot | Mode.pauseAside | Mode.timeAside;

/** Registers and internal words after a run has returned. */
export const illegalState = (cpu: Cpu): string[] => {
  const s = cpu.s;
  const wrong: string[] = [];
  const demand = (holds: boolean, what: string): void => {
    if (!holds) wrong.push(what);
  };
  const flags = s.eflags;
  const real = (s.cr0 & Cr0.PE) === 0;
  const v86 = (flags & Flag.VM) !== 0;
  demand((flags & EFLAGS_RESERVED) === 0 && (flags & 2) !== 0, `EFLAGS ${hex(flags)} has reserved bits`);
  demand(!(real && v86), 'EFLAGS.VM is set in real-address mode');
  demand(!real || s.cpl === 0, `CPL ${s.cpl} in real-address mode`);
  demand(!v86 || s.cpl === 3, `CPL ${s.cpl} in virtual-8086 mode`);
  // A task switch that fails half-way into shutdown leaves CS's level and no SS.
  const dead = s.get(StateLayout.activity) >= 2;
  demand(dead || s.cpl === ((s.access(SS) >>> 5) & 3), `CPL ${s.cpl}, but SS.DPL is ${(s.access(SS) >>> 5) & 3}`);
  demand((s.cr0 & ~CR0_DEFINED) === 0 && (s.cr0 & Cr0.ET) !== 0, `CR0 ${hex(s.cr0)} has reserved bits`);
  demand(!(s.cr0 & Cr0.PG) || !real, 'CR0.PG without CR0.PE');
  demand(!(s.cr0 & Cr0.NW) || (s.cr0 & Cr0.CD) !== 0, 'CR0.NW without CR0.CD');
  demand((s.cr4 & ~cpu.model.cr4Implemented) === 0, `CR4 ${hex(s.cr4)} has reserved bits`);
  demand((s.dr(6) & 0xffff_1ff0) >>> 0 === 0xffff_0ff0, `DR6 is ${hex(s.dr(6))}`);
  demand((s.dr(7) & 0xdc00) === 0x400, `DR7 is ${hex(s.dr(7))}`);
  demand(s.get(StateLayout.fpuTop) < 8, `x87 TOP is ${s.get(StateLayout.fpuTop)}`);
  demand((s.get(StateLayout.fpuStatus) & ~0xc7ff) === 0, `x87 status word ${hex(s.get(StateLayout.fpuStatus))}`);
  demand(s.get(StateLayout.fpuTags) < 256, `x87 tags ${hex(s.get(StateLayout.fpuTags))}`);
  demand(s.get(StateLayout.fpuControl) <= 0xffff, `x87 control word ${hex(s.get(StateLayout.fpuControl))}`);
  demand(s.get(StateLayout.fpuOpcode) < 0x800, `x87 opcode ${hex(s.get(StateLayout.fpuOpcode))}`);
  demand((s.get(StateLayout.mxcsr) & ~0xffff) === 0, `MXCSR ${hex(s.get(StateLayout.mxcsr))}`);
  demand(s.get(StateLayout.zero) === 0, 'the register that reads as zero does not');
  demand((s.get(StateLayout.interruptibility) & ~0xb) === 0, `interruptibility ${s.get(StateLayout.interruptibility)}`);
  demand(s.get(StateLayout.activity) <= 3, `activity ${s.get(StateLayout.activity)}`);
  // A VM entry can load the shutdown state, and a VMX abort ends in it.
  const shutDown = s.get(StateLayout.activity) === 2 && !cpu.vmx.inVmx;
  demand(!shutDown || cpu.tripleFault !== undefined, 'shut down without a reason');
  demand(!cpu.faulted, `a fault (vector ${s.get(StateLayout.faultVector) - 1}) was left in the mailbox`);
  if (!cpu.modeDirty) {
    const mode = s.get(StateLayout.mode);
    // An exit to a hypervisor that is not code of this processor keeps the guest's word: nothing runs before the guest goes on.
    const own = !cpu.vmx.nonRoot && (mode & Mode.nonRoot) !== 0 ? GUESTS_OWN : 0;
    demand((computeMode(cpu) & ~own) === (mode & ~own), `mode word ${hex(mode)} is not ${hex(computeMode(cpu))}`);
  }
  for (let n = 0; n < 8; n++) {
    const at = (StateLayout.segments + n * SEGMENT_STRIDE) >> 2;
    const before = [...s.u32.subarray(at, at + 8)];
    s.setSegment(n, s.selector(n), s.base(n), s.limit(n), s.access(n));
    demand(
      before.every((word, i) => s.u32[at + i] === word),
      `the derived limits of segment ${n} are not those of its limit and rights`,
    );
  }
  demand(s.selector(CS) <= 0xffff, 'CS has more than 16 bits');
  return wrong;
};

/** Gaps between the areas of linear memory: nothing may ever write there. */
const gaps = (end: number, total: number): [first: number, end: number][] => [
  [0, StateLayout.gpr],
  [StateLayout.allEnd, 0x1000],
  [0x1400, LinearLayout.looseLines],
  [LinearLayout.looseLines + LinearLayout.looseLinesMost * 4, LinearLayout.stateHash],
  [LinearLayout.stateHash + LinearLayout.stateHashBytes, LinearLayout.pairTables],
  [LinearLayout.stepTables + LinearLayout.stepTablesBytes, LinearLayout.entries],
  [LinearLayout.jumpCache + 0x4_0000, LinearLayout.tlb],
  [end, total],
];

/** Stores that missed: non-zero bytes in the gaps of linear memory. */
export const guardViolations = (cpu: Cpu): string[] => {
  const { memory } = cpu;
  const wrong: string[] = [];
  for (const [first, end] of gaps(memory.ramBase + memory.bytes, memory.u8.length)) {
    const words = memory.u32.subarray(first >> 2, end >> 2);
    const at = words.findIndex((word) => word !== 0);
    if (at >= 0) wrong.push(`linear memory at ${hex(first + at * 4)}, which is nobody's, holds ${hex(words[at]!)}`);
  }
  return wrong;
};

interface TlbView {
  readonly journals: readonly Int32Array[];
}
const WRITE_WORDS = 0x10_0000;
const tableOf = (context: number): number => LinearLayout.tlb + context * LinearLayout.tlbContextBytes;

/**
 * TLB tables: every valid word is in the journal and leads into RAM; no write entry leads to a page that holds code, and none to one with a data breakpoint. `walk`: also equal to
 * a fresh walk of the present tables (for page tables that nobody has changed).
 */
export const tlbViolations = (cpu: Cpu, walk: boolean): string[] => {
  const { memory, mmu } = cpu;
  const view = (mmu as unknown as { readonly tlb: TlbView }).tlb;
  const wrong: string[] = [];
  const journalled = new Set<number>();
  const first = cpu.vmx.nonRoot ? 2 : 0;
  for (let context = 0; context < 4; context++) {
    const base = tableOf(context) >> 2;
    for (const word of view.journals[context]!.subarray(0, cpu.s.get(StateLayout.journalLength + context * 4))) {
      journalled.add(word);
      const linear = ((word - base) << 12) >>> 0;
      for (const write of [false, true]) {
        const entry = memory.i32[word + (write ? WRITE_WORDS : 0)]!;
        if (entry === INVALID) continue;
        const watched = cpu.breakpoints.data && cpu.breakpoints.dataInPage(linear >>> 12);
        const seen = (write || watched) && (entry & DIRECT) === 0;
        const pa = (((entry & ~DIRECT) + PAGES_BELOW + linear) >>> 0) - memory.ramBase;
        const name = `TLB context ${context} ${write ? 'write' : 'read'} entry of ${hex(linear)}`;
        if ((!seen && (entry & DIRECT) !== DIRECT) || pa < 0 || pa + 4096 > memory.bytes) {
          wrong.push(`${name} leads to ${hex(pa)}, which is not RAM`);
          continue;
        }
        if (watched && !seen) wrong.push(`${name} lets a data breakpoint be missed`);
        if (write && !seen && mmu.pages.of[pa >>> 12] !== 0) wrong.push(`${name} lets code be overwritten unseen`);
        if (!walk || (context & 2) !== first) continue;
        const walked = mmu.translate(linear, write, (context & 1) === 1);
        cpu.clearFault();
        if (walked !== pa)
          wrong.push(`${name} leads to ${hex(pa)}, the page tables to ${walked < 0 ? 'a fault' : hex(walked)}`);
      }
    }
  }
  for (let context = 0; context < LinearLayout.tlbContexts; context++) {
    const base = tableOf(context) >> 2;
    for (let word = base; word < base + (LinearLayout.tlbContextBytes >> 2); word++) {
      if (memory.i32[word] === INVALID || journalled.has(word) || journalled.has(word - WRITE_WORDS)) continue;
      wrong.push(`TLB word at ${hex(word * 4)} is valid but not in the journal`);
      break;
    }
  }
  return wrong;
};
