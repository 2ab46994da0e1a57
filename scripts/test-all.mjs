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

/** Checks count as one test each; they need nothing that has to be set up, use one core, and run two at a time. */
const CHECKS = [
  { name: 'types', command: [bin('tsc'), '--noEmit', '-p', '.'] },
  { name: 'types-webviews', command: [bin('tsc'), '--noEmit', '-p', 'src/webviews'] },
  { name: 'lint', command: [bin('eslint'), '.', '--max-warnings', '0'] },
  { name: 'format', command: [bin('prettier'), '--check', '--log-level', 'warn', '.'] },
  { name: 'layers', command: [bin('depcruise'), 'src', '--config', '.dependency-cruiser.cjs'] },
  { name: 'dead-code', command: [bin('knip')] },
  { name: 'docs', command: ['node', 'scripts/generate-docs.mjs', '--check'] },
  { name: 'build', command: ['node', 'esbuild.mjs', '--production'] },
];
/** Suites print a closing line of their own and run one after the other. `needs`: what setup.mjs must provide. */
const SUITES = [
  {
    name: 'unit',
    command: ['node', 'scripts/test.mjs', ...(long ? ['--long'] : [])],
    needs: ['debian', 'qemu', 'bochs', 'gcc', 'gdb', 'clang', 'xz'],
  },
  {
    name: 'extension-host',
    command: ['node', 'scripts/vscode/run-extension-tests.mjs'],
    needs: ['chromium', 'served-vscode'],
  },
  { name: 'e2e', command: ['node', 'test/e2e/boot-guest.mjs'], needs: ['chromium', 'served-vscode'] },
  {
    name: 'e2e-debug',
    command: ['node', 'test/e2e/debug-kernel.mjs'],
    needs: ['chromium', 'served-vscode'],
  },
  {
    name: 'e2e-gnumach',
    command: ['node', 'test/e2e/boot-gnumach.mjs'],
    needs: ['chromium', 'served-vscode', 'debian'],
  },
];

/** `print` gets what the command prints. */
const execute = ({ command: [command, ...args] }, print) =>
  new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NO_COLOR: '1' },
    });
    child.stdout.on('data', print);
    child.stderr.on('data', print);
    child.on('error', (error) => resolve({ code: undefined, note: error.message }));
    child.on('close', (code) => resolve({ code }));
  });

const runCheck = async (step) => {
  const output = [];
  const { code, note } = await execute(step, (data) => output.push(data));
  // What one check prints stays together.
  console.log(`\n== ${step.name}`);
  process.stdout.write(Buffer.concat(output));
  return { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0, note };
};

const runSuite = async (step) => {
  console.log(`\n== ${step.name}`);
  for (const line of await prepare(step.needs)) console.log(`missing: ${line}`);
  let tail = '';
  const { code, note } = await execute(step, (data) => {
    process.stdout.write(data);
    tail = (tail + data).slice(-4000);
  });
  if (note !== undefined) return { passed: 0, failed: 1, skipped: 0, note };
  const last = [...tail.matchAll(/^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/gm)].at(-1);
  if (last === undefined) return { passed: 0, failed: 1, skipped: 0, note: 'no closing line' };
  const [passed, failed, skipped] = last.slice(1).map((text) => Number(text ?? 0));
  return { passed, failed: failed === 0 && code !== 0 ? 1 : failed, skipped };
};

const total = { passed: 0, failed: 0, skipped: 0 };
const broken = [];
/** Runs steps, so many at a time, and adds up what they say. */
const runAll = async (steps, runStep, lanes) => {
  const waiting = steps.filter((step) => words.length === 0 || words.includes(step.name));
  const lane = async () => {
    for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) {
      const start = Date.now();
      const { passed, failed, skipped, note } = await runStep(step);
      const seconds = Math.round((Date.now() - start) / 1000);
      console.log(`== ${step.name}: ${failed === 0 ? 'ok' : 'FAILED'}${note ? ` (${note})` : ''}, ${seconds} s`);
      total.passed += passed;
      total.failed += failed;
      total.skipped += skipped;
      if (failed > 0) broken.push(step.name);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
};

const steps = [...CHECKS, ...SUITES].map((step) => step.name);
const unknown = words.filter((word) => !steps.includes(word));
if (unknown.length > 0) {
  console.log(`no step ${unknown.join(', ')}; steps: ${steps.join(', ')}`);
  process.exit(1);
}
installProject();
await runAll(CHECKS, runCheck, 2);
await runAll(SUITES, runSuite, 1);
if (broken.length > 0) console.log(`\nfailed: ${broken.join(', ')}`);
if (total.skipped > 0 && process.env.CI === 'true') {
  console.log(`${total.skipped} skipped: in CI nothing may be skipped`);
  total.failed += total.skipped;
}
console.log(`\n${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;
