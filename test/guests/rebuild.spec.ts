// The committed tsubame.elf is what its sources give: built again in a temporary folder and compared byte for byte. Another
// compiler or linker than the recorded one may choose other instructions: then only the names of its global symbols are compared.
import { describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { missingCompiler } from './build.ts';

const skip = missingCompiler() ?? false;
const folder = join(import.meta.dirname, 'media', 'guests', 'tsubame');

/** Global symbols as `T kmain`, sorted. */
function symbols(file: string): string[] {
  const lines = execFileSync('nm', ['-g', '--defined-only', file], { encoding: 'utf8' }).trim().split('\n');
  return lines.map((line) => line.replace(/^[0-9a-f]+ /, '')).sort();
}

/** Builds a copy of the sources that is the only thing the caller's function sees. */
function rebuild<T>(use: (elf: string) => T): T {
  const copy = mkdtempSync(join(tmpdir(), 'tsubame-'));
  try {
    cpSync(folder, copy, { recursive: true, filter: (path) => !/^(out|tsubame\.elf)$/.test(basename(path)) });
    execFileSync('make', ['-s', '-C', copy, 'tsubame.elf'], { stdio: 'pipe' });
    return use(join(copy, 'tsubame.elf'));
  } finally {
    rmSync(copy, { recursive: true });
  }
}

describe('tsubame.elf', { skip }, () => {
  const recorded = readFileSync(join(folder, 'tsubame.toolchain'), 'utf8');
  const present =
    skip === false ? execFileSync('make', ['-s', '-C', folder, 'print-toolchain'], { encoding: 'utf8' }) : '';
  const other = recorded === present ? false : `built with ${recorded.trim()}, here is ${present.trim()}`;
  const committed = join(folder, 'tsubame.elf');

  it('is what the sources give, byte for byte', { skip: other }, () => {
    rebuild((elf) =>
      assert.ok(readFileSync(elf).equals(readFileSync(committed)), 'tsubame.elf differs: run make there'),
    );
  });

  it('has the symbols that the sources give', () => {
    rebuild((elf) => assert.deepEqual(symbols(committed), symbols(elf)));
  });

  it('is small and names no folder of the machine that built it', () => {
    const bytes = readFileSync(committed);
    assert.ok(bytes.length < 512 * 1024, `${bytes.length} bytes`);
    assert.doesNotMatch(bytes.toString('latin1'), /\/(home|root|work|tmp|usr|build)\//);
  });
});
