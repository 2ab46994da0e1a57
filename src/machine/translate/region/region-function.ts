// One region as one WebAssembly function: its nodes as structured code, the edges between them, the ways in and out. Not the instructions
// (region-emitter.ts) and not which belong to it (flow-graph.ts).
// Longer than other files: nodes, edges and ways out share the labels and the forms of flags of one walk.

import { StateLayout } from '../../cpu/state.ts';
import { Code, I32, type Local } from '../../wasm/code.ts';
import { Entry, ExitKind, MAX_BLOCK } from '../entry.ts';
import { dispatchLinked, E, EA, N, setState, throughJumpCache, TLB } from '../entry-function.ts';
import type { HelperOperands } from '../helper-operands.ts';
import { DYNAMIC } from './flag-kinds.ts';
import { wantsFlags } from './flag-use.ts';
import { FAR } from './access-guesses.ts';
import { type Edge, type FlowNode, Transfer } from './flow-graph.ts';
import type { Instruction } from './instruction.ts';
import { KeptRegisters } from './kept-registers.ts';
import { RegionEmitter } from './region-emitter.ts';
import type { RegionRuntime, Site } from './region-frame.ts';
import type { Structure } from './structure.ts';
import { type TargetTable, targetTable } from './target-table.ts';

/** What a region's code needs from the outside while it is emitted. */
export interface RegionContext {
  readonly runtime: RegionRuntime;
  readonly mode: number;
  /** TLB word that most of its accesses will find; INVALID: unknown. */
  readonly usual: number;
  /** Number that its exits tell. */
  readonly id: number;
  /** Address of a fresh jump entry (translate/entry.ts) from the instruction at `from` to `to`: an exit that can be linked. */
  jumpEntry(from: number, to: number): number;
  /** Address of the records of its sites (site-records.ts). */
  siteRecords(sites: readonly Site[]): number;
  /** TLB word that says that the page of an EIP is where it was when the region was formed. */
  translation(eip: number): number;
}

/** Targets of a computed jump that are compared one by one. */
const FEW = 3;

const pageOf = (eip: number): number => eip >>> 12;

/** The node's instructions and some of those behind it that control reaches through it alone. */
const straightFrom = (start: FlowNode): readonly Instruction[] => {
  const straight: Instruction[] = [];
  const work = [start];
  for (let node = work.pop(); node !== undefined; node = work.pop()) {
    straight.push(...node.instructions);
    if (straight.length > start.instructions.length + FAR) break;
    for (const edge of [node.taken, node.next])
      if (edge?.to !== undefined && edge.to.order > node.order && !edge.to.merge && !edge.to.loopHeader)
        work.push(edge.to);
  }
  return straight;
};

export class RegionFunction {
  private readonly e: RegionEmitter;
  private readonly code: Code;
  /** Jump entry of the exit taken (0: none), and EIP to go on at. */
  private readonly exitEntry: Local;
  private readonly exitEip: Local;
  private exitDepth = 0;
  /** Depth of the label that an edge to a node branches to. */
  private readonly labels = new Map<FlowNode, number>();
  /** Flag kinds with which a node is reached; loops: DYNAMIC from the start. */
  private readonly kinds = new Map<FlowNode, number>();
  private readonly kept: KeptRegisters;
  private readonly arrivals = new Map<FlowNode, ReturnType<RegionEmitter['remember']>>();

  constructor(
    private readonly structure: Structure,
    private readonly context: RegionContext,
  ) {
    this.e = new RegionEmitter(context.runtime, context.mode, context.usual);
    this.e.longest = structure.longest;
    this.kept = new KeptRegisters(structure, context.mode);
    this.code = this.e.code;
    this.exitEntry = this.code.local(I32);
    this.exitEip = this.code.local(I32);
  }

