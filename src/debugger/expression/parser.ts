// C expressions (C11 6.5) with gdb's `@`, `::` and `{type} address`, to a tree. Types in casts are told from names by asking for them.
import type { CType } from '../../symbols/types.ts';
import { ExpressionError } from './error.ts';
import type { Expression, UnaryOperator } from './syntax.ts';
import { tokenize, type Token } from './tokens.ts';
import { TypeParser, type FindType } from './type-parser.ts';

/** Binary operators from the weakest; `@` binds stronger than comparison and weaker than addition, as in gdb. */
const LEVELS: readonly (readonly string[])[] = [
  ['||'],
  ['&&'],
  ['|'],
  ['^'],
  ['&'],
  ['==', '!='],
  ['<', '>', '<=', '>='],
  ['<<', '>>'],
  ['@'],
  ['+', '-'],
  ['*', '/', '%'],
];
const ASSIGNMENTS = ['=', '+=', '-=', '*=', '/=', '%=', '&=', '|=', '^=', '<<=', '>>='];
const UNARY = ['-', '+', '!', '~', '*', '&'];
/** Deeper nesting is no expression a person wrote. */
const MAX_DEPTH = 200;

/** @throws ExpressionError */
export function parseExpression(text: string, findType: FindType): Expression {
  const parser = new Parser(tokenize(text), findType);
  const expression = parser.comma();
  parser.expectEnd();
  return expression;
}

class Parser {
  #position = 0;
  #depth = 0;
  readonly #types: TypeParser;

