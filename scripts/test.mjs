// The unit-test runner: bundles every *.spec.ts under src and test with esbuild and runs them with node:test.
// Arguments are substrings of file names; with none, every spec runs. The last line is `N passed, N failed`.
// Specs named *.long.spec.ts run only with --long. Not the end-to-end suites: those have runners of their own.
import { build } from 'esbuild';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { readdirSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const words = process.argv.slice(2).filter((a) => !a.startsWith('--'));
const long = process.argv.includes('--long');

const walk = (folder) =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? walk(join(folder, entry.name)) : [join(folder, entry.name)],
  );
const specs = [...walk(join(root, 'src')), ...walk(join(root, 'test'))]
  .filter((file) => /\.spec\.tsx?$/.test(file))
  .filter((file) => long || !/\.long\.spec\.tsx?$/.test(file))
  .filter((file) => words.length === 0 || words.some((word) => relative(root, file).includes(word)))
  .sort();
if (specs.length === 0) {
  console.log(`no spec matches ${words.join(' ')}`);
  process.exit(1);
}

const out = join(root, 'out', 'specs', String(process.pid));
await build({
  entryPoints: specs,
  inject: [join(root, 'test', 'spec-process.ts')],
  outdir: out,
  outbase: root,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  sourcemap: 'inline',
  packages: 'external',
  logLevel: 'warning',
  define: { 'import.meta.dirname': JSON.stringify(root) },
});

let passed = 0;
let failed = 0;
let skipped = 0;
/** By reason: tests that this host cannot run whatever is installed; reasons that begin with `host: `. They are said, and are no skips. */
const impossible = new Map();
const files = specs.map((file) => join(out, relative(root, file).replace(/\.tsx?$/, '.mjs')));
const stream = run({ files, concurrency: 2, timeout: (long ? 180 : 30) * 60_000 });
stream.on('test:pass', (test) => {
  if (test.details?.type === 'suite') return;
  if (test.skip === undefined) passed++;
  else if (String(test.skip).startsWith('host: ')) impossible.set(test.skip, (impossible.get(test.skip) ?? 0) + 1);
  else skipped++;
});
stream.on('test:fail', (test) => {
  if (test.details?.type !== 'suite') failed++;
});
stream.compose(new spec()).pipe(process.stdout);
stream.on('end', () => {
  rmSync(out, { recursive: true, force: true });
  setTimeout(() => {
    for (const [reason, count] of impossible) console.log(`${count} tests are not possible here. ${reason}`);
    console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
    process.exit(failed > 0 || passed === 0 ? 1 : 0);
  }, 50);
});
