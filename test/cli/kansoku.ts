// Runs the command line as a user does: the bundle in a process of its own, with its exit status, standard output and standard error.
// For specs only. The bundle is made once for each test process, from the sources as they are.

import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import type { ExitCount } from '../../src/workers/session.ts';

/** What the test runner puts in place of import.meta.dirname: the top of the repository. */
const root = import.meta.dirname;
const out = join(root, 'out', 'cli');
let bundle: Promise<string> | undefined;

const makeBundle = async (): Promise<string> => {
  mkdirSync(out, { recursive: true });
  const folder = mkdtempSync(join(out, 'kansoku-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const outfile = join(folder, 'cli.js');
  await build({
    entryPoints: [join(root, 'src', 'cli', 'main.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    logLevel: 'warning',
  });
  return outfile;
};

/** Path of the bundled command line. */
export const kansokuBundle = (): Promise<string> => (bundle ??= makeBundle());

export interface Outcome {
  /** Undefined: it did not end in time and was killed. */
  readonly status: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
  readonly seconds: number;
}

/** Runs `kansoku ARGS` with an empty standard input. A process that takes longer than `seconds` is killed. */
export const kansoku = async (args: readonly string[], seconds = 60): Promise<Outcome> => {
  const file = await kansokuBundle();
  const start = performance.now();
  const child = spawn(process.execPath, [file, ...args], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('latin1').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const timer = setTimeout(() => child.kill('SIGKILL'), seconds * 1000);
  const status = await new Promise<number | undefined>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? undefined));
  });
  clearTimeout(timer);
  return { status, stdout, stderr, seconds: (performance.now() - start) / 1000 };
};

/** What `--report` writes, as far as the specs look at it. */
export interface Report {
  readonly stopReason: string;
  readonly instructions: number;
  readonly hostSeconds: number;
  readonly mips: number;
  readonly virtualSeconds: number;
  readonly exits: Readonly<Record<string, Omit<ExitCount, 'reason'>>>;
  readonly shadow: Readonly<Record<string, number>>;
  readonly interrupts: Readonly<Record<string, number>>;
  readonly events: { readonly recorded: number; readonly lost: number; readonly bytes: number };
  readonly serial: string;
  readonly debugConsole: string;
  readonly vgaText: string;
  readonly stateHash: string;
  readonly stateHashes: readonly string[];
  readonly cpu: Readonly<Record<string, string>>;
  readonly domains: readonly { readonly id: number; readonly name: string; readonly memoryBytes: number }[];
  readonly diagnostics: readonly string[];
}

export const readReport = (path: string): Report => JSON.parse(readFileSync(path, 'utf8')) as Report;
