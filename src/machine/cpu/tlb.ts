// The flat TLB tables that translated code reads: one word a page and context, or INVALID. Filling, flushing and taking write entries away.
// Not the walk (page-walk.ts) nor the accesses (mmu.ts). SDM vol. 3, 4.10.
//
// A word is `host page - linear page - PAGES_BELOW`, with DIRECT in its low bits where accesses may go directly: added to the linear address and
// HOST_OFFSET it is the address in linear memory then. So a page that was never filled is zero, and tables cost the host no memory where nothing was filled.

import { LinearLayout, type PhysicalMemory } from '../memory.ts';
import type { Persistent } from '../snapshot.ts';
import { StateLayout } from './state.ts';

/** Contexts: root and VMX non-root, supervisor and user each; `none` stays empty (the instruction emulator, alignment checks). */
export const TlbContext = { rootSupervisor: 0, rootUser: 1, guestSupervisor: 2, guestUser: 3, none: 4 } as const;
const FILLED_CONTEXTS = 4;

/** No entry. Anded with any address it leaves nothing, as if every access crossed the page (isa/value-emitter.ts `beyondPage`). */
export const INVALID = 0;
/**
 * In the low bits of an entry: accesses go directly. Without it the page may be accessed, but, of a write entry, each store must be seen (code, a
 * monitored line); of both, a debugger or a breakpoint of the guest watches bytes there.
 */
export const DIRECT = 0xfff;
/** Keeps what is to be added to a direct entry positive: it is a static offset of loads and stores, from which the bytes of an access are taken. */
export const PAGES_BELOW = 0x2000;
export const HOST_OFFSET = PAGES_BELOW - DIRECT;
/** The direct entry of a page, by addresses of linear memory and of the guest. */
export const directEntry = (host: number, linear: number): number => (host - linear - PAGES_BELOW) | DIRECT;
/** In words: the write table follows the read table. */
const WRITE = 0x0010_0000;
/** A journal's words, one for each page that there is; and how many it has at least before it is tidied up. */
const JOURNAL = LinearLayout.tlbJournalBytes >> 2;
const LEAST_ROOM = 4096;

export class Tlb implements Persistent<readonly Int32Array[]> {
  private readonly i32: Int32Array;
  /**
   * By context: filled slots (word indices), so that a flush costs what was filled. In linear memory, where emitted code fills and flushes too
   * (isa/walk-functions.ts). A slot that was emptied and filled again is in it twice.
   */
  readonly journals: readonly Int32Array[];
  /** Their lengths, and those from which on they have to be tidied up first. */
  private readonly lengths: Int32Array;
  private readonly rooms: Int32Array;

  constructor(private readonly memory: PhysicalMemory) {
    this.i32 = memory.i32;
    const words = (address: number, count: number): Int32Array =>
      this.i32.subarray(address >> 2, (address >> 2) + count);
    this.journals = Array.from({ length: FILLED_CONTEXTS }, (_, context) =>
      words(LinearLayout.tlbJournals + context * LinearLayout.tlbJournalBytes, JOURNAL),
    );
    this.lengths = words(StateLayout.journalLength, FILLED_CONTEXTS);
    this.rooms = words(StateLayout.journalRoom, FILLED_CONTEXTS);
    this.rooms.fill(LEAST_ROOM);
  }

  /** Linear-memory address of a context's read table. */
  address(context: number): number {
    return LinearLayout.tlb + context * LinearLayout.tlbContextBytes;
  }
  private word(context: number, linear: number): number {
    return (this.address(context) >> 2) + (linear >>> 12);
  }

  private entry(context: number, linear: number, write: boolean): number {
    return this.i32[this.word(context, linear) + (write ? WRITE : 0)]!;
  }
  /** Where in linear memory a linear address may be read or written directly; 0: nowhere. */
  direct(context: number, linear: number, write: boolean): number {
    const entry = this.entry(context, linear, write);
    return (entry & DIRECT) === 0 ? 0 : (entry + linear + HOST_OFFSET) >>> 0;
  }
  /**
   * The cached translation of a linear address for reading or writing: its RAM address, or -1. A page whose stores must be seen has one too:
   * which translations are cached depends on what the program did, not on which of its code happens to be decoded. (Not so where linear memory
   * puts a page PAGES_BELOW above its own linear address: INVALID looks the same.)
   */
  cached(context: number, linear: number, write: boolean): number {
    const entry = this.entry(context, linear, write);
    return entry === INVALID ? -1 : (((entry & ~DIRECT) + PAGES_BELOW + linear) >>> 0) - this.memory.ramBase;
  }

