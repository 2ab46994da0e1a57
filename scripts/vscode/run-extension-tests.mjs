// Runs test/extension/suite in the Node extension host of the served VS Code: node scripts/vscode/run-extension-tests.mjs [--no-build]
// The same suite runs on a desktop with scripts/run-desktop-tests.mjs. The last line is `N passed, N failed`.
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { format, parseArgs } from 'node:util';
import { openBrowser } from './lib/browser.mjs';
import { buildExtension, installHost, installProject, root } from './lib/install.mjs';
import { startServer, workbenchUrl } from './lib/vscode-host.mjs';

const { values } = parseArgs({
  options: {
    'no-build': { type: 'boolean', default: false },
    timeout: { type: 'string', default: '240' },
    verbose: { type: 'boolean', default: false },
  },
});
installProject();
installHost();
if (!values['no-build']) buildExtension(['--tests']);
const out = join(root, 'out', 'extension-tests');
mkdirSync(out, { recursive: true });
const resultFile = join(out, 'results.json');
rmSync(resultFile, { force: true });

const server = await startServer({
  tests: true,
  env: { KANSOKU_RESULT_FILE: resultFile },
  log: join(out, 'server.log'),
});
const browser = await openBrowser();
let why = '';
let code;
try {
  const { page } = browser;
  const done = new Promise((ok) => {
    void page.exposeFunction('codeAutomationLog', (type, args) => {
      if (values.verbose) console.log(`[${type}]`, format(...args));
    });
    void page.exposeFunction('codeAutomationExit', (exit) => ok({ exit }));
    page.on('close', () => ok({ lost: 'the page was closed' }));
    page.on('crash', () => ok({ lost: 'the page crashed' }));
    setTimeout(() => ok({ lost: `no result within ${values.timeout} s` }), Number(values.timeout) * 1000).unref();
  });
  await page.goto(
    workbenchUrl(server, {
      folder: join(root, 'media', 'guests', 'tsubame'),
      developmentPath: root.replace(/\/$/, ''),
      testsPath: join(root, 'out', 'test', 'extension', 'index'),
    }),
  );
  const { exit, lost } = await done;
  code = exit;
  why = lost ?? '';
  if (lost !== undefined) await page.screenshot({ path: join(out, 'failure.png') }).catch(() => {});
} finally {
  await browser.close();
  await server.stop();
}

// The workbench says 0 even when its extension host was killed in mid-test, so the suite's own file has the last word.
const result = existsSync(resultFile)
  ? JSON.parse(readFileSync(resultFile, 'utf8'))
  : { passed: [], failed: [], done: false };
if (!result.done && why === '') why = 'the suite did not finish';
if (result.done && code !== 0 && result.failed.length === 0) why ||= `the extension host ended with ${code}`;
for (const title of result.passed) console.log(`ok      ${title}`);
for (const { title, error } of result.failed) console.log(`FAILED  ${title}\n${error}`);
if (why !== '') console.log(why);
const failed = result.failed.length + (why === '' ? 0 : 1);
console.log(`${result.passed.length} passed, ${failed} failed`);
process.exit(failed > 0 || result.passed.length === 0 ? 1 : 0);
