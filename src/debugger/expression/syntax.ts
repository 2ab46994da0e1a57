// The tree of a C expression, as the parser gives it to the evaluator.
import type { IntegerSuffix } from './tokens.ts';
import type { CType } from '../../symbols/types.ts';

export type Expression =
  | { readonly kind: 'integer'; readonly value: bigint; readonly type: IntegerSuffix }
  | { readonly kind: 'float'; readonly value: number; readonly type: 'float' | 'double' | 'long double' }
  | { readonly kind: 'character'; readonly value: number }
  | { readonly kind: 'string'; readonly value: Uint8Array }
  | { readonly kind: 'name'; readonly name: string }
  /** `file.c::name` and `function::name`. */
  | { readonly kind: 'scoped'; readonly scope: string; readonly quoted: boolean; readonly name: string }
  | { readonly kind: 'register'; readonly name: string }
  | { readonly kind: 'unary'; readonly operator: UnaryOperator; readonly operand: Expression }
  | { readonly kind: 'binary'; readonly operator: string; readonly left: Expression; readonly right: Expression }
  /** `operator` is empty for `=`. */
  | { readonly kind: 'assign'; readonly operator: string; readonly left: Expression; readonly right: Expression }
  /** `++` and `--`; `prefix` ones give the new value. */
  | { readonly kind: 'step'; readonly by: 1 | -1; readonly prefix: boolean; readonly operand: Expression }
  | { readonly kind: 'choice'; readonly test: Expression; readonly yes: Expression; readonly no: Expression }
  | { readonly kind: 'cast'; readonly type: CType; readonly operand: Expression }
  /** `{type} address`. */
  | { readonly kind: 'at-address'; readonly type: CType; readonly operand: Expression }
  | { readonly kind: 'sizeof-type'; readonly type: CType }
  | { readonly kind: 'sizeof'; readonly operand: Expression }
  | { readonly kind: 'member'; readonly object: Expression; readonly name: string; readonly arrow: boolean }
  | { readonly kind: 'index'; readonly array: Expression; readonly index: Expression };

export type UnaryOperator = '-' | '+' | '!' | '~' | '*' | '&';
