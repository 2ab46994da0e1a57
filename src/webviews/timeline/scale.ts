// Time and pixels: the visible span, zooming and panning with its limits, and the ticks of the ruler. Cycles everywhere.
// No drawing and no state.

export interface Span {
  readonly t0: number;
  readonly t1: number;
}

/** No closer than this: below it one event fills the view. */
const LEAST_CYCLES = 20;

export const widthOf = ({ t0, t1 }: Span): number => t1 - t0;

/** Zooms by `factor` (below 1: closer) about `centre`, never beyond the run and a margin of half of it. */
export const zoomed = (span: Span, factor: number, centre: number, run: Span): Span => {
  const most = Math.max(LEAST_CYCLES, widthOf(run) * 1.5);
  const width = Math.min(most, Math.max(LEAST_CYCLES, widthOf(span) * factor));
  const part = (centre - span.t0) / widthOf(span);
  return kept({ t0: centre - width * part, t1: centre + width * (1 - part) }, run);
};

export const panned = (span: Span, cycles: number, run: Span): Span =>
  kept({ t0: span.t0 + cycles, t1: span.t1 + cycles }, run);

/** The run with a little air at both ends. */
export const fitted = (run: Span): Span => {
  const width = Math.max(LEAST_CYCLES, widthOf(run));
  return { t0: run.t0 - width * 0.01, t1: run.t0 + width * 1.01 };
};

/** At least a tenth of the view shows some of the run. */
const kept = (span: Span, run: Span): Span => {
  const width = widthOf(span);
  const air = width * 0.9;
  const t0 = Math.min(Math.max(span.t0, run.t0 - air), Math.max(run.t1 - width + air, run.t0 - air));
  return { t0, t1: t0 + width };
};

export interface Tick {
  readonly cycles: number;
  readonly major: boolean;
}

/** Major ticks at 1, 2 or 5 times a power of ten cycles, at least `apart` pixels from each other; four minor ones between two. */
export const ticksOf = (
  span: Span,
  pixels: number,
  apart = 110,
): { readonly step: number; readonly ticks: readonly Tick[] } => {
  const rough = (widthOf(span) * apart) / Math.max(1, pixels);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough) ?? power * 10;
  const minor = step / 5;
  const ticks: Tick[] = [];
  const first = Math.ceil(span.t0 / minor);
  const last = Math.floor(span.t1 / minor);
  for (let index = first; index <= last; index++) ticks.push({ cycles: index * minor, major: index % 5 === 0 });
  return { step, ticks };
};
