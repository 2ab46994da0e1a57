// Types as text, as gdb writes them: `typeName` what `whatis` prints, `describeType` what `ptype` prints.
import { unqualified, type CType, type Member, type Qualifier, type StructType } from './types.ts';

/** Nesting, and parts of one text, beyond which a type is not written out: a cycle in a damaged file. */
const MAX_DEPTH = 48;
const MAX_PARTS = 5000;
let parts = 0;

/** Runs one of the functions below with a fresh count of parts. */
function counted(write: () => string): string {
  parts = 0;
  return write();
}

/** `struct task_struct *`, `char [16]`, `int (*)(int, char)`. */
export const typeName = (type: CType): string => counted(() => declare(type, '', 0));

function declare(type: CType, inner: string, depth: number): string {
  if (depth > MAX_DEPTH || ++parts > MAX_PARTS) return joined('...', inner);
  switch (type.kind) {
    case 'pointer': {
      const mark = type.reference ?? '*';
      const target = unqualified(type.target);
      const needsParentheses = target.kind === 'array' || target.kind === 'function';
      const star = `${mark}${inner}`;
      return declare(type.target, needsParentheses ? `(${star})` : star, depth + 1);
    }
    case 'array':
      return declare(
        type.element,
        type.vector ? joined(inner, suffixOf(type)) : `${inner}${suffixOf(type)}`,
        depth + 1,
      );
    case 'function':
      return declare(type.result, `${inner}(${parameters(type, depth)})`, depth + 1);
    case 'qualified': {
      const { qualifiers, target } = qualifiersOf(type);
      // On a pointer they stand behind the star, elsewhere before the type.
      if (target.kind === 'pointer') {
        const own = qualifiers.join(' ');
        const mark = target.reference ?? '*';
        const pointee = unqualified(target.target);
        const star = `${mark} ${own}${inner === '' ? '' : ` ${inner}`}`;
        const wrap = pointee.kind === 'array' || pointee.kind === 'function';
        return declare(target.target, wrap ? `(${star})` : star, depth + 1);
      }
      if (target.kind === 'array' || target.kind === 'function') return declare(target, inner, depth + 1);
      return `${qualifiers.join(' ')} ${declare(target, inner, depth + 1)}`;
    }
    default:
      return joined(plainName(type), inner);
  }
}

/** Vectors are marked where they are written out. */
const suffixOf = (type: CType & { kind: 'array' }): string =>
  type.vector ? `__attribute__ ((vector_size(${type.count ?? 0})))` : `[${type.count ?? ''}]`;

const joined = (name: string, inner: string): string => [name, inner].filter((part) => part !== '').join(' ');

/** GCC's names of base types, and the usual ones. */
const SHORTER: Readonly<Record<string, string>> = {
  'short int': 'short',
  'short unsigned int': 'unsigned short',
  'long int': 'long',
  'long unsigned int': 'unsigned long',
  'long long int': 'long long',
  'long long unsigned int': 'unsigned long long',
};

function plainName(type: CType): string {
  switch (type.kind) {
    case 'void':
      return 'void';
    case 'struct':
    case 'union':
    case 'class':
    case 'enum':
      return `${type.kind} ${type.name ?? '{...}'}`;
    case 'base':
      return SHORTER[type.name] ?? type.name;
    case 'typedef':
    case 'unknown':
      return type.name;
    default:
      return '...';
  }
}

/** In gdb's order, whatever the order of the file. */
const QUALIFIERS: readonly Qualifier[] = ['const', 'volatile', 'restrict', '_Atomic'];

function qualifiersOf(type: CType): { qualifiers: Qualifier[]; target: CType } {
  const found = new Set<Qualifier>();
  let target = type;
  for (let i = 0; i < MAX_DEPTH && target.kind === 'qualified'; i++) {
    found.add(target.qualifier);
    target = target.target;
  }
  return { qualifiers: QUALIFIERS.filter((qualifier) => found.has(qualifier)), target };
}

function parameters(type: CType & { kind: 'function' }, depth: number): string {
  const list = type.parameters.map((parameter) => declare(parameter, '', depth + 1));
  if (type.variadic) list.push('...');
  if (list.length === 0) return type.prototyped ? 'void' : '';
  return list.join(', ');
}

