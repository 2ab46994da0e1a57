// The order of moments. Not the moments themselves (target.ts).

import type { Position } from './target.ts';

/** Negative: `a` is before `b`; 0: the same moment. */
export const comparePositions = (a: Position, b: Position): number =>
  a.instructions - b.instructions || (a.cycles ?? b.cycles ?? 0) - (b.cycles ?? a.cycles ?? 0) || a.events - b.events;

/** Whether a moment lies behind an event that takes no time: a run from `at` to its cycle need not come to it. */
export const isBehindEvent = (to: Position, at: Position): boolean =>
  to.events > (to.instructions === at.instructions ? at.events : 0);
