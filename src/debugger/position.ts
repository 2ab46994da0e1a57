// The order of moments. Not the moments themselves (target.ts).

import type { Position } from './target.ts';

/** Negative: `a` is before `b`; 0: the same moment. */
export const comparePositions = (a: Position, b: Position): number =>
  a.instructions - b.instructions || (a.cycles ?? b.cycles ?? 0) - (b.cycles ?? a.cycles ?? 0) || a.events - b.events;
