// The text of `kansoku trace summary`: exits by reason and cost, shadow faults, interrupts, the busiest guest addresses.
// Not a query language. Loss is always shown, and a share of an incomplete trace carries a mark.

import { Kind } from './events.ts';
import { type CodeCount, Metrics } from './metrics.ts';
import { eipAt, icountAt, cyclesAt, kindAt, RECORD_WORDS } from './record.ts';
import type { Trace } from './trace-file.ts';

/** An address as a person reads it: symbol and source line, or the bare number. */
export type Locate = (address: number) => string;

const TOP_ADDRESSES = 20;

/** @returns lines joined by \n, with a final \n. */
export const summarize = (trace: Trace, locate: Locate): string => {
  const { header, store } = trace;
  const metrics = new Metrics();
  const addresses = new Map<number, number>();
  let first: { icount: number; cycles: number } | undefined;
  let last = { icount: 0, cycles: 0 };
  store.forEachRun(store.first, store.next, (words, at, count) => {
    metrics.addRecords(words, at, count);
    for (let i = at; i < at + count * RECORD_WORDS; i += RECORD_WORDS) {
      if (kindAt(words, i) === Kind['vmx.exit']) {
        const eip = eipAt(words, i);
        addresses.set(eip, (addresses.get(eip) ?? 0) + 1);
      }
    }
    first ??= { icount: icountAt(words, at), cycles: cyclesAt(words, at) };
    const end = at + (count - 1) * RECORD_WORDS;
    last = { icount: icountAt(words, end), cycles: cyclesAt(words, end) };
  });
  const incomplete = header.lostRecords > 0;
  const lines: string[] = [
    `Trace of ${header.image.name} (${header.cpu}, ${header.paging}${header.cmdline === '' ? '' : `, "${header.cmdline}"`})`,
    `Records: ${header.records}, lost: ${header.lostRecords}`,
    ...header.lost.map((gap) => `  ${gap.count} lost between instructions ${gap.firstIcount} and ${gap.lastIcount}`),
  ];
  if (first !== undefined) {
    const cycles = last.cycles - first.cycles;
    lines.push(
      `Instructions: ${last.icount - first.icount}, cycles: ${cycles} (${(cycles / header.cyclesPerSecond).toFixed(6)} s of virtual time)`,
    );
  }
  if (incomplete) lines.push('Shares marked ~ are of an incomplete trace.');

  const exits = metrics.exits();
  const total = exits.reduce((sum, exit) => sum + exit.count, 0);
  const number = (value: number | undefined): string => (value === undefined ? '-' : String(Math.round(value)));
  section(
    lines,
    'VM exits by reason',
    ['reason', 'count', 'share', 'cycles', 'mean', '5%', '50%', '95%', 'max'],
    [
      ...exits.map((e) => [
        `${e.reason} ${e.name}`,
        String(e.count),
        share(e.count, total, incomplete),
        String(e.cycles),
        number(e.cost?.mean),
        number(e.cost?.p5),
        number(e.cost?.p50),
        number(e.cost?.p95),
        number(e.cost?.max),
      ]),
      ...(exits.length > 1
        ? [['all', String(total), '', String(exits.reduce((sum, e) => sum + e.cycles, 0)), '', '', '', '', '']]
        : []),
    ],
  );
  counts(lines, 'Shadow faults by outcome', metrics.shadowFaults(), incomplete);
  counts(lines, 'Interrupts injected by vector', metrics.interruptsByVector(), incomplete);
  counts(lines, 'Exceptions injected by vector', metrics.exceptionsInjected(), incomplete);
  counts(lines, 'Rising edges by interrupt line', metrics.interruptsByLine(), incomplete);
  if (metrics.queued.count > 0) {
    const q = metrics.queued;
    lines.push(
      '',
      `Edge to injection: mean ${number(q.mean)}, 50% ${q.percentile(0.5)}, 95% ${q.percentile(0.95)}, max ${q.max} cycles; ` +
        `merged edges ${metrics.merged}, coalesced ${metrics.coalesced}, spurious ${metrics.spurious}`,
    );
  }
  const top = [...addresses].sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, TOP_ADDRESSES);
  section(
    lines,
    'VM exits by guest address',
    ['address', 'count', 'share', 'where'],
    top.map(([eip, count]) => [
      `0x${eip.toString(16).padStart(8, '0')}`,
      String(count),
      share(count, total, incomplete),
      locate(eip),
    ]),
  );
  return `${lines.join('\n')}\n`;
};

const share = (part: number, whole: number, incomplete: boolean): string =>
  whole === 0 ? '-' : `${incomplete ? '~' : ''}${((100 * part) / whole).toFixed(1)}%`;

const counts = (lines: string[], title: string, list: readonly CodeCount[], incomplete: boolean): void => {
  const total = list.reduce((sum, row) => sum + row.count, 0);
  section(
    lines,
    title,
    ['name', 'count', 'share'],
    list.map((row) => [row.name, String(row.count), share(row.count, total, incomplete)]),
  );
};

/** A table: the first and, if it is text, the last column to the left, numbers to the right. Nothing if there are no rows. */
const section = (
  lines: string[],
  title: string,
  head: readonly string[],
  rows: readonly (readonly string[])[],
): void => {
  if (rows.length === 0) return;
  const widths = head.map((cell, column) => Math.max(cell.length, ...rows.map((row) => row[column]!.length)));
  const text = (row: readonly string[]): string =>
    row
      .map((cell, column) =>
        column === 0 || head[column] === 'where' ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
      )
      .join('  ')
      .trimEnd();
  lines.push('', title, `  ${text(head)}`, ...rows.map((row) => `  ${text(row)}`));
};
