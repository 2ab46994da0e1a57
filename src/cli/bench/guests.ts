// Where the guests come from: those of test/benchmarks/guests, built here, and any folder or file the user names. What a kernel has in
// it is asked of the kernel: `all:2` runs every guest twice around. Needs make, GNU ld and gcc with -m32.

import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { UserError } from '../../workers/session.ts';
import type { Child } from './child.ts';
import { engineOf, runKernel } from './engines.ts';
import { namesBegun } from './report.ts';

/** A kernel with benchmark guests in it. */
export interface Kernel {
  /** Empty for the guests of the repository. */
  readonly label: string;
  readonly path: string;
  readonly guests: readonly string[];
}

/** The top of the repository, found from the program. Throws UserError where the program stands alone. */
export const repository = (program: string): string => {
  // `npx kansoku` and `npm link` start it through a link.
  for (let folder = dirname(realpathSync(program)); ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'test', 'benchmarks', 'guests', 'Makefile'))) return folder;
    if (folder === dirname(folder))
      throw new UserError('kansoku bench: runs in a checkout of the repository only: its guests are built from there');
  }
};

const make = (folder: string, args: readonly string[]): void => {
  const { status, stderr, error } = spawnSync('make', ['-s', '-C', folder, 'CC=gcc', ...args], { encoding: 'utf8' });
  if (status === 0) return;
  const reason = error?.message ?? stderr.trim().split('\n').slice(-3).join(' / ');
  throw new UserError(
    `${folder}: the guests cannot be built: ${reason} (needed: apt-get install gcc make binutils, with -m32)`,
  );
};

/** Newest change of a file in a folder and those below. */
const newest = (folder: string): number =>
  Math.max(0, ...readdirSync(folder, { recursive: true }).map((name) => statSync(join(folder, String(name))).mtimeMs));

/** The kernel of test/benchmarks/guests; built if a source is newer. Safe in several processes at a time. */
export const buildOwnKernel = (root: string): string => {
  const sources = join(root, 'test', 'benchmarks', 'guests');
  const out = join(root, 'out', 'benchmarks');
  const file = join(out, 'bench.elf');
  const changed = Math.max(newest(sources), newest(join(root, 'test', 'guests')));
  if (existsSync(file) && statSync(file).mtimeMs > changed) return file;
  mkdirSync(out, { recursive: true });
  const folder = mkdtempSync(join(out, 'build-'));
  try {
    make(sources, [`OUT=${folder}`, join(folder, 'bench.elf')]);
    renameSync(join(folder, 'bench.elf'), file);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return file;
};

const elfFiles = (folder: string): string[] =>
  readdirSync(folder, { recursive: true })
    .map((name) => join(folder, String(name)))
    .filter((path) => path.endsWith('.elf'))
    .sort();

/** Kernels of a folder with a Makefile, of a folder with ELF files, or the file itself. What is built is built in a copy. */
export const findKernels = (path: string, root: string, index: number): string[] => {
  if (!existsSync(path)) throw new UserError(`--guests: ${path}: no such file or folder`);
  if (!statSync(path).isDirectory()) return [resolve(path)];
  if (!existsSync(join(path, 'Makefile'))) {
    const found = elfFiles(resolve(path));
    if (found.length === 0) throw new UserError(`--guests: ${path}: has neither a Makefile nor an ELF file`);
    return found;
  }
  const copy = join(root, 'out', 'benchmarks', `guests-${index}`);
  rmSync(copy, { recursive: true, force: true });
  cpSync(path, copy, { recursive: true });
  make(copy, []);
  const found = elfFiles(copy);
  if (found.length === 0) throw new UserError(`--guests: ${path}: its Makefile makes no ELF file`);
  return found;
};

/** Asks a kernel for its guests by running each of them as short as can be. */
export const askGuests = async (
  path: string,
  label: string,
  memoryBytes: number,
  child: Child,
  root: string,
): Promise<Kernel> => {
  const run = await runKernel(engineOf('kansoku')!, path, 'all:2', child, { memoryBytes, root });
  const guests = namesBegun(run.lines);
  if (guests.length === 0 || run.problem !== undefined)
    throw new UserError(`${path}: its guests cannot be listed: ${run.problem ?? 'it names none (@B NAME COUNT)'}`);
  return { label, path, guests };
};
