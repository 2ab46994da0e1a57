// Runs test/extension/suite in a desktop VS Code (@vscode/test-electron downloads one if it has none): for machines with a display.
// The same suite runs in the served VS Code with scripts/vscode/run-extension-tests.mjs. The last line is `N passed, N failed`.
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { runTests } from '@vscode/test-electron';
import { buildExtension, installProject, root } from './vscode/lib/install.mjs';

installProject();
buildExtension(['--tests']);
const out = join(root, 'out', 'extension-tests');
mkdirSync(out, { recursive: true });
const resultFile = join(out, 'results.json');
rmSync(resultFile, { force: true });
let why = '';
try {
  await runTests({
    extensionDevelopmentPath: root,
    extensionTestsPath: join(root, 'out', 'test', 'extension', 'index'),
    launchArgs: [join(root, 'media', 'guests', 'tsubame'), '--disable-extensions'],
    extensionTestsEnv: { KANSOKU_RESULT_FILE: resultFile },
  });
} catch (error) {
  why = String(error);
}
let result = { passed: [], failed: [], done: false };
try {
  result = JSON.parse(readFileSync(resultFile, 'utf8'));
} catch {
  why ||= 'the suite wrote no result';
}
for (const { title, error } of result.failed) console.log(`FAILED  ${title}\n${error}`);
if (result.failed.length === 0 && why !== '') console.log(why);
const failed = result.failed.length > 0 ? result.failed.length : result.done && why === '' ? 0 : 1;
console.log(`${result.passed.length} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);
