// Debian's stock 686 kernel with an initramfs of Debian's static busybox: the real Linux that the boot specs run.
// Not committed and not built here: fetched by test/oracles/debian-package.ts.

import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { debianPackage } from '../oracles/debian-package.ts';
import { characterDevice, cpio, folder, link, program } from './cpio.ts';

/** Used where apt does not tell which is the newest. */
const KNOWN_KERNEL = 'linux-image-6.1.0-50-686:i386';
const APPLETS = [
  'sh',
  'mount',
  'cat',
  'echo',
  'grep',
  'head',
  'ls',
  'poweroff',
  'reboot',
  'seq',
  'sort',
  'uname',
  'wc',
];

/** Between the marks: forks, execs, pipes, copy-on-write, page faults, the timer (sleep) and a signal. */
const work = `
echo @INIT
uname -a
cat /proc/cpuinfo | grep -c processor
ls /bin | sort | wc -l
i=0
while [ $i -lt 20 ]; do /bin/busybox true; i=$((i + 1)); done
seq 1 2000 | sort -n | head -n 3
(cat /proc/interrupts | grep -i timer) &
wait
busybox sleep 0.1
echo @DONE
`;

const initScript = (ending: string): string => `#!/bin/sh
mount -t proc proc /proc
${work}
${ending}
`;

export interface LinuxGuest {
  /** Path of the bzImage. */
  readonly kernel: string;
  /** With an init that does some work and then resets or powers off. */
  initramfs(ending: 'reboot' | 'poweroff'): Uint8Array;
  /** With the given /init, and the package's modules of those names (kernel/lib) in /. */
  initramfsOf(init: string, modules?: readonly string[]): Uint8Array;
  /** Path of the kernel with its symbols and types (765 MB to download); undefined, with the reason printed, where it is not to be had. */
  debugKernel(): string | undefined;
  /** Folder with the debug data of modules of those names (kernel/lib), of the same package as `debugKernel`, which is there as well. */
  debugModules(names: readonly string[]): string | undefined;
}

const newestKernel = (): string => {
  try {
    // What is fetched already is new enough, and needs no index.
    const cached = readdirSync(join(import.meta.dirname, '.cache', 'debian')).filter((name) =>
      /^linux-image-6\.1\.0-\d+-686_i386$/.test(name),
    );
    const last = cached.sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).at(-1);
    if (last !== undefined) return last.replace('_', ':');
  } catch {
    // Nothing is fetched yet.
  }
  try {
    const depends = execFileSync('apt-cache', ['depends', 'linux-image-686:i386'], { encoding: 'utf8', stdio: 'pipe' });
    return /Depends: (linux-image-\S+-686:i386)/.exec(depends)?.[1] ?? KNOWN_KERNEL;
  } catch {
    return KNOWN_KERNEL;
  }
};

/** Undefined, with the reason printed, where the packages are not to be had. */
export const linuxGuest = (): LinuxGuest | undefined => {
  const busybox = debianPackage('busybox-static:i386');
  const image = busybox === undefined ? undefined : debianPackage(newestKernel());
  if (busybox === undefined || image === undefined) return undefined;
  const kernel = readdirSync(join(image, 'boot')).find((name) => name.startsWith('vmlinuz-'));
  if (kernel === undefined) throw new Error(`${image}/boot has no vmlinuz`);
  const binary = ['bin/busybox', 'usr/bin/busybox'].map((path) => join(busybox, path)).find((path) => existsSync(path));
  if (binary === undefined) throw new Error(`${busybox} has no busybox`);
  const version = kernel.slice('vmlinuz-'.length);
  const initramfsOf = (init: string, modules: readonly string[] = []): Uint8Array =>
    cpio([
      ...['bin', 'dev', 'proc', 'sys'].map(folder),
      characterDevice('dev/console', 5, 1),
      characterDevice('dev/null', 1, 3),
      program('bin/busybox', readFileSync(binary)),
      ...APPLETS.map((name) => link(`bin/${name}`, 'busybox')),
      ...modules.map((name) =>
        program(`${name}.ko`, readFileSync(join(image, 'lib', 'modules', version, 'kernel', 'lib', `${name}.ko`))),
      ),
      program('init', init),
    ]);
  const debugFiles = (names: readonly string[]): { kernel: string; modules: string } | undefined => {
    const vmlinux = `usr/lib/debug/boot/vmlinux-${version}`;
    const modules = `usr/lib/debug/lib/modules/${version}`;
    const files = [vmlinux, ...names.map((name) => `${modules}/kernel/lib/${name}.ko`)];
    const folder = debianPackage(
      `linux-image-${version}-dbg:i386`,
      files.map((file) => `./${file}`),
    );
    return folder === undefined ? undefined : { kernel: join(folder, vmlinux), modules: join(folder, modules) };
  };
  return {
    kernel: join(image, 'boot', kernel),
    initramfs: (ending) => initramfsOf(initScript(`${ending} -f`)),
    initramfsOf,
    debugKernel: () => debugFiles([])?.kernel,
    debugModules: (names) => debugFiles(names)?.modules,
  };
};
