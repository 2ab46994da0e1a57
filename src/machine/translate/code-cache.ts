// The decoded-code cache: blocks of entries, found by where they are and decoded where they are not known; linking of jumps. Not the decoder (isa/decode.ts),
// not what stores do to decoded code (code-pages.ts), not jumps between pages (jump-cache.ts) and not execution (forms.ts). Keyed by physical page, so that
// address-space switches keep all code.

import { type Cpu, Vector } from '../cpu/cpu.ts';
import { CS, StateLayout } from '../cpu/state.ts';
import { DecodeResult, Decoder, MAX_LENGTH, type OpcodeTable } from '../isa/decode.ts';
import { LinearLayout } from '../memory.ts';
import { BlockSources } from './block-sources.ts';
import { CodeFetch } from './code-fetch.ts';
import type { CodePage } from './code-page.ts';
import { CodePages, type DependentCode } from './code-pages.ts';
import { EmulatedCode } from './emulated-code.ts';
import { Entry, ENTRY_SIZE, HOT, MAX_BLOCK } from './entry.ts';
import { EntryWriter, type UnavailableRows } from './entry-writer.ts';
import { Immediates } from './immediates.ts';
import type { ThreadedModule } from './threaded-module.ts';
import type { HelperOperands } from './helper-operands.ts';
import { JumpCache } from './jump-cache.ts';
import { Mode, refreshMode } from './mode.ts';

/** A block's count that doesn't come down to zero. */
const NEVER = -1;
/** Room of a block in bytes: the head, three entries an instruction, and the end. */
const roomOf = (instructions: number): number => (instructions * 3 + 3) * ENTRY_SIZE;
const LONGEST_BLOCK = roomOf(MAX_BLOCK);

export class CodeCache {
  private readonly pages: CodePages;
  private readonly immediates: Immediates;
  private readonly sources: BlockSources;
  /** EIP of the first byte of the page whose block is brought back. */
  private pageEip = 0;
  private next: number = LinearLayout.entries;
  private readonly end: number = LinearLayout.entries + LinearLayout.entriesBytes;
  private readonly decoder: Decoder;
  private readonly writer: EntryWriter;
  readonly operands: HelperOperands[];
  private readonly jumps: JumpCache;
  private readonly emulated = new EmulatedCode();
  /** The last block that `entryAt` answered with is kept: jumps in it may be linked. */
  kept = false;
  /** Length of `operands` before the last unkept block. */
  private keptOperands = 0;
  /** Entries of the last unkept block, [unkept, unkeptEnd). */
  private unkept = 0;
  private unkeptEnd = 0;
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
  private readonly fetch: CodeFetch;

  constructor(
    private readonly cpu: Cpu,
    private readonly module: ThreadedModule,
    table: OpcodeTable,
    unavailable: UnavailableRows,
  ) {
    this.decoder = new Decoder(table);
    this.writer = new EntryWriter(cpu, module, this.decoder, unavailable);
    this.operands = this.writer.operands;
    this.jumps = new JumpCache(cpu);
    this.fetch = new CodeFetch(cpu);
    this.i32 = cpu.memory.i32;
    this.u8 = cpu.memory.u8;
    const { i32, u8, u16 } = cpu.memory;
    this.immediates = new Immediates(i32, u8, module.forms.immediateBytes);
    this.sources = new BlockSources(i32, u8, u16, this.immediates, module.micro.stale, LinearLayout.entries);
    this.pages = new CodePages(
      cpu,
      { patch: this.patch, gone: this.gone },
      () => this.makeStale(this.unkept, this.unkeptEnd),
      this.lost,
    );
    cpu.mmu.onFlush = () => this.jumps.translationsDropped();
    cpu.mmu.onBreakpoints = () => this.jumps.newGeneration();
  }

