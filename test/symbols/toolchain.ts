// What the symbol tests compile with and compare to: gcc or clang for i386, and binutils' readelf, addr2line and nm.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, posix } from 'node:path';

export const SAMPLES = join(import.meta.dirname, 'test/symbols/samples');
const SOURCES = ['main.c', 'sub/twice.c', 'entry.S'];

export const folder = mkdtempSync(join(tmpdir(), 'kansoku-symbols-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

/** Output of a tool; throws with its messages if it fails. */
export const tool = (name: string, ...args: string[]): string =>
  execFileSync(name, args, { cwd: SAMPLES, encoding: 'utf8', maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'pipe'] });

/** Why the compiler cannot be used, or false: the value node:test takes for `skip`. */
export function missing(compiler: string): string | false {
  const trial = spawnSync(compiler, ['-m32', '-c', '-x', 'c', '-', '-o', '/dev/null'], { input: 'int x;' });
  const binutils = spawnSync('readelf', ['--version']).status === 0;
  if (!binutils) return 'binutils are not installed';
  return trial.status === 0 ? false : `${compiler} -m32 is not installed`;
}

let built = 0;
/** Links the samples at 0x100000 as a kernel would be; returns the file's path. */
export function compile(compiler: string, options: readonly string[], sources: readonly string[] = SOURCES): string {
  const path = join(folder, `sample${built++}`);
  const fixed = ['-m32', '-ffreestanding', '-fno-pic', '-nostdlib', '-static', '-fno-asynchronous-unwind-tables'];
  const link = ['-Wl,-Ttext=0x100000', '-Wl,--build-id', '-Wl,-z,noexecstack'];
  tool(compiler, ...fixed, ...link, ...options, '-o', path, ...sources);
  return path;
}

export const read = (path: string): Uint8Array => new Uint8Array(readFileSync(path));

export interface DecodedRow {
  /** Base name. */
  readonly file: string;
  /** Undefined at the end of a sequence. */
  readonly line: number | undefined;
  readonly address: number;
  readonly isStatement: boolean;
}

/** A line of `readelf --debug-dump=decodedline`, if it is a row. */
export function parseDecodedRow(text: string): DecodedRow | undefined {
  const match = /^(\S+)\s+(\d+|-)\s+(0x[0-9a-f]+|0)(?:\[\d+\])?(?:\s+\d+)?(\s+x)?(?:\s+END)?\s*$/.exec(text);
  if (match === null) return undefined;
  return {
    file: posix.basename(match[1]!),
    line: match[2] === '-' ? undefined : Number(match[2]),
    address: Number(match[3]),
    isStatement: match[4] !== undefined,
  };
}

/** Every row of `readelf --debug-dump=decodedline`. */
export const decodedLines = (path: string): DecodedRow[] =>
  tool('readelf', '-W', '--debug-dump=decodedline', path)
    .split('\n')
    .map(parseDecodedRow)
    .filter((row) => row !== undefined);

export interface Resolved {
  readonly function: string;
  readonly file: string | undefined;
  readonly line: number | undefined;
}

/** `addr2line -i -f` for each address: the innermost inlined function first, the one in the symbol table last, each with where it is. */
export function addr2lineChains(path: string, addresses: readonly number[]): Resolved[][] {
  const input = addresses.map((address) => `0x${address.toString(16)}`).join('\n');
  const run = spawnSync('addr2line', ['-a', '-i', '-f', '-e', path], { input, encoding: 'utf8', maxBuffer: 1 << 28 });
  return run.stdout
    .split(/^0x[0-9a-f]+$/m)
    .slice(1)
    .map((group) => {
      const lines = group.trim().split('\n');
      return Array.from({ length: lines.length / 2 }, (_, level) => {
        const match = /^(.*):(\d+|\?)(?: \(discriminator \d+\))?$/.exec(lines[2 * level + 1]!)!;
        const line = match[2] === '?' ? 0 : Number(match[2]);
        return {
          function: lines[2 * level]!,
          file: match[1] === '??' ? undefined : match[1],
          line: line === 0 ? undefined : line,
        };
      });
    });
}

/** The same in short: the innermost line with the name of the outermost function, as what was inlined is not in the symbol table. */
export const addr2line = (path: string, addresses: readonly number[]): Resolved[] =>
  addr2lineChains(path, addresses).map((chain) => ({ ...chain[0]!, function: chain.at(-1)!.function }));

export interface NmSymbol {
  readonly address: number;
  readonly size: number;
  readonly letter: string;
  readonly name: string;
}

export function nm(path: string): NmSymbol[] {
  return tool('nm', '-S', path)
    .split('\n')
    .flatMap((text) => {
      const match = /^([0-9a-f]{8}) (?:([0-9a-f]{8}) )?(\S) (\S+)$/.exec(text);
      if (match === null) return [];
      const size = match[2] === undefined ? 0 : parseInt(match[2], 16);
      return [{ address: parseInt(match[1]!, 16), size, letter: match[3]!, name: match[4]! }];
    });
}
