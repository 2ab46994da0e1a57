// The order in which a region's nodes become structured code: reverse postorder, dominators, loops. Edges that no structured code can have
// (into the middle of a loop) leave the region instead. After N. Ramsey, "Beyond Relooper" (ICFP 2022). Not emission (region-function.ts).

import type { Edge, FlowNode } from './flow-graph.ts';

export interface Structure {
  readonly entry: FlowNode;
  /** Reverse postorder. */
  readonly nodes: readonly FlowNode[];
  /** Predecessors of each, in that order. */
  readonly before: readonly (readonly FlowNode[])[];
  /** Most instructions that can follow a check of the budget before the next one. */
  readonly longest: number;
}

/** The edges that an end of a node has. */
export const edgesOf = (node: FlowNode): Edge[] =>
  [node.next, node.taken, ...node.targets].filter((edge) => edge !== undefined);
const successors = ({ next, taken, targets }: FlowNode): FlowNode[] => {
  const found: FlowNode[] = [];
  if (next?.to !== undefined) found.push(next.to);
  if (taken?.to !== undefined) found.push(taken.to);
  for (const { to } of targets) if (to !== undefined) found.push(to);
  return found;
};

/** Nodes in reverse postorder, and the successors of each. */
interface Order {
  readonly nodes: FlowNode[];
  readonly after: FlowNode[][];
}

const reversePostorder = (entry: FlowNode): Order => {
  const nodes: FlowNode[] = [];
  const after: FlowNode[][] = [];
  const seen = new Set<FlowNode>([entry]);
  const stack = [entry];
  const lists = [successors(entry)];
  /** Of each list, how many at its end have been looked at. */
  const looked = [0];
  while (stack.length > 0) {
    const top = stack.length - 1;
    const list = lists[top]!;
    const left = list.length - ++looked[top]!;
    if (left < 0) {
      nodes.push(stack.pop()!);
      after.push(lists.pop()!);
      looked.pop();
      continue;
    }
    const to = list[left]!;
    if (!seen.has(to)) {
      seen.add(to);
      stack.push(to);
      lists.push(successors(to));
      looked.push(0);
    }
  }
  nodes.reverse();
  after.reverse();
  nodes.forEach((node, i) => (node.order = i));
  return { nodes, after };
};

const predecessorsOf = ({ nodes, after }: Order): Structure['before'] => {
  const before = nodes.map((): FlowNode[] => []);
  nodes.forEach((node, i) => {
    for (const to of after[i]!) before[to.order]!.push(node);
  });
  return before;
};
/** Immediate dominators (Cooper, Harvey, Kennedy: "A Simple, Fast Dominance Algorithm"). */
const findDominators = (nodes: readonly FlowNode[], before: Structure['before']): void => {
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
      for (const p of before[node.order]!)
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

const longestPath = ({ nodes, after }: Order): number => {
  const length = new Int32Array(nodes.length);
  let longest = 0;
  for (let i = nodes.length - 1; i >= 0; i--) {
    const node = nodes[i]!;
    let behind = 0;
    for (const to of after[i]!) if (to.order > i && !to.loopHeader) behind = Math.max(behind, length[to.order]!);
    const total = behind + node.instructions.length;
    length[i] = total;
    if (node.loopHeader || i === 0) longest = Math.max(longest, total);
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
  let order: Order;
  let before: Structure['before'];
  for (;;) {
    order = reversePostorder(entry);
    before = predecessorsOf(order);
    findDominators(order.nodes, before);
    if (!cutIrreducible(order.nodes)) break;
    for (const node of order.nodes) {
      node.order = -1;
      node.dominator = undefined;
    }
  }
  const { nodes, after } = order;
  const forward = new Int32Array(nodes.length);
  for (const node of nodes) {
    if (node !== entry) node.dominator!.children.push(node);
    for (const to of after[node.order]!)
      if (to.order <= node.order) to.loopHeader = true;
      else forward[to.order]!++;
  }
  for (const node of nodes) node.merge = forward[node.order]! > 1;
  return { entry, nodes, before, longest: longestPath(order) };
};
