// What tests need from outside: Debian packages through apt when root, the served VS Code from npm. Each need is installed once; where
// it cannot be, the answer is a line that says what to do. Not the project's own packages (vscode/lib/install.mjs).
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { installHost } from './vscode/lib/install.mjs';

const have = (command) => spawnSync('sh', ['-c', `command -v ${command}`], { stdio: 'ignore' }).status === 0;
const isRoot = process.getuid?.() === 0 && have('apt-get');

const aptEnvironment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
let updated = false;
/** Status 100 is a mirror in the middle of a sync: what is there may do. */
const updateLists = () => {
  spawnSync('apt-get', ['update', '-qq'], { stdio: 'ignore', env: aptEnvironment });
  updated = true;
};
const apt = (...packages) => {
  if (!isRoot) return false;
  if (!updated) updateLists();
  console.log(`installing ${packages.filter((name) => !name.startsWith('-')).join(' ')}`);
  return (
    spawnSync('apt-get', ['install', '-y', '-qq', ...packages], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: aptEnvironment,
    }).status === 0
  );
};

/** Each need: undefined if it is there afterwards, otherwise what the user must do. */
const NEEDS = {
  chromium: () => (have('chromium') || apt('chromium') ? undefined : 'chromium: apt-get install chromium'),
  qemu: () =>
    have('qemu-system-i386') || apt('--no-install-recommends', 'qemu-system-x86')
      ? undefined
      : 'QEMU: apt-get install qemu-system-x86',
  /** The firmware through which v86 boots Linux; QEMU brings it too. */
  seabios: () =>
    existsSync('/usr/share/seabios/bios.bin') || apt('seabios') ? undefined : 'SeaBIOS: apt-get install seabios',
  /** bochs-term stands for a front end, which the package demands; the VGA BIOS is in the emulator's default settings. */
  bochs: () =>
    have('bochs-bin') || apt('--no-install-recommends', 'bochs', 'bochs-term', 'vgabios', 'bochsbios')
      ? undefined
      : 'Bochs: apt-get install bochs bochs-term vgabios bochsbios',
  gcc: () => {
    const compiles = 'echo "int x;" | gcc -m32 -ffreestanding -x c -c - -o /dev/null';
    const works = () =>
      ['make', 'ld', 'nm', 'objdump', 'readelf', 'addr2line'].every(have) &&
      spawnSync('sh', ['-c', compiles], { stdio: 'ignore' }).status === 0;
    return works() || (apt('gcc', 'make', 'binutils') && works())
      ? undefined
      : 'a compiler with -m32: apt-get install gcc make binutils';
  },
  /** The second compiler whose debug information is read. */
  clang: () => (have('clang') || apt('--no-install-recommends', 'clang') ? undefined : 'clang: apt-get install clang'),
  /** The judge of debug data and of the remote protocol. */
  gdb: () => (have('gdb') || apt('--no-install-recommends', 'gdb') ? undefined : 'gdb: apt-get install gdb'),
  xz: () => (have('xz') || apt('xz-utils') ? undefined : 'xz: apt-get install xz-utils'),
  /**
   * i386 packages are downloaded and unpacked only, never installed (test/oracles/debian-package.ts). The lists are brought once, here:
   * specs that run side by side would get into each other's way.
   */
  debian: () => {
    if (!have('dpkg') || !have('apt-get')) return 'Debian packages need apt-get and dpkg';
    if (!isRoot) return undefined;
    const output = (command, ...args) => spawnSync(command, args, { encoding: 'utf8' }).stdout ?? '';
    if (!output('dpkg', '--print-foreign-architectures').split(/\s+/).includes('i386'))
      spawnSync('dpkg', ['--add-architecture', 'i386'], { stdio: 'inherit' });
    if (!/Candidate: \d/.test(output('apt-cache', 'policy', 'busybox-static:i386'))) updateLists();
    return undefined;
  },
  'served-vscode': () => {
    try {
      installHost();
      return undefined;
    } catch (error) {
      return `the served VS Code: ${error.message}`;
    }
  },
};

/** Provides the needs by name; returns a line for each that could not be. */
export const prepare = async (names) => names.map((name) => NEEDS[name]()).filter((problem) => problem !== undefined);
