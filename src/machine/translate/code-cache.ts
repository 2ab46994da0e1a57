// The decoded-code cache: finds the block of entries for an EIP, has it decoded if there is none, links jumps, and makes entries stale whose code was
// overwritten. Not the decoding (block-decoder.ts), not what a store hits (code-pages.ts), not jumps between pages (jump-cache.ts) and not execution
// (forms.ts). Keyed by physical page, so that address-space switches keep all code.

import { type Cpu, Vector } from '../cpu/cpu.ts';
import { CS, StateLayout } from '../cpu/state.ts';
import { MAX_LENGTH, type OpcodeTable } from '../isa/decode.ts';
import { BlockDecoder } from './block-decoder.ts';
import type { CodePage } from './code-page.ts';
import { CodePages, type DependentCode } from './code-pages.ts';
import { EmulatedCode } from './emulated-code.ts';
import { Entry, ENTRY_SIZE, MAX_BLOCK } from './entry.ts';
import type { UnavailableRows } from './entry-writer.ts';
import { Immediates } from './immediates.ts';
import type { ThreadedModule } from './threaded-module.ts';
import type { HelperOperands } from './helper-operands.ts';
import { JumpCache } from './jump-cache.ts';
import { Mode, refreshMode } from './mode.ts';

export class CodeCache {
  private readonly pages: CodePages;
  private readonly immediates: Immediates;
  private readonly blocks: BlockDecoder;
  readonly operands: HelperOperands[];
  private readonly jumps: JumpCache;
  private readonly emulated = new EmulatedCode();
  /** The last block that `entryAt` answered with is kept: jumps in it may be linked. */
  kept = false;
  private readonly i32: Int32Array;
  private readonly u8: Uint8Array;
  /** Called when a block has gone, by the address of its first entry. */
  onBlockGone: (entry: number) => void = () => undefined;
  /** Called before all of it goes. */
  onDiscard: () => void = () => undefined;
  /** Called where code of linear pages is to be decoded anew. */
  onForget: (pages: ReadonlySet<number>) => void = () => undefined;
  /** Blocks decoded, stores that took code away, whole-cache flushes: for the report and the panels. */
  readonly counters = { blocks: 0, instructions: 0, invalidations: 0, flushes: 0 };

  constructor(
    private readonly cpu: Cpu,
    private readonly module: ThreadedModule,
    table: OpcodeTable,
    unavailable: UnavailableRows,
  ) {
    this.jumps = new JumpCache(cpu);
    this.i32 = cpu.memory.i32;
    this.u8 = cpu.memory.u8;
    this.immediates = new Immediates(this.i32, this.u8, module.forms.immediateBytes);
    this.pages = new CodePages(
      cpu,
      { patch: this.patch, gone: this.gone },
      () => this.makeStale(this.blocks.unkept, this.blocks.unkeptEnd),
      this.lost,
    );
    this.blocks = new BlockDecoder(cpu, module, table, unavailable, this.pages, this.immediates, this.counters, () =>
      this.flush(),
    );
    this.operands = this.blocks.operands;
    cpu.mmu.onFlush = () => this.jumps.translationsDropped();
    cpu.mmu.onBreakpoints = () => this.jumps.newGeneration();
  }

  /** A block that is decoded now may have to make room by emptying the cache. */
  get nearlyFull(): boolean {
    return this.blocks.nearlyFull;
  }

  /** Follows a change of mode, if there was one. */
  followMode(): void {
    if (!this.cpu.modeDirty) return;
    refreshMode(this.cpu);
    this.jumps.modeChanged();
  }

