// C types as a debugger sees them: what dwarf/types.ts reads and what values, expressions and their texts are made of. Types of other
// types are getters: nothing is read before it is asked for, so a type may contain pointers to itself.
import type { Die } from './dwarf/die.ts';

export interface VoidType {
  readonly kind: 'void';
}

export type BaseEncoding =
  'signed' | 'unsigned' | 'signed-char' | 'unsigned-char' | 'boolean' | 'float' | 'complex' | 'utf';

export interface BaseType {
  readonly kind: 'base';
  readonly name: string;
  /** In bytes. */
  readonly size: number;
  readonly encoding: BaseEncoding;
}

export interface PointerType {
  readonly kind: 'pointer';
  readonly size: number;
  readonly target: CType;
  /** C++'s & and &&; absent in C. */
  readonly reference?: '&' | '&&';
}

export interface DynamicBound {
  /** The DW_TAG_subrange_type. */
  readonly subrange: Die;
}

export interface ArrayType {
  readonly kind: 'array';
  readonly element: CType;
  /** Undefined for `[]`: a flexible member, an extern array whose size this unit does not know, or one that the frame tells. */
  readonly count: number | undefined;
  /** Where the frame tells it (variable-length arrays): what `DebugInfo` finds the count by. */
  readonly bound?: DynamicBound;
  /** GCC's vector extension: printed as such, stored like an array. */
  readonly vector: boolean;
}

export interface Member {
  /** Undefined for an anonymous struct or union. */
  readonly name: string | undefined;
  readonly type: CType;
  /** Bytes from the start of the whole. */
  readonly offset: number;
  /** For bit-fields: `offset` counts bits from the start of the whole, least significant first. */
  readonly bits?: { readonly offset: number; readonly size: number };
}

export interface StructType {
  readonly kind: 'struct' | 'union' | 'class';
  readonly name: string | undefined;
  readonly size: number;
  readonly members: readonly Member[];
  /** Nothing but the name is known, in the whole file. */
  readonly incomplete: boolean;
}

export interface Enumerator {
  readonly name: string;
  readonly value: bigint;
}

export interface EnumType {
  readonly kind: 'enum';
  readonly name: string | undefined;
  readonly size: number;
  readonly signed: boolean;
  readonly enumerators: readonly Enumerator[];
  readonly incomplete: boolean;
}

export interface TypedefType {
  readonly kind: 'typedef';
  readonly name: string;
  readonly target: CType;
}

export type Qualifier = 'const' | 'volatile' | 'restrict' | '_Atomic';

export interface QualifiedType {
  readonly kind: 'qualified';
  readonly qualifier: Qualifier;
  readonly target: CType;
}

export interface FunctionType {
  readonly kind: 'function';
  readonly result: CType;
  readonly parameters: readonly CType[];
  readonly variadic: boolean;
  /** False for `int f()`, of whose parameters nothing is said. */
  readonly prototyped: boolean;
}

/** A type that only has a name, like decltype(nullptr), or one that this file does not hold or that is damaged. */
export interface UnknownType {
  readonly kind: 'unknown';
  readonly name: string;
}

export type CType =
  | VoidType
  | BaseType
  | PointerType
  | ArrayType
  | StructType
  | EnumType
  | TypedefType
  | QualifiedType
  | FunctionType
  | UnknownType;

export const VOID: VoidType = { kind: 'void' };

/** Longer chains of typedefs and qualifiers than this are cycles in a damaged file. */
const MAX_CHAIN = 64;

/** The type itself, without typedefs and qualifiers. */
export function stripped(type: CType): Exclude<CType, TypedefType | QualifiedType> {
  for (let i = 0; i < MAX_CHAIN; i++) {
    if (type.kind !== 'typedef' && type.kind !== 'qualified') return type;
    type = type.target;
  }
  return { kind: 'unknown', name: 'a typedef of itself' };
}

/** Without qualifiers, typedefs kept. */
export function unqualified(type: CType): CType {
  for (let i = 0; i < MAX_CHAIN && type.kind === 'qualified'; i++) type = type.target;
  return type;
}

/** sizeof, as GNU C has it: 1 for void and functions, 0 for what has no known size. */
export function sizeOf(type: CType): number {
  let count = 1;
  for (let i = 0; i < MAX_CHAIN; i++) {
    const plain = stripped(type);
    if (plain.kind !== 'array') return count * sizeOfPlain(plain);
    count *= plain.count ?? 0;
    type = plain.element;
  }
  return 0;
}

function sizeOfPlain(type: Exclude<CType, TypedefType | QualifiedType | ArrayType>): number {
  switch (type.kind) {
    case 'void':
    case 'function':
      return 1;
    case 'unknown':
      return 0;
    default:
      return type.size;
  }
}

export const isInteger = (type: CType): boolean => {
  const plain = stripped(type);
  return plain.kind === 'enum' || (plain.kind === 'base' && plain.encoding !== 'float' && plain.encoding !== 'complex');
};

export const isSigned = (type: CType): boolean => {
  const plain = stripped(type);
  if (plain.kind === 'enum') return plain.signed;
  return plain.kind === 'base' && (plain.encoding === 'signed' || plain.encoding === 'signed-char');
};

export const isFloat = (type: CType): boolean => {
  const plain = stripped(type);
  return plain.kind === 'base' && plain.encoding === 'float';
};

/** One byte that is a character: what strings are made of. */
export const isCharacter = (type: CType): boolean => {
  const plain = stripped(type);
  return plain.kind === 'base' && plain.size === 1 && /char$|^utf$/.test(plain.encoding);
};
