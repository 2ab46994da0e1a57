// The region tier: forms regions at the heads of hot blocks, puts them into the entries' place, and takes them away when their code changes.
// Not their shape (flow-graph.ts, structure.ts) nor their code (region-function.ts). A region is only another way to execute blocks that the
// threaded tier has: nothing that the guest could see depends on which regions exist.

import type { Cpu } from '../../cpu/cpu.ts';
import { ESP, StateLayout } from '../../cpu/state.ts';
import { directEntry, INVALID } from '../../cpu/tlb.ts';
import { Decoder, type OpcodeTable } from '../../isa/decode.ts';
import type { Code } from '../../wasm/code.ts';
import type { CodeCache } from '../code-cache.ts';
import type { GranuleMask } from '../code-granules.ts';
import type { DependentCode } from '../code-pages.ts';
import { CodeSpans } from '../code-spans.ts';
import { Entry } from '../entry.ts';
import type { ThreadedModule } from '../threaded-module.ts';
import type { HelperOperands } from '../helper-operands.ts';
import { Mode } from '../mode.ts';
import { Allowance } from './allowance.ts';
import { CANONICAL, DYNAMIC } from './flag-kinds.ts';
import { exploreRegion, type FlowNode } from './flow-graph.ts';
import { peelLoops } from './peel.ts';
import { PresentCode } from './present-code.ts';
import { RegionFunction } from './region-function.ts';
import type { RegionCompiler } from './region-module.ts';
import { doneOfSite, eipOfSite, kindOfSite, siteRecords } from './site-records.ts';
import { structure } from './structure.ts';
import { WIDE_ZERO } from '../../wide-number.ts';

interface Region {
  readonly id: number;
  /** Address of the block's head whose place it takes. */
  readonly head: number;
  /** Physical pages of its code and of its head's block, and where in them they are. */
  readonly pages: ReadonlyMap<number, CodeSpans>;
  /** Its linear pages. */
  readonly linear: ReadonlySet<number>;
  /** Records of its sites (site-records.ts), and what helps at which of them. */
  readonly sites: Int32Array;
  readonly helpers: ReadonlyMap<number, HelperOperands>;
  /** EIPs of its instructions but for those of functions that it has taken in. */
  readonly own: Int32Array;
  /** Its table slot; undefined: not compiled yet. */
  slot: number | undefined;
  dropped: boolean;
}

/**
 * Further executions of a block (entry.ts HOT) where no region may be formed at once, or a debugger runs the machine: to a place that is near, most
 * of the time, where regions cost more than they gain, and where its next points take them away again.
 */
const HOT_LATER = 3000;
/** Executions before one is formed at a block that another region has as its part. */
const HOT_COVERED = 8000;
/** After its code changed: the page may go on changing. */
const HOT_AGAIN = 400;
/** Regions that are compiled together at most. */
const BATCH = 64;
/** Instructions after which fewer are compiled; more the more modules there are, since each makes the next one dearer. */
const PATIENCE = 16384;
const MOST_PATIENT = 9;
/** The same where regions are to be everywhere: specs and fuzzing, whose time goes into modules. */
const EAGER_BATCH = 4;
const EAGER_PATIENCE = 64;

const NO_SITES = new Int32Array(0);

export class Regions implements DependentCode {
  private readonly byId = new Map<number, Region>();
  private readonly byPage = new Map<number, Set<Region>>();
  private readonly byHead = new Map<number, Region>();
  private waiting: { readonly region: Region; readonly code: Code }[] = [];
  /** Dropped since the last compilation: one of them may be running. */
  private dying: Region[] = [];
  private waitingSince = WIDE_ZERO;
  private readonly allowance = new Allowance();
  /** Heads that have counted down while no region was allowed: the next time it is. */
  private readonly later = new Set<number>();
  private nextId = 1;
  /** The region that was left last. */
  private lastLeft: Region | undefined;
  private readonly decoder: Decoder;
  private readonly headFunction: number;
  private readonly i32: Int32Array;
  /** Regions formed, and taken away, so far. */
  formed = 0;
  lost = 0;

  constructor(
    private readonly cpu: Cpu,
    private readonly cache: CodeCache,
    table: OpcodeTable,
    private readonly compiler: RegionCompiler,
    private readonly threaded: ThreadedModule,
  ) {
    this.decoder = new Decoder(table);
    this.headFunction = threaded.micro.head;
    this.i32 = cpu.memory.i32;
    cache.onBlockGone = (entry) => this.blockGone(entry);
    cache.dependent = this;
    cpu.mmu.holdsRegion = (pa, bytes) => this.holds(pa >>> 12, pa & 0xfff, (pa & 0xfff) + bytes);
    cache.onDiscard = () => this.discarded();
    cache.onForget = (forgotten) => this.forget(forgotten);
  }

