// Numbers and tables as Markdown: the same text goes to the terminal and to docs/performance.md. Pure.

import type { Spread } from './statistics.ts';

/** Three significant digits, or whole numbers above 100. */
export const figure = (value: number): string => {
  if (value === 0) return '0';
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toFixed(Math.min(digits, 3)).replace(/\B(?=(\d{3})+$)/g, value >= 10_000 ? ',' : '');
};

/** `median (least to most)`; the median alone of one value. */
export const spread = (value: Spread | undefined): string =>
  value === undefined
    ? ''
    : value.least === value.most
      ? figure(value.median)
      : `${figure(value.median)} (${figure(value.least)} to ${figure(value.most)})`;

export const ratio = (value: number | undefined): string => (value === undefined ? '' : value.toFixed(2));

const cell = (text: string): string => text.replaceAll('|', '\\|');

/** Columns are padded so that a terminal shows them as columns; all but the first are numbers and right-aligned. */
export const table = (head: readonly string[], rows: readonly (readonly string[])[]): string => {
  const cells = [head, ...rows].map((row) => row.map(cell));
  const widths = head.map((_, column) => Math.max(3, ...cells.map((row) => (row[column] ?? '').length)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((text, i) => (i === 0 ? text.padEnd(widths[i]!) : text.padStart(widths[i]!))).join(' | ')} |`;
  const rule = `| ${widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`;
  return [line(cells[0]!), rule, ...cells.slice(1).map(line)].join('\n');
};
