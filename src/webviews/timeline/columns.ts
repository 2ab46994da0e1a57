// One lane as columns of pixels: how many events each column of the view stands for, from single events or from a summary.
// What the drawing and the pointer read, so both agree. Honest about density: a column says how many events it is.

import type { TimelineWindow } from '../../protocol/timeline.ts';
import type { Span } from './scale.ts';

export interface Columns {
  /** Events by pixel of the view. */
  readonly counts: Uint32Array;
  readonly most: number;
  readonly total: number;
}

/** @param index of the lane in the window */
export const columnsOf = (window: TimelineWindow, index: number, view: Span, pixels: number): Columns => {
  const counts = new Uint32Array(Math.max(1, pixels));
  const perCycle = pixels / (view.t1 - view.t0);
  if (window.events !== undefined) {
    const { cycles, lanes } = window.events;
    const code = window.lanes[index];
    for (let i = 0; i < cycles.length; i++) {
      if (lanes[i] !== code) continue;
      const x = Math.floor((cycles[i]! - view.t0) * perCycle);
      if (x >= 0 && x < pixels) counts[x]!++;
    }
  } else {
    const row = index * window.pixels;
    const width = (window.t1 - window.t0) / window.pixels;
    for (let pixel = 0; pixel < window.pixels; pixel++) {
      const count = window.counts[row + pixel]!;
      if (count === 0) continue;
      // A column of the summary lies in one pixel of the view, or over some while a closer summary is on its way.
      const from = Math.floor((window.t0 + pixel * width - view.t0) * perCycle + 1e-6);
      if (from >= 0 && from < pixels) counts[from]! += count;
    }
  }
  let most = 0;
  let total = 0;
  for (const count of counts) {
    if (count > most) most = count;
    total += count;
  }
  return { counts, most, total };
};

/** Index in `window.events` of the event of a lane nearest to `cycles`, within `reach` cycles; -1 if there is none. */
export const nearestEvent = (window: TimelineWindow, code: number, cycles: number, reach: number): number => {
  if (window.events === undefined) return -1;
  let best = -1;
  let distance = reach;
  for (let i = 0; i < window.events.cycles.length; i++) {
    const away = Math.abs(window.events.cycles[i]! - cycles);
    if (window.events.lanes[i] === code && away <= distance) {
      best = i;
      distance = away;
    }
  }
  return best;
};
