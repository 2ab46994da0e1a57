// Builds everything that runs: node esbuild.mjs [--production] [--tests] [--fake-session]
//   --production    minified, without source maps
//   --tests         also the suites that run inside VS Code, into out/test
//   --fake-session  the machine's thread runs test/extension/fake-session.ts instead of the engine: for tests of the panels only
// Not the type-check (npm run typecheck) and not the unit tests (scripts/test.mjs bundles its own).
import { build } from 'esbuild';
import { readdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { threadedImage } from './scripts/threaded-image.mjs';

const root = fileURLToPath(new URL('.', import.meta.url));
process.chdir(root);
const flag = (name) => process.argv.includes(`--${name}`);
const production = flag('production');
const fake = flag('fake-session');
const outdir = fake ? 'out/fake/dist' : 'dist';

const common = {
  bundle: true,
  minify: production,
  sourcemap: production ? false : 'linked',
  legalComments: 'none',
  logLevel: 'warning',
  define: { 'process.env.NODE_ENV': production ? '"production"' : '"development"' },
};
const node = { ...common, platform: 'node', target: 'node20' };

/** The engine's place is taken by the fake; nothing else changes. */
const fakeSession = {
  name: 'fake-session',
  setup({ onResolve }) {
    onResolve({ filter: /\/engine-session\.ts$/ }, () => ({ path: `${root}test/extension/fake-session.ts` }));
  },
};

rmSync(outdir, { recursive: true, force: true });
const entries = {
  extension: 'src/extension/extension.ts',
  'machine-worker': 'src/workers/machine-worker.ts',
  'language-server': 'src/language/server.ts',
};
/** The panels' fake needs no processor. */
const prepared = fake ? undefined : threadedImage();
const pages = ['vm-state', 'vmcs', 'timeline'];
await Promise.all([
  build({
    ...node,
    format: 'cjs',
    entryPoints: entries,
    outdir,
    external: ['vscode'],
    plugins: fake ? [fakeSession] : [prepared],
  }),
  // The panels' fake has no command line.
  ...(fake
    ? []
    : [
        build({
          ...node,
          format: 'cjs',
          entryPoints: { cli: 'src/cli/main.ts' },
          outdir,
          banner: { js: '#!/usr/bin/env node' },
          plugins: [prepared],
        }),
      ]),
  build({
    ...common,
    platform: 'browser',
    format: 'iife',
    target: 'es2022',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    loader: { '.svg': 'text' },
    entryPoints: Object.fromEntries(pages.map((page) => [page, `src/webviews/${page}/main.tsx`])),
    outdir: `${outdir}/webviews`,
  }),
  ...(flag('tests')
    ? [
        build({
          ...node,
          format: 'cjs',
          minify: false,
          entryPoints: readdirSync('test/extension/suite')
            .filter((file) => file.endsWith('.ts'))
            .map((file) => `test/extension/suite/${file}`),
          outdir: 'out/test/extension',
          external: ['vscode', 'mocha'],
        }),
      ]
    : []),
]);
