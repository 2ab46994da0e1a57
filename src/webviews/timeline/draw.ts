// Draws the timeline's three canvases from what it is given: overview, ruler, lanes. Keeps no state; a redraw is cheap enough to
// do whole. An event alone is a mark with its class's shape; where pixels hold more, columns grow with the logarithm of the count.

import { duration } from '../common/format.ts';
import type { TimelineWindow } from '../../protocol/timeline.ts';
import { columnsOf } from './columns.ts';
import { GROUP_HEIGHT, type Row } from './rows.ts';
import { type Span, ticksOf } from './scale.ts';
import { trace } from './shapes.ts';
import { fillOf, type Theme } from './theme.ts';

export interface Scene {
  readonly window: TimelineWindow;
  readonly view: Span;
  readonly rows: readonly Row[];
  readonly theme: Theme;
  /** CSS pixels. */
  readonly width: number;
  readonly height: number;
  /** T1 and T2, either way round; equal or undefined: no range. */
  readonly range: Span | undefined;
  /** Cycles of the selected event. */
  readonly selected: number | undefined;
  readonly selectedLane: number | undefined;
  readonly cyclesPerSecond: number;
}

const MARK_RADIUS = 4.5;
/** A mark needs so many free pixels at each side. */
const MARK_ROOM = 6;

/** Sizes a canvas for the screen's pixels and clears it. */
export const prepare = (canvas: HTMLCanvasElement, width: number, height: number): CanvasRenderingContext2D => {
  const scale = window.devicePixelRatio;
  const [w, h] = [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
  }
  const context = canvas.getContext('2d')!;
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
};

const xOf = ({ view, width }: Scene, cycles: number): number => ((cycles - view.t0) / (view.t1 - view.t0)) * width;

export const drawRuler = (context: CanvasRenderingContext2D, scene: Scene): void => {
  const { view, theme, width, height, cyclesPerSecond } = scene;
  const { step, ticks } = ticksOf(view, width);
  context.strokeStyle = theme.line;
  context.fillStyle = theme.muted;
  context.font = theme.font;
  context.textBaseline = 'middle';
  context.lineWidth = 1;
  context.beginPath();
  for (const { cycles, major } of ticks) {
    const x = Math.round(xOf(scene, cycles)) + 0.5;
    context.moveTo(x, major ? 4 : height - 5);
    context.lineTo(x, height);
    if (major) context.fillText(duration(cycles / cyclesPerSecond, step / cyclesPerSecond), x + 4, height / 2 - 1);
  }
  context.stroke();
  drawRange(context, scene, height);
};

export const drawLanes = (context: CanvasRenderingContext2D, scene: Scene): void => {
  const { theme, width, height, view, rows } = scene;
  context.lineWidth = 1;
  for (const row of rows) {
    if (row.kind === 'lane' && row.lane.code === scene.selectedLane) {
      context.fillStyle = theme.band;
      context.fillRect(0, row.top, width, row.height);
      if (theme.contrast) {
        context.strokeStyle = theme.accent;
        context.setLineDash([3, 3]);
        context.strokeRect(0.5, row.top + 0.5, width - 1, row.height - 1);
        context.setLineDash([]);
      }
    }
  }
  context.strokeStyle = theme.line;
  context.globalAlpha = theme.contrast ? 0.45 : 0.5;
  context.beginPath();
  for (const { cycles, major } of ticksOf(view, width).ticks) {
    if (!major) continue;
    const x = Math.round(xOf(scene, cycles)) + 0.5;
    context.moveTo(x, 0);
    context.lineTo(x, height);
  }
  for (const row of rows) {
    context.moveTo(0, row.top + row.height - 0.5);
    context.lineTo(width, row.top + row.height - 0.5);
  }
  context.stroke();
  context.globalAlpha = 1;
  drawOutside(context, scene);
  for (const row of rows) {
    if (row.kind === 'mode') drawMode(context, scene, row);
    else if (row.kind === 'lane') drawLane(context, scene, row);
    else drawGroup(context, scene, row);
  }
  drawRange(context, scene, height);
  if (scene.selected !== undefined) {
    const x = Math.round(xOf(scene, scene.selected)) + 0.5;
    context.strokeStyle = theme.accent;
    context.setLineDash([2, 2]);
    context.beginPath();
    context.moveTo(x, 0);
    context.lineTo(x, height);
    context.stroke();
    context.setLineDash([]);
  }
};

