// What a value opens into in a tree: members, elements in windows, the target of a pointer. Lazily: a part is a value that is not read yet.
import { sizeOf, stripped } from '../types.ts';
import type { Value } from './value.ts';

export interface Part {
  /** A member's name, `[3]` or `*`; undefined for an anonymous struct or union. */
  readonly name: string | undefined;
  readonly value: Value;
  /** What follows the value's own expression to name the part: `.next`, `->next`, `[3]`. Empty for an anonymous one. */
  readonly access: string;
}

/** How many parts there are. */
export function partCount(value: Value): number {
  const type = stripped(value.type);
  switch (type.kind) {
    case 'struct':
    case 'union':
    case 'class':
      return value.optimizedOut ? 0 : type.members.length;
    case 'array':
      return value.optimizedOut ? 0 : (type.count ?? 0);
    case 'pointer': {
      const target = stripped(type.target);
      const address = value.integer;
      if (address === undefined || address === 0n) return 0;
      if (target.kind === 'struct' || target.kind === 'union' || target.kind === 'class') return target.members.length;
      return target.kind === 'void' || target.kind === 'function' || sizeOf(target) === 0 ? 0 : 1;
    }
    default:
      return 0;
  }
}

/** The parts from `start` on, at most `count`. A pointer to a struct opens into the struct's members. */
export function partsOf(value: Value, start = 0, count = Infinity): Part[] {
  const type = stripped(value.type);
  const last = Math.min(partCount(value), start + count);
  const parts: Part[] = [];
  if (type.kind === 'array') {
    for (let index = start; index < last; index++) {
      parts.push({ name: `[${index}]`, value: value.element(index)!, access: `[${index}]` });
    }
    return parts;
  }
  const target = type.kind === 'pointer' ? value.target() : value;
  const whole = target === undefined ? undefined : stripped(target.type);
  if (target === undefined || whole === undefined) return parts;
  if (whole.kind !== 'struct' && whole.kind !== 'union' && whole.kind !== 'class') {
    return type.kind === 'pointer' && last > start ? [{ name: '*', value: target, access: '' }] : parts;
  }
  const mark = type.kind === 'pointer' ? '->' : '.';
  for (const member of whole.members.slice(start, last)) {
    const access = member.name === undefined ? '' : `${mark}${member.name}`;
    parts.push({ name: member.name, value: target.member(member), access });
  }
  return parts;
}
