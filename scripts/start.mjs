// npm start: installs what is missing, builds, and opens VS Code with the extension and the sample guest's folder. On a desktop that
// has VS Code it is that one; elsewhere the real VS Code is served for a browser until Ctrl+C. `--serve` always serves.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { buildExtension, installHost, installProject, root } from './vscode/lib/install.mjs';

const folder = join(root, 'media', 'guests', 'tsubame');
const extension = root.replace(/[/\\]$/, '');

const hasDisplay = () =>
  process.platform === 'darwin' ||
  process.platform === 'win32' ||
  process.env.DISPLAY !== undefined ||
  process.env.WAYLAND_DISPLAY !== undefined;

const code = (...args) => spawnSync('code', args, { shell: process.platform === 'win32', stdio: 'ignore' });

installProject();

if (!process.argv.includes('--serve') && hasDisplay() && code('--version').status === 0) {
  buildExtension(['--production']);
  const { status } = code(`--extensionDevelopmentPath=${extension}`, folder);
  if (status === 0) {
    console.log('VS Code is open. Press F1 and choose "Kansoku: Boot Guest".');
    process.exit(0);
  }
  console.log('The command `code` did not work; serving VS Code instead.');
}

installHost();
const { startServer, workbenchUrl } = await import('./vscode/lib/vscode-host.mjs');
const { packageExtension } = await import('./vscode/lib/package.mjs');
console.log('Packing the extension...');
const vsix = packageExtension();
console.log('Starting VS Code with it...');
const server = await startServer({ vsix: [vsix] });
console.log(`\nVS Code with Kansoku: ${workbenchUrl(server, { folder })}`);
console.log('Press F1 there and choose "Kansoku: Boot Guest". Ctrl+C here ends it.');
let ending = false;
const end = async () => {
  if (ending) return;
  ending = true;
  await server.stop();
  process.exit(0);
};
process.on('SIGINT', () => void end());
process.on('SIGTERM', () => void end());
// Nothing else keeps this process alive.
setInterval(() => {}, 1 << 30);