/** Before the first and after the last record there is nothing to know. */
const drawOutside = (context: CanvasRenderingContext2D, scene: Scene): void => {
  const { start, end } = scene.window.extent;
  const from = Math.max(0, xOf(scene, start));
  const to = Math.min(scene.width, xOf(scene, end));
  context.fillStyle = scene.theme.band;
  if (from > 0) context.fillRect(0, 0, from, scene.height);
  if (to < scene.width) context.fillRect(to, 0, scene.width - to, scene.height);
};

const drawRange = (context: CanvasRenderingContext2D, scene: Scene, height: number): void => {
  const { range, theme } = scene;
  if (range === undefined) return;
  const [a, b] = [xOf(scene, Math.min(range.t0, range.t1)), xOf(scene, Math.max(range.t0, range.t1))];
  context.fillStyle = theme.selection;
  context.globalAlpha = 0.45;
  context.fillRect(a, 0, b - a, height);
  context.globalAlpha = 1;
  context.strokeStyle = theme.accent;
  context.beginPath();
  for (const x of [a, b]) {
    context.moveTo(Math.round(x) + 0.5, 0);
    context.lineTo(Math.round(x) + 0.5, height);
  }
  context.stroke();
};

const drawMode = (context: CanvasRenderingContext2D, scene: Scene, row: Row): void => {
  const { window, theme } = scene;
  const top = row.top + 6;
  const height = row.height - 12;
  const guest = fillOf('guestMode', theme, context);
  const hypervisor = fillOf('hypervisorMode', theme, context);
  if (window.stays !== undefined) {
    const from = Math.max(0, xOf(scene, Math.max(window.t0, window.extent.start)));
    const to = Math.min(scene.width, xOf(scene, Math.min(window.t1, window.extent.end)));
    context.fillStyle = guest;
    if (to > from) context.fillRect(from, top, to - from, height);
    const each = (pairs: Float64Array | undefined, least: number, draw: (x: number, wide: number) => void): void => {
      for (let i = 0; i < (pairs?.length ?? 0); i += 2) {
        const a = Math.max(0, xOf(scene, pairs![i]!));
        const b = Math.min(scene.width, xOf(scene, pairs![i + 1]!));
        if (b >= 0 && a <= scene.width) draw(a, Math.max(least, b - a));
      }
    };
    // Nobody runs while the vCPU is blocked: an empty bar with a line through it.
    each(window.blocks, 0, (x, wide) => {
      context.clearRect(x, top, wide, height);
      context.fillStyle = theme.muted;
      context.fillRect(x, top + height / 2 - 0.5, wide, 1);
    });
    context.fillStyle = hypervisor;
    each(window.stays, 1, (x, wide) => context.fillRect(x, top, wide, height));
    return;
  }
  const width = (window.t1 - window.t0) / window.pixels;
  for (let pixel = 0; pixel < window.pixels; pixel++) {
    const part = window.hypervisor[pixel]!;
    if (part < 0) continue;
    const a = xOf(scene, window.t0 + pixel * width);
    const b = xOf(scene, window.t0 + (pixel + 1) * width);
    if (b < 0 || a > scene.width) continue;
    const blocked = window.blocked[pixel]!;
    const guestPart = Math.max(0, 1 - part - blocked);
    context.fillStyle = guest;
    context.fillRect(a, top + height * (1 - guestPart), b - a + 0.5, height * guestPart);
    context.fillStyle = hypervisor;
    context.fillRect(a, top + height * (1 - guestPart - part), b - a + 0.5, height * part);
    if (blocked > 0.02) {
      context.fillStyle = theme.muted;
      context.fillRect(a, top + (height * blocked) / 2 - 0.5, b - a + 0.5, 1);
    }
  }
};

