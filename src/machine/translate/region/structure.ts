// The order in which a region's nodes become structured code: reverse postorder, dominators, loops. Edges that no structured code can have
// (into the middle of a loop) leave the region instead. After N. Ramsey, "Beyond Relooper" (ICFP 2022). Not emission (region-function.ts).

import type { Edge, FlowNode } from './flow-graph.ts';

export interface Structure {
  readonly entry: FlowNode;
  /** Reverse postorder. */
  readonly nodes: readonly FlowNode[];
  /** Most instructions that can follow a check of the budget before the next one. */
  readonly longest: number;
}

/** The edges that an end of a node has. */
export const edgesOf = (node: FlowNode): Edge[] =>
  [node.next, node.taken, ...node.targets].filter((edge) => edge !== undefined);
const successors = (node: FlowNode): FlowNode[] => edgesOf(node).flatMap((edge) => edge.to ?? []);

const reversePostorder = (entry: FlowNode): FlowNode[] => {
  const nodes: FlowNode[] = [];
  const seen = new Set<FlowNode>([entry]);
  const stack: { node: FlowNode; rest: FlowNode[] }[] = [{ node: entry, rest: successors(entry) }];
  while (stack.length > 0) {
    const top = stack.at(-1)!;
    const to = top.rest.pop();
    if (to === undefined) {
      nodes.push(top.node);
      stack.pop();
    } else if (!seen.has(to)) {
      seen.add(to);
      stack.push({ node: to, rest: successors(to) });
    }
  }
  nodes.reverse();
  nodes.forEach((node, i) => (node.order = i));
  return nodes;
};

/** Immediate dominators (Cooper, Harvey, Kennedy: "A Simple, Fast Dominance Algorithm"). */
const findDominators = (nodes: readonly FlowNode[]): void => {
  const predecessors = new Map<FlowNode, FlowNode[]>();
  for (const node of nodes)
    for (const to of successors(node)) predecessors.set(to, [...(predecessors.get(to) ?? []), node]);
  const entry = nodes[0]!;
  entry.dominator = entry;
  const meet = (a: FlowNode, b: FlowNode): FlowNode => {
    while (a !== b) {
      while (a.order > b.order) a = a.dominator!;
      while (b.order > a.order) b = b.dominator!;
    }
    return a;
  };
  for (let changed = true; changed;) {
    changed = false;
    for (const node of nodes) {
      if (node === entry) continue;
      let dominator: FlowNode | undefined;
      for (const p of predecessors.get(node) ?? [])
        if (p.dominator !== undefined) dominator = dominator === undefined ? p : meet(p, dominator);
      if (dominator !== node.dominator) {
        node.dominator = dominator;
        changed = true;
      }
    }
  }
};
const dominates = (a: FlowNode, b: FlowNode): boolean => {
  while (b.order > a.order) b = b.dominator!;
  return a === b;
};

const longestPath = (nodes: readonly FlowNode[]): number => {
  const length = new Map<FlowNode, number>();
  let longest = 0;
  for (const node of [...nodes].reverse()) {
    let behind = 0;
    for (const to of successors(node))
      if (to.order > node.order && !to.loopHeader) behind = Math.max(behind, length.get(to)!);
    const total = behind + node.instructions.length;
    length.set(node, total);
    if (node.loopHeader || node.order === 0) longest = Math.max(longest, total);
  }
  return longest;
};

/** Retreating edges into the middle of a loop leave the region. True if there was one: the order is to be found anew. */
const cutIrreducible = (nodes: readonly FlowNode[]): boolean => {
  let cut = false;
  for (const node of nodes) {
    const bad = ({ to }: Edge): boolean => to !== undefined && to.order <= node.order && !dominates(to, node);
    for (const side of ['next', 'taken'] as const) {
      const edge = node[side];
      if (edge === undefined || !bad(edge)) continue;
      node[side] = { eip: edge.eip, to: undefined };
      cut = true;
    }
    if (!node.targets.some(bad)) continue;
    node.targets = node.targets.filter((edge) => !bad(edge));
    cut = true;
  }
  return cut;
};

export const structure = (entry: FlowNode): Structure => {
  let nodes: FlowNode[];
  for (;;) {
    nodes = reversePostorder(entry);
    findDominators(nodes);
    if (!cutIrreducible(nodes)) break;
    for (const node of nodes) {
      node.order = -1;
      node.dominator = undefined;
    }
  }
  const forward = new Int32Array(nodes.length);
  for (const node of nodes) {
    if (node !== entry) node.dominator!.children.push(node);
    for (const to of successors(node))
      if (to.order <= node.order) to.loopHeader = true;
      else forward[to.order]!++;
  }
  for (const node of nodes) node.merge = forward[node.order]! > 1;
  return { entry, nodes, longest: longestPath(nodes) };
};
