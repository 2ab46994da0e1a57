// The engines that are compared: how each is found, what it calls itself, and how a guest is run in it. One table; processes are
// child.ts's, and what happens inside ours and v86's is engine-process.ts's.

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { type Child, readAnswers, readSerial, type Run } from './child.ts';
import type { Job, SessionSettings } from './job.ts';
import { DONE } from './report.ts';

export interface Engine {
  readonly id: string;
  /** Head of its column. */
  readonly title: string;
  /** One line for the page. */
  readonly text: string;
  readonly ours: boolean;
  /** Why it cannot be used here, with the remedy; undefined if it can. `root`: top of the repository. */
  missing(root: string): string | undefined;
  /** Its version, as it says. */
  version(root: string): string;
  run(job: Job, child: Child, root: string): Promise<Run>;
}

const versionIn = (file: string): string => (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;

const ours = (id: string, title: string, text: string, how: SessionSettings): Engine => ({
  id,
  title,
  text,
  ours: true,
  missing: () => undefined,
  version: (root) => `Kansoku ${versionIn(join(root, 'package.json'))}`,
  run: (job, child) => readAnswers(child, { ...job, inner: 'session', how }),
});

const v86Folder = (root: string): string | undefined => {
  try {
    return dirname(dirname(createRequire(join(root, 'package.json')).resolve('v86')));
  } catch {
    return undefined;
  }
};
const SEABIOS = '/usr/share/seabios';

const v86: Engine = {
  id: 'v86',
  title: 'v86',
  text: 'v86, the npm package, in Node: a PC without a hypervisor, its own just-in-time compiler to WebAssembly',
  ours: false,
  missing: (root) => (v86Folder(root) === undefined ? 'v86 is not installed: run npm ci in the checkout' : undefined),
  version: (root) => `v86 ${versionIn(join(v86Folder(root)!, 'package.json'))}`,
  run: (job, child, root) => {
    if (job.linux && !existsSync(join(SEABIOS, 'bios.bin')))
      return Promise.resolve({ lines: [], problem: 'v86 boots Linux through SeaBIOS: apt-get install seabios' });
    return readAnswers(child, { ...job, inner: 'v86', v86: v86Folder(root)!, seabios: SEABIOS });
  },
};

const QEMU = 'qemu-system-i386';

const qemu: Engine = {
  id: 'qemu',
  title: 'QEMU TCG',
  text: '`qemu-system-i386 -accel tcg`: a PC without a hypervisor, a just-in-time compiler to machine code',
  ours: false,
  missing: () =>
    spawnSync(QEMU, ['--version']).error === undefined
      ? undefined
      : 'QEMU is not installed: apt-get install qemu-system-x86',
  version: () => /QEMU emulator version (\S+.*)/.exec(spawnSync(QEMU, ['--version'], { encoding: 'utf8' }).stdout)![0],
  run: (job, child) => {
    const devices = ['-device', 'isa-debug-exit,iobase=0xf4,iosize=4', '-serial', 'stdio', '-monitor', 'none'];
    const initrd = job.initrd === undefined ? [] : ['-initrd', job.initrd];
    const kernel = ['-kernel', job.image, '-append', job.cmdline, ...initrd];
    const machine = ['-accel', 'tcg', '-m', String(job.memoryBytes >> 20), '-display', 'none', '-no-reboot'];
    return readSerial(child, QEMU, [...machine, ...kernel, ...devices], job.until);
  },
};

const HYPERVISOR = 'under the hypervisor with shadow paging';

export const ENGINES: readonly Engine[] = [
  ours('kansoku', 'Kansoku', 'Kansoku on the bare machine (`--bare`), as the others are', {
    bare: true,
    tiers: 'adaptive',
    observe: 'all',
  }),
  ours('hypervisor', 'Kansoku (hypervisor)', `Kansoku ${HYPERVISOR}, everything observed: what \`kansoku boot\` does`, {
    bare: false,
    tiers: 'adaptive',
    observe: 'all',
  }),
  ours('unobserved', 'Kansoku (unobserved)', `Kansoku ${HYPERVISOR}, nothing observed (\`--observe none\`)`, {
    bare: false,
    tiers: 'adaptive',
    observe: 'none',
  }),
  ours('threaded', 'Kansoku (threaded)', 'Kansoku on the bare machine, the threaded tier only (`--no-regions`)', {
    bare: true,
    tiers: 'threaded',
    observe: 'all',
  }),
  v86,
  qemu,
];

/** Runs guests of a kernel, named on its command line, to their end. */
export const runKernel = (
  engine: Engine,
  image: string,
  cmdline: string,
  child: Child,
  { memoryBytes, root }: { readonly memoryBytes: number; readonly root: string },
): Promise<Run> => engine.run({ image, linux: false, cmdline, memoryBytes, until: DONE }, child, root);

export const engineOf = (id: string): Engine | undefined => ENGINES.find((engine) => engine.id === id);