  /** `helpers`: of sites whose instruction is its helper's, by the site's number. */
  emit(): { readonly code: Code; readonly helpers: ReadonlyMap<number, HelperOperands> } {
    const { e } = this;
    e.faultDepth = e.depth;
    e.open('block');
    this.exitDepth = e.depth;
    e.open('block');
    // The state's flags are canonical, and so is a fresh kind local.
    e.kind = 0;
    this.tree(this.structure.entry);
    e.close();
    this.leave();
    e.close();
    this.leaveAtSite();
    this.code.prepend(this.prologue());
    const helpers = new Map<number, HelperOperands>();
    e.sites.forEach(({ helper }, site) => helper !== undefined && helpers.set(site, helper));
    return { code: this.code, helpers };
  }

  // ---- nodes --------------------------------------------------------------------------------------------------------

  private tree(node: FlowNode): void {
    const { e } = this;
    const merges = node.children.filter((child) => child.merge).sort((a, b) => b.order - a.order);
    if (!node.loopHeader) {
      this.within(node, merges, 0);
      return;
    }
    this.enterLoop(node);
    e.keepOnly(this.kept.inLoop(node));
    const begin = e.loopAnchors(this.kept.loopRanges(node));
    e.await();
    this.labels.set(node, e.depth);
    e.open('loop');
    begin();
    this.within(node, merges, 0);
    e.close();
    e.reached();
  }
  private within(node: FlowNode, merges: readonly FlowNode[], at: number): void {
    const { e } = this;
    const merge = merges[at];
    if (merge === undefined) {
      this.body(node, merges);
      return;
    }
    // A loop is branched to from behind by its own label; this one is the way in.
    this.labels.set(merge, e.depth);
    e.open('block');
    this.within(node, merges, at + 1);
    e.close();
    e.kind = this.kinds.get(merge) ?? DYNAMIC;
    e.reached();
    e.recall(this.arrivals.get(merge)!);
    this.tree(merge);
  }
  /** What is known where control comes together behind a node: what is at the node's end, but for what ways between the two write. */
  private arrive(merges: readonly FlowNode[]): void {
    const { e } = this;
    const known = e.remember();
    for (const merge of merges) {
      e.keepOnly(this.kept.atMerge(merge));
      e.await();
      this.arrivals.set(merge, e.remember());
      e.recall(known);
    }
  }
  private body(node: FlowNode, merges: readonly FlowNode[]): void {
    const { e } = this;
    if (node.loopHeader) this.checkBudget(node);
    const { instructions } = node;
    e.follow(straightFrom(node));
    instructions.forEach((instruction, done) => {
      e.emit(instruction, done, instructions[done + 1]);
      if (e.looksUp) this.leaveWithoutBudget(instruction.next, done + 1);
    });
    this.code.localGet(N);
    this.code.i32(instructions.length);
    this.code.op(0x6b);
    this.code.localSet(N);
    const from = instructions.at(-1)!.next - 1;
    if (merges.length > 0) this.arrive(merges);
    switch (node.transfer) {
      case Transfer.next:
        this.edge(node, node.next!, from);
        break;
      case Transfer.jump:
        this.edge(node, node.taken!, from);
        break;
      case Transfer.branch: {
        const { kind } = e;
        const known = e.remember();
        e.get(e.outcome);
        e.open('if');
        this.edge(node, node.taken!, from);
        this.code.else();
        e.kind = kind;
        e.recall(known);
        this.edge(node, node.next!, from);
        e.close();
        break;
      }
      case Transfer.indirect:
        this.computed(node, from);
    }
  }
  /** The EIP that the last instruction computed: one of those inside the region, or the region is left. */
  private computed(node: FlowNode, from: number): void {
    const { e, code } = this;
    const edges = node.taken === undefined ? node.targets : [node.taken];
    const table = edges.length > FEW ? targetTable(edges.map(({ eip }) => eip)) : undefined;
    const { kind } = e;
    const known = e.remember();
    const eip = this.exitEip;
    e.get(e.outcome);
    code.localSet(eip);
    if (table !== undefined) this.choose(eip, edges, table, from, node);
    else
      for (const edge of edges.slice(0, FEW)) {
        e.eq(e.get(eip), e.const(edge.eip | 0));
        e.open('if');
        this.edge(node, edge, from);
        e.close();
        e.kind = kind;
        e.recall(known);
      }
    this.exit(0);
  }
  private choose(
    eip: Local,
    edges: readonly Edge[],
    { shift, mask, ways }: TargetTable,
    from: number,
    node: FlowNode,
  ): void {
    const { e, code } = this;
    const { kind } = e;
    const known = e.remember();
    const other = e.depth;
    e.open('block');
    edges.forEach(() => e.open('block'));
    e.and(e.shrU(e.get(eip), e.const(shift)), e.const(mask));
    // The innermost block's end is the first edge.
    const out = edges.length;
    code.brTable(
      ways.map((way) => (way < 0 ? out : way)),
      out,
    );
    for (const edge of edges) {
      e.close();
      e.ne(e.get(eip), e.const(edge.eip | 0));
      e.branchIf(other);
      this.edge(node, edge, from);
      e.kind = kind;
      e.recall(known);
    }
    e.close();
  }

