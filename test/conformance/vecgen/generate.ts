// Builds the vector generator of this folder with gcc -m32 into out/vecgen and runs it: test vectors taken from the processor of this
// machine, as a stream of lines. For specs only. Not the runner (src/cli/vectors).
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { linesOf } from '../../../src/cli/vectors/lines.ts';

/** What the test runner puts in place of import.meta.dirname: the top of the repository. */
const root = import.meta.dirname;
const sources = join(root, 'test', 'conformance', 'vecgen');
const out = join(root, 'out', 'vecgen');

/** Groups of each context whose results are compared exactly, see README.md. `approx` is compared within a tolerance, `wrap` is a sample only. */
export const GROUPS = {
  user32: [
    'int', 'string', 'branch', 'mmx', 'seg', 'shadow', 'form', 'faults', 'x87', 'sse', 'env', 'ac', 'partial', 'vendor', 'undef',
    'approx',
  ],
  real16: ['int', 'string', 'branch', 'mmx', 'faults', 'x87', 'sse', 'env', 'vendor', 'undef', 'approx'],
} as const; // prettier-ignore
export type VectorContext = keyof typeof GROUPS;
export const CONTEXTS = Object.keys(GROUPS) as VectorContext[];

/**
 * Code areas of a few bytes up to the end of a page: behind them nothing is mapped (user32: #PF of the instruction fetch), or the code
 * segment ends (real16: #GP by the limit).
 */
export const CODE_ENDS: Readonly<Record<VectorContext, readonly number[]>> = {
  user32: [0x400fff, 0x400ffe, 0x400ffc, 0x400ffa],
  real16: [0xffff, 0xfffe, 0xfffc, 0xfffa],
};
/** The groups that are run there. */
export const CODE_END_GROUPS = ['int', 'string', 'branch', 'x87', 'mmx', 'sse', 'faults'] as const;

/** A few vectors of each group, for hosts that cannot make their own; as the README says how to make them. */
export const SAMPLES = ['user32', 'real16', 'approx', 'wrap'] as const;
export const sample = (name: (typeof SAMPLES)[number]): string =>
  readFileSync(join(sources, `sample-${name}.jsonl`), 'utf8');

const build = (): string => {
  const file = join(out, 'vecgen');
  const newest = Math.max(...['vecgen.c', 'forms.h', 'Makefile'].map((name) => statSync(join(sources, name)).mtimeMs));
  if (existsSync(file) && statSync(file).mtimeMs > newest) return file;
  mkdirSync(out, { recursive: true });
  // Test processes may build at the same time: each in a folder of its own, the file moved into place in one step.
  const folder = mkdtempSync(join(out, 'build-'));
  try {
    execFileSync('make', ['-s', '-C', sources, 'CC=gcc', `OUT=${folder}`], { stdio: 'pipe' });
    renameSync(join(folder, 'vecgen'), file);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return file;
};

/**
 * Why vectors of a context cannot be made here, or undefined if they can. A reason that begins with `host: ` is one that nothing to be installed would
 * change (scripts/test.mjs): some virtual machines run 64-bit code only.
 */
export const missingGenerator = (context: VectorContext): string | undefined => {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'the host is no x86-64 Linux';
  for (const tool of ['gcc', 'make'])
    if (spawnSync(tool, ['--version']).error !== undefined) return `${tool} is not installed`;
  const compiled = spawnSync('gcc', ['-m32', '-ffreestanding', '-x', 'c', '-c', '-o', '/dev/null', '/dev/null']);
  if (compiled.status !== 0) return 'gcc does not accept -m32';
  const run = spawnSync(build(), ['--list', '--context', context], { stdio: 'ignore' });
  if (run.status === 0) return undefined;
  const runs = spawnSync(build(), ['--list', '--context', 'user32'], { stdio: 'ignore' }).status === 0;
  return runs ? 'host: the kernel refuses 16-bit segments' : 'host: it runs no 32-bit programs';
};

export interface Generation {
  readonly context: VectorContext;
  readonly group: string;
  readonly seed: number;
  /** Cases of each form; families of faults get a quarter. */
  readonly perForm: number;
  /** Address of the code area, if it is not the usual one. */
  readonly code?: number;
}

/** The lines of a vector file while the generator makes them. */
export const generate = async function* ({ context, group, seed, perForm, code }: Generation) {
  const args = ['--context', context, '--group', group, '--seed', String(seed), '--per-form', String(perForm)];
  if (code !== undefined) args.push('--code', String(code));
  const child = spawn(build(), args, { stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  yield* linesOf(child.stdout as AsyncIterable<Buffer>);
  const status = await ended;
  if (status !== 0) throw new Error(`vecgen ${args.join(' ')} ended with status ${status}`);
};
