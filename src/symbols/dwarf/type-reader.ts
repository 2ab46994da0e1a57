// Entries of .debug_info to C types (DWARF 5, chapter 5). Each entry becomes one object, kept; what it refers to is read when asked for.
// A declaration (`struct file;`) becomes its definition, wherever in the file that is.
import {
  VOID,
  type ArrayType,
  type BaseEncoding,
  type CType,
  type Enumerator,
  type Member,
  type Qualifier,
} from '../types.ts';
import { DW_AT, DW_ATE, DW_TAG } from './constants.ts';
import type { Die } from './die.ts';
import { Reader } from './reader.ts';
import type { Unit } from './unit.ts';

/** Finds the definition of a struct, union or enum by its name. */
export type FindDefinition = (declared: Die, name: string) => Die | undefined;

const ENCODINGS: Readonly<Record<number, BaseEncoding>> = {
  [DW_ATE.boolean]: 'boolean',
  [DW_ATE.complex_float]: 'complex',
  [DW_ATE.float]: 'float',
  [DW_ATE.signed]: 'signed',
  [DW_ATE.signed_char]: 'signed-char',
  [DW_ATE.unsigned]: 'unsigned',
  [DW_ATE.unsigned_char]: 'unsigned-char',
  [DW_ATE.UTF]: 'utf',
};

const QUALIFIERS: Readonly<Record<number, Qualifier>> = {
  [DW_TAG.const_type]: 'const',
  [DW_TAG.volatile_type]: 'volatile',
  [DW_TAG.restrict_type]: 'restrict',
  [DW_TAG.atomic_type]: '_Atomic',
};

const COMPOUNDS: Readonly<Record<number, 'struct' | 'union' | 'class'>> = {
  [DW_TAG.structure_type]: 'struct',
  [DW_TAG.union_type]: 'union',
  [DW_TAG.class_type]: 'class',
};

const POINTERS: Readonly<Record<number, '*' | '&' | '&&'>> = {
  [DW_TAG.pointer_type]: '*',
  [DW_TAG.reference_type]: '&',
  [DW_TAG.rvalue_reference_type]: '&&',
};

export class TypeReader {
  readonly #types = new Map<Unit, Map<number, CType>>();

  constructor(private readonly findDefinition: FindDefinition) {}

  /** The type of an entry: what its DW_AT_type says, void without one. */
  typeOf(die: Die): CType {
    const holder = die.holder(DW_AT.type);
    if (holder === undefined) return VOID;
    const type = holder.reference(DW_AT.type);
    return type === undefined ? { kind: 'unknown', name: '<a type that is not in this file>' } : this.read(type);
  }

