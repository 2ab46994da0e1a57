// What rounding left out of a sum or product of doubles, exactly, in doubles. Not where that is needed (sse-float.ts).
// T. J. Dekker, A Floating-Point Technique for Extending the Available Precision, Numerische Mathematik 18, 1971; the sum is Knuth's.

/** What the double sum of a and b, of any magnitudes, leaves out. */
export const sumError = (a: number, b: number, sum: number): number => {
  const rounded = sum - a;
  return a - (sum - rounded) + (b - rounded);
};
/** 2^27 + 1 cuts a double into halves. */
const SPLITTER = 134217729;
/** What the double product of a and b leaves out. Neither cutting nor the error's own terms may overflow or become denormal. */
export const productError = (a: number, b: number, product: number): number => {
  const aCut = SPLITTER * a;
  const aHigh = aCut - (aCut - a);
  const aLow = a - aHigh;
  const bCut = SPLITTER * b;
  const bHigh = bCut - (bCut - b);
  const bLow = b - bHigh;
  return aLow * bLow - (product - aHigh * bHigh - aLow * bHigh - aHigh * bLow);
};
