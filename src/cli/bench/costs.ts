// What single things cost: a VM exit, a page fault, a hypercall, an interrupt, a port access, a recorded event. Each has a guest that does
// nothing else; its time over its count is the cost, and that times the speed of plain code is the cost in guest instructions.

import type { Child } from './child.ts';
import { type Engine, engineOf } from './engines.ts';
import type { Measurement } from './report.ts';
import { emptyResults, lastOf, problemsOf, type Results, type RoundsOptions, runOnce, turned } from './rounds.ts';
import { type Spread, spreadOf } from './statistics.ts';
import { figure, spread, table } from './text.ts';

interface Cost {
  readonly text: string;
  readonly guest: string;
  readonly engine: string;
  /** Things in one repetition of the guest. */
  readonly each: number;
}

const both = (text: string, guest: string, each = 1): Cost[] => [
  { text: `${text}, bare machine`, guest, engine: 'kansoku', each },
  { text: `${text}, under the hypervisor`, guest, engine: 'hypervisor', each },
];

/** In the order of the table. */
const COSTS: readonly Cost[] = [
  { text: 'VM exit and entry (CPUID)', guest: 'cpuid', engine: 'hypervisor', each: 1 },
  { text: 'hypercall (VMCALL)', guest: 'vmcall', engine: 'hypervisor', each: 1 },
  ...both('page fault with its handler', 'page-fault'),
  ...both('INT n and IRET', 'int-iret'),
  ...both('timer interrupt: PIT, 8259A, HLT, IRET', 'tick'),
  ...both('port access', 'port-io', 3),
  ...both('write to a device in memory', 'mmio', 2000),
  ...both('system call by INT 80h', 'int80'),
  ...both('system call by SYSENTER', 'sysenter'),
];

/** Plain code: how many instructions a nanosecond is worth. */
const PLAIN = 'integer';
/** Every event comes from an exit: with and without observing, the difference is the events'. */
const EVENTS = { guest: 'cpuid', with: 'hypervisor', without: 'unobserved' } as const;

/** Guests that the costs are measured with. */
export const COST_GUESTS: readonly string[] = [...new Set(COSTS.map((cost) => cost.guest))];

export interface CostResult {
  readonly text: string;
  readonly nanoseconds: Spread;
  /** At the median. */
  readonly instructions: number;
}

const nanoseconds = (measurement: Measurement, each: number): number =>
  (measurement.milliseconds * 1e6) / (measurement.count * each);
/** Instructions a nanosecond. */
const speedOf = (plain: Results): number | undefined =>
  spreadOf(plain.warm.map((m) => m.cycles / (m.milliseconds * 1e6)))?.median;

/** Nanoseconds an event: a value for each round. */
export const eventCosts = (observed: readonly Measurement[], unobserved: readonly Measurement[]): number[] =>
  observed.flatMap((with_, round) => {
    const without = unobserved[round];
    const events = (with_.spent?.recorded ?? 0) - (without?.spent?.recorded ?? 0);
    return without === undefined || events <= 0 ? [] : [((with_.milliseconds - without.milliseconds) * 1e6) / events];
  });

/** Of guests that were not `wanted`, nothing. `wanted` undefined: of all. */
export const measureCosts = async (
  kernel: string,
  wanted: readonly string[] | undefined,
  child: Child,
  options: RoundsOptions,
): Promise<{ readonly costs: CostResult[]; readonly problems: string[] }> => {
  const rows = COSTS.filter((cost) => wanted?.includes(cost.guest) ?? true);
  const results = new Map<string, { engine: Engine; guest: string; results: Results }>();
  const need = (engine: string, guest: string): void => {
    results.set(`${engine} ${guest}`, { engine: engineOf(engine)!, guest, results: emptyResults() });
  };
  for (const row of rows) {
    need(row.engine, PLAIN);
    need(row.engine, row.guest);
  }
  const withEvents = rows.some((row) => row.guest === EVENTS.guest);
  if (withEvents) need(EVENTS.without, EVENTS.guest);
  const runs = [...results.values()];
  for (let round = 0; round < options.rounds; round++)
    for (const run of turned(runs, round)) {
      if (run.results.problem !== undefined || child.interrupted) continue;
      await runOnce(run.results, run.engine, { path: kernel }, run.guest, child, options);
      if (child.interrupted) return { costs: [], problems: [] };
      const said = `${run.engine.id} ${lastOf(run.results)}`;
      options.progress(`round ${round + 1}/${options.rounds} cost of ${run.guest}: ${said}`);
    }
  const warm = (engine: string, guest: string): Measurement[] => results.get(`${engine} ${guest}`)!.results.warm;
  const costs: CostResult[] = [];
  const add = (text: string, engine: string, values: readonly number[]): void => {
    const cost = spreadOf(values);
    const speed = speedOf(results.get(`${engine} ${PLAIN}`)!.results);
    if (cost !== undefined && speed !== undefined)
      costs.push({ text, nanoseconds: cost, instructions: cost.median * speed });
  };
  for (const { text, guest, engine, each } of rows)
    add(
      text,
      engine,
      warm(engine, guest).map((measurement) => nanoseconds(measurement, each)),
    );
  if (withEvents)
    add('recorded event', EVENTS.with, eventCosts(warm(EVENTS.with, EVENTS.guest), warm(EVENTS.without, EVENTS.guest)));
  const problems = runs.flatMap(({ guest, engine, results }) => problemsOf(guest, [[engine.id, results]]));
  return { costs, problems };
};

export const costTable = (costs: readonly CostResult[]): string =>
  table(
    ['', 'ns', 'guest instructions'],
    costs.map((cost) => [cost.text, spread(cost.nanoseconds), figure(cost.instructions)]),
  );
