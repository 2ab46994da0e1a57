// `kansoku vectors`: files, options and printing around the vector runner (run.ts).

import { basename } from 'node:path';
import { UserError } from '../../workers/session.ts';
import { helpText, parseArguments } from '../options.ts';
import { linesOfFile } from './lines.ts';
import { runVectors } from './run.ts';

/** Options of `vectors`. */
export const VECTORS_OPTIONS = {
  'no-regions': { help: 'threaded tier only (in this release the only tier)' },
  'regions-only': { help: 'region tier only', later: 'the region tier comes in a later one' },
} as const;
/** Failures printed above the closing line. */
const SHOWN = 20;
/** Milliseconds between two lines of progress. */
const PACE = 250;

/** Counts on a terminal's standard error while the vectors run; nothing elsewhere. */
const progressLine = (): { show: (passed: number, failed: number) => void; end: () => void } => {
  let last = 0;
  let shown = false;
  return {
    show: (passed, failed) => {
      if (!process.stderr.isTTY || Date.now() - last < PACE) return;
      last = Date.now();
      shown = true;
      process.stderr.write(`\r${passed} passed, ${failed} failed so far`);
    },
    end: () => {
      if (shown) process.stderr.write('\r\x1b[K');
    },
  };
};

/** Exit status 0 only if nothing failed. Throws UserError for an unreadable or malformed file. */
export const vectors = async (argv: readonly string[]): Promise<number> => {
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
  const line = progressLine();
  for (const path of positional) {
    try {
      const result = await runVectors(linesOfFile(path), {
        keep: Math.max(0, SHOWN - failed),
        approximate: basename(path).includes('approx'),
        progress: (p, f) => line.show(passed + p, failed + f),
      });
      line.end();
      for (const text of result.failures) console.log(text);
      passed += result.passed;
      failed += result.failed;
    } catch (error) {
      line.end();
      throw error instanceof UserError ? new UserError(`${path}: ${error.message}`) : error;
    }
  }
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
};
