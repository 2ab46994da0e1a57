// Type names of C (C11 6.7.7): what stands in casts and behind sizeof. Abstract declarators of pointers, arrays and functions.
import { VOID, type CType, type Qualifier } from '../../symbols/types.ts';
import { BUILTIN } from './builtin-types.ts';
import { ExpressionError } from './error.ts';
import type { Token } from './tokens.ts';

export type FindType = (kind: 'struct' | 'union' | 'enum' | 'typedef', name: string) => CType | undefined;

const POINTER_SIZE = 4;
const QUALIFIERS = new Set(['const', 'volatile', 'restrict']);
const WORDS = new Set([
  'signed',
  'unsigned',
  'char',
  'short',
  'int',
  'long',
  'float',
  'double',
  'void',
  '_Bool',
  'bool',
]);

export class TypeParser {
  constructor(
    private readonly token: () => Token,
    private readonly advance: () => void,
    private readonly find: FindType,
  ) {}

  /** Undefined where no type begins. */
  parse(): CType | undefined {
    const qualifiers = this.#qualifiers();
    const base = this.#specifier();
    if (base === undefined) {
      if (qualifiers.length > 0) throw new ExpressionError(`a type should follow "${qualifiers.at(-1)}"`);
      return undefined;
    }
    qualifiers.push(...this.#qualifiers());
    return this.#declarator(qualify(base, qualifiers));
  }

  #word(): string | undefined {
    const token = this.token();
    return token.kind === 'name' ? token.text : undefined;
  }

  #accept(operator: string): boolean {
    const token = this.token();
    if (token.kind !== 'operator' || token.text !== operator) return false;
    this.advance();
    return true;
  }

  #qualifiers(): Qualifier[] {
    const found: Qualifier[] = [];
    for (let word = this.#word(); word !== undefined && QUALIFIERS.has(word); word = this.#word()) {
      found.push(word as Qualifier);
      this.advance();
    }
    return found;
  }

  #specifier(): CType | undefined {
    const word = this.#word();
    if (word === undefined) return undefined;
    if (word === 'struct' || word === 'union' || word === 'enum') {
      this.advance();
      const name = this.#word();
      if (name === undefined) throw new ExpressionError(`a name should follow "${word}"`);
      this.advance();
      const type = this.find(word, name);
      if (type === undefined) throw new ExpressionError(`there is no "${word} ${name}" in the debug data`);
      return type;
    }
    if (!WORDS.has(word)) {
      const type = this.find('typedef', word);
      if (type !== undefined) this.advance();
      return type;
    }
    const words: string[] = [];
    for (
      let next: string | undefined = word;
      next !== undefined && (WORDS.has(next) || QUALIFIERS.has(next));
      next = this.#word()
    ) {
      if (WORDS.has(next)) words.push(next);
      this.advance();
    }
    return builtinOf(words);
  }

  /** `*`, `* const`, `(*)(int)`, `[4]` behind the type. */
  #declarator(type: CType): CType {
    while (this.#accept('*')) type = qualify({ kind: 'pointer', size: POINTER_SIZE, target: type }, this.#qualifiers());
    const wraps: ((inner: CType) => CType)[] = [];
    const token = this.token();
    if (token.kind === 'operator' && token.text === '(') {
      this.advance();
      if (!this.#accept('*')) throw new ExpressionError('"*" should follow "(" in a type');
      let depth = 1;
      while (this.#accept('*')) depth++;
      if (!this.#accept(')')) throw new ExpressionError('")" should follow "(*" in a type');
      wraps.push((inner) => {
        for (let i = 0; i < depth; i++) inner = { kind: 'pointer', size: POINTER_SIZE, target: inner };
        return inner;
      });
    }
    type = this.#suffix(type);
    for (const wrap of wraps) type = wrap(type);
    return type;
  }

  #suffix(type: CType): CType {
    if (this.#accept('(')) return this.#function(type);
    const counts: number[] = [];
    while (this.#accept('[')) {
      const token = this.token();
      if (token.kind !== 'integer') throw new ExpressionError('a number should follow "[" in a type');
      counts.push(Number(token.value));
      this.advance();
      if (!this.#accept(']')) throw new ExpressionError('"]" is missing in a type');
    }
    for (const count of counts.reverse()) type = { kind: 'array', element: type, count, vector: false };
    return type;
  }

  #function(result: CType): CType {
    const parameters: CType[] = [];
    if (!this.#accept(')')) {
      do {
        const parameter = this.parse();
        if (parameter === undefined) throw new ExpressionError('a type is missing in a list of parameters');
        if (parameter.kind !== 'void') parameters.push(parameter);
      } while (this.#accept(','));
      if (!this.#accept(')')) throw new ExpressionError('")" is missing behind a list of parameters');
    }
    return { kind: 'function', result, parameters, variadic: false, prototyped: true };
  }
}

function qualify(type: CType, qualifiers: readonly Qualifier[]): CType {
  for (const qualifier of qualifiers) type = { kind: 'qualified', qualifier, target: type };
  return type;
}

/** The type that such words mean, in any order. */
function builtinOf(words: readonly string[]): CType {
  const has = (word: string) => words.includes(word);
  const longs = words.filter((word) => word === 'long').length;
  const unsigned = has('unsigned');
  if (has('void')) return VOID;
  if (has('_Bool') || has('bool')) return BUILTIN._Bool;
  if (has('float')) return BUILTIN.float;
  if (has('double')) return longs > 0 ? BUILTIN['long double'] : BUILTIN.double;
  if (has('char')) return unsigned ? BUILTIN['unsigned char'] : has('signed') ? BUILTIN['signed char'] : BUILTIN.char;
  if (has('short')) return unsigned ? BUILTIN['unsigned short'] : BUILTIN.short;
  if (longs >= 2) return unsigned ? BUILTIN['unsigned long long'] : BUILTIN['long long'];
  if (longs === 1) return unsigned ? BUILTIN['unsigned long'] : BUILTIN.long;
  return unsigned ? BUILTIN['unsigned int'] : BUILTIN.int;
}
