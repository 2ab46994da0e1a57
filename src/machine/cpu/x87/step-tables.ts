// Tables with small steps in linear memory, for the first phase of the emitted transcendental functions (isa/x87-first-phase.ts): what a function and
// its derivatives are at each step, cut so that products are exact. Made together with the others (pair-tables.ts). Not the functions.

import { LinearLayout } from '../../memory.ts';
import { BITS, ONE, tables } from './fixed-tables.ts';
import { arctangent, exponential, logarithm, sineAndCosine } from './fixed.ts';

/** Bits that the first part of a cut value has: with a factor of as many a double holds the product. */
export const HEAD_BITS = 26;
/** Bits below the point that the first part of a logarithm has: with any whole number a double holds the sum. */
const LOGARITHM_BITS = 38;
/** Bits of the reciprocals that the logarithm's argument is multiplied by. */
const RECIPROCAL_BITS = 12;

const DOUBLE_BYTES = 8;

/** Where a table is; steps in a unit of the argument and bytes of a step; the first step. */
export interface StepTable {
  readonly at: number;
  readonly steps: number;
  readonly bytes: number;
  readonly first: number;
}
interface Description {
  readonly steps: number;
  /** Doubles of a step. */
  readonly width: number;
  readonly first: number;
  readonly last: number;
  /** A step's doubles. `t`: its argument in units of 2^-BITS. */
  of(t: bigint): readonly number[];
}

const SHIFT = BigInt(BITS);
const UNIT = 2 ** -BITS;
const double = (value: bigint): number => Number(value) * UNIT;
const cut = (value: bigint, low: bigint): readonly [number, number] => {
  const head = ((value + (1n << (low - 1n))) >> low) << low;
  return [double(head), double(value - head)];
};
/** HEAD_BITS bits, and the rest. */
const headAndRest = (value: bigint): readonly [number, number] => {
  const bits = (value < 0n ? -value : value).toString(2).length;
  return bits <= HEAD_BITS ? [double(value), 0] : cut(value, BigInt(bits - HEAD_BITS));
};
/** A double, and the rest. */
const doubleAndRest = (value: bigint): readonly [number, number] => [
  double(value),
  double(value - BigInt(Number(value))),
];
const times = (a: bigint, b: bigint): bigint => (a * b) >> SHIFT;

/** The reciprocal for arguments from t, less than 1, plus 1 to the next step. */
const reciprocal = (t: bigint, steps: number): bigint => {
  const middle = ONE + t + ONE / BigInt(2 * steps);
  const units = ((ONE << BigInt(RECIPROCAL_BITS)) + middle / 2n) / middle;
  return units << (SHIFT - BigInt(RECIPROCAL_BITS));
};

const LOGARITHM_STEPS = 256;
const DESCRIPTIONS = {
  /** Sine and cosine, up to pi/4. */
  circle: {
    steps: 1024,
    width: 4,
    first: 0,
    last: 805,
    of: (t) => {
      const { sine, cosine } = sineAndCosine(t);
      return [...headAndRest(sine), ...headAndRest(cosine)];
    },
  },
  /** 2^t - 1, its derivative, half of its second derivative. */
  powers: {
    steps: 256,
    width: 6,
    first: -256,
    last: 256,
    of: (t) => {
      const value = exponential(t);
      const [first, second] = tables().exponential;
      return [
        ...doubleAndRest(value),
        ...headAndRest(times(value + ONE, first!)),
        ...headAndRest(times(value + ONE, second!)),
      ];
    },
  },
  /** atan(t), its derivative, half of its second derivative. */
  arctangents: {
    steps: 256,
    width: 6,
    first: 0,
    last: 256,
    of: (t) => {
      const derivative = (ONE << SHIFT) / (ONE + times(t, t));
      return [
        ...doubleAndRest(arctangent(t)),
        ...headAndRest(derivative),
        ...headAndRest(-times(t, times(derivative, derivative))),
      ];
    },
  },
  /** A reciprocal near 1 / (1 + t), and log2 of what it is the reciprocal of. */
  logarithms: {
    steps: LOGARITHM_STEPS,
    width: 4,
    first: 0,
    last: LOGARITHM_STEPS - 1,
    of: (t) => {
      const factor = reciprocal(t, LOGARITHM_STEPS);
      return [double(factor), 0, ...cut(ONE - logarithm(2n * factor), SHIFT - BigInt(LOGARITHM_BITS))];
    },
  },
} as const satisfies Record<string, Description>;
type Name = keyof typeof DESCRIPTIONS;
const entries = Object.entries(DESCRIPTIONS) as [Name, Description][];

const place = (): Record<Name, StepTable> => {
  let at: number = LinearLayout.stepTables;
  const placed = entries.map(([name, { steps, width, first, last }]) => {
    const table = { at, steps, bytes: width * DOUBLE_BYTES, first };
    at += (last + 1 - first) * table.bytes;
    return [name, table];
  });
  if (at > LinearLayout.stepTables + LinearLayout.stepTablesBytes)
    throw new Error('the steps of the x87 functions need more room');
  return Object.fromEntries(placed) as Record<Name, StepTable>;
};
export const STEP_TABLES = place();

/** Puts the tables into a machine's linear memory. */
export const provideStepTables = (view: DataView): void => {
  for (const [name, { steps, first, last, of }] of entries) {
    const { at, bytes } = STEP_TABLES[name];
    for (let k = first; k <= last; k++)
      of((BigInt(k) << SHIFT) / BigInt(steps)).forEach((value, i) =>
        view.setFloat64(at + (k - first) * bytes + i * DOUBLE_BYTES, value, true),
      );
  }
};
