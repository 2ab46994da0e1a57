// `npm run bench`: bundles test/benchmarks/*.ts and runs them one after the other. Not the comparison with other machines: that is
// `kansoku bench`, which comes with the region tier.
import { build } from 'esbuild';
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = join(root, 'test', 'benchmarks');
for (const file of readdirSync(folder).filter((name) => name.endsWith('.ts'))) {
  const outfile = join(root, 'out', 'benchmarks', file.replace(/\.ts$/, '.mjs'));
  await build({
    entryPoints: [join(folder, file)],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
  });
  console.log(`\n== ${file}`);
  spawnSync(process.execPath, [outfile], { stdio: 'inherit' });
}
