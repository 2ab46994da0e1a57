// Rows of the string instructions; their semantics are helpers (cpu/strings.ts), and for the ordinary case descriptions (string-emitted.ts). Not
// either of them. SDM vol. 2.

import { cmps, lods, movs, scas, stos } from '../cpu/strings.ts';
import type { Helper } from '../cpu/cpu.ts';
import { guarded, hard, type Row, type RowOptions, type Semantics } from './row.ts';
import * as emitted from './string-emitted.ts';

/** The byte form and the word or doubleword form. `operands`: without their widths; `attSuffix`: no register operand tells the size. */
export const stringForms = (
  name: string,
  opcode: number,
  helper: Helper,
  operands: (accumulator: string, width: string) => string,
  attSuffix: boolean,
  semantics?: Semantics,
): Row[] => {
  const hex = (n: number): string => n.toString(16).padStart(2, '0');
  const att = (letters: string): string => (attSuffix ? letters.replace(/\w/g, (letter) => name + letter) : name);
  const form = (code: number, options: RowOptions): Row[] =>
    semantics === undefined
      ? hard(name, hex(code), '', helper, options)
      : guarded(name, hex(code), '', semantics, helper, {
          ...options,
          string: true,
          sized: options.bits === undefined,
        });
  return [
    ...form(opcode, {
      bits: 8,
      names: `${name}b`,
      att: att('b'),
      shows: operands('AL', 'b'),
    }),
    ...form(opcode + 1, {
      names: `${name}w|${name}d`,
      att: att('w|l'),
      shows: operands('rAX', 'v'),
    }),
  ];
};

export const stringRows: readonly Row[] = [
  ...stringForms('movs', 0xa4, movs, (_, w) => `DI${w} SI${w}`, true, emitted.movs),
  ...stringForms('cmps', 0xa6, cmps, (_, w) => `SI${w} DI${w}`, true, emitted.cmps),
  ...stringForms('stos', 0xaa, stos, (a, w) => `DI${w} ${a}`, false, emitted.stos),
  ...stringForms('lods', 0xac, lods, (a, w) => `${a} SI${w}`, false, emitted.lods),
  ...stringForms('scas', 0xae, scas, (a, w) => `${a} DI${w}`, false, emitted.scas),
];
