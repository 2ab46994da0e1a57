// The ground of the region tier's emission: addresses, and the ways out of the region. Operands, memory and the stack are
// translation-emitter.ts's, registers by operand and control region-emitter.ts's, their locals region-registers.ts's, flags region-flags.ts's.

import { type Val, VAL } from '../../isa/emitter.ts';
import { Code, I32, type Local, type ValueType } from '../../wasm/code.ts';
import { Blocking, SEGMENT_STRIDE, SegmentField, StateLayout } from '../../cpu/state.ts';
import { N } from '../entry-function.ts';
import type { HelperOperands } from '../helper-operands.ts';
import { isFlat, isAddressOnly, isXlat, accessOf } from '../operand-access.ts';
import type { Runtime } from '../runtime.ts';
import type { Miss } from '../miss-functions.ts';
import { type AccessRange, widenByAccesses } from './access-guesses.ts';
import { DYNAMIC, plainOf } from './flag-kinds.ts';
import type { Instruction } from './instruction.ts';
import { RegionRegisters } from './region-registers.ts';

/** What regions call besides, by index. A store that hits decoded code asks for AGAIN (cpu/region-access.ts). */
export type RegionRuntime = Runtime & {
  /** (kind, result, a, b, cf) -> auxiliary word (flag-kinds.ts). */
  readonly auxiliary: number;
  /** (eip, budget, tlb): goes on through the jump cache; and where that has no line that counts. */
  readonly goto: number;
  readonly jumpMiss: number;
  /** As an entry's function: goes on at the entry behind. */
  readonly next: number;
  /** () -> 1 if control goes on at EIP (cpu/helper-calls.ts `atSite`). */
  readonly atSite: number;
  /** As the slow paths, with the TLB context as last argument: the TLB may have the page (access-functions.ts). */
  readonly again: Readonly<Record<Miss, number>>;
};

/** A place where a region can leave at an instruction that has not executed. */
export interface Site {
  readonly eip: number;
  /** Instructions of its node that retired before. */
  readonly done: number;
  /** What the flag locals held (flag-kinds.ts); DYNAMIC: the exit says. */
  readonly kind: number;
  /** The instruction is its helper's: there is no fault. */
  readonly helper: HelperOperands | undefined;
}

/** Room for the code of most regions. */
const REGION_BYTES = 8192;

export abstract class RegionFrame extends RegionRegisters {
  readonly sites: Site[] = [];
  private readonly siteLocal: Local;
  /** The instruction that is being emitted, and how many of its node come before it. */
  protected instruction!: Instruction;
  protected done = 0;
  /** Instructions of its node, and those that can follow behind: for guesses. */
  private straight: readonly Instruction[] = [];
  /** Linear address of the memory operand. */
  private linear: Local | undefined;
  /** Open blocks. */
  depth = 0;
  /** Depth inside the block whose end leaves with a fault. */
  faultDepth = 0;
  /** The instruction may stand in the shadow of an STI before it, which is in the state only where it is left before it has retired. */
  protected inShadow = false;
  /** Blocking.STI if that STI has set IF. */
  protected readonly shadowLocal: Local;
  private readonly temporaries: { readonly type: ValueType; readonly locals: Local[]; next: number }[] = [];

  constructor(
    protected readonly runtime: RegionRuntime,
    /** Mode word (translate/mode.ts) that the region is for. */
    protected readonly mode: number,
    /** TLB word that most of its accesses will find (region-memory.ts). */
    protected readonly usual: number,
  ) {
    super(new Code(4, REGION_BYTES), runtime.auxiliary);
    this.siteLocal = this.code.local(I32);
    this.shadowLocal = this.code.local(I32);
  }
  protected get lookingAgain(): RegionRuntime['again'] {
    return this.runtime.again;
  }

  /** Code of one instruction begins: what earlier instructions computed for themselves is free again. */
  protected begin(instruction: Instruction, done: number): void {
    this.instruction = instruction;
    this.done = done;
    this.linear = undefined;
    const { temporaries } = this;
    for (let i = 0; i < temporaries.length; i++) {
      const pool = temporaries[i]!;
      this.forgetLocals(pool.locals, pool.next);
      pool.next = 0;
    }
  }
  /** Code of a node begins: its instructions, and then those that can follow without being reached from elsewhere. */
  follow(straight: readonly Instruction[]): void {
    this.straight = straight;
  }
  protected widen(range: AccessRange): void {
    const { straight, done, mode, registerPlace, symbolNames } = this;
    widenByAccesses(range, straight, done, mode, registerPlace, symbolNames);
  }

  // ---- locals and blocks --------------------------------------------------------------------------------------------

  override temporary(type: ValueType): Local {
    const { temporaries } = this;
    let at = 0;
    while (at < temporaries.length && temporaries[at]!.type !== type) at++;
    if (at === temporaries.length) temporaries.push({ type, locals: [], next: 0 });
    const pool = temporaries[at]!;
    if (pool.next === pool.locals.length) pool.locals.push(this.code.local(type));
    return pool.locals[pool.next++]!;
  }
  open(kind: 'block' | 'loop' | 'if'): void {
    this.code[kind]();
    this.depth++;
  }
  close(): void {
    this.code.end();
    this.depth--;
  }
  /** Branches out of the block that was opened when the depth was `depth`. */
  branch(depth: number): void {
    this.code.br(this.depth - depth - 1);
  }
  /** The same if the value on the stack is not zero. */
  branchIf(depth: number): void {
    this.code.unlikely();
    this.code.brIf(this.depth - depth - 1);
  }
  /** Both arms leave the flags in one form. */
  override if(condition: Val, then: () => void, otherwise?: () => void): void {
    if (this.decided(condition, then, otherwise)) return;
    const before = this.kind;
    this.open('if');
    this.arm(then);
    const afterThen = this.kind;
    if (otherwise === undefined && afterThen === before) {
      this.close();
      return;
    }
    if (afterThen !== before) this.canonicalise();
    const changed = afterThen !== before;
    this.code.else();
    this.kind = before;
    this.arm(otherwise);
    if (changed) this.canonicalise();
    else if (this.kind !== before) throw new Error('only the second arm changes flags');
    this.close();
  }