  /** Makes the page of `linear` readable, and writable, as the RAM page of `pa`. `seen`: its stores must be seen; `watched`: its loads too. */
  fill(context: number, linear: number, pa: number, writable: boolean, seen: boolean, watched: boolean): void {
    const word = this.word(context, linear);
    const value = directEntry(this.memory.ramBase + (pa & 0xfffff000), linear & 0xfffff000);
    if (this.i32[word] === INVALID) this.record(context, word);
    this.i32[word] = watched ? value & ~DIRECT : value;
    if (writable) this.i32[word + WRITE] = seen || watched ? value & ~DIRECT : value;
  }
  private record(context: number, word: number): void {
    if (this.lengths[context]! >= this.rooms[context]!) this.tidy(context);
    this.journals[context]![this.lengths[context]++] = word;
  }
  /** Leaves each slot in use once in the journal. There is always room then for one that is not in use. */
  private tidy(context: number): void {
    const list = this.journals[context]!;
    const count = this.lengths[context]!;
    const values = new Int32Array(count);
    let kept = 0;
    for (let i = 0; i < count; i++) {
      const word = list[i]!;
      const value = this.i32[word]!;
      if (value === INVALID) continue;
      list[kept] = word;
      values[kept++] = value;
      this.i32[word] = INVALID;
    }
    for (let i = 0; i < kept; i++) this.i32[list[i]!] = values[i]!;
    this.lengths[context] = kept;
    this.rooms[context] = Math.min(JOURNAL, Math.max(LEAST_ROOM, 2 * kept));
  }
  /** Filled slots of a context, by their word indices, some of them twice. */
  private filled(context: number): Int32Array {
    return this.journals[context]!.subarray(0, this.lengths[context]);
  }

  flush(context: number): void {
    const list = this.journals[context]!;
    const length = this.lengths[context]!;
    for (let i = 0; i < length; i++) {
      const word = list[i]!;
      this.i32[word] = INVALID;
      this.i32[word + WRITE] = INVALID;
    }
    this.lengths[context] = 0;
  }
  invalidate(context: number, linear: number): void {
    const word = this.word(context, linear);
    if (this.i32[word] === INVALID) return;
    this.i32[word] = INVALID;
    this.i32[word + WRITE] = INVALID;
  }
  /** Accesses to the linear page must all be seen from now on, or no longer (a store that need not be seen finds that out itself). */
  watchAccesses(linear: number, on: boolean): void {
    for (let context = 0; context < FILLED_CONTEXTS; context++) {
      const word = this.word(context, linear);
      if (this.i32[word] === INVALID) continue;
      this.i32[word] = on ? this.i32[word]! & ~DIRECT : this.i32[word]! | DIRECT;
      if (on) this.i32[word + WRITE] = this.i32[word + WRITE]! & ~DIRECT;
    }
  }
  /** From now on stores to a physical page must be seen. */
  watchStores(page: number): void {
    const host = this.memory.ramBase + page * 4096;
    for (let context = 0; context < FILLED_CONTEXTS; context++) {
      if (this.lengths[context] === 0) continue;
      const base = this.address(context) >> 2;
      for (const word of this.filled(context)) {
        const value = this.i32[word + WRITE]! & ~DIRECT;
        if (((value + PAGES_BELOW + ((word - base) << 12)) | 0) === host) this.i32[word + WRITE] = value;
      }
    }
  }

  /** Stores to any page must be seen from now on. */
  watchAllStores(): void {
    for (let context = 0; context < FILLED_CONTEXTS; context++)
      for (const word of this.filled(context)) this.i32[word + WRITE] = this.i32[word + WRITE]! & ~DIRECT;
  }

  /** For each context: every entry's word number, and its value with 1 added if it may be written. What the program did decides, nothing else. */
  saveState(): readonly Int32Array[] {
    return this.journals.map((_, context) => {
      this.tidy(context);
      const saved = new Int32Array(2 * this.lengths[context]!);
      // When a journal was tidied is nothing that the program did.
      this.filled(context)
        .sort()
        .forEach((word, i) => {
          saved[2 * i] = word;
          saved[2 * i + 1] = (this.i32[word]! & ~DIRECT) | (this.i32[word + WRITE] === INVALID ? 0 : 1);
        });
      return saved;
    });
  }
  /** Stores to the pages must all be seen. */
  loadState(state: readonly Int32Array[]): void {
    for (const [context, saved] of state.entries()) {
      this.flush(context);
      for (let i = 0; i < saved.length; i += 2) {
        const word = saved[i]!;
        const value = saved[i + 1]! & ~DIRECT;
        this.record(context, word);
        this.i32[word] = value | DIRECT;
        this.i32[word + WRITE] = saved[i + 1]! & 1 ? value : INVALID;
      }
    }
  }
}
