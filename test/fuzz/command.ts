// `node scripts/fuzz.mjs`: one seed again, with what it does and, with --shrink, the smallest case that still fails; or a campaign of so
// many seconds. Not the specs (fuzz.spec.ts, fuzz.long.spec.ts).

import { Campaign, depthOf, describeFailure, environmentOf } from './campaign.ts';
import { CaseRunner } from './case-runner.ts';
import { describeCase, type Environment, ENVIRONMENTS } from './fuzz-case.ts';
import { makeCase } from './scene.ts';
import { listing, shrink } from './shrink.ts';

const USAGE = `node scripts/fuzz.mjs --seed N [--environment NAME] [--shrink] [--trace COUNT]
node scripts/fuzz.mjs --seconds S [--from N] [--environment NAME]
environments: ${ENVIRONMENTS.join(', ')}; without one the seed says which`;

class Arguments {
  constructor(private readonly list: readonly string[]) {}
  has(name: string): boolean {
    return this.list.includes(name);
  }
  text(name: string): string | undefined {
    const at = this.list.indexOf(name);
    return at < 0 ? undefined : this.list[at + 1];
  }
  number(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = Number(text);
    if (Number.isSafeInteger(value) && value >= 0) return value;
    console.error(`${name} ${text}: not a number\n${USAGE}`);
    process.exit(2);
  }
}

const again = async (runner: CaseRunner, seed: number, environment: Environment, args: Arguments): Promise<boolean> => {
  let c = makeCase(seed, { environment });
  console.log(describeCase(c));
  const depth = depthOf(seed);
  const { finding, instructions, stopped } = await runner.verify(c, depth);
  if (finding === undefined)
    console.log(`holds: ${instructions} instructions in all runs, stopped: ${stopped ?? 'no'}`);
  else console.log(`${finding.invariant}: ${finding.detail}`);
  if (finding !== undefined && args.has('--shrink')) {
    c = await shrink(c, async (smaller) => (await runner.verify(smaller, depth)).finding);
    const { finding: last } = await runner.verify(c, depth);
    console.log(`\nshrunk: ${describeCase(c)}\n${listing(c).join('\n')}\n${last?.detail ?? ''}`);
  }
  const keep = args.number('--trace') ?? (finding === undefined ? 0 : 20);
  if (keep > 0) console.log(`\nthe last ${keep} steps:\n${(await runner.trace(c, keep)).join('\n')}`);
  return finding === undefined;
};

const many = async (runner: CaseRunner, from: number, seconds: number, environment?: Environment): Promise<boolean> => {
  const campaign = new Campaign(runner);
  const end = performance.now() + seconds * 1000;
  for (let seed = from; performance.now() < end; seed++) {
    const finding = await campaign.run(seed, environment);
    if (finding !== undefined) console.log(describeFailure(campaign.failures.at(-1)!.fuzzCase, finding));
  }
  console.log(campaign.report().join('\n'));
  return campaign.failures.length === 0;
};

/** The exit status: 0 all holds, 1 a finding, 2 bad usage. */
export const main = async (root: string, list: readonly string[]): Promise<number> => {
  const args = new Arguments(list);
  const seed = args.number('--seed');
  const seconds = args.number('--seconds');
  const name = args.text('--environment');
  if (
    (seed === undefined) === (seconds === undefined) ||
    (name !== undefined && !ENVIRONMENTS.includes(name as Environment))
  ) {
    console.error(USAGE);
    return 2;
  }
  const environment = name as Environment | undefined;
  const runner = await CaseRunner.create(root);
  const holds =
    seed !== undefined
      ? await again(runner, seed, environment ?? environmentOf(seed), args)
      : await many(runner, args.number('--from') ?? 1, seconds!, environment);
  await runner.close();
  return holds ? 0 : 1;
};
