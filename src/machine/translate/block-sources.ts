// What blocks were decoded from, where code keeps changing: such a block comes back in its place, with only those instructions decoded anew whose bytes
// differ. So links to it hold, and a patched operand costs one instruction. Not the blocks (code-cache.ts) and not which pages change (code-changes.ts).

import { Entry, ENTRY_SIZE } from './entry.ts';
import type { Immediates } from './immediates.ts';

/** Blocks of a page, and pages, that are remembered. */
const MOST_BLOCKS = 16;
const MOST_PAGES = 64;
/** Bytes that may differ besides immediates: more are another program. */
const MOST_CHANGED = 8;
/** Attempts in vain after which a block is left alone. */
const MOST_FAILURES = 2;

export class BlockSource {
  /** Table slots of its entries, which become stale. */
  readonly functions: Int32Array;
  failures = 0;
  /** An attempt was in vain: its entries are nobody's now. */
  lost = false;

  constructor(
    readonly mode: number,
    /** Of its page's first byte. */
    readonly eip: number,
    readonly offset: number,
    /** Its entries [first, end), and what the last has for `done`. */
    readonly first: number,
    readonly end: number,
    readonly lastDone: number,
    readonly bytes: Uint8Array,
    i32: Int32Array,
  ) {
    this.functions = new Int32Array((end - first) / ENTRY_SIZE);
    for (let i = 0; i < this.functions.length; i++) this.functions[i] = i32[(first + i * ENTRY_SIZE) >> 2]!;
  }
}

/** Decodes the instruction at an offset of the page, the `done`th of its block, and writes its entries at an address; the address behind them, or 0. */
export type Rewrite = (offset: number, done: number, at: number, length: number, ends: boolean) => number;

export class BlockSources {
  private readonly pages = new Map<number, BlockSource[]>();

  constructor(
    private readonly i32: Int32Array,
    private readonly u8: Uint8Array,
    private readonly u16: Uint16Array,
    private readonly immediates: Immediates,
    private readonly stale: number,
    /** Linear addresses of entries begin here: smaller numbers in `target` are none. */
    private readonly entries: number,
  ) {}

  clear(): void {
    this.pages.clear();
  }
  find(page: number, mode: number, eip: number, offset: number): BlockSource | undefined {
    const list = this.pages.get(page);
    if (list !== undefined)
      for (const source of list)
        if (source.offset === offset && source.mode === mode && source.eip === eip) return source;
    return undefined;
  }
  /** A block was decoded from `bytes`. */
  note(page: number, mode: number, eip: number, offset: number, first: number, end: number, bytes: Uint8Array): void {
    let list = this.pages.get(page);
    if (list === undefined) {
      if (this.pages.size >= MOST_PAGES) this.pages.clear();
      list = [];
      this.pages.set(page, list);
    }
    const known = list.findIndex((s) => s.offset === offset && s.mode === mode && s.eip === eip);
    const failures = known < 0 ? 0 : list[known]!.failures;
    if (failures >= MOST_FAILURES) return;
    const lastDone = this.u16[(end - ENTRY_SIZE + Entry.done) >> 1]!;
    const source = new BlockSource(mode, eip, offset, first, end, lastDone, bytes.slice(), this.i32);
    source.failures = failures;
    if (known >= 0) list[known] = source;
    else if (list.length < MOST_BLOCKS) list.push(source);
    else list[offset % MOST_BLOCKS] = source;
  }

  /**
   * Makes the block's entries what they would be if it were decoded from the bytes that are at linear-memory address `place` now. False: it has to be
   * decoded. `scratch`: where entries of one instruction may be written.
   */
  revive(source: BlockSource, place: number, scratch: number, rewrite: Rewrite): boolean {
    if (source.lost) return false;
    if (this.rewriteChanged(source, place, scratch, rewrite)) {
      this.restore(source);
      return true;
    }
    source.failures++;
    source.lost = true;
    return false;
  }
  private rewriteChanged(source: BlockSource, place: number, scratch: number, rewrite: Rewrite): boolean {
    const { i32, u8 } = this;
    const { first, end, bytes, functions } = source;
    let from = 0;
    let done = 0;
    let different = 0;
    for (let at = first + ENTRY_SIZE; at < end;) {
      const eip = i32[(at + Entry.eip) >> 2]!;
      const length = u8[at + Entry.length]!;
      let next = at + ENTRY_SIZE;
      while (next < end && i32[(next + Entry.eip) >> 2] === eip) next += ENTRY_SIZE;
      const last = next - ENTRY_SIZE;
      const immediate = this.immediates.bytes(functions[(last - first) / ENTRY_SIZE]!);
      const before = different;
      for (let i = from; i < from + length - immediate; i++)
        if (bytes[i] !== u8[place + i]) {
          bytes[i] = u8[place + i]!;
          different++;
        }
      if (different > MOST_CHANGED) return false;
      if (different === before) {
        // Perhaps the entry has taken in others since it was decoded.
        if (immediate > 0) this.immediates.take(last, immediate, place + from + length);
      } else {
        const behind = rewrite(source.offset + from, done, scratch, length, next === end);
        if (behind - scratch !== next - at) return false;
        for (let word = 0; word < (next - at) >> 2; word++) i32[(at >> 2) + word] = i32[(scratch >> 2) + word]!;
        for (let entry = at; entry < next; entry += ENTRY_SIZE)
          functions[(entry - first) / ENTRY_SIZE] = i32[entry >> 2]!;
      }
      from += length;
      done++;
      at = next;
    }
    return true;
  }
  private restore({ first, end, lastDone, functions }: BlockSource): void {
    const { i32 } = this;
    for (let i = 0; i < functions.length; i++) i32[(first >> 2) + i * (ENTRY_SIZE >> 2)] = functions[i]!;
    this.u16[(end - ENTRY_SIZE + Entry.done) >> 1] = lastDone;
    // A block that did not come back has another place now, or will have.
    for (let at = first; at < end; at += ENTRY_SIZE) {
      const target = i32[(at + Entry.target) >> 2]!;
      if (target >= this.entries && i32[target >> 2] === this.stale) i32[(at + Entry.target) >> 2] = 0;
    }
  }
}
