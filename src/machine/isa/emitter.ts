// The vocabulary in which each instruction is described once. A description calls these methods; the context (threaded tier,
// region tier) decides what code they become. Not a context itself: see translate/threaded-emitter.ts.

import { StateLayout } from '../cpu/state.ts';
import type { Local } from '../wasm/code.ts';
import { flagsImage } from './flags-image.ts';
import { type Val, VAL, ValueEmitter } from './value-emitter.ts';
import type { SharedFunction } from './shared-functions.ts';

export { type Val, VAL } from './value-emitter.ts';

/** Operand and operation sizes in bits. */
export type Size = 8 | 16 | 32;

/** Condition codes in encoding order (SDM vol. 2, appendix B.1.4.7). */
export const Condition = {
  O: 0,
  NO: 1,
  B: 2,
  NB: 3,
  Z: 4,
  NZ: 5,
  BE: 6,
  NBE: 7,
  S: 8,
  NS: 9,
  P: 10,
  NP: 11,
  L: 12,
  NL: 13,
  LE: 14,
  NLE: 15,
} as const;

export abstract class Emitter extends ValueEmitter {
  // ---- the instruction's own operands -------------------------------------------------------------------------------

  /** Operation size in bits: that of the first operand unless the row says otherwise. */
  abstract readonly size: Size;
  /** Size of operand k in bits. */
  abstract operandSize(k: number): number;
  /** True if operand k is in memory. */
  abstract isMemory(k: number): boolean;
  /** The repeat prefix: F2, F3 or 0. String instructions only. */
  abstract readonly repeat: number;
  /** Operand k, zero-extended to 32 bits. Memory is read (and may fault). */
  abstract read(k: number): Val;
  /** Stores the low bits of a local to operand k. */
  abstract write(k: number, value: Local): void;
  /** Read-modify-write: memory is checked for writing first; `f` returns the local to store. */
  abstract modify(k: number, f: (old: Local) => Local): void;
  /** The linear address of the memory operand (or its offset for LEA), as a local that may be changed before the access. */
  abstract address(): Local;
  /** Offset inside the segment of the memory operand, for LEA. */
  abstract offset(): Val;

  // ---- memory, 32-bit linear addresses ------------------------------------------------------------------------------

  /** Zero-extended load of 1, 2 or 4 bytes at the memory operand's address plus `plus`. */
  abstract load(bytes: 1 | 2 | 4, plus?: number): Val;
  abstract store(bytes: 1 | 2 | 4, value: Local, plus?: number): void;
  /** Linear-memory address where `bytes` (up to 16) of the memory operand can be read with plain loads. */
  abstract hostForRead(bytes: number): Local;
  /** The same for writing; after the stores call `commit`. Faults come before anything is changed. */
  abstract hostForWrite(bytes: number): Local;
  abstract commit(host: Local): void;
  /** Linear-memory address of `bytes` at a linear address if the TLB context in use has them in one page; 0 otherwise. Never faults. */
  abstract cachedHost(linear: Local, bytes: number, write?: boolean): Val;
  /** A field (SegmentField) of the memory operand's segment; only for rows with that operand alone. */
  abstract segmentField(field: number): Val;
  /** Reads a port, and writes one. `lookUp` must follow. */
  abstract portIn(port: Local, bytes: 1 | 2 | 4): Val;
  abstract portOut(port: Local, bytes: 1 | 2 | 4, value: Local): void;
  /** Ends the instruction: without budget left the run loop looks up before the next. The row ends its block. */
  abstract lookUp(): void;
  /** Accesses from here on go by another TLB context. */
  abstract switchContext(context: Local): void;
  /** Raises #GP(0) unless the memory operand's linear address is a multiple of `bytes`. */
  abstract requireAligned(bytes: number): void;

  // ---- MMX and XMM --------------------------------------------------------------------------------------------------

  /** Operand k as a vector: an XMM register, 16 bytes of memory, or (64-bit operands, MMX) 8 bytes in the low half. `bytes` < 16 reads fewer. */
  abstract readVector(k: number, bytes?: 4 | 8 | 16): Val;
  /** Stores the low `bytes` of a vector. A register destination keeps its other bytes. MMX registers get their exponent set to ones. */
  abstract writeVector(k: number, value: Local, bytes?: 4 | 8 | 16): void;

  // ---- stack --------------------------------------------------------------------------------------------------------

