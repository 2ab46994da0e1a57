// Installs what a script needs and is not there: the project's own packages, and the served VS Code. Nothing else is downloaded.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../..', import.meta.url));
const host = join(root, 'scripts', 'vscode', 'host');
const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';

const run = (command, args, cwd) =>
  execFileSync(command, args, { cwd, stdio: 'inherit', shell: process.platform === 'win32' });

const json = (...path) => JSON.parse(readFileSync(join(root, ...path), 'utf8'));

/** Node's version against package.json's `engines`: Debian 12's own is too old. */
const requireNode = () => {
  const wanted = json('package.json').engines.node.replace('>=', '').split('.').map(Number);
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > wanted[0] || (major === wanted[0] && minor >= wanted[1])) return;
  console.error(`Kansoku needs Node.js ${wanted.join('.')} or later; this is ${process.versions.node}.`);
  process.exit(1);
};

/** True if node_modules has the versions of the lock file; optional packages are other platforms' too. */
const isInstalled = () => {
  if (!existsSync(join(root, 'node_modules', '.package-lock.json'))) return false;
  const { packages: installed } = json('node_modules', '.package-lock.json');
  return Object.entries(json('package-lock.json').packages).every(
    ([path, { version, optional }]) => path === '' || optional === true || installed[path]?.version === version,
  );
};

/** The project's node_modules. */
export const installProject = () => {
  requireNode();
  if (isInstalled()) return;
  console.log('Installing packages (npm ci)');
  run(npm, ['ci', '--loglevel=error'], root);
};

/** code-server and the Node it runs on. */
export const installHost = () => {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Error(
      'the served VS Code needs Linux on x86-64; install desktop VS Code instead: https://code.visualstudio.com',
    );
  }
  if (!existsSync(join(host, 'node_modules', 'code-server', 'package.json'))) {
    console.log('Installing the served VS Code (npm ci in scripts/vscode/host)');
    run(npm, ['ci', '--loglevel=error'], host);
  }
  run(process.execPath, ['setup.mjs'], host);
};

/** The extension's bundles. @param flags for esbuild.mjs */
export const buildExtension = (flags = []) => run(process.execPath, ['esbuild.mjs', ...flags], root);
