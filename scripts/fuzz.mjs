// Fuzzing from the command line: `node scripts/fuzz.mjs --seed N --shrink` repeats one case. Bundles test/fuzz/command.ts and runs it.
// Not the specs, which `scripts/test.mjs` runs.
import { build } from 'esbuild';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const outfile = join(root, 'out', 'fuzz', `command-${process.pid}.mjs`);
await build({
  entryPoints: [join(root, 'test', 'fuzz', 'command.ts')],
  outfile,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  packages: 'external',
  logLevel: 'warning',
});
const { main } = await import(pathToFileURL(outfile).href);
rmSync(outfile, { force: true });
process.exitCode = await main(root, process.argv.slice(2));
