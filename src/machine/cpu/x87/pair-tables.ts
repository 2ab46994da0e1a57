// The tables and coefficients of fixed-tables.ts as pairs of doubles in linear memory, for the emitted transcendental functions
// (isa/x87-transcendentals.ts). They are no state: whoever computes first puts them there. Not the functions.

import { LinearLayout } from '../../memory.ts';
import { BITS, ONE, tables, type Tables } from './fixed-tables.ts';
import { provideStepTables } from './step-tables.ts';

export const PAIR_BYTES = 16;

/** How many pairs each has. */
const LENGTHS = {
  sine: 6,
  cosine: 7,
  arctangent: 8,
  logarithm: 7,
  exponential: 12,
  sines: 52,
  cosines: 52,
  arctangents: 65,
  logarithms: 65,
  powers: 129,
  powersLessOne: 129,
} as const;
type Name = keyof typeof LENGTHS;

/** Where a table is, and its length. */
export interface PairTable {
  readonly at: number;
  readonly length: number;
}
/** A word that is not zero once the tables are there. */
export const READY = LinearLayout.pairTables;
const place = (): Record<Name, PairTable> => {
  let at = READY + PAIR_BYTES;
  const entries = Object.entries(LENGTHS).map(([name, length]) => {
    const table = { at, length };
    at += length * PAIR_BYTES;
    return [name, table];
  });
  if (at > READY + LinearLayout.pairTablesBytes) throw new Error('the tables of the x87 functions need more room');
  return Object.fromEntries(entries) as Record<Name, PairTable>;
};
export const PAIR_TABLES = place();

/** An integer in units of 2^-BITS as a double, and what that leaves out. */
const UNIT = 2 ** -BITS;
export const highOf = (value: bigint): number => Number(value) * UNIT;
export const lowOf = (value: bigint): number => highOf(value - BigInt(Number(value)));

const valuesOf = (of: Tables, name: Name): readonly bigint[] =>
  name === 'powersLessOne' ? of.powers.map((value) => value - ONE) : of[name];

/** Puts the tables into a machine's linear memory, if they are not there yet. */
export const providePairTables = (view: DataView): void => {
  if (view.getUint32(READY, true) !== 0) return;
  const of = tables();
  for (const [name, { at, length }] of Object.entries(PAIR_TABLES) as [Name, PairTable][]) {
    const values = valuesOf(of, name);
    if (values.length !== length) throw new Error(`${name} has ${values.length} values, not ${length}`);
    values.forEach((value, k) => {
      view.setFloat64(at + k * PAIR_BYTES, highOf(value), true);
      view.setFloat64(at + k * PAIR_BYTES + 8, lowOf(value), true);
    });
  }
  provideStepTables(view);
  view.setUint32(READY, 1, true);
};