  /**
   * The entry to run at the present CS:EIP; 0 with a fault in the mailbox. `limit`: longest block in instructions; a block
   * shorter than MAX_BLOCK for the sake of a deadline is decoded anew and not kept.
   */
  entryAt(eip: number, limit: number): number {
    const cpu = this.cpu;
    const s = cpu.s;
    const linear = (s.base(CS) + eip) >>> 0;
    const mode = s.get(StateLayout.mode);
    if (!(mode & Mode.codeFlat) && eip > s.limit(CS)) {
      cpu.raise(Vector.GP, 0);
      return 0;
    }
    if (limit === MAX_BLOCK && mode & Mode.codeFlat) {
      const known = this.jumps.find(eip);
      this.kept = known !== 0 && this.i32[known >> 2] !== this.module.micro.stale;
      if (this.kept) return known;
    }
    this.kept = false;
    const pa = cpu.mmu.fetchAddress(linear);
    if (pa < 0) return 0;
    const page = pa >>> 12;
    if ((page + 1) * 4096 > cpu.memory.bytes) {
      // Nothing answers there: all ones, FF FF, is no instruction.
      cpu.raise(Vector.UD);
      return 0;
    }
    const breaks = cpu.breakpoints.instructions && cpu.breakpoints.instructionInPage(linear >>> 12);
    if (limit === 1 && !breaks && mode & Mode.codeFlat) return this.single(page, mode, pa, linear, eip);
    if (limit < MAX_BLOCK || breaks) {
      const known = breaks ? 0 : this.shortEnough(page, mode, eip, limit);
      this.kept = known !== 0;
      return known || this.blocks.decode(undefined, pa, linear, eip, breaks ? 1 : limit);
    }
    // A page that the segment's limit cuts through is decoded anew each time: the limit is looked at byte by byte.
    if (!(mode & Mode.codeFlat) && eip + (4095 - (pa & 0xfff)) > s.limit(CS))
      return this.blocks.decode(undefined, pa, linear, eip, limit);
    this.kept = true;
    const offset = pa & 0xfff;
    const codePage = this.pageForBlock(page, mode, (eip - offset) | 0);
    let entry = codePage.starts.get(offset);
    let crosses = false;
    if (entry === 0) {
      entry = this.crossingEntry(codePage, offset, linear);
      crosses = entry !== 0;
      if (!crosses && cpu.faulted) return 0;
    }
    if (entry === 0) entry = this.blocks.revive(codePage, pa, linear);
    if (entry === 0) {
      entry = this.blocks.decode(codePage, pa, linear, eip, MAX_BLOCK);
      if (entry === 0) return 0;
      const { second } = this.blocks;
      crosses = second >= 0;
      if (crosses) codePage.crossing.set(offset, { entry, second });
      else codePage.starts.set(offset, entry);
    }
    this.jumps.enter(eip, entry, crosses);
    return entry;
  }

  /** A block that is known and has no more than `limit` instructions; 0: there is none. Without a head nothing tells how many it has. */
  private shortEnough(page: number, mode: number, eip: number, limit: number): number {
    if (!(mode & Mode.codeFlat) || mode & Mode.threaded || this.cpu.points.execution) return 0;
    const entry = this.knownEntry(page, mode & Mode.decode, eip);
    return entry !== 0 && this.i32[(entry + Entry.disp) >> 2]! <= limit ? entry : 0;
  }

  /** The block of one instruction at an address. Kept, unless the instruction crosses into the next page. */
  private single(page: number, mode: number, pa: number, linear: number, eip: number): number {
    if ((pa & 0xfff) > 4096 - MAX_LENGTH) return this.blocks.decode(undefined, pa, linear, eip, 1);
    const codePage = this.pageForBlock(page, mode, (eip - (pa & 0xfff)) | 0);
    let entry = codePage.singles.get(pa & 0xfff);
    if (entry === undefined) {
      entry = this.blocks.decode(codePage, pa, linear, eip, 1);
      if (entry !== 0) codePage.singles.set(pa & 0xfff, entry);
    }
    return entry;
  }

  /** A block of one instruction whose bytes come from `fetch` (by linear address; negative: refused). 0: not decodable by it. */
  entryFromBytes(eip: number, fetch: (linear: number) => number): number {
    const { s } = this.cpu;
    const { emulated } = this;
    const base = s.base(CS);
    const limit = s.limit(CS);
    const fetchByte = (i: number): number => {
      if (eip + i <= limit) return fetch((base + eip + i) >>> 0);
      this.cpu.raise(Vector.GP, 0);
      return -1;
    };
    const mode = s.get(StateLayout.mode) & Mode.decode;
    const known = emulated.find(eip, mode, fetchByte);
    if (known !== 0) return known;
    // A byte that was refused now is refused again, where the decoder asks for it.
    this.cpu.clearFault();
    emulated.begin(fetchByte);
    const entry = this.blocks.decode(undefined, 0, (base + eip) >>> 0, eip, 1, emulated.byte, false);
    if (entry !== 0 && emulated.keeps(eip, mode, entry)) this.blocks.keep();
    return entry;
  }

  private crossingEntry(codePage: CodePage, offset: number, linear: number): number {
    const known = codePage.crossing.get(offset);
    if (known === undefined || this.limitNear(linear)) return 0;
    const second = this.cpu.mmu.fetchAddress(((linear & 0xfffff000) + 4096) >>> 0);
    return second === known.second && this.i32[known.entry >> 2] !== this.module.micro.stale ? known.entry : 0;
  }

  /** Does the segment end inside the longest instruction that could cross from the page of `linear` into the next? */
  private limitNear(linear: number): boolean {
    const s = this.cpu.s;
    const next = ((linear & 0xfffff000) + 4096 - s.base(CS)) >>> 0;
    return !(s.get(StateLayout.mode) & Mode.codeFlat) && next + MAX_LENGTH > s.limit(CS);
  }

