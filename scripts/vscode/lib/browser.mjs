// Headless Chromium that resolves nothing but loopback, and the workbench as a person reaches it: palette, files, webviews.
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const CANDIDATES = [
  process.env.CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

export const openBrowser = async ({ width = 1440, height = 900 } = {}) => {
  const executablePath = CANDIDATES.find((path) => path !== undefined && existsSync(path));
  if (executablePath === undefined) {
    throw new Error('no Chromium found: install the package chromium, or name one in the variable CHROMIUM');
  }
  // A profile of its own, not a private window: VS Code's webviews need service workers.
  const profile = mkdtempSync(join(tmpdir(), 'kansoku-chromium-'));
  mkdirSync(join(profile, 'Default'));
  writeFileSync(
    join(profile, 'Default', 'Preferences'),
    JSON.stringify({ profile: { cookie_controls_mode: 0, block_third_party_cookies: false } }),
  );
  const context = await chromium.launchPersistentContext(profile, {
    executablePath,
    headless: true,
    viewport: { width, height },
    permissions: ['clipboard-read', 'clipboard-write'],
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost, EXCLUDE *.localhost',
    ],
  });
  /** Hosts that the page asked for and did not get. */
  const outside = new Set();
  context.on('requestfailed', (request) => {
    const url = new URL(request.url());
    if (/^(https?|wss?):$/.test(url.protocol) && !/^(127\.0\.0\.1|(.*\.)?localhost)$/.test(url.hostname))
      outside.add(url.hostname);
  });
  const page = context.pages()[0] ?? (await context.newPage());
  const close = async () => {
    await context.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  };
  return { page, context, outside, close };
};

export const waitForWorkbench = (page, ms = 60_000) =>
  page.locator('.monaco-workbench .part.statusbar').waitFor({ timeout: ms });

const input = (page) => page.locator('.quick-input-widget:visible .quick-input-filter input.input');
const choices = (page) => page.locator('.quick-input-widget:visible .monaco-list-row');

/** Runs a command by its palette title. */
export const runCommand = async (page, title) => {
  await page.keyboard.press('F1');
  await input(page).waitFor();
  await input(page).fill(`>${title}`);
  const row = choices(page).filter({ hasText: title }).first();
  await row.waitFor();
  await row.click();
};

/** Takes an entry of the open quick pick. */
export const pick = async (page, text) => {
  const row = choices(page).filter({ hasText: text }).first();
  await row.waitFor();
  await row.click();
};

/**
 * Answers an input box that asks by this title. By its title: while the palette that called for it is still closing, it is the one that
 * any selector without a title finds, and what is typed then is lost.
 */
export const answer = async (page, title, text) => {
  const box = page.locator('.quick-input-widget:visible', { hasText: title }).locator('input.input');
  await box.waitFor();
  await box.fill(text);
  await box.press('Enter');
};

/** Puts the cursor at the start of a line of the file that is open. */
export const goToLine = async (page, line) => {
  await page.keyboard.press('Control+G');
  await input(page).waitFor();
  await input(page).fill(`:${line}`);
  await input(page).press('Enter');
  await page.locator('.statusbar-item', { hasText: new RegExp(`Ln ${line}, Col 1`) }).waitFor();
};

export const openFile = async (page, name) => {
  await page.keyboard.press('Control+P');
  await input(page).waitFor();
  await input(page).fill(name);
  await choices(page).filter({ hasText: name }).first().click();
  await page.locator(`.tab[data-resource-name="${name}"]`).waitFor();
};

/** The page of ours with this title, whichever place VS Code gave it. */
export const webview = async (page, title, ms = 30_000) => {
  const end = Date.now() + ms;
  for (;;) {
    const frames = page.locator('iframe.webview.ready');
    for (let i = 0; i < (await frames.count()); i++) {
      const content = frames.nth(i).contentFrame().locator('iframe#active-frame').contentFrame();
      const found = await content
        .locator('title')
        .textContent({ timeout: 500 })
        .catch(() => undefined);
      if (found === title) return content;
    }
    if (Date.now() > end) throw new Error(`no page with the title ${title} came up`);
    await page.waitForTimeout(100);
  }
};

/** Clicks until the effect shows: a code lens is drawn again while it resolves, and a click that straddles that is lost. */
export const clickUntil = async (target, effect, { tries = 5, ms = 2_000 } = {}) => {
  for (let i = 1; ; i++) {
    await target.click();
    try {
      await effect.waitFor({ timeout: ms });
      return;
    } catch (error) {
      if (i === tries) throw error;
    }
  }
};
