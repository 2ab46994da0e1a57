// `kansoku bench`: the guests of test/benchmarks/guests, and others, here and in the rivals, side by side in one run. Options, order of
// the work and exit status; the measuring is rounds.ts's, costs.ts's and linux.ts's.

import { accessSync, constants, readFileSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { basename, isAbsolute, relative, resolve } from 'node:path';
import { UserError } from '../../workers/session.ts';
import {
  helpText,
  one,
  parseArguments,
  parseCount,
  type ParsedArguments,
  parsePattern,
  parseSize,
} from '../options.ts';
import { Child, CHILD_WORD } from './child.ts';
import { COST_GUESTS, measureCosts } from './costs.ts';
import { runJob } from './engine-process.ts';
import { ENGINES, type Engine, engineOf } from './engines.ts';
import { askGuests, buildOwnKernel, findKernels, type Kernel, repository } from './guests.ts';
import { type LinuxJob, runLinux } from './linux.ts';
import { OBSERVED, UNOBSERVED } from './observing.ts';
import { jsonOf, observingPageOf, type Outcome, pageOf, Part, surroundings, withMeasured } from './page.ts';
import { disagreements, nameOf, problemsOf, type RoundsOptions, runCheck, runRounds, type Selected } from './rounds.ts';

const DEFAULT_ENGINES = 'kansoku,v86,qemu';
const DEFAULT_ROUNDS = '5';
const OBSERVING_ROUNDS = '3';
const DEFAULT_MEMORY = '256M';
const DEFAULT_TIMEOUT = '300';
const DEFAULT_CMDLINE = 'console=ttyS0 nokaslr';
const DEFAULT_UNTIL = '^@DONE';

/** Options of `bench`. */
export const BENCH_OPTIONS = {
  engines: {
    argument: 'NAME,NAME',
    help: `what to compare, of ${ENGINES.map((engine) => engine.id).join(', ')} (default ${DEFAULT_ENGINES})`,
  },
  guests: {
    argument: 'PATH',
    repeatable: true,
    help: 'further guests: a folder whose Makefile builds a Multiboot kernel, or such a kernel',
  },
  only: { argument: 'NAME,NAME', help: 'these guests only, and the costs that are measured with them' },
  check: { help: 'measure nothing: run each guest briefly in every engine and compare the checksums' },
  observing: {
    help: 'measure what observing costs instead: all guests under the hypervisor, everything observed against nothing',
  },
  rounds: {
    argument: 'N',
    help: `how often everything is measured (default ${DEFAULT_ROUNDS}; with --observing ${OBSERVING_ROUNDS})`,
  },
  'no-costs': { help: 'leave out what a VM exit, a page fault and the like cost' },
  memory: { argument: 'SIZE', help: `memory of the guests (default ${DEFAULT_MEMORY})` },
  timeout: { argument: 'SECONDS', help: `for one process of one engine (default ${DEFAULT_TIMEOUT})` },
  linux: { argument: 'FILE', help: 'boot this bzImage in every engine too' },
  initrd: { argument: 'FILE', help: 'its initial RAM disk' },
  cmdline: { argument: 'TEXT', help: `its command line (default "${DEFAULT_CMDLINE}")` },
  until: { argument: 'REGEX', help: `the line of its console that ends the measurement (default ${DEFAULT_UNTIL})` },
  json: { argument: 'FILE', help: 'write every single time as JSON' },
  write: { argument: 'FILE', help: 'replace what was measured so on this page, docs/performance.md' },
} as const;
type Arguments = ParsedArguments<keyof typeof BENCH_OPTIONS>;

const STATUS = { ok: 0, errors: 1, interrupted: 3 } as const;

const listOf = (text: string | undefined): string[] | undefined => text?.split(',').filter((word) => word !== '');

/** The engines asked for that are there, and why others are not. */
const chooseEngines = (names: readonly string[], root: string): { engines: Engine[]; missing: string[] } => {
  const engines: Engine[] = [];
  const missing: string[] = [];
  for (const name of new Set(names)) {
    const engine = engineOf(name);
    if (engine === undefined)
      throw new UserError(`--engines: "${name}" is none of ${ENGINES.map(({ id }) => id).join(', ')}`);
    const reason = engine.missing(root);
    if (reason === undefined) engines.push(engine);
    else missing.push(reason);
  }
  if (engines.length === 0) throw new UserError(`kansoku bench: no engine to measure: ${missing.join('; ')}`);
  return { engines, missing };
};

/** All guests of all kernels, or those that `only` names. */
const chooseGuests = (kernels: readonly Kernel[], only: readonly string[] | undefined): Selected[] => {
  const all = kernels.flatMap((kernel) => kernel.guests.map((guest) => ({ kernel, guest })));
  if (only === undefined) return all;
  const unknown = only.filter(
    (name) => !COST_GUESTS.includes(name) && !all.some((row) => row.guest === name || nameOf(row) === name),
  );
  if (unknown.length > 0)
    throw new UserError(`--only: no guest ${unknown.join(', ')}; there are ${all.map(nameOf).join(', ')}`);
  return all.filter((row) => only.includes(row.guest) || only.includes(nameOf(row)));
};

const readable = (path: string, what: string): string => {
  try {
    accessSync(path, constants.R_OK);
  } catch (error) {
    throw new UserError(`${path}: cannot read the ${what}: ${(error as NodeJS.ErrnoException).code}`);
  }
  return resolve(path);
};

const linuxJob = (args: Arguments): LinuxJob | undefined => {
  const kernel = one(args, 'linux');
  const initrd = one(args, 'initrd');
  if (kernel === undefined) {
    for (const name of ['initrd', 'cmdline', 'until'] as const)
      if (args.options.has(name)) throw new UserError(`kansoku bench: --${name} goes with --linux`);
    return undefined;
  }
  const until = one(args, 'until') ?? DEFAULT_UNTIL;
  parsePattern(until, '--until');
  return {
    kernel: readable(kernel, 'kernel'),
    initrd: initrd === undefined ? undefined : readable(initrd, 'initrd'),
    cmdline: one(args, 'cmdline') ?? DEFAULT_CMDLINE,
    until,
  };
};

const saveTo = (path: string, what: string, text: string): void => {
  try {
    writeFileSync(path, text);
  } catch (error) {
    throw new UserError(`${path}: cannot write the ${what}: ${(error as Error).message}`);
  }
};

/** As one would type it in the checkout. */
const commandOf = (argv: readonly string[], root: string): string =>
  ['kansoku', 'bench', ...argv]
    .map((word) => (isAbsolute(word) ? relative(root, word) : word))
    .map((word) => (/[^\w./,:=^@-]/.test(word) ? `'${word}'` : word))
    .join(' ');

/** Everything that is asked for, in turn. */
const measure = async (args: Arguments, argv: readonly string[], child: Child): Promise<Outcome> => {
  const root = repository(process.argv[1]!);
  const observing = args.options.has('observing');
  const rounds = parseCount(one(args, 'rounds') ?? (observing ? OBSERVING_ROUNDS : DEFAULT_ROUNDS), '--rounds');
  const memoryBytes = parseSize(one(args, 'memory') ?? DEFAULT_MEMORY, '--memory');
  const only = listOf(one(args, 'only'));
  const { engines, missing } = chooseEngines(
    observing ? [OBSERVED, UNOBSERVED] : listOf(one(args, 'engines') ?? DEFAULT_ENGINES)!,
    root,
  );
  const job = linuxJob(args);
  const loadBefore = loadavg()[0]!;
  for (const line of missing) console.error(`left out: ${line}`);
  const options: RoundsOptions = { rounds, memoryBytes, root, progress: (line) => console.error(line) };

  const further = (args.options.get('guests') ?? []).flatMap((path, index) =>
    findKernels(path, root, index).map((kernel) => ({ kernel, label: basename(resolve(path)) })),
  );
  const own = buildOwnKernel(root);
  const named = await askGuests(own, '', memoryBytes, child, root);
  // Those that run only by name exist for what exits cost.
  const byName = observing ? COST_GUESTS.filter((name) => !named.guests.includes(name)) : [];
  const kernels: Kernel[] = [{ ...named, guests: [...named.guests, ...byName] }];
  for (const { kernel, label } of further) kernels.push(await askGuests(kernel, label, memoryBytes, child, root));
  const selected = chooseGuests(kernels, only);

  const check = args.options.has('check');
  const guests = await (check ? runCheck : runRounds)(selected, engines, child, options);
  const { costs, problems } =
    check || observing || args.options.has('no-costs')
      ? { costs: [], problems: [] }
      : await measureCosts(own, only, child, options);
  const linux = job === undefined ? undefined : { job, results: await runLinux(job, engines, child, options) };

  const failures = [
    ...guests.flatMap((row) => problemsOf(nameOf(row), row.engines)),
    ...problems,
    ...problemsOf('Linux', linux?.results ?? []),
  ];
  return {
    surroundings: surroundings(engines, root, loadBefore, commandOf(argv, root)),
    rounds,
    engines,
    guests,
    costs,
    ...(linux === undefined ? {} : { linux }),
    missing,
    errors: [...disagreements(guests), ...failures],
  };
};

/** Exit status 0 if every run ended and all checksums agree. Throws UserError for the user's mistakes. */
export const bench = async (argv: readonly string[]): Promise<number> => {
  if (argv[0] === CHILD_WORD) return runJob(argv[1]!);
  if (argv.includes('--help')) {
    console.log(`kansoku bench [options]\n\nMeasures guests here, in v86 and in QEMU.\n\n${helpText(BENCH_OPTIONS)}`);
    return STATUS.ok;
  }
  const args = parseArguments(argv, BENCH_OPTIONS, 'bench');
  if (args.positional.length > 0)
    throw new UserError(`kansoku bench: "${args.positional[0]}" is no option (see kansoku bench --help)`);
  if (args.options.has('check'))
    for (const name of ['json', 'write', 'linux', 'rounds'] as const)
      if (args.options.has(name)) throw new UserError(`kansoku bench: --${name} is for measuring: leave out --check`);
  const observing = args.options.has('observing');
  if (observing)
    for (const name of ['check', 'engines', 'no-costs'] as const)
      if (args.options.has(name)) throw new UserError(`kansoku bench: --${name} does not go with --observing`);
  const page = one(args, 'write');
  const before = page === undefined ? undefined : readFileSync(readable(page, 'page'), 'utf8');
  const part = observing ? Part.OBSERVING : Part.GUESTS;
  if (page !== undefined) withMeasured(before!, part, '', page);
  const child = new Child(parseCount(one(args, 'timeout') ?? DEFAULT_TIMEOUT, '--timeout'));
  const onSignal = (): void => child.end();
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  let outcome: Outcome;
  try {
    outcome = await measure(args, argv, child);
  } catch (error) {
    if (child.interrupted) return STATUS.interrupted;
    throw error;
  } finally {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  }
  if (child.interrupted) return STATUS.interrupted;
  const said = outcome.engines.map((engine) => engine.id).join(', ');
  const text = args.options.has('check')
    ? `${outcome.guests.length} guests give ${outcome.errors.length === 0 ? 'the same' : 'different'} checksums in ${said}`
    : (observing ? observingPageOf : pageOf)(outcome);
  console.log(text);
  const json = one(args, 'json');
  if (json !== undefined) saveTo(json, 'times', `${JSON.stringify(jsonOf(outcome), undefined, 1)}\n`);
  if (page !== undefined) saveTo(page, 'page', withMeasured(before!, part, text, page));
  for (const line of outcome.errors) console.error(line);
  return outcome.errors.length === 0 ? STATUS.ok : STATUS.errors;
};
