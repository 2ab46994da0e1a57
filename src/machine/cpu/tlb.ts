// The flat TLB tables that translated code reads: one word a page and context, `host page - linear page`, or INVALID. Filling, flushing
// and taking write entries away. Not the walk (page-walk.ts) nor the accesses (mmu.ts). SDM vol. 3, 4.10.

import { LinearLayout, type PhysicalMemory } from '../memory.ts';
import type { Persistent } from '../snapshot.ts';

/** Contexts: root and VMX non-root, supervisor and user each; `none` stays empty (the instruction emulator, alignment checks). */
export const TlbContext = { rootSupervisor: 0, rootUser: 1, guestSupervisor: 2, guestUser: 3, none: 4 } as const;
const FILLED_CONTEXTS = 4;

/** No entry: the low bits make every access look as if it crossed the page. */
export const INVALID = 0xfff;
/**
 * In the low bits of an entry: the page may be accessed, but no access goes directly. Of a write entry: each store must be seen (code, a monitored
 * line); of both: a debugger watches bytes there.
 */
const SEEN = 0xfff;
/** In words: the write table follows the read table. */
const WRITE = 0x0010_0000;

export class Tlb implements Persistent<readonly Int32Array[]> {
  private readonly i32: Int32Array;
  /** Filled slots (word indices), so that a flush costs what was filled. */
  private readonly journal: Int32Array[] = [];
  private readonly journalLength: number[] = [0, 0, 0, 0];

  constructor(private readonly memory: PhysicalMemory) {
    this.i32 = memory.i32;
    const end = LinearLayout.tlb + LinearLayout.tlbContexts * LinearLayout.tlbContextBytes;
    this.i32.fill(INVALID, LinearLayout.tlb >> 2, end >> 2);
    for (let i = 0; i < FILLED_CONTEXTS; i++) this.journal.push(new Int32Array(1 << 16));
  }

  /** Linear-memory address of a context's read table. */
  address(context: number): number {
    return LinearLayout.tlb + context * LinearLayout.tlbContextBytes;
  }
  private word(context: number, linear: number): number {
    return (this.address(context) >> 2) + (linear >>> 12);
  }

  /** The read or write entry of a linear address: added to the address it is one of linear memory, if its low bits are zero. */
  entry(context: number, linear: number, write: boolean): number {
    return this.i32[this.word(context, linear) + (write ? WRITE : 0)]!;
  }
  /**
   * The cached translation of a linear address for reading or writing: its RAM address, or -1. A page whose stores must be seen has one too:
   * which translations are cached depends on what the program did, not on which of its code happens to be decoded. (Not so where linear memory
   * puts a page at its own linear address: INVALID looks the same.)
   */
  cached(context: number, linear: number, write: boolean): number {
    const entry = this.entry(context, linear, write);
    return entry === INVALID ? -1 : (((entry & 0xfffff000) + linear) >>> 0) - this.memory.ramBase;
  }

  /** Makes the page of `linear` readable, and writable, as the RAM page of `pa`. `seen`: its stores must be seen; `watched`: its loads too. */
  fill(context: number, linear: number, pa: number, writable: boolean, seen: boolean, watched: boolean): void {
    const word = this.word(context, linear);
    const value = (this.memory.ramBase + (pa & 0xfffff000) - (linear & 0xfffff000)) | 0;
    if (this.i32[word] === INVALID) this.record(context, word);
    this.i32[word] = watched ? value | SEEN : value;
    if (writable) this.i32[word + WRITE] = seen || watched ? value | SEEN : value;
  }
  private record(context: number, word: number): void {
    let list = this.journal[context]!;
    const length = this.journalLength[context]!;
    if (length === list.length) {
      const bigger = new Int32Array(length * 2);
      bigger.set(list);
      this.journal[context] = bigger;
      list = bigger;
    }
    list[length] = word;
    this.journalLength[context] = length + 1;
  }

