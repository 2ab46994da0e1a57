// The operations of location expressions by number (DWARF 5, 7.7.1) and their arithmetic on typed values (DWARF 5, 2.5.1).
// Not where operands come from: that is expression.ts. Values are bits; a value without a type is an address of the machine's size.
import { doubleToExtended, extendedToDouble } from '../value/floats.ts';

export const DW_OP = {
  addr: 0x03,
  deref: 0x06,
  const1u: 0x08,
  const1s: 0x09,
  const2u: 0x0a,
  const2s: 0x0b,
  const4u: 0x0c,
  const4s: 0x0d,
  const8u: 0x0e,
  const8s: 0x0f,
  constu: 0x10,
  consts: 0x11,
  dup: 0x12,
  drop: 0x13,
  over: 0x14,
  pick: 0x15,
  swap: 0x16,
  rot: 0x17,
  abs: 0x19,
  and: 0x1a,
  div: 0x1b,
  minus: 0x1c,
  mod: 0x1d,
  mul: 0x1e,
  neg: 0x1f,
  not: 0x20,
  or: 0x21,
  plus: 0x22,
  plus_uconst: 0x23,
  shl: 0x24,
  shr: 0x25,
  shra: 0x26,
  xor: 0x27,
  bra: 0x28,
  eq: 0x29,
  ge: 0x2a,
  gt: 0x2b,
  le: 0x2c,
  lt: 0x2d,
  ne: 0x2e,
  skip: 0x2f,
  lit0: 0x30,
  lit31: 0x4f,
  reg0: 0x50,
  reg31: 0x6f,
  breg0: 0x70,
  breg31: 0x8f,
  regx: 0x90,
  fbreg: 0x91,
  bregx: 0x92,
  piece: 0x93,
  deref_size: 0x94,
  nop: 0x96,
  push_object_address: 0x97,
  call2: 0x98,
  call4: 0x99,
  call_ref: 0x9a,
  call_frame_cfa: 0x9c,
  bit_piece: 0x9d,
  implicit_value: 0x9e,
  stack_value: 0x9f,
  implicit_pointer: 0xa0,
  addrx: 0xa1,
  constx: 0xa2,
  entry_value: 0xa3,
  const_type: 0xa4,
  regval_type: 0xa5,
  deref_type: 0xa6,
  convert: 0xa8,
  reinterpret: 0xa9,
  GNU_uninit: 0xf0,
  GNU_implicit_pointer: 0xf2,
  GNU_entry_value: 0xf3,
  GNU_const_type: 0xf4,
  GNU_regval_type: 0xf5,
  GNU_deref_type: 0xf6,
  GNU_convert: 0xf7,
  GNU_reinterpret: 0xf9,
  GNU_parameter_ref: 0xfa,
  GNU_addr_index: 0xfb,
  GNU_const_index: 0xfc,
  GNU_variable_value: 0xfd,
} as const;

/** A base type as arithmetic needs it. */
export interface OperandType {
  /** In bytes, 1 to 16. */
  readonly size: number;
  readonly kind: 'generic' | 'signed' | 'unsigned' | 'float';
}

export interface Operand {
  /** The value's bits, not negative, within the type's size. */
  readonly bits: bigint;
  readonly type: OperandType;
}

export const operand = (value: bigint, type: OperandType): Operand => ({
  bits: BigInt.asUintN(8 * type.size, value),
  type,
});

const signedOf = ({ bits, type }: Operand): bigint => BigInt.asIntN(8 * type.size, bits);
/** The integer that comparisons and DW_OP_div see: addresses count as signed there. */
const integerOf = (a: Operand): bigint => (a.type.kind === 'unsigned' ? a.bits : signedOf(a));

const scratch = new DataView(new ArrayBuffer(16));

function floatOf({ bits, type }: Operand): number {
  scratch.setBigUint64(0, BigInt.asUintN(64, bits), true);
  scratch.setBigUint64(8, bits >> 64n, true);
  if (type.size === 4) return scratch.getFloat32(0, true);
  if (type.size === 8) return scratch.getFloat64(0, true);
  return extendedToDouble(bits);
}

