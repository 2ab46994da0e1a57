// The ground of the region tier's emission: general registers in locals, memory through the flat TLB with a slow path out of line, and the
// ways out of the region. Operands, stack and control are region-emitter.ts's; flags region-flags.ts's.
// Parameters of a region are those of every entry function: 0 entry, 1 budget, 2 (unused), 3 TLB context.

import { type Size, type Val, VAL } from '../../isa/emitter.ts';
import type { SharedFunction } from '../../isa/x87-functions.ts';
import { Code, I32, type Local, type ValueType } from '../../wasm/code.ts';
import { SEGMENT_STRIDE, SegmentField, StateLayout } from '../../cpu/state.ts';
import type { HelperOperands } from '../helper-operands.ts';
import { isFlat, isLea, isXlat, accessOf } from '../operand-access.ts';
import { BOUNCE_LIMIT, E, N, TLB, WRITE_TABLE } from '../threaded-frame.ts';
import type { Instruction } from './instruction.ts';
import { RegionFlags } from './region-flags.ts';

/** Functions that a region's module imports, by index. As in form.ts, but a store that hits decoded code asks for AGAIN instead. */
export interface RegionRuntime {
  /** Type of all entry functions: (i32 i32 i32 i32) -> (). */
  readonly type: number;
  readonly loadSlow: number;
  readonly storeSlow: number;
  readonly hostRead: number;
  readonly hostWrite: number;
  readonly commit: number;
  readonly stackLinear: number;
  readonly segmentLinear: number;
  readonly raise: number;
  /** (kind, result, a, b) -> auxiliary word (flag-kinds.ts). */
  readonly auxiliary: number;
  readonly shared: Readonly<Record<SharedFunction, number>>;
}

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

export abstract class RegionFrame extends RegionFlags {
  /** Locals of the eight general registers; loaded where used, stored where written. */
  readonly registers: readonly Local[];
  used = 0;
  written = 0;
  readonly sites: Site[] = [];
  private readonly siteLocal: Local;
  /** The instruction that is being emitted, and how many of its node come before it. */
  protected instruction!: Instruction;
  protected done = 0;
  /** Linear address of the memory operand. */
  private linear: Local | undefined;
  /** Open blocks. */
  depth = 0;
  /** Depth inside the block whose end leaves with a fault. */
  faultDepth = 0;
  private readonly temporaries = new Map<ValueType, { readonly locals: Local[]; next: number }>();

  constructor(
    protected readonly runtime: RegionRuntime,
    /** Mode word (translate/mode.ts) that the region is for. */
    protected readonly mode: number,
  ) {
    super(new Code(4), runtime.auxiliary);
    this.registers = Array.from({ length: 8 }, () => this.code.local(I32));
    this.siteLocal = this.code.local(I32);
  }

  /** Code of one instruction begins: what earlier instructions computed for themselves is free again. */
  protected begin(instruction: Instruction, done: number): void {
    this.instruction = instruction;
    this.done = done;
    this.linear = undefined;
    for (const pool of this.temporaries.values()) pool.next = 0;
  }

  // ---- locals and blocks --------------------------------------------------------------------------------------------

