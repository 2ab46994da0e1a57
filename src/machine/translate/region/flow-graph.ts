// The control flow of a region: which instructions belong to it, in which nodes, with which edges. Small functions that it calls are part of
// it, once for each call. Not the order of the code (structure.ts) and not its emission.

import type { Row } from '../../isa/row.ts';
import { constantTarget } from './constant-target.ts';
import type { Instruction } from './instruction.ts';

/** How an instruction hands control on. */
export const Transfer = {
  /** To the next instruction. */
  next: 0,
  /** To its relative target. */
  jump: 1,
  /** To its relative target or to the next instruction. */
  branch: 2,
  /** To a computed EIP. */
  indirect: 3,
} as const;

/** What a region is made from. Code segments are flat: an EIP is a linear address. */
export interface CodeSource {
  /** The instruction at an EIP, if the region tier can have it: its bytes are on pages whose translation is known and it is no helper's. */
  instruction(eip: number): Instruction | undefined;
  /** Code at this EIP was jumped to before. */
  known(eip: number): boolean;
  /** A region begins at this EIP that has the instruction at `inside` too: control had better go on there. */
  hasRegion(eip: number, inside: number): boolean;
  /** EIPs in a table of addresses, as far as code there was jumped to before. The table may change: they are where control may well go. */
  tableOfJumps(linear: number, near: number): readonly number[];
}

/** A call that the region is inside of: where it returns to. */
export interface Frame {
  readonly back: number;
  readonly parent: Frame | undefined;
  readonly depth: number;
}

export interface Edge {
  readonly eip: number;
  /** Undefined: the region is left there. */
  readonly to: FlowNode | undefined;
}

export interface FlowNode {
  readonly eip: number;
  readonly frame: Frame | undefined;
  readonly instructions: Instruction[];
  /** The transfer of its last instruction (Transfer), and where it goes. `taken`: the jump's target, or where an inlined return goes. */
  transfer: number;
  taken: Edge | undefined;
  next: Edge | undefined;
  /** Where a computed EIP may well lead, besides. */
  targets: readonly Edge[];
  /** A loop of this node alone, whose first turn is another node (peel.ts). */
  peeled: boolean;
  // Filled in by structure.ts.
  /** Place in reverse postorder; -1: not reached. */
  order: number;
  dominator: FlowNode | undefined;
  readonly children: FlowNode[];
  loopHeader: boolean;
  /** Reached from more than one place by forward edges. */
  merge: boolean;
}

/** Longest region, in instructions. */
const MOST_INSTRUCTIONS = 300;
/** Longest function that becomes part of its callers' regions, and how deep. */
const INLINED_INSTRUCTIONS = 40;
const INLINED_DEPTH = 4;

/** Transfer of a row's instructions. */
export const transferOf = (row: Row): number => {
  if (row.operands[0]?.kind === 'J') return row.ends ? Transfer.jump : Transfer.branch;
  return row.near ? Transfer.indirect : Transfer.next;
};
const isCall = (row: Row): boolean => row.mnemonic === 'call';
const isReturn = (row: Row): boolean => row.mnemonic === 'ret';

interface Place {
  readonly instruction: Instruction;
  /** The function a call goes into, as part of the region. */
  readonly callee: Frame | undefined;
  /** Where a computed EIP may lead, inside the region. */
  readonly targets: readonly { readonly frame: Frame | undefined; readonly eip: number }[];
}
const NO_TARGETS: Place['targets'] = [];
/** Instructions of one frame by EIP, and which of them begin a node. */
interface Body {
  readonly frame: Frame | undefined;
  readonly places: Map<number, Place>;
  readonly leaders: Set<number>;
}

class Explorer {
  private readonly bodies = new Map<Frame | undefined, Body>();
  private count = 0;

  constructor(
    private readonly source: CodeSource,
    private readonly entry: number,
  ) {}

  body(frame: Frame | undefined): Body {
    let body = this.bodies.get(frame);
    if (body === undefined) {
      body = { frame, places: new Map(), leaders: new Set() };
      this.bodies.set(frame, body);
    }
    return body;
  }

