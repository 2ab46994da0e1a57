// `kansoku vectors`: files, options and printing around the vector runner (vectors.ts).

import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { UserError } from '../workers/session.ts';
import { helpText, parseArguments } from './options.ts';
import { runVectors } from './vectors.ts';

/** Options of `vectors`. */
export const VECTORS_OPTIONS = {
  'no-regions': { help: 'threaded tier only (in this release the only tier)' },
  'regions-only': { help: 'region tier only', later: 'the region tier comes in a later one' },
} as const;
/** Failures printed above the closing line. */
const SHOWN = 20;

/** Exit status 0 only if nothing failed. Throws UserError for an unreadable or malformed file. */
export const vectors = (argv: readonly string[]): number => {
  if (argv.includes('--help')) {
    console.log(
      `kansoku vectors FILE...\n\nFILE: JSON Lines, plain or gzipped; - reads standard input.\n\n${helpText(VECTORS_OPTIONS)}`,
    );
    return 0;
  }
  const { positional } = parseArguments(argv, VECTORS_OPTIONS, 'vectors');
  if (positional.length === 0) throw new UserError('kansoku vectors: give at least one FILE (- reads standard input)');
  let passed = 0;
  let failed = 0;
  for (const path of positional) {
    let bytes: Buffer;
    try {
      bytes = readFileSync(path === '-' ? 0 : path);
    } catch (error) {
      throw new UserError(`${path}: cannot read the vectors: ${(error as Error).message}`);
    }
    const text = (bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes).toString('utf8');
    try {
      const result = runVectors(text, Math.max(0, SHOWN - failed));
      for (const line of result.failures) console.log(line);
      passed += result.passed;
      failed += result.failed;
    } catch (error) {
      throw new UserError(`${path}: ${(error as Error).message}`);
    }
  }
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
};
