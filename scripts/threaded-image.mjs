// The code of the threaded tier, emitted while the extension is built, in the place of src/machine/translate/prepared-image.ts: an esbuild
// plugin. Not how it is emitted: that is the source's own function, run here. It is packed to an eighth, as the host keeps a program's text.
import { build } from 'esbuild';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { deflateRawSync } from 'node:zlib';

const root = fileURLToPath(new URL('..', import.meta.url));
const BYTES = 'kansoku:threaded-image';

const emit = async () => {
  const folder = mkdtempSync(join(tmpdir(), 'kansoku-'));
  const outfile = join(folder, 'emit.mjs');
  await build({
    stdin: {
      contents: `export { emitThreadedImage } from './machine/translate/threaded-image.ts';`,
      resolveDir: join(root, 'src'),
      loader: 'ts',
    },
    bundle: true,
    outfile,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'warning',
  });
  try {
    const { emitThreadedImage } = await import(pathToFileURL(outfile).href);
    return emitThreadedImage();
  } finally {
    rmSync(folder, { recursive: true });
  }
};

/** One image for all that is built together. */
export const threadedImage = () => {
  const image = emit();
  return {
    name: 'threaded-image',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: new RegExp(`^${BYTES}$`) }, ({ path }) => ({ path, namespace: BYTES }));
      onLoad({ filter: /.*/, namespace: BYTES }, async () => {
        const contents = deflateRawSync((await image).bytes, { level: 9 });
        return { contents, loader: 'binary' };
      });
      onLoad({ filter: /[/\\]translate[/\\]prepared-image\.ts$/ }, async () => {
        const { bytes, ...where } = await image;
        return {
          contents: `import { inflateRawSync } from 'node:zlib';
            import packed from '${BYTES}';
            const bytes = inflateRawSync(packed, { chunkSize: ${bytes.length} });
            export const preparedImage = { bytes, ...${JSON.stringify(where)} };`,
          loader: 'js',
        };
      });
    },
  };
};
