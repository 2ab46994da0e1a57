// Evaluates location expressions (DWARF 5, 2.5 and 2.6, and GNU's extensions of before version 5). What an expression may look at is the
// `Machine` it is given; the answer says where a variable is. Every evaluation ends: steps, stack and nesting are bounded.
import {
  cannotAccess,
  fromBytes,
  OPTIMIZED_OUT,
  toBytes,
  unavailable,
  registerAt,
  type Location,
  type Piece,
  type ReadMemory,
} from '../location-value.ts';
import { DW_AT, DW_ATE, DW_TAG } from './constants.ts';
import { Die } from './die.ts';
import { binary, convert, DW_OP, operand, unary, type Operand, type OperandType } from './operations.ts';
import { Reader } from './reader.ts';
import type { Unit } from './unit.ts';

/** What an expression may ask of a frame. Numbers are unsigned; undefined: not known here. */
export interface Machine {
  readonly memory: ReadMemory;
  /** @param number DWARF's for i386: 0 EAX, 1 ECX, 2 EDX, 3 EBX, 4 ESP, 5 EBP, 6 ESI, 7 EDI, 8 EIP, 9 EFLAGS */
  readonly register: (number: number) => number | undefined;
  /** Registers of more than 32 bits: ST(0) to ST(7) are 11 to 18, XMM0 to XMM7 21 to 28. */
  readonly registerBytes?: (number: number) => Uint8Array | undefined;
  readonly cfa?: () => number | undefined;
  /** DW_AT_frame_base of the function. */
  readonly frameBase?: () => number | undefined;
  /** The value that an expression had when the function was entered, found in its caller. */
  readonly entryValue?: (expression: Uint8Array) => bigint | undefined;
  /** The value passed for a parameter (DW_OP_GNU_parameter_ref). */
  readonly parameterValue?: (parameter: Die) => bigint | undefined;
  /** Bits of another variable (DW_OP_GNU_variable_value). */
  readonly variableValue?: (variable: Die) => bigint | undefined;
}

export interface Program {
  readonly expression: Uint8Array;
  readonly unit: Unit;
  readonly machine: Machine;
  /** Added to the file's addresses, modulo 2^32. */
  readonly slide: number;
  /** Pushed before the first operation. */
  readonly initial?: readonly number[];
}

const MAX_STEPS = 20_000;
const MAX_STACK = 4096;
const MAX_CALLS = 32;

/** Where the value is. An empty expression is a variable that was optimised out. */
export function evaluateLocation(program: Program): Location {
  return new Evaluation(program).location();
}

/** The number that an expression leaves on its stack; undefined with the reason where it leaves none. */
export function evaluateNumber(program: Program): { readonly value: bigint } | { readonly reason: string } {
  const evaluation = new Evaluation(program);
  const location = evaluation.location();
  if (location.kind === 'memory') return { value: BigInt(location.address) };
  if (location.kind === 'value') return { value: fromBytes(location.bytes) };
  return { reason: location.kind === 'unavailable' ? location.reason : 'the expression leaves no number' };
}

class Evaluation {
  #stack: Operand[] = [];
  readonly #pieces: Piece[] = [];
  /** What the operations so far say when it is not the address on the stack. */
  #result: Location | undefined;
  #problem: Location | undefined;
  #steps = 0;
  readonly #generic: OperandType;

  constructor(private readonly program: Program) {
    this.#generic = { size: Math.min(8, program.unit.format.addressSize), kind: 'generic' };
    for (const value of program.initial ?? []) this.#push(BigInt(value));
  }

