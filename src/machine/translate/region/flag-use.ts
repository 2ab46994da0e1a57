// Does a loop's code read flags that come from outside it, before it sets them? Not what a single instruction does with them (row-effects.ts) and not
// their form (flag-kinds.ts).

import type { FlowNode } from './flow-graph.ts';
import { FlagUse, flagsOf } from './row-effects.ts';
import { edgesOf } from './structure.ts';

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
      const use = flagsOf(instruction);
      if (use === FlagUse.reads) return true;
      if (use === FlagUse.passes) passed = 1;
      sets = use === FlagUse.sets;
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
