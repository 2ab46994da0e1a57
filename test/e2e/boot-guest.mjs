// The path of a first-time user, driven as a person in the real VS Code: open the sample's folder, Boot Guest, type into the console, look at
// the three panels, click a page-fault exit, see the C source at its line. Screenshots of every panel in every theme.
//   node test/e2e/boot-guest.mjs [--fake] [--no-package] [--themes dark,light,hc,hc-light]
// `--fake`: without the engine (test/extension/fake-session.ts). The last line is `N passed, N failed`.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openBrowser, pick, runCommand, waitForWorkbench, webview } from '../../scripts/vscode/lib/browser.mjs';
import { installHost, installProject, root } from '../../scripts/vscode/lib/install.mjs';
import { packageExtension, packageFake } from '../../scripts/vscode/lib/package.mjs';
import { scenario } from '../../scripts/vscode/lib/steps.mjs';
import { startServer, workbenchUrl } from '../../scripts/vscode/lib/vscode-host.mjs';

const { values } = parseArgs({
  options: {
    fake: { type: 'boolean', default: false },
    'no-package': { type: 'boolean', default: false },
    themes: { type: 'string', default: 'dark,light,hc,hc-light' },
  },
});
/** Label in the theme picker and class of the workbench. */
const THEMES = {
  dark: { label: 'Dark Modern', style: 'vs-dark' },
  light: { label: 'Light Modern', style: 'vs' },
  hc: { label: 'Dark High Contrast', style: 'hc-black' },
  'hc-light': { label: 'Light High Contrast', style: 'hc-light' },
};

installProject();
installHost();
const shots = join(root, 'out', 'shots');
mkdirSync(shots, { recursive: true });
const vsix = values['no-package']
  ? join(root, 'out', values.fake ? 'kansoku-fake.vsix' : 'kansoku.vsix')
  : values.fake
    ? packageFake()
    : packageExtension();
const server = await startServer({
  vsix: [vsix],
  log: join(shots, 'server.log'),
  // The terminal draws text, not a canvas, so that it can be read.
  settings: { 'terminal.integrated.gpuAcceleration': 'off', 'workbench.colorTheme': 'Default Dark Modern' },
});
const { page, context, outside, close } = await openBrowser();
const notes = [];
page.on('console', (message) => {
  // The served VS Code runs without two optional native modules and says so often.
  if (message.type() === 'error' && !/bindings file|watchdog/.test(message.text()))
    notes.push(message.text().slice(0, 300));
});

const began = performance.now();
const { step, counts } = scenario(page, shots, 'failure.png');

const terminalText = () => page.locator('.terminal-wrapper.active .xterm-rows').innerText();
const terminalShows = async (pattern, ms = 20_000) => {
  const end = Date.now() + ms;
  for (;;) {
    const text = await terminalText().catch(() => '');
    if (pattern.test(text)) return text;
    if (Date.now() > end) throw new Error(`the terminal does not show ${pattern}:\n${text}`);
    await page.waitForTimeout(100);
  }
};
const setTheme = async ({ label, style }) => {
  await runCommand(page, 'Preferences: Color Theme');
  const input = page.locator('.quick-input-widget:visible .quick-input-filter input.input');
  await page.waitForTimeout(500);
  await input.fill(label);
  await page.locator('.quick-input-widget:visible .monaco-list-row', { hasText: label }).first().click();
  await page.locator(`.monaco-workbench.${style}`).waitFor();
  await page.waitForTimeout(500);
};

await step('the workbench opens the sample folder', async () => {
  await page.goto(workbenchUrl(server, { folder: join(root, 'media', 'guests', 'tsubame') }));
  await waitForWorkbench(page);
  // Our commands are in the palette once our icon is in the activity bar.
  await page.locator('.activitybar .action-label[aria-label="Kansoku"]').waitFor();
});

await step('Boot Guest offers the sample and boots it within three seconds', async () => {
  await runCommand(page, 'Kansoku: Boot Guest');
  await page.locator('.quick-input-widget:visible .monaco-list-row', { hasText: 'Browse' }).waitFor();
  await page.screenshot({ path: join(shots, 'boot-guest.png') });
  const start = performance.now();
  await pick(page, 'Tsubame');
  await terminalShows(/tsubame>/);
  const seconds = (performance.now() - start) / 1000;
  console.log(`        prompt after ${seconds.toFixed(2)} s`);
});

await step('a command typed in the terminal is answered', async () => {
  await page.locator('.terminal-wrapper.active .xterm').click();
  await page.keyboard.type('echo kansoku\r', { delay: 30 });
  await terminalShows(/tsubame> ?echo kansoku\s*\n\s*kansoku\s*\n/);
});

