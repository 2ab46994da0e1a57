// What observing costs: every guest under the hypervisor with everything observed and with nothing, one after the other in each round. As
// one table: times, their ratio round by round, memory. Pure; the measuring is rounds.ts's and linux.ts's.

import { lastMark, type LinuxOutcome } from './linux.ts';
import { type GuestResults, nameOf, type Results } from './rounds.ts';
import { geometricMean, type Spread, spreadOf } from './statistics.ts';
import { figure, ratio, table } from './text.ts';

/** Engines of the two sides. */
export const OBSERVED = 'hypervisor';
export const UNOBSERVED = 'unobserved';

/** Observed over unobserved: a value for each round that has both. */
export const ratiosOf = (observed: readonly number[], unobserved: readonly number[]): number[] =>
  observed.slice(0, unobserved.length).map((time, round) => time / unobserved[round]!);

/** Processor time of all threads: it says what the work is, whoever else uses the computer. */
const times = (results: Results, pass: 'cold' | 'warm'): number[] =>
  results[pass].map((measurement) => measurement.spent?.processorMilliseconds ?? measurement.milliseconds);
const ratioSpread = (value: Spread | undefined): string =>
  value === undefined ? '' : `${ratio(value.median)} (${ratio(value.least)} to ${ratio(value.most)})`;
const mebibytes = (bytes: readonly number[]): string => {
  const median = spreadOf(bytes)?.median;
  return median === undefined ? '' : figure(median / 2 ** 20);
};
const milliseconds = (values: readonly number[]): string => {
  const median = spreadOf(values)?.median;
  return median === undefined ? '' : figure(median);
};

interface Row {
  readonly cells: readonly string[];
  readonly warm: number | undefined;
  readonly cold: number | undefined;
}

const guestRow = (row: GuestResults): Row => {
  const observed = row.engines.get(OBSERVED)!;
  const unobserved = row.engines.get(UNOBSERVED)!;
  const name = nameOf(row);
  const blank = (count: number): string[] => Array.from({ length: count }, () => '');
  if (observed.problem !== undefined || unobserved.problem !== undefined)
    return { cells: [name, 'failed', ...blank(7)], warm: undefined, cold: undefined };
  const warm = spreadOf(ratiosOf(times(observed, 'warm'), times(unobserved, 'warm')));
  const cold = spreadOf(ratiosOf(times(observed, 'cold'), times(unobserved, 'cold')));
  const first = observed.cold[0]?.spent;
  const cells = [
    name,
    first === undefined ? '' : figure(first.exits / 1000),
    first === undefined ? '' : figure(first.recorded / 1000),
    milliseconds(times(unobserved, 'warm')),
    milliseconds(times(observed, 'warm')),
    ratioSpread(warm),
    ratioSpread(cold),
    mebibytes(unobserved.besidesBytes),
    mebibytes(observed.besidesBytes),
  ];
  return { cells, warm: warm?.median, cold: cold?.median };
};

const linuxRow = ({ job, results }: LinuxOutcome): readonly string[] => {
  const of = (id: string): readonly number[] => results.get(id)?.times.get(lastMark(job)) ?? [];
  const spread = spreadOf(ratiosOf(of(OBSERVED), of(UNOBSERVED)));
  const name = `Linux to ${lastMark(job)}`;
  return [name, '', '', milliseconds(of(UNOBSERVED)), milliseconds(of(OBSERVED)), '', ratioSpread(spread), '', ''];
};

/** The geometric means are the guests', without Linux. */
export const observingTable = (guests: readonly GuestResults[], linux: LinuxOutcome | undefined): string => {
  const rows = guests.map(guestRow);
  const mean = (pass: 'warm' | 'cold'): string =>
    ratio(geometricMean(rows.map((row) => row[pass]).filter((value) => value !== undefined)));
  return table(
    [
      'guest',
      '10^3 exits',
      '10^3 events',
      'nothing, ms',
      'everything, ms',
      'everything / nothing, warm',
      'cold',
      'memory besides the guest, nothing, MiB',
      'everything, MiB',
    ],
    [
      ...rows.map((row) => row.cells),
      ...(linux === undefined ? [] : [linuxRow(linux)]),
      ['geometric mean', '', '', '', '', mean('warm'), mean('cold'), '', ''],
    ],
  );
};