  location(): Location {
    const { expression } = this.program;
    if (expression.length === 0) return OPTIMIZED_OUT;
    this.#run(new Reader(expression), 0);
    if (this.#problem !== undefined) return this.#problem;
    if (this.#pieces.length > 0) return { kind: 'pieces', pieces: this.#pieces };
    return this.#current();
  }

  #current(): Location {
    if (this.#result !== undefined) return this.#result;
    const top = this.#stack.at(-1);
    return top === undefined ? OPTIMIZED_OUT : { kind: 'memory', address: Number(BigInt.asUintN(32, top.bits)) };
  }

  #fail(reason: string): void {
    this.#problem ??= unavailable(reason);
  }

  #push(value: bigint, type = this.#generic): void {
    this.#pushOperand(operand(value, type));
  }
  #pushOperand(value: Operand | undefined): void {
    if (value === undefined) this.#fail('the location expression is damaged: an operation does not suit its operands');
    else if (this.#stack.length >= MAX_STACK)
      this.#fail('the location expression is damaged: its stack grows without end');
    else this.#stack.push(value);
  }
  #pop(): Operand {
    const value = this.#stack.pop();
    if (value === undefined)
      this.#fail('the location expression is damaged: it takes more from its stack than is there');
    return value ?? operand(0n, this.#generic);
  }

  #run(reader: Reader, depth: number): void {
    while (reader.more && this.#problem === undefined) {
      if (++this.#steps > MAX_STEPS) this.#fail('the location expression does not end');
      else this.#step(reader.u8(), reader, depth);
      if (reader.overrun) this.#fail('the location expression is damaged: an operand is missing');
    }
  }

