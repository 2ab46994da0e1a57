// Many fuzz cases one after the other: which environments in which proportion, how deep each is checked, and the account of what ran.
// Not the verdicts (invariants.ts).

import type { CaseRunner } from './case-runner.ts';
import { describeCase, type Environment, ENVIRONMENTS, type FuzzCase } from './fuzz-case.ts';
import type { Depth, Finding } from './invariants.ts';
import { makeCase } from './scene.ts';

export interface Failure {
  readonly fuzzCase: FuzzCase;
  readonly finding: Finding;
}
interface Account {
  cases: number;
  instructions: number;
  seconds: number;
}

/** How often each environment comes: a session under the hypervisor costs as much as twenty bare cases. */
const PROPORTION: Readonly<Record<Environment, number>> = {
  processor: 6,
  machine: 6,
  vmx: 5,
  emulator: 2,
  hypervisor: 1,
};
const ROUND: readonly Environment[] = ENVIRONMENTS.flatMap((e) => Array<Environment>(PROPORTION[e]).fill(e));

/** Costly checks now and then, by seed, so that a seed alone repeats its case in full. */
export const depthOf = (seed: number): Depth => ({ fresh: seed % 61 === 0, deep: seed % 7 === 0 });
export const environmentOf = (seed: number): Environment => ROUND[seed % ROUND.length]!;

export class Campaign {
  readonly failures: Failure[] = [];
  private readonly accounts = new Map<string, Account>();

  constructor(private readonly runner: CaseRunner) {}

  async run(seed: number, environment = environmentOf(seed)): Promise<Finding | undefined> {
    const start = performance.now();
    const fuzzCase = makeCase(seed, { environment });
    const { finding, instructions } = await this.runner.verify(fuzzCase, depthOf(seed));
    if (finding !== undefined) this.failures.push({ fuzzCase, finding });
    const name = `${environment}, ${fuzzCase.mode}${fuzzCase.mode === 'real' ? '' : `, paging ${fuzzCase.paging}`}`;
    let account = this.accounts.get(name);
    if (account === undefined) this.accounts.set(name, (account = { cases: 0, instructions: 0, seconds: 0 }));
    account.cases++;
    account.instructions += instructions;
    account.seconds += (performance.now() - start) / 1000;
    return finding;
  }

  get cases(): number {
    return [...this.accounts.values()].reduce((sum, a) => sum + a.cases, 0);
  }

  /** A line for each environment and mode. */
  report(): string[] {
    const lines = [...this.accounts].sort(([a], [b]) => (a < b ? -1 : 1)).map(
      ([name, a]) => `${name}: ${a.cases} cases, ${a.instructions} instructions, ${Math.round(a.seconds)} s`,
    ); // prettier-ignore
    const failed = this.failures.map(({ fuzzCase, finding }) => describeFailure(fuzzCase, finding));
    return [...lines, `${this.cases} cases, ${this.failures.length} findings`, ...failed];
  }
}

export const describeFailure = (c: FuzzCase, finding: Finding): string =>
  `seed ${c.seed} (${describeCase(c)}) ${finding.invariant}: ${finding.detail}\n` +
  `  repeat: node scripts/fuzz.mjs --environment ${c.environment} --seed ${c.seed} --shrink`;
