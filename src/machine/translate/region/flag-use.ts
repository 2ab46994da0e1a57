// Does a loop's code read flags that come from outside it, before it sets them? Found by running the descriptions once a row in a context
// that only watches. Not the flags' form (flag-kinds.ts).

import type { Val } from '../../isa/emitter.ts';
import type { Row } from '../../isa/row.ts';
import type { Local } from '../../wasm/code.ts';
import { sharedFunctions } from '../runtime.ts';
import type { FlowNode } from './flow-graph.ts';
import type { Instruction } from './instruction.ts';
import { RegionEmitter } from './region-emitter.ts';
import type { RegionRuntime } from './region-frame.ts';

const NOWHERE: RegionRuntime = {
  type: 0,
  loadSlow: 0,
  storeSlow: 0,
  hostRead: 0,
  hostWrite: 0,
  commit: 0,
  stackLinear: 0,
  segmentLinear: 0,
  raise: 0,
  auxiliary: 0,
  jumpMiss: 0,
  atSite: 0,
  shared: sharedFunctions(() => 0),
};

/** What the first instruction with an interest in flags does. INC and DEC set: they pass CF on without looking. */
const Use = { none: 0, sets: 1, reads: 2 } as const;

class Watcher extends RegionEmitter {
  reads = false;
  override lazyAux(): Val {
    this.reads = true;
    return super.lazyAux();
  }
  override lazyResult(): Val {
    this.reads = true;
    return super.lazyResult();
  }
  override flagsIncrement(a: Local, r: Local): void {
    const { reads } = this;
    super.flagsIncrement(a, r);
    this.reads = reads;
  }
  override flagsDecrement(a: Local, r: Local): void {
    const { reads } = this;
    super.flagsDecrement(a, r);
    this.reads = reads;
  }
}

const uses = new Map<Row, number>();

const useOf = (instruction: Instruction): number => {
  const { row } = instruction;
  let use = uses.get(row);
  if (use === undefined) {
    const watcher = new Watcher(NOWHERE, 0);
    const before = watcher.kind;
    watcher.emit(instruction, 0);
    use = watcher.reads ? Use.reads : watcher.kind !== before ? Use.sets : Use.none;
    uses.set(row, use);
  }
  return use;
};

const known = new WeakMap<FlowNode, boolean>();

/** On some way from the node's start flags are read before they are set. */
export const readsFlagsFirst = (header: FlowNode): boolean => {
  const answer = known.get(header);
  if (answer !== undefined) return answer;
  const seen = new Set<FlowNode>();
  const work = [header];
  let reads = false;
  search: for (let node = work.pop(); node !== undefined; node = work.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    let sets = false;
    for (const instruction of node.instructions) {
      const use = useOf(instruction);
      if (use === Use.reads) {
        reads = true;
        break search;
      }
      if (use === Use.sets) {
        sets = true;
        break;
      }
    }
    if (sets) continue;
    for (const edge of [node.next, node.taken])
      if (edge?.to !== undefined && edge.to.order > header.order) work.push(edge.to);
  }
  known.set(header, reads);
  return reads;
};
