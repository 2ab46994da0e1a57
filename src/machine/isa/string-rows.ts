// Rows of the string instructions; their semantics are helpers (cpu/strings.ts). SDM vol. 2.

import { cmps, lods, movs, scas, stos } from '../cpu/strings.ts';
import { hard, type Row } from './row.ts';

const byte = { bits: 8 } as const;

export const stringRows: readonly Row[] = [
  ...hard('movs', 'a4', '', movs, byte),
  ...hard('movs', 'a5', '', movs),
  ...hard('cmps', 'a6', '', cmps, byte),
  ...hard('cmps', 'a7', '', cmps),
  ...hard('stos', 'aa', '', stos, byte),
  ...hard('stos', 'ab', '', stos),
  ...hard('lods', 'ac', '', lods, byte),
  ...hard('lods', 'ad', '', lods),
  ...hard('scas', 'ae', '', scas, byte),
  ...hard('scas', 'af', '', scas),
];
