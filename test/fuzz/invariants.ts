// What must hold for every fuzz case: it ends, the state is legal, and it is the same state on every machine and however the run is cut.
// Not the machines (executor.ts) and not what to do about a finding (shrink.ts).

import type { Executor } from './executor.ts';
import type { Executors } from './executors.ts';
import type { FuzzCase } from './fuzz-case.ts';
import { Random } from './random.ts';

export interface Finding {
  readonly invariant: 'hangs' | 'throws' | 'ends' | 'legal' | 'repeats' | 'slices' | 'steps' | 'fresh' | 'time';
  readonly detail: string;
}

export interface Verdict {
  readonly finding: Finding | undefined;
  /** Instructions retired in all runs of the case. */
  readonly instructions: number;
  readonly stopped: string | undefined;
}

export interface Depth {
  /** Also on a machine made for this case. */
  readonly fresh: boolean;
  /** Also the whole TLB. */
  readonly deep: boolean;
}

/** A number of cycles at a time, by a plan that depends on the seed alone. */
type Plan = () => number;
const whole: Plan = () => Infinity;
const slices = (seed: number): Plan => {
  const r = new Random(seed, 3);
  return () => (r.chance(50) ? r.between(1, 8) : r.between(1, 400));
};
const single: Plan = () => 1;

const message = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : `not an Error: ${String(error)}`;

/** Runs the case to `cycles`; a finding if it throws, returns early, or leaves an illegal state. */
const execute = (executor: Executor, c: FuzzCase, plan: Plan, deep: boolean): Finding | undefined => {
  try {
    executor.start(c);
    while (executor.now < c.cycles && executor.stopped === undefined) {
      const from = executor.now;
      const retired = executor.retired;
      const halted = executor.halted;
      const until = Math.min(c.cycles, from + plan());
      executor.run(until);
      const ended = executor.now === until || (!executor.exact && executor.now > until);
      if (executor.stopped === undefined ? !ended : executor.exact && executor.now > until)
        return { invariant: 'ends', detail: `${executor.name}: run to ${until} ended at ${executor.now}` };
      // A handler that faults at once is a loop without an instruction: faults then take the time.
      if (
        plan === single &&
        !halted &&
        !executor.halted &&
        executor.stopped === undefined &&
        executor.exact &&
        executor.retired > retired + 1
      )
        return {
          invariant: 'time',
          detail: `${executor.name}: ${executor.retired - retired} instructions in cycle ${from}`,
        };
    }
    const wrong = executor.violations(deep);
    return wrong.length === 0 ? undefined : { invariant: 'legal', detail: `${executor.name}: ${wrong.join('; ')}` };
  } catch (error) {
    return { invariant: 'throws', detail: `${executor.name} at ${place(executor)}: ${message(error)}` };
  }
};
const place = (executor: Executor): string => {
  try {
    return executor.where();
  } catch {
    return '?';
  }
};

const difference = (a: Executor, b: Executor): string => {
  const [left, right] = [a.registers(), b.registers()];
  const names = new Set([...Object.keys(left), ...Object.keys(right)]);
  const lines: string[] = [];
  for (const name of names)
    if (left[name] !== right[name]) lines.push(`${name}: ${left[name] ?? '-'} | ${right[name] ?? '-'}`);
  return lines.map((line) => (line.length > 400 ? `${line.slice(0, 400)}...` : line)).join('\n    ');
};

/** Checks every invariant; the first that fails is the finding. */
export const verify = (c: FuzzCase, executors: Executors, depth: Depth): Verdict => {
  const straight = executors.get(c, 0);
  const other = executors.get(c, 1);
  const fail = (finding: Finding): Verdict => ({ finding, instructions: 0, stopped: undefined });
  const first = execute(straight, c, whole, depth.deep);
  if (first !== undefined) return fail(first);
  const hash = straight.hash();
  const stopped = straight.stopped;
  let instructions = straight.retired;
  const compare = (
    invariant: Finding['invariant'],
    executor: Executor,
    plan: Plan,
    again = false,
  ): Finding | undefined => {
    const wrong = execute(executor, c, plan, depth.deep && !again);
    if (wrong !== undefined) return wrong;
    instructions += executor.retired;
    if (executor.hash() === hash && executor.stopped === stopped) return undefined;
    if (executor === straight) return { invariant, detail: `${executor.name}: another state after the same run` };
    return {
      invariant,
      detail: `stopped: ${stopped ?? 'no'} | ${executor.stopped ?? 'no'}\n    ${difference(straight, executor)}`,
    };
  };
  const hypervisor = c.environment === 'hypervisor';
  const finding =
    (hypervisor ? undefined : compare('repeats', straight, whole, true)) ??
    compare('slices', other, slices(c.seed)) ??
    (hypervisor && !depth.deep ? undefined : compare('steps', other, single)) ??
    (depth.fresh ? compare('fresh', executors.fresh(c), whole) : undefined);
  return { finding, instructions, stopped };
};
