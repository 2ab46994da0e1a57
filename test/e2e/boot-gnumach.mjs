// A kernel nobody here wrote, without preparation: a folder that holds only Debian's GNU Mach is opened in the real VS Code, Boot Guest
// offers it first, and its console is in the terminal up to its panic for want of a bootstrap server. Not the sample's path (boot-guest.mjs).
//   node test/e2e/boot-gnumach.mjs [--no-package]
// The last line is `N passed, N failed`.
import assert from 'node:assert/strict';
import { build } from 'esbuild';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { openBrowser, runCommand, waitForWorkbench } from '../../scripts/vscode/lib/browser.mjs';
import { installHost, installProject, root } from '../../scripts/vscode/lib/install.mjs';
import { packageExtension } from '../../scripts/vscode/lib/package.mjs';
import { scenario } from '../../scripts/vscode/lib/steps.mjs';
import { startServer, workbenchUrl } from '../../scripts/vscode/lib/vscode-host.mjs';

const { values } = parseArgs({ options: { 'no-package': { type: 'boolean', default: false } } });
const KERNEL = 'gnumach-1.8-486';
/** Some 30 seconds of host time on a slow machine; the tests may share it. */
const BOOT_MS = 180_000;

installProject();
installHost();
const shots = join(root, 'out', 'shots');
mkdirSync(shots, { recursive: true });

/** The unit tests' way to a Debian package, bundled as they are: a module of TypeScript that knows the repository by a definition. */
const debianPackage = async (name) => {
  const outfile = join(root, 'out', 'e2e', 'debian-package.mjs');
  await build({
    entryPoints: [join(root, 'test', 'oracles', 'debian-package.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    define: { 'import.meta.dirname': JSON.stringify(root) },
    logLevel: 'warning',
  });
  return (await import(pathToFileURL(outfile).href)).debianPackage(name);
};

const unpacked = await debianPackage('gnumach-image-1.8-486:i386');
if (unpacked === undefined) {
  console.log('0 passed, 0 failed, 1 skipped');
  process.exit(0);
}
const folder = mkdtempSync(join(tmpdir(), 'kansoku-gnumach-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
writeFileSync(join(folder, KERNEL), gunzipSync(readFileSync(join(unpacked, 'boot', `${KERNEL}.gz`))));

const server = await startServer({
  vsix: [values['no-package'] ? join(root, 'out', 'kansoku.vsix') : packageExtension()],
  log: join(shots, 'server-gnumach.log'),
  // The terminal draws text, not a canvas, so that it can be read.
  settings: { 'terminal.integrated.gpuAcceleration': 'off', 'workbench.colorTheme': 'Default Dark Modern' },
});
const { page, outside, close } = await openBrowser();

const { step, counts } = scenario(page, shots, 'failure-gnumach.png');

/** What has been on the terminal's visible rows, without the breaks of its width. */
const terminalShows = async (pattern, ms = 20_000) => {
  const end = Date.now() + ms;
  for (;;) {
    const rows = await page
      .locator('.terminal-wrapper.active .xterm-rows > div')
      .allInnerTexts()
      .catch(() => []);
    const text = rows.map((row) => row.replaceAll('\u00a0', ' ')).join('');
    if (pattern.test(text)) return;
    if (Date.now() > end) throw new Error(`the terminal does not show ${pattern}:\n${rows.join('\n')}`);
    await page.waitForTimeout(100);
  }
};

await step('the workbench opens a folder with nothing but a kernel', async () => {
  await page.goto(workbenchUrl(server, { folder }));
  await waitForWorkbench(page);
  await page.locator('.activitybar .action-label[aria-label="Kansoku"]').waitFor();
});

await step('Boot Guest offers the kernel first', async () => {
  await runCommand(page, 'Kansoku: Boot Guest');
  const rows = page.locator('.quick-input-widget:visible .monaco-list-row');
  await rows.filter({ hasText: KERNEL }).waitFor();
  assert.match(await rows.first().innerText(), new RegExp(`${KERNEL}[^]*Multiboot`));
  assert.equal(await rows.first().evaluate((row) => row.classList.contains('focused')), true);
});

await step('Enter boots it with its console on the serial line, and says so', async () => {
  await page.keyboard.press('Enter');
  // The guest may have written more than the terminal has rows before anybody looks.
  await terminalShows(/No bootstrap code loaded with the kernel!/, BOOT_MS);
  await runCommand(page, 'Terminal: Scroll to Top');
  await terminalShows(/Booting gnumach-1\.8-486 with the command line console=com0/);
  await terminalShows(/GNU Mach 1\.8/);
  await runCommand(page, 'Terminal: Scroll to Bottom');
});

await step('the terminal shows the panic: no bootstrap code', async () => {
  await terminalShows(/No bootstrap code loaded with the kernel!/, BOOT_MS);
  await page.screenshot({ path: join(shots, 'gnumach.png') });
});

await step('nothing outside this machine was asked', () => {
  assert.deepEqual([...outside], []);
});

await close();
await server.stop();
console.log(`${counts.passed} passed, ${counts.failed} failed`);
process.exit(counts.failed > 0 ? 1 : 0);
