// Values on WebAssembly's stack: locals, constants, arithmetic, vectors. Not instructions: emitter.ts adds their vocabulary.
//
// Calls nest like expressions: `e.set(r, e.add(e.get(a), e.get(b)))` emits its arguments left to right and then the operation,
// which is WebAssembly's stack order, so no tree is built. A `Val` is only the compile-time trace that something was pushed.

import { type Code, I32, I64, V128, type Local, type ValueType } from '../wasm/code.ts';
import { StateLayout } from '../cpu/state.ts';

/** The write table of a TLB context lies this many bytes behind its read table. */
export const WRITE_TABLE = 0x0040_0000;

declare const pushed: unique symbol;
/** One value on the WebAssembly stack. */
export interface Val {
  readonly [pushed]: true;
}
export const VAL = Object.freeze({}) as Val;

export abstract class ValueEmitter {
  constructor(readonly code: Code) {}

  // ---- locals and constants -----------------------------------------------------------------------------------------

  get(local: Local): Val {
    this.code.localGet(local);
    return VAL;
  }
  set(local: Local, _value: Val): void {
    this.code.localSet(local);
  }
  /** A local that nothing else of the instruction uses. */
  temporary(type: ValueType): Local {
    return this.code.local(type);
  }
  /** A new local holding the value. */
  let(_value: Val, type: ValueType = I32): Local {
    const local = this.temporary(type);
    this.code.localSet(local);
    return local;
  }
  let64(value: Val): Local {
    return this.let(value, I64);
  }
  const(value: number): Val {
    this.code.i32(value);
    return VAL;
  }
  const64(value: bigint): Val {
    this.code.i64(value);
    return VAL;
  }
  private op(opcode: number): Val {
    this.code.op(opcode);
    return VAL;
  }

  // ---- i32 and i64 arithmetic ---------------------------------------------------------------------------------------

  eqz(_a: Val): Val {
    return this.op(0x45);
  }
  eq(_a: Val, _b: Val): Val {
    return this.op(0x46);
  }
  ne(_a: Val, _b: Val): Val {
    return this.op(0x47);
  }
  ltS(_a: Val, _b: Val): Val {
    return this.op(0x48);
  }
  ltU(_a: Val, _b: Val): Val {
    return this.op(0x49);
  }
  gtU(_a: Val, _b: Val): Val {
    return this.op(0x4b);
  }
  geU(_a: Val, _b: Val): Val {
    return this.op(0x4f);
  }
  eqz64(_a: Val): Val {
    return this.op(0x50);
  }
  eq64(_a: Val, _b: Val): Val {
    return this.op(0x51);
  }
  ne64(_a: Val, _b: Val): Val {
    return this.op(0x52);
  }
  ltS64(_a: Val, _b: Val): Val {
    return this.op(0x53);
  }
  gtU64(_a: Val, _b: Val): Val {
    return this.op(0x56);
  }
  clz(_a: Val): Val {
    return this.op(0x67);
  }
  ctz(_a: Val): Val {
    return this.op(0x68);
  }
  popcnt(_a: Val): Val {
    return this.op(0x69);
  }
  add(_a: Val, _b: Val): Val {
    return this.op(0x6a);
  }
  sub(_a: Val, _b: Val): Val {
    return this.op(0x6b);
  }
  mul(_a: Val, _b: Val): Val {
    return this.op(0x6c);
  }
  divU(_a: Val, _b: Val): Val {
    return this.op(0x6e);
  }
  remU(_a: Val, _b: Val): Val {
    return this.op(0x70);
  }
  and(_a: Val, _b: Val): Val {
    return this.op(0x71);
  }
  or(_a: Val, _b: Val): Val {
    return this.op(0x72);
  }
  xor(_a: Val, _b: Val): Val {
    return this.op(0x73);
  }
  shl(_a: Val, _b: Val): Val {
    return this.op(0x74);
  }
  shrS(_a: Val, _b: Val): Val {
    return this.op(0x75);
  }
  shrU(_a: Val, _b: Val): Val {
    return this.op(0x76);
  }
  rotl(_a: Val, _b: Val): Val {
    return this.op(0x77);
  }
  rotr(_a: Val, _b: Val): Val {
    return this.op(0x78);
  }
  clz64(_a: Val): Val {
    return this.op(0x79);
  }
  add64(_a: Val, _b: Val): Val {
    return this.op(0x7c);
  }
  sub64(_a: Val, _b: Val): Val {
    return this.op(0x7d);
  }
  mul64(_a: Val, _b: Val): Val {
    return this.op(0x7e);
  }
  divS64(_a: Val, _b: Val): Val {
    return this.op(0x7f);
  }
  divU64(_a: Val, _b: Val): Val {
    return this.op(0x80);
  }
  remS64(_a: Val, _b: Val): Val {
    return this.op(0x81);
  }
  remU64(_a: Val, _b: Val): Val {
    return this.op(0x82);
  }
  and64(_a: Val, _b: Val): Val {
    return this.op(0x83);
  }
  or64(_a: Val, _b: Val): Val {
    return this.op(0x84);
  }
  xor64(_a: Val, _b: Val): Val {
    return this.op(0x85);
  }
  shl64(_a: Val, _b: Val): Val {
    return this.op(0x86);
  }
  shrS64(_a: Val, _b: Val): Val {
    return this.op(0x87);
  }
  shrU64(_a: Val, _b: Val): Val {
    return this.op(0x88);
  }
  rotl64(_a: Val, _b: Val): Val {
    return this.op(0x89);
  }
  wrap(_a: Val): Val {
    return this.op(0xa7);
  }
  extendS64(_a: Val): Val {
    return this.op(0xac);
  }
  extendU64(_a: Val): Val {
    return this.op(0xad);
  }
  /** As a double, rounded to nearest. */
  convertU64(_a: Val): Val {
    return this.op(0xba);
  }
  sqrtDouble(_a: Val): Val {
    return this.op(0x9f);
  }
  /** A double's integer part, which must fit. */
  truncateU64(_a: Val): Val {
    return this.op(0xb1);
  }
  extend8(_a: Val): Val {
    return this.op(0xc0);
  }
  extend16(_a: Val): Val {
    return this.op(0xc1);
  }
  /** WebAssembly's select: a if the condition is nonzero, else b. */
  select(_a: Val, _b: Val, _condition: Val): Val {
    return this.op(0x1b);
  }

