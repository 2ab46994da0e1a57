// The bytes of the block that is being decoded: from one page and, for an instruction that crosses its end, from the next. Not the decoder
// (isa/decode.ts) and not the block (code-cache.ts). SDM vol. 3, 5.3 (limit of the code segment).

import { type Cpu, Vector } from '../cpu/cpu.ts';
import { WIDE_ZERO } from '../wide-number.ts';

export class CodeFetch {
  private page = 0;
  private linear = WIDE_ZERO;
  /** Offset in the page at which the block begins, and how many bytes the code segment has from there on. */
  private start = 0;
  private room = Infinity;
  private offset = 0;
  /** The block has an instruction already: it is not certain that control gets to the next one. */
  private ahead = false;
  /** Physical address of the next page, if the present instruction has bytes there; else -1. */
  second = -1;

  constructor(private readonly cpu: Cpu) {}

  /** A block begins. `room`: bytes that its code segment has from there on. */
  begin(pa: number, linear: number, room: number): void {
    this.page = this.cpu.memory.ramBase + (pa & 0xfffff000);
    this.linear = linear;
    this.start = pa & 0xfff;
    this.room = room;
  }
  /** An instruction of it begins at an offset of the page. */
  beginInstruction(offset: number, ahead: boolean): void {
    this.offset = offset;
    this.ahead = ahead;
    this.second = -1;
  }
  /** Byte i of the instruction; negative if it cannot be had, with the fault in the mailbox if there is one. */
  readonly byte = (i: number): number => {
    const { cpu } = this;
    const { memory } = cpu;
    const at = this.offset + i;
    if (this.room <= at - this.start) {
      cpu.raise(Vector.GP, 0);
      return -1;
    }
    if (at < 4096) return memory.u8[this.page + at]!;
    if (this.second < 0) {
      // The walk sets accessed bits: not ahead of time, or the length of a block would show in memory.
      if (this.ahead) return -1;
      const pa = cpu.mmu.fetchAddress(((this.linear & 0xfffff000) + 4096) >>> 0);
      if (pa < 0) return -1;
      this.second = pa;
    }
    const place = this.second + at - 4096;
    return place < memory.bytes ? memory.u8[memory.ramBase + place]! : 0xff;
  };
}