  /** SS is flat and 32-bit. */
  abstract get flatStack(): boolean;
  /** Stores a value of `size` bits `below` bytes under the top of stack; ESP stays. */
  abstract pokeStack(value: Local, size: 16 | 32, below: number): void;
  /** Reads `size` bits `above` bytes over the top of stack, or over `base` (LEAVE), into a local; ESP stays. */
  abstract peek(size: 16 | 32, above?: number, base?: Local): Local;
  /** Adds to ESP or SP, as SS.B says. */
  abstract addStack(bytes: number): void;
  /** Sets ESP or SP. */
  abstract setStack(value: Local): void;
  /** Pushes a value of `size` bits; ESP changes only if the store succeeds. */
  push(value: Local, size: 16 | 32): void {
    this.pokeStack(value, size, size / 8);
    this.addStack(-size / 8);
  }

  // ---- registers and state ------------------------------------------------------------------------------------------

  /** A general register by number (8-bit: AL CL DL BL AH CH DH BH), zero-extended. */
  abstract reg(index: number, size: Size): Val;
  abstract setReg(index: number, size: Size, value: Local): void;
  /** `i` of the operand ST(i). */
  abstract fpuOperand(): Val;
  /** FIP, FCS, FOP and, with a memory operand, FDP and FDS lead to this instruction (SDM vol. 1, 8.1.8). */
  abstract fpuPointers(): void;
  /** Calls a function that all instructions share. */
  abstract call(f: SharedFunction, ..._arguments: Val[]): Val;
  /** Address in the state of the segment, control or debug register that is operand k. DR4 and DR5 have words of their own. */
  abstract stateSlot(k: number): Val;
  /** What the instruction has behind the immediate that `read` gives: the selector of a far pointer, ENTER's nesting level. */
  abstract secondImmediate(): Val;
  /** Instructions that may still retire, this one with them, in the budget that translated code was entered with. */
  abstract budget(): Val;
  /** A 32-bit word of the CPU state. */
  abstract state(address: number): Val;
  abstract setState(address: number, value: Local): void;

  // ---- control ------------------------------------------------------------------------------------------------------

  /**
   * #GP(0) unless the relative target of operand k, or an EIP in a local, lies inside the code segment. Comes before anything changes: the
   * jump itself faults (SDM vol. 2, JMP, CALL, RET).
   */
  abstract requireTarget(target: number): void;
  abstract requireTargetAt(eip: Local): void;
  /** Jumps to the relative target of operand k. Ends the instruction. */
  abstract jump(k: number): void;
  /** Jumps if the 0/1 value on the stack is set; falls through otherwise. Ends the instruction. */
  abstract jumpIf(k: number, condition: Val): void;
  /** Jumps to an EIP in a local. Ends the instruction. */
  abstract jumpTo(eip: Local): void;
  /** EIP of the next instruction. */
  abstract nextEip(): Val;
  /** What is left of the budget behind this instruction: if it is not negative, another instruction follows before the run loop looks up. */
  abstract budgetAfter(): Val;
  /** Instructions that may retire besides this one without the budget being looked at again. Negative: none. */
  abstract spare(): Val;
  /** So many have: iterations of a repeated string instruction. */
  abstract spend(instructions: Val): void;
  /** Leaves with a fault if the 0/1 value on the stack is set. */
  abstract faultIf(condition: Val, vector: number, errorCode?: number): void;
  /**
   * The row's helper executes the instruction instead, unless the value on the stack is nonzero. Comes before the instruction has changed
   * anything, or behind iterations that count as retired (`spend`); not inside `if`.
   */
  abstract orHelper(guard: Val): void;
  /**
   * 1 if the code keeps the shadow that STI throws on the next instruction, if `thrown` is 1: it sets the bit in the interruptibility state for all
   * who look at it before that instruction has retired.
   */
  abstract interruptShadow(thrown: Local): Val;

  // ---- flags --------------------------------------------------------------------------------------------------------

  /** Result and carries of the last flag-setting operation (StateLayout.lazyResult, lazyAux). `cf`: a local that has CF. */
  protected abstract setLazy(result: Val | undefined, aux: Val, cf?: Local): void;
  protected abstract lazyResult(): Val;
  protected abstract lazyAux(): Val;

  // ---- flags, common to all contexts --------------------------------------------------------------------------------

