// C's own types as the i386 ABI lays them out (System V ABI, Intel386 supplement, table 3-1), by the names gdb gives them.
import type { BaseEncoding, BaseType } from '../../symbols/types.ts';

const base = (name: string, size: number, encoding: BaseEncoding): BaseType => ({ kind: 'base', name, size, encoding });

export const BUILTIN = {
  _Bool: base('_Bool', 1, 'boolean'),
  char: base('char', 1, 'signed-char'),
  'signed char': base('signed char', 1, 'signed-char'),
  'unsigned char': base('unsigned char', 1, 'unsigned-char'),
  short: base('short', 2, 'signed'),
  'unsigned short': base('unsigned short', 2, 'unsigned'),
  int: base('int', 4, 'signed'),
  'unsigned int': base('unsigned int', 4, 'unsigned'),
  long: base('long', 4, 'signed'),
  'unsigned long': base('unsigned long', 4, 'unsigned'),
  'long long': base('long long', 8, 'signed'),
  'unsigned long long': base('unsigned long long', 8, 'unsigned'),
  float: base('float', 4, 'float'),
  double: base('double', 8, 'float'),
  'long double': base('long double', 12, 'float'),
} as const;
