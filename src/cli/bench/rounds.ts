// The measuring: rounds in which every guest runs once in every engine, one after the other, so that what else the computer does falls on
// all alike. Each run is a fresh process that runs the guest twice: the first time is "cold", the second "warm".

import type { Child } from './child.ts';
import { type Engine, runKernel } from './engines.ts';
import type { Kernel } from './guests.ts';
import { type Measurement, readMeasurements } from './report.ts';

/** What a guest gave in one engine, over the rounds. */
export interface Results {
  readonly cold: Measurement[];
  readonly warm: Measurement[];
  /** One a round: from the start of the process to the guest's first line, and the rest of child.ts's Run. */
  readonly firstLineMilliseconds: number[];
  readonly builtMilliseconds: number[];
  readonly residentBytes: number[];
  readonly besidesBytes: number[];
  /** Why the guest did not end in this engine; it is not tried again. */
  problem?: string;
}

export interface GuestResults {
  readonly kernel: Kernel;
  readonly guest: string;
  /** By engine. */
  readonly engines: ReadonlyMap<string, Results>;
}

export interface Selected {
  readonly kernel: Kernel;
  readonly guest: string;
}

export interface RoundsOptions {
  readonly rounds: number;
  readonly memoryBytes: number;
  readonly root: string;
  /** A line for whoever waits. */
  readonly progress: (line: string) => void;
}

export const emptyResults = (): Results => ({
  cold: [],
  warm: [],
  firstLineMilliseconds: [],
  builtMilliseconds: [],
  residentBytes: [],
  besidesBytes: [],
});

/** Runs the guest twice in a fresh process and adds what it gave. */
export const runOnce = async (
  results: Results,
  engine: Engine,
  kernel: Pick<Kernel, 'path'>,
  guest: string,
  child: Child,
  options: Pick<RoundsOptions, 'memoryBytes' | 'root'>,
): Promise<void> => {
  const run = await runKernel(engine, kernel.path, `${guest} ${guest}`, child, options);
  const [cold, warm] = readMeasurements(run.lines);
  if (cold !== undefined) results.cold.push(cold);
  if (warm !== undefined) results.warm.push(warm);
  if (run.firstLineMilliseconds !== undefined) results.firstLineMilliseconds.push(run.firstLineMilliseconds);
  if (run.builtMilliseconds !== undefined) results.builtMilliseconds.push(run.builtMilliseconds);
  if (run.residentBytes !== undefined) results.residentBytes.push(run.residentBytes);
  if (run.besidesBytes !== undefined) results.besidesBytes.push(run.besidesBytes);
  const silent = warm === undefined ? 'the guest printed no result (@E NAME COUNT sum=...)' : undefined;
  const problem = run.problem ?? silent;
  if (problem !== undefined) results.problem = problem;
};

/** How the last run ended, for whoever waits. */
export const lastOf = ({ problem, warm }: Results): string => problem ?? `${warm.at(-1)!.milliseconds.toFixed(0)} ms`;

/** One line for each engine that did not come to an end with `name`. */
export const problemsOf = (
  name: string,
  engines: Iterable<readonly [string, { readonly problem?: string }]>,
): string[] =>
  [...engines].flatMap(([id, { problem }]) => (problem === undefined ? [] : [`${name} in ${id}: ${problem}`]));

/** The engines in this round's order: each comes first once in a while. */
export const turned = <T>(list: readonly T[], round: number): T[] =>
  list.map((_, i) => list[(i + round) % list.length]!);

/** Ends early when `child` is ended. */
export const runRounds = async (
  selected: readonly Selected[],
  engines: readonly Engine[],
  child: Child,
  options: RoundsOptions,
): Promise<GuestResults[]> => {
  const results = selected.map(({ kernel, guest }) => ({
    kernel,
    guest,
    engines: new Map(engines.map((engine) => [engine.id, emptyResults()])),
  }));
  for (let round = 0; round < options.rounds; round++)
    for (const row of results) {
      const said: string[] = [];
      for (const engine of turned(engines, round)) {
        const into = row.engines.get(engine.id)!;
        if (into.problem !== undefined || child.interrupted) continue;
        await runOnce(into, engine, row.kernel, row.guest, child, options);
        said.push(`${engine.id} ${lastOf(into)}`);
      }
      if (child.interrupted) return results;
      options.progress(`round ${round + 1}/${options.rounds} ${nameOf(row)}: ${said.join(', ')}`);
    }
  return results;
};

/** Repetitions of a check: the checksums show whether an engine computes right, the time is not looked at. */
const CHECKED = 3;

/** Every guest briefly in every engine, one process for each kernel and engine. */
export const runCheck = async (
  selected: readonly Selected[],
  engines: readonly Engine[],
  child: Child,
  options: RoundsOptions,
): Promise<GuestResults[]> => {
  const rows: GuestResults[] = [];
  for (const kernel of new Set(selected.map((row) => row.kernel))) {
    const guests = selected.filter((row) => row.kernel === kernel).map((row) => row.guest);
    const cmdline = guests.map((guest) => `${guest}:${CHECKED}`).join(' ');
    const columns = new Map<string, { measurements: Measurement[]; problem: string | undefined }>();
    for (const engine of engines) {
      const run = await runKernel(engine, kernel.path, cmdline, child, options);
      columns.set(engine.id, { measurements: readMeasurements(run.lines), problem: run.problem });
      options.progress(`${kernel.label === '' ? 'guests' : kernel.label} in ${engine.id}: ${run.problem ?? 'done'}`);
    }
    for (const guest of guests)
      rows.push({
        kernel,
        guest,
        engines: new Map(
          [...columns].map(([id, { measurements, problem }]) => {
            const cold = measurements.filter(({ name }) => name === guest);
            const missing = cold.length > 0 ? {} : { problem: problem ?? 'it printed no result' };
            return [id, { ...emptyResults(), cold, ...missing }];
          }),
        ),
      });
  }
  return rows;
};

/** A guest as tables and messages name it. */
export const nameOf = ({ kernel, guest }: Pick<GuestResults, 'kernel' | 'guest'>): string =>
  kernel.label === '' ? guest : `${kernel.label}/${guest}`;

/** Engines must agree on a guest's checksums: one line for each run that does not. */
export const disagreements = (rows: readonly GuestResults[]): string[] =>
  rows.flatMap((row) =>
    (['cold', 'warm'] as const).flatMap((pass) => {
      const sums = new Map<string, string[]>();
      for (const [id, results] of row.engines)
        for (const sum of new Set(results[pass].map((measurement) => measurement.sum)))
          sums.set(sum, [...(sums.get(sum) ?? []), id]);
      if (sums.size <= 1) return [];
      const said = [...sums].map(([sum, ids]) => `${sum} in ${ids.join(', ')}`).join('; ');
      return [`${nameOf(row)}, ${pass === 'cold' ? 'first' : 'second'} pass: checksums differ: ${said}`];
    }),
  );
