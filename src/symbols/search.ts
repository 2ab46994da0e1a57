// Binary search in ascending columns.

/** Index of the last element <= value in sorted[low..high), or low - 1. */
export function lastAtOrBelow(sorted: Uint32Array, value: number, low = 0, high = sorted.length): number {
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
