// The jump cache, through which translated code finds the entry for an EIP (entry-function.ts `throughJumpCache`). A line counts with the present
// tag, and while the TLB has its page where it was: so lines outlive the loss of other translations. Not the entries (code-cache.ts).

import type { Cpu } from '../cpu/cpu.ts';
import { CS, StateLayout } from '../cpu/state.ts';
import { INVALID } from '../cpu/tlb.ts';
import { LinearLayout } from '../memory.ts';
import { JUMP_LINES, JumpLine } from './entry.ts';
import { Mode } from './mode.ts';

/** The tag: bits of the mode word below, the generation above. */
const MODE_BITS = 10;
const GENERATIONS = 1 << (32 - MODE_BITS);
/** Loose lines that are remembered one by one. */
const LOOSE = LinearLayout.looseLinesMost;

export class JumpCache {
  private readonly i32: Int32Array;
  private generation = 0;
  private codeBase = -1;
  private codeLimit = -1;
  /**
   * Addresses of lines that the TLB word of their EIP's page does not vouch for: code that crosses into another page, segments that are not flat,
   * pages that the TLB never has. They end with any translation that is dropped (isa/flush-functions.ts too).
   */
  private readonly loose: Int32Array;

  constructor(private readonly cpu: Cpu) {
    this.i32 = cpu.memory.i32;
    this.loose = this.i32.subarray(LinearLayout.looseLines >> 2, (LinearLayout.looseLines >> 2) + LOOSE);
    this.newGeneration();
  }
  /** How many there are; one more than are remembered: more than that. */
  private get looseLines(): number {
    return this.i32[StateLayout.looseCount >> 2]!;
  }
  private set looseLines(count: number) {
    this.i32[StateLayout.looseCount >> 2] = count;
  }
  private clear(): void {
    this.i32.fill(0, LinearLayout.jumpCache >> 2, (LinearLayout.jumpCache + JUMP_LINES * 16) >> 2);
  }

  /** Lines of earlier generations no longer match. */
  newGeneration(): void {
    this.looseLines = 0;
    this.generation = (this.generation + 1) % GENERATIONS;
    if (this.generation === 0) {
      this.clear();
      this.generation = 1;
    }
    this.setTag();
  }
  /** Translations were dropped. */
  translationsDropped(): void {
    const count = this.looseLines;
    if (count > LOOSE) {
      this.newGeneration();
      return;
    }
    for (let i = 0; i < count; i++) this.i32[(this.loose[i]! + JumpLine.tag) >> 2] = 0;
    this.looseLines = 0;
  }
  /** After a change of mode. Code segments that are not flat have their own EIPs for the same code. */
  modeChanged(): void {
    const { s } = this.cpu;
    const base = s.base(CS);
    const limit = s.limit(CS);
    if (base === this.codeBase && limit === this.codeLimit) {
      this.setTag();
      return;
    }
    this.codeBase = base;
    this.codeLimit = limit;
    this.newGeneration();
  }
  /** The state has another code segment, perhaps, and other mappings; its tag is one of another time. */
  stateReplaced(): void {
    const { s } = this.cpu;
    this.codeBase = s.base(CS);
    this.codeLimit = s.limit(CS);
    this.newGeneration();
  }
  private setTag(): void {
    const mode = this.cpu.s.get(StateLayout.mode) & ((1 << MODE_BITS) - 1);
    this.i32[StateLayout.jumpTag >> 2] = (this.generation << MODE_BITS) | mode;
  }

  private line(eip: number): number {
    return (LinearLayout.jumpCache + (((eip ^ (eip >>> 12)) & (JUMP_LINES - 1)) << 4)) >> 2;
  }
  private translation(eip: number): number {
    return this.i32[(this.i32[StateLayout.tlb >> 2]! >> 2) + (eip >>> 12)]!;
  }
  /** The entry for an EIP, 0 if there is no line that counts. */
  find(eip: number): number {
    const { i32 } = this;
    const line = this.line(eip);
    const counts =
      i32[line] === (eip | 0) &&
      i32[line + 1] === i32[StateLayout.jumpTag >> 2] &&
      i32[line + 3] === this.translation(eip);
    return counts ? i32[line + 2]! : 0;
  }
  /** The entry for an EIP, from now on. `crosses`: its first instruction ends in the next page. */
  enter(eip: number, entry: number, crosses: boolean): void {
    const { i32 } = this;
    const line = this.line(eip);
    const translation = this.translation(eip);
    i32[line] = eip;
    i32[line + 1] = i32[StateLayout.jumpTag >> 2]!;
    i32[line + 2] = entry;
    i32[line + 3] = translation;
    const flat = (i32[StateLayout.mode >> 2]! & Mode.codeFlat) !== 0;
    if (flat && !crosses && translation !== INVALID) return;
    if (this.looseLines < LOOSE) this.loose[this.looseLines] = line << 2;
    if (this.looseLines <= LOOSE) this.looseLines++;
  }
}