  /** A block that is decoded now may have to make room by emptying the cache. */
  get nearlyFull(): boolean {
    return this.next + LONGEST_BLOCK > this.end;
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
      return known || this.decodeBlock(undefined, pa, linear, eip, breaks ? 1 : limit);
    }
    // A page that the segment's limit cuts through is decoded anew each time: the limit is looked at byte by byte.
    if (!(mode & Mode.codeFlat) && eip + (4095 - (pa & 0xfff)) > s.limit(CS))
      return this.decodeBlock(undefined, pa, linear, eip, limit);
    this.kept = true;
    const offset = pa & 0xfff;
    const codePage = this.pageForBlock(page, mode, (eip - offset) | 0);
    let entry = codePage.entries[offset]!;
    let crosses = false;
    if (entry === 0) {
      entry = this.crossingEntry(codePage, offset, linear);
      crosses = entry !== 0;
      if (!crosses && cpu.faulted) return 0;
    }
    if (entry === 0) entry = this.revive(codePage, pa, linear);
    if (entry === 0) {
      entry = this.decodeBlock(codePage, pa, linear, eip, MAX_BLOCK);
      if (entry === 0) return 0;
      crosses = this.fetch.second >= 0;
      if (crosses) codePage.crossing.set(offset, { entry, second: this.fetch.second });
      else codePage.entries[offset] = entry;
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
    if ((pa & 0xfff) > 4096 - MAX_LENGTH) return this.decodeBlock(undefined, pa, linear, eip, 1);
    const codePage = this.pageForBlock(page, mode, (eip - (pa & 0xfff)) | 0);
    let entry = codePage.singles.get(pa & 0xfff);
    if (entry === undefined) {
      entry = this.decodeBlock(codePage, pa, linear, eip, 1);
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
    const entry = this.decodeBlock(undefined, 0, (base + eip) >>> 0, eip, 1, emulated.byte, false);
    if (entry !== 0 && emulated.keeps(eip, mode, entry)) {
      this.next = this.unkeptEnd;
      this.keptOperands = this.operands.length;
      this.unkeptEnd = this.unkept;
    }
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
    return this.pages.find(page, mode, (eip - offset) | 0)?.entries[offset] ?? 0;
  }
  /** A fresh jump entry outside all blocks, for a region's exit; its target is in the same page and can be linked. */
  jumpEntry(from: number, to: number): number {
    // Its room may be that of the last unkept block, which has run.
    this.unkeptEnd = this.unkept;
    const at = this.allocate(ENTRY_SIZE);
    this.writer.header(at, this.module.micro.goto, from, 0, 0);
    this.i32[(at + Entry.imm) >> 2] = to;
    this.i32[(at + Entry.target) >> 2] = 0;
    return at;
  }

  /** Room for words of a region outside all blocks, as long as it lives. */
  reserve(bytes: number): number {
    return this.allocate(Math.ceil(bytes / ENTRY_SIZE) * ENTRY_SIZE);
  }

  /** A flush must come before the page is looked up: a block of a page that the cache no longer knows would never be invalidated. */
  private pageForBlock(page: number, mode: number, eip: number): CodePage {
    if (this.nearlyFull) this.flush();
    return this.pages.get(page, mode & Mode.decode, eip);
  }

  // ---- decoding -----------------------------------------------------------------------------------------------------

  private allocate(bytes: number): number {
    if (this.next + bytes > this.end) this.flush();
    const at = this.next;
    this.next += bytes;
    return at;
  }

  private decodeBlock(
    codePage: CodePage | undefined,
    pa: number,
    linear: number,
    eip: number,
    limit: number,
    fetchByte = this.fetch.byte,
    watch = true,
  ): number {
    const s = this.cpu.s;
    this.forgetUnkept();
    const start = this.allocate(roomOf(Math.min(limit, MAX_BLOCK)));
    const code32 = (s.get(StateLayout.mode) & Mode.code32) !== 0;
    const d = this.decoder;
    let at = start;
    let count = 0;
    let offset = pa & 0xfff;
    let ended = false;
    const room = s.get(StateLayout.mode) & Mode.codeFlat ? Infinity : s.limit(CS) - eip + 1;
    this.fetch.begin(pa, linear, room);
    this.counters.blocks++;
    // Else the block ends after `limit` instructions, and control comes back.
    const whole = codePage !== undefined && limit === MAX_BLOCK;
    const points = watch && this.cpu.points.execution;
    const pointed = points && this.pointed(linear);
    const headed = whole && !pointed && !(codePage.mode & Mode.threaded);
    if (headed || pointed) {
      this.writer.header(at, pointed ? this.module.micro.point : this.module.micro.head, eip, 0, 0);
      at += ENTRY_SIZE;
    }
    while (count < limit && offset < 4096) {
      // It begins a block of its own.
      if (points && count > 0 && this.pointed((linear + offset - (pa & 0xfff)) >>> 0)) break;
      this.fetch.beginInstruction(offset, count > 0);
      const result = d.decode(fetchByte, code32);
      const crosses = offset + d.length > 4096;
      if (crosses && count > 0) {
        // It begins a block of its own.
        if (result === DecodeResult.fetchFault) this.cpu.clearFault();
        this.fetch.second = -1;
        break;
      }
      if (result === DecodeResult.fetchFault) {
        // Behind the first instruction it is not certain that control gets here.
        if (count > 0) {
          this.cpu.clearFault();
          break;
        }
        this.next = start;
        return 0;
      }
      const here = (eip + (offset - (pa & 0xfff))) >>> 0;
      at = this.writer.emit(at, result, here, count);
      count++;
      offset += d.length;
      ended = result !== DecodeResult.ok || this.writer.ends;
      if (ended) break;
      if (crosses) break;
    }
    const crossed = this.fetch.second >= 0;
    const changes = headed && !crossed ? this.pages.changes.decoded(pa >>> 12) : 0;
    if (headed) {
      this.i32[(start + Entry.imm) >> 2] = crossed ? NEVER : this.countdown(changes);
      this.i32[(start + Entry.disp) >> 2] = count;
    }
    if (!ended) {
      this.writer.header(
        at,
        whole ? this.module.micro.goto : this.module.micro.stop,
        (eip + (offset - (pa & 0xfff))) >>> 0,
        0,
        whole ? count - 1 : count,
      );
      this.i32[(at + Entry.imm) >> 2] = (eip + (offset - (pa & 0xfff))) | 0;
      this.i32[(at + Entry.target) >> 2] = offset >= 4096 || crossed ? -1 : 0;
      at += ENTRY_SIZE;
    }
    this.next = at;
    this.counters.instructions += count;
    // Without a code page the block lives only until it has run: the room is used again. A store into it must still be noticed.
    if (codePage === undefined) {
      this.unkept = start;
      this.unkeptEnd = at;
      this.next = start;
      if (watch) this.pages.mark(pa >>> 12, pa & 0xfff, offset);
      if (watch && crossed) this.pages.mark(this.fetch.second >>> 12, 0, offset - 4096);
      return start;
    }
    this.keptOperands = this.operands.length;
    this.pages.mark(codePage.page, pa & 0xfff, offset);
    codePage.add(start, at, pa & 0xfff, pa & 0xfff, Math.min(offset, 4096));
    if (changes > 0 && offset <= 4096 && codePage.mode & Mode.codeFlat) {
      const from = this.cpu.memory.ramBase + pa;
      const bytes = this.u8.subarray(from, from + offset - (pa & 0xfff));
      this.sources.note(codePage.page, codePage.mode, codePage.eip, pa & 0xfff, start, at, bytes);
    }
    if (crossed) {
      const second = this.fetch.second >>> 12;
      this.pages.mark(second, 0, offset - 4096);
      this.pages.get(second, codePage.mode, (codePage.eip + 4096) | 0).add(start, at, -1, 0, offset - 4096);
    }
    return start;
  }

  /** Brings the block at an address back that was there before its code changed; 0: it has to be decoded. */
  private revive(codePage: CodePage, pa: number, linear: number): number {
    const offset = pa & 0xfff;
    const source = this.sources.find(codePage.page, codePage.mode, codePage.eip, offset);
    if (source === undefined || this.cpu.points.execution) return 0;
    this.forgetUnkept();
    const { first, end, bytes } = source;
    this.fetch.begin(pa, linear, Infinity);
    this.pageEip = codePage.eip;
    const back = this.sources.revive(source, this.cpu.memory.ramBase + pa, this.next, this.rewrite);
    if (!back) return 0;
    this.keptOperands = this.operands.length;
    this.i32[(first + Entry.imm) >> 2] = this.countdown(this.pages.changes.decoded(codePage.page));
    this.pages.mark(codePage.page, offset, offset + bytes.length);
    codePage.add(first, end, offset, offset, offset + bytes.length);
    codePage.entries[offset] = first;
    return first;
  }
  /** In a 32-bit or 16-bit segment as the mode word says, as in `decodeBlock`. */
  private readonly rewrite = (offset: number, done: number, at: number, length: number, ends: boolean): number => {
    const { decoder, fetch, writer } = this;
    fetch.beginInstruction(offset, true);
    const result = decoder.decode(fetch.byte, (this.cpu.s.get(StateLayout.mode) & Mode.code32) !== 0);
    if (result !== DecodeResult.ok || decoder.length !== length) return 0;
    const behind = writer.emit(at, result, (this.pageEip + offset) >>> 0, done);
    return writer.ends === ends ? behind : 0;
  };
  /** The block that lives only until it has run is over. */
  private forgetUnkept(): void {
    if (this.operands.length !== this.keptOperands) this.operands.length = this.keptOperands;
    this.unkeptEnd = this.unkept;
  }

  private pointed(linear: number): boolean {
    return this.cpu.points.marks(linear, (this.cpu.s.get(StateLayout.mode) & Mode.codeFlat) !== 0);
  }

  /** Executions of a block until it is hot. `changes`: see CodeChanges.decoded. */
  private countdown(changes: number): number {
    return this.cpu.tiers === 'eager' ? 1 : HOT << changes;
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
      i32[count] = this.countdown(this.pages.changes.decoded(page));
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
    this.sources.clear();
    this.emulated.clear();
    this.operands.length = 0;
    this.keptOperands = 0;
    this.next = LinearLayout.entries;
    this.counters.flushes++;
    this.jumps.newGeneration();
  }
}
