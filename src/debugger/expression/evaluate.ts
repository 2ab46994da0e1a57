// Evaluates C expressions in a frame: names as the program sees them there, registers, memory, assignment. The answer is a typed value that
// knows where it is, or one sentence that says why there is none. Functions are not called: that would change what the guest does.
import { stripped, isFloat, isInteger, sizeOf, VOID, type CType, type StructType } from '../../symbols/types.ts';
import { typeName } from '../../symbols/type-names.ts';
import { Value } from '../../symbols/value/value.ts';
import type { ValueSource } from '../../symbols/value/read.ts';
import {
  binary,
  complement,
  convert,
  integerOf,
  isTrue,
  negate,
  ofNumber,
  promoted,
  scalarOf,
  type Scalar,
} from './arithmetic.ts';
import { assign } from './assign.ts';
import { BUILTIN } from './builtin-types.ts';
import { ExpressionError } from './error.ts';
import type { Names } from './names.ts';
import { parseExpression } from './parser.ts';
import type { Expression } from './syntax.ts';

export interface EvaluationWorld {
  readonly names: Names;
  /** Memory and registers of the frame. */
  readonly source: ValueSource;
  /** Both return false where nothing was written. Absent: assignments are refused. */
  readonly writeMemory?: (address: number, bytes: Uint8Array) => boolean;
  /** @param number DWARF's */
  readonly writeRegister?: (number: number, value: number) => boolean;
}

export type Evaluated = { readonly ok: true; readonly value: Value } | { readonly ok: false; readonly reason: string };

/** The value of a C expression. */
export function evaluate(text: string, world: EvaluationWorld): Evaluated {
  try {
    const tree = parseExpression(text, (kind, name) => world.names.type(kind, name));
    return { ok: true, value: new Evaluator(world).value(tree) };
  } catch (error) {
    if (error instanceof ExpressionError) return { ok: false, reason: error.message };
    throw error;
  }
}

const pointerTo = (target: CType): CType => ({ kind: 'pointer', size: 4, target });
const isPointer = (type: CType): boolean => stripped(type).kind === 'pointer';

class Evaluator {
  constructor(private readonly world: EvaluationWorld) {}

