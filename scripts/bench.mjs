// `npm run bench`: gets what `kansoku bench` needs (compiler, QEMU, firmware), builds the command line, and runs it with the arguments given.
// `--debian` stands for `--linux` and `--initrd` with Debian's kernel, as the boot specs run it. Not the measuring: src/cli/bench.
import { build } from 'esbuild';
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { prepare } from './setup.mjs';
import { installProject } from './vscode/lib/install.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const out = join(root, 'out', 'benchmarks');
const given = process.argv.slice(2);
const debian = given.includes('--debian');

/** Options that boot Debian's kernel; its initial RAM disk is that of test/boot. */
const debianLinux = async () => {
  const outfile = join(out, 'linux-guest.mjs');
  await build({
    entryPoints: [join(root, 'test', 'boot', 'linux-guest.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    define: { 'import.meta.dirname': JSON.stringify(root) },
  });
  const { linuxGuest } = await import(pathToFileURL(outfile).href);
  const guest = linuxGuest();
  if (guest === undefined) process.exit(1);
  const initrd = join(out, 'initramfs.cpio');
  writeFileSync(initrd, guest.initramfs('reboot'));
  return ['--linux', guest.kernel, '--initrd', initrd, '--cmdline', 'console=ttyS0,115200 nokaslr'];
};

installProject();
const needs = ['gcc', 'qemu', 'seabios', ...(debian ? ['debian'] : [])];
for (const line of await prepare(needs)) console.error(`missing: ${line}`);
mkdirSync(out, { recursive: true });
const built = spawnSync(process.execPath, ['esbuild.mjs', '--production'], { cwd: root, stdio: 'inherit' });
if (built.status !== 0) process.exit(1);
const args = [...given.filter((word) => word !== '--debian'), ...(debian ? await debianLinux() : [])];
const child = spawn(process.execPath, [join(root, 'dist', 'cli.js'), 'bench', ...args], { stdio: 'inherit' });
// The terminal sends Ctrl+C to both: the one that measures ends first.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => child.kill('SIGTERM'));
child.on('close', (status) => process.exit(status ?? 1));