  get anyWaiting(): boolean {
    return this.waiting.length > 0;
  }
  private get batch(): number {
    return this.cpu.tiers === 'eager' ? EAGER_BATCH : BATCH;
  }
  /** Instructions that regions wait for others to be compiled with. */
  get patience(): number {
    if (this.cpu.tiers === 'eager') return EAGER_PATIENCE;
    return PATIENCE << Math.min(MOST_PATIENT, this.compiler.compiled >> 2);
  }

  /** A block's head has counted down: forms a region there. `retired`: the processor's count. */
  request(head: number, eip: number, retired: number): void {
    const { cpu, cache } = this;
    const mode = cpu.s.get(StateLayout.mode);
    if (mode & Mode.threaded || !(mode & Mode.codeFlat) || this.byHead.has(head)) return;
    if (!this.allowed(head, retired)) return;
    const source = new PresentCode(cpu, cache, this.decoder, mode, this.byHead);
    const graph = exploreRegion(source, eip);
    if (graph === undefined) return;
    const shape = structure(peelLoops(graph));
    const { flushes } = cache.counters;
    const id = this.nextId++;
    let sites: Int32Array = NO_SITES;
    const translation = (at: number): number => directEntry(cpu.memory.ramBase + source.place(at), at & ~0xfff);
    const { code, helpers } = new RegionFunction(shape, {
      runtime: this.compiler.runtime,
      mode,
      usual: this.usualWord(translation(eip)),
      id,
      jumpEntry: (from, to) => cache.jumpEntry(from, to),
      siteRecords: (all) => {
        sites = siteRecords(all);
        const at = cache.reserve(sites.byteLength);
        this.i32.set(sites, at >> 2);
        return at;
      },
      translation,
    }).emit();
    // Jump entries or records did not fit: the head is gone too.
    if (cache.counters.flushes !== flushes) return;
    const pages = new Map<number, CodeSpans>();
    const linear = new Set<number>();
    const own = new Set<number>();
    for (const { instructions, frame } of shape.nodes) {
      // One behind the other: in one page, or the first reaches into the next.
      const last = instructions.at(-1)!;
      this.mark(source, instructions[0]!.eip, last.next, pages);
      linear.add(instructions[0]!.eip >>> 12);
      linear.add(last.eip >>> 12);
      if (frame === undefined) for (const { eip: first } of instructions) own.add(first);
    }
    // It goes with that block, and must know before.
    this.mark(source, eip, cache.blockEnd(head), pages);
    const region: Region = {
      id,
      head,
      pages,
      linear,
      sites,
      helpers,
      own: Int32Array.from(own),
      slot: undefined,
      dropped: false,
    };
    this.byId.set(id, region);
    this.byHead.set(head, region);
    for (const page of pages.keys()) {
      let list = this.byPage.get(page);
      if (list === undefined) {
        list = new Set();
        this.byPage.set(page, list);
      }
      list.add(region);
    }
    this.cover(source, shape.nodes);
    this.formed++;
    if (this.waiting.length === 0) this.waitingSince = retired;
    this.waiting.push({ region, code });
  }
  /**
   * The TLB word that most accesses of a region will find: that of its code, if the stack has it too, as in kernels that map memory in one piece, or to itself.
   * INVALID: there seems to be none.
   */
  private usualWord(code: number): number {
    const { s } = this.cpu;
    const stack = this.i32[(s.get(StateLayout.tlb) >> 2) + (s.gpr(ESP) >>> 12)]!;
    return stack === code ? code : INVALID;
  }
  private allowed(head: number, retired: number): boolean {
    const { tiers, points } = this.cpu;
    if (tiers === 'eager' || this.later.delete(head) || (!points.armed && this.allowance.take(retired))) return true;
    this.later.add(head);
    this.i32[(head + Entry.imm) >> 2] = HOT_LATER;
    return false;
  }
  /** Bytes of the EIPs [first, end), which are in two pages at most. */
  private mark(source: PresentCode, first: number, end: number, pages: Map<number, CodeSpans>): void {
    const page = source.place(first) >>> 12;
    const last = end - 1;
    const note = (at: number, from: number, to: number): void => {
      this.cache.markCode(at, from, to);
      let spans = pages.get(at);
      if (spans === undefined) {
        spans = new CodeSpans();
        pages.set(at, spans);
      }
      spans.add(from, to);
    };
    if (((first ^ last) & ~0xfff) === 0) note(page, first & 0xfff, (last & 0xfff) + 1);
    else {
      note(page, first & 0xfff, 4096);
      note(source.place(last) >>> 12, 0, (last & 0xfff) + 1);
    }
  }
  /** Blocks that are parts of a region get one of their own only if they go on being entered from elsewhere. */
  private cover(source: PresentCode, nodes: readonly FlowNode[]): void {
    if (this.cpu.tiers === 'eager') return;
    for (const node of nodes) {
      if (node.order === 0) continue;
      const head = source.head(node.eip);
      if (head === 0 || this.i32[head >> 2] !== this.headFunction) continue;
      const at = (head + Entry.imm) >> 2;
      if (this.i32[at]! > 0) this.i32[at] = HOT_COVERED;
    }
  }