/** What `ptype` prints: the outermost typedef is opened, a struct's members are listed. */
export function describeType(type: CType): string {
  return counted(() => writeOut(type, '', '', 0));
}

/** The named types below the one asked about stay names; anonymous ones are written out. */
function writeOut(type: CType, inner: string, indent: string, depth: number): string {
  if (depth > MAX_DEPTH || ++parts > MAX_PARTS) return joined('...', inner);
  const text = (plain: CType): string => {
    if (plain.kind === 'struct' || plain.kind === 'union' || plain.kind === 'class') return body(plain, indent, depth);
    if (plain.kind !== 'enum') return declare(plain, '', 0);
    const head = plain.name === undefined ? 'enum' : `enum ${plain.name}`;
    if (plain.enumerators.length === 0) return `${head} {${plain.incomplete ? '<incomplete type>' : ''}}`;
    let next = 0n;
    const list = plain.enumerators.map(({ name, value }) => {
      const part = value === next ? name : `${name} = ${value}`;
      next = value + 1n;
      return part;
    });
    return `${head} {${list.join(', ')}}`;
  };
  // The innermost type is replaced by its text; what stands around it is the same as for its name.
  const base = innermost(type);
  const mark = '\u0001';
  const around = declare(replaceInnermost(type, { kind: 'unknown', name: mark }), inner, 0);
  return around.replace(mark, () => text(base));
}

function innermost(type: CType): CType {
  for (let i = 0; i < MAX_DEPTH; i++) {
    if (type.kind === 'typedef' || type.kind === 'qualified' || type.kind === 'pointer') type = type.target;
    else if (type.kind === 'array') type = type.element;
    else if (type.kind === 'function') type = type.result;
    else break;
  }
  return type;
}

function replaceInnermost(type: CType, by: CType, depth = 0): CType {
  if (depth > MAX_DEPTH || ++parts > MAX_PARTS) return by;
  switch (type.kind) {
    case 'typedef':
      return replaceInnermost(type.target, by, depth + 1);
    case 'qualified':
    case 'pointer':
      return { ...type, target: replaceInnermost(type.target, by, depth + 1) };
    case 'array':
      return { ...type, element: replaceInnermost(type.element, by, depth + 1) };
    case 'function':
      return {
        kind: 'function',
        result: replaceInnermost(type.result, by, depth + 1),
        parameters: type.parameters,
        variadic: type.variadic,
        prototyped: type.prototyped,
      };
    default:
      return by;
  }
}

function body(type: StructType, indent: string, depth: number): string {
  const head = type.name === undefined ? type.kind : `${type.kind} ${type.name}`;
  if (type.incomplete) return `${head} {\n${indent}    <incomplete type>\n${indent}}`;
  if (type.members.length === 0) return `${head} {\n${indent}    <no data fields>\n${indent}}`;
  const lines = type.members.map((member) => `${indent}    ${memberText(member, `${indent}    `, depth)};`);
  return `${head} {\n${lines.join('\n')}\n${indent}}`;
}

function memberText({ name, type, bits }: Member, indent: string, depth: number): string {
  const base = plainInnermost(type);
  const anonymous = base !== undefined && base.name === undefined;
  const label = name ?? '';
  const text = anonymous ? writeOut(type, label, indent, depth + 1) : declare(type, label, 0);
  return bits === undefined ? text : `${text} : ${bits.size}`;
}

/** The struct, union or enum that a member's declaration ends in without a typedef in between. */
function plainInnermost(type: CType): (CType & { kind: 'struct' | 'union' | 'class' | 'enum' }) | undefined {
  for (let i = 0; i < MAX_DEPTH; i++) {
    if (type.kind === 'qualified' || type.kind === 'pointer') type = type.target;
    else if (type.kind === 'array') type = type.element;
    else if (type.kind === 'function') type = type.result;
    else break;
  }
  return type.kind === 'struct' || type.kind === 'union' || type.kind === 'class' || type.kind === 'enum'
    ? type
    : undefined;
}
