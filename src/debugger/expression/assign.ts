// Assignment to a value that is somewhere: memory, registers, bit-fields (C11 6.5.16).
import { fromBytes, toBytes } from '../../symbols/location-value.ts';
import { isCharacter, sizeOf, stripped } from '../../symbols/types.ts';
import { typeName } from '../../symbols/type-names.ts';
import { Value } from '../../symbols/value/value.ts';
import { convert, scalarOf } from './arithmetic.ts';
import { ExpressionError } from './error.ts';
import type { EvaluationWorld } from './evaluate.ts';

const ONLY_READ =
  'this expression is evaluated again and again, so it changes nothing: assign on the debug console, or by Set Value';

/** Writes, and gives the target as it is then. @throws ExpressionError */
export function assign(target: Value, value: Value, world: EvaluationWorld): Value {
  write(target, bytesFor(target, value), world);
  return new Value(target.type, target.location, target.source, target.bits);
}

function bytesFor(target: Value, value: Value): Uint8Array {
  const [to, from] = [stripped(target.type), stripped(value.type)];
  const compound = to.kind === 'struct' || to.kind === 'union' || to.kind === 'class' || to.kind === 'array';
  if (!compound) {
    if (from.kind === 'struct' || from.kind === 'union' || from.kind === 'class' || from.kind === 'array') {
      throw new ExpressionError(`${typeName(value.type)} cannot be assigned to ${typeName(target.type)}`);
    }
    return convert(scalarOf(value), target.type).bytes;
  }
  if (to.kind === 'array' && from.kind === 'array' && isCharacter(to.element) && isCharacter(from.element)) {
    // As a string initialises an array (C11 6.7.9): the rest is zeros, and its own zero may have no room.
    const text = scalarOf(value).bytes;
    const room = sizeOf(to);
    if (text.length > room && !(text.length === room + 1 && text[room] === 0))
      throw new ExpressionError(`${text.length} bytes do not fit into ${typeName(target.type)}`);
    const whole = new Uint8Array(room);
    whole.set(text.subarray(0, room));
    return whole;
  }
  if (typeName(to) !== typeName(from) || sizeOf(to) !== sizeOf(from)) {
    throw new ExpressionError(`${typeName(value.type)} cannot be assigned to ${typeName(target.type)}`);
  }
  return scalarOf(value).bytes;
}

function write(target: Value, bytes: Uint8Array, world: EvaluationWorld): void {
  const { location, bits } = target;
  if (location.kind === 'memory') {
    const { writeMemory } = world;
    if (writeMemory === undefined) throw new ExpressionError(ONLY_READ);
    const [address, content] =
      bits === undefined ? [location.address, bytes] : mergedField(target, location.address, bits, bytes);
    if (!writeMemory(address, content)) {
      throw new ExpressionError(`the memory at 0x${address.toString(16)} cannot be written`);
    }
    return;
  }
  if (location.kind === 'register' && bits === undefined && bytes.length <= 4) {
    const old = world.source.registers[location.register];
    if (world.writeRegister === undefined) throw new ExpressionError(ONLY_READ);
    if (old === undefined) throw new ExpressionError('what the register held in this frame is not known');
    // A narrow variable leaves the rest of its register alone.
    const mask = (1n << BigInt(8 * bytes.length)) - 1n;
    const merged = (BigInt(old) & ~mask) | fromBytes(bytes);
    if (!world.writeRegister(location.register, Number(BigInt.asUintN(32, merged)))) {
      throw new ExpressionError('the register cannot be written in this frame');
    }
    return;
  }
  throw new ExpressionError(
    location.kind === 'optimized-out'
      ? 'the value has been optimized out: there is nothing to assign to'
      : 'the value is no variable in memory or in a register: nothing can be assigned to it',
  );
}

/** The bytes that hold a bit-field, with its new value put in. */
function mergedField(
  target: Value,
  base: number,
  bits: { readonly offset: number; readonly size: number },
  bytes: Uint8Array,
): [number, Uint8Array] {
  const first = Math.floor(bits.offset / 8);
  const length = Math.ceil((bits.offset + bits.size) / 8) - first;
  const address = (base + first) >>> 0;
  const old = new Uint8Array(length);
  if (target.source.memory(address, old) < length) {
    throw new ExpressionError(`the memory at 0x${address.toString(16)} cannot be read`);
  }
  const shift = BigInt(bits.offset - 8 * first);
  const mask = ((1n << BigInt(bits.size)) - 1n) << shift;
  const value = (fromBytes(old) & ~mask) | ((fromBytes(bytes) << shift) & mask);
  return [address, toBytes(value, length)];
}
