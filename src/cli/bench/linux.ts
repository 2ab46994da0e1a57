// A Linux kernel that boots in every engine: how long from the start of the process to its marks. Kernel and initial RAM disk are the
// user's; `npm run bench -- --debian` brings Debian's (scripts/bench.mjs).

import type { Child } from './child.ts';
import type { Engine } from './engines.ts';
import type { StampedLine } from './report.ts';
import { type RoundsOptions, turned } from './rounds.ts';
import { spreadOf } from './statistics.ts';
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
  readonly times: ReadonlyMap<string, number[]>;
  problem?: string;
}

/** `start`: the engine's clock when its machine was asked for. */
export const marksOf = (
  lines: readonly StampedLine[],
  until: string,
): { readonly mark: string; readonly index: number }[] => {
  const last = new RegExp(until);
  return [...MARKS, [`\`${until}\``, last] as const].flatMap(([mark, pattern]) => {
    const index = lines.findIndex((line) => pattern.test(line.text));
    return index < 0 ? [] : [{ mark, index }];
  });
};

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
      const times = into.times as Map<string, number[]>;
      for (const { mark, index } of marksOf(run.lines, job.until))
        times.set(mark, [...(times.get(mark) ?? []), run.lines[index]!.at + offset]);
      const end = run.problem ?? `${((run.lines.at(-1)!.at + offset) / 1000).toFixed(1)} s`;
      options.progress(`round ${round + 1}/${options.rounds} Linux: ${engine.id} ${end}`);
    }
  return results;
};

const seconds = (times: readonly number[] | undefined): number[] => (times ?? []).map((time) => time / 1000);

export const linuxTable = (
  results: ReadonlyMap<string, LinuxResults>,
  engines: readonly Engine[],
  until: string,
): string => {
  const marks = [...MARKS.map(([mark]) => mark as string), `\`${until}\``];
  const pairs = engines
    .filter((engine) => engine.ours)
    .flatMap((own) => engines.filter((engine) => !engine.ours).map((rival) => ({ own, rival })));
  const time = (engine: Engine, mark: string): number[] => seconds(results.get(engine.id)?.times.get(mark));
  const shown = marks.filter((mark) => engines.some((engine) => time(engine, mark).length > 0));
  return table(
    [
      '',
      ...engines.map((engine) => `${engine.title}, s`),
      ...pairs.map(({ own, rival }) => `${rival.title} / ${own.title}`),
    ],
    shown.map((mark) => [
      mark,
      ...engines.map((engine) => spread(spreadOf(time(engine, mark)))),
      ...pairs.map(({ own, rival }) => {
        const [theirs, mine] = [spreadOf(time(rival, mark)), spreadOf(time(own, mark))];
        return theirs === undefined || mine === undefined ? '' : ratio(theirs.median / mine.median);
      }),
    ]),
  );
};
