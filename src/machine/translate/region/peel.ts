// The first turn of a loop of one node, as a node of its own before the loop. So the loop is entered from its own instructions alone, and flags have
// one form at its start that is known at emission, with operands that are its registers. Not the graph (flow-graph.ts) and not its order (structure.ts).

import type { FlowNode } from './flow-graph.ts';
import { edgesOf } from './structure.ts';

/** Longest loop, in instructions. */
const LONGEST = 48;

const reached = (entry: FlowNode): ReadonlySet<FlowNode> => {
  const nodes = new Set([entry]);
  for (const node of nodes) for (const { to } of edgesOf(node)) if (to !== undefined) nodes.add(to);
  return nodes;
};

/** The graph's entry, which may be another now. */
export const peelLoops = (entry: FlowNode): FlowNode => {
  const nodes = reached(entry);
  const first = new Map<FlowNode, FlowNode>();
  for (const node of nodes) {
    const turns = node.taken?.to === node || node.next?.to === node;
    if (!turns || node.instructions.length > LONGEST) continue;
    node.peeled = true;
    first.set(node, { ...node, peeled: false, children: [] });
  }
  for (const node of nodes)
    for (const side of ['next', 'taken'] as const) {
      const edge = node[side];
      const turn = edge?.to === undefined || edge.to === node ? undefined : first.get(edge.to);
      if (turn !== undefined) node[side] = { eip: edge!.eip, to: turn };
    }
  for (const node of nodes)
    if (node.targets.some(({ to }) => to !== undefined && first.has(to)))
      node.targets = node.targets.map(({ eip, to }) => ({ eip, to: to === undefined ? to : (first.get(to) ?? to) }));
  // The turns themselves go on in their own loops, and in the first turns of others.
  for (const [node, turn] of first)
    for (const side of ['next', 'taken'] as const) {
      const edge = turn[side];
      const other = edge?.to === undefined || edge.to === node ? undefined : first.get(edge.to);
      if (other !== undefined) turn[side] = { eip: edge!.eip, to: other };
    }
  return first.get(entry) ?? entry;
};
