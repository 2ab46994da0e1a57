// The image of the threaded tier that a build carries is the one that the source emits. A build without it would run, but start slowly.

import assert from 'node:assert/strict';
import { after, it } from 'node:test';
import { build, type Plugin } from 'esbuild';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';
import { emitThreadedImage, type ThreadedImage } from '../../src/machine/translate/threaded-image.ts';

const folder = mkdtempSync(join(tmpdir(), 'kansoku-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const root = import.meta.dirname;

it('a build carries the bytes that the source emits', async () => {
  const { threadedImage } = (await import(pathToFileURL(join(root, 'scripts/threaded-image.mjs')).href)) as {
    threadedImage(): Plugin;
  };
  const outfile = join(folder, 'image.mjs');
  await build({
    entryPoints: [join(root, 'src/machine/translate/prepared-image.ts')],
    bundle: true,
    outfile,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    plugins: [threadedImage()],
  });
  const { preparedImage } = (await import(pathToFileURL(outfile).href)) as { preparedImage: ThreadedImage };
  const { bytes, ...where } = emitThreadedImage();
  const { bytes: prepared, ...preparedWhere } = preparedImage;
  assert.deepEqual(preparedWhere, where);
  assert.ok(Buffer.from(prepared).equals(Buffer.from(bytes)));
});

it('two emissions are the same', () => {
  assert.ok(Buffer.from(emitThreadedImage().bytes).equals(Buffer.from(emitThreadedImage().bytes)));
});