  #step(op: number, reader: Reader, depth: number): void {
    const { program } = this;
    const { machine, unit } = program;
    if (op >= DW_OP.lit0 && op <= DW_OP.lit31) return this.#push(BigInt(op - DW_OP.lit0));
    if (op >= DW_OP.reg0 && op <= DW_OP.reg31) return this.#register(op - DW_OP.reg0);
    if (op >= DW_OP.breg0 && op <= DW_OP.breg31) return this.#based(op - DW_OP.breg0, reader.sleb());
    switch (op) {
      case DW_OP.addr:
        return this.#push(BigInt(reader.unsigned(this.#generic.size) + program.slide));
      case DW_OP.addrx:
      case DW_OP.GNU_addr_index:
        return this.#push(BigInt(unit.addressAt(reader.uleb()) + program.slide));
      case DW_OP.constx:
      case DW_OP.GNU_const_index:
        return this.#push(BigInt(unit.addressAt(reader.uleb())));
      case DW_OP.const1u:
        return this.#push(BigInt(reader.u8()));
      case DW_OP.const1s:
        return this.#push(BigInt(reader.i8()));
      case DW_OP.const2u:
        return this.#push(BigInt(reader.u16()));
      case DW_OP.const2s:
        return this.#push(BigInt((reader.u16() << 16) >> 16));
      case DW_OP.const4u:
        return this.#push(BigInt(reader.u32()));
      case DW_OP.const4s:
        return this.#push(BigInt(reader.u32() | 0));
      case DW_OP.const8u:
      case DW_OP.const8s:
        return this.#push(reader.u64Exact());
      case DW_OP.constu:
        return this.#push(reader.ulebExact());
      case DW_OP.consts:
        return this.#push(reader.slebExact());
      case DW_OP.dup:
        return this.#pick(0);
      case DW_OP.over:
        return this.#pick(1);
      case DW_OP.pick:
        return this.#pick(reader.u8());
      case DW_OP.drop:
        this.#pop();
        return;
      case DW_OP.swap: {
        const [b, a] = [this.#pop(), this.#pop()];
        this.#stack.push(b, a);
        return;
      }
      case DW_OP.rot: {
        const [c, b, a] = [this.#pop(), this.#pop(), this.#pop()];
        this.#stack.push(c, a, b);
        return;
      }
      case DW_OP.deref:
        return this.#dereference(this.#generic.size, this.#generic);
      case DW_OP.deref_size:
        return this.#dereference(reader.u8(), this.#generic);
      case DW_OP.deref_type:
      case DW_OP.GNU_deref_type: {
        const size = reader.u8();
        return this.#dereference(size, this.#type(reader.uleb()));
      }
      case DW_OP.abs:
      case DW_OP.neg:
      case DW_OP.not:
        return this.#pushOperand(unary(op, this.#pop()));
      case DW_OP.plus_uconst: {
        const a = this.#pop();
        return this.#push(a.bits + reader.ulebExact(), a.type);
      }
      case DW_OP.bra: {
        const offset = (reader.u16() << 16) >> 16;
        return this.#pop().bits === 0n ? undefined : this.#jump(reader, offset);
      }
      case DW_OP.skip:
        return this.#jump(reader, (reader.u16() << 16) >> 16);
      case DW_OP.regx:
        return this.#register(reader.uleb());
      case DW_OP.bregx: {
        const number = reader.uleb();
        return this.#based(number, reader.sleb());
      }
      case DW_OP.fbreg: {
        const offset = reader.sleb();
        const base = machine.frameBase?.();
        if (base === undefined) this.#fail('the frame base of the function is not known here');
        else this.#push(BigInt(base + offset));
        return;
      }
      case DW_OP.call_frame_cfa: {
        const cfa = machine.cfa?.();
        if (cfa === undefined) this.#fail('the canonical frame address is not known here');
        else this.#push(BigInt(cfa));
        return;
      }
      case DW_OP.piece:
        return this.#piece(8 * reader.uleb(), 0);
      case DW_OP.bit_piece: {
        const bits = reader.uleb();
        return this.#piece(bits, reader.uleb());
      }
      case DW_OP.nop:
      case DW_OP.GNU_uninit:
        return;
      case DW_OP.push_object_address:
        return this.#pick(this.#stack.length - 1);
      case DW_OP.stack_value: {
        const { bits } = this.#pop();
        this.#result = { kind: 'value', bytes: toBytes(bits, 16) };
        return;
      }
      case DW_OP.implicit_value:
        this.#result = { kind: 'value', bytes: reader.block(reader.uleb()) };
        return;
      case DW_OP.implicit_pointer:
      case DW_OP.GNU_implicit_pointer:
        return this.#implicitPointer(reader);
      case DW_OP.entry_value:
      case DW_OP.GNU_entry_value: {
        const value = machine.entryValue?.(reader.block(reader.uleb()));
        // gdb's word for it too: the caller has overwritten what it passed.
        if (value === undefined) this.#problem ??= OPTIMIZED_OUT;
        else this.#push(value);
        return;
      }
      case DW_OP.GNU_parameter_ref: {
        const parameter = Die.at(unit, unit.offset + reader.u32());
        const value = parameter === undefined ? undefined : machine.parameterValue?.(parameter);
        if (value === undefined) this.#problem ??= OPTIMIZED_OUT;
        else this.#push(value);
        return;
      }
      case DW_OP.GNU_variable_value: {
        const variable = unit.owner.entryAt(reader.unsigned(unit.format.offsetSize));
        const value = variable === undefined ? undefined : machine.variableValue?.(variable);
        if (value === undefined) this.#problem ??= OPTIMIZED_OUT;
        else this.#push(value);
        return;
      }
      case DW_OP.const_type:
      case DW_OP.GNU_const_type: {
        const type = this.#type(reader.uleb());
        return this.#push(fromBytes(reader.block(reader.u8())), type);
      }
      case DW_OP.regval_type:
      case DW_OP.GNU_regval_type: {
        const number = reader.uleb();
        const type = this.#type(reader.uleb());
        const value = this.#registerBits(number, type.size);
        if (value !== undefined) this.#push(value, type);
        return;
      }
      case DW_OP.convert:
      case DW_OP.GNU_convert:
        return this.#pushOperand(convert(this.#pop(), this.#type(reader.uleb())));
      case DW_OP.reinterpret:
      case DW_OP.GNU_reinterpret: {
        const { bits } = this.#pop();
        return this.#push(bits, this.#type(reader.uleb()));
      }
      case DW_OP.call2:
        return this.#call(Die.at(unit, unit.offset + reader.u16()), depth);
      case DW_OP.call4:
        return this.#call(Die.at(unit, unit.offset + reader.u32()), depth);
      case DW_OP.call_ref:
        return this.#call(unit.owner.entryAt(reader.unsigned(unit.format.offsetSize)), depth);
      default: {
        const [b, a] = [this.#pop(), this.#pop()];
        const value = binary(op, a, b, this.#generic);
        if (value === undefined && b.bits !== 0n)
          this.#fail(`the location expression has operation 0x${op.toString(16)}, which is not known`);
        return this.#pushOperand(value);
      }
    }
  }

  #pick(index: number): void {
    const value = this.#stack.at(-1 - index);
    if (value === undefined)
      this.#fail('the location expression is damaged: it takes more from its stack than is there');
    else this.#pushOperand(value);
  }

  #jump(reader: Reader, offset: number): void {
    const target = reader.position + offset;
    if (target < 0 || target > reader.end) this.#fail('the location expression is damaged: it jumps out of itself');
    else reader.position = target;
  }

  #register(number: number): void {
    this.#result = { kind: 'register', register: number };
  }