  // ---- edges --------------------------------------------------------------------------------------------------------

  /** Control goes over an edge. `from`: the last byte of the node's last instruction. */
  private edge(node: FlowNode, { eip, to }: Edge, from: number): void {
    const { e } = this;
    if (to === undefined) {
      this.exitTo(node, eip);
      return;
    }
    const first = to.instructions[0]!;
    if (pageOf(from) !== pageOf(eip)) this.checkTranslation(eip, eip);
    if (pageOf(first.next - 1) !== pageOf(eip)) this.checkTranslation(eip, first.next - 1);
    if (to.loopHeader && to.order <= node.order) {
      this.enterLoop(to);
      e.branch(this.labels.get(to)!);
    } else if (to.merge) {
      if (to.loopHeader) this.enterLoop(to);
      else {
        e.joinRegisters();
        e.publishKind();
        const known = this.kinds.get(to);
        this.kinds.set(to, known === undefined || known === e.kind ? e.kind : DYNAMIC);
      }
      e.branch(this.labels.get(to)!);
    } else this.tree(to);
  }
  /** Brings flags and registers into the form that a loop expects. */
  private enterLoop(header: FlowNode): void {
    const { e } = this;
    e.joinRegisters();
    if (header.peeled) {
      e.settleKind();
      const known = this.kinds.get(header);
      if (known !== undefined && known !== e.kind) throw new Error('a loop of one node has two forms of flags');
      this.kinds.set(header, e.kind);
    } else if (wantsFlags(header)) {
      e.canonicalise();
      this.kinds.set(header, 0);
    } else {
      e.publishKind();
      e.kind = DYNAMIC;
      this.kinds.set(header, DYNAMIC);
    }
  }
  /** Leaves for `eip` unless the page of `at` is still where it was. */
  private checkTranslation(eip: number, at: number): void {
    const { e, code } = this;
    const { kind } = e;
    code.localGet(TLB);
    code.memory(0x28, 2, pageOf(at) * 4);
    code.i32(this.context.translation(at));
    code.op(0x47);
    code.unlikely();
    e.open('if');
    code.i32(eip);
    code.localSet(this.exitEip);
    this.exit(0);
    e.close();
    e.kind = kind;
  }
  /** Leaves behind an instruction, `retired` of its node with it, if no budget is left. */
  private leaveWithoutBudget(next: number, retired: number): void {
    const { e, code } = this;
    const { kind } = e;
    code.localGet(N);
    code.i32(0);
    code.op(0x48);
    code.unlikely();
    e.open('if');
    code.localGet(N);
    code.i32(retired);
    code.op(0x6b);
    code.localSet(N);
    code.i32(next);
    code.localSet(this.exitEip);
    this.exit(0);
    e.close();
    e.kind = kind;
  }
  /** A loop goes on only if the longest way to the next check fits into the budget: blocks of the threaded tier do the rest. */
  private checkBudget(node: FlowNode): void {
    const { e, code } = this;
    const { kind } = e;
    code.localGet(N);
    code.i32(this.structure.longest - MAX_BLOCK);
    code.op(0x48);
    code.unlikely();
    e.open('if');
    this.exitTo(node, node.eip);
    e.close();
    e.kind = kind;
  }