function floatOperand(value: number, type: OperandType): Operand {
  if (type.size > 8) return { bits: doubleToExtended(value), type };
  scratch.setBigUint64(0, 0n, true);
  if (type.size === 4) scratch.setFloat32(0, value, true);
  else scratch.setFloat64(0, value, true);
  return operand(scratch.getBigUint64(0, true), type);
}

/** DW_OP_convert: the same value in another type. */
export function convert(a: Operand, type: OperandType): Operand {
  if (type.kind === 'float') {
    return floatOperand(a.type.kind === 'float' ? floatOf(a) : Number(integerOf(a)), type);
  }
  if (a.type.kind !== 'float') return operand(a.type.kind === 'signed' ? signedOf(a) : a.bits, type);
  const value = Math.trunc(floatOf(a));
  return operand(Number.isFinite(value) ? BigInt(value) : 0n, type);
}

export function unary(op: number, a: Operand): Operand | undefined {
  if (a.type.kind === 'float') {
    if (op === DW_OP.neg) return floatOperand(-floatOf(a), a.type);
    return op === DW_OP.abs ? floatOperand(Math.abs(floatOf(a)), a.type) : undefined;
  }
  if (op === DW_OP.neg) return operand(-a.bits, a.type);
  if (op === DW_OP.not) return operand(~a.bits, a.type);
  const value = integerOf(a);
  return op === DW_OP.abs ? operand(value < 0n ? -value : value, a.type) : undefined;
}

/** @param generic the type of the answer of a comparison. Undefined: no such operation on these, or a division by zero. */
export function binary(op: number, a: Operand, b: Operand, generic: OperandType): Operand | undefined {
  if (a.type.kind === 'float' || b.type.kind === 'float') return floating(op, a, b, generic);
  const { type } = a;
  const [x, y] = [integerOf(a), integerOf(b)];
  switch (op) {
    case DW_OP.and:
      return operand(a.bits & b.bits, type);
    case DW_OP.or:
      return operand(a.bits | b.bits, type);
    case DW_OP.xor:
      return operand(a.bits ^ b.bits, type);
    case DW_OP.plus:
      return operand(a.bits + b.bits, type);
    case DW_OP.minus:
      return operand(a.bits - b.bits, type);
    case DW_OP.mul:
      return operand(a.bits * b.bits, type);
    case DW_OP.div:
      return y === 0n ? undefined : operand(x / y, type);
    case DW_OP.mod: {
      // Of addresses the remainder is unsigned.
      const [n, d] = type.kind === 'generic' ? [a.bits, b.bits] : [x, y];
      return d === 0n ? undefined : operand(n % d, type);
    }
    case DW_OP.shl:
      return operand(b.bits >= BigInt(8 * type.size) ? 0n : a.bits << b.bits, type);
    case DW_OP.shr:
      return operand(b.bits >= BigInt(8 * type.size) ? 0n : a.bits >> b.bits, type);
    case DW_OP.shra:
      return operand(signedOf(a) >> (b.bits > 128n ? 128n : b.bits), type);
    default:
      return relation(op, x, y, generic);
  }
}

function floating(op: number, a: Operand, b: Operand, generic: OperandType): Operand | undefined {
  const type = a.type.kind === 'float' ? a.type : b.type;
  const [x, y] = [floatOf(convert(a, type)), floatOf(convert(b, type))];
  switch (op) {
    case DW_OP.plus:
      return floatOperand(x + y, type);
    case DW_OP.minus:
      return floatOperand(x - y, type);
    case DW_OP.mul:
      return floatOperand(x * y, type);
    case DW_OP.div:
      return floatOperand(x / y, type);
    default:
      return relation(op, x, y, generic);
  }
}

/** A comparison's answer, 1 or 0; undefined: none of the six. */
function relation<N extends bigint | number>(op: number, x: N, y: N, generic: OperandType): Operand | undefined {
  const truth = (value: boolean) => operand(value ? 1n : 0n, generic);
  switch (op) {
    case DW_OP.eq:
      return truth(x === y);
    case DW_OP.ne:
      return truth(x !== y);
    case DW_OP.lt:
      return truth(x < y);
    case DW_OP.le:
      return truth(x <= y);
    case DW_OP.gt:
      return truth(x > y);
    case DW_OP.ge:
      return truth(x >= y);
    default:
      return undefined;
  }
}