  /** Links a jump entry to its target's entry if both lie in one code page. */
  link(jump: number, target: number, targetEip: number): void {
    const from = this.i32[(jump + Entry.eip) >> 2]!;
    const linked =
      (from & 0xfffff000) === (targetEip & 0xfffff000) &&
      this.cpu.s.base(CS) % 4096 === 0 &&
      this.isKept(target, targetEip);
    this.i32[(jump + Entry.target) >> 2] = linked ? target : -1;
  }
  private isKept(entry: number, eip: number): boolean {
    const pa = this.cpu.mmu.fetchAddress((this.cpu.s.base(CS) + eip) >>> 0);
    return pa >= 0 && this.pages.begins(entry, pa);
  }

  /** The entry of a block known at an EIP in a physical page, 0 if there is none. `mode`: the bits of Mode.decode. */
  knownEntry(page: number, mode: number, eip: number): number {
    const offset = eip & 0xfff;
    return this.pages.find(page, mode, (eip - offset) | 0)?.starts.get(offset) ?? 0;
  }
  /** A fresh jump entry outside all blocks, for a region's exit; its target is in the same page and can be linked. */
  jumpEntry(from: number, to: number): number {
    return this.blocks.jumpEntry(from, to);
  }

  /** Room for words of a region outside all blocks, as long as it lives. */
  reserve(bytes: number): number {
    return this.blocks.allocate(Math.ceil(bytes / ENTRY_SIZE) * ENTRY_SIZE);
  }

  /** A flush must come before the page is looked up: a block of a page that the cache no longer knows would never be invalidated. */
  private pageForBlock(page: number, mode: number, eip: number): CodePage {
    if (this.nearlyFull) this.flush();
    return this.pages.get(page, mode & Mode.decode, eip);
  }

  /** Bytes [first, end) of a page, by their offsets, are part of what depends on decoded code. */
  markCode(page: number, first: number, end: number): void {
    this.pages.mark(page, first, end);
  }
  set dependent(code: DependentCode) {
    this.pages.dependent = code;
  }
  /** EIP behind the last instruction of a block with a head. */
  blockEnd(head: number): number {
    const { i32, u8 } = this;
    let at = head;
    let eip = i32[(at + Entry.eip) >> 2]!;
    for (let left = i32[(head + Entry.disp) >> 2]!; ;) {
      at += ENTRY_SIZE;
      eip = (eip + u8[at + Entry.length]!) | 0;
      if (--left === 0) return eip >>> 0;
      while (i32[(at + ENTRY_SIZE + Entry.eip) >> 2] !== eip) at += ENTRY_SIZE;
    }
  }

  // ---- invalidation -------------------------------------------------------------------------------------------------

  invalidatePage(page: number): void {
    this.pages.invalidate(page);
  }
  private readonly lost = (): void => {
    this.counters.invalidations++;
    this.cpu.codeChanged = true;
  };
  /** Links and lines of the jump cache that lead to what goes stay: there they find the stale operation, which comes back here. */
  private readonly gone = (first: number, end: number): void => {
    this.onBlockGone(first);
    this.makeStale(first, end);
  };
  private readonly patch = ({ page, eip }: CodePage, first: number, end: number, from: number, to: number): boolean => {
    const { i32 } = this;
    if (!this.immediates.patch(first, end, eip, this.cpu.memory.ramBase + page * 4096, from, to)) return false;
    // No region is formed as long as that goes on.
    const count = (first + Entry.imm) >> 2;
    if (i32[first >> 2] === this.module.micro.head && i32[count]! > 0)
      i32[count] = this.blocks.countdown(this.pages.changes.decoded(page));
    return true;
  };
  /**
   * A debugger's points at linear addresses came or went: all code of their pages is decoded anew, as links lead to it from there alone, and so is
   * code in segments that are not flat.
   */
  forgetPoints(addresses: readonly number[]): void {
    const near = new Set(addresses.map((address) => address >>> 12));
    this.onForget(near);
    this.pages.invalidateWhere((p) => !(p.mode & Mode.codeFlat) || near.has(p.eip >>> 12));
  }
  private makeStale(first: number, end: number): void {
    const { goto, stale } = this.module.micro;
    for (let at = first; at < end; at += ENTRY_SIZE) {
      // The end of a block counts the instruction before it as its own: it is not counted any more when the end is left at once.
      if (this.i32[at >> 2] === goto) this.u8[at + Entry.done] = this.u8[at + Entry.done]! + 1;
      this.i32[at >> 2] = stale;
    }
  }
  /** The processor's state was replaced by another: no jump may find its target by what was known before. */
  stateReplaced(): void {
    this.jumps.stateReplaced();
  }
  /** Everything goes: the entry area is full, or memory was replaced. */
  flush(): void {
    this.onDiscard();
    this.pages.clear();
    this.blocks.clear();
    this.emulated.clear();
    this.counters.flushes++;
    this.jumps.newGeneration();
  }
}
