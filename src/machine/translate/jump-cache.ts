// The jump cache, through which translated code finds the entry for an EIP (entry-function.ts `throughJumpCache`). A line counts only with the
// present tag: any change of mappings or of a code segment that is not flat makes all lines stale at once. Not the entries (code-cache.ts).

import type { Cpu } from '../cpu/cpu.ts';
import { CS, StateLayout } from '../cpu/state.ts';
import { LinearLayout } from '../memory.ts';
import { JUMP_LINES } from './entry.ts';

/** The tag: bits of the mode word below, the generation above. */
const MODE_BITS = 10;
const GENERATIONS = 1 << (32 - MODE_BITS);

export class JumpCache {
  private readonly i32: Int32Array;
  private generation = 0;
  private codeBase = -1;
  private codeLimit = -1;

  constructor(private readonly cpu: Cpu) {
    this.i32 = cpu.memory.i32;
    this.clear();
    this.newGeneration();
  }
  private clear(): void {
    this.i32.fill(0, LinearLayout.jumpCache >> 2, (LinearLayout.jumpCache + JUMP_LINES * 16) >> 2);
  }

  /** Lines of earlier generations no longer match. */
  newGeneration(): void {
    this.generation = (this.generation + 1) % GENERATIONS;
    if (this.generation === 0) {
      this.clear();
      this.generation = 1;
    }
    this.setTag();
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
  /** The entry for an EIP, 0 if there is no line that counts. */
  find(eip: number): number {
    const { i32 } = this;
    const line = this.line(eip);
    return i32[line] === (eip | 0) && i32[line + 1] === i32[StateLayout.jumpTag >> 2] ? i32[line + 2]! : 0;
  }
  /** The entry for an EIP, from now on. */
  enter(eip: number, entry: number): void {
    const line = this.line(eip);
    this.i32[line] = eip;
    this.i32[line + 1] = this.i32[StateLayout.jumpTag >> 2]!;
    this.i32[line + 2] = entry;
  }
}
