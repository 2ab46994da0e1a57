// Debian packages as oracles: downloads one with apt-get into .cache/debian and unpacks it there; nothing is installed.
// Not for the product: tests only. Without network or apt the caller skips, and the reason is printed.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';

const run = (program: string, args: readonly string[], cwd?: string): string =>
  execFileSync(program, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(cwd === undefined ? {} : { cwd }),
  });

/** Some index may be out of reach, or another process at it, and the package's still be there: the download says. */
const updateLists = (): void => {
  try {
    run('apt-get', ['update', '-q']);
  } catch {
    // See above.
  }
};

const unpackSome = (archive: string, into: string, files: readonly string[]): void => {
  mkdirSync(into, { recursive: true });
  const script = 'archive=$1; into=$2; shift 2; dpkg --fsys-tarfile "$archive" | tar -x -C "$into" "$@"';
  execFileSync('sh', ['-c', script, 'sh', archive, into, ...files], { stdio: 'pipe' });
};

/** Into the folder, which may have other files of the package. */
const moveInto = (folder: string, from: string, files: readonly string[] | undefined): void => {
  if (files === undefined || !existsSync(folder)) {
    renameSync(from, folder);
    return;
  }
  for (const file of files) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    renameSync(join(from, file), join(folder, file));
  }
};

/**
 * @param name a package, with `:i386` (or another architecture) where it is not the host's: that architecture is added to dpkg if
 *   it is missing, which needs root.
 * @param only the files that are wanted, as the package names them (`./usr/lib/…`): of packages with gigabytes of others
 * @returns the folder it is unpacked in (`usr/bin/…` below it), or undefined with a printed reason.
 */
export const debianPackage = (name: string, only?: readonly string[]): string | undefined => {
  const cache = join(import.meta.dirname, '.cache', 'debian');
  const folder = join(cache, name.replace(':', '_'));
  const isThere = (): boolean =>
    existsSync(folder) && (only === undefined || only.every((file) => existsSync(join(folder, file))));
  if (isThere()) return folder;
  const scratch = join(cache, `${name.replace(':', '_')}.${process.pid}`);
  try {
    const architecture = name.split(':')[1];
    if (architecture !== undefined) {
      const known = `${run('dpkg', ['--print-architecture'])}${run('dpkg', ['--print-foreign-architectures'])}`;
      if (!known.split(/\s+/).includes(architecture)) {
        run('dpkg', ['--add-architecture', architecture]);
        updateLists();
      }
    }
    mkdirSync(scratch, { recursive: true });
    try {
      run('apt-get', ['download', '-q', name], scratch);
    } catch {
      updateLists();
      run('apt-get', ['download', '-q', name], scratch);
    }
    const file = readdirSync(scratch).find((entry) => entry.endsWith('.deb'));
    if (file === undefined) throw new Error('apt-get download left no .deb');
    if (only === undefined) run('dpkg', ['-x', join(scratch, file), join(scratch, 'root')]);
    else unpackSome(join(scratch, file), join(scratch, 'root'), only);
    moveInto(folder, join(scratch, 'root'), only);
    return folder;
  } catch (error) {
    if (isThere()) return folder;
    const { stderr, message } = error as { stderr?: string; message: string };
    console.log(`Debian package ${name} is not to be had here: ${(stderr ?? message).trim().split('\n').at(-1)}`);
    return undefined;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
};
