// The timeline's state as signals, and what changes it: the view, the range T1-T2, the selected event and lane, the data for them.
// One question of a kind is under way at a time; the next is asked when it is answered, with what is then wanted.

import { batch, computed, effect, signal } from '@preact/signals';
import type { EventRow, Lane, TimelineWindow } from '../../protocol/timeline.ts';
import { guest, live } from '../common/guest.ts';
import { ask, post, savedState, saveState } from '../common/vscode-api.ts';
import { heightOf, type Row, rowsOf } from './rows.ts';
import { fitted, panned, type Span, widthOf, zoomed } from './scale.ts';

/** fit: the whole run, growing. follow: the newest events at a fixed scale. free: where the user went. */
export type Mode = 'fit' | 'follow' | 'free';

const saved = savedState();
const savedView = saved['view'] as { t0?: unknown; t1?: unknown; mode?: unknown } | undefined;
const savedSpan: Span | undefined =
  typeof savedView?.t0 === 'number' && typeof savedView.t1 === 'number' && savedView.t1 > savedView.t0
    ? { t0: savedView.t0, t1: savedView.t1 }
    : undefined;

export const mode = signal<Mode>(
  savedSpan !== undefined && (savedView?.mode === 'free' || savedView?.mode === 'follow') ? savedView.mode : 'fit',
);
export const view = signal<Span>(savedSpan ?? { t0: 0, t1: 1 });
/** Width of the lanes in CSS pixels. */
export const pixels = signal(800);
export const range = signal<Span | undefined>(undefined);
export const selected = signal<EventRow | undefined>(undefined);
export const lane = signal<number | undefined>(undefined);
/** Cycles under the pointer. */
export const pointer = signal<number | undefined>(undefined);
export const closed = signal<ReadonlySet<string>>(
  new Set(Array.isArray(saved['closed']) ? saved['closed'].filter((name) => typeof name === 'string') : []),
);

/** Wider than the view, so that moving shows something at once. */
export const data = signal<TimelineWindow | undefined>(undefined);
/** The whole run, for the overview. */
export const whole = signal<TimelineWindow | undefined>(undefined);
/** Exactly the view: what the table lists and the status line counts. */
export const visible = signal<TimelineWindow | undefined>(undefined);

export const lanes = computed<ReadonlyMap<number, Lane>>(
  () => new Map((live.value?.lanes ?? []).map((one) => [one.code, one])),
);
export const rows = computed<readonly Row[]>(() =>
  data.value === undefined ? [] : rowsOf(data.value, lanes.value, closed.value),
);
export const lanesHeight = computed(() => heightOf(rows.value));
export const run = computed<Span>(() => {
  const extent = live.value?.status.extent;
  return { t0: extent?.start ?? 0, t1: Math.max(extent?.end ?? 1, (extent?.start ?? 0) + 1) };
});
export const cyclesPerSecond = computed(() => live.value?.cyclesPerSecond ?? 1);
/** Changes once a boot: answers of a machine that is gone are dropped. */
let epoch = 0;

const MARGIN = 0.25;
const OVERVIEW_PIXELS = 600;

interface Want {
  readonly span: Span;
  readonly pixels: number;
}

/** Asks for windows, one at a time, always the newest wish. */
const asker = (put: (window: TimelineWindow) => void): ((want: Want) => void) => {
  let busy = false;
  let next: Want | undefined;
  const go = async (want: Want): Promise<void> => {
    busy = true;
    const asked = epoch;
    try {
      const answer = await ask({ name: 'window', t0: want.span.t0, t1: want.span.t1, pixels: want.pixels });
      if (asked === epoch) put(answer);
    } catch {
      // The guest is gone; the page says so by itself.
    }
    busy = false;
    if (next !== undefined) {
      const following = next;
      next = undefined;
      void go(following);
    }
  };
  return (want) => {
    if (busy) next = want;
    else void go(want);
  };
};

const askData = asker((window) => (data.value = window));
const askWhole = asker((window) => (whole.value = window));
const askVisible = asker((window) => (visible.value = window));