  constructor(
    private readonly tokens: readonly Token[],
    findType: FindType,
  ) {
    this.#types = new TypeParser(
      () => this.#token,
      () => {
        this.#position++;
      },
      findType,
    );
  }

  get #token(): Token {
    return this.tokens[Math.min(this.#position, this.tokens.length - 1)]!;
  }

  #is(...operators: readonly string[]): boolean {
    const token = this.#token;
    return token.kind === 'operator' && operators.includes(token.text);
  }

  #accept(...operators: readonly string[]): string | undefined {
    const token = this.#token;
    if (token.kind !== 'operator' || !operators.includes(token.text)) return undefined;
    this.#position++;
    return token.text;
  }

  #expect(operator: string): void {
    if (this.#accept(operator) === undefined) throw this.#unexpected(`"${operator}"`);
  }

  expectEnd(): void {
    if (this.#token.kind !== 'end') throw this.#unexpected('the end');
  }

  #unexpected(wanted: string): ExpressionError {
    const token = this.#token;
    if (token.kind === 'end') return new ExpressionError(`the expression ends where ${wanted} should follow`);
    const text = 'text' in token ? `"${token.text}"` : `the ${token.kind}`;
    return new ExpressionError(`${text} at position ${token.at + 1} stands where ${wanted} should be`);
  }

  comma(): Expression {
    let left = this.#assignment();
    while (this.#accept(',') !== undefined) {
      left = { kind: 'binary', operator: ',', left, right: this.#assignment() };
    }
    return left;
  }

  #assignment(): Expression {
    if (++this.#depth > MAX_DEPTH) throw new ExpressionError('the expression is nested too deeply');
    const left = this.#choice();
    const operator = this.#accept(...ASSIGNMENTS);
    const result: Expression =
      operator === undefined
        ? left
        : { kind: 'assign', operator: operator.slice(0, -1), left, right: this.#assignment() };
    this.#depth--;
    return result;
  }

  #choice(): Expression {
    const test = this.#binary(0);
    if (this.#accept('?') === undefined) return test;
    const yes = this.comma();
    this.#expect(':');
    return { kind: 'choice', test, yes, no: this.#assignment() };
  }

  #binary(level: number): Expression {
    const operators = LEVELS[level];
    if (operators === undefined) return this.#unary();
    let left = this.#binary(level + 1);
    for (;;) {
      const operator = this.#accept(...operators);
      if (operator === undefined) return left;
      left = { kind: 'binary', operator, left, right: this.#binary(level + 1) };
    }
  }

  #unary(): Expression {
    if (++this.#depth > MAX_DEPTH) throw new ExpressionError('the expression is nested too deeply');
    const result = this.#unaryInner();
    this.#depth--;
    return result;
  }

  #unaryInner(): Expression {
    const operator = this.#accept(...UNARY);
    if (operator !== undefined) {
      return { kind: 'unary', operator: operator as UnaryOperator, operand: this.#unary() };
    }
    const step = this.#accept('++', '--');
    if (step !== undefined) return { kind: 'step', by: step === '++' ? 1 : -1, prefix: true, operand: this.#unary() };
    if (this.#is('{')) {
      this.#position++;
      const type = this.#type();
      this.#expect('}');
      return { kind: 'at-address', type, operand: this.#unary() };
    }
    const token = this.#token;
    if (token.kind === 'name' && token.text === 'sizeof') {
      this.#position++;
      const type = this.#parenthesizedType();
      return type !== undefined ? { kind: 'sizeof-type', type } : { kind: 'sizeof', operand: this.#unary() };
    }
    if (this.#is('(')) {
      const type = this.#parenthesizedType();
      if (type !== undefined) return { kind: 'cast', type, operand: this.#unary() };
    }
    return this.#postfix();
  }

  #type(): CType {
    const type = this.#types.parse();
    if (type === undefined) throw this.#unexpected('a type');
    return type;
  }

  /** `(type)`; undefined, and nothing is taken, where a parenthesis holds an expression. */
  #parenthesizedType(): CType | undefined {
    const start = this.#position;
    if (this.#accept('(') === undefined) return undefined;
    const type = this.#types.parse();
    if (type !== undefined && this.#accept(')') !== undefined) return type;
    this.#position = start;
    return undefined;
  }

  #postfix(): Expression {
    let expression = this.#primary();
    for (;;) {
      const operator = this.#accept('[', '.', '->', '++', '--', '(');
      if (operator === undefined) return expression;
      if (operator === '[') {
        const index = this.comma();
        this.#expect(']');
        expression = { kind: 'index', array: expression, index };
      } else if (operator === '(') {
        throw new ExpressionError('functions of the guest cannot be called: that would change what it does');
      } else if (operator === '++' || operator === '--') {
        expression = { kind: 'step', by: operator === '++' ? 1 : -1, prefix: false, operand: expression };
      } else {
        const token = this.#token;
        if (token.kind !== 'name') throw this.#unexpected('the name of a member');
        this.#position++;
        expression = { kind: 'member', object: expression, name: token.text, arrow: operator === '->' };
      }
    }
  }

  #primary(): Expression {
    const token = this.#token;
    this.#position++;
    switch (token.kind) {
      case 'integer':
        return { kind: 'integer', value: token.value, type: token.type };
      case 'float':
        return { kind: 'float', value: token.value, type: token.type };
      case 'character':
        return { kind: 'character', value: token.value };
      case 'string':
        return { kind: 'string', value: token.value };
      case 'register':
        return { kind: 'register', name: token.text };
      case 'quoted':
        return this.#scoped(token.text, true);
      case 'name':
        return this.#named(token.text);
      case 'operator':
        if (token.text === '(') {
          const inner = this.comma();
          this.#expect(')');
          return inner;
        }
        break;
      case 'end':
        break;
    }
    this.#position--;
    throw this.#unexpected('a value');
  }

  /** A name; `file.c::name` may stand without quotes. */
  #named(first: string): Expression {
    const start = this.#position;
    let scope = first;
    while (this.#accept('.') !== undefined) {
      const token = this.#token;
      if (token.kind !== 'name') break;
      this.#position++;
      scope += `.${token.text}`;
    }
    if (this.#is('::')) return this.#scoped(scope, scope.includes('.'));
    this.#position = start;
    return { kind: 'name', name: first };
  }

  #scoped(scope: string, quoted: boolean): Expression {
    this.#expect('::');
    const token = this.#token;
    if (token.kind !== 'name') throw this.#unexpected('a name');
    this.#position++;
    return { kind: 'scoped', scope, quoted, name: token.text };
  }
}