  explore(): void {
    const work: [Frame | undefined, number][] = [[undefined, this.entry]];
    for (let at = 0; at < work.length; at++) {
      const [frame, eip] = work[at]!;
      this.follow(this.body(frame), eip, (f, e) => work.push([f, e]));
    }
  }
  /** Takes a straight line of code from a leader on. */
  private follow(body: Body, start: number, further: (frame: Frame | undefined, eip: number) => void): void {
    body.leaders.add(start);
    let eip = start;
    const line: Instruction[] = [];
    while (this.count < MOST_INSTRUCTIONS && !body.places.has(eip)) {
      // A run that was cut somewhere in a loop comes back to it.
      if (body.frame === undefined && eip !== this.entry && this.source.hasRegion(eip, this.entry)) return;
      const instruction = this.source.instruction(eip);
      if (instruction === undefined) return;
      const { row, next, target } = instruction;
      const transfer = transferOf(row);
      const callee = transfer === Transfer.jump && isCall(row) ? this.callee(body.frame, instruction) : undefined;
      const targets = transfer === Transfer.indirect ? this.targets(body.frame, instruction, line) : NO_TARGETS;
      body.places.set(eip, { instruction, callee, targets });
      line.push(instruction);
      this.count++;
      // The next page's translation is looked at where control crosses into it.
      const last = next - 1;
      if ((eip ^ last) & ~0xfff) body.leaders.add(eip);
      if (transfer === Transfer.next) {
        if ((last ^ next) & ~0xfff) body.leaders.add(next);
        eip = next;
        continue;
      }
      if (transfer === Transfer.branch) {
        further(body.frame, next);
        if (this.source.known(target)) further(body.frame, target);
      } else if (callee !== undefined) {
        further(callee, target);
        further(body.frame, next);
      } else if (transfer === Transfer.jump && !isCall(row)) further(body.frame, target);
      for (const to of targets) further(to.frame, to.eip);
      if (targets.length > 0 && isCall(row)) further(body.frame, next);
      return;
    }
    if (body.places.has(eip)) body.leaders.add(eip);
  }
  private callee(frame: Frame | undefined, call: Instruction, target = call.target): Frame | undefined {
    const depth = (frame?.depth ?? 0) + 1;
    if (depth > INLINED_DEPTH || !this.source.known(target)) return undefined;
    const size = this.measure(target);
    if (size > INLINED_INSTRUCTIONS || this.count + size > MOST_INSTRUCTIONS) return undefined;
    return { back: call.next, parent: frame, depth };
  }
  /** Where a transfer to a computed EIP may lead: by a constant, or by a table that it reads, itself or through a register. `line`: what is before it. */
  private targets(frame: Frame | undefined, i: Instruction, line: readonly Instruction[]): Place['targets'] {
    if (i.operandSize === 16) return NO_TARGETS;
    const eips = this.computedEips(i, line);
    if (!isCall(i.row)) return eips.map((eip) => ({ frame, eip }));
    return eips.flatMap((eip) => {
      const callee = this.callee(frame, i, eip);
      return callee === undefined ? [] : [{ frame: callee, eip }];
    });
  }
  private computedEips(i: Instruction, line: readonly Instruction[]): readonly number[] {
    const constant = constantTarget(i, line);
    if (constant !== undefined) return this.source.known(constant) ? [constant] : [];
    if (isReturn(i.row)) return [];
    const load = i.memory
      ? i
      : line.findLast(({ row, memory, reg }) => row.mnemonic === 'mov' && memory && reg === i.rm);
    if (load === undefined || load.index >= 8 || load.scale !== 2 || load.base < 8 || load.addressSize === 16)
      return [];
    return this.source.tableOfJumps(load.displacement >>> 0, i.eip);
  }
  /** Instructions of a function; Infinity if it is long, or does not return. */
  private measure(entry: number): number {
    const seen = new Set<number>();
    const work = [entry];
    let returns = false;
    while (work.length > 0) {
      let eip = work.pop()!;
      while (!seen.has(eip)) {
        const instruction = this.source.instruction(eip);
        if (instruction === undefined) break;
        seen.add(eip);
        if (seen.size > INLINED_INSTRUCTIONS) return Infinity;
        const { row, next, target } = instruction;
        const transfer = transferOf(row);
        if (transfer === Transfer.indirect) {
          if (isReturn(row)) returns = true;
          break;
        }
        if (transfer === Transfer.branch && this.source.known(target)) work.push(target);
        eip = transfer === Transfer.jump && !isCall(row) ? target : next;
      }
    }
    return returns ? seen.size : Infinity;
  }

  /** Cuts the bodies into nodes. */
  nodes(): FlowNode {
    const made = new Map<Frame | undefined, Map<number, FlowNode>>();
    const nodeAt = (frame: Frame | undefined, eip: number): FlowNode | undefined => {
      const body = this.body(frame);
      if (!body.places.has(eip)) return undefined;
      let nodes = made.get(frame);
      if (nodes === undefined) {
        nodes = new Map();
        made.set(frame, nodes);
      }
      let node = nodes.get(eip);
      if (node === undefined) {
        node = {
          eip,
          frame,
          instructions: [],
          transfer: Transfer.next,
          taken: undefined,
          next: undefined,
          targets: [],
          peeled: false,
          order: -1,
          dominator: undefined,
          children: [],
          loopHeader: false,
          merge: false,
        };
        nodes.set(eip, node);
        work.push(node);
      }
      return node;
    };
    const edge = (frame: Frame | undefined, eip: number): Edge => ({ eip, to: nodeAt(frame, eip) });
    const work: FlowNode[] = [];
    const first = nodeAt(undefined, this.entry)!;
    for (let node = work.pop(); node !== undefined; node = work.pop()) {
      const { frame } = node;
      const body = this.body(frame);
      let place = body.places.get(node.eip)!;
      for (;;) {
        const { instruction, callee, targets } = place;
        node.instructions.push(instruction);
        const { row, next, target } = instruction;
        node.transfer = transferOf(row);
        if (node.transfer === Transfer.next) {
          const following = body.places.get(next);
          if (following !== undefined && !body.leaders.has(next)) {
            place = following;
            continue;
          }
          node.next = edge(frame, next);
        } else if (node.transfer === Transfer.branch) {
          node.next = edge(frame, next);
          node.taken = edge(frame, target);
        } else if (node.transfer === Transfer.jump) {
          if (callee !== undefined) node.taken = edge(callee, target);
          else node.taken = isCall(row) ? { eip: target, to: undefined } : edge(frame, target);
        } else if (isReturn(row) && frame !== undefined && targets.length === 0)
          node.taken = edge(frame.parent, frame.back);
        node.targets = targets.map((to) => edge(to.frame, to.eip)).filter(({ to }) => to !== undefined);
        break;
      }
    }
    return first;
  }
}

/** The graph of the region that begins at `entry`; undefined if the region tier cannot have that instruction. */
export const exploreRegion = (source: CodeSource, entry: number): FlowNode | undefined => {
  if (source.instruction(entry) === undefined) return undefined;
  const explorer = new Explorer(source, entry);
  explorer.explore();
  return explorer.nodes();
};
