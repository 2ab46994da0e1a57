// Builds the test guests of this folder with make into out/guests, once for each change of a source. For specs only: needs
// gcc with -m32, GNU ld and make. Not the sample guest (media/guests/tsubame), whose built file is part of the repository.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Guests that check themselves, by name: NAME.c is the source, its head says what the guest does. They print `ok NAME` or `FAIL NAME`,
 * then `done: N ok, M failed`, and end with status 33 or 35.
 */
export const selfChecking = [
  'paging',
  'paging-pae',
  'interrupts',
  'segments',
  'gates',
  'interrupt-gates',
  'virtual-8086',
  'v86',
  'double-faults',
  'tasks',
  'realmode',
  'prefixes',
  'debug',
  'io',
  'cpuid',
  'fpu',
] as const;

/** All test guests. */
export const guests = [...selfChecking, 'hypercall', 'triple'] as const;
export type Guest = (typeof guests)[number];

/** What the test runner puts in place of import.meta.dirname: the top of the repository. */
const root = import.meta.dirname;
const sources = join(root, 'test', 'guests');
const out = join(root, 'out', 'guests');

/** Why guests cannot be built here, or undefined if they can. */
export function missingCompiler(): string | undefined {
  for (const tool of ['gcc', 'ld', 'objcopy', 'make']) {
    if (spawnSync(tool, ['--version']).error !== undefined) return `${tool} is not installed`;
  }
  const compiled = spawnSync('gcc', ['-m32', '-ffreestanding', '-x', 'c', '-c', '-o', '/dev/null', '/dev/null']);
  return compiled.status === 0 ? undefined : 'gcc does not accept -m32';
}

function newestSource(): number {
  const folders = [sources, join(root, 'media', 'guests', 'include')];
  const files = folders.flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)));
  return Math.max(...files.filter((file) => !file.endsWith('.ts')).map((file) => statSync(file).mtimeMs));
}

/**
 * Path of the guest's ELF file, built if need be. Safe to call from several test processes at a time.
 * Throws with make's output if the build fails.
 */
export const buildGuest = (guest: Guest): string => make(`${guest}.elf`);

/** Path of the firmware that starts a guest in Bochs (bochs-rom.S), built if need be. */
export const buildBochsRom = (): string => make('bochs-rom.bin');

/** The same for the ROM that checks itself (firmware.S). */
export const buildFirmware = (): string => make('firmware.rom');

function make(name: string): string {
  const file = join(out, name);
  if (existsSync(file) && statSync(file).mtimeMs > newestSource()) return file;
  mkdirSync(out, { recursive: true });
  const folder = mkdtempSync(join(out, 'build-'));
  try {
    execFileSync('make', ['-s', '-C', sources, `OUT=${folder}`, join(folder, name)], { stdio: 'pipe' });
    renameSync(join(folder, name), file);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return file;
}
