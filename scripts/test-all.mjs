// `npm test`: sets up what is missing, then runs every check and suite, and closes with one line `N passed, N failed`.
// Words on the command line choose steps by name (`npm test -- unit lint`); --long adds the long runs. Not the suites themselves.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { prepare } from './setup.mjs';
import { installProject } from './vscode/lib/install.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const long = process.argv.includes('--long');
const words = process.argv.slice(2).filter((a) => !a.startsWith('--'));
const bin = (name) => join(root, 'node_modules', '.bin', name);

/** A step either prints a closing line of its own, or counts as one test. `needs`: what setup.mjs must provide. */
const STEPS = [
  { name: 'types', command: [bin('tsc'), '--noEmit', '-p', '.'] },
  { name: 'types-webviews', command: [bin('tsc'), '--noEmit', '-p', 'src/webviews'] },
  { name: 'lint', command: [bin('eslint'), '.', '--max-warnings', '0'] },
  { name: 'format', command: [bin('prettier'), '--check', '--log-level', 'warn', '.'] },
  { name: 'layers', command: [bin('depcruise'), 'src', '--config', '.dependency-cruiser.cjs'] },
  { name: 'dead-code', command: [bin('knip')] },
  { name: 'docs', command: ['node', 'scripts/generate-docs.mjs', '--check'] },
  { name: 'build', command: ['node', 'esbuild.mjs', '--production'] },
  {
    name: 'unit',
    command: ['node', 'scripts/test.mjs', ...(long ? ['--long'] : [])],
    counts: true,
    needs: ['debian', 'qemu', 'bochs', 'gcc', 'gdb', 'clang', 'xz'],
  },
  {
    name: 'extension-host',
    command: ['node', 'scripts/vscode/run-extension-tests.mjs'],
    counts: true,
    needs: ['chromium', 'served-vscode'],
  },
  { name: 'e2e', command: ['node', 'test/e2e/boot-guest.mjs'], counts: true, needs: ['chromium', 'served-vscode'] },
  {
    name: 'e2e-debug',
    command: ['node', 'test/e2e/debug-kernel.mjs'],
    counts: true,
    needs: ['chromium', 'served-vscode'],
  },
  {
    name: 'e2e-gnumach',
    command: ['node', 'test/e2e/boot-gnumach.mjs'],
    counts: true,
    needs: ['chromium', 'served-vscode', 'debian'],
  },
];

const run = (step) =>
  new Promise((resolve) => {
    const [command, ...args] = step.command;
    const child = spawn(command, args, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, NO_COLOR: '1' },
    });
    let tail = '';
    child.stdout.on('data', (data) => {
      process.stdout.write(data);
      tail = (tail + data).slice(-4000);
    });
    child.on('error', (error) => resolve({ passed: 0, failed: 1, skipped: 0, note: error.message }));
    child.on('close', (code) => {
      if (!step.counts) return resolve({ passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0 });
      const matches = [...tail.matchAll(/^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/gm)];
      const last = matches.at(-1);
      if (last === undefined) return resolve({ passed: 0, failed: 1, skipped: 0, note: 'no closing line' });
      const failed = Number(last[2]);
      resolve({
        passed: Number(last[1]),
        failed: failed === 0 && code !== 0 ? 1 : failed,
        skipped: Number(last[3] ?? 0),
      });
    });
  });

const unknown = words.filter((word) => !STEPS.some((step) => step.name === word));
if (unknown.length > 0) {
  console.log(`no step ${unknown.join(', ')}; steps: ${STEPS.map((step) => step.name).join(', ')}`);
  process.exit(1);
}
installProject();

const total = { passed: 0, failed: 0, skipped: 0 };
const broken = [];
for (const step of STEPS) {
  if (words.length > 0 && !words.includes(step.name)) continue;
  console.log(`\n== ${step.name}`);
  const missing = await prepare(step.needs ?? []);
  if (missing.length > 0 && process.env.CI !== 'true' && !step.counts) {
    console.log(`skipped: ${missing.join('; ')}`);
    total.skipped++;
    continue;
  }
  for (const line of missing) console.log(`missing: ${line}`);
  const start = Date.now();
  const result = await run(step);
  console.log(
    `== ${step.name}: ${result.failed === 0 ? 'ok' : 'FAILED'}${result.note ? ` (${result.note})` : ''}, ${Math.round((Date.now() - start) / 1000)} s`,
  );
  total.passed += result.passed;
  total.failed += result.failed;
  total.skipped += result.skipped;
  if (result.failed > 0) broken.push(step.name);
}
if (broken.length > 0) console.log(`\nfailed: ${broken.join(', ')}`);
if (total.skipped > 0 && process.env.CI === 'true') {
  console.log(`${total.skipped} skipped: in CI nothing may be skipped`);
  total.failed += total.skipped;
}
console.log(`\n${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;