  if(_condition: Val, then: () => void, otherwise?: () => void): void {
    this.code.if();
    then();
    if (otherwise !== undefined) {
      this.code.else();
      otherwise();
    }
    this.code.end();
  }

  /** As `if`; the first arm is rarely taken. Neither changes flags. */
  rarely(condition: Val, then: () => void, otherwise?: () => void): void {
    this.code.unlikely();
    this.if(condition, then, otherwise);
  }

  /** The word of a TLB context for a linear address (cpu/tlb.ts). */
  tlbWord(context: Local, linear: Local, write: boolean): Val {
    this.add(this.get(context), this.shl(this.shrU(this.get(linear), this.const(12)), this.const(2)));
    this.code.memory(0x28, 2, write ? WRITE_TABLE : 0);
    return VAL;
  }
  /** 1 unless accesses go directly to the page of this word. */
  notDirect(word: Local): Val {
    return this.eqz(this.and(this.get(word), this.const(1)));
  }
  /** The same, or an access of two bytes or more does not end in the page in which it begins. `last`: the address of its last byte; `others`: how many come before. */
  beyondPage(word: Local, last: Local, others: Val): Val {
    return this.gtU(others, this.and(this.and(this.get(word), this.get(last)), this.const(0xfff)));
  }
  /** The address of the last of some bytes. */
  lastOf(linear: Local, bytes: number): Local {
    return bytes === 1 ? linear : this.let(this.add(this.get(linear), this.const(bytes - 1)));
  }

  /** Plain loads and stores at a linear-memory address (see hostForRead). */
  peek32(host: Local, offset = 0): Val {
    this.code.localGet(host);
    this.code.memory(0x28, 0, offset);
    return VAL;
  }
  peek8(host: Local, offset = 0): Val {
    this.code.localGet(host);
    this.code.memory(0x2d, 0, offset);
    return VAL;
  }
  peek16(host: Local, offset = 0): Val {
    this.code.localGet(host);
    this.code.memory(0x2f, 0, offset);
    return VAL;
  }
  peek64(host: Local, offset = 0): Val {
    this.code.localGet(host);
    this.code.memory(0x29, 0, offset);
    return VAL;
  }
  poke32(host: Local, value: Local, offset = 0): void {
    this.code.localGet(host);
    this.code.localGet(value);
    this.code.memory(0x36, 0, offset);
  }
  poke8(host: Local, value: Local, offset = 0): void {
    this.code.localGet(host);
    this.code.localGet(value);
    this.code.memory(0x3a, 0, offset);
  }
  poke16(host: Local, value: Local, offset = 0): void {
    this.code.localGet(host);
    this.code.localGet(value);
    this.code.memory(0x3b, 0, offset);
  }
  poke64(host: Local, value: Local, offset = 0): void {
    this.code.localGet(host);
    this.code.localGet(value);
    this.code.memory(0x37, 0, offset);
  }

  /** A SIMD instruction by opcode (WebAssembly core specification 2.0, 5.4.8); its arguments are pushed already. */
  simd(opcode: number, ..._arguments: Val[]): Val {
    this.code.prefixed(0xfd, opcode);
    return VAL;
  }
  /** i8x16.shuffle with constant lanes. */
  shuffle(_a: Val, _b: Val, lanes: readonly number[]): Val {
    this.code.prefixed(0xfd, 0x0d);
    for (const lane of lanes) this.code.byte(lane);
    return VAL;
  }
  /** Lane access: opcode and lane. */
  lane(opcode: number, lane: number, ..._arguments: Val[]): Val {
    this.code.prefixed(0xfd, opcode);
    this.code.byte(lane);
    return VAL;
  }
  /** A vector constant from its 16 bytes. */
  constVector(bytes: readonly number[]): Val {
    this.code.prefixed(0xfd, 0x0c);
    for (const byte of bytes) this.code.byte(byte);
    return VAL;
  }
  /** The scratch words of the state hold one vector whose lane is chosen at run time. */
  storeScratch(vector: Local): void {
    this.code.i32(0);
    this.code.localGet(vector);
    this.code.simdMemory(0x0b, 0, StateLayout.scratch);
  }
  loadScratch(): Val {
    this.code.i32(0);
    this.code.simdMemory(0x00, 0, StateLayout.scratch);
    return VAL;
  }
  loadScratch16(at: Local): Val {
    this.code.localGet(at);
    this.code.memory(0x2f, 0, StateLayout.scratch);
    return VAL;
  }
  storeScratch16(at: Local, value: Local): void {
    this.code.localGet(at);
    this.code.localGet(value);
    this.code.memory(0x3b, 0, StateLayout.scratch);
  }
  letVector(value: Val): Local {
    return this.let(value, V128);
  }

  /** Sign-extends the low `size` bits to 32. */
  signed(value: Val, size: number): Val {
    if (size === 8) return this.extend8(value);
    if (size === 16) return this.extend16(value);
    return value;
  }
  /** Keeps the low `size` bits. */
  truncate(value: Val, size: number): Val {
    if (size === 32) return value;
    return this.and(value, this.const(size === 8 ? 0xff : 0xffff));
  }
}
