// The worker's file system, read where it is needed while the worker waits: Node's now; a browser host has none. Only for files that are too many to be
// sent with the boot (debug data of modules).

import type { FileAccess } from '../debugger/os/module-files.ts';

/** That of the thread this runs in; undefined: there is none. */
export const threadFiles = async (): Promise<FileAccess | undefined> => {
  if (typeof process !== 'object' || process.versions?.node === undefined) return undefined;
  const { readdirSync, readFileSync, statSync } = await import('node:fs');
  // Links are left out: they may lead in circles.
  const below = (folder: string): string[] =>
    readdirSync(folder, { withFileTypes: true })
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .flatMap((entry) => {
        const path = `${folder}/${entry.name}`;
        return entry.isDirectory() ? below(path) : entry.isFile() ? [path] : [];
      });
  return {
    list: (path) => (statSync(path).isDirectory() ? below(path) : [path]),
    read: (path) => readFileSync(path),
  };
};