  // ---- ways out -----------------------------------------------------------------------------------------------------

  /** Says where the code stands, for an exit out of a slow path that follows. */
  protected markSite(helper?: HelperOperands): void {
    if (this.inShadow) this.setBlocking(this.or(this.blocking(), this.get(this.shadowLocal)));
    this.joinRegisters();
    this.takeCarry();
    this.dropUnused();
    const kind = this.kind === DYNAMIC ? DYNAMIC : plainOf(this.kind);
    this.sites.push({ eip: this.instruction.eip, done: this.done, kind, helper });
    this.code.i32(this.sites.length - 1);
    this.code.localSet(this.siteLocal);
  }
  private blocking(): Val {
    return this.state(StateLayout.interruptibility);
  }
  private setBlocking(_bits: Val): void {
    this.setState(StateLayout.interruptibility, this.let(VAL));
  }
  /** The instruction has retired: the shadow of STI, if a way through a slow path has set it, is over. */
  protected endShadow(sites: number): void {
    if (this.inShadow && this.sites.length > sites)
      this.setBlocking(this.and(this.blocking(), this.const(~Blocking.STI)));
    this.inShadow = false;
  }
  /** The site local, for the code at the region's end. */
  get site(): Local {
    return this.siteLocal;
  }
  protected override beforeLeaving(): void {
    this.markSite();
  }
  protected leaveFault(): void {
    this.branch(this.faultDepth);
  }
  protected leaveFaultIf(_condition: Val): void {
    this.code.unlikely();
    this.code.brIf(this.depth - this.faultDepth - 1);
  }
  override rarely(condition: Val, then: () => void, otherwise?: () => void): void {
    if (this.decided(condition, then, otherwise)) return;
    super.rarely(condition, then, otherwise);
  }
  protected eitherRarely(conditions: readonly (() => Val)[], then: () => void, otherwise: () => void): void {
    const done = this.depth;
    this.open('block');
    const missed = this.depth;
    this.open('block');
    for (const condition of conditions) {
      condition();
      this.branchIf(missed);
    }
    this.arm(otherwise);
    this.branch(done);
    this.close();
    this.arm(then);
    this.close();
  }
  budgetAfter(): Val {
    return this.sub(this.get(N), this.const(this.done + 1));
  }
  orHelper(_guard: Val): void {
    const address = this.instruction.memory ? this.address() : undefined;
    this.rarely(this.eqz(VAL), () => {
      if (address !== undefined) this.setState(StateLayout.exitEa, address);
      this.markSite(this.instruction.operands);
      this.leaveFault();
    });
  }

  budget(): Val {
    return this.sub(this.get(N), this.const(this.done));
  }

  // ---- the memory operand's address ---------------------------------------------------------------------------------

  private effective(): Val {
    const i = this.instruction;
    let sum: Val | undefined;
    const plus = (term: Val): void => {
      sum = sum === undefined ? term : this.add(sum, term);
    };
    if (isXlat(i.row)) {
      plus(this.reg(3, 32));
      plus(this.reg(0, 8));
    } else {
      if (i.base < 8) plus(this.reg(i.base, 32));
      if (i.index < 8) plus(i.scale > 0 ? this.shl(this.reg(i.index, 32), this.const(i.scale)) : this.reg(i.index, 32));
      if (i.displacement !== 0 || sum === undefined) plus(this.const(i.displacement));
    }
    return i.addressSize === 16 ? this.and(sum!, this.const(0xffff)) : sum!;
  }
  /** The segment's check comes before all else the instruction does, as the address entry of the threaded tier. */
  protected checkSegment(): void {
    const i = this.instruction;
    if (isAddressOnly(i.row)) return;
    if (isFlat(this.mode, i.segment) && !isXlat(i.row)) {
      if (i.addressSize === 16) this.linear = this.let(this.effective());
      return;
    }
    if (i.row.prologue !== undefined) i.row.prologue(this);
    const offset = this.let(this.effective());
    const slot = StateLayout.segments + i.segment * SEGMENT_STRIDE;
    const access = accessOf(i.row, i.operandSize);
    const linear = this.temporary(I32);
    this.rarely(
      this.geU(this.get(offset), this.state(slot + (access & 256 ? SegmentField.writeLimit : SegmentField.readLimit))),
      () => {
        this.beforeLeaving();
        this.code.i32(slot);
        this.code.localGet(offset);
        this.code.i32(access);
        this.code.call(this.runtime.segmentLinear);
        this.code.localSet(linear);
        this.faultCheck();
      },
      () => this.set(linear, this.add(this.get(offset), this.state(slot + SegmentField.base))),
    );
    this.linear = linear;
  }
  address(): Local {
    this.linear ??= this.let(this.effective());
    return this.linear;
  }
  offset(): Val {
    return this.effective();
  }
}
