// The code that a region is formed of: instructions of the present address space, by the translations that the TLB has, and what of it the threaded tier
// has decoded. Not which of it belongs to a region (flow-graph.ts).

import type { Cpu } from '../../cpu/cpu.ts';
import { DecodeResult, type Decoder } from '../../isa/decode.ts';
import type { CodeCache } from '../code-cache.ts';
import { Mode, runsUnit } from '../mode.ts';
import { isEmitted } from '../operand-access.ts';
import type { CodeSource } from './flow-graph.ts';
import { Instruction } from './instruction.ts';

/** Words of a table of addresses that are looked at, different ones that are wanted, and how far from the jump they may be. */
const MOST_IN_TABLE = 256;
const MOST_TARGETS = 32;
const FARTHEST_TARGET = 1 << 18;

/** Instructions at an EIP of the present address space, by the translations that the TLB has. */
export class PresentCode implements CodeSource {
  private readonly instructions = new Map<number, Instruction | undefined>();
  private readonly places = new Map<number, number>();
  private readonly u8: Uint8Array;

  constructor(
    private readonly cpu: Cpu,
    private readonly cache: CodeCache,
    private readonly decoder: Decoder,
    private readonly mode: number,
    /** EIPs that are a region's own (regions.ts), by its head. */
    private readonly byHead: ReadonlyMap<number, { readonly own: Int32Array }>,
  ) {
    this.u8 = cpu.memory.u8;
  }
  /** Physical address of the page of an EIP; -1 if it is not known. */
  place(eip: number): number {
    const page = eip >>> 12;
    let place = this.places.get(page);
    if (place === undefined) {
      place = this.cpu.mmu.cachedCode((page << 12) >>> 0);
      if (place + 4096 > this.cpu.memory.bytes) place = -1;
      this.places.set(page, place);
    }
    return place;
  }
  instruction(eip: number): Instruction | undefined {
    if (this.instructions.has(eip)) return this.instructions.get(eip);
    const instruction = this.decode(eip);
    this.instructions.set(eip, instruction);
    return instruction;
  }
  private decode(eip: number): Instruction | undefined {
    const d = this.decoder;
    const { ramBase } = this.cpu.memory;
    const first = this.place(eip);
    const host = ramBase + first + (eip & 0xfff);
    const inPage = first < 0 ? 0 : 4096 - (eip & 0xfff);
    const result = d.decode(
      (i) => {
        if (i < inPage) return this.u8[host + i]!;
        const at = (eip + i) >>> 0;
        const place = this.place(at);
        return place < 0 ? -1 : this.u8[ramBase + place + (at & 0xfff)]!;
      },
      (this.mode & Mode.code32) !== 0,
    );
    // Control leaves before a debugger's stop point.
    if (this.cpu.points.execution && this.cpu.points.marks(eip, true)) return undefined;
    const known = result === DecodeResult.ok && isEmitted(d.row, d, this.mode) && runsUnit(d.row.unit, this.mode);
    return known ? new Instruction(eip, d) : undefined;
  }
  known(eip: number): boolean {
    return this.head(eip) !== 0;
  }
  hasRegion(eip: number, inside: number): boolean {
    const head = this.head(eip);
    return head !== 0 && (this.byHead.get(head)?.own.includes(inside | 0) ?? false);
  }
  tableOfJumps(linear: number, near: number): readonly number[] {
    const found = new Set<number>();
    for (let k = 0; k < MOST_IN_TABLE && found.size < MOST_TARGETS; k++) {
      const at = linear + 4 * k;
      const place = this.place(at);
      if (at % 4 !== 0 || at > 0xffff_fffc || place < 0) break;
      const eip = this.cpu.memory.i32[(this.cpu.memory.ramBase + place + (at & 0xfff)) >> 2]! >>> 0;
      // Behind the table.
      if (Math.abs(eip - near) > FARTHEST_TARGET) break;
      if (this.known(eip)) found.add(eip);
    }
    return [...found];
  }
  head(eip: number): number {
    const place = this.place(eip);
    if (place < 0) return 0;
    return this.cache.knownEntry(place >>> 12, this.mode & Mode.decode, eip);
  }
}
