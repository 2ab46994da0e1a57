// The guests' results as tables: times with their spread, speed, and how many times longer a rival takes. Pure.

import type { Engine } from './engines.ts';
import { type GuestResults, nameOf, type Results } from './rounds.ts';
import { geometricMean, ratioOfMedians, type Spread, spreadOf } from './statistics.ts';
import { figure, ratio, spread, table } from './text.ts';

export type Pass = 'cold' | 'warm';

export const timeOf = (results: Results | undefined, pass: Pass): Spread | undefined =>
  results === undefined || results.problem !== undefined
    ? undefined
    : spreadOf(results[pass].map((measurement) => measurement.milliseconds));

/** Rival's median over ours: above 1, ours is faster. Undefined where one has no time. */
export const ratioOf = (row: GuestResults, rival: string, own: string, pass: Pass): number | undefined =>
  ratioOfMedians(timeOf(row.engines.get(rival), pass), timeOf(row.engines.get(own), pass));

/** Every pair that is compared: each of ours with each rival. */
export const pairsOf = (engines: readonly Engine[]): { readonly rival: Engine; readonly own: Engine }[] => {
  const own = engines.filter((engine) => engine.ours);
  const rivals = engines.filter((engine) => !engine.ours);
  return own.flatMap((mine) => rivals.map((rival) => ({ rival, own: mine })));
};

/** Geometric mean over the guests that both have, and their number. */
export const meanRatio = (
  rows: readonly GuestResults[],
  rival: string,
  own: string,
  pass: Pass,
): { readonly mean: number | undefined; readonly guests: number } => {
  const ratios = rows.map((row) => ratioOf(row, rival, own, pass)).filter((value) => value !== undefined);
  return { mean: geometricMean(ratios), guests: ratios.length };
};

/** Instructions of a guest in millions, as the first of ours counted them with its time-stamp counter. */
const millions = (row: GuestResults, engines: readonly Engine[]): number | undefined => {
  const own = engines.find((engine) => engine.ours && (row.engines.get(engine.id)?.warm.length ?? 0) > 0);
  const cycles = own === undefined ? undefined : row.engines.get(own.id)!.warm[0]!.cycles;
  return cycles === undefined || cycles === 0 ? undefined : cycles / 1e6;
};

export const comparisonTable = (rows: readonly GuestResults[], engines: readonly Engine[], pass: Pass): string => {
  const pairs = pairsOf(engines);
  const first = engines.find((engine) => engine.ours);
  const head = [
    'guest',
    '10^6 instructions',
    ...engines.map((engine) => `${engine.title}, ms`),
    ...(first === undefined ? [] : [`${first.title}, MIPS`]),
    ...pairs.map(({ rival, own }) => `${rival.title} / ${own.title}`),
  ];
  const body = rows.map((row) => {
    const work = millions(row, engines);
    const mine = first === undefined ? undefined : timeOf(row.engines.get(first.id), pass);
    return [
      nameOf(row),
      work === undefined ? '' : figure(work),
      ...engines.map((engine) => {
        const results = row.engines.get(engine.id);
        return results?.problem === undefined ? spread(timeOf(results, pass)) : 'failed';
      }),
      ...(first === undefined
        ? []
        : [mine === undefined || work === undefined ? '' : figure((work * 1000) / mine.median)]),
      ...pairs.map(({ rival, own }) => ratio(ratioOf(row, rival.id, own.id, pass))),
    ];
  });
  const means = pairs.map(({ rival, own }) => ratio(meanRatio(rows, rival.id, own.id, pass).mean));
  const blank = Array.from({ length: head.length - 1 - pairs.length }, () => '');
  return table(head, pairs.length === 0 ? body : [...body, ['geometric mean', ...blank, ...means]]);
};

/** Start-up and memory, over all runs of one guest that touches next to no memory: what is its own is left out where that is known. */
export const startTable = (row: GuestResults, engines: readonly Engine[]): string =>
  table(
    ['', 'machine built, ms', 'process start to the first line, ms', 'memory besides the guest, MiB'],
    engines.map((engine) => {
      const results = row.engines.get(engine.id)!;
      // Of QEMU only the whole is known.
      const bytes = results.besidesBytes.length > 0 ? results.besidesBytes : results.residentBytes;
      const mebibytes = bytes.map((count) => count / 2 ** 20);
      return [
        engine.title,
        spread(spreadOf(results.builtMilliseconds)),
        spread(spreadOf(results.firstLineMilliseconds)),
        spread(spreadOf(mebibytes)),
      ];
    }),
  );
