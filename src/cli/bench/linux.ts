// A Linux kernel that boots in every engine: how long from the start of the process to its marks. Kernel and initial RAM disk are the
// user's; `npm run bench -- --debian` brings Debian's (scripts/bench.mjs).

import type { Child } from './child.ts';
import { pairsOf } from './comparison.ts';
import type { Engine } from './engines.ts';
import type { StampedLine } from './report.ts';
import { type RoundsOptions, turned } from './rounds.ts';
import { ratioOfMedians, type Spread, spreadOf } from './statistics.ts';
import { ratio, spread, table } from './text.ts';

export interface LinuxJob {
  readonly kernel: string;
  readonly initrd: string | undefined;
  readonly cmdline: string;
  /** The line that ends the measurement. */
  readonly until: string;
}

/** Marks on the way, by the text of their line; the last one is the job's. */
const MARKS = [
  ['first line of the kernel', /Linux version/],
  ['user space (`@INIT`)', /^@INIT/],
] as const;

/** Milliseconds by mark: from the machine being asked for to the line. */
export interface LinuxResults {
  readonly times: Map<string, number[]>;
  problem?: string;
}

export interface LinuxOutcome {
  readonly job: LinuxJob;
  readonly results: ReadonlyMap<string, LinuxResults>;
}

/** How the last mark is called. */
export const lastMark = ({ until }: Pick<LinuxJob, 'until'>): string => `\`${until}\``;

const marksUntil = (until: string): readonly (readonly [string, RegExp])[] => [
  ...MARKS,
  [lastMark({ until }), new RegExp(until)],
];
/** The marks that were reached, with the index of the first line of each. */
export const marksOf = (
  lines: readonly StampedLine[],
  until: string,
): { readonly mark: string; readonly index: number }[] =>
  marksUntil(until).flatMap(([mark, pattern]) => {
    const index = lines.findIndex((line) => pattern.test(line.text));
    return index < 0 ? [] : [{ mark, index }];
  });

export const runLinux = async (
  job: LinuxJob,
  engines: readonly Engine[],
  child: Child,
  options: RoundsOptions,
): Promise<Map<string, LinuxResults>> => {
  const results = new Map<string, LinuxResults>(engines.map((engine) => [engine.id, { times: new Map() }]));
  for (let round = 0; round < options.rounds; round++)
    for (const engine of turned(engines, round)) {
      const into = results.get(engine.id)!;
      if (into.problem !== undefined || child.interrupted) continue;
      const run = await engine.run(
        {
          image: job.kernel,
          linux: true,
          cmdline: job.cmdline,
          ...(job.initrd === undefined ? {} : { initrd: job.initrd }),
          memoryBytes: options.memoryBytes,
          until: job.until,
        },
        child,
        options.root,
      );
      if (child.interrupted) return results;
      if (run.problem !== undefined) into.problem = run.problem;
      // The stamps have a clock of their own; the first line is where both meet.
      const offset = (run.firstLineMilliseconds ?? 0) - (run.lines[0]?.at ?? 0);
      for (const { mark, index } of marksOf(run.lines, job.until))
        into.times.set(mark, [...(into.times.get(mark) ?? []), run.lines[index]!.at + offset]);
      const end = run.problem ?? `${((run.lines.at(-1)!.at + offset) / 1000).toFixed(1)} s`;
      options.progress(`round ${round + 1}/${options.rounds} Linux: ${engine.id} ${end}`);
    }
  return results;
};

export const linuxTable = (
  results: ReadonlyMap<string, LinuxResults>,
  engines: readonly Engine[],
  until: string,
): string => {
  const pairs = pairsOf(engines);
  /** In seconds. */
  const time = (engine: Engine, mark: string): Spread | undefined =>
    spreadOf((results.get(engine.id)?.times.get(mark) ?? []).map((milliseconds) => milliseconds / 1000));
  const shown = marksUntil(until)
    .map(([mark]) => mark)
    .filter((mark) => engines.some((engine) => time(engine, mark) !== undefined));
  return table(
    [
      '',
      ...engines.map((engine) => `${engine.title}, s`),
      ...pairs.map(({ own, rival }) => `${rival.title} / ${own.title}`),
    ],
    shown.map((mark) => [
      mark,
      ...engines.map((engine) => spread(time(engine, mark))),
      ...pairs.map(({ own, rival }) => ratio(ratioOfMedians(time(rival, mark), time(own, mark)))),
    ]),
  );
};