  /** Moves a carry vector's top two bits of `size` to bits 31:30 and keeps bit 3 (AF). */
  protected carries(vector: Local): Val {
    const shift = 32 - this.size;
    if (shift === 0) return this.and(this.get(vector), this.const(0xc0000008 | 0));
    return this.or(
      this.and(this.shl(this.get(vector), this.const(shift)), this.const(0xc0000000 | 0)),
      this.and(this.get(vector), this.const(8)),
    );
  }
  private setResultAndCarries(result: Local, vector: Local): void {
    const aux = this.let(this.carries(vector));
    const value = this.let(this.signed(this.get(result), this.size));
    this.setLazy(this.get(value), this.get(aux));
  }
  /** All six flags of a + b = r. */
  flagsAdd(a: Local, b: Local, r: Local): void {
    const vector = this.let(
      this.or(
        this.and(this.get(a), this.get(b)),
        this.and(this.or(this.get(a), this.get(b)), this.xor(this.get(r), this.const(-1))),
      ),
    );
    this.setResultAndCarries(r, vector);
  }
  /** The same of a + b + carry = r: r alone doesn't tell the carry any more. */
  flagsAddCarry(a: Local, b: Local, _carry: Local, r: Local): void {
    this.flagsAdd(a, b, r);
  }
  /** All six flags of a - b = r. */
  flagsSub(a: Local, b: Local, r: Local): void {
    const not = this.let(this.xor(this.get(a), this.const(-1)));
    const vector = this.let(
      this.or(this.and(this.get(not), this.get(b)), this.and(this.or(this.get(not), this.get(b)), this.get(r))),
    );
    this.setResultAndCarries(r, vector);
  }
  /** The same of a - b - borrow = r. */
  flagsSubBorrow(a: Local, b: Local, _borrow: Local, r: Local): void {
    this.flagsSub(a, b, r);
  }
  /** CF = OF = AF = 0, the rest from r. */
  flagsLogic(r: Local): void {
    const value = this.let(this.signed(this.get(r), this.size));
    this.setLazy(this.get(value), this.const(0));
  }
  /** SF ZF PF from r, CF and OF (0/1 locals), AF cleared. */
  flagsResultCarryOverflow(r: Local, cf: Local, of: Local): void {
    const aux = this.let(
      this.or(this.shl(this.get(cf), this.const(31)), this.shl(this.xor(this.get(cf), this.get(of)), this.const(30))),
    );
    const value = this.let(this.signed(this.get(r), this.size));
    this.setLazy(this.get(value), this.get(aux));
  }
  /** All but CF of a + 1 = r (INC). */
  flagsIncrement(a: Local, r: Local): void {
    this.flagsKeepCarry(
      a,
      r,
      this.let(this.eq(this.truncate(this.get(r), this.size), this.const(1 << (this.size - 1)))),
    );
  }
  /** All but CF of a - 1 = r (DEC). */
  flagsDecrement(a: Local, r: Local): void {
    this.flagsKeepCarry(a, r, this.let(this.eq(this.get(a), this.const(1 << (this.size - 1)))));
  }
  private flagsKeepCarry(a: Local, r: Local, of: Local): void {
    const old = this.let(this.lazyAux());
    const aux = this.let(
      this.or(
        this.or(
          this.and(this.get(old), this.const(0x80000000 | 0)),
          this.shl(this.xor(this.shrU(this.get(old), this.const(31)), this.get(of)), this.const(30)),
        ),
        this.shrU(this.and(this.xor(this.get(a), this.get(r)), this.const(0x10)), this.const(1)),
      ),
    );
    const value = this.let(this.signed(this.get(r), this.size));
    this.setLazy(this.get(value), this.get(aux));
  }
  /** CF and ZF (0/1 locals); the other four become 0. */
  flagsCarryZero(cf: Local, zf: Local): void {
    // A result of 1 has odd parity, and so has 0 with aux bit 8.
    this.setLazy(
      this.eqz(this.get(zf)),
      this.or(this.mul(this.get(cf), this.const(0xc0000000 | 0)), this.shl(this.get(zf), this.const(8))),
      cf,
    );
  }
  /** CF only; OF keeps its value. */
  flagsCarry(cf: Local): void {
    const old = this.let(this.lazyAux());
    // OF = bit 31 ^ bit 30: flipping both when CF changes keeps it.
    const change = this.let(this.xor(this.shrU(this.get(old), this.const(31)), this.get(cf)));
    this.setLazy(undefined, this.xor(this.get(old), this.mul(this.get(change), this.const(0xc0000000 | 0))));
  }
  /** CF and OF (0/1), the others unchanged (rotates). */
  flagsCarryOverflow(cf: Local, of: Local): void {
    this.setLazy(
      undefined,
      this.or(
        this.and(this.lazyAux(), this.const(0x3fffffff)),
        this.or(this.shl(this.get(cf), this.const(31)), this.shl(this.xor(this.get(cf), this.get(of)), this.const(30))),
      ),
    );
  }
  /** ZF only (CMPXCHG8B, VERR...): the other five are kept. */
  flagsZero(zf: Local): void {
    // Rebuild the lazy pair from the present SF and PF, then choose the result by ZF.
    const sf = this.let(this.condition(Condition.S));
    const pf = this.let(this.condition(Condition.P));
    const kept = this.let(this.and(this.lazyAux(), this.const(0xc0000008 | 0)));
    const aux = this.let(
      this.or(
        this.or(this.get(kept), this.shl(this.eqz(this.get(pf)), this.const(8))),
        this.shl(this.and(this.get(sf), this.get(zf)), this.const(16)),
      ),
    );
    const result = this.let(
      this.select(this.const(0), this.or(this.shl(this.get(sf), this.const(31)), this.const(0x100)), this.get(zf)),
    );
    this.setLazy(this.get(result), this.get(aux));
  }
  /** SF ZF AF PF CF from the low byte of a local laid out as EFLAGS (SAHF), or all six with `withOverflow` (POPF). */
  flagsFromImage(image: Local, withOverflow = false): void {
    const bit = (n: number): Val => this.and(this.shrU(this.get(image), this.const(n)), this.const(1));
    const of = this.let(withOverflow ? bit(11) : this.condition(Condition.O));
    const cf = this.let(bit(0));
    const zf = this.let(bit(6));
    const aux = this.let(
      this.or(
        this.or(
          this.or(
            this.shl(this.get(cf), this.const(31)),
            this.shl(this.xor(this.get(cf), this.get(of)), this.const(30)),
          ),
          this.shl(bit(4), this.const(3)),
        ),
        this.or(this.shl(this.eqz(bit(2)), this.const(8)), this.shl(this.and(bit(7), this.get(zf)), this.const(16))),
      ),
    );
    const result = this.let(
      this.select(this.const(0), this.or(this.shl(bit(7), this.const(31)), this.const(0x100)), this.get(zf)),
    );
    this.setLazy(this.get(result), this.get(aux), cf);
  }
  /** The six flags as EFLAGS has them. */
  flagsImage(): Val {
    const aux = this.let(this.lazyAux());
    const result = this.let(this.lazyResult());
    return flagsImage(this, result, aux);
  }
  /** CF as 0 or 1. */
  carry(): Val {
    return this.shrU(this.lazyAux(), this.const(31));
  }
  /** AF as 0 or 1. */
  adjust(): Val {
    return this.and(this.shrU(this.lazyAux(), this.const(3)), this.const(1));
  }

