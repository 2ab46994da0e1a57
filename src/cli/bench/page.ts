// The measured parts of docs/performance.md, also what is printed: machine, versions, tables, how to read them. The page around them is
// written by hand; each part stands between two comments. Pure but for the facts about this computer.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { UserError } from '../../workers/session.ts';
import { comparisonTable, meanRatio, pairsOf, startTable } from './comparison.ts';
import { type CostResult, costTable } from './costs.ts';
import type { Engine } from './engines.ts';
import { type LinuxOutcome, linuxTable } from './linux.ts';
import { observingTable } from './observing.ts';
import { type GuestResults, nameOf } from './rounds.ts';
import { ratio } from './text.ts';

/** This computer and what ran on it. */
export interface Surroundings {
  readonly date: string;
  readonly processor: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly system: string;
  /** Node and V8. */
  readonly node: string;
  readonly engines: readonly string[];
  /** Load averages over a minute, before and after. */
  readonly loadBefore: number;
  readonly loadAfter: number;
  readonly command: string;
}

const systemName = (): string => {
  try {
    return /^PRETTY_NAME="?([^"\n]+)/m.exec(readFileSync('/etc/os-release', 'utf8'))![1]!;
  } catch {
    return process.platform;
  }
};
const compilerName = (): string | undefined => {
  try {
    return execFileSync('gcc', ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).split('\n')[0];
  } catch {
    return undefined;
  }
};

export const surroundings = (
  engines: readonly Engine[],
  root: string,
  loadBefore: number,
  command: string,
): Surroundings => {
  const processors = cpus();
  const compiler = compilerName();
  return {
    date: new Date().toISOString().slice(0, 10),
    processor: processors[0]?.model.trim() ?? 'unknown processor',
    cores: processors.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: systemName(),
    node: `Node ${process.versions.node} (V8 ${process.versions.v8})`,
    engines: [
      ...new Set(engines.map((engine) => engine.version(root))),
      ...(compiler === undefined ? [] : [`guests by ${compiler}`]),
    ],
    loadBefore,
    loadAfter: loadavg()[0]!,
    command,
  };
};

export interface Outcome {
  readonly surroundings: Surroundings;
  readonly rounds: number;
  readonly engines: readonly Engine[];
  readonly guests: readonly GuestResults[];
  readonly costs: readonly CostResult[];
  readonly linux?: LinuxOutcome;
  /** Engines that are left out, with the reason. */
  readonly missing: readonly string[];
  /** What went wrong: runs that did not end, checksums that differ. */
  readonly errors: readonly string[];
}

const summary = ({ guests, engines }: Outcome): string[] =>
  pairsOf(engines).flatMap(({ rival, own }) => {
    const warm = meanRatio(guests, rival.id, own.id, 'warm');
    const cold = meanRatio(guests, rival.id, own.id, 'cold');
    if (warm.mean === undefined && cold.mean === undefined) return [];
    const times = `${ratio(warm.mean)} times as long warm and ${ratio(cold.mean)} times cold`;
    return [`- ${rival.title} takes ${times} as ${own.title} (geometric mean of ${warm.guests} guests).`];
  });

/** A guest that touches next to no memory: its process shows what the engine takes. */
const SMALL = 'integer';

/** When, how and on what it was measured, and what went wrong. */
const opening = ({ surroundings: s, engines, missing, errors }: Outcome): string[] => [
  `Measured ${s.date} by \`${s.command}\`: ${s.processor}, ${s.cores} processors, ${s.memoryGiB} GiB, ${s.system}, ${s.node}; ${s.engines.join('; ')}. Load average ${s.loadBefore.toFixed(1)} before, ${s.loadAfter.toFixed(1)} after: above 1 before it, others used the computer.`,
  engines.map((engine) => `- **${engine.title}**: ${engine.text}.`).join('\n'),
  ...(missing.length === 0 ? [] : [`Left out: ${missing.join('; ')}.`]),
  ...(errors.length === 0 ? [] : [`**Errors:**\n\n${errors.map((line) => `- ${line}`).join('\n')}`]),
];

/** What observing costs: the page's other measured part. */
export const observingPageOf = (outcome: Outcome): string =>
  [...opening(outcome), observingTable(outcome.guests, outcome.linux)].join('\n\n');

export const pageOf = (outcome: Outcome): string => {
  const { engines, guests } = outcome;
  const small = guests.find((row) => nameOf(row) === SMALL);
  const parts = opening(outcome);
  if (guests.length > 0) {
    const said = summary(outcome);
    if (said.length > 0) parts.push(said.join('\n'));
    parts.push(
      `### Warm: second run in the same process\n\n${comparisonTable(guests, engines, 'warm')}`,
      `### Cold: first run in a fresh process\n\n${comparisonTable(guests, engines, 'cold')}`,
    );
  }
  if (small !== undefined)
    parts.push(`### Start-up and memory, with \`${nameOf(small)}\`\n\n${startTable(small, engines)}`);
  if (outcome.costs.length > 0) parts.push(`### What one of each costs\n\n${costTable(outcome.costs)}`);
  if (outcome.linux !== undefined) {
    const { job, results } = outcome.linux;
    parts.push(
      `### Linux, from the start of the process\n\nCommand line \`${job.cmdline}\`.\n\n${linuxTable(results, engines, job.until)}`,
    );
  }
  return parts.join('\n\n');
};

/** The comments that a measured part of the page begins with, and the one that it ends with. */
export const Part = {
  GUESTS: '<!-- measured: kansoku bench --write -->',
  OBSERVING: '<!-- measured: kansoku bench --observing --write -->',
} as const;
export type Part = (typeof Part)[keyof typeof Part];
const CLOSE = '<!-- end -->';

/** The page with one of its measured parts replaced. Throws UserError for a page that has none. */
export const withMeasured = (page: string, open: Part, text: string, file: string): string => {
  const from = page.indexOf(open);
  const to = page.indexOf(CLOSE, from);
  if (from < 0 || to < 0) throw new UserError(`--write: ${file}: has no part between "${open}" and "${CLOSE}"`);
  return `${page.slice(0, from)}${open}\n\n${text}\n\n${page.slice(to)}`;
};

/** For `--json`: every single time. */
export const jsonOf = (outcome: Outcome): unknown => ({
  ...outcome.surroundings,
  rounds: outcome.rounds,
  missing: outcome.missing,
  errors: outcome.errors,
  ratios: pairsOf(outcome.engines).map(({ rival, own }) => ({
    rival: rival.id,
    engine: own.id,
    warm: meanRatio(outcome.guests, rival.id, own.id, 'warm').mean ?? null,
    cold: meanRatio(outcome.guests, rival.id, own.id, 'cold').mean ?? null,
  })),
  guests: outcome.guests.map((row) => ({ name: nameOf(row), engines: Object.fromEntries(row.engines) })),
  costs: outcome.costs,
  linux:
    outcome.linux === undefined
      ? null
      : Object.fromEntries(
          [...outcome.linux.results].map(([id, result]) => [
            id,
            {
              milliseconds: Object.fromEntries(result.times),
              ...(result.problem === undefined ? {} : { problem: result.problem }),
            },
          ]),
        ),
});
