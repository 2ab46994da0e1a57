// Medians, spreads and means of a few measurements. Pure.

export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** Undefined for no values. Of an even number, the mean of the middle two. */
export const spreadOf = (values: readonly number[]): Spread | undefined => {
  if (values.length === 0) return undefined;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { median, least: sorted[0]!, most: sorted.at(-1)! };
};

/** Of the medians. Undefined where there is none, or the second is not positive. */
export const ratioOfMedians = (a: Spread | undefined, b: Spread | undefined): number | undefined =>
  a === undefined || b === undefined || !(b.median > 0) ? undefined : a.median / b.median;

/** Undefined for no values, or where one is not positive. */
export const geometricMean = (values: readonly number[]): number | undefined =>
  values.length === 0 || values.some((value) => !(value > 0))
    ? undefined
    : Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