  #scalar({ type, bytes }: Scalar): Value {
    return Value.of(type, bytes, this.world.source);
  }
  #integer(type: CType, value: bigint): Value {
    return Value.ofInteger(type, value, this.world.source);
  }
  #at(type: CType, address: number): Value {
    return new Value(type, { kind: 'memory', address: address >>> 0 }, this.world.source);
  }

  value(tree: Expression): Value {
    switch (tree.kind) {
      case 'integer':
        return this.#integer(BUILTIN[tree.type], tree.value);
      case 'float':
        return this.#scalar(ofNumber(BUILTIN[tree.type], tree.value));
      case 'character':
        return this.#integer(BUILTIN.char, BigInt(tree.value));
      case 'string': {
        const bytes = new Uint8Array(tree.value.length + 1);
        bytes.set(tree.value);
        const type: CType = { kind: 'array', element: BUILTIN.char, count: bytes.length, vector: false };
        return Value.of(type, bytes, this.world.source);
      }
      case 'name':
        return this.world.names.value(tree.name);
      case 'scoped':
        return this.world.names.scoped(tree.scope, tree.quoted, tree.name);
      case 'register':
        return this.world.names.register(tree.name);
      case 'unary':
        return this.#unary(tree.operator, tree.operand);
      case 'binary':
        return this.#binary(tree.operator, tree.left, tree.right);
      case 'assign': {
        const target = this.value(tree.left);
        const right = this.value(tree.right);
        return assign(target, tree.operator === '' ? right : this.#operate(tree.operator, target, right), this.world);
      }
      case 'step': {
        const target = this.value(tree.operand);
        const old = this.#decayed(target);
        const before = Value.of(old.type, scalarOf(old).bytes, this.world.source);
        const after = assign(
          target,
          this.#operate('+', target, this.#integer(BUILTIN.int, BigInt(tree.by))),
          this.world,
        );
        return tree.prefix ? after : before;
      }
      case 'choice':
        return this.value(this.#true(tree.test) ? tree.yes : tree.no);
      case 'cast':
        return this.#cast(tree.type, this.value(tree.operand));
      case 'at-address':
        return this.#at(tree.type, this.#addressIn(this.#decayed(this.value(tree.operand))));
      case 'sizeof-type':
        return this.#integer(BUILTIN['unsigned long'], BigInt(sizeOf(tree.type)));
      case 'sizeof':
        return this.#integer(BUILTIN['unsigned long'], BigInt(sizeOf(this.value(tree.operand).type)));
      case 'member':
        return this.#member(this.value(tree.object), tree.name);
      case 'index':
        return this.#index(this.value(tree.array), this.value(tree.index));
    }
  }

  #true(tree: Expression): boolean {
    return isTrue(scalarOf(this.#decayed(this.value(tree))));
  }

  /** Arrays and functions become pointers where a value is needed. */
  #decayed(value: Value): Value {
    const type = stripped(value.type);
    if (type.kind !== 'array' && type.kind !== 'function') return value;
    const address = value.address;
    if (address === undefined) throw new ExpressionError('an array that is not in memory has no address');
    return this.#integer(pointerTo(type.kind === 'array' ? type.element : value.type), BigInt(address));
  }

  #unary(operator: string, operand: Expression): Value {
    const value = this.value(operand);
    switch (operator) {
      case '&': {
        if (value.bits !== undefined) throw new ExpressionError('a bit-field has no address');
        const address = value.address;
        if (address === undefined) throw new ExpressionError('the value is not in memory, so it has no address');
        return this.#integer(pointerTo(value.type), BigInt(address));
      }
      case '*': {
        const pointer = this.#decayed(value);
        const type = stripped(pointer.type);
        // As in gdb, a number is the address of an int.
        if (isInteger(type)) return this.#at(BUILTIN.int, this.#addressIn(pointer));
        if (type.kind !== 'pointer') throw new ExpressionError(`"*" needs a pointer, not ${typeName(value.type)}`);
        if (stripped(type.target).kind === 'void') {
          throw new ExpressionError('a "void *" points to no type: cast it to another pointer first');
        }
        return this.#at(type.target, this.#addressIn(pointer));
      }
      case '!':
        return this.#integer(BUILTIN.int, isTrue(scalarOf(this.#decayed(value))) ? 0n : 1n);
      case '~':
        return this.#scalar(complement(scalarOf(this.#arithmetic('~', value))));
      case '-':
        return this.#scalar(negate(scalarOf(this.#arithmetic('-', value))));
      default: {
        const scalar = scalarOf(this.#arithmetic('+', value));
        return this.#scalar(convert(scalar, promoted(scalar.type)));
      }
    }
  }

  #arithmetic(operator: string, value: Value): Value {
    if (!isInteger(value.type) && !isFloat(value.type)) {
      throw new ExpressionError(`"${operator}" needs a number, not ${typeName(value.type)}`);
    }
    return value;
  }

  #binary(operator: string, left: Expression, right: Expression): Value {
    if (operator === '&&' || operator === '||') {
      const first = this.#true(left);
      const result = operator === '&&' ? first && this.#true(right) : first || this.#true(right);
      return this.#integer(BUILTIN.int, result ? 1n : 0n);
    }
    const a = this.value(left);
    const b = this.value(right);
    if (operator === ',') return b;
    return operator === '@' ? this.#repeat(a, b) : this.#operate(operator, a, b);
  }

  /** `value@count`: so many of its kind, one behind the other in memory. */
  #repeat(first: Value, times: Value): Value {
    const count = Number(integerOf(scalarOf(this.#arithmetic('@', times))));
    const { address } = first;
    if (address === undefined) throw new ExpressionError('only a value in memory can stand before "@"');
    if (count < 1 || count > 1 << 20) throw new ExpressionError(`"@" needs a count from 1 to ${1 << 20}, not ${count}`);
    return this.#at({ kind: 'array', element: first.type, count, vector: false }, address);
  }

  #operate(operator: string, left: Value, right: Value): Value {
    const [a, b] = [this.#decayed(left), this.#decayed(right)];
    const [pa, pb] = [isPointer(a.type), isPointer(b.type)];
    if (!pa && !pb) {
      return this.#scalar(
        binary(operator, scalarOf(this.#arithmetic(operator, a)), scalarOf(this.#arithmetic(operator, b))),
      );
    }
    const compares = ['==', '!=', '<', '>', '<=', '>='].includes(operator);
    if (compares) {
      const unsigned = (value: Value) => convert(scalarOf(value), BUILTIN['unsigned int']);
      return this.#scalar(binary(operator, unsigned(a), unsigned(b)));
    }
    if (operator === '-' && pa && pb) {
      const size = this.#elementSize(a);
      const distance = BigInt(this.#addressIn(a) - this.#addressIn(b));
      return this.#integer(BUILTIN.long, distance / size);
    }
    if ((operator === '+' && pa !== pb) || (operator === '-' && pa && !pb)) {
      const [pointer, number] = pa ? [a, b] : [b, a];
      const count = integerOf(scalarOf(this.#arithmetic(operator, number)));
      const step = count * this.#elementSize(pointer);
      const address = BigInt(this.#addressIn(pointer));
      return this.#integer(pointer.type, operator === '+' ? address + step : address - step);
    }
    throw new ExpressionError(`"${operator}" does not apply to ${typeName(a.type)} and ${typeName(b.type)}`);
  }

  #elementSize(pointer: Value): bigint {
    const type = stripped(pointer.type);
    const size = type.kind === 'pointer' ? sizeOf(type.target) : 1;
    if (size === 0 && type.kind === 'pointer') {
      throw new ExpressionError(`the size of ${typeName(type.target)} is not known`);
    }
    return BigInt(size);
  }

  #addressIn(value: Value): number {
    if (!isPointer(value.type) && !isInteger(value.type)) {
      throw new ExpressionError(`${typeName(value.type)} is no address`);
    }
    return Number(BigInt.asUintN(32, integerOf(scalarOf(value))));
  }

  #cast(type: CType, operand: Value): Value {
    const plain = stripped(type);
    if (plain.kind === 'void') return Value.of(VOID, new Uint8Array(1), this.world.source);
    if (plain.kind === 'struct' || plain.kind === 'union' || plain.kind === 'class' || plain.kind === 'array') {
      // What C forbids, but a debugger is asked for: the same bytes as another type.
      if (operand.address === undefined) throw new ExpressionError(`the value cannot become ${typeName(type)}`);
      return this.#at(type, operand.address);
    }
    if (plain.kind === 'unknown' || plain.kind === 'function') {
      throw new ExpressionError(`nothing can be cast to ${typeName(type)}`);
    }
    const value = this.#decayed(operand);
    if (!isPointer(value.type) && !isInteger(value.type) && !isFloat(value.type)) {
      throw new ExpressionError(`${typeName(value.type)} cannot be cast to ${typeName(type)}`);
    }
    return this.#scalar(convert(scalarOf(value), type));
  }

  /** As in gdb, `.` and `->` do the same. */
  #member(object: Value, name: string): Value {
    const decayed = stripped(object.type).kind === 'array' ? this.#decayed(object) : object;
    const type = stripped(decayed.type);
    const whole = type.kind === 'pointer' ? this.#at(type.target, this.#addressIn(decayed)) : decayed;
    const struct = stripped(whole.type);
    if (struct.kind !== 'struct' && struct.kind !== 'union' && struct.kind !== 'class') {
      throw new ExpressionError(`${typeName(object.type)} has no members`);
    }
    if (struct.incomplete) throw new ExpressionError(`the members of ${typeName(struct)} are not in the debug data`);
    const found = findMember(whole, struct, name, 0);
    if (found === undefined) throw new ExpressionError(`${typeName(struct)} has no member "${name}"`);
    return found;
  }

  #index(array: Value, index: Value): Value {
    const type = stripped(array.type);
    // Arrays that are not in memory have elements all the same.
    if (type.kind === 'array' && array.address === undefined) {
      const at = Number(integerOf(scalarOf(this.#arithmetic('[]', index))));
      const element = at >= 0 && at < (type.count ?? 0) ? array.element(at) : undefined;
      if (element === undefined) throw new ExpressionError(`the array has no element ${at}`);
      return element;
    }
    const sum = this.#operate('+', array, index);
    const pointer = stripped(sum.type);
    if (pointer.kind !== 'pointer') throw new ExpressionError(`${typeName(array.type)} has no elements`);
    return this.#at(pointer.target, this.#addressIn(sum));
  }
}

/** A member by name, those of anonymous structs and unions included. */
function findMember(whole: Value, type: StructType, name: string, depth: number): Value | undefined {
  const own = type.members.find((member) => member.name === name);
  if (own !== undefined) return whole.member(own);
  if (depth > 16) return undefined;
  for (const member of type.members) {
    if (member.name !== undefined) continue;
    const inner = stripped(member.type);
    if (inner.kind !== 'struct' && inner.kind !== 'union' && inner.kind !== 'class') continue;
    const found = findMember(whole.member(member), inner, name, depth + 1);
    if (found !== undefined) return found;
  }
  return undefined;
}