  temporary(type: ValueType = I32): Local {
    let pool = this.temporaries.get(type);
    if (pool === undefined) {
      pool = { locals: [], next: 0 };
      this.temporaries.set(type, pool);
    }
    if (pool.next === pool.locals.length) pool.locals.push(this.code.local(type));
    return pool.locals[pool.next++]!;
  }
  override let(_value: Val, type: ValueType = I32): Local {
    const local = this.temporary(type);
    this.code.localSet(local);
    return local;
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
  /** Both arms leave the flags in one form. */
  override if(_condition: Val, then: () => void, otherwise?: () => void): void {
    const before = this.kind;
    this.open('if');
    then();
    const afterThen = this.kind;
    if (otherwise === undefined && afterThen === before) {
      this.close();
      return;
    }
    if (afterThen !== before) this.canonicalise();
    const changed = afterThen !== before;
    this.code.else();
    this.kind = before;
    otherwise?.();
    if (changed) this.canonicalise();
    else if (this.kind !== before) throw new Error('only the second arm changes flags');
    this.close();
  }

  // ---- ways out -----------------------------------------------------------------------------------------------------

  /** Says where the code stands, for an exit out of a slow path that follows. */
  protected markSite(helper?: HelperOperands): void {
    this.sites.push({ eip: this.instruction.eip, done: this.done, kind: this.kind, helper });
    this.code.i32(this.sites.length - 1);
    this.code.localSet(this.siteLocal);
  }
  /** The site local, for the code at the region's end. */
  get site(): Local {
    return this.siteLocal;
  }
  private leaveFault(): void {
    this.branch(this.faultDepth);
  }
  /** After a slow path: leaves if the fault mailbox is full. */
  protected faultCheck(): void {
    this.state(StateLayout.faultVector);
    this.code.brIf(this.depth - this.faultDepth - 1);
  }
  faultIf(_condition: Val, vector: number, errorCode?: number): void {
    this.code.unlikely();
    this.open('if');
    this.markSite();
    this.code.i32(vector);
    this.code.i32(errorCode ?? -1);
    this.code.call(this.runtime.raise);
    this.leaveFault();
    this.close();
  }

  orHelper(_guard: Val): void {
    const address = this.instruction.memory ? this.address() : undefined;
    this.eqz(VAL);
    this.code.unlikely();
    this.open('if');
    if (address !== undefined) this.setState(StateLayout.exitEa, address);
    this.markSite(this.instruction.operands);
    this.branch(this.faultDepth);
    this.close();
  }

  // ---- the memory operand's address ---------------------------------------------------------------------------------

  private effective(): Val {
    const i = this.instruction;
    const c = this.code;
    if (isXlat(i.row)) this.add(this.reg(3, 32), this.reg(0, 8));
    else {
      let terms = 0;
      const plus = (): void => {
        if (terms++ > 0) c.op(0x6a);
      };
      if (i.base < 8) {
        this.reg(i.base, 32);
        plus();
      }
      if (i.index < 8) {
        this.reg(i.index, 32);
        if (i.scale > 0) this.shl(VAL, this.const(i.scale));
        plus();
      }
      if (i.displacement !== 0 || terms === 0) {
        c.i32(i.displacement);
        plus();
      }
    }
    return i.addressSize === 16 ? this.and(VAL, this.const(0xffff)) : VAL;
  }
  /** The segment's check comes before all else the instruction does, as the address entry of the threaded tier. */
  protected checkSegment(): void {
    const i = this.instruction;
    if (isLea(i.row)) return;
    if (isFlat(this.mode, i.segment) && !isXlat(i.row)) {
      if (i.addressSize === 16) this.linear = this.let(this.effective());
      return;
    }
    if (i.row.prologue !== undefined) i.row.prologue(this);
    const offset = this.let(this.effective());
    const slot = StateLayout.segments + i.segment * SEGMENT_STRIDE;
    const access = accessOf(i.row, i.operandSize);
    const linear = this.temporary();
    this.geU(this.get(offset), this.state(slot + (access & 256 ? SegmentField.writeLimit : SegmentField.readLimit)));
    this.code.unlikely();
    this.open('if');
    this.markSite();
    this.code.i32(slot);
    this.code.localGet(offset);
    this.code.i32(access);
    this.code.call(this.runtime.segmentLinear);
    this.code.localSet(linear);
    this.faultCheck();
    this.code.else();
    this.set(linear, this.add(this.get(offset), this.state(slot + SegmentField.base)));
    this.close();
    this.linear = linear;
  }
  address(): Local {
    this.linear ??= this.let(this.effective());
    return this.linear;
  }
  offset(): Val {
    return this.effective();
  }

  // ---- memory -------------------------------------------------------------------------------------------------------

  /** The TLB entry of a linear address, and 1 on the stack if the access needs the slow path (tlb.ts). */
  private lookUp(linear: Local, bytes: number, write: boolean): Local {
    const c = this.code;
    const entry = this.temporary();
    c.localGet(TLB);
    c.localGet(linear);
    c.i32(10);
    c.op(0x76);
    c.i32(0x003ffffc);
    c.op(0x71);
    c.op(0x6a);
    c.memory(0x28, 2, write ? WRITE_TABLE : 0);
    c.localTee(entry);
    if (bytes === 1) {
      c.i32(1);
      c.op(0x71);
    } else {
      c.localGet(linear);
      c.op(0x72);
      c.i32(0xfff);
      c.op(0x71);
      c.i32(0x1000 - bytes);
      c.op(0x4b);
    }
    c.unlikely();
    this.open('if');
    this.markSite();
    return entry;
  }
  private plus(plus: number): Local {
    const address = this.address();
    return plus === 0 ? address : this.let(this.add(this.get(address), this.const(plus)));
  }
  protected loadSized(bits: number): void {
    this.code.memory(bits === 8 ? 0x2d : bits === 16 ? 0x2f : 0x28, 0, 0);
  }
  protected storeSized(bits: number): void {
    this.code.memory(bits === 8 ? 0x3a : bits === 16 ? 0x3b : 0x36, 0, 0);
  }
  load(bytes: 1 | 2 | 4, plus = 0): Val {
    return this.get(this.loadAt(this.plus(plus), bytes));
  }
  protected loadAt(linear: Local, bytes: 1 | 2 | 4): Local {
    const c = this.code;
    const value = this.temporary();
    const entry = this.lookUp(linear, bytes, false);
    c.localGet(linear);
    c.i32(bytes);
    c.call(this.runtime.loadSlow);
    c.localSet(value);
    this.faultCheck();
    c.else();
    this.add(this.get(entry), this.get(linear));
    this.loadSized(bytes * 8);
    c.localSet(value);
    this.close();
    return value;
  }
  store(bytes: 1 | 2 | 4, value: Local, plus = 0): void {
    this.storeAt(this.plus(plus), bytes, value);
  }
  protected storeAt(linear: Local, bytes: 1 | 2 | 4, value: Local): void {
    const c = this.code;
    const entry = this.lookUp(linear, bytes, true);
    c.localGet(linear);
    c.localGet(value);
    c.i32(bytes);
    c.call(this.runtime.storeSlow);
    c.brIf(this.depth - this.faultDepth - 1);
    c.else();
    this.add(this.get(entry), this.get(linear));
    this.get(value);
    this.storeSized(bytes * 8);
    this.close();
  }
  private host(bytes: number, write: boolean): Local {
    const c = this.code;
    const linear = this.address();
    const host = this.temporary();
    const entry = this.lookUp(linear, bytes, write);
    c.localGet(linear);
    c.i32(bytes);
    c.call(write ? this.runtime.hostWrite : this.runtime.hostRead);
    c.localTee(host);
    c.op(0x45);
    c.brIf(this.depth - this.faultDepth - 1);
    c.else();
    this.set(host, this.add(this.get(entry), this.get(linear)));
    this.close();
    return host;
  }
  hostForRead(bytes: number): Local {
    return this.host(bytes, false);
  }
  hostForWrite(bytes: number): Local {
    return this.host(bytes, true);
  }
  commit(host: Local): void {
    this.ltU(this.get(host), this.const(BOUNCE_LIMIT));
    this.code.unlikely();
    this.open('if');
    this.code.localGet(host);
    this.code.call(this.runtime.commit);
    this.close();
  }
  requireAligned(bytes: number): void {
    this.faultIf(this.and(this.get(this.address()), this.const(bytes - 1)), 13, 0);
  }

  // ---- registers and state ------------------------------------------------------------------------------------------

  reg(index: number, size: Size): Val {
    const number = size === 8 ? index & 3 : index;
    this.used |= 1 << number;
    const whole = this.get(this.registers[number]!);
    if (size === 32) return whole;
    if (size === 16) return this.and(whole, this.const(0xffff));
    return index < 4 ? this.and(whole, this.const(0xff)) : this.and(this.shrU(whole, this.const(8)), this.const(0xff));
  }
  setReg(index: number, size: Size, value: Local): void {
    const number = size === 8 ? index & 3 : index;
    const local = this.registers[number]!;
    this.written |= 1 << number;
    this.used |= 1 << number;
    if (size === 32) {
      this.set(local, this.get(value));
      return;
    }
    const shift = size === 8 && index >= 4 ? 8 : 0;
    const mask = size === 16 ? 0xffff : 0xff;
    const part = (): Val => this.and(this.get(value), this.const(mask));
    this.set(
      local,
      this.or(
        this.and(this.get(local), this.const(~(mask << shift))),
        shift === 0 ? part() : this.shl(part(), this.const(shift)),
      ),
    );
  }
  state(address: number): Val {
    this.code.i32(0);
    this.code.memory(0x28, 2, address);
    return VAL;
  }
  setState(address: number, value: Local): void {
    this.code.i32(0);
    this.get(value);
    this.code.memory(0x36, 2, address);
  }
}

export { E, N, TLB };
