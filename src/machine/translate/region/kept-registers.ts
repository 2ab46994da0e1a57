// Which general registers have the same value at a node as at the end of its dominator, on every way between the two, and which accesses a loop makes
// through registers that it does not write. What is known of values and of memory lives on through these (region-function.ts). Not what an
// instruction writes (row-effects.ts).

import { isFlat } from '../operand-access.ts';
import { AccessRange } from './access-guesses.ts';
import { ALL_REGISTERS } from './region-registers.ts';
import type { FlowNode } from './flow-graph.ts';
import { writtenBy } from './row-effects.ts';
import { NO_SYMBOL } from './region-values.ts';
import type { Structure } from './structure.ts';

/** Bytes from a register's value on, which a loop accesses. */
export interface LoopRange {
  readonly register: number;
  readonly range: AccessRange;
}
/** Ranges of a loop, and bytes of each, at most. */
const MOST_RANGES = 2;
const WIDEST = 128;

interface Loop {
  readonly nodes: readonly FlowNode[];
  readonly written: number;
}

export class KeptRegisters {
  /** By a node's order: registers that it writes, and that it and all that it dominates write. */
  private readonly own: Uint8Array;
  private readonly below: Uint8Array;
  private readonly loops = new Map<FlowNode, Loop>();

  constructor(
    { nodes, before }: Structure,
    private readonly mode: number,
  ) {
    this.own = new Uint8Array(nodes.length);
    this.below = new Uint8Array(nodes.length);
    for (let order = nodes.length - 1; order >= 0; order--) {
      const node = nodes[order]!;
      let written = 0;
      for (const instruction of node.instructions) written |= writtenBy(instruction);
      this.own[order] = written;
      this.below[order]! |= written;
      if (order > 0) this.below[node.dominator!.order]! |= this.below[order]!;
    }
    if (nodes.some(({ loopHeader }) => loopHeader)) this.findLoops(nodes, before);
  }

  private findLoops(nodes: Structure['nodes'], before: Structure['before']): void {
    /** By a node's order: the order of the loop that it was found in last. */
    const found = new Int32Array(nodes.length).fill(-1);
    for (const header of nodes) {
      if (!header.loopHeader) continue;
      const first = header.order;
      found[first] = first;
      const members = [header];
      let written = 0;
      for (let at = 0; at < members.length; at++) {
        const { order } = members[at]!;
        written |= this.own[order]!;
        for (const node of before[order]!)
          // The ways into the loop come from before it.
          if (node.order >= first && found[node.order] !== first) {
            found[node.order] = first;
            members.push(node);
          }
      }
      this.loops.set(header, { nodes: members, written });
    }
  }

  /** Registers that no way from the end of its dominator to a node that is no loop's start writes. */
  atMerge(node: FlowNode): number {
    let written = 0;
    for (const other of node.dominator!.children) if (other.order < node.order) written |= this.below[other.order]!;
    return ALL_REGISTERS & ~written;
  }
  /** Registers that a loop does not write. */
  inLoop(header: FlowNode): number {
    return ALL_REGISTERS & ~this.loops.get(header)!.written;
  }
  /** What a loop accesses through them: some of it. */
  loopRanges(header: FlowNode): readonly LoopRange[] {
    const kept = this.inLoop(header);
    const ranges: LoopRange[] = [];
    for (const { instructions } of this.loops.get(header)!.nodes)
      for (const { access, base, index, displacement, addressSize, segment } of instructions) {
        if (access === 0 || base >= 8 || index < 8 || addressSize === 16) continue;
        if (!(kept & (1 << base)) || !isFlat(this.mode, segment)) continue;
        const [bytes, write] = [access & 255, (access & 256) !== 0];
        if (ranges.some(({ register, range }) => register === base && range.take(displacement, bytes, write))) continue;
        if (ranges.length === MOST_RANGES) continue;
        const range = new AccessRange(NO_SYMBOL, displacement, displacement + bytes, write, WIDEST);
        ranges.push({ register: base, range });
      }
    return ranges;
  }
}