/** Keeps the view at the run's end, and the data with the view. */
export const start = (): void => {
  effect(() => {
    if (guest.value?.phase !== 'live') return;
    const { t0, t1 } = run.value;
    if (mode.value === 'fit') view.value = fitted({ t0, t1 });
    else if (mode.value === 'follow') {
      const width = widthOf(view.peek());
      view.value = { t0: t1 - width * 0.98, t1: t1 + width * 0.02 };
    }
  });
  effect(() => {
    if (live.value === undefined || live.value.status.extent.records === 0) return;
    const { t0, t1 } = view.value;
    const extra = (t1 - t0) * MARGIN;
    askData({ span: { t0: t0 - extra, t1: t1 + extra }, pixels: Math.ceil(pixels.value * (1 + 2 * MARGIN)) });
    askVisible({ span: { t0, t1 }, pixels: 1 });
  });
  effect(() => {
    if (live.value === undefined || live.value.status.extent.records === 0) return;
    askWhole({ span: fitted(run.value), pixels: OVERVIEW_PIXELS });
  });
  let timer = 0;
  effect(() => {
    const state = { view: { ...view.value, mode: mode.value }, closed: [...closed.value] };
    clearTimeout(timer);
    timer = window.setTimeout(() => saveState(state), 300);
  });
};

/** Another machine: nothing of the old one's times means anything. */
export const forget = (): void =>
  batch(() => {
    epoch++;
    data.value = whole.value = visible.value = undefined;
    range.value = undefined;
    selected.value = undefined;
    mode.value = 'fit';
  });

const goTo = (span: Span): void =>
  batch(() => {
    mode.value = 'free';
    view.value = span;
  });

/** What a zoom by key keeps in its place: the pointer, else the selected event if it is in view, else the middle. */
const focus = (): number => {
  const { t0, t1 } = view.peek();
  const at = pointer.peek() ?? selected.peek()?.cycles;
  return at !== undefined && at >= t0 && at <= t1 ? at : (t0 + t1) / 2;
};

export const zoom = (factor: number): void => goTo(zoomed(view.peek(), factor, focus(), run.peek()));

/** @param part of the view's width */
export const pan = (part: number): void => goTo(panned(view.peek(), widthOf(view.peek()) * part, run.peek()));

export const show = (span: Span): void => goTo(zoomed(span, 1, span.t0, run.peek()));

export const zoomToRange = (): void => {
  const chosen = range.peek();
  if (chosen === undefined) return;
  show({ t0: Math.min(chosen.t0, chosen.t1), t1: Math.max(chosen.t0, chosen.t1) });
};

export const toStart = (): void => pan((run.peek().t0 - view.peek().t0) / widthOf(view.peek()) - 0.02);
export const toEnd = (): void => pan((run.peek().t1 - view.peek().t1) / widthOf(view.peek()) + 0.02);

/** Selects an event and brings it into view. */
export const select = (row: EventRow): void =>
  batch(() => {
    selected.value = row;
    if (lanes.peek().has(row.lane)) lane.value = row.lane;
    const { t0, t1 } = view.peek();
    if (row.cycles < t0 || row.cycles > t1) {
      const half = (t1 - t0) / 2;
      goTo({ t0: row.cycles - half, t1: row.cycles + half });
    } else if (mode.peek() === 'follow') mode.value = 'free';
  });

export const selectSequence = async (sequence: number): Promise<EventRow | undefined> => {
  const [row] = await ask({ name: 'rows', from: sequence, count: 1 });
  if (row !== undefined) select(row);
  return row;
};

/** The event of the current lane before or after the selected one, or after the left edge of the view. */
export const step = async (direction: 1 | -1): Promise<void> => {
  const from =
    selected.peek()?.sequence ?? (direction > 0 ? (visible.peek()?.first ?? 0) - 1 : (visible.peek()?.next ?? 0));
  const code = lane.peek();
  const row = await ask({ name: 'find', from, direction, ...(code === undefined ? {} : { lane: code }) });
  if (row !== undefined) select(row);
};

export const moveLane = (direction: 1 | -1): void => {
  const codes = rows.peek().flatMap((row) => (row.kind === 'lane' ? [row.lane.code] : []));
  if (codes.length === 0) return;
  const at = lane.peek() === undefined ? -1 : codes.indexOf(lane.peek()!);
  const next =
    at < 0 ? (direction > 0 ? 0 : codes.length - 1) : Math.min(codes.length - 1, Math.max(0, at + direction));
  lane.value = codes[next];
};

export const toggleGroup = (group: string): void => {
  const next = new Set(closed.peek());
  if (!next.delete(group)) next.add(group);
  closed.value = next;
};

/** The debugger takes the guest to the selected event. */
export const travel = (): void => {
  const sequence = selected.peek()?.sequence;
  post({ type: 'travel', ...(sequence === undefined ? {} : { sequence }) });
};

/** What VS Code's own menu on an event hands to the commands in it. */
export const menuOf = (sequence: number | undefined): string =>
  JSON.stringify({
    preventDefaultContextMenuItems: true,
    ...(sequence === undefined ? {} : { webviewSection: 'event', sequence }),
  });

export const openSource = (row: EventRow | undefined, keepFocus: boolean): void => {
  if (row !== undefined) post({ type: 'open', address: row.eip, keepFocus });
};