  flush(context: number): void {
    const list = this.journal[context]!;
    const length = this.journalLength[context]!;
    for (let i = 0; i < length; i++) {
      const word = list[i]!;
      this.i32[word] = INVALID;
      this.i32[word + WRITE] = INVALID;
    }
    this.journalLength[context] = 0;
  }
  invalidate(context: number, linear: number): void {
    const word = this.word(context, linear);
    this.i32[word] = INVALID;
    this.i32[word + WRITE] = INVALID;
  }
  /** Takes the page of a linear address out of every context. */
  invalidateEverywhere(linear: number): void {
    for (let context = 0; context < FILLED_CONTEXTS; context++) this.invalidate(context, linear);
  }
  /** Accesses to the linear page must all be seen from now on, or no longer (a store that need not be seen finds that out itself). */
  watchAccesses(linear: number, on: boolean): void {
    for (let context = 0; context < FILLED_CONTEXTS; context++) {
      const word = this.word(context, linear);
      if (this.i32[word] === INVALID) continue;
      this.i32[word] = on ? this.i32[word]! | SEEN : this.i32[word]! & ~SEEN;
      if (on && this.i32[word + WRITE] !== INVALID) this.i32[word + WRITE] = this.i32[word + WRITE]! | SEEN;
    }
  }
  /** From now on stores to a physical page must be seen. */
  watchStores(page: number): void {
    const host = this.memory.ramBase + page * 4096;
    for (let context = 0; context < FILLED_CONTEXTS; context++) {
      const base = this.address(context) >> 2;
      const list = this.journal[context]!;
      const length = this.journalLength[context]!;
      for (let i = 0; i < length; i++) {
        const word = list[i]!;
        const value = this.i32[word + WRITE]!;
        if (value !== INVALID && ((value + ((word - base) << 12)) | 0) === host) this.i32[word + WRITE] = value | SEEN;
      }
    }
  }

  /** Stores to any page must be seen from now on. */
  watchAllStores(): void {
    for (let context = 0; context < FILLED_CONTEXTS; context++) {
      const list = this.journal[context]!;
      for (let i = 0; i < this.journalLength[context]!; i++) {
        const word = list[i]! + WRITE;
        if (this.i32[word] !== INVALID) this.i32[word] = this.i32[word]! | SEEN;
      }
    }
  }

  /** For each context: every entry's word number, and its value with 1 added if it may be written. What the program did decides, nothing else. */
  saveState(): readonly Int32Array[] {
    return this.journal.map((list, context) => {
      const saved = new Int32Array(2 * this.journalLength[context]!);
      const values = new Int32Array(this.journalLength[context]!);
      let at = 0;
      for (let i = 0; i < this.journalLength[context]!; i++) {
        const word = list[i]!;
        const value = this.i32[word]!;
        if (value === INVALID) continue;
        saved[at] = word;
        values[at >> 1] = value;
        saved[at + 1] = (value & ~SEEN) | (this.i32[word + WRITE] === INVALID ? 0 : 1);
        at += 2;
        // A page that was invalidated and filled again is noted twice.
        this.i32[word] = INVALID;
      }
      for (let i = 0; i < at; i += 2) {
        const word = saved[i]!;
        this.i32[word] = values[i >> 1]!;
        list[i >> 1] = word;
      }
      this.journalLength[context] = at >> 1;
      return saved.slice(0, at);
    });
  }
  /** Stores to the pages must all be seen. */
  loadState(state: readonly Int32Array[]): void {
    for (const [context, saved] of state.entries()) {
      this.flush(context);
      for (let i = 0; i < saved.length; i += 2) {
        const word = saved[i]!;
        const value = saved[i + 1]! & ~SEEN;
        this.record(context, word);
        this.i32[word] = value;
        this.i32[word + WRITE] = saved[i + 1]! & 1 ? value | SEEN : INVALID;
      }
    }
  }
}