  /** Compiles what waits, if it is many or has waited long. */
  compile(retired: number): void {
    if (this.waiting.length < this.batch && retired - this.waitingSince < this.patience) return;
    this.bury();
    const ready = this.waiting.filter(({ region }) => !region.dropped);
    this.waiting = [];
    if (ready.length === 0) return;
    if (!this.compiler.hasRoom(ready.length)) {
      this.cache.flush();
      this.bury();
      this.compiler.renew();
      return;
    }
    const slots = this.compiler.compile(ready.map(({ code }) => code));
    ready.forEach(({ region }, i) => {
      region.slot = slots[i]!;
      this.i32[region.head >> 2] = slots[i]!;
    });
  }

  /** A region left at an instruction that has not executed: the state becomes as at its entry in the threaded tier. Its helper, if that is wanted. */
  settle(): HelperOperands | undefined {
    const { s } = this.cpu;
    const id = s.get(StateLayout.exitEntry);
    if (this.lastLeft?.id !== id) this.lastLeft = this.byId.get(id);
    if (this.lastLeft === undefined) throw new Error('an unknown region was left');
    const { sites, helpers } = this.lastLeft;
    const site = s.get(StateLayout.exitSite);
    s.eip = eipOfSite(sites, site);
    s.set(StateLayout.exitBudget, (s.i32[StateLayout.exitBudget >> 2]! - doneOfSite(sites, site)) | 0);
    const formed = kindOfSite(sites, site);
    const kind = formed === DYNAMIC ? s.get(StateLayout.exitFlagKind) : formed;
    if (kind !== CANONICAL)
      s.set(
        StateLayout.lazyAux,
        this.threaded.instance.auxiliary(
          kind,
          s.get(StateLayout.lazyResult),
          s.get(StateLayout.lazyAux),
          s.get(StateLayout.exitFlagOperand),
          s.get(StateLayout.exitFlagCarry),
        ),
      );
    return helpers.get(site);
  }

  // ---- taking away --------------------------------------------------------------------------------------------------

  private drop(region: Region): void {
    region.dropped = true;
    this.lost++;
    this.byHead.delete(region.head);
    for (const page of region.pages.keys()) this.byPage.get(page)?.delete(region);
    this.dying.push(region);
  }
  /** None of those taken away is running any more. */
  private bury(): void {
    for (const region of this.dying) {
      this.byId.delete(region.id);
      if (region.slot !== undefined) this.compiler.release(region.slot);
    }
    this.dying = [];
  }
  private holds(page: number, from: number, to: number): boolean {
    const list = this.byPage.get(page);
    if (list !== undefined) for (const { pages } of list) if (pages.get(page)!.overlap(from, to)) return true;
    return false;
  }
  overwritten(page: number, from: number, to: number): boolean {
    const list = this.byPage.get(page);
    if (list === undefined) return false;
    const { lost } = this;
    for (const region of list) if (region.pages.get(page)!.overlap(from, to)) this.takeAway(region);
    if (list.size === 0) this.byPage.delete(page);
    return this.lost !== lost;
  }
  addGranules(page: number, mask: GranuleMask): void {
    for (const { pages } of this.byPage.get(page) ?? []) pages.get(page)!.addGranules(mask);
  }
  /** The block may have had more bytes than the region: what would go on in it behind its head must not begin in the region. */
  private blockGone(head: number): void {
    this.later.delete(head);
    const region = this.byHead.get(head);
    if (region !== undefined) this.drop(region);
  }
  /** Its head's block stays. */
  private takeAway(region: Region): void {
    this.drop(region);
    this.i32[region.head >> 2] = this.headFunction;
    this.i32[(region.head + Entry.imm) >> 2] = this.cpu.tiers === 'eager' ? 1 : HOT_AGAIN;
  }
  /** Of linear pages: an instruction may not be in a region any more. */
  private forget(pages: ReadonlySet<number>): void {
    for (const region of [...this.byHead.values()])
      for (const page of region.linear)
        if (pages.has(page)) {
          this.takeAway(region);
          break;
        }
  }
  /** All entries are gone, and so are the heads. */
  private discarded(): void {
    for (const region of this.byHead.values()) this.dying.push(region);
    this.byHead.clear();
    this.byPage.clear();
    this.later.clear();
    for (const { region } of this.waiting) region.dropped = true;
    this.waiting = [];
  }
}
