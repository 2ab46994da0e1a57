// Decodes blocks of entries into their area of linear memory, and brings blocks back whose code was patched. Not where known blocks are found
// (code-cache.ts), not the instructions (isa/decode.ts) and not their entries (entry-writer.ts).

import type { Cpu } from '../cpu/cpu.ts';
import { CS, StateLayout } from '../cpu/state.ts';
import { DecodeResult, Decoder, type OpcodeTable } from '../isa/decode.ts';
import { LinearLayout } from '../memory.ts';
import { BlockSources } from './block-sources.ts';
import { CodeFetch } from './code-fetch.ts';
import type { CodePage } from './code-page.ts';
import type { CodePages } from './code-pages.ts';
import { Entry, ENTRY_SIZE, HOT, MAX_BLOCK } from './entry.ts';
import { EntryWriter, type UnavailableRows } from './entry-writer.ts';
import type { HelperOperands } from './helper-operands.ts';
import type { Immediates } from './immediates.ts';
import { Mode } from './mode.ts';
import type { ThreadedModule } from './threaded-module.ts';

/** A block's count that doesn't come down to zero. */
const NEVER = -1;
/** Room of a block in bytes: the head, three entries an instruction, and the end. */
const roomOf = (instructions: number): number => (instructions * 3 + 3) * ENTRY_SIZE;
const LONGEST_BLOCK = roomOf(MAX_BLOCK);

export class BlockDecoder {
  readonly operands: HelperOperands[];
  /** Length of `operands` before the last unkept block. */
  private keptOperands = 0;
  /** Entries of the last unkept block, [unkept, unkeptEnd). */
  unkept = 0;
  unkeptEnd = 0;
  private next: number = LinearLayout.entries;
  private readonly end: number = LinearLayout.entries + LinearLayout.entriesBytes;
  private readonly decoder: Decoder;
  private readonly writer: EntryWriter;
  private readonly fetch: CodeFetch;
  private readonly sources: BlockSources;
  /** EIP of the first byte of the page whose block is brought back. */
  private pageEip = 0;
  private readonly i32: Int32Array;
  private readonly u8: Uint8Array;

  /** @param full called when there is no room: all blocks go (`clear`) */
  constructor(
    private readonly cpu: Cpu,
    private readonly module: ThreadedModule,
    table: OpcodeTable,
    unavailable: UnavailableRows,
    private readonly pages: CodePages,
    immediates: Immediates,
    private readonly counters: { blocks: number; instructions: number },
    private readonly full: () => void,
  ) {
    const { i32, u8, u16 } = cpu.memory;
    this.i32 = i32;
    this.u8 = u8;
    this.decoder = new Decoder(table);
    this.writer = new EntryWriter(cpu, module, this.decoder, unavailable);
    this.operands = this.writer.operands;
    this.fetch = new CodeFetch(cpu);
    this.sources = new BlockSources(i32, u8, u16, immediates, module.micro.stale, LinearLayout.entries);
  }

  /** The next block may not fit. */
  get nearlyFull(): boolean {
    return this.next + LONGEST_BLOCK > this.end;
  }
  /** Physical address of the second page of the block last decoded, if it crosses into one; else -1. */
  get second(): number {
    return this.fetch.second;
  }
  allocate(bytes: number): number {
    if (this.next + bytes > this.end) this.full();
    const at = this.next;
    this.next += bytes;
    return at;
  }
  /** A fresh jump entry outside all blocks; its target is in the same page and can be linked. */
  jumpEntry(from: number, to: number): number {
    // Its room may be that of the last unkept block, which has run.
    this.unkeptEnd = this.unkept;
    const at = this.allocate(ENTRY_SIZE);
    this.writer.header(at, this.module.micro.goto, from, 0, 0);
    this.i32[(at + Entry.imm) >> 2] = to;
    this.i32[(at + Entry.target) >> 2] = 0;
    return at;
  }
  /** The last unkept block is kept after all. */
  keep(): void {
    this.next = this.unkeptEnd;
    this.keptOperands = this.operands.length;
    this.unkeptEnd = this.unkept;
  }
  /** All blocks are gone. */
  clear(): void {
    this.sources.clear();
    this.operands.length = 0;
    this.keptOperands = 0;
    this.next = LinearLayout.entries;
  }

  /**
   * Decodes the block at a physical address, which begins at linear address and EIP given. Without a code page the block lives only until it has run: its room
   * is used again. `fetchByte`: where its bytes come from; `watch`: stores to them are to be seen. 0 with a fault in the mailbox.
   */
  decode(
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
    // A store into it must still be noticed.
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
  revive(codePage: CodePage, pa: number, linear: number): number {
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
    codePage.starts.set(offset, first);
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
  countdown(changes: number): number {
    return this.cpu.tiers === 'eager' ? 1 : HOT << changes;
  }
}
