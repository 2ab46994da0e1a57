// Does a loop's code read flags that come from outside it, before it sets them? Found by running the descriptions once a row in a context
// that only watches. Not the flags' form (flag-kinds.ts).

import type { Val } from '../../isa/emitter.ts';
import type { Row } from '../../isa/row.ts';
import { sharedFunctions } from '../runtime.ts';
import type { FlowNode } from './flow-graph.ts';
import type { Instruction } from './instruction.ts';
import { keptOf } from './flag-kinds.ts';
import { RegionEmitter } from './region-emitter.ts';
import type { RegionRuntime } from './region-frame.ts';
import { edgesOf } from './structure.ts';

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
  portIn: 0,
  portOut: 0,
  auxiliary: 0,
  goto: 0,
  jumpMiss: 0,
  next: 0,
  atSite: 0,
  again: { loadSlow: 0, storeSlow: 0, hostRead: 0, hostWrite: 0 },
  shared: sharedFunctions(() => 0),
};

/** What the first instruction with an interest in flags does. INC and DEC pass CF on without looking. */
const Use = { none: 0, sets: 1, passes: 2, reads: 3 } as const;

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
}

const uses = new Map<Row, number>();

const useOf = (instruction: Instruction): number => {
  const { row } = instruction;
  let use = uses.get(row);
  if (use === undefined) {
    const watcher = new Watcher(NOWHERE, 0);
    const before = watcher.kind;
    watcher.emit(instruction, 0, undefined);
    const sets = watcher.kind === before ? Use.none : keptOf(watcher.kind) === undefined ? Use.sets : Use.passes;
    use = watcher.reads ? Use.reads : sets;
    uses.set(row, use);
  }
  return use;
};

const known = new WeakMap<FlowNode, boolean>();

/**
 * A loop wants the flags of what is before it as the state's two words: on some way from its start they are read before they are set, or CF gets
 * around it through INC or DEC. Else their form is found out only where they are wanted.
 */
export const wantsFlags = (header: FlowNode): boolean => {
  const answer = known.get(header);
  if (answer !== undefined) return answer;
  const wants = search(header);
  known.set(header, wants);
  return wants;
};
const search = (header: FlowNode): boolean => {
  /** Ways on which flags are as at the start, and on which they are INC's or DEC's but for CF. */
  const seen = [new Set<FlowNode>(), new Set<FlowNode>()] as const;
  const work: [FlowNode, 0 | 1][] = [[header, 0]];
  for (let item = work.pop(); item !== undefined; item = work.pop()) {
    const [node, before] = item;
    if (seen[before].has(node)) continue;
    seen[before].add(node);
    let passed = before;
    let sets = false;
    for (const instruction of node.instructions) {
      const use = useOf(instruction);
      if (use === Use.reads) return true;
      if (use === Use.passes) passed = 1;
      sets = use === Use.sets;
      if (sets) break;
    }
    if (sets) continue;
    for (const edge of edgesOf(node)) {
      if (edge.to === undefined) continue;
      if (edge.to === header && passed === 1) return true;
      if (edge.to.order > header.order) work.push([edge.to, passed]);
    }
  }
  return false;
};
