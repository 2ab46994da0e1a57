// Builds the vector generator of this folder with gcc -m32 into out/vecgen and runs it: test vectors taken from the processor of this
// machine. For specs only. Not the runner (src/cli/vectors.ts).
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** What the test runner puts in place of import.meta.dirname: the top of the repository. */
const root = import.meta.dirname;
const sources = join(root, 'test', 'conformance', 'vecgen');
const out = join(root, 'out', 'vecgen');

/** Groups whose results the architecture fixes to the bit, see README.md. */
export const groups = ['int', 'string', 'branch', 'mmx', 'seg', 'faults', 'x87', 'sse', 'env'] as const;
export type Group = (typeof groups)[number];

/** A few vectors of the public set, for hosts that cannot make their own. */
export const sample = (): string => readFileSync(join(sources, 'sample.jsonl'), 'utf8');

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

/** Why vectors cannot be made here, or undefined if they can. */
export const missingGenerator = (): string | undefined => {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'the host is no x86-64 Linux';
  for (const tool of ['gcc', 'make'])
    if (spawnSync(tool, ['--version']).error !== undefined) return `${tool} is not installed`;
  const compiled = spawnSync('gcc', ['-m32', '-ffreestanding', '-x', 'c', '-c', '-o', '/dev/null', '/dev/null']);
  if (compiled.status !== 0) return 'gcc does not accept -m32';
  const run = spawnSync(build(), ['--list'], { stdio: 'ignore' });
  return run.status === 0 ? undefined : 'the kernel runs no 32-bit programs';
};

/** The text of a vector file. `count`: cases of each form. */
export const generate = (group: Group, seed: number, count: number): string =>
  execFileSync(build(), ['--seed', String(seed), '--per-form', String(count), '--group', group], {
    encoding: 'utf8',
    maxBuffer: 1 << 30,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
