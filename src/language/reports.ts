// What the guest did in a file, as lenses and hover text. Not the protocol (server.ts).

import type { FileReport, LineReport } from '../protocol/language.ts';
import type { Translate } from '../protocol/strings.ts';

export interface Lens {
  /** From 0. */
  readonly line: number;
  readonly title: string;
}

type Reasons = readonly { readonly name: string; readonly count: number }[];

/** Reasons a lens names before it says "…". */
const NAMED = 3;
const GROUPED = new Intl.NumberFormat('en-US');

const merge = (lines: readonly LineReport[]): Reasons => {
  const counts = new Map<string, number>();
  for (const { reasons } of lines) {
    for (const { name, count } of reasons) counts.set(name, (counts.get(name) ?? 0) + count);
  }
  return [...counts].map(([name, count]) => ({ name, count })).sort((a, b) => b.count - a.count);
};

const title = (lines: readonly LineReport[], t: Translate): string => {
  const exits = lines.reduce((sum, line) => sum + line.exits, 0);
  const reasons = merge(lines);
  const named = reasons
    .slice(0, NAMED)
    .map(({ name, count }) => (reasons.length === 1 ? name : `${name} ${GROUPED.format(count)}`));
  const head = exits === 1 ? t('1 VM exit') : t('{0} VM exits', GROUPED.format(exits));
  return [head, ...named, ...(reasons.length > NAMED ? ['…'] : [])].join(' · ');
};

/** One lens above each function with exits; lines outside any function known here have their own. */
export const lensesOf = ({ lines }: FileReport, t: Translate): Lens[] => {
  const groups = new Map<number, LineReport[]>();
  for (const line of lines) {
    const at = line.functionLine ?? line.line;
    const group = groups.get(at);
    if (group === undefined) groups.set(at, [line]);
    else group.push(line);
  }
  return [...groups].sort(([a], [b]) => a - b).map(([line, group]) => ({ line: line - 1, title: title(group, t) }));
};

/** Markdown about a line (from 0); undefined if nothing happened there. */
export const hoverOf = ({ lines }: FileReport, line: number, t: Translate): string | undefined => {
  const here = lines.filter((report) => report.line === line + 1);
  if (here.length === 0) return undefined;
  const exits = here.reduce((sum, report) => sum + report.exits, 0);
  const rows = merge(here).map(({ name, count }) => `| ${name} | ${GROUPED.format(count)} |`);
  return [
    `**Kansoku** · ${exits === 1 ? t('1 VM exit') : t('{0} VM exits', GROUPED.format(exits))}`,
    '',
    `| ${t('Exit reason')} | ${t('Count')} |`,
    '| :-- | --: |',
    ...rows,
  ].join('\n');
};
