// Builds and packs the extension as a .vsix, the way users get it (vsce runs the build: vscode:prepublish).
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildExtension, root } from './install.mjs';

const vsce = join(root, 'node_modules', '@vscode', 'vsce', 'vsce');

const pack = (folder, file) => {
  mkdirSync(join(root, 'out'), { recursive: true });
  const flags = ['--no-dependencies', '--allow-missing-repository', '--no-rewrite-relative-links'];
  execFileSync(process.execPath, [vsce, 'package', ...flags, '-o', file], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return file;
};

/** @returns the file */
export const packageExtension = () => pack(root, join(root, 'out', 'kansoku.vsix'));

/** The extension with the panels' fake session in the engine's place: for tests of what is around the engine. */
export const packageFake = () => {
  const folder = join(root, 'out', 'fake');
  rmSync(folder, { recursive: true, force: true });
  buildExtension(['--fake-session']);
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  delete manifest.scripts;
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
  for (const part of ['package.nls.json', 'package.nls.ja.json', '.vscodeignore', 'l10n', 'media']) {
    cpSync(join(root, part), join(folder, part), { recursive: true });
  }
  writeFileSync(join(folder, 'README.md'), '# Kansoku\n');
  return pack(folder, join(root, 'out', 'kansoku-fake.vsix'));
};