  // ---- ways out -----------------------------------------------------------------------------------------------------

  private exitTo(node: FlowNode, eip: number): void {
    const { code, context } = this;
    const from = node.instructions.at(-1)!.eip;
    code.i32(eip);
    code.localSet(this.exitEip);
    this.exit(pageOf(from) === pageOf(eip) ? context.jumpEntry(from, eip) : 0);
  }
  private exit(jumpEntry: number): void {
    const { e, code } = this;
    e.joinRegisters();
    e.canonicalise();
    code.i32(jumpEntry);
    code.localSet(this.exitEntry);
    e.branch(this.exitDepth);
  }
  private storeRegisters(): void {
    const { e } = this;
    e.registers.forEach((local, i) => {
      if (e.written & (1 << i)) this.store(StateLayout.gpr + i * 8, local);
    });
    this.store(StateLayout.lazyResult, e.result);
    this.store(StateLayout.lazyAux, e.a);
    this.store(StateLayout.exitBudget, N);
  }
  private store(address: number, local: Local): void {
    setState(this.code, address, () => this.code.localGet(local));
  }
  private load(local: Local, address: number, c = this.code): void {
    c.i32(0);
    c.memory(0x28, 2, address);
    c.localSet(local);
  }
  private storeConstant(address: number, value: number): void {
    setState(this.code, address, () => this.code.i32(value));
  }
  /** Through the exit's jump entry if that is linked, else through the jump cache, else to the run loop. */
  private leave(): void {
    const c = this.code;
    const { type, jumpMiss } = this.context.runtime;
    const target = this.e.temporary(I32);
    this.storeRegisters();
    c.localGet(this.exitEntry);
    c.if();
    c.localGet(this.exitEntry);
    c.memory(0x28, 2, Entry.target);
    c.localSet(target);
    dispatchLinked(c, type, target);
    c.localGet(target);
    c.op(0x45);
    c.if();
    this.store(StateLayout.eip, this.exitEip);
    this.store(StateLayout.exitEntry, this.exitEntry);
    this.storeConstant(StateLayout.exitKind, ExitKind.link);
    c.return();
    c.end();
    c.end();
    throughJumpCache(c, type, { eip: this.exitEip, budget: N, tlb: TLB, line: target }, jumpMiss);
  }
  /**
   * At an instruction that has not executed: regions.ts finds out which from the site. What is to be done there is done, and control goes on at EIP,
   * unless the run loop is wanted.
   */
  private leaveAtSite(): void {
    const { e } = this;
    const c = this.code;
    const { atSite, goto } = this.context.runtime;
    this.storeRegisters();
    this.store(StateLayout.exitFlagOperand, e.b);
    this.store(StateLayout.exitFlagCarry, e.cf);
    this.store(StateLayout.exitFlagKind, e.kindLocal);
    this.store(StateLayout.exitSite, e.site);
    this.storeConstant(StateLayout.exitEntry, this.context.id);
    this.storeConstant(StateLayout.exitSites, this.context.siteRecords(e.sites));
    c.call(atSite);
    c.if();
    // Perhaps in another mode, where blocks begin with other functions than a region leaves to by itself.
    for (const address of [StateLayout.eip, StateLayout.exitBudget, StateLayout.tlb]) {
      c.i32(0);
      c.memory(0x28, 2, address);
    }
    c.returnCall(goto);
    c.end();
  }

  private prologue(): Code {
    const { e } = this;
    const c = new Code(4);
    c.localGet(N);
    c.i32(this.structure.longest - MAX_BLOCK);
    c.op(0x48);
    c.unlikely();
    c.if();
    // The block itself, behind its head.
    for (const parameter of [E, N, EA, TLB]) c.localGet(parameter);
    c.returnCall(this.context.runtime.next);
    c.end();
    e.registers.forEach((local, i) => {
      if (e.used & (1 << i)) this.load(local, StateLayout.gpr + i * 8, c);
    });
    this.load(e.result, StateLayout.lazyResult, c);
    this.load(e.a, StateLayout.lazyAux, c);
    return c;
  }
}