let state;
let vmcs;
let timeline;
await step('VM State shows live registers', async () => {
  state = await webview(page, 'VM State');
  await state.getByText('EFLAGS').waitFor();
  await state.getByText('vCPU 0').waitFor();
  const before = await state.locator('.summary dd').first().innerText();
  await page.keyboard.type('touch 40\r', { delay: 30 });
  await page.waitForTimeout(800);
  assert.notEqual(await state.locator('.summary dd').first().innerText(), before);
});

await step('VMCS lists the fields by group', async () => {
  vmcs = await webview(page, 'VMCS');
  await vmcs.getByText('Guest RIP', { exact: true }).waitFor();
  for (const group of ['Guest state', 'Host state', 'Control', 'Exit information']) {
    await vmcs.locator('summary', { hasText: group }).first().waitFor();
  }
});

await step('Event Timeline shows exits by reason', async () => {
  timeline = await webview(page, 'Event Timeline');
  await timeline.locator('.row.lane').first().waitFor();
  const names = await timeline.locator('.row.lane .name').allInnerTexts();
  console.log(`        lanes: ${names.join(', ')}`);
  assert.ok(names.length >= 4);
  await page.waitForTimeout(500);
});

await step('Pause stops the machine', async () => {
  await runCommand(page, 'Kansoku: Pause Guest');
  await state.locator('.badge', { hasText: 'paused' }).waitFor();
  await timeline.locator('.status', { hasText: 'paused' }).waitFor();
});

await step('zooming with the keyboard reaches single events', async () => {
  await page.screenshot({ path: join(shots, 'fit.png') });
  await timeline.locator('.row.lane', { hasText: 'Page fault' }).click();
  // The first page faults are in assembly; go on to one in C.
  for (let i = 0; i < 200; i++) {
    await page.keyboard.press('.');
    await page.waitForTimeout(60);
    const where = await timeline
      .locator('.tr.selected .where')
      .innerText({ timeout: 5000 })
      .catch(() => '');
    if (/\.c:/.test(where)) break;
  }
  for (let i = 0; i < 24; i++) await page.keyboard.press('w');
  await page.waitForTimeout(600);
  await page.screenshot({ path: join(shots, 'zoomed.png') });
});

await step('a click on a page-fault exit opens the C source at its line', async () => {
  const row = timeline.locator('.row.lane', { hasText: 'Page fault' });
  const canvas = timeline.locator('.area canvas');
  const [rowBox, canvasBox] = await Promise.all([row.boundingBox(), canvas.boundingBox()]);
  const y = rowBox.y + rowBox.height / 2;
  let opened;
  for (let x = canvasBox.x + 6; x < canvasBox.x + canvasBox.width && opened === undefined; x += 6) {
    await page.mouse.move(x, y);
    const tip = timeline.locator('.tooltip');
    if (!(await tip.isVisible())) continue;
    const where = await timeline
      .locator('.tooltip .place')
      .innerText({ timeout: 1500 })
      .catch(() => '');
    if (!/\.c:/.test(where)) continue;
    await page.screenshot({ path: join(shots, 'hover.png') });
    await page.mouse.click(x, y);
    opened = await timeline.locator('.tr.selected .where').innerText();
  }
  const place = /(\w+\.c):(\d+)/.exec(opened ?? '');
  assert.ok(place, `the selected event has no source line: ${opened}`);
  await page.locator(`.tab[data-resource-name="${place[1]}"]`).waitFor();
  await page
    .locator('.statusbar-item', { hasText: new RegExp(`Ln ${place[2]}\\b`) })
    .waitFor({ timeout: 5000 })
    .catch(async () => {
      // The panel kept the keyboard, so the status bar may not say the line: the mark in the editor does.
      await page.locator('.monaco-editor .rangeHighlight, .monaco-editor .cdr').first().waitFor();
    });
  console.log(`        opened ${place[0]}`);
  await page.screenshot({ path: join(shots, 'source.png') });
});

await step('lenses above functions say how often they exited', async () => {
  await page
    .locator('.codelens-decoration', { hasText: 'VM exit' })
    .first()
    .waitFor({ state: 'attached', timeout: 15_000 });
});

const axe = readFileSync(join(root, 'node_modules', 'axe-core', 'axe.min.js'), 'utf8');
/** Violations of WCAG 2.2 A and AA in one page of ours. */
const violations = async (title) => {
  for (const frame of page.frames()) {
    if ((await frame.title().catch(() => '')) !== title) continue;
    await frame.evaluate(axe);
    const found = await frame.evaluate(async () => {
      // A view is transparent and shows the side bar behind it, which axe cannot see.
      document.body.style.background = 'var(--page-background, var(--vscode-sideBar-background))';
      const { violations: list } = await window.axe.run(document, {
        runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'],
      });
      return list.map(
        ({ id, nodes }) => `${id}: ${nodes.length} x ${nodes[0].html.slice(0, 160)} ${nodes[0].any[0]?.message ?? ''}`,
      );
    });
    return found;
  }
  throw new Error(`no frame with the title ${title}`);
};