  /** A condition code as 0 or 1. */
  condition(cc: number): Val {
    switch (cc & ~1) {
      case Condition.O:
        this.overflow();
        break;
      case Condition.B:
        this.carry();
        break;
      case Condition.Z:
        this.eqz(this.lazyResult());
        break;
      case Condition.BE:
        this.or(this.carry(), this.eqz(this.lazyResult()));
        break;
      case Condition.S:
        this.sign();
        break;
      case Condition.P:
        this.eqz(
          this.and(
            this.popcnt(
              this.and(this.xor(this.lazyResult(), this.shrU(this.lazyAux(), this.const(8))), this.const(0xff)),
            ),
            this.const(1),
          ),
        );
        break;
      case Condition.L:
        this.less();
        break;
      case Condition.LE:
        this.or(this.less(), this.eqz(this.lazyResult()));
        break;
    }
    if (cc & 1) this.eqz(VAL);
    return VAL;
  }
  private overflow(): Val {
    const aux = this.let(this.lazyAux());
    return this.shrU(this.xor(this.get(aux), this.shl(this.get(aux), this.const(1))), this.const(31));
  }
  private sign(): Val {
    return this.shrU(this.xor(this.lazyResult(), this.shl(this.lazyAux(), this.const(15))), this.const(31));
  }
  private less(): Val {
    const aux = this.let(this.lazyAux());
    return this.shrU(
      this.xor(
        this.xor(this.lazyResult(), this.shl(this.get(aux), this.const(15))),
        this.xor(this.get(aux), this.shl(this.get(aux), this.const(1))),
      ),
      this.const(31),
    );
  }
  /** EFLAGS.DF as +step or -step bytes. */
  direction(step: number): Val {
    return this.select(
      this.const(-step),
      this.const(step),
      this.and(this.state(StateLayout.eflagsRest), this.const(0x400)),
    );
  }
}