  /** The type that an entry is. */
  read(die: Die): CType {
    let types = this.#types.get(die.unit);
    if (types === undefined) this.#types.set(die.unit, (types = new Map<number, CType>()));
    let type = types.get(die.offset);
    if (type === undefined) types.set(die.offset, (type = this.#make(die)));
    return type;
  }

  /** Of DW_TAG_subroutine_type or DW_TAG_subprogram. */
  functionType(die: Die): CType {
    // The parameters stand in the first of the entries that has any.
    const lists = die.origins().map((origin) => origin.children());
    const children = lists.find((list) => list.some(({ tag }) => tag === DW_TAG.formal_parameter)) ?? lists.flat();
    const shape = {
      kind: 'function' as const,
      variadic: children.some(({ tag }) => tag === DW_TAG.unspecified_parameters),
      prototyped: die.holder(DW_AT.prototyped)?.flag(DW_AT.prototyped) ?? false,
    };
    return lazy(shape, {
      result: () => this.typeOf(die),
      parameters: () =>
        children.filter(({ tag }) => tag === DW_TAG.formal_parameter).map((parameter) => this.typeOf(parameter)),
    });
  }

  #make(die: Die): CType {
    const { tag } = die;
    const qualifier = QUALIFIERS[tag];
    if (qualifier !== undefined) {
      return lazy({ kind: 'qualified' as const, qualifier }, { target: () => this.typeOf(die) });
    }
    const mark = POINTERS[tag];
    if (mark !== undefined) {
      const size = scalarSize(die) ?? die.unit.format.addressSize;
      const pointer = { kind: 'pointer' as const, size, ...(mark !== '*' && { reference: mark }) };
      return lazy(pointer, { target: () => this.typeOf(die) });
    }
    if (COMPOUNDS[tag] !== undefined) return this.#compound(die, COMPOUNDS[tag]);
    switch (tag) {
      case DW_TAG.base_type:
        return {
          kind: 'base',
          name: die.name ?? '<unnamed>',
          size: scalarSize(die) ?? 0,
          encoding: ENCODINGS[die.number(DW_AT.encoding) ?? 0] ?? 'unsigned',
        };
      case DW_TAG.typedef:
        return lazy({ kind: 'typedef' as const, name: die.name ?? '<unnamed>' }, { target: () => this.typeOf(die) });
      case DW_TAG.array_type:
        return this.#array(die);
      case DW_TAG.enumeration_type:
        return this.#enumeration(die);
      case DW_TAG.subroutine_type:
      case DW_TAG.subprogram:
        return this.functionType(die);
      case DW_TAG.unspecified_type:
        return { kind: 'unknown', name: die.name ?? 'void' };
      default:
        return { kind: 'unknown', name: `<entry of tag 0x${tag.toString(16)}, which is no type of C>` };
    }
  }

  #definition(die: Die): Die {
    // What a type unit has is often a mere reference elsewhere, without even a name.
    const elsewhere = die.reference(DW_AT.signature);
    if (elsewhere !== undefined || !die.flag(DW_AT.declaration)) return elsewhere ?? die;
    const { name } = die;
    return (name === undefined ? undefined : this.findDefinition(die, name)) ?? die;
  }

  #compound(declared: Die, kind: 'struct' | 'union' | 'class'): CType {
    // Its definition is looked for when something of it is needed: most are only pointed to.
    if (declared.flag(DW_AT.declaration) && !declared.has(DW_AT.signature)) {
      const definition = (): Die => this.#definition(declared);
      return lazy(
        { kind, name: declared.name },
        {
          size: () => sizeIn(definition()) ?? 0,
          incomplete: () => definition() === declared,
          members: () => this.#members(definition()),
        },
      );
    }
    const die = this.#definition(declared);
    if (die !== declared) return this.read(die);
    const shape = { kind, name: die.name, size: sizeIn(die) ?? 0, incomplete: die.flag(DW_AT.declaration) };
    return lazy(shape, { members: () => this.#members(die) });
  }

  #members(die: Die): Member[] {
    const members: Member[] = [];
    for (const child of die.children()) {
      const field = child.tag === DW_TAG.member || child.tag === DW_TAG.inheritance;
      // A declaration is a static member of C++.
      if (!field || child.flag(DW_AT.declaration) || child.flag(DW_AT.external)) continue;
      const offset = memberOffset(child);
      const bits = bitsOf(child, offset, () => this.#sizeOf(child));
      const shape = { name: child.name, offset, ...(bits !== undefined && { bits }) };
      members.push(lazy(shape, { type: () => this.typeOf(child) }));
    }
    return members;
  }

  #sizeOf(member: Die): number {
    let die = member.reference(DW_AT.type);
    for (let i = 0; i < 16 && die !== undefined; i++) {
      const size = sizeIn(die);
      if (size !== undefined) return size;
      die = die.reference(DW_AT.type);
    }
    return 4;
  }

  #enumeration(declared: Die): CType {
    const die = this.#definition(declared);
    if (die !== declared) return this.read(die);
    const enumerators: Enumerator[] = [];
    for (const child of die.children()) {
      const value = child.tag === DW_TAG.enumerator ? child.value(DW_AT.const_value) : undefined;
      if (value?.kind !== 'number' && value?.kind !== 'section-offset') continue;
      const exact = value.kind === 'number' ? value.exact : undefined;
      enumerators.push({ name: child.name ?? '<unnamed>', value: exact ?? BigInt(value.value) });
    }
    return {
      kind: 'enum',
      name: die.name,
      size: scalarSize(die) ?? Math.min(MAX_SCALAR, this.#sizeOf(die)),
      signed: enumerators.some(({ value }) => value < 0n),
      enumerators,
      incomplete: die.flag(DW_AT.declaration),
    };
  }

