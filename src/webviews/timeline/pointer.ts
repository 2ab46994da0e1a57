// What is under the pointer on the lanes: an event, a column of several, the mode bar, or nothing.

import type { TimelineWindow } from '../../protocol/timeline.ts';
import { columnsOf, nearestEvent } from './columns.ts';
import { type Row, rowAt } from './rows.ts';
import type { Span } from './scale.ts';

/** An event is meant within so many pixels. */
const REACH = 6;

export type Target =
  | { readonly kind: 'event'; readonly sequence: number; readonly cycles: number; readonly lane: number }
  | {
      readonly kind: 'column';
      readonly lane: number;
      readonly name: string;
      readonly count: number;
      readonly span: Span;
    }
  | {
      readonly kind: 'mode';
      /** Undefined: several within the pixel, in these parts. */
      readonly who: 'guest' | 'hypervisor' | 'blocked' | undefined;
      readonly hypervisor: number;
      readonly blocked: number;
      readonly span: Span;
    };

export const targetAt = (
  window: TimelineWindow,
  rows: readonly Row[],
  view: Span,
  pixels: number,
  x: number,
  y: number,
): Target | undefined => {
  const row = rowAt(rows, y);
  const perPixel = (view.t1 - view.t0) / pixels;
  const cycles = view.t0 + x * perPixel;
  if (row?.kind === 'mode') return modeAt(window, cycles, perPixel);
  if (row?.kind !== 'lane') return undefined;
  const { counts } = columnsOf(window, row.index, view, pixels);
  const column = nearestColumn(counts, Math.floor(x));
  if (column < 0) return undefined;
  if (counts[column] === 1) {
    const at = nearestEvent(window, row.lane.code, view.t0 + (column + 0.5) * perPixel, perPixel);
    if (at >= 0) {
      return {
        kind: 'event',
        sequence: window.events!.sequences[at]!,
        cycles: window.events!.cycles[at]!,
        lane: row.lane.code,
      };
    }
  }
  return {
    kind: 'column',
    lane: row.lane.code,
    name: row.lane.name,
    count: counts[column]!,
    span: { t0: view.t0 + column * perPixel, t1: view.t0 + (column + 1) * perPixel },
  };
};

const nearestColumn = (counts: Uint32Array, x: number): number => {
  for (let away = 0; away <= REACH; away++) {
    if ((counts[x - away] ?? 0) > 0) return x - away;
    if ((counts[x + away] ?? 0) > 0) return x + away;
  }
  return -1;
};

const modeAt = (window: TimelineWindow, cycles: number, perPixel: number): Target | undefined => {
  if (cycles < window.extent.start || cycles > window.extent.end) return undefined;
  if (window.stays !== undefined) {
    // Stays in the hypervisor may be thinner than a pixel and are drawn as one.
    const within = (pairs: Float64Array | undefined, least: number): Span | undefined => {
      for (let i = 0; i < (pairs?.length ?? 0); i += 2) {
        const [t0, t1] = [pairs![i]!, pairs![i + 1]!];
        if (cycles >= t0 && cycles <= Math.max(t1, t0 + least)) return { t0, t1 };
      }
      return undefined;
    };
    const stay = within(window.stays, perPixel);
    if (stay !== undefined) return { kind: 'mode', who: 'hypervisor', hypervisor: 1, blocked: 0, span: stay };
    const block = within(window.blocks, 0);
    if (block !== undefined) return { kind: 'mode', who: 'blocked', hypervisor: 0, blocked: 1, span: block };
    const edges = [...window.stays, ...(window.blocks ?? [])].sort((a, b) => a - b);
    const t0 = edges.findLast((edge) => edge <= cycles) ?? window.extent.start;
    const t1 = edges.find((edge) => edge > cycles) ?? window.extent.end;
    return { kind: 'mode', who: 'guest', hypervisor: 0, blocked: 0, span: { t0, t1 } };
  }
  const width = (window.t1 - window.t0) / window.pixels;
  const pixel = Math.floor((cycles - window.t0) / width);
  const part = window.hypervisor[pixel];
  if (part === undefined || part < 0) return undefined;
  const t0 = window.t0 + pixel * width;
  return {
    kind: 'mode',
    who: undefined,
    hypervisor: part,
    blocked: window.blocked[pixel]!,
    span: { t0, t1: t0 + width },
  };
};