  #registerBits(number: number, size: number): bigint | undefined {
    const { machine } = this.program;
    const wide = size > 4 || number > 9 ? machine.registerBytes?.(number) : undefined;
    if (wide !== undefined) return fromBytes(wide.subarray(0, size));
    let bits = 0n;
    for (let at = 0; at < size; at += 4) {
      const part = registerAt(number, at);
      const value = part === undefined ? undefined : machine.register(part);
      if (value === undefined) {
        this.#fail(`register ${part ?? number} is not known in this frame`);
        return undefined;
      }
      bits |= BigInt(value >>> 0) << BigInt(8 * at);
    }
    return bits;
  }

  #based(number: number, offset: number): void {
    const value = this.#registerBits(number, 4);
    if (value !== undefined) this.#push(value + BigInt(offset));
  }

  #dereference(size: number, type: OperandType): void {
    const address = Number(BigInt.asUintN(32, this.#pop().bits));
    if (size < 1 || size > 16)
      return this.#fail('the location expression is damaged: it reads a value of no possible size');
    const bytes = new Uint8Array(size);
    if (this.program.machine.memory(address, bytes) < size) {
      return this.#fail(cannotAccess(address));
    }
    this.#push(fromBytes(bytes), type);
  }

  #piece(bits: number, offset: number): void {
    // A piece without a location before it was optimised out; so was one whose location could not be found.
    const empty = this.#stack.length === 0 && this.#result === undefined;
    const location = empty ? OPTIMIZED_OUT : this.#current();
    if (this.#pieces.length >= MAX_STACK) this.#fail('the location expression is damaged: it has too many pieces');
    this.#pieces.push({ bits, offset, location });
    this.#stack = [];
    this.#result = undefined;
  }

  #implicitPointer(reader: Reader): void {
    const { unit } = this.program;
    const size = unit.format.version === 2 ? unit.format.addressSize : unit.format.offsetSize;
    const target = unit.owner.entryAt(reader.unsigned(size));
    const offset = reader.sleb();
    this.#result = target === undefined ? OPTIMIZED_OUT : { kind: 'implicit-pointer', target, offset };
  }

  #call(target: Die | undefined, depth: number): void {
    const expression = target?.block(DW_AT.location);
    if (depth >= MAX_CALLS) return this.#fail('the location expression is damaged: it calls itself');
    if (expression !== undefined) this.#run(new Reader(expression), depth + 1);
  }

  /** 0 stands for the type of addresses. */
  #type(offset: number): OperandType {
    if (offset === 0) return this.#generic;
    const { unit } = this.program;
    const die = Die.at(unit, unit.offset + offset);
    const size = die?.tag === DW_TAG.base_type ? die.number(DW_AT.byte_size) : undefined;
    if (size === undefined || size < 1 || size > 16) {
      this.#fail('the location expression is damaged: it names a type that is none');
      return this.#generic;
    }
    const encoding = die!.number(DW_AT.encoding);
    const signed = encoding === DW_ATE.signed || encoding === DW_ATE.signed_char;
    return { size, kind: encoding === DW_ATE.float ? 'float' : signed ? 'signed' : 'unsigned' };
  }
}