  #array(die: Die): CType {
    const dimensions = die
      .children()
      .filter(({ tag }) => tag === DW_TAG.subrange_type || tag === DW_TAG.enumeration_type);
    const vector = die.flag(DW_AT.GNU_vector);
    const make = (index: number): ArrayType => {
      const subrange = dimensions[index];
      const shape = {
        kind: 'array' as const,
        count: subrange === undefined ? undefined : countOf(subrange),
        ...(subrange !== undefined && isDynamic(subrange) && { bound: { subrange } }),
        vector,
      };
      return lazy(shape, { element: () => (index + 1 < dimensions.length ? make(index + 1) : this.typeOf(die)) });
    };
    return make(0);
  }
}

/** Adds properties that are computed at their first use. */
function lazy<B extends object, T extends object>(base: B, make: { [K in keyof T]: () => T[K] }): B & T {
  for (const key of Object.keys(make) as (keyof T)[]) {
    let known: { readonly value: T[typeof key] } | undefined;
    Object.defineProperty(base, key, { enumerable: true, get: () => (known ??= { value: make[key]() }).value });
  }
  return base as B & T;
}

const sizeIn = (die: Die): number | undefined => {
  const bytes = die.number(DW_AT.byte_size);
  if (bytes !== undefined) return bytes;
  const bits = die.number(DW_AT.bit_size);
  return bits === undefined ? undefined : Math.ceil(bits / 8);
};

/** No scalar is larger; a damaged size must not be allocated. */
const MAX_SCALAR = 64;

const scalarSize = (die: Die): number | undefined => {
  const size = sizeIn(die);
  return size === undefined ? undefined : Math.max(0, Math.min(MAX_SCALAR, size));
};

const DW_OP_plus_uconst = 0x23;

/** Bytes from the start of the whole: a constant, or in old versions an expression that adds one. */
function memberOffset(member: Die): number {
  const constant = member.number(DW_AT.data_member_location);
  if (constant !== undefined) return constant;
  const block = member.block(DW_AT.data_member_location);
  if (block === undefined) return 0;
  const reader = new Reader(block);
  return reader.u8() === DW_OP_plus_uconst ? reader.uleb() : 0;
}

/** Bit-fields (DWARF 5, 5.7.6): counted from the start of the whole, or (before version 4) from the top of a storage unit. */
function bitsOf(member: Die, offset: number, typeSize: () => number): Member['bits'] {
  const size = member.number(DW_AT.bit_size);
  if (size === undefined) return undefined;
  const fromStart = member.number(DW_AT.data_bit_offset);
  if (fromStart !== undefined) return { offset: fromStart, size };
  const fromTop = member.number(DW_AT.bit_offset);
  if (fromTop === undefined) return { offset: 8 * offset, size };
  const storage = 8 * (member.number(DW_AT.byte_size) ?? typeSize());
  return { offset: 8 * offset + storage - fromTop - size, size };
}

function countOf(subrange: Die): number | undefined {
  const count = subrange.number(DW_AT.count);
  if (count !== undefined) return count;
  const upper = subrange.number(DW_AT.upper_bound);
  if (upper === undefined) return undefined;
  // -1, of which an empty array's bound is made.
  return upper === 0xffff_ffff || upper < 0 ? 0 : upper + 1;
}

/** A bound that is an expression or another entry's value. */
const isDynamic = (subrange: Die): boolean =>
  [DW_AT.count, DW_AT.upper_bound].some((attribute) =>
    ['block', 'reference', 'unit-reference', 'list-index'].includes(subrange.value(attribute)?.kind ?? ''),
  );