for (const theme of values.themes.split(',').filter((name) => name !== '')) {
  await step(`panels in the theme ${theme}: pictures, and no accessibility violation`, async () => {
    await setTheme(THEMES[theme]);
    await page.screenshot({ path: join(shots, `workbench-${theme}.png`) });
    await timeline.locator('#page').screenshot({ path: join(shots, `timeline-${theme}.png`) });
    // Tall enough for the whole of VM State.
    await page.setViewportSize({ width: 1440, height: 1700 });
    await page.waitForTimeout(500);
    await page.locator('.part.sidebar').screenshot({ path: join(shots, `panels-${theme}.png`) });
    await page.setViewportSize({ width: 1440, height: 900 });
    await page.waitForTimeout(300);
    for (const title of ['Event Timeline', 'VM State', 'VMCS']) assert.deepEqual(await violations(title), [], title);
  });
}

await step('after the window is loaded again the panels say that the guest ended and offer to boot again', async () => {
  await page.reload();
  await waitForWorkbench(page);
  const again = await webview(page, 'Event Timeline');
  await again.getByText('ended when the window was loaded again').waitFor();
  await page.screenshot({ path: join(shots, 'reloaded.png') });
  await again.getByRole('button', { name: /Boot .* Again/ }).click();
  await terminalShows(/tsubame>/);
});

await step('an address in the terminal is a link to source', async () => {
  await page.locator('.terminal-wrapper.active .xterm').click();
  await page.keyboard.type('panic\r', { delay: 30 });
  await terminalShows(/halted with interrupts/);
  const rows = page.locator('.terminal-wrapper.active .xterm-rows > div');
  let opened = false;
  const tabs = () => page.locator('.tab[data-resource-name$=".c"], .tab[data-resource-name$=".S"]').allInnerTexts();
  const before = await tabs();
  for (let i = (await rows.count()) - 1; i >= 0 && !opened; i--) {
    const line = await rows.nth(i).innerText();
    const match = /#\d 00[0-9a-f]{6}\b/.exec(line);
    if (match === null) continue;
    const box = await rows.nth(i).boundingBox();
    // The terminal's cells are all as wide as each other: the screen's width over its columns.
    const cell = await page.locator('.terminal-wrapper.active .xterm-screen').evaluate((screen) => {
      const probe = [...screen.querySelectorAll('.xterm-rows span')].find((span) => span.textContent.length > 10);
      return probe.getBoundingClientRect().width / probe.textContent.length;
    });
    const x = box.x + cell * (match.index + 6);
    const y = box.y + box.height / 2;
    await page.keyboard.down('Control');
    await page.mouse.move(x - 30, y);
    await page.mouse.move(x, y, { steps: 5 });
    await page.waitForTimeout(700);
    await page.mouse.click(x, y);
    await page.keyboard.up('Control');
    await page.waitForTimeout(1200);
    opened = (await tabs()).join() !== before.join();
  }
  await page.screenshot({ path: join(shots, 'terminal-link.png') });
  assert.ok(opened, 'no link led to a source file');
});

await step('a triple fault says where, with a link to its line, and is in Problems', async () => {
  await runCommand(page, 'Kansoku: Boot Guest Again');
  // The one before may still be halted, not stopped: replacing it is asked.
  const replace = page.locator('.monaco-dialog-box .monaco-button', { hasText: 'Stop and Boot' });
  await replace.click({ timeout: 3000 }).catch(() => {});
  await terminalShows(/tsubame>/);
  await page.locator('.terminal-wrapper.active .xterm').click();
  await page.keyboard.type('triple\r', { delay: 30 });
  const toast = page.locator('.notification-toast', { hasText: /triple fault/i });
  await toast.waitFor();
  await page.screenshot({ path: join(shots, 'triple-fault.png') });
  await toast.locator('.monaco-button', { hasText: 'Open Source' }).click();
  await page.locator('.tab[data-resource-name="machine.c"]').waitFor();
  await page.locator('.monaco-editor .squiggly-error').first().waitFor();
  await page.screenshot({ path: join(shots, 'triple-fault-source.png') });
});

await step('nothing outside this machine was asked', () => {
  assert.deepEqual([...outside], []);
});

console.log(`${((performance.now() - began) / 1000).toFixed(0)} s`);
if (counts.failed > 0) console.log(notes.map((note) => `  console: ${note}`).join('\n'));
await close();
await server.stop();
void context;
console.log(`${counts.passed} passed, ${counts.failed} failed`);
process.exit(counts.failed > 0 ? 1 : 0);