const drawLane = (
  context: CanvasRenderingContext2D,
  scene: Scene,
  row: Extract<Row, { readonly kind: 'lane' }>,
): void => {
  const { window, view, theme, width } = scene;
  const pixels = Math.floor(width);
  const { counts, most } = columnsOf(window, row.index, view, pixels);
  if (most === 0) return;
  const middle = row.top + row.height / 2;
  const tallest = row.height - 6;
  const scale = (tallest - 5) / Math.log2(most + 1);
  context.fillStyle = fillOf(row.lane.tone, theme, context);
  const marks: number[] = [];
  let free = MARK_ROOM;
  for (let x = 0; x < pixels; x++) {
    const count = counts[x]!;
    if (count === 0) {
      free++;
      continue;
    }
    if (count === 1 && free >= MARK_ROOM && isFree(counts, x + 1, x + MARK_ROOM)) marks.push(x);
    else {
      const height = 5 + scale * Math.log2(count + 1);
      context.fillRect(x, middle - height / 2, 1, height);
    }
    free = 0;
  }
  context.fillStyle = theme.tones[row.lane.tone];
  context.beginPath();
  for (const x of marks) trace(context, row.lane.shape, x + 0.5, middle, MARK_RADIUS);
  context.fill();
};

const isFree = (counts: Uint32Array, from: number, to: number): boolean => {
  for (let x = from; x <= to && x < counts.length; x++) if (counts[x] !== 0) return false;
  return true;
};

/** A closed group shows where its events are, all lanes in one thin line. */
const drawGroup = (
  context: CanvasRenderingContext2D,
  scene: Scene,
  row: Extract<Row, { readonly kind: 'group' }>,
): void => {
  if (row.open) return;
  const { window, view, theme, width } = scene;
  const pixels = Math.floor(width);
  context.fillStyle = theme.muted;
  for (const index of row.members) {
    const { counts } = columnsOf(window, index, view, pixels);
    for (let x = 0; x < pixels; x++) if (counts[x] !== 0) context.fillRect(x, row.top + GROUP_HEIGHT / 2 - 3, 1, 6);
  }
};

/** The whole run: events a pixel as columns, and where the view is. */
export const drawOverview = (
  context: CanvasRenderingContext2D,
  whole: TimelineWindow | undefined,
  view: Span,
  theme: Theme,
  width: number,
  height: number,
): void => {
  if (whole === undefined) return;
  const sums = new Float64Array(whole.pixels);
  let most = 0;
  for (let pixel = 0; pixel < whole.pixels; pixel++) {
    for (let lane = 0; lane < whole.lanes.length; lane++) sums[pixel]! += whole.counts[lane * whole.pixels + pixel]!;
    most = Math.max(most, sums[pixel]!);
  }
  const step = width / whole.pixels;
  context.fillStyle = theme.muted;
  context.globalAlpha = theme.contrast ? 1 : 0.6;
  for (let pixel = 0; pixel < whole.pixels; pixel++) {
    if (sums[pixel] === 0) continue;
    const tall = 2 + ((height - 6) * Math.log2(sums[pixel]! + 1)) / Math.log2(most + 1);
    context.fillRect(pixel * step, height - tall - 1, Math.max(1, step), tall);
  }
  context.globalAlpha = 1;
  const at = (cycles: number): number => ((cycles - whole.t0) / (whole.t1 - whole.t0)) * width;
  const from = Math.max(0, at(view.t0));
  const to = Math.min(width, at(view.t1));
  const wide = Math.max(2, to - from);
  context.fillStyle = theme.selection;
  context.globalAlpha = 0.35;
  context.fillRect(from, 0, wide, height);
  context.globalAlpha = 1;
  context.strokeStyle = theme.accent;
  context.strokeRect(from + 0.5, 0.5, Math.max(1, wide - 1), height - 1);
};
