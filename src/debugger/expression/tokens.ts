// C expressions as tokens: numbers with their types, characters, strings, names, `$registers` and operators.
import { ExpressionError } from './error.ts';

export type Token =
  | { readonly kind: 'integer'; readonly value: bigint; readonly type: IntegerSuffix; readonly at: number }
  | {
      readonly kind: 'float';
      readonly value: number;
      readonly type: 'float' | 'double' | 'long double';
      readonly at: number;
    }
  | { readonly kind: 'character'; readonly value: number; readonly at: number }
  | { readonly kind: 'string'; readonly value: Uint8Array; readonly at: number }
  | { readonly kind: 'name'; readonly text: string; readonly at: number }
  /** `'file.c'` before `::`. */
  | { readonly kind: 'quoted'; readonly text: string; readonly at: number }
  | { readonly kind: 'register'; readonly text: string; readonly at: number }
  | { readonly kind: 'operator'; readonly text: string; readonly at: number }
  | { readonly kind: 'end'; readonly at: number };

export type IntegerSuffix = 'int' | 'unsigned int' | 'long' | 'unsigned long' | 'long long' | 'unsigned long long';

/** Longest first. */
const OPERATORS = [
  ...['<<=', '>>=', '->', '++', '--', '<<', '>>', '<=', '>=', '==', '!=', '&&', '||', '+=', '-=', '*=', '/=', '%='],
  ...['&=', '|=', '^=', '::', '+', '-', '*', '/', '%', '&', '|', '^', '~', '!', '<', '>', '=', '?', ':', '.', ','],
  ...['(', ')', '[', ']', '{', '}', '@'],
];

const NUMBER = /^(?:0[xX][0-9a-fA-F]+|0[bB][01]+|\d+)(?![.\d])([uUlL]*)(?![\w.])/;
const FLOAT = /^(?:\d+\.\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+)([fFlL]?)(?!\w)/;

export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  for (;;) {
    while (/\s/.test(text[at] ?? '')) at++;
    if (at >= text.length) break;
    const [token, length] = next(text.slice(at), at);
    tokens.push(token);
    at += length;
  }
  tokens.push({ kind: 'end', at });
  return tokens;
}

function next(rest: string, at: number): [Token, number] {
  const name = /^[A-Za-z_][A-Za-z0-9_]*/.exec(rest);
  if (name !== null) return [{ kind: 'name', text: name[0], at }, name[0].length];
  const register = /^\$[A-Za-z_][A-Za-z0-9_]*/.exec(rest);
  if (register !== null) return [{ kind: 'register', text: register[0].slice(1), at }, register[0].length];
  const float = FLOAT.exec(rest);
  if (float !== null && !/^0[xX]/.test(rest)) {
    const suffix = float[1]!.toLowerCase();
    const type = suffix === 'f' ? 'float' : suffix === 'l' ? 'long double' : 'double';
    return [{ kind: 'float', value: parseFloat(float[0]), type, at }, float[0].length];
  }
  const number = NUMBER.exec(rest);
  if (number !== null) return [integer(number[0], number[1]!, at), number[0].length];
  if (rest[0] === "'") return quoted(rest, at);
  if (rest[0] === '"') {
    const { codes, length } = characters(rest, '"', at);
    return [{ kind: 'string', value: Uint8Array.from(codes), at }, length];
  }
  const operator = OPERATORS.find((text) => rest.startsWith(text));
  if (operator !== undefined) return [{ kind: 'operator', text: operator, at }, operator.length];
  throw new ExpressionError(`"${rest.slice(0, 12)}" is no part of a C expression`);
}

function integer(text: string, suffix: string, at: number): Token {
  const digits = text.slice(0, text.length - suffix.length);
  const decimal = !/^0./.test(digits);
  const value = /^0\d/.test(digits) ? octal(digits) : BigInt(digits);
  const unsigned = /u/i.test(suffix);
  const longs = suffix.replace(/u/gi, '').length;
  if (value >= 1n << 64n) throw new ExpressionError(`${text} does not fit into 64 bits`);
  const fits = (bits: bigint) => value < 1n << bits;
  // C11 6.4.4.1: the first type that holds it; decimal numbers without U stay signed.
  const types: [IntegerSuffix, boolean][] = [
    ['int', longs === 0 && !unsigned && fits(31n)],
    ['unsigned int', longs === 0 && (unsigned || !decimal) && fits(32n)],
    ['long', longs <= 1 && !unsigned && fits(31n)],
    ['unsigned long', longs <= 1 && (unsigned || !decimal) && fits(32n)],
    ['long long', !unsigned && fits(63n)],
    ['unsigned long long', true],
  ];
  return { kind: 'integer', value, type: types.find(([, holds]) => holds)![0], at };
}

function octal(digits: string): bigint {
  if (!/^[0-7]+$/.test(digits)) throw new ExpressionError(`${digits} begins with 0, but is no octal number`);
  return BigInt(`0o${digits.slice(1)}`);
}

/** A character, or the name of a file before `::`. */
function quoted(rest: string, at: number): [Token, number] {
  const file = /^'([^']+)'\s*::/.exec(rest);
  if (file !== null) return [{ kind: 'quoted', text: file[1]!, at }, file[1]!.length + 2];
  const { codes, length } = characters(rest, "'", at);
  if (codes.length !== 1) throw new ExpressionError(`${rest.slice(0, length)} is not one character`);
  return [{ kind: 'character', value: codes[0]!, at }, length];
}

const SIMPLE: Readonly<Record<string, number>> = { n: 10, t: 9, r: 13, a: 7, b: 8, f: 12, v: 11, e: 27 };

function characters(rest: string, quote: string, at: number): { codes: number[]; length: number } {
  const codes: number[] = [];
  const encoder = new TextEncoder();
  let i = 1;
  while (i < rest.length && rest[i] !== quote) {
    if (rest[i] !== '\\') {
      const symbol = String.fromCodePoint(rest.codePointAt(i)!);
      codes.push(...encoder.encode(symbol));
      i += symbol.length;
      continue;
    }
    const escape = /^\\(?:([0-7]{1,3})|x([0-9a-fA-F]{1,2})|(.))/.exec(rest.slice(i));
    if (escape === null) break;
    const [all, octalDigits, hexDigits, letter] = escape;
    if (octalDigits !== undefined) codes.push(parseInt(octalDigits, 8) & 0xff);
    else if (hexDigits !== undefined) codes.push(parseInt(hexDigits, 16));
    else codes.push(SIMPLE[letter!] ?? letter!.charCodeAt(0));
    i += all.length;
  }
  if (rest[i] !== quote) throw new ExpressionError(`the ${quote} at position ${at + 1} is not closed`);
  return { codes, length: i + 1 };
}
