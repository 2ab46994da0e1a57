// The marks of single events: one shape a class, drawn on the canvas and as SVG path in the gutter from the same outline.

import type { LaneShape } from '../../protocol/timeline.ts';

/** Outlines in a box of -1 to 1. */
const OUTLINES: Readonly<Record<Exclude<LaneShape, 'circle'>, readonly (readonly [number, number])[]>> = {
  triangle: [
    [-1, -0.8],
    [1, -0.8],
    [0, 1],
  ],
  diamond: [
    [0, -1.1],
    [1.1, 0],
    [0, 1.1],
    [-1.1, 0],
  ],
  square: [
    [-0.85, -0.85],
    [0.85, -0.85],
    [0.85, 0.85],
    [-0.85, 0.85],
  ],
  bar: [
    [-0.4, -1.1],
    [0.4, -1.1],
    [0.4, 1.1],
    [-0.4, 1.1],
  ],
  cross: [
    [-1, -0.55],
    [-0.55, -1],
    [0, -0.45],
    [0.55, -1],
    [1, -0.55],
    [0.45, 0],
    [1, 0.55],
    [0.55, 1],
    [0, 0.45],
    [-0.55, 1],
    [-1, 0.55],
    [-0.45, 0],
  ],
};

/** Adds the outline to the current path. */
export const trace = (
  context: CanvasRenderingContext2D,
  shape: LaneShape,
  x: number,
  y: number,
  radius: number,
): void => {
  if (shape === 'circle') {
    context.moveTo(x + radius, y);
    context.arc(x, y, radius, 0, 2 * Math.PI);
    return;
  }
  OUTLINES[shape].forEach(([dx, dy], index) => {
    if (index === 0) context.moveTo(x + dx * radius, y + dy * radius);
    else context.lineTo(x + dx * radius, y + dy * radius);
  });
  context.closePath();
};

/** The same as an SVG path in a box of 12 by 12. */
export const pathOf = (shape: LaneShape): string =>
  shape === 'circle'
    ? 'M10 6a4 4 0 1 1-8 0a4 4 0 1 1 8 0z'
    : `M${OUTLINES[shape].map(([x, y]) => `${6 + x * 4} ${6 + y * 4}`).join('L')}z`;
