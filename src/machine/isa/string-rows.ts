// Rows of the string instructions; their semantics are helpers (cpu/strings.ts). SDM vol. 2.

import { cmps, lods, movs, scas, stos } from '../cpu/strings.ts';
import type { Helper } from '../cpu/cpu.ts';
import { hard, type Row } from './row.ts';

/** The byte form and the word or doubleword form. `operands`: without their widths; `attSuffix`: no register operand tells the size. */
export const stringForms = (
  name: string,
  opcode: number,
  helper: Helper,
  operands: (accumulator: string, width: string) => string,
  attSuffix: boolean,
): Row[] => {
  const hex = (n: number): string => n.toString(16).padStart(2, '0');
  const att = (letters: string): string => (attSuffix ? letters.replace(/\w/g, (letter) => name + letter) : name);
  return [
    ...hard(name, hex(opcode), '', helper, {
      bits: 8,
      names: `${name}b`,
      att: att('b'),
      shows: operands('AL', 'b'),
    }),
    ...hard(name, hex(opcode + 1), '', helper, {
      names: `${name}w|${name}d`,
      att: att('w|l'),
      shows: operands('rAX', 'v'),
    }),
  ];
};

export const stringRows: readonly Row[] = [
  ...stringForms('movs', 0xa4, movs, (_, w) => `DI${w} SI${w}`, true),
  ...stringForms('cmps', 0xa6, cmps, (_, w) => `SI${w} DI${w}`, true),
  ...stringForms('stos', 0xaa, stos, (a, w) => `DI${w} ${a}`, false),
  ...stringForms('lods', 0xac, lods, (a, w) => `${a} SI${w}`, false),
  ...stringForms('scas', 0xae, scas, (a, w) => `${a} DI${w}`, false),
];
